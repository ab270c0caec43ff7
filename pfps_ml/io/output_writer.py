"""How outputs are written: parts of a file and how they are put together, and a roster that comes back changed.

A part is lines of text (CSV), row groups (Parquet) or rows of a sheet (workbook); the `Format` of `readers` says which.
A changed roster is not scored: every row, and every cell that is not changed, stays as it was.
"""

import shutil
from base64 import b64encode
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.core import Fault, InvalidInput, Message, check_output, rows_shown, written_whole
from pfps_ml.domain import ARMS, added_by_scoring
from pfps_ml.io.cells import Dialect, csv_header, csv_lines
from pfps_ml.io.duplicates import plain_ids
from pfps_ml.io.mapping import Mapping, load_mapping
from pfps_ml.io.readers import CSV, ENDINGS, Format, open_source, read_all, written_format
from pfps_ml.io.roster import NAMES, column_layout, has_decimal_comma, id_texts
from pfps_ml.io.xlsx_tables import write_book

_BLOCK = 1 << 20  # bytes that are copied at once


def write_part(file: BinaryIO, table: Any, file_format: Format, dialect: Dialect, first: bool) -> None:
    """Write some rows of an output: as lines of text, the first part with the header, else in Arrow's own format.

    Parquet is written when the parts are put together, since row groups cannot be copied from file to file.
    """
    if not file_format.is_text:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        return
    if first:
        file.write(csv_header(table.column_names, dialect))
    for lines in csv_lines(table, dialect):
        file.write(lines)


def join(file: BinaryIO, parts: Iterable[Any], file_format: Format, dialect: Dialect) -> None:
    """Put parts together, in order.

    Parameters
    ----------
    file
        Where they go.
    parts
        Tables, or the paths of what `write_part` wrote.
    file_format
        The format of the file.
    dialect
        How CSV is written; no other format has a dialect.
    """
    if file_format.is_text:
        _join_lines(file, parts, dialect)
        return
    tables = (_read(part) if isinstance(part, Path) else part for part in parts)
    if file_format.has_sheets:
        write_book(file, tables)
    else:
        _write_parquet(file, tables)


def _join_lines(file: BinaryIO, parts: Iterable[Any], dialect: Dialect) -> None:
    for number, part in enumerate(parts):
        if isinstance(part, Path):
            _copy(part, file)
        else:
            write_part(file, part, CSV, dialect, number == 0)


def _write_parquet(file: BinaryIO, tables: Iterable[Any]) -> None:
    with ExitStack() as stack:
        writer = None
        for chunked in tables:
            table = chunked.combine_chunks()
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema, store_schema=False))
                writer.add_key_value_metadata(_schema_metadata(table.schema))
            writer.write_table(table)


def _read(part: Path) -> Any:
    with pa.memory_map(str(part)) as content:
        return pa.ipc.open_stream(content).read_all()


def _copy(part: Path, file: BinaryIO) -> None:
    with part.open("rb") as content:
        shutil.copyfileobj(content, file, _BLOCK)


def _schema_metadata(schema: Any) -> dict[bytes, bytes]:
    """Return the metadata of a Parquet file with its schema, in which the texts that scoring adds are plain.

    They are written from a list of texts. Arrow would store them as categories, and so would a reader get them.
    """
    ours = added_by_scoring(schema.names, [arm.name for arm in ARMS])
    for at, name in enumerate(schema.names):
        if name in ours and pa.types.is_dictionary(schema.types[at]):
            schema = schema.set(at, pa.field(name, pa.string()))
    return {**(schema.metadata or {}), b"ARROW:schema": b64encode(schema.serialize().to_pybytes())}


@dataclass(frozen=True)
class Draft:
    """A roster to be changed.

    Attributes
    ----------
    table
        All its columns, under their own names.
    ids
        The pseudonym of each row, as ids are compared; NA where there is none.
    place
        Where the column of the ids stands.
    known
        The field of each column, or its name in the file if it is none, in order.
    mapping
        The map of the columns.
    theirs
        The places of the columns that are not those of an earlier scoring.
    dialect
        How the file writes CSV, its decimals included.
    """

    table: Any
    ids: pd.Series
    place: int
    known: tuple[str, ...]
    mapping: Mapping
    theirs: tuple[int, ...]
    dialect: Dialect


def read_draft(roster: Path, mapping: Path | None = None) -> Draft:
    """Read a roster that shall come back changed.

    Raises
    ------
    InputError
        If it cannot be read as a roster, or if rows do not fit the header: they could not come back as they are, and
        their cells may stand in the wrong columns.
    """
    declared = load_mapping(mapping)
    source = open_source(roster, NAMES.union(declared.sources, declared.other_sides), sheet=declared.sheet)
    layout = column_layout(source, declared)
    sheet = read_all(source)
    if sheet.faults:
        rows = [fault.row for fault in sheet.faults if fault.row is not None]
        fault = Fault(None, (), "rows_of_other_columns", {"n": len(rows), "rows": rows_shown(rows)})
        raise InvalidInput(Message("rows_misfit"), [fault])
    place = layout.places["runner_id"]
    ids = plain_ids(id_texts(sheet.table.column(place), layout))
    comma = source.decimal_comma and has_decimal_comma(sheet, layout)
    dialect = Dialect(source.dialect.delimiter, "," if comma else ".", source.dialect.bom)
    known = tuple(name or file_name for name, file_name in zip(layout.header, source.header, strict=True))
    return Draft(sheet.table, ids, place, known, declared, layout.passing, dialect)


def write_draft(out: Path, table: Any, dialect: Dialect) -> None:
    """Write a changed roster, .csv, .xlsx or .parquet, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before is whole.
    """
    check_output(out, ENDINGS)
    with written_whole(out) as file:
        join(file, [table], written_format(out), dialect)


__all__ = ["Draft", "join", "read_draft", "write_draft", "write_part"]
