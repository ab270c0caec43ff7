"""How clinics chose: the probability of every arm given what the clinic saw, among the arms open to that patient.

Every arm has an additive model of its odds against one arm that many had (Begg and Gray 1984), fitted apart for
patients who meet, do not meet, or may meet what an arm requires. So it can be written as tables, and read without the
libraries that training needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Floats, NDArray
from pfps_ml.domain import ARMS, BY_NAME
from pfps_ml.model.additive import AdditiveModel, Values, count, from_json, to_json
from pfps_ml.model.engine import Compiled, compile_models
from pfps_ml.model.spline_basis import Basis, fit_logistic

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
    penalty, free = np.diag([0.0, *chain.from_iterable(ridges)]), np.full(basis.width, np.inf)
    models = {}
    for name in names:
        beta = np.zeros(basis.width)
        if name != base:
            rows = (arm_of_patients == name) | (arm_of_patients == base)
            y = (arm_of_patients[rows] == name).astype(float)
            beta = fit_logistic(design[rows], y, np.ones(len(y)), penalty, (-free, free))
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
    "PropensityModel",
    "cross_fitted",
    "eligibility",
    "fit_propensity",
    "propensity_from_json",
    "propensity_to_json",
]
