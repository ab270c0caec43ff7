"""Rosters read: what the header and a map decide, what each cell means, and what is wrong with each row.

Each row is read by itself, so a file may be cut anywhere. Ids that several rows share are looked for before. Cells are
read as people write them, such as `61,5 kg` or `Ja`, where they can mean one thing only. A cell that cannot be used is
set aside and named; see `pfps_ml.domain.input_validation.Checked`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field as dataclass_field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pfps_ml.core import Fault, Floats, InvalidInput, Message, NDArray
from pfps_ml.domain import (
    ACCOUNT,
    ARMS,
    INPUTS,
    VISIT,
    Checked,
    Field,
    added_by_scoring,
    check,
    field as field_of,
    scored_before as has_scored_columns,
    set_aside_contradictions,
)
from pfps_ml.domain.synonyms import is_summary, level_of, read_number
from pfps_ml.io.cells import check_faults, texts
from pfps_ml.io.column_matching import check_header, second_header
from pfps_ml.io.csv_chunks import SHAPE_CODES, shape_fault
from pfps_ml.io.duplicates import Shared, find_shared, plain_ids, with_newest
from pfps_ml.io.mapping import Mapping, combined, load_mapping, rename, sides_of, translate
from pfps_ml.io.mapping_suggestions import Proposed, propose
from pfps_ml.io.readers import Sheet, Source, open_source, read_all
from pfps_ml.io.xlsx_tables import UNCALCULATED_MARK

_ACCOUNT_BEFORE = ACCOUNT[:2]  # of versions that wrote no codes
NAMES = frozenset(field.name for field in INPUTS)
_ARMS = tuple(arm.name for arm in ARMS)


@dataclass(frozen=True)
class ColumnLayout:
    """What the header of a file and a map decide for all of its rows.

    Attributes
    ----------
    header
        The names of the file's columns, in order: the dictionary's name, or else the name in the file.
    passing
        The places of the columns that pass through: all but those of an earlier scoring.
    mapping
        What the map says.
    decimal_comma
        Whether text such as `1,75` means 1.75.
    visit
        Whether the file has any visit column.
    newest
        The place of the column of times by which the newest row of a runner counts; -1 if there is none.
    """

    header: tuple[str, ...]
    passing: tuple[int, ...]
    mapping: Mapping
    decimal_comma: bool
    visit: bool
    newest: int = -1

    @property
    def places(self) -> dict[str, int]:
        """Where the known columns stand in the file."""
        return {self.header[at]: at for at in self.passing if self.header[at] in NAMES}


def column_layout(source: Source, mapping: Mapping) -> ColumnLayout:
    """Decide what the columns of a file are.

    Raises
    ------
    InvalidInput
        If the header is not that of a roster, or the map does not fit it.
    """
    passing, taken = _without_ours(source.header, mapping)
    renamed = rename([source.header[at] for at in passing], mapping)
    read = [name for name in renamed if name not in mapping.leave | mapping.other_sides]
    check_header([*read, *(field for field, _ in mapping.constants)], taken, source.filled)
    if second_header(source.first, source.header):
        raise InvalidInput(Message("second_header"))
    header = list(source.header)
    for at, name in zip(passing, renamed, strict=True):
        header[at] = name if name not in mapping.leave else ""
    visit = any(field.name in read for field in VISIT)
    newest = -1 if mapping.order_column is None else source.header.index(mapping.order_column)
    return ColumnLayout(tuple(header), tuple(passing), mapping, source.decimal_comma, visit, newest)


def scored_before(header: Sequence[str]) -> bool:
    """Return whether a file came from us: scored, or the rejected rows of one that was."""
    return has_scored_columns(header) or tuple(header[-3:]) == ACCOUNT or tuple(header[-2:]) == _ACCOUNT_BEFORE


def _without_ours(header: tuple[str, ...], mapping: Mapping) -> tuple[list[int], list[str]]:
    """Return the places of the file's columns without those of an earlier scoring; and names that scoring needs.

    In a file that was never scored, every column passes, and a name that scoring adds is one too many.
    """
    ours = added_by_scoring(header, _ARMS)
    if not scored_before(header):
        return list(range(len(header))), [name for name in dict.fromkeys(header) if name in ours]
    # the earlier scoring added the id that the map made
    made = {"runner_id"}.intersection(column.field for column in mapping.columns if column.field != column.source)
    return [place for place, name in enumerate(header) if name not in ours | made], []


_NOT_AVAILABLE = "#N/A"  # of a spreadsheet, which says it on purpose; its other errors are faults
_UNREAD = ("not_a_number", "not_a_level")


def check_spelt(cells: pd.Series, field: Field, decimal_comma: bool) -> Checked:
    """Check some cells, and those that cannot be read once more as people write them.

    Parameters
    ----------
    cells
        Text; each distinct one once.
    field
        What they should be.
    decimal_comma
        Whether `1,75` means 1.75.
    """
    checked = _check(cells, field, decimal_comma)
    unread = [fault.row for fault in checked.faults if fault.row is not None and fault.code in _UNREAD]
    respelt, unclear, written = dict[int, str](), set[int](), cells.tolist()
    for row in unread:
        try:
            meaning = _meaning(str(written[row]), field, decimal_comma)
        except ValueError:
            unclear.add(row)
        else:
            respelt |= {row: meaning} if meaning is not None else {}
    if respelt:
        again = [respelt.get(row, cell) for row, cell in enumerate(cells)]
        checked = _check(pd.Series(again, index=cells.index, dtype=object), field, decimal_comma)
    named = {
        row: cell[len(UNCALCULATED_MARK) :]
        for row in unread
        if (cell := str(cells.iloc[row])).startswith(UNCALCULATED_MARK)
    }
    return Checked(checked.values, tuple(_with_reason(fault, unclear, named) for fault in checked.faults))


def _check(cells: pd.Series, field: Field, decimal_comma: bool) -> Checked:
    return check(pd.DataFrame({field.name: cells}), (field,), decimal_comma)


def _meaning(cell: str, field: Field, decimal_comma: bool) -> str | None:
    if cell.strip() == _NOT_AVAILABLE:
        return ""
    if field.kind == "choice":
        return level_of(cell, field)
    number = read_number(cell, field.unit, "," if decimal_comma else None)
    return None if number is None else repr(number)


def _with_reason(fault: Fault, unclear: set[int], uncalculated: dict[int, str]) -> Fault:
    if fault.row in uncalculated:
        return replace(
            fault, code="formula_uncalculated", parameters={**fault.parameters, "cell": uncalculated[fault.row]}
        )
    return replace(fault, code="ambiguous_thousands") if fault.row in unclear else fault


_NUMBERS = tuple(field.name for field in INPUTS if field.kind in ("number", "whole"))
_STATUS, _, _CODES = ACCOUNT


@dataclass(frozen=True)
class Rows:
    """Some rows as read: the columns that pass through, their ids, and their coded numbers with all faults."""

    table: Any
    ids: pd.Series
    checked: Checked


def read_rows(
    sheet: Sheet, layout: ColumnLayout, shared: Shared, strict: bool = False, contradictions: bool = True
) -> Rows:
    """Read some rows: every fault of a row is found, and none costs another row anything.

    Parameters
    ----------
    sheet
        All columns of the file.
    layout
        What the columns are.
    shared
        The ids that more than one row of the whole file has.
    strict
        Whether any fault rejects its row; see `Checked`.
    contradictions
        Whether cells that contradict each other are faults; see `read_roster`.
    """
    misfits = _misfits(sheet, layout)
    # in a row that does not fit the header, other faults are consequences
    beyond = {fault.row for fault in misfits}
    values, faults = _values(sheet, layout)
    if contradictions:
        faults += set_aside_contradictions(values)
    faults = [*misfits, *(fault for fault in faults if fault.row not in beyond)]
    ids, other = id_texts(sheet.table.column(layout.places["runner_id"]), layout), of_other_events(sheet.table, layout)
    faults = [fault for fault in faults if fault.row is None or not other[fault.row]]
    if len(shared.hashes):
        faults += _repeated(sheet, layout, shared, plain_ids(ids))
    faults += [Fault(int(row), ("runner_id",), "other_event") for row in np.flatnonzero(other)]
    faults += _unexplained(sheet, {fault.row for fault in faults})
    faults = _sums_named(sheet, faults)
    faults.sort(key=lambda fault: fault.row or 0)
    table = sheet.table.select(list(layout.passing))
    if "runner_id" not in table.column_names:
        table = table.append_column("runner_id", pa.array(ids.where(plain_ids(ids).notna()), pa.string()))
    frame = pd.DataFrame(values, index=pd.RangeIndex(sheet.table.num_rows))
    return Rows(table, ids, Checked(frame, tuple(faults), strict))


def _sums_named(sheet: Sheet, faults: list[Fault]) -> list[Fault]:
    """Say of rows without a sex that they are no runner, if they sum the others up: an average, a total."""
    blank = sorted(
        {
            fault.row
            for fault in faults
            if fault.row is not None and fault.fields == ("sex",) and fault.code == "required"
        }
    )
    if not blank:
        return faults
    part = sheet.table.take(pa.array(blank, pa.int64()))
    words = [[cell for cell in row.values() if isinstance(cell, str) and is_summary(cell)] for row in part.to_pylist()]
    sums = {row: found[0] for row, found in zip(blank, words, strict=True) if found}
    named = [Fault(row, (), "summary_row", {"word": word}) for row, word in sums.items()]
    return [*(fault for fault in faults if fault.row not in sums), *named]


def _repeated(sheet: Sheet, layout: ColumnLayout, shared: Shared, ids: pd.Series) -> list[Fault]:
    """Return the rows whose id other rows have too: all of them, or all but the newest."""
    other = of_other_events(sheet.table, layout)
    rows = [int(row) for row in shared.rows(ids.where(~other))]
    order = {} if shared.newest is None else shared.superseded(ids, answers_of(sheet.table, layout)(rows), rows)
    codes = {None: "shared_id", True: "newer_row"}
    return [Fault(row, ("runner_id",), codes[older]) for row in rows if (older := order.get(row)) is not False]


def of_other_events(table: Any, layout: ColumnLayout) -> Any:
    """Return which rows are of another event than the one that counts; none where the map names no event."""
    if layout.mapping.event is None:
        return np.zeros(table.num_rows, dtype=bool)
    events = _as_text(table.column(layout.newest)).to_pandas().fillna("").str.strip()
    return (events != layout.mapping.event[1]).to_numpy(dtype=bool)


def answers_of(table: Any, layout: ColumnLayout) -> Callable[[Sequence[int]], list[tuple[str, str]]]:
    """Return what returns the times of some rows, by which the newest row of a runner counts, and their cells."""

    def answers(rows: Sequence[int]) -> list[tuple[str, str]]:
        part = table.take(pa.array(rows, pa.int64()))
        times = _as_text(part.column(layout.newest)).to_pylist()
        return [(time or "", repr(row)) for time, row in zip(times, part.to_pylist(), strict=True)]

    return answers


def _values(sheet: Sheet, layout: ColumnLayout) -> tuple[dict[str, Floats], list[Fault]]:
    """Return the coded numbers of every field, and what is wrong with its cells."""
    values, faults = dict[str, Floats](), list[Fault]()
    for field in INPUTS:
        if field.name in layout.places:
            numbers, wrong = _judge_sides(sheet, field, layout)
            faults += wrong
            check_faults(len(faults))
        else:
            numbers = np.full(sheet.table.num_rows, _constant(field, layout))
        if field.kind != "text":
            values[field.name] = numbers
    for field in _per_kg(layout):
        values[field.name], wrong = _by_weight(values[field.name], values["weight_kg"], field)
        faults += wrong
    return values, faults


def id_texts(column: Any, layout: ColumnLayout) -> pd.Series:
    """Return the pseudonyms of some rows as the file writes them, or as the map translates them."""
    return _translated(_as_text(column).to_pandas(), layout.mapping.target("runner_id"), layout)


def has_decimal_comma(sheet: Sheet, layout: ColumnLayout) -> bool:
    """Return whether any number of a table is written with a comma."""
    for name in _NUMBERS:
        if name in layout.places:
            _, cells = _distinct(sheet.table.column(layout.places[name]), name, layout)
            if cells.astype(str).str.contains(",", regex=False).any():
                return True
    return False


def _misfits(sheet: Sheet, layout: ColumnLayout) -> list[Fault]:
    """Return the rows that do not fit the header, or did not when they were first scored: they fit only since then."""
    faults = {fault.row: fault for fault in sheet.faults}
    status, codes = _account(sheet, _STATUS), _account(sheet, _CODES)
    if status is not None and codes is not None:
        shapes = {text: next((code for code in SHAPE_CODES if code in text.split(", ")), "") for text in codes.unique()}
        shape = codes.map(shapes).where(status == "rejected", "")
        for row in np.flatnonzero(shape.to_numpy(dtype=object) != ""):
            faults.setdefault(int(row), shape_fault(int(row), shape.iloc[row], len(layout.passing)))
    return sorted(faults.values(), key=lambda fault: fault.row or 0)


def _unexplained(sheet: Sheet, explained: set[int | None]) -> list[Fault]:
    """Return the rows that a version without codes rejected for a reason that their cells do not show.

    It may be that they did not fit the header. They fit since they were written, so they would be scored with their
    cells in the wrong columns.
    """
    status, problems, codes = (_account(sheet, name) for name in ACCOUNT)
    if status is None or problems is None or codes is not None:
        return []
    rejected = np.asarray((status == "rejected") & (problems != ""))
    return [Fault(int(row), (), "rejected_before") for row in np.flatnonzero(rejected) if int(row) not in explained]


def _account(sheet: Sheet, name: str) -> pd.Series | None:
    """Return a column of the account that an earlier scoring wrote, blank where it says nothing; None if not there."""
    names = sheet.table.column_names
    if name not in names or not scored_before(names):
        return None
    return pd.Series(_as_text(sheet.table.column(names.index(name))).to_pandas()).fillna("")


def _sides_read(sheet: Sheet, field: Field, layout: ColumnLayout) -> list[tuple[Floats, list[Fault]]]:
    """Return the numbers of each side of a field, and what is wrong with their cells; one where there are no sides."""
    column, target = sheet.table.column(layout.places[field.name]), layout.mapping.target(field.name)
    if target is None or not target.sided:
        return [_judge(column, field, layout)]
    sides = [column, *(sheet.table.column(layout.header.index(name)) for name in target.others)]
    if target.split:
        sides = [pa.array(side, pa.string()) for side in sides_of(_as_text(column).to_pandas(), target.split)]
    return [_judge(side, field, layout) for side in sides]


def _one_sided(sheet: Sheet, layout: ColumnLayout, ids: pd.Series) -> dict[str, list[str]]:
    """Return by field the ids of the runners of whom one side alone is known, which then counts."""
    found = dict[str, list[str]]()
    for column in layout.mapping.columns:
        if column.sided:
            sides = np.vstack([numbers for numbers, _ in _sides_read(sheet, field_of(column.field), layout)])
            known = (~np.isnan(sides)).sum(axis=0)
            rows = np.flatnonzero((known > 0) & (known < len(sides)))
            found |= {column.field: ids.iloc[rows].astype(str).tolist()} if len(rows) else {}
    return found


def _judge_sides(sheet: Sheet, field: Field, layout: ColumnLayout) -> tuple[Floats, list[Fault]]:
    """Check a field in one column, or in the columns or cells of both sides, of which one counts."""
    checked, target = _sides_read(sheet, field, layout), layout.mapping.target(field.name)
    if target is None or len(checked) == 1:
        return checked[0]
    faults = {fault.row: fault for _, wrong in reversed(checked) for fault in wrong}
    in_order = sorted(faults.values(), key=lambda fault: fault.row or 0)
    return combined([numbers for numbers, _ in checked], target.combine), in_order


def _judge(column: Any, field: Field, layout: ColumnLayout) -> tuple[Floats, list[Fault]]:
    """Check a column: numbers as they are, text once for each distinct cell."""
    if layout.mapping.columns and field in _per_kg(layout):
        field = replace(field, low=-np.inf, high=np.inf)  # the limits are those of the number once it is divided
    if _is_numeric(column.type) and layout.mapping.target(field.name) is None:
        codes, cells = None, pd.Series(column.to_pandas())
        checked = check(pd.DataFrame({field.name: cells}), (field,), layout.decimal_comma)
    else:
        codes, cells = _distinct(column, field.name, layout)
        checked = check_spelt(cells, field, layout.decimal_comma)
    numbers = checked.values[field.name].to_numpy() if field.name in checked.values else np.zeros(len(cells))
    if codes is None:
        return numbers, list(checked.faults)
    faults = {fault.row: fault for fault in checked.faults}
    bad = np.zeros(len(cells), dtype=bool)
    bad[[row for row in faults if row is not None]] = True
    return numbers[codes], [_at(int(row), faults[int(codes[row])]) for row in np.flatnonzero(bad[codes])]


def _at(row: int, fault: Fault) -> Fault:
    """Return the fault of a cell for another row that has the same cell."""
    return Fault(row, fault.fields, fault.code, fault.parameters)


def _constant(field: Field, layout: ColumnLayout) -> float:
    """Return the value of a field that the map gives to every row, or NaN."""
    value = dict(layout.mapping.constants).get(field.name)
    if value is None or field.kind == "text":
        return np.nan
    checked = check_spelt(pd.Series([value], dtype=object), field, layout.decimal_comma)
    if checked.faults:
        raise InvalidInput(Message("map_value_invalid"), checked.faults)
    return float(checked.values[field.name].iloc[0])


def _per_kg(layout: ColumnLayout) -> list[Field]:
    return [field_of(column.field) for column in layout.mapping.columns if column.per_kg]


def _by_weight(torques: Floats, kg: Floats, field: Field) -> tuple[Any, list[Fault]]:
    """Divide torques by the runners' weights."""
    lacking = np.flatnonzero(~np.isnan(torques) & np.isnan(kg))
    checked = check(pd.DataFrame({field.name: torques / kg}), (field,))
    # the map says the unit of the torque: to ask for the unit of the quotient would mislead
    plain = [replace(fault, code="outside_limits", parameters={"field": field.name, "value": fault.parameters["value"]})
             if fault.code == "outside_limits_other_unit" else fault for fault in checked.faults]  # fmt: skip
    return checked.values[field.name].to_numpy(), [
        *plain, *(Fault(int(row), (field.name, "weight_kg"), "unweighed") for row in lacking)]  # fmt: skip


