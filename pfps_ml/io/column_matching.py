"""The header of a table: which row it is, the field and unit that a column's name stands for, and what is wrong.

All faults of a roster's header come in one error that says what each column should be. Columns that do not look like a
field pass through untouched: names, notes, outcomes, the coach's own columns.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache

from pfps_ml.core import Fault, InvalidInput, Message
from pfps_ml.domain import BY_NAME, INPUTS, ONSET, SUCCESS, Field
from pfps_ml.domain.synonyms import Unit, facts, plain, units_of

HEAD_ROWS = 30  # looked at for a header
_LONGEST = 500  # characters of a name: the questions of a form are shorter, and comparing takes long with more
_COMPARED = 200  # cells of a row that are compared with other words for our fields
_ENOUGH = 3  # names that make a row a header: data may have a "no" or an "m" in them, but not three names
_FILLERS = frozenset(
    [
        "the",
        "of",
        "a",
        "an",
        "in",
        "per",
        "your",
        "usual",
        "avg",
        "average",
        "mean",
        "max",
        "eccentric",
        "isometric",
        "strength",
        "torque",
        "weaker",
    ]
)


@dataclass(frozen=True)
class Named:
    """What the name of a column stands for.

    Attributes
    ----------
    field
        The field's name.
    unit
        The unit that the name has, in plain letters; blank if it has none.
    sure
        Whether the name is known, or only looks like one that is.
    born
        Whether it is a date of birth, from which an age is computed.
    """

    field: str
    unit: str = ""
    sure: bool = True
    born: bool = False

    @property
    def unit_meaning(self) -> Unit | None:
        """What the unit in the name is in the unit of the field; None if the name has none."""
        return units_of(BY_NAME[self.field]).get(self.unit)


@lru_cache(4096)
def surely_named(name: str) -> Named | None:
    """Return what a column's name means if it is one of those that we know."""
    words = tuple(plain(name).split()) if len(name) <= _LONGEST else ()
    if not words or not _vocabulary().issuperset(words):
        return None
    if words in _born():
        return Named("age_years", born=True)
    for field in INPUTS:
        unit = unit_in(words, field)
        left = words[: len(words) - len(unit.split())] if words[-1:] == tuple(unit.split()[-1:]) else words
        if {words, left, _bare(left)} & _aliases(field.name):
            return Named(field.name, unit)
    return None


def header_at(rows: Sequence[Sequence[str]], known: frozenset[str]) -> int:
    """Return which of the first rows is the header: the first one, unless another has more names that we know.

    Parameters
    ----------
    rows
        Rows as text, from the first that is not blank.
    known
        Names that a header is expected to have.
    """
    if not rows or len(known.intersection(rows[0])) > 1:
        return 0
    scores = [_names_in(row, known) for row in rows[:HEAD_ROWS]]
    best = max(scores)
    if best >= (1, 0) or best[1] >= _ENOUGH:
        return scores.index(best)
    return 0


