"""Who may ask, how often, and how long an answer may take: read from the environment once, at the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from serving import journal
from serving.keys import Keys, keys_from
from serving.rates import Rates, rates_from

PATIENCE = 60.0  # seconds from a request's first byte to the last of its answer
EVERYWHERE, HERE = "0.0.0.0", "127.0.0.1"  # noqa: S104 (only with keys)


@dataclass(frozen=True)
class Door:
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

    keys: Keys | None
    rates: Rates
    audited: bool = False
    patience: float = PATIENCE

    @property
    def host(self) -> str:
        """Where the service listens unless told otherwise."""
        return EVERYWHERE if self.keys else HERE


def door_from(environment: Mapping[str, str] = os.environ) -> Door:
    """Return what the environment asks for.

    Raises
    ------
    FactError
        If a variable says something that cannot be done.
    """
    return Door(keys_from(environment), rates_from(environment), bool(environment.get(journal.AUDIT)))


__all__ = ["EVERYWHERE", "HERE", "PATIENCE", "Door", "door_from"]
