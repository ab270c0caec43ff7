"""The header of a table: which row it is, the field and unit that a column's name stands for, and what is wrong.

All faults of a roster's header come in one error that says what each column should be. Columns that do not look like a
field pass through untouched: names, notes, outcomes, the coach's own columns.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, lru_cache

from pfps_ml.core import Fault, InvalidInput, Message
from pfps_ml.domain import BY_NAME, INPUTS, Field, columns_of, side_rule
from pfps_ml.domain.synonyms import (
    OTHER,
    Unit,
    facts,
    is_vague_side,
    level_of,
    meanings_of,
    plain,
    senses,
    side_in,
    units_of,
    words_of,
)

HEAD_ROWS = 30  # looked at for a header
_LONGEST = 500  # characters of a name: the questions of a form are shorter, and comparing takes long with more
_COMPARED = 200  # cells of a row that are compared with other words for our fields
_ENOUGH = 3  # names that make a row a header: data may have a "no" or an "m" in them, but not three names
_FILLERS = frozenset(["the", "of", "a", "an", "in", "per", "your", "usual", "avg", "average", "mean"])
_OF_STRENGTH = frozenset(["eccentric", "isometric", "strength", "torque", "weaker"])
_ANSWERS = (("y", "n"), ("j", "n"), ("o", "n"), ("s", "n"), ("yes", "no"), ("ja", "nein"))  # that a column may have
_DATE_PARTS = frozenset(
    ["d", "dd", "ddd", "m", "mm", "mmm", "y", "yy", "yyyy", "t", "tt", "j", "jj", "jjjj", "a", "aa", "aaaa", "g", "gg"]
)
_SORE = (
    {"knee", "pain"},
    {"kneecap", "pain"},
    {"pain", "now"},
    {"pfp", "now"},
    {"knee", "now"},
    {"kneecap", "now"},
)  # ideas of a column of pain
_NOT_SORE = frozenset(
    ["past", "year", "injury", "surgery", "duration", "stairs", "sitting"]
)  # of earlier pain, or a test


@dataclass(frozen=True)
class Named:
    """What the name of a column stands for.

    Attributes
    ----------
    field
        The field's name.
    unit
        The unit that the name has, in plain letters, or the order of its dates; blank if it has none.
    sure
        Whether the name is known, or only looks like one that is.
    born
        Whether it is a date of birth, from which an age is computed.
    side
        The side of the body that the name has: left, right, both, or blank.
    vague
        Whether the word for the side means one only beside a column of the other side, such as `d` and `g`.
    """

    field: str
    unit: str = ""
    sure: bool = True
    born: bool = False
    side: str = ""
    vague: bool = False

    @property
    def unit_meaning(self) -> Unit | None:
        """What the unit in the name is in the unit of the field; None if the name has none."""
        return units_of(BY_NAME[self.field]).get(self.unit)


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name; none of a name that is too long for a column's."""
    return words_of(name) if len(name) <= _LONGEST else ()


@lru_cache(4096)
def surely_named(name: str) -> Named | None:
    """Return what a column's name means if every word of it is known."""
    words = _words(name)
    if not any(map(str.isalpha, "".join(words))):  # a number: most cells that are looked at
        return None
    dated = words[:-3] if len(words) > 3 and {*words[-3:]} <= _DATE_PARTS else words
    if dated in _born() or (frozenset({"born"}), True) in senses(dated):
        return Named("age_years", _order_in(words[len(dated) :]), born=True)
    exact = (_exactly(words, field) for field in INPUTS)
    return next(filter(None, exact), None) or _by_words(words)


@lru_cache(4096)
def likely_named(name: str) -> Named | None:
    """Return the field that a name looks like although it has words that are not known; None if none, or several."""
    named = _by_words(_words(name), known=False)
    return replace(named, sure=False) if named else None


