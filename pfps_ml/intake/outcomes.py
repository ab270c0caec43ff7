"""What the cells of an outcome mean: 0 and 1, yes and no, or two levels of which somebody says which is the case."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.errors import InvalidInput
from pfps_ml.knowledge.checker import is_missing

Floats = NDArray[np.float64]
_SHOWN = 4  # levels of an outcome that a message names
_LONGEST = 12  # characters of a level: what is longer may be free text
_FEWEST = 5  # rows of a level that a message names: what fewer have may be somebody's own
_DAY = r"\d{4}-\d{2}-\d{2}(?:[ t]\d{2}:.*)?"
EVENT = "If 2 means a case, add --event 2."
_KNOWN = {"0": 0.0, "1": 1.0, "no": 0.0, "yes": 1.0, "false": 0.0, "true": 1.0}


def outcome_codes(cells: Sequence[object], name: str, event: str | None = None, advice: str = EVENT) -> Floats:
    """Return 1 for a case, 0 for none and NaN where nothing is known.

    Parameters
    ----------
    cells
        Text or numbers, as read.
    name
        The column, for the message.
    event
        The level that means a case; the other one means none. Without it, 0 and 1, no and yes, false and true are read.
    advice
        What to do about other levels, for the message.

    Raises
    ------
    InvalidInput
        If the levels are others, or one of them only: what 1 and 2 mean is never guessed.
    """
    texts = level_texts(cells)
    levels = sorted(set(texts.dropna()))
    wanted = None if event is None else _canonical(event)
    codes = _KNOWN if wanted is None else {level: float(level == wanted) for level in levels}
    if len(levels) > 2 or not set(levels) <= set(codes) or (wanted is not None and wanted not in levels):
        raise InvalidInput(
            f"expected two levels in the outcome {name!r}, 0 and 1 or no and yes, or to be told which means a case; "
            f"got {_told(texts)}{'' if event is None else ' and --event of another'}. {advice}"
        )
    found = texts.map(codes).to_numpy(dtype=float, na_value=np.nan)
    cases, others = int((found == 1).sum()), int((found == 0).sum())
    if not cases or not others:
        raise InvalidInput(
            f"expected cases and non-cases in the outcome {name!r}, got {cases:,} and {others:,}; "
            "nothing can be said of a model where one class is all there is. Bring a file that has both, or name "
            "another column with --outcome."
        )
    return found


def level_texts(cells: Sequence[object]) -> pd.Series:
    """Return one spelling for what means the same (1, 1.0 and true numbers; Yes and yes), missing where blank."""
    raw = pd.Series(list(cells), dtype=object)
    texts = raw.map(_canonical, na_action="ignore")
    return texts.mask(is_missing(raw))


def numbers_of(cells: Sequence[object], name: str, low: float) -> Floats:
    """Return a column of numbers that are at least `low`, NaN where blank.

    Raises
    ------
    InvalidInput
        If a cell is text, or a number below the limit; rows are counted and no value is told.
    """
    texts = level_texts(cells)
    found = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    odd = int(((np.isnan(found) & texts.notna().to_numpy()) | (found < low) | np.isinf(found)).sum())
    if odd:
        raise InvalidInput(f"expected numbers of at least {low:g} in the column {name!r}, got {odd:,} other cells.")
    return np.asarray(found)


def days_of(cells: Sequence[object], name: str) -> NDArray[np.datetime64]:
    """Return a column of days written as 2026-03-21, NaT where blank.

    Raises
    ------
    InvalidInput
        If a cell is something else; day and month are never guessed.
    """
    texts = level_texts(cells)
    days = texts.where(texts.str.fullmatch(_DAY).fillna(False).astype(bool)).str.slice(0, 10)
    found = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    if odd := int((found.isna() & texts.notna()).sum()):
        raise InvalidInput(f"expected days such as 2026-03-21 in the column {name!r}, got {odd:,} other cells.")
    return np.asarray(found.to_numpy(dtype="datetime64[D]"))


def _canonical(cell: object) -> str:
    text = str(cell).strip().lower()
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


def _told(texts: pd.Series) -> str:
    """Name levels that are short and that several rows have: numbers and codes, never free text or anybody's own."""
    rows = texts.value_counts().sort_index()
    if not 0 < len(rows) <= _SHOWN or rows.min() < _FEWEST or max(map(len, rows.index)) > _LONGEST:
        return f"{len(rows):,} level{'' if len(rows) == 1 else 's'}"
    return " and ".join(map(repr, rows.index))


__all__ = ["EVENT", "days_of", "level_texts", "numbers_of", "outcome_codes"]
