"""How requests share one processor: single runners are assessed together, rosters one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from pydantic import BaseModel

from pfps_ml.model import Assessment, Bundle
from pfps_ml.model.assess import assess
from serving.active_bundle import ActiveBundle
from serving.errors import TooMany
from serving.requests import coded
from serving.roster_worker import RosterWorker

Result = TypeVar("Result")
Pending = tuple[BaseModel, "asyncio.Future[Assessment]"]

MAX_WAITING = 16  # rosters in hand or waiting: every one of them holds its body in memory
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


class RosterQueue:
    """One thread for rosters, and the rosters that wait for it; a roster of thousands delays no single runner.

    Parameters
    ----------
    max_waiting
        Rosters in hand or waiting.
    worker
        Does what is too much for this process.
    """

    def __init__(self, max_waiting: int = MAX_WAITING, worker: RosterWorker | None = None) -> None:
        self.worker = worker or RosterWorker()
        self._places = BoundedSemaphore(max_waiting)
        self._thread = ThreadPoolExecutor(1, "rosters")

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function in the thread, in its turn. For a process of its own: `run(queue.worker.run, function, ...)`.

        Raises
        ------
        TooMany
            If too many rosters wait already.
        """
        if not self._places.acquire(blocking=False):
            raise TooMany(_RETRY_AFTER)
        future = self._thread.submit(function, *arguments)
        # the place is free once the work is done or cancelled before its start, not when its sender hangs up
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


__all__ = ["MAX_WAITING", "MicroBatch", "RosterQueue"]
