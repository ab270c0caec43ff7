"""Who may ask, and how often: keys that are stored as their SHA-256 only, and a limit of requests for each key."""

import hmac
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pfps_ml.errors import FactError
from serving.audit_log import AUDIT
from serving.errors import TooMany

KEYS_VARIABLE = "PFPS_API_KEYS"
LOCAL = "local"  # who asks where there are no keys
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEME = b"bearer "
_ADVICE = (
    f"Set {KEYS_VARIABLE} to keys with commas between them, or to the absolute path of a file with the SHA-256 of a "
    "key in each line, and a name after it if you like: printf %s KEY | sha256sum"
)


@dataclass(frozen=True)
class ApiKeys:
    """The keys of a service: the name of each, and its SHA-256."""

    known: Mapping[str, bytes]

    def owner(self, authorization: bytes) -> str | None:
        """Return the name of the key that a request's Authorization header holds, or None if it is none of ours."""
        given = authorization[len(_SCHEME) :] if authorization[: len(_SCHEME)].lower() == _SCHEME else b""
        told, found = sha256(given.strip()).digest(), None
        for name, digest in self.known.items():
            # every key is compared, and whole: how long it takes says nothing
            if hmac.compare_digest(told, digest):
                found = name
        return found


def keys_from(environment: Mapping[str, str]) -> ApiKeys | None:
    """Return the keys that the environment gives, or None if it gives none.

    Raises
    ------
    FactError
        If there is something that holds no keys: a service that was meant to have some must not do without.
    """
    value = environment.get(KEYS_VARIABLE, "")
    if not value:
        return None
    digests = _of_file(Path(value)) if value.startswith("/") else _of_list(value)
    if not digests:
        raise FactError(f"expected at least one key, got none. {_ADVICE}")
    return ApiKeys({name or digest[:8]: bytes.fromhex(digest) for digest, name in digests})


def _of_list(value: str) -> list[tuple[str, str]]:
    return [(sha256(key.encode()).hexdigest(), "") for key in map(str.strip, value.split(",")) if key]


def _of_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise FactError(f"expected a file of keys that can be read, got none at the path in {KEYS_VARIABLE}. "
                        f"{_ADVICE}") from error  # fmt: skip
    found = []
    for number, line in enumerate(lines, start=1):
        digest, _, name = line.partition("#")[0].strip().partition(" ")
        if digest and not _DIGEST.fullmatch(digest.lower()):
            # the line may be a key that somebody wrote down as it is: it is not repeated
            raise FactError(f"expected the SHA-256 of a key in line {number}, got something else. {_ADVICE}")
        if digest:
            found.append((digest.lower(), name.strip(" -*")))  # sha256sum writes a dash for what it was piped
    return found


RATE_VARIABLE = "PFPS_RATE_LIMIT"
DEFAULT_RATE = 6_000  # requests a minute and key
_AT_ONCE = 0.1  # of them


class RateLimits:
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


def rates_from(environment: Mapping[str, str]) -> RateLimits:
    """Return the limit that the environment gives, or the default.

    Raises
    ------
    FactError
        If it is no number above 0.
    """
    value = environment.get(RATE_VARIABLE, "") or str(DEFAULT_RATE)
    if not value.isdecimal() or not int(value):
        raise FactError(
            f"expected {RATE_VARIABLE} as a whole number of requests a minute, at least 1, got something else"
        )
    return RateLimits(int(value))


MAX_SECONDS = 60.0  # seconds from a request's first byte to the last of its answer
ALL_INTERFACES, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104 (only with keys)


@dataclass(frozen=True)
class AccessConfig:
    """What the guard holds a request to.

    Attributes
    ----------
    keys
        Whose requests are answered; None for everybody on this machine and nobody else.
    rates
        How often a key may ask.
    audited
        Whether answers go on record.
    patience
        Seconds that a request may take.
    """

    keys: ApiKeys | None
    rates: RateLimits
    audited: bool = False
    patience: float = MAX_SECONDS

    @property
    def host(self) -> str:
        """Where the service listens unless told otherwise."""
        return ALL_INTERFACES if self.keys else LOOPBACK


def access_from(environment: Mapping[str, str] = os.environ) -> AccessConfig:
    """Return what the environment asks for.

    Raises
    ------
    FactError
        If a variable says something that cannot be done.
    """
    return AccessConfig(keys_from(environment), rates_from(environment), bool(environment.get(AUDIT)))


__all__ = [
    "ALL_INTERFACES",
    "DEFAULT_RATE",
    "KEYS_VARIABLE",
    "LOCAL",
    "LOOPBACK",
    "MAX_SECONDS",
    "RATE_VARIABLE",
    "AccessConfig",
    "ApiKeys",
    "RateLimits",
    "access_from",
    "keys_from",
    "rates_from",
]
