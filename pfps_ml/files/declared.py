"""What a map may declare of one column, and what is wrong with the declaration."""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pfps_ml.errors import Fault
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.knowledge.field import Field

_FIELDS = {field.name: field for field in INPUTS}
KEYS = ("from", "missing", "levels", "factor", "decimal", "lever_arm_m", "per_kg", "born", "on", "value")
BORN = ("day first", "month first", "year first")
LEVER_ARMS = (0.05, 1.2)  # metres: a leg is no longer, and a pad no nearer


@dataclass(frozen=True)
class Column:
    """Where one field comes from: the file's column, its codes for "missing", its levels and its unit.

    Attributes
    ----------
    factor
        What one of the file's unit is in the field's, or in Nm where it is divided by the runner's weight.
    decimal
        The sign before the tenths.
    per_kg
        Whether it is divided by the runner's weight.
    born, on
        For an age from a date of birth: what stands first in a date, and the day for which the age is computed.
    """

    field: str
    source: str
    missing: tuple[str, ...] = ()
    levels: tuple[tuple[str, str], ...] = ()
    factor: float | None = None
    decimal: str | None = None
    per_kg: bool = False
    born: str = ""
    on: dt.date | None = None


def column(name: str, spec: dict[str, Any]) -> Column:
    """Return what a map declares of one column, once it has no faults."""
    missing = tuple(str(code) for code in spec.get("missing", []))
    lever = spec.get("lever_arm_m")
    factor = None if lever is None and "factor" not in spec else float(spec.get("factor", 1)) * float(lever or 1)
    per_kg = lever is not None or spec.get("per_kg", False)
    return Column(
        name, spec["from"], missing, tuple(spec.get("levels", {}).items()), factor,
        spec.get("decimal"), per_kg, spec.get("born", ""), spec.get("on"),
    )  # fmt: skip


def constants_in(tables: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the fields that are the same in every row, with their values."""
    return tuple((name, str(spec["value"])) for name, spec in tables.items() if "value" in spec)


def spec_faults(name: str, spec: Any) -> list[Fault]:
    """Return what is wrong with what a map declares of one column."""
    if name not in _FIELDS:
        return [Fault(None, (), "map_field_unknown", {"name": name})]
    if isinstance(spec, dict) and set(spec) == {"value"} and _is_code(spec["value"]) and name != "runner_id":
        return []
    if not isinstance(spec, dict) or not isinstance(spec.get("from"), str) or "value" in spec:
        return [Fault(None, (name,), "map_from_missing")]
    faults = [Fault(None, (name,), "map_key_unknown", {"keys": KEYS, "key": key}) for key in spec if key not in KEYS]
    return [*faults, *_content_faults(_FIELDS[name], spec), *_unit_faults(_FIELDS[name], spec)]


def _content_faults(field: Field, spec: dict[str, Any]) -> Iterator[Fault]:
    missing, levels = spec.get("missing", []), spec.get("levels", {})
    if not isinstance(missing, list) or not all(_is_code(code) for code in missing):
        yield Fault(None, (field.name,), "map_missing_invalid")
    if not isinstance(levels, dict) or (levels and not set(map(str, levels.values())) <= set(field.levels)):
        yield Fault(None, (field.name,), "map_levels_invalid" if field.levels else "map_levels_of_no_choice",
                    {"field": field.name})  # fmt: skip
    if ("born" in spec or "on" in spec) and field.name != "age_years":
        yield Fault(None, (field.name,), "map_birth_of_no_age")
    elif ("born" in spec or "on" in spec) and not (
        spec.get("born") in BORN and isinstance(spec.get("on"), dt.date) and not isinstance(spec["on"], dt.datetime)
    ):
        yield Fault(None, (field.name,), "map_birth_invalid", {"orders": [repr(order) for order in BORN]})


def _unit_faults(field: Field, spec: dict[str, Any]) -> Iterator[Fault]:
    factor, numeric = spec.get("factor", 1), field.kind in ("number", "whole")
    if not _is_number(factor) or factor <= 0:
        yield Fault(None, (field.name,), "map_factor_invalid")
    elif "factor" in spec and not numeric:
        yield Fault(None, (field.name,), "map_factor_of_no_number")
    if "decimal" in spec and not (numeric and spec["decimal"] in (",", ".")):
        yield Fault(None, (field.name,), "map_decimal_invalid")
    if "lever_arm_m" in spec or "per_kg" in spec:
        (low, high), lever = LEVER_ARMS, spec.get("lever_arm_m", LEVER_ARMS[0])
        if field.unit != "Nm/kg":
            yield Fault(None, (field.name,), "map_lever_of_no_strength")
        elif not _is_number(lever) or not low <= lever <= high:
            yield Fault(None, (field.name,), "map_lever_invalid", {"low": low, "high": high})
        elif not isinstance(spec.get("per_kg", True), bool):
            yield Fault(None, (field.name,), "map_per_kg_invalid")


def _is_code(code: object) -> bool:
    return isinstance(code, str | int | float) and not isinstance(code, bool)


def _is_number(code: object) -> bool:
    return _is_code(code) and not isinstance(code, str) and math.isfinite(float(str(code)))


__all__ = ["BORN", "KEYS", "LEVER_ARMS", "Column", "column", "constants_in", "spec_faults"]
