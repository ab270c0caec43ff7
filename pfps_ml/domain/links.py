"""Links: how a margin, on which an additive model adds up, becomes a probability."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LARGEST = 700.0  # exp of more is no number


@dataclass(frozen=True)
class Link:
    """A link function of a generalised linear model.

    Attributes
    ----------
    inverse
        The probability of a margin.
    slope
        The derivative of `inverse`: how much a small change of the margin changes the probability.
    of_odds
        The probability of exp(-margin): for the logit the odds against, for the complementary log-log one over the
        cumulative hazard. A term multiplies it, whatever the margin is.
    """

    inverse: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    of_odds: Callable[[Floats], Floats]


def inverse_logit(margin: Floats) -> Floats:
    """Return the probability of log-odds, without overflow."""
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1 / (1 + small), small / (1 + small))


def inverse_cloglog(margin: Floats) -> Floats:
    """Return the probability of a log cumulative hazard: one minus the chance to stay free."""
    return -np.expm1(-_exp(margin))


def _logit_slope(margin: Floats) -> Floats:
    p = inverse_logit(margin)
    return np.asarray(p * (1 - p))


def _cloglog_slope(margin: Floats) -> Floats:
    hazard = _exp(margin)
    return np.asarray(hazard * np.exp(-hazard))


def _exp(margin: Floats) -> Floats:
    return np.asarray(np.exp(np.minimum(margin, _LARGEST)))


LINKS = {
    "logit": Link(inverse_logit, _logit_slope, lambda odds: 1 / (1 + odds)),
    "cloglog": Link(inverse_cloglog, _cloglog_slope, lambda odds: -np.expm1(-1 / odds)),
}

__all__ = ["LINKS", "Link", "inverse_cloglog", "inverse_logit"]
