"""Mean effects of arms, each with the patients that it is about (its estimand).

An effect has no meaning before somebody says whose mean it is. Three answers are computed, for each active arm against
usual care, among the patients who may have both:

* *all*: everybody who may have both. Needs a real chance of both arms for everybody.
* *treated*: those who had the arm. Needs a real chance of usual care for them.
* *overlap*: patients as far as both arms were a real choice for them (Li, Morgan and Zaslavsky 2018). Those who were
  sure to have one arm count little, so that this effect can be estimated where the others cannot.

Each is doubly robust: predicted outcomes, plus the weighted residuals of those who had the arm, in weights that sum to
one. It is right if either the predicted outcomes or the chances are. Chances that a trial allocated are used as they
are; estimated ones have a floor. Predicted outcomes are first recalibrated for each arm on patients of other folds, so
that a bundle that is wrong of these patients costs no width.

Intervals leave out one clinic after another and use Student's t (see `effects.regress`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import (
    Bools,
    CohortError,
    Floats,
    Ints,
    Message,
    NDArray,
    expit,
    fit_logistic,
    generator,
    logit,
    student_quantile,
)
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM, Estimand
from pfps_ml.evaluation.effects import RARE, expect_arms, expect_frames
from pfps_ml.evaluation.metrics import LEVEL

_NAMES = tuple(arm.name for arm in ARMS)
LARGEST_SHARE = 0.1  # of the patients with less than the floor of a chance: from here on the mean of all is withheld
FEWEST_CARRIED = 10.0  # patients of an arm, counted by their weights
OVERLAP_LACKING, TOO_FEW_CARRY = "effect_withheld_overlap", "effect_withheld_few"
_FOLDS = 5
# prior precision of a recalibration: of the slope less 1 and of an arm's shift; of each field, per standard deviation
_OF_PREDICTION, _OF_ARM, _OF_FIELD = 1.0, 1.0, 10.0
_NEAR = 1e-4  # predicted probabilities stay this far from 0 and 1


@dataclass(frozen=True, eq=False)
class Patients:
    """Held-out patients: outcome, the arm they had, what was predicted for them, and which arms are open to them.

    Attributes
    ----------
    y
        Success, 0 or 1; or an outcome in a unit of its own, with `outcome` in the same unit.
    arm
        The arm that each patient had.
    outcome, propensity
        Predicted outcome under, and chance of, each arm; from models that were fitted on other patients.
    eligible
        Whether each arm may be offered.
    groups
        The clinic or club.
    randomised
        Whether chance allocated the arms: then `propensity` is what was allocated and has no floor.
    expected
        The predicted outcomes that effects are adjusted with; None: `outcome` as it is. See `recalibrated`.
    weight
        How many patients each one stands for, where outcomes of others went missing; None: one.
    """

    y: Floats
    arm: NDArray[np.object_]
    outcome: pd.DataFrame
    propensity: pd.DataFrame
    eligible: pd.DataFrame
    groups: NDArray[np.object_]
    randomised: bool = False
    expected: pd.DataFrame | None = None
    weight: Floats | None = None

    @property
    def adjusting(self) -> pd.DataFrame:
        """The predicted outcomes that effects are adjusted with."""
        return self.outcome if self.expected is None else self.expected

    @property
    def counted(self) -> Floats:
        """How many patients each one stands for."""
        return np.ones(len(self.y)) if self.weight is None else self.weight

    @property
    def chance(self) -> pd.DataFrame:
        """The chances that weights are made of: as a trial allocated them, else with their floor."""
        return self.propensity if self.randomised else self.propensity.clip(lower=RARE)


def adjusted_effects(patients: Patients, estimand: Estimand | None = None) -> pd.DataFrame:
    """Return the mean effect of each active arm, adjusted for assignment, and whom it is about.

    Parameters
    ----------
    patients
        See `Patients`.
    estimand
        Whom the effects are about. None: everybody, and where that is withheld, the patients of the overlap.

    Returns
    -------
    DataFrame
        arm, estimand, effect, low, high (95 %), n (patients who may have the arm and usual care), carried (patients of
        the smaller arm, counted by their weights), naive, naive_low, naive_high (the raw difference among those n),
        withheld (a code, or None). NaN where an effect is withheld, where none of them had the arm, or none had usual
        care; no interval where they are all of one group.

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row, or anything holds NaN.
    """
    return effects_about(effects_by_estimand(patients), estimand)


def effects_about(table: pd.DataFrame, estimand: Estimand | None) -> pd.DataFrame:
    """Return those effects of `effects_by_estimand` that are about an estimand; see `adjusted_effects`."""
    if estimand is not None:
        return table[table["estimand"] == estimand].reset_index(drop=True)
    of_all = table[table["estimand"] == Estimand.ALL]
    withheld = set(of_all.loc[of_all["withheld"].notna(), "arm"])
    wanted = table["arm"].map(lambda name: Estimand.OVERLAP if name in withheld else Estimand.ALL)
    return table[table["estimand"] == wanted].reset_index(drop=True)


def effects_by_estimand(patients: Patients) -> pd.DataFrame:
    """Return each active arm's mean effect under every estimand; columns and errors as in `adjusted_effects`."""
    received = expect_arms(patients.arm)
    expect_frames(len(received), outcome=patients.adjusting, propensity=patients.propensity,
                  eligible=patients.eligible)  # fmt: skip
    if len(patients.groups) != len(received):
        counts = {"patients": len(received), "groups": len(patients.groups)}
        raise CohortError(Message("group_of_every_patient", counts))
    if len(patients.y) != len(received) or not np.isfinite(patients.y).all():
        raise CohortError(Message("outcome_of_every_patient", {"patients": len(received)}))
    return pd.DataFrame([_row(patients, name, estimand) for name in ACTIVE_ARMS for estimand in Estimand])


