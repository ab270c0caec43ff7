"""Writing a result whole or not at all: a temporary file beside the destination, then a rename."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pfps_ml.core.errors import OutputError
from pfps_ml.core.messages import Message

NOTHING_WRITTEN, GO_ON = Message("nothing_written"), Message("goes_on")


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
        If the ending names no format, the folder is not there and cannot be made, or the name is taken by something
        that is no file.
    """
    if endings and out.suffix.lower() not in endings:
        raise OutputError(_ending_fault(out, endings))
    try:
        taken = out.exists() and not out.is_file()
        home = next(folder for folder in (out.parent, *out.parent.parents) if folder.exists())
    except OSError as error:
        raise OutputError(Message("output_name_invalid", {"reason": error.strerror})) from error
    if taken:
        raise OutputError(Message("output_is_no_file", {"path": str(out)}))
    if not home.is_dir():
        raise OutputError(Message("output_parent_is_no_folder", {"path": str(out), "home": str(home)}))
    if not out.is_symlink() and not os.access(home, os.W_OK | os.X_OK):
        raise OutputError(Message("output_folder_unwritable", {"home": str(home)}))


def _ending_fault(out: Path, endings: tuple[str, ...]) -> Message:
    if out.suffix:
        return Message("output_ending_unknown", {"endings": endings, "ending": out.suffix.lower()})
    return Message("output_ending_missing", {"endings": endings})


def check_apart(out: Path, *needed: Path) -> None:
    """Refuse a destination that is one of the files that are still needed once the result is there.

    Raises
    ------
    OutputError
        If it is, by whatever name.
    """
    for path in needed:
        same = out.exists() and path.exists() and out.samefile(path)
        if same or os.path.realpath(out) == os.path.realpath(path):
            raise OutputError(Message("output_is_input", {"path": str(path)}))


def write_whole(out: Path, content: bytes) -> None:
    """Put `content` at `out` in one step, so that nobody ever sees half a file (see `written_whole`)."""
    with written_whole(out) as file:
        file.write(content)


@contextmanager
def written_whole(out: Path, beside: Path | None = None) -> Iterator[BinaryIO]:
    """Lend a file to write into, which becomes `out` in one step at the end, or vanishes if anything goes wrong.

    It stands in the folder of `out`, which is made if it is not there, or in `beside`, on the same disk.

    The temporary file can be read by its owner alone, since a roster is about people's health. A file that is
    replaced keeps its permissions, and a link stays a link.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written; the old file is whole and no temporary file stays.
    """
    with explained(out, GO_ON if beside else NOTHING_WRITTEN):
        target = destination(out)
        with made_folder(target.parent), _draft(beside or target.parent) as (name, file):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, name)
            Path(name).replace(target)


@contextmanager
def _draft(folder: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Lend a temporary file and its name; it is gone at the end, unless it was given another name."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".pfps-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield name, file
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and those above it, for what is written inside; those that were made are gone if it fails.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # another run may have put something in it
                path.rmdir()
        raise


@contextmanager
def result_folder(folder: Path) -> Iterator[None]:
    """Make a folder for results before any work is done; it is gone again if the work fails.

    Raises
    ------
    OutputError
        If it cannot be made, or is that of a bundle.
    """
    if os.path.exists(folder / "manifest.json"):  # noqa: PTH110  # pathlib's own raises for a name that is too long
        raise OutputError(Message("results_in_bundle", {"path": str(folder)}))
    with ExitStack() as stack:
        try:
            stack.enter_context(made_folder(folder))
        except OSError as error:
            raise OutputError(Message("results_unwritable", {"path": str(folder), "reason": error.strerror})) from error
        yield


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
        raise OutputError(_nowhere(out, NOTHING_WRITTEN)) from error


@contextmanager
def explained(out: Path, advice: Message = NOTHING_WRITTEN) -> Iterator[None]:
    """Turn what a disk or a folder refuses into an error that says what to do, and what there is.

    Raises
    ------
    OutputError
        For every OSError inside.
    """
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise OutputError(_nowhere(out, advice)) from error
        named = {"path": str(out), "reason": error.strerror, "advice": advice.as_dict()}
        raise OutputError(Message("output_unwritable", named)) from error


def _nowhere(out: Path, advice: Message) -> Message:
    return Message("output_leads_nowhere", {"path": str(out), "advice": advice.as_dict()})


__all__ = [
    "GO_ON", "check_apart", "check_output", "destination", "explained", "made_folder", "result_folder", "write_whole",
    "written_whole",
]  # fmt: skip
