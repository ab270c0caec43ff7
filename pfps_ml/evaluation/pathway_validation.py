"""Pathway models judged on patients that they were not trained on: effects, the gate, policies, and what is hidden.

The gate is asked again on patients of a cohort. Its simpler models are the bundle's averages, so that nothing is
fitted here and small cohorts can be asked, too: no effect; for everybody the mean difference that it predicts; for
everybody its mean odds ratio.

The marginal sensitivity model says how strong something unrecorded would have to be to overturn an effect. Adjustment
assumes that whatever made clinics choose was recorded. Here something hidden may have made the odds of having an arm
up to `strength` times larger or smaller than the records say (Tan 2006). For each strength the largest and the
smallest effect that agree with the data follow exactly, and resampled clinics give their interval (Zhao, Small and
Bhattacharya 2019, applied to the residuals of the outcome model). In plain words: a strength of 2 means that of two
patients with the same records, one may have had twice the odds of the arm, for a reason that also bears on success.
The bounds are safe rather than sharp: the hidden reason may be different, and the worst, for each arm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, EvaluationConfig, Floats, Message, NDArray, expit, generator, logit, sentence
from pfps_ml.domain import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM, Estimand, field
from pfps_ml.evaluation import displays, model_displays
from pfps_ml.evaluation.effects import (
    RARE,
    arm_scores,
    clustered_mean,
    pehe,
    propensity_counts,
    propensity_overlap,
)
from pfps_ml.evaluation.estimands import Patients, effects_about, effects_by_estimand, recalibrated
from pfps_ml.evaluation.metrics import LEVEL, count_groups, percentiles
from pfps_ml.evaluation.policy import (
    best_linear_predictor,
    group_effects,
    policy_regret,
    policy_values,
    preference_table,
    simple_policies,
    targeting_curves,
)
from pfps_ml.model import (
    Estimate,
    Gate,
    Held,
    Predictor,
    Preferences,
    PropensityModel,
    eligibility,
    gate_to_json,
    judge,
    preferences,
)

STRENGTHS = (1.0, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)
_STRONGEST = 50.0
_HALVINGS = 12  # of the range of log strengths: to a thousandth


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


def _counts(groups: NDArray[np.object_], settings: EvaluationConfig) -> Floats:
    """Return how often each patient counts: once, and as often as their clinic was drawn in each resample."""
    codes, names = pd.factorize(groups, sort=True, use_na_sentinel=False)
    stream = generator(settings.seed, "evaluation: resampled clinics")
    drawn = stream.integers(0, len(names), (settings.bootstraps, len(names)))
    times = np.array([np.bincount(clinics, minlength=len(names)) for clinics in drawn]).reshape(-1, len(names))
    return np.column_stack((np.ones(len(codes)), times[:, codes].T)).astype(float)


def _arm(patients: Patients, may_have_both: Bools, name: str, weight: Floats) -> _Arm:
    expected, received = patients.adjusting[name].to_numpy(float)[may_have_both], patients.arm[may_have_both] == name
    residual = (patients.y[may_have_both] - expected)[received]
    order = np.argsort(-residual, kind="stable")
    inverse = 1 / patients.chance[name].to_numpy(float)[may_have_both][received]
    means = (weight * expected[:, None]).sum(axis=0) / weight.sum(axis=0)
    return _Arm(residual[order], inverse[order], weight[received][order], means)


ARM_NAMES = [arm.name for arm in ARMS]
PICTURED = ("policies", "groups", "targeting", "sensitivity", "propensities")  # the tables shown behind a picture only
_COMPARED = ["label", "difference", "standard_error", "p", "passed"]
GROUP_TESTS = {
    "spread": "group_spread", "spread_low": "group_spread_low", "spread_high": "group_spread_high",
    "p_spread": "p_groups_differ", "p_calibrated": "p_groups_calibrated",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TreatmentRecord:
    """What patients had and how it went: success (0 or 1), arm, clinic, and the chance of each arm.

    `weight` is how many patients each one stands for, where outcomes of others went missing; None: one.
    """

    y: Floats
    arm: NDArray[np.object_]
    groups: NDArray[np.object_]
    chance: pd.DataFrame
    weight: Floats | None = None


@dataclass(frozen=True, eq=False)
class Treated:
    """Patients with what was predicted for them.

    Attributes
    ----------
    X
        Coded fields.
    patients
        Success, arm, predictions, chances, and which arms are open to each and compared.
    effect, preferences, gate
        What the bundle says of them, and whether its effects had earned a preference when it was made.
    chosen
        How their clinics chose; None where chance did.
    truth
        Their true success under each arm, in a simulated cohort.
    """

    X: pd.DataFrame
    patients: Patients
    effect: dict[str, Estimate]
    preferences: Preferences
    gate: Gate | None
    chosen: PropensityModel | None
    truth: pd.DataFrame | None = None

    @classmethod
    def of(
        cls, predictor: Predictor, X: pd.DataFrame, record: TreatmentRecord,
        chosen: PropensityModel | None, truth: pd.DataFrame | None = None,
    ) -> "Treated":  # fmt: skip
        """Predict patients by their coded fields."""
        # the predictor answers on onset, too, and wants its fields, known or not
        estimates, open_to = predictor.predict(X.reindex(columns=list(BY_NAME))), eligibility(X)
        outcome = pd.DataFrame({name: estimate.value for name, estimate in estimates.success.items()})
        adjusting = recalibrated(X, record.y, record.arm, outcome, record.groups)
        about = (record.y, record.arm, outcome, record.chance, open_to, record.groups)
        patients = Patients(*about, randomised=chosen is None, expected=adjusting, weight=record.weight)
        narrowed = preferences(estimates.better, open_to[ARM_NAMES].to_numpy(bool).T, predictor.gate)
        return cls(X, patients, estimates.effect, narrowed, predictor.gate, chosen, truth)

    @property
    def predicted(self) -> pd.DataFrame:
        """The predicted effect of each active arm."""
        return pd.DataFrame({name: estimate.value for name, estimate in self.effect.items()})

    @property
    def scores(self) -> pd.DataFrame:
        """The doubly robust score of each arm."""
        patients = self.patients
        return arm_scores(patients.y, patients.arm, patients.adjusting, patients.chance, floor=0.0)

    @property
    def preferred(self) -> NDArray[np.object_]:
        """The arm that is preferred for each patient, or "none"."""
        return np.array([*ARM_NAMES, "none"], dtype=object)[self.preferences.preferred]  # NONE is the last place


def pathway_tables(
    treated: Treated, settings: EvaluationConfig, estimand: Estimand | None = None
) -> dict[str, pd.DataFrame]:
    """Return every table, those behind pictures too; those of what is hidden only where clinics chose.

    `estimand` is whom the mean effects are about; see `adjusted_effects`.
    """
    patients = treated.patients
    about: dict[str, Any] = {"effects": treated.predicted, "scores": treated.scores,
                             "eligible": patients.eligible, "groups": patients.groups}  # fmt: skip
    choices = simple_policies(patients.outcome, patients.eligible)
    grouped = group_effects(**about, count=settings.groups)
    curves, areas = targeting_curves(**about, settings=settings)
    by_estimand = effects_by_estimand(patients)
    tests = grouped.drop_duplicates("arm").rename(columns=GROUP_TESTS)[["arm", *GROUP_TESTS.values()]]
    tables = {
        "effects": effects_about(by_estimand, estimand), "estimands": by_estimand,
        "policies": policy_values(patients.y, treated.scores, choices, patients.groups),
        "heterogeneity": best_linear_predictor(**about).merge(tests, how="left"),
        "groups": grouped, "targeting": curves, "areas": areas,
        "propensities": propensity_counts(patients.propensity, patients.arm, patients.eligible),
        "overlap": propensity_overlap(patients.propensity, patients.arm, patients.eligible),
        "preferences": narrowed(treated, patients.eligible),
    }  # fmt: skip
    if treated.chosen is not None:
        tables |= _hidden(treated, treated.chosen, settings)
    if treated.gate is not None:
        tables["gate"] = gate_table(treated.gate)
    if treated.truth is not None:
        tables["truth"] = pehe(treated.predicted, treated.truth, patients.eligible)
        tables["truth_policies"] = policy_regret(choices, treated.truth, patients.eligible)
    return tables


def pathway_pictures(tables: Mapping[str, pd.DataFrame], label: str) -> dict[str, displays.Display]:
    """Return the pictures of those tables that have one; `label` is what a heading calls success."""
    drawn = {name: getattr(model_displays, name) for name in ("effects", *PICTURED) if name in tables}
    named = dict.fromkeys(("effects", "policies"), (label,))
    return {name: draw(tables[name], *named.get(name, ())) for name, draw in drawn.items()}


def gate_table(gate: Gate) -> pd.DataFrame:
    """Return what the effects were held against: label, difference, standard_error, p, passed."""
    return pd.DataFrame(gate_to_json(gate)["comparisons"])[_COMPARED]


def narrowed(treated: Treated, open_to: pd.DataFrame) -> pd.DataFrame:
    """Return how far the choice between the arms that are open to each patient is narrowed."""
    acceptable = pd.DataFrame(treated.preferences.acceptable.T, columns=ARM_NAMES)
    return preference_table(acceptable, treated.preferred, open_to, treated.patients.propensity, treated.truth)


def _hidden(treated: Treated, chosen: PropensityModel, settings: EvaluationConfig) -> dict[str, pd.DataFrame]:
    patients = treated.patients
    bounds = [sensitivity_bounds(patients, name, REFERENCE_ARM, settings).assign(arm=name) for name in ACTIVE_ARMS]
    return {
        "sensitivity": pd.concat(bounds, ignore_index=True),
        "strength": strength_to_overturn(patients, settings),
        "yardstick": _yardstick(treated.X, chosen, patients.eligible),
    }


def _yardstick(X: pd.DataFrame, chosen: PropensityModel, eligible: pd.DataFrame) -> pd.DataFrame:
    """Measure how much each recorded field moved the choices, by giving everybody its median."""
    required = {name for arm in ARMS for name, _ in arm.requires}
    fields = [str(name) for name in X if name not in required and X[name].notna().any()]
    typical = {name: chosen.predict(X.assign(**{name: X[name].median()})) for name in fields}
    return measured_strengths(chosen.predict(X), typical, eligible)


EARNED = "preference_earned_here"


def gate_here(treated: Treated) -> Gate:
    """Hold the bundle's effects against its own averages on these patients, over the arms that are open to them."""
    patients, predicted = treated.patients, treated.predicted
    usual, same, flat = patients.outcome[REFERENCE_ARM].to_numpy(float), patients.outcome.copy(), predicted.copy()
    for name in ACTIVE_ARMS:
        open_to = patients.eligible[name].to_numpy(bool)
        if open_to.any():
            flat[name] = predicted[name][open_to].mean()
            ratio = (logit(patients.outcome[name].to_numpy(float)) - logit(usual))[open_to].mean()
            same[name] = expit(logit(usual) + ratio)
    held_out = Held(patients.y, patients.arm, patients.eligible, patients.propensity.clip(lower=RARE), patients.groups)
    return judge(held_out, patients.outcome, same, flat)


