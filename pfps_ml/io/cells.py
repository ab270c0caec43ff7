"""The cells of a table as text: what each type becomes, and what a spreadsheet must not run as a formula.

A cell that a spreadsheet would run is written with a leading apostrophe, which is taken off when it is read.

The limits of a file that is read: a small file may say that it becomes a very large table.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pfps_ml.core import Message, TooLarge

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"'*[+-](\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
_PLAIN_NUMBER = r"^[+-](\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$"  # in ASCII, as nearly all are
_ROWS = 8_192  # turned into lines at once: they stay in the cache, and far from the 2 GB that a column may hold


@dataclass(frozen=True)
class Limits:
    """The most that a roster file may hold, checked while it is read: the one home of these figures.

    Attributes
    ----------
    columns
        Columns of any file.
    cell
        Characters of one cell, which is 30 times what a spreadsheet holds.
    row
        Bytes of one row of CSV: an unclosed quote would otherwise take the rest of the file into memory.
    rows
        Rows of any file; None is no limit. A service sets one, and the command line reads rosters of any length.
    lines
        Lines of a CSV file: those of cells with several lines and blank ones count, too. None is no limit.
    faults
        Cells of a piece that cannot be read. None is no limit.
    grid
        Cells of a piece that is in memory, filled or blank: its rows times its columns.
    characters
        Bytes of text of a piece of Parquet that is in memory; a text that is stored once counts in every row.
    footer
        Bytes in which a Parquet file describes its columns and row groups.
    groups, chunks
        Row groups of a Parquet file, and row groups times columns: each is described by itself.
    mapping
        Bytes of a map of columns.
    book, entries, sheets
        Of a workbook: bytes on the disk, parts of its archive, and sheets.
    sheet, strings, part
        Bytes of a workbook's sheet, of its shared texts, and of any other part, once unpacked.
    unpacked
        Bytes that are unpacked of one workbook in all; a sheet that is read twice counts twice.
    cells
        Filled cells of a sheet: 40,000 runners with every field.
    texts
        Texts that the cells of a workbook share.
    tags
        Tags of XML in a sheet, or in the shared texts, those of blank cells and rows, too: counted before any is read.
    elements
        Elements of XML in a sheet, or in the shared texts, without blank cells and rows.
    idle
        Elements beyond four for each filled cell or shared text, attributes too: what is read and is no cell.
    markup
        Bytes of XML beyond 200 for each filled cell or shared text and beyond its text.
    glimpsed
        Filled cells of all sheets of a workbook together that are looked at to find the one with the roster.
    formats
        Formats of numbers that a workbook declares.
    described
        Elements of XML in any other part of a workbook.
    depth
        How deep elements of XML stand in each other.
    log, export
        Bytes of one recording or table of a training log, and of all that is read of one archive, once unpacked.
    """

    columns: int = 2_000
    cell: int = 1 << 20
    row: int = 1 << 24
    rows: int | None = None
    lines: int | None = None
    faults: int | None = None
    grid: int = 1 << 23
    characters: int = 1 << 28
    footer: int = 1 << 25
    groups: int = 20_000
    chunks: int = 1_000_000
    mapping: int = 1_000_000
    book: int = 64_000_000
    entries: int = 10_000
    sheets: int = 255
    sheet: int = 512_000_000
    strings: int = 64_000_000
    part: int = 8_000_000
    unpacked: int = 1_200_000_000
    cells: int = 1_500_000
    texts: int = 1_500_000
    tags: int = 60_000_000
    elements: int = 6_000_000
    idle: int = 1_500_000
    markup: int = 128_000_000
    glimpsed: int = 300_000
    formats: int = 4_000
    described: int = 400_000
    depth: int = 64
    log: int = 1 << 26
    export: int = 1 << 32


_EVERYWHERE = Limits()
_LIMITS: ContextVar[Limits | None] = ContextVar("limits", default=None)


def limits() -> Limits:
    """Return the limits that hold here."""
    return _LIMITS.get() or _EVERYWHERE


@contextmanager
def limited(**changes: int) -> Iterator[None]:
    """Let other limits hold inside a `with`; those that are not named stay."""
    token = _LIMITS.set(replace(limits(), **changes))
    try:
        yield
    finally:
        _LIMITS.reset(token)


def check_rows(rows: int) -> None:
    """Refuse more rows than a file may have here.

    Raises
    ------
    TooLarge
        If there are.
    """
    most = limits().rows
    if most is not None and rows > most:
        raise TooLarge(Message("too_many_rows", {"most": most}))


def check_columns(columns: int) -> None:
    """Refuse more columns than a file may have.

    Raises
    ------
    TooLarge
        If there are.
    """
    if columns > limits().columns:
        raise TooLarge(Message("too_many_columns", {"most": limits().columns, "columns": columns}))


def check_grid(rows: int, columns: int) -> None:
    """Refuse a table of more cells, filled or blank, than may be in memory at once.

    Raises
    ------
    TooLarge
        If there are.
    """
    if rows * columns > limits().grid:
        raise TooLarge(Message("table_too_large", {"most": limits().grid, "rows": rows, "columns": columns}))


def check_faults(faults: int) -> None:
    """Refuse a piece of which more cells cannot be read than are worth naming one by one.

    Raises
    ------
    TooLarge
        If there are.
    """
    most = limits().faults
    if most is not None and faults > most:
        raise TooLarge(Message("too_many_unread_cells", {"most": most}))


@dataclass(frozen=True)
class Dialect:
    """How a CSV file writes its cells, so that the answer opens in the program that the question came from."""

    delimiter: str = ","
    decimal: str = "."
    bom: bool = False


def texts(column: Any) -> Any:
    """Return an Arrow column as text, cell by cell, so that a cell never depends on its neighbours; null stays null.

    A duration carries its unit (`90 s`): a bare number would be read as one.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    if pa.types.is_duration(kind):
        return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), kind.unit, " ")
    try:
        return column.cast(pa.string())
    except (pa.ArrowException, UnicodeDecodeError):
        return pa.array([None if cell is None else _text(cell) for cell in column.to_pylist()], pa.string())


