"""Decision curves: what acting on a risk above a threshold is worth, against acting for everybody and for nobody.

Net benefit (Vickers and Elkin 2006) counts a case found as 1 and a false alarm as the odds of the threshold, because
whoever acts at a risk of 5 % holds one case found to be worth nineteen false alarms. Its unit is cases found a runner.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.config import EvaluationConfig
from pfps_ml.evaluation.metrics import checked, club_resamples, count_groups, percentiles

Array = npt.NDArray[np.float64]


def thresholds_up_to(highest: float) -> Array:
    """Return the thresholds of a decision curve: every whole per cent up to the highest."""
    return np.arange(1, round(100 * highest) + 1) / 100


def net_benefit(y: Array, p: Array, thresholds: Sequence[float] | Array, weight: Array | None = None) -> Array:
    """Return the net benefit of acting where the risk reaches each threshold, shape (thresholds,).

    For acting on everybody give a risk of 1; acting on nobody has a net benefit of 0.
    """
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    price = np.asarray(thresholds) / (1 - np.asarray(thresholds))
    acted = p[:, None] >= np.asarray(thresholds)
    return np.asarray((share * y) @ acted - price * ((share * (1 - y)) @ acted))


def decision_table(
    y: npt.ArrayLike, p: npt.ArrayLike, clubs: npt.ArrayLike, settings: EvaluationConfig
) -> pd.DataFrame:
    """Return the decision curve with intervals over resampled clubs.

    Returns
    -------
    DataFrame
        threshold, flagged (share of runners at or above it), net_benefit, low, high, everybody (the net benefit of
        acting on all), nobody (always 0), gain (over the better of both, paired), gain_low, gain_high. No intervals
        where the settings have no resamples.

    Raises
    ------
    CohortError
        As `measure` and `club_resamples`.
    """
    case, risk = checked(y, p)
    thresholds, all_at_risk = thresholds_up_to(settings.highest_threshold), np.ones_like(risk)

    def both(weight: Array | None) -> tuple[Array, Array]:
        own, everybody = (net_benefit(case, each, thresholds, weight) for each in (risk, all_at_risk))
        return own, own - np.maximum(everybody, 0)

    value, gain = both(None)
    groups, limits = count_groups(clubs), np.full((2, len(thresholds), 2), np.nan)
    if settings.bootstraps:
        draws = [both(weight) for weight in club_resamples(case, clubs, settings.seed, settings.bootstraps)]
        limits = np.array([[percentiles(column, groups) for column in np.array(part).T]
                           for part in zip(*draws, strict=True)])  # fmt: skip
    (low, high), (gain_low, gain_high) = limits.transpose(0, 2, 1)
    flagged = (risk[:, None] >= thresholds).mean(axis=0)
    everybody = net_benefit(case, all_at_risk, thresholds)
    return pd.DataFrame(
        {"threshold": thresholds, "flagged": flagged, "net_benefit": value, "low": low, "high": high,
         "everybody": everybody, "nobody": 0.0, "gain": gain, "gain_low": gain_low, "gain_high": gain_high}
    )  # fmt: skip


__all__ = ["decision_table", "net_benefit", "thresholds_up_to"]
