"""How an unfinished run goes on: parts beside the output, the lock of the run, and whether its input stayed as it was.

A part is whole once its account stands beside it with the hash of its content; whatever else is in the folder was
being written when the run ended, and is written again. The folder is bound to the input, the map, the bundle and the
output's format: the parts of another run are thrown away, since they belong to nothing that is still wanted.

Two kinds of runs go on from where they stopped. A file is scored in parts (`parts_beside`). A data set is scored
partition by partition: a finished partition is a whole output by itself, so it needs no part, and its account stands
in the data set's own folder (`rosters.at_work`); lock, hash and stamp are those of this module. A chunked simulation
and a comparison do not go on: each writes the same bytes again, and a comparison is logged only when it is done.

A file is read more than once, and by more than one process; `check_steady` says whether it changed in between.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pfps_ml.core import InputError, Message, OutputError
from pfps_ml.io.roster import Summary
from pfps_ml.model import dump

CHANGED = Message("file_changed")
Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp | None:
    """Return the size of a file and when it was last written; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def check_steady(path: Path, before: Stamp | None) -> None:
    """Compare a file, after it was read, with what it was before.

    Raises
    ------
    InputError
        If it was written to in between, or is gone.
    """
    if stamp_of(path) != before:
        raise InputError(CHANGED)


_PATIENCE = 5.0  # seconds: the workers of a run that was killed end on their own


@dataclass(frozen=True)
class Parts:
    """The folder of a run's parts."""

    folder: Path

    def path(self, number: int) -> Path:
        """Return where the content of a part stands."""
        return self.folder / f"{number:06d}.part"

    def keep(self, number: int, write: Callable[[BinaryIO], None], summary: Summary) -> None:
        """Keep a part: its content first, then its account in one step."""
        with self.path(number).open("wb") as file:
            write(file)
        draft = self.folder / f"{number:06d}.draft"
        draft.write_bytes(dump({"digest": digest_of(self.path(number)), **asdict(summary)}))
        draft.replace(self._account(number))

    def whole(self, number: int) -> Summary | None:
        """Return the account of a part if it is whole."""
        try:
            account = json.loads(self._account(number).read_bytes())
            if account.pop("digest") != digest_of(self.path(number)):
                return None
            return Summary(**account)
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _account(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


@contextmanager
def parts_beside(out: Path, run: Mapping[str, Any]) -> Iterator[Parts]:
    """Yield the folder of parts beside an output; it is taken away when the run is done, and stays if it is not.

    Parameters
    ----------
    out
        Where the result shall go.
    run
        What the parts depend on: those of a run with other words here are thrown away.

    Raises
    ------
    OutputError
        If another run is writing the same output.
    OSError
        If the folder cannot be written.
    """
    folder = out.with_name(f".{out.name}.parts")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with only_run(folder / "lock", out):
        for draft in folder.glob(".pfps-*"):
            draft.unlink()  # half an output
        if not _same(folder / "run.json", run):
            for path in folder.iterdir():
                if path.name != "lock":
                    path.unlink()
            (folder / "run.json").write_bytes(dump(run))
        yield Parts(folder)
        shutil.rmtree(folder)


@contextmanager
def only_run(place: Path, out: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Be the only run that writes an output; the lock of a run that was killed opens as soon as its workers end.

    Parameters
    ----------
    place
        The file that is locked.
    out
        What the errors name.
    patience
        Seconds to wait for the lock.

    Raises
    ------
    OutputError
        If another run is writing the same output.
    """
    until = time.monotonic() + patience
    with place.open("w") as lock:
        while not _locked(lock):
            if time.monotonic() > until:
                raise OutputError(Message("output_being_written", {"path": str(out)}))
            time.sleep(0.05)
        # the other one has ended well, and taken its folder away: this lock holds nobody off any more
        if not place.exists() or not os.path.samestat(os.fstat(lock.fileno()), place.stat()):
            raise OutputError(Message("output_just_written", {"path": str(out)}))
        yield


def _locked(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def digest_of(path: Path) -> str:
    """Return the hash of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(path: Path, run: Mapping[str, Any]) -> bool:
    try:
        return path.read_bytes() == dump(run)
    except OSError:
        return False


__all__ = ["CHANGED", "Parts", "Stamp", "check_steady", "digest_of", "only_run", "parts_beside", "stamp_of"]
