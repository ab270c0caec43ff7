"""One entry of a training log, and what all sources agree on: units, and what is a run."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

from pfps_ml.errors import Fault

KM = {"km": 1.0, "mi": 1.609344, "m": 0.001}
PACES = (150.0, 720.0)  # seconds a kilometre: nobody's usual run is faster or slower
YEARS = (1980, 2100)  # of runs: no watch is older, and a date far from them is a slip of a finger
_RUN = re.compile(r"run(ning)?\b", re.IGNORECASE)  # Run, Trail Run, TrailRun, Treadmill Running


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
    """

    start: datetime
    timed: bool
    run: bool
    km: float | None = None
    seconds: float | None = None
    spm: float | None = None

    @property
    def day(self) -> date:
        """The day on which it began."""
        return self.start.date()


def is_likely(day: date) -> bool:
    """Return whether somebody may have run on a day, and kept a log of it."""
    return YEARS[0] <= day.year <= YEARS[1]


def is_run(sport: str) -> bool:
    """Return whether the name of a sport, as Strava, Garmin, FIT and GPX write it, is that of running."""
    return _RUN.search(sport) is not None


def local(moment: datetime) -> datetime:
    """Return a moment by the clock of this computer (`TZ` says another), which is taken to be the runner's."""
    return moment.astimezone().replace(tzinfo=None)


def paces(activities: list[Activity]) -> list[float]:
    """Return the seconds a kilometre of the runs that have both."""
    return [a.seconds / a.km for a in activities if a.run and a.km and a.seconds]


def pace_fault(activities: list[Activity]) -> Fault | None:
    """Return what is wrong if the runs of a file cannot be runs in the units that they were read in."""
    seconds = paces(activities)
    if not seconds or PACES[0] <= median(seconds) <= PACES[1]:
        return None
    named = {"fastest": clock(PACES[0]), "slowest": clock(PACES[1]), "median": clock(median(seconds))}
    return Fault(None, (), "paces_unlikely", named)


def clock(seconds: float) -> str:
    """Return a pace as runners write it: 5:30."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


__all__ = ["KM", "PACES", "YEARS", "Activity", "clock", "is_likely", "is_run", "local", "pace_fault", "paces"]
