"""The training logs of a squad: tables, recordings and archives, in files, folders and archives of folders.

Logs are one file of a runner, one file with a column of runners, or a folder or archive with those of many runners.
A file that cannot be read costs itself: it is named, with its runner and the weeks that it is about.
"""

import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from pfps_ml.core import Fault, InputError, InvalidInput, Message, TooLarge
from pfps_ml.io.cells import limits
from pfps_ml.io.log_cells import day_in, week_of
from pfps_ml.io.log_exports import Export, Reading, read_export, table_of
from pfps_ml.io.log_grids import grid_of
from pfps_ml.io.log_recordings import READERS, days_told, has_no_sum, is_json_log, read_apple
from pfps_ml.io.training_load import PACES, Activity, paces

_TABLES = (".csv", ".xlsx", ".xlsm", ".parquet")
_RECORDINGS = (".fit", ".gpx", ".tcx")
_ALL = (*_TABLES, *_RECORDINGS, ".json", ".xml", ".zip")
_SHOWN = (".csv", ".xlsx", ".parquet", ".fit", ".gpx", ".tcx", ".zip")
_SUMMARIES = frozenset({"activities.csv", "cardioactivities.csv"})  # of Strava, Garmin and Runkeeper
_ROOTS = (*_SUMMARIES, "apple_health_export", "di_connect")
_MOST_MEMBERS = 200_000  # files in an archive: photographs and routes of twenty years
_PEEK = 1 << 16  # bytes in which Apple's export says what it is
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError,
           OverflowError, RecursionError, LookupError)  # fmt: skip


@dataclass(frozen=True)
class LogFile:
    """A file that may be a log: by itself, in a folder, or in an archive.

    Attributes
    ----------
    name
        Its place below the folder or archive, with its ending.
    owner
        Whose it is, by its place; "" if that says nothing.
    ending
        Its ending, without that of its compression.
    path
        Where it is, if it lies on the disk as it is; None if it has to be unpacked.
    opened
        Opens it, unpacked.
    """

    name: str
    owner: str
    ending: str
    path: Path | None
    opened: Callable[[], IO[bytes]]

    @property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name

    def content(self) -> bytes:
        """Return its bytes, if they are not too many."""
        with self.opened() as file:
            data = file.read(limits().log + 1)
        if len(data) > limits().log:
            raise TooLarge(Message("log_too_large", {"most": limits().log >> 20, "megabytes": len(data) >> 20}))
        return data


@dataclass(frozen=True)
class Loss:
    """What could not be read: a file, or an entry of one.

    Attributes
    ----------
    name, runner
        The file, by its place below the folder, and whose it is.
    fault
        Why; `row` is the entry.
    days
        The first and the last day that it may be about; None if nothing tells.
    """

    name: str
    runner: str
    fault: Fault
    days: tuple[date, date] | None = None

    @property
    def where(self) -> str:
        """The file, and the row of it."""
        return self.name if self.fault.row is None else f"{self.name} row {self.fault.row + 1}"

    @property
    def weeks(self) -> str:
        """The weeks that it is about, by their Mondays."""
        if self.days is None:
            return "weeks not known"
        first, last = map(week_of, self.days)
        return f"week of {first}" if first == last else f"weeks of {first} to {last}"


@dataclass(frozen=True)
class Logs:
    """The entries of each runner, by id.

    Attributes
    ----------
    entries
        The activities of each runner.
    files
        How many files were read.
    unlikely
        How many runs are faster or slower than people run: a ride, or a walk, that was saved as a run.
    aside
        The names of files that are no logs.
    repeats
        The names of recordings that were not read, because a table has the same runs.
    lost
        What could not be read.
    unknown_sports
        How many entries have each sport of which it is not known if it is running.
    unsummed
        The names of FIT files without a sum of their bytes: they were read, but damage would not show.
    """

    entries: dict[str, list[Activity]]
    files: int
    unlikely: int = 0
    aside: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    lost: tuple[Loss, ...] = ()
    unknown_sports: Mapping[str, int] = field(default_factory=dict)
    unsummed: tuple[str, ...] = ()

    @property
    def other_files(self) -> int:
        """How many files were not read, because they are no logs."""
        return len(self.aside)


