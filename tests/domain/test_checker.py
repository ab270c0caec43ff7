"""The column checker: what a roster's cell may be, and what is said of one that is not."""

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, strategies as st

from pfps_ml.core.errors import Fault
from pfps_ml.domain.dictionary import BY_NAME, INPUTS
from pfps_ml.domain.input_validation import MISSING, check, check_columns, complete, derive, is_missing

AGE = "expected a number from 10 to 90 years"
KINDS = ["age_years", "foot_posture_index", "current_knee_pain", "sex"]


def one(name, values, dtype=None, decimal_comma=False):
    """Check one column; return its values and the messages by row."""
    checked = check(pd.DataFrame({name: pd.Series(values, dtype=dtype)}), [BY_NAME[name]], decimal_comma)
    return checked.values[name].tolist(), {fault.row: fault.text for fault in checked.faults}


def value_of(name, cell, dtype=object, decimal_comma=False):
    return one(name, [cell], dtype, decimal_comma)[0][0]


def message_of(name, cell, dtype=object, decimal_comma=False):
    return one(name, [cell], dtype, decimal_comma)[1].get(0)


def test_numbers_written_as_text_are_read(subtests):
    for dtype in ["str", object, pd.ArrowDtype(pa.string()), "category"]:
        with subtests.test(dtype=dtype):
            values, messages = one("age_years", ["30", " 30.5 ", "4e1", "+50", "\u00a060"], dtype)
            assert values == [30, 30.5, 40, 50, 60]
            assert not messages


def test_numbers_are_read_whatever_holds_them_and_an_empty_cell_is_missing(subtests):
    for dtype in [float, "Int64", "Float64", pd.ArrowDtype(pa.int64()), object, "category"]:
        with subtests.test(dtype=dtype):
            values, messages = one("weekly_distance_km", [30, None, 31], dtype)
            np.testing.assert_array_equal(values, [30, np.nan, 31])
            assert not messages


def test_a_column_may_mix_numbers_and_text():
    values, messages = one("weekly_distance_km", [30, "31", None, np.nan, pd.NA, "n/a", 32.5], object)
    np.testing.assert_array_equal(values, [30, 31, np.nan, np.nan, np.nan, np.nan, 32.5])
    assert not messages


def test_the_usual_words_for_not_measured_are_missing_not_wrong(subtests):
    for name in ["weekly_distance_km", "foot_posture_index", "current_knee_pain"]:
        with subtests.test(name=name):
            words = sorted({*MISSING, "NaN", "NULL", "N/A", " ", "None"})
            assert not [
                word for word in words if not np.isnan(value_of(name, word)) or message_of(name, word) is not None
            ]


def test_what_is_no_number_is_called_text():
    cells = ["thirty", "30 y", "3 0", "1_0", "0x1E", "1,5", "--", "+nan", "-NaN", "True", True, "30\x00", "٣٠",
             "\uff11\uff12", [30], {}, b"\xff", "\ud800", pd.Timestamp("2020-01-30")]  # fmt: skip
    found = [(repr(cell), value_of("age_years", cell), message_of("age_years", cell)) for cell in cells]
    assert not [each for each in found if not np.isnan(each[1]) or each[2] != f"{AGE}, got text"]


def test_truth_values_are_yes_and_no_where_that_is_asked_and_nothing_else_elsewhere(subtests):
    for dtype in [bool, "boolean", object]:
        with subtests.test(dtype=dtype):
            assert one("sessions_per_week", [True, False], dtype)[1].keys() == {0, 1}
            assert one("current_knee_pain", [True, False], dtype) == ([1, 0], {})
            message = "expected female or male, got true or false"
            assert one("sex", [True, False], dtype)[1] == {0: message, 1: message}


def test_truth_values_among_missing_ones_and_as_a_spreadsheet_writes_them_are_read():
    np.testing.assert_array_equal(one("prior_pfps", [True, None, False], "boolean")[0], [1, np.nan, 0])
    np.testing.assert_array_equal(one("prior_pfps", [True, None, "no"], object)[0], [1, np.nan, 0])
    np.testing.assert_array_equal(one("prior_pfps", ["TRUE", "", "false"], "str")[0], [1, np.nan, 0])


