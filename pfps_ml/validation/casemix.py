"""Why an AUROC falls: because runners are more alike here, or because the model is wrong of them.

The model-based concordance (van Klaveren and others, Stat Med 2016;35:4136) is the AUROC that these predictions would
have if they were right. It differs from the AUROC in training for the case-mix alone; what is observed differs from it
for the model alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pfps_ml.config import EvaluationConfig
from pfps_ml.evaluation.metrics import auroc, club_resamples, count_groups, percentiles

Floats = NDArray[np.float64]
TRAINING, EXPECTED, OBSERVED, MODEL = "training", "expected here", "observed here", "observed less expected"
_MEANING = {
    TRAINING: "on the clubs held out when the bundle was made",
    EXPECTED: "if every risk were right here (model-based concordance): the case-mix",
    OBSERVED: "what happened here",
    MODEL: "what the model gets wrong here; an interval that holds 0 shows nothing",
}


def model_based(p: Floats, weight: Floats | None = None) -> float:
    """Return the AUROC that risks would have if they were right: each runner counts as a case by their risk."""
    both, twice = np.concatenate((np.ones(len(p)), np.zeros(len(p)))), np.concatenate((p, p))
    share = np.concatenate((p, 1 - p)) * (1.0 if weight is None else np.concatenate((weight, weight)))
    return auroc(both, twice, share)


def case_mix(
    y: Floats, p: Floats, groups: ArrayLike, settings: EvaluationConfig, trained: Mapping[str, Any] | None
) -> pd.DataFrame:
    """Return what, value, low, high, meaning: the AUROC in training, as expected here, as observed, and the gap.

    Parameters
    ----------
    y, p
        Outcomes, 0 or 1, and predicted risks.
    groups
        Whom to resample together.
    settings
        Resamples and seed.
    trained
        value, low and high of the AUROC when the bundle was made; None if its manifest does not say.

    Raises
    ------
    CohortError
        As `club_resamples`.
    """
    draws = [(model_based(p, w), auroc(y, p, w))
             for w in club_resamples(y, groups, settings.seed, settings.bootstraps)]  # fmt: skip
    expected, observed = np.array(draws).T
    values = {EXPECTED: (model_based(p), expected), OBSERVED: (auroc(y, p), observed),
              MODEL: (auroc(y, p) - model_based(p), observed - expected)}  # fmt: skip
    rows = [(TRAINING, *(trained[key] for key in ("value", "low", "high")))] if trained else []
    rows += [(what, value, *percentiles(found, count_groups(groups))) for what, (value, found) in values.items()]
    return pd.DataFrame([(*row, _MEANING[row[0]]) for row in rows], columns=["what", "value", "low", "high", "meaning"])


__all__ = ["EXPECTED", "MODEL", "OBSERVED", "TRAINING", "case_mix", "model_based"]
