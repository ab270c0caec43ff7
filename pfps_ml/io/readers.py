"""The formats of a roster file: CSV as clubs write it, Parquet, and workbooks; in pieces of whole rows, of any size.

A table keeps what the file said: CSV cells stay text, Parquet columns keep their types. A workbook is one piece. A
piece of Parquet is row groups that workers read by themselves, or rows that are handed to them. A `Format` says all
that differs between the formats; which one a file has, its ending decides, in this module alone.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pfps_ml.core import Fault, InputError, Message, TooLarge
from pfps_ml.io.cells import Dialect, check_columns, check_grid, check_rows, limits, texts, unguard
from pfps_ml.io.csv_chunks import Span, delimiter_of, encoding_of, head_of, parse, read_span, scan, spans
from pfps_ml.io.xlsx_tables import read_table

_BATCHES = 8  # in which texts are read whose size cannot be known before
_BUFFER = 1 << 20  # bytes of each column that are read at once: all of a row group's would not be constant memory
_LARGE = 2  # pieces; a row group of more rows is read once and handed out, since nobody can read a part of it


@dataclass(frozen=True)
class Groups:
    """Some row groups of a Parquet file: the first, the one after the last, and their rows."""

    start: int
    stop: int
    rows: int


def look(path: Path, whole: bool) -> tuple[tuple[str, ...], int, str]:
    """Return the names of a file's columns, its rows, and its digest: see `open_source`.

    Raises
    ------
    InputError
        If it is no Parquet file.
    OSError
        If it cannot be read.
    """
    with _undamaged():
        footer = _footer(path)
        if footer > limits().footer:
            raise TooLarge(Message("parquet_footer_too_large", {"megabytes": limits().footer >> 20}))
        with _opened(path) as file:
            check_columns(file.metadata.num_columns)
            names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
            check_columns(len(names))
            check_rows(rows)
    with path.open("rb") as content:
        content.seek(*((0,) if whole else (-8 - footer, 2)))
        return names, rows, hashlib.file_digest(content, "sha256").hexdigest()


def _check_groups(metadata: Any) -> None:
    """Refuse more row groups than are looked at one by one in a moment."""
    most = limits()
    if metadata.num_row_groups > most.groups or metadata.num_row_groups * metadata.num_columns > most.chunks:
        raise TooLarge(Message("parquet_too_many_groups", {"groups": most.groups, "chunks": most.chunks}))


def _footer(path: Path) -> int:
    """Return how many bytes a file says of itself, which stands before the mark at its end; 0 if that is no file."""
    if not path.is_file():
        return 0
    with path.open("rb") as content:
        content.seek(-min(8, path.stat().st_size), 2)
        length, mark = int.from_bytes(content.read(4), "little"), content.read(4)
        return length if mark == b"PAR1" and length < path.stat().st_size else 0


def row_pieces(path: Path, rows: int, only: str | None) -> Iterator[Any]:
    """Yield a file in pieces of about some rows: `Groups`, or where its row groups are large, tables.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with _undamaged(), _opened(path) as file:
        counts = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        if max(counts, default=0) <= _LARGE * rows:
            yield from _grouped(counts, rows)
            return
        every = range(file.num_row_groups)
        for group in every:
            _check_unpacked(file, [group], rows)
        yield from _batches(file, every, None if only is None else [only], min(rows, _safe_rows(file, every)))