def looks_like_pain(name: str) -> bool:
    """Return whether a column may say who has a sore knee now, whatever else its name says."""
    readings = [ideas for ideas, _ in senses(side_in(_words(name))[1])]
    elsewhere = [OTHER in ideas and not ideas & {"knee", "kneecap", "pfp"} for ideas in readings]
    return any(
        not ideas & _NOT_SORE and not other and any(ideas >= sore for sore in _SORE)
        for ideas, other in zip(readings, elsewhere, strict=True)
    )


def is_of_the_knee(name: str) -> bool:
    """Return whether a name says the knee and nothing else that is known: a column of answers may then be of pain."""
    ideas_of = [ideas for ideas, _ in senses(side_in(_words(name))[1])]
    return any(
        ideas & {"knee", "kneecap"} and ideas <= {"knee", "kneecap", "front", "now", "pain"} for ideas in ideas_of
    )


def _exactly(words: tuple[str, ...], field: Field) -> Named | None:
    """Return a field that is called by one of its own names, with or without a unit and a side."""
    for side, vague, rest in _sides_of(words, field):
        unit = unit_in(rest, field)
        left = rest[: len(rest) - len(unit.split())] if rest[-1:] == tuple(unit.split()[-1:]) else rest
        if {rest, left, _bare(left, field)} & _aliases(field.name):
            return Named(field.name, unit, side=side, vague=vague)
    return None


def _order_in(parts: tuple[str, ...]) -> str:
    """Return what stands first in dates of a form such as dd/mm/yyyy; blank if no form is named."""
    first = {"d": "day first", "t": "day first", "j": "day first", "g": "day first", "m": "month first"}
    return "" if not parts else first.get(parts[0][0], "year first") if len(parts[0]) < 3 else "year first"


def _sides_of(words: tuple[str, ...], field: Field) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """Yield a name as it is, and without the word for a side, if the field has sides."""
    yield "", False, words
    if side_rule(field) is None:
        return
    side, rest = side_in(words)
    unit = tuple(unit_in(words, field).split())
    if not side and unit and rest[-len(unit) :] == unit:
        side, rest = side_in(words[: -len(unit)])
        rest = (*rest, *unit)
    if side:
        lost = [word for word in words if word not in rest]
        yield side, len(lost) == 1 and is_vague_side(lost[0]), rest


def _by_words(words: tuple[str, ...], known: bool = True) -> Named | None:
    """Return the one field that the words of a name make; of several, that which explains most of its words."""
    if any(ideas == {"born"} and sure for ideas, sure in senses(words)):
        return Named("age_years", born=True)
    named = [fit for field in INPUTS if (fit := _fit(words, field, known))]
    best = max((size for size, _ in named), default=0)
    best_named = [meaning for size, meaning in named if size == best]
    return best_named[0] if len(best_named) == 1 else None


def _fit(words: tuple[str, ...], field: Field, known: bool) -> tuple[int, Named] | None:
    groups, allowed = meanings_of(field.name)
    if not groups:
        return None
    for side, vague, rest in reversed(list(_sides_of(words, field))):
        unit = unit_in(rest, field)
        bare = _without(rest, unit)
        for ideas, whole in (*senses(bare), *((senses(rest)) if unit else ())):
            ideas_here = ideas | ({"unit"} if unit else frozenset())
            sizes = [len(group) for group in groups if group <= ideas_here]
            fits = whole and any(group <= ideas_here and ideas <= group | allowed for group in groups)
            if fits if known else sizes and OTHER not in ideas:
                return max(sizes), Named(field.name, unit, side=side, vague=vague)
    return None


def _without(words: tuple[str, ...], unit: str) -> tuple[str, ...]:
    parts = tuple(unit.split())
    for at in range(len(words) - len(parts), -1, -1) if parts else ():
        if words[at : at + len(parts)] == parts:
            return words[:at] + words[at + len(parts) :]
    return words


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


