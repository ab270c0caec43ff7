"""Cautions: what a reader must know beside the numbers, as codes with parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.knowledge.dictionary import ARMS, BY_NAME, ONSET_FIELDS
from pfps_ml.knowledge.field import Arm, Field

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ENOUGH_FIELDS = 0.4  # share of the onset fields below which a risk is little more than an average
_COUNTS = 1 << 6  # more than there are onset fields


class Caution(StrEnum):
    """The codes of the cautions."""

    KNEE_PAIN_NOW = "knee_pain_now"
    RISK_ONCE_PAIN_FREE = "risk_once_pain_free"
    ARM_HARDLY_GIVEN = "arm_hardly_given"
    VALUE_BEYOND_TRAINING = "value_beyond_training"
    FEW_FIELDS_KNOWN = "few_fields_known"


@dataclass(frozen=True)
class Cautions:
    """What a bundle cautions of: the range of each number in its training data, and the message of each caution.

    `low` and `high` have shape (fields, 1). `messages` has what every bundle cautions of, then one message an arm, then
    one a field. `risk_fields` are the fields that the risk reads.
    """

    fields: tuple[str, ...]
    low: Floats
    high: Floats
    messages: tuple[Message, ...]
    risk_fields: tuple[str, ...]

    def keys(self, columns: Mapping[str, Floats], patients: Bools, rare: Bools) -> Ints:
        """Return the key that `of` reads, for every coded row: a bit a caution, and the fields known if they are few.

        Parameters
        ----------
        columns
            Coded rows, derived fields included.
        patients
            Which rows have visit fields.
        rare
            Which arms, open to the patient, were hardly ever given to similar patients, shape (arms, rows).
        """
        pain = columns["current_knee_pain"] == 1
        cautioned = np.empty((len(self.messages), len(pain)), dtype=bool)
        fixed, asked = 2 + len(rare), len(self.risk_fields)
        cautioned[0], cautioned[1], cautioned[2:fixed] = pain, patients & ~pain, rare
        x = np.array([columns[name] for name in self.fields]).reshape(len(self.fields), len(pain))
        cautioned[fixed:] = (x < self.low) | (x > self.high)
        known = asked - np.isnan(np.array([columns[name] for name in self.risk_fields])).sum(axis=0)
        known_if_few = np.where((known < _ENOUGH_FIELDS * asked) & ~pain, known + 1, 0)
        bits = np.int64(1) << np.arange(len(cautioned))
        return np.asarray(known_if_few + _COUNTS * np.where(cautioned, bits[:, None], 0).sum(axis=0))

    def of(self, key: int) -> list[Message]:
        """Return the cautions of one key."""
        bits, known_if_few = divmod(key, _COUNTS)
        cautions = [message for bit, message in enumerate(self.messages) if bits >> bit & 1]
        few = _few_fields_known(known_if_few - 1, len(self.risk_fields))
        return [*cautions, few] if known_if_few else cautions


def cautions_of(
    reference: Mapping[str, Any], arms: Sequence[Arm] = ARMS, risk_fields: Sequence[str] = ONSET_FIELDS
) -> Cautions:
    """Return what a bundle with this reference, these arms and these fields of its risk cautions of."""
    ranges = {name: (about["low"], about["high"]) for name, about in reference["fields"].items()
              if not BY_NAME[name].levels}  # fmt: skip
    low, high = np.array([*ranges.values()], dtype=np.float64).reshape(-1, 2).T[..., None]
    rare = (Message(Caution.ARM_HARDLY_GIVEN, {"arm": arm.name}) for arm in arms)
    beyond = (_beyond_training(BY_NAME[name], *ends) for name, ends in ranges.items())
    fixed = (Message(Caution.KNEE_PAIN_NOW), Message(Caution.RISK_ONCE_PAIN_FREE), *rare)
    return Cautions(tuple(ranges), low, high, (*fixed, *beyond), tuple(risk_fields))


def _beyond_training(field: Field, low: float, high: float) -> Message:
    ends = {"low": field.show(low), "high": field.show(high)}
    return Message(Caution.VALUE_BEYOND_TRAINING, {"field": field.name, **ends})


@cache
def _few_fields_known(known: int, fields: int) -> Message:
    return Message(Caution.FEW_FIELDS_KNOWN, {"known": known, "fields": fields})


__all__ = ["Caution", "Cautions", "cautions_of"]
