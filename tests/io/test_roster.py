"""Rosters: every row comes back once and in order, and no mistake in a file costs a row or a traceback."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.stream import RunOptions
from pfps_ml.core.errors import PfpsError
from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.domain.input_validation import check
from pfps_ml.io.readers import read_sheet
from pfps_ml.io.roster import ACCOUNT, Summary, read_roster
from pfps_ml.model.assess import ROSTER_COLUMNS, VISIT_COLUMNS, assess
from tests.rosters import EXAMPLE, GOOD, HEADER, ROW, cells, roster, scored


def test_the_example_comes_back_row_for_row_with_its_own_cells(tmp_path, bundle):
    out = tmp_path / "scored.csv"
    summary = score_roster(EXAMPLE, out, bundle)
    before, after = cells(EXAMPLE), cells(out)
    assert (summary.rows, summary.scored, summary.partly, summary.rejected) == (40, 34, 1, 5)
    assert list(after[0]) == [*before[0], *ACCOUNT, *ROSTER_COLUMNS, *VISIT_COLUMNS]
    for theirs, ours in zip(before, after, strict=True):
        for name, cell in theirs.items():
            assert ours[name].removeprefix("'") == (cell or "").removeprefix("'")
        assert (ours["status"] != "scored") == bool(ours["problems"]) == bool(ours["problem_codes"])


def test_a_row_gets_the_risk_that_the_assessment_gives_and_the_interval_holds_it(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    good = [row for row in cells(tmp_path / "out.csv") if row["status"] == "scored"]
    values = check(pd.DataFrame(good)[[field.name for field in INPUTS if field.name in good[0]]]).values
    expected = assess(bundle, values).table(True)["risk_12m"].to_numpy()
    found = np.array([float(row["risk_12m"] or "nan") for row in good])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    for row in good:
        if row["risk_12m"]:
            assert 0 <= float(row["risk_low"]) <= float(row["risk_12m"]) <= float(row["risk_high"]) <= 1


def test_a_runner_with_knee_pain_is_returned_without_a_risk(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    hurt = [row for row in cells(tmp_path / "out.csv") if row["current_knee_pain"].lower() == "yes"]
    assert hurt
    assert {(row["status"], row["risk_12m"], row["risk_band"]) for row in hurt} == {("scored", "", "")}


def test_visit_columns_are_filled_only_where_the_row_has_a_visit(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    for row in cells(tmp_path / "out.csv"):
        assert bool(row["p_usual_care"]) == bool(row["worst_pain_mm"])
        assert row["preferred_pathway"] in (("none",) if row["worst_pain_mm"] else ("",))


def test_a_file_without_visit_columns_gets_none(tmp_path, bundle):
    scored(tmp_path, GOOD, bundle)
    assert "preferred_pathway" not in cells(tmp_path / "out.csv")[0]


def test_a_rejected_row_has_its_reason_and_no_score(tmp_path, bundle):
    summary = scored(tmp_path, HEADER + "R-1,Club,255,female,170,about 30,no,\n" + ROW.format("R-2"), bundle)
    row, other = cells(tmp_path / "out.csv")
    assert row["status"] == "rejected"
    assert row["problems"] == (
        "age_years: expected a number from 10 to 90 years, got 255; "
        "weekly_distance_km: expected a number from 0 to 250 km, got text"
    )
    assert row["problem_codes"] == "outside_limits, not_a_number"
    assert all(row[name] == "" for name in ROSTER_COLUMNS)
    assert other["status"] == "scored"
    assert summary == Summary(
        rows=2, scored=1, partly=0, rejected=1, problems={"age_years": 1, "weekly_distance_km": 1}
    )


def test_a_file_whose_rows_are_all_rejected_is_still_written(tmp_path, bundle):
    text = HEADER.replace("notes", "akps") + "R-1,Club,255,female,170,25,no,50\n"
    assert scored(tmp_path, text, bundle).scored == 0
    assert scored(tmp_path, text, bundle, "out.parquet").scored == 0
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("risk_12m").type == pa.float64()
    assert table.schema.field("reason_1").type == pa.string()
    assert cells(tmp_path / "out.csv")[0]["status"] == "rejected"


def test_every_row_of_a_duplicated_id_is_rejected_and_the_others_are_not(tmp_path, bundle):
    scored(tmp_path, HEADER + "".join(ROW.format(name) for name in ("R-1", "R-2", " R-1 ")), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["rejected", "scored", "rejected"]
    assert "another row" in rows[0]["problems"]
    assert rows[0]["problem_codes"] == "shared_id"
    assert "R-1" not in rows[0]["problems"]


def test_rows_without_an_id_are_rejected_as_that_and_not_as_duplicates(tmp_path):
    read = read_roster(roster(tmp_path, HEADER + ROW.format("") * 2))
    assert [fault.row for fault in read.faults] == [0, 1]
    assert [fault.code for fault in read.faults] == ["id_missing", "id_missing"]


def test_a_row_too_short_is_rejected_with_its_reason_and_keeps_its_place(tmp_path, bundle):
    scored(tmp_path, HEADER + ROW.format("R-1") + "R-2,Club,30\n" + ROW.format("R-3"), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [(row["runner_id"], row["status"]) for row in rows] == [
        ("R-1", "scored"), ("R-2", "rejected"), ("R-3", "scored")]  # fmt: skip
    assert rows[1]["problems"] == "expected 8 cells as in the header, got fewer: the rest was left blank"
    assert rows[1]["problem_codes"] == "row_too_short"
    assert (rows[1]["age_years"], rows[1]["height_cm"]) == ("30", "")


def test_a_row_too_long_is_rejected_and_none_of_its_text_is_lost(tmp_path, bundle):
    scored(tmp_path, HEADER + "R-1,Club,30,female,170,25,no,sore, tired\n" + ROW.format("R-2"), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["rejected", "scored"]
    assert rows[0]["notes"] == "sore, tired"
    assert rows[0]["problems"].startswith("expected 8 cells as in the header, got more: the surplus was joined")
    assert rows[0]["problem_codes"] == "row_too_long"


def test_many_chunks_give_what_one_row_at_a_time_gives(tmp_path, bundle):
    rows = [f"R-{i},Club,{10 + i % 80},{'male' if i % 3 else 'female'},170,{i % 90},no,\n" for i in range(900)]
    source = roster(tmp_path, HEADER + "".join(rows))
    score_roster(source, tmp_path / "out.csv", bundle, options=RunOptions(chunk=64))
    found = cells(tmp_path / "out.csv")
    assert [row["runner_id"] for row in found] == [f"R-{i}" for i in range(900)]
    scored(tmp_path, HEADER + rows[850], bundle, "one.csv")
    assert cells(tmp_path / "one.csv") == [found[850]]


def test_scoring_a_scored_file_again_replaces_our_columns(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "once.csv", bundle)
    score_roster(tmp_path / "once.csv", tmp_path / "twice.csv", bundle)
    once, twice = cells(tmp_path / "once.csv"), cells(tmp_path / "twice.csv")
    assert list(once[0]) == list(twice[0])
    assert once == twice
    assert any("cells as in the header" in row["problems"] for row in once)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_too_short_or_too_long_stay_rejected_with_their_reason_when_scored_again(tmp_path, bundle, ending):
    text = HEADER + "R-1,Club,30,female\n" + "R-2,Club,30,female,170,25,no,sore, tired\n" + ROW.format("R-1")
    first = scored(tmp_path, text, bundle, f"once{ending}")
    assert score_roster(tmp_path / f"once{ending}", tmp_path / "twice.csv", bundle) == first
    short, long, other = cells(tmp_path / "twice.csv")
    shared = "runner_id: expected an id of its own, got one that another row has too"
    assert short["problems"] == f"expected 8 cells as in the header, got fewer: the rest was left blank; {shared}"
    assert long["problems"].startswith("expected 8 cells as in the header, got more: the surplus was joined")
    assert (other["status"], other["problems"]) == ("rejected", shared)
    assert [row["problem_codes"] for row in (short, long, other)] == [
        "row_too_short, shared_id", "row_too_long", "shared_id"]  # fmt: skip


def test_a_row_counts_as_whole_again_once_somebody_who_mended_it_has_cleared_its_status(tmp_path, bundle):
    scored(tmp_path, HEADER + "R-1,Club,30,female\n" + ROW.format("R-2"), bundle)
    text = (tmp_path / "out.csv").read_text()
    assert read_roster(roster(tmp_path, text)).summary.rejected == 1
    assert read_roster(roster(tmp_path, text.replace("rejected", ""))).summary.rejected == 0


def without_codes(text):
    """Return a scored CSV file as a version that wrote no codes would have written it."""
    rows = list(csv.reader(io.StringIO(text)))
    at, out = rows[0].index("problem_codes"), io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([*row[:at], *row[at + 1 :]] for row in rows)
    return out.getvalue()


def test_rows_that_a_version_without_codes_rejected_for_an_unseen_reason_stay_rejected_until_their_status_is_cleared(
    tmp_path, bundle
):
    bad = "R-3,Club,255,female,170,25,no,\n"
    scored(tmp_path, HEADER + "R-1,Club,30,female\n" + ROW.format("R-2") + bad, bundle)
    old = without_codes((tmp_path / "out.csv").read_text())
    read = read_roster(roster(tmp_path, old))
    assert [(fault.row, fault.code) for fault in read.faults] == [(0, "rejected_before"), (2, "outside_limits")]
    assert "clear its status" in read.faults[0].text
    score_roster(tmp_path / "roster.csv", tmp_path / "again.csv", bundle)
    assert [row["problem_codes"] for row in cells(tmp_path / "again.csv")] == ["rejected_before", "", "outside_limits"]
    assert read_roster(roster(tmp_path, old.replace("rejected", ""))).summary.rejected == 1


def test_what_the_column_of_codes_says_counts_in_a_scored_file_only(tmp_path):
    text = GOOD.replace("notes", "problem_codes").replace(",\n", ",row_too_short\n")
    with pytest.raises(PfpsError, match="header") as refused:
        read_roster(roster(tmp_path, text))
    assert [fault.code for fault in refused.value.faults] == ["name_taken"]


def test_of_a_scored_file_without_the_problems_only_what_can_be_seen_is_rejected(tmp_path, bundle):
    short = GOOD + "R-3,Club\n"
    once = roster(tmp_path, GOOD.replace("notes", "status,risk_12m").replace(",\n", ",rejected,\n"))
    assert read_roster(once).summary.rejected == 0
    scored(tmp_path, GOOD, bundle)
    cut = (tmp_path / "out.csv").read_text() + short.splitlines()[-1] + "\n"
    assert [fault.row for fault in read_roster(roster(tmp_path, cut)).faults] == [2]


def test_the_output_may_be_the_input(tmp_path, bundle):
    path = roster(tmp_path, GOOD)
    score_roster(path, path, bundle)
    assert [row["runner_id"] for row in cells(path)] == ["R-1", "R-2"]
    assert list(tmp_path.iterdir()) == [path]


def test_outcomes_bookkeeping_and_the_coachs_own_columns_pass_through(tmp_path, bundle):
    names = ["pfps_onset_12m", "success_12w", "draw", "arm", "name", "email", "age_group", "prior_knee_injury_date"]
    text = f"runner_id,age_years,sex,{','.join(names)}\nR-1,30,male,{','.join('abcdefgh')}\n"
    scored(tmp_path, text, bundle)
    (row,) = cells(tmp_path / "out.csv")
    assert [row[name] for name in names] == list("abcdefgh")
    assert row["status"] == "scored"


def test_columns_without_a_name_pass_through(tmp_path, bundle):
    scored(tmp_path, "runner_id,age_years,sex,,\nR-1,30,male,x,\n", bundle)
    (row,) = cells(tmp_path / "out.csv")
    assert (row["column_4"], row["column_5"], row["status"]) == ("x", "", "scored")


cell = st.one_of(
    st.sampled_from(["", "30", "170", "female", "Male", "NO", "nan", "inf", "-inf", "1e400", "1_000", "0x1F", "R-1"]),
    st.floats(allow_nan=False).map(str),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
)  # fmt: skip


@settings(max_examples=30)
@given(data=st.data())
def test_any_cells_give_as_many_rows_out_as_in_with_their_ids_in_order(tmp_path, bundle, data):
    names = ["runner_id", "age_years", "sex", *data.draw(st.lists(st.sampled_from(INPUTS[4:]), unique=True))]
    names = [name if isinstance(name, str) else name.name for name in names]
    rows = data.draw(st.lists(st.tuples(*[cell] * len(names)), min_size=1, max_size=6))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([names, *rows])
    ending = data.draw(st.sampled_from([".csv", ".parquet"]))
    source = roster(tmp_path, text.getvalue())
    summary = score_roster(source, tmp_path / f"out{ending}", bundle)
    again = read_roster(tmp_path / f"out{ending}")
    assert summary.balances and summary.rows == len(rows)
    assert again.table.equals(read_sheet(source, frozenset(names)).table)
    assert again.summary == summary


@settings(max_examples=100)
@given(content=st.binary(max_size=80), name=st.sampled_from(["x.csv", "x.parquet"]), header=st.booleans())
def test_any_bytes_give_a_roster_or_an_explained_error(tmp_path, content, name, header):
    try:
        read_roster(roster(tmp_path, HEADER.encode() * header + content, name))
    except PfpsError as error:
        assert error.message.startswith("expected ")
