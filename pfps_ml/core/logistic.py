"""The one logistic regression of the project: penalised, weighted, with an offset and bounds, by Newton's method.

It serves training (splines, propensities, the weights of a blend) and judging, where it is fitted in every resample. So
it is written with NumPy alone: above some 1,000 rows its log-odds and probabilities are two to three times faster than
those of `scipy.special`, and scoring needs no SciPy.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pfps_ml.core.errors import FactError
from pfps_ml.core.messages import Message
from pfps_ml.core.numbers import Floats

_KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)  # Harrell's places for five knots
RIDGE = 1e-3  # a thousandth of a unit of log likelihood: keeps a separated resample finite, moves nothing else
_LONGEST_STEP = 4.0  # log-odds: a full Newton step can overshoot where the risks are far from the truth
_MOST_STEPS = 100
_SETTLED = 1e-8  # of a coefficient: squared at every step, so that what is left is far below what is written
Bounds = tuple[Floats, Floats]


def logit(p: Floats) -> Floats:
    """Return the log-odds of probabilities above 0 and below 1."""
    return np.log(p) - np.log1p(-p)


def expit(margin: Floats) -> Floats:
    """Return the probabilities of log-odds."""
    return 1 / (1 + np.exp(-np.clip(margin, -700, 700)))


def spline(x: Floats) -> Floats:
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


def fit_logistic(
    design: Floats, y: Floats, weight: Floats | None = None, penalty: Floats | None = None,
    bounds: Bounds | None = None, offset: Floats | float = 0.0,
) -> Floats:  # fmt: skip
    """Return the coefficients of a logistic regression.

    Parameters
    ----------
    design
        Shape (rows, columns); a column of ones is the intercept.
    y
        Outcomes from 0 to 1, shape (rows,).
    weight
        How often each row counts, shape (rows,); None: once.
    penalty
        A positive semidefinite matrix, shape (columns, columns): half of its quadratic form is added to the loss.
    bounds
        Lowest and highest coefficients, each of shape (columns,); None: any.
    offset
        Log-odds that are given beside the fitted ones, shape (rows,) or one number.

    Raises
    ------
    FactError
        If the fit does not settle: there is no maximum (the outcomes are separated, columns repeat each other), which a
        penalty above zero rules out for any sensible data.
    """
    return next(fit_path(design, y, weight, [penalty], bounds, offset))


def fit_path(
    design: Floats, y: Floats, weight: Floats | None, penalties: Iterable[Floats | None],
    bounds: Bounds | None = None, offset: Floats | float = 0.0,
) -> Iterator[Floats]:  # fmt: skip
    """Fit the same rows under one penalty after the other, each search from the last one's end; see `fit_logistic`."""
    rows, beta = _Rows(design, y, weight, offset), np.zeros(design.shape[1])
    for penalty in penalties:
        beta = _newton(rows, penalty, bounds, beta)
        yield beta


class _Rows(NamedTuple):
    """What a regression is fitted to; see `fit_logistic`."""

    design: Floats
    y: Floats
    weight: Floats | None
    offset: Floats | float


def _newton(rows: _Rows, penalty: Floats | None, bounds: Bounds | None, beta: Floats) -> Floats:
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(rows, penalty, beta)
        try:
            step = np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            break
        longest = float(np.abs(rows.design @ step).max(initial=0.0))
        target = beta + step * min(1.0, _LONGEST_STEP / max(longest, _LONGEST_STEP))
        target = target if bounds is None else _within(target, curvature, bounds)
        change, beta = float(np.abs(target - beta).max()), target
        if change < _SETTLED:
            return beta
    raise FactError(Message("regression_not_settled"))


def _derivatives(rows: _Rows, penalty: Floats | None, beta: Floats) -> tuple[Floats, Floats]:
    """Return the slope of the penalised log likelihood, and its curvature with the sign turned."""
    design, y, weight, offset = rows
    fitted = expit(offset + design @ beta)
    spread, residual = fitted * (1 - fitted), y - fitted
    if weight is not None:
        spread, residual = weight * spread, weight * residual
    slope, curvature = design.T @ residual, (design.T * spread) @ design
    return (slope, curvature) if penalty is None else (slope - penalty @ beta, curvature + penalty)


def _within(target: Floats, curvature: Floats, bounds: Bounds) -> Floats:
    """Return the point within bounds that is nearest to the target in the metric of the curvature.

    Primal-dual active sets: hold at its bound what leaves it or is pushed against it, settle the rest, look again.
    """
    low, high = bounds
    value, push, at_bound = target, np.zeros(len(target)), np.zeros(len(target), dtype=bool)
    for _ in range(len(target)):
        reach = value - push / np.diag(curvature)
        before, at_bound = at_bound, (reach < low) | (reach > high)
        if (at_bound == before).all():
            break
        value = np.where(at_bound, np.clip(reach, low, high), target)
        interior_step = curvature[np.ix_(~at_bound, at_bound)] @ (value - target)[at_bound]
        value[~at_bound] -= np.linalg.solve(curvature[np.ix_(~at_bound, ~at_bound)], interior_step)
        push = curvature @ (value - target)
    return np.clip(value, low, high)


__all__ = ["RIDGE", "expit", "fit_logistic", "fit_path", "logit", "spline"]
