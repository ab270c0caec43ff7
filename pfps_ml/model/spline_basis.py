"""The smooth part: a piecewise-linear ridge logistic regression, monotone where the evidence settles the direction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pfps_ml.core import FactError, Floats, Message, distinct
from pfps_ml.domain import BY_NAME
from pfps_ml.model.additive import AdditiveModel, Line, probability

_UNMEASURED = 100.0


@dataclass(frozen=True)
class Basis:
    """Ramps between the knots of every field, and one column where it is missing.

    Attributes
    ----------
    knots
        The knots of every field.
    centres
        The mean of every ramp over the rows where the field is known: a missing value sits there.
    spread
        Standard deviation of every field.
    """

    knots: dict[str, Floats]
    centres: dict[str, Floats]
    spread: dict[str, float]

    @property
    def width(self) -> int:
        """The number of columns of the design matrix."""
        return 1 + sum(map(len, self.knots.values()))

    def design(self, X: pd.DataFrame) -> Floats:
        """Return the design matrix, shape (rows, 1 + columns); the first column is the intercept."""
        blocks = [np.ones((len(X), 1))]
        for name, centre in self.centres.items():
            x = X[name].to_numpy(dtype=float)
            missing = np.isnan(x)
            ramps = _ramps(x, self.knots[name]) - centre
            ramps[missing] = 0.0
            blocks += [ramps, missing[:, None].astype(float)]
        return np.hstack(blocks)

    def model(self, coefficients: Floats) -> AdditiveModel:
        """Write a coefficient vector as an additive model with one member."""
        intercept, at, terms = coefficients[0], 1, []
        for name, knots in self.knots.items():
            steps = coefficients[at : at + len(knots) - 1]
            values = np.concatenate([[0.0], np.cumsum(steps)]) - self.centres[name] @ steps
            terms.append(Line(name, knots, np.append(values, coefficients[at + len(knots) - 1])[:, None]))
            at += len(knots)
        return AdditiveModel(np.array([intercept]), tuple(terms))

    def penalty(self, roughness: float) -> Floats:
        """Return the penalty matrix: squared slope per standard deviation, and its change from ramp to ramp.

        Not to have been measured is penalised most: what it means is settled afterwards (see `missing`), and which
        clubs measured a field must not disturb the rest.
        """
        blocks = [np.zeros((1, 1))]
        for name, knots in self.knots.items():
            slope = np.diag(self.spread[name] / np.diff(knots))
            share = np.diff(knots) / (knots[-1] - knots[0])
            bend = np.diff(np.eye(len(knots) - 1), axis=0)
            blocks += [slope @ (np.diag(share) + roughness * bend.T @ bend) @ slope, np.full((1, 1), _UNMEASURED)]
        return _block_diagonal(blocks)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the bounds of the coefficients: a settled direction does not turn."""
        low, high = [-np.inf], [np.inf]
        for name, knots in self.knots.items():
            direction, ramps = BY_NAME[name].direction, len(knots) - 1
            low += [0.0 if direction > 0 else -np.inf] * ramps + [-np.inf]
            high += [0.0 if direction < 0 else np.inf] * ramps + [np.inf]
        return np.array(low), np.array(high)


def basis(X: pd.DataFrame, knots: int) -> Basis:
    """Lay the knots at quantiles of the known values; a choice has one knot a level."""
    laid = {str(name): _knots(X[name], BY_NAME[str(name)].levels, knots) for name in X}
    known = {name: X[name].dropna().to_numpy(dtype=float) for name in laid}
    centres = {name: _ramps(x, laid[name]).mean(axis=0) if len(x) else np.zeros(len(laid[name]) - 1)
               for name, x in known.items()}  # fmt: skip
    return Basis(laid, centres, {name: float(x.std()) or 1.0 if len(x) else 1.0 for name, x in known.items()})


