"""Rosters in, rosters out: every row comes back once, in order, scored or rejected with its reasons."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pfps_ml.dialects import ENDINGS, Dialect, Sheet, read_sheet, render, told_shape
from pfps_ml.errors import Fault
from pfps_ml.headers import check_header
from pfps_ml.knowledge.checker import Checked, check, is_missing
from pfps_ml.knowledge.dictionary import INPUTS, VISIT
from pfps_ml.mapping import Mapping, load_mapping, rename, translate
from pfps_ml.outputs import check_output, write_whole

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle

CHUNK = 2_000
_ACCOUNT = ("status", "problems")
_SCORED = frozenset({"status", "risk_12m"})  # a file with both came from us
_NAMES = frozenset(field.name for field in INPUTS)
_NUMBERS = tuple(field.name for field in INPUTS if field.kind in ("number", "whole"))

Track = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True)
class Roster:
    """A roster as read: what it said, what it means, and what is wrong with it.

    Attributes
    ----------
    table
        The input columns as they were, in order, without those of an earlier scoring.
    ids
        The pseudonym of each row, as text; blank where there is none.
    values
        Coded numbers of every row, one column a field; NaN is missing.
    faults
        What is wrong, by row; a row with any fault is rejected.
    visit
        Whether the file has any visit column.
    dialect
        How the file writes its cells.
    """

    table: Any
    ids: pd.Series
    values: pd.DataFrame
    faults: tuple[Fault, ...]
    visit: bool
    dialect: Dialect

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """Whether each row has at least one fault."""
        return Checked(self.values, self.faults).rejected

    @property
    def summary(self) -> "Summary":
        """The account of this roster."""
        rejected = int(self.rejected.sum())
        seen = dict.fromkeys((fault.row, fault.field or "row") for fault in self.faults)
        problems = dict(Counter(field for _, field in seen).most_common())
        return Summary(len(self.values), len(self.values) - rejected, rejected, problems)


@dataclass(frozen=True)
class Summary:
    """How many rows came in, were scored and were rejected; `problems` counts the rejected rows by field.

    A row that does not fit the header counts under `row`; one with two faults counts under both.
    """

    rows: int
    scored: int
    rejected: int
    problems: dict[str, int]


def read_roster(source: Path, mapping: Path | None = None) -> Roster:
    """Read and check a roster without scoring it.

    Parameters
    ----------
    source
        A .csv or .parquet file with the columns of `pfps template`, in any order, and any others.
    mapping
        A map (see `pfps_ml.mapping`) for a file with its own names, levels or units.

    Raises
    ------
    InputError
        If the file or the map cannot be read, or the header is not that of a roster. Faults of single rows
        are no error: they are in the result.
    """
    declared = load_mapping(mapping)
    sheet = read_sheet(source, _NAMES.union(declared.sources))
    sheet, taken = _without_ours(sheet, declared)
    header = rename(sheet.header, declared)
    check_header(header, taken, sheet.table.num_rows)
    frame = _frame(sheet, header, declared)
    checked = check(frame, INPUTS, sheet.decimal_comma)
    misfits = {fault.row for fault in sheet.faults}
    # in a row that does not fit the header, every other fault is a consequence
    faults = [fault for fault in checked.faults if fault.row not in misfits]
    faults = sorted([*sheet.faults, *faults, *_shared_ids(frame["runner_id"])], key=lambda fault: fault.row or 0)
    visit = any(field.name in frame for field in VISIT)
    ids = frame["runner_id"].astype(str).where(~is_missing(frame["runner_id"]))
    return Roster(sheet.table, ids, checked.values, tuple(faults), visit, _dialect(sheet, frame))


def score_roster(
    source: Path, out: Path, bundle: "Bundle", mapping: Path | None = None, track: Track | None = None
) -> Summary:
    """Score a roster file: all its rows and columns come back, with ours after them.

    Parameters
    ----------
    source, mapping
        As for `read_roster`.
    out
        Where the result goes, .csv or .parquet; may be the roster itself.
    bundle
        The released model.
    track
        Wraps the numbers of the first rows of the chunks, to show progress.

    Raises
    ------
    InputError
        If the roster or the map cannot be read; nothing is written.
    OutputError
        If the result cannot be written; what was there before is whole.
    """
    check_output(out, ENDINGS)
    roster = read_roster(source, mapping)
    results = score_rows(bundle, Checked(roster.values, roster.faults), roster.visit, track or iter)
    table = roster.table
    if "runner_id" not in table.column_names:
        table = table.append_column("runner_id", _array(roster.ids))
    for name in results:
        table = table.append_column(name, _array(results[name]))
    write_whole(out, render(table, roster.dialect, out.suffix.lower()))
    return roster.summary


def score_rows(bundle: "Bundle", checked: Checked, visit: bool, track: Track = iter) -> pd.DataFrame:
    """Score checked rows: `status`, `problems`, then the columns of the assessment, in the rows' order.

    Parameters
    ----------
    bundle
        The released model.
    checked
        Coded rows and their faults; a row with any fault is rejected: its problems, and no numbers.
    visit
        Whether the columns of a visit are wanted.
    track
        Wraps the numbers of the first rows of the chunks, to show progress.
    """
    from pfps_ml.assess import assess

    good = np.flatnonzero(~checked.rejected)
    tables = []
    for start in track(range(0, max(len(good), 1), CHUNK)):
        rows = good[start : start + CHUNK]
        table = assess(bundle, checked.values.iloc[rows].reset_index(drop=True)).table(visit)
        tables.append(table.set_axis(rows, axis=0))
    scored: pd.DataFrame = pd.concat(tables).reindex(checked.values.index)
    status = np.where(checked.rejected, "rejected", "scored")
    account = pd.DataFrame({"status": status, "problems": _problems(checked)}, dtype="str")
    return account.join(scored)


def _without_ours(sheet: Sheet, mapping: Mapping) -> tuple[Sheet, list[str]]:
    """Take off the columns of an earlier scoring, or name those of a file never scored whose names they need."""
    from pfps_ml.assess import ROSTER_COLUMNS, VISIT_COLUMNS

    ours = frozenset({*_ACCOUNT, *ROSTER_COLUMNS, *VISIT_COLUMNS})
    if not _SCORED.issubset(sheet.header):
        return sheet, [name for name in dict.fromkeys(sheet.header) if name in ours]
    # the earlier scoring added the id that the map made
    made = {"runner_id"}.intersection(column.field for column in mapping.columns if column.field != column.source)
    kept = [place for place, name in enumerate(sheet.header) if name not in ours | made]
    return replace(sheet, table=sheet.table.select(kept), faults=_shape_faults(sheet)), []


def _shape_faults(sheet: Sheet) -> tuple[Fault, ...]:
    """Return the rows that do not fit the header, or did not when they were first scored: they fit only since then."""
    faults = {fault.row: fault for fault in sheet.faults}
    if set(_ACCOUNT).issubset(sheet.header):
        account = zip(*(sheet.column(name).astype(str) for name in _ACCOUNT), strict=True)
        for row, (status, problems) in enumerate(account):
            if status == "rejected" and (told := told_shape(problems)):
                faults.setdefault(row, Fault(row, None, told))
    return tuple(faults.values())


def _frame(sheet: Sheet, header: list[str], mapping: Mapping) -> pd.DataFrame:
    """Return the known columns under the dictionary's names."""
    columns: dict[str, pd.Series] = {}
    for theirs, name in zip(sheet.header, header, strict=True):
        if name in _NAMES:
            columns[name] = sheet.column(theirs)
        if theirs in mapping.sources:
            columns[name] = translate(columns[name], mapping.sources[theirs], sheet.decimal_comma)
    return pd.DataFrame(columns, index=pd.RangeIndex(sheet.table.num_rows))


