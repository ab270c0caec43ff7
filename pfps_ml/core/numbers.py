"""Numbers: the types of arrays, random streams, how numbers are written, and the levels of intervals.

* Every random number comes from a named stream of a seed, addressed by name and row. So the value of a row never
  depends on how many rows are drawn with it, in which order, or by how many workers; and a change of one column changes
  no other (common random numbers). No other module may touch `numpy.random`.
* Files hold numbers with a fixed count of digits and no negative zero: another processor adds up in another order, so
  the last bits of a number differ from machine to machine.
* A level (0.9) belongs to an interval; the quantiles of a level stand here.
"""

import hashlib
import math
from collections.abc import Mapping
from itertools import starmap
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 4  # a Philox counter step yields four 64-bit words, and one double takes one word
# significant digits: what a number below 10 loses is at most 5e-13, far below what an answer may differ by (1e-9)
DIGITS = 13
SHOWN = 8  # significant digits of a tracked table that people read and that nothing is worked out from
# Two numbers are the same within a relative or an absolute difference. A table entry is written to 8 decimals, so a
# difference in its last bit may turn the last of these, by 1e-8; an answer adds up some twenty entries, of which a few
# may turn. Numbers that are too large for that (knots, cuts) are far apart from their last bits.
RELATIVE, ABSOLUTE = 1e-9, 5e-8


def _key(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def uniforms(seed: int, name: str, start: int, stop: int) -> NDArray[np.float64]:
    """Return the uniforms on the open interval (0, 1) of rows `start` to `stop` in one named stream."""
    first = start - start % _BLOCK
    bits = np.random.Philox(key=_key(seed, name))
    bits.advance(first // _BLOCK)
    draws = np.random.Generator(bits).random(stop - first)[start - first :]
    return np.clip(draws, 2**-54, 1 - 2**-53)


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a generator for work that is not addressed by row: resampling, fold assignment."""
    return np.random.Generator(np.random.Philox(key=_key(seed, name)))


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
    "ABSOLUTE",
    "DIGITS",
    "LEVEL",
    "RELATIVE",
    "SHOWN",
    "Bools",
    "Floats",
    "Ints",
    "at_least",
    "csv_text",
    "distinct",
    "generator",
    "normal_quantile",
    "percent",
    "rounded",
    "same",
    "student_quantile",
    "uniforms",
]
