"""A Gaussian update: what the draws say beforehand, moved by a penalised likelihood, with what is left open after it.

The prior is normal, around the bundle as it is, with the covariance of its draws (evidence and sampling), and a wide
term for the site on the intercept. The likelihood is that of the cohort's outcomes; its maximum under the prior is the
new centre, and the curvature there the new covariance (Laplace). Single draws are never weighted: of 20 draws hardly
two would be left at 3,000 runners.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pfps_ml.learning.additive import probability
from pfps_ml.prediction import Interval
from pfps_ml.recalibration.directions import Directions, basis_of, moves_of

Floats = NDArray[np.float64]
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
    moves
        What is added to each member: intercept and scales, shape (members, 1 + groups).
    bends
        What is added to each member's curves (see `shapes`), shape (members, ramps); None if no curve bends.
    """

    level: str
    centre: Floats
    before: Floats
    after: Floats
    moves: Floats
    bends: Floats | None = None


def gaussian_update(
    found: Directions, y: Floats, interval: Interval, level: str, site_sd: float, clubs: float = 0.0
) -> Update:
    """Return where the cohort moves a bundle along one level, and what it leaves open.

    Parameters
    ----------
    found
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
    along = found.along(level)
    moves = moves_of(found.members, along)
    before = covariance_of(moves, interval)
    before[0, 0] += site_sd**2
    mode = laplace(along, y, found.margin, np.asarray(np.linalg.pinv(before, hermitian=True), dtype=float))
    centre, after = mode.centre, mode.covariance.copy()
    after[0, 0] += clubs
    landed = landed_members(moves, interval, centre, after)
    return Update(level, centre, before, after, (landed - moves) @ basis_of(level).T)


def landed_members(moves: Floats, interval: Interval, centre: Floats, after: Floats) -> Floats:
    """Return each member's coefficients once the posterior is known: around its centre, with its covariance.

    Parameters
    ----------
    moves
        Each member's coefficients before, as differences from the main model's, shape (members, coefficients).
    interval
        Which members are draws of the evidence, which are resamples: each part keeps its share of the variance.
    centre, after
        Mean and covariance of the posterior.
    """
    spread = root_of(after) @ root_of(covariance_of(moves, interval), inverse=True)
    own = np.zeros_like(moves)
    for part in _parts(interval):
        if part.stop > part.start:  # a bundle of a real cohort has no draws of the evidence
            own[part] = moves[part] - moves[part].mean(axis=0)
    landed = centre + own @ spread.T
    landed[0] = centre
    return np.asarray(landed)


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


def covariance_of(moves: Floats, interval: Interval) -> Floats:
    """Return the covariance that the interval of these coefficients is made of: what is known of them beforehand.

    With few draws it is drawn to its diagonal: so many coefficients of so few draws would look certain of their sums.
    """
    evidence, sampling = (moves[part] for part in _parts(interval))
    found = np.atleast_2d(np.cov(sampling, rowvar=False))
    if interval.evidence > 1:
        found = found + interval.of_draws * np.atleast_2d(np.cov(evidence, rowvar=False))
    alone = np.diag(np.diag(found))
    share = (len(found) - 1) / (len(found) - 1 + len(moves) - 1)
    return np.asarray((1 - share) * found + share * alone + _FIXED * np.eye(len(found)))


def root_of(matrix: Floats, inverse: bool = False) -> Floats:
    """Return the symmetric root of a covariance, or of its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(values.clip(_FIXED / 10))
    return np.asarray((vectors * (1 / root if inverse else root)) @ vectors.T)


__all__ = [
    "Mode", "Update", "covariance_of", "gaussian_update", "landed_members", "laplace", "log_likelihood",
    "maximum_likelihood", "root_of",
]  # fmt: skip
