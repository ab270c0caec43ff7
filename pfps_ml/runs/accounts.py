"""What was done of a data set: an account of every partition, and `manifest.json` with that of all.

While a run is not done, its accounts stand in a folder of its own in the output. Whatever was changed by hand, or is
not what it was, is no account: its partition is scored again.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pfps_ml.bundle import digest, dump
from pfps_ml.core.messages import Message
from pfps_ml.errors import OutputError
from pfps_ml.outputs import write_whole
from pfps_ml.runs.parts import digest_of, only_run
from pfps_ml.runs.scoring import Summary

FORMAT = "pfps-dataset/1"
MANIFEST = "manifest.json"
DESK = ".pfps"  # in the output: what an unfinished run needs to go on


@contextmanager
def at_work(out: Path, run: Mapping[str, Any]) -> Iterator[None]:
    """Hold the output folder for this run alone, and take away what only an unfinished run needs at its end."""
    out.mkdir(parents=True, exist_ok=True)
    desk = out / DESK
    desk.mkdir(mode=0o700, exist_ok=True)
    with only_run(desk / "lock", out):
        for draft in desk.glob("*.part"):
            draft.unlink()
        (desk / "run.json").write_bytes(dump(run))
        for account in _finished(out):
            _write(out, account)
        yield
        shutil.rmtree(desk)


def refuse_another(out: Path, run: Mapping[str, Any]) -> None:
    """Refuse an output that is not new, and not that of the same run.

    Raises
    ------
    OutputError
        If it has another run's manifest, or anything else in it.
    """
    before = [other for other in (_read(out / MANIFEST).get("run"), _read(out / DESK / "run.json")) if other]
    if any(other != run for other in before):
        raise OutputError(Message("output_of_another_run", {"path": str(out)}))
    if not before and out.exists() and any(path.name != DESK for path in out.iterdir()):
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
        counted = summary.rows == rows == summary.scored + summary.rejected
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
    return out / DESK / f"{digest(name.encode())}.json"


__all__ = ["DESK", "FORMAT", "MANIFEST", "at_work", "finished", "keep", "refuse_another", "write_manifest"]
