"""LightGBM tuned as an analyst with an afternoon would: Optuna, 50 trials, early stopping, log loss over club folds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pfps_ml.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
        found = lightgbm.cv(settings, data, _MOST_TREES, folds=splits, metrics="binary_logloss", callbacks=[stop])
        losses = found["valid binary_logloss-mean"]
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
    for each in np.unique(fold):
        yield np.flatnonzero(fold != each), np.flatnonzero(fold == each)


__all__ = ["TRIALS", "TunedLightGBM", "tune"]
