"""Rosters in, rosters out: every row comes back once, in order, scored or rejected with its reasons."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pfps_ml.core.messages import Message
from pfps_ml.core.errors import Fault, InputError
from pfps_ml.io.readers import open_source, read_all
from pfps_ml.io.duplicates import find_shared, plain_ids
from pfps_ml.io.mapping import Mapping, load_mapping
from pfps_ml.io.roster_rows import NAMES, plan_of
from pfps_ml.io.mapping_suggestions import Proposed, propose
from pfps_ml.io.roster_rows import id_texts, read_rows
from pfps_ml.domain.input_validation import Checked
from pfps_ml.batch.datasets import score_dataset
from pfps_ml.batch.scoring import Summary, summary_of
from pfps_ml.batch.stream import Effort, Tell, score_file, silent

if TYPE_CHECKING:
    from pfps_ml.model.bundle import Bundle


EFFORT = Effort()


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


def score_roster(
    source: Path,
    out: Path,
    bundle: "Bundle",
    mapping: Path | Mapping | None = None,
    effort: Effort = EFFORT,
    tell: Tell = silent,
) -> Summary:
    """Score a roster: all its rows and columns come back, with ours after them.

    Parameters
    ----------
    source, mapping
        As for `read_roster`; or a folder of Parquet files, whose ids are unique over all of them.
    out
        Where the result goes, .csv, .xlsx or .parquet; may be the roster itself. For a folder, a folder: new, empty, or
        that of the same run, which is then gone on with.
    bundle
        The released model.
    effort
        How much is done at once, and where.
    tell
        Called with the step, the share of it that is done (0 to 1) and how many rows that is.

    Raises
    ------
    InputError
        If the roster or the map cannot be read; nothing is written.
    OutputError
        If the result cannot be written; what was there before is whole.
    ClusterError
        If the cluster does not answer.
    PartlyDone
        If files of a folder are broken (the manifest says which; the others are scored), or a worker was ended from
        outside: the same command goes on from what is whole.
    """
    if source.is_dir():
        return score_dataset(source, out, bundle, mapping, effort, tell)
    if effort.cluster:
        raise InputError(Message("cluster_without_folder", {"path": str(source)}))
    return score_file(source, out, bundle, mapping, effort, tell)


__all__ = ["EFFORT", "Roster", "propose_map", "read_roster", "score_roster"]
