"""Policies: what choosing pathways by the model is worth, and how often a preference is named and right.

A policy names one arm for every patient. Its value is the mean success if all patients had that arm. It is compared
with simple rules, without the truth and, in simulated cohorts, against it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.core import CohortError, Floats, Message
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.evaluation.effects import clustered_mean, policy_share
from pfps_ml.evaluation.metrics import LEVEL

Choices = npt.NDArray[np.object_]
BEST, AS_TREATED = "best_predicted", "as_treated"
_ARM_LABELS = {arm.name: arm.label for arm in ARMS}
POLICY_LABELS = {
    BEST: "Best predicted arm for each patient",
    REFERENCE_ARM: f"{_ARM_LABELS[REFERENCE_ARM]} for everybody",
    **{name: f"{_ARM_LABELS[name]} for all who may have it" for name in ACTIVE_ARMS},
    AS_TREATED: "As the clinics chose",
}


def simple_policies(outcome: pd.DataFrame, eligible: pd.DataFrame) -> dict[str, Choices]:
    """Return the policies that are compared: the best predicted eligible arm, usual care for all, and each arm for all.

    Patients who may not have an arm have usual care instead. A tie goes to the arm that the dictionary names first.
    """
    names = [arm.name for arm in ARMS]
    predicted = np.where(eligible[names].to_numpy(bool), outcome[names].to_numpy(float), -np.inf)
    policies = {BEST: np.array(names, dtype=object)[predicted.argmax(axis=1)]}
    for name in names:
        policies[name] = np.where(eligible[name].to_numpy(bool), name, REFERENCE_ARM).astype(object)
    return policies


def policy_values(
    y: npt.ArrayLike, scores: pd.DataFrame, choices: Mapping[str, Choices], groups: npt.ArrayLike
) -> pd.DataFrame:
    """Return the doubly robust value of each policy, and how far the first one leads each other, with intervals.

    Parameters
    ----------
    y
        Success, 0 or 1: the value of what the clinics did is its mean.
    scores
        What `arm_scores` returned.
    choices
        One arm a patient for each policy, made without looking at these patients' outcomes.
    groups
        The clinic or club of each patient.

    Returns
    -------
    DataFrame
        policy, label, value, low, high (95 %), lead, lead_low, lead_high: the first policy's value minus this one's.
        The last row is what the clinics did. An interval of a lead that holds 0 says that choosing by the model has
        not been shown to do better, or worse, than that rule.
    """
    names, rows = list(scores.columns), []
    gained = {policy: _picked(scores, names, chosen) for policy, chosen in choices.items()}
    gained[AS_TREATED] = np.asarray(y, dtype=float)
    first = next(iter(gained))
    for policy, values in gained.items():
        value, low, high = clustered_mean(values, groups, LEVEL)
        lead, lead_low, lead_high = clustered_mean(gained[first] - values, groups, LEVEL)
        rows.append({"policy": policy, "label": POLICY_LABELS.get(policy, policy), "value": value, "low": low,
                     "high": high, "lead": lead, "lead_low": lead_low, "lead_high": lead_high})  # fmt: skip
    return pd.DataFrame(rows)


def policy_regret(choices: Mapping[str, Choices], truth: pd.DataFrame, eligible: pd.DataFrame) -> pd.DataFrame:
    """Return what each policy is truly worth, in a simulated cohort.

    Returns
    -------
    DataFrame
        policy, label, value (mean true success), regret (what the best eligible arm for each patient would add),
        share (see `policy_share`), right (share of patients for whom no eligible arm is better).

    Raises
    ------
    CohortError
        As `policy_share`.
    """
    names, rows = [arm.name for arm in ARMS], []
    best = np.where(eligible[names].to_numpy(bool), truth[names].to_numpy(float), -np.inf).max(axis=1)
    for policy, chosen in choices.items():
        share, value = policy_share(chosen, truth, eligible), _picked(truth, names, chosen)
        rows.append({"policy": policy, "label": POLICY_LABELS.get(policy, policy), "value": value.mean(),
                     "regret": (best - value).mean(), "share": share, "right": (value >= best).mean()})  # fmt: skip
    return pd.DataFrame(rows)


def _picked(frame: pd.DataFrame, names: list[str], chosen: Choices) -> Floats:
    at = pd.Index(names).get_indexer(pd.Index(chosen))
    if odd := int((at < 0).sum()):
        raise CohortError(Message("choices_not_arms", {"arms": list(names), "others": odd}))
    return np.asarray(frame[names].to_numpy(float)[np.arange(len(at)), at])


_NAMES = [arm.name for arm in ARMS]
_THIRDS = ("All patients", "Least overlap", "Middle third of overlap", "Most overlap")


def preference_table(
    acceptable: pd.DataFrame,
    preferred: npt.ArrayLike,
    eligible: pd.DataFrame,
    propensity: pd.DataFrame,
    truth: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return how far the choice is narrowed, over all patients and by thirds of overlap.

    Parameters
    ----------
    acceptable
        Whether each arm stays acceptable, one column an arm.
    preferred
        The arm that is preferred, or "none", for each patient.
    eligible
        Whether each arm may be offered to the patient.
    propensity
        Estimated chance of each arm; a patient's overlap is the smallest among the arms that they may have.
    truth
        True probability of success under each arm, in a simulated cohort.

    Returns
    -------
    DataFrame
        patients, n, kept (mean share of the eligible arms that stay acceptable), named (share for whom an arm is
        preferred), and with the truth: best_kept (share for whom a truly best eligible arm stays acceptable), right
        (share of the preferred arms that are truly best; NaN where none is named).
    """
    open_to, still_acceptable = (frame[_NAMES].to_numpy(bool) for frame in (eligible, acceptable))
    chosen = np.asarray(preferred)
    at = pd.Index(_NAMES).get_indexer(pd.Index(chosen))
    columns = {"kept": (still_acceptable & open_to).sum(axis=1) / open_to.sum(axis=1), "named": (at >= 0).astype(float)}
    if truth is not None:
        success = np.where(open_to, truth[_NAMES].to_numpy(float), -np.inf)
        best = success >= success.max(axis=1, keepdims=True)
        right = best[np.arange(len(at)), np.maximum(at, 0)]
        columns |= {
            "best_kept": (best & still_acceptable).any(axis=1).astype(float),
            "right": np.where(at >= 0, right, np.nan),
        }
    overlap = np.where(open_to, propensity[_NAMES].to_numpy(float), np.inf).min(axis=1)
    third = np.searchsorted(np.quantile(overlap, [1 / 3, 2 / 3]), overlap) + 1
    rows = pd.DataFrame(columns)
    parts = [np.ones(len(rows), dtype=bool), *(third == part for part in (1, 2, 3))]
    return pd.DataFrame(
        [
            {"patients": name, "n": int(members.sum()), **rows[members].mean()}
            for name, members in zip(_THIRDS, parts, strict=True)
        ]
    )


__all__ = [
    "AS_TREATED", "BEST", "POLICY_LABELS", "policy_regret", "policy_values", "preference_table", "simple_policies",
]  # fmt: skip
