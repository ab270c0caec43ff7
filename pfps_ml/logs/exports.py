"""Logs that are tables: Strava's activities.csv, Garmin Connect's Activities.csv, and a plain file.

Both programs translate the header into the language of the account; only English is read, and the error says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pfps_ml.errors import Fault, rows_shown
from pfps_ml.files.cells import texts
from pfps_ml.files.dialects import open_source, read_all
from pfps_ml.logs.activity import KM, Activity, clock, is_run, pace_fault, paces
from pfps_ml.logs.cells import Moment, duration, is_blank, moments, number

_KNOWN = frozenset({"Activity Date", "Activity Type", "Distance", "Date", "Time", "date", "distance_km", "duration"})
Read = Callable[[str], float]


@dataclass(frozen=True)
class Layout:
    """Which columns of a table have what; of columns that share a name, the last counts.

    Attributes
    ----------
    name
        Strava, Garmin Connect or plain.
    date, sport, distance, length, cadence
        The names of the columns; "" if there is none. `length` is how long the run took.
    unit
        That of the distance; "" if the file does not say.
    seconds
        Those of one unit of `length`; 0 if it is written as h:mm:ss.
    feet
        Steps for each one that the cadence counts.
    utc
        Whether times are those of UTC.
    """

    name: str
    date: str
    sport: str
    distance: str
    length: str
    cadence: str
    unit: str
    seconds: float = 0
    feet: int = 1
    utc: bool = False


@dataclass(frozen=True)
class Table:
    """A file's header and cells; all of it text."""

    header: tuple[str, ...]
    columns: tuple[list[str], ...]
    decimal_comma: bool

    def column(self, name: str) -> list[str]:
        """Return the last column of a name; blank cells if there is none."""
        places = [at for at, other in enumerate(self.header) if other == name]
        return self.columns[places[-1]] if places else [""] * len(self.columns[0])


def read_export(path: Path, units: str | None) -> tuple[dict[str, list[Activity]], list[Fault]]:
    """Read a table of activities.

    Parameters
    ----------
    path
        The file.
    units
        The unit of its distances, for a file that does not state it.

    Returns
    -------
    The activities by the text of the column `runner_id`, "" where there is none; and all faults.

    Raises
    ------
    InputError
        If the file cannot be read as a table.
    """
    table = _table(path)
    layout = layout_of(table.header)
    if layout is None:
        return {}, [Fault(None, (), "log_columns_unknown")]
    unit = layout.unit or units
    activities, faults = _activities(table, layout, KM[unit or "km"])
    if not unit:
        faults.append(_unit_fault(layout, activities))
    elif fault := pace_fault(activities):
        faults.append(fault)
    if faults:
        return {}, faults
    entries: dict[str, list[Activity]] = {}
    for runner, activity in zip(table.column("runner_id"), activities, strict=True):
        entries.setdefault(runner.strip(), []).append(activity)
    return entries, []


def layout_of(header: tuple[str, ...]) -> Layout | None:
    """Return where a file with this header has what, or None if it is none of those that are known."""
    names = set(header)
    if {"Activity Date", "Activity Type", "Distance", "Elapsed Time"} <= names:
        # the first Distance is rounded, and in the unit of its day; the second came later, and is in metres
        unit = "m" if header.count("Distance") > 1 else ""
        length = "Moving Time" if "Moving Time" in names else "Elapsed Time"
        cadence = "Average Cadence"
        return Layout("Strava", "Activity Date", "Activity Type", "Distance", length, cadence, unit, 1, 2, True)
    if {"Activity Type", "Date", "Distance", "Time"} <= names:
        cadence = _first(names, "Avg Run Cadence", "Avg Cadence")
        return Layout("Garmin Connect", "Date", "Activity Type", "Distance", "Time", cadence, "")
    distance = _first(names, "distance_km", "distance_mi", "distance_m", "distance")
    if {"date", distance} <= names:
        length = _first(names, "duration", "duration_min", "duration_s")
        seconds = {"duration_min": 60, "duration_s": 1}.get(length, 0)
        return Layout("plain", "date", "type", distance, length, "cadence", distance[9:], seconds)
    return None


def _activities(table: Table, layout: Layout, km: float) -> tuple[list[Activity], list[Fault]]:
    """Return one activity a row; where there are faults, with gaps."""
    faults: list[Fault] = []
    dates, ambiguous = moments(table.column(layout.date), layout.utc)
    if ambiguous:
        faults.append(Fault(None, (layout.date,), "dates_ambiguous"))
    faults += _unread(layout.date, "not_a_date", [row for row, moment in enumerate(dates) if moment is None])
    runs = [_is_run(sport, layout) for sport in table.column(layout.sport)]

    def read(name: str, cell: Read, code: str) -> list[float | None]:
        numbers, unread = _numbers(table.column(name), runs, cell)
        faults.extend(_unread(name, code, unread))
        return numbers

    plain: Read = lambda text: number(text, table.decimal_comma)  # noqa: E731
    timed: Read = (lambda text: layout.seconds * plain(text)) if layout.seconds else duration
    distances = read(layout.distance, lambda text: km * plain(text), "not_a_distance")
    lengths = read(layout.length, timed, "not_a_plain_number" if layout.seconds else "not_a_duration")
    steps = read(layout.cadence, lambda text: layout.feet * plain(text), "not_a_plain_number")
    rows = zip(dates, runs, distances, lengths, steps, strict=True)
    return [_activity(*row, layout) for row in rows if row[0]], faults  # type: ignore[arg-type]


def _activity(
    moment: Moment, run: bool, km: float | None, seconds: float | None, spm: float | None, layout: Layout
) -> Activity:
    # a plain file says 0 for a day of rest; a watch writes 0 where it could not measure
    rest = layout.name == "plain" and km == 0
    return Activity(*moment, run and not rest, km or None, seconds or None, spm or None)


def _is_run(sport: str, layout: Layout) -> bool:
    return is_run(sport) or (layout.name == "plain" and is_blank(sport))


def _numbers(cells: list[str], runs: list[bool], read: Read) -> tuple[list[float | None], list[int]]:
    """Return the numbers of the runs, and the rows of those that cannot be read; other sports are not read."""
    numbers: list[float | None] = []
    unread = []
    for row, (cell, run) in enumerate(zip(cells, runs, strict=True)):
        numbers.append(None)
        if run and not is_blank(cell):
            try:
                numbers[-1] = read(cell)
            except ValueError:
                unread.append(row)
    return numbers, unread


def _unread(column: str, code: str, rows: list[int]) -> Iterator[Fault]:
    if rows:
        yield Fault(rows[0], (column,), code, {"n": len(rows), "rows": rows_shown(rows)})


def _unit_fault(layout: Layout, activities: list[Activity]) -> Fault:
    seconds = paces(activities)
    if not seconds:
        return Fault(None, (layout.distance,), "unit_of_distances_unknown")
    as_km, as_miles = clock(median(seconds)), clock(median(seconds) / KM["mi"])
    return Fault(None, (layout.distance,), "unit_of_distances_open", {"as_km": as_km, "as_miles": as_miles})


def _table(path: Path) -> Table:
    source = open_source(path, _KNOWN)
    sheet = read_all(source).table
    columns = tuple(texts(column.combine_chunks()).to_pylist() for column in sheet.columns)
    filled = tuple(["" if cell is None else str(cell) for cell in column] for column in columns)
    return Table(source.header, filled, source.decimal_comma)


def _first(names: set[str], *wanted: str) -> str:
    return next((name for name in wanted if name in names), wanted[0])


__all__ = ["Layout", "Table", "layout_of", "read_export"]
