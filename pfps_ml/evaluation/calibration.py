"""Calibration drawn: predicted against observed risk in tenths, and the smoothed curve with its band over clubs."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.config import EvaluationConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.evaluation.metrics import LEVEL, checked, club_resamples, count_groups, percentiles, smoothed_calibration

Array = npt.NDArray[np.float64]
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


__all__ = ["calibration_curve", "calibration_table"]
