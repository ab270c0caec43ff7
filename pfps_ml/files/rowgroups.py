"""A Parquet file in pieces: row groups that workers read by themselves, or rows that are handed to them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.core.messages import Message
from pfps_ml.errors import InputError

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
    with _undamaged(), _opened(path) as file:
        names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
    with path.open("rb") as content:
        if not whole:
            content.seek(-8, 2)  # the length of what a file says of itself, before the mark at its end
            content.seek(-8 - int.from_bytes(content.read(4), "little"), 2)
        return names, rows, hashlib.file_digest(content, "sha256").hexdigest()


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
        for batch in file.iter_batches(rows, columns=None if only is None else [only], use_threads=False):
            yield _valid(pa.Table.from_batches([batch]))


def read_groups(path: Path, digest: str, groups: Groups, names: list[str] | None) -> Any:
    """Return some row groups of the file with this digest: all columns, or those of some names.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with _undamaged():
        file = _kept_open(path, digest)
        return _valid(file.read_row_groups(range(groups.start, groups.stop), names, use_threads=False))


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
    return pq.ParquetFile(path, buffer_size=_BUFFER)


def _valid(table: Any) -> Any:
    table.validate(full=True)  # text that is none would end in a traceback further on
    return table


@contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if getattr(error, "errno", None):  # of the disk, not of Arrow
            raise
        raise InputError(Message("parquet_damaged")) from error


__all__ = ["Groups", "look", "read_groups", "row_pieces"]
