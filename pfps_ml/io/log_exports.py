"""Training logs that are tables, a row an activity: of Strava, Garmin Connect, Runkeeper, Polar, or a plain file.

Columns are recognised by their names in six languages (log_words.toml). A cell that cannot be read costs its activity,
and is named; a column of which half cannot be read is no such column, and is refused.
"""

import io
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from pfps_ml.core import Fault, InputError, Message, rows_shown
from pfps_ml.domain import synonyms
from pfps_ml.domain.synonyms import plain
from pfps_ml.io.cells import texts, unguard
from pfps_ml.io.csv_chunks import decode, delimiter_of, head_of, records
from pfps_ml.io.log_cells import Moment, duration, is_blank, moments, number
from pfps_ml.io.readers import CSV, format_of, open_source, read_all
from pfps_ml.io.training_load import KM, Activity, clock, pace_fault, paces

_WORDS = Path(synonyms.__file__).with_name("log_words.toml")
_FARTHEST = 320.0  # km: nobody has run farther in 24 hours
_WITH_UNIT = re.compile(r"(.*\d)\s*([^\W\d_]+)")
_SHORTEST = 400  # m: a distance on a track of as much or more is no number of kilometres
USUAL = 100.0  # km: no runner's median run is longer
Read = Callable[[str], float]


@dataclass(frozen=True)
class Reading:
    """How a log is to be read where it does not say so itself.

    Attributes
    ----------
    units
        km, mi or m.
    day_first
        Whether 05/04/2026 is the fifth of April.
    decimal_comma
        Whether 5,125 is five and an eighth.
    year
        That of weeks which are numbered without one.
    sports
        Names of sports that are running.
    columns
        The column of each role (`date`, `distance`, `duration`, ...), by the file's own name.
    """

    units: str | None = None
    day_first: bool | None = None
    decimal_comma: bool | None = None
    year: int | None = None
    sports: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """An entry of a file that could not be read: its row (0 is the first below the header), its day and runner."""

    fault: Fault
    day: date | None = None
    runner: str = ""


@dataclass(frozen=True)
class Export:
    """What a table says.

    Attributes
    ----------
    program
        Whose table it is: strava, garmin, runkeeper, polar, or plain.
    entries
        The activities by the text of the column of runners; "" where there is none.
    lost
        The entries that could not be read.
    tracks
        The names of recordings that the table says it sums up.
    unknown_sports
        How many entries have each sport of which it is not known if it is running.
    """

    program: str
    entries: dict[str, list[Activity]]
    lost: tuple[Lost, ...] = ()
    tracks: frozenset[str] = frozenset()
    unknown_sports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A file's header and cells, all of it text; the place of each row in the file, and of those that do not fit it."""

    header: tuple[str, ...]
    rows: list[list[str]]
    decimal_comma: bool
    numbers: tuple[int, ...] = ()
    misfits: tuple[int, ...] = ()

    def column(self, at: int | None) -> list[str]:
        """Return the cells of a column; blank ones if there is none."""
        return [""] * len(self.rows) if at is None else [row[at] for row in self.rows]


@dataclass(frozen=True)
class Layout:
    """Which columns of a table have what, by role, and what their numbers are.

    Attributes
    ----------
    program
        Whose table it is.
    places
        The place of the column of each role.
    unit
        That of the distance; "" if the file does not say.
    seconds
        Those of one unit of the duration; 0 if it is written as h:mm:ss.
    feet
        Steps for each one that the cadence counts.
    """

    program: str
    places: Mapping[str, int]
    unit: str = ""
    seconds: float = 0
    feet: int = 1


def reading_of(
    day_first: bool | None, decimal_comma: bool | None, year: int | None, sports: Sequence[str], columns: Sequence[str]
) -> Reading:
    """Return what the options of a command say of a log; `columns` are texts such as date=Wann.

    Raises
    ------
    InputError
        If a text names no role, or no column.
    """
    named = {role.strip(): name.strip() for role, _, name in (text.partition("=") for text in columns)}
    if not all(named.values()) or not set(named) <= set(words()["columns"]):
        raise InputError(Message("log_column_unknown", {"roles": list(words()["columns"])}))
    return Reading(None, day_first, decimal_comma, year, tuple(sports), named)


