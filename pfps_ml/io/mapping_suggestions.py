"""Suggestions for the columns of any roster: a map for a person to check, with questions that the file leaves open.

From the values of a column follow its likely unit, levels, codes for "not known", and the order of its dates.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import Any

import pyarrow as pa

from pfps_ml.core import InputError, Message
from pfps_ml.domain import BY_NAME, INPUTS, MISSING, YES_NO, Field, side_rule
from pfps_ml.domain.synonyms import (
    Unit,
    facts,
    is_unknown,
    level_of,
    missing_codes,
    plain,
    read_number,
    units_of,
    words_of,
)
from pfps_ml.io.cells import texts
from pfps_ml.io.column_matching import (
    HEAD_ROWS,
    Named,
    closest_field,
    is_of_the_knee,
    likely_named,
    looks_like_pain,
    surely_named,
    unit_in,
)
from pfps_ml.io.mapping import NOTATIONS, OPEN, birth_date
from pfps_ml.io.readers import Size, Source, pieces, read_piece

_FITS = 0.9  # of the values, for a unit to be theirs
_READABLE = 0.5  # of the cells: of a column that is less readable, somebody is asked
_PAIN = "current_knee_pain"
_CODES = frozenset("012")  # that forms have for levels; each form has others
_MOST_CODES = 12  # different cells of a choice that somebody may be asked about
_SURE_CODES = ("9999", "-1", "-9", "-99", "-999")
_ENOUGH = 3  # values, for their median to say something
_HEAVY = 100  # kg: half of a squad is not heavier
_TEN = 10  # a scale of pain from 0 to 10 is as usual as one from 0 to 100
_SPLIT = re.compile(r"-?\d+([.,]\d+)?\s*([/|;]| - )\s*-?\d+([.,]\d+)?|-?\d+([.,]\d+)?")
_COPY = re.compile(r"(.+) \((\d)\)")  # the name of a further column under one merged cell
_EVENT = {"event", "visit", "wave", "timepoint", "besuch", "zeitpunkt", "visite", "visita", "bezoek"}
_NAMELESS = re.compile(r"column_\d+")


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
    levels, unclear = _likely_levels(cells, about)
    missing = [cell for cell in cells if is_unknown(cell)]
    if about.levels == YES_NO and {"0", "1"} <= plainly and unclear.keys() <= {"9", "99", "-9", "-99"}:
        missing, unclear = [*missing, *unclear], Counter()
    codes = sorted(cell for cell in cells if plain(cell) in _CODES)
    question, notes = None, list[Message]()
    certain = sum(count for cell, count in cells.items() if level_of(cell, about))
    if {"1", "2"} <= plainly or (about.levels != YES_NO and plainly and plainly <= _CODES):
        question, levels = Message("ask_levels", {"levels": about.levels}), dict.fromkeys(codes, OPEN)
    elif unclear and certain + sum(cells[cell] for cell in levels) < _READABLE * cells.total():
        few = sorted(cell for cell in cells if not is_unknown(cell) and not level_of(cell, about))
        question, levels = Message("ask_levels", {"levels": about.levels}), dict.fromkeys(few[:_MOST_CODES], OPEN)
    elif levels:
        pairs = [f"{theirs} for {ours}" for theirs, ours in levels.items()]
        notes.append(Message("note_levels_likely", {"levels": pairs}))
    if unclear and not question:
        code = "note_rows_of_no_level" if about.required else "note_cells_of_no_level"
        notes.append(Message(code, {"n": unclear.total(), "levels": about.levels}))
    samples = tuple(cell for cell in cells if level_of(cell, about, likely=True) or cell in codes)
    return Guess(_declared(levels=levels, missing=missing), samples, question, tuple(notes))


def _likely_levels(cells: Counter[str], about: Field) -> tuple[dict[str, str], Counter[str]]:
    """Return the levels that cells likely mean although they are not certain, and the cells that mean none."""
    plainly = {plain(cell) for cell in cells}
    spanish = about.levels != YES_NO and {"h", "m"} <= plainly and "f" not in plainly
    levels, unclear = dict[str, str](), Counter[str]()
    for cell in cells:
        likely = level_of(cell, about, likely=True) or _begins_with_yes(cell, about)
        if spanish and plain(cell) in ("h", "m"):
            levels[cell] = "male" if plain(cell) == "h" else "female"
        elif level_of(cell, about) is None and likely is not None:
            levels[cell] = likely
        elif likely is None and not is_unknown(cell):
            unclear[cell] = cells[cell]
    return levels, unclear


def _begins_with_yes(cell: str, about: Field) -> str | None:
    """Return yes where a remark stands behind it, as in `Y (L)`; behind a no, a remark may take it back."""
    first = re.match(r"\w+(?=\W)", cell)
    said = level_of(first[0], about) if first and "?" not in cell and about.levels == YES_NO else None
    return said if said == YES_NO[1] else None


def guess_number(cells: Counter[str], about: Field, named: Named) -> Guess:
    """Guess the unit and the codes of a column of numbers."""
    decimal, numbers, unclear = _numbers(cells, about)
    unit, question, notes = _unit_of_column(numbers, about, named)
    certain = _SURE_CODES if unit.needs else missing_codes()  # a torque of 99 Nm is one
    codes = [cell for cell in numbers if cell in certain and not _within(numbers[cell] * unit.factor, about)]
    missing = [*codes, *(cell for cell in cells if is_unknown(cell))]
    unread = sum(count for cell, count in cells.items() if cell not in numbers and not is_unknown(cell)) - unclear
    if unread:
        notes.append(Message("note_rows_of_no_number" if about.required else "note_cells_of_no_number", {"n": unread}))
    if unclear:
        question, decimal = Message("ask_decimal", {"n": unclear}), OPEN
    elif cells and unread > (1 - _READABLE) * cells.total():
        question = Message("ask_unread", {"n": unread, "field": about.name})
    declared = _declared(missing=missing, decimal=decimal, factor=unit.factor if unit.factor != 1 else None)
    if not question and (notation := _notation(unit.factor, numbers, about)):
        question, declared = Message("ask_notation", {"notation": notation}), {**declared, "notation": OPEN}
        declared.pop("factor", None)
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
        doubted = not named.unit_meaning.needs and _is_unusual(numbers, named.unit_meaning.factor, about)
        return named.unit_meaning, Message("ask_unit", {"field": about.name}) if doubted else None, []
    if about.name == "worst_pain_mm" and numbers and max(numbers.values()) <= _TEN:
        return Unit(10), Message("ask_pain_scale"), []
    if about.unit == "Nm/kg":
        doubt = Message("ask_unit", {"field": about.name}) if _is_unusual(numbers, 1, about) else None
        return Unit(1), doubt, [Message("note_unit_assumed", {"unit": "Nm/kg"})]
    if not units_of(about):
        return Unit(1), None, []
    unit, question = _unit_of(numbers, about)
    code = "note_unit_fits" if unit.factor != 1 else "note_unit_assumed"
    return unit, question, [Message(code, {"unit": _unit_name(unit, about)})]


def _notation(factor: float, numbers: dict[str, float], about: Field) -> str:
    """Return the notation that numbers such as 5.11 feet may be in; blank if they have no tenths, or another unit."""
    name = next((name for name, (unit, _) in NOTATIONS.items() if unit == about.unit), "")
    large = {"cm": 30.48, "kg": 6.35029318}.get(about.unit)
    return name if factor == large and any(not number.is_integer() for number in numbers.values()) else ""


def _is_unusual(numbers: dict[str, float], factor: float, about: Field) -> bool:
    """Return whether half of the values, in the unit that the name says, are nothing that a squad has."""
    usual, values = (
        facts()["usual"].get(about.name),
        [value for cell, value in numbers.items() if cell not in missing_codes()],
    )
    return bool(usual and len(values) >= _ENOUGH) and not usual[0] <= median(values) * factor <= usual[1]


def guess_birth(cells: Counter[str], today: dt.date, order: str = "") -> Guess:
    """Guess what stands first in dates of birth; `order` is what the name of the column says of it."""
    known = Counter({cell: count for cell, count in cells.items() if not is_unknown(cell)})
    readable = {order: _dates(known, order) for order in ("year first", "day first", "month first", "serial")}
    most = max(readable.values())
    orders = [order for order, count in readable.items() if count == most] if most else ["year first"]
    note = Message("note_age_on_day", {"day": today.isoformat()})
    question, notes = None, [note]
    if known and most <= _READABLE * known.total():
        question = Message("ask_unread", {"n": known.total() - most, "field": "age_years"})
    elif orders == ["serial"]:
        question = Message("ask_serial", {"day": str(birth_date(next(iter(known)), "serial"))[:4]})
    elif order in orders:
        orders = [order]
    elif len(orders) > 1 and not _iso(known):
        question = Message("ask_date_order")
    if not question and most < known.total():
        notes.append(Message("note_cells_of_no_date", {"n": known.total() - most}))
    return Guess({"born": OPEN if question else orders[0], "on": today}, (), question, tuple(notes))


def _iso(cells: Counter[str]) -> bool:
    return all(birth_date(cell, "day first") == birth_date(cell, "month first") for cell in cells)


def _dates(cells: Counter[str], order: str) -> int:
    """Return how many cells are a day of a life when read in an order."""
    days = ((birth_date(cell, order), count) for cell, count in cells.items())
    return sum(count for day, count in days if day is not None and day.year > 1900)


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
    if not values or (_share(values, 1, about) >= _FITS and not _is_unusual(numbers, 1, about)):
        return Unit(1), None
    if _share(values, 1, about) >= _FITS:
        return Unit(1), Message("ask_unit", {"field": about.name})
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


@dataclass(frozen=True)
class Proposal:
    """What one column seems to be.

    Attributes
    ----------
    column
        Its name in the file; of a measurement of both sides, that of the first side.
    field
        The field's name; blank if it is none that we know.
    samples
        Some of its values, if they are numbers or levels: ids and free text are not shown.
    declared
        What the map says of it, beside its name; None if it needs no line in a map.
    questions
        What only a person who knows the file can answer; until then the column is left out.
    notes
        What a person should look at.
    others
        The columns of the other sides.
    """

    column: str
    field: str = ""
    samples: tuple[str, ...] = ()
    declared: dict[str, Any] | None = None
    questions: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def question(self) -> Message | None:
        """The first of the questions."""
        return self.questions[0] if self.questions else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns in the file."""
        return (self.column, *self.others)


