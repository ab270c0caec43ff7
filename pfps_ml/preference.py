"""The preference between pathways: which stay acceptable to a patient, which is preferred, and why none is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import ARMS
from pfps_ml.learning.gate import RIVALS, Gate

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
NONE = -1  # the place of the preferred arm where there is none
NO_PREFERENCE = "No clear preference: "
NOT_GATED = NO_PREFERENCE + "no pathway has been shown to suit this patient better than another one would."


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


def preference_text(acceptable: Sequence[str], preferred: str | None, gate: Gate | None) -> str:
    """Say in plain words which pathway is preferred, or why none is."""
    labels = {arm.name: arm.label for arm in ARMS}
    if preferred is not None:
        return f"{labels[preferred]}: likelier to succeed than every other open pathway, beyond what is uncertain."
    if gate is None:
        return NOT_GATED
    if gate.failed:
        rivals = " and ".join(RIVALS[each.against] for each in gate.failed)
        return (
            f"{NO_PREFERENCE}on patients that it had not seen, the model's effects for each patient were not shown to "
            f"be nearer to the truth than {rivals}."
        )
    *others, last = [labels[name] for name in acceptable]
    return f"{NO_PREFERENCE}the intervals of {', '.join(others)} and {last} overlap: any of them may be the best."


__all__ = ["NONE", "NOT_GATED", "NO_PREFERENCE", "Preferences", "preference_text", "preferences"]
