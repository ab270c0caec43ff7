"""Training logs that are grids: a row a week and a column a day, or a row a runner and a column a week or a day.

A cell is a distance. A blank cell is a day, or a week, without a run: whoever keeps a grid fills in what was run.
"""

from collections.abc import Callable, Mapping
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


def _weeks_below(table: Table, reading: Reading, days: Mapping[int, int], week: int) -> Export:
    firsts = [_week(cell, reading) for cell in table.column(week)]
    runner = next((at for at, name in enumerate(table.header) if plain(name) in columns_of("runner")), None)
    entries, lost = dict[str, list[Activity]](), list[Lost]()
    read = _grid_reader(table, reading, next(iter(days)))
    for at, (first, whose) in enumerate(zip(firsts, table.column(runner), strict=True)):
        if first is None:
            lost.append(Lost(Fault(at, (table.header[week],), "not_a_date", {"n": 1, "rows": str(at + 1)})))
            continue
        for place, offset in days.items():
            _add(entries, lost, whose, (week_of(first) + offset * _DAY, 1), read, table, at, place)
    return _grid_export(table, entries, lost, next(iter(days)))


def _cells_of(table: Table, reading: Reading, runner: int | None, spans: Mapping[int, date], length: int) -> Export:
    if not length:
        raise InputError(Message("log_faulty"), [Fault(None, (), "grid_uneven")])
    entries, lost = dict[str, list[Activity]](), list[Lost]()
    read = _grid_reader(table, reading, next(iter(spans)))
    for at, whose in enumerate(table.column(runner)):
        for place, first in spans.items():
            _add(entries, lost, whose, (first, length), read, table, at, place)
    return _grid_export(table, entries, lost, next(iter(spans)))


def _grid_reader(table: Table, reading: Reading, at: int) -> Read:
    unit = distance_unit(unit_in(table.header[at])[1]) or reading.units or ""
    if not unit:
        raise InputError(Message("log_faulty"), [Fault(None, (table.header[at],), "unit_of_distances_unknown")])
    return lambda text: KM[unit] * number(text, table.decimal_comma)


def _add(  # noqa: PLR0913, PLR0917
    entries: dict[str, list[Activity]], lost: list[Lost], whose: str, span: tuple[date, int], read: Read, table: Table,
    at: int, place: int,
) -> None:  # fmt: skip
    """Add the activity of a cell of a grid; a blank one is a day, or a week, of rest."""
    cell, (first, days) = table.rows[at][place].strip(), span
    rest = is_blank(cell) or plain(cell) in map(plain, words()["weekdays"]["rest"])
    try:
        km = 0.0 if rest else read(cell)
    except ValueError:
        fault = Fault(at, (table.header[place],), "not_a_distance", {"n": 1, "rows": str(at + 1)})
        lost.append(Lost(fault, first, whose.strip()))
        return
    if is_likely(first):
        start = datetime(first.year, first.month, first.day)
        entries.setdefault(whose.strip(), []).append(Activity(start, False, km > 0, km or None, days=days))


def _grid_export(table: Table, entries: dict[str, list[Activity]], lost: list[Lost], at: int) -> Export:
    rows = [one for activities in entries.values() for one in activities]
    runs = sorted(one.km for one in rows if one.km)
    faults, named = list[Fault](), dict[str, object]()
    if runs and median(runs) > USUAL * (2 if any(one.days > 1 for one in rows) else 1):
        named = {"median": round(median(runs)), "most": round(USUAL)}
        faults.append(Fault(None, (table.header[at],), "distances_unlikely", named))
    if 2 * len(lost) > len(rows):
        named = {"n": len(lost), "rows": rows_shown(sorted({one.fault.row or 0 for one in lost}))}
        faults.append(Fault(None, (table.header[at],), "not_a_distance", named))
    if faults:
        raise InputError(Message("log_faulty"), faults)
    return Export("grid", entries, tuple(lost))


__all__ = ["grid_of"]
