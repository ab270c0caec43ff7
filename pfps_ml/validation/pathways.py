"""Pathway models judged on patients that they were not trained on: effects, differences, policies, what is hidden."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.config import EvaluationConfig
from pfps_ml.evaluation import displays, displays_pathways
from pfps_ml.evaluation.effects import adjusted_effects, arm_scores, pehe, propensity_counts, propensity_overlap
from pfps_ml.evaluation.heterogeneity import best_linear_predictor, group_effects
from pfps_ml.evaluation.policy import policy_regret, policy_values, simple_policies
from pfps_ml.evaluation.preferences import preference_table
from pfps_ml.evaluation.sensitivity import Patients, measured_strengths, sensitivity_bounds, strength_to_overturn
from pfps_ml.evaluation.targeting import targeting_curves
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM
from pfps_ml.learning.gate import Gate, gate_to_json
from pfps_ml.learning.propensity import PropensityModel, eligibility
from pfps_ml.prediction import Estimate, Predictor
from pfps_ml.preference import Preferences, preferences

Floats = NDArray[np.float64]
ARM_NAMES = [arm.name for arm in ARMS]
PICTURED = ("policies", "groups", "targeting", "sensitivity", "propensities")  # the tables shown behind a picture only
_COMPARED = ["label", "difference", "standard_error", "p", "passed"]
GROUP_TESTS = {
    "spread": "group_spread", "spread_low": "group_spread_low", "spread_high": "group_spread_high",
    "p_spread": "p_groups_differ", "p_calibrated": "p_groups_calibrated",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Given:
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
        cls, predictor: Predictor, X: pd.DataFrame, given: Given,
        chosen: PropensityModel | None, truth: pd.DataFrame | None = None,
    ) -> "Treated":  # fmt: skip
        """Predict patients by their coded fields."""
        # the predictor answers on onset, too, and wants its fields, known or not
        found, may = predictor.predict(X.reindex(columns=list(BY_NAME))), eligibility(X)
        outcome = pd.DataFrame({name: estimate.value for name, estimate in found.success.items()})
        patients = Patients(given.y, given.arm, outcome, given.chance, may, given.groups)
        narrowed = preferences(found.better, may[ARM_NAMES].to_numpy(bool).T, predictor.gate)
        return cls(X, patients, found.effect, narrowed, predictor.gate, chosen, truth)

    @property
    def predicted(self) -> pd.DataFrame:
        """The predicted effect of each active arm."""
        return pd.DataFrame({name: estimate.value for name, estimate in self.effect.items()})

    @property
    def scores(self) -> pd.DataFrame:
        """The doubly robust score of each arm."""
        own = self.patients
        return arm_scores(own.y, own.arm, own.outcome, own.propensity)

    @property
    def preferred(self) -> NDArray[np.object_]:
        """The arm that is preferred for each patient, or "none"."""
        return np.array([*ARM_NAMES, "none"], dtype=object)[self.preferences.preferred]  # NONE is the last place


def pathway_tables(treated: Treated, settings: EvaluationConfig) -> dict[str, pd.DataFrame]:
    """Return every table, those behind pictures too; those of what is hidden only where clinics chose."""
    own = treated.patients
    about: dict[str, Any] = {
        "effects": treated.predicted,
        "scores": treated.scores,
        "eligible": own.eligible,
        "groups": own.groups,
    }
    choices = simple_policies(own.outcome, own.eligible)
    grouped = group_effects(**about, count=settings.groups)
    curves, areas = targeting_curves(**about, settings=settings)
    tests = grouped.drop_duplicates("arm").rename(columns=GROUP_TESTS)[["arm", *GROUP_TESTS.values()]]
    tables = {
        "effects": adjusted_effects(own.y, own.arm, own.outcome, own.propensity, own.eligible, own.groups),
        "policies": policy_values(own.y, treated.scores, choices, own.groups),
        "heterogeneity": best_linear_predictor(**about).merge(tests, how="left"),
        "groups": grouped, "targeting": curves, "areas": areas,
        "propensities": propensity_counts(own.propensity, own.arm, own.eligible),
        "overlap": propensity_overlap(own.propensity, own.arm, own.eligible),
        "preferences": narrowed(treated, own.eligible),
    }  # fmt: skip
    if treated.chosen is not None:
        tables |= _hidden(treated, treated.chosen, settings)
    if treated.gate is not None:
        tables["gate"] = gate_table(treated.gate)
    if treated.truth is not None:
        tables["truth"] = pehe(treated.predicted, treated.truth, own.eligible)
        tables["truth_policies"] = policy_regret(choices, treated.truth, own.eligible)
    return tables


def pathway_pictures(tables: Mapping[str, pd.DataFrame], label: str) -> dict[str, displays.Display]:
    """Return the pictures of those tables that have one; `label` is what a heading calls success."""
    drawn = {name: getattr(displays_pathways, name) for name in ("effects", *PICTURED) if name in tables}
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
    own = treated.patients
    bounds = [sensitivity_bounds(own, name, REFERENCE_ARM, settings).assign(arm=name) for name in ACTIVE_ARMS]
    return {
        "sensitivity": pd.concat(bounds, ignore_index=True),
        "strength": strength_to_overturn(own, settings),
        "yardstick": _yardstick(treated.X, chosen, own.eligible),
    }


def _yardstick(X: pd.DataFrame, chosen: PropensityModel, eligible: pd.DataFrame) -> pd.DataFrame:
    """Measure how much each recorded field moved the choices, by giving everybody its median."""
    required = {name for arm in ARMS for name, _ in arm.requires}
    fields = [str(name) for name in X if name not in required and X[name].notna().any()]
    typical = {name: chosen.predict(X.assign(**{name: X[name].median()})) for name in fields}
    return measured_strengths(chosen.predict(X), typical, eligible)


__all__ = [
    "ARM_NAMES", "GROUP_TESTS", "PICTURED", "Given", "Treated", "gate_table", "narrowed", "pathway_pictures",
    "pathway_tables",
]  # fmt: skip
