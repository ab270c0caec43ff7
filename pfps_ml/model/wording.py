"""The codes and texts of an assessment: cautions, reasons and measurements, each with parameters.

A caution is what a reader must know beside the numbers. In a table each row has a key, and a text is written once for
all rows that share it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Floats, Ints, Message
from pfps_ml.domain import ARMS, BY_NAME, ONSET_FIELDS, Arm, Field, Rule, rules_with
from pfps_ml.model.prediction import Prediction

_ENOUGH_FIELDS = 0.4  # share of the onset fields below which a risk is little more than an average
_COUNTS = 1 << 6  # more than there are onset fields


# rules across fields whose sentence is a caution, the gravest first
WITHHOLDING = rules_with("withhold")
CAUTIONING = (*WITHHOLDING, *rules_with("caution", kind="doubt"), *rules_with("caution", kind="red_flag"),
              *rules_with("caution", kind="unit"), *rules_with("caution", kind="eligibility"))  # fmt: skip


def _said_already() -> Bools:
    """Return of which rules a withholding rule says what they say and more: it reads all of their fields.

    The shape is (withholding, cautioning). A doubt of the diagnosis is of pathways, which a withholding rule does not
    show.
    """
    return np.array([[_says_more(stop, rule) for rule in CAUTIONING] for stop in WITHHOLDING], dtype=bool)


def _says_more(stop: Rule, rule: Rule) -> bool:
    if rule.effect != "caution":
        return False
    return rule.kind == "doubt" or (rule.kind == "red_flag" and {*rule.fields} <= {*stop.fields})


_SAID_ALREADY = _said_already()


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

    `low` and `high` have shape (fields, 1). `messages` has one message a rule across fields (what comes first is said
    first), then what every bundle cautions of, then one message an arm, then one a field. `risk_fields` are the fields
    that the risk reads.
    """

    fields: tuple[str, ...]
    low: Floats
    high: Floats
    messages: tuple[Message, ...]
    risk_fields: tuple[str, ...]

    def keys(self, columns: Mapping[str, Floats], patients: Bools, rare: Bools, fired: Bools) -> Ints:
        """Return the keys that `of` reads, for every coded row, shape (2, rows).

        The first has a bit a rule across fields. The second has a bit a further caution, and the fields known if they
        are few. One number has not bits enough for all of them.

        Parameters
        ----------
        columns
            Coded rows, derived fields included.
        patients
            Which rows have visit fields.
        rare
            Which arms, open to the patient, were hardly ever given to similar patients, shape (arms, rows).
        fired
            Which rules across fields caution of something, shape (rules, rows).
        """
        withheld = fired[: len(WITHHOLDING)]
        fired = fired & ~np.einsum("wr,wc->cr", withheld, _SAID_ALREADY)
        stopped = withheld.any(axis=0)  # no number is shown, and none is explained
        pain = (columns["current_knee_pain"] == 1) & ~stopped
        cautioned = np.empty((len(self.messages) - len(fired), len(pain)), dtype=bool)
        fixed, field_count = 2 + len(rare), len(self.risk_fields)
        cautioned[0], cautioned[1], cautioned[2:fixed] = pain, patients & ~pain & ~stopped, rare & ~stopped
        x = np.array([columns[name] for name in self.fields]).reshape(len(self.fields), len(pain))
        cautioned[fixed:] = ((x < self.low) | (x > self.high)) & ~stopped
        known = field_count - np.isnan(np.array([columns[name] for name in self.risk_fields])).sum(axis=0)
        known_if_few = np.where((known < _ENOUGH_FIELDS * field_count) & ~pain & ~stopped, known + 1, 0)
        return np.array([_bits(fired), known_if_few + _COUNTS * _bits(cautioned)])

    def of(self, rules: int, others: int) -> list[Message]:
        """Return the cautions of a row from its two keys, rules across fields first."""
        bits, known_if_few = divmod(int(others), _COUNTS)
        bits = int(rules) | bits << len(CAUTIONING)
        cautions = [message for bit, message in enumerate(self.messages) if bits >> bit & 1]
        sparse = _few_fields_known(known_if_few - 1, len(self.risk_fields))
        return [*cautions, sparse] if known_if_few else cautions


