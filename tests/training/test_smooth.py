"""The smooth part: a penalised logistic regression that keeps to settled directions."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear
from sklearn.linear_model import LogisticRegression

from pfps_ml.core.errors import FactError
from pfps_ml.core.logistic import _within, fit_logistic, fit_path
from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import probability
from pfps_ml.model.spline_basis import basis

FREE = (np.full(4, -np.inf), np.full(4, np.inf))


@pytest.fixture(scope="module")
def sample():
    random = generator(3, "smooth")
    X = random.normal(size=(3000, 3))
    y = (random.random(3000) < probability(X @ [1.0, -0.5, 0.0] - 1)).astype(float)
    return np.column_stack([np.ones(3000), X]), y


def test_the_fit_equals_scikit_learns_ridge(sample):
    design, y = sample
    ours = fit_logistic(design, y, np.ones(len(y)), np.diag([0, 5.0, 5.0, 5.0]), FREE)
    peer = LogisticRegression(C=1 / 5.0, tol=1e-10, max_iter=1000).fit(design[:, 1:], y)
    np.testing.assert_allclose(ours, [peer.intercept_[0], *peer.coef_[0]], atol=1e-5)


def test_a_bound_binds_and_the_rest_is_refitted(sample):
    design, y = sample
    low = np.array([-np.inf, -np.inf, 0.0, -np.inf])
    found = fit_logistic(design, y, np.ones(len(y)), np.zeros((4, 4)), (low, FREE[1]))
    without = fit_logistic(design[:, [0, 1, 3]], y, np.ones(len(y)), np.zeros((3, 3)), (FREE[0][:3], FREE[1][:3]))
    assert found[2] == 0
    np.testing.assert_allclose(found[[0, 1, 3]], without, atol=1e-5)


def test_a_path_of_penalties_ends_where_every_fit_alone_does(sample):
    design, y = sample
    bounds = (np.array([-np.inf, -np.inf, 0.0, -np.inf]), FREE[1])
    penalties = [np.diag([0, p, p, p]) for p in (300.0, 30.0, 1.0)]
    for beta, penalty in zip(fit_path(design, y, np.ones(len(y)), penalties, bounds), penalties, strict=True):
        np.testing.assert_allclose(beta, fit_logistic(design, y, np.ones(len(y)), penalty, bounds), atol=1e-7)


def test_many_bounds_end_where_a_general_solver_ends():
    random = generator(9, "bounds")
    for _ in range(40):
        root = random.normal(size=(12, 8)) + random.normal(size=(12, 1))
        curvature, target = root.T @ root + 0.01 * np.eye(8), random.normal(size=8)
        low, high = np.where(random.random(8) < 0.6, 0.0, -np.inf), np.where(random.random(8) < 0.2, 0.5, np.inf)
        peer = lsq_linear(np.linalg.cholesky(curvature).T, np.linalg.cholesky(curvature).T @ target, (low, high),
                          method="bvls", tol=1e-14)  # fmt: skip
        np.testing.assert_allclose(_within(target, curvature, (low, high)), peer.x, atol=1e-6)


def test_a_weight_of_two_is_two_rows(sample):
    design, y = sample
    twice = fit_logistic(np.vstack([design, design]), np.tile(y, 2), np.ones(2 * len(y)), np.eye(4), FREE)
    weighed = fit_logistic(design, y, np.full(len(y), 2.0), np.eye(4), FREE)
    np.testing.assert_allclose(twice, weighed, atol=1e-9)


def test_a_fit_that_cannot_settle_says_so():
    design = np.column_stack([np.ones(20), np.repeat([-1.0, 1.0], 10)])
    with pytest.raises(FactError, match="did not settle"):
        fit_logistic(design, np.repeat([0.0, 1.0], 10), np.ones(20), np.zeros((2, 2)), (FREE[0][:2], FREE[1][:2]))


def test_the_written_model_is_the_fitted_function_and_keeps_settled_directions():
    random = generator(4, "smooth")
    X = pd.DataFrame({
        "knee_extension_nm_kg": random.normal(2.4, 0.5, 2000), "longest_run_spike_pct": random.normal(0, 40, 2000),
        "sex": random.integers(0, 2, 2000).astype(float), "bmi": np.nan,
    }).mask(random.random((2000, 4)) < 0.2)  # fmt: skip
    # the data contradict the evidence: strong knees fare worse here, and spikes protect
    margin = X["knee_extension_nm_kg"].fillna(2.4) - X["longest_run_spike_pct"].fillna(0) / 30 - 3
    y = (random.random(2000) < probability(margin.to_numpy())).astype(float)
    laid = basis(X, 5)
    beta = fit_logistic(laid.design(X), y, np.ones(2000), laid.penalty(4.0), laid.bounds())
    model = laid.model(beta)
    np.testing.assert_allclose(model.margin(X)[:, 0], laid.design(X) @ beta, atol=1e-12)
    for name, direction in (("knee_extension_nm_kg", -1), ("longest_run_spike_pct", 1), ("sex", -1)):
        values = next(term for term in model.terms if term.field == name).values[:-1, 0]
        assert (direction * np.diff(values) >= 0).all()


def test_a_constant_field_gets_two_knots_and_does_no_harm():
    laid = basis(pd.DataFrame({"bmi": [22.0] * 10}), 5)
    assert laid.knots["bmi"].tolist() == [22.0, 23.0]
    assert np.isfinite(laid.penalty(1.0)).all()
