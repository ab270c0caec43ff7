"""What the values of a column tell: its unit, its levels, its codes for "not known", the order of its dates."""

import datetime as dt
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pfps_ml.files.mapping import birth_date
from pfps_ml.files.naming import Named
from pfps_ml.knowledge.field import YES_NO, Field
from pfps_ml.knowledge.spellings import Unit, facts, is_unknown, level_of, missing_codes, plain, read_number, units_of

_FITS = 0.9  # of the values, for a unit to be the one that is meant
OPEN = "?"  # in place of what somebody must say: no map is read that still has it
_CODES = frozenset("012")  # that forms have for levels, each form its own
_HEAVY = 100  # kg: half of a squad is not heavier
_TEN = 10  # a scale of pain from 0 to 10 is as usual as one from 0 to 100


@dataclass(frozen=True)
class Guess:
    """What the values of one column tell; see `pfps_ml.files.proposals.Proposal`."""

    declared: dict[str, Any] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    asked: str = ""
    notes: tuple[str, ...] = ()


def guess_levels(cells: Counter[str], about: Field) -> Guess:
    """Guess what the texts of a choice mean."""
    plainly = {plain(cell) for cell in cells}
    spanish = about.levels != YES_NO and {"h", "m"} <= plainly and "f" not in plainly
    levels, unclear, notes = dict[str, str](), 0, list[str]()
    for cell in cells:
        likely = level_of(cell, about, likely=True)
        if spanish and plain(cell) in ("h", "m"):
            levels[cell] = "male" if plain(cell) == "h" else "female"
        elif level_of(cell, about) is None and likely is not None:
            levels[cell] = likely
        elif likely is None and not is_unknown(cell):
            unclear += cells[cell]
    missing = [cell for cell in cells if is_unknown(cell)]
    codes = sorted(cell for cell in cells if plain(cell) in _CODES)
    asked = ""
    if {"1", "2"} <= plainly or (about.levels != YES_NO and plainly and plainly <= _CODES):
        asked, levels = f"which number means {' and which '.join(about.levels)}?", dict.fromkeys(codes, OPEN)
    elif levels:
        told = ", ".join(f"{theirs} for {ours}" for theirs, ours in levels.items())
        notes.append(f"These levels are likely, not certain: {told}.")
    if unclear and not asked:
        notes.append(f"{_cells(unclear)} neither {' nor '.join(about.levels)}: their rows will be rejected.")
    samples = tuple(cell for cell in cells if level_of(cell, about, likely=True) or cell in codes)
    return Guess(_declared(levels=levels, missing=missing), samples, asked, tuple(notes))


def guess_number(cells: Counter[str], about: Field, named: Named) -> Guess:
    """Guess the unit and the codes of a column of numbers."""
    decimal, numbers, unclear = _numbers(cells, about)
    unit, asked, notes = _unit_meant(numbers, about, named)
    codes = [cell for cell in numbers if cell in missing_codes() and not _within(numbers[cell] * unit.factor, about)]
    missing = [*codes, *(cell for cell in cells if is_unknown(cell))]
    unread = sum(count for cell, count in cells.items() if cell not in numbers and not is_unknown(cell)) - unclear
    if unread:
        notes.append(f"{_cells(unread)} no number: their rows will be rejected.")
    if unclear:
        told = _cells(unclear).removesuffix(" is").removesuffix(" are")
        asked, decimal = f'is the comma in {told} before the tenths (decimal = ",") or the thousands (".")?', OPEN
    declared = _declared(missing=missing, decimal=decimal, factor=unit.factor if unit.factor != 1 else None)
    if unit.needs == "lever":
        asked = (
            "how far is the dynamometer from the joint's axis, in metres (lever_arm_m)? A force alone is no strength."
        )
        declared["lever_arm_m"] = OPEN
    elif unit.needs == "weight":
        declared["per_kg"] = True
        notes.append("A torque: divided by each runner's weight_kg.")
    samples = tuple(cell for cell in numbers if cell not in codes)
    return Guess(declared, samples, asked, tuple(notes))


