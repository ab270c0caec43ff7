"""The column checker: columns of numbers or text go in; coded numbers and every fault come out.

It is made from the dictionary alone. Scoring and the service use it, because a file schema costs milliseconds a row.
The pandera schema of `schemas` is made from the same declarations; a test compares the two.

What a fault costs is decided here, for every reader of rosters: one optional cell, or the whole row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Fault, Floats, Ints
from pfps_ml.domain.dictionary import INPUTS, YES_NO, Field
from pfps_ml.domain.rules import rules_with
from pfps_ml.domain.synonyms import likely_units

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_TRUTH = ("false", "true")  # in the order of the codes of no and yes: how programs write them
_NAN = float("nan")
_CODED = tuple(field.name for field in INPUTS if field.kind != "text")
_WHOLE = 2.0**53  # below it, every whole number is a float, too


STATUSES = ("scored", "partly", "rejected")
_REQUIRED = frozenset(field.name for field in INPUTS if field.required)
_MISSPELT_KEYS = frozenset({"key_resembles_field"})  # faults of a key, which name the field that it resembles


def rejects(fault: Fault) -> bool:
    """Return whether a fault costs the whole row: it is about the row itself, its id, its age or its sex.

    Any other fault costs one cell, that of its first field: the cell counts as not measured.
    """
    return not fault.fields or fault.fields[0] in _REQUIRED or fault.code in _MISSPELT_KEYS


@dataclass(frozen=True)
class Checked:
    """A checked frame, and what became of each row.

    Attributes
    ----------
    values
        Numbers and level codes. NaN is missing: not measured, or set aside because of a fault.
    faults
        What is wrong, by row.
    strict
        Whether any fault rejects its row; else only one of the row itself, its id, age or sex (see `rejects`).
    """

    values: pd.DataFrame
    faults: tuple[Fault, ...]
    strict: bool = False

    @cached_property
    def rejected(self) -> Bools:
        """Which rows have no answer."""
        return self._rows(fault for fault in self.faults if self.strict or rejects(fault))

    @cached_property
    def partly(self) -> Bools:
        """Which rows are answered without the cells that their faults name."""
        return self._rows(self.faults) & ~self.rejected

    @property
    def status(self) -> Ints:
        """What became of each row: its place in `STATUSES`."""
        return self.partly + 2 * self.rejected.astype(np.int64)

    @cached_property
    def faults_by_row(self) -> list[list[Fault]]:
        """The faults of each row."""
        rows: list[list[Fault]] = [[] for _ in range(len(self.values))]
        for fault in self.faults:
            if fault.row is not None:
                rows[fault.row].append(fault)
        return rows

    def _rows(self, faults: Iterable[Fault]) -> Bools:
        rows = np.zeros(len(self.values), dtype=bool)
        rows[[fault.row for fault in faults if fault.row is not None]] = True
        return rows


def check(
    frame: pd.DataFrame | Mapping[str, Sequence[Any]],
    fields: Iterable[Field] = INPUTS,
    decimal_comma: bool = False,
    contradictions: bool = True,
) -> Checked:
    """Check every known column of a frame against the dictionary.

    Parameters
    ----------
    frame
        One row a runner or patient; columns may be text, numbers, or both. Unknown columns are not looked at. Lists
        of cells under the names of fields do as well, and cost a single row a tenth of the time.
    fields
        The fields to look for; an absent column counts as missing in every row.
    decimal_comma
        Whether text such as `1,75` means 1.75.
    contradictions
        Whether cells that contradict each other are faults: for those who want an answer, not for those to learn from.
    """
    values, checked_fields, faults = _checked(frame, tuple(fields), decimal_comma, contradictions)
    return Checked(pd.DataFrame(values.T, columns=_header(tuple(field.name for field in checked_fields))), faults)


def check_columns(frame: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Floats], tuple[Fault, ...]]:
    """Check lists of cells as `check` does; return columns of numbers, and faults. A single row needs no frame."""
    values, checked_fields, faults = _checked(frame, INPUTS, False, True)
    return {field.name: values[at] for at, field in enumerate(checked_fields)}, faults


def _checked(
    frame: pd.DataFrame | Mapping[str, Sequence[Any]],
    fields: tuple[Field, ...],
    decimal_comma: bool,
    contradictions: bool,
) -> tuple[Floats, list[Field], tuple[Fault, ...]]:
    """Return numbers and level codes of shape (fields, rows), the fields that have them, and every fault."""
    checked_fields = [field for field in fields if field.kind != "text"]
    rows = len(frame) if isinstance(frame, pd.DataFrame) else max(map(len, frame.values()), default=0)
    values, faults = np.full((len(checked_fields), rows), np.nan), []
    for field in fields:
        if field.kind == "text" and field.required and field.name in frame:
            faults += _faults(is_missing(_series(frame[field.name])), field, "id_missing")
    for at, field in enumerate(checked_fields):
        if field.name in frame:
            values[at], unreadable = _read(frame[field.name], field, decimal_comma)
            faults += unreadable
    faults += _beyond_limits(values, checked_fields)
    for at, field in enumerate(checked_fields):
        if field.required:
            silent = np.isnan(values[at]) & ~_rows_of(faults, field.name, rows)
            faults += _faults(silent, field, "required")
    order = {field.name: at for at, field in enumerate(fields)}
    faults.sort(key=lambda fault: (fault.row, order[str(fault.field)]))
    columns = {field.name: values[at] for at, field in enumerate(checked_fields)}
    if contradictions and (contradicting := set_aside_contradictions(columns)):
        values = np.array(list(columns.values()))
        faults = sorted([*faults, *contradicting], key=lambda fault: fault.row or 0)
    return values, checked_fields, tuple(faults)


def set_aside_contradictions(columns: dict[str, Floats]) -> list[Fault]:
    """Find the rows that contradict themselves, and make the cells that the rules name missing.

    Parameters
    ----------
    columns
        Coded fields. Where a cell is set aside, the column is replaced by another; no array is changed. Rules that read
        a field which is not among them are left out.

    Returns
    -------
    list of Fault
        One for each rule and row. Its first fields are those that were set aside, never the age or the sex.
    """
    known = [rule for rule in rules_with("set_aside") if columns.keys() >= {*rule.fields}]
    fired = [(rule, rule.fires(columns)) for rule in known]  # all by the cells as they came
    faults = []
    for rule, rows in fired:
        if rows.any():
            fields = tuple(dict.fromkeys((*rule.what, *rule.fields)))
            faults += [Fault(int(row), fields, rule.code) for row in np.flatnonzero(rows)]
            columns |= {name: np.where(rows, _NAN, columns[name]) for name in rule.what}
    return faults


def derive(values: pd.DataFrame) -> pd.DataFrame:
    """Add the derived fields (body mass index, kg/m2) to a coded frame; NaN where a part is missing."""
    return values.assign(bmi=_body_mass_index(values))


def complete(values: pd.DataFrame | Mapping[str, Floats]) -> dict[str, Floats]:
    """Return coded rows as columns of numbers, derived fields included; see `derive`."""
    if isinstance(values, pd.DataFrame):
        numbers = np.ascontiguousarray(values.to_numpy(dtype=np.float64).T)
        # the names of a header are texts in Arrow's memory: reading the usual ones again costs more than the numbers
        names = _CODED if values.columns is _header(_CODED) else values.columns.tolist()
        values = dict(zip(names, numbers, strict=True))
    return {**values, "bmi": _body_mass_index(values)}


def _body_mass_index(values: Any) -> Any:
    return values["weight_kg"] / (values["height_cm"] / 100) ** 2


def is_missing(texts: pd.Series) -> Bools:
    """Return which cells are blank or one of the usual words for "not measured"."""
    return (texts.isna() | _texts(texts).str.lower().isin(MISSING)).to_numpy(dtype=bool)


@cache
def _header(names: tuple[str, ...]) -> pd.Index:
    return pd.Index(names)


def _read(column: Any, field: Field, decimal_comma: bool) -> tuple[Any, list[Fault]]:
    """Return the numbers or codes of a column, and a fault for each cell that cannot be read; limits come later."""
    if not isinstance(column, pd.Series):
        plain = _plain(column, field)
        if plain is not None:
            return plain, []
    cells = _series(column)
    if field.kind == "choice":
        return _choices(cells, field)
    numbers, unreadable = _numbers(cells, decimal_comma)
    code = "true_or_false" if pd.api.types.is_bool_dtype(cells) else "not_a_number"
    return numbers, _faults(unreadable, field, code)


def _plain(cells: Sequence[Any], field: Field) -> list[float] | None:
    """Return the codes of cells that need no reading (Python's own numbers, exact levels, None), or None."""
    if field.kind == "choice":
        codes = {level: float(code) for code, level in enumerate(field.levels)}
        exact = all(cell is None or (type(cell) is str and cell in codes) for cell in cells)
        return [_NAN if cell is None else codes[cell] for cell in cells] if exact else None
    numbers = all(cell is None or (type(cell) in (float, int) and abs(cell) < _WHOLE) for cell in cells)
    return [_NAN if cell is None else float(cell) for cell in cells] if numbers else None


def _beyond_limits(values: Floats, fields: Sequence[Field]) -> list[Fault]:
    """Return the numbers of shape (fields, rows) that are outside their limits, and make them missing."""
    low, high, whole = _limits(fields)
    broken = (whole == 1) & (values != np.rint(values)) & ~np.isnan(values)
    infinite, outside = np.isinf(values), (values < low) | (values > high)
    bad = outside | broken | infinite
    faults, shared = [], dict[tuple[str, float], tuple[str, dict[str, Any]]]()
    for at, row in zip(*np.nonzero(bad), strict=True):
        name, value = fields[at].name, float(values[at, row])
        if (name, value) not in shared:  # a column of one wrong value is one fault many times
            infinity = ("infinite", {"field": name})  # JSON has no infinity
            shared[name, value] = infinity if infinite[at, row] else limit_fault(fields[at], value)
        faults.append(Fault(int(row), (name,), *shared[name, value]))
    values[bad] = np.nan
    return faults


def limit_fault(field: Field, value: float) -> tuple[str, dict[str, Any]]:
    """Return the code and the parameters of a finite number that a field cannot have; it may be in another unit."""
    about: dict[str, Any] = {"field": field.name, "value": value}
    if field.low <= value <= field.high:
        return "not_whole", about
    units = likely_units(field, value)
    return ("outside_limits_other_unit", {**about, "units": units}) if units else ("outside_limits", about)


def _limits(fields: Sequence[Field]) -> Floats:
    """Return the lowest and the highest value of every field, and whether it is a whole number: (3, fields, 1)."""
    limits = [(field.low, field.high, field.kind == "whole") for field in fields]
    return np.array(limits, dtype=np.float64).reshape(-1, 3).T[..., None]


def _series(column: Any) -> pd.Series:
    return column if isinstance(column, pd.Series) else pd.Series(column, dtype=object)


def _numbers(column: pd.Series, decimal_comma: bool) -> tuple[Floats, Bools]:
    if pd.api.types.is_bool_dtype(column):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=bool)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan), np.zeros(len(column), dtype=bool)
    texts = _texts(column)
    if decimal_comma:
        texts = texts.str.replace(",", ".", regex=False)
    missing = is_missing(column)
    # Python's float() would read "1_000"; a roster's author did not mean that
    readable = texts.where(~texts.str.contains("_", regex=False))
    numbers = pd.to_numeric(readable, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
    numbers[missing] = np.nan
    return numbers, np.isnan(numbers) & ~missing


def _choices(column: pd.Series, field: Field) -> tuple[Floats, list[Fault]]:
    levels = [*field.levels, *(_TRUTH if field.levels == YES_NO else ())]
    codes = {level: float(code % len(field.levels)) for code, level in enumerate(levels)}
    texts = _texts(column).str.lower()
    coded = np.asarray(texts.map(codes).to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)
    unknown = np.isnan(coded) & ~is_missing(column)
    truth = unknown & texts.isin(_TRUTH).to_numpy(dtype=bool)
    return coded, [*_faults(unknown & ~truth, field, "not_a_level"), *_faults(truth, field, "true_or_false")]


def _texts(column: pd.Series) -> pd.Series:
    try:
        return column.astype(str).str.strip()
    except UnicodeError:  # bytes of a binary column, or half a surrogate pair from JSON: unreadable, not a crash
        return column.map(lambda cell: ascii(cell).strip("'"), na_action="ignore").astype(str).str.strip()


def _faults(bad: Bools, field: Field, code: str) -> list[Fault]:
    fields, parameters = (field.name,), {"field": field.name}
    return [Fault(int(row), fields, code, parameters) for row in np.flatnonzero(bad)]


def _rows_of(faults: list[Fault], name: str, rows: int) -> Bools:
    mask = np.zeros(rows, dtype=bool)
    mask[[fault.row for fault in faults if fault.field == name and fault.row is not None]] = True
    return mask


__all__ = [
    "STATUSES", "Checked", "check", "check_columns", "complete", "derive", "is_missing", "limit_fault", "rejects",
    "set_aside_contradictions",
]  # fmt: skip
