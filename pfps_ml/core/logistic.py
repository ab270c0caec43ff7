"""A small logistic regression with an offset and a natural spline, fast enough to be fitted in every resample."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)  # Harrell's places for five knots
RIDGE = 1e-3  # a thousandth of a unit of log likelihood: keeps a separated resample finite, moves nothing else
_LONGEST_STEP = 4.0  # log-odds: a full Newton step can overshoot where the risks are far from the truth


def logit(p: Array) -> Array:
    """Return the log-odds of probabilities above 0 and below 1."""
    return np.log(p) - np.log1p(-p)


def expit(margin: Array) -> Array:
    """Return the probabilities of log-odds."""
    return 1 / (1 + np.exp(-np.clip(margin, -700, 700)))


def spline(x: Array) -> Array:
    """Return a natural cubic spline basis with an intercept: linear beyond the outer knots (Harrell 2015, 2.4.5)."""
    knots = np.unique(np.quantile(x, _KNOTS))
    columns = [np.ones_like(x), x]
    if len(knots) > 2:
        cubes = np.maximum(x[:, None] - knots, 0) ** 3 / (knots[-1] - knots[0]) ** 2
        gap = knots[-1] - knots[-2]
        for j in range(len(knots) - 2):
            before_last, last = (knots[-1] - knots[j]) / gap, (knots[-2] - knots[j]) / gap
            columns.append(cubes[:, j] - before_last * cubes[:, -2] + last * cubes[:, -1])
    return np.column_stack(columns)


def fit_logistic(design: Array, y: Array, offset: Array, weight: Array | None, ridge: float = 0.0) -> Array:
    """Return the coefficients of a weighted logistic regression with an offset; NaN where there is no maximum."""
    beta = np.zeros(design.shape[1])
    share = np.ones_like(y) if weight is None else weight
    for _ in range(100):
        fitted = expit(offset + design @ beta)
        bend = (design.T * (share * fitted * (1 - fitted))) @ design + ridge * np.eye(len(beta))
        try:
            step = np.linalg.solve(bend, design.T @ (share * (y - fitted)) - ridge * beta)
        except np.linalg.LinAlgError:
            break
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(design @ step).max()), _LONGEST_STEP))
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return beta
    return np.full(design.shape[1], np.nan)


__all__ = ["RIDGE", "expit", "fit_logistic", "logit", "spline"]
