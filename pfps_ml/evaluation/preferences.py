"""What is left to choose from: how often a preference is named, and, against the truth, how often it is right."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.knowledge.dictionary import ARMS

Array = npt.NDArray[np.float64]
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
    may, kept, chosen = eligible[_NAMES].to_numpy(bool), acceptable[_NAMES].to_numpy(bool), np.asarray(preferred)
    at = pd.Index(_NAMES).get_indexer(pd.Index(chosen))
    columns = {"kept": (kept & may).sum(axis=1) / may.sum(axis=1), "named": (at >= 0).astype(float)}
    if truth is not None:
        success = np.where(may, truth[_NAMES].to_numpy(float), -np.inf)
        best = success >= success.max(axis=1, keepdims=True)
        right = best[np.arange(len(at)), np.maximum(at, 0)]
        columns |= {"best_kept": (best & kept).any(axis=1).astype(float), "right": np.where(at >= 0, right, np.nan)}
    overlap = np.where(may, propensity[_NAMES].to_numpy(float), np.inf).min(axis=1)
    third = np.searchsorted(np.quantile(overlap, [1 / 3, 2 / 3]), overlap) + 1
    rows = pd.DataFrame(columns)
    parts = [np.ones(len(rows), dtype=bool), *(third == part for part in (1, 2, 3))]
    return pd.DataFrame(
        [{"patients": name, "n": int(own.sum()), **rows[own].mean()} for name, own in zip(_THIRDS, parts, strict=True)]
    )


__all__ = ["preference_table"]
