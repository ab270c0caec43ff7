"""The pathway models: the probability of success under every arm, from patients whose arm a clinic chose.

One logistic regression holds a prognostic part, shared by all arms, and one modifier part an active arm (what the arm
adds, and for whom). It adjusts for assignment by the prognostic fields. Its coefficients have a posterior: the mean
predicts, and draws of it are the members that give the intervals. A field that was not measured widens the interval of
an arm's effect: each member fills it with another value that patients have.

`Layout` has the columns of that regression on one training set, and writes its coefficients as models.

`sample_posterior` draws the posterior of many coefficients, most of them small. The log-likelihood is written as a
quadratic around its penalised maximum (Laplace), so that what follows does not depend on the number of rows. Each
coefficient has a horseshoe prior (Carvalho, Polson and Scott 2010): a scale of its own times one shared by its group,
both half-Cauchy, and a slab that keeps it sensible (Piironen and Vehtari 2017). So large coefficients are left nearly
as they are, and the others are drawn to zero. How far is estimated, not set: the scales are drawn with the coefficients
(Gibbs steps of Makalic and Schmidt 2016).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_solve, solve_triangular
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from pfps_ml.core import Floats, Ints, NDArray, PathwayConfig, fit_logistic, generator
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.model import (
    DECIMALS,
    AdditiveModel,
    Basis,
    Gate,
    Held,
    PropensityModel,
    Term,
    basis,
    cross_fitted,
    eligibility,
    fit_propensity,
    judge,
    probability,
    stack,
)
from pfps_ml.training.training_rows import masked_copies, neutralise_missing

_START = 20.0  # precision of a grouped coefficient where the quadratic is first laid: a standard deviation of 0.22
_NARROWEST = 1e-8  # variance of a group: below this all of it is none


@dataclass(frozen=True)
class Prior:
    """What is believed of the coefficients beforehand.

    Attributes
    ----------
    group
        Which scale each coefficient shares, from 0; -1 for those that share none, shape (coefficients,).
    precision
        One over the variance of those that share none, and of the slab of the others; the same shape.
    shared
        How large the scale of a group may be expected to be: half of the time it is below this.
    """

    group: Ints
    precision: Floats
    shared: float = 1.0


@dataclass(frozen=True)
class Posterior:
    """The mean of the coefficients, shape (coefficients,), and draws of them, shape (draws, coefficients)."""

    mean: Floats
    draws: Floats


def sample_posterior(
    design: Floats, y: Floats, prior: Prior, sweeps: tuple[int, int, int], seed: int, offset: Floats | float = 0.0
) -> Posterior:
    """Return the posterior of a logistic regression.

    Parameters
    ----------
    design, y
        Shapes (rows, coefficients) and (rows,); columns of one group should have one scale.
    sweeps
        How many are run to settle, how many are then averaged, and how many of those are returned as draws.
    seed
        The same seed gives the same draws.
    offset
        Log-odds that are given beside what the coefficients add, shape (rows,).
    """
    (settle, averaged, draw_count), random = sweeps, generator(seed, "posterior")
    start = np.diag(np.where(prior.group < 0, prior.precision, _START))
    near = fit_logistic(design, y, penalty=start, offset=offset)
    near = _sweep(_quadratic(design, y, near, offset), prior, (settle, settle), random).mean(axis=0)
    posterior = _sweep(_quadratic(design, y, near, offset), prior, (settle, averaged), random)
    every = np.linspace(0, averaged - 1, draw_count).astype(int)
    return Posterior(posterior.mean(axis=0), posterior[every])


def _quadratic(design: Floats, y: Floats, at: Floats, offset: Floats | float) -> tuple[Floats, Floats]:
    """Return the curvature of the log-likelihood at a point, and its slope at zero as the quadratic has it."""
    p = probability(offset + design @ at)
    curvature = (design * (p * (1 - p))[:, None]).T @ design
    return curvature, curvature @ at + design.T @ (y - p)


def _sweep(quadratic: tuple[Floats, Floats], prior: Prior, sweeps: tuple[int, int], random: Any) -> Floats:
    curvature, slope = quadratic
    shared = prior.group >= 0
    group, count = prior.group[shared], np.bincount(prior.group[shared])
    local_scale, local_aid = np.ones(len(group)), np.ones(len(group))
    narrow = 1 / prior.shared**2
    whole, whole_aid = np.full(len(count), 1 / _START), np.full(len(count), narrow)
    means = np.zeros((sweeps[1], len(slope)))
    for at in range(sum(sweeps)):
        precision = prior.precision.copy()
        precision[shared] += 1 / (whole[group] * local_scale)
        lower = np.linalg.cholesky(curvature + np.diag(precision))
        noise = solve_triangular(lower, random.standard_normal(len(slope)), lower=True, trans="T", check_finite=False)
        beta = cho_solve((lower, True), slope, check_finite=False) + noise
        square = beta[shared] ** 2
        local_scale = _inverse_gamma(1.0, 1 / local_aid + square / (2 * whole[group]), random)
        local_aid = _inverse_gamma(1.0, 1 + 1 / local_scale, random)
        spread = np.bincount(group, square / local_scale)
        whole = _inverse_gamma((count + 1) / 2, 1 / whole_aid + spread / 2, random).clip(_NARROWEST)
        whole_aid = _inverse_gamma(1.0, narrow + 1 / whole, random)
        if at >= sweeps[0]:
            means[at - sweeps[0]] = beta
    return means


def _inverse_gamma(shape: Floats | float, rate: Floats, random: Any) -> Floats:
    return np.asarray(rate / random.gamma(shape, size=rate.shape))


Labels = NDArray[np.object_]
_MODIFIER_KNOTS = 2  # a modifier is a straight line: the trials would not bear more
_ALONE, _PROGNOSIS, _MODIFIERS = -1, 0, 1  # groups of coefficients that share a scale
_FAINT = 1e-3  # the precision of the intercept
_SLAB = 1.0  # the precision of an arm's common effect and of any one slope: log-odds, per standard deviation
_DOUBT = 10  # patients at everybody's mean who are added to those of an arm


@dataclass(frozen=True)
class Layout:
    """The columns of the regression, laid out on one training set: prognosis, then effect and modifiers of each arm.

    `bases` and `contrasts` (from ramps to columns of about one standard deviation) are those of prognosis and modifier.
    """

    bases: tuple[Basis, Basis]
    contrasts: tuple[Floats, Floats]
    config: PathwayConfig
    modified: bool = True

    @classmethod
    def of(cls, X: pd.DataFrame, config: PathwayConfig) -> "Layout":
        """Lay knots at quantiles of the known values."""
        bases = (basis(X, config.knots), basis(X, _MODIFIER_KNOTS))
        return cls(bases, (_contrast(bases[0], X), _contrast(bases[1], X)), config)

    def posterior(self, X: pd.DataFrame, arm_of_patients: Labels, y: Floats, sweeps: tuple[int, int, int]) -> Posterior:
        """Return the posterior of the coefficients."""
        prognosis, modifier = (
            _guessed(part.design(X), part, X, arm_of_patients) @ turn
            for part, turn in zip(self.bases, self.contrasts, strict=True)
        )
        modifier = modifier if self.modified else modifier[:, :1]
        design = np.hstack([prognosis, *(modifier * (arm_of_patients == name)[:, None] for name in ACTIVE_ARMS)])
        sizes = (prognosis.shape[1] - 1, modifier.shape[1] - 1)
        group = [_ALONE] + [_PROGNOSIS] * sizes[0] + len(ACTIVE_ARMS) * ([_ALONE] + [_MODIFIERS] * sizes[1])
        precision = np.full(len(group), _SLAB)
        precision[0] = _FAINT
        prior = Prior(np.array(group), precision)
        return sample_posterior(design, np.asarray(y, dtype=float), prior, sweeps, self.config.seed)

    def models(self, coefficients: Floats) -> dict[str, AdditiveModel]:
        """Write coefficients, shape (members, coefficients), as models; that of the reference arm is the prognosis."""
        widths = [turn.shape[1] for turn in self.contrasts]
        size = widths[1] if self.modified else 1
        ends = widths[0] + size * np.arange(len(ACTIVE_ARMS) + 1)
        blocks = np.split(coefficients, ends[:-1], axis=1)
        parts = [0] + [1] * len(ACTIVE_ARMS)
        return {
            arm.name: stack(self.bases[part].model(self.contrasts[part][:, : block.shape[1]] @ row) for row in block)
            for arm, part, block in zip(ARMS, parts, blocks, strict=True)
        }


def _guessed(design: Floats, laid: Basis, X: pd.DataFrame, arm_of_patients: Labels) -> Floats:
    """Let an unmeasured field count as its mean among those who were given the same arm.

    A clinic may choose by what it saw and did not write down; at the mean of everybody, whoever was chosen for a weak
    hip would count as one of average strength, and what the arm does for weak hips as what it does for all.
    """
    at = 1
    for name, knots in laid.knots.items():
        ramps, known = slice(at, at + len(knots) - 1), X[name].notna().to_numpy()
        for arm in ARMS:
            had = arm_of_patients == arm.name
            design[had & ~known, ramps] = design[had & known, ramps].sum(axis=0) / ((had & known).sum() + _DOUBT)
        at += len(knots)
    return design


def contrast_of(laid: Basis, spread: Mapping[str, float]) -> Floats:
    """Return the matrix from the design's columns (intercept, ramps, missing) to those of the regression.

    Each field has the mean of its ramps, which rises with the rank of a value, and how the curve leaves that line at
    each inner knot; both per standard deviation of the first. A field that nobody knows has columns of zeros.

    Parameters
    ----------
    laid
        Knots and centres.
    spread
        Standard deviation of the sum of each field's ramps; 0 where nobody knows it.
    """
    at, columns = 1, [np.eye(laid.width)[:, :1]]
    for name, knots in laid.knots.items():
        count = len(knots) - 1
        ramp_offsets = [(np.arange(count) < inner) - inner / count for inner in range(1, count)]
        block = np.zeros((laid.width, count))
        if spread[name] > 0:
            block[at : at + count] = np.column_stack([np.ones(count), *ramp_offsets]) / spread[name]
        columns.append(block)
        at += count + 1
    return np.hstack(columns)


def _contrast(laid: Basis, X: pd.DataFrame) -> Floats:
    ramps, at, spread = laid.design(X), 1, {}
    for name, knots in laid.knots.items():
        rank = ramps[:, at : at + len(knots) - 1].sum(axis=1)[X[name].notna().to_numpy()]
        spread[name] = float(rank.std()) if len(rank) else 0.0
        at += len(knots)
    return contrast_of(laid, spread)


Progress = Callable[[str], None]
_PROPENSITY_KNOTS = 4
_SETTLE, _AVERAGED = 150, 1000  # sweeps of the posterior
_QUICK = (60, 120)  # the same where only the mean is wanted


class PathwayModel(BaseEstimator):
    """Predicts success under every arm: `fit(X, arm, y)`, then one column an arm; effects by subtraction.

    Parameters
    ----------
    config
        Knots, the floor of a propensity, the number of draws of the posterior, and whether the gate is wanted.
    progress
        Called with the name of each step as it begins.

    Attributes
    ----------
    prognosis_
        Log-odds of success under usual care, additive; member 0 predicts. The others are refits on the draws of the
        evidence (`draws_` of them, see `with_evidence`) and draws of the posterior.
    modifiers_
        For every active arm, what it adds to those log-odds.
    propensity_
        How the clinics chose.
    gate_
        Whether the effects have earned a preference; None where the gate was not wanted.
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
        club
            Not used: a patient is an observation.
        fold
            The fold of every row, by club; drawn at random if not given.
        """
        config, tell = self.config or PathwayConfig(), self.progress or (lambda _step: None)
        X, arm_of_patients, y = X.reset_index(drop=True), np.asarray(arm, dtype=object), np.asarray(y, dtype=float)
        folds = generator(config.seed, "folds").integers(0, 5, len(X)) if fold is None else np.asarray(fold)
        tell("prognosis and modifiers: the posterior of their coefficients")
        self._layout = layout = Layout.of(X, config)
        posterior = layout.posterior(X, arm_of_patients, y, (_SETTLE, _AVERAGED, config.posterior_draws))
        models = layout.models(np.vstack([posterior.mean, posterior.draws]))
        self._shifts = _neutral_shifts(models, X)
        models = {name: _shifted(model, self._shifts[name]) for name, model in models.items()}
        filled = {name: _filled(models[name], X, config.seed) for name in ACTIVE_ARMS}
        self.prognosis_: AdditiveModel = models[REFERENCE_ARM].rounded(DECIMALS)
        self.modifiers_ = {name: filled[name].rounded(DECIMALS) for name in ACTIVE_ARMS}
        self.draws_ = 0
        tell("how clinics chose")
        self.propensity_: PropensityModel = fit_propensity(X, pd.Series(arm_of_patients), basis(X, _PROPENSITY_KNOTS))
        tell("the gate: effects on folds that they were not fitted on")
        self.gate_: Gate | None = _gate(X, arm_of_patients, y, folds, config) if config.gate else None
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def with_evidence(self, draws: Iterable[tuple[pd.DataFrame, pd.Series, Floats]]) -> "PathwayModel":
        """Add what the evidence does not know: a refit with the same knots and priors on each draw.

        Parameters
        ----------
        draws
            Coded fields, arm and outcome of the training patients as each draw of the evidence makes them; read one
            at a time.
        """
        check_is_fitted(self, "prognosis_")
        means = [self._layout.posterior(X.reset_index(drop=True), np.asarray(arm, dtype=object), y, (*_QUICK, 0)).mean
                 for X, arm, y in draws]  # fmt: skip
        refits = self._layout.models(np.vstack(means)) if means else {}
        at = self.draws_
        for name, model in refits.items():
            new = _shifted(model, self._shifts[name]).rounded(DECIMALS)
            if name == REFERENCE_ARM:
                self.prognosis_ = _inserted(self.prognosis_, new, at)
            else:
                self.modifiers_[name] = _inserted(self.modifiers_[name], new, at)
        self.draws_ = at + len(means)
        return self

    def predict(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the probability of success under every arm, one column an arm, open to the patient or not."""
        check_is_fitted(self, "prognosis_")
        return _success(
            {REFERENCE_ARM: self.prognosis_.member(0)} | {n: m.member(0) for n, m in self.modifiers_.items()}, X
        )


