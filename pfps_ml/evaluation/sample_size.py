"""How many runners a verdict on a model needs: the published criteria for external validation.

Riley and others (Stat Med 2021;40:4230) ask that each 95 % interval be no wider than a width chosen beforehand:
observed/expected, calibration slope, AUROC (standard error of Newcombe 2006), and standardised net benefit at a
threshold. The rate and the spread of the risks are those found in the cohort. They count runners each of whom tells
something; those of clubs that differ tell less, and then the intervals over clubs say how many are needed.
"""

from math import asinh, ceil, inf, log, sinh

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.config import ValidationConfig
from pfps_ml.core.logistic import logit
from pfps_ml.evaluation.metrics import auroc

Floats = NDArray[np.float64]
_Z = 1.959964
_MOST = 10**8


def rows_for_ratio(rate: float, width: float, club: float = 0.0, club_sd: float = 0.0) -> int:
    """Return the runners at which the 95 % interval of observed/expected around 1 is `width` wide.

    Parameters
    ----------
    rate
        Share of cases.
    width
        Of the interval.
    club, club_sd
        If the ratio is to hold in other clubs than those of the cohort: the size of the club that a runner is in, mean
        over runners, and the standard deviation of the log-odds between clubs. All runners of a club share its rate.
    """
    reach = width / 2
    error = asinh(reach) / _Z  # exp(z e) - exp(-z e) = width
    return ceil(((1 - rate) / rate + club * (club_sd * (1 - rate)) ** 2) / error**2)


def rows_for_slope(p: Floats, width: float) -> float:
    """Return the runners at which the 95 % interval of the calibration slope is `width` wide; infinite if all alike."""
    margin, weight = logit(p), p * (1 - p)
    total, mixed, square = weight.mean(), (weight * margin).mean(), (weight * margin**2).mean()
    information = total * square - mixed**2
    return float(ceil(total / (information * (width / 2 / _Z) ** 2))) if information > 1e-12 else inf


def rows_for_auroc(area: float, rate: float, width: float) -> int:
    """Return the runners at which the 95 % interval of the AUROC is `width` wide."""
    low, high, wanted = 2, _MOST, width / 2 / _Z
    while low < high:
        rows = (low + high) // 2
        half = rows / 2 - 1
        inside = 1 + half * (1 - area) / (2 - area) + half * area / (1 + area)
        if np.sqrt(area * (1 - area) * inside / (rows**2 * rate * (1 - rate))) <= wanted:
            high = rows
        else:
            low = rows + 1
    return low


def rows_for_net_benefit(y: Floats, p: Floats, threshold: float, width: float) -> int:
    """Return the runners at which the 95 % interval of the standardised net benefit is `width` wide."""
    rate, acted = float(y.mean()), p >= threshold
    sensitivity, specificity = float(acted[y == 1].mean()), float((~acted[y == 0]).mean())
    price = (1 - rate) / rate * threshold / (1 - threshold)
    spread = sensitivity * (1 - sensitivity) / rate + price**2 * specificity * (1 - specificity) / (1 - rate)
    spread += price**2 * (1 - specificity) ** 2 / (rate * (1 - rate))
    return max(ceil(spread / (width / 2 / _Z) ** 2), 1)


def size_table(
    y: Floats, p: Floats, threshold: float | None, settings: ValidationConfig, over_clubs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what each verdict needs: metric, label, width, published (runners), needed, here, enough.

    Parameters
    ----------
    y, p
        Outcomes, 0 or 1 (both), and predicted risks.
    threshold
        The risk at which somebody would act; None where nobody acts on it.
    settings
        The widths.
    over_clubs
        The figures, if their intervals are over clubs: where these are wider than the published criteria expect,
        `needed` is what they ask for.
    """
    rate = float(y.mean())
    ratio, area = settings.width_observed_expected, settings.width_auroc
    slope, benefit = settings.width_slope, settings.width_net_benefit
    rows = [
        ("observed_expected", "Observed / expected", ratio, float(rows_for_ratio(rate, ratio))),
        ("calibration_slope", "Calibration slope", slope, rows_for_slope(p, slope)),
        ("auroc", "AUROC", area, float(rows_for_auroc(auroc(y, p), rate, area))),
    ]
    if threshold is not None:
        needed = float(rows_for_net_benefit(y, p, threshold, benefit))
        rows.append(("net_benefit", f"Standardised net benefit at {threshold:.0%}", benefit, needed))
    table = pd.DataFrame(rows, columns=["metric", "label", "width", "published"])
    rows_needed = table["published"] if over_clubs is None else _as_found(table, over_clubs.set_index("metric"), len(y))
    least = np.asarray(rows_needed, dtype=float)
    return table.assign(needed=least, here=len(y), enough=len(y) >= least)


def _as_found(table: pd.DataFrame, figures: pd.DataFrame, here: int) -> list[float]:
    """Return the runners that the intervals found ask for (widths fall with their root), at least the published."""
    needed = []
    for row in table.to_dict("records"):
        width = 0.0
        if row["metric"] in figures.index:
            low, high = map(float, figures.loc[row["metric"], ["low", "high"]])
            ratio = row["metric"] == "observed_expected"  # as wide as it is far from 1, so it is read as if around 1
            width = high - low if not ratio else 2 * sinh(log(high / low) / 2) if low > 0 else inf
        needed.append(max(row["published"], float(np.ceil(here * (width / row["width"]) ** 2))))
    return needed


__all__ = ["rows_for_auroc", "rows_for_net_benefit", "rows_for_ratio", "rows_for_slope", "size_table"]
