import numpy as np
import pytest

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.logistic import expit, logit
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.metrics import calibration_curve, calibration_table

SETTINGS = EvaluationConfig(bootstraps=60)


def cohort(rows, name="cohort", spread=0.8):
    stream = generator(11, name)
    p = expit(stream.normal(-2, spread, rows))
    return (stream.random(rows) < p).astype(float), p


def test_tenths_hold_equal_shares_and_their_observed_share_lies_in_its_wilson_interval():
    y, p = cohort(5_000)
    table = calibration_table(y, p)
    assert list(table.columns) == ["n", "predicted", "observed", "low", "high"]
    assert list(table["n"]) == [500] * 10 and table["predicted"].is_monotonic_increasing
    assert (table["low"] <= table["observed"]).all() and (table["observed"] <= table["high"]).all()
    assert ((table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])).sum() >= 8


def test_the_wilson_interval_of_5_in_50_is_the_published_formula():
    y = np.repeat([1.0, 0.0], [5, 45])
    row = calibration_table(y, np.full(50, 0.1)).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((0.0435, 0.2136), abs=5e-5)


def test_equal_risks_stay_in_one_bin_and_a_bin_without_cases_has_a_lower_limit_of_zero():
    table = calibration_table([0, 0, 0, 1], [0.1, 0.1, 0.1, 0.4], bins=4)
    assert list(table["n"]) == [3, 1]
    assert table.loc[0, "low"] == 0 and table.loc[1, "high"] == 1


def test_the_curve_of_true_risks_runs_along_the_diagonal_inside_its_band():
    y, p = cohort(6_000)
    curve = calibration_curve(y, p, generator(12, "clubs").integers(0, 30, 6_000), SETTINGS)
    assert list(curve.columns) == ["predicted", "observed", "low", "high"] and len(curve) == 60
    assert curve["predicted"].is_monotonic_increasing
    held = (curve["low"] <= curve["predicted"]) & (curve["predicted"] <= curve["high"])
    assert held.mean() > 0.8 and ((curve["low"] <= curve["observed"]) & (curve["observed"] <= curve["high"])).all()


def test_the_band_leaves_the_diagonal_where_risks_are_too_low():
    y, p = cohort(6_000)
    curve = calibration_curve(y, expit(logit(p) - 0.7), generator(12, "clubs").integers(0, 30, 6_000), SETTINGS)
    assert (curve["low"] > curve["predicted"]).mean() > 0.8


def test_clubs_that_differ_in_how_often_runners_fall_ill_make_the_band_wider():
    stream = generator(13, "clubs that differ")
    groups = np.repeat(np.arange(20), 200)
    p = expit(stream.normal(-2, 0.5, 4_000))
    y = (stream.random(4_000) < expit(logit(p) + stream.normal(0, 0.8, 20)[groups])).astype(float)
    wide, narrow = (calibration_curve(y, p, by, SETTINGS) for by in (groups, np.arange(4_000)))
    assert (wide["high"] - wide["low"]).mean() > 1.5 * (narrow["high"] - narrow["low"]).mean()
