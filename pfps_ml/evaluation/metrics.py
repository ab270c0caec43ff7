"""Figures of merit of predicted risks: discrimination, calibration and net benefit, with intervals over clubs.

Every metric is a function of `y` (0 or 1), `p` (predicted risk, above 0 and below 1) and an optional `weight` a row;
the cluster bootstrap is then nothing but a weight: how often a row's club was drawn.

Calibration compares predicted with observed risks: in tenths, and as a smoothed curve with its band over clubs.

A decision curve says what acting on a risk above a threshold is worth, against acting for everybody and for nobody. Net
benefit (Vickers and Elkin 2006) counts a case that is detected as 1 and a false alarm as the odds of the threshold,
because whoever acts at a risk of 5 % holds one such case to be worth nineteen false alarms. Its unit is cases a
runner.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from pfps_ml.core import (
    RIDGE,
    ArrayLike,
    CohortError,
    EvaluationConfig,
    FactError,
    Floats,
    Message,
    expit,
    fit_logistic,
    generator,
    logit,
    normal_quantile,
    spline,
    student_quantile,
)

LEVEL = 0.95
_FEWEST_USABLE = 0.9  # of the resamples: below this a percentile would describe the lucky ones


@dataclass(frozen=True)
class Metric:
    """One figure of merit: how it is named, which way is better, the value of a perfect model, and how it is computed.

    `better` is "target" where a model can miss on either side of `ideal`.
    """

    label: str
    better: Literal["higher", "lower", "target"]
    ideal: float
    compute: Callable[[Floats, Floats, Floats | None], float]


def cases_by_risk(y: Floats, p: Floats, weight: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Return each distinct risk from the highest down, with the weight of cases and of non-cases who have it."""
    order = np.argsort(-p, kind="stable")
    risk, case = p[order], y[order]
    share = np.ones_like(case) if weight is None else weight[order]
    starts = np.flatnonzero(np.concatenate(([True], risk[1:] != risk[:-1])))
    return risk[starts], np.add.reduceat(share * case, starts), np.add.reduceat(share * (1 - case), starts)


