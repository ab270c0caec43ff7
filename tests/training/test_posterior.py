"""The posterior: what matters is kept, what does not is drawn to zero, and the draws say how far both are known."""

import numpy as np
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import probability
from pfps_ml.training.pathways import Prior, sample_posterior

PRIOR = Prior(np.array([-1] + [0] * 20), np.array([1e-3] + [1.0] * 20))
TRUE = np.array([-0.5, 1.0, -1.0] + [0.0] * 18)


def sample(rows, seed):
    random = generator(seed, "posterior data")
    design = np.column_stack([np.ones(rows), random.normal(size=(rows, 20))])
    return design, (random.random(rows) < probability(design @ TRUE)).astype(float)


def posterior(rows, seed, sweeps=(100, 400, 50)):
    return sample_posterior(*sample(rows, seed), PRIOR, sweeps, seed)


def test_the_few_that_matter_stay_and_the_others_go():
    found = posterior(1500, 1).mean
    np.testing.assert_allclose(found[:3], TRUE[:3], atol=0.2)
    assert np.abs(found[3:]).mean() < 0.03


@pytest.mark.slow
def test_a_90_percent_interval_from_the_draws_holds_what_is_true_in_about_90_percent_of_samples():
    found = [posterior(600, seed) for seed in range(30)]
    reach = [1.677 * each.draws.std(axis=0, ddof=1) for each in found]  # Student's t with 49 degrees of freedom
    inside = np.mean([np.abs(each.mean - TRUE) <= half for each, half in zip(found, reach, strict=True)], axis=0)
    assert 0.8 <= inside[:3].mean() <= 0.98
    assert inside[3:].mean() > 0.85


def test_the_draws_are_as_many_as_wanted_and_the_same_every_time():
    once, again = (posterior(300, 3, (20, 60, 7)) for _ in range(2))
    assert once.draws.shape == (7, 21)
    np.testing.assert_array_equal(once.draws, again.draws)


def test_more_rows_make_the_draws_lie_closer():
    few, many = (posterior(rows, 5).draws[:, 1].std() for rows in (300, 6000))
    assert many < few / 2


def test_where_nothing_matters_all_is_drawn_to_zero():
    design, _ = sample(800, 6)
    y = (generator(6, "coin").random(800) < 0.4).astype(float)
    found = sample_posterior(design, y, PRIOR, (100, 300, 10), 6)
    assert np.abs(found.mean[1:]).max() < 0.12
    assert probability(found.mean[:1])[0] == pytest.approx(y.mean(), abs=0.02)
