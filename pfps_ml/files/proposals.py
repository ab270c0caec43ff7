"""What the columns of any roster seem to be: a map to be looked through, with what cannot be known asked for."""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from pfps_ml.core.messages import Message
from pfps_ml.errors import InputError
from pfps_ml.files.cells import texts
from pfps_ml.files.dialects import Size, Source, pieces, read_piece
from pfps_ml.files.guesses import Guess, guess_birth, guess_levels, guess_number
from pfps_ml.files.headers import closest_field
from pfps_ml.files.naming import HEAD_ROWS, Named, surely_named, unit_in
from pfps_ml.knowledge.checker import MISSING
from pfps_ml.knowledge.dictionary import BY_NAME, INPUTS
from pfps_ml.knowledge.spellings import plain

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
        _proposal(name, named, _cells(column), today) if named else Proposal(name)
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


def _cells(column: Any) -> Counter[str]:
    """Return the cells of a column as text, without those that are blank, and how often each occurs."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    plain_ = whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    counts = Counter(cell.strip() for cell in texts(plain_).to_pylist() if cell is not None)
    return Counter({cell: count for cell, count in counts.items() if cell.lower() not in MISSING})


__all__ = ["SAMPLES", "Proposal", "Proposed", "map_text", "propose"]
