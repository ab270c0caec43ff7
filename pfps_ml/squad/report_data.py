"""What the report says of a squad, each part computed once, and absent where it would be invented.

The part on an earlier file says whose risk moved and why, who has knee pain since, who is new and who left. Both files
are assessed with one bundle, so what moves is the runner and never the model.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pfps_ml.core import Floats, InputError, percent
from pfps_ml.domain import BY_NAME, scored_before
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.readers import read_sheet
from pfps_ml.io.roster import NAMES
from pfps_ml.squad.forecast import Forecast, Triage, forecast, triage, worlds
from pfps_ml.squad.formatting import cases, count_range, runners
from pfps_ml.squad.measurements import MeasurementPlan, Squad, missing_measurements, plan_measurements
from pfps_ml.squad.screening import Screening, screen

AS_IT_IS = Mapping()
_STRANGERS = (
    "None of its runners is in this squad, so nothing can be compared. Where names were replaced by pseudonyms, both "
    "files need those of one key."
)
_SMALLEST = 0.5  # percentage points: a risk that moves by less has not moved


@dataclass(frozen=True)
class ReportOptions:
    """What the reader can do, and what else is read.

    Attributes
    ----------
    flags
        How many runners can be seen first.
    hours
        How many hours there are for measuring.
    since
        An earlier file of the squad to compare with.
    mapping
        The map of both files, if they need one.
    strict
        Whether any fault rejects its row; else one of an optional cell costs that cell alone.
    """

    flags: int = 5
    hours: float = 6.0
    since: Path | None = None
    mapping: Mapping = AS_IT_IS
    strict: bool = False


@dataclass(frozen=True)
class Move:
    """How the risk of one runner moved, and the answer that moved it most, if any: "label: then, now"."""

    runner: str
    before: float
    now: float
    why: str

    @property
    def points(self) -> float:
        """By how much, percentage points."""
        return 100 * (self.now - self.before)


@dataclass(frozen=True)
class Changes:
    """What is different from an earlier file.

    Attributes
    ----------
    moved
        Whose risk moved, largest rise first.
    compared
        How many runners are scored in both files.
    in_pain
        Who has knee pain now and had none.
    withheld
        Whom somebody has to see first now, and who was scored.
    new, gone
        Who is only in this file, or only in the earlier one; nobody, where the files have no runner in common.
    unread
        Who is in both files, but was rejected in one of them or both.
    notes
        What a reader must know of the earlier file.
    """

    moved: tuple[Move, ...]
    compared: int
    in_pain: tuple[str, ...]
    withheld: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    unread: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """What can be said of one squad."""

    screening: Screening
    options: ReportOptions

    @property
    def level(self) -> float:
        """The level of the bundle's intervals, and of the forecast's."""
        return self.screening.bundle.level

    @property
    def horizon(self) -> str:
        """The time over which cases are expected, in months."""
        return str(self.screening.bundle.horizons["onset"])

    @cached_property
    def risks(self) -> Floats:
        """The risk of each of the squad, highest first."""
        return self.screening.assessments.prediction.risk.value[self.screening.by_risk]

    @cached_property
    def chances(self) -> Floats:
        """The risks in every world, shape (worlds, runners)."""
        return worlds(self.screening.bundle, self.screening.columns, self.screening.clubs)

    @cached_property
    def forecast(self) -> Forecast | None:
        """The cases to expect; None without a runner, or with several seasons in one file."""
        if not len(self.screening.by_risk) or self.screening.seasons > 1:
            return None
        return forecast(self.chances, self.level)

    @cached_property
    def triage(self) -> Triage | None:
        """What seeing the first ones brings; None where there is no choice, or nothing to choose by."""
        has_choice = len(self.screening.by_risk) > self.options.flags and not self.screening.is_bare
        if self.forecast is None or not has_choice:
            return None
        return triage(self.risks, self.chances, self.options.flags, self.screening.bundle.reference["base_rate"])

    @cached_property
    def squad(self) -> Squad:
        """What may still be measured."""
        log_odds = self.screening.assessments.prediction.log_odds[self.screening.by_risk]
        missing = missing_measurements(self.screening.bundle, self.screening.columns)
        return Squad(log_odds, min(self.options.flags, len(log_odds)), missing)

    @cached_property
    def plan(self) -> MeasurementPlan | None:
        """What to measure in the hours that there are; None where the order of the squad would not matter."""
        comparable = len(self.screening.by_risk) > self.options.flags and self.screening.seasons == 1
        return plan_measurements(self.squad, 60 * self.options.hours) if comparable else None

    @cached_property
    def all_measured(self) -> float:
        """How many more cases would be among the first if everything were measured in everybody."""
        return self.squad.gain(self.squad.choices)

    @property
    def all_minutes(self) -> float:
        """What measuring everything in everybody takes."""
        return sum(measurement.minutes for measurement in self.squad.choices)

    @cached_property
    def changes(self) -> Changes | None:
        """What is different from the earlier file, if there is one."""
        since = self.options.since
        return changes(self.screening, since, self.options.mapping) if since else None

    def summary(self) -> list[tuple[str, str]]:
        """Return the short of it for a terminal: names and values."""
        screening, counts = self.screening, self.forecast
        first = screening.withheld
        lines = [("rows", screening.counts)]
        lines += [("see a doctor first", f"{runners(len(first))}, not scored")] if first else []
        lines += [
            ("with a risk", runners(len(screening.by_risk))),
            ("knee pain now", runners(len(screening.in_pain))),
        ]
        if counts:
            interval = f"{count_range(counts.low, counts.high)} ({percent(self.level)})"
            lines.append(("new cases", f"{interval}, on average {cases(counts.mean)}"))
        if self.triage:
            reached = cases(self.triage.caught)
            lines.append(("seen first", f"{len(self.triage.first)} runners, {reached} of the cases"))
        return lines


def changes(now: Screening, since: Path, mapping: Mapping) -> Changes:
    """Compare a squad with an earlier file of it.

    Raises
    ------
    InputError
        If the earlier file cannot be read as a roster.
    """
    try:
        then = screen(since, now.bundle, replace(mapping, sheet=None), now.roster.checked.strict)
        notes = _notes(since, now)
    except InputError as error:
        raise type(error)(f"in the earlier file: {error.message}", error.faults) from error
    earlier, latest = _named(then), _named(now)
    if not set(earlier) & set(latest):
        return Changes((), 0, (), (), (), (), (), (*notes, _STRANGERS))
    before, today = ({name: at for at, name in enumerate(screening.ids)} for screening in (then, now))
    both = [name for name in today if name in before]
    scored = [name for name in both if then.assessments.scored[before[name]] and now.assessments.scored[today[name]]]
    moved = [_move(name, (then, before[name]), (now, today[name])) for name in scored]
    return Changes(
        moved=tuple(sorted((m for m in moved if abs(m.points) >= _SMALLEST), key=lambda move: -move.points)),
        compared=len(scored),
        in_pain=tuple(name for name in now.in_pain if name in before and then.assessments.scored[before[name]]),
        withheld=tuple(name for name, _ in now.withheld if name in before and then.assessments.scored[before[name]]),
        new=tuple(name for name in latest if name not in earlier),
        gone=tuple(name for name in earlier if name not in latest),
        unread=tuple(name for name in latest if name in earlier and name not in both),
        notes=notes if then.seasons == 1 else (*notes, f"The earlier file mixes {then.seasons} seasons."),
    )


def _named(squad: Screening) -> tuple[str, ...]:
    """Return every id of a file once, those of rejected rows included."""
    return tuple(dict.fromkeys(str(name) for name in squad.roster.ids.dropna() if str(name).strip()))


def _notes(since: Path, now: Screening) -> tuple[str, ...]:
    table = read_sheet(since, NAMES).table
    again = f"its runners were assessed again with {now.bundle.name}, so that only what changed in them shows."
    if not scored_before(table.column_names):
        return (f"The earlier file had not been scored; {again}",)
    texts = table.column("bundle").to_pandas().dropna().astype(str) if "bundle" in table.column_names else []
    bundles = [text for text in texts if text]  # a rejected row names none
    if not bundles:
        return (f"The earlier file does not say which bundle scored it; {again}",)
    same = all(text.startswith(f"{now.bundle.name} ") for text in bundles)
    return () if same else (f"The earlier file was scored with another bundle; {again}",)


def _move(name: str, then: tuple[Screening, int], now: tuple[Screening, int]) -> Move:
    earlier, latest = (float(screening.assessments.prediction.risk.value[at]) for screening, at in (then, now))
    before, after = (screening.assessments.prediction.contributions[at] for screening, at in (then, now))
    rising = 1 if latest >= earlier else -1
    field = BY_NAME[now[0].assessments.prediction.fields[int(np.argmax(rising * (after - before)))]]
    values = [screening.assessments.columns[field.name][at] for screening, at in (then, now)]
    before, today = ("not known" if np.isnan(value) else field.show(value) for value in values)
    return Move(name, earlier, latest, f"{field.label}: {before}, now {today}" if before != today else "")


__all__ = ["AS_IT_IS", "Changes", "Move", "ReportData", "ReportOptions", "changes"]
