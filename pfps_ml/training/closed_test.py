"""How much of a bundle is updated: a closed test between no change, intercept, slope and groups of terms.

Vergouwe and others (Stat Med 2017;36:4529): the most extensive update that there are events for is held to no change;
only if it fits better (likelihood ratio), the simplest update is kept that does not fit worse than it. So where nothing
is wrong, nothing is changed in nineteen of twenty cohorts, whatever the number of updates that were possible; runners
count as independent, so that of several clubs that differ somewhat fewer are left alone.

Events are counted as they were seen and as the bundle expects them. Those seen alone would let small clubs in by their
luck: of 100 runners six cases are expected, and a club that has ten has mostly had a bad year. An update that is made
only after bad years is worse than none on average, however it is shrunk; what was expected is known before any outcome.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.config import RecalibrationConfig
from pfps_ml.core.messages import Message, sentence
from pfps_ml.model.additive import probability
from pfps_ml.training.posterior_update import log_likelihood, maximum_likelihood
from pfps_ml.training.update_basis import LEVELS, Directions

Floats = NDArray[np.float64]
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

    def told(self) -> list[tuple[str, str, str]]:
        """Return each comparison in words: update, against, and its p value, to three decimals or smaller."""
        return [(sentence(f"update.{row['update']}"), sentence(f"update.{row['against']}"),
                 f"p < {_SMALL}" if row["p"] < _SMALL else f"p = {row['p']:.3f}")
                for row in self.table.to_dict("records")]  # fmt: skip


def closed_test(decomposition: Directions, y: Floats, settings: RecalibrationConfig) -> Choice:
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


def fewest(decomposition: Directions, y: Floats) -> float:
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


def _freedom(decomposition: Directions) -> dict[str, int]:
    """Return how many coefficients each level can move: a scale of what does not differ moves nothing."""
    return {"none": 0, "intercept": 1, "slope": 1 + min(decomposition.shown, 1), "groups": 1 + decomposition.shown}


def _height(decomposition: Directions, y: Floats, level: str) -> float:
    if level == "none":
        return log_likelihood(y, decomposition.margin)
    along = decomposition.along(level)
    return log_likelihood(y, decomposition.margin + along @ maximum_likelihood(along, y, decomposition.margin))


def _p(twice: float, freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(freedom, twice)) if freedom else 1.0


def _table(rows: list[tuple[str, str, float, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["update", "against", "statistic", "freedom", "p"])


__all__ = ["Choice", "closed_test", "fewest"]
