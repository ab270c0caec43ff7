"""What a sample tells of many coefficients, most of them small: draws of their posterior.

The log-likelihood is written as a quadratic around its penalised maximum (Laplace), so that what follows does not
depend on the number of rows. Each coefficient has a horseshoe prior (Carvalho, Polson and Scott 2010): a scale of its
own times one shared by its group, both half-Cauchy, and a slab that keeps it sensible (Piironen and Vehtari 2017). So
the few that matter are left nearly as they are, the others are drawn to zero, and how far is not chosen by anybody:
the scales are drawn with the coefficients (Gibbs steps of Makalic and Schmidt 2016).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from pfps_ml.core.randomness import generator
from pfps_ml.model.additive import probability
from pfps_ml.model.spline_basis import fit_logistic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
        How many are run to settle, how many are then averaged, and how many of those are kept as draws.
    seed
        The same seed gives the same draws.
    offset
        Log-odds that are given beside what the coefficients add, shape (rows,).
    """
    (settle, averaged, kept), random = sweeps, generator(seed, "posterior")
    free = np.full(len(prior.group), np.inf)
    start = np.diag(np.where(prior.group < 0, prior.precision, _START))
    near = fit_logistic(design, y, np.ones(len(y)), start, (-free, free), offset)
    near = _sweep(_quadratic(design, y, near, offset), prior, (settle, settle), random).mean(axis=0)
    found = _sweep(_quadratic(design, y, near, offset), prior, (settle, averaged), random)
    every = np.linspace(0, averaged - 1, kept).astype(int)
    return Posterior(found.mean(axis=0), found[every])


def _quadratic(design: Floats, y: Floats, at: Floats, offset: Floats | float) -> tuple[Floats, Floats]:
    """Return the curvature of the log-likelihood at a point, and its slope at zero as the quadratic has it."""
    p = probability(offset + design @ at)
    curvature = (design * (p * (1 - p))[:, None]).T @ design
    return curvature, curvature @ at + design.T @ (y - p)


def _sweep(quadratic: tuple[Floats, Floats], prior: Prior, sweeps: tuple[int, int], random: Any) -> Floats:
    curvature, slope = quadratic
    shared = prior.group >= 0
    group, count = prior.group[shared], np.bincount(prior.group[shared])
    own, own_aid = np.ones(len(group)), np.ones(len(group))
    narrow = 1 / prior.shared**2
    whole, whole_aid = np.full(len(count), 1 / _START), np.full(len(count), narrow)
    found = np.zeros((sweeps[1], len(slope)))
    for at in range(sum(sweeps)):
        precision = prior.precision.copy()
        precision[shared] += 1 / (whole[group] * own)
        lower = np.linalg.cholesky(curvature + np.diag(precision))
        noise = solve_triangular(lower, random.standard_normal(len(slope)), lower=True, trans="T", check_finite=False)
        beta = cho_solve((lower, True), slope, check_finite=False) + noise
        square = beta[shared] ** 2
        own = _inverse_gamma(1.0, 1 / own_aid + square / (2 * whole[group]), random)
        own_aid = _inverse_gamma(1.0, 1 + 1 / own, random)
        spread = np.bincount(group, square / own)
        whole = _inverse_gamma((count + 1) / 2, 1 / whole_aid + spread / 2, random).clip(_NARROWEST)
        whole_aid = _inverse_gamma(1.0, narrow + 1 / whole, random)
        if at >= sweeps[0]:
            found[at - sweeps[0]] = beta
    return found


def _inverse_gamma(shape: Floats | float, rate: Floats, random: Any) -> Floats:
    return np.asarray(rate / random.gamma(shape, size=rate.shape))


__all__ = ["Posterior", "Prior", "sample_posterior"]
