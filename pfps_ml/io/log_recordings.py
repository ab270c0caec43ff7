"""Training logs that are recordings and archives of programs: FIT, GPX, TCX, Apple Health, Garmin's and Polar's JSON.

FIT and GPX are read through fitdecode and gpxpy (the extra `load`). A damaged file is refused whole; when it was made,
as far as its bytes still tell, is known all the same (`days_told`).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any
from xml.parsers import expat

from pfps_ml.core import InputError, Message, MissingLibrary, TooLarge
from pfps_ml.io.cells import limits
from pfps_ml.io.log_cells import duration
from pfps_ml.io.log_exports import is_run
from pfps_ml.io.training_load import KM, Activity, is_likely, local

_BLOCK = 1 << 20
_DEEP = 200  # elements of XML that stand in each other
_FIT_HEADER = 14  # bytes
_STAMP = re.compile(rb"(\d{4})-(\d{2})-(\d{2})T")


def read_fit(data: bytes) -> list[Activity]:
    """Read the sessions of a FIT file.

    Raises
    ------
    MissingLibrary
        If fitdecode is not installed.
    InputError
        If the file cannot be read, or has no session.
    """
    frames, whole = _frames(data)
    if not whole:
        raise InputError(Message("fit_damaged"))
    offset = _offset([frame for frame in frames if frame.name == "activity"])
    sessions = [_session(frame, offset) for frame in frames if frame.name == "session"]
    if not sessions or None in sessions:
        raise InputError(Message("fit_without_start"))
    return [session for session in sessions if session]


def _frames(data: bytes) -> tuple[list[Any], bool]:
    """Return the messages of a FIT file up to where it is damaged, and whether it is whole."""
    try:
        import fitdecode  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingLibrary(Message("log_library_missing", {"library": "fitdecode"})) from error
    frames = list[Any]()
    # some devices write no sum at all; what is left of a file that was cut has another length than it says
    check = fitdecode.CrcCheck.DISABLED if has_no_sum(data) else fitdecode.CrcCheck.RAISE
    try:
        with fitdecode.FitReader(data, check_crc=check, error_handling=fitdecode.ErrorHandling.IGNORE) as reader:
            frames += (frame for frame in reader if frame.frame_type == fitdecode.FIT_FRAME_DATA)
    except Exception:  # whatever a damaged file makes the library stumble over
        return frames, False
    return frames, True


def has_no_sum(data: bytes) -> bool:
    """Return whether a FIT file of the length that it says ends in zeros instead of the sum of its bytes."""
    if len(data) < _FIT_HEADER or data[-2:] != b"\0\0":
        return False
    return data[0] + int.from_bytes(data[4:8], "little") + 2 == len(data)


def _session(message: Any, offset: timedelta | None) -> Activity | None:
    start = message.get_value("start_time", fallback=None)
    if not isinstance(start, datetime) or not is_likely(start):
        return None
    clock = local(start) if offset is None else (start + offset).replace(tzinfo=None)
    run = bool(is_run(str(message.get_value("sport", fallback=""))))
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


def read_gpx(data: bytes) -> list[Activity]:
    """Read the tracks of a GPX file; one that does not name its sport counts as a run, because it is read as a log.

    Raises
    ------
    MissingLibrary
        If gpxpy is not installed.
    InputError
        If the file cannot be read, or has no track with times.
    """
    try:
        import gpxpy
    except ImportError as error:
        raise MissingLibrary(Message("log_library_missing", {"library": "gpxpy"})) from error
    try:
        text = data.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # no GPX needs them, and they can be made to grow without end
            raise ValueError("declarations")
        tracks = [_track(track) for track in gpxpy.parse(text).tracks if track.get_points_no()]
    except Exception as error:  # the library has an error for each parser that it may stand on
        raise InputError(Message("gpx_damaged")) from error
    if not tracks or None in tracks:
        raise InputError(Message("gpx_without_times"))
    return [track for track in tracks if track]


def _track(track: Any) -> Activity | None:
    start = track.get_time_bounds().start_time
    if start is None or not is_likely(start):
        return None
    seconds = track.get_moving_data().moving_time or track.get_duration()
    steps = [2 * cadence for cadence in _cadences(track) if cadence > 0]  # of one foot
    # 9 is Strava's number for running
    run = not track.type or track.type == "9" or bool(is_run(track.type))
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


def read_tcx(data: bytes) -> list[Activity]:
    """Read the activities of a TCX file (Training Center XML): the sum of their laps.

    Raises
    ------
    InputError
        If the file cannot be read, or has no activity with a start.
    """
    reader = _Tcx()
    _parse(reader, iter([data]), "tcx_damaged", whole=True)
    if not reader.activities:
        raise InputError(Message("tcx_without_start"))
    return reader.activities


class _Xml:
    """What expat calls: elements without their namespace, and the text of each."""

    def __init__(self) -> None:
        self.path, self.text = list[str](), list[str]()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self.path.append(name)
        if len(self.path) > _DEEP:
            raise ValueError("depth")
        self.text.clear()
        self.begun(name, attributes)

    def end(self, _tag: str) -> None:
        name = self.path.pop()
        self.ended(name, "".join(self.text).strip())
        self.text.clear()

    def begun(self, name: str, attributes: dict[str, str]) -> None:
        """See the start of an element."""

    def ended(self, name: str, text: str) -> None:
        """See the end of an element."""


class _Tcx(_Xml):
    def __init__(self) -> None:
        super().__init__()
        self.activities, self.sport = list[Activity](), ""
        self.start_at: datetime | None = None
        self.seconds, self.metres, self.strides = 0.0, 0.0, list[tuple[float, float]]()

    def begun(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Activity":
            self.sport, self.start_at = attributes.get("Sport", ""), None
            self.seconds = self.metres = 0.0
            self.strides = []

    def ended(self, name: str, text: str) -> None:
        if name == "Id" and self.path[-1:] == ["Activity"]:
            self.start_at = datetime.fromisoformat(text)
        elif name == "TotalTimeSeconds" and self.path[-1:] == ["Lap"]:
            self.seconds += _finite(text)
        elif name == "DistanceMeters" and self.path[-1:] == ["Lap"]:
            self.metres += _finite(text)
        elif name == "AvgRunCadence" and "Lap" in self.path:
            self.strides.append((_finite(text), max(self.seconds, 1.0)))
        elif name == "Activity":
            self.close()

    def close(self) -> None:
        if self.start_at is None or not is_likely(self.start_at):
            raise ValueError("start")
        start = local(self.start_at) if self.start_at.tzinfo else self.start_at
        steps = [2 * strides for strides, _ in self.strides if strides]  # of one foot
        spm = sum(steps) / len(steps) if steps else None
        run = bool(is_run(self.sport))
        self.activities.append(Activity(start, True, run, self.metres / 1000 or None, self.seconds or None, spm))


def _finite(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError("number")
    return value


def read_apple(file: IO[bytes]) -> list[Activity]:
    """Read the workouts of Apple Health's export.xml, block by block: such a file may hold gigabytes of heart beats.

    Raises
    ------
    InputError
        If the file cannot be read, or has no workout.
    """
    reader = _Apple()
    _parse(reader, iter(lambda: file.read(_BLOCK), b""), "apple_damaged")
    if not reader.activities:
        raise InputError(Message("apple_without_workouts"))
    return reader.activities


_APPLE_SECONDS = {"min": 60.0, "s": 1.0, "sec": 1.0, "hr": 3600.0, "h": 3600.0}
_APPLE_DISTANCE = "HKQuantityTypeIdentifierDistanceWalkingRunning"
_APPLE_STEPS = "HKQuantityTypeIdentifierStepCount"


class _Apple(_Xml):
    def __init__(self) -> None:
        super().__init__()
        self.activities, self.workout = list[Activity](), dict[str, str]()

    def begun(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Workout":
            self.workout = dict(attributes)
        elif name == "WorkoutStatistics" and "Workout" in self.path:
            if attributes.get("type") == _APPLE_DISTANCE:
                self.workout |= {"totalDistance": attributes["sum"], "totalDistanceUnit": attributes["unit"]}
            elif attributes.get("type") == _APPLE_STEPS:
                self.workout["steps"] = attributes["sum"]

    def ended(self, name: str, text: str) -> None:
        if name == "Workout":
            self.activities.append(self.close(self.workout))
            self.workout = {}

    def close(self, seen: dict[str, str]) -> Activity:
        start = datetime.fromisoformat(seen["startDate"].replace(" +", "+").replace(" -", "-"))
        if not is_likely(start):
            raise ValueError("start")
        run = bool(is_run(seen["workoutActivityType"].removeprefix("HKWorkoutActivityType")))
        seconds = _finite(seen["duration"]) * _APPLE_SECONDS[seen["durationUnit"]] if "duration" in seen else 0.0
        km = _finite(seen["totalDistance"]) * KM[seen["totalDistanceUnit"]] if "totalDistance" in seen else 0.0
        spm = 60 * _finite(seen["steps"]) / seconds if seconds and "steps" in seen else None
        # the clock of the phone where it was, which the file says with the zone
        return Activity(start.replace(tzinfo=None), True, run, km or None, seconds or None, spm)


def _parse(reader: _Xml, blocks: Iterator[bytes], code: str, whole: bool = False) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text.append
    if whole:
        parser.StartDoctypeDeclHandler = _refuse
    # Apple's own file declares its elements, and no entity
    parser.EntityDeclHandler = _refuse
    read = 0
    try:
        for block in blocks:
            read += len(block)
            if read > limits().export:
                raise TooLarge(Message("log_too_large", {"most": limits().export >> 20, "megabytes": read >> 20}))
            parser.Parse(block)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, KeyError, OverflowError) as error:
        raise InputError(Message(code)) from error


def _refuse(*_declaration: object) -> None:
    raise ValueError("declarations")  # they can be made to grow without end


def read_json(data: bytes) -> list[Activity]:
    """Read Garmin's summarizedActivities.json or a session of Polar (training-session-....json).

    Raises
    ------
    InputError
        If the file cannot be read, or is another.
    """
    try:
        content = json.loads(data)
        if isinstance(content, list):
            rows = [row for part in content for row in part["summarizedActivitiesExport"]]
            return [_garmin(row) for row in rows]
        return _polar(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError) as error:
        raise InputError(Message("json_no_log")) from error


def is_json_log(name: str) -> bool:
    """Return whether the name of a JSON file is that of a log among the many others of an export."""
    return name.endswith("summarizedActivities.json") or name.startswith("training-session")


def _garmin(row: dict[str, Any]) -> Activity:
    """Return an activity of Garmin's whole export: centimetres, milliseconds, and the runner's clock."""
    start = datetime.fromtimestamp(float(row["startTimeLocal"]) / 1000, UTC).replace(tzinfo=None)
    if not is_likely(start):
        raise ValueError("start")
    kind = row["activityType"]
    run = bool(is_run(str(kind.get("typeKey", "") if isinstance(kind, dict) else kind)))
    km, seconds = _finite(str(row.get("distance") or 0)) / 100_000, _finite(str(row.get("duration") or 0)) / 1000
    spm = row.get("avgDoubleCadence") or 2 * float(row.get("avgRunCadence") or 0)
    return Activity(start, True, run, km or None, seconds or None, float(spm) or None)


def _polar(content: dict[str, Any]) -> list[Activity]:
    activities = []
    for part in content["exercises"]:
        start = datetime.fromisoformat(part.get("startTime") or content["startTime"]).replace(tzinfo=None)
        if not is_likely(start):
            raise ValueError("start")
        seconds = duration(part.get("duration") or content.get("duration") or "PT0S")
        metres = _finite(str(part.get("distance") or 0))
        activities.append(Activity(start, True, bool(is_run(part["sport"])), metres / 1000 or None, seconds or None))
    return activities


READERS: dict[str, Callable[[bytes], list[Activity]]] = {
    ".fit": read_fit, ".gpx": read_gpx, ".tcx": read_tcx, ".json": read_json,
}  # fmt: skip


def days_told(ending: str, data: bytes) -> tuple[date, date] | None:
    """Return the first and the last day that the bytes of a recording tell, though it cannot be read; None if none."""
    days = list[date]()
    if ending == ".fit":
        with suppress(MissingLibrary):
            days = [day for frame in _frames(data)[0] for day in _stamps(frame)]
    else:
        for match in _STAMP.finditer(data):
            with suppress(ValueError):
                days.append(date(*map(int, match.groups())))
    likely = [day for day in days if is_likely(day)]
    return (min(likely), max(likely)) if likely else None


def _stamps(frame: Any) -> Iterator[date]:
    for name in ("time_created", "start_time", "timestamp"):
        value = frame.get_value(name, fallback=None)
        if isinstance(value, datetime):
            yield local(value).date()


__all__ = [
    "READERS", "days_told", "has_no_sum", "is_json_log", "read_apple", "read_fit", "read_gpx", "read_json", "read_tcx",
]  # fmt: skip
