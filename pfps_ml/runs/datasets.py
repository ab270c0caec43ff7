"""A Parquet data set: a folder of files, each scored on its own, on this machine or on a cluster.

Every partition is one file in and one file out, of the same name, written whole by whoever scores it; doing it twice
does no harm. What was done stands in `manifest.json`, with the rows of every partition and of all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pfps_ml.bundle import digest, dump
from pfps_ml.errors import Fault, InputError, MissingLibrary, OutputError, PartlyDone
from pfps_ml.files.dialects import pieces
from pfps_ml.files.duplicates import Shared, find_shared
from pfps_ml.files.mapping import Mapping as Map
from pfps_ml.files.mapping import load_mapping
from pfps_ml.outputs import GO_ON, destination, explained, written_whole
from pfps_ml.runs.accounts import DESK, MANIFEST, at_work, keep, kept, refuse_another, write_manifest
from pfps_ml.runs.scoring import Summary
from pfps_ml.runs.steady import CHANGED, stamp_of
from pfps_ml.runs.stream import Effort, Task, Tell, digest_of_map, of_ids, open_task, score_in_turn, silent, total
from pfps_ml.runs.workers import Each, cores, working

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle

Lend = Callable[[Any], AbstractContextManager[Each]]
Tasks = Mapping[str, Task | None]  # of every partition, by name; None if it is broken
_OTHERS = (".csv", ".xlsx", ".xlsm")  # rosters, too, but no part of a data set


@dataclass(frozen=True)
class Estate:
    """What is needed to score any partition of one data set."""

    folder: Path
    out: Path
    mapping: Map
    effort: Effort
    visit: bool = False
    shared: Shared = field(default_factory=Shared)
    bundle: "Bundle | None" = None


def score_dataset(
    folder: Path, out: Path, bundle: "Bundle", mapping: Path | Map | None, effort: Effort, tell: Tell
) -> Summary:
    """Score a folder of Parquet files into another one; see `pfps_ml.roster.score_roster`."""
    names = _partitions(folder, out)
    # whole paths, because a worker of a cluster stands in a folder of its own
    estate = Estate(folder.resolve(), destination(out), load_mapping(mapping), effort)
    tasks = {name: _glance(estate, name) for name in names}
    estate = replace(estate, visit=any(task.plan.visit for task in tasks.values() if task))
    run = _run_of(estate, bundle, tasks)
    with explained(out):
        refuse_another(out, run)
    with lender(effort.workers, effort.cluster) as lend, explained(out), at_work(out, run):
        with lend(estate) as each:
            estate = replace(estate, shared=_shared(each, names, run["input"], tell), bundle=bundle)
        with lend(estate) as each:
            accounts = list(_scored(each, tasks, tell))
        summary = _reconciled(tasks, accounts)
        write_manifest(out, run, summary, accounts)
    _tell_broken(accounts, out)
    return summary


@contextmanager
def lender(workers: int | None, cluster: tuple[str | None] | None) -> Iterator[Lend]:
    """Lend what lends workers, given what all of their work needs: those of a cluster, or of this machine.

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
        yield lambda given: working(count, given)
        return
    try:
        from pfps_ml.runs.cluster import connected, on_cluster
    except ImportError as error:
        raise MissingLibrary(
            'expected Dask for a cluster, but it is not installed: `pip install "pfps-ml[scale]"`'
        ) from error
    with connected(cluster[0], count) as client:
        yield lambda given: on_cluster(client, given)


def _scored(each: Each, tasks: Tasks, tell: Tell) -> Iterator[dict[str, Any]]:
    rows = 0
    tell("Scoring", 0, 0)
    items = ((name, task.source.digest if task else None) for name, task in tasks.items())
    for done, account in enumerate(each(score_partition, items), start=1):
        rows += account["rows"] or 0
        tell("Scoring", done / len(tasks), rows)
        yield account


def ids_of_partition(estate: Estate, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Any]:
    """Apply a function to the ids of a partition; those of a broken one cannot be known."""
    try:
        task = _task(estate, name)
        place = task.plan.places["runner_id"]
        return [of_ids(task, piece, function, arguments) for piece in pieces(task.source, estate.effort.size, place)]
    except InputError:
        return []