def read_groups(path: Path, digest: str, groups: Groups, names: list[str] | None) -> Any:
    """Return some row groups of the file with this digest: all columns, or those of some names.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with _undamaged():
        file, numbers = _kept_open(path, digest), range(groups.start, groups.stop)
        _check_unpacked(file, numbers, groups.rows)
        rows = _safe_rows(file, numbers)
        if rows >= groups.rows:
            return _valid(_plain(file, file.read_row_groups(numbers, names, use_threads=False)))
        return _joined(_batches(file, numbers, names, rows))


def _grouped(counts: list[int], rows: int) -> Iterator[Groups]:
    if not counts:
        yield Groups(0, 0, 0)
    start, waiting = 0, 0
    for stop, count in enumerate(counts, start=1):
        waiting += count
        if waiting >= rows or stop == len(counts):
            yield Groups(start, stop, waiting)
            start, waiting = stop, 0


@lru_cache(1)  # what a file of many row groups says of itself takes a while to read
def _kept_open(path: Path, _digest: str) -> Any:
    return _opened(path)


def _opened(path: Path) -> Any:
    """Return an open file that reads texts as it stores them, once for many rows; `_plain` puts them into every row."""
    file = pq.ParquetFile(path, buffer_size=_BUFFER)
    _check_groups(file.metadata)
    flat = {one.name for one in file.schema_arrow if _is_text(one.type) and "." not in one.name}
    texts = sorted(flat - _stored_as_differences(file))
    if not texts:
        return file
    coded = pq.ParquetFile(path, metadata=file.metadata, buffer_size=_BUFFER, read_dictionary=texts)
    file.close()
    return coded


def _stored_as_differences(file: Any) -> set[str]:
    """Return the columns that Arrow cannot read as texts stored once: those stored as what is new in each text."""
    groups = (file.metadata.row_group(at) for at in range(file.num_row_groups))
    columns = (group.column(at) for group in groups for at in range(group.num_columns))
    return {one.path_in_schema for one in columns if any(code.startswith("DELTA") for code in one.encodings)}


def _is_text(kind: Any) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string))


def _check_unpacked(file: Any, numbers: Iterable[int], rows: int) -> None:
    """Refuse some row groups of which so many rows, once unpacked, are more than may be in memory."""
    for groups in (file.metadata.row_group(at) for at in numbers):
        share = min(rows / max(groups.num_rows, 1), 1)
        if groups.total_byte_size * share > limits().characters:
            raise _texts_too_large()


def _safe_rows(file: Any, numbers: Iterable[int]) -> int:
    """Return how many rows can be read before their size is looked at, if every cell were all that its column stores.

    Of texts that are read as they are stored, that is no question; it is one of texts in lists, and of texts that are
    stored as what is new beside the one before.
    """
    groups = [file.metadata.row_group(at) for at in numbers]
    columns = [group.column(at) for group in groups for at in range(group.num_columns)]
    risky = [one.total_uncompressed_size for one in columns if one.physical_type == "BYTE_ARRAY"
             and ("." in one.path_in_schema or "DELTA_BYTE_ARRAY" in one.encodings)]  # fmt: skip
    return int(max(limits().characters // _BATCHES // max(sum(risky), 1), 1))


def _batches(file: Any, numbers: Iterable[int], names: list[str] | None, rows: int) -> Iterator[Any]:
    for batch in file.iter_batches(rows, list(numbers), names, use_threads=False):
        yield _valid(_plain(file, pa.Table.from_batches([batch])))


def _joined(tables: Iterable[Any]) -> Any:
    """Return tables as one; they are not all waited for where they hold too much."""
    parts, size = list[Any](), 0
    for table in tables:
        size += table.nbytes
        if size > limits().characters:
            raise _texts_too_large()
        parts.append(table)
    return pa.concat_tables(parts)


def _plain(file: Any, table: Any) -> Any:
    """Return a table whose texts stand in every row, if that is not too much."""
    coded = [at for at, one in enumerate(table.schema) if pa.types.is_dictionary(one.type)]
    if sum(_decoded_size(table.column(at)) for at in coded) > limits().characters:
        raise _texts_too_large()
    kinds = {one.name: one.type for one in file.metadata.schema.to_arrow_schema()}  # a name may stand twice
    for at in coded:
        kind = kinds.get(table.schema[at].name, table.schema[at].type)
        if not pa.types.is_dictionary(kind):
            table = table.set_column(at, pa.field(table.schema[at].name, kind), table.column(at).cast(kind))
    return table


def _decoded_size(column: Any) -> int:
    """Return the bytes of a column whose texts stand in every row; 0 if they are no texts."""
    if not _is_text(column.type.value_type):
        return 0
    chunks = ((chunk.indices, pc.binary_length(chunk.dictionary)) for chunk in column.chunks)
    return sum(pc.sum(lengths.cast(pa.int64()).take(indices)).as_py() or 0 for indices, lengths in chunks)


def _texts_too_large() -> TooLarge:
    return TooLarge(Message("texts_too_large", {"megabytes": limits().characters >> 20}))


def _valid(table: Any) -> Any:
    table.validate(full=True)  # text that is none would end in a traceback further on
    return table


@contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        # of the disk or the memory, not of the file
        if getattr(error, "errno", None) or isinstance(error, MemoryError):
            raise
        raise InputError(Message("parquet_damaged")) from error


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SCANNED = 1 << 20  # bytes of CSV that are looked at together for its script and the length of its lines
_COUNTED = 1 << 20  # bytes of CSV whose rows are counted at once
_HEAD = 1 << 23  # bytes; of a header that is longer, only the faults matter
_CELLS = 1 << 22  # of a piece of Parquet

Piece = Any  # a Span of a CSV file; of Parquet some Groups, or the rows themselves as an Arrow table


@dataclass(frozen=True)
class Format:
    """A format of roster files.

    Attributes
    ----------
    ending
        The ending of the files that are written.
    media_type
        What a browser and the service call such a file (IANA).
    also_read
        Other endings that files of this format may have.
    is_text
        Whether a file is lines of text, so that parts of it can be put together byte by byte.
    has_sheets
        Whether a file has sheets, and is read whole; the others are read in pieces.
    """

    ending: str
    media_type: str
    also_read: tuple[str, ...] = ()
    is_text: bool = False
    has_sheets: bool = False


@dataclass(frozen=True)
class Size:
    """How much of a file is one piece. What is written may depend on it (a piece is a row group), so it is fixed.

    Attributes
    ----------
    rows, characters
        Of Parquet and of CSV: some 15 MB in memory.
    """

    rows: int = 1 << 16
    characters: int = 1 << 23


@dataclass(frozen=True)
class Source:
    """A roster file: what its first rows, and its bytes as a whole, decide for every piece of it.

    Attributes
    ----------
    header
        The names of the columns, in order.
    dialect
        How a CSV file writes its cells.
    rows
        How many rows a Parquet file has; of CSV, 0 if it has none.
    digest
        The hash of the file.
    extent
        How large it is: bytes of CSV, rows of Parquet; `extent` of its pieces sums to it, or nearly.
    first
        The cells of the first row of text, which may be a second header.
    sheet
        The rows of a workbook.
    above
        How many rows stand above the header, and are no part of the table.
    no_runners
        The rows of a sheet that are no runner, by their number on it: a second row of names, an average, a total.
    """

    path: Path
    header: tuple[str, ...]
    dialect: Dialect
    rows: int
    digest: str
    extent: int
    encoding: str = ""
    start: int = 0
    first: tuple[str, ...] = ()
    sheet: "Sheet | None" = None
    above: int = 0
    no_runners: tuple[tuple[int, str], ...] = ()

    @property
    def filled(self) -> bool:
        """Whether there is any row."""
        return self.rows > 0

    def rows_at_once(self, size: Size) -> int:
        """Return how many rows of Parquet are one piece: fewer where there are many columns."""
        return max(min(size.rows, _CELLS // len(self.header)), 1)

    def is_one_piece(self, size: Size) -> bool:
        """Whether the file is a single piece."""
        if self.sheet:
            return True
        return self.extent - self.start < size.characters if self.encoding else self.rows <= self.rows_at_once(size)

    @property
    def decimal_comma(self) -> bool:
        """Whether text such as `1,75` means 1.75."""
        return self.dialect.delimiter != ","


@dataclass(frozen=True)
class Sheet:
    """Some rows of a file: columns in the file's order, and the rows that do not fit the header."""

    table: Any
    faults: tuple[Fault, ...] = field(default=())


