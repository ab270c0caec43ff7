"""Figures apart for some of the runners: by sex, age or club, by what was measured, and by what training saw.

Every table is long: one row a metric of each part, with an interval over resampled clubs. A part with too few cases,
or too few without, keeps its counts and shows no figure: it would say more of chance than of the model.

The groups in which figures are shown apart: sex, age, and the dearest kind of measurement that a runner has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.core import Bools, Config, EvaluationConfig, Floats
from pfps_ml.domain import BY_NAME, TIERS
from pfps_ml.evaluation.metrics import (
    METRICS,
    checked,
    club_resamples,
    count_groups,
    decision_table,
    measure,
    measure_with_intervals,
    percentiles,
    thresholds_up_to,
)

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
        columns = [name for name in X if BY_NAME[str(name)].obtained == tier]
        reached[X[columns].notna().any(axis=1).to_numpy()] = at
    labels = [TIER_LABELS[tier] for tier in TIERS]
    return {
        "sex": X["sex"].map(dict(enumerate(BY_NAME["sex"].levels))),
        "age": pd.Series(pd.cut(X["age_years"], edges, right=False, labels=names)),
        "measured": pd.Series(pd.Categorical([labels[at] for at in reached], categories=labels)),
    }


_COLUMNS = ["field", "level", "n", "events", "metric", "label", "value", "low", "high"]
_CURVE = ["threshold", "flagged", "net_benefit", "low", "high", "everybody", "nobody", "gain", "gain_low", "gain_high"]
_GAINS = ("auroc", "scaled_brier", "log_loss")
"""What measuring more can better; calibration should be right with little as with much."""


def subgroup_table(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    by: Mapping[str, npt.ArrayLike],
    clubs: npt.ArrayLike,
    settings: EvaluationConfig,
) -> pd.DataFrame:
    """Return every metric with its interval within each level of each grouping.

    Parameters
    ----------
    y, p
        Outcomes, 0 or 1, and predicted risks.
    by
        The groupings, by name: one label a row; rows without one are shown as "not recorded".
    clubs
        The club of each row, resampled whole.
    settings
        The fewest cases (and non-cases) with which a level is reported, resamples and seed.

    Returns
    -------
    DataFrame
        field, level, n, events, metric, label, value, low, high. NaN where there are too few events; no intervals
        where there are too few clubs: three clubs that happen to agree would look like certainty.

    Raises
    ------
    CohortError
        As `measure`.
    """
    case, risk = checked(y, p, both=False)
    tables = []
    for members, about in _levels(by, case):
        figures = part_figures(case[members], risk[members], np.asarray(clubs)[members], settings)
        tables.append(figures.assign(**about)[_COLUMNS])
    return pd.concat(tables, ignore_index=True)


def decision_parts(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    by: Mapping[str, npt.ArrayLike],
    clubs: npt.ArrayLike,
    settings: EvaluationConfig,
) -> pd.DataFrame:
    """Return the decision curve within each level of each grouping.

    Parameters
    ----------
    y, p, by, clubs, settings
        As in `subgroup_table`.

    Returns
    -------
    DataFrame
        field, level, n, events, and the columns of `decision_table`; but for the threshold NaN where there are too
        few events, and no intervals where there are too few clubs.

    Raises
    ------
    CohortError
        As `measure`.
    """
    case, risk = checked(y, p, both=False)
    tables = []
    for members, about in _levels(by, case):
        if _too_few(case[members], settings):
            table = pd.DataFrame({"threshold": thresholds_up_to(settings.highest_threshold)})
        else:
            member_clubs = np.asarray(clubs)[members]
            too_few_clubs = count_groups(member_clubs) < settings.fewest_clubs
            table = decision_table(
                case[members],
                risk[members],
                member_clubs,
                replace(settings, bootstraps=0) if too_few_clubs else settings,
            )
        tables.append(table.assign(**about))
    return pd.concat(tables, ignore_index=True).reindex(columns=[*_COLUMNS[:4], *_CURVE])


def _levels(by: Mapping[str, npt.ArrayLike], y: Floats) -> Iterator[tuple[Bools, dict[str, Any]]]:
    """Yield who is in each level of each grouping, with its name, its size and its cases."""
    for field, labels in by.items():
        codes, levels = pd.factorize(pd.Series(labels), sort=True)
        for code, level in [*enumerate(levels), (-1, "not recorded")]:
            if (members := codes == code).any():
                yield (
                    members,
                    {"field": field, "level": str(level), "n": int(members.sum()), "events": int(y[members].sum())},
                )


def _too_few(y: Floats, settings: EvaluationConfig) -> bool:
    return bool(min(y.sum(), len(y) - y.sum()) < settings.fewest_events)


def part_figures(y: Floats, p: Floats, clubs: npt.ArrayLike, settings: EvaluationConfig) -> pd.DataFrame:
    """Return metric, label, value, low and high of some runners, NaN where they are too few to be reported."""
    labels = [metric.label for metric in METRICS.values()]
    blank = pd.DataFrame({"metric": list(METRICS), "label": labels, "value": np.nan, "low": np.nan, "high": np.nan})
    if _too_few(y, settings):
        return blank
    if count_groups(clubs) < settings.fewest_clubs:
        return blank.assign(value=list(measure(y, p).values()))
    return measure_with_intervals(y, p, clubs, settings.seed, settings.bootstraps)


def compare_parts(
    y: npt.ArrayLike, risks: Mapping[str, Floats], clubs: npt.ArrayLike, settings: EvaluationConfig
) -> pd.DataFrame:
    """Return the figures of several predictions of the same runners, and what each gains over the first, paired.

    Parameters
    ----------
    y
        Outcomes, 0 or 1.
    risks
        Predicted risks by name, in the order in which more was known: tiers of measurement, or more training clubs.
    clubs, settings
        As in `subgroup_table`; every prediction meets the same resamples.

    Returns
    -------
    DataFrame
        part, n, events, metric, label, value, low, high, gain, gain_low, gain_high: for AUROC, scaled Brier score and
        log loss. A gain is better minus worse, so above 0 is an improvement for each. NaN where there are too few
        events; no intervals where there are too few clubs.
    """
    case, first = np.asarray(y, dtype=float), next(iter(risks))
    if _too_few(case, settings):
        return pd.DataFrame([_row(part, case, name) for part in risks for name in _GAINS])
    resampled = settings.bootstraps if count_groups(clubs) >= settings.fewest_clubs else 0
    weights = [None, *(club_resamples(case, clubs, settings.seed, resampled) if resampled else ())]
    figures = {
        (part, name): np.array([METRICS[name].compute(case, p, weight) for weight in weights])
        for part, p in risks.items() for name in _GAINS
    }  # fmt: skip
    rows = []
    for (part, name), values in figures.items():
        gains = (values - figures[first, name]) * (1 if METRICS[name].better == "higher" else -1)
        numbers = (*_with_limits(values, count_groups(clubs)), *_with_limits(gains, count_groups(clubs)))
        rows.append(_row(part, case, name, numbers))
    return pd.DataFrame(rows)


def _with_limits(values: Floats, clubs: int) -> tuple[float, float, float]:
    """Return the first, which is of all runners, and the limits that the others, of resamples, give."""
    return float(values[0]), *(percentiles(values[1:], clubs) if len(values) > 1 else (np.nan, np.nan))


def _row(part: str, y: Floats, metric: str, figures: tuple[float, ...] = (np.nan,) * 6) -> dict[str, Any]:
    counts = {"part": part, "n": len(y), "events": int(y.sum()), "metric": metric, "label": METRICS[metric].label}
    return counts | dict(zip(("value", "low", "high", "gain", "gain_low", "gain_high"), figures, strict=True))


__all__ = ["TIER_LABELS", "compare_parts", "decision_parts", "groups_of", "part_figures", "subgroup_table"]
