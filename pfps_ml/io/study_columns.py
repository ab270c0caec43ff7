"""A cohort file's own columns: those that the dictionary has no field for.

The cells of an outcome as 0 and 1: written so, as no and yes, or as two levels of which --event names the case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.errors import Fault, InvalidInput
from pfps_ml.core.messages import Message
from pfps_ml.domain.dictionary import ARMS
from pfps_ml.domain.input_validation import is_missing
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.roster import Roster

Floats = NDArray[np.float64]
_SHOWN = 4  # levels of an outcome that a message names
_LONGEST = 12  # characters of a level: what is longer may be free text
_FEWEST = 5  # rows of a level that a message names: what fewer have may be somebody's own
_DAY = r"\d{4}-\d{2}-\d{2}(?:[ t]\d{2}:.*)?"
CASE_ADVICE, SUCCESS_ADVICE, SECOND_ADVICE = "outcome_advice_case", "outcome_advice_success", "outcome_advice_second"
_KNOWN = {"0": 0.0, "1": 1.0, "no": 0.0, "yes": 1.0, "false": 0.0, "true": 1.0}


def outcome_codes(cells: Sequence[object], name: str, event: str | None = None, advice: str = CASE_ADVICE) -> Floats:
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
        The code of what to do about other levels, for the message.

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
        raise InvalidInput(_levels_fault(name, texts, event, advice))
    outcome = texts.map(codes).to_numpy(dtype=float, na_value=np.nan)
    cases, others = int((outcome == 1).sum()), int((outcome == 0).sum())
    if not cases or not others:
        raise InvalidInput(Message("outcome_of_one_class", {"column": name, "cases": cases, "others": others}))
    return outcome


def _levels_fault(name: str, texts: pd.Series, event: str | None, advice: str) -> Message:
    """Return what is wrong with the levels of an outcome.

    Levels are named if they are short and several rows have each: numbers and codes, never free text, and never the
    level of one person.
    """
    rows = texts.value_counts().sort_index()
    shown = 0 < len(rows) <= _SHOWN and rows.min() >= _FEWEST and max(map(len, rows.index)) <= _LONGEST
    levels = Message("outcome_levels", {"levels": list(map(repr, rows.index))})
    levels = levels if shown else Message("outcome_level_count", {"n": len(rows)})
    code = "outcome_levels_invalid" if event is None else "outcome_event_invalid"
    return Message(code, {"column": name, "levels": levels.as_dict(), "advice": Message(advice).as_dict()})


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
        If a cell is text, or a number below the limit; rows are counted and no value is repeated.
    """
    texts = level_texts(cells)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    odd = int(((np.isnan(numbers) & texts.notna().to_numpy()) | (numbers < low) | np.isinf(numbers)).sum())
    if odd:
        raise InvalidInput(Message("column_numbers_invalid", {"column": name, "low": low, "cells": odd}))
    return np.asarray(numbers)


def days_of(cells: Sequence[object], name: str) -> NDArray[np.datetime64]:
    """Return a column of days written as 2026-03-21, NaT where blank.

    Raises
    ------
    InvalidInput
        If a cell is something else; day and month are never guessed.
    """
    texts = level_texts(cells)
    days = texts.where(texts.str.fullmatch(_DAY).fillna(False).astype(bool)).str.slice(0, 10)
    dates = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    if odd := int((dates.isna() & texts.notna()).sum()):
        raise InvalidInput(Message("column_days_invalid", {"column": name, "cells": odd}))
    return np.asarray(dates.to_numpy(dtype="datetime64[D]"))


def _canonical(cell: object) -> str:
    text = str(cell).strip().lower()
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


@dataclass(frozen=True)
class Table:
    """The file's own columns, by their own names."""

    roster: Roster
    mapping: Mapping

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return list(self.roster.table.column_names)

    def expect(self, names: Sequence[str]) -> None:
        """Refuse a file that lacks a column, with all that it lacks."""
        if lacking := [name for name in dict.fromkeys(names) if name not in self.names]:
            faults = [Fault(None, (), "column_missing", {"name": name}) for name in lacking]
            raise InvalidInput(Message("columns_missing", {"n": len(lacking)}), faults)

    def source(self, field: str) -> str | None:
        """Return the column that a field comes from; None if the file has none."""
        mapped = self.mapping.target(field)
        name = field if mapped is None else mapped.source
        return name if name in self.names else None

    def cells(self, name: str) -> list[Any]:
        """Return a column as it was read."""
        return list(self.roster.table.column(name).to_pylist())

    def texts(self, name: str | None) -> NDArray[np.object_] | None:
        """Return a column's texts, in one spelling and None where blank; None for no column."""
        if name is None:
            return None
        texts = level_texts(self.cells(name))
        return np.asarray(texts.astype(object).where(texts.notna(), None).to_numpy(dtype=object))


def arm_levels(pairs: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Return levels and their arms from texts such as LEVEL=ARM; a text without the sign has a blank level."""
    parts = [pair.rpartition("=") for pair in pairs or []]
    return tuple((level.strip(), arm.strip()) for level, _, arm in parts)


def arms_of(table: Table, name: str, levels: Sequence[tuple[str, str]] = ()) -> NDArray[np.object_]:
    """Return the dictionary's arms by their names, labels or levels in the file; None where blank.

    Parameters
    ----------
    table
        The file.
    name
        The column of arms.
    levels
        What the file calls an arm, and its name in the dictionary.

    Raises
    ------
    InvalidInput
        If there are others, which are counted and not named; or a level is not there, or means no arm.
    """
    cells, arms = np.asarray(table.texts(name)), [arm.name for arm in ARMS]
    theirs = level_texts([level for level, _ in levels])
    known = {arm.label.lower(): arm.name for arm in ARMS} | {arm: arm for arm in arms}
    known |= dict(zip(theirs, (arm for _, arm in levels), strict=True))
    if not set(known.values()) <= set(arms) or not set(theirs) <= set(cells) or theirs.duplicated().any():
        raise InvalidInput(Message("arm_levels_invalid", {"column": name, "arms": arms}))
    read = pd.Series(cells).map(known.get, na_action="ignore")
    odd = pd.Series(cells)[read.isna() & ~pd.isna(cells)]
    if len(odd):
        counts = {"n": int(odd.nunique()), "rows": len(odd)}
        raise InvalidInput(Message("arms_unknown", {"column": name, "arms": arms, **counts}))
    return np.asarray(read.astype(object).where(read.notna(), None).to_numpy(dtype=object))


__all__ = [
    "CASE_ADVICE", "SECOND_ADVICE", "SUCCESS_ADVICE", "Table", "arm_levels", "arms_of", "days_of", "level_texts",
    "numbers_of", "outcome_codes",
]  # fmt: skip
