"""What outcomes tell of a model that starts at a bundle: a few coefficients that the evidence knows, many small ones.

The few (intercepts and scales) have the covariance that the bundle's draws have beforehand. The many (how curves bend)
have a horseshoe prior that starts near zero: what the outcomes do not ask for stays as the evidence has it, and how
much they may ask for is chosen by nobody (see `learning.posterior`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pfps_ml.learning.posterior import Prior, sample_posterior
from pfps_ml.prediction import Interval
from pfps_ml.recalibration.update import landed_members, root_of

Floats = NDArray[np.float64]
_SETTLE, _AVERAGED = 100, 400  # sweeps of the posterior
_NEAR = 0.02  # log-odds per standard deviation: half of the time, beforehand, curves bend by less; an assumption
_SEED = 20266


@dataclass(frozen=True)
class Columns:
    """Along what the log-odds may move.

    Attributes
    ----------
    few, covariance
        How they move with each of the few coefficients, shape (rows, few); what is known of these beforehand.
    aside
        How they move with what is told from the rest and not kept (clubs), per standard deviation; (rows, aside).
    many
        How they move with each bend, in groups that share a scale, shape (rows, many) each.
    """

    few: Floats
    covariance: Floats
    aside: Floats
    many: tuple[Floats, ...]


@dataclass(frozen=True)
class Learnt:
    """Draws of the coefficients, shapes (draws, few) and (draws, many)."""

    few: Floats
    many: Floats

    @property
    def centre(self) -> Floats:
        """The mean of the few, shape (few,)."""
        return np.asarray(self.few.mean(axis=0))

    @property
    def covariance(self) -> Floats:
        """What is open of the few, shape (few, few)."""
        return np.atleast_2d(np.cov(self.few, rowvar=False))


def learnt(along: Columns, y: Floats, offset: Floats) -> Learnt:
    """Return what outcomes tell of the coefficients.

    Parameters
    ----------
    along
        Along what the log-odds may move.
    y, offset
        Outcomes, 0 or 1, and the bundle's log-odds, shape (rows,).
    """
    root, few, aside = root_of(along.covariance), along.few.shape[1], along.aside.shape[1]
    group = np.repeat(np.arange(len(along.many)), [part.shape[1] for part in along.many])
    design = np.hstack([along.few @ root, along.aside, *along.many])
    prior = Prior(np.concatenate([np.full(few + aside, -1), group]), np.ones(design.shape[1]), _NEAR)
    drawn = sample_posterior(design, y, prior, (_SETTLE, _AVERAGED, _AVERAGED), _SEED, offset).draws
    return Learnt(drawn[:, :few] @ root.T, drawn[:, few + aside :])


def members_of(found: Learnt, moves: Floats, interval: Interval, centre: Floats | None = None) -> tuple[Floats, Floats]:
    """Return where each member of a model lands: the few coefficients, and the many; the first is the mean.

    Parameters
    ----------
    found
        What the outcomes tell.
    moves
        The few coefficients of each member before, as differences from the main model's, shape (members, few).
    interval
        Which members are draws of the evidence, which are resamples.
    centre
        Where the few are put instead of their mean, shape (few,).
    """
    middle = found.centre
    landed = landed_members(moves, interval, middle, found.covariance)
    # few and many are known together better than each alone: a curve can rise by either
    away, many = found.few - middle, found.many - found.many.mean(axis=0)
    slope = np.linalg.lstsq(away, many, rcond=None)[0]
    bends = found.many.mean(axis=0) + (landed - middle) @ slope
    some = np.linspace(0, len(away) - 1, interval.sampling).astype(int)
    bends[len(bends) - interval.sampling :] += (many - away @ slope)[some]
    return landed + (0 if centre is None else centre - middle), bends


__all__ = ["Columns", "Learnt", "learnt", "members_of"]
