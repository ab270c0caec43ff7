"""Worker processes: as many as there are cores, which end with the process that started them.

They are forked where that is safe (Linux, before any thread of ours), so that each starts at once and shares the
libraries and the bundle with its parent instead of loading them again.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

import pyarrow as pa

from pfps_ml.core import Message, PartlyDone

ParallelMap = Callable[..., Iterator[Any]]
_context: Any = None  # what this worker was started with


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def working(workers: int, context: Any) -> Iterator[ParallelMap]:
    """Yield a function that applies `function(context, *item)` to items and yields the results in the items' order.

    Parameters
    ----------
    workers
        How many processes; with one, the work is done in this one.
    context
        What every item needs; handed to each worker once.

    Raises
    ------
    PartlyDone
        If a worker was ended from outside.
    """
    if workers == 1:
        yield in_turn(context)
        return
    start = get_context("fork" if sys.platform == "linux" else None)
    pool = ProcessPoolExecutor(workers, start, _begin, (context,))
    try:
        yield lambda function, items: _in_order(pool, function, items, workers + 1)
    except BrokenProcessPool as error:
        raise PartlyDone(Message("worker_ended")) from error
    finally:
        pool.shutdown(cancel_futures=True)


def in_turn(context: Any) -> ParallelMap:
    """Return what `working` yields, for work that is done in this process."""
    return lambda function, items: (function(context, *item) for item in items)


def _in_order(
    pool: ProcessPoolExecutor, function: Callable[..., Any], items: Iterable[Any], ahead: int
) -> Iterator[Any]:
    waiting = deque[Any]()
    for item in items:
        waiting.append(pool.submit(_do, function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin(context: Any) -> None:
    global _context  # noqa: PLW0603 (a worker has one, for all of its life)
    _context = context
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told to stop, and stops us
    pa.set_cpu_count(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _do(function: Callable[..., Any], item: Iterable[Any]) -> Any:
    return function(_context, *item)


__all__ = ["ParallelMap", "cores", "in_turn", "working"]
