"""Whether a file stays as it is while it is read: it is read more than once, and by more than one process."""

from pathlib import Path

from pfps_ml.core.messages import Message
from pfps_ml.errors import InputError

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


__all__ = ["CHANGED", "Stamp", "check_steady", "stamp_of"]
