"""Tables in workbooks: the table on a sheet, the scored roster as a sheet, and an empty roster to fill in.

A table is read from its header, wherever that stands, and the rows below it. Columns whose cells are all of one kind
(numbers, dates, truth values) keep it; all others are text, cell by cell. What is written has the same bytes for the
same rows whenever it is written. The empty roster has lists to choose from, the limits of each field, and what each
cell is.
"""

import datetime as dt
import io
import math
import re
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pfps_ml.core import Fault, InputError, Message, OutputError, TooLarge
from pfps_ml.domain import INPUTS, Field
from pfps_ml.domain.synonyms import is_summary
from pfps_ml.io.cells import check_columns, check_grid, check_rows, guarded, limits, texts, unguard
from pfps_ml.io.column_matching import HEAD_ROWS, header_at, joined_header, surely_named, upper_header
from pfps_ml.io.xlsx_archive import UNCALCULATED, Book, Row, Tab, opened_book, place_of

if TYPE_CHECKING:
    from openpyxl import Workbook

_WHOLE = 2**53  # below it, every whole number is a float, too
UNCALCULATED_MARK = "#FORMULA "  # before the place of a formula that was never calculated
_COMPARED = 200  # cells of a header that are compared with other words for our fields
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
    no_runners
        The rows that are no runner, by their number on the sheet: a second row of names, an average, a total.
    """

    sheet: str
    names: tuple[str, ...]
    table: Any
    faults: tuple[Fault, ...]
    above: int
    no_runners: tuple[tuple[int, str], ...] = ()


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
        If the workbook cannot be read, or more than one sheet looks like a roster.
    """
    with opened_book(path) as book:
        tab = _named_tab(book, sheet) if sheet is not None else _roster_tab(book, known)
        merged = list[str]()
        rows = list(book.rows(tab, merged))
    if not rows:
        raise InputError(Message("sheet_empty", {"sheet": tab.name}))
    if form := _form(rows):
        rows, merged = form, []
    return _table(tab.name, rows, known, merged)


FORM_MARK = "pfps-form/1"  # in the hidden column of a form, above the names of the fields
FORM_ANSWERS = 4  # columns before the first answer


def _form(rows: Sequence[Row]) -> list[Row]:
    """Return the answers of a form, a question a row, as the rows of a roster; none if the sheet is no form."""
    top = next((at for at, row in enumerate(rows) if row.cells.get(0) == FORM_MARK), None)
    if top is None:
        return []
    questions = [row for row in rows[top + 1 :] if isinstance(row.cells.get(0), str) and row.cells[0] in _FIELDS]
    places = sorted({place for row in questions for place in row.cells if place >= FORM_ANSWERS})
    header = Row(1, {at: row.cells[0] for at, row in enumerate(questions)})
    answers = [
        Row(place + 1, {at: row.cells[place] for at, row in enumerate(questions) if place in row.cells})
        for place in places
    ]
    return [header, *answers]


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
    shown, most, looked_at = [tab for tab in book.tabs if tab.shown], limits().glimpsed, 0
    heads = dict[Tab, list[list[str]]]()
    for tab in shown:
        heads[tab] = [_texts(row) for row in islice(book.rows(tab, []), HEAD_ROWS)]
        looked_at += sum(map(len, heads[tab]))
        if looked_at > most:
            raise TooLarge(Message("sheets_too_large", {"most": most}))
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
    return len({cell if cell in known else surely_named(cell) for cell in header[:_COMPARED]} - {None}) >= _TABLE


def _names(tabs: Iterable[Tab]) -> list[str]:
    return [repr(tab.name) for tab in tabs]


def _table(sheet: str, rows: Sequence[Row], known: frozenset[str], merged: list[str]) -> Table:
    at = header_at([_texts(row) for row in rows[:HEAD_ROWS]], known)
    areas = [area for ref in merged if (area := _area(ref))]
    head, second = _head(rows, at, areas)
    filled = [row for row in rows[at + 1 + second :] if any(text.strip() for text in _texts(row))]
    sums = [(row.number, text) for row in filled if (text := _summary_in(row, head))]
    below = [row for row in filled if row.number not in dict(sums)]
    places = sorted({place for row in below for place, cell in row.cells.items() if cell != ""} | set(head))
    check_rows(len(below))
    check_columns(len(places))
    check_grid(len(below), len(places))
    for row in below:
        _name_uncalculated(sheet, row)
    names = tuple(head.get(place) or f"column_{number}" for number, place in enumerate(places, start=1))
    columns = list(_columns(below, places))
    no_runners = ([(rows[at + 1].number, " ".join(_texts(rows[at + 1])).strip())] if second else []) + sums
    return Table(
        sheet, names, pa.Table.from_arrays(columns, list(names)), tuple(_merged(below, areas, places)), at,
        tuple(no_runners),
    )  # fmt: skip


