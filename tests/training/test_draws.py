"""What the evidence does not know: refits of one recipe on draws, and how they move with the ledger's intervals."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from pfps_ml.core.config import CohortConfig, OnsetConfig
from pfps_ml.core.numbers import generator
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.model.prediction import Interval
from pfps_ml.simulation import cohort
from pfps_ml.simulation.cohort import solve
from pfps_ml.training.onset import OnsetModel
from pfps_ml.workflows.frames import onset_features

QUICK = OnsetConfig(penalties=(3.0,), max_trees=26, bootstraps=2, min_rows_in_leaf=20)
DRAWS = 5


def rows(frame):
    return onset_features(frame), frame["pfps_onset_12m"].to_numpy(float)


@pytest.fixture(scope="module")
def fitted(frames):
    X, y = rows(frames.onset)
    return lambda config=QUICK: OnsetModel(config).fit(X, y, frames.onset["club"]), X, y


def test_draws_stand_between_the_main_model_and_the_resamples(fitted):
    fit, X, y = fitted
    model = fit()
    before = model.additive_.margin(X)
    flipped = 1 - y
    model.with_evidence((X, each) for each in (flipped, y))
    after = model.additive_.margin(X)
    assert model.draws_ == 2
    np.testing.assert_array_equal(after[:, [0, 3, 4]], before)
    np.testing.assert_allclose(after[:, 2], before[:, 0], atol=1e-6)
    assert np.corrcoef(after[:, 1], before[:, 0])[0, 1] < -0.5
    model.with_evidence([(X, y)])
    assert model.draws_ == 3
    np.testing.assert_array_equal(model.additive_.margin(X)[:, [0, 1, 2, 4, 5]], after)


def test_draws_that_are_all_the_same_world_leave_nothing_open(fitted):
    fit, X, y = fitted
    members = fit().with_evidence([(X, y)] * 3).additive_.margin(X)
    evidence, sampling = Interval(0.9, 3, 2, 2.0).variances(members)
    assert evidence.max() < 1e-12
    assert sampling.min() > 0


def test_a_model_that_is_not_fitted_takes_no_draws(fitted):
    with pytest.raises(NotFittedError):
        OnsetModel(QUICK).with_evidence([])


def test_the_sampling_part_shrinks_with_the_sample():
    random, parts = generator(4, "sampling"), []
    X = pd.DataFrame(random.normal(size=(6000, 2)), columns=["bmi", "navicular_drop_mm"])
    y = (random.random(6000) < 1 / (1 + np.exp(1 - X["bmi"]))).to_numpy(float)
    for rows in (6000, 1000):
        model = OnsetModel(replace(QUICK, bootstraps=20)).fit(X[:rows], y[:rows]).additive_
        parts.append(Interval(0.9, 0, 20, 2.0).variances(model.margin(X))[1].mean())
    assert 2 < parts[1] / parts[0] < 18  # a sixth of the rows: about six times the variance


def stretched(parameter, factor):
    """Return a parameter whose interval is so many times as wide, on its own scale."""
    if parameter.low == parameter.high or factor == 0:
        return replace(parameter, low=parameter.value, high=parameter.value)
    ends = (parameter.at(NormalDist().cdf(sign * 1.959964 * factor)) for sign in (-1, 1))
    return replace(parameter, **dict(zip(("low", "high"), ends, strict=True)))


def evidence_where_intervals_are(factor, config, monkeypatch):
    """Return the mean evidence variance of a model trained on draws over intervals of another width."""
    base = load_scenario("reference")
    scenario = replace(base, runners={name: stretched(each, factor) for name, each in base.runners.items()})
    monkeypatch.setattr(cohort, "solved_parameters", lambda _name, seed, draw: solve(scenario, seed, draw))
    X, y = rows(cohort.simulate_onset(config).observed)
    draws = (rows(cohort.simulate_onset(replace(config, draw=k)).observed) for k in range(1, DRAWS + 1))
    members = OnsetModel(QUICK).fit(X, y).with_evidence(draws).additive_.margin(X)
    return Interval(0.9, DRAWS, 2, 2.0).variances(members)[0].mean()


@pytest.mark.slow
def test_the_evidence_part_vanishes_without_spreads_and_widens_with_the_ledgers_intervals(monkeypatch):
    config = CohortConfig(runners=4000, runners_per_club=200)
    none, half, whole = (evidence_where_intervals_are(f, config, monkeypatch) for f in (0.0, 0.5, 1.0))
    assert none < 1e-12
    assert whole > 1.5 * half > 0
