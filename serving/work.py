"""One thread for what takes long, so that a roster of thousands keeps no single runner waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

from serving.errors import TooMany

Found = TypeVar("Found")

MOST = 16  # rosters in hand or waiting: each holds its body in memory
_WAIT = 2  # seconds


class Worker:
    """One thread, and the work that waits for it."""

    def __init__(self, most: int = MOST) -> None:
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


__all__ = ["MOST", "Worker"]
