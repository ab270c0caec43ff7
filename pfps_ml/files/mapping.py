"""A map from a club's own columns to the dictionary's: names, levels, codes for "missing", and units.

::

    [columns.weight_kg]
    from = "Weight (lb)"      the column in the file
    missing = ["999"]         codes that mean "not measured"
    factor = 0.4536           multiply by this to get the field's unit

    [columns.sex]
    from = "Gender"
    levels = { Male = "male", Female = "female" }
"""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pfps_ml.errors import Fault, InputError, InvalidInput
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import Field

_FIELDS = {field.name: field for field in INPUTS}
_KEYS = ("from", "missing", "levels", "factor")


@dataclass(frozen=True)
class Column:
    """Where one field comes from: the file's column, its codes for "missing", its levels and its unit."""

    field: str
    source: str
    missing: tuple[str, ...] = ()
    levels: tuple[tuple[str, str], ...] = ()
    factor: float | None = None


@dataclass(frozen=True)
class Mapping:
    """A map as declared, with what is wrong in it; the file's header decides the rest."""

    columns: tuple[Column, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def sources(self) -> dict[str, Column]:
        """The mapped columns by their name in the file."""
        return {column.source: column for column in self.columns}

    def target(self, field: str) -> Column | None:
        """Return the mapped column that a field comes from, if it comes from one."""
        return next((column for column in self.columns if column.field == field), None)


def load_mapping(path: Path | None) -> Mapping:
    """Read a map; None is the map that changes nothing.

    Raises
    ------
    InputError
        If the file cannot be read as TOML. What it declares is judged by `rename`, together with the header.
    """
    if path is None:
        return Mapping()
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"expected a map that can be read: {path}, got: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"expected a map in TOML, got something else: {error}. See data/mappings/.") from error
    tables = declared.pop("columns", None)
    faults = [Fault(None, None, f"expected only [columns.FIELD] in a map, got {key!r}") for key in declared]
    if not isinstance(tables, dict) or not tables:
        return Mapping((), (*faults, Fault(None, None, "expected [columns.FIELD] in the map, got none")))
    for name, spec in tables.items():
        faults += _spec_faults(name, spec)
    return Mapping(() if faults else tuple(_column(name, spec) for name, spec in tables.items()), tuple(faults))


def rename(header: list[str], mapping: Mapping) -> list[str]:
    """Return the header as the dictionary names it.

    Raises
    ------
    InvalidInput
        With one fault for each thing that is wrong in the map, or that does not fit the file.
    """
    faults = [*mapping.faults, *_misfits(header, mapping)]
    if faults:
        raise InvalidInput(f"expected a map that fits this file, got {len(faults)} fault(s) in it.", faults)
    return [mapping.sources[name].field if name in mapping.sources else name for name in header]


def translate(cells: pd.Series, column: Column, decimal_comma: bool) -> pd.Series:
    """Return one column of the file in the dictionary's levels and unit; what is not declared stays as it is.

    Parameters
    ----------
    cells
        Text or numbers, as read.
    column
        What the map says of it.
    decimal_comma
        Whether text such as `1,75` means 1.75.
    """
    known: dict[str, object] = {_canonical(code, False): pd.NA for code in column.missing}
    known |= {_canonical(theirs, False): ours for theirs, ours in column.levels}
    meanings: dict[object, object] = {}
    for cell in cells.dropna().unique():
        code = _canonical(cell, decimal_comma)
        meanings[cell] = known[code] if code in known else _scaled(cell, code, column.factor)
    return pd.Series([meanings.get(cell, pd.NA) for cell in cells], index=cells.index, dtype=object)


def _canonical(cell: object, decimal_comma: bool) -> str:
    """Return one spelling for what means the same: 999, 999.0 and `999 `; Male and MALE."""
    text = str(cell).strip().lower()
    number = _number(text.replace(",", ".") if decimal_comma else text)
    return text if number is None else f"{number:.12g}"


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _scaled(cell: object, code: str, factor: float | None) -> object:
    number = _number(code)
    return cell if factor is None or number is None else f"{number * factor:.12g}"


def _misfits(header: list[str], mapping: Mapping) -> Iterator[Fault]:
    for column in mapping.columns:
        if column.source not in header:
            yield Fault(None, column.field, f"expected the column {column.source!r} in the file, got none of that name")
        if column.field in header and column.field not in mapping.sources:
            yield Fault(None, column.field, "expected one column for this field, got a mapped one and one of its name")
    if len(mapping.sources) < len(mapping.columns):
        yield Fault(None, None, "expected each column of the file to be mapped once, got one that is mapped twice")


def _spec_faults(name: str, spec: Any) -> list[Fault]:
    if name not in _FIELDS:
        return [Fault(None, None, f"expected a field of the dictionary, got {name!r}; see `pfps dictionary`")]
    if not isinstance(spec, dict) or not isinstance(spec.get("from"), str):
        return [Fault(None, name, 'expected from = "the column in the file", got none')]
    faults = [Fault(None, name, f"expected {', '.join(_KEYS)}, got {key!r}") for key in spec if key not in _KEYS]
    return [*faults, *_content_faults(_FIELDS[name], spec)]


def _content_faults(field: Field, spec: dict[str, Any]) -> Iterator[Fault]:
    missing, levels, factor = spec.get("missing", []), spec.get("levels", {}), spec.get("factor", 1)
    if not isinstance(missing, list) or not all(_is_code(code) for code in missing):
        yield Fault(None, field.name, 'expected missing = ["999"], a list of texts or numbers, got something else')
    if not isinstance(levels, dict) or (levels and not set(map(str, levels.values())) <= set(field.levels)):
        expected = field.limits if field.levels else "no levels, since this field has none"
        yield Fault(None, field.name, f"expected levels that lead to {expected}, got something else")
    numeric = field.kind in ("number", "whole")
    if not _is_code(factor) or isinstance(factor, str) or not math.isfinite(factor) or factor <= 0:
        yield Fault(None, field.name, "expected a factor that is a number above 0, got something else")
    elif "factor" in spec and not numeric:
        yield Fault(None, field.name, "expected no factor, since this field is no number")


def _is_code(code: object) -> bool:
    return isinstance(code, str | int | float) and not isinstance(code, bool)


def _column(name: str, spec: dict[str, Any]) -> Column:
    missing = tuple(str(code) for code in spec.get("missing", []))
    factor = float(spec["factor"]) if "factor" in spec else None
    return Column(name, spec["from"], missing, tuple(spec.get("levels", {}).items()), factor)


__all__ = ["Column", "Mapping", "load_mapping", "rename", "translate"]
