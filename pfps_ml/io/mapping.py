"""A map from a club's own columns to the dictionary's: names, levels, codes for "missing", and units.

::

    sheet = "Seniors"         the sheet of a workbook
    newest = "Timestamp"      of several rows of one runner, the one that is newest by this column
    event = { column = "Visit", value = "baseline" }   of several rows of one runner, the one that counts
    leave = ["Shoe size"]     columns that are not read, whatever their names look like

    [columns.weight_kg]
    from = "Weight (lb)"      the column in the file
    missing = ["999"]         codes that mean "not measured"
    factor = 0.4536           multiply by this to get the field's unit
    decimal = ","             the sign before the tenths, where `1,234` may be meant either way

    [columns.hip_abduction_nm_kg]
    from = "hip abd N"
    lever_arm_m = 0.38        a force: metres from the joint's axis to the dynamometer; then divided by weight_kg
    per_kg = true             a torque in Nm: divided by weight_kg (with a lever arm it always is)

    [columns.knee_extension_nm_kg]
    from = ["Quad L", "Quad R"]  two columns, one a side
    combine = "lowest"        which side counts: lowest, highest, mean or any; the dictionary's rule if not said

    [columns.foot_posture_index]
    from = "FPI"
    split = "/"               one cell with both sides, such as 4/6

    [columns.height_cm]
    from = "Height (ft)"
    notation = "feet.inches"  5.10 is 5 feet 10 inches; or "stone.pounds"

    [columns.age_years]
    from = "DOB"
    born = "day first"        a date of birth; or "month first", "year first", "serial" (a spreadsheet's number)
    on = 2026-09-01           the day on which the age is meant

    [columns.sex]
    from = "Gender"
    levels = { Male = "male", Female = "female" }
    value = "female"          instead of `from`: the same for every row

What a map may declare of one column, and what is wrong with the declaration.
"""

import datetime as dt
import math
import re
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Fault, Floats, InputError, InvalidInput, Message, TooLarge
from pfps_ml.domain import INPUTS, Field, side_rule
from pfps_ml.domain.synonyms import month_of, plain, read_number
from pfps_ml.io.cells import limits

_FIELDS = {field.name: field for field in INPUTS}
KEYS = ("from", "missing", "levels", "factor", "decimal", "lever_arm_m", "per_kg", "born", "on", "value",
        "combine", "split", "notation")  # fmt: skip
BORN = ("day first", "month first", "year first", "serial")
COMBINE = ("lowest", "highest", "mean", "any")
NOTATIONS = {"feet.inches": ("cm", 12), "stone.pounds": ("kg", 14)}  # by their field's unit; how many are one more
OPEN = "?"  # in place of what somebody must say: no map is read that still has it
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
    others, combine, split
        The other columns of a measurement of both sides, which of the sides counts, and what stands between them in
        a cell that has both.
    notation
        How a number that looks like tenths is meant: `feet.inches` or `stone.pounds`.
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
    others: tuple[str, ...] = ()
    combine: str = ""
    split: str = ""
    notation: str = ""

    @property
    def sided(self) -> bool:
        """Whether it has two sides, in several columns or in one."""
        return bool(self.others or self.split)


