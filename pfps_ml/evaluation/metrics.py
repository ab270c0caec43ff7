"""Figures of merit of predicted risks: discrimination, calibration and both together, with intervals over clubs.

Every metric is a function of `y` (0 or 1), `p` (predicted risk, above 0 and below 1) and an optional `weight` a
row; the cluster bootstrap is then nothing but a weight: how often a row's club was drawn.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.errors import CohortError
from pfps_ml.evaluation.logistic import RIDGE, expit, fit_logistic, logit, spline
from pfps_ml.randomness import generator

Array = npt.NDArray[np.float64]
_FEWEST_USABLE = 0.9  # of the resamples: below this a percentile would describe the lucky ones


@dataclass(frozen=True)
class Metric:
    """One figure of merit: how it is named, which way is better, the value of a perfect model, and how it is computed.

    `better` is "target" where a model can miss on either side of `ideal`.
    """

    label: str
    better: Literal["higher", "lower", "target"]
    ideal: float
    compute: Callable[[Array, Array, Array | None], float]


def cases_by_risk(y: Array, p: Array, weight: Array | None = None) -> tuple[Array, Array, Array]:
    """Return each distinct risk from the highest down, with the weight of cases and of non-cases who have it."""
    order = np.argsort(-p, kind="stable")
    risk, case = p[order], y[order]
    share = np.ones_like(case) if weight is None else weight[order]
    starts = np.flatnonzero(np.concatenate(([True], risk[1:] != risk[:-1])))
    return risk[starts], np.add.reduceat(share * case, starts), np.add.reduceat(share * (1 - case), starts)


def auroc(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the chance that a random case has a higher risk than a random non-case; a tie counts one half."""
    _, cases, others = cases_by_risk(y, p, weight)
    below = others.sum() - np.cumsum(others)
    return float((cases * (below + others / 2)).sum() / (cases.sum() * others.sum()))


