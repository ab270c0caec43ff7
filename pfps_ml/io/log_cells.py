"""The cells of a training log: numbers, durations and dates, as programs of six languages write them.

What could mean two things is asked for, never guessed: a comma before three digits, day and month that may be either.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pfps_ml.domain import MISSING
from pfps_ml.domain.synonyms import month_of, plain
from pfps_ml.io.training_load import is_likely, local

_BLANK = MISSING | {"--", "---", "\u2013", "\u2014"}
_LONGEST = 40  # characters of a number: no watch counts further
_CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,5}):(\d{2}(?:\.\d{1,9})?)")
_LETTERS = re.compile(
    r"(?:PT)?\s*(?:(\d{1,5})\s*(?:h|hr|hrs|std)\.?)?\s*(?:(\d{1,5})\s*(?:m|min|mins|')\.?)?"
    r"\s*(?:(\d{1,5}(?:\.\d{1,9})?)\s*(?:s|sec|sek|\")\.?)?", re.IGNORECASE,
)  # fmt: skip
_TIME = r"(?:\D{1,8}?(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d{1,9})?)?\s*([ap]m)?)?\s*(z|utc|gmt|[+-]\d{2}:?\d{2})?"
_WORD = r"([^\W\d_]{3,12})\.?"
_DAY_FIRST = re.compile(rf"(\d{{1,2}})\.?(?:\s+de)?[\s-]+{_WORD}(?:\s+de[l]?)?,?[\s-]+(\d{{2,4}}){_TIME}", re.I)
_MONTH_FIRST = re.compile(rf"{_WORD}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}){_TIME}", re.IGNORECASE)
_NUMERIC = re.compile(rf"(\d{{1,4}})([./-])(\d{{1,2}})\2(\d{{2,4}}){_TIME}", re.IGNORECASE)
_NOON = re.compile(r"\b([ap])\s?\.?\s?m\b\.?", re.IGNORECASE)
_WEEK = re.compile(
    r"(?:(\d{4})\D{0,3})?\b(?:week|woche|kw|semaine|semana|settimana|wk|sem|w|s)\D{0,2}(\d{1,2})(?:\D{1,3}(\d{4}))?"
)
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
    digits = re.sub(r"(?<=\d)[ \xa0\u202f](?=\d{3})", "", text.strip())
    if "," in digits and "." in digits:
        point = digits.rindex(".") > digits.rindex(",")
        digits = digits.replace(",", "") if point else digits.replace(".", "").replace(",", ".")
    elif "," in digits:
        if not decimal_comma and re.fullmatch(r"\d{1,3}(,\d{3})+", digits):
            raise ValueError("thousands or decimals")
        digits = digits.replace(",", ".")
    if len(digits) > _LONGEST or not re.fullmatch(r"\d*\.?\d+|\d+\.", digits):
        raise ValueError("not a number")
    return float(digits)


def duration(text: str) -> float:
    """Return the seconds of h:mm:ss, mm:ss, 1h 02m 33s, 45 min or PT45M12S.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    written = text.strip().replace(",", ".")
    if match := _CLOCK.fullmatch(written):
        return 3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3])
    match = _LETTERS.fullmatch(written)
    if not match or not any(match.groups()):
        raise ValueError("not a duration")
    return 3600 * int(match[1] or 0) + 60 * int(match[2] or 0) + float(match[3] or 0)


@dataclass(frozen=True)
class _Open:
    """A date of which day and month may be either: its first two numbers, its year, and its time."""

    first: int
    second: int
    year: int
    time: "_Time"

    def moment(self, day_first: bool) -> Moment | None:
        day, month = (self.first, self.second) if day_first else (self.second, self.first)
        return _moment(self.year, month, day, self.time)


_Time = tuple[str | None, str | None, str | None, str | None, str | None]  # hour, minute, second, am or pm, zone


def moments(texts: Sequence[str], utc: bool, day_first: bool | None = None) -> tuple[list[Moment | None], bool]:
    """Read a column of dates, which a program writes in one form.

    Parameters
    ----------
    texts
        2026-05-31, 31.05.2026, 31 mai 2026, May 31, 2026, each with or without a time; 31/05/2026 or 05/31/2026 if the
        column has a day above 12.
    utc
        Whether times without a zone are those of UTC.
    day_first
        Whether the day stands before the month where both may be either; None if that is not known.

    Returns
    -------
    One moment a cell, None where there is none; and whether day and month may be either in the column as a whole.
    """
    dates = [_date(" ".join(text.split())) for text in texts]
    either = [one for one in dates if isinstance(one, _Open)]
    if day_first is None and either:
        late = sum(one.first > 12 for one in either), sum(one.second > 12 for one in either)
        if late == (0, 0) and any(one.first != one.second for one in either):
            return [one.moment(True) if isinstance(one, _Open) else one for one in dates], True
        day_first = late[0] >= late[1]
    read = [one.moment(bool(day_first)) if isinstance(one, _Open) else one for one in dates]
    return [one and _placed(one, utc) for one in read], False


