"""How far outcomes of a cohort move a bundle: the posterior of its coefficients, and the choice between updates.

The closed test (`closed_test`) chooses between no change, intercept, slope and groups of terms (Vergouwe and others,
Stat Med 2017;36:4529). The most extensive update that there are events for is compared with no change. Only if it fits
better (likelihood ratio), the simplest update that does not fit worse is chosen. So where nothing is wrong, nothing is
changed in nineteen of twenty cohorts, whatever the number of possible updates. Runners count as independent, so where
clubs differ somewhat, fewer than nineteen of twenty cohorts are left alone.

Events are counted as they were seen and as the bundle expects them. The seen ones alone would let small clubs in by
luck: of 100 runners six cases are expected, and a club that has ten has mostly had a bad year. An update that is made
only after bad years is worse than none on average, however it is shrunk; the expected number is known before any
outcome.

The Gaussian update (`gaussian_update`) has a normal prior around the bundle as it is, with the covariance of its draws
(evidence and sampling), and a wide term for the site on the intercept. The likelihood is that of the cohort's outcomes.
Its maximum under the prior is the new centre, and the curvature there the new covariance (Laplace). Single draws are
never weighted: of 20 draws hardly two would be left at 3,000 runners.

Training that starts at a bundle (`coefficient_posterior`) has two kinds of coefficients:

- global ones (intercepts and scales), whose prior covariance is that of the bundle's draws;
- curve coefficients (how each curve bends), which have a horseshoe prior near zero. A curve stays as the evidence has
  it unless the outcomes say otherwise; how far it may bend is estimated, not set (see `training.pathways`).

An updated model is written as a bundle's parts: tables, Shapley tables and reference agree with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from pfps_ml.core import Floats, Message, RecalibrationConfig, sentence
from pfps_ml.domain import BY_NAME
from pfps_ml.model import AdditiveModel, Explainer, Interval, Predictor, probability
from pfps_ml.training.pathways import Prior, sample_posterior
from pfps_ml.training.update_basis import (
    GROUPS,
    LEVELS,
    OnsetDecomposition,
    basis_of,
    centres,
    coef_offsets_of,
    group_of,
    moved,
)

_SETTLED = 1e-9  # change of a coefficient that is none
_FIXED = 1e-8  # variance of a coefficient on which all draws agree, or that no runner shows: it stays


@dataclass(frozen=True)
class Mode:
    """Where a posterior is highest, its covariance there (Laplace), and its height less the prior's norm."""

    centre: Floats
    covariance: Floats
    height: float


@dataclass(frozen=True)
class Update:
    """An update along one level.

    Attributes
    ----------
    level
        intercept, slope, groups, or curves (of training: groups, and each curve bends).
    centre, before, after
        The coefficients (0 is no change), and their covariance before and after.
    coef_offsets
        What is added to each member: intercept and scales, shape (members, 1 + groups).
    curve_offsets
        What is added to each member's curves (see `shapes`), shape (members, ramps); None if no curve bends.
    """

    level: str
    centre: Floats
    before: Floats
    after: Floats
    coef_offsets: Floats
    curve_offsets: Floats | None = None


def gaussian_update(
    decomposition: OnsetDecomposition, y: Floats, interval: Interval, level: str, site_sd: float, clubs: float = 0.0
) -> Update:
    """Return how the cohort moves a bundle's coefficients along one level, and their covariance afterwards.

    Parameters
    ----------
    decomposition
        The runners whose outcomes are known.
    y
        Outcomes, 0 or 1, shape (rows,).
    interval
        Which members are draws of the evidence, which are resamples.
    level
        Along which coefficients.
    site_sd
        Standard deviation of the log-odds between sites.
    clubs
        Variance of the cohort's mean log-odds that its few clubs leave open for others; see `clubs_leave_open`.
    """
    along = decomposition.along(level)
    coef_offsets = coef_offsets_of(decomposition.members, along)
    before = covariance_of(coef_offsets, interval)
    before[0, 0] += site_sd**2
    mode = laplace(along, y, decomposition.margin, np.asarray(np.linalg.pinv(before, hermitian=True), dtype=float))
    centre, after = mode.centre, mode.covariance.copy()
    after[0, 0] += clubs
    updated = updated_members(coef_offsets, interval, centre, after)
    return Update(level, centre, before, after, (updated - coef_offsets) @ basis_of(level).T)


