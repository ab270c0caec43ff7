"""A cohort with outcomes, read from any file that rosters are read from, with an account of every row.

Runners are followed for new pain; patients, who had one of the arms, for success. A file with a column of arms is one
of patients. Columns that the dictionary has no field for (outcome, follow-up, period) are named by `Columns`. An
outcome is 0 and 1, no and yes, or two levels of which --event names the case.
"""

import hashlib
from collections.abc import Mapping as Named, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Fault, Floats, InvalidInput, Message, NDArray
from pfps_ml.domain import (
    ARMS,
    BY_NAME,
    DAYS_A_MONTH,
    ONSET,
    ONSET_FIELDS,
    PATHWAY_FIELDS,
    SUCCESS,
    Horizon,
    Outcome,
    derive,
    is_missing,
)
from pfps_ml.io.mapping import Mapping, load_mapping
from pfps_ml.io.roster import Roster, read_roster

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
    event_code = None if event is None else _canonical(event)
    codes = _KNOWN if event_code is None else {level: float(level == event_code) for level in levels}
    if len(levels) > 2 or not set(levels) <= set(codes) or (event_code is not None and event_code not in levels):
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


Horizons = Named[str, Horizon]
ARM, FOLLOW_UP = "arm", "follow_up_months"


@dataclass(frozen=True)
class Columns:
    """Which columns of a cohort say what the dictionary has no field for; names as in the file.

    Attributes
    ----------
    outcome, event
        The outcome (the dictionary's, if not named), and its level that means a case or a success (0/1 and no/yes
        need none).
    follow_up
        Months from screening, or from the first visit, to the last news; read under its own name if the file has it.
    period
        When a row was collected: a year, a season, a wave.
    person
        The person of a row, where one person has several rows (each row has another runner_id).
    measured_on, happened_on
        Days, written 2026-03-21: of the screening, and of the outcome or its ascertainment.
    second
        Another column that says who is a case (0/1, no/yes), to hold the first one to.
    arm
        The pathway that a patient had; with it, the file is one of patients.
    arm_levels
        The file's level of an arm, and its name in the dictionary; where the file does not use the dictionary's words.
    """

    outcome: str | None = None
    event: str | None = None
    follow_up: str | None = None
    period: str | None = None
    person: str | None = None
    measured_on: str | None = None
    happened_on: str | None = None
    second: str | None = None
    arm: str | None = None
    arm_levels: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> list[str]:
        """The columns that must be in the file."""
        others = (self.follow_up, self.period, self.person, self.measured_on, self.happened_on,
                  self.second, self.arm)  # fmt: skip
        return [name for name in (self.outcome_column, *others) if name is not None]

    @property
    def outcome_column(self) -> str:
        """The column of the outcome."""
        return self.outcome or self.about.column

    @property
    def about(self) -> Outcome:
        """What the file is about: success of patients where there are arms, else onset of runners."""
        return ONSET if self.arm is None else SUCCESS


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort as read, every row of it.

    Attributes
    ----------
    values
        Coded fields, derived ones included; NaN is missing.
    y
        1 for a case or a success, 0 for none, NaN where nothing is known; as the file says, shape (rows,).
    rejected
        Rows with a fault in any field: in a cohort, unlike a roster, one bad cell costs the row. Cells that contradict
        each other are no fault here.
    faults
        What is wrong with them.
    club, person, period
        Texts, None where blank; `person` is the runner_id if the file has no column for it. `period` may be None.
    months
        Months of follow-up; None if the file does not say.
    measured_on, happened_on
        Days; None if the file does not say.
    second
        Who is a case by another column; None if no other was named.
    arm
        The pathway that each patient had, None where blank; None for a cohort of runners.
    horizon
        Over which, or at which, the outcome is asked for.
    digest
        Of the file's content.
    """

    values: pd.DataFrame
    y: Floats
    rejected: Bools
    faults: tuple[Fault, ...]
    club: NDArray[np.object_]
    person: NDArray[np.object_]
    period: NDArray[np.object_] | None
    months: Floats | None
    measured_on: NDArray[np.datetime64] | None
    happened_on: NDArray[np.datetime64] | None
    second: Floats | None
    arm: NDArray[np.object_] | None
    horizon: Horizon
    digest: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the models of this outcome read."""
        return ONSET_FIELDS if self.arm is None else PATHWAY_FIELDS

    @property
    def people(self) -> str:
        """What its rows are of: runners or patients."""
        return "runners" if self.arm is None else "patients"

    @property
    def in_pain(self) -> Bools:
        """Which runners have knee pain now, and are not scored for onset; patients have pain."""
        return np.asarray(self.values["current_knee_pain"] == 1) & (self.arm is None)

    @property
    def too_short(self) -> Bools:
        """Who was lost before the horizon: runners without an episode until then, patients whatever was known."""
        if self.months is None:
            return np.zeros(len(self.y), dtype=bool)
        open_still = self.y == 0 if self.arm is None else ~np.isnan(self.y)
        return np.asarray(open_still & ~(self.months * DAYS_A_MONTH >= self.horizon.days))

    @property
    def used(self) -> Bools:
        """Who can be evaluated: nothing sets them aside."""
        return np.asarray(self.usable & ~self.outcome_missing)

    @property
    def outcome_missing(self) -> Bools:
        """Whose outcome is not known, at the horizon."""
        return np.asarray(np.isnan(self.y) | self.too_short)

    @property
    def usable(self) -> Bools:
        """Who could be evaluated if the outcome were known."""
        return np.asarray(~np.any([gone for _, gone in self._unusable()], axis=0))

    def account(self) -> list[tuple[str, int]]:
        """Return what became of every row, in the order in which rows are set aside."""
        left, lines = np.ones(len(self.y), dtype=bool), [("rows in the file", len(self.y))]
        for what, gone in self._set_aside():
            lines.append((f"set aside: {what}", int((left & gone).sum())))
            left &= ~gone
        events = "cases" if self.arm is None else "successes"
        return [*lines, ("evaluated", int(left.sum())), (f"{events} among them", int(self.y[left].sum()))]

    def _set_aside(self) -> list[tuple[str, Bools]]:
        lost = "lost before the horizon, no episode until then" if self.arm is None else f"lost before {self.horizon}"
        return [*self._unusable(), ("outcome not known", np.isnan(self.y)), (lost, self.too_short)]

    def _unusable(self) -> list[tuple[str, Bools]]:
        fault = ("a fault in a field", self.rejected)
        if self.arm is None:
            return [fault, ("knee pain at the start", self.in_pain)]
        unseen = self.values[[name for name in self.fields if BY_NAME[name].asked == "visit"]].isna().all(axis=1)
        return [fault, ("arm not known", pd.isna(self.arm)), ("nothing of a visit known", unseen.to_numpy())]


