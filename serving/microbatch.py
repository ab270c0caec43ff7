"""How requests share one processor: single runners are assessed together, and rosters one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from pydantic import BaseModel

from pfps_ml.assess import Assessment, assess
from pfps_ml.bundle import Bundle
from serving.active_bundle import ActiveBundle
from serving.errors import TooMany
from serving.requests import coded

Waiting = tuple[BaseModel, "asyncio.Future[Assessment]"]


class MicroBatch:
    """The runners that wait for an answer in this turn of the event loop.

    Not in a thread: handing a row over would take half as long as the work.

    Parameters
    ----------
    live
        The bundle in service, the same for all of a turn.
    """

    def __init__(self, live: ActiveBundle) -> None:
        self._live = live
        self._waiting: list[Waiting] = []

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
        if not self._waiting:
            loop.call_soon(self._answer)
        future: asyncio.Future[Assessment] = loop.create_future()
        self._waiting.append((runner, future))
        return await future

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            _assess(self._live.current(), waiting)
        except Exception as error:
            if len(waiting) == 1:
                _set(waiting[0][1], error)
                return
            for each in waiting:  # one at a time, so that a fault is its own sender's alone
                self._waiting = [each]
                self._answer()


def _assess(bundle: Bundle, waiting: Sequence[Waiting]) -> None:
    found = assess(bundle, coded([runner for runner, _ in waiting]))
    for row, answer in enumerate([found.as_dict(row) for row in range(len(waiting))]):
        _set(waiting[row][1], answer)


def _set(future: "asyncio.Future[Assessment]", found: Assessment | Exception) -> None:
    if future.done():  # its sender has hung up
        return
    if isinstance(found, Exception):
        future.set_exception(found)
    else:
        future.set_result(found)


Found = TypeVar("Found")

MAX_WAITING = 16  # rosters in hand or waiting: each holds its body in memory
_WAIT = 2  # seconds


class RosterQueue:
    """One thread, and the work that waits for it."""

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._places = BoundedSemaphore(most)
        self._thread = ThreadPoolExecutor(1, "rosters")

    async def do(self, function: Callable[..., Found], *arguments: object) -> Found:
        """Do some work in its turn.

        Raises
        ------
        TooMany
            If too much is waiting already.
        """
        if not self._places.acquire(blocking=False):
            raise TooMany(_WAIT)
        future = self._thread.submit(function, *arguments)
        # the place is free once the work is done, or will not be begun: not when its sender has given up
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


__all__ = [
    "MAX_WAITING",
    "MicroBatch",
    "RosterQueue",
]