def auroc(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the chance that a random case has a higher risk than a random non-case; a tie counts one half."""
    _, cases, others = cases_by_risk(y, p, weight)
    below = others.sum() - np.cumsum(others)
    return float((cases * (below + others / 2)).sum() / (cases.sum() * others.sum()))


def average_precision(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the mean share of true cases among those above each threshold; a useless model gives the base rate."""
    _, cases, others = cases_by_risk(y, p, weight)
    above = np.cumsum(cases + others)
    precision = np.divide(np.cumsum(cases), above, out=np.zeros_like(above), where=above > 0)
    return float((cases * precision).sum() / cases.sum())


def log_loss(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the mean surprise at what happened, in nats."""
    return float(np.average(-np.log(np.where(y == 1, p, 1 - p)), weights=weight))


def brier(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the mean squared distance of the risk from what happened."""
    return float(np.average((y - p) ** 2, weights=weight))


def scaled_brier(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the share of the base rate's Brier score that the model removes: 1 perfect, 0 no better than the rate."""
    rate = np.average(y, weights=weight)
    return float(1 - brier(y, p, weight) / (rate * (1 - rate)))


def excess_log_loss(truth: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return how much log loss the risks cost beyond the true ones, in nats: 0 is perfect, and no chance is in it.

    The mean divergence of Kullback and Leibler of `p` from `truth`, the risk that each row's outcome was drawn with.
    A true risk that also rests on what nobody recorded cannot be reached: then even the best model has some excess.
    """
    odds = truth * np.log(truth / p) + (1 - truth) * np.log((1 - truth) / (1 - p))
    return float(np.average(odds, weights=weight))


def observed_expected(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the cases that happened for each one expected; above 1 the risks are too low."""
    return float(np.average(y, weights=weight) / np.average(p, weights=weight))


def calibration_intercept(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the log-odds to add to every risk so that the mean is right (slope fixed at 1)."""
    return float(_coefficients(np.ones((len(y), 1)), y, logit(p), weight)[0])


def calibration_slope(y: Floats, p: Floats, weight: Floats | None = None) -> float:
    """Return the factor by which log-odds should be stretched; below 1 the risks are too extreme.

    NaN where it is not defined: every risk is the same, or the risks separate cases from non-cases.
    """
    margin = logit(p)
    if np.ptp(margin) < 1e-9:
        return float("nan")
    return float(1 + _coefficients(np.column_stack((np.ones_like(margin), margin)), y, margin, weight)[1])


def smoothed_calibration(y: Floats, p: Floats, weight: Floats | None = None) -> Floats:
    """Return the observed risk at each predicted risk, smoothed.

    A logistic regression on a natural cubic spline of the log-odds (five knots; fewer where quantiles coincide),
    fitted as a deviation from the predictions. Austin and Steyerberg (2019) smooth with loess instead; the spline
    costs one small fit for all rows, so that it can be repeated in every resample.
    """
    margin = logit(p)
    centred = (margin - margin.mean()) / (margin.std() or 1.0)
    design = spline(centred)
    return expit(margin + design @ _coefficients(design, y, margin, weight, RIDGE * np.eye(design.shape[1])))


def _coefficients(design: Floats, y: Floats, margin: Floats, weight: Floats | None,
                  penalty: Floats | None = None) -> Floats:  # fmt: skip
    """Return what a logistic regression adds to margins; NaN where there is no maximum: then a figure is not known."""
    try:
        return fit_logistic(design, y, weight, penalty, offset=margin)
    except FactError:
        return np.full(design.shape[1], np.nan)


def ici(y: Floats, p: Floats, weight: Floats | None = None) -> float:
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


def measure(y: ArrayLike, p: ArrayLike) -> dict[str, float]:
    """Return every metric of `METRICS`.

    Raises
    ------
    CohortError
        If an outcome is neither 0 nor 1, a risk is not between them, or only one outcome occurs.
    """
    return _measure(*checked(y, p))


def measure_with_intervals(
    y: ArrayLike, p: ArrayLike, groups: ArrayLike, seed: int, repeats: int = 200, level: float = LEVEL
) -> pd.DataFrame:
    """Return every metric with a percentile interval over resampled clubs: metric, label, value, low, high.

    A limit is NaN where the metric cannot be computed in a tenth of the resamples.

    Raises
    ------
    CohortError
        As `measure` and `club_resamples`.
    """
    case, risk = checked(y, p)
    order = np.argsort(-risk, kind="stable")  # once: sorting what is sorted costs next to nothing in every resample
    case, risk, clubs = case[order], risk[order], np.asarray(groups)[order]
    draws = pd.DataFrame([_measure(case, risk, weight) for weight in club_resamples(case, clubs, seed, repeats)])
    rows = []
    for name, value in _measure(case, risk).items():
        low, high = percentiles(draws[name].to_numpy(), count_groups(clubs), level)
        rows.append({"metric": name, "label": METRICS[name].label, "value": value, "low": low, "high": high})
    return pd.DataFrame(rows)


def club_resamples(y: Floats, groups: ArrayLike, seed: int, repeats: int) -> Iterator[Floats]:
    """Yield `repeats` weights a row: how often its club was drawn, when as many clubs are drawn with replacement.

    The same seed and clubs give the same resamples, in any order of rows, so that two models can be compared on
    each. Runners without a club count as clubs of one. A resample with one outcome only says nothing about a metric
    and is drawn again.

    Raises
    ------
    CohortError
        If there are fewer than two clubs, or one outcome only.
    """
    _expect_both(y)
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    alone = codes < 0
    codes = np.where(alone, len(names) + np.cumsum(alone) - 1, codes)
    clubs = int(codes.max()) + 1
    if clubs < 2:
        raise CohortError(Message("too_few_clubs_to_resample", {"clubs": clubs}))
    stream, made = generator(seed, "evaluation: resampled clubs"), 0
    while made < repeats:
        weight = np.bincount(stream.integers(0, clubs, clubs), minlength=clubs)[codes].astype(float)
        if 0 < weight @ y < weight.sum():
            made += 1
            yield weight


def count_groups(groups: ArrayLike) -> int:
    """Return how many clubs there are; a row without one is a club of its own."""
    codes, names = pd.factorize(np.asarray(groups))
    return len(names) + int((codes < 0).sum())


def _measure(y: Floats, p: Floats, weight: Floats | None = None) -> dict[str, float]:
    return {name: metric.compute(y, p, weight) for name, metric in METRICS.items()}


def checked(y: ArrayLike, p: ArrayLike, *, both: bool = True) -> tuple[Floats, Floats]:
    """Return outcomes and risks as numbers, refused with their counts where figures cannot be computed from them."""
    case, risk = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    if case.shape != risk.shape or case.ndim != 1 or not case.size:
        raise CohortError(Message("outcomes_and_risks_differ", {"outcomes": str(case.shape), "risks": str(risk.shape)}))
    if odd := int((~np.isin(case, (0.0, 1.0))).sum()):
        raise CohortError(Message("outcomes_not_binary", {"others": odd}))
    if odd := int((~((risk > 0) & (risk < 1))).sum()):
        raise CohortError(Message("risks_outside_0_and_1", {"others": odd}))
    if both:
        _expect_both(case)
    return case, risk


def _expect_both(y: Floats) -> None:
    events = int(y.sum())
    if not 0 < events < y.size:
        raise CohortError(Message("one_class_to_evaluate", {"events": events, "others": int(y.size - events)}))


def percentiles(draws: Floats, groups: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the limits of an interval from what resamples of so many clubs gave.

    Few clubs make plain percentiles too narrow, so they are moved outwards by as much as Student's t with one degree
    of freedom less than there are clubs lies beyond the normal (Hesterberg 2015, the expanded percentile interval).
    """
    usable = draws[np.isfinite(draws)]
    if usable.size < _FEWEST_USABLE * draws.size:
        return float("nan"), float("nan")
    reach = -student_quantile(level, groups - 1) * np.sqrt(groups / (groups - 1))
    tail = NormalDist().cdf(reach)
    low, high = np.quantile(usable, [tail, 1 - tail])
    return float(low), float(high)


def thresholds_up_to(highest: float) -> Floats:
    """Return the thresholds of a decision curve: every whole per cent up to the highest."""
    return np.arange(1, round(100 * highest) + 1) / 100


def net_benefit(y: Floats, p: Floats, thresholds: Sequence[float] | Floats, weight: Floats | None = None) -> Floats:
    """Return the net benefit of acting where the risk reaches each threshold, shape (thresholds,).

    For acting on everybody give a risk of 1; acting on nobody has a net benefit of 0.
    """
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    price = np.asarray(thresholds) / (1 - np.asarray(thresholds))
    acted = p[:, None] >= np.asarray(thresholds)
    return np.asarray((share * y) @ acted - price * ((share * (1 - y)) @ acted))


def decision_table(y: ArrayLike, p: ArrayLike, clubs: ArrayLike, settings: EvaluationConfig) -> pd.DataFrame:
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

    def both(weight: Floats | None) -> tuple[Floats, Floats]:
        by_risk, everybody = (net_benefit(case, score, thresholds, weight) for score in (risk, all_at_risk))
        return by_risk, by_risk - np.maximum(everybody, 0)

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


def calibration_table(y: ArrayLike, p: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Return predicted against observed risk in equal shares of runners: n, predicted, observed, low, high.

    `low` and `high` are the Wilson 95 % interval of the observed share. Equal risks stay in one bin.
    """
    case, risk = checked(y, p, both=False)
    edges = np.unique(np.quantile(risk, np.arange(1, bins) / bins))
    rows = pd.DataFrame({"bin": np.searchsorted(edges, risk), "y": case, "p": risk}).groupby("bin")
    table = rows.agg(n=("y", "size"), predicted=("p", "mean"), observed=("y", "mean")).reset_index(drop=True)
    low, high = _wilson(table["observed"].to_numpy(), table["n"].to_numpy())
    return table.assign(low=low, high=high)


def calibration_curve(y: ArrayLike, p: ArrayLike, clubs: ArrayLike, settings: EvaluationConfig) -> pd.DataFrame:
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


def _wilson(share: Floats, n: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    z = normal_quantile(level)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


__all__ = [
    "LEVEL", "METRICS", "Metric", "auroc", "average_precision", "brier", "calibration_curve", "calibration_intercept",
    "calibration_slope", "calibration_table", "cases_by_risk", "checked", "club_resamples", "count_groups",
    "decision_table", "excess_log_loss", "ici", "log_loss", "measure", "measure_with_intervals", "net_benefit",
    "observed_expected", "percentiles", "scaled_brier", "smoothed_calibration", "thresholds_up_to",
]  # fmt: skip
