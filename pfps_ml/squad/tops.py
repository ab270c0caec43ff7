"""How many cases are expected among the runners of highest risk, when the risks themselves are still to be learnt.

The sum of the N largest of some risks is the integral over t of min(N, how many exceed t). So its expectation needs
no simulation: at every t, how many exceed it is a count of independent chances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """What a runner's risk may turn out to be, and how probable each is; both of shape (outcomes,)."""

    risks: Floats
    shares: Floats

    def above(self, grid: Floats) -> Floats:
        """Return the probability that the risk is above each number."""
        order = np.argsort(self.risks)
        tail = np.append(np.cumsum(self.shares[order][::-1])[::-1], 0.0)
        return np.asarray(tail[np.searchsorted(self.risks[order], grid, side="right")])


def expected_top(squad: Sequence[Outcomes], most: int) -> float:
    """Return the cases expected among the `most` runners of highest risk, once all risks are known."""
    grid, widths = _grid(squad)
    counts = _none(len(grid), most)
    for runner in squad:
        counts = _added(counts, runner.above(grid))
    return float(widths @ (counts @ np.arange(most + 1)))


def worth_by_risk(squad: Sequence[Outcomes], most: int) -> tuple[Floats, Floats]:
    """Return what a runner adds to `expected_top`, by the risk that is learnt of that runner.

    Returns
    -------
    risks, worth
        Where the worth bends, shape (bends,), and the worth there for each runner, (runners, bends); straight between
        the bends. It is convex: learning never costs anything.
    """
    grid, widths = _grid(squad)
    above = [runner.above(grid) for runner in squad]
    before, after = [_none(len(grid), most)], [_none(len(grid), most)]
    for chance in above[:-1]:
        before.append(_added(before[-1], chance))
    for chance in above[:0:-1]:
        after.append(_added(after[-1], chance))
    up_to = [np.cumsum(counts[:, :most], axis=1)[:, ::-1] for counts in reversed(after)]
    place = [(head[:, :most] * tail).sum(axis=1) for head, tail in zip(before, up_to, strict=True)]
    return np.append(grid, grid[-1] + widths[-1]), np.pad(np.cumsum(widths * np.array(place), axis=1), ((0, 0), (1, 0)))


def _grid(squad: Sequence[Outcomes]) -> tuple[Floats, Floats]:
    """Return the lower ends of the stretches within which no risk lies, from 0 to 1, and their widths."""
    ends = np.unique(np.concatenate([[0.0, 1.0], *(runner.risks for runner in squad)]))
    return ends[:-1], np.diff(ends)


def _none(stretches: int, most: int) -> Floats:
    counts = np.zeros((stretches, most + 1))
    counts[:, 0] = 1.0
    return counts


def _added(counts: Floats, chance: Floats) -> Floats:
    """Return the counts with one runner more; what is beyond the last count stays in it."""
    step = counts[:, :-1] * chance[:, None]
    found = counts.copy()
    found[:, :-1] -= step
    found[:, 1:] += step
    return found


__all__ = ["Outcomes", "expected_top", "worth_by_risk"]
