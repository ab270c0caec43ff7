"""How much of a bundle is updated: a closed test between no change, intercept, slope and groups of terms.

Vergouwe and others (Stat Med 2017;36:4529): the most extensive update that there are events for is held to no change;
only if it fits better (likelihood ratio), the simplest update is kept that does not fit worse than it. So where nothing
is wrong, nothing is changed in nineteen of twenty cohorts, whatever the number of updates that were possible.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.config import RecalibrationConfig
from pfps_ml.recalibration.directions import LEVELS, Directions
from pfps_ml.recalibration.update import log_likelihood, maximum_likelihood

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Choice:
    """Which update was chosen (None: none), why, and each comparison: update, against, statistic, freedom, p."""

    level: str | None
    why: str
    table: pd.DataFrame


def closed_test(found: Directions, y: Floats, settings: RecalibrationConfig) -> Choice:
    """Choose how much of a bundle is updated.

    Parameters
    ----------
    found
        The runners whose outcomes are known.
    y
        Outcomes, 0 or 1, shape (rows,).
    settings
        The fewest events, and the level of the tests.
    """
    few = int(min(y.sum(), len(y) - y.sum()))
    free = _freedom(found)
    allowed = [level for level in LEVELS
               if few >= max(settings.fewest_events, settings.events_per_coefficient * free[level])]  # fmt: skip
    if not allowed:
        why = f"{few:,} events are too few: an update asks for {settings.fewest_events}"
        return Choice(None, why, _table([]))
    heights = {level: _height(found, y, level) for level in ("none", *allowed)}
    most, rows = allowed[-1], []
    for level in ("none", *allowed[:-1]):
        twice = max(2 * (heights[most] - heights[level]), 0.0)
        rows.append((most, level, twice, free[most] - free[level], _p(twice, free[most] - free[level])))
        if rows[-1][-1] > settings.alpha:
            return Choice(*_kept(level, most), _table(rows))
    return Choice(most, f"{most}: fits better than every simpler update", _table(rows))


def _kept(level: str, most: str) -> tuple[str | None, str]:
    if level == "none":
        return None, f"the bundle fits: an update of {most} fits no better than chance would"
    return level, f"{level}: an update of {most} fits no better"


def _freedom(found: Directions) -> dict[str, int]:
    """Return how many coefficients each level can move: a scale of what does not differ moves nothing."""
    return {"none": 0, "intercept": 1, "slope": 1 + min(found.shown, 1), "groups": 1 + found.shown}


def _height(found: Directions, y: Floats, level: str) -> float:
    if level == "none":
        return log_likelihood(y, found.margin)
    along = found.along(level)
    return log_likelihood(y, found.margin + along @ maximum_likelihood(along, y, found.margin))


def _p(twice: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, twice)) if freedom else 1.0


def _table(rows: list[tuple[str, str, float, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["update", "against", "statistic", "freedom", "p"])


__all__ = ["Choice", "closed_test"]