def test_infinity_is_refused_by_its_name(subtests):
    for cell in ["inf", "-Infinity", "1e999", np.inf, -np.inf]:
        with subtests.test(cell=cell):
            assert message_of("age_years", cell) == f"{AGE}, got infinity"
            assert (
                message_of("foot_posture_index", cell) == "expected a whole number from -12 to 12 points, got infinity"
            )


def test_a_decimal_comma_is_read_only_where_the_file_uses_one():
    assert value_of("step_rate_spm", "172,5", decimal_comma=True) == 172.5
    assert value_of("step_rate_spm", "172.5", decimal_comma=True) == 172.5
    assert message_of("step_rate_spm", "172,5", decimal_comma=False).endswith("got text")
    assert message_of("step_rate_spm", "1.172,5", decimal_comma=True).endswith("got text")


def test_a_number_outside_its_limits_is_shown_with_them(subtests):
    for dtype in [object, "str", float]:
        with subtests.test(dtype=dtype):
            values, messages = one("age_years", pd.Series([9, 10, 90, 255, 90.0000001]).astype(dtype))
            np.testing.assert_array_equal(values, [np.nan, 10, 90, np.nan, np.nan])
            assert messages == {0: f"{AGE}, got 9", 3: f"{AGE}, got 255", 4: f"{AGE}, got 90.0000001"}


def test_a_whole_number_may_be_written_with_a_point_but_not_be_broken():
    values, messages = one("foot_posture_index", ["3", "3.0", -12, 3.5, 13], object)
    np.testing.assert_array_equal(values, [3, 3, -12, np.nan, np.nan])
    assert messages == {3: "expected a whole number from -12 to 12 points, got 3.5",
                        4: "expected a whole number from -12 to 12 points, got 13"}  # fmt: skip


def test_levels_become_their_codes_whatever_their_case(subtests):
    for dtype in ["str", object, "category", pd.ArrowDtype(pa.string())]:
        with subtests.test(dtype=dtype):
            values, messages = one("current_knee_pain", ["no", "yes", " YES ", "No", None], dtype)
            np.testing.assert_array_equal(values, [0, 1, 1, 0, np.nan])
            assert not messages


def test_an_unknown_level_is_refused_with_the_levels_that_exist(subtests):
    for cell in ["maybe", "y", 1, 0.0, b"\xff", "\ud800"]:
        with subtests.test(cell=cell):
            assert np.isnan(value_of("current_knee_pain", cell))
            assert message_of("current_knee_pain", cell) == "expected no or yes, got another level"


def test_a_required_value_that_is_missing_is_a_fault_and_any_other_is_not():
    checked = check(pd.DataFrame({"runner_id": ["a", "", None], "age_years": [30, np.nan, "old"], "sex": "male"}))
    assert checked.faults == (
        Fault(1, ("runner_id",), "id_missing", {"field": "runner_id"}),
        Fault(1, ("age_years",), "required", {"field": "age_years"}),
        Fault(2, ("runner_id",), "id_missing", {"field": "runner_id"}),
        Fault(2, ("age_years",), "not_a_number", {"field": "age_years"}),
    )
    assert [fault.line for fault in checked.faults] == [
        "runner_id: is required: expected a pseudonym, got nothing",
        f"age_years: is required: {AGE}, got nothing",
        "runner_id: is required: expected a pseudonym, got nothing",
        f"age_years: {AGE}, got text",
    ]
    np.testing.assert_array_equal(checked.rejected, [False, True, True])


def test_an_absent_column_counts_as_missing_in_every_row():
    checked = check(pd.DataFrame({"sex": ["male", "female"]}, index=[7, 7]))
    assert list(checked.values) == [field.name for field in INPUTS if field.kind != "text"]
    assert checked.values["akps"].isna().all()
    assert {(fault.row, fault.field) for fault in checked.faults} == {(0, "age_years"), (1, "age_years")}


def test_columns_that_the_dictionary_does_not_know_are_not_looked_at():
    frame = pd.DataFrame({"runner_id": ["a"], "age_years": [30], "sex": ["male"], "shoe": [object()]})
    assert not check(frame).faults


def test_a_file_without_rows_has_no_faults():
    for dtype in ("str", object, float):
        checked = check(pd.DataFrame({"age_years": pd.Series(dtype=dtype), "sex": pd.Series(dtype=dtype)}))
        assert len(checked.values) == len(checked.rejected) == len(checked.faults) == 0