def _bits(flags: Bools) -> Ints:
    """Return one number a row, in which each of the flags of shape (flags, rows) is a bit."""
    return np.asarray(np.where(flags, np.int64(1) << np.arange(len(flags))[:, None], 0).sum(axis=0), dtype=np.int64)


def cautions_of(
    reference: Mapping[str, Any], arms: Sequence[Arm] = ARMS, risk_fields: Sequence[str] = ONSET_FIELDS
) -> Cautions:
    """Return what a bundle with this reference, these arms and these fields of its risk cautions of."""
    ranges = {name: (about["low"], about["high"]) for name, about in reference["fields"].items()
              if not BY_NAME[name].levels}  # fmt: skip
    low, high = np.array([*ranges.values()], dtype=np.float64).reshape(-1, 2).T[..., None]
    rare = (Message(Caution.ARM_HARDLY_GIVEN, {"arm": arm.name}) for arm in arms)
    beyond = (_beyond_training(BY_NAME[name], *ends) for name, ends in ranges.items())
    across = (rule.message for rule in CAUTIONING)
    fixed = (Message(Caution.KNEE_PAIN_NOW), Message(Caution.RISK_ONCE_PAIN_FREE), *rare)
    return Cautions(tuple(ranges), low, high, (*across, *fixed, *beyond), tuple(risk_fields))


def _beyond_training(field: Field, low: float, high: float) -> Message:
    ends = {"low": field.show(low), "high": field.show(high)}
    return Message(Caution.VALUE_BEYOND_TRAINING, {"field": field.name, **ends})


@cache
def _few_fields_known(known: int, fields: int) -> Message:
    return Message(Caution.FEW_FIELDS_KNOWN, {"known": known, "fields": fields})


SILENT = -1  # the key of a row without a text
_SMALLEST = 0.05  # percentage points: what would move a risk by less is not worth a measurement
_RECENT = 1 << 14  # reasons whose texts are kept ready for single assessments
# more than any field has values to show, than there are tenths of points to both sides, than a field has parts
_SHOWN, _TENTHS, _PARTS = 1 << 24, 1 << 12, 1 << 4


def as_categorical(keys: Ints, text_of: Callable[[int], str]) -> pd.Categorical:
    """Return the texts of some rows as a categorical column: every distinct text is written once.

    Parameters
    ----------
    keys
        What each row says, shape (rows,); SILENT for nothing.
    text_of
        Writes the text of a key; two keys never share a text.
    """
    places, distinct = numbered(keys)
    return listed(places, [text_of(key) for key in distinct])


def numbered(keys: Ints) -> tuple[Ints, list[int]]:
    """Return the place of each row's key in the list of distinct keys, SILENT for a silent row, and that list."""
    places = np.full(len(keys), SILENT, dtype=np.int64)
    speaking = keys != SILENT
    places[speaking], distinct = pd.factorize(keys[speaking])
    return places, [int(key) for key in distinct]


