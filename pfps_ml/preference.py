"""The preference between pathways: which stay acceptable to a patient, which is preferred, and why none is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.learning.gate import Gate, Rival

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
NONE = -1  # the place of the preferred arm where there is none


class Reason(StrEnum):
    """The codes of why an arm is preferred, or none is."""

    PREFERRED = "arm_preferred"
    NOT_JUDGED = "no_preference_not_judged"
    GATE_FAILED = "no_preference_gate_failed"
    INTERVALS_OVERLAP = "no_preference_intervals_overlap"


@dataclass(frozen=True)
class Preferences:
    """Which arms stay acceptable, shape (arms, rows), and the place of the preferred one or `NONE`, shape (rows,)."""

    acceptable: Bools
    preferred: Ints


def preferences(better: Bools, eligible: Bools, gate: Gate | None) -> Preferences:
    """Leave out what another pathway, open to the patient too, is shown to be better than.

    Parameters
    ----------
    better
        Whether the interval of the first arm's lead over the second lies above none, shape (arms, arms, rows).
    eligible
        Which arms are open, shape (arms, rows).
    gate
        The verdict on the effects; without one that is passed, every open pathway stays.
    """
    if gate is None or not gate.passed:
        return Preferences(eligible, np.full(eligible.shape[1], NONE))
    acceptable = eligible & ~(better & eligible[:, None]).any(axis=0)
    only = acceptable.sum(axis=0) == 1
    return Preferences(acceptable, np.where(only, acceptable.argmax(axis=0), NONE))


def preference_message(acceptable: Sequence[str], preferred: str | None, gate: Gate | None) -> Message:
    """Return which pathway is preferred, or why none is.

    Parameters
    ----------
    acceptable, preferred
        Names of arms.
    gate
        The verdict on the effects; None if it was never asked.
    """
    failed = None if gate is None else tuple(comparison.against for comparison in gate.failed)
    return _message(tuple(acceptable), preferred, failed)


@cache  # as many as there are sets of arms
def _message(acceptable: tuple[str, ...], preferred: str | None, failed: tuple[Rival, ...] | None) -> Message:
    if preferred is not None:
        return Message(Reason.PREFERRED, {"arm": preferred})
    if failed is None:
        return Message(Reason.NOT_JUDGED)
    if failed:
        return Message(Reason.GATE_FAILED, {"rivals": [str(rival) for rival in failed]})
    return Message(Reason.INTERVALS_OVERLAP, {"arms": list(acceptable)})


__all__ = ["NONE", "Preferences", "Reason", "preference_message", "preferences"]
