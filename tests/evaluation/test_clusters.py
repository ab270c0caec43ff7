import numpy as np
import pytest
from scipy import stats

from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.effects import clustered_mean, regress


def test_a_mean_of_clinics_of_one_has_students_interval():
    values = generator(81, "mean").normal(3, 2, 12)
    found = clustered_mean(values, np.arange(12), 0.95)
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert found == pytest.approx((values.mean(), *expected))


def test_a_regression_finds_its_coefficients_and_a_contrast_is_their_sum():
    stream = generator(82, "regression")
    design = np.column_stack((np.ones(2_000), stream.normal(size=2_000)))
    fit = regress(design, design @ [1.0, -0.5] + stream.normal(size=2_000), np.arange(2_000) % 40)
    assert fit.beta == pytest.approx([1, -0.5], abs=0.1) and fit.freedom == 39
    value, low, high = fit.contrast([1, 1], 0.95)
    assert low < 0.5 < high and value == pytest.approx(fit.beta.sum())
    assert fit.above([0, 1]) > 0.99 and fit.above([1, 0]) < 0.001
    assert 0.01 < fit.above([0, -1], 0.5) < 0.99


@pytest.mark.parametrize("clinics", [8, 30])
def test_tests_of_a_true_null_reject_about_as_often_as_they_say_even_with_few_clinics(clinics):
    single, joint = [], []
    for repeat in range(400):
        stream = generator(83, f"null {clinics} {repeat}")
        groups = np.repeat(np.arange(clinics), 15)
        x = stream.normal(size=len(groups)) + stream.normal(size=clinics)[groups]
        y = stream.normal(size=len(groups)) + 0.3 * stream.normal(size=clinics)[groups]
        fit = regress(np.column_stack((np.ones_like(x), x)), y, groups)
        single.append(fit.above([0, 1]))
        joint.append(fit.all_equal([0, 0]))
    for p in (np.array(single), np.array(joint)):
        assert 0.01 < (p < 0.05).mean() < 0.08
        assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_all_coefficients_at_once_are_rejected_where_one_is_far_off():
    stream = generator(84, "joint")
    groups = np.arange(600) % 20
    design = (np.arange(600)[:, None] % 3 == np.arange(3)).astype(float)
    fit = regress(design, design @ [0.0, 0.0, 1.0] + stream.normal(size=600), groups)
    assert fit.all_equal([0, 0, 1]) > 0.01 and fit.all_equal([0, 0, 0]) < 0.001


def test_one_clinic_gives_coefficients_and_nothing_else():
    fit = regress(np.ones((5, 1)), np.arange(5.0), np.zeros(5))
    value, low, high = fit.contrast([1], 0.95)
    assert value == 2 and np.isnan([low, high, fit.above([1]), fit.all_equal([0])]).all()


def test_more_coefficients_than_clinics_cannot_be_tested_at_once():
    design = (np.arange(30)[:, None] % 3 == np.arange(3)).astype(float)
    assert np.isnan(regress(design, np.arange(30.0), np.arange(30) % 2).all_equal([0, 0, 0]))