def second_header(first: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether the row below a header is one more of it: units or names instead of a runner."""
    cells = [(cell.strip(), name) for cell, name in zip(first, header, strict=False) if cell.strip()]
    if any(cell.replace(",", "").replace(".", "").isdigit() for cell, _ in cells):
        return False
    units = sum(_is_unit(cell, name) for cell, name in cells)
    return units >= 2 or _names_in([cell for cell, _ in cells], frozenset(BY_NAME))[1] >= _ENOUGH


def _names_in(row: Sequence[str], known: frozenset[str]) -> tuple[int, int]:
    """Return how many cells are expected names (two at least, or none), and how many fields any of them mean."""
    exact = len(known.intersection(cell.strip() for cell in row))
    fields = {meaning.field for cell in row[:_COMPARED] if (meaning := surely_named(cell))}
    return (exact if exact > 1 else 0), len(fields)


def _is_unit(cell: str, name: str) -> bool:
    meaning = surely_named(name)
    return meaning is not None and plain(cell) in units_of(BY_NAME[meaning.field])


def unit_in(words: tuple[str, ...], field: Field) -> str:
    """Return the longest unit of a field that a name ends in, or else holds in any other place."""
    units = units_of(field)
    tails = (" ".join(words[at:]) for at in range(len(words)))
    inside = (word for word in words if len(word) > 1 and word in units)
    return next((tail for tail in tails if tail in units), next(inside, ""))


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _FILLERS)


@cache
def _vocabulary() -> frozenset[str]:
    """Return every word of a name that we know: a name with any other word is told apart at once."""
    names = [_born(), *(_aliases(field.name) for field in INPUTS)]
    units = " ".join(unit for field in INPUTS for unit in units_of(field)).split()
    return frozenset({word for known in names for words in known for word in words} | {*units} | _FILLERS)


@cache
def _born() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(plain(name).split()) for name in facts()["born"]["names"])


@cache
def _aliases(field: str) -> frozenset[tuple[str, ...]]:
    """Return what a field is called, as plain words: its own name with and without its unit, and its other names."""
    words = tuple(field.split("_"))
    names = [tuple(plain(name).split()) for name in facts()["names"].get(field, [])]
    label = tuple(plain(BY_NAME[field].label).split())
    bare = words[: len(words) - len(unit_in(words, BY_NAME[field]).split())]
    return frozenset({words, label, bare, *names} - {()})


_NAMES = tuple(field.name for field in INPUTS)
_TEXTS = tuple(field.name for field in INPUTS if field.kind == "text")
_OUTCOMES = frozenset({*ONSET.columns, *SUCCESS.columns})
_CLOSE = 0.85
# the units that end the names of fields, and those that clubs use instead
_UNITS = frozenset(
    re.findall(
        r"\w+",
        "years year yrs yr y months month weeks days hours h min mins s cm mm m km in inch inches ft feet mi miles "
        "kg g lb lbs st nm n pct percent spm bpm hz deg degrees rad points grade index 12m 6m 24m",
    )
)


def check_header(header: list[str], taken: Collection[str], rows: int) -> None:
    """Refuse a header that would leave a field unread without anybody noticing.

    Parameters
    ----------
    header
        The columns' names after mapping, in order.
    taken
        Names in the file, mapped or not, that the output needs for the columns that it adds.
    rows
        The number of rows below the header.

    Raises
    ------
    InvalidInput
        With one fault for each required column that is missing, name that is used twice, name that looks like
        a misspelt field or like a field in another unit, name that the output needs, and for a file without rows.
    """
    faults = [*_missing(header), *_twice(header), *_lookalikes(header), *map(_taken, taken)]
    if not rows:
        faults.append(Fault(None, (), "no_rows"))
    if faults:
        raise InvalidInput(Message("header_invalid", {"n": len(faults)}), faults)


def closest_field(name: str) -> str | None:
    """Return the field whose name is closest to that of an unknown column; None if none is close."""
    if len(name) > _LONGEST:
        return None
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if plain in _NAMES:
        return plain
    stems = {_stem(field): field for field in reversed(_NAMES)}
    if _stem(plain) in stems:
        return stems[_stem(plain)]
    # prior_knee_injury_date says more about a field; it is no slip of the pen
    if any(plain.startswith(f"{field}_") for field in _NAMES):
        return None
    close = get_close_matches(plain, _NAMES, 1, _CLOSE) or get_close_matches(_stem(plain), stems, 1, _CLOSE)
    return stems.get(close[0], close[0]) if close else None


def _stem(name: str) -> str:
    """Return a name without the units at its end."""
    words = name.split("_")
    while len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    return "_".join(words)


def _missing(header: list[str]) -> Iterator[Fault]:
    for field in INPUTS:
        if field.required and field.name not in header:
            yield Fault(None, (field.name,), "column_required", {"field": field.name})


def _twice(header: list[str]) -> Iterator[Fault]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header, start=1):
        places.setdefault(name, []).append(place)
    for name, columns in places.items():
        if len(columns) > 1:
            # a name that is no field's may be free text (in a file without header), so only the places are named
            yield Fault(None, (name,) if name in _NAMES else (), "name_twice", {"columns": columns[:5]})


def _lookalikes(header: list[str]) -> Iterator[Fault]:
    passed = _OUTCOMES.union(_NAMES)
    for place, name in enumerate(header, start=1):
        field = None if name in passed else closest_field(name) or _other_name(name, header)
        if field is not None:
            yield Fault(None, (field,), "name_resembles_field", {"column": place, "name": name, "field": field})


def _other_name(name: str, header: list[str]) -> str | None:
    """Return the field that a name is another word for, if the header has no column of that field."""
    named = surely_named(name)
    return named.field if named and named.field not in (*header, *_TEXTS) else None


def _taken(name: str) -> Fault:
    # a map does not help: the output keeps the names of the file
    return Fault(None, (), "name_taken", {"name": name})


__all__ = [
    "HEAD_ROWS", "Named", "check_header", "closest_field", "header_at", "second_header", "surely_named", "unit_in",
]  # fmt: skip
