"""The load of one runner on a day, from the entries of a log: the figures of the dictionary, or why there is none.

An entry says what all sources of logs agree on: a day, units, and whether it is a run.

Days without an entry are not days without running. A log is known from its first entry to the day that is asked for,
but for silences of more than SILENCE days: the watch may have been lost as well as the wish to run. A figure whose days
are not all known, or hold a run of unknown length, is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise, takewhile
from statistics import median

from pfps_ml.core import Fault, Message
from pfps_ml.domain import BY_NAME

KM = {"km": 1.0, "mi": 1.609344, "m": 0.001}
PACES = (150.0, 720.0)  # seconds a kilometre: nobody's usual run is faster or slower
YEARS = (1980, 2100)  # of runs: no watch is older, and a date far from them is a slip of a finger


@dataclass(frozen=True)
class Activity:
    """One entry of a log; what the source did not say is None.

    Attributes
    ----------
    start
        When it began, by the runner's clock; midnight if only the day is known (`timed` is false).
    run
        Whether it was a run; any other entry only shows that the log was kept on that day.
    km, seconds
        How far and how long.
    spm
        Steps a minute, both feet.
    rpe
        How hard the session was, 0 to 10 (session RPE).
    days
        How many days the entry sums up: 7 for the total of a week, of which no single run is known.
    """

    start: datetime
    timed: bool
    run: bool
    km: float | None = None
    seconds: float | None = None
    spm: float | None = None
    rpe: float | None = None
    days: int = 1

    @property
    def day(self) -> date:
        """The day on which it began."""
        return self.start.date()

    @property
    def last(self) -> date:
        """The last day that it is about."""
        return self.day + timedelta(days=self.days - 1)


def is_likely(day: date) -> bool:
    """Return whether somebody may have run on a day, and kept a log of it."""
    return YEARS[0] <= day.year <= YEARS[1]


def local(moment: datetime) -> datetime:
    """Return a moment by the clock of this computer (`TZ` says another), which is taken to be the runner's."""
    return moment.astimezone().replace(tzinfo=None)


def paces(activities: list[Activity]) -> list[float]:
    """Return the seconds a kilometre of the runs that have both."""
    return [a.seconds / a.km for a in activities if a.run and a.km and a.seconds]


def pace_fault(activities: list[Activity]) -> Fault | None:
    """Return what is wrong if the runs of a file cannot be runs in the units that they were read in."""
    seconds = paces([one for one in activities if one.days == 1])
    if not seconds or PACES[0] <= median(seconds) <= PACES[1]:
        return None
    named = {"fastest": clock(PACES[0]), "slowest": clock(PACES[1]), "median": clock(median(seconds))}
    return Fault(None, (), "paces_unlikely", named)


