"""How requests share one processor: single runners are assessed together, rosters one after the other.

Rosters are worked on in a process of their own, which has so much memory and time, and ends with its roster. A small
file can ask for very much work. What the limits of the readers do not foresee ends the process, not the service: its
parent watches how much memory it uses and how long it takes. The next process is started before it is needed. Nothing
of one roster is in memory when the next one is read.
"""

import asyncio
import errno
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel

from pfps_ml.core import Message, OutputError, PfpsError, TooLarge
from pfps_ml.io.cells import limited
from pfps_ml.model import Assessment, Bundle
from pfps_ml.model.assess import assess
from serving.active_bundle import ActiveBundle
from serving.audit_log import LOG
from serving.errors import TooMany, WorkerEnded
from serving.limits import FILES, WorkLimits
from serving.requests import coded

Result = TypeVar("Result")
Pending = tuple[BaseModel, "asyncio.Future[Assessment]"]

_RETRY_AFTER = 2  # seconds


class MicroBatch:
    """The runners that wait for an answer in this turn of the event loop: sixteen rows cost little more than one.

    Not in a thread: to hand a row over would take half as long as the work.

    Parameters
    ----------
    active
        The bundle in service, the same for all runners of a turn.
    """

    def __init__(self, active: ActiveBundle) -> None:
        self._active = active
        self._pending: list[Pending] = []

    async def assess(self, runner: BaseModel) -> Assessment:
        """Return a runner's assessment.

        Raises
        ------
        BundleError
            If no bundle is in service.
        InvalidInput
            If the checker of rosters refuses what the request model let pass.
        """
        loop = asyncio.get_running_loop()
        if not self._pending:
            loop.call_soon(self._answer)
        future: asyncio.Future[Assessment] = loop.create_future()
        self._pending.append((runner, future))
        return await future

    def _answer(self) -> None:
        pending, self._pending = self._pending, []
        try:
            _assess(self._active.current(), pending)
        except Exception as error:
            if len(pending) == 1:
                _resolve(pending[0][1], error)
                return
            for one in pending:  # one at a time, so that only its own sender gets a fault
                self._pending = [one]
                self._answer()


def _assess(bundle: Bundle, pending: Sequence[Pending]) -> None:
    assessed = assess(bundle, coded([runner for runner, _ in pending]))
    for row, answer in enumerate([assessed.as_dict(row) for row in range(len(pending))]):
        _resolve(pending[row][1], answer)


def _resolve(future: "asyncio.Future[Assessment]", result: Assessment | Exception) -> None:
    if future.done():  # the sender has hung up
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


MEGABYTE = 1 << 20
_LOOK = 0.01  # seconds between two looks at a worker's memory
_READY = 120.0  # seconds in which a process starts, however busy the machine is; the next one starts before its turn
_HEADROOM = 3  # of memory that a worker may name without using it: libraries reserve more than they touch
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START = get_context("forkserver")
_PRELOADED = ["serving.roster_routes", "pfps_ml.io.xlsx_tables", "openpyxl", "pyarrow.csv", "pyarrow.parquet",
              "__main__"]  # fmt: skip


