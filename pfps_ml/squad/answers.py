"""The answers of the report, each computed once, and absent where it would be invented."""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core.levels import percent
from pfps_ml.files.mapping import Mapping
from pfps_ml.squad.budget import Budget, budget
from pfps_ml.squad.changes import Changes, changes
from pfps_ml.squad.forecast import Forecast, forecast, worlds
from pfps_ml.squad.hours import Plan, plan
from pfps_ml.squad.measurements import Squad, choices_of
from pfps_ml.squad.screening import Reason, Screening
from pfps_ml.squad.words import cases, points, ranged, runners

Floats = NDArray[np.float64]
AS_IT_IS = Mapping()


@dataclass(frozen=True)
class Wanted:
    """What the reader can do: how many runners can be seen first, and how many hours there are for measuring.

    `since` is an earlier file to compare with; `mapping` the map of both files, if they need one.
    """

    flags: int = 5
    hours: float = 6.0
    since: Path | None = None
    mapping: Mapping = AS_IT_IS


@dataclass(frozen=True)
class Answers:
    """What can be said of one squad."""

    screening: Screening
    wanted: Wanted

    @cached_property
    def risks(self) -> Floats:
        """The risk of each of the squad, highest first."""
        return self.screening.found.prediction.risk.value[self.screening.squad]

    @cached_property
    def chances(self) -> Floats:
        """The risks in every world, shape (worlds, runners)."""
        return worlds(self.screening.bundle, self.screening.columns, self.screening.clubs)

    @cached_property
    def forecast(self) -> Forecast | None:
        """The cases to expect; None without a runner, or with several seasons in one file."""
        return (
            forecast(self.chances, self.screening.bundle.level)
            if len(self.screening.squad) and self.screening.seasons == 1
            else None
        )

    @property
    def why_no_list(self) -> str:
        """Why nobody is put first."""
        if self.screening.is_bare:
            return "No order is given: nothing is known of anybody but age and sex."
        return f"There is time to see {self.wanted.flags}, and that is everybody: no order is needed."

    @cached_property
    def budget(self) -> Budget | None:
        """What seeing the first ones brings; None where there is no choice, or nothing to choose by."""
        enough = len(self.screening.squad) > self.wanted.flags and not self.screening.is_bare
        if self.forecast is None or not enough:
            return None
        bundle = self.screening.bundle
        return budget(self.risks, self.chances, self.wanted.flags, bundle.reference["base_rate"], bundle.level)

    @cached_property
    def squad(self) -> Squad:
        """What may still be measured."""
        found = self.screening
        log_odds = found.found.prediction.log_odds[found.squad]
        return Squad(log_odds, min(self.wanted.flags, len(log_odds)), choices_of(found.bundle, found.columns))

    @cached_property
    def plan(self) -> Plan | None:
        """What to measure in the hours that there are."""
        comparable = len(self.screening.squad) > self.wanted.flags and self.screening.seasons == 1
        return plan(self.squad, 60 * self.wanted.hours) if comparable else None

    @cached_property
    def all_measured(self) -> float:
        """How many more cases would be among the first if everything were measured in everybody."""
        return self.squad.gain(self.squad.choices)

    @property
    def all_minutes(self) -> float:
        """What measuring everything in everybody takes."""
        return sum(choice.minutes for choice in self.squad.choices)

    @cached_property
    def changes(self) -> Changes | None:
        """What is different from the earlier file, if there is one."""
        since = self.wanted.since
        return changes(self.screening, since, self.wanted.mapping) if since else None

    def lines(self) -> list[tuple[str, str]]:
        """Return the short of it for a terminal."""
        found, counts = self.screening, self.forecast
        told = [("scored", runners(len(found.squad))), ("knee pain now", runners(len(found.in_pain)))]
        told.append(("rejected", f"{len(found.roster.ids) - len(found.rows)} of {len(found.roster.ids)} rows"))
        if counts:
            told.append(
                (
                    "new cases",
                    f"{ranged(counts.low, counts.high)} ({percent(counts.level)}), on average {cases(counts.mean)}",
                )
            )
        if self.budget:
            reached = cases(self.budget.caught.mean)
            told.append(("seen first", f"{len(self.budget.first)} runners, {reached} of the cases"))
        return told

    @staticmethod
    def told(reason: Reason) -> str:
        """Return a reason as HTML: its field, what it says, and the percentage points."""
        mark = " ◆" if reason.is_lever else ""
        return (
            f'{escape(reason.label)}: {escape(reason.value)}{mark} <span class="points">{points(reason.points)}</span>'
        )


__all__ = ["AS_IT_IS", "Answers", "Wanted"]
