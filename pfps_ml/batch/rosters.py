"""Rosters in, rosters out: every row comes back once, in order, scored, partly scored, or rejected with its reasons.

A data set is a folder of Parquet files. Every partition is one file in and one file out, of the same name, written
whole by whoever scores it, on this machine or on a cluster; doing it twice does no harm.

Every partition has an account: its rows by what became of them, its size and its hash. `manifest.json` has the accounts
of all. While a run is not done, its accounts stand in a folder of its own in the output. Whatever was changed by hand,
or is not what it was, is no account: its partition is scored again.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pfps_ml.batch.checkpoints import CHANGED, digest_of, only_run, stamp_of
from pfps_ml.batch.stream import (
    ProgressCallback,
    RunOptions,
    Task,
    of_ids,
    open_task,
    run_of,
    score_file,
    score_in_turn,
    silent,
    total,
)
from pfps_ml.batch.workers import ParallelMap, cores, working
from pfps_ml.core import (
    GO_ON,
    Fault,
    InputError,
    Message,
    MissingLibrary,
    OutputError,
    PartlyDone,
    destination,
    explained,
    write_whole,
    written_whole,
)
from pfps_ml.io import mapping as maps
from pfps_ml.io.duplicates import Shared, find_shared
from pfps_ml.io.forms import is_answers
from pfps_ml.io.readers import PARQUET, format_of, pieces
from pfps_ml.io.roster import Summary
from pfps_ml.model import Bundle, digest, dump

FORMAT = "pfps-dataset/1"
MANIFEST = "manifest.json"
WORK_FOLDER = ".pfps"  # in the output: what an unfinished run needs to go on


@contextmanager
def at_work(out: Path, run: Mapping[str, Any]) -> Iterator[None]:
    """Hold the output folder for this run alone, and take away what only an unfinished run needs at its end."""
    out.mkdir(parents=True, exist_ok=True)
    work_folder = out / WORK_FOLDER
    work_folder.mkdir(mode=0o700, exist_ok=True)
    with only_run(work_folder / "lock", out):
        for draft in work_folder.glob("*.part"):
            draft.unlink()
        (work_folder / "run.json").write_bytes(dump(run))
        for account in _finished(out):
            _write(out, account)
        yield
        shutil.rmtree(work_folder)


def refuse_another(out: Path, run: Mapping[str, Any]) -> None:
    """Refuse an output that is not new, and not that of the same run.

    Raises
    ------
    OutputError
        If it has another run's manifest, or anything else in it.
    """
    before = [other for other in (_read(out / MANIFEST).get("run"), _read(out / WORK_FOLDER / "run.json")) if other]
    if any(other != run for other in before):
        raise OutputError(Message("output_of_another_run", {"path": str(out)}))
    if not before and out.exists() and any(path.name != WORK_FOLDER for path in out.iterdir()):
        raise OutputError(Message("output_folder_not_empty", {"path": str(out)}))


def keep(out: Path, name: str, summary: Summary) -> dict[str, Any]:
    """Keep, and return, the account of a partition that is there."""
    path = out / name
    account = {"name": name, **asdict(summary), "bytes": path.stat().st_size, "digest": digest_of(path)}
    _write(out, account)
    return account


def finished(out: Path, name: str, rows: int) -> dict[str, Any] | None:
    """Return the account of a partition of so many rows, if it is whole."""
    account = _read(_place(out, name))
    try:
        summary = Summary(**{key: account[key] for key in Summary.__dataclass_fields__})
        counted = summary.rows == rows and summary.balances
        problems_counted = all(isinstance(count, int) for count in summary.problems.values())
        whole = counted and problems_counted and account["digest"] == digest_of(out / name)
    except (OSError, LookupError, TypeError, AttributeError):
        return None
    return account if whole else None


def write_manifest(out: Path, run: Mapping[str, Any], summary: Summary, accounts: list[dict[str, Any]]) -> None:
    """Write what was done, once all of it is."""
    write_whole(out / MANIFEST, dump({"format": FORMAT, "run": run, **asdict(summary), "partitions": accounts}))


def _finished(out: Path) -> list[dict[str, Any]]:
    """Return the accounts of a run that is done; what is damaged is no account."""
    partitions = _read(out / MANIFEST).get("partitions")
    accounts = [one for one in partitions if isinstance(one, dict)] if isinstance(partitions, list) else []
    return [account for account in accounts if isinstance(account.get("name"), str) and "error" not in account]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(out: Path, account: Mapping[str, Any]) -> None:
    place = _place(out, account["name"])
    draft = place.with_suffix(".draft")
    draft.write_bytes(dump(account))
    draft.replace(place)


def _place(out: Path, name: str) -> Path:
    return out / WORK_FOLDER / f"{digest(name.encode())}.json"


PoolFactory = Callable[[Any], AbstractContextManager[ParallelMap]]
Tasks = Mapping[str, Task | None]  # of every partition, by name; None if it is broken
_NO_PART = (None, PARQUET)  # formats of files that are not rosters beside a data set


@dataclass(frozen=True)
class DatasetJob:
    """What is needed to score any partition of one data set."""

    folder: Path
    out: Path
    mapping: maps.Mapping
    options: RunOptions
    visit: bool = False
    shared: Shared = field(default_factory=Shared)
    bundle: Bundle | None = None


def score_dataset(
    folder: Path,
    out: Path,
    bundle: Bundle,
    mapping: Path | maps.Mapping | None,
    options: RunOptions,
    progress: ProgressCallback,
) -> Summary:
    """Score a folder of Parquet files into another one; see `pfps_ml.batch.rosters.score_roster`."""
    names = _partitions(folder, out)
    # whole paths, because a worker of a cluster stands in a folder of its own
    job = DatasetJob(folder.resolve(), destination(out), maps.load_mapping(mapping), options)
    tasks = {name: _glance(job, name) for name in names}
    job = replace(job, visit=any(task.layout.visit for task in tasks.values() if task))
    run = _run_of(job, bundle, tasks)
    with explained(out):
        refuse_another(out, run)
    with pool_factory(options.workers, options.cluster) as start, explained(out), at_work(out, run):
        with start(job) as parallel_map:
            job = replace(job, shared=_shared(parallel_map, names, run["input"], progress), bundle=bundle)
        with start(job) as parallel_map:
            accounts = list(_scored(parallel_map, tasks, progress))
        summary = _reconciled(tasks, accounts)
        write_manifest(out, run, summary, accounts)
    _raise_broken(accounts, out)
    return summary


@contextmanager
def pool_factory(workers: int | None, cluster: tuple[str | None] | None) -> Iterator[PoolFactory]:
    """Yield a factory of pools: from the context of the work, the parallel map of a cluster or of this machine.

    Parameters
    ----------
    workers
        How many processes on this machine; as many as there are cores if None.
    cluster
        The address of a Dask cluster, or None in its place for one on this machine.

    Raises
    ------
    ClusterError
        If the cluster does not answer.
    MissingLibrary
        If Dask is not installed.
    """
    count = workers or cores()
    if cluster is None:
        yield lambda context: working(count, context)
        return
    try:
        from pfps_ml.batch.cluster import connected, on_cluster
    except ImportError as error:
        raise MissingLibrary(Message("cluster_library_missing")) from error
    with connected(cluster[0], count) as client:
        yield lambda context: on_cluster(client, context)


def _scored(parallel_map: ParallelMap, tasks: Tasks, progress: ProgressCallback) -> Iterator[dict[str, Any]]:
    rows = 0
    progress("Scoring", 0, 0)
    items = ((name, task.source.digest if task else None) for name, task in tasks.items())
    for done, account in enumerate(parallel_map(score_partition, items), start=1):
        rows += account["rows"] or 0
        progress("Scoring", done / len(tasks), rows)
        yield account


def ids_of_partition(job: DatasetJob, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Any]:
    """Apply a function to the ids of a partition; those of a broken one cannot be known."""
    try:
        task = _task(job, name)
        place = task.layout.places["runner_id"]
        return [of_ids(task, piece, function, arguments) for piece in pieces(task.source, job.options.size, place)]
    except InputError:
        return []


def score_partition(job: DatasetJob, name: str, digest: str | None) -> dict[str, Any]:
    """Score one partition, unless it is done, and return its account; that of a broken one has its faults.

    Parameters
    ----------
    job, name
        The data set, and which of its files.
    digest
        That of the file when the run began; None if it was broken.
    """
    target = job.out / name
    with explained(target, GO_ON):
        try:
            task = _task(job, name)
            if task.source.digest != digest:
                raise InputError(CHANGED)
            if account := finished(job.out, name, task.source.rows):
                return account
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target, job.out / WORK_FOLDER) as file:
                summary = score_in_turn(task, _bundle_of(job), file, silent)
        except InputError as error:
            faults = error.as_faults()
            return {"name": name, "rows": None, "error": "; ".join(fault.line for fault in faults),
                    "faults": [fault.as_dict() for fault in faults]}  # fmt: skip
        return keep(job.out, name, summary)


def _partitions(folder: Path, out: Path) -> list[str]:
    """Return the names of the partitions; those that begin with a dot or an underscore are other programs' notes."""
    if destination(out).is_relative_to(folder.resolve()):
        raise OutputError(Message("output_inside_dataset", {"path": str(out)}))
    if format_of(out) not in _NO_PART:
        raise OutputError(Message("dataset_output_is_file", {"path": str(out)}))
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    paths = {name: path for name, path in paths.items() if not any(part[0] in "._" for part in name.split("/"))}
    if left := sorted(name for name, path in paths.items() if _is_left_out(name, path)):
        raise InputError(
            Message("dataset_of_other_files"), [Fault(None, (), "other_file", {"name": name}) for name in left]
        )
    names = sorted(name for name, path in paths.items() if name.lower().endswith(PARQUET.ending) and not path.is_dir())
    if not names:
        raise InputError(Message("dataset_empty", {"path": str(folder)}))
    return names


