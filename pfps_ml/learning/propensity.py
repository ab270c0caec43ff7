"""How clinics chose: the probability of every arm given what the clinic saw, among the arms open to that patient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pfps_ml.knowledge.dictionary import ARMS, BY_NAME
from pfps_ml.learning.smooth import Basis

Floats = NDArray[np.float64]


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
    """One multinomial logistic regression for each set of open arms."""

    basis: Basis
    fitted: dict[tuple[bool, ...], LogisticRegression]

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of every arm, one column an arm; rows sum to one."""
        found = np.zeros((len(X), len(ARMS)))
        names = [arm.name for arm in ARMS]
        for rows, model in self._groups(X):
            if rows.any():
                chances = model.predict_proba(self.basis.design(X[rows])[:, 1:])
                for i, name in enumerate(model.classes_):
                    found[rows, names.index(name)] = chances[:, i]
        return pd.DataFrame(found, columns=names, index=X.index)

    def _groups(self, X: pd.DataFrame) -> list[tuple[NDArray[np.bool_], LogisticRegression]]:
        pattern = eligibility(X).to_numpy()
        return [((pattern == np.array(key)).all(axis=1), model) for key, model in self.fitted.items()]


def fit_propensity(X: pd.DataFrame, arm: pd.Series, basis: Basis) -> PropensityModel:
    """Fit how arms were assigned, apart for patients with different arms open to them."""
    fitted = {}
    patterns = pd.Series(list(map(tuple, eligibility(X).to_numpy().tolist())), index=X.index)
    for pattern in sorted(patterns.unique()):
        rows = (patterns == pattern).to_numpy()
        model = LogisticRegression(C=0.3, max_iter=2000)
        fitted[pattern] = model.fit(basis.design(X[rows])[:, 1:], arm[rows])
    return PropensityModel(basis, fitted)


def cross_fitted(X: pd.DataFrame, arm: pd.Series, fold: NDArray[np.int64], basis: Basis) -> pd.DataFrame:
    """Return propensities of every row from a model that did not see its fold."""
    out = pd.DataFrame(0.0, index=X.index, columns=[a.name for a in ARMS])
    for each in np.unique(fold):
        test = fold == each
        out.loc[test] = fit_propensity(X[~test], arm[~test], basis).predict(X[test])
    return out


__all__ = ["PropensityModel", "cross_fitted", "eligibility", "fit_propensity"]