def joined_header(header: Sequence[str], below: Sequence[str], spread: Collection[int] = ()) -> list[str] | None:
    """Return a header of two rows as one; None if the row below is no part of it.

    Parameters
    ----------
    header
        The upper row.
    below
        The row below it: sides, units, forms of an answer, or names.
    spread
        The places whose name belongs to several columns, as a merged cell does.
    """
    tops, shared = _reaching(header, below), set(spread)
    cells = [(at, cell.strip()) for at, cell in enumerate(below) if cell.strip()]
    parts = [at for at, cell in cells if _continues(cell, tops[at] if at < len(tops) else "")]
    if len(parts) < 2 or 2 * len(parts) < len(cells) or any(_is_figure(cell) for _, cell in cells):
        return None
    joined = list(tops)
    for at, cell in cells:
        if at >= len(joined) or joined[at] in BY_NAME:
            continue
        several = at in shared or joined.count(joined[at]) > 1
        joined[at] = f"{tops[at]} {cell}" if several else f"{tops[at]} ({cell})" if tops[at].strip() else cell
    return joined


def upper_header(above: Sequence[str], header: Sequence[str]) -> list[str]:
    """Return a header whose cells are sides alone with the names of the groups above them."""
    groups = _reaching(above, header)
    return [
        f"{group} {name}" if group.strip() and name.strip() and _is_side(name) else name
        for group, name in zip([*groups, *[""] * len(header)], header, strict=False)
    ]


def _reaching(header: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return a row of names in which a name reaches over the blank cells to its right that have sides below them."""
    names = list(header)
    for at in range(1, min(len(names), len(below))):
        if not names[at].strip() and _is_side(below[at]) and (at > 0 and _is_side(below[at - 1])):
            names[at] = names[at - 1]
    return names


def _continues(cell: str, name: str) -> bool:
    """Return whether a cell is what a second row of a header has: a side, a unit, the form of answers, or a name."""
    words, top = _words(cell), surely_named(name) if name.strip() else None
    if name in BY_NAME:
        return _is_unit(cell, name)
    if any(level_of(cell, BY_NAME[field]) for field in ("sex", _PAIN)):
        return False  # an answer: "no" may be short for number, too
    if _is_side(cell):
        return top is None or side_rule(BY_NAME[top.field]) is not None
    if _is_unit(cell, name) or (len(words) == 3 and set(words) <= _DATE_PARTS) or words in _ANSWERS:
        return True
    below = surely_named(cell)
    if below is not None:
        return top is None or top.field == below.field
    both = surely_named(f"{name} {cell}") if top is None and name.strip() else None
    return both is not None


def _is_side(text: str) -> bool:
    words = _words(text)
    return bool(words) and (side_in(("x", *words))[1] == ("x",))


def _is_figure(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").lstrip("-").isdigit()


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


def _bare(words: tuple[str, ...], field: Field) -> tuple[str, ...]:
    fillers = _FILLERS | _OF_STRENGTH if field.unit == "Nm/kg" else _FILLERS
    return tuple(word for word in words if word not in fillers)


@cache
def _born() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(plain(name).split()) for name in facts()["born"]["names"])


@cache
def _aliases(field: str) -> frozenset[tuple[str, ...]]:
    """Return what a field is called, as plain words: its own name with and without its unit, and its other names."""
    words = tuple(field.split("_"))
    names = [tuple(plain(name).split()) for name in facts()["names"].get(field, [])]
    names.append(_words(BY_NAME[field].question))  # as the guide asks it
    label = tuple(plain(BY_NAME[field].label).split())
    bare = words[: len(words) - len(unit_in(words, BY_NAME[field]).split())]
    return frozenset({words, label, bare, *names} - {()})


_NAMES = tuple(field.name for field in INPUTS)
_TEXTS = tuple(field.name for field in INPUTS if field.kind == "text")
_PAIN = "current_knee_pain"
_OUTCOMES = frozenset({*columns_of("runners"), *columns_of("patients")})
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
        if name not in passed and field is None and _PAIN not in header and looks_like_pain(name):
            yield Fault(None, (_PAIN,), "pain_unread", {"column": place, "name": name})
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
    "HEAD_ROWS", "Named", "check_header", "closest_field", "header_at", "is_of_the_knee", "joined_header",
    "likely_named", "looks_like_pain", "second_header", "surely_named", "unit_in", "upper_header",
]  # fmt: skip
