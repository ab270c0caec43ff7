"""The parts of an output, and how they are put together: text line after line, Parquet row group after row group."""

import io
from base64 import b64encode
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.cells import Dialect, csv_header, csv_lines
from pfps_ml.plans import ACCOUNT


def content_of(table: Any, ending: str, dialect: Dialect, first: bool) -> bytes:
    """Return a part of an output: some rows as CSV, the first with the header, or as Arrow's own format for Parquet.

    Parquet is written when the parts are put together, since its row groups cannot be copied from file to file.
    """
    if ending == ".csv":
        header = csv_header(table.column_names, dialect) if first else b""
        return header + b"".join(csv_lines(table, dialect))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def join(file: BinaryIO, contents: Iterable[bytes], ending: str) -> None:
    """Put parts together, in order.

    Parameters
    ----------
    file
        Where they go.
    contents
        At least one part, as `content_of` gives them.
    ending
        The output's format.
    """
    if ending == ".csv":
        for content in contents:
            file.write(content)
        return
    with ExitStack() as stack:
        writer = None
        for content in contents:
            table = pa.ipc.open_stream(content).read_all().combine_chunks()
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, table.schema, store_schema=False))
                writer.add_key_value_metadata(_told(table.schema))
            writer.write_table(table)


def _told(schema: Any) -> dict[bytes, bytes]:
    """Return what a Parquet file says of its columns: that our texts are plain, though they are written from a list.

    Arrow would store its own schema, and a reader would get our columns as categories. So it is stored here.
    """
    from pfps_ml.assess import ROSTER_COLUMNS, VISIT_COLUMNS

    ours = {*ACCOUNT, *ROSTER_COLUMNS, *VISIT_COLUMNS}
    for at, name in enumerate(schema.names):
        if name in ours and pa.types.is_dictionary(schema.types[at]):
            schema = schema.set(at, pa.field(name, pa.string()))
    return {**(schema.metadata or {}), b"ARROW:schema": b64encode(schema.serialize().to_pybytes())}


__all__ = ["content_of", "join"]
