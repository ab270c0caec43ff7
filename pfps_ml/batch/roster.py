"""Rosters in, rosters out: every row comes back once, in order, scored or rejected with its reasons."""

from pathlib import Path

from pfps_ml.batch.datasets import score_dataset
from pfps_ml.batch.stream import Effort, Tell, score_file, silent
from pfps_ml.core.errors import InputError
from pfps_ml.core.messages import Message
from pfps_ml.io.mapping import Mapping as Map
from pfps_ml.io.roster import Summary
from pfps_ml.model.bundle import Bundle

EFFORT = Effort()


def score_roster(
    source: Path,
    out: Path,
    bundle: Bundle,
    mapping: Path | Map | None = None,
    effort: Effort = EFFORT,
    tell: Tell = silent,
) -> Summary:
    """Score a roster: all its rows and columns come back, with ours after them.

    Parameters
    ----------
    source, mapping
        As for `pfps_ml.io.roster.read_roster`; or a folder of Parquet files, whose ids are unique over all of them.
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


__all__ = ["EFFORT", "score_roster"]
