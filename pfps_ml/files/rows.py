"""The rows of a roster: what they mean, and what is wrong with them.

Everything here depends on one row at a time (but for ids that several rows share, which are found before), so a file
may be cut anywhere.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pfps_ml.errors import Fault, InvalidInput
from pfps_ml.files.cells import texts
from pfps_ml.files.dialects import Sheet, told_shape
from pfps_ml.files.duplicates import SHARED, Shared, plain_ids
from pfps_ml.files.mapping import translate
from pfps_ml.files.plans import ACCOUNT, Plan, scored_before
from pfps_ml.files.spelt import check_spelt
from pfps_ml.knowledge.checker import Checked, check
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.dictionary import field as field_of
from pfps_ml.knowledge.field import Field

UNWEIGHED = "expected weight_kg in the same row, by which this strength is divided, got none"
_NUMBERS = tuple(each.name for each in INPUTS if each.kind in ("number", "whole"))


@dataclass(frozen=True)
class Rows:
    """Some rows as read: the columns that pass through, their ids, and what they mean."""

    table: Any
    ids: pd.Series
    checked: Checked


def read_rows(sheet: Sheet, plan: Plan, shared: Shared) -> Rows:
    """Read some rows: every fault of a row is found, and none costs another row anything.

    Parameters
    ----------
    sheet
        All columns of the file.
    plan
        What they are.
    shared
        The ids that more than one row of the whole file has.
    """
    rows, places = sheet.table.num_rows, plan.places
    misfits = _misfits(sheet)
    values: dict[str, NDArray[np.float64]] = {}
    faults = [*misfits]
    beyond = {fault.row for fault in misfits}  # in a row that does not fit the header, other faults are consequences
    for each in INPUTS:
        if each.name in places:
            numbers, found = _judge(sheet.table.column(places[each.name]), each, plan)
            faults += [fault for fault in found if fault.row not in beyond]
        else:
            numbers = np.full(rows, _given(each, plan))
        if each.kind != "text":
            values[each.name] = numbers
    for each in _per_kg(plan):
        values[each.name], found = _by_weight(values[each.name], values["weight_kg"], each)
        faults += [fault for fault in found if fault.row not in beyond]
    ids = id_texts(sheet.table.column(places["runner_id"]), plan)
    if len(shared.hashes):
        faults += [Fault(int(row), "runner_id", SHARED) for row in shared.rows(plain_ids(ids))]
    faults.sort(key=lambda fault: fault.row or 0)
    table = sheet.table.select(list(plan.kept))
    if "runner_id" not in table.column_names:
        table = table.append_column("runner_id", pa.array(ids.where(plain_ids(ids).notna()), pa.string()))
    return Rows(table, ids, Checked(pd.DataFrame(values, index=pd.RangeIndex(rows)), tuple(faults)))


def id_texts(column: Any, plan: Plan) -> pd.Series:
    """Return the pseudonyms of some rows as the file writes them, or as the map translates them."""
    return _translated(_as_text(column).to_pandas(), plan.mapping.target("runner_id"), plan)


def has_decimal_comma(sheet: Sheet, plan: Plan) -> bool:
    """Return whether any number of a table is written with a comma."""
    for name in _NUMBERS:
        if name in plan.places:
            _, cells = _distinct(sheet.table.column(plan.places[name]), name, plan)
            if cells.astype(str).str.contains(",", regex=False).any():
                return True
    return False


def _misfits(sheet: Sheet) -> list[Fault]:
    """Return the rows that do not fit the header, or did not when they were first scored: they fit only since then."""
    names = sheet.table.column_names
    if not (scored_before(names) and set(ACCOUNT).issubset(names)):
        return list(sheet.faults)
    found = {fault.row: fault for fault in sheet.faults}
    status, problems = (_as_text(sheet.table.column(names.index(name))).to_pandas() for name in ACCOUNT)
    told = (status == "rejected") & problems.str.startswith("expected", na=False)
    for row in np.flatnonzero(told.to_numpy(dtype=bool, na_value=False)):
        if shape := told_shape(problems.iloc[row]):
            found.setdefault(int(row), Fault(int(row), None, shape))
    return sorted(found.values(), key=lambda fault: fault.row or 0)


def _judge(column: Any, field: Field, plan: Plan) -> tuple[NDArray[np.float64], list[Fault]]:
    """Check a column: numbers as they are, text once for each distinct cell."""
    if plan.mapping.columns and field in _per_kg(plan):
        field = replace(field, low=-np.inf, high=np.inf)  # what it is once divided has limits
    if _is_numeric(column.type) and plan.mapping.target(field.name) is None:
        codes, cells = None, pd.Series(column.to_pandas())
        checked = check(pd.DataFrame({field.name: cells}), (field,), plan.decimal_comma)
    else:
        codes, cells = _distinct(column, field.name, plan)
        checked = check_spelt(cells, field, plan.decimal_comma)
    numbers = checked.values[field.name].to_numpy() if field.name in checked.values else np.zeros(len(cells))
    if codes is None:
        return numbers, list(checked.faults)
    messages = {fault.row: fault.message for fault in checked.faults}
    bad = np.zeros(len(cells), dtype=bool)
    bad[[row for row in messages if row is not None]] = True
    rows = np.flatnonzero(bad[codes])
    return numbers[codes], [Fault(int(row), field.name, messages[int(codes[row])]) for row in rows]


def _given(field: Field, plan: Plan) -> float:
    """Return the value of a field that the map gives to every row, or NaN."""
    value = dict(plan.mapping.given).get(field.name)
    if value is None or field.kind == "text":
        return np.nan
    checked = check_spelt(pd.Series([value], dtype=object), field, plan.decimal_comma)
    if checked.faults:
        raise InvalidInput("expected a map that fits the dictionary, got a value in it that does not.", checked.faults)
    return float(checked.values[field.name].iloc[0])


def _per_kg(plan: Plan) -> list[Field]:
    return [field_of(column.field) for column in plan.mapping.columns if column.per_kg]


def _by_weight(torques: NDArray[np.float64], kg: NDArray[np.float64], field: Field) -> tuple[Any, list[Fault]]:
    """Divide torques by the runners' weights."""
    lacking = np.flatnonzero(~np.isnan(torques) & np.isnan(kg))
    checked = check(pd.DataFrame({field.name: torques / kg}), (field,))
    return checked.values[field.name].to_numpy(), [
        *checked.faults, *(Fault(int(row), field.name, UNWEIGHED) for row in lacking)]  # fmt: skip


def _is_numeric(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _distinct(column: Any, name: str, plan: Plan) -> tuple[NDArray[np.intp], pd.Series]:
    """Return the distinct cells of a column as text, translated, and which of them each row has."""
    encoded = _as_text(column).dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return codes, _translated(encoded.dictionary.to_pandas(), plan.mapping.target(name), plan)


def _as_text(column: Any) -> Any:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return texts(whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole)


def _translated(cells: pd.Series, column: Any, plan: Plan) -> pd.Series:
    return cells if column is None else translate(cells, column, plan.decimal_comma)


__all__ = ["UNWEIGHED", "Rows", "has_decimal_comma", "id_texts", "read_rows"]
