"""What can be wrong with a roster's header: all of it, in one error that says what each column should be.

Columns that do not look like a field pass through untouched: names, notes, outcomes, the coach's own columns.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from pfps_ml.errors import Fault, InvalidInput
from pfps_ml.files.naming import surely_named
from pfps_ml.knowledge.dictionary import INPUTS, ONSET, SUCCESS

_NAMES = tuple(field.name for field in INPUTS)
_TEXTS = tuple(field.name for field in INPUTS if field.kind == "text")
_OUTCOMES = frozenset({*ONSET.columns, *SUCCESS.columns})
_CLOSE = 0.85
# the units that end our names, and those that clubs use instead
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
        faults.append(Fault(None, None, "expected at least one row below the header, got none"))
    if faults:
        raise InvalidInput(
            f"expected a header as `pfps template` writes it, got {len(faults)} fault(s) in it. "
            "`pfps map ROSTER -o map.toml` proposes what your columns are; then add `--map map.toml` (for what a map "
            "asks, mend its lines). Or rename them.",
            faults,
        )


def meant(name: str) -> str | None:
    """Return the field that an unknown column seems to mean, or None if it looks like none."""
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
            yield Fault(None, field.name, f"expected this required column ({field.limits}), got none of that name")


def _twice(header: list[str]) -> Iterator[Fault]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header, start=1):
        places.setdefault(name, []).append(place)
    for name, found in places.items():
        if len(found) > 1:
            # a name that is no field's may be free text (a file without header), so only its place is told
            columns = " and ".join(map(str, found[:5]))
            known = name if name in _NAMES else None
            yield Fault(None, known, f"expected each name once, got the same name for columns {columns}")


def _lookalikes(header: list[str]) -> Iterator[Fault]:
    passed = _OUTCOMES.union(_NAMES)
    for place, name in enumerate(header, start=1):
        field = None if name in passed else meant(name) or _other_name(name, header)
        if field is not None:
            expected = next(f for f in INPUTS if f.name == field).limits
            yield Fault(None, field, f"column {place} is called {name!r}; if it is {field} ({expected}), name it so")


def _other_name(name: str, header: list[str]) -> str | None:
    """Return the field that a name is another word for, if the header has no column for it."""
    named = surely_named(name)
    return named.field if named and named.field not in (*header, *_TEXTS) else None


def _taken(name: str) -> Fault:
    # a map is no way out: the output keeps the file's own names
    return Fault(
        None,
        None,
        f"expected no column called {name!r}, because scoring adds one of that name; rename yours in the file, "
        f"for example to 'club_{name}', or delete it if it is left over from an earlier scoring",
    )


__all__ = ["check_header", "meant"]