def read_logs(log: Path, runner: str | None = None, units: str | None = None, reading: Reading | None = None) -> Logs:
    """Read a training log, or a folder or archive of them.

    Parameters
    ----------
    log
        A table (of Strava, Garmin Connect, Runkeeper, Polar, or plain), .fit, .gpx, .tcx, each perhaps with .gz; or a
        folder or .zip, where the name of a file, or of a folder with several, is the id of the runner.
    runner
        Whose log it is. A table with a column of runners says so itself.
    units
        km, mi or m, for files that do not say the unit of their distances.
    reading
        What else files do not say.

    Raises
    ------
    InputError
        If nothing can be read: with everything that is wrong, by the place of each file in the order of names.
    MissingLibrary
        If FIT or GPX shall be read without the library that can.
    """
    how = replace(reading or Reading(), **({"units": units} if units else {}))  # type: ignore[arg-type]
    if how.units not in (None, "km", "mi", "m"):
        raise InputError(Message("units_unknown"))
    with ExitStack() as stack:
        files = files_of(log, stack)
        gathered = _Gathered(how, runner, alone=not log.is_dir() and log.suffix.lower() != ".zip")
        for owner in dict.fromkeys(file.owner for file in files):
            gathered.read([file for file in files if file.owner == owner])
    return gathered.result(files, log)


def files_of(log: Path, stack: ExitStack) -> list[LogFile]:
    """Return the files of a log in the order of their names; archives stay open as long as the stack.

    Raises
    ------
    InputError
        If there is none that may be a log.
    """
    if not log.is_dir() and log.suffix.lower() != ".zip":
        ending = _ending(log.name)
        if ending not in _ALL:
            raise InputError(Message("log_ending_unknown", {"endings": _SHOWN}))
        return [_on_disk(log, log.name, "", ending)]
    files = sorted(_members(log, "", stack) if log.suffix.lower() == ".zip" else _below(log, stack), key=_order)
    if not any(file.ending in _ALL for file in files):
        raise InputError(Message("log_folder_empty", {"endings": _SHOWN, "path": str(log)}))
    single = any(file.name.lower().split("/")[0] in _ROOTS for file in files)
    return [replace(file, owner=log.stem if single else _owner(file)) for file in files]


def _below(folder: Path, stack: ExitStack) -> Iterator[LogFile]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _is_hidden(name):
            if path.suffix.lower() == ".zip":
                yield from _members(path, name.removesuffix(path.suffix), stack)
            else:
                yield _on_disk(path, name, "", _ending(name))


