"""Where a model's quality differs: between groups of runners, and between the training data and a cohort.

Groups are sex, age, club, the dearest kind of measurement that a runner has, and whether training saw such values.
Every table of groups is long: one row a metric of each group, with an interval over resampled clubs. A group with too
few cases, or too few without, keeps its counts and shows no figure: it would say more of chance than of the model.

Drift is how far the fields of a cohort lie from those that the bundle was trained on. The population stability index
compares shares of bins, sum of (here - there) x log(here / there). Its usual cut-offs (0.1 and 0.25) know nothing of
the number of runners: of 25 runners in ten bins it is 0.36 on average where nothing has drifted. So what chance alone
gives in one of twenty such cohorts stands beside it, and drift is called only above that.

Case-mix is how alike the runners are. The model-based concordance (van Klaveren and others, Stat Med 2016;35:4136) is
the AUROC that these predictions would have if they were right. It differs from the AUROC in training for the case-mix
alone; the observed AUROC differs from it for the model alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import ArrayLike, Bools, Config, EvaluationConfig, Floats, ValidationConfig
from pfps_ml.domain import BY_NAME, TIERS
from pfps_ml.evaluation.metrics import (
    METRICS,
    auroc,
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
    y: ArrayLike,
    p: ArrayLike,
    by: Mapping[str, ArrayLike],
    clubs: ArrayLike,
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
    y: ArrayLike,
    p: ArrayLike,
    by: Mapping[str, ArrayLike],
    clubs: ArrayLike,
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


def _levels(by: Mapping[str, ArrayLike], y: Floats) -> Iterator[tuple[Bools, dict[str, Any]]]:
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


def part_figures(y: Floats, p: Floats, clubs: ArrayLike, settings: EvaluationConfig) -> pd.DataFrame:
    """Return metric, label, value, low and high of some runners, NaN where they are too few to be reported."""
    labels = [metric.label for metric in METRICS.values()]
    blank = pd.DataFrame({"metric": list(METRICS), "label": labels, "value": np.nan, "low": np.nan, "high": np.nan})
    if _too_few(y, settings):
        return blank
    if count_groups(clubs) < settings.fewest_clubs:
        return blank.assign(value=list(measure(y, p).values()))
    return measure_with_intervals(y, p, clubs, settings.seed, settings.bootstraps)


def compare_parts(
    y: ArrayLike, risks: Mapping[str, Floats], clubs: ArrayLike, settings: EvaluationConfig
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
            rows.append(_drift_row(name, known, len(known) / len(X), about, (trained, settings)))
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


def _drift_row(
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


__all__ = [
    "EXPECTED",
    "MODEL",
    "OBSERVED",
    "TIER_LABELS",
    "TRAINING",
    "case_mix",
    "compare_parts",
    "decision_parts",
    "drift_table",
    "groups_of",
    "model_based",
    "part_figures",
    "stability",
    "subgroup_table",
]
