"""Effects of arms estimated: overlap, doubly robust effects and, in simulated cohorts, their distance from the truth.

Frames have one row a patient, in one order, and one column an arm, named as in the dictionary. An effect is the
difference in the probability of success from usual care. Values may be alike within a clinic, so the errors of means
and regressions come from leaving out whole clinics.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import ArrayLike, Bools, CohortError, Floats, Message, NDArray, PathwayConfig, student_quantile
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM


@dataclass(frozen=True)
class Fit:
    """Coefficients with their covariance, and the degrees of freedom of their t distribution (clinics less one).

    `covariance` is NaN where the clinics are too few to say.
    """

    beta: Floats
    covariance: Floats
    freedom: int

    def contrast(self, weights: ArrayLike, level: float) -> tuple[float, float, float]:
        """Return a sum of coefficients, and its interval's limits."""
        value, error = self._value(weights)
        half = student_quantile(level, max(self.freedom, 1)) * error
        return value, value - half, value + half

    def above(self, weights: ArrayLike, null: float = 0.0) -> float:
        """Return the one-sided p value of a sum of coefficients being no more than `null`."""
        from scipy.special import stdtr

        value, error = self._value(weights)
        return float(stdtr(max(self.freedom, 1), -(value - null) / error)) if error > 0 else float("nan")

    def all_equal(self, null: ArrayLike) -> float:
        """Return the p value of all coefficients being those of `null` (Hotelling's T squared over clinics)."""
        from scipy.special import fdtrc

        gap, count = self.beta - np.asarray(null, dtype=float), len(self.beta)
        spare = self.freedom + 1 - count
        if spare < 1 or not np.isfinite(self.covariance).all():
            return float("nan")
        squared = float(gap @ np.linalg.pinv(self.covariance) @ gap)
        return float(fdtrc(count, spare, squared * spare / (count * self.freedom)))

    def _value(self, weights: ArrayLike) -> tuple[float, float]:
        sums = np.asarray(weights, dtype=float)
        return float(sums @ self.beta), float(np.sqrt(sums @ self.covariance @ sums))


def regress(design: Floats, values: Floats, groups: ArrayLike) -> Fit:
    """Return the least-squares fit of values on a design, with a covariance that holds when clinics are few.

    The jackknife over clinics (CV3 of MacKinnon, Nielsen and Webb 2023, with Student's t): with some ten clinics the
    usual sandwich is too narrow. Columns that hold nothing get a coefficient of 0.
    """
    codes, names = pd.factorize(np.asarray(groups), use_na_sentinel=False)
    count, width = len(names), design.shape[1]
    # sums of products a clinic: leaving a clinic out is then a subtraction
    products = np.zeros((count, width, width + 1))
    np.add.at(products, codes, design[:, :, None] * np.column_stack((design, values))[:, None, :])
    total = products.sum(axis=0)
    beta = _solve(total)
    if count < 2:
        return Fit(beta, np.full((width, width), np.nan), 0)
    gaps = np.array([_solve(total - products_of_clinic) for products_of_clinic in products]) - beta
    return Fit(beta, (count - 1) / count * gaps.T @ gaps, count - 1)


def clustered_mean(values: Floats, groups: ArrayLike, level: float) -> tuple[float, float, float]:
    """Return a mean and its interval's limits, NaN where all values are of one clinic."""
    return regress(np.ones((len(values), 1)), values, groups).contrast([1.0], level)


def _solve(products: Floats) -> Floats:
    return np.asarray(np.linalg.pinv(products[:, :-1]) @ products[:, -1])


Labels = ArrayLike
# a patient who had less than this chance of an arm says little about it; weights are capped at its inverse
RARE = PathwayConfig.propensity_floor
_ALL_ARMS = tuple(arm.name for arm in ARMS)