@cache
def words() -> dict[str, Any]:
    """Return log_words.toml."""
    return tomllib.loads(_WORDS.read_text(encoding="utf-8"))


def columns_of(role: str) -> list[str]:
    """Return the plain names of the column of a role, the best first."""
    return [plain(name.replace("_", " ")) for name in words()["columns"][role]]


@cache
def _units(kind: str) -> dict[str, str]:
    return {plain(name): unit for unit, names in words()["units"][kind].items() for name in names}


def distance_unit(name: str) -> str:
    """Return km, mi or m for the name of a unit of distance; blank if it is none."""
    return _units("distance").get(name, "")


@cache
def _sports() -> tuple[frozenset[str], frozenset[str]]:
    run, others = (frozenset(plain(word) for word in words()["sports"][kind]) for kind in ("run", "others"))
    return run, others


def is_run(sport: str, also: Sequence[str] = ()) -> bool | None:
    """Return whether the name of a sport, in one of six languages, is that of running; None if it is not known."""
    name = plain(sport.replace("_", " "))
    if name in {plain(other) for other in also}:
        return True
    run, others = _sports()
    phrases = _phrases(name)
    if phrases & others:
        return False
    parts = {part for word in phrases for part in _camel(sport) | {word}}
    return True if parts & run else (False if parts & others else None)


def _phrases(name: str) -> set[str]:
    split = name.split()
    return {" ".join(split[at : at + size]) for size in (1, 2, 3) for at in range(len(split))}


