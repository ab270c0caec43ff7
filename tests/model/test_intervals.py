"""The benchmark of intervals: what it holds them to, and that the released recipe's hold it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.intervals import risk_given_observed, show, summarise, worlds
from pfps_ml.core.config import CohortConfig, OnsetConfig
from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import AdditiveModel, Line
from pfps_ml.model.prediction import Interval
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.training.onset import OnsetModel
from pfps_ml.workflows.frames import onset_features
from pfps_ml.workflows.train import interval


def test_the_risk_given_what_was_observed_is_found_from_true_risks():
    random = generator(5, "observed")
    X = pd.DataFrame({"bmi": random.normal(23, 3, 9000), "age_years": random.uniform(18, 60, 9000)})
    seen = -3 + 0.1 * (X["bmi"] - 23) + 0.5 * (X["age_years"] < 30)
    risk = 1 / (1 + np.exp(-seen)) * random.uniform(0.5, 1.5, 9000)  # what was not observed averages out
    found = risk_given_observed(X[:8000], risk[:8000].to_numpy(), X[8000:])
    assert np.abs(found - seen[8000:]).mean() < 0.05


def constant(spread):
    """Return a model that says 5 % of everybody, with draws that differ by so much in log-odds."""
    intercept = np.log(0.05 / 0.95) + spread * np.array([0.0, -1.0, 1.0, -1.0, 1.0])
    return AdditiveModel(intercept, (Line("bmi", np.array([10.0, 40.0]), np.zeros((3, 5))),))


def test_an_interval_that_is_wide_enough_holds_every_world_and_none_holds_nobody():
    both = Interval(0.9, 2, 2, 2.0)
    wide, none = (worlds(constant(spread), both, "null", count=2) for spread in (3.0, 0.0))
    assert wide["covered"].tolist() == [1.0, 1.0]
    assert none["covered"].max() < 0.02
    assert none["width"].tolist() == [0.0, 0.0]
    # nothing predicts there: all that a world's runners are off by, they are off by together
    assert summarise(none).shared > 0.9
    np.testing.assert_allclose(none["error"], none["base_log_odds"] - np.log(0.05 / 0.95), atol=0.08)


def test_the_spread_is_shared_out_between_the_base_rate_and_the_rest():
    random = generator(6, "shares")
    base, own = random.normal(0, 0.4, 4000), random.normal(0, 0.3, 4000)
    found = pd.DataFrame({
        "error": base + own, "base_log_odds": base, "square": (base + own) ** 2 + 0.25, "covered": 0.9, "width": 0.1,
    })  # fmt: skip
    whole = summarise(found)
    assert whole.shared == pytest.approx(0.5, abs=0.02)
    assert whole.base_rate == pytest.approx(0.16 / 0.5, abs=0.03)
    assert whole.error == pytest.approx(0.5**0.5, abs=0.02)
    assert (whole.covered, whole.spread) == pytest.approx((0.9, 0.0))


def test_what_was_found_is_printed(capsys):
    show(pd.DataFrame({"covered": [0.8, 1.0], "error": [0.1, -0.1], "square": [0.1, 0.2], "width": [0.1, 0.1],
                       "base_log_odds": [-3.0, -2.8]}), 0.9)  # fmt: skip
    assert "90.0%" in capsys.readouterr().out


def trained(seed, draws=30):
    """Return the members of a model trained on one cohort and on draws of it."""
    config = CohortConfig(seed=seed)
    observed, *drawn = (simulate_onset(replace(config, draw=k)).observed for k in range(draws + 1))
    model = OnsetModel(replace(OnsetConfig(), bootstraps=10))
    model.fit(onset_features(observed), observed["pfps_onset_12m"].to_numpy(float), observed["club"])
    rows = ((onset_features(each), each["pfps_onset_12m"].to_numpy(float)) for each in drawn)
    return model.with_evidence(rows).additive_


@pytest.mark.slow
def test_intervals_hold_the_risk_of_85_to_95_percent_of_runners_over_worlds_that_the_evidence_allows():
    # two training cohorts: the luck of one is shared by all worlds that it is judged in
    found = [summarise(worlds(trained(seed), interval(0.9, 30, 10), "reference", 50)) for seed in (1, 2)]
    assert 0.85 <= np.mean([each.covered for each in found]) <= 0.95
    assert min(each.base_rate for each in found) > 0.1
