"""What may still be measured of a squad, what each measurement may show, and what it would be worth.

The value of a measurement is what it changes: today the runners of highest risk are seen; after it, those whose risk
is highest then. Where nobody would change places, it is worth nothing, however far the risk would move.

How many cases are expected among the N runners of highest risk needs no simulation: the sum of the N largest of some
risks is the integral over t of min(N, how many exceed t), and at every t how many exceed it is a count of independent
chances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pfps_ml.core import Floats
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.domain.measurement_protocols import minutes_of
from pfps_ml.model.additive import probability
from pfps_ml.model.bundle import Bundle

MOST = 48  # outcomes that are told apart of one runner
_ROUNDS = 40


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
    added = counts.copy()
    added[:, :-1] -= step
    added[:, 1:] += step
    return added


@dataclass(frozen=True, eq=False)
class Measurement:
    """A measurement that can be made.

    Attributes
    ----------
    runner, field
        Of whom, a place in the squad, and what.
    minutes
        What it takes.
    moves, shares
        By how much each value would move the log-odds, and how often it is met; shape (values,).
    """

    runner: int
    field: str
    minutes: float
    moves: Floats
    shares: Floats


@dataclass(frozen=True)
class Squad:
    """Who may be measured: today's log-odds, shape (runners,), how many are seen first, and what is missing of whom."""

    log_odds: Floats
    flags: int
    choices: tuple[Measurement, ...]

    def gain(self, chosen: Sequence[Measurement], most: int = MOST) -> float:
        """Return how many more cases are expected among those seen first, if all of this were measured.

        `most` outcomes are told apart of each runner; with at least as many as there are, the figure is exact.
        """
        return self.expected(chosen, most) - float(np.sort(probability(self.log_odds))[-self.flags :].sum())

    def expected(self, chosen: Sequence[Measurement], most: int = MOST) -> float:
        """Return the cases expected among those seen first, if all of this were measured."""
        by_runner = {key: list(group) for key, group in groupby(sorted(chosen, key=_runner), key=_runner)}
        squad = [outcomes(odds, by_runner.get(at, []), most) for at, odds in enumerate(self.log_odds)]
        return expected_top(squad, self.flags)


def missing_measurements(bundle: Bundle, columns: dict[str, Floats]) -> tuple[Measurement, ...]:
    """Return every measurement that is missing of every runner, with what it may show.

    Parameters
    ----------
    bundle
        The released models; a missing value may be any that the training data hold.
    columns
        Coded rows, derived fields included.
    """
    main, described, missing = bundle.predictor.onset.member(0), bundle.reference["fields"], []
    for name in bundle.gain_tables.fields:
        shares = np.array(described[name]["shares"])
        lacking = np.flatnonzero(np.isnan(columns[name]))
        if len(shares) and len(lacking):
            rows = {field: column[lacking] for field, column in columns.items()}
            moves = np.hstack([main.change(rows, name, value) for value in described[name]["values"]])
            minutes = [_minutes_to_obtain(name, columns, int(row)) for row in lacking]
            missing += [Measurement(int(row), name, took, moves[at], shares)
                        for at, (row, took) in enumerate(zip(lacking, minutes, strict=True))]  # fmt: skip
    return tuple(missing)


def _minutes_to_obtain(name: str, columns: dict[str, Floats], row: int) -> float:
    """Return the minutes that a field of one runner takes: of a derived field, its parts that are missing."""
    parts = BY_NAME[name].parts or (name,)
    return sum(minutes_of(part) for part in parts if np.isnan(columns[part][row]))


def outcomes(log_odds: float, chosen: Sequence[Measurement], most: int = MOST) -> Outcomes:
    """Return what one runner's risk may be after some measurements; its mean is today's risk."""
    margin, shares = np.array([log_odds]), np.ones(1)
    for choice in chosen:
        margin, shares = _merged(*_combined(margin, shares, choice), most)
    return Outcomes(_centred(margin, shares, float(probability(np.array(log_odds)))), shares)


def _centred(margin: Floats, shares: Floats, mean: float) -> Floats:
    """Return the risks, moved until their mean is `mean`: in proportion, or where that is too far, as odds."""
    risks = probability(margin)
    moved = risks * (mean / (risks @ shares))
    for _ in range(_ROUNDS if moved.max() > 1 else 0):
        step = (mean - risks @ shares) / ((risks * (1 - risks)) @ shares)
        margin = margin + np.clip(step, -1, 1)  # a longer one may overshoot for ever
        moved = risks = probability(margin)
    return moved


def _combined(margin: Floats, shares: Floats, choice: Measurement) -> tuple[Floats, Floats]:
    return np.add.outer(margin, choice.moves).ravel(), np.multiply.outer(shares, choice.shares).ravel()


def _merged(margin: Floats, shares: Floats, most: int) -> tuple[Floats, Floats]:
    """Return at most so many outcomes: neighbours become their mean, which says a little less, never more."""
    if len(margin) <= most:
        return margin, shares
    order = np.argsort(margin, kind="stable")
    margin, shares = margin[order], shares[order]
    groups = np.minimum((np.cumsum(shares) - shares / 2) / shares.sum() * most, most - 1).astype(np.int64)
    weight: Floats = np.bincount(groups, shares, most).astype(np.float64)
    filled = weight > 0
    return np.bincount(groups, shares * margin, most)[filled] / weight[filled], weight[filled]


def _runner(choice: Measurement) -> int:
    return choice.runner


__all__ = [
    "MOST",
    "Measurement",
    "Outcomes",
    "Squad",
    "expected_top",
    "missing_measurements",
    "outcomes",
    "worth_by_risk",
]
