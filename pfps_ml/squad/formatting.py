"""How the report writes numbers: as a coach would say them, and never more exactly than they are known."""


def cases(count: float) -> str:
    """Return an expected number of cases."""
    if 0 < count < 0.05:
        return "less than 0.1"
    return f"{count:.1f}"


def gained(count: float) -> str:
    """Return how many more cases something reaches: small ones matter here."""
    if 0 < count < 0.005:
        return "less than 0.01"
    return f"{count:.2f}" if 0 < count < 0.95 else cases(count)


def hours(count: float) -> str:
    """Return a time: minutes below an hour and a half."""
    minutes = round(60 * count, 1 if count < 0.1 else 0)
    if minutes < 90:
        return "1 minute" if minutes == 1 else f"{minutes:g} minutes"
    return f"{count:.1f}".removesuffix(".0") + " hours"


def count_range(low: int, high: int) -> str:
    """Return a range of counts."""
    return str(low) if low == high else f"{low} to {high}"


def runners(count: int) -> str:
    """Return a number of runners."""
    return "1 runner" if count == 1 else f"{count} runners"


def signed(number: float, decimals: int) -> str:
    """Return a number with its sign; what rounds to zero has none."""
    text = f"{number:+.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text[1:]


def points(number: float) -> str:
    """Return percentage points, with their sign."""
    return signed(number, 1)


def percent(share: float) -> str:
    """Return a probability as a person reads it: whole per cent, and never 0 % of what may happen."""
    if 0 < share < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 < share < 1 else f"{100 * share:.0f} %"


def level_text(level: float) -> str:
    """Return the level of an interval: 0.9 is 90 %."""
    return f"{100 * level:g} %"


def whole(number: float) -> str:
    """Return a number without decimals."""
    return f"{number:.0f}"


def out_of(level: float) -> tuple[str, str]:
    """Return a share as so many of so many: 0.9 is nine of ten, 0.95 is 95 of a hundred."""
    tenths = 10 * level
    if abs(tenths - round(tenths)) < 1e-9 and 0 < round(tenths) < 10:
        return _TENTHS[round(tenths) - 1], "ten"
    return f"{100 * level:g}", "a hundred"


_TENTHS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

__all__ = [
    "cases",
    "count_range",
    "gained",
    "hours",
    "level_text",
    "out_of",
    "percent",
    "points",
    "runners",
    "signed",
    "whole",
]
