"""The pathway models: the probability of success under every arm, from patients whose arm a clinic chose.

One ridge logistic regression holds a prognostic part, shared by all arms, and one modifier part an active arm (what
the arm adds, and for whom). It adjusts for assignment twice: by the prognostic fields themselves, and by a last step
in which each arm's intercept is set on patients weighted by the inverse of their chance of that arm, so that the
mean success of an arm is right if either the outcome or the assignment model is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pfps_ml.config import PathwayConfig
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.learning.additive import AdditiveModel, probability, stack
from pfps_ml.learning.missing import masked_copies, neutralise_missing
from pfps_ml.learning.onset import DECIMALS, log_loss
from pfps_ml.learning.propensity import PropensityModel, cross_fitted, fit_propensity
from pfps_ml.learning.smooth import Basis, basis, fit_logistic
from pfps_ml.learning.split import resample_clubs
from pfps_ml.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]
_MODIFIER_KNOTS = 2  # a modifier is a straight line: the trials would not bear more


class PathwayModel(BaseEstimator):
    """Predicts success under every arm: `fit(X, arm, y)`, then one column an arm; effects by subtraction.

    Parameters
    ----------
    config
        Knots, penalties, the floor of a propensity, and the number of bootstrap replicates.
    progress
        Told the name of each step as it begins.

    Attributes
    ----------
    prognosis_
        Log-odds of success under usual care, additive; member 0 predicts, the others are refits on resampled clubs.
    modifiers_
        For every active arm, what it adds to those log-odds.
    propensity_
        How the clinics chose.
    penalties_
        The penalties of both parts that cross-validation chose.
    """

    def __init__(self, config: PathwayConfig | None = None, progress: Progress | None = None) -> None:
        self.config = config
        self.progress = progress

    def fit(self, X: pd.DataFrame, arm: pd.Series, y: Floats,
            club: pd.Series | None = None, fold: Ints | None = None) -> "PathwayModel":  # fmt: skip
        """Fit on coded fields (NaN is missing).

        Parameters
        ----------
        X
            One column a field of the dictionary.
        arm
            The arm that each patient was given.
        y
            1 for success, else 0.
        club, fold
            Club and fold of every row, by club; each row by itself and at random if not given.
        """
        config, tell = self.config or PathwayConfig(), self.progress or (lambda _step: None)
        X, arm = X.reset_index(drop=True), arm.reset_index(drop=True)
        club = pd.Series(np.arange(len(X))) if club is None else club.reset_index(drop=True)
        folds = generator(config.seed, "folds").integers(0, 5, len(X)) if fold is None else np.asarray(fold)
        tell("how clinics chose: propensities by cross-fitting")
        seen = basis(X, config.knots)
        chance = cross_fitted(X, arm, folds, seen)
        self.propensity_: PropensityModel = fit_propensity(X, arm, seen)
        fitter = _Fitter.of(X, arm, y, folds, chance, config)
        tell("prognosis and modifiers: penalties by cross-validation over clubs")
        self.penalties_ = fitter.choose()
        tell("refitting on resampled clubs")
        counts = [np.ones(len(X))]
        counts += [resample_clubs(club, config.seed, f"bootstrap/{b}") for b in range(config.bootstraps)]
        fits = [fitter.models(self.penalties_, count) for count in counts]
        weights = np.column_stack([fitter.weight * count[fitter.source] for count in counts])
        prognosis = stack(fit[REFERENCE_ARM] for fit in fits)
        self.prognosis_: AdditiveModel = neutralise_missing(prognosis, fitter.X, weights).rounded(DECIMALS)
        self.modifiers_ = {
            name: neutralise_missing(stack(fit[name] for fit in fits), fitter.X, weights, self.prognosis_).rounded(
                DECIMALS
            )
            for name in ACTIVE_ARMS
        }
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm, one column an arm, open to the patient or not."""
        check_is_fitted(self, "prognosis_")
        usual = self.prognosis_.member(0).margin(X)[:, 0]
        added = {name: self.modifiers_[name].member(0).margin(X)[:, 0] for name in ACTIVE_ARMS}
        return pd.DataFrame({arm.name: probability(usual + added.get(arm.name, 0.0)) for arm in ARMS}, index=X.index)


