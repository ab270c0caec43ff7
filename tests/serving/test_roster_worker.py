"""The process that a roster is worked on in: its memory, its time, its end, and the next one."""

import os
import signal
import time

import pytest

from pfps_ml.core.errors import InputError, InvalidInput, TooLarge
from serving.errors import WorkerEnded, error_reply
from serving.limits import WorkLimits
from serving.microbatch import RosterWorker
from tests.serving.client import THEIRS, refusal
from tests.serving.test_score_roster import GOOD, send

pytestmark = THEIRS


def process():
    return os.getpid()


def memory(megabytes):
    return len(bytearray(b"x") * (megabytes << 20))


def texts(megabytes):
    parts = [b"x" * (1 << 20) for _ in range(megabytes)]
    waits(parts)


def waits(*_):
    while True:
        signal.pause()  # until it is ended


def ends():
    os.kill(os.getpid(), signal.SIGKILL)


def spins():
    while True:
        pass


def refuses():
    raise InvalidInput("expected this, got that")


@pytest.fixture
def worker():
    made = []

    def make(clock=time.monotonic, **limits):
        made.append(RosterWorker(WorkLimits(**limits), clock))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_each_roster_has_a_process_of_its_own_that_ends_with_it(worker):
    first = worker()
    numbers = [first.run(process) for _ in range(2)]
    assert len({*numbers, os.getpid()}) == 3
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_what_the_work_raises_reaches_who_asked(worker):
    with pytest.raises(InvalidInput, match="expected this, got that"):
        worker().run(refuses)


def test_work_that_takes_too_much_memory_is_ended_by_a_code_and_the_next_is_done(worker):
    one = worker(megabytes=50, clock=lambda: 0.0)  # time stands still: what ends the work is its memory
    for work in ((memory, 2_000), (texts, 120)):
        with pytest.raises(TooLarge) as refused:
            one.run(*work)
        assert refused.value.detail.code == "roster_takes_too_much_memory"
        assert one.run(process)


def test_work_that_takes_too_long_is_ended_by_a_code_and_the_next_is_done(worker):
    looks = iter([0.0, 30.0, 30.1])  # when the work begins, and at the first two looks at it
    one = worker(clock=lambda: next(looks, 0.0), seconds=30.0)
    with pytest.raises(TooLarge) as refused:
        one.run(waits)
    assert refused.value.detail.code == "roster_takes_too_long" and next(looks, None) is None
    assert one.run(process)


def test_work_that_nobody_watches_is_ended_by_the_system_once_it_has_used_its_time(worker):
    one = worker(clock=lambda: 0.0, seconds=1.0)
    with pytest.raises(TooLarge) as refused:
        one.run(spins)
    assert refused.value.detail.code == "roster_takes_too_long"
    assert one.run(process)


def test_a_worker_that_is_killed_from_outside_is_503_with_a_code_and_the_next_is_done(worker):
    one = worker()
    with pytest.raises(WorkerEnded) as ended:
        one.run(ends)
    reply = error_reply(ended.value)
    assert reply.status_code == 503 and reply.headers["x-error-code"] == "roster_not_done"
    assert not isinstance(ended.value, InputError)
    assert one.run(process)


def test_rows_of_a_file_are_records(client):
    lines = "".join(f'R-{at},30,female,"a\nb\nc"\n' for at in range(50))
    answer = send(client, ("runner_id,age_years,sex,remark\n" + lines).encode())
    assert answer.status_code == 200 and answer.headers["x-pfps-counts"].startswith("in=50;")


def test_a_text_that_no_spreadsheet_holds_is_413_and_not_a_fault_of_ours(client):
    from benchmarks.hostile_files import uploads

    file, content = uploads(0.1)["a name of 900,000 characters"]
    error = refusal(send(client, content(), file), 413)
    assert error["code"] == "too_large" and "32,767" in error["message"]


def test_a_bomb_is_413_and_the_next_roster_is_scored(client):
    from benchmarks.hostile_files import uploads

    made = uploads(0.05)
    for name in ("one cell of 300 MB", "one text of 1 MB, stored once, in 4,000 rows", "20,000 columns with names"):
        file, content = made[name]
        if name.startswith("one text"):
            file, content = uploads(0.2)[name]
        assert refusal(send(client, content(), file), 413)["code"] == "too_large"
        assert send(client, GOOD.encode()).status_code == 200
