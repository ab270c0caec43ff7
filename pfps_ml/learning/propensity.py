"""How clinics chose: the probability of every arm given what the clinic saw, among the arms open to that patient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pfps_ml.knowledge.dictionary import ARMS, BY_NAME
from pfps_ml.learning.smooth import Basis


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
    """One multinomial logistic regression for each state of what the arms require, and one for any other state."""

    basis: Basis
    fitted: dict[str, LogisticRegression]
    otherwise: LogisticRegression

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of every arm, one column an arm; rows sum to one."""
        found = pd.DataFrame(0.0, columns=[arm.name for arm in ARMS], index=X.index)
        states = _states(X)
        for state in states.unique():
            rows = states == state
            model = self.fitted.get(state, self.otherwise)
            found.loc[rows, model.classes_] = model.predict_proba(self.basis.design(X[rows])[:, 1:])
        return found


def fit_propensity(X: pd.DataFrame, arm: pd.Series, basis: Basis) -> PropensityModel:
    """Fit how arms were assigned, apart for patients who meet, do not meet, or may meet what an arm requires."""
    states, fitted = _states(X), {}
    for state in sorted(states.unique()):
        rows = states == state
        if arm[rows].nunique() > 1:
            fitted[state] = _logistic().fit(basis.design(X[rows])[:, 1:], arm[rows])
    return PropensityModel(basis, fitted, _logistic().fit(basis.design(X)[:, 1:], arm))


def _logistic() -> LogisticRegression:
    return LogisticRegression(C=0.3, max_iter=2000, tol=1e-3)


def _states(X: pd.DataFrame) -> pd.Series:
    required = sorted({name for arm in ARMS for name, _ in arm.requires})
    return X[required].fillna(-1.0).astype(str).agg("/".join, axis=1)


def cross_fitted(X: pd.DataFrame, arm: pd.Series, fold: NDArray[np.int64], basis: Basis) -> pd.DataFrame:
    """Return propensities of every row from a model that did not see its fold."""
    out = pd.DataFrame(0.0, index=X.index, columns=[a.name for a in ARMS])
    for each in np.unique(fold):
        test = fold == each
        out.loc[test] = fit_propensity(X[~test], arm[~test], basis).predict(X[test])
    return out


__all__ = ["PropensityModel", "cross_fitted", "eligibility", "fit_propensity"]
