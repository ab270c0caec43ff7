"""Preferences between pathways: the gate that models must pass, which arms stay acceptable, which is preferred.

The gate: a preference is named only where the effects beat simpler ones on held-out patients. Each patient's effect of
an arm is scored by a doubly robust pseudo-outcome (Kennedy 2023), whose mean is the effect if either the propensity or
the outcome model is right; the loss of an effect is its squared distance from that.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Floats, Ints, Message, NDArray, sentence
from pfps_ml.domain import ACTIVE_ARMS, REFERENCE_ARM
from pfps_ml.model.additive import DECIMALS

LEVEL = 0.05  # one-sided, of each comparison; all are required


class Rival(StrEnum):
    """A simpler account of the effects, which ours are compared with; labels stand in the catalogue (`rival.*`)."""

    ZERO_EFFECT = "zero_effect"
    ONE_DIFFERENCE = "one_difference"
    ONE_ODDS_RATIO = "one_odds_ratio"

    @property
    def label(self) -> str:
        """How a report names it."""
        return sentence(f"rival.{self}")


RIVALS = tuple(Rival)


@dataclass(frozen=True)
class Comparison:
    """How much lower the loss of our effects is than a rival's: mean over patients, standard error, one-sided p."""

    against: Rival
    difference: float
    standard_error: float
    p: float

    @property
    def passed(self) -> bool:
        """Whether our effects are shown to be better."""
        return self.p < LEVEL


@dataclass(frozen=True)
class Gate:
    """The verdict: the comparisons of our effects with simpler ones."""

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Whether a preference may be named."""
        return not self.failed

    @property
    def failed(self) -> tuple[Comparison, ...]:
        """The comparisons in which our effects are not shown to be better."""
        return tuple(comparison for comparison in self.comparisons if not comparison.passed)


@dataclass(frozen=True)
class Held:
    """Patients on whom effects are judged: success, arm, which arms are open, and the chance of each (above zero).

    `groups` says who is counted together, such as the patients of a clinic; without it everybody is counted alone.
    """

    y: Floats
    arm_of_patients: NDArray[np.object_]
    eligible: pd.DataFrame
    chance: pd.DataFrame
    groups: NDArray[Any] | None = None


def judge(patients: Held, predicted: pd.DataFrame, unmodified: pd.DataFrame, constant: pd.DataFrame) -> Gate:
    """Compare our effects with the three rivals.

    Parameters
    ----------
    patients
        The patients.
    predicted
        Our probability of success under each arm, from models that did not see these patients.
    unmodified
        The same from a model with one odds ratio an arm; it is the outcome model of the pseudo-outcomes, so that
        these do not lean to us.
    constant
        One difference an active arm, the same for all patients of a fold.
    """
    zero = np.zeros((len(patients.y), len(ACTIVE_ARMS)))
    rivals = {
        Rival.ZERO_EFFECT: zero,
        Rival.ONE_DIFFERENCE: constant[list(ACTIVE_ARMS)].to_numpy(),
        Rival.ONE_ODDS_RATIO: _effects(unmodified),
    }
    score = pd.DataFrame({name: _score(patients, name, unmodified[name].to_numpy()) for name in map(str, unmodified)})
    # the effect of an arm that nobody had is the prior's: these patients cannot judge it
    had = np.array([(patients.arm_of_patients == name).any() for name in ACTIVE_ARMS])
    open_to, outcome = patients.eligible[list(ACTIVE_ARMS)].to_numpy() & had, _effects(score)
    loss = np.where(open_to, (outcome - _effects(predicted)) ** 2, 0.0).sum(axis=1)
    excess_losses = {
        rival: np.where(open_to, (outcome - effect) ** 2, 0.0).sum(axis=1) - loss for rival, effect in rivals.items()
    }
    return Gate(tuple(_compared(rival, gain, patients.groups) for rival, gain in excess_losses.items()))


def gate_to_json(gate: Gate) -> dict[str, Any]:
    """Return the verdict as plain JSON values."""
    comparisons = [
        {**asdict(comparison), "label": comparison.against.label, "passed": comparison.passed}
        for comparison in gate.comparisons
    ]
    return {"passed": gate.passed, "level": LEVEL, "comparisons": comparisons}


def gate_from_json(content: Any) -> Gate:
    """Build the verdict from plain JSON values; whether it passed is worked out again.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is of another shape, or lacks a rival.
    """
    comparisons = tuple(
        Comparison(Rival(row["against"]), *(float(row[name]) for name in ("difference", "standard_error", "p")))
        for row in content["comparisons"]
    )
    if tuple(row.against for row in comparisons) != RIVALS or not all(0 <= row.p <= 1 for row in comparisons):
        raise ValueError("a verdict of the gate that lacks a comparison")
    return Gate(comparisons)


def _effects(success: pd.DataFrame) -> Floats:
    return np.column_stack([(success[name] - success[REFERENCE_ARM]).to_numpy() for name in ACTIVE_ARMS])


def _score(patients: Held, name: str, expected: Floats) -> Floats:
    residual = (patients.y - expected) / patients.chance[name].to_numpy()
    return np.asarray(expected + np.where(patients.arm_of_patients == name, residual, 0.0))


def _compared(rival: Rival, gain: Floats, groups: NDArray[Any] | None) -> Comparison:
    difference = float(gain.mean())
    if groups is None:
        error = float(gain.std(ddof=1) / math.sqrt(len(gain)))
        # effects that are everywhere those of the rival are not better
        p = 0.5 * math.erfc(difference / error / math.sqrt(2)) if error > 0 else 1.0
    else:
        error, p = _over(gain, groups)
    # as many decimals as a table entry: the last bits depend on how many threads a machine adds up with
    return Comparison(rival, *(round(figure, DECIMALS) for figure in (difference, error, p)))


def _over(gain: Floats, groups: NDArray[Any]) -> tuple[float, float]:
    """Return the standard error of a mean and its one-sided p value, by leaving out one group after the other."""
    from scipy.special import stdtr  # judging only

    codes = pd.factorize(groups)[0]
    sums, sizes = np.bincount(codes, weights=gain), np.bincount(codes)
    if len(sums) < 2:
        return 0.0, 1.0  # one clinic says nothing of others
    gaps = (gain.sum() - sums) / (len(gain) - sizes) - gain.mean()
    error = float(np.sqrt((len(sums) - 1) / len(sums) * (gaps**2).sum()))
    return error, float(stdtr(len(sums) - 1, -gain.mean() / error)) if error > 0 else 1.0


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
        The verdict on the effects; None if there is none.
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


__all__ = [
    "LEVEL", "NONE", "RIVALS", "Comparison", "Gate", "Held", "Preferences", "Reason", "Rival", "gate_from_json",
    "gate_to_json", "judge", "preference_message", "preferences",
]  # fmt: skip
