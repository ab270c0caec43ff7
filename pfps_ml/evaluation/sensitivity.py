"""How strong something unrecorded would have to be to overturn an effect: the marginal sensitivity model.

Adjustment assumes that whatever made clinics choose was recorded. Here something hidden may have made the odds of
having an arm up to `strength` times larger or smaller than the records say (Tan 2006). For each strength the largest
and the smallest effect that agree with the data follow exactly, and resampled clinics give their interval (Zhao, Small
and Bhattacharya 2019, applied to the residuals of the outcome model). In plain words: a strength of 2 means that of two
patients with the same records, one may have had twice the odds of the arm, for a reason that also bears on success.

The bounds are safe rather than sharp: the hidden reason may be different, and the worst, for each arm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.core import Bools, EvaluationConfig, Floats, generator
from pfps_ml.domain import ARMS, field
from pfps_ml.evaluation.effects import RARE
from pfps_ml.evaluation.metrics import LEVEL, count_groups, percentiles

STRENGTHS = (1.0, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)
_STRONGEST = 50.0
_HALVINGS = 12  # of the range of log strengths: to a thousandth


@dataclass(frozen=True, eq=False)
class Patients:
    """Held-out patients: success, the arm they had, what was predicted for them, and which arms are open to them.

    Attributes
    ----------
    y
        Success, 0 or 1.
    arm
        The arm that each patient had.
    outcome, propensity
        Predicted probability of success under, and estimated chance of, each arm; models fitted on other patients.
    eligible
        Whether each arm may be offered.
    groups
        The clinic or club.
    """

    y: Floats
    arm: npt.NDArray[np.object_]
    outcome: pd.DataFrame
    propensity: pd.DataFrame
    eligible: pd.DataFrame
    groups: npt.NDArray[np.object_]


def strength_to_overturn(patients: Patients, settings: EvaluationConfig) -> pd.DataFrame:
    """Return, for each two arms, the strength at which the preference between them could be undone.

    Returns
    -------
    DataFrame
        better, other (the arm with the larger adjusted success first), n (patients who may have both), difference;
        strength (from which on no difference, or the other arm being better, agrees with the data) and strength_95
        (the same for the 95 % interval; 1 where it holds 0 even if nothing is hidden). 50 stands for 50 or more.
        NaN where an arm was had by nobody.
    """
    rows = []
    for first, second in combinations([arm.name for arm in ARMS], 2):
        pair = _Pair.of(patients, first, second, settings)
        if pair is None:
            rows.append({"better": first, "other": second, "n": _both(patients, first, second).sum()})
            continue
        difference, swapped = pair.bounds(1.0)[0][0], False
        if difference < 0:
            pair, difference, swapped = pair.swapped(), -difference, True
        better, other = (second, first) if swapped else (first, second)
        rows.append({"better": better, "other": other, "n": pair.count, "difference": difference,
                     "strength": pair.overturned(0), "strength_95": pair.overturned(1)})  # fmt: skip
    return pd.DataFrame(rows, columns=["better", "other", "n", "difference", "strength", "strength_95"])


def sensitivity_bounds(
    patients: Patients, first: str, second: str, settings: EvaluationConfig, strengths: Sequence[float] = STRENGTHS
) -> pd.DataFrame:
    """Return what effect of the first arm over the second agrees with the data, by the strength of what is hidden.

    Returns
    -------
    DataFrame
        strength, lowest, highest (point bounds), low, high (95 % limits of the bounds). Empty where an arm was had by
        nobody, or there are fewer than two clinics.
    """
    pair = _Pair.of(patients, first, second, settings)
    rows = []
    for strength in strengths if pair else ():
        assert pair is not None
        (lowest, low), (other, high) = pair.bounds(strength), pair.swapped().bounds(strength)
        rows.append({"strength": strength, "lowest": lowest[0], "highest": -other[0], "low": low, "high": -high})
    return pd.DataFrame(rows, columns=["strength", "lowest", "highest", "low", "high"], dtype=float)


def measured_strengths(
    propensity: pd.DataFrame, without: Mapping[str, pd.DataFrame], eligible: pd.DataFrame
) -> pd.DataFrame:
    """Return how strongly each recorded field moved the clinics' choices, as a yardstick for what was not recorded.

    Parameters
    ----------
    propensity
        Estimated chance of each arm.
    without
        The same by field, as if every patient had that field's typical value.
    eligible
        Whether each arm may be offered.

    Returns
    -------
    DataFrame
        field, label, strength (the odds ratio that 95 % of patients' chances of any arm stay within), strongest first.
    """
    rows = []
    for name, typical in without.items():
        ratios = []
        for arm in propensity:
            may_have = eligible[arm].to_numpy(bool)
            with_it, plain = (
                chances[arm].to_numpy(float)[may_have].clip(RARE, 1 - RARE) for chances in (propensity, typical)
            )
            ratios.append(np.abs(np.log(with_it / (1 - with_it)) - np.log(plain / (1 - plain))))
        strength = float(np.exp(np.quantile(np.concatenate(ratios), LEVEL)))
        rows.append({"field": name, "label": field(name).label, "strength": strength})
    return pd.DataFrame(rows).sort_values("strength", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Arm:
    """Those who had an arm, sorted by how much better they did than expected: residuals, inverse chances, weights.

    Column 0 of `weight` counts everybody once, the others as a resample did. `expected` is the mean prediction over
    all patients, for each column.
    """

    residual: Floats
    inverse: Floats
    weight: Floats
    expected: Floats

    def extreme(self, strength: float, sign: int) -> Floats:
        """Return the largest (sign 1) or smallest (-1) mean success that agrees with a strength, for each column."""
        near, far = 1 + (self.inverse - 1) / strength, 1 + (self.inverse - 1) * strength
        # the extreme weights are high for the best residuals and low for the rest: try every place of the change
        order = slice(None) if sign > 0 else slice(None, None, -1)
        residual = sign * self.residual[order, None]
        up, down = ((self.weight * values[:, None])[order] for values in (far, near))
        top, mass = (_by_change(values * up, values * down) for values in (residual, np.ones_like(residual)))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(mass > 0, top / mass, np.nan)
        return np.asarray(self.expected + sign * ratio.max(axis=0))


def _by_change(before: Floats, after: Floats) -> Floats:
    """Return, for every place of a change (the first is before all rows), the sum of what counts there."""
    start = np.zeros((1, before.shape[1]))
    return np.asarray(np.vstack((start, (before - after).cumsum(axis=0))) + after.sum(axis=0))


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two arms, and the patients who may have both."""

    first: _Arm
    second: _Arm
    count: int
    clinics: int

    @classmethod
    def of(cls, patients: Patients, first: str, second: str, settings: EvaluationConfig) -> "_Pair | None":
        """Gather both arms among the patients who may have both; None where one of them was had by nobody."""
        may_have_both = _both(patients, first, second)
        arm, groups = patients.arm[may_have_both], patients.groups[may_have_both]
        clinics = count_groups(groups)
        if clinics < 2 or not ((arm == first).any() and (arm == second).any()):
            return None
        weight = _counts(groups, settings)
        one, other = (_arm(patients, may_have_both, name, weight) for name in (first, second))
        return cls(one, other, int(may_have_both.sum()), clinics)

    def swapped(self) -> "_Pair":
        """Return the same two arms the other way round."""
        return _Pair(self.second, self.first, self.count, self.clinics)

    def bounds(self, strength: float) -> tuple[Floats, float]:
        """Return the smallest difference that agrees with a strength for each resample, and its lower 95 % limit."""
        smallest = self.first.extreme(strength, -1) - self.second.extreme(strength, 1)
        return smallest, percentiles(smallest[1:], self.clinics)[0]

    def overturned(self, which: int) -> float:
        """Return the strength at which the smallest difference (0) or its lower limit (1) reaches none."""

        def holds(strength: float) -> bool:
            smallest, limit = self.bounds(strength)
            return (smallest[0], limit)[which] > 0

        if not holds(1.0):
            return 1.0
        low, high = 0.0, float(np.log(_STRONGEST))
        if holds(_STRONGEST):
            return _STRONGEST
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if holds(float(np.exp(middle))) else (low, middle)
        return float(np.exp((low + high) / 2))


def _both(patients: Patients, first: str, second: str) -> Bools:
    return (patients.eligible[first] & patients.eligible[second]).to_numpy(bool)


def _counts(groups: npt.NDArray[np.object_], settings: EvaluationConfig) -> Floats:
    """Return how often each patient counts: once, and as often as their clinic was drawn in each resample."""
    codes, names = pd.factorize(groups, sort=True, use_na_sentinel=False)
    stream = generator(settings.seed, "evaluation: resampled clinics")
    drawn = stream.integers(0, len(names), (settings.bootstraps, len(names)))
    times = np.array([np.bincount(clinics, minlength=len(names)) for clinics in drawn]).reshape(-1, len(names))
    return np.column_stack((np.ones(len(codes)), times[:, codes].T)).astype(float)


def _arm(patients: Patients, may_have_both: Bools, name: str, weight: Floats) -> _Arm:
    expected, received = patients.outcome[name].to_numpy(float)[may_have_both], patients.arm[may_have_both] == name
    residual = (patients.y[may_have_both] - expected)[received]
    order = np.argsort(-residual, kind="stable")
    inverse = 1 / np.maximum(patients.propensity[name].to_numpy(float)[may_have_both][received], RARE)
    means = (weight * expected[:, None]).sum(axis=0) / weight.sum(axis=0)
    return _Arm(residual[order], inverse[order], weight[received][order], means)


__all__ = ["STRENGTHS", "Patients", "measured_strengths", "sensitivity_bounds", "strength_to_overturn"]
