"""Drift: how far the fields of a cohort lie from those that the bundle was trained on.

The population stability index compares shares of bins, sum of (here - there) x log(here / there). Its usual cut-offs
(0.1 and 0.25) know nothing of the number of runners: of 25 runners in ten bins it is 0.36 on average where nothing has
drifted. So what chance alone gives in one of twenty such cohorts stands beside it, and drift is called only above that.

Why an AUROC falls: because runners are more alike here, or because the model is wrong of them.

The model-based concordance (van Klaveren and others, Stat Med 2016;35:4136) is the AUROC that these predictions would
have if they were right. It differs from the AUROC in training for the case-mix alone; what is observed differs from it
for the model alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pfps_ml.core import EvaluationConfig, Floats, ValidationConfig
from pfps_ml.domain import BY_NAME
from pfps_ml.evaluation.metrics import auroc, club_resamples, count_groups, percentiles

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
    rows += [
        (what, value, *percentiles(resampled, count_groups(groups))) for what, (value, resampled) in values.items()
    ]
    return pd.DataFrame([(*row, _MEANING[row[0]]) for row in rows], columns=["what", "value", "low", "high", "meaning"])


_HALF = 0.5  # added to every bin, so that an empty one does not make the index infinite
_ONE_IN_TWENTY = 0.05


def drift_table(
    X: pd.DataFrame, reference: Mapping[str, Any], trained: int, settings: ValidationConfig
) -> pd.DataFrame:
    """Return one row a field that the reference describes and that is known of anybody, the largest drift first.

    Parameters
    ----------
    X
        Coded fields of the cohort, derived ones included.
    reference
        The bundle's reference: values with their shares, and how often the field was measured.
    trained
        Runners that the reference was made from.
    settings
        The cut-offs.

    Returns
    -------
    DataFrame
        field, label, n, psi, chance (what chance alone exceeds once in twenty), drift (none, moderate, large), outside
        (share beyond the range of the training data; NaN for levels), measured, measured_in_training.
    """
    rows = []
    for name, about in reference["fields"].items():
        value = X[name].to_numpy(dtype=float) if name in X else np.zeros(0)
        known = value[~np.isnan(value)]
        if len(known) and len(about["values"]) > 1:
            rows.append(_row(name, known, len(known) / len(X), about, (trained, settings)))
    columns = ["field", "label", "n", "psi", "chance", "drift", "outside", "measured", "measured_in_training"]
    return pd.DataFrame(rows, columns=columns).sort_values("psi", ascending=False, kind="stable", ignore_index=True)


def stability(here: Floats, there: Floats, trained: int) -> tuple[float, float]:
    """Return the population stability index, and what chance alone exceeds in one cohort of twenty.

    Parameters
    ----------
    here
        How many of the cohort are in each bin.
    there
        The share of the training data in each bin.
    trained
        Runners behind those shares.
    """
    from scipy.special import chdtri

    bins, count = len(here), here.sum()
    now = (here + _HALF) / (count + _HALF * bins)
    then = (there * trained + _HALF) / (trained + _HALF * bins)
    index = float(((now - then) * np.log(now / then)).sum())
    return index, float(chdtri(bins - 1, _ONE_IN_TWENTY)) * (1 / count + 1 / trained)


def _row(
    name: str, known: Floats, measured: float, about: Mapping[str, Any], how: tuple[int, ValidationConfig]
) -> tuple[Any, ...]:
    field, outside = BY_NAME[name], float("nan")
    here, there = _binned(known, about, bool(field.levels))
    index, chance = stability(here, there, max(round(how[0] * about["measured"]), 1))
    settings, drift = how[1], "none"
    if index > chance and index >= settings.drift_moderate:
        drift = "large" if index >= settings.drift_large else "moderate"
    if not field.levels:
        outside = float(((known < about["low"]) | (known > about["high"])).mean())
    return name, field.label, len(known), index, chance, drift, outside, measured, about["measured"]


def _binned(known: Floats, about: Mapping[str, Any], levels: bool) -> tuple[Floats, Floats]:
    """Count the known values in bins around the reference's distinct values, and return the reference's shares.

    The reference keeps a field's quantiles. Where many values are one (whole numbers, zeros), they do not say exactly
    how many lie below a bin's edge; of what they leave open, that which is nearest to the cohort is taken.
    """
    values, shares = np.asarray(about["values"], dtype=float), np.asarray(about["shares"], dtype=float)
    distinct, where = np.unique(values, return_inverse=True)
    here = np.bincount(np.searchsorted((distinct[1:] + distinct[:-1]) / 2, known), minlength=len(distinct))
    there = np.bincount(where, weights=shares, minlength=len(distinct)) / shares.sum()
    if not levels:
        commonest = np.unique(known, return_counts=True)[1].max() / len(known)
        slack = min(commonest, 1 / len(values)) / 2
        below, below_here = there.cumsum()[:-1], (here.cumsum() / here.sum())[:-1]
        there = np.diff(np.clip(below_here, below - slack, below + slack), prepend=0.0, append=1.0)
    return here.astype(float), there


__all__ = ["EXPECTED", "MODEL", "OBSERVED", "TRAINING", "case_mix", "drift_table", "model_based", "stability"]
