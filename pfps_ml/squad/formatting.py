"""How the squad report shows numbers: as texts that a coach would say, and as pictures (SVG).

A number is never written more exactly than it is known. Pictures are drawn here, so that the file needs no library, no
script and no other host. Every picture has its numbers in a table beside it; the colours are variables of the page's
style. What is drawn is made of numbers; texts are escaped.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

from pfps_ml.squad.forecast import Forecast


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


_BAR = 40  # width of a bar with its gap


def count_bars(forecast: Forecast) -> Markup:
    """Draw the probability of every count of cases; those of the interval are filled, the others are pale."""
    last = max(
        forecast.high + 1, next(at for at in range(len(forecast.shares)) if forecast.shares[: at + 1].sum() > 0.995)
    )
    shares = forecast.shares[: min(last + 1, len(forecast.shares))]
    width, height, foot = _BAR * len(shares) + 2, 150, 40
    parts = []
    for count, share in enumerate(shares):
        tall = (height - foot - 16) * share / shares.max()
        left, top = 1 + count * _BAR, height - foot - tall
        kind = "in" if forecast.low <= count <= forecast.high else "out"
        middle = left + _BAR / 2
        parts += [
            f'<rect class="{kind}" x="{left + 3}" y="{top:.1f}" width="{_BAR - 6}" height="{tall:.1f}" rx="2"/>',
            f'<text x="{middle}" y="{top - 4:.1f}" class="small">{percent(share)}</text>',
            f'<text x="{middle}" y="{height - foot + 15}" class="count">{count}</text>',
        ]
    start, end = 1 + forecast.low * _BAR + 3, 1 + (forecast.high + 1) * _BAR - 3
    parts.append(f'<path class="span" d="M{start} {height - 18}H{end}"/>'
                 f'<text class="axis" x="1" y="{height - 3}">new cases, and how probable</text>')  # fmt: skip
    label = f"Bars: the probability of each number of new cases; {forecast.low} to {forecast.high} are the likely ones"
    return _svg(width, height, "bars", label, parts)


def risk_line(value: float, low: float, high: float, top: float, band: str) -> Markup:
    """Draw one risk as a dot on its interval; `top` is the risk at the right end."""
    scale = 148 / top
    x0, x1, x = (4 + scale * min(part, top) for part in (low, high, value))
    parts = [f'<path class="base" d="M4 8H152"/><path class="reach" d="M{x0:.1f} 8H{x1:.1f}"/>'
             f'<circle class="{band}" cx="{x:.1f}" cy="8" r="4.5"/>']  # fmt: skip
    return _svg(156, 16, "risk", f"{percent(value)}, {percent(low)} to {percent(high)}", parts)


def price_strip(ends: Sequence[float], price: float, texts: Sequence[str]) -> Markup:
    """Draw for which numbers of check-ups a case each way of seeing runners is the best one.

    Parameters
    ----------
    ends
        Where the ways change, rising: check-ups a case.
    price
        The number at which the report judges.
    texts
        The ways, one more than ends.
    """
    width, top = 640, 80.0
    edges = [1.0, *(min(max(end, 1.0), top) for end in ends), top]
    parts = []
    for at, text in enumerate(texts):
        x0, x1 = (width * edge / top for edge in edges[at : at + 2])
        if x1 - x0 > 1:
            parts.append(f'<rect class="way{at}" x="{x0:.1f}" y="24" width="{x1 - x0 - 2:.1f}" height="30" rx="3"/>')
            if x1 - x0 > 8 * len(text):
                parts.append(f'<text class="way" x="{(x0 + x1) / 2:.1f}" y="44">{escape(text)}</text>')
    parts += [f'<text class="tick" x="{width * tick / top:.0f}" y="70">{tick}</text>' for tick in (10, 20, 30, 40, 60)]
    parts.append(f'<text class="axis" x="{width}" y="70">check-ups for one case</text>')
    at_price = width * min(price, top) / top
    parts.append(f'<path class="now" d="M{at_price:.1f} 23l-5 -7h10z"/><text class="tick" x="{at_price:.1f}" y="12">'
                 f"judged here: {price:.0f}</text>")  # fmt: skip
    return _svg(width, 74, "strip", "Which way is best, by how many check-ups one case found is worth", parts)


def _svg(width: float, height: float, kind: str, label: str, parts: Sequence[str]) -> Markup:
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    drawn = f'<svg class="{kind}" {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    return Markup(drawn)  # noqa: S704  # numbers and escaped texts only


__all__ = [
    "cases", "count_bars", "count_range", "gained", "hours", "out_of", "percent", "points",
    "price_strip", "risk_line", "runners", "signed", "whole",
]  # fmt: skip