def _members(path: Path, within: str, stack: ExitStack) -> Iterator[LogFile]:
    """Yield the files of an archive; one that cannot be opened is itself a file that cannot be read."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        members = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]
        if len(members) > _MOST_MEMBERS:
            raise ValueError("members")
    except _BROKEN:
        yield _on_disk(path, f"{within}.zip" if within else path.name, "", ".zip")
        return
    for info in members:
        name = f"{within}/{info.filename}".lstrip("/")
        yield LogFile(name, "", _ending(name), None, _unpacking(archive, info))


def _unpacking(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        file = archive.open(info)
        return gzip.open(file) if info.filename.lower().endswith(".gz") else file  # type: ignore[return-value]

    return opened


def _on_disk(path: Path, name: str, owner: str, ending: str) -> LogFile:
    packed = name.lower().endswith(".gz")

    def opened() -> IO[bytes]:
        return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]

    return LogFile(name, owner, ending, None if packed else path, opened)


def _ending(name: str) -> str:
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _owner(file: LogFile) -> str:
    first, _, rest = file.name.partition("/")
    return first if rest else first[: len(first) - len(file.ending) - 3 * first.lower().endswith(".gz")]


def _order(file: LogFile) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d{1,18})", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], file.name


class _Gathered:
    """What is read of the files, runner by runner."""

    def __init__(self, reading: Reading, runner: str | None, alone: bool) -> None:
        self.reading, self.runner, self.alone = reading, runner, alone
        self.entries, self.unknown = dict[str, list[Activity]](), Counter[str]()
        self.lost, self.aside, self.repeats, self.unsummed = list[Loss](), list[str](), list[str](), list[str]()
        self.days, self.files, self.unpacked = dict[str, tuple[date, date]](), 0, 0

    def read(self, files: Sequence[LogFile]) -> None:
        """Read the files of one runner: tables first, which may sum up recordings that lie beside them."""
        before, covered, no_tables = self.files, set[str](), list[tuple[LogFile, InputError]]()
        for file in files:
            if self.is_table(file):
                try:
                    export = self.table(file)
                except _NoTable as error:
                    no_tables.append((file, error.reason))
                    continue
                covered |= _summed_up(file, export, files) if export else set()
        for file in files:
            if file.name in covered:
                self.repeats.append(file.name)
            elif file.ending in _RECORDINGS or (file.ending == ".zip" and file.path is None):
                self.recording(file)
            elif not self.is_table(file):
                self.lose(file, InputError(Message("archive_damaged"))) if file.ending == ".zip" else self.aside.append(
                    file.name
                )
        for file, reason in no_tables:  # a table of something else, beside the logs of the runner, is none
            if self.files > before and file.base.lower() not in _SUMMARIES:
                self.aside.append(file.name)
            else:
                self.lose(file, reason)

    def is_table(self, file: LogFile) -> bool:
        if file.ending == ".xml":
            return _is_apple(file)
        return file.ending in _TABLES or (file.ending == ".json" and (is_json_log(file.base) or self.alone))

    def table(self, file: LogFile) -> Export | None:
        """Read a table; None if it cannot be read, which is noted."""
        try:
            export = self.export(file)
        except InputError as error:
            if error.detail and error.detail.code == "log_columns_unknown":
                raise _NoTable(error) from error
            self.lose(file, error)
            return None
        except _BROKEN as error:
            self.lose(file, _unreadable(error))
            return None
        self.take(file, export)
        return export

    def export(self, file: LogFile) -> Export:
        if file.ending == ".xml":
            with file.opened() as content:
                return Export("apple", {"": read_apple(content)})
        if file.ending == ".json":
            return Export(
                "garmin export" if "summarized" in file.base else "polar", {"": READERS[".json"](file.content())}
            )
        if file.path is None and file.ending != ".csv":
            raise InputError(Message("workbook_in_archive"))
        if file.path is not None and file.path.stat().st_size > limits().log:
            file.content()
        table = table_of(file.path, b"" if file.path else self.content(file), self.reading)
        return grid_of(table, self.reading) or read_export(table, self.reading)

    def content(self, file: LogFile) -> bytes:
        """Return the bytes of a file, if all that was unpacked so far is not too much."""
        data = file.content()
        self.unpacked += len(data) if file.path is None else 0
        if self.unpacked > limits().export:
            most = limits().export >> 20
            raise TooLarge(Message("log_too_large", {"most": most, "megabytes": self.unpacked >> 20}))
        return data

    def recording(self, file: LogFile) -> None:
        data = b""
        try:
            data = self.content(file)
            if file.ending == ".zip":
                self.nested(file, data)
                return
            activities = READERS[file.ending](data)
        except InputError as error:
            self.lose(file, error, data)
        except _BROKEN as error:
            self.lose(file, _unreadable(error), data)
        else:
            self.take(file, Export(file.ending, {"": activities}))

            if file.ending == ".fit" and has_no_sum(data):
                self.unsummed.append(file.name)

    def nested(self, file: LogFile, data: bytes) -> None:
        """Read the recordings of an archive that lies in another one, as in Garmin's whole export."""
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(io.BytesIO(data)))
            for info in archive.infolist():
                name = f"{file.name.removesuffix('.zip')}/{info.filename}"
                member = LogFile(name, file.owner, _ending(name), None, _unpacking(archive, info))
                if member.ending in _RECORDINGS:
                    self.recording(member)
                elif not info.is_dir():
                    self.aside.append(name)

    def take(self, file: LogFile, export: Export) -> None:
        owner = self.runner or file.owner
        self.files += 1
        self.unknown.update(export.unknown_sports)
        for whose, activities in export.entries.items():
            if not (whose or owner):
                self.lose(file, InvalidInput(Message("log_faulty"), [Fault(None, (), "owner_unknown")]))
                return
            self.entries.setdefault(whose or owner, []).extend(activities)
        for one in export.lost:
            days = (one.day, one.day) if one.day else None
            self.lost.append(Loss(file.name, one.runner or owner, one.fault, days))
            self.entries.setdefault(one.runner or owner, [])
        known = [one.day for activities in export.entries.values() for one in activities]
        if known:
            self.days[file.name] = min(known), max(known)

    def lose(self, file: LogFile, error: InputError, data: bytes = b"") -> None:
        owner = self.runner or file.owner
        faults = error.faults or error.as_faults()
        told = days_told(file.ending, data) if file.ending in _RECORDINGS and data else None
        named = day_in(file.base)
        days = told or ((named, named) if named else None)
        self.lost += [Loss(file.name, owner, fault, days) for fault in faults]

    def result(self, files: Sequence[LogFile], log: Path) -> Logs:
        if not any(self.entries.values()):
            self.refuse(files)
        for loss in self.lost:
            self.entries.setdefault(loss.runner, [])
        lost = tuple(loss if loss.days else replace(loss, days=self.between(loss, files)) for loss in self.lost)
        seconds = [pace for activities in self.entries.values() for pace in paces(activities)]
        unlikely = sum(not PACES[0] <= pace <= PACES[1] for pace in seconds)
        return Logs(
            self.entries, self.files, unlikely, tuple(sorted(self.aside)), tuple(sorted(self.repeats)), lost,
            dict(self.unknown), tuple(self.unsummed),
        )  # fmt: skip

    def between(self, loss: Loss, files: Sequence[LogFile]) -> tuple[date, date] | None:
        """Return between which days a lost recording lies, if the names of those beside it are in the order of time."""
        folder = str(PurePosixPath(loss.name).parent)
        beside = [
            file.name for file in files if file.ending in _RECORDINGS and str(PurePosixPath(file.name).parent) == folder
        ]
        dated = [name for name in beside if name in self.days]
        if loss.name not in beside or any(self.days[one][0] > self.days[two][0] for one, two in pairwise(dated)):
            return None
        at = beside.index(loss.name)
        early = next((self.days[name][1] for name in reversed(beside[:at]) if name in self.days), None)
        late = next((self.days[name][0] for name in beside[at + 1 :] if name in self.days), None)
        return (early, late) if early and late else None

    def refuse(self, files: Sequence[LogFile]) -> None:
        if not self.lost:
            raise InputError(Message("log_empty"))
        if self.alone:
            faults = [loss.fault for loss in self.lost]
        else:
            # files may have the names of people, so the place of the file is named
            logs = [file.name for file in files if file.ending in _ALL]
            places = {name: at for at, name in enumerate(logs, start=1)}
            faults = [
                loss.fault.within("fault_in_file", file=places.get(loss.name, 0), files=len(logs)) for loss in self.lost
            ]
        raise InvalidInput(Message("logs_invalid", {"n": len(faults)}), faults)


class _NoTable(Exception):  # it is no error where other files are logs
    def __init__(self, reason: InputError) -> None:
        self.reason = reason


def _unreadable(error: BaseException) -> InputError:
    reason = getattr(error, "strerror", None)
    return InputError(Message("log_unreadable", {"reason": reason}) if reason else Message("log_damaged"))


def _is_apple(file: LogFile) -> bool:
    try:
        with file.opened() as content:
            return b"<HealthData" in content.read(_PEEK)
    except _BROKEN:
        return False


def _summed_up(file: LogFile, export: Export, files: Sequence[LogFile]) -> set[str]:
    """Return the names of the recordings whose runs a table has: those of a whole export, which lie beside it."""
    packed = {one for one in files if one.ending in _RECORDINGS or (one.ending == ".zip" and one.path is None)}
    if export.program == "garmin export":
        return {one.name for one in packed}
    if export.program not in ("strava", "old_strava", "runkeeper", "apple"):
        return set()
    folder = file.name.removesuffix(file.base)
    beside = {one for one in packed if one.name.startswith(folder) and one.name != file.name}
    named = {one for one in beside if one.base in export.tracks}
    return {one.name for one in named or beside}


__all__ = ["LogFile", "Logs", "Loss", "files_of", "read_logs"]
