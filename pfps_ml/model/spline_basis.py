"""Models that are linear in ramps of their fields: the basis of ramps, and how clinics chose (propensities).

The basis is piecewise linear, one ramp between two knots; it is monotone where the evidence settles the direction.

A propensity is the probability of every arm given what the clinic saw, among the arms open to that patient. Every arm
has an additive model of its odds against one arm that many had (Begg and Gray 1984), fitted apart for patients who
meet, do not meet, or may meet what an arm requires. So it can be written as tables, and read without the libraries that
training needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Floats, NDArray, distinct, fit_logistic
from pfps_ml.domain import ARMS, BY_NAME
from pfps_ml.model.additive import AdditiveModel, Line, Values, count, from_json, to_json
from pfps_ml.model.engine import Compiled, compile_models

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


_RIDGE = 3.0  # on the coefficient of every ramp, which runs from 0 to 1
_NOTHING = 1e6  # on that of "missing": what was not measured says nothing of how the clinic chose
_DECIMALS = 6
_OTHERWISE = "otherwise"
_NAMES = tuple(arm.name for arm in ARMS)
_REQUIRED = tuple(sorted({name for arm in ARMS for name, _ in arm.requires}))
_STATES = tuple(
    ", ".join(f"{name} {level}" for name, level in zip(_REQUIRED, levels, strict=True))
    for levels in product(*(("unknown", *BY_NAME[name].levels) for name in _REQUIRED))
)


def eligibility(X: pd.DataFrame) -> pd.DataFrame:
    """Return which arms each patient may be offered, one column an arm; an unknown requirement is not met."""
    allowed = {}
    for arm in ARMS:
        met = np.ones(len(X), dtype=bool)
        for name, level in arm.requires:
            met &= X[name].to_numpy(dtype=float) == BY_NAME[name].levels.index(level)
        allowed[arm.name] = met
    return pd.DataFrame(allowed, index=X.index)


@dataclass(frozen=True)
class PropensityModel:
    """For each state of what the arms require, and for any other one, the log-odds of the arms that were given in it.

    The log-odds are against one of those arms, whose model is zero.
    """

    states: Mapping[str, Mapping[str, AdditiveModel]]
    arms: tuple[str, ...] = _NAMES

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of every arm, one column an arm; rows sum to one."""
        return pd.DataFrame(self.chances(X), columns=list(self.arms), index=X.index)

    def chances(self, columns: Values) -> Floats:
        """Return the probability of every arm, in the order of `arms`, shape (rows, arms)."""
        chances, states = np.zeros((count(columns), len(self.arms))), _states(columns)
        for place in np.unique(states) if len(states) > 1 else states:
            rows, state = (
                np.flatnonzero(states == place),
                _STATES[place] if _STATES[place] in self.states else _OTHERWISE,
            )
            table, arms, read = self._tables[state]
            part = {name: np.asarray(columns[name], dtype=np.float64)[rows] for name in read}
            odds = np.exp(np.hstack(table.members(part)))
            chances[rows[:, None], arms] = odds / odds.sum(axis=1, keepdims=True)
        return chances

    @cached_property
    def _tables(self) -> dict[str, tuple[Compiled, list[int], tuple[str, ...]]]:
        """Every state's table, the places of its arms, and the columns that are read."""
        tables = {}
        for state, models in self.states.items():
            table = compile_models(list(models.values()))
            read = dict.fromkeys((*table.grid.fields, *_REQUIRED))
            tables[state] = table, [self.arms.index(name) for name in models], tuple(read)
        return tables


def fit_propensity(X: pd.DataFrame, arm: pd.Series, basis: Basis) -> PropensityModel:
    """Fit how arms were assigned, apart for patients who meet, do not meet, or may meet what an arm requires."""
    states, arm_of_patients, design = _states(X), np.asarray(arm, dtype=object), basis.design(X)
    fitted = {_OTHERWISE: _odds(design, arm_of_patients, basis)}
    for place in np.unique(states):
        rows = states == place
        if len(set(arm_of_patients[rows])) > 1:
            fitted[_STATES[place]] = _odds(design[rows], arm_of_patients[rows], basis)
    return PropensityModel(fitted)


def cross_fitted(X: pd.DataFrame, arm: pd.Series, fold: NDArray[np.int64], basis: Basis) -> pd.DataFrame:
    """Return propensities of every row from a model that did not see its fold."""
    out = pd.DataFrame(0.0, index=X.index, columns=list(_NAMES))
    for held_out_fold in np.unique(fold):
        test = fold == held_out_fold
        out.loc[test] = fit_propensity(X[~test], arm[~test], basis).predict(X[test])
    return out


def propensity_to_json(model: PropensityModel) -> dict[str, Any]:
    """Return the tables as plain JSON values."""
    return {
        state: {name: to_json(table.rounded(_DECIMALS)) for name, table in models.items()}
        for state, models in model.states.items()
    }


def propensity_from_json(content: Any, arms: Sequence[str] = _NAMES) -> PropensityModel:
    """Build the model of some arms from plain JSON values.

    Raises
    ------
    BundleFormat, LookupError, TypeError, ValueError, AttributeError
        If it is of another shape, or knows another arm, or a field that the dictionary does not have.
    """
    states = {
        str(state): {str(n): from_json(table) for n, table in models.items()} for state, models in content.items()
    }
    tables = [(name, table) for models in states.values() for name, table in models.items()]
    if any(name not in arms or set(table.fields) - set(BY_NAME) for name, table in tables) or not all(states.values()):
        raise ValueError("propensities of another dictionary")
    states[_OTHERWISE]
    return PropensityModel(states, tuple(arms))


def _odds(design: Floats, arm_of_patients: NDArray[np.object_], basis: Basis) -> dict[str, AdditiveModel]:
    names = [name for name in _NAMES if (arm_of_patients == name).any()]
    base = max(names, key=lambda name: int((arm_of_patients == name).sum()))
    ridges = [[_RIDGE] * (len(knots) - 1) + [_NOTHING] for knots in basis.knots.values()]
    penalty = np.diag([0.0, *chain.from_iterable(ridges)])
    models = {}
    for name in names:
        beta = np.zeros(basis.width)
        if name != base:
            rows = (arm_of_patients == name) | (arm_of_patients == base)
            y = (arm_of_patients[rows] == name).astype(float)
            beta = fit_logistic(design[rows], y, penalty=penalty)
        models[name] = basis.model(beta)
    return models


def _states(columns: Values) -> NDArray[np.int64]:
    """Return the place among `_STATES` of what each row has of what the arms require."""
    place = np.zeros(count(columns))
    for name in _REQUIRED:
        level = np.asarray(columns[name], dtype=np.float64)
        place = place * (1 + len(BY_NAME[name].levels)) + 1 + np.where(np.isnan(level), -1.0, level)
    return place.astype(np.int64)


__all__ = [
    "Basis",
    "PropensityModel",
    "basis",
    "basis_on",
    "cross_fitted",
    "eligibility",
    "fit_propensity",
    "propensity_from_json",
    "propensity_to_json",
]
