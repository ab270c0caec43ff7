"""Outcomes that went missing: weights take back what left with them, and bounds hold whatever left."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.attrition import attrition_table, entered, staying_weights
from pfps_ml.io.study_data import read_patients
from tests.cohorts import DONE, patients_frame, written


def lost_by_severity(folder, rows=3_000, name="lost"):
    """Return a trial in which patients in pain seldom succeed and leave hip work more often; no arm has an effect."""
    stream = generator(91, name)
    pain = stream.uniform(0, 100, rows)
    arm = np.where(stream.random(rows) < 0.5, "hip", "usual_care")
    success = stream.random(rows) < expit(2 - 0.05 * pain)
    left = (arm == "hip") & (stream.random(rows) < expit(-4 + 0.06 * pain))
    frame = patients_frame(rows, 3).assign(arm=arm, worst_pain_mm=pain.round(), **{DONE: success.astype(float)})
    frame[DONE] = frame[DONE].mask(left)
    return read_patients(written(folder, frame, "patients.parquet")), success


def difference(cohort, weight):
    used = cohort.used
    had = cohort.arm[used] == "hip"
    y = cohort.y[used]
    return np.average(y[had], weights=weight[had]) - np.average(y[~had], weights=weight[~had])


def test_weights_of_those_who_stayed_take_back_most_of_what_left_with_the_others(tmp_path):
    cohort, _ = lost_by_severity(tmp_path)
    weight = staying_weights(cohort)
    assert weight.mean() == pytest.approx(1) and (weight > 0).all()
    plain, weighted = difference(cohort, np.ones(len(weight))), difference(cohort, weight)
    assert plain > 0.06  # who left would have done badly, so that hip work looks better than it is
    assert abs(weighted) < 0.5 * plain


def test_where_hardly_any_outcome_is_missing_nobody_is_weighted(tmp_path):
    frame = patients_frame().astype({DONE: float})
    frame.loc[:3, DONE] = np.nan
    assert staying_weights(read_patients(written(tmp_path, frame))) is None


def test_the_worst_case_holds_the_difference_that_would_have_been_seen(tmp_path):
    cohort, success = lost_by_severity(tmp_path)
    row = attrition_table(cohort, 5).set_index("arm").loc["hip"]
    had = cohort.arm == "hip"
    seen_by_nobody = success[had].mean() - success[~had].mean()
    assert row["lowest"] <= seen_by_nobody <= row["highest"]
    assert row["lowest"] < row["difference"] < row["highest"]
    # nobody left usual care: the width is the share that left hip work
    assert row["highest"] - row["lowest"] == pytest.approx(row["share"])
    assert row["entered"] == had.sum() and row["known"] + row["missing"] == row["entered"]


def test_who_was_lost_before_the_horizon_entered_and_a_row_with_a_fault_did_not(tmp_path):
    frame = patients_frame().assign(follow_up_months=6.0).astype({"worst_pain_mm": float})
    frame.loc[:9, "follow_up_months"] = 1.0
    frame.loc[10:14, "worst_pain_mm"] = 900.0
    cohort = read_patients(written(tmp_path, frame))
    assert (entered(cohort).sum(), cohort.used.sum()) == (295, 285)
    table = attrition_table(cohort, 5)
    assert table["missing"].sum() == 10 and isinstance(table, pd.DataFrame)
