"""Who may ask for what, and how often: keys with roles, stored as their SHA-256 only, and a limit of requests a key.

Without keys this machine alone may ask. A proxy on this machine would lend its place to others, and so would a web
page whose name leads here (DNS rebinding): requests that show signs of either are refused.

All of it is read from the environment once, at the start.
"""

import asyncio
import hmac
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import Scope

from pfps_ml.core import FactError, Message
from serving.audit_log import AUDIT, count_wrong_key
from serving.errors import Forbidden, TooMany, Unauthorised
from serving.limits import RequestLimits, limits_from
from serving.requests import ROLES, Endpoint

KEYS_VARIABLE = "PFPS_API_KEYS"
HOSTS_VARIABLE = "PFPS_HOSTS"
RATE_VARIABLE = "PFPS_RATE_LIMIT"
DEFAULT_RATE = 6_000  # requests a minute and key
ALL_INTERFACES, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104 (only with keys)
LOCAL = "local"  # the owner of a request where there are no keys
DEFAULT_ROLES = frozenset({"assess", "roster"})  # of a key in a file whose line names none
WRONG_KEY_SECONDS = 1.0  # that a wrong key waits for its answer
_MOST_WAITING = 64  # wrong keys that wait at once; more are answered without waiting, so that none fills the memory
_BURST = 0.1  # the part of a minute's requests that may come at once
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINES = re.compile(r"\s*(?:#.*\n\s*)*[0-9a-fA-F]{64}[ \t]+\S")  # a list of keys has no blank after such a word
_PORT = re.compile(r":\d{1,5}\Z")
_SCHEME = b"bearer "
_LOCAL_HOSTS = frozenset({"localhost", LOOPBACK, "[::1]"})
_FORWARDING = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "x-cluster-client-ip",
                         "cf-connecting-ip", "fastly-client-ip", "x-original-host", "x-original-forwarded-for",
                         "x-envoy-external-address"})  # fmt: skip
_FORWARDED = "x-forwarded"  # how the names of the others begin
_ADVICE = Message("keys_advice", {"variable": KEYS_VARIABLE, "roles": sorted(ROLES)}).as_dict()


@dataclass(frozen=True)
class ApiKey:
    """One key: its name, its SHA-256 and what it may ask for."""

    name: str
    digest: bytes
    roles: frozenset[str] = ROLES


@dataclass(frozen=True)
class ApiKeys:
    """The keys of a service."""

    keys: tuple[ApiKey, ...]

    def find(self, authorization: bytes) -> ApiKey | None:
        """Return the key of an Authorization header, or None if it is no key of this service."""
        is_bearer = authorization[: len(_SCHEME)].lower() == _SCHEME
        digest, match = sha256(authorization[len(_SCHEME) :].strip() if is_bearer else b"").digest(), None
        for key in self.keys:
            # every key is compared, and in constant time: how long it takes reveals nothing
            if hmac.compare_digest(digest, key.digest):
                match = key
        return match


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
    if value.startswith("/"):
        keys = _keys_in_lines(_text_of(Path(value)))
    else:
        keys = _keys_in_lines(value) if _LINES.match(value) else _keys_in_list(value)
    if not keys:
        raise FactError(Message("keys_missing", {"advice": _ADVICE}))
    if len({key.digest for key in keys}) < len(keys):
        raise FactError(Message("keys_repeated", {"advice": _ADVICE}))
    return ApiKeys(tuple(keys))


def _keys_in_list(value: str) -> list[ApiKey]:
    digests = [sha256(key.encode()) for key in map(str.strip, value.split(",")) if key]
    return [ApiKey(digest.hexdigest()[:8], digest.digest()) for digest in digests]


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FactError(Message("keys_unreadable", {"variable": KEYS_VARIABLE, "advice": _ADVICE})) from error


def _keys_in_lines(text: str) -> list[ApiKey]:
    lines = ((number, line.partition("#")[0].split()) for number, line in enumerate(text.splitlines(), start=1))
    return [_key_in_line(number, words) for number, words in lines if words]


def _key_in_line(number: int, words: list[str]) -> ApiKey:
    """Return the key of a line `SHA256 name role[,role]`; an error does not repeat the line: it may be a key."""
    digest, name, *roles = [*words, ""] if len(words) == 1 else words
    if not _DIGEST.fullmatch(digest.lower()):
        raise FactError(Message("key_line_invalid", {"line": number, "advice": _ADVICE}))
    named = frozenset(",".join(roles).split(",")) - {""} if roles else DEFAULT_ROLES
    if not named or not named <= ROLES:
        raise FactError(Message("key_roles_unknown", {"line": number, "advice": _ADVICE}))
    # sha256sum writes a dash after the digest of a pipe
    return ApiKey(name.strip("-*") or digest.lower()[:8], bytes.fromhex(digest), named)


