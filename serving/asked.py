"""The request in hand: who asks, what was sent, and what answered it; for the guard, the header and the audit."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Asked:
    """What is known of a request.

    Attributes
    ----------
    owner
        The name of the key.
    digest
        SHA-256 of the body, while an audit is kept.
    bundle
        The bundle that answered; None if none did.
    answered
        What the audit says of the answer.
    """

    owner: str = ""
    digest: str = ""
    bundle: str | None = None
    answered: dict[str, Any] = field(default_factory=dict)


ASKED: ContextVar[Asked] = ContextVar("asked")


def answered(bundle: str, **facts: Any) -> None:
    """Note which bundle answered the request in hand, and what the audit says of the answer."""
    asked = ASKED.get()
    asked.bundle, asked.answered = bundle, facts


__all__ = ["ASKED", "Asked", "answered"]
