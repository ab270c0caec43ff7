"""C07: whether patients had a real chance of every arm that they may have."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check, failed, not_applicable, passed, warned
from pfps_ml.config import PathwayConfig
from pfps_ml.core.messages import Message
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import PATHWAY_FIELDS, REFERENCE_ARM
from pfps_ml.randomness import generator

_WARN, _FAIL = 0.02, 0.1
_FOLDS, _FEWEST = 5, 20


def arms_overlap(cohort: Cohort) -> Check:
    """Compare the chances of the arms, estimated from patients of other folds, with the floor of the weights (C07)."""
    if cohort.arm is None:
        return not_applicable("C07", Message("arms_not_recorded"))
    rows = cohort.used
    arm = cohort.arm[rows]
    arms = set(arm)
    if len(arms) < 2:
        return failed("C07", Message("one_arm_only"))
    if REFERENCE_ARM not in arms:
        return failed("C07", Message("nobody_in_reference_arm", {"arm": REFERENCE_ARM}))
    common = [name for name in dict.fromkeys(arm) if (arm == name).sum() >= _FEWEST]
    if len(common) < 2:
        return not_applicable("C07", Message("few_in_arms", {"least": _FEWEST}))
    X = cohort.values.loc[rows, list(PATHWAY_FIELDS)].reset_index(drop=True)
    share = _share_below_floor(X, arm, common)
    reasons = [Message("chances_below_floor", {"share": share, "arms": len(common), "patients": len(X)})]
    if few := REFERENCE_ARM not in common:
        reasons.append(Message("few_in_reference_arm", {"least": _FEWEST, "arm": REFERENCE_ARM}))
    if share >= _FAIL:
        return failed("C07", *reasons)
    return warned("C07", *reasons) if few or share >= _WARN else passed("C07", *reasons)


def _share_below_floor(X: pd.DataFrame, arm: NDArray[np.object_], arms: list[str]) -> float:
    """Return the share of the patients' chances of these arms, where open to them, that lie below the floor."""
    from pfps_ml.learning.propensity import cross_fitted, eligibility
    from pfps_ml.learning.smooth import basis

    fold = generator(0, "checks: folds of patients").integers(0, _FOLDS, len(X))
    settings = PathwayConfig()
    chances, eligible = cross_fitted(X, pd.Series(arm), fold, basis(X, settings.knots)), eligibility(X)
    open_chances = np.concatenate([chances[name].to_numpy()[eligible[name].to_numpy()] for name in arms])
    return float((open_chances < settings.propensity_floor).mean()) if len(open_chances) else 0.0


__all__ = ["arms_overlap"]
