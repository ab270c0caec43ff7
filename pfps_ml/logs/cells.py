"""The cells of a log: numbers, durations and dates as the programs of several countries write them.

What could mean two things is a ValueError, never a guess.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pfps_ml.knowledge.checker import MISSING
from pfps_ml.logs.activity import is_likely, local

_BLANK = MISSING | {"--"}
_CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d{2}(?:\.\d{1,9})?)")
_FORMS: dict[str, tuple[str, ...]] = {
    "Strava": ("%b %d, %Y, %I:%M:%S %p", "%d %b %Y, %H:%M:%S"),
    "dotted": ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
    "European": ("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    "American": ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S"),
}
_LONGEST = 40  # characters of a number: no watch counts further
_SAMPLE = 100  # cells: a form that fits none of them is not that of the column
Moment = tuple[datetime, bool]  # with whether the time of the day is known


def is_blank(text: str) -> bool:
    """Return whether a cell says nothing: watches write `--`."""
    return text.strip().lower() in _BLANK


def number(text: str, decimal_comma: bool = False) -> float:
    """Return a number.

    Raises
    ------
    ValueError
        If it is none, or if its comma may mark thousands as well as decimals.
    """
    plain = re.sub(r"(?<=\d)[ \xa0\u202f](?=\d{3})", "", text.strip())
    if "," in plain and "." in plain:
        plain = plain.replace(",", "") if plain.rindex(".") > plain.rindex(",") else _swapped(plain)
    elif "," in plain:
        if not decimal_comma and re.fullmatch(r"\d{1,3}(,\d{3})+", plain):
            raise ValueError("thousands or decimals")
        plain = plain.replace(",", ".")
    if len(plain) > _LONGEST or not re.fullmatch(r"\d*\.?\d+|\d+\.", plain):
        raise ValueError("not a number")
    return float(plain)


def duration(text: str) -> float:
    """Return the seconds of h:mm:ss or mm:ss.

    Raises
    ------
    ValueError
        If it is neither.
    """
    match = _CLOCK.fullmatch(text.strip().replace(",", "."))
    if not match:
        raise ValueError("not a duration")
    return 3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3])


def moments(texts: Sequence[str], utc: bool) -> tuple[list[Moment | None], bool]:
    """Read a column of dates, which a program writes in one form.

    Parameters
    ----------
    texts
        2026-05-31 and 31.05.2026 and Strava's own with or without a time; 31/05/2026 or 05/31/2026 if the column
        has a day above 12.
    utc
        Whether times without a zone are those of UTC.

    Returns
    -------
    One moment a cell, None where there is none; and whether day and month may be either in the column as a whole.
    """
    plain = [text.strip().replace("\u202f", " ").replace("Sept ", "Sep ") for text in texts]
    best: list[Moment | None] = [None] * len(plain)
    fitting = []
    sample = plain[:_SAMPLE]
    hopeful = {name: read for name, read in _READERS.items() if any(_tried(read, text) for text in sample)}
    for name, read in (hopeful or _READERS).items():
        column = [_tried(read, text) for text in plain]
        if all(moment is not None for moment in column):
            fitting.append((name, column))
        if sum(m is not None for m in column) > sum(m is not None for m in best):
            best = column
    if {"European", "American"} <= {name for name, _ in fitting} and fitting[0][1] != fitting[1][1]:
        return best, True
    return [moment and _placed(moment, utc) for moment in best], False


def _tried(read: Callable[[str], Moment], text: str) -> Moment | None:
    try:
        moment = read(text)
    except ValueError:
        return None
    return moment if is_likely(moment[0]) else None


def _iso(text: str) -> Moment:
    return datetime.fromisoformat(text), ":" in text


def _reader(forms: tuple[str, ...]) -> Callable[[str], Moment]:
    def read(text: str) -> Moment:
        for form in forms:
            try:
                return datetime.strptime(text, form), ":" in form
            except ValueError:
                continue
        raise ValueError("not a date")

    return read


def _placed(moment: Moment, utc: bool) -> Moment:
    start, timed = moment
    if timed and utc and start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return (local(start) if start.tzinfo else start), timed


def _swapped(text: str) -> str:
    return text.replace(".", "").replace(",", ".")


_READERS: dict[str, Callable[[str], Moment]] = {"ISO": _iso, **{name: _reader(form) for name, form in _FORMS.items()}}

__all__ = ["Moment", "duration", "is_blank", "moments", "number"]
