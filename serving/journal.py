"""Files that are only ever added to: what was live from when to when, and what was answered to whom."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from pfps_ml.errors import OutputError

PROMOTIONS = "PFPS_PROMOTION_LOG"
AUDIT = "PFPS_AUDIT"


class Clock:
    """The time of a process as it is written down: it stands still while the machine's clock is set back.

    So nothing on record ends before it began. `read` is the machine's clock.
    """

    def __init__(self, read: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._read, self._last, self._one_at_a_time = read, datetime.min.replace(tzinfo=UTC), Lock()

    def now(self) -> str:
        """Return the time: the machine's, or that of the last answer if the machine's is before it."""
        with self._one_at_a_time:
            self._last = max(self._last, self._read())
            return self._last.isoformat(timespec="milliseconds")


_CLOCK = Clock()


def now() -> str:
    """Return the time as it is written down; see `Clock`."""
    return _CLOCK.now()


def record(variable: str, **facts: Any) -> None:
    """Add one line of JSON to the file that a variable of the environment names; nothing if it names none.

    The line is added in one step, so that several processes may share a file; it can be read by its owner alone.

    Raises
    ------
    OutputError
        If the line cannot be written: what goes on record must not happen unrecorded.
    """
    if not (name := os.environ.get(variable)):
        return
    line = json.dumps({"time": now(), **facts}).encode() + b"\n"
    try:
        file = os.open(Path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
    except OSError as error:
        raise OutputError(f"expected to add a line to the file that {variable} names, got: {error.strerror}") from error


__all__ = ["AUDIT", "PROMOTIONS", "Clock", "now", "record"]