def _camel(sport: str) -> set[str]:
    """Return the words of a name that is written in one: TrailRun, HKWorkoutActivityTypeRunning."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in sport)
    return set(plain(spaced).split())


def read_export(table: Table, reading: Reading) -> Export:
    """Read a table of activities, a row an activity.

    Raises
    ------
    InputError
        If it cannot be read as a log, with all its faults.
    """
    layout = layout_of(table.header, reading)
    if layout is None:
        raise InputError(Message("log_columns_unknown"))
    return _Log(table, layout, reading).read()


def table_of(path: Path | None, data: bytes, reading: Reading) -> Table:
    """Return the table of a file on the disk, or of its bytes if it comes out of an archive (CSV alone).

    Raises
    ------
    InputError
        If it is none.
    """
    table = table_in(data) if path is None else _table_of(path)
    return table if reading.decimal_comma is None else replace(table, decimal_comma=reading.decimal_comma)


def layout_of(header: Sequence[str], reading: Reading = Reading()) -> Layout | None:
    """Return where a table with this header has what; None if it is no log."""
    split = [unit_in(name) for name in header]
    places = {role: at for role in words()["columns"] if (at := _place(header, split, role, reading)) is not None}
    if places.get("clock") == places.get("date"):
        places.pop("clock", None)
    if "date" not in places or not {"distance", "duration", "effort"} & set(places):
        return None
    program = _program({name for name, _ in split} | {plain(name) for name in header})
    unit = _units("distance").get(split[places["distance"]][1], "") if "distance" in places else ""
    if program == "strava" and not unit and _twice(split, places):
        unit = "m"  # the first is rounded, in the unit of its day; the second came later, and is in metres
    seconds = _units("duration").get(split[places["duration"]][1], "0") if "duration" in places else "0"
    if seconds == "0" and program in ("strava", "old_strava"):
        seconds = "1"
    rpm = "cadence" in places and split[places["cadence"]][1] == "rpm"
    return Layout(program, places, unit, float(seconds), 2 if program.endswith("strava") or rpm else 1)


def unit_in(name: str) -> tuple[str, str]:
    """Return the plain name of a column without its unit, and the unit: `Distance (km)`, `duration_min`."""
    units = _units("distance").keys() | _units("duration").keys() | {"rpm", "spm"}
    head, _, tail = name.strip().rstrip(")]").replace("[", "(").rpartition("(")
    if head and plain(tail) in units:
        return plain(head.replace("_", " ")), plain(tail)
    every = plain(name.replace("_", " ")).split()
    if every and every[-1] in units:
        rest = every[:-2] if every[-2:-1] in (["in"], ["en"]) else every[:-1]  # Distanz in km
        return " ".join(rest) or every[-1], every[-1]
    return plain(name.replace("_", " ")), ""


def _place(header: Sequence[str], split: list[tuple[str, str]], role: str, reading: Reading) -> int | None:
    if role in reading.columns:
        wanted = [plain(reading.columns[role])]
        names = [plain(name) for name in header]
    else:
        wanted, names = (
            [plain(name.replace("_", " ")) for name in words()["columns"][role]],
            [name for name, _ in split],
        )
    for name in wanted:
        places = [at for at, other in enumerate(names) if other == name]
        if places:
            return places[-1]
    return None


def _program(names: set[str]) -> str:
    known = words()["programs"]
    return next((name for name in known if names & {plain(one.replace("_", " ")) for one in known[name]}), "plain")


def _twice(split: list[tuple[str, str]], places: Mapping[str, int]) -> bool:
    return sum(name == split[places["distance"]][0] for name, _ in split) > 1


@dataclass(frozen=True)
class _Log:
    """A table of activities, a row an activity."""

    table: Table
    layout: Layout
    reading: Reading

    def column(self, role: str) -> list[str]:
        return self.table.column(self.layout.places.get(role))

    def name(self, role: str) -> str:
        return self.table.header[self.layout.places[role]]

    def read(self) -> Export:
        dates, runs = self.dates(), self.runs()
        unit = self.unit()
        cells = {"date": [at for at, moment in enumerate(dates) if moment is None]}
        codes, numbers = {"date": "not_a_date"}, dict[str, list[float | None]]()
        for role, read, code in self.readers(KM[unit or "km"]):
            column = self.distances() if role == "distance" else self.column(role)
            numbers[role], cells[role] = _numbers(column, runs, read, len(dates))
            codes[role] = code
        rows = self.activities(dates, runs, numbers)
        refused = self.unread(cells, codes, runs)
        if not refused:
            refused += self.unit_faults(unit, [one for one in rows if one])
            refused += self.sport_faults(runs)
        if refused:
            raise InputError(Message("log_faulty"), refused)
        return self.export(rows, dates, cells, runs)

    def unread(
        self, cells: Mapping[str, list[int]], codes: Mapping[str, str], runs: Sequence[bool | None]
    ) -> list[Fault]:
        """Return the faults of columns if half of the activities cannot be read, or half of a column: it is another."""
        lost = set(cells["date"]) | set(cells["distance"])
        most = bool(lost) and 2 * len(lost) >= len(runs)
        faults = []
        for role, rows in cells.items():
            column = zip(runs, self.column(role), strict=True)
            filled = sum((bool(run) or role == "date") and not is_blank(cell) for run, cell in column)
            if rows and (most or 2 * len(rows) >= max(filled, 1)):
                named = {"n": len(rows), "rows": rows_shown([self.table.numbers[at] for at in rows])}
                faults.append(Fault(self.table.numbers[rows[0]], (self.name(role),), codes[role], named))
        return faults

    def dates(self) -> list[Moment | None]:
        utc = self.layout.program.endswith("strava")
        cells = self.column("date")
        if "clock" in self.layout.places:  # of Polar: the day, and the time in a column of its own
            cells = [f"{day} {time}".strip() for day, time in zip(cells, self.column("clock"), strict=True)]
        read, either = moments(cells, utc, self.reading.day_first)
        if either:
            raise InputError(Message("log_faulty"), [Fault(None, (self.name("date"),), "dates_ambiguous")])
        return read

    def runs(self) -> list[bool | None]:
        unnamed = None if self.layout.program in ("strava", "garmin") else True
        return [unnamed if is_blank(one) else is_run(one, self.reading.sports) for one in self.column("sport")]

    def unit(self) -> str:
        return self.layout.unit or self.reading.units or ("km" if "distance" not in self.layout.places else "")

    def readers(self, km: float) -> list[tuple[str, Read, str]]:
        plain_number: Read = lambda text: number(text, self.table.decimal_comma)  # noqa: E731
        seconds = self.layout.seconds
        timed: Read = (lambda text: seconds * plain_number(text)) if seconds else duration
        steps: Read = lambda text: self.layout.feet * plain_number(text)  # noqa: E731
        return [
            ("distance", lambda text: _distance(text, km, plain_number), "not_a_distance"),
            ("duration", timed, "not_a_plain_number" if seconds else "not_a_duration"),
            ("cadence", steps, "not_a_plain_number"), ("effort", plain_number, "not_a_plain_number"),
        ]  # fmt: skip

    def activities(
        self, dates: list[Moment | None], runs: list[bool | None], numbers: Mapping[str, list[float | None]]
    ) -> list[Activity | None]:
        names = ("distance", "duration", "cadence", "effort")
        rows = zip(dates, runs, *(numbers[name] for name in names), strict=True)
        return [self.activity(*row) if row[0] else None for row in rows]

    def distances(self) -> list[str]:
        """Return the cells of the distance; of runs on a track, which Garmin writes in metres, in the others' unit."""
        cells = self.column("distance")
        if self.layout.program != "garmin":
            return cells
        track = {"track", "bahn", "bahnlaufen", "piste", "pista", "baan"}
        sports = [_phrases(plain(sport)) for sport in self.column("sport")]
        return [self.in_unit(cell) if track & names else cell for cell, names in zip(cells, sports, strict=True)]

    def in_unit(self, cell: str) -> str:
        metres = re.sub(r"[ ,.\u00a0\u202f](?=\d{3}\b)", "", cell.strip())
        if not metres.isdecimal() or int(metres) < _SHORTEST:
            return cell
        return f"{int(metres) * KM['m'] / KM[self.unit() or 'km']:.4f}".replace(
            ".", "," if self.table.decimal_comma else "."
        )

    def activity(
        self, moment: Moment, run: bool | None, km: float | None, seconds: float | None, spm: float | None,
        rpe: float | None,
    ) -> Activity:  # fmt: skip
        # a plain file says 0 for a day of rest; a watch writes 0 where it could not measure
        rest = self.layout.program == "plain" and km == 0
        return Activity(*moment, bool(run) and not rest, km or None, seconds or None, spm or None, rpe=rpe or None)

    def unit_faults(self, unit: str, rows: list[Activity]) -> list[Fault]:
        if not unit:
            return [_unit_fault(self.name("distance"), rows)]
        far = sorted(one.km for one in rows if one.run and one.km)
        if far and median(far) > USUAL:
            named = {"median": round(median(far)), "most": round(USUAL)}
            return [Fault(None, (self.name("distance"),), "distances_unlikely", named)]
        fault = pace_fault(rows)
        return [fault] if fault else []

    def sport_faults(self, runs: list[bool | None]) -> list[Fault]:
        """Return the fault of a file in which no sport is known to be running, and some are not known at all."""
        unknown = self.unknown_sports(runs)
        if any(runs) or not unknown:
            return []
        return [Fault(None, (self.name("sport"),), "sports_unknown", {"n": len(unknown)})]

    def unknown_sports(self, runs: list[bool | None]) -> dict[str, int]:
        names = [sport.strip() for sport, run in zip(self.column("sport"), runs, strict=True) if run is None]
        return {name: names.count(name) for name in dict.fromkeys(names) if not is_blank(name)}

    def export(
        self, rows: list[Activity | None], dates: list[Moment | None], cells: Mapping[str, list[int]],
        runs: list[bool | None],
    ) -> Export:  # fmt: skip
        entries, lost, runners = dict[str, list[Activity]](), list[Lost](), self.column("runner")

        def lose(at: int, role: str, code: str) -> None:
            row, moment = self.table.numbers[at], dates[at]
            named = {"n": 1, "rows": str(row + 1), "most": int(_FARTHEST)}
            fault = Fault(row, (self.name(role),), code, named)
            lost.append(Lost(fault, moment[0].date() if moment else None, runners[at].strip()))

        for at, (runner, one) in enumerate(zip(runners, rows, strict=True)):
            if one is None:
                lose(at, "date", "not_a_date")
            elif at in cells["distance"]:
                lose(at, "distance", "not_a_distance")
            elif one.run and one.km is not None and one.km > _FARTHEST:
                lose(at, "distance", "distance_beyond")
            else:
                entries.setdefault(runner.strip(), []).append(one)
        for role in ("duration", "cadence", "effort"):  # the activity counts without it
            for at in cells[role]:
                lose(at, role, "not_a_duration" if role == "duration" else "not_a_plain_number")
        lost += [Lost(Fault(at, (), "row_of_other_columns", {"rows": str(at + 1)})) for at in self.table.misfits]
        return Export(self.layout.program, entries, tuple(lost), self.tracks(), self.unknown_sports(runs))

    def tracks(self) -> frozenset[str]:
        """Return the names of the recordings that the table says it sums up."""
        endings = (".gpx", ".fit", ".tcx", ".gpx.gz", ".fit.gz", ".tcx.gz")
        named = (cell.strip() for row in self.table.rows for cell in row if cell.strip().lower().endswith(endings))
        return frozenset(name.rpartition("/")[2] for name in named)


