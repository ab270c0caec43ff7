"""What is derived from the dictionary: the file schema, the request model and the checker judge alike."""

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from pandera.errors import SchemaErrors
from pydantic import ValidationError

from pfps_ml.domain import schemas
from pfps_ml.domain.dictionary import ARMS, BY_NAME, EXAMINED, FIELDS, INPUTS, ONSET, SCREENING, SUCCESS
from pfps_ml.domain.input_validation import check
from pfps_ml.domain.outcomes import columns_of

HOUSE = Path(__file__).parents[2]
FRAME = (*SCREENING, *EXAMINED)  # what a file of patients holds: flags are asked of single patients
ASKED = [field for field in FRAME if field.kind != "text"]
NUMBERS = [field for field in ASKED if field.kind in ("number", "whole")]
CHOICES = [field for field in ASKED if field.kind == "choice"]
REQUEST = schemas.request_model()
TREATMENT = schemas.frame_schema("treatment")


def plain(field):
    """Return a valid value of a field, in its own type."""
    if field.kind == "number":
        return (field.low + field.high) / 2
    return {"text": "R-01", "whole": 0, "choice": (*field.levels, "")[0]}[field.kind]


def runner(**changes):
    return {field.name: plain(field) for field in FRAME} | changes


def refused_by_checker(field, values):
    faults = check(file_of(field, values)).faults
    return {fault.row for fault in faults if fault.fields == (field.name,)}  # of two fields: a contradiction


def file_of(field, values):
    """Return a treatment frame with one row a value, valid but for that value."""
    frame = pd.DataFrame([runner() for _ in values]).astype({number.name: float for number in NUMBERS})
    frame["runner_id"] = [f"R-{row}" for row in range(len(values))]
    frame[field.name] = pd.Series(values, dtype=float if field in NUMBERS else object)
    return frame.assign(**{SUCCESS.column: 0, "draw": 0, "arm": ARMS[0].name})


def refused_by_schema(field, values):
    try:
        TREATMENT.validate(file_of(field, values), lazy=True)
    except SchemaErrors as wrong:
        return set(wrong.failure_cases["index"].astype(int))
    return set()


def accepts(values):
    try:
        REQUEST(**values)
    except ValidationError:
        return False
    return True


def refused_by_request(field, values):
    if field.kind == "whole":  # JSON writes a whole number without a point
        values = [int(value) if value == math.floor(value) else value for value in values]
    return {row for row, value in enumerate(values) if not accepts(runner(**{field.name: value}))}


def refusals(field, values):
    """Return the rows that schema, checker and request refuse."""
    judges = {"checker": refused_by_checker, "schema": refused_by_schema, "request": refused_by_request}
    return {name: judge(field, values) for name, judge in judges.items()}


def test_schema_checker_and_request_draw_the_limits_of_a_number_at_the_same_place():
    faults = []
    for field in NUMBERS:
        if field.kind == "whole":
            values, refused = [field.low, field.high, 0.5, field.low - 1, field.high + 1], {2, 3, 4}
        else:
            below, above = np.nextafter([field.low, field.high], [-np.inf, np.inf])
            values, refused = [field.low, field.high, plain(field), below, above], {3, 4}
        faults += [(field.name, judge, rows) for judge, rows in refusals(field, values).items() if rows != refused]
    assert NUMBERS and not faults


def test_schema_checker_and_request_know_the_same_levels():
    faults = []
    for field in CHOICES:
        found = refusals(field, [*field.levels, "unknown", "1"])
        refused = {len(field.levels), len(field.levels) + 1}
        faults += [(field.name, judge, rows) for judge, rows in found.items() if rows != refused]
    assert CHOICES and not faults


def test_a_value_may_be_missing_everywhere_or_nowhere():
    faults = []
    for field in ASKED:
        missing = [np.nan if field in NUMBERS else None]
        without = {name: value for name, value in runner().items() if name != field.name}
        refused = {
            "checker": refused_by_checker(field, missing) == {0},
            "schema": refused_by_schema(field, missing) == {0},
            "request with null": not accepts(runner(**{field.name: None})),
            "request without the key": not accepts(without),
        }
        faults += [(field.name, judge) for judge, it_is in refused.items() if it_is is not field.required]
    assert ASKED and not faults


@settings(max_examples=20)
@given(data=st.data())
def test_schema_checker_and_request_agree_on_any_number(data):
    field = data.draw(st.sampled_from(NUMBERS))
    around = st.floats(field.low - 10, field.high + 10) if field.kind == "number" else st.integers(-20, 20)
    values = [float(value) for value in data.draw(st.lists(around, min_size=1, max_size=20))]
    refused = refused_by_checker(field, values)
    assert refused_by_schema(field, values) == refused
    assert refused_by_request(field, values) == refused


def test_a_request_takes_no_nan_infinity_text_or_truth_value_for_a_number():
    wrong = [math.nan, math.inf, -math.inf, "0", True, [0]]
    taken = [(field.name, value) for field in NUMBERS for value in wrong if accepts(runner(**{field.name: value}))]
    assert accepts(runner()) and not taken


