"""A squad as its roster says it: who was assessed, who was not and why, and how much is known of whom."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pfps_ml.core import Floats, InputError, Ints, Message
from pfps_ml.domain import BY_NAME, ONSET_FIELDS, TIERS, Driver
from pfps_ml.domain.input_validation import STATUSES
from pfps_ml.io.duplicates import plain_ids
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.roster import Roster, read_roster
from pfps_ml.model import Assessments, Bundle
from pfps_ml.model.assess import assess

LARGEST = 200  # runners: more are no squad that anybody could see, and no page that anybody could read
_SEASONS = frozenset({"season", "season_id", "school_year", "year", "saison", "temporada", "stagione", "seizoen"})
_REQUIRED = frozenset(name for name in ONSET_FIELDS if BY_NAME[name].required)


@dataclass(frozen=True)
class Reason:
    """One part of a risk: which field, what it says, how many percentage points it adds, and whether it is a lever."""

    label: str
    value: str
    points: float
    is_lever: bool


@dataclass(frozen=True)
class Screening:
    """A roster, read and assessed.

    Attributes
    ----------
    roster
        All rows as read.
    rows
        The places in the roster of the rows that were assessed, wholly or partly.
    assessments
        Their assessments, in that order.
    """

    roster: Roster
    rows: Ints
    assessments: Assessments

    @property
    def bundle(self) -> Bundle:
        """What it was assessed with."""
        return self.assessments.bundle

    @cached_property
    def ids(self) -> list[str]:
        """The pseudonym of every assessed row."""
        return [str(name) for name in self.roster.ids.iloc[self.rows]]

    @cached_property
    def by_risk(self) -> Ints:
        """Who is scored, highest risk first: places among the assessed rows.

        Those with knee pain now are not scored, nor those of whom a rule withholds the risk: they are in no band.
        """
        scored = np.flatnonzero(self.assessments.scored)
        return scored[np.argsort(-self.assessments.prediction.risk.value[scored], kind="stable")]

    @cached_property
    def in_pain(self) -> list[str]:
        """The ids of those who have knee pain now, and of whom no rule says that somebody has to see them first."""
        return [self.ids[at] for at in np.flatnonzero(~self.assessments.scored & ~self.assessments.withheld)]

    @cached_property
    def withheld(self) -> list[tuple[str, list[str]]]:
        """Whom somebody has to see before any number is shown: the id, and what to do, the gravest first."""
        return [(self.ids[at], [rule["text"] for rule in self.assessments.withheld_messages(int(at))])
                for at in np.flatnonzero(self.assessments.withheld)]  # fmt: skip

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """The coded values of the squad, highest risk first."""
        return {name: column[self.by_risk] for name, column in self.assessments.columns.items()}

    @cached_property
    def not_asked(self) -> list[str]:
        """The ids of those of the squad of whom it is not known whether they have knee pain now."""
        return self.unknown("current_knee_pain")

    def unknown(self, field: str) -> list[str]:
        """Return the ids of those of the squad of whom a field is not known, highest risk first."""
        return [self.ids[at] for at in self.by_risk[np.isnan(self.columns[field])]]

    @cached_property
    def club_names(self) -> list[str]:
        """The club of each of the squad, however it is spelt; empty where none is given."""
        texts = pd.Series(self.roster.table.column("club").to_pandas() if self._has("club") else None,
                          index=range(len(self.roster.ids)), dtype=object)  # fmt: skip
        named = texts.fillna("").astype(str).str.split().str.join(" ").str.casefold()
        return list(named.iloc[self.rows].iloc[self.by_risk])

    @property
    def named_clubs(self) -> int:
        """How many clubs the squad's rows name."""
        return len(set(self.club_names) - {""})

    @property
    def has_runners_without_club(self) -> bool:
        """Whether a row of the squad names none."""
        return "" in self.club_names

    @cached_property
    def clubs(self) -> Ints:
        """The club of each of the squad, as a number from 0; those without one are together in one."""
        return np.asarray(pd.factorize(np.array(self.club_names, dtype=object))[0], dtype=np.int64)

    @cached_property
    def seasons(self) -> int:
        """How many seasons the rows say that they are of; 1 if they say nothing."""
        named = [name for name in self.roster.table.column_names if name.strip().lower() in _SEASONS]
        texts = [self.roster.table.column(name).to_pandas().dropna().astype(str) for name in named]
        return max([1, *(len({_season(cell) for cell in column} - {""}) for column in texts)])

    @cached_property
    def measured(self) -> dict[str, float]:
        """The share of the squad of whom each field that the risk reads is known; required fields are left out."""
        names = [name for name in self.bundle.predictor.onset.fields if name not in _REQUIRED]
        return {name: float((~np.isnan(self.columns[name])).mean()) for name in names}

    @property
    def is_bare(self) -> bool:
        """Whether nothing is known of anybody but age and sex."""
        return not any(self.measured.values())

    def reasons(self, place: int) -> list[Reason]:
        """Return what moves the risk of one of the squad, largest first; what is not known moves nothing."""
        parts = self.assessments.reasons(int(self.by_risk[place]))
        return [Reason(part["label"], _plain(BY_NAME[part["field"]].show(self.columns[part["field"]][place])),
                       part["percentage_points"], BY_NAME[part["field"]].role == "lever")
                for part in parts if part["log_odds"] and not np.isnan(self.columns[part["field"]][place])]  # fmt: skip

    def drivers(self, place: int) -> dict[Driver, float | None]:
        """Return the percentage points of each group of fields; None where none of the group is known."""
        sums: dict[Driver, float | None] = {}
        for part in self.assessments.reasons(int(self.by_risk[place])):
            field = BY_NAME[part["field"]]
            known, sum_ = not np.isnan(self.columns[field.name][place]), sums.get(field.driver)  # type: ignore[arg-type]
            sums[field.driver] = (sum_ or 0.0) + part["percentage_points"] if known else sum_  # type: ignore[index]
        return sums

    def unusual(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield who is outside what the model has seen: id, field, value, and the range of the training data."""
        cautions = self.bundle.cautions
        for at, place in enumerate(self.by_risk):
            for name, low, high in zip(cautions.fields, cautions.low[:, 0], cautions.high[:, 0], strict=True):
                field, value = BY_NAME[name], self.columns[name][at]
                if field.onset and (value < low or value > high):
                    yield self.ids[place], field.label, field.show(value), f"{field.show(low)} to {field.show(high)}"

    @property
    def counts(self) -> str:
        """What became of the rows, in words: `31 rows: 26 scored, 3 partly, 2 rejected`."""
        summary = self.roster.summary
        rows = "1 row" if summary.rows == 1 else f"{summary.rows} rows"
        return f"{rows}: {summary.scored} scored, {summary.partly} partly, {summary.rejected} rejected"

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """Yield every row with a fault: its id, or its line where it has none, its status, and what is wrong.

        No text of the row is among it.
        """
        by_row, status = dict[int, list[str]](), self.roster.checked.status
        for fault in self.roster.faults:
            if fault.row is not None:
                label = BY_NAME[fault.field].label if fault.field in BY_NAME else ""
                by_row.setdefault(fault.row, []).append(f"{label}: {fault.text}" if label else fault.text)
        for row, texts in sorted(by_row.items()):
            name = str(self.roster.ids.iloc[row]).strip() if pd.notna(self.roster.ids.iloc[row]) else ""
            yield name or f"(row {row + 1})", STATUSES[status[row]], "; ".join(texts)

    @property
    def has_repeated_ids(self) -> bool:
        """Whether an id stands in more than one row: two seasons may be in one file."""
        return bool(plain_ids(self.roster.ids).dropna().duplicated().any())

    def known_by_tier(self) -> dict[str, float]:
        """Return the share of fields known, by how they are obtained."""
        by_tier = {tier: [share for name, share in self.measured.items() if BY_NAME[name].obtained == tier]
                   for tier in TIERS}  # fmt: skip
        return {str(tier): float(np.mean(shares)) for tier, shares in by_tier.items() if shares}

    def _has(self, name: str) -> bool:
        return name in self.roster.table.column_names


def _season(cell: str) -> str:
    """Return a season as written, but that 2025.0 is 2025."""
    return re.sub(r"\.0+$", "", cell.strip())


def _plain(shown: str) -> str:
    """Return a value without a decimal that says nothing: 10 sessions, not 10.0."""
    return re.sub(r"\.0+(?= |$)", "", shown)


def screen(source: Path, bundle: Bundle, mapping: Mapping | None = None, strict: bool = False) -> Screening:
    """Read and assess a squad; `strict` as of `read_roster`.

    Raises
    ------
    InputError
        If the roster cannot be read, or has more rows than a squad.
    """
    roster = read_roster(source, mapping, strict)
    if len(roster.ids) > LARGEST:
        raise InputError(Message("squad_too_large", {"largest": LARGEST, "rows": len(roster.ids)}))
    rows = np.flatnonzero(~roster.checked.rejected)
    return Screening(roster, rows, assess(bundle, roster.values.iloc[rows].reset_index(drop=True)))


__all__ = ["LARGEST", "Reason", "Screening", "screen"]
