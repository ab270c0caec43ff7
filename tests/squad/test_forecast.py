"""The forecast: exact counts, the shortest closed interval, and cases that come together within a club."""

from itertools import combinations
from math import prod

import numpy as np
import pytest

from pfps_ml.bundle import released_bundle
from pfps_ml.knowledge.checker import check, complete
from pfps_ml.randomness import generator
from pfps_ml.squad.forecast import Forecast, club_spread, forecast, worlds


@pytest.fixture(scope="module")
def released():
    return released_bundle()


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
    np.testing.assert_allclose(forecast(chances).shares, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_is_the_shortest_run_of_counts_that_holds_the_level_and_the_most_probable_of_those(seed):
    shares = generator(seed, "interval").dirichlet(np.ones(8))
    found = Forecast(shares)
    holding = [(high - low, -shares[low : high + 1].sum(), low, high)
               for low in range(8) for high in range(low, 8) if shares[low : high + 1].sum() >= 0.9]  # fmt: skip
    assert (found.low, found.high) == min(holding)[2:]


def test_what_is_expected_and_the_chance_of_any_case_are_those_of_the_counts():
    found = forecast(np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert found.mean == pytest.approx(0.5)
    assert found.any == pytest.approx(1 - (0.9 * 0.8 + 0.7 * 0.6) / 2)


def test_one_runner_has_a_case_or_none():
    assert len(forecast(np.array([[0.05], [0.06]])).shares) == 2


def test_runners_of_one_club_fall_ill_together_more_than_strangers_do(released):
    columns = rows(20)
    together = forecast(worlds(released, columns, np.zeros(20, dtype=int)))
    strangers = forecast(worlds(released, columns, np.arange(20)))
    variances = [found.shares @ (np.arange(21) - found.mean) ** 2 for found in (together, strangers)]
    assert variances[0] > variances[1]
    assert together.mean == pytest.approx(strangers.mean, rel=0.02)


def test_the_mean_rate_of_clubs_is_that_of_the_model(released):
    """Clubs differ around the risk that the model gives: over clubs alone it stays what it is."""
    columns = rows(1)
    members = released.predictor.onset.margin(columns)
    interval = released.predictor.interval
    assert interval.evidence
    found = worlds(released, columns, np.zeros(1, dtype=int))
    log_odds = np.log(found / (1 - found))
    # the spread is that of draws, resamples and clubs together, and the middle is the model's
    expected = members[0, 1 : 1 + interval.evidence].var() + members[0, 1 + interval.evidence :].var() + 0.2**2
    assert log_odds.var() == pytest.approx(expected, rel=0.5)
    assert np.median(log_odds) == pytest.approx(members[0, 0], abs=0.1)


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