def score_partition(estate: Estate, name: str, digest: str | None) -> dict[str, Any]:
    """Score one partition, unless it is done, and return its account; one that is broken says why.

    Parameters
    ----------
    estate, name
        The data set, and which of its files.
    digest
        That of the file when the run began; None if it was broken.
    """
    target = estate.out / name
    with explained(target, GO_ON):
        try:
            task = _task(estate, name)
            if task.source.digest != digest:
                raise InputError(CHANGED)
            if account := kept(estate.out, name, task.source.rows):
                return account
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target, estate.out / DESK) as file:
                summary = score_in_turn(task, _given(estate.bundle), file, silent)
        except InputError as error:
            faults = [f"{fault.field or 'file'}: {fault.message}" for fault in error.faults]
            return {"name": name, "rows": None, "error": "; ".join([error.message, *faults])}
        return keep(estate.out, name, summary)


def _partitions(folder: Path, out: Path) -> list[str]:
    """Return the names of the partitions; those that begin with a dot or an underscore are other programs' notes."""
    if destination(out).is_relative_to(folder.resolve()):
        raise OutputError(f"expected an output outside the data set, got one inside it: {out}. Name another folder.")
    if out.suffix.lower() in _OTHERS:
        raise OutputError(f"expected the name of a folder for a data set, got that of a file: {out}.")
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    found = {name: path for name, path in found.items() if not any(part[0] in "._" for part in name.split("/"))}
    if left := sorted(name for name, path in found.items() if _is_left_out(name, path)):
        raise InputError(
            "expected Parquet files alone in a data set, got something that would be left out. Take it away or score "
            "it by itself.", [Fault(None, None, repr(name)) for name in left],
        )  # fmt: skip
    names = sorted(name for name, path in found.items() if name.lower().endswith(".parquet") and not path.is_dir())
    if not names:
        raise InputError(f"expected files that end in .parquet, got a folder without any: {folder}.")
    return names


def _is_left_out(name: str, path: Path) -> bool:
    """Return whether rows may be meant that nobody would read: another roster, or a folder that is elsewhere."""
    return path.suffix.lower() in _OTHERS or (path.is_dir() and path.is_symlink()) or not _is_text(name)


def _is_text(name: str) -> bool:
    return name.encode(errors="replace").decode() == name


def _task(estate: Estate, name: str) -> Task:
    task = open_task(estate.folder / name, estate.mapping, ".parquet", estate.effort, part=True)
    return replace(task, shared=estate.shared, plan=replace(task.plan, visit=estate.visit))


def _glance(estate: Estate, name: str) -> Task | None:
    try:
        return open_task(estate.folder / name, estate.mapping, ".parquet", estate.effort, part=True)
    except InputError:
        return None  # whoever scores it says why


def _run_of(estate: Estate, bundle: "Bundle", tasks: Tasks) -> dict[str, Any]:
    """Return what the partitions of an output depend on."""
    found = {name: task.source.digest if task else stamp_of(estate.folder / name) for name, task in tasks.items()}
    return {
        "input": digest(dump(found)), "bundle": digest(dump(bundle.manifest)), "version": version("pfps-ml"),
        "map": digest_of_map(estate.mapping), "size": asdict(estate.effort.size),
    }  # fmt: skip


def _shared(each: Each, names: list[str], key: str, tell: Tell) -> Shared:
    def every(function: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        for done, found in enumerate(each(ids_of_partition, ((name, function, arguments) for name in names))):
            tell("Reading", done / len(names), 0)
            yield from found

    return find_shared(every, key)


def _reconciled(tasks: Tasks, accounts: list[dict[str, Any]]) -> Summary:
    """Return the account of all partitions, having held each to the rows that its file has."""
    for task, account in zip(tasks.values(), accounts, strict=True):
        if "error" not in account and task and account["rows"] != task.source.rows:
            raise OutputError(f"expected {task.source.rows} rows of {account['name']}, got {account['rows']}.")
    fields = ("rows", "scored", "rejected", "problems")
    return total(Summary(*(account[key] for key in fields)) for account in accounts if "error" not in account)


def _tell_broken(accounts: list[dict[str, Any]], out: Path) -> None:
    broken = [Fault(None, account["name"], account["error"]) for account in accounts if "error" in account]
    if broken:
        raise PartlyDone(
            f"expected {len(accounts)} partitions that can be scored, got {len(broken)} that cannot; the others are "
            f"scored. Mend them and score them into a new folder. {out / MANIFEST} has the account.", broken,
        )  # fmt: skip


def _given(bundle: "Bundle | None") -> "Bundle":
    assert bundle is not None
    return bundle


__all__ = ["Estate", "Lend", "ids_of_partition", "lender", "score_dataset", "score_partition"]
