"""Outcomes that went missing: how many under each arm, what they could change, and weights for those who stayed.

Whoever stayed is weighted by the inverse of the chance to stay, estimated from arm and recorded fields on patients of
other folds: that is right if nothing else decided who stayed (Robins, Rotnitzky and Zhao 1995). What it cannot promise
is bounded: the worst case gives every missing outcome of one arm a success and every one of the other none (Manski).
"""

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Floats, Message, NDArray, expit, fit_logistic, generator
from pfps_ml.domain import ACTIVE_ARMS, ARMS, PATHWAY_FIELDS, REFERENCE_ARM
from pfps_ml.evaluation.check_catalogue import Check, failed, not_applicable, passed, warned
from pfps_ml.evaluation.estimands import scaled_fields
from pfps_ml.io.study_data import Cohort
from pfps_ml.model import eligibility

_FEWEST = 5  # missing outcomes from which anything is estimated of them
_FOLDS = 5
_OF_COLUMN = 10.0  # prior precision of a coefficient, per standard deviation
_LEAST = 0.05  # chance to stay: weights are at most its inverse
_WARN, _FAIL, _CHANCE = 0.05, 0.1, 0.01


def entered(cohort: Cohort) -> Bools:
    """Return which patients could have been evaluated, had their outcome been known."""
    return cohort.used | (cohort.usable & cohort.outcome_missing)


def staying_weights(cohort: Cohort) -> Floats | None:
    """Return how many patients each evaluated one stands for, 1 on average; None where hardly any is missing.

    Parameters
    ----------
    cohort
        Patients; the weights are of those that are evaluated, shape (evaluated,).
    """
    who = entered(cohort)
    known = cohort.used[who]
    if (~known).sum() < _FEWEST or known.sum() < _FEWEST:
        return None
    chance = _chance_to_stay(cohort, who, known)
    weight = 1 / np.maximum(chance[known], _LEAST)
    return np.asarray(weight / weight.mean())


def _chance_to_stay(cohort: Cohort, who: Bools, known: Bools) -> Floats:
    arm = np.asarray(cohort.arm)[who]
    given = np.column_stack([arm == name for name in ACTIVE_ARMS if (arm == name).any()]).astype(float)
    fields = scaled_fields(cohort.values.loc[who, list(PATHWAY_FIELDS)])
    design = np.column_stack((np.ones(len(known)), given, fields))
    penalty = np.diag([0.0, *[1.0] * given.shape[1], *[_OF_COLUMN] * fields.shape[1]])
    fold = generator(0, "outcomes that went missing: folds").integers(0, _FOLDS, len(known))
    chance, stayed = np.ones(len(known)), known.astype(float)
    for at in range(_FOLDS):
        train, test = fold != at, fold == at
        chance[test] = expit(design[test] @ fit_logistic(design[train], stayed[train], penalty=penalty))
    return chance


def attrition_table(cohort: Cohort, fewest: int) -> pd.DataFrame:
    """Return what became of the patients of each arm, and what their missing outcomes could change.

    Parameters
    ----------
    cohort
        Patients.
    fewest
        Successes, and others, below which an arm shows no difference.

    Returns
    -------
    DataFrame
        arm, entered (patients), known (outcomes), missing, share (missing of those who entered), difference (raw, from
        usual care, among those to whom the arm is open), lowest, highest (the same difference if all missing outcomes
        were as bad, or as good, for the arm as can be).
    """
    who = entered(cohort)
    arm, y = np.asarray(cohort.arm)[who], np.where(cohort.used, cohort.y, np.nan)[who]
    open_to = eligibility(cohort.values.loc[who, list(PATHWAY_FIELDS)].reset_index(drop=True))
    rows = []
    for name in (each.name for each in ARMS):
        of_arm = y[arm == name]
        known = ~np.isnan(of_arm)
        share = float((~known).mean()) if len(of_arm) else np.nan
        may_have = open_to[name].to_numpy(bool)
        ends = (np.nan,) * 3 if name == REFERENCE_ARM else _bounds(y[may_have], arm[may_have], name, fewest)
        rows.append((name, len(of_arm), int(known.sum()), int((~known).sum()), share, *ends))
    columns = ["arm", "entered", "known", "missing", "share", "difference", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def _bounds(y: Floats, arm: NDArray[np.object_], name: str, fewest: int) -> tuple[float, float, float]:
    treated, usual = y[arm == name], y[arm == REFERENCE_ARM]
    if min(_fewest_of(treated), _fewest_of(usual)) < fewest:
        return np.nan, np.nan, np.nan

    def filled(values: Floats, value: float) -> float:
        return float(np.nan_to_num(values, nan=value).mean())

    difference = float(np.nanmean(treated) - np.nanmean(usual))
    return difference, filled(treated, 0) - filled(usual, 1), filled(treated, 1) - filled(usual, 0)


def _fewest_of(y: Floats) -> float:
    return float(min(np.nansum(y), np.nansum(1 - y)))


def missing_by_arm(cohort: Cohort) -> Check:
    """Compare how often outcomes are missing under each arm (C09)."""
    if cohort.arm is None:
        return not_applicable("C09", Message("arms_not_recorded"))
    who = entered(cohort)
    lost, arm = ~cohort.used[who], np.asarray(cohort.arm)[who]
    of_arm = pd.Series(lost.astype(float)).groupby(arm)
    shares = of_arm.mean()[of_arm.size() >= _FEWEST]  # of fewer patients a share says nothing
    if lost.sum() < _FEWEST or len(shares) < 2:
        return passed("C09", Message("outcomes_missing", {"missing": int(lost.sum()), "rows": len(lost)}))
    reason = Message("outcomes_missing_by_arm", {
        "missing": int(lost.sum()), "rows": len(lost), "least": float(shares.min()), "least_arm": str(shares.idxmin()),
        "most": float(shares.max()), "most_arm": str(shares.idxmax()),
    })  # fmt: skip
    gap, compared = float(shares.max() - shares.min()), np.isin(arm.astype(str), list(shares.index))
    if gap >= _WARN and _p_of_shares(lost[compared], arm[compared]) < _CHANCE:
        return (failed if gap >= _FAIL else warned)("C09", reason)
    return passed("C09", reason)


def _p_of_shares(lost: Bools, arm: NDArray[np.object_]) -> float:
    from scipy.stats import chi2_contingency

    return float(chi2_contingency(pd.crosstab(lost, arm)).pvalue)


__all__ = ["attrition_table", "entered", "missing_by_arm", "staying_weights"]