def _is_numeric(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _distinct(column: Any, name: str, layout: ColumnLayout) -> tuple[NDArray[np.intp], pd.Series]:
    """Return the distinct cells of a column as text, translated, and which of them each row has."""
    encoded = _as_text(column).dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return codes, _translated(encoded.dictionary.to_pandas(), layout.mapping.target(name), layout)


def _as_text(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return texts(whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole)


def _translated(cells: pd.Series, column: Any, layout: ColumnLayout) -> pd.Series:
    return cells if column is None else translate(cells, column, layout.decimal_comma)


@dataclass(frozen=True)
class Summary:
    """How many rows came in and what became of them: `rows` is the sum of the other three counts.

    Attributes
    ----------
    rows
        Rows of the file.
    scored
        Rows without a fault.
    partly
        Rows that are scored without the cells that their faults name.
    rejected
        Rows that are not scored.
    problems
        Rows with a fault, by field. A row that does not fit the header counts under `row`; one with two faults counts
        under both.
    """

    rows: int
    scored: int
    partly: int
    rejected: int
    problems: dict[str, int]

    @property
    def balances(self) -> bool:
        """Whether every row is counted once."""
        return self.rows == self.scored + self.partly + self.rejected


@dataclass(frozen=True)
class Roster:
    """A whole roster as read: its columns, its coded numbers, and what is wrong with it.

    Attributes
    ----------
    table
        The input columns as they were, in order, without those of an earlier scoring.
    ids
        The pseudonym of each row, as text; blank where there is none.
    checked
        Coded numbers of every row, one column a field (NaN is missing), and what is wrong, by row.
    one_sided
        By field, the ids of the runners of whom one side alone is known.
    no_runners
        The rows of a sheet that are no runner, by their number on it.
    """

    table: Any
    ids: pd.Series
    checked: Checked
    one_sided: dict[str, list[str]] = dataclass_field(default_factory=dict)
    no_runners: tuple[tuple[int, str], ...] = ()

    @property
    def values(self) -> pd.DataFrame:
        """Coded numbers of every row, one column a field; NaN is missing."""
        return self.checked.values

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, by row."""
        return self.checked.faults

    @property
    def summary(self) -> Summary:
        """The account of this roster."""
        return summary_of(self.checked)


def summary_of(checked: Checked) -> Summary:
    """Return the account of some rows."""
    partly, rejected, rows = int(checked.partly.sum()), int(checked.rejected.sum()), len(checked.values)
    seen = dict.fromkeys((fault.row, fault.field or "row") for fault in checked.faults)
    problems = dict(Counter(field for _, field in seen).most_common())
    return Summary(rows, rows - partly - rejected, partly, rejected, problems)


def propose_map(source: Path, sheet: str | None = None) -> Proposed:
    """Propose what the columns of any roster are; nothing is read by the proposal until somebody passes it as a map.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file with any names, levels and units.
    sheet
        The name of the sheet of a workbook.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    return propose(open_source(source, NAMES, sheet=sheet), sheet, date.today())


def read_roster(
    source: Path, mapping: Path | Mapping | None = None, strict: bool = False, contradictions: bool = True
) -> Roster:
    """Read and check a roster without scoring it.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file with the columns of `pfps template`, in any order, and any others.
    mapping
        A map (see `pfps_ml.io.mapping`), or where it stands, for a file with its own names, levels or units.
    strict
        Whether any fault rejects its row, as a cohort needs; else a fault of an optional cell costs that cell alone.
    contradictions
        Whether cells that contradict each other are faults. They are not in a cohort: models learn from such rows.

    Raises
    ------
    InputError
        If the file or the map cannot be read, or the header is not that of a roster. Faults of single rows
        are no error: they are in the result.
    """
    declared = load_mapping(mapping)
    opened = open_source(source, NAMES.union(declared.sources, declared.other_sides), sheet=declared.sheet)
    sheet = read_all(opened)
    layout = column_layout(opened, declared)
    ids = plain_ids(id_texts(sheet.table.column(layout.places["runner_id"]), layout))
    ids = ids.where(~of_other_events(sheet.table, layout))
    shared = find_shared(lambda function, *args: [function(ids, *args)], opened.digest)
    if layout.newest >= 0 and layout.mapping.event is None:
        shared = with_newest(shared, [(ids, answers_of(sheet.table, layout))])
    rows = read_rows(sheet, layout, shared, strict, contradictions)
    return Roster(rows.table, rows.ids, rows.checked, _one_sided(sheet, layout, rows.ids), opened.no_runners)


__all__ = [
    "NAMES",
    "ColumnLayout",
    "Roster",
    "Rows",
    "Summary",
    "answers_of",
    "check_spelt",
    "column_layout",
    "has_decimal_comma",
    "id_texts",
    "of_other_events",
    "propose_map",
    "read_roster",
    "read_rows",
    "scored_before",
    "summary_of",
]  # fmt: skip