@dataclass(frozen=True)
class _Fitter:
    """The masked copies of the patients, their design, and the weights of the targeting step."""

    X: pd.DataFrame
    given: Floats
    y: Floats
    weight: Floats
    source: NDArray[np.intp]
    fold: Ints
    inverse_chance: Floats
    parts: tuple[Basis, Basis]
    config: PathwayConfig

    @classmethod
    def of(cls, X: pd.DataFrame, arm: pd.Series, y: Floats, fold: Ints,
           chance: pd.DataFrame, config: PathwayConfig) -> "_Fitter":  # fmt: skip
        copies, source, weight = masked_copies(X)
        given: Floats = np.column_stack([arm == each.name for each in ARMS]).astype(np.float64)
        own = (chance.to_numpy() * given).sum(axis=1).clip(config.propensity_floor)
        parts = (basis(X, config.knots), basis(X, _MODIFIER_KNOTS))
        y = np.asarray(y, dtype=float)
        return cls(
            X=copies, given=given[source], y=y[source], weight=weight, source=source, fold=fold[source],
            inverse_chance=1 / own[source], parts=parts, config=config,
        )  # fmt: skip

    def choose(self) -> tuple[float, float]:
        """Choose the penalty of prognosis with modifiers held flat, then that of the modifiers."""
        flattest = max(self.config.modifier_penalties)
        prognosis = min(self.config.prognosis_penalties, key=lambda p: self._loss((p, flattest)))
        modifiers = min(self.config.modifier_penalties, key=lambda p: self._loss((prognosis, p)))
        return prognosis, modifiers

    def models(self, penalties: tuple[float, float], count: Floats) -> dict[str, AdditiveModel]:
        """Fit with the patients counted as given; the reference arm's model is the prognosis."""
        weight = self.weight * count[self.source]
        rows = weight > 0
        beta = self._fit(self._design(rows), rows, weight, penalties)
        shift = self._targeting(beta, weight)
        prognosis, modifier = self.parts
        size = prognosis.width
        models = {REFERENCE_ARM: prognosis.model(beta[:size]).scaled(1.0, shift[0])}
        for i, name in enumerate(ACTIVE_ARMS):
            block = beta[size + i * modifier.width : size + (i + 1) * modifier.width]
            models[name] = modifier.model(block).scaled(1.0, shift[i + 1] - shift[0])
        return models

    def _design(self, rows: NDArray[np.bool_]) -> Floats:
        prognosis, modifier = (part.design(self.X[rows]) for part in self.parts)
        return np.hstack([prognosis, *(modifier * self.given[rows, [i + 1]][:, None] for i in range(len(ACTIVE_ARMS)))])

    def _fit(self, design: Floats, rows: NDArray[np.bool_], weight: Floats, penalties: tuple[float, float]) -> Floats:
        prognosis, modifier = self.parts
        size, width = prognosis.width, modifier.width
        matrix = np.zeros((design.shape[1], design.shape[1]))
        matrix[:size, :size] = penalties[0] * prognosis.penalty(self.config.roughness)
        for i in range(len(ACTIVE_ARMS)):
            block = slice(size + i * width, size + (i + 1) * width)
            matrix[block, block] = penalties[1] * modifier.penalty(self.config.roughness)
        free = (np.full(len(matrix), -np.inf), np.full(len(matrix), np.inf))
        return fit_logistic(design, self.y[rows], weight[rows], matrix * weight.sum() / 1000, free)

    def _targeting(self, beta: Floats, weight: Floats) -> Floats:
        """Return the shift of every arm's log-odds that makes its inverse-probability-weighted mean exact."""
        margin, shift = self._design(weight >= 0) @ beta, np.zeros(len(ARMS))
        for at in range(len(ARMS)):
            inverse = weight * self.inverse_chance * self.given[:, at]
            for _ in range(8):
                p = probability(margin + shift[at])
                shift[at] += (inverse * (self.y - p)).sum() / max((inverse * p * (1 - p)).sum(), 1e-9)
        return shift

    def _loss(self, penalties: tuple[float, float]) -> float:
        design, out = self._design(self.weight >= 0), np.zeros(len(self.y))
        for fold in np.unique(self.fold):
            train, test = self.fold != fold, self.fold == fold
            out[test] = design[test] @ self._fit(design[train], train, self.weight * train, penalties)
        return log_loss(self.y, out, self.weight)


__all__ = ["PathwayModel"]