def hosts_from(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names by which this machine may be asked where there are no keys."""
    names = map(str.strip, environment.get(HOSTS_VARIABLE, "").lower().split(","))
    return _LOCAL_HOSTS.union(filter(None, names))


def check_local(scope: Scope, hosts: frozenset[str]) -> None:
    """Refuse a request that may come from another machine, or from a page of another site.

    Parameters
    ----------
    hosts
        The names that the Host header may have, beside a port.

    Raises
    ------
    Unauthorised
        If it does; the error says by what it is known.
    """
    headers = Headers(scope=scope)
    if not (_is_loopback(scope.get("client")) and _is_loopback(scope.get("server"))):
        raise Unauthorised(Message("asked_from_elsewhere", {"variable": KEYS_VARIABLE}))
    if any(name in _FORWARDING or name.startswith(_FORWARDED) for name in headers):
        raise Unauthorised(Message("asked_through_a_proxy", {"variable": KEYS_VARIABLE}))
    host = headers.getlist("host")
    if len(host) != 1 or _PORT.sub("", host[0].lower()) not in hosts:
        raise Unauthorised(Message("asked_by_another_name", {"variable": HOSTS_VARIABLE}))
    if not _is_same_site(headers, host[0], scope["method"]):
        raise Unauthorised(Message("asked_by_another_site"))


def _is_same_site(headers: Headers, host: str, method: str) -> bool:
    """Return whether no browser says that a page of another site asks; a link from elsewhere may lead to the page."""
    from_elsewhere = headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    pages = [origin.partition("://")[2].lower() for origin in headers.getlist("origin")]
    return not (from_elsewhere and method == "POST") and all(page == host.lower() for page in pages)


def _is_loopback(address: tuple[str, int | None] | None) -> bool:
    """Return whether an address is this machine's own; a Unix socket has a path for an address, or none."""
    if address is None or not address[0] or address[0].startswith("/"):
        return True
    try:
        ip = ip_address(address[0])
    except ValueError:
        return False
    return bool(((isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip).is_loopback)


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
        raise FactError(Message("rate_limit_invalid", {"variable": RATE_VARIABLE}))
    return RateLimits(int(value))


class WrongKeys:
    """What slows whoever tries keys: every wrong one waits for its answer, and no right one does.

    Nobody is shut out: behind a proxy all have one address, and the right key must be answered whatever others send.
    So a key is as hard to try out as it is long: 32 random bytes are never tried out.

    Parameters
    ----------
    seconds
        How long a wrong key waits.
    """

    def __init__(self, seconds: float = WRONG_KEY_SECONDS) -> None:
        self._seconds, self._waiting = seconds, 0

    async def wait(self) -> None:
        """Count a wrong key, and wait.

        Raises
        ------
        TooMany
            If so many wait already that one more would only fill the memory.
        """
        count_wrong_key()
        if self._waiting >= _MOST_WAITING:
            raise TooMany(math.ceil(self._seconds))
        self._waiting += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self._waiting -= 1


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
    hosts
        The names by which this machine may be asked where there are no keys.
    wrong_keys
        What a wrong key waits for.
    """

    keys: ApiKeys | None
    rates: RateLimits
    audited: bool = False
    max_seconds: float = RequestLimits.seconds
    hosts: frozenset[str] = _LOCAL_HOSTS
    wrong_keys: WrongKeys = field(default_factory=WrongKeys)

    @property
    def host(self) -> str:
        """The address that the service listens on by default."""
        return ALL_INTERFACES if self.keys else LOOPBACK

    async def admit(self, scope: Scope, endpoint: Endpoint) -> str:
        """Return the name of whoever asks; nobody's is empty.

        Raises
        ------
        Unauthorised
            If the request has no key of this service; or there are none, and it may come from another machine.
        Forbidden
            If the key may not ask for this.
        TooMany
            If the key has asked too often.
        """
        if self.keys is None:
            check_local(scope, self.hosts)
            return LOCAL
        if not endpoint.key:
            return ""
        authorization = dict(scope["headers"]).get(b"authorization", b"")
        key = self.keys.find(authorization)
        if key is None:
            if authorization:
                await self.wrong_keys.wait()
            raise Unauthorised(Message("key_missing"))
        self.rates.take(key.name)
        if endpoint.role and endpoint.role not in key.roles:
            raise Forbidden(Message("key_without_role", {"role": endpoint.role}))
        return key.name


def access_from(environment: Mapping[str, str] = os.environ) -> AccessConfig:
    """Return what the environment sets.

    Raises
    ------
    FactError
        If a variable holds something that cannot be used.
    """
    audited = bool(environment.get(AUDIT.variable))
    seconds = limits_from(environment).requests.seconds
    return AccessConfig(keys_from(environment), rates_from(environment), audited, seconds, hosts_from(environment))


__all__ = [
    "ALL_INTERFACES",
    "DEFAULT_RATE",
    "DEFAULT_ROLES",
    "HOSTS_VARIABLE",
    "KEYS_VARIABLE",
    "LOCAL",
    "LOOPBACK",
    "RATE_VARIABLE",
    "WRONG_KEY_SECONDS",
    "AccessConfig",
    "ApiKey",
    "ApiKeys",
    "RateLimits",
    "WrongKeys",
    "access_from",
    "check_local",
    "hosts_from",
    "keys_from",
    "rates_from",
]