def updated_members(coef_offsets: Floats, interval: Interval, centre: Floats, after: Floats) -> Floats:
    """Return each member's coefficients once the posterior is known: around its centre, with its covariance.

    Parameters
    ----------
    coef_offsets
        Each member's coefficients before, as differences from the main model's, shape (members, coefficients).
    interval
        Which members are draws of the evidence, which are resamples: each part keeps its share of the variance.
    centre, after
        Mean and covariance of the posterior.
    """
    spread = root_of(after) @ root_of(covariance_of(coef_offsets, interval), inverse=True)
    deviations = np.zeros_like(coef_offsets)
    for part in _parts(interval):
        if part.stop > part.start:  # a bundle of a real cohort has no draws of the evidence
            deviations[part] = coef_offsets[part] - coef_offsets[part].mean(axis=0)
    updated = centre + deviations @ spread.T
    updated[0] = centre
    return np.asarray(updated)


def maximum_likelihood(along: Floats, y: Floats, offset: Floats) -> Floats:
    """Return where the log likelihood is highest, all but unpenalised (a standard deviation of 30 each)."""
    return laplace(along, y, offset, np.eye(along.shape[1]) / 900).centre


def log_likelihood(y: Floats, margin: Floats) -> float:
    """Return the log likelihood of outcomes at log-odds."""
    return float((y * margin - np.logaddexp(0, margin)).sum())


def laplace(along: Floats, y: Floats, offset: Floats, precision: Floats) -> Mode:
    """Return where the posterior is highest, and its curvature there (damped Newton: every step raises it).

    Parameters
    ----------
    along
        How the log-odds move with each coefficient, shape (rows, coefficients).
    y, offset
        Outcomes, 0 or 1, and log-odds before, shape (rows,).
    precision
        One over the covariance beforehand, shape (coefficients, coefficients).
    """
    beta = np.zeros(along.shape[1])

    def height(at: Floats) -> float:
        return log_likelihood(y, offset + along @ at) - float(at @ precision @ at) / 2

    def bend(at: Floats) -> tuple[Floats, Floats]:
        p = probability(offset + along @ at)
        return p, (along * (p * (1 - p))[:, None]).T @ along + precision

    step = np.full(len(beta), np.inf)
    while np.abs(step).max() >= _SETTLED:
        p, curvature = bend(beta)
        step = np.linalg.pinv(curvature, hermitian=True) @ (along.T @ (y - p) - precision @ beta)
        while height(beta + step) < height(beta) and np.abs(step).max() >= _SETTLED:
            step = step / 2  # a full step can overshoot where the start is far off
        beta = beta + step
    return Mode(beta, np.asarray(np.linalg.pinv(bend(beta)[1], hermitian=True)), height(beta))


def _parts(interval: Interval) -> tuple[slice, slice]:
    first = 1 + interval.evidence
    return slice(1, first), slice(first, first + interval.sampling)


def covariance_of(coef_offsets: Floats, interval: Interval) -> Floats:
    """Return the prior covariance of these coefficients: that of the members that the interval is made of.

    With few draws it is drawn to its diagonal: so many coefficients of so few draws would look certain of their sums.
    """
    evidence, sampling = (coef_offsets[part] for part in _parts(interval))
    covariance = np.atleast_2d(np.cov(sampling, rowvar=False))
    if interval.evidence > 1:
        covariance = covariance + interval.of_draws * np.atleast_2d(np.cov(evidence, rowvar=False))
    diagonal = np.diag(np.diag(covariance))
    share = (len(covariance) - 1) / (len(covariance) - 1 + len(coef_offsets) - 1)
    return np.asarray((1 - share) * covariance + share * diagonal + _FIXED * np.eye(len(covariance)))


