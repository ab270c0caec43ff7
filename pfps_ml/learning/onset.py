"""The onset model: who will get runner's knee within the horizon.

A smooth part (piecewise-linear ridge logistic regression) and a boosted part (trees of depth two) are stacked on
out-of-fold margins. The stack's intercept and slope are the calibration; they come from clubs that the parts had not
seen, and never from the clubs that are reported. The result is one additive model, with bootstrap replicates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pfps_ml.config import OnsetConfig
from pfps_ml.learning.additive import AdditiveModel, add, probability, stack
from pfps_ml.learning.boost import Booster, cuts_of
from pfps_ml.learning.missing import masked_copies, neutralise_missing
from pfps_ml.learning.smooth import Basis, basis, fit_logistic
from pfps_ml.learning.split import resample_clubs
from pfps_ml.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]

DECIMALS = 8  # of a table entry: far below what matters to a person, and shorter to read


@dataclass(frozen=True)
class Copies:
    """The training rows as every tier of measurement would see them."""

    X: pd.DataFrame
    y: Floats
    weight: Floats
    fold: Ints
    source: NDArray[np.intp]


@dataclass(frozen=True)
class Recipe:
    """What was chosen by cross-validation: everything that a replicate shares with the main model."""

    penalty: float
    trees: int
    pairs: tuple[tuple[str, str], ...]
    shift: float
    smooth_weight: float
    boost_weight: float


class OnsetModel(ClassifierMixin, BaseEstimator):
    """Predicts a new episode of runner's knee, as one additive model on the log-odds scale.

    Parameters
    ----------
    config
        Knots, penalties, trees, pairs and the number of bootstrap replicates.
    progress
        Told the name of each step as it begins.

    Attributes
    ----------
    additive_
        The fitted model; member 0 predicts, the others are refits on resampled clubs.
    recipe_
        What cross-validation chose.
    classes_
        0 and 1.
    feature_names_in_, n_features_in_
        The fields seen in `fit`.
    """

    def __init__(self, config: OnsetConfig | None = None, progress: Progress | None = None) -> None:
        self.config = config
        self.progress = progress

    def fit(self, X: pd.DataFrame, y: Floats, club: pd.Series | None = None, fold: Ints | None = None) -> "OnsetModel":
        """Fit on coded fields (NaN is missing).

        Parameters
        ----------
        X
            One column a field of the dictionary.
        y
            1 for a new episode, else 0.
        club
            The club of every row, resampled whole for the replicates; every row by itself if not given.
        fold
            The fold of every row, by club; drawn at random if not given.
        """
        config, tell = self.config or OnsetConfig(), self.progress or (lambda _step: None)
        X = X.reset_index(drop=True)
        club = pd.Series(np.arange(len(X))) if club is None else club.reset_index(drop=True)
        folds = generator(config.seed, "folds").integers(0, 5, len(X)) if fold is None else np.asarray(fold)
        masked, source, weight = masked_copies(X)
        copies = Copies(masked, np.asarray(y, dtype=float)[source], weight, folds[source], source)
        parts = _Parts(copies, basis(X, config.knots), Booster(cuts_of(X, config.bins), config), config)
        self.recipe_ = parts.choose(tell)
        tell("refitting on resampled clubs")
        counts = [np.ones(len(X))]
        counts += [resample_clubs(club, config.seed, f"bootstrap/{b}") for b in range(config.bootstraps)]
        members = [parts.fit(self.recipe_, weight * count[source]) for count in counts]
        weights = np.column_stack([weight * count[source] for count in counts])
        self.additive_ = neutralise_missing(stack(members), masked, weights).rounded(DECIMALS)
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the probability of no episode and of one, shape (rows, 2)."""
        check_is_fitted(self, "additive_")
        risk = probability(self.additive_.member(0).margin(X)[:, 0])
        return np.column_stack([1 - risk, risk])

    def predict(self, X: pd.DataFrame) -> Ints:
        """Return the likelier class; for a rare outcome that is nearly always 0, so use `predict_proba`."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


@dataclass(frozen=True)
class _Parts:
    """The two parts on one training set."""

    copies: Copies
    basis: Basis
    booster: Booster
    config: OnsetConfig

    def choose(self, tell: Progress) -> Recipe:
        """Choose penalty, pairs, trees and the stack by cross-validation over clubs."""
        tell("smooth part: penalty by cross-validation over clubs")
        penalty, smooth = self._choose_penalty()
        tell("boosted part: pairs and trees by cross-validation over clubs")
        trees, pairs, boosted = self._choose_trees()
        return Recipe(penalty, trees, pairs, *self._stack(smooth, boosted))

    def fit(self, recipe: Recipe, weight: Floats) -> AdditiveModel:
        """Fit both parts with given row weights and write the stack as one additive model."""
        rows = weight > 0
        design = self.basis.design(self.copies.X[rows])
        smooth = self.basis.model(self._fit_smooth(design, self.copies.y[rows], weight[rows], recipe.penalty))
        model = smooth.scaled(recipe.smooth_weight, recipe.shift)
        if recipe.trees == 0:
            return model
        fitted = self.booster.fit(self.copies.X[rows], self.copies.y[rows], weight[rows], recipe.trees, recipe.pairs)
        return add(model, self.booster.tables(fitted, recipe.pairs).scaled(recipe.boost_weight))

    def _fit_smooth(self, design: Floats, y: Floats, weight: Floats, penalty: float) -> Floats:
        matrix = self.basis.penalty(self.config.roughness) * penalty * weight.sum() / 1000
        return fit_logistic(design, y, weight, matrix, self.basis.bounds())

    def _choose_penalty(self) -> tuple[float, Floats]:
        design, c = self.basis.design(self.copies.X), self.copies
        out = np.zeros((len(c.y), len(self.config.penalties)))
        for fold in np.unique(c.fold):
            train, test = c.fold != fold, c.fold == fold
            for at, penalty in enumerate(self.config.penalties):
                beta = self._fit_smooth(design[train], c.y[train], c.weight[train], penalty)
                out[test, at] = design[test] @ beta
        best = int(np.argmin([log_loss(c.y, out[:, at], c.weight) for at in range(out.shape[1])]))
        return self.config.penalties[best], out[:, best]

    def _choose_trees(self) -> tuple[int, tuple[tuple[str, str], ...], Floats]:
        """Choose the number of trees, and whether fields may meet in one, on folds that chose nothing themselves."""
        c, counts = self.copies, np.linspace(0, self.config.max_trees, 13).astype(int)
        choices = {paired: self._boosted_out_of_fold(counts.tolist(), paired) for paired in (False, True)}
        losses = {(paired, at): log_loss(c.y, out[:, at], c.weight)
                  for paired, out in choices.items() for at in range(len(counts))}  # fmt: skip
        paired, best = min(losses, key=lambda choice: losses[choice])
        pairs = self._pairs(np.ones(len(c.y), dtype=bool)) if paired and best else []
        return int(counts[best]), tuple(pairs), choices[paired][:, best]

    def _boosted_out_of_fold(self, counts: list[int], paired: bool) -> Floats:
        c, out = self.copies, np.zeros((len(self.copies.y), len(counts)))
        for fold in np.unique(c.fold):
            train, test = c.fold != fold, c.fold == fold
            base = np.average(c.y[train], weights=c.weight[train])
            pairs = self._pairs(train) if paired else []
            fitted = self.booster.fit(c.X[train], c.y[train], c.weight[train], counts[-1], pairs)
            out[test, 1:] = self.booster.margins(fitted, c.X[test], counts[1:])
            out[test, 0] = np.log(base / (1 - base))
        return out

    def _pairs(self, rows: NDArray[np.bool_]) -> list[tuple[str, str]]:
        c = self.copies
        return self.booster.best_pairs(self.booster.fit(c.X[rows], c.y[rows], c.weight[rows], self.config.max_trees))

    def _stack(self, smooth: Floats, boosted: Floats) -> tuple[float, float, float]:
        """Weigh the parts by their out-of-fold margins: not negative, and shrunk to one half each."""
        c, prior = self.copies, np.array([0.5, 0.5])
        offset = np.column_stack([np.ones(len(smooth)), smooth, boosted])
        # shrinking to one half is shrinking to zero after the average of both has been taken out
        penalty = np.diag([0.0, self.config.stack_shrinkage, self.config.stack_shrinkage])
        bounds = (np.array([-np.inf, -0.5, -0.5]), np.full(3, np.inf))
        beta = fit_logistic(offset, c.y, c.weight, penalty, bounds, offset=offset[:, 1:] @ prior)
        return float(beta[0]), float(beta[1] + 0.5), float(beta[2] + 0.5)


def log_loss(y: Floats, margin: Floats, weight: Floats) -> float:
    """Return the weighted mean log loss of log-odds."""
    return float(np.average(np.logaddexp(0, margin) - y * margin, weights=weight))


__all__ = ["OnsetModel", "Recipe", "log_loss"]
