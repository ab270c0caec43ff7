"""The training logs of a squad: read from tables and recordings, and written as loads by runner.

Logs are one file of a runner, one file with a column `runner_id`, or a folder with a file each. A recording is one FIT
or GPX file an activity, read through fitdecode and gpxpy (the extra `load`). Loads become a table of their own, or are
filled into a roster.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pfps_ml.core import Fault, InputError, InvalidInput, Message, MissingLibrary, check_apart, check_output
from pfps_ml.domain import is_missing
from pfps_ml.io.cells import Dialect, texts
from pfps_ml.io.log_exports import read_export
from pfps_ml.io.mapping import translate
from pfps_ml.io.output_writer import Draft, read_draft, write_draft
from pfps_ml.io.readers import ENDINGS
from pfps_ml.io.training_load import FIGURES, PACES, YEARS, Activity, Load, is_likely, is_run, load_of, local, paces

LARGEST = 1 << 26  # bytes: a day of recording has a tenth of it


def read_fit(path: Path) -> tuple[list[Activity], list[Fault]]:
    """Read the sessions of a FIT file.

    Raises
    ------
    MissingLibrary
        If fitdecode is not installed.
    InputError
        If the file cannot be read.
    """
    try:
        import fitdecode  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingLibrary(Message("log_library_missing", {"library": "fitdecode"})) from error
    _check_size(path)
    try:
        with fitdecode.FitReader(
            str(path), check_crc=fitdecode.CrcCheck.RAISE, error_handling=fitdecode.ErrorHandling.IGNORE
        ) as reader:
            frames = [frame for frame in reader if frame.frame_type == fitdecode.FIT_FRAME_DATA]
            by_name = {name: [frame for frame in frames if frame.name == name] for name in ("session", "activity")}
    except Exception as error:  # whatever a damaged file makes the library stumble over
        raise InputError(Message("fit_damaged")) from error
    sessions = [_session(message, _offset(by_name["activity"])) for message in by_name["session"]]
    if not sessions or None in sessions:
        return [], [Fault(None, (), "fit_without_start")]
    return [session for session in sessions if session], []


def read_gpx(path: Path) -> tuple[list[Activity], list[Fault]]:
    """Read the tracks of a GPX file; one that does not name its sport counts as a run, because it is read as a log.

    Raises
    ------
    MissingLibrary
        If gpxpy is not installed.
    InputError
        If the file cannot be read.
    """
    try:
        import gpxpy
    except ImportError as error:
        raise MissingLibrary(Message("log_library_missing", {"library": "gpxpy"})) from error
    _check_size(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # no GPX needs them, and they can be made to grow without end
            raise ValueError("declarations")
        tracks = [_track(track) for track in gpxpy.parse(text).tracks if track.get_points_no()]
    except OSError as error:
        raise InputError(Message("log_unreadable", {"reason": error.strerror})) from error
    except Exception as error:  # the library has an error for each parser that it may stand on
        raise InputError(Message("gpx_damaged")) from error
    if not tracks or None in tracks:
        return [], [Fault(None, (), "gpx_without_times")]
    return [track for track in tracks if track], []


def _session(message: Any, offset: timedelta | None) -> Activity | None:
    start = message.get_value("start_time", fallback=None)
    if not isinstance(start, datetime) or not is_likely(start):
        return None
    clock = local(start) if offset is None else (start + offset).replace(tzinfo=None)
    run = is_run(str(message.get_value("sport", fallback="")))
    metres = _positive(message, "total_distance")
    strides = _positive(message, "avg_running_cadence") or _positive(message, "avg_cadence")
    part = _positive(message, "avg_fractional_cadence") or 0.0
    steps = 2 * (strides + part) if strides else None  # of one foot
    return Activity(clock, True, run, metres and metres / 1000, _positive(message, "total_timer_time"), steps)


def _offset(messages: list[Any]) -> timedelta | None:
    """Return how far the watch's own clock was from UTC, if it says so."""
    for message in messages:
        there, here = (message.get_value(name, fallback=None) for name in ("timestamp", "local_timestamp"))
        if isinstance(there, datetime) and isinstance(here, datetime):
            away = here.replace(tzinfo=UTC) - there.replace(tzinfo=UTC)
            if abs(away) <= timedelta(hours=15):  # a watch that was never set has another
                return away
    return None