def propensity_overlap(propensity: pd.DataFrame, arm: Labels, eligible: pd.DataFrame) -> pd.DataFrame:
    """Return, for each arm, whether the patients who may have it also had a chance of it.

    Parameters
    ----------
    propensity
        Estimated chance of each arm, 0 to 1.
    arm
        The arm that each patient had.
    eligible
        Whether the arm may be offered to the patient.

    Returns
    -------
    DataFrame
        arm, eligible (patients), received (of those), share (of those, with a chance of at least `RARE`), and the
        smallest, 5 %, median and 95 % chance among those eligible. NaN where nobody is eligible.

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row, or an arm is unknown.
    """
    received = expect_arms(arm)
    expect_frames(len(received), propensity=propensity, eligible=eligible)
    rows: list[dict[str, Any]] = []
    for name in _ALL_ARMS:
        may_have = eligible[name].to_numpy(bool)
        chance = propensity[name].to_numpy(float)[may_have]
        low, q05, median, q95 = np.quantile(chance, [0, 0.05, 0.5, 0.95]) if chance.size else [np.nan] * 4
        share = (chance >= RARE).mean() if chance.size else np.nan
        count = int((received[may_have] == name).sum())
        rows.append({"arm": name, "eligible": chance.size, "received": count, "share": share, "min": low,
                     "q05": q05, "median": median, "q95": q95})  # fmt: skip
    return pd.DataFrame(rows)


def propensity_counts(propensity: pd.DataFrame, arm: Labels, eligible: pd.DataFrame) -> pd.DataFrame:
    """Return how many eligible patients had each chance of each arm: arm, low, high, n_had, n_others.

    `low` and `high` bound an interval of chance, 5 % wide; `n_had` had the arm, `n_others` another. Arguments and
    errors as in `propensity_overlap`.
    """
    received, edges, tables = expect_arms(arm), np.linspace(0, 1, 21), []
    expect_frames(len(received), propensity=propensity, eligible=eligible)
    for name in _ALL_ARMS:
        may_have, chance = eligible[name].to_numpy(bool), propensity[name].to_numpy(float)
        counts = {column: np.histogram(chance[may_have & which], edges)[0]
                  for column, which in (("n_had", received == name), ("n_others", received != name))}  # fmt: skip
        tables.append(pd.DataFrame({"arm": name, "low": edges[:-1], "high": edges[1:], **counts}))
    return pd.concat(tables, ignore_index=True)


def arm_scores(
    y: ArrayLike, arm: Labels, outcome: pd.DataFrame, propensity: pd.DataFrame, floor: float = RARE
) -> pd.DataFrame:
    """Return each patient's doubly robust score under each arm, one column an arm.

    The augmented inverse-propensity score (Robins, Rotnitzky and Zhao 1994): over any group of patients its mean
    estimates their mean success had all of them had the arm, and is right if either the outcome or the propensity
    model is. Both must come from models that were not fitted on these patients. A single score is no probability.

    Parameters
    ----------
    y
        Success, 0 or 1.
    arm
        The arm that each patient had.
    outcome
        Predicted probability of success under each arm.
    propensity
        Chance of each arm.
    floor
        The least chance that weights are made of; 0 where a trial allocated: its chances are never moved.

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row, holds NaN, or an outcome is neither 0 nor 1.
    """
    success = np.asarray(y, dtype=float)
    if len(success) != len(np.asarray(arm)) or not np.isin(success, (0.0, 1.0)).all():
        raise CohortError(Message("success_of_every_patient", {"patients": len(np.asarray(arm))}))
    return outcome_scores(success, arm, outcome, propensity, floor)


def outcome_scores(
    values: ArrayLike, arm: Labels, outcome: pd.DataFrame, propensity: pd.DataFrame, floor: float = RARE
) -> pd.DataFrame:
    """Return what `arm_scores` does for an outcome in a unit of its own: points of pain or function, kilograms.

    Parameters
    ----------
    values
        The outcome, any number.
    outcome
        Predicted outcome under each arm, in the same unit.
    arm, propensity, floor
        As in `arm_scores`.

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row, or anything holds NaN.
    """
    received, observed = expect_arms(arm), np.asarray(values, dtype=float)
    expect_frames(len(received), outcome=outcome, propensity=propensity)
    if len(observed) != len(received) or not np.isfinite(observed).all():
        raise CohortError(Message("outcome_of_every_patient", {"patients": len(received)}))
    return pd.DataFrame(
        {
            name: _augmented(observed, received == name, outcome[name], propensity[name].clip(lower=floor))
            for name in _ALL_ARMS
        }
    )