@dataclass(frozen=True)
class Proposed:
    """What all columns of a roster seem to be, and what a roster needs that none of them is."""

    columns: tuple[Proposal, ...]
    sheet: str | None = None
    lacking: tuple[str, ...] = field(default=())
    no_runners: tuple[tuple[int, str], ...] = ()
    events: tuple[str, ...] = ()
    event: str | None = None

    @property
    def needed(self) -> bool:
        """Whether a map is needed at all."""
        return (
            bool(self.events)
            or any(column.declared is not None or column.question for column in self.columns)
            or bool(self.lacking)
        )


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
    cells = [_sample_cells(column) for column in columns]
    names = [_named(name) for name in source.header]
    if not any(names):
        raise InputError(Message("header_unknown", {"rows": HEAD_ROWS}))
    looked_at = [Looked(*each) for each in zip(source.header, names, cells, strict=True)]
    proposals = _pain_asked([_proposal(group, today) for group in _grouped(_with_nameless(looked_at))])
    proposals = _one_a_field(proposals)
    fields = {proposal.field for proposal in proposals}
    lacking = tuple(field.name for field in INPUTS if field.required and field.name not in fields)
    return Proposed(tuple(proposals), sheet, lacking, source.no_runners, _events(proposals, looked_at))


@dataclass(frozen=True)
class Looked:
    """A column: its name, what that stands for, and its cells."""

    name: str
    named: Named | None
    cells: Counter[str]
    doubted: bool = False


