"""What choosing pathways by the model is worth: whether effects differ as it says, and policies beside simple rules.

The tests are those of Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), on doubly robust scores of held-out
patients, without the truth: the best linear predictor, and the effects of groups formed by the predicted effect. An
effect is a difference in success from usual care, among the patients who may have the arm.

The curves treat patients in the order of their predicted effect. The Qini curve is what has been gained when a share of
them is treated; the TOC curve (targeting operator characteristic; Yadlowsky, Fleming, Shah, Brunskill and Wager 2021)
is how much larger the effect is among those than among all. Areas: AUTOC under the TOC curve, and the Qini coefficient
between the Qini curve and treating the same share at random. Both are 0 if the order says nothing.

A policy names one arm for every patient. Its value is the mean success if all patients had that arm. It is compared
with simple rules, without the truth and, in simulated cohorts, against it: how often is a preference named, and right?
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import ArrayLike, Bools, CohortError, EvaluationConfig, Floats, Ints, Message, NDArray, generator
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.evaluation.effects import clustered_mean, policy_share, regress
from pfps_ml.evaluation.metrics import LEVEL, count_groups, percentiles

_SAME = 1e-9  # a spread of predicted effects below this is none


def effect_scores(
    effects: pd.DataFrame, scores: pd.DataFrame, eligible: pd.DataFrame, name: str
) -> tuple[Bools, Floats, Floats]:
    """Return who may have an arm and usual care, their predicted effects, and the scores of their effects."""
    may_have = (eligible[name] & eligible[REFERENCE_ARM]).to_numpy(bool)
    score = (scores[name] - scores[REFERENCE_ARM]).to_numpy(float)
    return may_have, effects[name].to_numpy(float)[may_have], score[may_have]


def best_linear_predictor(
    effects: pd.DataFrame, scores: pd.DataFrame, eligible: pd.DataFrame, groups: ArrayLike
) -> pd.DataFrame:
    """Return, for each active arm, the effects' best linear predictor in what was predicted.

    Parameters
    ----------
    effects
        Predicted effect of each active arm, from models that these patients did not train.
    scores
        What `arm_scores` returned.
    eligible
        Whether each arm may be offered to the patient.
    groups
        The clinic or club of each patient.

    Returns
    -------
    DataFrame
        arm, n, mean, mean_low, mean_high (the mean effect, 95 %); slope, slope_low, slope_high: by how much effects
        truly differ where predictions differ by 1. 1: as predicted; 0: no sign of it; below 0: the wrong way round.
        p_differs (one-sided, slope above 0: patients differ as the model says), p_calibrated (two-sided, slope of 1).
        NaN where all predictions are the same, or the clinics are fewer than two.
    """
    rows = []
    for name in ACTIVE_ARMS:
        may_have, predicted, score = effect_scores(effects, scores, eligible, name)
        row: dict[str, Any] = {"arm": name, "n": int(may_have.sum()), **dict.fromkeys(_BLP, np.nan)}
        if may_have.any():
            clinic = np.asarray(groups)[may_have]
            row |= zip(_BLP, clustered_mean(score, clinic, LEVEL), strict=False)
            if np.ptp(predicted) > _SAME:
                row |= zip(_BLP[3:], _slope(predicted, score, clinic), strict=True)
        rows.append(row)
    return pd.DataFrame(rows)


_BLP = ("mean", "mean_low", "mean_high", "slope", "slope_low", "slope_high", "p_differs", "p_calibrated")


def _slope(predicted: Floats, score: Floats, clinic: ArrayLike) -> tuple[float, ...]:
    fit = regress(np.column_stack((np.ones_like(predicted), predicted - predicted.mean())), score, clinic)
    above = fit.above([0, 1], 1.0)
    return *fit.contrast([0, 1], LEVEL), fit.above([0, 1]), 2 * min(above, 1 - above)


def group_members(predicted: Floats, count: int) -> Ints:
    """Return the group of each patient, from 0 (the least was predicted) on; equal groups, fewer where many tie."""
    edges = np.unique(np.quantile(predicted, np.arange(1, count) / count))
    return np.asarray(np.unique(np.searchsorted(edges, predicted), return_inverse=True)[1], dtype=np.int64)


def group_effects(
    effects: pd.DataFrame, scores: pd.DataFrame, eligible: pd.DataFrame, groups: ArrayLike, count: int
) -> pd.DataFrame:
    """Return the effects of equal groups of patients, sorted by what was predicted for them.

    Parameters
    ----------
    effects, scores, eligible, groups
        As in `best_linear_predictor`.
    count
        How many groups; fewer where many predictions are the same.

    Returns
    -------
    DataFrame
        arm, group (1 is the least that was predicted), n, predicted (mean), observed, low, high (95 %), and the same
        in every row of an arm: spread (last group minus first), spread_low, spread_high, p_spread (one-sided, above
        0), p_calibrated (all groups are as predicted).
    """
    rows: list[dict[str, Any]] = []
    for name in ACTIVE_ARMS:
        may_have, predicted, score = effect_scores(effects, scores, eligible, name)
        if may_have.any():
            rows += [{"arm": name, **row} for row in _groups(predicted, score, np.asarray(groups)[may_have], count)]
    return pd.DataFrame(rows, columns=["arm", *_GROUP])


_GROUP = ("group", "n", "predicted", "observed", "low", "high",
          "spread", "spread_low", "spread_high", "p_spread", "p_calibrated")  # fmt: skip


def _groups(predicted: Floats, score: Floats, clinic: ArrayLike, count: int) -> list[dict[str, Any]]:
    member = group_members(predicted, count)
    design = (member[:, None] == np.arange(member.max() + 1)).astype(float)
    means, one_group = (design.T @ predicted) / design.sum(axis=0), np.eye(design.shape[1])
    # the distance from the predictions, not the effect, is what is tested: predictions differ within a group too
    fit, gap = regress(design, score, clinic), regress(design, score - predicted, clinic)
    tests: tuple[float, ...] = (np.nan,) * 4
    if len(one_group) > 1:
        tests = (*fit.contrast(one_group[-1] - one_group[0], LEVEL), fit.above(one_group[-1] - one_group[0]))
    both = (*tests, gap.all_equal(np.zeros(len(one_group))))
    return [
        dict(zip(_GROUP, (at + 1, int(design[:, at].sum()), means[at], *fit.contrast(one_group[at], LEVEL), *both),
                 strict=True)) for at in range(len(one_group))
    ]  # fmt: skip


_SHARES = np.arange(1, 21) / 20  # of the table and the picture
_NOISE = 1e-12  # of an area: below it, only arithmetic differs between resamples
_FINE = (np.arange(200) + 0.5) / 200  # of the areas


def targeting_curves(
    effects: pd.DataFrame,
    scores: pd.DataFrame,
    eligible: pd.DataFrame,
    groups: ArrayLike,
    settings: EvaluationConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves of each active arm, and their areas, with intervals over resampled clinics.

    Parameters
    ----------
    effects, scores, eligible, groups
        As in `heterogeneity.best_linear_predictor`.
    settings
        Resamples and seed.

    Returns
    -------
    curves
        arm, share (treated), gain, gain_low, gain_high (mean success gained a patient), random (the same share at
        random), toc, toc_low, toc_high.
    areas
        arm, n, autoc, autoc_low, autoc_high, p_autoc, qini, qini_low, qini_high, p_qini (one-sided, above 0; Student's
        t on the resamples' spread). NaN where there are fewer than two clinics.
    """
    curves, areas = [], []
    for name in ACTIVE_ARMS:
        may_have, predicted, score = effect_scores(effects, scores, eligible, name)
        if not may_have.any():
            continue
        clinic = np.asarray(groups)[may_have]
        observed = _curves(predicted, score, np.ones_like(score))
        weights = _resamples(clinic, settings)
        draws = [_curves(predicted, score, weight) for weight in weights]
        clinics = count_groups(clinic)
        curves.append(_curve_table(name, observed, draws, clinics))
        areas.append({"arm": name, "n": int(may_have.sum()), **_areas(observed, draws, clinics)})
    columns = ["arm", "share", "random", "gain", "gain_low", "gain_high", "toc", "toc_low", "toc_high"]
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
    return table, pd.DataFrame(areas)


