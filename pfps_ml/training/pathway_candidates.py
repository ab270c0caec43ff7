"""The peers that the pathway models are measured against: `fit(X, arm, y)`, then one column of success an arm.

Learners that give effects only (EconML's) are added to a ridge logistic prognosis, and the sum is clipped to 0.001 to
0.999. None of them knows that an arm may be closed to a patient; the comparison takes care of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn import dummy, linear_model, preprocessing
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from pfps_ml.core import Floats, Ints, NDArray, PathwayConfig
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.model import eligibility
from pfps_ml.training.candidates import OURS, SEED, Entrant, RidgeLogistic, fit_entrant, imputer, quiet
from pfps_ml.training.pathways import PathwayModel

_NAMES = tuple(arm.name for arm in ARMS)
_TREES, _ECON = ("lightgbm",), ("lightgbm", "econml")
_NEVER, _ALWAYS = 0.001, 0.999
_FEWEST = 10  # successes and failures of an arm: with fewer, it has one share of success for all
_SMALL_TREES = {"max_depth": 2, "num_leaves": 4, "n_estimators": 100, "learning_rate": 0.05, "min_child_samples": 20,
                "random_state": SEED, "n_jobs": 1, "verbosity": -1}  # fmt: skip


class SLearner(BaseEstimator):
    """One model of success for all arms: a classifier on the fields, the arm and, if wanted, their products.

    Parameters
    ----------
    classifier
        Makes the classifier; None for ridge logistic regression, its penalty by cross-validation over clubs.
    interactions
        Whether every field may act differently under every arm; else a logistic model has one odds ratio an arm.
    """

    def __init__(self, classifier: Callable[[], Any] | None = None, interactions: bool = True) -> None:
        self.classifier = classifier
        self.interactions = interactions

    def fit(self, X: pd.DataFrame, arm: pd.Series, y: Floats,
            club: pd.Series | None = None, fold: Ints | None = None) -> "SLearner":  # fmt: skip
        """Fit on coded fields (NaN is missing)."""
        self.fields_ = None if self.classifier else make_pipeline(imputer(), preprocessing.StandardScaler()).fit(X)
        design = self._design(X, np.asarray(arm))
        if self.classifier:
            self.model_ = self.classifier().fit(design, np.asarray(y, dtype=int))
        else:
            self.model_ = RidgeLogistic().fit(design, y, fold=fold)
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm."""
        check_is_fitted(self, "model_")
        chances = {name: self.model_.predict_proba(self._design(X, np.full(len(X), name)))[:, 1] for name in _NAMES}
        return pd.DataFrame(chances, index=X.index)

    def _design(self, X: pd.DataFrame, arm: NDArray[Any]) -> pd.DataFrame:
        fields = X.to_numpy(float) if self.fields_ is None else self.fields_.transform(X)
        arm_indicators = np.column_stack([arm == name for name in ACTIVE_ARMS]).astype(float)
        products = [fields * column[:, None] for column in arm_indicators.T] if self.interactions else []
        whole = np.hstack([fields, arm_indicators, *products])
        return pd.DataFrame(whole, columns=[f"x{i}" for i in range(whole.shape[1])])


