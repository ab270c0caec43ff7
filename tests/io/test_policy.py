"""What a fault of a roster costs: one optional cell, or the whole row; and what `strict` makes of it."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.scoring import score_rows
from pfps_ml.batch.stream import RunOptions
from pfps_ml.domain import BY_NAME
from pfps_ml.domain.input_validation import STATUSES, check
from pfps_ml.io.roster import read_roster
from serving.roster_routes import assess_rows
from tests.rosters import roster

REQUIRED = {"runner_id", "age_years", "sex"}
# of each column, cells that are right, missing, unreadable, outside their limits or, beside others, contradictions
CELLS = {
    "runner_id": ["", "R-twice"],
    "age_years": ["30", "12", "", "old", "300"],
    "sex": ["female", "male", "", "x"],
    "height_cm": ["170", "", "tall", "900"],
    "running_experience_years": ["2", "", "40", "-1"],
    "weekly_distance_km": ["0", "30", "", "far"],
    "sessions_per_week": ["0", "4", "", "99"],
    "symptom_duration_months": ["0", "5", "", "600"],
    "failed_conventional_care": ["yes", "no", "", "perhaps"],
}
ROWS = st.lists(st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()}), min_size=1,
                max_size=8)  # fmt: skip
FEWER = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(rows):
    text = io.StringIO()
    table = csv.DictWriter(text, list(CELLS), lineterminator="\n")
    table.writeheader()
    # a third of the rows has no id of its own
    table.writerows(row if at % 3 == 2 else {**row, "runner_id": f"R-{at}"} for at, row in enumerate(rows))
    return text.getvalue()


def costs(faults):
    """Return the statuses of the rows that have faults, by the specification."""
    worst = {}
    for fault in faults:
        worst.setdefault(fault.row, "partly")
        if not fault.fields or fault.fields[0] in REQUIRED:
            worst[fault.row] = "rejected"
    return worst


@FEWER
@given(rows=ROWS)
def test_every_row_comes_back_once_and_its_status_follows_from_its_problems(tmp_path, bundle, rows):
    source, out = roster(tmp_path, written(rows)), tmp_path / "out.parquet"
    summary = score_roster(source, out, bundle)
    scored, read = pd.read_parquet(out), read_roster(source)
    worst = costs(read.faults)
    assert scored["status"].tolist() == [worst.get(at, "scored") for at in range(len(rows))]
    assert ((scored["problems"] == "") == (scored["status"] == "scored")).all()
    assert (scored["risk_12m"].isna() == (scored["status"] == "rejected")).all()
    counts = (summary.scored, summary.partly, summary.rejected)
    assert counts == tuple(int((scored["status"] == name).sum()) for name in STATUSES)
    assert sum(counts) == summary.rows == len(rows)
    assert read.summary == summary


@FEWER
@given(rows=ROWS)
def test_strict_rejects_every_row_that_has_a_fault_and_moves_no_other(tmp_path, bundle, rows):
    source = roster(tmp_path, written(rows))
    score_roster(source, tmp_path / "policy.parquet", bundle)
    score_roster(source, tmp_path / "strict.parquet", bundle, options=RunOptions(strict=True))
    policy, strict = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("policy", "strict"))
    assert strict["status"].tolist() == ["scored" if text == "" else "rejected" for text in strict["problems"]]
    assert strict["problems"].tolist() == policy["problems"].tolist()
    whole = policy["status"] == "scored"
    pd.testing.assert_frame_equal(strict[whole], policy[whole])
    assert strict.loc[~whole, "risk_12m"].isna().all()


@FEWER
@given(rows=ROWS)
def test_a_row_that_is_partly_scored_has_exactly_the_numbers_of_the_row_with_those_cells_blank(tmp_path, bundle, rows):
    read = read_roster(roster(tmp_path, written(rows)))
    table = read.table.to_pandas().fillna("").astype(str)
    for fault in read.faults:
        if fault.fields and fault.fields[0] not in REQUIRED:
            gone = [name for name in fault.fields if np.isnan(read.values[name].iloc[fault.row])]
            assert fault.fields[0] in gone and not REQUIRED.intersection(gone)
            table.loc[fault.row, gone] = ""
    blank = read_roster(roster(tmp_path, table.to_csv(index=False), "blank.csv"))
    assert not blank.checked.partly.any()
    pd.testing.assert_frame_equal(blank.values, read.values)
    before, after = (score_rows(bundle, one.checked, visit=True) for one in (read, blank))
    account = ["status", "problems", "problem_codes"]
    pd.testing.assert_frame_equal(before.drop(columns=account), after.drop(columns=account))


CONTRADICTIONS = [
    ({"age_years": 12, "running_experience_years": 40}, {"running_experience_years", "age_years"},
     {"running_experience_years"}),
    ({"age_years": 12, "symptom_duration_months": 600}, {"symptom_duration_months", "age_years"},
     {"symptom_duration_months"}),
    ({"symptom_duration_months": 0, "failed_conventional_care": "yes"},
     {"symptom_duration_months", "failed_conventional_care"}, {"failed_conventional_care"}),
    ({"sessions_per_week": 10, "weekly_distance_km": 0}, {"sessions_per_week", "weekly_distance_km"},
     {"sessions_per_week", "weekly_distance_km"}),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "fields", "gone"), CONTRADICTIONS)
@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_cells_that_contradict_each_other_cost_the_optional_ones_the_same_everywhere(
    tmp_path, bundle, cells, fields, gone, ending
):
    row = {"runner_id": "R-1", "age_years": 30, "sex": "female", **cells}
    source = tmp_path / f"in{ending}"
    writers = {".csv": pd.DataFrame.to_csv, ".xlsx": pd.DataFrame.to_excel, ".parquet": pd.DataFrame.to_parquet}
    writers[ending](pd.DataFrame([row]), source, index=False)
    read = read_roster(source)
    (fault,) = read.faults
    assert set(fault.fields) == fields and STATUSES[read.checked.status[0]] == "partly"
    assert {name for name in cells if np.isnan(read.values[name].iloc[0])} == gone
    score_roster(source, tmp_path / "out.parquet", bundle)
    out = pd.read_parquet(tmp_path / "out.parquet").iloc[0]
    answer = assess_rows(bundle, [row], 3)["rows"][0]
    assert (out["status"], out["problems"]) == (answer["status"], answer["problems"])
    assert out["risk_12m"] == answer["assessment"]["risk"]["probability"]


def test_a_complaint_without_pain_now_is_no_contradiction():
    checked = check(pd.DataFrame([{"runner_id": "R-1", "age_years": 30, "sex": "male", "current_knee_pain": "no",
                                   "stairs_pain": "yes"}]))  # fmt: skip
    assert not checked.faults and BY_NAME["stairs_pain"].levels[int(checked.values["stairs_pain"].iloc[0])] == "yes"