def _curves(predicted: Floats, score: Floats, weight: Floats) -> dict[str, Floats]:
    """Return both curves and both areas of patients counted as given; patients with one prediction are not ranked."""
    order = np.argsort(-predicted, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(predicted[order]) != 0)))
    reached = np.concatenate(([0.0], np.add.reduceat(weight[order], starts).cumsum())) / weight.sum()
    gained = np.concatenate(([0.0], np.add.reduceat((weight * score)[order], starts).cumsum())) / weight.sum()
    coarse, fine = np.interp(_SHARES, reached, gained), np.interp(_FINE, reached, gained)
    excess = fine - _FINE * gained[-1]
    return {"gain": coarse, "toc": coarse / _SHARES - gained[-1],
            "autoc": np.array((excess / _FINE).mean()), "qini": np.array(excess.mean())}  # fmt: skip


def _resamples(clinic: ArrayLike, settings: EvaluationConfig) -> Iterator[Floats]:
    codes, names = pd.factorize(np.asarray(clinic), sort=True)
    stream = generator(settings.seed, "evaluation: resampled clinics")
    for _ in range(settings.bootstraps if len(names) > 1 else 0):
        yield np.bincount(stream.integers(0, len(names), len(names)), minlength=len(names))[codes].astype(float)


def _curve_table(name: str, observed: dict[str, Floats], draws: list[dict[str, Floats]], clinics: int) -> pd.DataFrame:
    table = pd.DataFrame({"arm": name, "share": _SHARES, "random": _SHARES * observed["gain"][-1]})
    for curve in ("gain", "toc"):
        columns = np.array([draw[curve] for draw in draws]).T if draws else np.full((len(_SHARES), 1), np.nan)
        limits = np.array([percentiles(column, max(clinics, 2)) for column in columns])
        table = table.assign(**{curve: observed[curve], f"{curve}_low": limits[:, 0], f"{curve}_high": limits[:, 1]})
    return table