def column_of(name: str, spec: dict[str, Any]) -> Column:
    """Return what a map declares of one column, once it has no faults."""
    missing = tuple(str(code) for code in spec.get("missing", []))
    lever = spec.get("lever_arm_m")
    factor = None if lever is None and "factor" not in spec else float(spec.get("factor", 1)) * float(lever or 1)
    per_kg = lever is not None or spec.get("per_kg", False)
    source, *others = [spec["from"]] if isinstance(spec["from"], str) else spec["from"]
    combine = spec.get("combine") or (side_rule(_FIELDS[name]) or "" if others or "split" in spec else "")
    return Column(
        name, source, missing, tuple(spec.get("levels", {}).items()), factor,
        spec.get("decimal"), per_kg, spec.get("born", ""), spec.get("on"),
        tuple(others), combine, spec.get("split", ""), spec.get("notation", ""),
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
    if not isinstance(spec, dict) or not _is_source(spec.get("from")) or "value" in spec:
        return [Fault(None, (name,), "map_from_missing")]
    faults = [Fault(None, (name,), "map_key_unknown", {"keys": KEYS, "key": key}) for key in spec if key not in KEYS]
    return [*faults, *_content_faults(_FIELDS[name], spec), *_unit_faults(_FIELDS[name], spec),
            *_side_faults(_FIELDS[name], spec)]  # fmt: skip


def _is_source(source: object) -> bool:
    """Return whether it names a column, or several different ones."""
    names = source if isinstance(source, list) else [source]
    return bool(names) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _side_faults(field: Field, spec: dict[str, Any]) -> Iterator[Fault]:
    sided = isinstance(spec["from"], list) or "split" in spec
    rules = ("any",) if field.levels else COMBINE[: 2 if field.kind == "whole" else 3]
    if ("combine" in spec or sided) and (field.kind == "text" or field.required):
        yield Fault(None, (field.name,), "map_sides_of_none", {"field": field.name})
    elif "combine" in spec and spec["combine"] not in rules:
        yield Fault(None, (field.name,), "map_combine_invalid", {"rules": [repr(rule) for rule in rules]})
    elif sided and "combine" not in spec and side_rule(field) is None:
        yield Fault(
            None, (field.name,), "map_combine_missing", {"field": field.name, "rules": [repr(rule) for rule in rules]}
        )
    if "split" in spec and not (
        isinstance(spec["split"], str) and spec["split"].strip() and isinstance(spec["from"], str)
    ):
        yield Fault(None, (field.name,), "map_split_invalid")
    if "notation" in spec and (spec["notation"] not in NOTATIONS or NOTATIONS[spec["notation"]][0] != field.unit):
        yield Fault(None, (field.name,), "map_notation_invalid", {"notations": [repr(name) for name in NOTATIONS]})


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


_OTHERS = ("sheet", "leave")
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?")
_ORDINAL = re.compile(r"(\d{1,2})(st|nd|rd|th|er|e|ème|ª|º)?")
_NO_PART = ("de", "del", "of", "den", "der", "the")  # of a date in words
_DAY_ZERO = dt.date(1899, 12, 30)  # of the numbers that spreadsheets have for days, from March 1900 on
_SERIALS = (3_654, 55_000)  # 1910 to 2050
_TENTHS = re.compile(r"(\d{1,2})(?:[.,](\d{1,2}))?")
_DATE = re.compile(r"(\d{1,4})\s*[./-]\s*(\d{1,2})\s*[./-]\s*(\d{1,4})")
_YEAR = re.compile(r"(19|20)\d\d")
_ORDERS = {"day first": (2, 1, 0), "month first": (2, 0, 1), "year first": (0, 1, 2)}


@dataclass(frozen=True)
class Mapping:
    """A map as declared, with what is wrong in it; the file's header decides the rest.

    Attributes
    ----------
    constants
        Fields that are the same in every row, with their value.
    leave
        Columns that are not read.
    sheet
        The sheet of a workbook.
    newest
        The column of times by which the newest of several rows of one runner is the one that counts.
    event
        A column and its value in the rows that count: those of other events are rejected.
    """

    columns: tuple[Column, ...] = ()
    faults: tuple[Fault, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    leave: frozenset[str] = frozenset()
    sheet: str | None = None
    newest: str | None = None
    event: tuple[str, str] | None = None

    @property
    def order_column(self) -> str | None:
        """The column that tells which of several rows of one runner counts."""
        return self.event[0] if self.event else self.newest

    @property
    def sources(self) -> dict[str, Column]:
        """The mapped columns by their name in the file; of a measurement of both sides, by that of the first side."""
        return {column.source: column for column in self.columns}

    @property
    def other_sides(self) -> frozenset[str]:
        """The columns of the file that are another side of a mapped one."""
        return frozenset(name for column in self.columns for name in column.others)

    def target(self, field: str) -> Column | None:
        """Return the mapped column that a field comes from, if it comes from one."""
        return next((column for column in self.columns if column.field == field), None)


def load_mapping(path: Path | Mapping | None, sheet: str | None = None, newest: str | None = None) -> Mapping:
    """Read a map; None is the map that changes nothing, and one that was read stays as it is.

    Parameters
    ----------
    path
        Where the map stands.
    sheet, newest
        The sheet of a workbook, and the column of times; they go before those of the map.

    Raises
    ------
    InputError
        If the file cannot be read as TOML. `rename` checks the declarations, together with the header.
    """
    mapping = path if isinstance(path, Mapping) else Mapping() if path is None else _read(path)
    mapping = mapping if newest is None else replace(mapping, newest=newest)
    return mapping if sheet is None else replace(mapping, sheet=sheet)


def _read(path: Path) -> Mapping:
    try:
        if path.stat().st_size > limits().mapping:
            raise TooLarge(Message("map_too_large", {"bytes": limits().mapping}))
        return _declared(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise InputError(Message("map_unreadable", {"path": str(path), "reason": error.strerror})) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(Message("map_is_no_toml", {"reason": str(error)})) from error
    except RecursionError as error:
        raise InputError(Message("map_is_no_toml", {"reason": type(error).__name__})) from error


def _declared(declared: dict[str, Any]) -> Mapping:
    """Return the map that a file declares, with its faults."""
    tables, sheet, leave = declared.pop("columns", None), declared.pop("sheet", None), declared.pop("leave", [])
    newest, event = declared.pop("newest", None), declared.pop("event", None)
    faults = [Fault(None, (), "map_table_unknown", {"name": key}) for key in declared]
    if not isinstance(sheet, str | None):
        faults.append(Fault(None, (), "map_sheet_invalid"))
    if not isinstance(newest, str | None):
        faults.append(Fault(None, (), "map_newest_invalid"))
    if event is not None and not (isinstance(event, dict) and set(event) == {"column", "value"}):
        return Mapping((), (*faults, Fault(None, (), "map_event_invalid")))
    if not isinstance(leave, list) or not all(isinstance(name, str) for name in leave):
        return Mapping((), (*faults, Fault(None, (), "map_leave_invalid")))
    if not isinstance(tables, dict) or not tables:
        return Mapping((), (*faults, Fault(None, (), "map_empty")))
    for name, spec in tables.items():
        faults += spec_faults(name, spec)
    if faults:
        return Mapping((), tuple(faults))
    columns = tuple(column_of(name, spec) for name, spec in tables.items() if "from" in spec)
    return Mapping(
        columns,
        (),
        constants_in(tables),
        frozenset(leave),
        sheet,
        newest,
        (str(event["column"]), str(event["value"])) if event else None,
    )


def rename(header: list[str], mapping: Mapping) -> list[str]:
    """Return the header as the dictionary names it.

    Raises
    ------
    InvalidInput
        With one fault for each thing that is wrong in the map, or that does not fit the file.
    """
    faults = [*mapping.faults, *_misfits(header, mapping)]
    if faults:
        raise InvalidInput(Message("map_misfit", {"n": len(faults)}), faults)
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
    decimal = column.decimal or ("," if decimal_comma else None)
    known: dict[str, object] = {_canonical(code, None): pd.NA for code in column.missing}
    known |= {_canonical(theirs, None): ours for theirs, ours in column.levels}
    meanings: dict[object, object] = {}
    for cell in cells.dropna().unique():
        code = _canonical(cell, decimal)
        meanings[cell] = known[code] if code in known else _converted(cell, column, decimal)
    return pd.Series([meanings.get(cell, pd.NA) for cell in cells], index=cells.index, dtype=object)


def sides_of(cells: pd.Series, split: str) -> list[pd.Series]:
    """Return the two sides of cells that hold both, such as `4/6`; a cell that holds one has no second side."""
    parts = cells.astype("string").str.split(split, n=1, regex=False)
    return [parts.str[at].astype(object).where(parts.str[at].notna(), None) for at in (0, 1)]


def combined(sides: list[Floats], rule: str) -> Floats:
    """Return the side that counts in each row: where a side is missing, the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows without any side, which stay missing
        chosen: Any = {"lowest": np.nanmin, "mean": np.nanmean}.get(rule, np.nanmax)
        return np.asarray(chosen(np.vstack(sides), axis=0))


def birth_date(text: str, order: str) -> dt.date | None:
    """Return the day that a text names; July 1st for a year alone. None if it names none.

    Parameters
    ----------
    text
        Such as `1998-04-03`, `1998-04-03T00:00:00Z`, `3.4.1998`, `4/3/98`, `3. April 1998` or `1998`.
    order
        What stands first where the text does not show it: day, month or year; or that it is a spreadsheet's number.
    """
    if order == "serial" and text.isdigit() and _SERIALS[0] <= int(text) <= _SERIALS[1]:
        return _DAY_ZERO + dt.timedelta(int(text))
    if match := _ISO.fullmatch(text):
        parts = [int(match[at]) for at in (1, 2, 3)]
    elif worded := _in_words(text):
        parts = worded
    elif _YEAR.fullmatch(text):
        parts = [int(text), 7, 1]
    elif order in _ORDERS and (match := _DATE.fullmatch(text)):
        parts = [int(match[at + 1]) for at in _ORDERS[order]]
        parts[0] = _full_year(parts[0])
    else:
        return None
    try:
        return dt.date(*parts)
    except ValueError:
        return None


def _full_year(year: int) -> int:
    return year + ((1900 if year > 30 else 2000) if year < 100 else 0)


def _in_words(text: str) -> list[int]:
    """Return year, month and day of a date whose month is a word, such as `12. März 1995`; nothing if it has none."""
    parts = [part for part in plain(text).split() if part not in _NO_PART]
    if len(parts) != 3 or not parts[2].isdigit() or len(parts[2]) not in (2, 4):
        return []
    first, second = (month_of(part) for part in parts[:2])
    day, month = (parts[1], first) if first else (parts[0], second)
    match = _ORDINAL.fullmatch(day)
    return [_full_year(int(parts[2])), month, int(match[1])] if month and match else []


def _by_notation(text: str, notation: str) -> float | None:
    """Return a height in cm or a weight in kg from feet and inches, or stones and pounds, with a point between them.

    A lone 1 behind the point is none: a spreadsheet makes it from 5.10, too.
    """
    unit, parts = NOTATIONS[notation]
    match = _TENTHS.fullmatch(text)
    if match is None or match[2] == "1" or int(match[2] or 0) >= parts:
        return None
    return (int(match[1]) + int(match[2] or 0) / parts) * {"cm": 30.48, "kg": 6.35029318}[unit]


_TIME = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})"
    r"(?:[T, ]+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([AaPp])?\.?\s?[Mm]?\.?)?"
    r"\s*(?:Z|GMT|UTC)?\s*(?:[+-]\d{1,2}(?::?\d\d)?)?"
)


def times_in(text: str) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return when something was answered, if the day stands first in a date and if the month does; None if it cannot.

    Zones are left out: those of one form are the same.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None, None
    orders = ("year first",) * 2 if len(match[1]) == 4 else ("day first", "month first")
    hour = int(match[4] or 0)
    if match[7]:
        hour = hour % 12 + 12 * (match[7].lower() == "p")
    read = list[dt.datetime | None]()
    for order in orders:
        year, month, day = (int(match[at + 1]) for at in _ORDERS[order])
        try:
            read.append(dt.datetime(_full_year(year), month, day, hour, int(match[5] or 0), int(match[6] or 0)))
        except ValueError:
            read.append(None)
    return read[0], read[1]


def _canonical(cell: object, decimal: str | None) -> str:
    """Return one spelling for what means the same: 999, 999.0 and `999 `; Male and MALE."""
    text = str(cell).strip().lower()
    number = _number(text, decimal)
    return text if number is None else f"{number:.12g}"


def _number(text: str, decimal: str | None) -> float | None:
    with suppress(ValueError):  # of what is no number, and of what may be two
        number = read_number(text, "", decimal)
        return float(text) if number is None and "_" not in text else number
    return None


def _converted(cell: object, column: Column, decimal: str | None) -> object:
    text = str(cell).strip()
    if column.born and column.on:
        day = birth_date(text, column.born)
        return cell if day is None else str(_years(day, column.on))
    if column.notation:
        number = _by_notation(text, column.notation)
        return cell if number is None else f"{number:.12g}"
    number = _number(text, decimal) if column.factor is not None or column.decimal else None
    return cell if number is None else f"{number * (column.factor or 1):.12g}"


def _years(day: dt.date, on: dt.date) -> int:
    return on.year - day.year - ((on.month, on.day) < (day.month, day.day))


def _misfits(header: list[str], mapping: Mapping) -> Iterator[Fault]:
    for column in mapping.columns:
        for name in (column.source, *column.others):
            if name not in header and name == OPEN:
                yield Fault(None, (column.field,), "map_unanswered", {"field": column.field})
            elif name not in header:
                yield Fault(None, (column.field,), "map_column_missing", {"name": name})
        if column.field in header and column.field not in {*mapping.sources, *mapping.other_sides, *mapping.leave}:
            yield Fault(None, (column.field,), "map_field_twice")
    for field, _ in mapping.constants:
        if field in header and field not in {*mapping.sources, *mapping.leave}:
            yield Fault(None, (field,), "map_value_and_column")
    used = [name for column in mapping.columns for name in (column.source, *column.others)]
    if mapping.order_column is not None and mapping.order_column not in header:
        yield Fault(None, (), "map_newest_missing", {"name": mapping.order_column})
    if len(set(used)) < len(used) or mapping.leave & set(used):
        yield Fault(None, (), "map_column_twice")


__all__ = [
    "BORN", "COMBINE", "KEYS", "LEVER_ARMS", "NOTATIONS", "OPEN", "Column", "Mapping", "birth_date", "column_of",
    "combined", "constants_in", "load_mapping", "rename", "sides_of", "spec_faults", "times_in", "translate",
]  # fmt: skip