def earned_tables(treated: Treated, here: Gate | None, fewest: int) -> dict[str, pd.DataFrame]:
    """Return the gate as it is here beside what it was when the bundle was made, and whether preferences are earned.

    Parameters
    ----------
    treated
        The patients, with only those arms open that can be compared.
    here
        The gate held on them; None where no arm can be compared.
    fewest
        Successes, and others, that a comparison of preferred arms must have.
    """
    named = treated.preferred != "none"
    counts = {"patients": int(named.sum()), "all": len(named)}
    rows = [
        ("gate_when_made", _gate_message(treated.gate)),
        ("gate_on_this_cohort", _gate_message(here)),
        ("patients_with_preference", Message("patients_of_all", counts)),
    ]
    if here is not None and named.any():
        rows.append(("lead_of_preferred", _lead(treated, named, fewest)))
    rows.append((EARNED, _earned(named, here)))
    tables = {"earned": pd.DataFrame(
        [(sentence(what), message.text, what, message.code) for what, message in rows],
        columns=["what", "found", "what_code", "found_code"],
    )}  # fmt: skip
    if here is not None:
        then = treated.gate
        tables["gate"] = gate_table(here).assign(passed_when_made=None if then is None else gate_table(then)["passed"])
    return tables


def _earned(named: Bools, here: Gate | None) -> Message:
    if not named.any():
        return Message("no_preference_to_earn")
    return Message("preference_earned" if here is not None and here.passed else "preference_not_shown")