def _unit_meant(numbers: dict[str, float], about: Field, named: Named) -> tuple[Unit, str, list[str]]:
    """Return the unit that the name tells or the values fit, what to ask about it, and what to say."""
    if named.unit_meaning is not None:
        return named.unit_meaning, "", []
    if about.name == "worst_pain_mm" and numbers and max(numbers.values()) <= _TEN:
        return Unit(10), "is the scale 0 to 10 (then factor = 10) or 0 to 100 (then no factor)?", []
    if about.unit == "Nm/kg":
        return Unit(1), "", ["No unit in the name: read as Nm/kg."]
    if not units_of(about):
        return Unit(1), "", []
    unit, asked = _unit_of(numbers, about)
    told = "the values fit" if unit.factor != 1 else "read as"
    return unit, asked, [f"No unit in the name: {told} {_unit_name(unit, about)}."]


def guess_birth(cells: Counter[str], today: dt.date) -> Guess:
    """Guess what stands first in dates of birth."""
    told = [order for order in ("year first", "day first", "month first") if _all_dates(cells, order)]
    notes = (f"A date of birth: the age is meant on {today}; set the day of the screening.",)
    asked = "" if len(told) == 1 or _iso(cells) else "what stands first in these dates, the day or the month?"
    order = OPEN if asked else told[0] if told else "year first"
    return Guess({"born": order, "on": today}, (), asked, notes)


def _iso(cells: Counter[str]) -> bool:
    return all(birth_date(cell, "day first") == birth_date(cell, "month first") for cell in cells)


def _all_dates(cells: Counter[str], order: str) -> bool:
    days = [birth_date(cell, order) for cell in cells if not is_unknown(cell)]
    return bool(days) and all(day is not None and day.year > 1900 for day in days)


def _numbers(cells: Counter[str], about: Field) -> tuple[str | None, dict[str, float], int]:
    """Return the sign before the tenths if it must be told, the numbers of the cells, and how many are ambiguous."""
    numbers, unclear = dict[str, float](), list[str]()
    for cell in cells:
        try:
            number = read_number(cell, about.unit)
            if number is None:
                with suppress(ValueError):
                    number = float(cell) if "_" not in cell else None
        except ValueError:
            unclear.append(cell)
        else:
            numbers |= {} if number is None else {cell: number}
    if not unclear:
        return None, numbers, 0
    if any("," in cell for cell in numbers):  # some are certain, and a column is written one way
        tenths = any(cell.rfind(",") > cell.rfind(".") for cell in numbers if "," in cell)
        decimal = "," if tenths else "."
        numbers |= {cell: number for cell in unclear if (number := read_number(cell, about.unit, decimal)) is not None}
        return decimal, numbers, 0
    return None, numbers, sum(cells[cell] for cell in unclear)


def _unit_of(numbers: dict[str, float], about: Field) -> tuple[Unit, str]:
    """Return the unit that the values fit, and what to ask if they fit none or more than one."""
    values = [number for cell, number in numbers.items() if cell not in missing_codes()]
    if about.name == "weight_kg" and values and median(values) > _HEAVY:
        return Unit(1), "is it in kg or in lb (then factor = 0.45359237)?"
    if not values or _share(values, 1, about) >= _FITS:
        return Unit(1), ""
    fits = {unit.factor for unit in units_of(about).values() if _share(values, unit.factor, about) >= _FITS}
    if len(fits) == 1:
        return Unit(fits.pop()), ""
    return Unit(1), f"which unit is it in? The values are not {about.limits}."


def _share(values: list[float], factor: float, about: Field) -> float:
    return sum(_within(value * factor, about) for value in values) / len(values)


def _within(value: float, about: Field) -> bool:
    return about.low <= value <= about.high


def _unit_name(unit: Unit, about: Field) -> str:
    written = facts()["units"][about.unit]
    return next(name for name in written if written[name] == unit.factor) if unit.factor != 1 else about.unit


def _declared(**told: Any) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value}


def _cells(count: int) -> str:
    return "1 cell is" if count == 1 else f"{count:,} cells are"


__all__ = ["OPEN", "Guess", "guess_birth", "guess_levels", "guess_number"]
