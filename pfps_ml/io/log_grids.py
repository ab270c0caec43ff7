"""Training logs that are grids: a row a week and a column a day, or a row a runner and a column a week or a day.

A cell is a distance. A blank day is one without a run: whoever keeps a grid fills in what was run. Of a blank week
nothing is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median

from pfps_ml.core import Fault, InputError, Message, rows_shown
from pfps_ml.domain.synonyms import plain
from pfps_ml.io.log_cells import is_blank, moments, monday_of, number, week_in, week_of
from pfps_ml.io.log_exports import USUAL, Export, Lost, Reading, Table, columns_of, distance_unit, unit_in, words
from pfps_ml.io.training_load import KM, Activity, is_likely

_DAY = timedelta(days=1)
_GRID = 3  # columns that are weeks, or days, make a grid
_WEEKDAYS = 5
_SPANS = {1: 1, 7: 7}  # days between the columns of a grid, and how many days a cell is about
Read = Callable[[str], float]


def grid_of(table: Table, reading: Reading) -> Export | None:
    """Return a grid of kilometres: a row a week and a column a day, or a row a runner and a column a week or a day."""
    names = [plain(unit_in(name)[0] or name) for name in table.header]
    days = {at: day for at, name in enumerate(names) if (day := _weekday(name)) is not None}
    if len(set(days.values())) >= _WEEKDAYS:
        week = next((at for at, name in enumerate(names) if name in columns_of("week") + columns_of("date")), None)
        return _weeks_below(table, reading, days, week) if week is not None else None
    starts, _ = moments(list(table.header), utc=False, day_first=reading.day_first)
    spans = {at: moment[0].date() for at, moment in enumerate(starts) if moment}
    if len(spans) < _GRID:
        firsts = {at: _week(name, reading) for at, name in enumerate(table.header)}
        spans = {at: day for at, day in firsts.items() if day is not None}
    if len(spans) < _GRID:
        return None
    step = min(
        (later - first).days for first, later in zip(sorted(spans.values()), sorted(spans.values())[1:], strict=False)
    )
    runner = next((at for at, name in enumerate(names) if at not in spans and name in columns_of("runner")), None)
    runner = (
        min(at for at in range(len(names)) if at not in spans) if runner is None and len(names) > len(spans) else runner
    )
    return _cells_of(table, reading, runner, spans, _SPANS.get(step, 0))


def _weekday(name: str) -> int | None:
    return next((at for at, names in enumerate(words()["weekdays"]["names"]) if name in map(plain, names)), None)


def _week(text: str, reading: Reading) -> date | None:
    """Return the first day of the week that a text names."""
    named = week_in(text)
    if named is None:
        [moment], _ = moments([text], utc=False, day_first=reading.day_first)
        return moment and moment[0].date()
    year = named[0] or reading.year
    if year is None:
        raise InputError(Message("log_faulty"), [Fault(None, (), "weeks_without_year")])
    return monday_of(year, named[1])


@dataclass(frozen=True)
class _Cells:
    """What the cells of a grid say: the entries of each runner, and what cannot be read."""

    table: Table
    read: Read
    entries: dict[str, list[Activity]] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def add(self, whose: str, span: tuple[date, int], at: int, place: int) -> None:
        """Add the activity of a cell: a blank day is one of rest, a blank week is a week of which nothing is known."""
        cell, (first, days) = self.table.rows[at][place].strip(), span
        blank = is_blank(cell)
        rest = blank or plain(cell) in map(plain, words()["weekdays"]["rest"])
        try:
            km = 0.0 if rest else self.read(cell)
        except ValueError:
            self.lose(at, place, whose, first)
            return
        if is_likely(first):
            start, run = datetime(first.year, first.month, first.day), km > 0 or (blank and days > 1)
            self.entries.setdefault(whose.strip(), []).append(Activity(start, False, run, km or None, days=days))

    def lose(self, at: int, place: int, whose: str = "", first: date | None = None) -> None:
        code = "not_a_distance" if first else "not_a_date"
        row = self.table.numbers[at]
        fault = Fault(row, (self.table.header[place],), code, {"n": 1, "rows": str(row + 1)})
        self.lost.append(Lost(fault, first, whose.strip()))

    def export(self, at: int) -> Export:
        """Return the grid as a log; `at` is a column of distances, which is named if they cannot be."""
        rows = [one for activities in self.entries.values() for one in activities]
        runs = [one.km / one.days for one in rows if one.km]
        faults, name = list[Fault](), (self.table.header[at],)
        if runs and median(runs) > USUAL:
            faults.append(
                Fault(None, name, "distances_unlikely", {"median": round(median(runs)), "most": round(USUAL)})
            )
        if 2 * len(self.lost) > len(rows):
            wrong = sorted({one.fault.row or 0 for one in self.lost})
            faults.append(Fault(None, name, "not_a_distance", {"n": len(self.lost), "rows": rows_shown(wrong)}))
        if faults:
            raise InputError(Message("log_faulty"), faults)
        misfits = (Lost(Fault(at, (), "row_of_other_columns", {"rows": str(at + 1)})) for at in self.table.misfits)
        return Export("grid", self.entries, (*self.lost, *misfits))


def _weeks_below(table: Table, reading: Reading, days: Mapping[int, int], week: int) -> Export:
    runner = next((at for at, name in enumerate(table.header) if plain(name) in columns_of("runner")), None)
    cells = _Cells(table, _reader(table, reading, next(iter(days))))
    for at, (text, whose) in enumerate(zip(table.column(week), table.column(runner), strict=True)):
        first = _week(text, reading)
        if first is None:
            cells.lose(at, week, whose)
            continue
        for place, offset in days.items():
            cells.add(whose, (week_of(first) + offset * _DAY, 1), at, place)
    return cells.export(next(iter(days)))


def _cells_of(table: Table, reading: Reading, runner: int | None, spans: Mapping[int, date], length: int) -> Export:
    if not length:
        raise InputError(Message("log_faulty"), [Fault(None, (), "grid_uneven")])
    cells = _Cells(table, _reader(table, reading, next(iter(spans))))
    for at, whose in enumerate(table.column(runner)):
        for place, first in spans.items():
            cells.add(whose, (first, length), at, place)
    return cells.export(next(iter(spans)))


def _reader(table: Table, reading: Reading, at: int) -> Read:
    unit = distance_unit(unit_in(table.header[at])[1]) or reading.units or ""
    if not unit:
        raise InputError(Message("log_faulty"), [Fault(None, (table.header[at],), "unit_of_distances_unknown")])
    return lambda text: KM[unit] * number(text, table.decimal_comma)


__all__ = ["grid_of"]