def _events(proposals: Sequence[Proposal], columns: Sequence[Looked]) -> tuple[str, ...]:
    """Return the column of the events of a study, and its events, if rows of several events have the same id."""
    ids = next((proposal.column for proposal in proposals if proposal.field == "runner_id"), "")
    repeated = any(max(column.cells.values(), default=0) > 1 for column in columns if column.name == ids)
    for column in columns if repeated else ():
        if _EVENT & set(words_of(column.name)) and 1 < len(column.cells) <= _MOST_CODES:
            return (column.name, *column.cells)
    return ()


def _named(name: str) -> Named | None:
    copy = _COPY.fullmatch(name)
    bare = copy[1] if copy else name
    if known := surely_named(bare):
        return replace(known, side=f"column {copy[2]}") if copy and side_rule(BY_NAME[known.field]) else known
    close = closest_field(bare)
    if close:
        return Named(close, unit_in(tuple(plain(bare).split()), BY_NAME[close]), sure=False)
    return None


def _with_nameless(columns: Sequence[Looked]) -> list[Looked]:
    """Take a column without a name for the other side of that before it, if it has sides and numbers like these."""
    taken = list(columns)
    for at, (before, column) in enumerate(pairwise(taken), start=1):
        named = before.named
        if (
            column.named is None
            and named
            and _NAMELESS.fullmatch(column.name)
            and side_rule(BY_NAME[named.field])
            and not named.side
        ):
            numbers = _numbers(column.cells, BY_NAME[named.field])[1]
            if len(numbers) > _READABLE * len(column.cells) > 0:
                taken[at] = Looked(column.name, replace(named, side="second"), column.cells, doubted=True)
    return taken


