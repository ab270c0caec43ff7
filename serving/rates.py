"""How often a key may ask: a bucket of requests for each, which fills again with time."""

import math
import time
from collections.abc import Callable, Mapping

from pfps_ml.errors import FactError
from serving.errors import TooMany

VARIABLE = "PFPS_RATE_LIMIT"
DEFAULT = 6_000  # requests a minute and key
_AT_ONCE = 0.1  # of them


class Rates:
    """The buckets of all keys.

    Parameters
    ----------
    limit
        Requests a minute; a tenth of them may come at once.
    clock
        Seconds, from any start.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._each_second, self._most = clock, limit / 60, max(limit * _AT_ONCE, 1.0)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, owner: str) -> None:
        """Count one request of a key.

        Raises
        ------
        TooMany
            If the key has none left; the error says when the next one is.
        """
        now = self._clock()
        left, since = self._left.get(owner, (self._most, now))
        left = min(left + (now - since) * self._each_second, self._most)
        if left < 1:
            self._left[owner] = left, now
            raise TooMany(math.ceil((1 - left) / self._each_second))
        self._left[owner] = left - 1, now


def rates_from(environment: Mapping[str, str]) -> Rates:
    """Return the limit that the environment gives, or the default.

    Raises
    ------
    FactError
        If it is no number above 0.
    """
    value = environment.get(VARIABLE, "") or str(DEFAULT)
    if not value.isdecimal() or not int(value):
        raise FactError(f"expected {VARIABLE} as a whole number of requests a minute, at least 1, got something else")
    return Rates(int(value))


__all__ = ["DEFAULT", "VARIABLE", "Rates", "rates_from"]