def _date(text: str) -> "Moment | _Open | None":
    text = _NOON.sub(r"\1m", text)
    return _iso(text) or _named_month(text) or _numbered(text) or _without_weekday(text)


def _iso(text: str) -> Moment | None:
    written = re.sub(r"(?<=\d) (?=[+-]\d{2}:?\d{2}$)", "", text)
    try:
        moment = datetime.fromisoformat(re.sub(r" ?(?:utc|gmt)$", "+00:00", written, flags=re.IGNORECASE))
    except ValueError:
        return None
    return (moment, ":" in text) if is_likely(moment) and re.match(r"\d{4}-", text) else None


def _named_month(text: str) -> Moment | None:
    for form, (day, word, year) in ((_DAY_FIRST, (1, 2, 3)), (_MONTH_FIRST, (2, 1, 3))):
        match = form.fullmatch(text)
        month = month_of(match[word]) if match else None
        if match and month:
            return _moment(_year(match[year]), month, int(match[day]), match.groups()[3:])  # type: ignore[arg-type]
    return None


def _numbered(text: str) -> "Moment | _Open | None":
    match = _NUMERIC.fullmatch(text)
    if not match:
        return None
    first, mark, second, last = match[1], match[2], int(match[3]), match[4]
    time: _Time = match.groups()[4:]  # type: ignore[assignment]
    if len(first) > 2:
        return _moment(int(first), second, int(last), time) if len(last) <= 2 else None
    if mark == ".":  # whoever writes dots writes the day first
        return _moment(_year(last), second, int(first), time)
    return _Open(int(first), second, _year(last), time)


def _without_weekday(text: str) -> "Moment | _Open | None":
    """Read a date behind the name of its day: Mo, 31.05.2026."""
    match = re.fullmatch(r"[^\W\d_]{2,12}\.?,?\s+(.*\d.*)", text)
    return (_iso(match[1]) or _named_month(match[1]) or _numbered(match[1])) if match else None


def _year(text: str) -> int:
    return int(text) + (2000 if len(text) <= 2 else 0)


def _moment(year: int, month: int, day: int, time: _Time) -> Moment | None:
    hour, minute, second, half, zone = time
    if hour is None and zone:
        return None
    hours = int(hour or 0) % (12 if half else 24) + 12 * ((half or "").lower() == "pm")
    if (half and not 1 <= int(hour or 0) <= 12) or int(hour or 0) > 23:
        return None
    try:
        moment = datetime(year, month, day, hours, int(minute or 0), int(second or 0))
        if zone:
            moment = datetime.fromisoformat(f"{moment.isoformat()}{zone if zone[0] in '+-' else '+00:00'}")
    except ValueError:
        return None
    return (moment, hour is not None) if is_likely(moment) else None


def _placed(moment: Moment, utc: bool) -> Moment:
    start, timed = moment
    if timed and utc and start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return (local(start) if start.tzinfo else start), timed


def week_in(text: str) -> tuple[int | None, int] | None:
    """Return the year and the number of the week that a text names (2026-W36, KW 36, semaine 36); None if none."""
    match = _WEEK.fullmatch(plain(text))
    if not match or not 1 <= int(match[2]) <= 53:
        return None
    year = match[1] or match[3]
    return (int(year) if year else None), int(match[2])


def monday_of(year: int, week: int) -> date | None:
    """Return the first day of a week of ISO 8601; None if the year has no such week."""
    try:
        return date.fromisocalendar(year, week, 1)
    except ValueError:
        return None


def day_in(text: str) -> date | None:
    """Return the day that a name of a file tells (2026-05-31-070210.fit, 20260531.gpx); None if it tells none."""
    match = re.search(r"(?<!\d)((?:19|20)\d{2})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d{3})", text)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
    return day if day and is_likely(day) else None


def week_of(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


__all__ = ["Moment", "day_in", "duration", "is_blank", "moments", "monday_of", "number", "week_in", "week_of"]
