"""The column checker: typed or textual columns in, coded numbers and every fault out, from the dictionary alone.

Scoring and the service use it (a file schema costs milliseconds a row); the pandera schema of `contracts` is
made from the same declarations, and a test holds the two equal.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.errors import Fault
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import YES_NO, Field

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_TRUTH = ("false", "true")  # in the order of the codes of no and yes: how programs write them
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Checked:
    """A checked frame: `values` holds numbers and level codes (NaN is missing), `faults` what was wrong, by row."""

    values: pd.DataFrame
    faults: tuple[Fault, ...]

    @property
    def rejected(self) -> Bools:
        """Whether each row has at least one fault."""
        bad = np.zeros(len(self.values), dtype=bool)
        bad[[fault.row for fault in self.faults if fault.row is not None]] = True
        return bad


def check(frame: pd.DataFrame, fields: Iterable[Field] = INPUTS, decimal_comma: bool = False) -> Checked:
    """Check every known column of a frame against the dictionary.

    Parameters
    ----------
    frame
        One row a runner or patient; columns may be text, numbers, or both. Unknown columns are not looked at.
    fields
        The fields to look for; an absent column counts as missing in every row.
    decimal_comma
        Whether text such as `1,75` means 1.75.
    """
    values: dict[str, Floats] = {}
    faults: list[Fault] = []
    for field in fields:
        if field.kind == "text":
            faults += _check_text(frame, field)
            continue
        if field.name in frame:
            values[field.name], found = _check_column(frame[field.name], field, decimal_comma)
            faults += found
        else:
            values[field.name] = np.full(len(frame), np.nan)
        if field.required:
            silent = np.isnan(values[field.name]) & ~_rows_of(faults, field.name, len(frame))
            faults += _faults(silent, field, f"is required: expected {field.limits}, got nothing")
    faults.sort(key=lambda fault: -1 if fault.row is None else fault.row)
    return Checked(pd.DataFrame(values, index=pd.RangeIndex(len(frame))), tuple(faults))


def derive(values: pd.DataFrame) -> pd.DataFrame:
    """Add the derived fields (body mass index, kg/m2) to a coded frame; NaN where a part is missing."""
    return values.assign(bmi=_body_mass_index(values))


def complete(values: pd.DataFrame | Mapping[str, Floats]) -> dict[str, Floats]:
    """Return coded rows as columns of numbers, derived fields included; see `derive`."""
    if isinstance(values, pd.DataFrame):
        values = dict(zip(map(str, values), np.ascontiguousarray(values.to_numpy(dtype=np.float64).T), strict=True))
    return {**values, "bmi": _body_mass_index(values)}


def _body_mass_index(values: Any) -> Any:
    return values["weight_kg"] / (values["height_cm"] / 100) ** 2


def is_missing(texts: pd.Series) -> Bools:
    """Return which cells are blank or one of the usual words for "not measured"."""
    return (texts.isna() | _texts(texts).str.lower().isin(MISSING)).to_numpy(dtype=bool)


def _check_text(frame: pd.DataFrame, field: Field) -> list[Fault]:
    if not field.required or field.name not in frame:
        return []
    return _faults(is_missing(frame[field.name]), field, "is required: expected a pseudonym, got nothing")


def _check_column(column: pd.Series, field: Field, decimal_comma: bool) -> tuple[Floats, list[Fault]]:
    if field.kind == "choice":
        return _choices(column, field)
    numbers, unreadable = _numbers(column, decimal_comma)
    infinite = np.isinf(numbers)
    with np.errstate(invalid="ignore"):
        outside = (numbers < field.low) | (numbers > field.high)
        broken = (numbers != np.round(numbers)) & ~np.isnan(numbers) & (field.kind == "whole")
    faults = _faults(unreadable, field, f"expected {field.limits}, got text")
    faults += _faults(infinite, field, f"expected {field.limits}, got infinity")
    faults += _faults(
        (outside | broken) & ~infinite, field, lambda row: f"expected {field.limits}, got {numbers[row]:.12g}"
    )
    return np.where(outside | broken | infinite, np.nan, numbers), faults


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
    faults = _faults(unknown & ~truth, field, f"expected {field.limits}, got another level")
    return coded, [*faults, *_faults(truth, field, f"expected {field.limits}, got true or false")]


def _texts(column: pd.Series) -> pd.Series:
    try:
        return column.astype(str).str.strip()
    except UnicodeError:  # bytes of a binary column, or half a surrogate pair from JSON: unreadable, not a crash
        return column.map(lambda cell: ascii(cell).strip("'"), na_action="ignore").astype(str).str.strip()


def _faults(bad: Bools, field: Field, message: str | Callable[[int], str]) -> list[Fault]:
    rows = [int(row) for row in np.flatnonzero(bad)]
    return [Fault(row, field.name, message if isinstance(message, str) else message(row)) for row in rows]


def _rows_of(faults: list[Fault], name: str, rows: int) -> Bools:
    mask = np.zeros(rows, dtype=bool)
    mask[[fault.row for fault in faults if fault.field == name and fault.row is not None]] = True
    return mask


__all__ = ["Checked", "check", "complete", "derive", "is_missing"]
