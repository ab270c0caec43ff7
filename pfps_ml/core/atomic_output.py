"""Writing whole or not at all: a result by a temporary file beside the destination, then a rename.

A record is a file of lines of JSON that grows line by line. Several processes append to one: the lock of the file
keeps their lines apart, and a line that cannot be written whole is cut back.
"""

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pfps_ml.core.errors import OutputError
from pfps_ml.core.messages import Message

NOTHING_WRITTEN, GO_ON = Message("nothing_written"), Message("goes_on")
_BLOCK = 4096  # bytes that a disk hands out at once: whether there is room for one tells whether there is room


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
    """Lend a temporary file and its name; it is gone at the end, unless it was given another name.

    It is locked as long as its process lives: one that is not is left over.
    """
    handle, name = tempfile.mkstemp(dir=folder, prefix=".pfps-", suffix=".part")
    try:
        with suppress(OSError):  # a disk without locks: nobody can tell then whether it is left over
            fcntl.flock(handle, fcntl.LOCK_EX)
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


def append_lines(record: Path, content: bytes, wait: bool = True) -> int:
    """Append lines to a record, all of them or none; only the owner can read a record that is new.

    Parameters
    ----------
    content
        Whole lines, each with its end.
    wait
        Whether to wait while another process has the record.

    Returns
    -------
    How many bytes of a torn last line were moved to `<record>.torn` before: whoever wrote them was killed.

    Raises
    ------
    BlockingIOError
        If another process has the record, and nobody is to wait for it.
    OSError
        If the lines cannot be written whole; the record is as it was.
    """
    with locked_record(record, wait) as opened:
        size, torn = _mend(opened, record)
        _write_or_cut(opened.file, content, size)
    return torn


def mend_record(record: Path) -> int:
    """Move a torn last line of a record to `<record>.torn`, and return its bytes; no whole line is touched.

    Raises
    ------
    OSError
        If the record cannot be opened for writing, or the torn line cannot be moved.
    """
    with locked_record(record) as opened:
        return _mend(opened, record)[1]


def check_room(record: Path) -> int:
    """Try whether a record can grow by a block, and leave it as it was; return as `append_lines` does.

    Raises
    ------
    BlockingIOError
        If another process has the record: it is writing to it.
    OSError
        If it cannot grow.
    """
    with locked_record(record, wait=False) as opened:
        size, torn = _mend(opened, record)
        # blanks without the end of a line: if this process is killed here, they are no line, and are cut off
        _write_or_cut(opened.file, b" " * _BLOCK if opened.is_file else b"", size)
        if opened.is_file:
            os.ftruncate(opened.file, size)
    return torn


def rewrite_record(record: Path, change: Callable[[bytes], bytes]) -> int:
    """Change lines of a record to which others may be appending, in one step; return how many lines are changed.

    The lines that are there are changed without the lock, and only what was appended meanwhile with it: nobody who
    appends waits long. Owner and permissions stay.

    Parameters
    ----------
    change
        Returns what a line, with its end, becomes.

    Raises
    ------
    OSError
        If the new record cannot be written; the old one is as it was.
    """
    target = destination(record)
    while True:
        with target.open("rb") as old, _draft(target.parent) as (name, new):
            changed = _change_lines(old, new, change)
            with locked_record(target) as opened:
                if not os.path.samestat(os.fstat(opened.file), os.fstat(old.fileno())):
                    continue  # somebody else has put another file in its place
                _mend(opened, target)
                changed += _change_lines(old, new, change)
                if changed:
                    _take_place(new, target)
                    Path(name).replace(target)
                return changed


def _change_lines(old: BinaryIO, new: BinaryIO, change: Callable[[bytes], bytes]) -> int:
    """Copy whole lines, changed; `old` stands behind the last of them."""
    changed = 0
    while line := old.readline():
        if not line.endswith(b"\n"):  # still being written
            old.seek(-len(line), os.SEEK_CUR)
            break
        after = change(line)
        changed += after != line
        new.write(after)
    new.flush()
    os.fsync(new.fileno())
    return changed


def _take_place(new: BinaryIO, target: Path) -> None:
    status = target.stat()
    os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode))
    os.fchown(new.fileno(), status.st_uid, status.st_gid)  # the service may not be whoever changes its record


class OpenRecord(NamedTuple):
    """A record that is open to append to: its descriptor, its size in bytes, and whether it is a file on a disk."""

    file: int
    size: int
    is_file: bool


@contextmanager
def locked_record(record: Path, wait: bool = True) -> Iterator[OpenRecord]:
    """Lend a record to append to, open, to this process alone; see `append_lines`."""
    while True:
        file = os.open(record, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            status = os.fstat(file)
            if _stands_at(record, status):  # whoever had the lock may have put another file in its place
                yield OpenRecord(file, status.st_size, stat.S_ISREG(status.st_mode))
                return
        finally:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)  # closing does not unlock what a child of this process has, too
            os.close(file)


def _stands_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, path.stat())
    except FileNotFoundError:
        return False


def _mend(opened: OpenRecord, record: Path) -> tuple[int, int]:
    """Move what stands behind the last whole line to a file of its own; return the size then, and how much that was."""
    file, size, is_file = opened
    if not is_file or size == 0 or os.pread(file, 1, size - 1) == b"\n":
        return size, 0
    tail = _tail_of(file, size)
    if _is_whole(tail):
        _write_or_cut(file, b"\n", size)  # nothing but its end is missing
        return size + 1, 0
    if tail.strip():
        _keep_torn(record.with_name(f"{record.name}.torn"), tail)
    os.ftruncate(file, size - len(tail))
    return size - len(tail), len(tail.strip())


def _keep_torn(torn: Path, tail: bytes) -> None:
    file = os.open(torn, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _write_or_cut(file, tail + b"\n", os.fstat(file).st_size)
    finally:
        os.close(file)


def _tail_of(file: int, size: int) -> bytes:
    tail, start = b"", size
    while start and b"\n" not in tail:
        start, end = max(start - (1 << 16), 0), start
        tail = os.pread(file, end - start, start) + tail
    return tail.rpartition(b"\n")[2]


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _write_or_cut(file: int, content: bytes, size: int) -> None:
    """Write everything; if that fails in the middle, take back what was written behind `size`."""
    rest = memoryview(content)
    try:
        while True:  # once for nothing, too: a device that is full says so
            written = os.write(file, rest)
            rest = rest[written:]
            if not rest:
                return
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException:
        with suppress(OSError):  # a pipe cannot be cut; the tail of a file is cut by whoever writes next
            os.ftruncate(file, size)
        raise


__all__ = [
    "GO_ON", "append_lines", "check_apart", "check_output", "check_room", "destination", "explained", "locked_record",
    "made_folder", "mend_record", "result_folder", "rewrite_record", "write_whole", "written_whole",
]  # fmt: skip