def _neutral_shifts(models: dict[str, AdditiveModel], X: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return, by arm and field, what "missing" must add so that measuring leaves the mean prediction where it was."""
    copies, _, weight = masked_copies(X)
    main = {name: model.member(0) for name, model in models.items()}
    prognosis = neutralise_missing(main[REFERENCE_ARM], copies, weight[:, None])
    settled = {REFERENCE_ARM: prognosis} | {
        name: neutralise_missing(main[name], copies, weight[:, None], prognosis) for name in ACTIVE_ARMS
    }
    return {
        name: {term.fields[0]: float(term.values[-1, 0] - was.values[-1, 0])
               for term, was in zip(settled[name].terms, main[name].terms, strict=True)}
        for name in settled
    }  # fmt: skip


def _shifted(model: AdditiveModel, shifts: dict[str, float]) -> AdditiveModel:
    return replace(
        model, terms=tuple(_with_missing(term, term.values[-1] + shifts[term.fields[0]]) for term in model.terms)
    )


def _filled(model: AdditiveModel, X: pd.DataFrame, seed: int) -> AdditiveModel:
    """Let the "missing" of each draw be a value that patients have: together, the draws hold all of them evenly."""
    draws, terms = len(model.intercept) - 1, []
    for term in model.terms:
        name = term.fields[0]
        known = X[name].dropna().to_numpy(dtype=float)
        # the same values in every arm: it is one patient who was not measured
        order = generator(seed, f"filled/{name}").permutation(draws)
        values = (
            np.append(np.nan, np.quantile(known, (order + 0.5) / draws)) if len(known) else np.full(draws + 1, np.nan)
        )
        terms.append(_with_missing(term, np.diag(term.evaluate({name: values}))))
    return replace(model, terms=tuple(terms))


def _with_missing(term: Term, values: Floats) -> Term:
    table = term.values.copy()
    table[-1] = values
    return replace(term, values=table)


def _inserted(model: AdditiveModel, new: AdditiveModel, at: int) -> AdditiveModel:
    """Return a model with other members put behind the first and the `at` after it."""
    members = [model.member(i) for i in range(len(model.intercept))]
    return stack([*members[: at + 1], new, *members[at + 1 :]])


def _success(models: dict[str, AdditiveModel], X: pd.DataFrame) -> pd.DataFrame:
    usual = models[REFERENCE_ARM].margin(X)[:, 0]
    added = {name: models[name].margin(X)[:, 0] for name in ACTIVE_ARMS}
    return pd.DataFrame({arm.name: probability(usual + added.get(arm.name, 0.0)) for arm in ARMS}, index=X.index)


def _gate(X: pd.DataFrame, arm_of_patients: NDArray[np.object_], y: Floats, fold: Ints, config: PathwayConfig) -> Gate:
    """Judge the effects on folds that they were not fitted on; the rivals are fitted on the same rows."""
    predicted, unmodified = (pd.DataFrame(0.0, index=X.index, columns=[arm.name for arm in ARMS]) for _ in range(2))
    constant = pd.DataFrame(0.0, index=X.index, columns=list(ACTIVE_ARMS))
    may, chance = eligibility(X), cross_fitted(X, pd.Series(arm_of_patients), fold, basis(X, _PROPENSITY_KNOTS))
    for held_out_fold in np.unique(fold):
        train, test = fold != held_out_fold, fold == held_out_fold
        layout = Layout.of(X[train], config)
        for part, out in ((layout, predicted), (replace(layout, modified=False), unmodified)):
            mean = part.posterior(X[train], arm_of_patients[train], y[train], (*_QUICK, 0)).mean
            models = part.models(mean[None])
            out.loc[test] = _success(models, X[test])
        seen = _success(models, X[train])
        for name in ACTIVE_ARMS:
            open_to = may[name].to_numpy()[train] if may[name][train].any() else slice(None)
            constant.loc[test, name] = float((seen[name] - seen[REFERENCE_ARM])[open_to].mean())
    return judge(
        Held(y, arm_of_patients, may, chance.clip(lower=config.propensity_floor)), predicted, unmodified, constant
    )


__all__ = ["Layout", "PathwayModel", "Posterior", "Prior", "contrast_of", "sample_posterior"]
