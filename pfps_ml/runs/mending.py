"""The rejected rows of a scored roster, in a file of their own: to be mended, and scored again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pfps_ml.core.messages import Message
from pfps_ml.domain.roster_columns import added_by_scoring
from pfps_ml.errors import InputError
from pfps_ml.files.dialects import ENDINGS, Size, open_source, pieces, read_piece
from pfps_ml.files.plans import ACCOUNT, NAMES
from pfps_ml.knowledge.dictionary import ARMS
from pfps_ml.outputs import check_apart, check_output, written_whole
from pfps_ml.runs.joining import join


def repeat_rejected(scored: Path, out: Path) -> int:
    """Write the rejected rows of a scored roster, with the columns of the file and the account of each row.

    Parameters
    ----------
    scored
        What `pfps score` wrote.
    out
        Where they go, .csv, .xlsx or .parquet. When they are scored again, the account (`status`, `problems`,
        `problem_codes`) is replaced. A row that did not fit its header stays rejected until somebody who mended it has
        cleared its `status`.

    Returns
    -------
    :
        How many they are.

    Raises
    ------
    InputError
        If the file is no scored roster; nothing is written.
    OutputError
        If the result cannot be written, or would take the place of the scored roster.
    """
    check_output(out, ENDINGS)
    check_apart(out, scored)  # the scored rows would be gone
    source = open_source(scored, NAMES | frozenset(ACCOUNT))
    places = _places(source.header)
    ending, counts = out.suffix.lower(), list[int]()

    def tables() -> Iterator[Any]:
        for piece in pieces(source, Size()):
            table = read_piece(source, piece).table
            status = pc.cast(table.column(source.header.index("status")), pa.string())
            rejected = table.select(places).filter(pc.fill_null(pc.equal(status, "rejected"), False))
            counts.append(rejected.num_rows)
            yield rejected

    with written_whole(out) as file:
        join(file, tables(), source.dialect if ending == ".csv" else None, ending == ".xlsx")
    return sum(counts)


def _places(header: tuple[str, ...]) -> list[int]:
    """Return the places of the columns that came with the file and, behind them, of the account."""
    if not {"status", "problems"}.issubset(header):  # older files have no codes
        raise InputError(Message("roster_not_scored"))
    added = added_by_scoring(header, [arm.name for arm in ARMS])
    theirs = [at for at, name in enumerate(header) if name not in added]
    return [*theirs, *(header.index(name) for name in ACCOUNT if name in header)]


__all__ = ["repeat_rejected"]
