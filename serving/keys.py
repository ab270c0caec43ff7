"""Who may ask: keys that are kept as their SHA-256 only, compared in constant time."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pfps_ml.errors import FactError

VARIABLE = "PFPS_API_KEYS"
LOCAL = "local"  # who asks where there are no keys
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEME = b"bearer "
_ADVICE = (
    f"Set {VARIABLE} to keys with commas between them, or to the absolute path of a file with the SHA-256 of a key "
    "in each line, and a name after it if you like: printf %s KEY | sha256sum"
)


@dataclass(frozen=True)
class Keys:
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


def keys_from(environment: Mapping[str, str]) -> Keys | None:
    """Return the keys that the environment gives, or None if it gives none.

    Raises
    ------
    FactError
        If there is something that holds no keys: a service that was meant to have some must not do without.
    """
    value = environment.get(VARIABLE, "")
    if not value:
        return None
    digests = _of_file(Path(value)) if value.startswith("/") else _of_list(value)
    if not digests:
        raise FactError(f"expected at least one key, got none. {_ADVICE}")
    return Keys({name or digest[:8]: bytes.fromhex(digest) for digest, name in digests})


def _of_list(value: str) -> list[tuple[str, str]]:
    return [(sha256(key.encode()).hexdigest(), "") for key in map(str.strip, value.split(",")) if key]


def _of_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise FactError(f"expected a file of keys that can be read, got none at the path in {VARIABLE}. "
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


__all__ = ["LOCAL", "VARIABLE", "Keys", "keys_from"]