def population(patients: Patients, name: str, estimand: Estimand) -> Floats:
    """Return how much each patient counts in an estimand, shape (rows,); 0 for those who may not have both arms."""
    share = _share_of(patients, name, estimand)
    return np.asarray(np.where(_may_have_both(patients, name), share * patients.counted, 0.0))


def _row(patients: Patients, name: str, estimand: Estimand) -> dict[str, Any]:
    rows = _may_have_both(patients, name)
    row: dict[str, Any] = {"arm": name, "estimand": estimand} | dict.fromkeys(_FIGURES, np.nan)
    row |= {"n": int(rows.sum()), "withheld": None}
    had, usual = (rows & (patients.arm == arm) for arm in (name, REFERENCE_ARM))
    if not (had.any() and usual.any()):
        return row
    groups, ones = patients.groups[rows], np.ones(len(rows))
    raw = _jackknife(_sums(rows, np.zeros(len(rows)), [(had, ones), (usual, ones)], patients.y, ones, groups))
    row |= dict(zip(("naive", "naive_low", "naive_high"), raw, strict=True))
    weights = _weights(patients, name, estimand)
    row["carried"] = min(_carried(weights[0][had]), _carried(weights[1][usual]))
    row["withheld"] = _withheld(patients, name, estimand, row["carried"])
    if row["withheld"] is None:
        both = zip((had, usual), weights, strict=True)
        expected, share = patients.adjusting, population(patients, name, estimand)
        gain = (expected[name] - expected[REFERENCE_ARM]).to_numpy(float)
        at_arm = np.where(had, expected[name], expected[REFERENCE_ARM])
        sums = _sums(rows, gain, list(both), patients.y - at_arm, share, groups)
        row |= dict(zip(("effect", "low", "high"), _jackknife(sums), strict=True))
    return row


_FIGURES = ("effect", "low", "high", "n", "carried", "naive", "naive_low", "naive_high")


