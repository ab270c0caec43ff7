"""A cohort of runners with outcomes, read from any file that rosters are read from, with an account of every row."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.errors import Fault, InvalidInput, OutputError
from pfps_ml.files.mapping import Mapping, load_mapping
from pfps_ml.intake.outcomes import days_of, level_texts, numbers_of, outcome_codes
from pfps_ml.knowledge.checker import derive
from pfps_ml.knowledge.dictionary import ARMS, ONSET
from pfps_ml.roster import Roster, read_roster

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOLLOW_UP = "follow_up_months"


@dataclass(frozen=True)
class Columns:
    """Which columns of a cohort say what the dictionary has no field for; names as in the file.

    Attributes
    ----------
    outcome, event
        The outcome, and its level that means a case (0/1 and no/yes need none).
    follow_up
        Months from screening to the last news of a runner; read under its own name if the file has it.
    period
        When a row was collected: a year, a season, a wave.
    person
        Who a row is of, where one person has several rows (each with a runner_id of its own).
    measured_on, happened_on
        Days, written 2026-03-21: of the screening, and of the outcome or its ascertainment.
    second
        Another column that says who is a case (0/1, no/yes), to hold the first one to.
    arm
        The pathway that a patient had, in the dictionary's words.
    """

    outcome: str = ONSET.name
    event: str | None = None
    follow_up: str | None = None
    period: str | None = None
    person: str | None = None
    measured_on: str | None = None
    happened_on: str | None = None
    second: str | None = None
    arm: str | None = None

    @property
    def named(self) -> list[str]:
        """The columns that must be in the file."""
        others = (self.follow_up, self.period, self.person, self.measured_on, self.happened_on,
                  self.second, self.arm)  # fmt: skip
        return [name for name in (self.outcome, *others) if name is not None]


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort as read, every row of it.

    Attributes
    ----------
    values
        Coded fields, derived ones included; NaN is missing.
    y
        1 for a case, 0 for none, NaN where nothing is known; as the file says, shape (rows,).
    rejected
        Rows with a fault in a field.
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
        The pathway that each patient had, None where blank; None if the file does not say.
    horizon
        Months over which the outcome is asked for.
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
    horizon: float
    digest: str

    @property
    def in_pain(self) -> Bools:
        """Who has knee pain now, and is not scored for onset."""
        return np.asarray(self.values["current_knee_pain"] == 1)

    @property
    def too_short(self) -> Bools:
        """Who was lost before the horizon without an episode: whether they had one later, nobody knows."""
        if self.months is None:
            return np.zeros(len(self.y), dtype=bool)
        return np.asarray((self.y == 0) & ~(self.months >= self.horizon))

    @property
    def used(self) -> Bools:
        """Who can be evaluated: no fault, no pain at the start, and a known outcome over the whole horizon."""
        return ~self.rejected & ~self.in_pain & ~np.isnan(self.y) & ~self.too_short

    def account(self) -> list[tuple[str, int]]:
        """Return what became of every row, in the order in which rows are set aside."""
        left, lines = np.ones(len(self.y), dtype=bool), [("rows in the file", len(self.y))]
        for what, gone in (
            ("set aside: a fault in a field", self.rejected),
            ("set aside: knee pain at the start", self.in_pain),
            ("set aside: outcome not known", np.isnan(self.y)),
            ("set aside: lost before the horizon, no episode until then", self.too_short),
        ):
            lines.append((what, int((left & gone).sum())))
            left &= ~gone
        return [*lines, ("evaluated", int(left.sum())), ("cases among them", int(self.y[left].sum()))]


def read_cohort(
    source: Path, columns: Columns, mapping: Path | Mapping | None = None, horizon: float = ONSET.horizon_months
) -> Cohort:
    """Read a cohort; rows with faults are kept and marked.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file: a roster with an outcome.
    columns
        What the columns are that the dictionary has no field for.
    mapping
        As for a roster.
    horizon
        Months over which the outcome is asked for.

    Raises
    ------
    InputError
        If the file or the map cannot be read, a named column is not there, or outcome, follow-up or days are written
        in another way than expected.
    """
    declared = load_mapping(mapping)
    roster = read_roster(source, declared)
    table = _Table(roster, declared)
    table.expect(columns.named)
    if columns.follow_up is None and FOLLOW_UP in table.names:
        columns = Columns(**{**columns.__dict__, "follow_up": FOLLOW_UP})
    club, person, period = (table.texts(name) for name in (table.source("club"), columns.person, columns.period))
    months, (first, last) = columns.follow_up, (columns.measured_on, columns.happened_on)
    return Cohort(
        values=derive(roster.values),
        y=outcome_codes(table.cells(columns.outcome), columns.outcome, columns.event),
        rejected=roster.checked.rejected,
        faults=roster.faults,
        club=np.full(len(roster.ids), None, dtype=object) if club is None else club,
        person=roster.ids.to_numpy(dtype=object) if person is None else person,
        period=period,
        months=None if months is None else numbers_of(table.cells(months), months, 0),
        measured_on=None if first is None else days_of(table.cells(first), first),
        happened_on=None if last is None else days_of(table.cells(last), last),
        second=None if columns.second is None else outcome_codes(table.cells(columns.second), columns.second),
        arm=None if columns.arm is None else _arms(table, columns.arm),
        horizon=horizon,
        digest=hashlib.sha256(source.read_bytes()).hexdigest(),
    )


def _arms(table: "_Table", name: str) -> NDArray[np.object_]:
    found = np.asarray(table.texts(name))
    known = [arm.name for arm in ARMS]
    odd = pd.Series(found[~pd.isna(found)])
    odd = odd[~odd.isin(known)]
    if len(odd):
        raise InvalidInput(
            f"expected arms of the dictionary ({', '.join(known)}) in the column {name!r}, got {odd.nunique():,} "
            f"other(s) in {len(odd):,} rows; a trial of other arms needs a column in these words."
        )
    return found


@dataclass(frozen=True)
class _Table:
    """The file's own columns, by their own names."""

    roster: Roster
    mapping: Mapping

    @property
    def names(self) -> list[str]:
        return list(self.roster.table.column_names)

    def expect(self, names: Sequence[str]) -> None:
        if lacking := [name for name in dict.fromkeys(names) if name not in self.names]:
            faults = [Fault(None, None, f"expected the column {name!r} in the file, got none") for name in lacking]
            raise InvalidInput(
                f"expected every column that was named, got {len(lacking)} that are not in the file; an outcome of "
                "another name is told with --outcome NAME.", faults,
            )  # fmt: skip

    def source(self, field: str) -> str | None:
        mapped = self.mapping.target(field)
        name = field if mapped is None else mapped.source
        return name if name in self.names else None

    def cells(self, name: str) -> list[Any]:
        return list(self.roster.table.column(name).to_pylist())

    def texts(self, name: str | None) -> NDArray[np.object_] | None:
        if name is None:
            return None
        found = level_texts(self.cells(name))
        return np.asarray(found.astype(object).where(found.notna(), None).to_numpy(dtype=object))


def make_result_folder(folder: Path) -> None:
    """Make a folder for results, or refuse before any work is done.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"expected a folder that can be written at {folder}, got: {error.strerror}") from error


__all__ = ["FOLLOW_UP", "Cohort", "Columns", "make_result_folder", "read_cohort"]
