"""What the columns of any roster seem to be: a map to be looked through, with what cannot be known asked for.

What the values of a column tell: its unit, its levels, its codes for "not known", the order of its dates.
"""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import pyarrow as pa

from pfps_ml.core import InputError, Message
from pfps_ml.domain.dictionary import BY_NAME, INPUTS, YES_NO, Field
from pfps_ml.domain.input_validation import MISSING
from pfps_ml.domain.synonyms import Unit, facts, is_unknown, level_of, missing_codes, plain, read_number, units_of
from pfps_ml.io.cells import texts
from pfps_ml.io.column_matching import HEAD_ROWS, Named, closest_field, surely_named, unit_in
from pfps_ml.io.mapping import birth_date
from pfps_ml.io.readers import Size, Source, pieces, read_piece

_FITS = 0.9  # of the values, for a unit to be the one that is meant
OPEN = "?"  # in place of what somebody must say: no map is read that still has it
_CODES = frozenset("012")  # that forms have for levels, each form its own
_HEAVY = 100  # kg: half of a squad is not heavier
_TEN = 10  # a scale of pain from 0 to 10 is as usual as one from 0 to 100


@dataclass(frozen=True)
class Guess:
    """What the values of one column tell; see `pfps_ml.io.mapping_suggestions.Proposal`."""

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


SAMPLES = 3
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Proposal:
    """What one column seems to be.

    Attributes
    ----------
    column
        Its name in the file.
    field
        The field's name; blank if it is none that we know.
    samples
        Some of its values, if they are numbers or levels: ids and free text are not shown.
    declared
        What the map says of it, beside its name; None if it needs no line in a map.
    asked
        What only somebody who knows the file can tell; until then the column is left out.
    notes
        What to look at.
    """

    column: str
    field: str = ""
    samples: tuple[str, ...] = ()
    declared: dict[str, Any] | None = None
    asked: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposed:
    """What all columns of a roster seem to be, and what a roster needs that none of them is."""

    columns: tuple[Proposal, ...]
    sheet: str | None = None
    lacking: tuple[str, ...] = field(default=())

    @property
    def needed(self) -> bool:
        """Whether a map is needed at all."""
        return any(each.declared is not None or each.asked for each in self.columns) or bool(self.lacking)


def propose(source: Source, sheet: str | None, today: dt.date) -> Proposed:
    """Look at the first rows of a roster and propose what its columns are.

    Parameters
    ----------
    source
        The roster.
    sheet
        The sheet that was asked for, if any.
    today
        The day on which ages from dates of birth are meant, until somebody says another.

    Raises
    ------
    InputError
        If no name means anything: then it is no header, and what it says may be somebody's name.
    """
    first = next(pieces(source, Size()), None)
    columns = read_piece(source, first).table.columns if first else [pa.array([], pa.string())] * len(source.header)
    names = [_named(name) for name in source.header]
    if not any(names):
        raise InputError(Message("header_unknown", {"rows": HEAD_ROWS}))
    found = [
        _proposal(name, named, _sample_cells(column), today) if named else Proposal(name)
        for name, named, column in zip(source.header, names, columns, strict=True)
    ]
    found = _one_each(found)
    told = {each.field for each in found}
    lacking = tuple(each.name for each in INPUTS if each.required and each.name not in told)
    return Proposed(tuple(found), sheet, lacking)


def map_text(proposed: Proposed) -> str:
    """Return a proposal as the TOML that `--map` reads; what was asked for stands in it as a comment."""
    lines = ["# What the columns of this roster are. Look each line through: what it says is what is scored."]
    if proposed.sheet is not None:
        lines.append(f"sheet = {_toml(proposed.sheet)}")
    if left := [each.column for each in proposed.columns if each.asked]:
        lines.append(f"leave = {_toml(left)}")
    for each in proposed.columns:
        if each.asked or each.declared is not None:
            lines += ["", *_lines(each)]
    for name in proposed.lacking:
        lines += ["", f"# ASKED: no column seems to be {name} ({BY_NAME[name].limits}), which is required."]
        lines += [f"# [columns.{name}]", '# from = "the column"']
        lines += [f"# value = {_toml(BY_NAME[name].levels[0])}   # instead, if all are"] if BY_NAME[name].levels else []
    return "\n".join(lines) + "\n"


def _lines(each: Proposal) -> Iterable[str]:
    declared = {"from": each.column, **(each.declared or {})}
    hash_ = "# " if each.asked else ""
    if each.asked:
        yield f"# ASKED: {_said(each.asked)} Then take the # away, and the name out of `leave` above."
    yield f"{hash_}[columns.{each.field}]"
    for note in each.notes:
        yield f"# {_said(note)}"
    for key, value in declared.items():
        yield f"{hash_}{key} = {_toml(value)}"


def _said(text: str) -> str:
    """Return a text as a comment may hold it: signs of control, a line's end among them, would end it."""
    return _CONTROL.sub("?", text)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return (
        value.isoformat()
        if isinstance(value, dt.date)
        else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    )


def _named(name: str) -> Named | None:
    if known := surely_named(name):
        return known
    close = closest_field(name)
    return Named(close, unit_in(tuple(plain(name).split()), BY_NAME[close]), sure=False) if close else None


def _proposal(name: str, named: Named, cells: Counter[str], today: dt.date) -> Proposal:
    about = BY_NAME[named.field]
    if named.born:
        guess = guess_birth(cells, today)
    elif about.kind == "text":
        guess = Guess()
    elif about.kind == "choice":
        guess = guess_levels(cells, about)
    else:
        guess = guess_number(cells, about, named)
    notes = guess.notes if named.sure else ("The name only looks like it: is it so?", *guess.notes)
    declared = None if name == named.field and not guess.declared else guess.declared
    return Proposal(name, named.field, guess.samples[:SAMPLES], declared, guess.asked, notes)


def _one_each(found: Sequence[Proposal]) -> list[Proposal]:
    """Ask which column is meant where several seem to be the same field, unless one has the field's own name."""
    fields = Counter(each.field for each in found if each.field)
    exact = {each.field for each in found if each.column == each.field}
    result = []
    for each in found:
        if each.field and fields[each.field] > 1 and each.column != each.field:
            asked = f"which column is {each.field}? {fields[each.field]} seem to be."
            each = Proposal(each.column) if each.field in exact else replace(each, asked=each.asked or asked)  # noqa: PLW2901
        result.append(each)
    return result


def _sample_cells(column: Any) -> Counter[str]:
    """Return the cells of a column as text, without those that are blank, and how often each occurs."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    plain_ = whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    counts = Counter(cell.strip() for cell in texts(plain_).to_pylist() if cell is not None)
    return Counter({cell: count for cell, count in counts.items() if cell.lower() not in MISSING})


__all__ = [
    "OPEN", "SAMPLES", "Guess", "Proposal", "Proposed", "guess_birth", "guess_levels", "guess_number", "map_text",
    "propose",
]  # fmt: skip