def _may_have_both(patients: Patients, name: str) -> Bools:
    return (patients.eligible[name] & patients.eligible[REFERENCE_ARM]).to_numpy(bool)


def _share_of(patients: Patients, name: str, estimand: Estimand) -> Floats:
    """Return each patient's part in the population of an estimand, 0 to 1."""
    if estimand == Estimand.ALL:
        return np.ones(len(patients.y))
    if estimand == Estimand.TREATED:
        return np.asarray(patients.arm == name, dtype=float)
    chance, usual = _chances(patients, name)
    return np.asarray(chance * usual / np.maximum(chance + usual, np.finfo(float).tiny))


def _weights(patients: Patients, name: str, estimand: Estimand) -> tuple[Floats, Floats]:
    """Return the weight of each patient under the arm and under usual care: the population's share over the chance."""
    chance, usual = _chances(patients, name)
    with np.errstate(divide="ignore", invalid="ignore"):
        if estimand == Estimand.ALL:
            pair = 1 / chance, 1 / usual
        elif estimand == Estimand.TREATED:
            pair = np.ones(len(chance)), chance / usual
        else:
            pair = usual / (chance + usual), chance / (chance + usual)
    first, second = (np.where(np.isfinite(weight), weight, 0.0) * patients.counted for weight in pair)
    return first, second


def _chances(patients: Patients, name: str) -> tuple[Floats, Floats]:
    return patients.chance[name].to_numpy(float), patients.chance[REFERENCE_ARM].to_numpy(float)


def _withheld(patients: Patients, name: str, estimand: Estimand, carried: float) -> str | None:
    """Return the code of why an effect is withheld: no real chance of both arms, or too few who carry it."""
    chosen = not patients.randomised and estimand != Estimand.OVERLAP
    if chosen and lacking(patients, name, estimand) >= LARGEST_SHARE:
        return OVERLAP_LACKING
    return TOO_FEW_CARRY if carried < FEWEST_CARRIED else None


def withheld_message(code: str) -> Message:
    """Return why an effect is withheld, with the limit that it fell short of."""
    return Message(code, {"share": LARGEST_SHARE} if code == OVERLAP_LACKING else {"least": int(FEWEST_CARRIED)})


def lacking(patients: Patients, name: str, estimand: Estimand) -> float:
    """Return the share of an estimand's patients with less than the floor of a chance of an arm that it needs."""
    rows = _may_have_both(patients, name) & ((patients.arm == name) | (estimand != Estimand.TREATED))
    needed = [REFERENCE_ARM] if estimand == Estimand.TREATED else [name, REFERENCE_ARM]
    below = (patients.propensity.loc[rows, needed] < RARE).any(axis=1)
    return float(below.mean()) if rows.any() else 0.0


def _carried(weight: Floats) -> float:
    """Return how many equally weighted patients tell as much (Kish)."""
    squares = float((weight**2).sum())
    return float(weight.sum() ** 2 / squares) if squares > 0 else 0.0


def _sums(
    rows: Bools, gain: Floats, arms: list[tuple[Bools, Floats]], residual: Floats, share: Floats, groups: NDArray[Any]
) -> Floats:
    """Return what an effect is made of, summed within each clinic: pairs of a weighted sum and its weights."""
    codes = pd.factorize(groups, use_na_sentinel=False)[0]
    columns = [share * gain, share]
    for had, weight in arms:
        columns += [np.where(had, weight * residual, 0.0), np.where(had, weight, 0.0)]
    values = np.column_stack(columns)[rows]
    return np.column_stack([np.bincount(codes, weights=column) for column in values.T])


