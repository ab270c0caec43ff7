"""Calibration drawn: predicted against observed risk in tenths, and the smoothed curve with its band over clubs.

Decision curves: what acting on a risk above a threshold is worth, against acting for everybody and for nobody.

Net benefit (Vickers and Elkin 2006) counts a case found as 1 and a false alarm as the odds of the threshold, because
whoever acts at a risk of 5 % holds one case found to be worth nineteen false alarms. Its unit is cases found a runner.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.evaluation.metrics import LEVEL, checked, club_resamples, count_groups, percentiles, smoothed_calibration

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


_POINTS = 60  # of the curve with its band


def calibration_table(y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Return predicted against observed risk in equal shares of runners: n, predicted, observed, low, high.

    `low` and `high` are the Wilson 95 % interval of the observed share. Equal risks stay in one bin.
    """
    case, risk = checked(y, p, both=False)
    edges = np.unique(np.quantile(risk, np.arange(1, bins) / bins))
    rows = pd.DataFrame({"bin": np.searchsorted(edges, risk), "y": case, "p": risk}).groupby("bin")
    table = rows.agg(n=("y", "size"), predicted=("p", "mean"), observed=("y", "mean")).reset_index(drop=True)
    low, high = _wilson(table["observed"].to_numpy(), table["n"].to_numpy())
    return table.assign(low=low, high=high)


def calibration_curve(
    y: npt.ArrayLike, p: npt.ArrayLike, clubs: npt.ArrayLike, settings: EvaluationConfig
) -> pd.DataFrame:
    """Return the smoothed observed risk at some predicted risks, with a band: predicted, observed, low, high.

    The band (95 % at each risk, resampled clubs) is wider than the tenths' intervals where clubs differ in how often
    their runners fall ill. The points are quantiles of the predicted risks.

    Raises
    ------
    CohortError
        As `measure` and `club_resamples`.
    """
    case, risk = checked(y, p)
    order = np.argsort(risk, kind="stable")
    case, risk, groups = case[order], risk[order], np.asarray(clubs)[order]
    at = np.unique(np.linspace(0, len(risk) - 1, _POINTS).round().astype(int))
    weights = club_resamples(case, groups, settings.seed, settings.bootstraps)
    draws = np.array([smoothed_calibration(case, risk, weight)[at] for weight in weights])
    low, high = np.array([percentiles(column, count_groups(groups)) for column in draws.T]).T
    return pd.DataFrame(
        {"predicted": risk[at], "observed": smoothed_calibration(case, risk)[at], "low": low, "high": high}
    )


def _wilson(share: Array, n: Array, level: float = LEVEL) -> tuple[Array, Array]:
    z = normal_quantile(level)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


__all__ = ["calibration_curve", "calibration_table", "decision_table", "net_benefit", "thresholds_up_to"]