def _grouped(columns: Sequence[Looked]) -> Iterator[list[Looked]]:
    """Yield the columns one by one, but those of the two sides of one measurement together."""
    pairs = dict[int, int]()
    for at, column in enumerate(columns):
        if column.named and column.named.side and column.named.side != "both" and at not in pairs.values():
            same = [to for to in range(at + 1, len(columns)) if _is_other_side(columns[to].named, column.named)]
            pairs |= {at: same[0]} if len(same) == 1 else {}
        elif (
            column.named and at + 1 < len(columns) and columns[at + 1].named == replace(column.named, side="second")
        ) or (
            column.named and at + 1 < len(columns) and columns[at + 1].named == replace(column.named, side="column 2")
        ):
            pairs[at] = at + 1
    for at, column in enumerate(columns):
        if at in pairs:
            yield [column, columns[pairs[at]]]
        elif at not in pairs.values():
            yield [column]


def _is_other_side(one: Named | None, two: Named) -> bool:
    return (
        one is not None and (one.field, one.unit) == (two.field, two.unit) and {one.side, two.side} == {"left", "right"}
    )


def _proposal(group: Sequence[Looked], today: dt.date) -> Proposal:
    first, *others = group
    cells = sum((column.cells for column in group), Counter[str]())
    named = first.named or likely_named(first.name)
    if first.named is None and is_of_the_knee(first.name) and _is_answered(cells):
        return Proposal(first.name, _PAIN, (), {}, (Message("ask_pain"),))
    if named is None:
        return Proposal(first.name)
    about = BY_NAME[named.field]
    questions = [] if first.named else [Message("ask_name", {"field": named.field})]
    split = "" if others else _split_of(cells, about, named)
    guess = _guess(_parts_of(cells, split), named, today)
    declared, asked, notes = _of_sides(named, others, split)
    declared = {**guess.declared, **declared}
    questions += [*asked, *([guess.question] if guess.question else [])]
    similar = [] if named.sure or questions else [Message("note_name_similar")]
    plain_field = first.name == named.field and not declared
    return Proposal(
        first.name, named.field, guess.samples[:SAMPLES], None if plain_field else declared, tuple(questions),
        (*similar, *guess.notes, *notes), tuple(column.name for column in others),
    )  # fmt: skip


def _parts_of(cells: Counter[str], split: str) -> Counter[str]:
    """Return the sides of cells that hold both, and how often each occurs."""
    parts = Counter[str]()
    for cell, count in cells.items():
        parts.update(dict.fromkeys([part.strip() for part in cell.split(split)] if split else [cell], count))
    return parts