def _jackknife(sums: Floats) -> tuple[float, float, float]:
    """Return an effect and its interval's limits, from leaving out each clinic.

    The limits are NaN where there is one clinic, or where one clinic alone had an arm: nothing then says how clinics
    differ.
    """
    total, clinics = sums.sum(axis=0), len(sums)
    effect = float(_effect(total))
    if clinics < 2:
        return effect, float("nan"), float("nan")
    gaps = _effect(total - sums) - effect
    half = student_quantile(LEVEL, clinics - 1) * float(np.sqrt((clinics - 1) / clinics * (gaps**2).sum()))
    return effect, effect - half, effect + half


def _effect(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[..., 0::2] / sums[..., 1::2]
    return np.asarray(means[..., 0] + means[..., 1] - means[..., 2])


def recalibrated(
    X: pd.DataFrame, y: Floats, arm: NDArray[np.object_], outcome: pd.DataFrame, groups: NDArray[Any]
) -> pd.DataFrame:
    """Return predicted success under each arm, recalibrated on patients of other folds.

    A logistic regression of success with the predicted log-odds as its offset: a shift for each arm, a slope, and what
    the recorded fields add, all shrunken to none. Folds are whole clinics.

    Parameters
    ----------
    X
        Recorded fields, NaN where missing.
    y
        Success, 0 or 1.
    arm, groups
        The arm that each patient had, and the clinic.
    outcome
        Predicted probability of success under each arm.
    """
    margins = {name: logit(outcome[name].to_numpy(float).clip(_NEAR, 1 - _NEAR)) for name in _NAMES}
    fields, received = scaled_fields(X), [name for name in ACTIVE_ARMS if (arm == name).any()]
    penalty = np.diag([0.0, _OF_PREDICTION, *[_OF_ARM] * len(received), *[_OF_FIELD] * fields.shape[1]])

    def design(margin: Floats, given: NDArray[np.object_] | str) -> Floats:
        shifts = [np.broadcast_to(np.asarray(given == name, dtype=float), margin.shape) for name in received]
        return np.column_stack((np.ones(len(margin)), margin, *shifts, fields))

    had = np.select([arm == name for name in _NAMES], [margins[name] for name in _NAMES])
    seen, fold, found = design(had, arm), _folds(groups), outcome[list(_NAMES)].copy()
    for at in np.unique(fold):
        train, test = fold != at, fold == at
        if train.any():
            beta = fit_logistic(seen[train], y[train], penalty=penalty, offset=had[train])
            for name in _NAMES:
                found.loc[test, name] = expit(margins[name] + design(margins[name], name) @ beta)[test]
    return found


def scaled_fields(X: pd.DataFrame) -> Floats:
    """Return the fields in standard deviations from their means, 0 where missing, and a column for each kind of gap."""
    values = X.to_numpy(dtype=float)
    known = ~np.isnan(values)
    varied = known.any(axis=0)
    values, known = values[:, varied], known[:, varied]
    spread = np.nanstd(values, axis=0) if values.size else np.zeros(values.shape[1])
    moving = spread > 0
    scaled = (values[:, moving] - np.nanmean(values[:, moving], axis=0)) / spread[moving]
    gaps = np.unique(np.asarray(~known, dtype=float), axis=1) if known.size else np.zeros((len(X), 0))
    gaps = gaps[:, (gaps.std(axis=0) > 0)] if gaps.size else gaps
    return np.column_stack((np.nan_to_num(scaled), gaps)) if len(X) else np.zeros((0, 0))


def _folds(groups: NDArray[Any]) -> Ints:
    codes, clinics = pd.factorize(groups, use_na_sentinel=False)
    order = generator(0, "recalibration of outcomes: folds of clinics").permutation(len(clinics))
    return np.asarray(order[codes] % min(_FOLDS, max(len(order), 1)))


__all__ = [
    "FEWEST_CARRIED", "LARGEST_SHARE", "OVERLAP_LACKING", "TOO_FEW_CARRY", "Patients", "adjusted_effects",
    "effects_about", "effects_by_estimand", "lacking", "population", "recalibrated", "scaled_fields",
    "withheld_message",
]  # fmt: skip
