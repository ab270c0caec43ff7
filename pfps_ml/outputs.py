"""Writing a result whole or not at all: a temporary file beside the destination, then a rename."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pfps_ml.errors import OutputError

ADVICE = "Nothing was written; what was there before is whole."
GO_ON = "What is done is kept: the same command goes on from there."


def check_output(out: Path, endings: tuple[str, ...] = ()) -> None:
    """Refuse a destination that can never be written, before an hour is spent on what should go there.

    Parameters
    ----------
    out
        Where the result shall go.
    endings
        The endings that name a format that can be written; any will do if there are none.

    Raises
    ------
    OutputError
        If the ending names no format, the folder is not there, or the name is taken by something that is no file.
    """
    if endings and out.suffix.lower() not in endings:
        got = f"{out.suffix.lower()!r}" if out.suffix else "a name without ending"
        raise OutputError(f"expected an output that ends in {' or '.join(endings)}, got {got}. {ADVICE}")
    try:
        taken, homeless = out.exists() and not out.is_file(), not out.parent.is_dir()
    except OSError as error:
        raise OutputError(f"expected a name that can be written, got: {error.strerror}. {ADVICE}") from error
    if taken:
        raise OutputError(f"expected the name of a file, got something else: {out}. Name a file in it. {ADVICE}")
    if homeless:
        raise OutputError(f"expected a folder, got no such folder: {out.parent}. Make it first. {ADVICE}")


def check_apart(out: Path, *kept: Path) -> None:
    """Refuse a destination that is one of the files that are still needed once the result is there.

    Raises
    ------
    OutputError
        If it is, by whatever name.
    """
    for path in kept:
        same = out.exists() and path.exists() and out.samefile(path)
        if same or os.path.realpath(out) == os.path.realpath(path):
            raise OutputError(f"expected another file than one that is read or kept, got the same: {path}. {ADVICE}")


def write_whole(out: Path, content: bytes) -> None:
    """Put `content` at `out` in one step, so that nobody ever sees half a file (see `written_whole`)."""
    with written_whole(out) as file:
        file.write(content)


@contextmanager
def written_whole(out: Path, beside: Path | None = None) -> Iterator[BinaryIO]:
    """Lend a file to write into, which becomes `out` in one step at the end, or vanishes if anything goes wrong.

    It stands in the folder of `out`, or in `beside`, on the same disk.

    The temporary file can be read by its owner alone, since a roster is about people's health. A file that is
    replaced keeps its permissions, and a link stays a link.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written; the old file is whole and no temporary file stays.
    """
    name = None
    with explained(out, GO_ON if beside else ADVICE):
        target = destination(out)
        try:
            handle, name = tempfile.mkstemp(dir=beside or target.parent, prefix=".pfps-", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, name)
            Path(name).replace(target)
        finally:
            if name is not None:
                Path(name).unlink(missing_ok=True)


def destination(out: Path) -> Path:
    """Return where a name leads: a link stays a link, and what it leads to is written.

    Raises
    ------
    OutputError
        If links lead to each other.
    """
    try:
        return Path(os.path.realpath(out, strict=True))  # Path.resolve is silent on such links since Python 3.13
    except OSError as error:
        if error.errno != errno.ELOOP:  # not there yet, for one; what else is wrong, writing will say
            return Path(os.path.realpath(out))
        raise OutputError(
            f"expected to write {out}, got: a name that leads nowhere. Choose another. {ADVICE}"
        ) from error


@contextmanager
def explained(out: Path, advice: str = ADVICE) -> Iterator[None]:
    """Turn what a disk or a folder refuses into an error that says what to do, and what there is.

    Raises
    ------
    OutputError
        For every OSError inside.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or "a name that leads nowhere"
        raise OutputError(f"expected to write {out}, got: {reason}. Free space or choose another. {advice}") from error


__all__ = ["GO_ON", "check_apart", "check_output", "destination", "explained", "write_whole", "written_whole"]