def _positive(message: Any, name: str) -> float | None:
    value = message.get_value(name, fallback=None)
    return float(value) if isinstance(value, int | float) and 0 < value < float("inf") else None


def _track(track: Any) -> Activity | None:
    start = track.get_time_bounds().start_time
    if start is None or not is_likely(start):
        return None
    seconds = track.get_moving_data().moving_time or track.get_duration()
    steps = [2 * cadence for cadence in _cadences(track) if cadence > 0]  # of one foot
    # 9 is Strava's number for running
    run = not track.type or track.type == "9" or is_run(track.type)
    metres = track.length_2d()
    spm = sum(steps) / len(steps) if steps else None
    return Activity(local(start), True, run, metres / 1000 or None, seconds or None, spm)


def _cadences(track: Any) -> Iterator[float]:
    for segment in track.segments:
        for point in segment.points:
            for extension in point.extensions:
                for element in extension.iter():
                    if str(element.tag).endswith("}cad") and element.text:
                        yield float(element.text)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(Message("log_unreadable", {"reason": error.strerror})) from error
    if size > LARGEST:
        raise InputError(Message("log_too_large", {"most": LARGEST >> 20, "megabytes": size >> 20}))


READERS: dict[str, Callable[[Path], tuple[list[Activity], list[Fault]]]] = {".fit": read_fit, ".gpx": read_gpx}


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


Loads = Mapping[str, Load]
Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Wish:
    """What is wanted of logs.

    Attributes
    ----------
    runner, units
        See `pfps_ml.io.log_files.read_logs`.
    at
        The last day that counts; the last of the logs if None.
    roster
        Where the loads shall be filled in; a table of their own if None.
    replace
        Whether they take the place of what the roster says.
    mapping
        The map of the roster (see `pfps_ml.io.mapping`).
    """

    runner: str | None = None
    units: str | None = None
    at: date | None = None
    roster: Path | None = None
    replace: bool = False
    mapping: Path | None = None


def write_loads(log: Path, out: Path, wish: Wish) -> Lines:
    """Read logs and write the load of each runner.

    Returns
    -------
    Lines for a person: what was counted, and how many.

    Raises
    ------
    InputError
        If a log or the roster cannot be read; nothing is written.
    MissingLibrary
        If FIT or GPX shall be read without the library that can.
    OutputError
        If the result cannot be written, or would take the place of a log; what was there before is whole.
    """
    if wish.at and not is_likely(wish.at):
        raise InputError(Message("last_day_unlikely", {"first": YEARS[0], "last": YEARS[1]}))
    check_output(out, ENDINGS)
    check_apart(out, *files_of(log)[0])
    logs = read_logs(log, wish.runner, wish.units)
    at = wish.at or max(activity.day for activity in days_of(logs))
    loads = {runner: load_of(activities, at) for runner, activities in sorted(logs.entries.items())}
    lines = [("files read", f"{logs.files:,}")]
    lines += [("other files, left aside", f"{logs.other_files:,}")] * (logs.other_files > 0)
    lines += [("runners", f"{len(loads):,}"), ("at", f"{at}" + ("" if wish.at else ", the last day of the logs"))]
    lines += _entries(loads, logs.unlikely)
    table, dialect, filled = _table(loads), Dialect(), Lines()
    if wish.roster:
        table, dialect, filled = fill(wish, wish.roster, loads)
    write_draft(out, table, dialect)
    return [*lines, *filled]


