"""The table on a sheet of a workbook: its header, wherever that stands, and the rows below it.

Columns whose cells are all of one kind (numbers, dates, truth values) keep it; all others are text, cell by cell.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from pfps_ml.core.errors import Fault, InputError
from pfps_ml.core.messages import Message
from pfps_ml.io.cells import unguard
from pfps_ml.io.column_matching import HEAD_ROWS, header_at, surely_named
from pfps_ml.io.xlsx_archive import UNCALCULATED, Book, Row, Tab, opened_book, place_of

_WHOLE = 2**53  # below it, every whole number is a float, too
_TABLE = 2  # names that make a sheet look like a roster


@dataclass(frozen=True)
class Table:
    """The table of a sheet.

    Attributes
    ----------
    names
        The columns' names, in order.
    above
        How many rows with something in them stand above the header, and are no part of the table.
    """

    sheet: str
    names: tuple[str, ...]
    table: Any
    faults: tuple[Fault, ...]
    above: int


def read_table(path: Path, known: frozenset[str], sheet: str | None = None) -> Table:
    """Read the table of a workbook.

    Parameters
    ----------
    path
        An .xlsx or .xlsm file.
    known
        Names of columns to expect; they decide which row is the header, and which sheet is read.
    sheet
        The name of the sheet; hidden ones are read only if named.

    Raises
    ------
    InputError
        If the workbook cannot be read, more than one sheet looks like a roster, or cells were never calculated.
    """
    with opened_book(path) as book:
        tab = _named_tab(book, sheet) if sheet is not None else _roster_tab(book, known)
        merged = list[str]()
        rows = list(book.rows(tab, merged))
    if not rows:
        raise InputError(Message("sheet_empty", {"sheet": tab.name}))
    return _table(tab.name, rows, known, merged)


def text_of(value: object) -> str | None:
    """Return one cell as text; a number as short as it can be written without being another one."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else repr(value)
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else unguard(value) if isinstance(value, str) else str(value)


def _named_tab(book: Book, sheet: str) -> Tab:
    for tab in book.tabs:
        if tab.name.strip().casefold() == sheet.strip().casefold():
            return tab
    raise InputError(Message("sheet_missing", {"sheet": sheet, "sheets": _names(book.tabs)}))


def _roster_tab(book: Book, known: frozenset[str]) -> Tab:
    """Return the only sheet that looks like a roster, or the first that has anything on it."""
    shown = [tab for tab in book.tabs if tab.shown]
    heads = {tab: [_texts(row) for row in islice(book.rows(tab, []), HEAD_ROWS)] for tab in shown}
    like = [tab for tab, rows in heads.items() if rows and _looks_like_a_roster(rows, known)]
    if len(like) > 1:
        raise InputError(Message("sheets_ambiguous", {"count": len(like), "sheets": _names(like)}))
    filled = [tab for tab, rows in heads.items() if rows]
    if not filled:
        hidden = _names(tab for tab in book.tabs if not tab.shown)
        raise InputError(Message("sheets_hidden", {"sheets": hidden}) if hidden else Message("workbook_empty"))
    return (like or filled)[0]


def _looks_like_a_roster(rows: list[list[str]], known: frozenset[str]) -> bool:
    header = rows[header_at(rows, known)]
    return len({cell if cell in known else surely_named(cell) for cell in header} - {None}) >= _TABLE


def _names(tabs: Iterable[Tab]) -> list[str]:
    return [repr(tab.name) for tab in tabs]


def _table(sheet: str, rows: Sequence[Row], known: frozenset[str], merged: list[str]) -> Table:
    at = header_at([_texts(row) for row in rows[:HEAD_ROWS]], known)
    areas = [area for ref in merged if (area := _area(ref))]
    head = _head(rows, at, areas)
    below = [row for row in rows[at + 1 :] if any(text.strip() for text in _texts(row))]
    places = sorted({place for row in below for place, cell in row.cells.items() if cell != ""} | set(head))
    _refuse_uncalculated(rows[at:], places)
    names = tuple(head.get(place) or f"column_{number}" for number, place in enumerate(places, start=1))
    columns = [_column([row.cells.get(place) for row in below]) for place in places]
    return Table(sheet, names, pa.Table.from_arrays(columns, list(names)), tuple(_merged(below, areas, places)), at)


def _head(rows: Sequence[Row], at: int, areas: list[tuple[int, int, int, int]]) -> dict[int, str]:
    """Return the names in the header row, with those of cells that reach down into it from above."""
    cells, number = dict(rows[at].cells), rows[at].number
    by_number = {row.number: row.cells for row in rows[: at + 1]}
    for left, top, right, bottom in areas:
        if left == right and top < number <= bottom:
            cells.setdefault(left, by_number.get(top, {}).get(left, ""))
    return {place: name for place, cell in cells.items() if (name := (text_of(cell) or "").strip())}


def _merged(rows: Sequence[Row], areas: list[tuple[int, int, int, int]], places: list[int]) -> Iterable[Fault]:
    if not areas:
        return
    for at, row in enumerate(rows):
        if any(top <= row.number <= bottom and _reaches(left, right, places) for left, top, right, bottom in areas):
            yield Fault(at, (), "merged_cells")


def _reaches(left: int, right: int, places: list[int]) -> bool:
    return any(left <= place <= right for place in places)


def _area(ref: str) -> tuple[int, int, int, int] | None:
    """Return the left, top, right and bottom of an area such as B2:C5."""
    first, _, last = ref.partition(":")
    start, end = place_of(first), place_of(last)
    return (*start, *end) if start and end else None


def _refuse_uncalculated(rows: Sequence[Row], places: list[int]) -> None:
    formulas = sum(row.cells.get(place) is UNCALCULATED for row in rows for place in places)
    if formulas:
        raise InputError(Message("formulas_uncalculated", {"n": formulas}))


def _texts(row: Row) -> list[str]:
    return [text_of(cell) or "" for _, cell in sorted(row.cells.items())]


def _column(cells: list[Any]) -> Any:
    kinds = {type(cell) for cell in cells if cell is not None and cell != ""}
    values = [None if cell == "" else cell for cell in cells]
    if kinds == {float} and all(value is None or (value.is_integer() and abs(value) < _WHOLE) for value in values):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    if len(kinds) == 1 and kinds <= {float, bool, dt.date, dt.datetime}:
        return pa.array(values)
    return pa.array([text_of(cell) or "" for cell in cells], pa.string())


__all__ = ["Table", "read_table", "text_of"]
