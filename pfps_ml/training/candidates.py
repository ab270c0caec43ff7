"""The peers that the onset model is compared with, each an ordinary scikit-learn estimator on coded fields.

Each is set up as a good analyst would set it up in an afternoon: linear models impute medians, say in one more column
what was missing, and choose their penalty by cross-validation over clubs; trees take missing values as they are.
Nothing here is tuned to a scenario. LightGBM is tuned by Optuna in 50 trials, with early stopping, by log loss over
club folds. EBM and Optuna come with the extra `research`.

An `Entrant` of a comparison is a name and a maker of an unfitted estimator: ours, a peer, or a researcher's.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from sklearn import dummy, ensemble, impute, linear_model, model_selection, preprocessing
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from pfps_ml.core import FactError, Floats, Ints, Message, MissingLibrary, NDArray, OnsetConfig, PfpsError, generator
from pfps_ml.training.onset import OnsetModel

OURS = "ours"


@dataclass(frozen=True)
class Entrant:
    """A candidate of a comparison: its short name, what it is, how to make one, and the libraries that it needs."""

    name: str
    label: str
    make: Callable[[], Any]
    needs: tuple[str, ...] = ()


def own_entrant(address: str, predicts: str) -> Entrant:
    """Return a researcher's own candidate.

    Parameters
    ----------
    address
        `package.module:factory`; the factory is called without arguments and returns an unfitted estimator.
    predicts
        What the estimator must be able to do beside `fit`.

    Raises
    ------
    FactError
        If there is no such module or name, it cannot be called, or what it returns is no such estimator.
    """
    module, _, name = address.partition(":")
    if not module or not name:
        raise FactError(Message("candidate_address", {"address": repr(address)}))
    try:
        home = importlib.import_module(module)
    except Exception as error:
        raise FactError(
            Message("candidate_module_not_imported", {"module": module, "address": address, "cause": _cause_of(error)})
        ) from error
    if not hasattr(home, name):
        raise FactError(Message("candidate_name_not_there", {"name": name, "module": module}))
    factory = getattr(home, name)
    if not callable(factory):
        raise FactError(Message("candidate_not_callable", {"address": address}))
    _expect_estimator(address, factory, predicts)
    return Entrant(address, address, factory)


def check_libraries(entrants: Iterable[Entrant]) -> None:
    """Refuse, before any work, what cannot be run.

    Raises
    ------
    MissingLibrary
        If a library that a candidate needs is not installed; all of them at once.
    """
    lacking = {
        name: entrant.label for entrant in entrants for name in entrant.needs if importlib.util.find_spec(name) is None
    }
    if lacking:
        missing = ", ".join(f"{name} (for {label})" for name, label in lacking.items())
        raise MissingLibrary(
            Message("candidate_libraries_missing", {"libraries": missing})
        )  # fmt: skip


def fit_entrant(model: Any, *data: Any, club: pd.Series, fold: NDArray[np.int64]) -> Any:
    """Fit an unfitted candidate on its data (X, y or X, arm, y); clubs and folds go to those whose `fit` takes them."""
    taken = signature(model.fit).parameters
    known = {name: value for name, value in (("club", club), ("fold", fold)) if name in taken}
    with quiet():
        return model.fit(*data, **known)


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Say which candidate failed where it is a researcher's own; a failure of one of ours is ours to mend.

    Raises
    ------
    FactError
        If a researcher's own candidate fails in any way.
    """
    try:
        yield
    except Exception as error:
        if ":" not in name or isinstance(error, PfpsError):
            raise
        raise FactError(Message("candidate_failed", {"candidate": name, "cause": _cause_of(error)})) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Run on one thread, so that nothing depends on their number, and without other libraries' warnings."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _expect_estimator(address: str, factory: Callable[[], Any], predicts: str) -> None:
    try:
        made = factory()
    except Exception as error:
        raise FactError(Message("candidate_refused", {"address": address, "cause": _cause_of(error)})) from error
    lacking = [method for method in ("fit", predicts) if not callable(getattr(made, method, None))]
    if lacking:
        raise FactError(
            Message("candidate_lacks_methods", {"address": address, "method": predicts, "methods": lacking})
        )


