"""Where to spend the next hours: which measurements, of whom, would find most cases among those who are seen first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core import Floats
from pfps_ml.squad.forecast import HARDLY
from pfps_ml.squad.measurements import Measurement, Outcomes, Squad, outcomes, worth_by_risk

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
    def _starts(self) -> NDArray[np.int64]:
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


__all__ = ["MeasurementPlan", "plan_measurements"]
