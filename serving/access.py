"""Who may ask, and how often: keys that are stored as their SHA-256 only, and a limit of requests for every key.

All of it is read from the environment once, at the start.
"""

import hmac
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pfps_ml.core import FactError
from serving.audit_log import AUDIT
from serving.errors import TooMany

KEYS_VARIABLE = "PFPS_API_KEYS"
RATE_VARIABLE = "PFPS_RATE_LIMIT"
DEFAULT_RATE = 6_000  # requests a minute and key
MAX_SECONDS = 60.0  # from the first byte of a request to the last of its answer
ALL_INTERFACES, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104 (only with keys)
LOCAL = "local"  # the owner of a request where there are no keys
_BURST = 0.1  # the part of a minute's requests that may come at once
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEME = b"bearer "
_ADVICE = (
    f"Set {KEYS_VARIABLE} to keys with commas between them, or to the absolute path of a file with the SHA-256 of a "
    "key in each line, and a name after it if you like: printf %s KEY | sha256sum"
)


@dataclass(frozen=True)
class ApiKeys:
    """The keys of a service: the SHA-256 of every key by its name."""

    digests: Mapping[str, bytes]

    def owner(self, authorization: bytes) -> str | None:
        """Return the name of the key in an Authorization header, or None if it is no key of this service."""
        is_bearer = authorization[: len(_SCHEME)].lower() == _SCHEME
        key = authorization[len(_SCHEME) :].strip() if is_bearer else b""
        key_digest, owner = sha256(key).digest(), None
        for name, digest in self.digests.items():
            # every key is compared, and in constant time: how long it takes reveals nothing
            if hmac.compare_digest(key_digest, digest):
                owner = name
        return owner


def keys_from(environment: Mapping[str, str]) -> ApiKeys | None:
    """Return the keys that the environment sets, or None if it sets none.

    Raises
    ------
    FactError
        If the variable is set but holds no keys: a service that should have keys must not start without.
    """
    value = environment.get(KEYS_VARIABLE, "")
    if not value:
        return None
    digests = _keys_in_file(Path(value)) if value.startswith("/") else _keys_in_list(value)
    if not digests:
        raise FactError(f"expected at least one key, got none. {_ADVICE}")
    return ApiKeys({name or digest[:8]: bytes.fromhex(digest) for digest, name in digests})


def _keys_in_list(value: str) -> list[tuple[str, str]]:
    return [(sha256(key.encode()).hexdigest(), "") for key in map(str.strip, value.split(",")) if key]


def _keys_in_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise FactError(f"expected a file of keys that can be read, got none at the path in {KEYS_VARIABLE}. "
                        f"{_ADVICE}") from error  # fmt: skip
    digests = []
    for number, line in enumerate(lines, start=1):
        digest, _, name = line.partition("#")[0].strip().partition(" ")
        if digest and not _DIGEST.fullmatch(digest.lower()):
            # the line may be a key that somebody wrote down in clear: the message does not repeat it
            raise FactError(f"expected the SHA-256 of a key in line {number}, got something else. {_ADVICE}")
        if digest:
            digests.append((digest.lower(), name.strip(" -*")))  # sha256sum writes a dash after the digest of a pipe
    return digests


class RateLimits:
    """How often every key may ask: a bucket of requests for each, which fills again with time.

    Parameters
    ----------
    limit
        Requests a minute; a tenth of them may come at once.
    clock
        Returns seconds, from any start.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._per_second, self._size = clock, limit / 60, max(limit * _BURST, 1.0)
        self._buckets: dict[str, tuple[float, float]] = {}  # requests left, and when that was

    def take(self, owner: str) -> None:
        """Count one request of a key.

        Raises
        ------
        TooMany
            If the key has no request left; the error says when the next one is.
        """
        now = self._clock()
        left, since = self._buckets.get(owner, (self._size, now))
        left = min(left + (now - since) * self._per_second, self._size)
        if left < 1:
            self._buckets[owner] = left, now
            raise TooMany(math.ceil((1 - left) / self._per_second))
        self._buckets[owner] = left - 1, now


def rates_from(environment: Mapping[str, str]) -> RateLimits:
    """Return the limit that the environment sets, or the default.

    Raises
    ------
    FactError
        If it is no whole number above 0.
    """
    value = environment.get(RATE_VARIABLE, "") or str(DEFAULT_RATE)
    if not value.isdecimal() or not int(value):
        raise FactError(
            f"expected {RATE_VARIABLE} as a whole number of requests a minute, at least 1, got something else"
        )
    return RateLimits(int(value))


@dataclass(frozen=True)
class AccessConfig:
    """What a request must satisfy.

    Attributes
    ----------
    keys
        The keys whose requests are answered. None: requests from this machine are answered, and no others.
    rates
        How often a key may ask.
    audited
        Whether answers go on record.
    max_seconds
        Seconds that a request may take.
    """

    keys: ApiKeys | None
    rates: RateLimits
    audited: bool = False
    max_seconds: float = MAX_SECONDS

    @property
    def host(self) -> str:
        """The address that the service listens on by default."""
        return ALL_INTERFACES if self.keys else LOOPBACK


def access_from(environment: Mapping[str, str] = os.environ) -> AccessConfig:
    """Return what the environment sets.

    Raises
    ------
    FactError
        If a variable holds something that cannot be used.
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
