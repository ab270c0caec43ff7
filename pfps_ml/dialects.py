"""The formats of a roster file: CSV as clubs write it, and Parquet; tables in, bytes out.

A table keeps what the file said: CSV cells stay text, Parquet columns keep their types. A cell that a
spreadsheet would run as a formula is written with a leading apostrophe, which is taken off when it is read.
"""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.errors import Fault, InputError

ENDINGS = (".csv", ".parquet")
MAX_COLUMNS = 2_000
_DELIMITERS = (",", ";", "\t")
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"'*[+-](\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURPLUS = "its surplus was joined to the last one; is a delimiter unquoted?"
_LACKING = "the rest was left blank"
_SHAPE = re.compile(rf"expected \d+ cells as in the header, got \d+: ({re.escape(_SURPLUS)}|{_LACKING})")
_EMPTY = "expected a roster with a header and rows, got an empty file. See `pfps template`."
_SAVE_AS = "Open it in a spreadsheet and save it as CSV (UTF-8)."


@dataclass(frozen=True)
class Dialect:
    """How a CSV file writes its cells, so that the answer opens in the program that the question came from."""

    delimiter: str = ","
    decimal: str = "."
    bom: bool = False


@dataclass(frozen=True)
class Sheet:
    """A file as read: its columns in order, how it was written, and the rows that do not fit the header."""

    table: Any
    dialect: Dialect = Dialect()
    decimal_comma: bool = False
    faults: tuple[Fault, ...] = field(default=())

    @property
    def header(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.table.column_names)

    def column(self, name: str) -> pd.Series:
        """Return one column as text or numbers, ready for the checker; the first of that name."""
        return _plain(self.table.column(self.header.index(name)))


def read_sheet(source: Path, known: frozenset[str]) -> Sheet:
    """Read a roster file.

    Parameters
    ----------
    source
        A .csv (UTF-8 or Latin-1; comma, semicolon or tab) or a .parquet file.
    known
        Names of columns to expect; they decide which delimiter is meant.

    Raises
    ------
    InputError
        If the file is not there, empty, binary, in a format that is not read, or its quotes do not match.
    """
    ending = source.suffix.lower()
    if ending in (".xlsx", ".xls", ".ods"):
        raise InputError(f"expected .csv or .parquet, got a workbook; workbooks come later. {_SAVE_AS}")
    if ending not in ENDINGS:
        raise InputError("expected a roster that ends in .csv or .parquet, got another ending. " + _SAVE_AS)
    try:
        data = source.read_bytes()
    except OSError as error:
        raise InputError(f"expected a file that can be read: {source}, got: {error.strerror}.") from error
    if not data.strip():
        raise InputError(_EMPTY)
    return _read_parquet(data) if ending == ".parquet" else _read_csv(data, known)


def told_shape(problems: str) -> str | None:
    """Return the problem of a row that did not fit its header, if an earlier answer told one: the row fits by now."""
    found = _SHAPE.match(problems)
    return found.group() if found else None


def render(table: Any, dialect: Dialect, ending: str) -> bytes:
    """Return the bytes of a table in the format that an ending names."""
    if ending == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return bytes(sink.getvalue().to_pybytes())
    text = io.StringIO(newline="")
    # the writer quotes a lone \r only if the line's end holds one, so it is told so and the end is put right
    unix = SimpleNamespace(write=lambda line: text.write(line[:-2] + "\n"))
    writer = csv.writer(unix, delimiter=dialect.delimiter, lineterminator="\r\n")
    writer.writerow([_guard(name) for name in table.column_names])
    columns = [_cells(table.column(index), dialect) for index in range(table.num_columns)]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode("utf-8-sig" if dialect.bom else "utf-8")


def _read_parquet(data: bytes) -> Sheet:
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError("expected a Parquet file, got something else or a damaged one. Export it again.") from error
    _check_width(table.num_columns)
    return Sheet(table)