def _areas(observed: dict[str, Floats], draws: list[dict[str, Floats]], clinics: int) -> dict[str, float]:
    from scipy.special import stdtr

    row: dict[str, float] = {}
    for area in ("autoc", "qini"):
        values = np.array([float(draw[area]) for draw in draws]) if draws else np.full(1, np.nan)
        low, high = percentiles(values, max(clinics, 2))
        error = values.std() * np.sqrt(clinics / max(clinics - 1, 1))
        p = float(stdtr(clinics - 1, -observed[area] / error)) if error > _NOISE else float("nan")
        row |= {area: float(observed[area]), f"{area}_low": low, f"{area}_high": high, f"p_{area}": p}
    return row


Choices = NDArray[np.object_]
BEST, AS_TREATED = "best_predicted", "as_treated"
_ARM_LABELS = {arm.name: arm.label for arm in ARMS}
POLICY_LABELS = {
    BEST: "Best predicted arm for each patient",
    REFERENCE_ARM: f"{_ARM_LABELS[REFERENCE_ARM]} for everybody",
    **{name: f"{_ARM_LABELS[name]} for all who may have it" for name in ACTIVE_ARMS},
    AS_TREATED: "As the clinics chose",
}


def simple_policies(outcome: pd.DataFrame, eligible: pd.DataFrame) -> dict[str, Choices]:
    """Return the policies that are compared: the best predicted eligible arm, usual care for all, and each arm for all.

    Patients who may not have an arm have usual care instead. A tie goes to the arm that the dictionary names first.
    """
    names = [arm.name for arm in ARMS]
    predicted = np.where(eligible[names].to_numpy(bool), outcome[names].to_numpy(float), -np.inf)
    policies = {BEST: np.array(names, dtype=object)[predicted.argmax(axis=1)]}
    for name in names:
        policies[name] = np.where(eligible[name].to_numpy(bool), name, REFERENCE_ARM).astype(object)
    return policies


