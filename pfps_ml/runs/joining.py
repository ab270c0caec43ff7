"""The parts of an output, and how they are put together: lines of text, row groups of Parquet, rows of a workbook."""

import shutil
from base64 import b64encode
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.domain.roster_columns import added_by_scoring
from pfps_ml.files.bookwriting import write_book
from pfps_ml.files.cells import Dialect, csv_header, csv_lines
from pfps_ml.knowledge.dictionary import ARMS

_BLOCK = 1 << 20  # bytes that are copied at once


def write_part(file: BinaryIO, table: Any, dialect: Dialect | None, first: bool) -> None:
    """Write some rows of an output: as CSV, the first with the header, or without a dialect in Arrow's own format.

    Parquet is written when the parts are put together, since row groups cannot be copied from file to file.
    """
    if dialect is None:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        return
    if first:
        file.write(csv_header(table.column_names, dialect))
    for lines in csv_lines(table, dialect):
        file.write(lines)


def join(file: BinaryIO, parts: Iterable[Any], dialect: Dialect | None, book: bool = False) -> None:
    """Put parts together, in order.

    Parameters
    ----------
    file
        Where they go.
    parts
        Tables, or the paths of what `write_part` wrote.
    dialect
        How CSV is written; Parquet, or a workbook, if there is none.
    book
        Whether it is a workbook.
    """
    if book:
        write_book(file, (_read(part) if isinstance(part, Path) else part for part in parts))
        return
    if dialect is None:
        _join_tables(file, parts)
        return
    for number, part in enumerate(parts):
        if isinstance(part, Path):
            _copy(part, file)
        else:
            write_part(file, part, dialect, number == 0)


def _join_tables(file: BinaryIO, parts: Iterable[Any]) -> None:
    with ExitStack() as stack:
        writer = None
        for part in parts:
            table = (_read(part) if isinstance(part, Path) else part).combine_chunks()
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


__all__ = ["join", "write_part"]