def _of_sides(
    named: Named, others: Sequence[Looked], split: str
) -> tuple[dict[str, Any], list[Message], list[Message]]:
    """Return what a map says of the sides of a column, what is asked about them, and what is noted."""
    rule = side_rule(BY_NAME[named.field])
    if others or split:
        asked = any(column.doubted for column in others) or (split and named.side != "both")
        questions = [Message("ask_sides", {"field": named.field, "rule": rule})] if asked else []
        return (
            {"combine": rule, **({"split": split} if split else {})},
            questions,
            [Message("note_sides", {"rule": rule})],
        )
    if named.side not in ("left", "right"):
        return {}, [], []
    if named.field == _PAIN:  # a runner whose other knee hurts is no less in pain
        return {}, [Message("ask_pain")], []
    if named.vague:
        return {}, [Message("ask_name", {"field": named.field})], []
    return {}, [], [Message("note_one_side", {"side": named.side})]


def _is_answered(cells: Counter[str]) -> bool:
    """Return whether most cells of a column are a yes or a no."""
    answers = sum(count for cell, count in cells.items() if level_of(cell, BY_NAME[_PAIN]))
    return answers > _READABLE * cells.total()


def _guess(cells: Counter[str], named: Named, today: dt.date) -> Guess:
    about = BY_NAME[named.field]
    if named.born:
        return guess_birth(cells, today, named.unit)
    if about.kind == "text":
        return Guess()
    return guess_levels(cells, about) if about.kind == "choice" else guess_number(cells, about, named)


def _split_of(cells: Counter[str], about: Field, named: Named) -> str:
    """Return the sign between two sides in one cell, if most cells have it; blank if none."""
    if side_rule(about) is None or not cells:
        return ""
    if about.levels:
        signs = Counter({sign: sum(sign in cell for cell in cells) for sign in "/|"})
        sign, count = signs.most_common(1)[0]
        return sign if named.side == "both" and count > _READABLE * len(cells) else ""
    signs = Counter(
        match[2].strip() or match[2] for cell in cells if (match := _SPLIT.fullmatch(cell.strip())) and match[2]
    )
    sign, count = signs.most_common(1)[0] if signs else ("", 0)
    return sign if count > _READABLE * len(cells) else ""


def _pain_asked(proposals: list[Proposal]) -> list[Proposal]:
    """Ask of each column that may say who has a sore knee whether it does, unless one is read that says it."""
    read = any(proposal.field == _PAIN and not proposal.questions for proposal in proposals)
    asked = [proposal for proposal in proposals if not proposal.field and looks_like_pain(proposal.column)]
    if read:
        doubted = [proposal for proposal in proposals if proposal.field == _PAIN and _is_doubted(proposal)]
        return [Proposal(proposal.column) if proposal in doubted else proposal for proposal in proposals]
    return [
        replace(proposal, field=_PAIN, declared={}, questions=(Message("ask_pain"),)) if proposal in asked else proposal
        for proposal in proposals
    ]


def _one_a_field(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Ask which column is right where several seem to be the same field, unless one has the field's own name."""
    sure = [proposal.field for proposal in proposals if proposal.field and not _is_doubted(proposal)]
    counts = Counter(sure) + Counter(
        proposal.field for proposal in proposals if proposal.field and proposal.field not in sure
    )
    exact = {proposal.field for proposal in proposals if proposal.column == proposal.field}
    return [
        _resolved(proposal, counts[proposal.field], proposal.field in exact, sure.count(proposal.field))
        for proposal in proposals
    ]


def _is_doubted(proposal: Proposal) -> bool:
    return any(question.code in ("ask_name", "ask_pain") for question in proposal.questions)


def _resolved(proposal: Proposal, count: int, exact: bool, sure: int) -> Proposal:
    if _is_doubted(proposal) and (sure or exact):
        return Proposal(proposal.column)  # another column is certainly that field
    if count <= 1 or proposal.column == proposal.field:
        return proposal
    question = Message("ask_column", {"field": proposal.field, "columns": count})
    return Proposal(proposal.column) if exact else replace(proposal, questions=(question, *proposal.questions))


def _sample_cells(column: Any) -> Counter[str]:
    """Return the cells of a column as text, without those that are blank, and how often each occurs."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    plain_ = whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    counts = Counter(cell.strip() for cell in texts(plain_).to_pylist() if cell is not None)
    return Counter({cell: count for cell, count in counts.items() if cell.lower() not in MISSING})


__all__ = ["SAMPLES", "Guess", "Proposal", "Proposed", "guess_birth", "guess_levels", "guess_number", "propose"]
