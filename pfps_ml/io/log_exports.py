"""Training logs that are tables: Strava's activities.csv, Garmin Connect's Activities.csv, and a plain file.

Both programs translate the header into the language of the account; only English is read, and the error says so.
Numbers, durations and dates are read as the programs of several countries write them; what could mean two things is a
ValueError, never a guess.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from pfps_ml.core import Fault, rows_shown
from pfps_ml.domain import MISSING
from pfps_ml.io.cells import texts
from pfps_ml.io.readers import open_source, read_all
from pfps_ml.io.training_load import KM, Activity, clock, is_likely, is_run, local, pace_fault, paces

_BLANK = MISSING | {"--"}
_CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d{2}(?:\.\d{1,9})?)")
_FORMS: dict[str, tuple[str, ...]] = {
    "Strava": ("%b %d, %Y, %I:%M:%S %p", "%d %b %Y, %H:%M:%S"),
    "dotted": ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
    "European": ("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    "American": ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S"),
}
_LONGEST = 40  # characters of a number: no watch counts further
_SAMPLE = 100  # cells: a form that fits none of them is not that of the column
Moment = tuple[datetime, bool]  # with whether the time of the day is known


def is_blank(text: str) -> bool:
    """Return whether a cell says nothing: watches write `--`."""
    return text.strip().lower() in _BLANK


def number(text: str, decimal_comma: bool = False) -> float:
    """Return a number.

    Raises
    ------
    ValueError
        If it is none, or if its comma may mark thousands as well as decimals.
    """
    plain = re.sub(r"(?<=\d)[ \xa0\u202f](?=\d{3})", "", text.strip())
    if "," in plain and "." in plain:
        plain = plain.replace(",", "") if plain.rindex(".") > plain.rindex(",") else _swapped(plain)
    elif "," in plain:
        if not decimal_comma and re.fullmatch(r"\d{1,3}(,\d{3})+", plain):
            raise ValueError("thousands or decimals")
        plain = plain.replace(",", ".")
    if len(plain) > _LONGEST or not re.fullmatch(r"\d*\.?\d+|\d+\.", plain):
        raise ValueError("not a number")
    return float(plain)


def duration(text: str) -> float:
    """Return the seconds of h:mm:ss or mm:ss.

    Raises
    ------
    ValueError
        If it is neither.
    """
    match = _CLOCK.fullmatch(text.strip().replace(",", "."))
    if not match:
        raise ValueError("not a duration")
    return 3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3])


def moments(texts: Sequence[str], utc: bool) -> tuple[list[Moment | None], bool]:
    """Read a column of dates, which a program writes in one form.

    Parameters
    ----------
    texts
        2026-05-31 and 31.05.2026 and Strava's own with or without a time; 31/05/2026 or 05/31/2026 if the column
        has a day above 12.
    utc
        Whether times without a zone are those of UTC.

    Returns
    -------
    One moment a cell, None where there is none; and whether day and month may be either in the column as a whole.
    """
    plain = [text.strip().replace("\u202f", " ").replace("Sept ", "Sep ") for text in texts]
    best: list[Moment | None] = [None] * len(plain)
    fitting = []
    sample = plain[:_SAMPLE]
    hopeful = {name: read for name, read in _READERS.items() if any(_tried(read, text) for text in sample)}
    for name, read in (hopeful or _READERS).items():
        column = [_tried(read, text) for text in plain]
        if all(moment is not None for moment in column):
            fitting.append((name, column))
        if sum(m is not None for m in column) > sum(m is not None for m in best):
            best = column
    if {"European", "American"} <= {name for name, _ in fitting} and fitting[0][1] != fitting[1][1]:
        return best, True
    return [moment and _placed(moment, utc) for moment in best], False


def _tried(read: Callable[[str], Moment], text: str) -> Moment | None:
    try:
        moment = read(text)
    except ValueError:
        return None
    return moment if is_likely(moment[0]) else None


def _iso(text: str) -> Moment:
    return datetime.fromisoformat(text), ":" in text


def _reader(forms: tuple[str, ...]) -> Callable[[str], Moment]:
    def read(text: str) -> Moment:
        for form in forms:
            try:
                return datetime.strptime(text, form), ":" in form
            except ValueError:
                continue
        raise ValueError("not a date")

    return read


def _placed(moment: Moment, utc: bool) -> Moment:
    start, timed = moment
    if timed and utc and start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return (local(start) if start.tzinfo else start), timed


def _swapped(text: str) -> str:
    return text.replace(".", "").replace(",", ".")


_READERS: dict[str, Callable[[str], Moment]] = {"ISO": _iso, **{name: _reader(form) for name, form in _FORMS.items()}}


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


def _first(names: set[str], *candidates: str) -> str:
    return next((name for name in candidates if name in names), candidates[0])


__all__ = ["Layout", "Moment", "Table", "duration", "is_blank", "layout_of", "moments", "number", "read_export"]