CSV = Format(".csv", "text/csv", is_text=True)
PARQUET = Format(".parquet", "application/vnd.apache.parquet")
WORKBOOK = Format(
    ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", also_read=(".xlsm",), has_sheets=True
)
ENDINGS = (CSV.ending, PARQUET.ending, WORKBOOK.ending)  # of what is written
_BY_ENDING = {ending: one for one in (CSV, PARQUET, WORKBOOK) for ending in (one.ending, *one.also_read)}


def format_of(path: Path) -> Format | None:
    """Return the format of a roster file by its ending; None if it is none that is read."""
    return _BY_ENDING.get(path.suffix.lower())


def written_format(out: Path) -> Format:
    """Return the format of an output, whose ending `check_output` has found to be one of `ENDINGS`."""
    return _BY_ENDING[out.suffix.lower()]


def open_source(path: Path, known: frozenset[str], whole: bool = True, sheet: str | None = None) -> Source:
    """Look at a roster file.

    Parameters
    ----------
    path
        A .csv (UTF-8 or Latin-1; comma, semicolon or tab), a .parquet or an .xlsx file.
    known
        Names of columns to expect; they decide which delimiter is meant, and which of the first rows is the header.
    whole
        Whether the digest is that of the whole file, or of a Parquet file's footer. The footer has the place, size and
        range of every column: enough to recognise a file, and quick to read.
    sheet
        The name of the sheet of a workbook, if more than one sheet looks like a roster.

    Raises
    ------
    InputError
        If the file is not there, empty, binary, or in a format that is not read.
    """
    file_format = format_of(path)
    if file_format is None:
        raise InputError(Message("roster_ending_unknown", {"endings": (".csv", ".xlsx", ".parquet")}))
    if sheet is not None and not file_format.has_sheets:
        raise InputError(Message("sheet_of_no_workbook", {"ending": file_format.ending}))
    with _readable(path):
        if path.stat().st_size == 0:
            raise InputError(Message("roster_empty"))
        if file_format.has_sheets:
            return _open_book(path, known, sheet)
        return _open_csv(path, known) if file_format.is_text else _open_parquet(path, whole)


