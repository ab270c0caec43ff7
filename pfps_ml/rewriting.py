"""A roster that is changed, not scored: every row, and every cell that is not changed, stays as it was."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pfps_ml.core.messages import Message
from pfps_ml.errors import Fault, InvalidInput, rows_shown
from pfps_ml.files.cells import Dialect
from pfps_ml.files.dialects import ENDINGS, open_source, read_all
from pfps_ml.files.duplicates import plain_ids
from pfps_ml.files.mapping import Mapping, load_mapping
from pfps_ml.files.plans import NAMES, plan_of
from pfps_ml.files.rows import has_decimal_comma, id_texts
from pfps_ml.outputs import check_output, written_whole
from pfps_ml.runs.joining import join


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
    source = open_source(roster, NAMES.union(declared.sources), sheet=declared.sheet)
    plan = plan_of(source, declared)
    sheet = read_all(source)
    if sheet.faults:
        rows = [fault.row for fault in sheet.faults if fault.row is not None]
        fault = Fault(None, (), "rows_of_other_columns", {"n": len(rows), "rows": rows_shown(rows)})
        raise InvalidInput(Message("rows_misfit"), [fault])
    place = plan.places["runner_id"]
    ids = plain_ids(id_texts(sheet.table.column(place), plan))
    comma = source.decimal_comma and has_decimal_comma(sheet, plan)
    dialect = Dialect(source.dialect.delimiter, "," if comma else ".", source.dialect.bom)
    known = tuple(name or file_name for name, file_name in zip(plan.header, source.header, strict=True))
    return Draft(sheet.table, ids, place, known, declared, plan.passing, dialect)


def write_draft(out: Path, table: Any, dialect: Dialect) -> None:
    """Write a changed roster, .csv, .xlsx or .parquet, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written; what was there before is whole.
    """
    check_output(out, ENDINGS)
    ending = out.suffix.lower()
    with written_whole(out) as file:
        join(file, [table], dialect if ending == ".csv" else None, book=ending == ".xlsx")


__all__ = ["Draft", "read_draft", "write_draft"]
