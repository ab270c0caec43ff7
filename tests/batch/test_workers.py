"""Worker processes: as many as asked for, in order, and none without its parent."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pfps_ml.batch import workers
from pfps_ml.batch.workers import cores, in_turn, working
from tests.waiting import LIMIT, until


def where(given, item):
    time.sleep(0.02 * (item % 2))
    return given, item, os.getpid()


@pytest.mark.parametrize("count", [1, 2])
def test_work_comes_back_in_order_from_as_many_processes_as_asked_for(count):
    with working(count, "given") as each:
        found = list(each(where, ((item,) for item in range(20))))
    assert [(given, item) for given, item, _ in found] == [("given", item) for item in range(20)]
    assert (os.getpid() in {pid for _, _, pid in found}) == (count == 1)


def test_a_mistake_in_a_worker_is_that_of_whoever_asked():
    with pytest.raises(ZeroDivisionError), working(2, 1) as each:
        list(each(divide, [(1,), (0,)]))


def divide(given, item):
    return given / item


def test_without_processes_work_is_done_in_turn():
    assert list(in_turn(6)(divide, [(1,), (2,)])) == [6, 3]


def test_there_is_a_core():
    assert 1 <= cores() <= os.cpu_count()


def test_a_worker_knows_what_it_was_given_and_leaves_the_stopping_to_its_parent(monkeypatch):
    monkeypatch.setattr(workers, "_context", None)
    before, threads = signal.getsignal(signal.SIGINT), workers.pa.cpu_count()
    try:
        workers._begin(6)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert workers._do(divide, (2,)) == 3
    finally:
        signal.signal(signal.SIGINT, before)
        workers.pa.set_cpu_count(threads)


def test_a_worker_whose_parent_is_gone_ends_at_once(monkeypatch):
    done = []
    gone = threading.Thread(target=done.append, args=("parent",))  # what can be waited for, as a process can
    gone.start()
    monkeypatch.setattr(workers, "parent_process", lambda: gone)
    monkeypatch.setattr(workers.os, "_exit", done.append)
    workers._end_with_parent()
    assert done == ["parent", 1]


def linger(pipe):
    with working(2, None) as each:
        for pid in each(tell_and_wait, [(pipe,), (pipe,)]):
            pipe.send(pid)


def tell_and_wait(given, pipe):
    pipe.send(os.getpid())
    time.sleep(2 * LIMIT)  # longer than anybody waits for its end


@pytest.mark.slow
def test_workers_end_with_their_parent():
    here, there = multiprocessing.Pipe()
    parent = multiprocessing.get_context("fork").Process(target=linger, args=(there,))
    parent.start()
    pids = [here.recv(), here.recv()]
    parent.kill()
    parent.join()
    until(lambda: not any(alive(pid) for pid in pids), "that the workers end")


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]
    except OSError:
        return False
