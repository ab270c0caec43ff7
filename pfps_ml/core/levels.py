"""Levels of intervals: how they are written, and the quantiles that belong to them."""

from statistics import NormalDist

LEVEL = 0.9  # of the intervals of a bundle that is trained now; a bundle says its own


def percent(level: float) -> str:
    """Return a level as a person reads it: `90 %`."""
    return f"{100 * level:.4g} %"


def normal_quantile(level: float) -> float:
    """Return how many standard errors to either side hold a normal estimate at that level."""
    return NormalDist().inv_cdf((1 + level) / 2)


def student_quantile(level: float, freedom: float) -> float:
    """Return the same where the standard error is estimated, with so many degrees of freedom."""
    from scipy.special import stdtrit  # training and judging only

    return float(stdtrit(freedom, (1 + level) / 2))


__all__ = ["LEVEL", "normal_quantile", "percent", "student_quantile"]
