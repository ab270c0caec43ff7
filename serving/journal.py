"""Files that are only ever added to: what was live from when to when, and what was answered to whom."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pfps_ml.errors import OutputError

PROMOTIONS = "PFPS_PROMOTION_LOG"
AUDIT = "PFPS_AUDIT"


def now() -> str:
    """Return the time as it is written down."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


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


__all__ = ["AUDIT", "PROMOTIONS", "now", "record"]