def average_precision(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the mean share of true cases among those above each threshold; a useless model gives the base rate."""
    _, cases, others = cases_by_risk(y, p, weight)
    above = np.cumsum(cases + others)
    precision = np.divide(np.cumsum(cases), above, out=np.zeros_like(above), where=above > 0)
    return float((cases * precision).sum() / cases.sum())


def log_loss(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the mean surprise at what happened, in nats."""
    return float(np.average(-np.log(np.where(y == 1, p, 1 - p)), weights=weight))


def brier(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the mean squared distance of the risk from what happened."""
    return float(np.average((y - p) ** 2, weights=weight))


def scaled_brier(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the share of the base rate's Brier score that the model removes: 1 perfect, 0 no better than the rate."""
    rate = np.average(y, weights=weight)
    return float(1 - brier(y, p, weight) / (rate * (1 - rate)))


def observed_expected(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the cases that happened for each one expected; above 1 the risks are too low."""
    return float(np.average(y, weights=weight) / np.average(p, weights=weight))


def calibration_intercept(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the log-odds to add to every risk so that the mean is right (slope fixed at 1)."""
    return float(fit_logistic(np.ones((len(y), 1)), y, logit(p), weight)[0])


def calibration_slope(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the factor by which log-odds should be stretched; below 1 the risks are too extreme.

    NaN where it is not defined: every risk is the same, or the risks separate cases from non-cases.
    """
    margin = logit(p)
    if np.ptp(margin) < 1e-9:
        return float("nan")
    return float(1 + fit_logistic(np.column_stack((np.ones_like(margin), margin)), y, margin, weight)[1])


def smoothed_calibration(y: Array, p: Array, weight: Array | None = None) -> Array:
    """Return the observed risk at each predicted risk, smoothed.

    A logistic regression on a natural cubic spline of the log-odds (five knots; fewer where quantiles coincide),
    fitted as a deviation from the predictions. Austin and Steyerberg (2019) smooth with loess instead; the spline
    costs one small fit for all rows, so that it can be repeated in every resample.
    """
    margin = logit(p)
    centred = (margin - margin.mean()) / (margin.std() or 1.0)
    design = spline(centred)
    return expit(margin + design @ fit_logistic(design, y, margin, weight, RIDGE))


def ici(y: Array, p: Array, weight: Array | None = None) -> float:
    """Return the integrated calibration index: the mean distance of the risk from the smoothed observed risk.

    It is never negative, so a perfectly calibrated model shows a little more than 0, and its bootstrap interval lies
    towards the high side.
    """
    return float(np.average(np.abs(smoothed_calibration(y, p, weight) - p), weights=weight))


METRICS: dict[str, Metric] = {
    "auroc": Metric("AUROC", "higher", 1, auroc),
    "auprc": Metric("Average precision", "higher", 1, average_precision),
    "log_loss": Metric("Log loss", "lower", 0, log_loss),
    "brier": Metric("Brier score", "lower", 0, brier),
    "scaled_brier": Metric("Scaled Brier score", "higher", 1, scaled_brier),
    "calibration_intercept": Metric("Calibration intercept", "target", 0, calibration_intercept),
    "calibration_slope": Metric("Calibration slope", "target", 1, calibration_slope),
    "observed_expected": Metric("Observed / expected", "target", 1, observed_expected),
    "ici": Metric("Integrated calibration index", "lower", 0, ici),
}


def measure(y: npt.ArrayLike, p: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of `METRICS`.

    Raises
    ------
    CohortError
        If an outcome is neither 0 nor 1, a risk is not between them, or only one outcome occurs.
    """
    return _measure(*_checked(y, p))


def measure_with_intervals(
    y: npt.ArrayLike, p: npt.ArrayLike, groups: npt.ArrayLike, seed: int, repeats: int = 200, level: float = 0.95
) -> pd.DataFrame:
    """Return every metric with a percentile interval over resampled clubs: metric, label, value, low, high.

    With fewer than some 20 clubs percentile intervals are a little too narrow. A limit is NaN where the metric
    cannot be computed in a tenth of the resamples.

    Raises
    ------
    CohortError
        As `measure` and `club_resamples`.
    """
    case, risk = _checked(y, p)
    order = np.argsort(-risk, kind="stable")  # once: sorting what is sorted costs next to nothing in every resample
    case, risk, clubs = case[order], risk[order], np.asarray(groups)[order]
    draws = pd.DataFrame([_measure(case, risk, weight) for weight in club_resamples(case, clubs, seed, repeats)])
    rows = []
    for name, value in _measure(case, risk).items():
        low, high = _percentiles(draws[name].to_numpy(), level)
        rows.append({"metric": name, "label": METRICS[name].label, "value": value, "low": low, "high": high})
    return pd.DataFrame(rows)


def club_resamples(y: Array, groups: npt.ArrayLike, seed: int, repeats: int) -> Iterator[Array]:
    """Yield `repeats` weights a row: how often its club was drawn, when as many clubs are drawn with replacement.

    The same seed and clubs give the same resamples, in any order of rows, so that two models can be compared on
    each. Runners without a club count as clubs of one. A resample with one outcome only says nothing about a metric
    and is drawn again.

    Raises
    ------
    CohortError
        If there are fewer than two clubs.
    """
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    alone = codes < 0
    codes = np.where(alone, len(names) + np.cumsum(alone) - 1, codes)
    clubs = int(codes.max()) + 1
    if clubs < 2:
        raise CohortError(f"expected at least 2 clubs to resample, got {clubs}; give each row its own group instead")
    stream, made = generator(seed, "evaluation: resampled clubs"), 0
    while made < repeats:
        weight = np.bincount(stream.integers(0, clubs, clubs), minlength=clubs)[codes].astype(float)
        if 0 < weight @ y < weight.sum():
            made += 1
            yield weight


def calibration_table(y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Return predicted against observed risk in equal shares of runners: n, predicted, observed, low, high.

    `low` and `high` are the Wilson 95 % interval of the observed share. Equal risks stay in one bin.
    """
    case, risk = _checked(y, p, both=False)
    edges = np.unique(np.quantile(risk, np.arange(1, bins) / bins))
    rows = pd.DataFrame({"bin": np.searchsorted(edges, risk), "y": case, "p": risk}).groupby("bin")
    table = rows.agg(n=("y", "size"), predicted=("p", "mean"), observed=("y", "mean")).reset_index(drop=True)
    low, high = _wilson(table["observed"].to_numpy(), table["n"].to_numpy())
    return table.assign(low=low, high=high)


def subgroup_table(
    y: npt.ArrayLike, p: npt.ArrayLike, by: Mapping[str, npt.ArrayLike], fewest: int = 5
) -> pd.DataFrame:
    """Return every metric within each level of each grouping: field, level, n, events, then one column a metric.

    A level with fewer than `fewest` events, or non-events, shows its counts and no figures.
    """
    case, risk = _checked(y, p, both=False)
    rows: list[dict[str, Any]] = []
    for field, labels in by.items():
        codes, levels = pd.factorize(pd.Series(labels), sort=True)
        for code, level in [*enumerate(levels), (-1, "not recorded")]:
            if (own := codes == code).any():
                events = int(case[own].sum())
                shown = min(events, int(own.sum()) - events) >= fewest
                figures = _measure(case[own], risk[own]) if shown else dict.fromkeys(METRICS, float("nan"))
                rows.append({"field": field, "level": str(level), "n": int(own.sum()), "events": events, **figures})
    return pd.DataFrame(rows, columns=["field", "level", "n", "events", *METRICS])


def _measure(y: Array, p: Array, weight: Array | None = None) -> dict[str, float]:
    return {name: metric.compute(y, p, weight) for name, metric in METRICS.items()}


def _checked(y: npt.ArrayLike, p: npt.ArrayLike, *, both: bool = True) -> tuple[Array, Array]:
    case, risk = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    if case.shape != risk.shape or case.ndim != 1 or not case.size:
        raise CohortError(f"expected one outcome and one risk a row, got shapes {case.shape} and {risk.shape}")
    if odd := int((~np.isin(case, (0.0, 1.0))).sum()):
        raise CohortError(f"expected outcomes of 0 or 1, got {odd} others (missing ones too); leave those rows out")
    if odd := int((~((risk > 0) & (risk < 1))).sum()):
        raise CohortError(f"expected risks above 0 and below 1, got {odd} others (missing ones too)")
    events = int(case.sum())
    if both and not 0 < events < case.size:
        raise CohortError(
            f"expected cases and non-cases, got {events} and {case.size - events}; evaluate on more clubs"
        )
    return case, risk


def _percentiles(draws: Array, level: float) -> tuple[float, float]:
    usable = draws[np.isfinite(draws)]
    if usable.size < _FEWEST_USABLE * draws.size:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _wilson(share: Array, n: Array, level: float = 0.95) -> tuple[Array, Array]:
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


__all__ = [
    "METRICS",
    "Metric",
    "auroc",
    "average_precision",
    "brier",
    "calibration_intercept",
    "calibration_slope",
    "calibration_table",
    "cases_by_risk",
    "club_resamples",
    "ici",
    "log_loss",
    "measure",
    "measure_with_intervals",
    "observed_expected",
    "scaled_brier",
    "smoothed_calibration",
    "subgroup_table",
]
