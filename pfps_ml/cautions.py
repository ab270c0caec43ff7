"""Cautions: what a reader must know beside the numbers, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import ARMS, BY_NAME, ONSET_FIELDS
from pfps_ml.knowledge.field import Arm, Field

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KNEE_PAIN = "Has knee pain now: not scored for onset; a visit is advised."
VISIT_AND_RISK = "Visit fields were given: the risk is that of a new episode once the knee is free of pain."
_FEW = 0.4  # share of the onset fields below which a risk is little more than an average
_COUNTS = 1 << 6  # more than there are onset fields


@dataclass(frozen=True)
class Cautions:
    """What a bundle cautions of: of every number the range that its training data had, and the words for all of it.

    `low` and `high` have shape (fields, 1); `texts` has what every bundle cautions of, then a text an arm, then one a
    field. `asked` are the fields that the risk reads.
    """

    fields: tuple[str, ...]
    low: Floats
    high: Floats
    texts: tuple[str, ...]
    asked: tuple[str, ...]

    def keys(self, columns: Mapping[str, Floats], patients: Bools, rare: Bools) -> Ints:
        """Return what `said` of every coded row reads: how many fields are known if few are, then a bit a caution.

        Parameters
        ----------
        columns
            Coded rows, derived fields included.
        patients
            Which rows have visit fields.
        rare
            Which arms, open to the patient, were hardly ever given to the like, shape (arms, rows).
        """
        pain = columns["current_knee_pain"] == 1
        noted = np.empty((len(self.texts), len(pain)), dtype=bool)
        fixed = 2 + len(rare)
        noted[0], noted[1], noted[2:fixed] = pain, patients & ~pain, rare
        x = np.array([columns[name] for name in self.fields]).reshape(len(self.fields), len(pain))
        noted[fixed:] = (x < self.low) | (x > self.high)
        given = len(self.asked) - np.isnan(np.array([columns[name] for name in self.asked])).sum(axis=0)
        few = np.where((given < _FEW * len(self.asked)) & ~pain, given + 1, 0)
        bits = np.int64(1) << np.arange(len(noted))
        return np.asarray(few + _COUNTS * np.where(noted, bits[:, None], 0).sum(axis=0))

    def said(self, key: int) -> list[str]:
        """Return the cautions of one key."""
        noted, few = divmod(key, _COUNTS)
        texts = [text for bit, text in enumerate(self.texts) if noted >> bit & 1]
        if few:
            texts.append(f"Only {few - 1} of {len(self.asked)} fields are known: close to an average.")
        return texts


def cautions_of(
    reference: Mapping[str, Any], arms: Sequence[Arm] = ARMS, asked: Sequence[str] = ONSET_FIELDS
) -> Cautions:
    """Return what a bundle with this reference, these arms and these fields of its risk cautions of."""
    ranges = {name: (about["low"], about["high"]) for name, about in reference["fields"].items()
              if not BY_NAME[name].levels}  # fmt: skip
    low, high = np.array([*ranges.values()], dtype=np.float64).reshape(-1, 2).T[..., None]
    rare = (f"{arm.label}: hardly any patient like this one was given it; what is said of it is taken from others."
            for arm in arms)  # fmt: skip
    outside = (_outside(BY_NAME[name], *ends) for name, ends in ranges.items())
    return Cautions(tuple(ranges), low, high, (KNEE_PAIN, VISIT_AND_RISK, *rare, *outside), tuple(asked))


def _outside(field: Field, low: float, high: float) -> str:
    return f"{field.label} is outside what the model has seen ({field.show(low)} to {field.show(high)})."


__all__ = ["KNEE_PAIN", "VISIT_AND_RISK", "Cautions", "cautions_of"]