def root_of(matrix: Floats, inverse: bool = False) -> Floats:
    """Return the symmetric root of a covariance, or of its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(values.clip(_FIXED / 10))
    return np.asarray((vectors * (1 / root if inverse else root)) @ vectors.T)


_SETTLE, _AVERAGED = 100, 400  # sweeps of the posterior
_NEAR = 0.02  # log-odds per standard deviation: half of the time, beforehand, curves bend by less; an assumption
_SEED = 20266


@dataclass(frozen=True)
class CoefficientColumns:
    """The design matrices of the coefficients that an update estimates, and the prior of the global ones.

    Attributes
    ----------
    global_coefs
        Columns of the global coefficients, shape (rows, globals).
    covariance
        Prior covariance of the global coefficients, shape (globals, globals).
    club_effects
        Columns of the clubs' effects, per standard deviation, shape (rows, clubs). They are estimated so that a club's
        habits do not pass for an effect of a field; the updated model does not have them.
    curve_coefs
        Columns of the curve coefficients, in groups that share a scale, shape (rows, curves of the group) each.
    """

    global_coefs: Floats
    covariance: Floats
    club_effects: Floats
    curve_coefs: tuple[Floats, ...]


@dataclass(frozen=True)
class CoefficientPosterior:
    """Posterior draws of the coefficients, shapes (draws, globals) and (draws, curves)."""

    global_coefs: Floats
    curve_coefs: Floats

    @property
    def centre(self) -> Floats:
        """Posterior mean of the global coefficients, shape (globals,)."""
        return np.asarray(self.global_coefs.mean(axis=0))

    @property
    def covariance(self) -> Floats:
        """Posterior covariance of the global coefficients, shape (globals, globals)."""
        return np.atleast_2d(np.cov(self.global_coefs, rowvar=False))


def coefficient_posterior(along: CoefficientColumns, y: Floats, offset: Floats) -> CoefficientPosterior:
    """Sample the posterior of the coefficients given the outcomes.

    Parameters
    ----------
    along
        The design matrices, and the prior of the global coefficients.
    y, offset
        Outcomes, 0 or 1, and the bundle's log-odds, shape (rows,).
    """
    root, global_count, club_count = root_of(along.covariance), along.global_coefs.shape[1], along.club_effects.shape[1]
    group = np.repeat(np.arange(len(along.curve_coefs)), [part.shape[1] for part in along.curve_coefs])
    design = np.hstack([along.global_coefs @ root, along.club_effects, *along.curve_coefs])
    prior = Prior(np.concatenate([np.full(global_count + club_count, -1), group]), np.ones(design.shape[1]), _NEAR)
    drawn = sample_posterior(design, y, prior, (_SETTLE, _AVERAGED, _AVERAGED), _SEED, offset).draws
    return CoefficientPosterior(drawn[:, :global_count] @ root.T, drawn[:, global_count + club_count :])


def members_of(
    posterior: CoefficientPosterior, coef_offsets: Floats, interval: Interval, centre: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the updated global and curve coefficients of each member; the first member has the posterior mean.

    Parameters
    ----------
    posterior
        Draws of the posterior.
    coef_offsets
        Each member's global coefficients before, as differences from the main model's, shape (members, globals).
    interval
        Which members are draws of the evidence, which are resamples.
    centre
        The global coefficients of the first member, if not their posterior mean, shape (globals,).
    """
    middle = posterior.centre
    updated = updated_members(coef_offsets, interval, middle, posterior.covariance)
    # global and curve coefficients are correlated: a higher scale and a steeper curve explain the same risk
    global_deviations = posterior.global_coefs - middle
    curve_deviations = posterior.curve_coefs - posterior.curve_coefs.mean(axis=0)
    slope = np.linalg.lstsq(global_deviations, curve_deviations, rcond=None)[0]
    curve_offsets = posterior.curve_coefs.mean(axis=0) + (updated - middle) @ slope
    draw_places = np.linspace(0, len(global_deviations) - 1, interval.sampling).astype(int)
    curve_offsets[len(curve_offsets) - interval.sampling :] += (curve_deviations - global_deviations @ slope)[
        draw_places
    ]
    return updated + (0 if centre is None else centre - middle), curve_offsets


_DECIMALS = 8


def updated_predictor(predictor: Predictor, coef_offsets: Floats) -> Predictor:
    """Return the predictor whose onset model, and reasons, have moved; pathways stay.

    Parameters
    ----------
    predictor
        The models before.
    coef_offsets
        What is added to each member: intercept and scales, shape (members, 1 + groups).
    """
    onset = moved(predictor.onset, centres(predictor), coef_offsets)
    return replace(predictor, onset=onset, explainer=_explainer(predictor.explainer, onset, coef_offsets[0, 1:]))


def updated_reference(reference: Mapping[str, Any], before: Floats, after: Floats) -> dict[str, Any]:
    """Return the reference with rates, bands and averages moved as the mean risk of the cohort has moved.

    Parameters
    ----------
    reference
        The reference before; what it says of the fields, and how runners chose, stays.
    before, after
        Risk of the cohort's runners before and after the update, shape (rows,).
    """
    shift = float(_log_odds(after.mean()) - _log_odds(before.mean()))

    def shifted(risk: float) -> float:
        return round(float(probability(np.array(_log_odds(risk) + shift))), _DECIMALS)

    rate = shifted(reference["base_rate"])
    bands = {key: value if isinstance(value, str) else round(value * rate / reference["base_rate"], _DECIMALS)
             for key, value in reference["bands"].items()}  # fmt: skip
    averages = [{**cell, "risk": shifted(cell["risk"])} for cell in reference["averages"]]
    return {**reference, "base_rate": rate, "bands": bands, "averages": averages}


def _explainer(explainer: Explainer, onset: AdditiveModel, scales: Floats) -> Explainer:
    """Return Shapley tables that sum to the moved margin: each is linear in its terms, so it scales with them."""
    shares = {name: _share(name, share, 1 + scales) for name, share in explainer.shares.items()}
    known = {name: np.zeros(1) for name in onset.fields}  # one runner of whom every field is known
    parts = sum(float(share.margin(known)[0, 0]) for share in shares.values())
    return Explainer(float(onset.member(0).margin(known)[0, 0]) - parts, shares)