def pehe(effects: pd.DataFrame, truth: pd.DataFrame, eligible: pd.DataFrame) -> pd.DataFrame:
    """Return how far estimated effects are from the true ones (precision in estimating heterogeneous effects).

    Parameters
    ----------
    effects
        Estimated effect of each active arm, as a difference in probability.
    truth
        True probability of success under each arm; other columns are ignored.
    eligible
        As in `propensity_overlap`.

    Returns
    -------
    DataFrame
        arm, n, bias (mean error), pehe (root mean squared error), and the same for two estimates to beat:
        no_effect (nobody differs from usual care) and same_effect (everyone has the true mean effect).

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row.
    """
    expect_frames(len(truth), truth=truth, eligible=eligible)
    expect_frames(len(truth), ACTIVE_ARMS, effects=effects)
    rows = []
    for name in ACTIVE_ARMS:
        may_have = eligible[name].to_numpy(bool)
        true = (truth[name].to_numpy() - truth[REFERENCE_ARM].to_numpy())[may_have]
        error = effects[name].to_numpy()[may_have] - true
        constant = _mean((true - _mean(true)) ** 2) ** 0.5
        rows.append({"arm": name, "n": true.size, "bias": _mean(error), "pehe": _mean(error**2) ** 0.5,
                     "no_effect": _mean(true**2) ** 0.5, "same_effect": constant})  # fmt: skip
    return pd.DataFrame(rows)


def policy_share(chosen: Labels, truth: pd.DataFrame, eligible: pd.DataFrame) -> float:
    """Return the share of what choosing pathways can gain over usual care for all that these choices do gain.

    (value of the choices - value of usual care for all) / (value of the best eligible arm for each patient - value of
    usual care for all), where value is the mean true probability of success. 1 is the best that can be done, 0 is no
    better than usual care, and below 0 is worse. NaN where no patient has an arm better than usual care.

    Raises
    ------
    CohortError
        If a frame lacks an arm or a row, or a patient is given an unknown arm or one that they may not have.
    """
    picked = expect_arms(chosen)
    expect_frames(len(picked), truth=truth, eligible=eligible)
    may_have = eligible[list(_ALL_ARMS)].to_numpy(bool)
    columns = pd.Index(_ALL_ARMS).get_indexer(pd.Index(picked))
    if refused := int((~may_have[np.arange(len(columns)), columns]).sum()):
        raise CohortError(Message("choices_not_open", {"refused": refused}))
    value = truth[list(_ALL_ARMS)].to_numpy(float)
    usual = value[:, _ALL_ARMS.index(REFERENCE_ARM)].mean()
    best = np.where(may_have, value, -np.inf).max(axis=1).mean()
    return (
        float((value[np.arange(len(columns)), columns].mean() - usual) / (best - usual))
        if best > usual
        else float("nan")
    )


def _augmented(y: Floats, treated: Bools, outcome: pd.Series, propensity: pd.Series) -> Floats:
    expected, chance = outcome.to_numpy(float), propensity.to_numpy(float)
    residual = np.zeros_like(expected)
    np.divide(y - expected, chance, out=residual, where=treated)
    return expected + residual


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def expect_arms(arm: Labels) -> NDArray[np.object_]:
    """Return the arms as an array; refuse one that the dictionary does not have."""
    received = np.asarray(arm, dtype=object)
    if odd := int((~np.isin(received.astype(str), _ALL_ARMS)).sum()):
        raise CohortError(Message("arm_not_in_dictionary", {"arms": list(_ALL_ARMS), "others": odd}))
    return received


def expect_frames(rows: int, arms: tuple[str, ...] = _ALL_ARMS, **frames: pd.DataFrame) -> None:
    """Refuse a frame that lacks an arm or a row, or holds NaN."""
    for name, frame in frames.items():
        if missing := [arm for arm in arms if arm not in frame]:
            raise CohortError(Message("arms_without_column", {"frame": name, "arms": missing}))
        if len(frame) != rows or frame[list(arms)].isna().to_numpy().any():
            raise CohortError(Message("rows_not_complete", {"rows": rows, "frame": name, "found": len(frame)}))


__all__ = [
    "RARE", "Fit", "arm_scores", "clustered_mean", "expect_arms", "expect_frames", "outcome_scores", "pehe",
    "policy_share", "propensity_counts", "propensity_overlap", "regress",
]  # fmt: skip
