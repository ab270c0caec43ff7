"""Whether a file stays as it is while it is read: it is read more than once, and by more than one process."""

from pathlib import Path

from pfps_ml.errors import InputError

CHANGED = "expected a file that stays as it is while it is read, got one that was written to. Wait, and start again."
Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp | None:
    """Return what the disk says of a file: its size, and when it was last written; None if it is not there."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_size, told.st_mtime_ns


def check_steady(path: Path, before: Stamp | None) -> None:
    """Hold a file, after it was read, to what it was before.

    Raises
    ------
    InputError
        If it was written to in between, or is gone.
    """
    if stamp_of(path) != before:
        raise InputError(CHANGED)


__all__ = ["CHANGED", "Stamp", "check_steady", "stamp_of"]