def _is_left_out(name: str, path: Path) -> bool:
    """Return whether rows may be meant that nobody would read: another roster, or a folder that is elsewhere."""
    return format_of(path) not in _NO_PART or (path.is_dir() and path.is_symlink()) or not _is_text(name)


def _is_text(name: str) -> bool:
    return name.encode(errors="replace").decode() == name


def _task(job: DatasetJob, name: str) -> Task:
    task = open_task(job.folder / name, job.mapping, PARQUET, job.options, part=True)
    return replace(task, shared=job.shared, layout=replace(task.layout, visit=job.visit))


def _glance(job: DatasetJob, name: str) -> Task | None:
    try:
        return open_task(job.folder / name, job.mapping, PARQUET, job.options, part=True)
    except InputError:
        return None  # whoever scores it says why


def _run_of(job: DatasetJob, bundle: Bundle, tasks: Tasks) -> dict[str, Any]:
    """Return what the partitions of an output depend on."""
    stamps = {name: task.source.digest if task else stamp_of(job.folder / name) for name, task in tasks.items()}
    return {"input": digest(dump(stamps)), **run_of(bundle, job.mapping, job.options)}


def _shared(parallel_map: ParallelMap, names: list[str], key: str, progress: ProgressCallback) -> Shared:
    def every(function: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        for done, results in enumerate(parallel_map(ids_of_partition, ((name, function, arguments) for name in names))):
            progress("Reading", done / len(names), 0)
            yield from results

    return find_shared(every, key)


def _reconciled(tasks: Tasks, accounts: list[dict[str, Any]]) -> Summary:
    """Return the account of all partitions, after comparing the rows of each with those of its file."""
    for task, account in zip(tasks.values(), accounts, strict=True):
        if "error" not in account and task and account["rows"] != task.source.rows:
            counts = {"expected": task.source.rows, "rows": account["rows"], "partition": account["name"]}
            raise OutputError(Message("partition_rows_differ", counts))
    whole = (account for account in accounts if "error" not in account)
    return total(Summary(**{key: account[key] for key in Summary.__dataclass_fields__}) for account in whole)


def _raise_broken(accounts: list[dict[str, Any]], out: Path) -> None:
    broken = [account for account in accounts if "error" in account]
    if broken:
        counts = {"partitions": len(accounts), "broken": len(broken), "manifest": str(out / MANIFEST)}
        raise PartlyDone(Message("partitions_broken", counts), [f for account in broken for f in _faults_of(account)])


def _faults_of(account: Mapping[str, Any]) -> Iterator[Fault]:
    for fault in account["faults"]:
        read = Fault(None, tuple(fault["fields"]), fault["code"], fault["parameters"])
        yield read.within("fault_in_partition", partition=account["name"])


def _bundle_of(job: DatasetJob) -> Bundle:
    assert job.bundle is not None
    return job.bundle


DEFAULT_OPTIONS = RunOptions()


def score_roster(
    source: Path,
    out: Path,
    bundle: Bundle,
    mapping: Path | maps.Mapping | None = None,
    options: RunOptions = DEFAULT_OPTIONS,
    progress: ProgressCallback = silent,
) -> Summary:
    """Score a roster: all its rows and columns come back, with ours after them.

    Parameters
    ----------
    source, mapping
        As for `pfps_ml.io.roster.read_roster`; or a folder of Parquet files, whose ids are unique over all of them; or
        one of the answers of forms (.csv, .xlsx), which are scored as one roster.
    out
        Where the result goes, .csv, .xlsx or .parquet; may be the roster itself. For a folder, a folder: new, empty, or
        that of the same run, which is then gone on with.
    bundle
        The released model.
    options
        How the run is spread over processes and pieces, and where it runs.
    progress
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
    if source.is_dir() and format_of(out) is not None and is_answers(source):
        if destination(out).is_relative_to(source.resolve()):
            raise OutputError(Message("output_inside_dataset", {"path": str(out)}))
    elif source.is_dir():
        return score_dataset(source, out, bundle, mapping, options, progress)
    if options.cluster:
        raise InputError(Message("cluster_without_folder", {"path": str(source)}))
    return score_file(source, out, bundle, mapping, options, progress)


__all__ = [
    "DEFAULT_OPTIONS",
    "FORMAT",
    "MANIFEST",
    "WORK_FOLDER",
    "DatasetJob",
    "PoolFactory",
    "at_work",
    "finished",
    "ids_of_partition",
    "keep",
    "pool_factory",
    "refuse_another",
    "score_dataset",
    "score_partition",
    "score_roster",
    "write_manifest",
]  # fmt: skip
