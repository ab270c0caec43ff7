"""Rosters read whole: what each cell means, and what is wrong with it."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from pfps_ml.core.errors import Fault
from pfps_ml.domain.input_validation import Checked
from pfps_ml.io.duplicates import find_shared, plain_ids
from pfps_ml.io.mapping import Mapping, load_mapping
from pfps_ml.io.mapping_suggestions import Proposed, propose
from pfps_ml.io.readers import open_source, read_all
from pfps_ml.io.roster_rows import NAMES, id_texts, plan_of, read_rows


@dataclass(frozen=True)
class Summary:
    """How many rows came in, were scored and were rejected; `problems` counts the rejected rows by field.

    A row that does not fit the header counts under `row`; one with two faults counts under both.
    """

    rows: int
    scored: int
    rejected: int
    problems: dict[str, int]


@dataclass(frozen=True)
class Roster:
    """A whole roster as read: its columns, its coded numbers, and what is wrong with it.

    Attributes
    ----------
    table
        The input columns as they were, in order, without those of an earlier scoring.
    ids
        The pseudonym of each row, as text; blank where there is none.
    checked
        Coded numbers of every row, one column a field (NaN is missing), and what is wrong, by row.
    """

    table: Any
    ids: pd.Series
    checked: Checked

    @property
    def values(self) -> pd.DataFrame:
        """Coded numbers of every row, one column a field; NaN is missing."""
        return self.checked.values

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong, by row; a row with any fault is rejected."""
        return self.checked.faults

    @property
    def summary(self) -> Summary:
        """The account of this roster."""
        return summary_of(self.checked)


def summary_of(checked: Checked) -> Summary:
    """Return the account of some rows."""
    rejected = int(checked.rejected.sum())
    seen = dict.fromkeys((fault.row, fault.field or "row") for fault in checked.faults)
    problems = dict(Counter(field for _, field in seen).most_common())
    return Summary(len(checked.values), len(checked.values) - rejected, rejected, problems)


def propose_map(source: Path, sheet: str | None = None) -> Proposed:
    """Propose what the columns of any roster are; nothing is read by the proposal until somebody passes it as a map.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file with any names, levels and units.
    sheet
        The name of the sheet of a workbook.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    return propose(open_source(source, NAMES, sheet=sheet), sheet, date.today())


def read_roster(source: Path, mapping: Path | Mapping | None = None) -> Roster:
    """Read and check a roster without scoring it.

    Parameters
    ----------
    source
        A .csv, .xlsx or .parquet file with the columns of `pfps template`, in any order, and any others.
    mapping
        A map (see `pfps_ml.io.mapping`), or where it stands, for a file with its own names, levels or units.

    Raises
    ------
    InputError
        If the file or the map cannot be read, or the header is not that of a roster. Faults of single rows
        are no error: they are in the result.
    """
    declared = load_mapping(mapping)
    opened = open_source(source, NAMES.union(declared.sources), sheet=declared.sheet)
    sheet = read_all(opened)
    plan = plan_of(opened, declared)
    ids = plain_ids(id_texts(sheet.table.column(plan.places["runner_id"]), plan))
    shared = find_shared(lambda function, *args: [function(ids, *args)], opened.digest)
    rows = read_rows(sheet, plan, shared)
    return Roster(rows.table, rows.ids, rows.checked)


__all__ = ["Roster", "Summary", "propose_map", "read_roster", "summary_of"]