def _distance(text: str, km: float, read: Read) -> float:
    """Return the km of a cell, which may say its own unit: `8 km`."""
    match = _WITH_UNIT.fullmatch(text.strip())
    unit = distance_unit(plain(match[2])) if match else ""
    return KM[unit] * read(match[1]) if match and unit else km * read(text)


def _numbers(
    cells: list[str], runs: Sequence[bool | None], read: Read, rows: int
) -> tuple[list[float | None], list[int]]:
    """Return the numbers of the runs, and the rows of those that cannot be read; other sports are not read."""
    numbers: list[float | None] = [None] * rows
    unread = []
    for row, (cell, run) in enumerate(zip(cells, runs, strict=True)):
        if run and not is_blank(cell):
            try:
                numbers[row] = read(cell)
            except ValueError:
                unread.append(row)
    return numbers, unread


def _unit_fault(name: str, activities: list[Activity]) -> Fault:
    seconds = paces(activities)
    if not seconds:
        return Fault(None, (name,), "unit_of_distances_unknown")
    middle = median(seconds)
    named = {"as_km": clock(middle), "as_miles": clock(middle / KM["mi"]), "as_metres": clock(middle / KM["m"])}
    return Fault(None, (name,), "unit_of_distances_open", named)


def table_in(data: bytes) -> Table:
    """Return the table of a CSV file that is in memory.

    Raises
    ------
    InputError
        If it is none.
    """
    text = decode(data, _known())
    if not text.strip():
        raise InputError(Message("roster_empty"))
    lines = text.splitlines(keepends=True)
    # Polar's file of a session has a second table below the first: the samples
    below = next((at for at, line in enumerate(lines[:10]) if at and line.startswith("Sample rate,")), None)
    text = "".join(lines[:below])
    delimiter = delimiter_of(text, _known())
    header, end, _, _ = head_of(text, delimiter, _known(), cut=False)
    rows = [[unguard(cell) for cell in row] for row, _ in records(text[end:], delimiter)]
    width = len(header)
    fits = [len(row) >= width and not any(map(str.strip, row[width:])) for row in rows]
    fitting = {at: row[:width] for at, (row, fit) in enumerate(zip(rows, fits, strict=True)) if fit}
    misfits = tuple(at for at, fit in enumerate(fits) if not fit)
    return Table(tuple(name.strip() for name in header), [*fitting.values()], delimiter != ",", (*fitting,), misfits)


def _table_of(path: Path) -> Table:
    if format_of(path) == CSV:
        with io.FileIO(path) as file:
            return table_in(file.readall())
    source = open_source(path, _known())
    sheet = read_all(source).table
    columns = [texts(column.combine_chunks()).to_pylist() for column in sheet.columns]
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*columns, strict=True)]
    return Table(source.header, rows, source.decimal_comma, tuple(range(len(rows))))


@cache
def _known() -> frozenset[str]:
    """Return names of columns as programs write them; they decide which delimiter is meant, and where the header is."""
    names = {name for role in words()["columns"].values() for name in role} | {"distance_km", "Distance (km)", "Name"}
    return frozenset(names | {name.title() for name in names} | {name.capitalize() for name in names})


__all__ = [
    "USUAL", "Export", "Layout", "Lost", "Reading", "Table", "columns_of", "distance_unit", "is_run", "layout_of",
    "read_export", "reading_of", "table_in", "table_of", "unit_in", "words",
]  # fmt: skip