def read_cohort(
    source: Path, columns: Columns, mapping: Path | Mapping | None = None, horizons: Horizons | None = None
) -> Cohort:
    """Read a cohort; rows with faults are kept and marked.

    It is one of patients if a column of arms is named; or, where no outcome is named, if there is a column `arm` and
    none of onset.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file: a roster with an outcome.
    columns
        What the columns are that the dictionary has no field for.
    mapping
        As for a roster.
    horizons
        Over which each outcome is asked for, such as a bundle's; its main one if not given.

    Raises
    ------
    InputError
        If the file or the map cannot be read, a named column is not there, or outcome, arm, follow-up or days are
        written in another way than expected.
    """
    declared = load_mapping(mapping)
    # a model must not learn from half a row that is wrong; a row that contradicts itself is evidence like any other
    roster = read_roster(source, declared, strict=True, contradictions=False)
    table = Table(roster, declared)
    columns = _with_usual_names(columns, table.names)
    table.expect(columns.named)
    if columns.arm is None and columns.arm_levels:
        raise InvalidInput(Message("arm_level_without_arm"))
    club, person, period = (table.texts(name) for name in (table.source("club"), columns.person, columns.period))
    advice = CASE_ADVICE if columns.arm is None else SUCCESS_ADVICE
    months, second, (first, last) = columns.follow_up, columns.second, (columns.measured_on, columns.happened_on)
    return Cohort(
        values=derive(roster.values),
        y=outcome_codes(table.cells(columns.outcome_column), columns.outcome_column, columns.event, advice),
        rejected=roster.checked.rejected,
        faults=roster.faults,
        club=np.full(len(roster.ids), None, dtype=object) if club is None else club,
        person=roster.ids.to_numpy(dtype=object) if person is None else person,
        period=period,
        months=None if months is None else numbers_of(table.cells(months), months, 0),
        measured_on=None if first is None else days_of(table.cells(first), first),
        happened_on=None if last is None else days_of(table.cells(last), last),
        second=None if second is None else outcome_codes(table.cells(second), second, advice=SECOND_ADVICE),
        arm=None if columns.arm is None else arms_of(table, columns.arm, columns.arm_levels),
        horizon=columns.about.at((horizons or {}).get(columns.about.name)),
        digest=hashlib.sha256(source.read_bytes()).hexdigest(),
    )


def read_patients(
    source: Path,
    columns: Columns | None = None,
    mapping: Path | Mapping | None = None,
    horizons: Horizons | None = None,
) -> Cohort:
    """Read a cohort of patients, whose arms are in the column `arm` if no other is named; see `read_cohort`."""
    columns = columns or Columns()
    return read_cohort(source, replace(columns, arm=columns.arm or ARM), mapping, horizons)


def _with_usual_names(columns: Columns, names: Sequence[str]) -> Columns:
    """Return the columns with those that are read under their own name, if the file has them."""
    if columns.arm is None and columns.outcome is None and ARM in names and ONSET.column not in names:
        columns = replace(columns, arm=ARM)
    return replace(columns, follow_up=FOLLOW_UP) if columns.follow_up is None and FOLLOW_UP in names else columns


__all__ = [
    "ARM", "CASE_ADVICE", "FOLLOW_UP", "SECOND_ADVICE", "SUCCESS_ADVICE", "Cohort", "Columns", "Table", "arm_levels",
    "arms_of", "days_of", "level_texts", "numbers_of", "outcome_codes", "read_cohort", "read_patients",
]  # fmt: skip