def numbered_pairs(keys: Ints) -> tuple[Ints, list[tuple[int, int]]]:
    """Return the place of each row's pair of keys, shape (2, rows), in the list of distinct pairs, and that list."""
    (first, firsts), (second, seconds) = pd.factorize(keys[0]), pd.factorize(keys[1])
    places, pairs = pd.factorize(first * len(seconds) + second)
    return places, [(int(firsts[pair // len(seconds)]), int(seconds[pair % len(seconds)])) for pair in pairs]


def listed(places: Ints, texts: Sequence[str]) -> pd.Categorical:
    """Return the texts of some rows from their places in a list; SILENT for nothing.

    Texts may repeat: several keys may have the same codes.
    """
    distinct = dict.fromkeys(texts)
    if len(distinct) == len(texts):
        return pd.Categorical.from_codes(places, pd.Index(list(texts), dtype="str"))
    order = {text: place for place, text in enumerate(distinct)}
    merged = np.array([*(order[text] for text in texts), SILENT], dtype=np.int64)  # SILENT is the last place
    return pd.Categorical.from_codes(merged[places], pd.Index(list(distinct), dtype="str"))


def reason_message(field: Field, value: float, points: float) -> Message:
    """Return one reason: a coded value, and the percentage points that it adds to the risk."""
    return _reason(field.name, round(value * 10**field.decimals), round(10 * points))


def reason_columns(
    inputs: Floats, predicted: Prediction, secant: Floats, scored: Bools, count: int
) -> Iterator[pd.Categorical]:
    """Yield the largest reasons of every row, largest first; of equals, the first field's.

    Parameters
    ----------
    inputs
        The values of the explained fields, shape (fields, rows).
    secant
        Percentage points per log-odds of every row.
    scored
        Which rows have reasons.
    """
    parts, rows, fields = predicted.contributions.T, np.arange(len(scored)), predicted.fields
    scales = np.array([10.0 ** BY_NAME[name].decimals for name in fields])
    size = np.abs(parts)
    for _ in range(count):
        at = size.argmax(axis=0)
        part = parts[at, rows]
        speaking = scored & (part != 0)
        shown = _whole(np.where(speaking, inputs[at, rows], 0.0) * scales.take(at)) + _SHOWN // 2
        keys = (at * _SHOWN + shown) * _TENTHS + _whole(10 * (part * secant)) + _TENTHS // 2
        yield as_categorical(np.where(speaking, keys, SILENT), lambda key: _reason_of(fields, key).text)
        size[at, rows] = -1.0


def measure_column(
    columns: Mapping[str, Floats], fields: Sequence[str], gain_of_fields: Floats, scored: Bools
) -> pd.Categorical:
    """Return what to measure next in every row and by how much that would move the risk, unless by hardly anything.

    Parameters
    ----------
    columns
        Coded rows.
    fields, gain_of_fields
        What may be measured, and what is gained, percentage points, shape (fields, rows).
    scored
        Which rows have a risk.
    """
    best = gain_of_fields.argmax(axis=0)
    gain = gain_of_fields[best, np.arange(len(best))]
    missing = np.zeros(len(best), dtype=np.int64)
    for at, name in enumerate(fields):
        for place, part in enumerate(BY_NAME[name].parts):
            missing |= np.where((best == at) & np.isnan(columns[part]), 1 << place, 0)
    keys = (best * _PARTS + missing) * _TENTHS + _whole(10 * gain)
    return as_categorical(
        np.where(scored & (gain >= _SMALLEST), keys, SILENT), lambda key: _measure_of(fields, key).text
    )


def measure_message(fields: tuple[str, ...], points: float) -> Message:
    """Return what to measure next: the fields that a person can enter, and by how much that would move the risk.

    Parameters
    ----------
    fields
        Names.
    points
        The expected absolute change of the risk, percentage points.
    """
    return _measure(fields, round(10 * points))


@cache
def labels(names: tuple[str, ...]) -> str:
    """Return how a report names some fields together."""
    return " and ".join(BY_NAME[name].label for name in names)


@lru_cache(_RECENT)
def _reason(name: str, shown: int, tenths: int) -> Message:
    field = BY_NAME[name]
    value = field.show(shown / 10**field.decimals)
    return Message("reason", {"field": name, "value": value, "points": tenths / 10})


@lru_cache(_RECENT)
def _measure(names: tuple[str, ...], tenths: int) -> Message:
    return Message("measure_next", {"fields": list(names), "points": tenths / 10})


def _reason_of(fields: Sequence[str], key: int) -> Message:
    quotient, tenths = divmod(key, _TENTHS)
    at, shown = divmod(quotient, _SHOWN)
    return _reason.__wrapped__(fields[at], shown - _SHOWN // 2, tenths - _TENTHS // 2)


def _measure_of(fields: Sequence[str], key: int) -> Message:
    quotient, tenths = divmod(key, _TENTHS)
    at, missing = divmod(quotient, _PARTS)
    parts = tuple(part for place, part in enumerate(BY_NAME[fields[at]].parts) if missing >> place & 1)
    return _measure.__wrapped__(parts or (fields[at],), tenths)


def _whole(x: Floats) -> Ints:
    return np.rint(x).astype(np.int64)


__all__ = [
    "CAUTIONING",
    "SILENT",
    "WITHHOLDING",
    "Caution",
    "Cautions",
    "as_categorical",
    "cautions_of",
    "labels",
    "listed",
    "measure_column",
    "measure_message",
    "numbered",
    "numbered_pairs",
    "reason_columns",
    "reason_message",
]  # fmt: skip