def _read_csv(data: bytes, known: frozenset[str]) -> Sheet:
    _refuse_binary(data)
    text, bom = _decode(data)
    with _cells_up_to(len(text)):
        delimiter = _delimiter(text, known)
        records = _records(text, delimiter)
    if not records:
        raise InputError(_EMPTY)
    header, *rows = records
    if _CONTROL.search("".join(header)):
        raise InputError(f"expected text, got a binary file. {_SAVE_AS}")
    _check_width(len(header))
    names = [_unguard(name).strip() or f"column_{place + 1}" for place, name in enumerate(header)]
    faults = tuple(_shape_fault(place, row, names) for place, row in enumerate(rows) if len(row) != len(names))
    table = _table(names, [_fit(row, len(names), delimiter) for row in rows])
    return Sheet(table, Dialect(delimiter, bom=bom), delimiter != ",", faults)


def _decode(data: bytes) -> tuple[str, bool]:
    """Return the text, and whether the answer shall carry UTF-8's mark: as the file did, or if it was not UTF-8."""
    try:
        return data.decode("utf-8-sig"), data.startswith(b"\xef\xbb\xbf")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), True  # Latin-1 with the dashes and quotes that spreadsheets put in
    except UnicodeDecodeError:
        return data.decode("latin-1"), True


def _refuse_binary(data: bytes) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("expected UTF-8 or Latin-1, got UTF-16 ('Unicode text'). " + _SAVE_AS)
    if data.startswith(b"PK\x03\x04"):
        raise InputError(f"expected text, got a workbook or zip file that is named .csv. {_SAVE_AS}")
    if b"\x00" in data:
        line = data[: data.index(b"\x00")].count(b"\n") + 1
        raise InputError(f"expected text, got a binary or damaged file (NUL byte in line {line}). {_SAVE_AS}")


def _check_width(columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise InputError(f"expected at most {MAX_COLUMNS:,} columns, got {columns:,}. Is every row a line?")


@contextmanager
def _cells_up_to(characters: int) -> Iterator[None]:
    """Let a cell be as long as the file; the limit of Python's reader would be taken for a fault in its quotes."""
    before = csv.field_size_limit(max(characters, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimiter(text: str, known: frozenset[str]) -> str:
    def score(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = next((row for row in reader if row), [])
        return len(known.intersection(name.strip() for name in names)), len(names)

    return max(_DELIMITERS, key=score)


def _records(text: str, delimiter: str) -> list[list[str]]:
    # strict, because an unclosed quote would otherwise swallow the rows below it without a word
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [row for row in reader if len(row) > 1 or (row and row[0].strip())]
    except csv.Error as error:
        raise InputError(
            f"expected quotes that open and close around a cell, got others at or above line {reader.line_num} "
            'of the file. Close the quote, or write "" for a quote inside a cell.'
        ) from error


def _shape_fault(place: int, row: list[str], names: list[str]) -> Fault:
    advice = _SURPLUS if len(row) > len(names) else _LACKING
    return Fault(place, None, f"expected {len(names)} cells as in the header, got {len(row)}: {advice}")


def _fit(row: list[str], width: int, delimiter: str) -> list[str]:
    """Bring a row to the header's width without losing a character of it."""
    if len(row) > width:
        return [*row[: width - 1], delimiter.join(row[width - 1 :])]
    return row


def _table(names: list[str], rows: list[list[str]]) -> Any:
    columns = [[_unguard(row[place]) if place < len(row) else "" for row in rows] for place in range(len(names))]
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names)


def _plain(column: Any) -> pd.Series:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return pd.Series(column.cast(kind).to_pandas())
    return pd.Series(_texts(column).to_pandas())


def _texts(column: Any) -> Any:
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        return pa.chunked_array([pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())])


def _cells(column: Any, dialect: Dialect) -> list[str]:
    cells = ["" if cell is None else cell for cell in _texts(column).to_pylist()]
    if pa.types.is_floating(column.type):
        return ["" if cell == "nan" else cell.replace(".", dialect.decimal) for cell in cells]
    return [_guard(cell) for cell in cells]


def _would_run(cell: str) -> bool:
    return _RUNS.match(cell) is not None and _NUMBER.fullmatch(cell) is None


def _guard(cell: str) -> str:
    return "'" + cell if _would_run(cell) else cell


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _would_run(cell) else cell


__all__ = ["ENDINGS", "Dialect", "Sheet", "read_sheet", "render", "told_shape"]
