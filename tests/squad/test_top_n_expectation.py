"""The expected cases among the runners of highest risk: exact, against every combination of what may be learnt."""

from itertools import product

import numpy as np
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.squad.measurements import Outcomes, expected_top, worth_by_risk


def squad_of(seed, runners=4, outcomes=3):
    draw = generator(seed, "tops")
    return [Outcomes(draw.random(outcomes).round(1), draw.dirichlet(np.ones(outcomes))) for _ in range(runners)]


def by_hand(squad, most):
    total = 0.0
    for places in product(*(range(len(each.risks)) for each in squad)):
        risks = sorted(each.risks[at] for each, at in zip(squad, places, strict=True))
        total += np.prod([each.shares[at] for each, at in zip(squad, places, strict=True)]) * sum(risks[-most:])
    return total


def test_it_is_the_mean_over_all_that_may_be_learnt(subtests):
    for seed in range(10):
        for most in [1, 2, 4]:
            with subtests.test(seed=seed, most=most):
                squad = squad_of(seed)
                assert expected_top(squad, most) == pytest.approx(by_hand(squad, most), abs=1e-12)


def test_what_a_runner_adds_is_read_off_one_curve_whatever_is_learnt_of_that_runner(subtests):
    for seed in range(5):
        for runner in range(4):
            with subtests.test(seed=seed, runner=runner):
                squad = squad_of(seed)
                bends, worth = worth_by_risk(squad, 2)
                for other in squad_of(seed + 100):
                    changed = [*squad[:runner], other, *squad[runner + 1 :]]
                    added = [
                        np.interp(each.risks, bends, worth[runner]) @ each.shares for each in (squad[runner], other)
                    ]
                    assert added[1] - added[0] == pytest.approx(
                        expected_top(changed, 2) - expected_top(squad, 2), abs=1e-12
                    )


def test_the_curve_is_convex_so_that_learning_never_costs_a_case():
    bends, worth = worth_by_risk(squad_of(3), 2)
    slopes = np.diff(worth, axis=1) / np.diff(bends)
    assert (np.diff(slopes, axis=1) >= -1e-12).all()