def _gate_message(gate: Gate | None) -> Message:
    if gate is None:
        return Message("gate_not_asked")
    beaten = len(gate.comparisons) - len(gate.failed)
    counts = {"beaten": beaten, "rivals": len(gate.comparisons)}
    return Message("gate_passed" if gate.passed else "gate_not_passed", counts)


def _lead(treated: Treated, named: Bools, fewest: int) -> Message:
    """Return by how much the preferred pathway leads the mean of the others, among patients with a preferred one."""
    patients, scores = treated.patients, treated.scores[ARM_NAMES].to_numpy(float)
    open_to, at = patients.eligible[ARM_NAMES].to_numpy(bool), treated.preferences.preferred
    rows = np.flatnonzero(named)
    rows = rows[open_to[rows, at[rows]] & (open_to[rows].sum(axis=1) > 1)]
    y, had_preferred = patients.y[rows], patients.arm[rows] == treated.preferred[rows]
    cells = [y[had_preferred], y[~had_preferred]]
    if any(min(cell.sum(), len(cell) - cell.sum()) < fewest for cell in cells):
        return Message("lead_too_few")
    best = scores[rows, at[rows]]
    others = (np.where(open_to[rows], scores[rows], 0).sum(axis=1) - best) / (open_to[rows].sum(axis=1) - 1)
    value, low, high = clustered_mean(best - others, patients.groups[rows], LEVEL)
    return Message("lead_with_interval", {"value": float(value), "low": float(low), "high": float(high)})


__all__ = [
    "ARM_NAMES",
    "EARNED",
    "GROUP_TESTS",
    "PICTURED",
    "STRENGTHS",
    "Treated",
    "TreatmentRecord",
    "earned_tables",
    "gate_here",
    "gate_table",
    "measured_strengths",
    "narrowed",
    "pathway_pictures",
    "pathway_tables",
    "sensitivity_bounds",
    "strength_to_overturn",
]