def pieces(source: Source, size: Size, only: int | None = None) -> Iterator[Piece]:
    """Yield a file in pieces of whole rows, in order.

    Parameters
    ----------
    source, size
        The file, and what one piece is.
    only
        The place of the one column that is wanted; a piece of Parquet then holds no other.

    Raises
    ------
    InputError
        If a Parquet file is damaged, or a row of a CSV file never ends.
    """
    if source.sheet:
        yield source.sheet.table
        return
    with _readable(source.path):
        if format_of(source.path) == CSV:
            yield from spans(source.path, source.start, source.dialect.delimiter, size.characters)
            return
        name = None if only is None else source.header[only]
        yield from row_pieces(source.path, source.rows_at_once(size), name)


def extent(piece: Piece) -> int:
    """Return how large a piece is: bytes of CSV, rows of Parquet."""
    if isinstance(piece, Span):
        return piece.length
    return piece.rows if isinstance(piece, Groups) else int(piece.num_rows)


def read_piece(source: Source, piece: Piece, only: list[int] | None = None) -> Sheet:
    """Read a piece: all columns, or those at some places.

    Raises
    ------
    InputError
        If the quotes of a CSV file do not match, or a Parquet file is damaged.
    """
    places = list(range(len(source.header))) if only is None else only
    names = None if only is None else [source.header[at] for at in only]
    if isinstance(piece, Groups):
        with _readable(source.path):
            return Sheet(read_groups(source.path, source.digest, piece, names))
    if not isinstance(piece, Span):
        faults = source.sheet.faults if source.sheet else ()
        return Sheet(piece if names is None else piece.select(names), faults)
    with _readable(source.path):
        text = read_span(source.path, piece)
    if source.encoding != "utf-8":
        text = text.decode(source.encoding).encode()
    block = parse(text, source.dialect.delimiter, len(source.header), piece, places)
    check_grid(block.rows, len(source.header))
    columns = [block.columns[at] for at in places]
    return Sheet(pa.Table.from_arrays(columns, [source.header[at] for at in places]), block.faults)