class RosterWorker:
    """The process that works on the next roster, started before there is one.

    Parameters
    ----------
    most
        What a roster may take.
    clock
        Returns the seconds by which the time of the work is measured.
    """

    def __init__(self, most: WorkLimits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self._clock = most or WorkLimits(), clock
        self._next: Any = None
        self._lock = Lock()
        self._starter = ThreadPoolExecutor(1, "next-worker")

    def start(self) -> None:
        """Start the next process in the background."""
        self._starter.submit(self._prepare)

    def stop(self) -> None:
        """End the process that waits for a roster."""
        with self._lock:
            waiting, self._next = self._next, None
        if waiting:
            waiting.end()

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of a module in a worker and return what it returns.

        Raises
        ------
        TooLarge
            If the work took more memory or time than a roster may.
        WorkerEnded
            If the worker was ended from outside.
        PfpsError
            What the function raises.
        """
        self._prepare()
        with self._lock:
            worker, self._next = self._next, None
        self.start()
        try:
            return worker.answer(function, arguments)
        finally:
            worker.end()

    def _prepare(self) -> None:
        with self._lock:
            if self._next is None or not self._next.alive:
                self._next = _Worker(self.most, self._clock)


class _Worker:
    """One process, for one roster."""

    def __init__(self, most: WorkLimits, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        _START.set_forkserver_preload(_PRELOADED)
        self._pipe, far = _START.Pipe()
        self._process = _START.Process(target=_work, args=(far, most), name="pfps-roster", daemon=True)
        self._process.start()
        far.close()
        self._base = 0

    @property
    def alive(self) -> bool:
        return bool(self._process.is_alive())

    def answer(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Hand the work over, watch it, and return its result."""
        try:
            if not self._pipe.poll(_READY):  # its libraries are loaded
                raise WorkerEnded(Message("roster_worker_ended"))
            self._base = int(self._pipe.recv())
            with suppress(BrokenPipeError):  # it has ended: the answer says why
                self._pipe.send((function, arguments))
            self._wait(self._clock() + self._most.seconds)
            kind, content = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(1)
            raise self._ended() from None
        if kind == "result":
            return content
        if kind == "error":
            raise content
        LOG.error("work on a roster failed\n%s", content)
        raise WorkerFault

    def _wait(self, until: float) -> None:
        ceiling = self._most.megabytes * MEGABYTE
        while not self._pipe.poll(_LOOK):
            if self._clock() > until:
                raise TooLarge(Message("roster_takes_too_long", {"seconds": self._most.seconds}))
            if _memory_of(self._process.pid) - self._base > ceiling:
                raise _takes_too_much(self._most)

    def _ended(self) -> PfpsError:
        if self._process.exitcode == -signal.SIGXCPU:
            return TooLarge(Message("roster_takes_too_long", {"seconds": self._most.seconds}))
        return WorkerEnded(Message("roster_worker_ended"))

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


class WorkerFault(Exception):
    """The work failed by a fault of ours; the log says where, without any value."""


def _takes_too_much(most: WorkLimits) -> TooLarge:
    return TooLarge(Message("roster_takes_too_much_memory", {"megabytes": most.megabytes}))


def _memory_of(process: int | None) -> int:
    """Return the bytes of memory that a process uses; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _work(pipe: Connection, most: WorkLimits) -> None:
    """Do one piece of work; what a worker does in all of its life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service is told to stop, and stops us
    pa.set_cpu_count(1)
    _confine(most)
    pipe.send(_memory_of(os.getpid()))
    try:
        function, arguments = pipe.recv()
    except EOFError:  # the service has stopped
        return
    try:
        with limited(rows=most.rows, **FILES):
            result = "result", function(*arguments)
    except MemoryError:
        result = "error", _takes_too_much(most)
    except PfpsError as error:
        result = "error", _of_the_output(error, most)
    except Exception as error:  # its message may quote the roster
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            pipe.send(("error", WorkerEnded(Message("roster_no_room"))))
            return
        result = "fault", "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__
    with suppress(BrokenPipeError):
        pipe.send(result)


def _of_the_output(error: PfpsError, most: WorkLimits) -> PfpsError:
    """Return an error without its cause, which may quote the roster; an output that is too large is the sender's."""
    cause = error.__cause__
    error.__cause__ = error.__context__ = None
    number = cause.errno if isinstance(error, OutputError) and isinstance(cause, OSError) else None
    if number == errno.ENOSPC:
        return WorkerEnded(Message("roster_no_room"))
    if number == errno.EFBIG:
        return TooLarge(Message("roster_output_too_large", {"megabytes": most.output}))
    if isinstance(error, OutputError) and number is None:  # what the sender's format cannot hold: a text, a row
        return TooLarge(error.detail or error.message)
    return error


def _confine(most: WorkLimits) -> None:
    """Let the system end what the parent does not see in time; and no image of the memory goes to a disk."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * _PAGE + _HEADROOM * most.megabytes * MEGABYTE
    seconds = int(most.seconds) + 1
    output = most.output * MEGABYTE
    for limit, soft, hard in ((resource.RLIMIT_AS, memory, memory), (resource.RLIMIT_FSIZE, output, output),
                              (resource.RLIMIT_CPU, seconds, seconds + 1),  # the first says why
                              (resource.RLIMIT_CORE, 0, 0)):  # fmt: skip
        with suppress(ValueError, OSError):  # the machine allows less
            resource.setrlimit(limit, (soft, hard))


def temporary_files_in(folder: Path) -> None:
    """Let libraries put their temporary files into a folder in memory; for a worker, which ends with its roster."""
    tempfile.tempdir = str(folder)


class RosterQueue:
    """One thread for rosters, and the rosters that wait for it; a roster of thousands delays no single runner.

    Parameters
    ----------
    most
        What a roster may take, and how many may wait.
    patience
        Seconds that a roster waits for its turn: one that began later could not end in the time of its request.
    """

    def __init__(self, most: WorkLimits | None = None, patience: float | None = None) -> None:
        self.worker, self._patience = RosterWorker(most), patience
        self._places = BoundedSemaphore(self.worker.most.waiting)
        self._thread = ThreadPoolExecutor(1, "rosters")

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function in the thread, in its turn. For a process of its own: `run(queue.worker.run, function, ...)`.

        Raises
        ------
        TooMany
            If too many rosters wait already, or its turn has not come in time.
        """
        if not self._places.acquire(blocking=False):
            raise TooMany(_RETRY_AFTER)
        future = self._thread.submit(function, *arguments)
        # the place is free once the work is done or cancelled before its start, not when its sender hangs up
        future.add_done_callback(lambda _: self._places.release())
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), self._patience)
        except TimeoutError:
            pass
        except asyncio.CancelledError:  # its sender has hung up
            future.cancel()
            raise
        if future.cancel():
            raise TooMany(_RETRY_AFTER)
        return await waiting  # it is in hand


__all__ = ["MicroBatch", "RosterQueue", "RosterWorker", "temporary_files_in"]
