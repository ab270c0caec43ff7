"""The peers that the onset model is measured against, each an ordinary scikit-learn estimator on coded fields.

Each is set up as a good analyst would set it up in an afternoon: linear models impute medians, say in one more column
what was missing, and choose their penalty by cross-validation over clubs; trees take missing values as they are.
Nothing here is tuned to a scenario. EBM and Optuna come with the extra `research`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import PredefinedSplit, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

from pfps_ml.config import OnsetConfig
from pfps_ml.learning.entrants import OURS, Entrant, fit_entrant, quiet
from pfps_ml.learning.onset import OnsetModel
from pfps_ml.learning.tuning import TRIALS, TunedLightGBM

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SEED = 1  # of every peer that draws anything
_PENALTIES = np.logspace(-4, 1, 11)  # scikit-learn's C: one over the penalty
_CERTAIN = 1e-6  # a peer that says 0 or 1 would have an infinite log loss


class RidgeLogistic(ClassifierMixin, BaseEstimator):
    """Ridge logistic regression, linear or on cubic splines, its penalty chosen by cross-validation over clubs.

    Parameters
    ----------
    knots
        Knots of the spline of every field, at quantiles; 0 for straight lines.

    Attributes
    ----------
    pipeline_
        Imputation, splines, scaling, regression.
    classes_
        0 and 1.
    """

    def __init__(self, knots: int = 0) -> None:
        self.knots = knots

    def fit(self, X: pd.DataFrame, y: Floats, club: pd.Series | None = None, fold: Ints | None = None) -> Any:
        """Fit on coded fields; folds are drawn by outcome where none are given."""
        regression = LogisticRegressionCV(
            Cs=_PENALTIES, cv=_folds(fold), scoring=_mean_log_likelihood, l1_ratios=(0.0,),
            use_legacy_attributes=False, max_iter=2000,
        )  # fmt: skip
        spline = [SplineTransformer(self.knots, knots="quantile", extrapolation="constant")] if self.knots else []
        self.pipeline_ = make_pipeline(imputer(), *spline, StandardScaler(), regression)
        self.pipeline_.fit(X, np.asarray(y, dtype=int))
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the probability of both classes, shape (rows, 2)."""
        check_is_fitted(self, "pipeline_")
        return np.asarray(self.pipeline_.predict_proba(X))

    def predict(self, X: pd.DataFrame) -> Ints:
        """Return the likelier class."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


def imputer() -> SimpleImputer:
    """Return what replaces a missing value by the median of its field, and says in one more column that it did."""
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def plain_logistic() -> Pipeline:
    """Return a logistic regression without a penalty."""
    return make_pipeline(imputer(), StandardScaler(), LogisticRegression(C=np.inf, max_iter=5000))


def explainable_boosting() -> Any:
    """Return interpret-core's explainable boosting machine as it comes, on one thread."""
    from interpret.glassbox import ExplainableBoostingClassifier  # type: ignore[import-untyped]

    return ExplainableBoostingClassifier(random_state=SEED, n_jobs=1)


def forest() -> RandomForestClassifier:
    """Return 500 probability trees; leaves of 20, because trees grown to single cases give no probabilities."""
    return RandomForestClassifier(500, min_samples_leaf=20, random_state=SEED, n_jobs=1)


def lightgbm_defaults() -> Any:
    """Return LightGBM as it comes."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=SEED, n_jobs=1, verbosity=-1)


def our_onset() -> OnsetModel:
    """Return our model; its replicates give intervals and no prediction, so as few as may be are made."""
    return OnsetModel(replace(OnsetConfig(), bootstraps=2))


ONSET_CANDIDATES: tuple[Entrant, ...] = (
    Entrant(OURS, "Ours: additive blend", our_onset, ("lightgbm",)),
    Entrant("prevalence", "Prevalence only", lambda: DummyClassifier(strategy="prior")),
    Entrant("logistic", "Logistic regression", plain_logistic),
    Entrant("ridge", "Ridge logistic, penalty by CV", RidgeLogistic),
    Entrant("spline", "Spline logistic, ridge by CV", lambda: RidgeLogistic(knots=4)),
    Entrant("ebm", "EBM (interpret-core)", explainable_boosting, ("interpret",)),
    Entrant("forest", "Random forest", forest),
    Entrant("hist_gradient", "HistGradientBoosting", lambda: HistGradientBoostingClassifier(random_state=SEED)),
    Entrant("lightgbm", "LightGBM, defaults", lightgbm_defaults, ("lightgbm",)),
    Entrant("lightgbm_tuned", f"LightGBM, tuned ({TRIALS} trials)", TunedLightGBM, ("lightgbm", "optuna")),
)


def fit_onset(model: Any, X: pd.DataFrame, y: Floats, club: pd.Series, fold: Ints) -> Any:
    """Fit an unfitted candidate on coded fields, outcome, and club and fold of every row; return it."""
    return fit_entrant(model, X, np.asarray(y, dtype=int), club=club, fold=fold)


def risk_of(model: Any, X: pd.DataFrame) -> Floats:
    """Return a fitted candidate's risk of every row, kept off 0 and 1 by one in a million."""
    with quiet():
        risk = np.asarray(model.predict_proba(X), dtype=float)[:, 1]
    return np.asarray(np.clip(risk, _CERTAIN, 1 - _CERTAIN))


def _folds(fold: Ints | None) -> Any:
    return StratifiedKFold(5, shuffle=True, random_state=SEED) if fold is None else PredefinedSplit(fold)


def _mean_log_likelihood(model: Any, X: Floats, y: Floats) -> float:
    """Return the mean log likelihood; unlike scikit-learn's own, it takes a fold in which nobody fell ill."""
    p = np.clip(model.predict_proba(X)[:, 1], _CERTAIN, 1 - _CERTAIN)
    return float(np.mean(np.log(np.where(np.asarray(y) == 1, p, 1 - p))))


__all__ = [
    "ONSET_CANDIDATES",
    "SEED",
    "RidgeLogistic",
    "explainable_boosting",
    "fit_onset",
    "forest",
    "imputer",
    "lightgbm_defaults",
    "our_onset",
    "plain_logistic",
    "risk_of",
]
