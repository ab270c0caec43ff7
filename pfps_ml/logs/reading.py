"""The logs of a squad: one file of a runner, one file with a column `runner_id`, or a folder with a file each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pfps_ml.core.messages import Message
from pfps_ml.errors import Fault, InputError, InvalidInput
from pfps_ml.files.dialects import ENDINGS
from pfps_ml.logs.activity import PACES, Activity, paces
from pfps_ml.logs.exports import read_export
from pfps_ml.logs.tracks import READERS

_ALL = (*ENDINGS, *READERS)


@dataclass(frozen=True)
class Logs:
    """The entries of each runner, by id.

    Attributes
    ----------
    entries
        The activities of each runner.
    files, other_files
        How many files were read, and how many were not, because they are no logs.
    unlikely
        How many runs are faster or slower than people run: a ride, or a walk, that was saved as a run.
    """

    entries: dict[str, list[Activity]]
    files: int
    other_files: int
    unlikely: int


def read_logs(log: Path, runner: str | None = None, units: str | None = None) -> Logs:
    """Read a training log, or a folder of them.

    Parameters
    ----------
    log
        A table (Strava, Garmin Connect, plain), .fit or .gpx; or a folder, where the name of a file, or of a folder
        with several, is the id of the runner.
    runner
        Whose log it is. A table with a column `runner_id` says so itself.
    units
        km or mi, for files that do not say the unit of their distances.

    Raises
    ------
    InputError
        With everything that is wrong in any file; files of a folder are told by their place in the order of names.
    MissingLibrary
        If FIT or GPX shall be read without the library that can.
    """
    if units not in (None, "km", "mi"):
        raise InputError(Message("units_unknown"))
    files, others = files_of(log)
    entries: dict[str, list[Activity]] = {}
    faults: list[Fault] = []
    for at, path in enumerate(files, start=1):
        activities_of, wrong = _read(path, units)
        owner = runner or ("" if path == log else _owner(path, log))
        if not wrong and activities_of.get("") and not owner:
            wrong = [Fault(None, (), "owner_unknown")]
        # files may have the names of people, so the place of the file is named
        where = {"file": at, "files": len(files)}
        faults += wrong if path == log else [fault.within("fault_in_file", **where) for fault in wrong]
        for name, activities in activities_of.items():
            entries.setdefault(name or owner, []).extend(activities)
    if faults:
        raise InvalidInput(Message("logs_invalid", {"n": len(faults)}), faults)
    if not entries:
        raise InputError(Message("log_empty"))
    seconds = [pace for activities in entries.values() for pace in paces(activities)]
    return Logs(entries, len(files), others, sum(not PACES[0] <= pace <= PACES[1] for pace in seconds))


def files_of(log: Path) -> tuple[list[Path], int]:
    """Return the files to read, in the order of their names, and how many others are there.

    Raises
    ------
    InputError
        If there is none.
    """
    if not log.is_dir():
        if log.suffix.lower() not in _ALL:
            raise InputError(Message("log_ending_unknown", {"endings": _ALL}))
        return [log], 0
    files = [path for path in sorted(log.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    logs = [path for path in files if path.suffix.lower() in _ALL]
    if not logs:
        raise InputError(Message("log_folder_empty", {"endings": _ALL, "path": str(log)}))
    return logs, len(files) - len(logs)


def _read(path: Path, units: str | None) -> tuple[dict[str, list[Activity]], list[Fault]]:
    try:
        if reader := READERS.get(path.suffix.lower()):
            activities, faults = reader(path)
            return {"": activities}, faults
        return read_export(path, units)
    except InputError as error:
        return {}, list(error.as_faults())


def _owner(path: Path, folder: Path) -> str:
    first = path.relative_to(folder).parts[0]
    return path.stem if first == path.name else first


def days_of(logs: Logs) -> Iterator[Activity]:
    """Yield the entries of all runners."""
    for activities in logs.entries.values():
        yield from activities


__all__ = ["Logs", "days_of", "files_of", "read_logs"]
