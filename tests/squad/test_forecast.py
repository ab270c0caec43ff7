"""The forecast: exact counts, the shortest closed interval, and cases that come together within a club."""

from itertools import combinations
from math import prod

import numpy as np
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.domain.input_validation import check, complete
from pfps_ml.model.additive import probability
from pfps_ml.squad.forecast import Forecast, club_spread, forecast, worlds

LEVEL = 0.9


def rows(count, **given):
    return complete(check({"age_years": [30.0] * count, "sex": ["female"] * count, **given}).values)


def by_hand(chances):
    counts = np.zeros(len(chances) + 1)
    for cases in range(len(chances) + 1):
        for ill in combinations(range(len(chances)), cases):
            counts[cases] += prod(p if at in ill else 1 - p for at, p in enumerate(chances))
    return counts


def test_the_count_is_that_of_every_way_in_which_runners_may_fall_ill_averaged_over_the_worlds():
    chances = generator(1, "forecast").random((3, 5))
    expected = np.mean([by_hand(world) for world in chances], axis=0)
    np.testing.assert_allclose(forecast(chances, LEVEL).shares, expected, atol=1e-12)


def test_the_interval_is_the_shortest_run_of_counts_that_holds_the_level_and_the_most_probable_of_those(subtests):
    for seed in range(20):
        with subtests.test(seed=seed):
            shares = generator(seed, "interval").dirichlet(np.ones(8))
            found = Forecast(shares, LEVEL)
            held = {(low, high): shares[low : high + 1].sum() for low in range(8) for high in range(low, 8)}
            holding = [(high - low, -share, low, high) for (low, high), share in held.items() if share >= LEVEL]
            assert (found.low, found.high) == min(holding)[2:]


def test_what_is_expected_and_the_chance_of_any_case_are_those_of_the_counts():
    found = forecast(np.array([[0.1, 0.2], [0.3, 0.4]]), LEVEL)
    assert found.mean == pytest.approx(0.5)
    assert found.any == pytest.approx(1 - (0.9 * 0.8 + 0.7 * 0.6) / 2)


def test_one_runner_has_a_case_or_none():
    assert len(forecast(np.array([[0.05], [0.06]]), LEVEL).shares) == 2


def test_runners_of_one_club_fall_ill_together_more_than_strangers_do(released):
    columns = rows(20)
    together = forecast(worlds(released, columns, np.zeros(20, dtype=int)), LEVEL)
    strangers = forecast(worlds(released, columns, np.arange(20)), LEVEL)
    variances = [found.shares @ (np.arange(21) - found.mean) ** 2 for found in (together, strangers)]
    assert variances[0] > variances[1]
    assert together.mean == pytest.approx(strangers.mean, rel=0.02)


def test_the_mean_rate_of_clubs_is_that_of_the_model(released):
    """Clubs differ around the rate that the model gives: over clubs it stays what it is, whatever is drawn."""
    found = worlds(released, rows(1), np.zeros(1, dtype=int))
    assert rate(found).mean() == pytest.approx(rate(every_world(released)).mean(), rel=0.01)


def test_the_spread_of_the_worlds_is_that_of_draws_resamples_and_clubs_together(released):
    spread = club_spread(released)
    clubs = np.mean([spread.at((at + 0.5) / 500) ** 2 for at in range(500)])
    found = np.log(rate(worlds(released, rows(1), np.zeros(1, dtype=int))))
    assert found.var() == pytest.approx(np.log(rate(every_world(released))).var() + clubs, rel=0.1)


def every_world(released):
    """Return the risk of one runner at an average club, by every draw with every resample."""
    members, interval = released.predictor.onset.margin(rows(1))[0], released.predictor.interval
    draws, resamples = members[1 : 1 + interval.evidence], members[1 + interval.evidence :]
    gaps = interval.of_draws**0.5 * (draws - draws.mean())
    return probability(members[0] + np.add.outer(gaps, resamples - resamples.mean()))


def rate(chances):
    """Return cases a runner and horizon, from the chance of at least one."""
    return -np.log1p(-chances)


def test_a_squad_has_the_same_forecast_whoever_asks(released):
    first, again = (worlds(released, rows(3), np.zeros(3, dtype=int)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_bundle_without_evidence_draws_still_has_clubs_that_differ(bundle):
    assert not bundle.predictor.interval.evidence
    assert worlds(bundle, rows(2), np.zeros(2, dtype=int)).std(axis=0).min() > 0


def test_how_clubs_differ_is_an_assumption_of_the_scenario(released):
    spread = club_spread(released)
    assert spread.assumption
    assert 0 < spread.low < spread.value < spread.high