def basis_on(knots: Mapping[str, Floats], seen: Mapping[str, tuple[Floats, Floats]]) -> tuple[Basis, dict[str, float]]:
    """Return the basis on knots that are laid already, and the standard deviation of the sum of each field's ramps.

    Parameters
    ----------
    knots
        Of every field.
    seen
        Values of each field, and how often each is met; the shares sum to one.
    """
    ramps = {name: _ramps(seen[name][0], laid) for name, laid in knots.items()}
    centres = {name: seen[name][1] @ ramp for name, ramp in ramps.items()}
    ranks = {name: _spread(ramp.sum(axis=1), seen[name][1]) for name, ramp in ramps.items()}
    return Basis(dict(knots), centres, {name: _spread(*seen[name]) or 1.0 for name in knots}), ranks


def _spread(values: Floats, shares: Floats) -> float:
    return float(np.sqrt(shares @ (values - shares @ values) ** 2))


def fit_logistic(design: Floats, y: Floats, weight: Floats, penalty: Floats,
                 bounds: tuple[Floats, Floats], offset: Floats | float = 0.0) -> Floats:  # fmt: skip
    """Fit a penalised logistic regression by Newton's method and return its coefficients.

    Parameters
    ----------
    design, y, weight
        Shapes (rows, columns), (rows,), (rows,).
    penalty
        A positive semidefinite matrix, shape (columns, columns): half of its quadratic form is added to the loss.
    bounds
        Lowest and highest coefficients.
    offset
        Log-odds that are given beside the fitted ones, shape (rows,).

    Raises
    ------
    FactError
        If the fit does not settle, which a penalty above zero rules out for any sensible data.
    """
    return _newton(_Rows(design, y, weight, offset), penalty, bounds, np.zeros(design.shape[1]))


def fit_path(
    design: Floats, y: Floats, weight: Floats, penalties: Iterable[Floats], bounds: tuple[Floats, Floats]
) -> Iterator[Floats]:
    """Fit the same rows under one penalty after the other, each search from the last one's end; see `fit_logistic`."""
    rows, beta = _Rows(design, y, weight, 0.0), np.zeros(design.shape[1])
    for penalty in penalties:
        beta = _newton(rows, penalty, bounds, beta)
        yield beta


class _Rows(NamedTuple):
    """What a regression is fitted to; see `fit_logistic`."""

    design: Floats
    y: Floats
    weight: Floats
    offset: Floats | float


def _newton(rows: _Rows, penalty: Floats, bounds: tuple[Floats, Floats], beta: Floats) -> Floats:
    design, y, weight, offset = rows
    for _ in range(50):
        p = probability(offset + design @ beta)
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + penalty + 1e-8 * np.eye(len(beta))
        step = np.linalg.solve(curvature, design.T @ (weight * (y - p)) - penalty @ beta)
        target = _within(beta + np.clip(step, -4, 4), curvature, bounds)
        change, beta = float(np.abs(target - beta).max()), target
        if change < 1e-5:  # squared at every step: what is left is far below what is written
            return beta
    raise FactError(Message("regression_not_settled"))


def _within(target: Floats, curvature: Floats, bounds: tuple[Floats, Floats]) -> Floats:
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


def _knots(column: pd.Series, levels: tuple[str, ...], knots: int) -> Floats:
    if levels:
        return np.arange(len(levels), dtype=float)
    known = column.dropna().to_numpy(dtype=float)
    if not len(known):
        return np.array([0.0, 1.0])
    # the outermost tenths of a percent stay out: beyond the end knots the curve is flat
    laid = distinct(np.quantile(known, np.linspace(0.001, 0.999, knots)))
    return laid if len(laid) > 1 else laid[0] + np.array([0.0, 1.0])


def _ramps(x: Floats, knots: Floats) -> Floats:
    return np.clip((x[:, None] - knots[:-1]) / np.diff(knots), 0, 1)


def _block_diagonal(blocks: list[Floats]) -> Floats:
    size = sum(len(block) for block in blocks)
    whole, at = np.zeros((size, size)), 0
    for block in blocks:
        whole[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return whole


__all__ = ["Basis", "basis", "basis_on", "fit_logistic", "fit_path"]