def _share(name: str, share: AdditiveModel, scales: Floats) -> AdditiveModel:
    field_scale = scales[GROUPS.index(str(BY_NAME[name].driver))]
    terms = tuple(replace(term, values=term.values * scales[group_of(term)]) for term in share.terms)
    return replace(share, intercept=share.intercept * field_scale, terms=terms)


def _log_odds(risk: float) -> float:
    return float(np.log(risk) - np.log1p(-risk))


_SMALL = 0.001


@dataclass(frozen=True, eq=False)
class Choice:
    """Which update was chosen (None: none), why, and each comparison: update, against, statistic, freedom, p."""

    level: str | None
    reason: Message
    table: pd.DataFrame

    @property
    def why(self) -> str:
        """The sentence of the reason."""
        return self.reason.text

    def comparisons(self) -> list[tuple[str, str, str]]:
        """Return each comparison in words: update, against, and its p value, to three decimals or smaller."""
        return [(sentence(f"update.{row['update']}"), sentence(f"update.{row['against']}"),
                 f"p < {_SMALL}" if row["p"] < _SMALL else f"p = {row['p']:.3f}")
                for row in self.table.to_dict("records")]  # fmt: skip


def closed_test(decomposition: OnsetDecomposition, y: Floats, settings: RecalibrationConfig) -> Choice:
    """Choose how much of a bundle is updated.

    Parameters
    ----------
    decomposition
        The runners whose outcomes are known.
    y
        Outcomes, 0 or 1, shape (rows,).
    settings
        The fewest events, and the level of the tests.
    """
    rarer, free = fewest(decomposition, y), _freedom(decomposition)
    allowed = [level for level in LEVELS
               if rarer >= max(settings.fewest_events, settings.events_per_coefficient * free[level])]  # fmt: skip
    if not allowed:
        return Choice(None, _too_few(y, rarer, settings.fewest_events), _table([]))
    heights = {level: _height(decomposition, y, level) for level in ("none", *allowed)}
    most, rows = allowed[-1], []
    for level in ("none", *allowed[:-1]):
        twice = max(2 * (heights[most] - heights[level]), 0.0)
        rows.append((most, level, twice, free[most] - free[level], _p(twice, free[most] - free[level])))
        if rows[-1][-1] > settings.alpha:
            return _simplest(level, most, _table(rows))
    return Choice(most, Message("update_fits_best", {"update": most}), _table(rows))


def fewest(decomposition: OnsetDecomposition, y: Floats) -> float:
    """Return how many cases, or others, there are: as seen, or as the bundle expects, whichever are fewest."""
    return min(_rarer(float(y.sum()), len(y)), _rarer(float(probability(decomposition.margin).sum()), len(y)))


def _rarer(cases: float, runners: int) -> float:
    return min(cases, runners - cases)


def _too_few(y: Floats, rarer: float, least: int) -> Message:
    events = int(_rarer(float(y.sum()), len(y)))
    if events < least:
        return Message("update_too_few_events", {"events": events, "least": least})
    return Message("update_too_few_expected", {"events": events, "expected": rarer, "least": least})


def _simplest(level: str, most: str, table: pd.DataFrame) -> Choice:
    """Return the choice of the simplest update that fits no worse than the most extensive one."""
    if level == "none":
        return Choice(None, Message("update_not_needed", {"most": most}), table)
    return Choice(level, Message("update_fits_no_worse", {"update": level, "most": most}), table)


def _freedom(decomposition: OnsetDecomposition) -> dict[str, int]:
    """Return how many coefficients each level can move: a scale of what does not differ moves nothing."""
    return {"none": 0, "intercept": 1, "slope": 1 + min(decomposition.shown, 1), "groups": 1 + decomposition.shown}


def _height(decomposition: OnsetDecomposition, y: Floats, level: str) -> float:
    if level == "none":
        return log_likelihood(y, decomposition.margin)
    along = decomposition.along(level)
    return log_likelihood(y, decomposition.margin + along @ maximum_likelihood(along, y, decomposition.margin))


def _p(twice: float, freedom: int) -> float:
    return float(chdtrc(freedom, twice)) if freedom else 1.0


def _table(rows: list[tuple[str, str, float, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["update", "against", "statistic", "freedom", "p"])


__all__ = [
    "Choice",
    "CoefficientColumns",
    "CoefficientPosterior",
    "Mode",
    "Update",
    "closed_test",
    "coefficient_posterior",
    "covariance_of",
    "fewest",
    "gaussian_update",
    "laplace",
    "log_likelihood",
    "maximum_likelihood",
    "members_of",
    "root_of",
    "updated_members",
    "updated_predictor",
    "updated_reference",
]  # fmt: skip