def _head(rows: Sequence[Row], at: int, areas: list[tuple[int, int, int, int]]) -> tuple[dict[int, str], bool]:
    """Return the names of the columns, and whether the row below the header is a second row of it.

    A merged cell's name is that of each of its columns, and reaches down into the header from above.
    """
    cells, number = dict(rows[at].cells), rows[at].number
    by_number = {row.number: row.cells for row in rows[: at + 1]}
    for left, top, right, bottom in areas:
        if left == right and top < number <= bottom:
            cells.setdefault(left, by_number.get(top, {}).get(left, ""))
    width = 1 + max(
        (*cells, *(rows[at + 1].cells if at + 1 < len(rows) else ()), *_right_ends(areas, number)), default=0
    )
    header, spread = _spread(cells, areas, number, width)
    if at:
        above, _ = _spread(dict(rows[at - 1].cells), areas, rows[at - 1].number, width)
        header = upper_header(above, header)
    below = rows[at + 1].cells if at + 1 < len(rows) else {}
    figures = any(not isinstance(cell, str) for cell in below.values() if cell is not None)
    joined = (
        None if figures else joined_header(header, [text_of(below.get(place)) or "" for place in range(width)], spread)
    )
    names = joined or [
        f"{name} ({header[: place + 1].count(name)})" if place in spread and name in header[:place] else name
        for place, name in enumerate(header)
    ]
    return {place: name.strip() for place, name in enumerate(names) if name.strip()}, joined is not None


def _right_ends(areas: list[tuple[int, int, int, int]], number: int) -> list[int]:
    return [right for _, top, right, bottom in areas if top <= number <= bottom]


def _spread(
    cells: dict[int, Any], areas: list[tuple[int, int, int, int]], number: int, width: int
) -> tuple[list[str], set[int]]:
    """Return a row's texts, with those of its merged cells in each of their columns, and the places of these."""
    texts_ = [(text_of(cells.get(place)) or "").strip() for place in range(width)]
    spread = set[int]()
    for left, top, right, bottom in areas:
        if left < right and top <= number <= bottom and right < width and right - left < width - 1:
            for place in range(left, right + 1):
                texts_[place] = texts_[place] or texts_[left]
                spread.add(place)
    return texts_, spread


def _summary_in(row: Row, head: dict[int, str]) -> str:
    """Return the word with which a row sums the others up, such as Average; blank if it is a runner's."""
    word = next((cell for cell in row.cells.values() if isinstance(cell, str) and is_summary(cell)), "")
    fields = {place: named.field for place, name in head.items() if (named := surely_named(name))}
    of_runner = [row.cells.get(place) for place, field in fields.items() if field in ("runner_id", "sex")]
    return "" if any(cell not in (None, "", word) for cell in of_runner) else word


def _name_uncalculated(sheet: str, row: Row) -> None:
    """Put the place of a formula that was never calculated in its stead, so that its cell alone is a fault."""
    for place, cell in row.cells.items():
        if cell is UNCALCULATED:
            row.cells[place] = f"{UNCALCULATED_MARK}{sheet}!{_letters(place)}{row.number}"


