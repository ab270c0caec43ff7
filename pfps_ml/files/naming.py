"""The field and the unit that the name of a column stands for; and which row of a table is its header."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pfps_ml.knowledge.dictionary import BY_NAME, INPUTS
from pfps_ml.knowledge.field import Field
from pfps_ml.knowledge.spellings import Unit, facts, plain, units_of

HEAD_ROWS = 30  # looked at for a header
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
    words = tuple(plain(name).split())
    if not words:
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
    fields = {meaning.field for cell in row if (meaning := surely_named(cell))}
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


__all__ = ["HEAD_ROWS", "Named", "header_at", "second_header", "surely_named", "unit_in"]
