"""What scoring adds to rows (the account and the assessment), and the rows with problems as a file of their own.

Rows with the same text share it. The file of rejected rows is mended by a person, and scored again.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pfps_ml.core import (
    Fault,
    InputError,
    InvalidInput,
    Message,
    OutputError,
    check_apart,
    check_output,
    rows_shown,
    written_whole,
)
from pfps_ml.domain import ACCOUNT, ARMS, STATUSES, Checked, added_by_scoring
from pfps_ml.io.cells import texts
from pfps_ml.io.csv_chunks import SHAPE_CODES
from pfps_ml.io.output_writer import Draft, join, read_draft, write_draft
from pfps_ml.io.readers import ENDINGS, Size, open_source, pieces, read_piece, written_format
from pfps_ml.io.roster import NAMES
from pfps_ml.model import Bundle
from pfps_ml.model.assess import assess

CHUNK = 16_384  # rows assessed at once: texts that they share are written once


def scored_columns(bundle: Bundle, checked: Checked, visit: bool, chunk: int = CHUNK) -> dict[str, Any]:
    """Return the columns that scoring adds to a roster, as Arrow arrays; see `score_rows`."""
    return {**_account(checked), **_assessed(checked, bundle, visit, chunk)}


def score_rows(bundle: Bundle, checked: Checked, visit: bool) -> pd.DataFrame:
    """Score checked rows: `status`, `problems`, `problem_codes`, then the assessment, in the rows' order.

    Parameters
    ----------
    bundle
        The released model.
    checked
        Coded rows and their faults. A rejected row has problems and no numbers; a row that is scored partly has both.
    visit
        Whether the columns of a visit are wanted.
    """
    columns = scored_columns(bundle, checked, visit)
    return pd.DataFrame({name: plain(column).to_pandas() for name, column in columns.items()})


def plain(column: Any) -> Any:
    """Return one of our columns as it is written: text as text, not as places in a list of texts."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _account(checked: Checked) -> dict[str, Any]:
    """Return the status of each row, its problems as text, and their codes in the same order."""
    problems, codes = [""] * len(checked.values), [""] * len(checked.values)
    lines: dict[tuple[str, tuple[str, ...], int], str] = {}
    for fault in checked.faults:
        if fault.row is not None:
            # rows with the same cell share the parameters of its fault, so its sentence is made once for all of them
            key = fault.code, fault.fields, id(fault.parameters)
            line = lines.get(key) or lines.setdefault(key, fault.line)
            before = problems[fault.row], codes[fault.row]
            problems[fault.row] = f"{before[0]}; {line}" if before[0] else line
            codes[fault.row] = f"{before[1]}, {fault.code}" if before[1] else fault.code
    status = pa.DictionaryArray.from_arrays(pa.array(checked.status.astype(np.int32)), pa.array(STATUSES, pa.string()))
    texts = (pa.array(texts, pa.string()).dictionary_encode() for texts in (problems, codes))
    return dict(zip(ACCOUNT, (status, *texts), strict=True))


def _assessed(checked: Checked, bundle: Bundle, visit: bool, chunk: int) -> dict[str, Any]:
    """Return the columns of the assessment; rejected rows have none."""
    good = np.flatnonzero(~checked.rejected)
    tables = []
    for start in range(0, max(len(good), 1), chunk):
        values = checked.values.iloc[good[start : start + chunk]].reset_index(drop=True)
        scored = assess(bundle, values).table(visit)
        tables.append(pa.table({str(name): _array(scored[name]) for name in scored}))
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = {name: _one(table.column(name)) for name in table.column_names}
    if len(good) == len(checked.values):
        return columns
    places = np.zeros(len(checked.values), np.int64)
    places[good] = np.arange(len(good))
    rows = pa.array(places, mask=checked.rejected)
    return {name: column.take(rows) for name, column in columns.items()}


