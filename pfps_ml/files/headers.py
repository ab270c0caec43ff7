"""What can be wrong with a roster's header: all of it, in one error that says what each column should be.

Columns that do not look like a field pass through untouched: names, notes, outcomes, the coach's own columns.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from pfps_ml.core.messages import Message
from pfps_ml.errors import Fault, InvalidInput
from pfps_ml.files.naming import surely_named
from pfps_ml.knowledge.dictionary import INPUTS, ONSET, SUCCESS

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


__all__ = ["check_header", "closest_field"]