def test_infinity_is_refused_in_files_too():
    for field in NUMBERS:
        assert refused_by_checker(field, [math.inf, -math.inf]) == {0, 1}
        assert refused_by_schema(field, [math.inf, -math.inf]) == {0, 1}


def test_a_request_with_an_unknown_key_is_refused(subtests):
    for key in ["weight_lb", "age", "bmi", "arm", "pfps_onset_12m"]:
        with subtests.test(key=key):
            assert accepts(runner())
            assert not accepts(runner(**{key: 1}))


def test_a_request_needs_only_age_and_sex_for_a_single_runner_has_no_one_to_be_confused_with():
    assert accepts({"age_years": 30, "sex": "female"})


def test_a_request_keeps_an_id_that_is_text_of_up_to_200_characters():
    assert accepts(runner(runner_id="x" * 200))
    for value in ("", "x" * 201, 7):
        assert not accepts(runner(runner_id=value))


def test_the_request_schema_asks_each_question_and_states_its_limits_with_the_unit_as_written():
    properties = REQUEST.model_json_schema()["properties"]
    assert list(properties) == [field.name for field in INPUTS]
    for field in INPUTS:
        about = properties[field.name]
        assert about["title"] == field.label
        assert about["description"].startswith(field.question)
        assert field.limits[1:] in about["description"]
    assert properties["age_years"]["minimum"] == BY_NAME["age_years"].low
    assert properties["sex"]["enum"] == list(BY_NAME["sex"].levels)


def test_a_screening_file_has_the_screening_fields_its_outcome_and_no_other_column():
    schema = schemas.frame_schema("onset")
    names = [field.name for field in SCREENING]
    further = {*columns_of("runners")} - {ONSET.column}
    assert set(schema.columns) == {*names, ONSET.column, *further, "draw"}
    assert {name for name, column in schema.columns.items() if not column.required} == {
        *further, "months_free_this_season",
    }  # fmt: skip
    good = (
        pd.DataFrame([runner()]).astype({n.name: float for n in NUMBERS})[names].assign(**{ONSET.column: 1, "draw": 0})
    )
    schema.validate(good)
    for bad in (good.assign(arm="hip"), good.assign(**{ONSET.column: 2}), pd.concat([good, good], ignore_index=True)):
        with pytest.raises(SchemaErrors):
            schema.validate(bad, lazy=True)


def test_an_unknown_arm_is_refused():
    good = file_of(BY_NAME["akps"], [50.0])
    TREATMENT.validate(good)
    with pytest.raises(SchemaErrors):
        TREATMENT.validate(good.assign(arm="surgery"), lazy=True)


def test_the_template_is_the_header_of_a_roster():
    [header] = csv.reader(io.StringIO(schemas.template()))
    assert header == [field.name for field in INPUTS]


def test_the_committed_dictionary_is_the_one_that_the_declarations_give():
    committed = (HOUSE / "DICTIONARY.md").read_text(encoding="utf-8")
    assert committed == schemas.dictionary_page(), "stale: run `pfps dictionary > DICTIONARY.md`"


def test_the_dictionary_page_tells_everything_once_in_whole_tables():
    lines = schemas.dictionary_page().splitlines()
    for name in (*BY_NAME, *(arm.name for arm in ARMS), ONSET.column, SUCCESS.column):
        assert len([line for line in lines if line.startswith(f"| `{name}`")]) == 1
    widths = [line.count("|") for line in lines if line.startswith("| `")]
    assert set(widths) == {4, 6, 8, 7, 10}
    assert schemas.NOTICE in lines


def fingerprint_with(monkeypatch, name, changes):
    fields = tuple(replace(field, **changes) if field.name == name else field for field in FIELDS)
    monkeypatch.setattr(schemas, "FIELDS", fields)
    return schemas.fingerprint()


def test_the_fingerprint_moves_with_whatever_changes_the_meaning_of_a_model(monkeypatch):
    changed = [
        ("age_years", {"name": "age"}),
        ("age_years", {"high": 91.0}),
        ("akps", {"low": 1.0}),
        ("bmi", {"unit": "lb/in2"}),
        ("sex", {"levels": ("male", "female")}),
        ("foot_posture_index", {"kind": "number"}),
        *((field.name, {"name": "renamed"}) for field in FIELDS),
    ]
    before = schemas.fingerprint()
    assert not [change for change in changed if fingerprint_with(monkeypatch, *change) == before]


def test_the_fingerprint_moves_with_who_may_be_offered_an_arm(monkeypatch):
    before = schemas.fingerprint()
    monkeypatch.setattr(schemas, "ARMS", tuple(replace(arm, requires=()) for arm in ARMS))
    assert schemas.fingerprint() != before


@pytest.mark.parametrize("words", [{"label": "Years"}, {"question": "?"}, {"meaning": "-"}, {"source": "-"}])
def test_the_fingerprint_does_not_move_with_wording(monkeypatch, words):
    before = schemas.fingerprint()
    assert fingerprint_with(monkeypatch, "age_years", words) == before