def _letters(place: int) -> str:
    return (_letters(place // 26 - 1) if place >= 26 else "") + chr(65 + place % 26)


def _merged(rows: Sequence[Row], areas: list[tuple[int, int, int, int]], places: list[int]) -> Iterable[Fault]:
    """Return a fault for each row that a merged area reaches: few rows may stand beside very many areas."""
    numbers = np.array([row.number for row in rows], dtype=np.float64)  # a number may have any length
    order, change = np.argsort(numbers, kind="stable"), np.zeros(len(rows) + 1, dtype=np.int64)
    reaching = [(top, bottom) for left, top, right, bottom in areas
                if top <= bottom and bisect_left(places, left) < bisect_right(places, right)]  # fmt: skip
    tops, bottoms = np.array(reaching, dtype=np.float64).reshape(-1, 2).T
    np.add.at(change, np.searchsorted(numbers, tops, "left", order), 1)
    np.add.at(change, np.searchsorted(numbers, bottoms, "right", order), -1)
    inside = order[np.cumsum(change[:-1]) > 0]
    return [Fault(int(at), (), "merged_cells") for at in sorted(inside)]


def _area(ref: str) -> tuple[int, int, int, int] | None:
    """Return the left, top, right and bottom of an area such as B2:C5."""
    first, _, last = ref.partition(":")
    start, end = place_of(first), place_of(last)
    return (*start, *end) if start and end else None


def _texts(row: Row) -> list[str]:
    return [text_of(cell) or "" for _, cell in sorted(row.cells.items())]


def _columns(rows: Sequence[Row], places: Iterable[int]) -> Iterator[Any]:
    """Yield the columns at some places; what is blank, as most cells of a wide table are, costs little."""
    filled: dict[int, list[tuple[int, Any]]] = {}
    for at, row in enumerate(rows):
        for place, cell in row.cells.items():
            filled.setdefault(place, []).append((at, cell))
    for place in places:
        cells: list[Any] = [None] * len(rows)
        for at, cell in filled.get(place, ()):
            cells[at] = cell
        yield _column(cells)


def _column(cells: list[Any]) -> Any:
    kinds = {type(cell) for cell in cells if cell is not None and cell != ""}
    values = [None if cell == "" else cell for cell in cells]
    if kinds == {float} and all(value is None or (value.is_integer() and abs(value) < _WHOLE) for value in values):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    if len(kinds) == 1 and kinds <= {float, bool, dt.date, dt.datetime}:
        return pa.array(values)
    return pa.array(["" if cell is None else text_of(cell) or "" for cell in cells], pa.string())


MAX_ROWS = 100_000  # a spreadsheet opens no more in comfort
LONGEST = 32_767  # characters of a cell, which is all that a spreadsheet holds
_FIELDS = frozenset(field.name for field in INPUTS)
_NUMBERS = frozenset(field.name for field in INPUTS if field.kind in ("number", "whole"))
_DIGITS = 10**15  # a whole number of more is rounded
_FIRST_YEAR = 1900  # of a spreadsheet's calendar, which has one day too many
_DAY = dt.datetime(2000, 1, 1)
_STAMPS = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
# what XML cannot hold, and what a reader would take for an escape
_UNSAYABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")


def write_book(file: BinaryIO, parts: Iterable[Any]) -> None:
    """Write tables, one below the other, as the only sheet of a workbook.

    Numbers, dates and truth values are written as such, and text that is a plain number as a number; text that a
    spreadsheet would run gets an apostrophe.

    Raises
    ------
    OutputError
        If there are more rows, or longer texts, than a spreadsheet holds.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("roster")
    sheet.freeze_panes = "B2"
    try:
        _fill(sheet, parts)
    except BaseException:
        book.save(io.BytesIO())  # or a file with all rows so far would stay behind in the temporary folder
        raise
    file.write(settled_book(book))


def settled_book(book: "Workbook") -> bytes:
    """Return the bytes of a workbook, which do not tell when it was written."""
    book.properties.created = _DAY
    draft, content = io.BytesIO(), io.BytesIO()
    book.save(draft)
    with zipfile.ZipFile(draft) as before, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            data = before.read(name)
            if name == "docProps/core.xml":
                data = _STAMPS.sub(rb"\g<1>2000-01-01T00:00:00Z", data)
            entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            after.writestr(entry, data)
    return content.getvalue()


def _fill(sheet: Any, parts: Iterable[Any]) -> None:
    rows = 0
    for number, part in enumerate(parts):
        if number == 0:
            sheet.append([_cell_of_text(name) for name in part.column_names])
        rows += part.num_rows
        if rows > MAX_ROWS:
            raise OutputError(Message("workbook_rows", {"most": MAX_ROWS}))
        for row in _rows(part):
            sheet.append(row)


def _rows(table: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table, some thousand at a time."""
    for start in range(0, table.num_rows, 4_096):
        part = table.slice(start, 4_096)
        columns = zip(part.column_names, part.columns, strict=True)
        yield from zip(*(_cells(column.combine_chunks(), name in _NUMBERS) for name, column in columns), strict=True)


def _cells(column: Any, number: bool) -> list[Any]:
    kind = column.type
    if any(test(kind) for test in (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_date32)):
        return [_typed(cell) for cell in column.to_pylist()]
    if pa.types.is_timestamp(kind) and kind.tz is None and kind.unit != "ns":
        return [_typed(cell) for cell in column.to_pylist()]
    plain = column.dictionary_decode() if pa.types.is_dictionary(kind) else column
    return [
        _cell_of_text(cell, number) if cell else None for cell in guarded(pc.fill_null(texts(plain), "")).to_pylist()
    ]


def _typed(cell: Any) -> Any:
    """Return what a spreadsheet keeps as it is, and anything else as text."""
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None if math.isnan(cell) else str(cell)
    if isinstance(cell, dt.date):
        exact = cell.year > _FIRST_YEAR and not getattr(cell, "microsecond", 0)
        return cell if exact else str(cell)
    return cell if cell is None or abs(cell) < _DIGITS else str(cell)


def _cell_of_text(text: str, number: bool = False) -> str | int | float:
    """Return a text, or the number that it is: as it would be written again, or however it is if it shall be one."""
    if len(text) > LONGEST:
        raise OutputError(Message("workbook_text_too_long", {"most": LONGEST}))
    if _NUMBER.fullmatch(text) and (number or text_of(float(text)) == text):
        return float(text) if "." in text else int(text)
    return _UNSAYABLE.sub(lambda mark: f"_x{ord(mark[0]):04X}_", text)


HEADER = 5  # the row of the names; what stands above it explains them, and is not read
_ROWS = 5_000  # below the header, that have lists and limits
_EXAMPLE: dict[str, str | float] = {
    "months_free_this_season": 4,
    "runner_id": "R-001", "club": "first team", "age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61.5,
    "running_experience_years": 4, "weekly_distance_km": 32, "sessions_per_week": 4, "longest_run_spike_pct": 15,
    "weekly_change_pct": 10, "step_rate_spm": 172, "hip_abduction_nm_kg": 1.45, "hip_external_rotation_nm_kg": 0.6,
    "knee_extension_nm_kg": 2.6, "foot_posture_index": 3, "navicular_drop_mm": 6.5, "squat_fppa_deg": 8,
}  # fmt: skip


def template_book() -> bytes:
    """Return the workbook: above the names, in grey, what each is, its limits, who can tell it, and an example."""
    from openpyxl import Workbook

    # merged

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "roster"
    for place, field in enumerate(INPUTS, start=1):
        _write_column(sheet, place, field)
    sheet.freeze_panes = sheet.cell(HEADER + 1, 2)
    return settled_book(book)


def _write_column(sheet: Any, place: int, field: Field) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    letter = get_column_letter(place)
    required = "required" if field.required else f"may be blank; from: {field.obtained}"
    for row, text in enumerate((field.label, field.limits, required, _example(field)), start=1):
        cell = sheet.cell(row, place, text)
        cell.font, cell.alignment = Font(color="808080", italic=row == HEADER - 1), Alignment(wrap_text=True)
    head = sheet.cell(HEADER, place, field.name)
    head.font = Font(bold=True)
    head.comment = Comment(f"{field.question}\n\n{field.meaning}\n\nExpected: {field.limits}.", "pfps-ml", width=320)
    sheet.column_dimensions[letter].width = max(len(field.name) + 2, 12)
    if field.kind != "text":
        sheet.add_data_validation(answer_rule(field, f"{letter}{HEADER + 1}:{letter}{HEADER + _ROWS}"))


def answer_rule(field: Field, cells: str) -> Any:
    """Return what a spreadsheet checks while somebody fills cells in: a list of levels, or the limits of a number."""
    from openpyxl.worksheet.datavalidation import DataValidation

    limits: dict[str, Any] = {"type": "decimal", "operator": "between", "formula1": field.low, "formula2": field.high}
    if field.kind == "whole":
        limits["type"] = "whole"
    if field.kind == "choice":
        limits = {"type": "list", "formula1": f'"{",".join(field.levels)}"'}
    rule = DataValidation(**limits, allow_blank=True, showErrorMessage=True, showInputMessage=True)
    rule.error, rule.errorTitle = f"Expected {field.limits}, or nothing.", field.label
    rule.prompt, rule.promptTitle = field.question[:255], field.label[:32]
    rule.add(cells)
    return rule


def _example(field: Field) -> str | float | None:
    if field.asked == "visit":
        return None
    return _EXAMPLE.get(field.name, field.levels[0] if field.levels else None)


__all__ = [
    "FORM_ANSWERS", "FORM_MARK", "HEADER", "LONGEST", "MAX_ROWS", "UNCALCULATED_MARK", "Table", "answer_rule",
    "read_table", "settled_book", "template_book", "text_of", "write_book",
]  # fmt: skip