def fill(wish: Wish, roster: Path, loads: Loads) -> tuple[Any, Dialect, Lines]:
    """Fill loads into a roster: into blank cells, or with `replace` into any.

    Returns
    -------
    The roster as it was, without the columns of an earlier scoring (which would be stale), with the loads in it;
    how its CSV is written; and what was done.
    """
    draft = read_draft(roster, wish.mapping)
    table, ids = draft.table.select(list(draft.theirs)), draft.ids
    names = [draft.known[at] for at in draft.theirs]
    lines: Lines = []
    constants = dict(draft.mapping.constants)
    for name in FIGURES:
        if name in constants:
            lines.append((name, "left alone: the map gives it to everybody"))
            continue
        numbers = [loads[i].values.get(name) if i in loads else None for i in ids]
        if name in names:
            table, filled, unchanged = _filled(table, names.index(name), numbers, draft, wish.replace)
        else:
            table = table.append_column(name, pa.array(numbers, pa.float64()))
            filled, unchanged = sum(number is not None for number in numbers), 0
        lines.append((name, f"{filled:,} filled in" + (f", {unchanged:,} left as they were" if unchanged else "")))
    known = set(ids.dropna())
    lines += [("rows of the roster", f"{len(ids):,}"), ("  with a log", f"{int(ids.isin(list(loads)).sum()):,}")]
    lines += [("logs of nobody in the roster", f"{sum(i not in known for i in loads):,}")]
    return table, draft.dialect, lines


def _filled(table: Any, at: int, numbers: list[float | None], draft: Draft, replace: bool) -> tuple[Any, int, int]:
    """Return a table with numbers in a column, how many, and how many other values stood in their way."""
    name, old = table.column_names[at], table.column(at).combine_chunks()
    declared = draft.mapping.sources.get(name)
    cells = pd.Series(texts(old).to_pylist(), dtype=object)
    blank = is_missing(cells if declared is None else translate(cells, declared, draft.dialect.decimal == ","))
    take = [number is not None and (replace or empty) for number, empty in zip(numbers, blank, strict=True)]
    unchanged = sum(number is not None and not taken for number, taken in zip(numbers, take, strict=True))
    factor = (declared and declared.factor) or 1
    decimal = (declared and declared.decimal) or draft.dialect.decimal
    numeric = not pa.types.is_string(old.type)

    def cell(number: float) -> float | str:
        in_unit = round(number / factor, 4)
        return in_unit if numeric else f"{in_unit:g}".replace(".", decimal)

    new = [None if number is None else cell(number) for number in numbers]
    filled = [own_rows if taken else theirs for own_rows, theirs, taken in zip(new, old.to_pylist(), take, strict=True)]
    column = pa.array(filled, pa.float64() if numeric else pa.string())
    return table.set_column(at, name, column), sum(take), unchanged


def _table(loads: Loads) -> Any:
    columns: dict[str, Any] = {
        "runner_id": pa.array(list(loads), pa.string()),
        "at": pa.array([load.at.isoformat() for load in loads.values()], pa.string()),
    }
    for name in FIGURES:
        columns[name] = pa.array([load.values.get(name) for load in loads.values()], pa.float64())
    columns["runs"] = pa.array([load.runs for load in loads.values()], pa.int64())
    columns["not_told"] = pa.array([_reasons(load.reasons) for load in loads.values()], pa.string())
    return pa.table(columns)


def _reasons(reasons: Mapping[str, Message]) -> str:
    """Return each reason once, with the figures that it stands in the way of."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason.text, []).append(name)
    return "; ".join(f"{', '.join(figures)}: {text}" for text, figures in names.items())


def _entries(loads: Loads, unlikely: int) -> Lines:
    every = list(loads.values())
    lines = [("runs", f"{sum(load.runs for load in every):,}")]
    lines += [("rest and other sports", f"{sum(load.others for load in every):,}")]
    lines += [("runs recorded twice", f"{sum(load.twice for load in every):,}")]
    lines += [("runs of an unlikely pace", f"{unlikely:,}")] * (unlikely > 0)
    for name in FIGURES:
        reasons = Counter(load.reasons[name].text for load in every if name in load.reasons)
        lines.append((name, f"known of {len(every) - reasons.total():,}"))
        lines += [(f"  not of {count:,}", reason) for reason, count in reasons.most_common()]
    return lines


__all__ = [
    "LARGEST", "READERS", "Lines", "Loads", "Logs", "Wish", "days_of", "files_of", "fill", "read_fit", "read_gpx",
    "read_logs", "write_loads",
]  # fmt: skip