def csv_lines(table: Any, dialect: Dialect) -> Iterator[bytes]:
    """Yield the rows of a table as CSV, some thousand rows at a time."""
    for start in range(0, table.num_rows, _ROWS):
        rows = table.slice(start, _ROWS).combine_chunks()
        cells = [_cells(column.combine_chunks(), dialect) for column in rows.columns]
        if len(cells) == 1:  # an empty line would be no row
            cells = [pc.replace_substring_regex(cells[0], "^$", '""')]
        cells[-1] = pc.binary_join_element_wise(cells[-1], "\n", "")
        yield _bytes(pc.binary_join_element_wise(*cells, dialect.delimiter))


def csv_header(names: list[str], dialect: Dialect) -> bytes:
    """Return the first line of a CSV file, with UTF-8's mark if the dialect has one."""
    row = pa.Table.from_arrays([pa.array([name]) for name in names], [str(place) for place in range(len(names))])
    return b"\xef\xbb\xbf" * dialect.bom + b"".join(csv_lines(row, dialect))


def guarded(column: Any) -> Any:
    """Return a text column with an apostrophe before each cell that a spreadsheet would run."""
    return _changed(column, b"'=+-@\t\r", lambda cell: "'" + cell if _would_run(cell) else cell)


def unguarded(column: Any) -> Any:
    """Return a text column without the apostrophes that keep a spreadsheet from running its cells."""
    return _changed(column, b"'", lambda cell: cell[1:] if _would_run(cell) else cell)


def unguard(cell: str) -> str:
    """Return one cell without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and _would_run(cell) else cell


def _text(cell: object) -> str:
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return str(cell)
    return str(cell)


def _cells(column: Any, dialect: Dialect) -> Any:
    """Return the cells of a column as they are written: numbers in the dialect, text guarded and quoted."""
    if pa.types.is_dictionary(column.type):
        if column.dictionary.null_count or pa.types.is_nested(column.type.value_type):
            return _cells(column.dictionary_decode(), dialect)
        distinct = _cells(column.dictionary, dialect)  # the work is done once for each distinct text
        return pc.fill_null(pa.DictionaryArray.from_arrays(column.indices, distinct).cast(pa.string()), "")
    cells = pc.fill_null(texts(column), "")
    if pa.types.is_floating(column.type):
        cells = cells if dialect.decimal == "." else pc.replace_substring(cells, ".", dialect.decimal)
    else:
        cells = guarded(cells)
    return _quoted(cells, dialect.delimiter)


def _would_run(cell: str) -> bool:
    return _RUNS.match(cell) is not None and _NUMBER.fullmatch(cell) is None


def _quoted(cells: Any, delimiter: str) -> Any:
    """Quote the cells that hold a delimiter, a quote or the end of a line."""
    content = _bytes(cells)
    if not any(mark in content for mark in (delimiter.encode(), b'"', b"\r", b"\n")):
        return cells
    special = pc.match_substring_regex(cells, rf'[{delimiter}"\r\n]')
    doubled = pc.replace_substring(cells, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), cells)


def _changed(column: Any, first: bytes, change: Callable[[str], str]) -> Any:
    """Change the cells that begin with one of some characters, leaving plain negative numbers alone."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    suspects = np.flatnonzero(_begins_with(column, first))
    if not len(suspects):
        return column
    cells = column.take(pa.array(suspects))
    rows = suspects[~pc.match_substring_regex(cells, _PLAIN_NUMBER).to_numpy(zero_copy_only=False)]
    if not len(rows):
        return column
    changed = pa.array([change(cell) for cell in column.take(pa.array(rows)).to_pylist()], pa.string())
    mask = np.zeros(len(column), dtype=bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), changed)


def _begins_with(column: Any, first: bytes) -> Any:
    """Return which cells begin with one of some bytes."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    filled = ends[1:] > ends[:-1]
    begins = np.zeros(len(column), dtype=bool)
    if data is not None and filled.any():
        first_bytes = np.zeros(256, dtype=bool)
        first_bytes[list(first)] = True
        begins[filled] = first_bytes[np.frombuffer(data, np.uint8)[ends[:-1][filled]]]
    return begins


def _bytes(column: Any) -> bytes:
    """Return the text of all cells of a column, one after the other."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return b""
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return bytes(memoryview(data)[ends[0] : ends[-1]])


__all__ = [
    "Dialect", "Limits", "check_columns", "check_faults", "check_grid", "check_rows", "csv_header",
    "csv_lines", "guarded", "limited", "limits", "texts", "unguard", "unguarded",
]  # fmt: skip
