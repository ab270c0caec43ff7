"""The logs of a squad: one file of a runner, one file with a column `runner_id`, or a folder with a file each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pfps_ml.errors import Fault, InputError, InvalidInput
from pfps_ml.files.dialects import ENDINGS
from pfps_ml.logs.activity import PACES, Activity, paces
from pfps_ml.logs.exports import read_export
from pfps_ml.logs.tracks import READERS

_ALL = (*ENDINGS, *READERS)


@dataclass(frozen=True)
class Logs:
    """The entries of each runner, by id, and how many files were read and left aside.

    `unlikely` counts the runs that are faster or slower than people run: a ride, or a walk, that was saved as a run.
    """

    entries: dict[str, list[Activity]]
    files: int
    aside: int
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
        raise InputError("expected --units km or --units mi, got something else.")
    files, aside = files_of(log)
    entries: dict[str, list[Activity]] = {}
    faults: list[Fault] = []
    for at, path in enumerate(files, start=1):
        found, wrong = _read(path, units)
        owner = runner or ("" if path == log else _owner(path, log))
        if not wrong and found.get("") and not owner:
            wrong = [Fault(None, None, "expected to know whose log it is: --runner ID, or a column runner_id")]
        where = "" if path == log else f"file {at} of {len(files)} in the order of names: "
        faults += [Fault(fault.row, fault.field, where + fault.message) for fault in wrong]
        for name, activities in found.items():
            entries.setdefault(name or owner, []).extend(activities)
    if faults:
        raise InvalidInput(f"expected training logs, got {len(faults)} fault(s) in them. Nothing was written.", faults)
    if not entries:
        raise InputError("expected a log with at least one activity, got none.")
    pace = [each for activities in entries.values() for each in paces(activities)]
    return Logs(entries, len(files), aside, sum(not PACES[0] <= each <= PACES[1] for each in pace))


def files_of(log: Path) -> tuple[list[Path], int]:
    """Return the files to read, in the order of their names, and how many others are there.

    Raises
    ------
    InputError
        If there is none.
    """
    if not log.is_dir():
        if log.suffix.lower() not in _ALL:
            raise InputError(f"expected a log that ends in {', '.join(_ALL)}, or a folder, got another ending.")
        return [log], 0
    found = [p for p in sorted(log.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    wanted = [p for p in found if p.suffix.lower() in _ALL]
    if not wanted:
        raise InputError(f"expected a folder of files that end in {', '.join(_ALL)}, got one without any: {log}.")
    return wanted, len(found) - len(wanted)


def _read(path: Path, units: str | None) -> tuple[dict[str, list[Activity]], list[Fault]]:
    try:
        if reader := READERS.get(path.suffix.lower()):
            activities, faults = reader(path)
            return {"": activities}, faults
        return read_export(path, units)
    except InputError as error:
        return {}, [Fault(None, None, error.message), *error.faults]


def _owner(path: Path, folder: Path) -> str:
    first = path.relative_to(folder).parts[0]
    return path.stem if first == path.name else first


def days_of(logs: Logs) -> Iterator[Activity]:
    """Yield the entries of all runners."""
    for activities in logs.entries.values():
        yield from activities


__all__ = ["Logs", "days_of", "files_of", "read_logs"]
