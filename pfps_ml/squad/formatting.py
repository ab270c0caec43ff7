"""How the report says numbers: as a coach would, and never more exactly than they are known."""

from html import escape

from pfps_ml.squad.screening import Screening


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


def ranged(low: int, high: int) -> str:
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


def named(squad: Screening, place: int) -> str:
    """Return the id of one of the squad, as HTML."""
    return escape(squad.ids[int(squad.squad[place])])


__all__ = ["cases", "gained", "hours", "named", "points", "ranged", "runners", "signed"]