class TLearner(BaseEstimator):
    """A model of success for each arm by itself.

    Parameters
    ----------
    classifier
        Makes the classifier of an arm.
    """

    def __init__(self, classifier: Callable[[], Any] = RidgeLogistic) -> None:
        self.classifier = classifier

    def fit(self, X: pd.DataFrame, arm: pd.Series, y: Floats,
            club: pd.Series | None = None, fold: Ints | None = None) -> "TLearner":  # fmt: skip
        """Fit on coded fields (NaN is missing); an arm with few patients has one share of success for all."""
        arm_of_patients, success = np.asarray(arm), np.asarray(y, dtype=int)
        self.models_ = {}
        for name in _NAMES:
            of_arm = arm_of_patients == name
            enough = min(success[of_arm].sum(), (1 - success[of_arm]).sum()) >= _FEWEST
            model = self.classifier() if enough else dummy.DummyClassifier(strategy="prior")
            rows = of_arm if len(set(success[of_arm])) == 2 else np.ones(len(X), dtype=bool)
            self.models_[name] = model.fit(X[rows], success[rows])
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm."""
        check_is_fitted(self, "models_")
        return pd.DataFrame({name: self.models_[name].predict_proba(X)[:, 1] for name in _NAMES}, index=X.index)


class OneEffect(BaseEstimator):
    """A prognosis, and for every arm one difference in the chance of success, the same for everyone.

    The difference is the mean over the patients to whom the arm is open, adjusted for the fields by a ridge logistic
    regression with one odds ratio an arm (g-computation).

    Parameters
    ----------
    zero
        Whether the differences are zero: no arm differs from usual care for anyone.
    """

    def __init__(self, zero: bool = False) -> None:
        self.zero = zero

    def fit(self, X: pd.DataFrame, arm: pd.Series, y: Floats,
            club: pd.Series | None = None, fold: Ints | None = None) -> "OneEffect":  # fmt: skip
        """Fit on coded fields (NaN is missing)."""
        self.effects_ = dict.fromkeys(ACTIVE_ARMS, 0.0)
        if self.zero:
            self.prognosis_: Any = RidgeLogistic().fit(X, y, fold=fold)
            return self
        self.prognosis_ = SLearner(interactions=False).fit(X, arm, y, club, fold)
        success, may = self.prognosis_.predict(X), eligibility(X)
        for name in ACTIVE_ARMS:
            eligible = may[name] if may[name].any() else slice(None)
            self.effects_[name] = float((success[name] - success[REFERENCE_ARM])[eligible].mean())
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm."""
        check_is_fitted(self, "prognosis_")
        usual = self.prognosis_.predict_proba(X)[:, 1] if self.zero else self.prognosis_.predict(X)[REFERENCE_ARM]
        return _on_prognosis(np.asarray(usual), self.effects_, X.index)


class EconLearner(BaseEstimator):
    """A learner of EconML's, which gives effects, on a ridge logistic prognosis of its own.

    Parameters
    ----------
    learner
        Makes the learner.
    imputed
        Whether missing values are replaced before it sees them.
    """

    def __init__(self, learner: Callable[[], Any], imputed: bool = False) -> None:
        self.learner = learner
        self.imputed = imputed

    def fit(self, X: pd.DataFrame, arm: pd.Series, y: Floats,
            club: pd.Series | None = None, fold: Ints | None = None) -> "EconLearner":  # fmt: skip
        """Fit on coded fields (NaN is missing)."""
        self.prognosis_ = SLearner(interactions=False).fit(X, arm, y, club, fold)
        self.fields_ = imputer().fit(X)
        self.learner_ = self.learner()
        self.learner_.fit(np.asarray(y, dtype=int), np.asarray(arm, dtype=str), X=self._fields(X), inference=None)
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm."""
        check_is_fitted(self, "learner_")
        usual, fields = self.prognosis_.predict(X)[REFERENCE_ARM].to_numpy(), self._fields(X)
        effects = {name: np.ravel(self.learner_.effect(fields, T0=REFERENCE_ARM, T1=name)) for name in ACTIVE_ARMS}
        return _on_prognosis(usual, effects, X.index)

    def _fields(self, X: pd.DataFrame) -> Floats:
        return np.asarray(self.fields_.transform(X) if self.imputed else X.to_numpy(float))


def small_trees() -> Any:
    """Return LightGBM of depth two: 100 slow trees, each leaf of 20 patients or more."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**_SMALL_TREES)


def x_learner() -> Any:
    """Return EconML's XLearner on small trees, propensities by logistic regression."""
    from econml.metalearners import XLearner  # type: ignore[import-untyped]
    from lightgbm import LGBMRegressor

    trees = LGBMRegressor(**_SMALL_TREES)
    return XLearner(models=trees, cate_models=trees, propensity_model=_propensity(), categories=list(_NAMES),
                    allow_missing=True)  # fmt: skip


