"""The gate on a trial whose truth is known, since it was dealt: nobody responds, or responders were planted.

The fields and the arms are those of the trial. Where one of both is dealt anew, no field can say who responds, and a
gate that is passed invents responders; where responders are planted, one that is not passed overlooks them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.trial_effects import SEED, Patients, decided
from pfps_ml.core import Ints, NDArray, generator
from pfps_ml.domain import ARMS, REFERENCE_ARM, SUCCESS
from pfps_ml.model import NONE
from pfps_ml.training.candidates import quiet

TIMES = 20
_LIKELY, _ELSE = 0.75, 0.35  # of success with the arm that suits a patient, and with any other
_NAMES = np.array([arm.name for arm in ARMS], dtype=object)


@dataclass(frozen=True)
class Dealt:
    """What came of a trial that was dealt many times.

    Attributes
    ----------
    name, label
        Which way.
    times, passed
        How often it was dealt, and how often the gate was passed.
    named
        Mean share of patients for whom a preference was named.
    right
        Share of these preferences that were right; NaN where there was none, or none can be right.
    """

    name: str
    label: str
    times: int
    passed: int
    named: float
    right: float


def dealt(patients: Patients, times: int = TIMES) -> list[Dealt]:
    """Deal a trial anew in every way: so many times where nobody responds, fewer with planted responders."""
    with quiet():
        return [_counted(name, label, patients, max(times // part, 1)) for name, (label, part, _) in _WAYS.items()]


def _counted(name: str, label: str, patients: Patients, times: int) -> Dealt:
    passed, named, right = 0, 0, 0
    for at in range(times):
        new, suits = _WAYS[name][2](patients, f"{name}/{at}")
        model, told = decided(new)
        some = told.preferred != NONE
        passed += model.gate_.passed
        named += int(some.sum())
        right += int((_NAMES[told.preferred[some]] == suits[some]).sum())
    return Dealt(name, label, times, passed, named / times / len(patients.X), right / named if named else np.nan)


def _other_arms(patients: Patients, stream: str) -> tuple[Patients, NDArray[np.object_]]:
    order = _order(patients, stream)
    return replace(patients, arm=patients.arm.iloc[order].reset_index(drop=True)), _nobody(patients)


def _other_fields(patients: Patients, stream: str) -> tuple[Patients, NDArray[np.object_]]:
    order = _order(patients, stream)
    return replace(patients, X=patients.X.iloc[order].reset_index(drop=True)), _nobody(patients)


def _planted(patients: Patients, stream: str) -> tuple[Patients, NDArray[np.object_]]:
    """Let the younger half respond to the first active arm that somebody had, and the older half to usual care."""
    had = [name for name in _NAMES if name != REFERENCE_ARM and (patients.arm == name).any()]
    age = patients.X["age_years"].to_numpy()
    suits = np.where(age < np.median(age), had[0], REFERENCE_ARM).astype(object)
    chance = np.where(patients.arm.to_numpy() == suits, _LIKELY, _ELSE)
    success = (generator(SEED, stream).random(len(age)) < chance).astype(float)
    return replace(patients, outcomes=pd.DataFrame({SUCCESS.column: success})), suits


def _nobody(patients: Patients) -> NDArray[np.object_]:
    return np.full(len(patients.X), "", dtype=object)


def _order(patients: Patients, stream: str) -> Ints:
    """Return the rows in another order; within their club where a club randomised."""
    random, order = generator(SEED, stream), np.arange(len(patients.X))
    groups = np.zeros(len(order)) if patients.club is None else patients.club
    for rows in pd.Series(order).groupby(groups).indices.values():
        order[rows] = random.permutation(rows)
    return order


_WAYS: dict[str, tuple[str, int, Callable[[Patients, str], tuple[Patients, NDArray[np.object_]]]]] = {
    "arms": ("arms dealt anew: no arm differs from another for anybody", 1, _other_arms),
    "fields": ("fields dealt anew: mean effects stay, no field says who responds", 1, _other_fields),
    "planted": (
        f"responders planted: success {_LIKELY:.0%} with the arm that suits the patient's age, else {_ELSE:.0%}",
        4,
        _planted,
    ),
}

__all__ = ["TIMES", "Dealt", "dealt"]
