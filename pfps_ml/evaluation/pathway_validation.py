"""Whether a preference between pathways is earned here: the gate, held again on patients of a cohort.

The simpler accounts are the bundle's own averages, so that nothing is fitted here and small cohorts can be asked, too:
no effect; for everybody the mean difference that it predicts; for everybody its mean odds ratio.

Pathway models judged on patients that they were not trained on: effects, differences, policies, what is hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, EvaluationConfig, Floats, Message, NDArray, expit, logit, sentence
from pfps_ml.domain import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM
from pfps_ml.evaluation import displays, model_displays
from pfps_ml.evaluation.effects import (
    RARE,
    adjusted_effects,
    arm_scores,
    clustered_mean,
    pehe,
    propensity_counts,
    propensity_overlap,
)
from pfps_ml.evaluation.heterogeneity import best_linear_predictor, group_effects, targeting_curves
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.evaluation.policy import policy_regret, policy_values, preference_table, simple_policies
from pfps_ml.evaluation.sensitivity import Patients, measured_strengths, sensitivity_bounds, strength_to_overturn
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

ARM_NAMES = [arm.name for arm in ARMS]
PICTURED = ("policies", "groups", "targeting", "sensitivity", "propensities")  # the tables shown behind a picture only
_COMPARED = ["label", "difference", "standard_error", "p", "passed"]
GROUP_TESTS = {
    "spread": "group_spread", "spread_low": "group_spread_low", "spread_high": "group_spread_high",
    "p_spread": "p_groups_differ", "p_calibrated": "p_groups_calibrated",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TreatmentRecord:
    """What patients had and how it went: success (0 or 1), arm, clinic, and the estimated chance of each arm."""

    y: Floats
    arm: NDArray[np.object_]
    groups: NDArray[np.object_]
    chance: pd.DataFrame


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
        patients = Patients(record.y, record.arm, outcome, record.chance, open_to, record.groups)
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
        return arm_scores(patients.y, patients.arm, patients.outcome, patients.propensity)

    @property
    def preferred(self) -> NDArray[np.object_]:
        """The arm that is preferred for each patient, or "none"."""
        return np.array([*ARM_NAMES, "none"], dtype=object)[self.preferences.preferred]  # NONE is the last place


def pathway_tables(treated: Treated, settings: EvaluationConfig) -> dict[str, pd.DataFrame]:
    """Return every table, those behind pictures too; those of what is hidden only where clinics chose."""
    patients = treated.patients
    about: dict[str, Any] = {"effects": treated.predicted, "scores": treated.scores,
                             "eligible": patients.eligible, "groups": patients.groups}  # fmt: skip
    choices = simple_policies(patients.outcome, patients.eligible)
    grouped = group_effects(**about, count=settings.groups)
    curves, areas = targeting_curves(**about, settings=settings)
    tests = grouped.drop_duplicates("arm").rename(columns=GROUP_TESTS)[["arm", *GROUP_TESTS.values()]]
    tables = {
        "effects": adjusted_effects(
            patients.y, patients.arm, patients.outcome, patients.propensity, patients.eligible, patients.groups
        ),
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
    "Treated",
    "TreatmentRecord",
    "earned_tables",
    "gate_here",
    "gate_table",
    "narrowed",
    "pathway_pictures",
    "pathway_tables",
]  # fmt: skip