def _cause_of(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


TRIALS = 50
_MOST_TREES, _PATIENCE = 600, 30
_FIXED = {"objective": "binary", "verbosity": -1, "seed": 1, "deterministic": True, "force_row_wise": True,
          "num_threads": 1, "subsample_freq": 1}  # fmt: skip


class TunedLightGBM(ClassifierMixin, BaseEstimator):
    """LightGBM with settings that Optuna found best.

    Parameters
    ----------
    settings
        Settings found before, with `n_estimators`; None to search for them in `fit`.
    trials
        Trials of the search.

    Attributes
    ----------
    settings_
        What it was fitted with.
    booster_
        The fitted LightGBM booster.
    classes_
        0 and 1.
    """

    def __init__(self, settings: dict[str, Any] | None = None, trials: int = TRIALS) -> None:
        self.settings = settings
        self.trials = trials

    def fit(self, X: pd.DataFrame, y: Floats, club: pd.Series | None = None, fold: Ints | None = None) -> Any:
        """Search, unless settings were given, and fit on all rows; NaN is missing."""
        import lightgbm

        folds = generator(1, "tuning").integers(0, 5, len(X)) if fold is None else np.asarray(fold)
        self.settings_ = dict(self.settings or tune(X, y, folds, self.trials))
        settings, trees = {**_FIXED, **self.settings_}, self.settings_["n_estimators"]
        data = lightgbm.Dataset(X, np.asarray(y), params={"verbosity": -1})
        self.booster_ = lightgbm.train(settings | {"n_estimators": trees}, data, num_boost_round=trees)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the probability of both classes, shape (rows, 2)."""
        check_is_fitted(self, "booster_")
        risk = np.asarray(self.booster_.predict(X, num_threads=1))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: pd.DataFrame) -> Ints:
        """Return the likelier class."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


def tune(X: pd.DataFrame, y: Floats, fold: Ints, trials: int = TRIALS) -> dict[str, Any]:
    """Return the settings with the lowest log loss over the folds, `n_estimators` by early stopping among them."""
    import lightgbm
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    splits = list(_splits(fold))

    def loss(trial: Any) -> float:
        settings = {**_FIXED, **_suggested(trial)}
        data = lightgbm.Dataset(X, np.asarray(y), params={"verbosity": -1}, free_raw_data=False)
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        curve = lightgbm.cv(settings, data, _MOST_TREES, folds=splits, metrics="binary_logloss", callbacks=[stop])
        losses = curve["valid binary_logloss-mean"]
        trial.set_user_attr("n_estimators", len(losses))
        return float(losses[-1])

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(loss, n_trials=trials)
    return {**study.best_params, **study.best_trial.user_attrs}


def _suggested(trial: Any) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 2, 32, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 200, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 100.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
    }


def _splits(fold: Ints) -> Iterator[tuple[Ints, Ints]]:
    for fold_number in np.unique(fold):
        yield np.flatnonzero(fold != fold_number), np.flatnonzero(fold == fold_number)


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
        regression = linear_model.LogisticRegressionCV(
            Cs=_PENALTIES, cv=_folds(fold), scoring=_mean_log_likelihood, l1_ratios=(0.0,),
            use_legacy_attributes=False, max_iter=2000,
        )  # fmt: skip
        spline = (
            [preprocessing.SplineTransformer(self.knots, knots="quantile", extrapolation="constant")]
            if self.knots
            else []
        )
        self.pipeline_ = make_pipeline(imputer(), *spline, preprocessing.StandardScaler(), regression)
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


def imputer() -> impute.SimpleImputer:
    """Return what replaces a missing value by the median of its field, and says in one more column that it did."""
    return impute.SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def plain_logistic() -> Pipeline:
    """Return a logistic regression without a penalty."""
    return make_pipeline(
        imputer(), preprocessing.StandardScaler(), linear_model.LogisticRegression(C=np.inf, max_iter=5000)
    )


def explainable_boosting() -> Any:
    """Return interpret-core's explainable boosting machine as it comes, on one thread."""
    from interpret.glassbox import ExplainableBoostingClassifier  # type: ignore[import-untyped]

    return ExplainableBoostingClassifier(random_state=SEED, n_jobs=1)


def forest() -> ensemble.RandomForestClassifier:
    """Return 500 probability trees; leaves of 20, because trees grown to single cases give no probabilities."""
    return ensemble.RandomForestClassifier(500, min_samples_leaf=20, random_state=SEED, n_jobs=1)


def lightgbm_defaults() -> Any:
    """Return LightGBM as it comes."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=SEED, n_jobs=1, verbosity=-1)


def our_onset() -> OnsetModel:
    """Return our model; its replicates give intervals and no prediction, so as few as may be are made."""
    return OnsetModel(replace(OnsetConfig(), bootstraps=2))


ONSET_CANDIDATES: tuple[Entrant, ...] = (
    Entrant(OURS, "Ours: additive blend", our_onset, ("lightgbm",)),
    Entrant("prevalence", "Prevalence only", lambda: dummy.DummyClassifier(strategy="prior")),
    Entrant("logistic", "Logistic regression", plain_logistic),
    Entrant("ridge", "Ridge logistic, penalty by CV", RidgeLogistic),
    Entrant("spline", "Spline logistic, ridge by CV", lambda: RidgeLogistic(knots=4)),
    Entrant("ebm", "EBM (interpret-core)", explainable_boosting, ("interpret",)),
    Entrant("forest", "Random forest", forest),
    Entrant(
        "hist_gradient", "HistGradientBoosting", lambda: ensemble.HistGradientBoostingClassifier(random_state=SEED)
    ),
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
    return (
        model_selection.StratifiedKFold(5, shuffle=True, random_state=SEED)
        if fold is None
        else model_selection.PredefinedSplit(fold)
    )


def _mean_log_likelihood(model: Any, X: Floats, y: Floats) -> float:
    """Return the mean log likelihood; unlike scikit-learn's own, it takes a fold in which nobody fell ill."""
    p = np.clip(model.predict_proba(X)[:, 1], _CERTAIN, 1 - _CERTAIN)
    return float(np.mean(np.log(np.where(np.asarray(y) == 1, p, 1 - p))))


__all__ = [
    "ONSET_CANDIDATES", "OURS", "SEED", "TRIALS", "Entrant", "RidgeLogistic", "TunedLightGBM", "blamed",
    "check_libraries", "explainable_boosting", "fit_entrant", "fit_onset", "forest", "imputer", "lightgbm_defaults",
    "our_onset", "own_entrant", "plain_logistic", "quiet", "risk_of", "tune",
]  # fmt: skip
