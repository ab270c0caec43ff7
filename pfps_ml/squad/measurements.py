"""Which further measurements are worth their time: what may be measured, what each may show, and where to spend hours.

The value of a measurement is what it changes: today the runners of highest risk are seen; after it, those whose risk
is highest then. Where nobody would change places, it is worth nothing, however far the risk would move.

How many cases are expected among the N runners of highest risk needs no simulation: the sum of the N largest of some
risks is the integral over t of min(N, how many exceed t), and at every t how many exceed it is a count of independent
chances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from pfps_ml.core import Floats, Ints
from pfps_ml.domain import BY_NAME
from pfps_ml.domain.measurement_protocols import minutes_of
from pfps_ml.model import Bundle, probability
from pfps_ml.squad.forecast import HARDLY

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


_EXCHANGED = 40  # measurements that may be made
_STEPS = 12  # of what is left, as many parts as one is given up of at a time
_NOTHING = 1e-6  # cases: below it a measurement does nothing
_ENOUGH = 0.975  # of the gain: what would add the rest is not asked for


@dataclass(frozen=True)
class MeasurementPlan:
    """Some measurements, in the order in which they are worth most.

    `gain` is how many more cases are expected among those seen first.
    """

    chosen: tuple[Measurement, ...]
    gain: float

    @property
    def is_worth_it(self) -> bool:
        """Whether enough more cases are expected to be worth the hours."""
        return self.gain >= HARDLY

    @property
    def minutes(self) -> float:
        """What they take together."""
        return sum(choice.minutes for choice in self.chosen)


@dataclass(frozen=True)
class _Options:
    """What may be measured next of one runner: some ways, and side by side what the risk may be after each."""

    steps: tuple[tuple[Measurement, ...], ...]
    after: tuple[Outcomes, ...]

    @cached_property
    def minutes(self) -> Floats:
        """What each way takes, shape (ways,)."""
        return np.array([sum(choice.minutes for choice in steps) for steps in self.steps])

    def worth(self, bends: Floats, worth: Floats) -> Floats:
        """Return what each way is worth, shape (ways,)."""
        values = np.interp(self._risks, bends, worth) * self._shares
        return np.add.reduceat(values, self._starts) if self.steps else values

    @cached_property
    def _risks(self) -> Floats:
        return np.concatenate([np.empty(0), *(outcomes.risks for outcomes in self.after)])

    @cached_property
    def _shares(self) -> Floats:
        return np.concatenate([np.empty(0), *(outcomes.shares for outcomes in self.after)])

    @cached_property
    def _starts(self) -> Ints:
        return np.cumsum([0, *(len(outcomes.risks) for outcomes in self.after[:-1])])


def plan_measurements(squad: Squad, minutes: float) -> MeasurementPlan:
    """Return the measurements that find most cases for the time.

    The search begins with nothing and adds the measurement that is best for its minutes. Where that leaves much of what
    could be learnt, two other searches are made: one adds by the gain alone, the other begins with all measurements and
    takes the worst away. A single measurement may change nobody's place, so the first search alone may stop too early.
    """
    chosen = _filled(squad, (), minutes, True)
    if squad.gain(chosen) < _ENOUGH * squad.gain(squad.choices):
        others = (
            _filled(squad, (), minutes, False),
            _filled(squad, _thinned(squad, squad.choices, minutes), minutes, True),
        )
        chosen = _exchanged(squad, max((chosen, *others), key=squad.gain), minutes)
    return _without_tail(squad, chosen)


def _exchanged(squad: Squad, chosen: list[Measurement], minutes: float) -> list[Measurement]:
    """Return the measurements after every exchange that brings more: one given up, or one taken in, for others.

    Where there are many, each is a small part of the time, and nothing is lost by not trying.
    """
    if len(squad.choices) > _EXCHANGED:
        return chosen
    for choice in squad.choices:
        if choice in chosen:
            others = replace(squad, choices=tuple(other for other in squad.choices if other is not choice))
            start = [other for other in chosen if other is not choice]
        else:
            others, start = squad, _thinned(squad, [*chosen, choice], minutes, choice)
        better = max((_filled(others, start, minutes, per_minute) for per_minute in (True, False)), key=squad.gain)
        if squad.gain(better) > squad.gain(chosen) + _NOTHING:
            return _exchanged(squad, better, minutes)
    return chosen


def _without_tail(squad: Squad, whole: Sequence[Measurement]) -> MeasurementPlan:
    """Return the beginning of some measurements that has nearly all of their gain."""
    low, high, gain = 0, len(whole), squad.gain(whole)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if squad.gain(whole[:middle]) >= _ENOUGH * gain else (middle + 1, high)
    return MeasurementPlan(tuple(whole[:low]), squad.gain(whole[:low]))


def _filled(squad: Squad, start: Sequence[Measurement], minutes: float, per_minute: bool) -> list[Measurement]:
    """Return some measurements and what is best beside them, as long as any fits and brings anything."""
    chosen, left = list(start), minutes - sum(choice.minutes for choice in start)
    runners = range(len(squad.log_odds))
    options = [_options(squad, at, chosen) for at in runners]
    now = [outcomes(squad.log_odds[at], [choice for choice in chosen if choice.runner == at]) for at in runners]
    while True:
        bends, worth = worth_by_risk(now, squad.flags)
        best, best_rate = None, 0.0
        for at in runners:
            gain = options[at].worth(bends, worth[at]) - _worth(now[at], bends, worth[at])
            usable = (gain > _NOTHING) & (options[at].minutes <= left + _NOTHING)
            rate = np.where(usable, gain / (options[at].minutes if per_minute else 1.0), 0.0)
            if len(rate) and rate.max() > best_rate:
                best, best_rate = (at, int(rate.argmax())), float(rate.max())
        if best is None:
            return chosen
        at, way = best
        chosen += options[at].steps[way]
        left, now[at] = left - float(options[at].minutes[way]), options[at].after[way]
        options[at] = _options(squad, at, chosen)


def _thinned(
    squad: Squad, start: Sequence[Measurement], minutes: float, keep: Measurement | None = None
) -> list[Measurement]:
    """Return some measurements without those that bring least for their minutes, until the rest fits."""
    rest = list(start)
    while sum(choice.minutes for choice in rest) > minutes + _NOTHING:
        of = [[choice for choice in rest if choice.runner == at] for at in range(len(squad.log_odds))]
        now = [outcomes(odds, made) for odds, made in zip(squad.log_odds, of, strict=True)]
        bends, worth = worth_by_risk(now, squad.flags)
        losses = []
        for choice in rest:
            at = choice.runner
            without = outcomes(squad.log_odds[at], [other for other in of[at] if other is not choice])
            loss = _worth(now[at], bends, worth[at]) - _worth(without, bends, worth[at])
            losses.append(np.inf if choice is keep else loss / choice.minutes)
        order = np.argsort(losses, kind="stable")[max(1, len(rest) // _STEPS) :]
        rest = [rest[at] for at in order]
    return rest


def _options(squad: Squad, runner: int, chosen: Sequence[Measurement]) -> _Options:
    """Return what may be measured next of one runner: each field alone, and the most telling ones together."""
    planned = [choice for choice in chosen if choice.runner == runner]
    left = [choice for choice in squad.choices if choice.runner == runner and choice not in planned]
    by_spread = sorted(left, key=lambda choice: -_spread(choice) / choice.minutes)
    steps = [(choice,) for choice in left] + [tuple(by_spread[:size]) for size in range(2, len(by_spread) + 1)]
    after = [outcomes(squad.log_odds[runner], [*planned, *step]) for step in steps]
    return _Options(tuple(steps), tuple(after))


def _worth(after: Outcomes, bends: Floats, worth: Floats) -> float:
    return float(np.interp(after.risks, bends, worth) @ after.shares)


def _spread(choice: Measurement) -> float:
    mean = choice.moves @ choice.shares
    return float((choice.moves - mean) ** 2 @ choice.shares)


__all__ = [
    "MOST",
    "Measurement",
    "MeasurementPlan",
    "Outcomes",
    "Squad",
    "expected_top",
    "missing_measurements",
    "outcomes",
    "plan_measurements",
    "worth_by_risk",
]