def test_body_mass_index_is_weight_over_height_squared_and_missing_with_either():
    values = derive(pd.DataFrame({"weight_kg": [80.0, np.nan, 80.0], "height_cm": [200.0, 200.0, np.nan]}))
    np.testing.assert_array_equal(values["bmi"], [20.0, np.nan, np.nan])


def test_is_missing_tells_blank_cells_from_zero():
    np.testing.assert_array_equal(is_missing(pd.Series([None, " ", "NA", 0, "0"], dtype=object)), [1, 1, 1, 0, 0])


ANY_CELL = st.one_of(
    st.none(), st.text(), st.text(st.characters(categories=["Cs", "Nd", "Zs"])), st.floats(), st.integers(),
    st.booleans(), st.binary(), st.dates(), st.sampled_from(["30", "1_0", "yes", "NaN", "-inf", "1e999", "0x10"]),
)  # fmt: skip


@given(name=st.sampled_from(KINDS), texts=st.lists(st.text()), decimal_comma=st.booleans())
def test_no_text_column_is_too_strange_to_check(name, texts, decimal_comma):
    for dtype in ("str", object):
        values, messages = one(name, texts, dtype, decimal_comma)
        assert_judged(name, values, messages)


@given(name=st.sampled_from(KINDS), cells=st.lists(ANY_CELL), decimal_comma=st.booleans())
def test_no_mixed_column_is_too_strange_to_check(name, cells, decimal_comma):
    assert_judged(name, *one(name, cells, object, decimal_comma))


@given(name=st.sampled_from(KINDS), cells=st.lists(ANY_CELL, min_size=1))
def test_lists_of_cells_are_checked_as_a_frame_is(name, cells):
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object)})
    listed, framed = check({name: cells}, [BY_NAME[name]]), check(frame, [BY_NAME[name]])
    pd.testing.assert_frame_equal(listed.values, framed.values)
    assert listed.faults == framed.faults


def test_one_request_is_checked_as_a_frame_of_one_row_is():
    request = {"runner_id": ["a"], "age_years": [27], "sex": ["female"], "prior_pfps": ["yes"], "akps": [None],
               "weight_kg": [61.5], "squat_collapse": ["No"], "foot_posture_index": [2.5]}  # fmt: skip
    listed, framed = check(request), check(pd.DataFrame(request))
    pd.testing.assert_frame_equal(listed.values, framed.values)
    assert listed.faults == framed.faults
    assert [fault.field for fault in listed.faults] == ["foot_posture_index"]
    assert len(check({}).values) == 0


def test_columns_with_derived_fields_are_the_same_from_a_frame_and_from_columns():
    values = check({"weight_kg": [80.0, None], "height_cm": [200, 180]}).values
    columns = complete(values)
    np.testing.assert_array_equal(columns["bmi"], derive(values)["bmi"])
    np.testing.assert_array_equal(complete(columns)["bmi"], columns["bmi"])
    assert set(columns) == {*values, "bmi"}


def test_lists_of_cells_are_checked_the_same_without_a_frame():
    cells = {"age_years": [27, 300], "sex": ["female", None], "weight_kg": [61, 70]}
    columns, faults = check_columns(cells)
    checked = check(cells)
    assert faults == checked.faults
    assert len(faults) == 2
    for name in checked.values:
        np.testing.assert_array_equal(columns[name], checked.values[name])


def assert_judged(name, values, messages):
    """Hold that each cell is a value within limits, or missing, or a fault, and never a value and a fault."""
    field = BY_NAME[name]
    low, high = (0, len(field.levels) - 1) if field.kind == "choice" else (field.low, field.high)
    for row, value in enumerate(values):
        assert np.isnan(value) if row in messages else np.isnan(value) or low <= value <= high
        assert not (field.required and np.isnan(value) and row not in messages)


SECRET = st.text(st.characters(categories=["L"]), min_size=8).filter(lambda word: word.lower() not in MISSING)


@given(name=st.sampled_from([field.name for field in INPUTS]), secret=SECRET)
def test_a_message_never_repeats_what_a_person_wrote(name, secret):
    if secret.lower() in ("infinity", *BY_NAME[name].levels):
        return
    faults, others = (
        check(pd.DataFrame({"runner_id": [word], name: [word]})).faults for word in (secret, "Qwertzuiop")
    )
    assert (BY_NAME[name].kind == "text") or name in {fault.field for fault in faults}
    assert list(map(str, faults)) == list(map(str, others))  # whatever was written, the same is said