def policy_values(
    y: ArrayLike, scores: pd.DataFrame, choices: Mapping[str, Choices], groups: ArrayLike
) -> pd.DataFrame:
    """Return the doubly robust value of each policy, and how far the first one leads each other, with intervals.

    Parameters
    ----------
    y
        Success, 0 or 1: the value of what the clinics did is its mean.
    scores
        What `arm_scores` returned.
    choices
        One arm a patient for each policy, made without looking at these patients' outcomes.
    groups
        The clinic or club of each patient.

    Returns
    -------
    DataFrame
        policy, label, value, low, high (95 %), lead, lead_low, lead_high: the first policy's value minus this one's.
        The last row is what the clinics did. An interval of a lead that holds 0 says that choosing by the model has
        not been shown to do better, or worse, than that rule.
    """
    names, rows = list(scores.columns), []
    gained = {policy: _picked(scores, names, chosen) for policy, chosen in choices.items()}
    gained[AS_TREATED] = np.asarray(y, dtype=float)
    first = next(iter(gained))
    for policy, values in gained.items():
        value, low, high = clustered_mean(values, groups, LEVEL)
        lead, lead_low, lead_high = clustered_mean(gained[first] - values, groups, LEVEL)
        rows.append({"policy": policy, "label": POLICY_LABELS.get(policy, policy), "value": value, "low": low,
                     "high": high, "lead": lead, "lead_low": lead_low, "lead_high": lead_high})  # fmt: skip
    return pd.DataFrame(rows)


def policy_regret(choices: Mapping[str, Choices], truth: pd.DataFrame, eligible: pd.DataFrame) -> pd.DataFrame:
    """Return what each policy is truly worth, in a simulated cohort.

    Returns
    -------
    DataFrame
        policy, label, value (mean true success), regret (what the best eligible arm for each patient would add),
        share (see `policy_share`), right (share of patients for whom no eligible arm is better).

    Raises
    ------
    CohortError
        As `policy_share`.
    """
    names, rows = [arm.name for arm in ARMS], []
    best = np.where(eligible[names].to_numpy(bool), truth[names].to_numpy(float), -np.inf).max(axis=1)
    for policy, chosen in choices.items():
        share, value = policy_share(chosen, truth, eligible), _picked(truth, names, chosen)
        rows.append({"policy": policy, "label": POLICY_LABELS.get(policy, policy), "value": value.mean(),
                     "regret": (best - value).mean(), "share": share, "right": (value >= best).mean()})  # fmt: skip
    return pd.DataFrame(rows)


def _picked(frame: pd.DataFrame, names: list[str], chosen: Choices) -> Floats:
    at = pd.Index(names).get_indexer(pd.Index(chosen))
    if odd := int((at < 0).sum()):
        raise CohortError(Message("choices_not_arms", {"arms": list(names), "others": odd}))
    return np.asarray(frame[names].to_numpy(float)[np.arange(len(at)), at])


_NAMES = [arm.name for arm in ARMS]
_THIRDS = ("All patients", "Least overlap", "Middle third of overlap", "Most overlap")


def preference_table(
    acceptable: pd.DataFrame,
    preferred: ArrayLike,
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
    open_to, still_acceptable = (frame[_NAMES].to_numpy(bool) for frame in (eligible, acceptable))
    chosen = np.asarray(preferred)
    at = pd.Index(_NAMES).get_indexer(pd.Index(chosen))
    columns = {"kept": (still_acceptable & open_to).sum(axis=1) / open_to.sum(axis=1), "named": (at >= 0).astype(float)}
    if truth is not None:
        success = np.where(open_to, truth[_NAMES].to_numpy(float), -np.inf)
        best = success >= success.max(axis=1, keepdims=True)
        right = best[np.arange(len(at)), np.maximum(at, 0)]
        columns |= {
            "best_kept": (best & still_acceptable).any(axis=1).astype(float),
            "right": np.where(at >= 0, right, np.nan),
        }
    overlap = np.where(open_to, propensity[_NAMES].to_numpy(float), np.inf).min(axis=1)
    third = np.searchsorted(np.quantile(overlap, [1 / 3, 2 / 3]), overlap) + 1
    rows = pd.DataFrame(columns)
    parts = [np.ones(len(rows), dtype=bool), *(third == part for part in (1, 2, 3))]
    return pd.DataFrame(
        [
            {"patients": name, "n": int(members.sum()), **rows[members].mean()}
            for name, members in zip(_THIRDS, parts, strict=True)
        ]
    )


__all__ = [
    "AS_TREATED",
    "BEST",
    "POLICY_LABELS",
    "best_linear_predictor",
    "effect_scores",
    "group_effects",
    "group_members",
    "policy_regret",
    "policy_values",
    "preference_table",
    "simple_policies",
    "targeting_curves",
]
