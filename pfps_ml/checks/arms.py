"""C07: whether patients had a real chance of every arm that they may have."""

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import Check
from pfps_ml.config import PathwayConfig
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import PATHWAY_FIELDS, REFERENCE_ARM
from pfps_ml.randomness import generator

_WARN, _FAIL = 0.02, 0.1
_FOLDS, _FEWEST = 5, 20


def arms_overlap(cohort: Cohort) -> Check:
    """Hold the chances of the arms, as patients of other folds tell them, to the floor of the weights (C07)."""
    from pfps_ml.learning.propensity import cross_fitted, eligibility
    from pfps_ml.learning.smooth import basis

    if cohort.arm is None:
        return Check("C07", "not applicable", "the file does not say who had which arm")
    rows = cohort.used
    arm = cohort.arm[rows]
    had = set(arm)
    if len(had) < 2:
        return Check("C07", "fail", "one arm only, or none: nothing can be compared")
    if REFERENCE_ARM not in had:
        return Check("C07", "fail", f"nobody had {REFERENCE_ARM}, which every effect is held against")
    given = [name for name in dict.fromkeys(arm) if (arm == name).sum() >= _FEWEST]
    if len(given) < 2:
        return Check("C07", "not applicable", f"fewer than two arms were given to {_FEWEST} patients")
    X = cohort.values.loc[rows, list(PATHWAY_FIELDS)].reset_index(drop=True)
    fold = generator(0, "checks: folds of patients").integers(0, _FOLDS, len(X))
    settings = PathwayConfig()
    chances, may = cross_fitted(X, pd.Series(arm), fold, basis(X, settings.knots)), eligibility(X)
    asked = np.concatenate([chances[name].to_numpy()[may[name].to_numpy()] for name in given])
    share = float((asked < settings.propensity_floor).mean()) if len(asked) else 0.0
    said = f"{share:.1%} of the chances of {len(given)} arms in {len(X):,} patients are below the floor"
    if few := REFERENCE_ARM not in given:
        said = f"{said}; fewer than {_FEWEST} patients had {REFERENCE_ARM}, which every effect is held against"
    return Check("C07", "fail" if share >= _FAIL else "warn" if few or share >= _WARN else "pass", said)


__all__ = ["arms_overlap"]
