"""A Parquet data set: a folder of files, each scored on its own, on this machine or on a cluster.

Every partition is one file in and one file out, of the same name, written whole by whoever scores it; doing it twice
does no harm. What was done stands in `manifest.json`, with the rows of every partition and of all.
"""

import json
import shutil
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
from pfps_ml.outputs import explained, write_whole, written_whole
from pfps_ml.runs.parts import only_run
from pfps_ml.runs.scoring import Summary
from pfps_ml.runs.stream import Effort, Task, Tell, of_ids, open_task, score_in_turn, silent, total
from pfps_ml.runs.workers import Each, cores, working

if TYPE_CHECKING:
    from pfps_ml.bundle import Bundle

FORMAT = "pfps-dataset/1"
MANIFEST = "manifest.json"
Lend = Callable[[Any], AbstractContextManager[Each]]
_DESK = ".pfps"  # in the output: what an unfinished run needs to go on


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
    estate = Estate(folder.resolve(), out.resolve(), load_mapping(mapping), effort)
    tasks = [_glance(estate, name) for name in names]
    estate = replace(estate, visit=any(task.plan.visit for task in tasks if task))
    run = _run_of(estate, bundle, dict(zip(names, tasks, strict=True)))
    with explained(out):
        _refuse_another(out, run)
    with lender(effort.workers, effort.cluster) as lend, explained(out), _at_work(out, run):
        with lend(estate) as each:
            estate = replace(estate, shared=_shared(each, names, run["input"], tell), bundle=bundle)
        with lend(estate) as each:
            accounts = list(_scored(each, names, tell))
        summary = _reconciled(tasks, accounts)
        content = {"format": FORMAT, "run": run, **asdict(summary), "partitions": accounts}
        write_whole(out / MANIFEST, dump(content))
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


def _scored(each: Each, names: list[str], tell: Tell) -> Iterator[dict[str, Any]]:
    rows = 0
    tell("Scoring", 0, 0)
    for done, account in enumerate(each(score_partition, ((name,) for name in names)), start=1):
        rows += account["rows"] or 0
        tell("Scoring", done / len(names), rows)
        yield account


def ids_of_partition(estate: Estate, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Any]:
    """Apply a function to the ids of a partition; those of a broken one cannot be known."""
    try:
        task = _task(estate, name)
        place = task.plan.places["runner_id"]
        return [of_ids(task, piece, function, arguments) for piece in pieces(task.source, estate.effort.size, place)]
    except InputError:
        return []


def score_partition(estate: Estate, name: str) -> dict[str, Any]:
    """Score one partition, unless it is done, and return its account; one that is broken says why."""
    if kept := _kept(estate.out, name):
        return kept
    target = estate.out / name
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_whole(target, estate.out / _DESK) as file:
                summary = score_in_turn(_task(estate, name), _given(estate.bundle), file, silent)
        except InputError as error:
            faults = [f"{fault.field or 'file'}: {fault.message}" for fault in error.faults]
            return {"name": name, "rows": None, "error": "; ".join([error.message, *faults])}
        account = {"name": name, **asdict(summary), "bytes": target.stat().st_size}
        _keep(estate.out, account)
    return account


def _partitions(folder: Path, out: Path) -> list[str]:
    """Return the names of the partitions; those that begin with a dot or an underscore are other programs' notes."""
    if out.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"expected an output outside the data set, got one inside it: {out}. Name another folder.")
    found = (path.relative_to(folder) for path in folder.rglob("*.parquet") if path.is_file())
    names = sorted(path.as_posix() for path in found if not any(part[0] in "._" for part in path.parts))
    if not names:
        raise InputError(f"expected files that end in .parquet, got a folder without any: {folder}.")
    return names


def _task(estate: Estate, name: str) -> Task:
    task = open_task(estate.folder / name, estate.mapping, ".parquet", estate.effort, part=True)
    return replace(task, shared=estate.shared, plan=replace(task.plan, visit=estate.visit))


def _glance(estate: Estate, name: str) -> Task | None:
    try:
        return open_task(estate.folder / name, estate.mapping, ".parquet", estate.effort, part=True)
    except InputError:
        return None  # whoever scores it says why


def _run_of(estate: Estate, bundle: "Bundle", tasks: Mapping[str, Task | None]) -> dict[str, Any]:
    """Return what the partitions of an output depend on."""
    found = {
        name: task.source.digest if task else (estate.folder / name).stat().st_size for name, task in tasks.items()
    }
    return {
        "input": digest(dump(found)), "bundle": digest(dump(bundle.manifest)), "version": version("pfps-ml"),
        "map": digest(repr(estate.mapping).encode()), "size": asdict(estate.effort.size),
    }  # fmt: skip


def _shared(each: Each, names: list[str], key: str, tell: Tell) -> Shared:
    def every(function: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        for done, found in enumerate(each(ids_of_partition, ((name, function, arguments) for name in names))):
            tell("Reading", done / len(names), 0)
            yield from found

    return find_shared(every, key)


@contextmanager
def _at_work(out: Path, run: Mapping[str, Any]) -> Iterator[None]:
    """Hold the output folder for this run alone, and take away what only an unfinished run needs at its end."""
    out.mkdir(exist_ok=True)
    desk = out / _DESK
    desk.mkdir(mode=0o700, exist_ok=True)
    with only_run(desk / "lock", out):
        for draft in desk.glob("*.part"):
            draft.unlink()
        (desk / "run.json").write_bytes(dump(run))
        for account in _read(out / MANIFEST).get("partitions", []):
            if "error" not in account:
                _keep(out, account)
        yield
        shutil.rmtree(desk)


def _refuse_another(out: Path, run: Mapping[str, Any]) -> None:
    before = [told for told in (_read(out / MANIFEST).get("run"), _read(out / _DESK / "run.json")) if told]
    if any(told != run for told in before):
        raise OutputError(
            f"expected a new folder, or that of the same run, got one with another run's manifest (of another input, "
            f"map, bundle or version): {out}. Name another folder, or delete this one."
        )
    if not before and out.exists() and any(path.name != _DESK for path in out.iterdir()):
        raise OutputError(f"expected a new or empty folder, got one with something in it: {out}. Name another.")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def _keep(out: Path, account: Mapping[str, Any]) -> None:
    place = _account(out, account["name"])
    draft = place.with_suffix(".draft")
    draft.write_bytes(dump(account))
    draft.replace(place)


def _kept(out: Path, name: str) -> dict[str, Any] | None:
    account, path = _read(_account(out, name)), out / name
    return account if account and path.is_file() and path.stat().st_size == account["bytes"] else None


def _account(out: Path, name: str) -> Path:
    return out / _DESK / f"{digest(name.encode())}.json"


def _reconciled(tasks: list[Task | None], accounts: list[dict[str, Any]]) -> Summary:
    """Return the account of all partitions, having held each to the rows that its file has."""
    for task, account in zip(tasks, accounts, strict=True):
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


__all__ = ["FORMAT", "MANIFEST", "Estate", "Lend", "ids_of_partition", "lender", "score_dataset", "score_partition"]