def dr_learner() -> Any:
    """Return EconML's DRLearner: outcome by small trees, propensities by logistic regression, effects by ridge."""
    from econml.dr import DRLearner  # type: ignore[import-untyped]

    final = make_pipeline(imputer(), preprocessing.StandardScaler(), linear_model.RidgeCV(np.logspace(0, 5, 11)))
    return DRLearner(
        model_propensity=_propensity(), model_regression=small_trees(), model_final=final, discrete_outcome=True,
        min_propensity=PathwayConfig.propensity_floor, categories=list(_NAMES), cv=5, random_state=SEED,
        allow_missing=True,
    )  # fmt: skip


def causal_forest() -> Any:
    """Return EconML's CausalForestDML of 500 trees; nuisances by logistic regression and small trees."""
    from econml.dml import CausalForestDML  # type: ignore[import-untyped]

    return CausalForestDML(
        model_y=small_trees(), model_t=_propensity(), discrete_outcome=True, discrete_treatment=True, cv=5,
        categories=list(_NAMES), n_estimators=500, min_samples_leaf=10, inference=False, n_jobs=1, random_state=SEED,
    )  # fmt: skip


def our_pathways() -> PathwayModel:
    """Return our model without the gate, and with the fewest draws: they give intervals, which no comparison reads."""
    return PathwayModel(replace(PathwayConfig(), posterior_draws=2, gate=False))


PATHWAY_CANDIDATES: tuple[Entrant, ...] = (
    Entrant(OURS, "ours: additive, modifiers by arm", our_pathways),
    Entrant("zero_effect", "zero effect", lambda: OneEffect(zero=True)),
    Entrant("one_effect", "one risk difference an arm", OneEffect),
    Entrant("t_logistic", "T-learner, ridge logistic", TLearner),
    Entrant("t_trees", "T-learner, LightGBM of depth 2", lambda: TLearner(small_trees), _TREES),
    Entrant("s_logistic", "S-learner, ridge logistic with arm products", SLearner),
    Entrant("s_trees", "S-learner, LightGBM of depth 2", lambda: SLearner(small_trees, interactions=False), _TREES),
    Entrant("x_learner", "XLearner (EconML)", lambda: EconLearner(x_learner), _ECON),
    Entrant("dr_learner", "DRLearner (EconML)", lambda: EconLearner(dr_learner), _ECON),
    Entrant("causal_forest", "CausalForestDML (EconML), imputed", lambda: EconLearner(causal_forest, True), _ECON),
)


def fit_pathways(model: Any, X: pd.DataFrame, arm: pd.Series, y: Floats, club: pd.Series, fold: Ints) -> Any:
    """Fit an unfitted candidate on coded fields, arm and success, club and fold of every patient; return it."""
    return fit_entrant(model, X, arm, np.asarray(y, dtype=float), club=club, fold=fold)


def success_of(model: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Return a fitted candidate's probability of success, one column an arm."""
    with quiet():
        success = model.predict(X)
    return pd.DataFrame(success[list(_NAMES)])


def _propensity() -> Pipeline:
    return make_pipeline(
        imputer(), preprocessing.StandardScaler(), linear_model.LogisticRegression(C=0.1, max_iter=2000)
    )


def _on_prognosis(usual: Floats, effects: Mapping[str, Any], index: pd.Index) -> pd.DataFrame:
    success = {REFERENCE_ARM: usual} | {name: usual + effects[name] for name in ACTIVE_ARMS}
    return pd.DataFrame(success, index=index)[list(_NAMES)].clip(_NEVER, _ALWAYS)


__all__ = [
    "PATHWAY_CANDIDATES",
    "EconLearner",
    "OneEffect",
    "SLearner",
    "TLearner",
    "causal_forest",
    "dr_learner",
    "fit_pathways",
    "our_pathways",
    "small_trees",
    "success_of",
    "x_learner",
]