def _one(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _array(column: pd.Series) -> Any:
    """Keep numbers as numbers, and text as places in a list of texts: nearly all of it is said of many rows."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(np.int32)
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=codes < 0), pa.array(column.cat.categories, pa.string(), from_pandas=True)
        )
    return pa.array(column, from_pandas=True)


def repeat_problems(scored: Path, out: Path) -> tuple[int, int]:
    """Write the rows of a scored roster that have problems, with the columns of the file and the account of each row.

    Parameters
    ----------
    scored
        What `pfps score` wrote.
    out
        Where they go, .csv, .xlsx or .parquet, in the order of the roster; `status` tells rejected rows from those that
        were scored partly. When they are scored again, the account (`status`, `problems`, `problem_codes`) is replaced.
        A row that did not fit its header stays rejected until somebody who mended it has cleared its `status`.

    Returns
    -------
    :
        How many were rejected, and how many were scored partly.

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
    counts = Counter[str]()

    def tables() -> Iterator[Any]:
        for piece in pieces(source, Size()):
            table = read_piece(source, piece).table
            status = pc.cast(table.column(source.header.index("status")), pa.string())
            wrong = pc.fill_null(pc.is_in(status, pa.array(STATUSES[1:])), False)
            counts.update(status.filter(wrong).to_pylist())
            yield table.select(places).filter(wrong)

    with written_whole(out) as file:
        join(file, tables(), written_format(out), source.dialect)
    return counts["rejected"], counts["partly"]


def merge_mended(
    mended: Path, roster: Path, out: Path, mapping: Path | None = None, replace: bool = False
) -> list[tuple[str, str]]:
    """Put mended rows back into the roster that they came from, by id.

    Parameters
    ----------
    mended
        What `pfps rejected` wrote, mended: rows with ids of the roster. Its account columns are left out.
    roster, mapping
        The roster, which stays as it was, and the map of both.
    out
        Where the whole roster goes, .csv, .xlsx or .parquet: its rows in order, those with a mended one replaced.
    replace
        Whether a file at `out` may be replaced, be it the roster itself.

    Returns
    -------
    :
        Lines for a person.

    Raises
    ------
    InputError
        If ids are unknown, blank or there more than once, or the columns are others: with all faults, and nothing is
        written.
    OutputError
        If the result cannot be written, or would take the place of a file.
    """
    check_output(out, ENDINGS)
    check_apart(out, mended)
    if out.exists() and not replace:
        raise OutputError(Message("output_exists", {"path": str(out)}))
    there, here = read_draft(roster, mapping, with_misfits=True), read_draft(mended, mapping)
    if faults := [*_other_columns(there, here), *_other_ids(there, here), *_misfits(there, here)]:
        raise InvalidInput(Message("mended_misfit", {"n": len(faults)}), faults)
    places = {text: at for at, text in enumerate(here.ids)}
    rows = [places.get(text, -1) if isinstance(text, str) else -1 for text in there.ids]
    table, changed = _merged(there, here, rows)
    write_draft(out, table, there.dialect)
    return [("rows of the roster", f"{len(rows):,}"), ("mended rows put back", f"{sum(at >= 0 for at in rows):,}"),
            ("cells that changed", f"{changed:,}")]  # fmt: skip


def _other_columns(there: Draft, here: Draft) -> Iterator[Fault]:
    theirs, ours = ({draft.table.column_names[at] for at in draft.theirs} for draft in (there, here))
    if lacking := sorted(theirs - ours):
        yield Fault(None, (), "mended_columns_lacking", {"columns": lacking})
    if others := sorted(ours - theirs):
        yield Fault(None, (), "mended_columns_other", {"columns": others})


def _other_ids(there: Draft, here: Draft) -> Iterator[Fault]:
    """Yield what is wrong with the ids of mended rows, by their rows: an id may be no part of a message."""
    known, counts = Counter(there.ids.dropna()), Counter(here.ids.dropna())
    wrong = {
        "mended_ids_blank": [at for at, text in enumerate(here.ids) if pd.isna(text)],
        "mended_ids_unknown": [at for at, text in enumerate(here.ids) if not pd.isna(text) and text not in known],
        "mended_ids_doubled": [at for at, text in enumerate(here.ids) if counts.get(text, 0) > 1],
        "mended_ids_shared": [at for at, text in enumerate(here.ids) if known.get(text, 0) > 1],
    }
    for code, rows in wrong.items():
        if rows:
            yield Fault(rows[0], ("runner_id",), code, {"n": len(rows), "rows": rows_shown(rows)})


def _misfits(there: Draft, here: Draft) -> Iterator[Fault]:
    """Yield the rows whose cells may stand in wrong columns: of the roster, if no mended row replaces them, or mended.

    A mended row says in its account that it did not fit; who has looked at it clears its `status`.
    """
    mended = set(here.ids.dropna())
    if rows := [at for at in there.misfits if there.ids[at] not in mended]:
        yield Fault(rows[0], (), "rows_of_other_columns", {"n": len(rows), "rows": rows_shown(rows)})
    names = here.table.column_names
    if {"status", "problem_codes"} <= set(names):
        columns = (here.table.column(name).combine_chunks() for name in ("status", "problem_codes"))
        account = list(zip(*(texts(column).to_pylist() for column in columns), strict=True))
        shapes = [at for at, (status, codes) in enumerate(account) if status and _of_shape(codes)]
        if shapes:
            yield Fault(shapes[0], ("status",), "mended_shape", {"n": len(shapes), "rows": rows_shown(shapes)})


def _of_shape(codes: str | None) -> bool:
    return not set(SHAPE_CODES).isdisjoint((codes or "").split(", "))


def _merged(there: Draft, here: Draft, rows: list[int]) -> tuple[Any, int]:
    """Return a roster with mended rows (-1: none), without columns of an earlier scoring, and how many cells differ."""
    names, changed = [there.table.column_names[at] for at in there.theirs], 0
    columns = []
    for at, name in zip(there.theirs, names, strict=True):
        old, new = there.table.column(at).combine_chunks(), _named(here, name).combine_chunks()
        if old.type != new.type:  # a mended cell may be a number where the others are text
            old, new = texts(old), texts(new)
        both, count = pa.concat_arrays([old, new]), len(old)
        column = both.take(pa.array([at if row < 0 else count + row for at, row in enumerate(rows)]))
        before, after = texts(old).to_pylist(), texts(column).to_pylist()
        changed += sum((one or "") != (other or "") for one, other in zip(before, after, strict=True))
        columns.append(column)
    return pa.table(columns, names), changed


def _named(draft: Draft, name: str) -> Any:
    return draft.table.column(next(at for at in draft.theirs if draft.table.column_names[at] == name))


def _places(header: tuple[str, ...]) -> list[int]:
    """Return the places of the columns that came with the file and, behind them, of the account."""
    if not {"status", "problems"}.issubset(header):  # older files have no codes
        raise InputError(Message("roster_not_scored"))
    added = added_by_scoring(header, [arm.name for arm in ARMS])
    theirs = [at for at, name in enumerate(header) if name not in added]
    return [*theirs, *(header.index(name) for name in ACCOUNT if name in header)]


__all__ = ["CHUNK", "merge_mended", "plain", "repeat_problems", "score_rows", "scored_columns"]