def read_sheet(path: Path, known: frozenset[str]) -> Sheet:
    """Read a roster file as a whole; see `open_source`."""
    source = open_source(path, known)
    return read_all(source)


def read_all(source: Source, size: Size | None = None) -> Sheet:
    """Read all pieces of a file as one."""
    sheets = [read_piece(source, piece) for piece in pieces(source, size or Size())]
    faults, start = list[Fault](), 0
    for sheet in sheets:
        faults += [replace(fault, row=start + (fault.row or 0)) for fault in sheet.faults]
        start += sheet.table.num_rows
    if not sheets:
        return Sheet(pa.Table.from_arrays([pa.array([], pa.string())] * len(source.header), list(source.header)))
    return Sheet(pa.concat_tables([sheet.table for sheet in sheets]), tuple(faults))


def _open_parquet(path: Path, whole: bool) -> Source:
    names, rows, digest = look(path, whole)
    return Source(path, names, Dialect(), rows, digest, max(rows, 1))


def _open_book(path: Path, known: frozenset[str], sheet: str | None) -> Source:
    read = read_table(path, known, sheet)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    rows = read.table.num_rows
    top = [column.slice(0, 1).combine_chunks() for column in read.table.columns] if rows else []
    first = tuple(texts(cell).to_pylist()[0] or "" for cell in top)
    # with a mark, a spreadsheet opens the answer with its accents
    return Source(
        path, read.names, Dialect(bom=True), rows, digest, max(rows, 1),
        first=first, sheet=Sheet(read.table, read.faults), above=read.above, no_runners=read.no_runners,
    )  # fmt: skip


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(Message("file_unreadable", {"path": str(path), "reason": error.strerror})) from error


def _open_csv(path: Path, known: frozenset[str]) -> Source:
    script = scan(path, _SCANNED)
    with path.open("rb") as file:
        file.seek(script.start)
        data = file.read(_HEAD)
    # a row that is cut off may look like one whose quotes do not match, so only what stands before it is looked at
    encoding = encoding_of(data, script.encoding, known)
    text = data.decode(encoding, errors="ignore")
    delimiter = delimiter_of(text, known)
    header, end, first, above = head_of(text, delimiter, known, len(data) == _HEAD)
    filled = len(data) == _HEAD or bool(first)
    if not header:
        raise InputError(Message("roster_empty"))
    if _CONTROL.search("".join(header)):
        raise InputError(Message("csv_is_binary"))
    check_columns(len(header))
    names = tuple(unguard(name).strip() or f"column_{place + 1}" for place, name in enumerate(header))
    start = script.start + len(text[:end].encode(encoding))
    dialect, size = Dialect(delimiter, bom=script.marked), path.stat().st_size
    source = Source(
        path, names, dialect, int(filled), script.digest, size, encoding, start, first=tuple(first), above=above
    )
    _count_rows(source)
    return source


def _count_rows(source: Source) -> None:
    """Refuse a CSV file of more rows than a file may have here: rows are records, however many lines they have."""
    if limits().rows is not None:
        rows = 0
        for span in pieces(source, Size(characters=_COUNTED)):
            rows += read_piece(source, span, [0]).table.num_rows
            check_rows(rows)


__all__ = [
    "CSV", "ENDINGS", "PARQUET", "WORKBOOK",
    "Format", "Groups", "Piece", "Sheet", "Size", "Source",
    "extent", "format_of", "look", "open_source", "pieces", "read_all",
    "read_groups", "read_piece", "read_sheet", "row_pieces", "written_format",
]  # fmt: skip
