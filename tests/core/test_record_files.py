"""A record that grows line by line: every line whole or not at all, whatever ends the process or fills the disk."""

import errno
import json
import os
import resource
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from pfps_ml.core import append_lines, check_room, mend_record, rewrite_record
from pfps_ml.core.atomic_output import locked_record


def line(number, length=40):
    return json.dumps({"number": number, "text": "x" * length}).encode() + b"\n"


def numbers(record):
    """Return the numbers of the lines of a record; fails if one of them is torn."""
    content = record.read_bytes()
    assert content.endswith(b"\n") or not content
    return [json.loads(one)["number"] for one in content.splitlines()]


@contextmanager
def process(work):
    """Run work in a copy of this process, which says after each step that it is done; lend its number and its words."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            work(lambda word: os.write(writer, f"{word}\n".encode()))
        finally:
            os._exit(0)
    os.close(writer)
    try:
        with os.fdopen(reader) as words:
            yield child, words
    finally:
        os.waitpid(child, 0)


def filled(record, say):
    """Append with a limit of 900 bytes for every file, then raise the limit and append one more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, resource.RLIM_INFINITY))
    try:
        for number in range(100):
            append_lines(record, line(number, 300))
            say(f"written {number}")
    except OSError as error:
        say(f"refused {errno.errorcode[error.errno]} {len(record.read_bytes())}")
    try:
        check_room(record)
    except OSError as error:
        say(f"full {errno.errorcode[error.errno]}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    check_room(record)
    append_lines(record, line(77))


def test_a_line_that_does_not_fit_is_cut_back_and_the_next_one_fits_again_when_there_is_room(tmp_path):
    record = tmp_path / "record"
    with process(lambda say: filled(record, say)) as (_, words):
        told = words.read().splitlines()
    whole = 2 * len(line(0, 300))
    assert told == ["written 0", "written 1", f"refused EFBIG {whole}", "full EFBIG"]
    assert numbers(record) == [0, 1, 77]


def test_a_disk_that_is_full_takes_no_line_and_says_so():
    for attempt in (lambda disk: append_lines(disk, line(1)), check_room):
        with pytest.raises(OSError, match="No space left") as refused:
            attempt(Path("/dev/full"))
        assert refused.value.errno == errno.ENOSPC


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of 64 kB; skip where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "pfps-test", str(place)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_on_a_disk_that_fills_twice_every_line_that_was_taken_is_there(small_disk):
    record, taken = small_disk / "record", []
    for round_ in (0, 1):
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 20_000)
        with pytest.raises(OSError, match="No space left"):
            for number in range(1_000 * round_, 1_000 * round_ + 999):
                append_lines(record, line(number, 700))
                taken.append(number)
        assert numbers(record) == taken
        with pytest.raises(OSError, match="No space left"):
            check_room(record)
        filler.unlink()
        check_room(record)
    assert len(taken) > 40 and numbers(record) == taken


def append_until_killed(record, start, say):
    for number in range(start, start + 10_000):
        append_lines(record, line(number, 400_000))
        say(number)