def _shared_ids(ids: pd.Series) -> list[Fault]:
    """Return a fault for every row of an id that more than one row has: which is meant, nobody can know."""
    texts = ids.astype(str).str.strip()
    shared = texts.duplicated(keep=False).to_numpy(dtype=bool) & ~is_missing(ids)
    message = "expected an id of its own, got one that another row has too"
    return [Fault(int(row), "runner_id", message) for row in np.flatnonzero(shared)]


def _dialect(sheet: Sheet, frame: pd.DataFrame) -> Dialect:
    """Write our numbers as the file writes its own."""
    if not sheet.decimal_comma:
        return sheet.dialect
    numbers = [frame[name].astype(str).str.contains(",", regex=False).any() for name in _NUMBERS if name in frame]
    return Dialect(sheet.dialect.delimiter, "," if any(numbers) else ".", sheet.dialect.bom)


def _problems(checked: Checked) -> list[str]:
    texts: list[list[str]] = [[] for _ in range(len(checked.values))]
    found = [(fault.row, fault) for fault in checked.faults if fault.row is not None]
    for row, fault in found:
        texts[row].append(f"{fault.field}: {fault.message}" if fault.field else fault.message)
    return ["; ".join(parts) for parts in texts]


def _array(column: pd.Series) -> Any:
    """Keep numbers as numbers, and make a column of texts text even where no row has one."""
    kind = None if pd.api.types.is_numeric_dtype(column) else pa.string()
    return pa.array(column, kind, from_pandas=True)


__all__ = ["Roster", "Summary", "read_roster", "score_roster", "score_rows"]
