"""Levels of intervals: how they are written, and the quantiles that belong to them.

Numbers as files hold them: a fixed count of digits and no negative zero; and when two of them are the same.

Another processor adds up in another order, so the last bits of a number differ from machine to machine.
"""

import math
from collections.abc import Mapping
from itertools import starmap
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


Floats = NDArray[np.float64]
# significant digits: what a number below 10 loses is at most 5e-13, far below what an answer may differ by (1e-9)
DIGITS = 13
SHOWN = 8  # significant digits of a tracked table that people read and that nothing is worked out from
# Two numbers are the same within a relative or an absolute difference. A table entry is written to 8 decimals, so a
# difference in its last bit may turn the last of these, by 1e-8; an answer adds up some twenty entries, of which a few
# may turn. Numbers that are too large for that (knots, cuts) are far apart from their last bits.
RELATIVE, ABSOLUTE = 1e-9, 5e-8


def rounded(content: Any, digits: int = DIGITS) -> Any:
    """Return content as a file holds it: every float rounded, 0 for -0, an array as a list.

    Parameters
    ----------
    content
        Plain JSON values, NumPy arrays and NumPy numbers in them. NaN and infinity stay what they are.
    digits
        Significant digits.
    """
    match content:
        case float() | np.floating():
            return float(f"{content:.{digits - 1}e}") + 0.0  # -0 + 0 is 0
        case np.ndarray() | np.generic():
            return rounded(content.tolist(), digits)
        case Mapping():
            return {key: rounded(value, digits) for key, value in content.items()}
        case list() | tuple():
            return [rounded(value, digits) for value in content]
        case _:
            return content


def at_least(cuts: Floats) -> Floats:
    """Return cuts rounded up: a value that equals a cut lies below it, and stays there.

    Parameters
    ----------
    cuts
        Finite numbers that values are compared with, shape (n,).
    """
    return np.array([_up(float(cut)) for cut in cuts], dtype=np.float64)


def distinct(values: Floats) -> Floats:
    """Return the values, sorted, of which no two are written as the same number."""
    _, first = np.unique(rounded(np.sort(values)), return_index=True)
    return np.asarray(np.sort(values)[first])


def same(first: Any, second: Any) -> bool:
    """Return whether two contents of JSON files say the same: numbers within the tolerance, all else to the letter.

    Counts, which are whole numbers, must be equal.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(starmap(same, zip(first, second, strict=True)))
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(first) is type(second) and bool(first == second)


def csv_text(frame: "pd.DataFrame", digits: int = DIGITS) -> str:
    """Return a frame as CSV with its numbers rounded; see `rounded`."""
    # an empty column has no number to round, and pandas would guess its kind anew
    columns = {name: column for name, column in frame.items() if column.dtype.kind in "fO" and len(column)}
    tidy = {str(name): [rounded(value, digits) for value in column] for name, column in columns.items()}
    return str(frame.assign(**tidy).to_csv(index=False, lineterminator="\n"))


def _up(cut: float) -> float:
    near = float(rounded(cut))
    if near >= cut:
        return near
    last_digit = 10.0 ** (math.floor(math.log10(abs(cut))) - DIGITS + 1)
    return float(rounded(near + last_digit))


LEVEL = 0.9  # of the intervals of a bundle that is trained now; a bundle says its own


def percent(level: float) -> str:
    """Return a level as a person reads it: `90 %`."""
    return f"{100 * level:.4g} %"


def normal_quantile(level: float) -> float:
    """Return how many standard errors to either side hold a normal estimate at that level."""
    return NormalDist().inv_cdf((1 + level) / 2)


def student_quantile(level: float, freedom: float) -> float:
    """Return the same where the standard error is estimated, with so many degrees of freedom."""
    from scipy.special import stdtrit  # training and judging only

    return float(stdtrit(freedom, (1 + level) / 2))


__all__ = [
    "ABSOLUTE", "DIGITS", "LEVEL", "RELATIVE", "SHOWN", "at_least", "csv_text", "distinct", "normal_quantile",
    "percent", "rounded", "same", "student_quantile",
]  # fmt: skip