def test_of_processes_that_are_killed_while_they_write_no_line_is_lost_or_torn(tmp_path):
    record, said = tmp_path / "record", []
    for kill in range(20):
        with process(lambda say, kill=kill: append_until_killed(record, 100_000 * kill, say)) as (child, words):
            said += [int(words.readline()) for _ in range(2)]
            os.kill(child, signal.SIGKILL)
            said += [int(word) for word in words.read().split()]
        mend_record(record)
        whole = numbers(record)
        assert set(said) <= set(whole) and len(whole) == len(set(whole))
    assert len({number // 100_000 for number in whole}) == 20


def test_several_processes_share_a_record_and_their_lines_stay_apart(tmp_path):
    record = tmp_path / "record"

    def write(writer, say):
        for number in range(50):
            append_lines(record, line(100 * writer + number, 20_000))
        say("done")

    with (
        process(lambda say: write(0, say)) as (_, one),
        process(lambda say: write(1, say)) as (_, two),
        process(lambda say: write(2, say)) as (_, three),
    ):
        assert [words.readline() for words in (one, two, three)] == ["done\n"] * 3
    assert sorted(numbers(record)) == [100 * writer + number for writer in range(3) for number in range(50)]


def test_a_torn_last_line_is_moved_aside_and_no_whole_line_is_touched(tmp_path):
    record = tmp_path / "record"
    record.write_bytes(line(1) + line(2) + line(3)[:-9])
    record.chmod(0o600)
    assert mend_record(record) == len(line(3)) - 9
    assert record.read_bytes() == line(1) + line(2)
    torn = tmp_path / "record.torn"
    assert torn.read_bytes() == line(3)[:-9] + b"\n" and torn.stat().st_mode & 0o777 == 0o600
    assert mend_record(record) == 0 and append_lines(record, line(4)) == 0
    record.write_bytes(record.read_bytes() + b"{")
    assert append_lines(record, line(5)) == 1
    assert numbers(record) == [1, 2, 4, 5]


def test_a_last_line_that_lacks_nothing_but_its_end_is_no_torn_one(tmp_path):
    record = tmp_path / "record"
    record.write_bytes(line(1) + line(2)[:-1])
    assert append_lines(record, line(3)) == 0
    assert numbers(record) == [1, 2, 3] and not (tmp_path / "record.torn").exists()


def test_what_a_killed_trial_of_the_room_leaves_is_no_line(tmp_path):
    record = tmp_path / "record"
    record.write_bytes(line(1) + b" " * 4096)
    assert append_lines(record, line(2)) == 0
    assert record.read_bytes() == line(1) + line(2)


def test_trying_the_room_leaves_the_record_as_it_was_and_waits_for_nobody(tmp_path):
    record = tmp_path / "record"
    append_lines(record, line(1))
    check_room(record)
    assert record.read_bytes() == line(1)
    with locked_record(record):
        for attempt in (check_room, lambda path: append_lines(path, line(2), wait=False)):
            with pytest.raises(BlockingIOError):
                attempt(record)
    assert record.read_bytes() == line(1)


def test_a_process_that_was_begun_while_the_record_was_locked_holds_nobody_off(tmp_path):
    record, (reader, writer) = tmp_path / "record", os.pipe()
    with locked_record(record):
        child = os.fork()
        if not child:
            os.close(writer)
            os.read(reader, 1)  # until the other end is closed
            os._exit(0)
    try:
        append_lines(record, line(1), wait=False)
    finally:
        os.close(reader)
        os.close(writer)
        os.waitpid(child, 0)
    assert numbers(record) == [1]


def test_a_record_is_rewritten_while_others_append_and_no_line_is_lost(tmp_path):
    record, stop, written = tmp_path / "record", threading.Event(), []
    record.write_bytes(b"".join(map(line, range(2_000))))
    record.chmod(0o640)

    def write():
        while not stop.is_set():
            append_lines(record, line(2_000 + len(written)))
            written.append(2_000 + len(written))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for digit in b"0123456789":
            changed = rewrite_record(record, lambda one, digit=digit: one.replace(b"x", bytes([digit]), 1))
            assert changed >= 2_000
    finally:
        stop.set()
        writer.join()
    assert numbers(record) == [*range(2_000), *written]
    assert record.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["record"]


def test_a_record_in_which_nothing_changes_is_not_replaced(tmp_path):
    record = tmp_path / "record"
    record.write_bytes(line(1))
    before = record.stat().st_ino
    assert rewrite_record(record, lambda one: one) == 0
    assert record.stat().st_ino == before


def test_a_record_that_is_moved_away_while_somebody_waits_is_begun_anew(tmp_path):
    record, moved = tmp_path / "record", tmp_path / "record.1"
    with locked_record(record):
        waiting = threading.Thread(target=append_lines, args=(record, line(1)))
        waiting.start()
        record.rename(moved)
    waiting.join()
    assert numbers(record) == [1] and moved.read_bytes() == b""