def clock(seconds: float) -> str:
    """Return a pace as runners write it: 5:30."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


FIGURES = ("weekly_distance_km", "sessions_per_week", "longest_run_spike_pct", "weekly_change_pct", "step_rate_spm")
SILENCE = 10  # days; assumption: who keeps a log has something to enter more often than that
CADENCES = 3  # runs; assumption: fewer do not show the usual step rate
_DAY = timedelta(days=1)
# days before the one that is asked for, which is day 0: first and last of each span
_LAST_WEEK, _MONTH_BEFORE, _THIRTY_BEFORE = (6, 0), (34, 7), (36, 7)
_WEEKS = 4


@dataclass(frozen=True)
class Load:
    """The load of one runner on a day, as a log has it.

    Attributes
    ----------
    at
        The day that is asked for, the last of the days that count.
    values
        The figures that are known, by field.
    reasons
        Why each of the other figures is not known.
    runs, others, twice
        Entries up to that day: runs, other sports and days of rest, and runs that were recorded twice (left out).
    session_rpe
        Session-RPE load of runs a week (minutes times RPE, summed) in the four weeks before the last; None if no run of
        theirs has both.
    """

    at: date
    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, Message] = field(default_factory=dict)
    runs: int = 0
    others: int = 0
    twice: int = 0
    session_rpe: float | None = None


def load_of(activities: Sequence[Activity], at: date) -> Load:
    """Return the load of one runner.

    Parameters
    ----------
    activities
        All entries of the log, of any sport and in any order; those after `at` only show that it was kept on.
    at
        The last day that counts.
    """
    before = [a for a in activities if a.day <= at]
    runs, twice = _once([a for a in before if a.run])
    book = _Book(tuple(runs), at, silences(activities, at))
    values: dict[str, float] = {}
    reasons: dict[str, Message] = {}
    for name, figure in zip(FIGURES, (book.distance, book.sessions, book.spike, book.change, book.steps), strict=True):
        value = figure()
        reason = value if isinstance(value, Message) else _beyond(name, value)
        if reason is not None:
            reasons[name] = reason
        elif not isinstance(value, Message):
            values[name] = round(float(value), 1)
    others = sum(not a.run for a in before)
    return Load(at, values, reasons, len(runs), others, twice, _session_rpe(before, at))


def _session_rpe(entries: Sequence[Activity], at: date) -> float | None:
    first, last = at - _MONTH_BEFORE[0] * _DAY, at - _MONTH_BEFORE[1] * _DAY
    efforts = [a.rpe * a.seconds / 60 for a in entries if a.rpe and a.seconds and first <= a.day <= last]
    return round(sum(efforts) / _WEEKS, 1) if efforts else None


@dataclass(frozen=True)
class _Book:
    """The runs of one runner, and the stretches of days of which nothing is known."""

    runs: tuple[Activity, ...]
    at: date
    silences: tuple[tuple[date, date], ...]

    def distance(self) -> float | Message:
        lengths = self._measured(_MONTH_BEFORE)
        return lengths if isinstance(lengths, Message) else sum(lengths) / _WEEKS

    def sessions(self) -> float | Message:
        if not self._covered(_MONTH_BEFORE):
            return Message("load_days_unknown")
        runs = self._within(_MONTH_BEFORE)
        return Message("load_runs_summed_up") if any(run.days > 1 for run in runs) else len(runs) / _WEEKS

    def spike(self) -> float | Message:
        if any(run.days > 1 for run in self._within((_THIRTY_BEFORE[0], 0))):
            return Message("load_runs_summed_up")
        return _change(self._measured(_LAST_WEEK), self._measured(_THIRTY_BEFORE), max)

    def change(self) -> float | Message:
        return _change(self._measured(_LAST_WEEK), self._measured(_MONTH_BEFORE), sum, _WEEKS)

    def steps(self) -> float | Message:
        limits = BY_NAME["step_rate_spm"]
        within = self._within((_MONTH_BEFORE[0], 0))
        # a watch that lost count must not pass for a slow runner
        usable = [a.spm for a in within if a.spm and limits.low <= a.spm <= limits.high]
        return median(usable) if len(usable) >= CADENCES else Message("load_cadences_unknown", {"runs": CADENCES})

    def _within(self, span: tuple[int, int]) -> list[Activity]:
        first, last = self.at - span[0] * _DAY, self.at - span[1] * _DAY
        return [run for run in self.runs if first <= run.last and run.day <= last]

    def _covered(self, span: tuple[int, int]) -> bool:
        first, last = self.at - span[0] * _DAY, self.at - span[1] * _DAY
        return not any(start <= last and first <= end for start, end in self.silences)

    def _measured(self, span: tuple[int, int]) -> list[float] | Message:
        if not self._covered(span):
            return Message("load_days_unknown")
        runs = self._within(span)
        if any(run.km is None for run in runs):
            return Message("load_distance_unknown")
        if any(run.day < self.at - span[0] * _DAY or run.last > self.at - span[1] * _DAY for run in runs):
            return Message("load_week_cut")  # a part of it is before the days that count, or after them
        return [run.km or 0.0 for run in runs]


def _change(
    late: list[float] | Message, early: list[float] | Message, of: Callable[[list[float]], float], parts: int = 1
) -> float | Message:
    """Return by how much a figure of the last week differs from that of the weeks before, %."""
    if isinstance(late, Message):
        return late
    if isinstance(early, Message):
        return early
    return 100 * (of(late or [0.0]) * parts / of(early) - 1) if early else Message("load_without_comparison")


def silences(activities: Sequence[Activity], at: date) -> tuple[tuple[date, date], ...]:
    """Return the stretches of days up to a day, first and last, of which a log says nothing."""
    days = sorted({a.day + back * _DAY for a in activities for back in range(a.days)})
    if not days:
        return ((date.min, date.max),)
    ends = days if days[-1] >= at else [*days, at + _DAY]
    gaps = [(one + _DAY, other - _DAY) for one, other in pairwise(ends) if (other - one).days - 1 > SILENCE]
    return ((date.min, days[0] - _DAY), *gaps)


def _once(runs: list[Activity]) -> tuple[list[Activity], int]:
    """Return the runs without those that a second device recorded, too, and how many these are."""
    single: list[Activity] = []
    for run in sorted(runs, key=lambda a: (a.start, -(a.km or 0))):
        recent = takewhile(lambda at: single[at].start >= run.start - _DAY, range(len(single) - 1, -1, -1))  # noqa: B023
        twin = next((at for at in recent if _same(single[at], run)), None)
        if twin is None:
            single.append(run)
        elif single[twin].km is None or (single[twin].spm is None and run.spm and run.km):
            single[twin] = run  # the device that measured more
    return single, len(runs) - len(single)


def _same(one: Activity, other: Activity) -> bool:
    """Return whether two entries, the earlier first, are one run: nobody is on two runs at once."""
    if one.days != other.days:
        return False
    if one.timed and other.timed and one.seconds and other.seconds:
        shared = min(one.seconds, (other.start - one.start).total_seconds() + other.seconds)
        shared -= (other.start - one.start).total_seconds()
        return shared > min(one.seconds, other.seconds) / 2
    return (one.start, one.km, one.seconds) == (other.start, other.km, other.seconds) and one.km is not None


def _beyond(name: str, value: float) -> Message | None:
    limits = BY_NAME[name]
    if limits.low <= value <= limits.high:
        return None
    return Message("load_outside_limits", {"field": name, "value": value})


@dataclass(frozen=True)
class Week:
    """Seven days of a runner's log: what was run, and how it differs from the weeks before.

    Attributes
    ----------
    first, last
        The days.
    km
        What was run, km; None if the log does not cover the days, or a run in them has no length.
    longest
        The longest run, km; None if no single run is known.
    runs
        How many runs; None as for `longest`.
    spike, change
        The longest run against that of the 30 days before, and the distance against the mean of four weeks before, %;
        None if not known.
    session_rpe
        Minutes times RPE, summed; None if no entry has both.
    """

    first: date
    last: date
    km: float | None
    longest: float | None
    runs: int | None
    spike: float | None
    change: float | None
    session_rpe: float | None


def weeks_of(activities: Sequence[Activity], at: date) -> list[Week]:
    """Return the weeks of a runner up to a day, the first one first; the last one ends on that day."""
    before = [a for a in activities if a.day <= at]
    if not before:
        return []
    runs, _ = _once([a for a in before if a.run])
    dark = silences(activities, at)
    back = (at - min(a.day for a in before)).days // 7
    return [_week(runs, before, at - 7 * past * _DAY, dark) for past in range(back, -1, -1)]


def _week(runs: list[Activity], entries: Sequence[Activity], last: date, dark: tuple[tuple[date, date], ...]) -> Week:
    book = _Book(tuple(runs), last, dark)
    lengths, single = book._measured(_LAST_WEEK), book._within(_LAST_WEEK)
    known = not isinstance(lengths, Message)
    alone = known and all(run.days == 1 for run in single)
    first = last - _LAST_WEEK[0] * _DAY
    efforts = [a.rpe * a.seconds / 60 for a in entries if a.rpe and a.seconds and first <= a.day <= last]
    return Week(
        first, last,
        km=round(sum(lengths), 3) if not isinstance(lengths, Message) else None,
        longest=max((run.km or 0.0 for run in single), default=0.0) if alone else None,
        runs=len(single) if alone else None,
        spike=_figure(book.spike()), change=_figure(book.change()),
        session_rpe=round(sum(efforts), 1) if efforts else None,
    )  # fmt: skip


def _figure(value: float | Message) -> float | None:
    return None if isinstance(value, Message) else round(value, 1)


__all__ = [
    "CADENCES", "FIGURES", "KM", "PACES", "SILENCE", "YEARS", "Activity", "Load", "Week", "clock", "is_likely",
    "load_of", "local", "pace_fault", "paces", "silences", "weeks_of",
]  # fmt: skip
