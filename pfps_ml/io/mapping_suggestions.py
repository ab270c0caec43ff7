"""Suggestions for the columns of any roster: a map for a person to check, with questions that the file leaves open.

From the values of a column follow its likely unit, levels, codes for "not known", and the order of its dates.
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
from pfps_ml.domain import BY_NAME, INPUTS, MISSING, YES_NO, Field
from pfps_ml.domain.synonyms import Unit, facts, is_unknown, level_of, missing_codes, plain, read_number, units_of
from pfps_ml.io.cells import texts
from pfps_ml.io.column_matching import HEAD_ROWS, Named, closest_field, surely_named, unit_in
from pfps_ml.io.mapping import birth_date
from pfps_ml.io.readers import Size, Source, pieces, read_piece

_FITS = 0.9  # of the values, for a unit to be theirs
OPEN = "?"  # in place of what somebody must say: no map is read that still has it
_CODES = frozenset("012")  # that forms have for levels; each form has others
_HEAVY = 100  # kg: half of a squad is not heavier
_TEN = 10  # a scale of pain from 0 to 10 is as usual as one from 0 to 100


@dataclass(frozen=True)
class Guess:
    """A guess from the values of one column; see `pfps_ml.io.mapping_suggestions.Proposal`."""

    declared: dict[str, Any] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    question: Message | None = None
    notes: tuple[Message, ...] = ()


def guess_levels(cells: Counter[str], about: Field) -> Guess:
    """Guess what the texts of a choice mean."""
    plainly = {plain(cell) for cell in cells}
    spanish = about.levels != YES_NO and {"h", "m"} <= plainly and "f" not in plainly
    levels, unclear, notes = dict[str, str](), 0, list[Message]()
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
    question = None
    if {"1", "2"} <= plainly or (about.levels != YES_NO and plainly and plainly <= _CODES):
        question, levels = Message("ask_levels", {"levels": about.levels}), dict.fromkeys(codes, OPEN)
    elif levels:
        pairs = [f"{theirs} for {ours}" for theirs, ours in levels.items()]
        notes.append(Message("note_levels_likely", {"levels": pairs}))
    if unclear and not question:
        code = "note_rows_of_no_level" if about.required else "note_cells_of_no_level"
        notes.append(Message(code, {"n": unclear, "levels": about.levels}))
    samples = tuple(cell for cell in cells if level_of(cell, about, likely=True) or cell in codes)
    return Guess(_declared(levels=levels, missing=missing), samples, question, tuple(notes))


def guess_number(cells: Counter[str], about: Field, named: Named) -> Guess:
    """Guess the unit and the codes of a column of numbers."""
    decimal, numbers, unclear = _numbers(cells, about)
    unit, question, notes = _unit_of_column(numbers, about, named)
    codes = [cell for cell in numbers if cell in missing_codes() and not _within(numbers[cell] * unit.factor, about)]
    missing = [*codes, *(cell for cell in cells if is_unknown(cell))]
    unread = sum(count for cell, count in cells.items() if cell not in numbers and not is_unknown(cell)) - unclear
    if unread:
        notes.append(Message("note_rows_of_no_number" if about.required else "note_cells_of_no_number", {"n": unread}))
    if unclear:
        question, decimal = Message("ask_decimal", {"n": unclear}), OPEN
    declared = _declared(missing=missing, decimal=decimal, factor=unit.factor if unit.factor != 1 else None)
    if unit.needs == "lever":
        question = Message("ask_lever_arm")
        declared["lever_arm_m"] = OPEN
    elif unit.needs == "weight":
        declared["per_kg"] = True
        notes.append(Message("note_torque"))
    samples = tuple(cell for cell in numbers if cell not in codes)
    return Guess(declared, samples, question, tuple(notes))


def _unit_of_column(
    numbers: dict[str, float], about: Field, named: Named
) -> tuple[Unit, Message | None, list[Message]]:
    """Return the unit that the name has or the values fit, a question about it, and notes."""
    if named.unit_meaning is not None:
        return named.unit_meaning, None, []
    if about.name == "worst_pain_mm" and numbers and max(numbers.values()) <= _TEN:
        return Unit(10), Message("ask_pain_scale"), []
    if about.unit == "Nm/kg":
        return Unit(1), None, [Message("note_unit_assumed", {"unit": "Nm/kg"})]
    if not units_of(about):
        return Unit(1), None, []
    unit, question = _unit_of(numbers, about)
    code = "note_unit_fits" if unit.factor != 1 else "note_unit_assumed"
    return unit, question, [Message(code, {"unit": _unit_name(unit, about)})]


def guess_birth(cells: Counter[str], today: dt.date) -> Guess:
    """Guess what stands first in dates of birth."""
    orders = [order for order in ("year first", "day first", "month first") if _all_dates(cells, order)]
    note = Message("note_age_on_day", {"day": today.isoformat()})
    question = None if len(orders) == 1 or _iso(cells) else Message("ask_date_order")
    order = OPEN if question else orders[0] if orders else "year first"
    return Guess({"born": order, "on": today}, (), question, (note,))


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


def _unit_of(numbers: dict[str, float], about: Field) -> tuple[Unit, Message | None]:
    """Return the unit that the values fit, and a question if they fit none or more than one."""
    values = [number for cell, number in numbers.items() if cell not in missing_codes()]
    if about.name == "weight_kg" and values and median(values) > _HEAVY:
        return Unit(1), Message("ask_weight_unit")
    if not values or _share(values, 1, about) >= _FITS:
        return Unit(1), None
    fits = {unit.factor for unit in units_of(about).values() if _share(values, unit.factor, about) >= _FITS}
    if len(fits) == 1:
        return Unit(fits.pop()), None
    return Unit(1), Message("ask_unit", {"field": about.name})


def _share(values: list[float], factor: float, about: Field) -> float:
    return sum(_within(value * factor, about) for value in values) / len(values)


def _within(value: float, about: Field) -> bool:
    return about.low <= value <= about.high


def _unit_name(unit: Unit, about: Field) -> str:
    written = facts()["units"][about.unit]
    return next(name for name in written if written[name] == unit.factor) if unit.factor != 1 else about.unit


def _declared(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value}


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
    question
        What only a person who knows the file can answer; until then the column is left out.
    notes
        What a person should look at.
    """

    column: str
    field: str = ""
    samples: tuple[str, ...] = ()
    declared: dict[str, Any] | None = None
    question: Message | None = None
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Proposed:
    """What all columns of a roster seem to be, and what a roster needs that none of them is."""

    columns: tuple[Proposal, ...]
    sheet: str | None = None
    lacking: tuple[str, ...] = field(default=())

    @property
    def needed(self) -> bool:
        """Whether a map is needed at all."""
        return any(column.declared is not None or column.question for column in self.columns) or bool(self.lacking)


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
        If no name is known: then it is no header, and its cells may be the names of people.
    """
    first = next(pieces(source, Size()), None)
    columns = read_piece(source, first).table.columns if first else [pa.array([], pa.string())] * len(source.header)
    names = [_named(name) for name in source.header]
    if not any(names):
        raise InputError(Message("header_unknown", {"rows": HEAD_ROWS}))
    proposals = [
        _proposal(name, named, _sample_cells(column), today) if named else Proposal(name)
        for name, named, column in zip(source.header, names, columns, strict=True)
    ]
    proposals = _one_a_field(proposals)
    fields = {proposal.field for proposal in proposals}
    lacking = tuple(field.name for field in INPUTS if field.required and field.name not in fields)
    return Proposed(tuple(proposals), sheet, lacking)


def map_text(proposed: Proposed) -> str:
    """Return a proposal as the TOML that `--map` reads; the questions stand in it as comments."""
    lines = ["# What the columns of this roster are. Look each line through: what it says is what is scored."]
    if proposed.sheet is not None:
        lines.append(f"sheet = {_toml(proposed.sheet)}")
    if left := [column.column for column in proposed.columns if column.question]:
        lines.append(f"leave = {_toml(left)}")
    for column in proposed.columns:
        if column.question or column.declared is not None:
            lines += ["", *_lines(column)]
    for name in proposed.lacking:
        lines += ["", f"# ASKED: no column seems to be {name} ({BY_NAME[name].limits}), which is required."]
        lines += [f"# [columns.{name}]", '# from = "the column"']
        lines += [f"# value = {_toml(BY_NAME[name].levels[0])}   # instead, if all are"] if BY_NAME[name].levels else []
    return "\n".join(lines) + "\n"


def _lines(column: Proposal) -> Iterable[str]:
    declared = {"from": column.column, **(column.declared or {})}
    hash_ = "# " if column.question else ""
    if column.question:
        yield f"# ASKED: {_in_comment(column.question.text)} Then take the # away, and the name out of `leave` above."
    yield f"{hash_}[columns.{column.field}]"
    for note in column.notes:
        yield f"# {_in_comment(note.text)}"
    for key, value in declared.items():
        yield f"{hash_}{key} = {_toml(value)}"


def _in_comment(sentence: str) -> str:
    """Return a sentence as a comment may hold it: signs of control, a line's end among them, would end it."""
    return _CONTROL.sub("?", sentence)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(part)}" for key, part in value.items()) + " }"
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
    notes = guess.notes if named.sure else (Message("note_name_similar"), *guess.notes)
    declared = None if name == named.field and not guess.declared else guess.declared
    return Proposal(name, named.field, guess.samples[:SAMPLES], declared, guess.question, notes)


def _one_a_field(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Ask which column is right where several seem to be the same field, unless one has the field's own name."""
    counts = Counter(proposal.field for proposal in proposals if proposal.field)
    exact = {proposal.field for proposal in proposals if proposal.column == proposal.field}
    return [_resolved(proposal, counts[proposal.field], proposal.field in exact) for proposal in proposals]


def _resolved(proposal: Proposal, count: int, exact: bool) -> Proposal:
    if count <= 1 or proposal.column == proposal.field:
        return proposal
    question = Message("ask_column", {"field": proposal.field, "columns": count})
    return Proposal(proposal.column) if exact else replace(proposal, question=proposal.question or question)


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
