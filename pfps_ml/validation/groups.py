"""The groups in which figures are shown apart: sex, age, and the dearest kind of measurement that a runner has."""

from itertools import pairwise

import numpy as np
import pandas as pd

from pfps_ml.config import Config
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.knowledge.field import TIERS

TIER_LABELS = {
    "questionnaire": "Questionnaire only", "log": "With a training log", "field test": "With field tests",
    "dynamometry": "With dynamometry",
}  # fmt: skip


def groups_of(X: pd.DataFrame, config: Config) -> dict[str, pd.Series]:
    """Return each runner's sex, age band, and the dearest kind of measurement that they have."""
    edges = config.product.age_edges
    names = [f"{low} to {high - 1} years" for low, high in pairwise(edges)]
    reached = np.zeros(len(X), dtype=int)
    for at, tier in enumerate(TIERS):
        own = [name for name in X if BY_NAME[str(name)].obtained == tier]
        reached[X[own].notna().any(axis=1).to_numpy()] = at
    labels = [TIER_LABELS[tier] for tier in TIERS]
    return {
        "sex": X["sex"].map(dict(enumerate(BY_NAME["sex"].levels))),
        "age": pd.Series(pd.cut(X["age_years"], edges, right=False, labels=names)),
        "measured": pd.Series(pd.Categorical([labels[at] for at in reached], categories=labels)),
    }


__all__ = ["TIER_LABELS", "groups_of"]
