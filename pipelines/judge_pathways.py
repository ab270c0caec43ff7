"""The pathway models judged on held-out clubs: without the truth, and against it where the cohort is simulated."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd

from pfps_ml.config import Config
from pfps_ml.evaluation import displays, displays_pathways
from pfps_ml.evaluation.effects import adjusted_effects, arm_scores, pehe, propensity_counts, propensity_overlap
from pfps_ml.evaluation.heterogeneity import best_linear_predictor, group_effects
from pfps_ml.evaluation.policy import policy_regret, policy_values, simple_policies
from pfps_ml.evaluation.preferences import preference_table
from pfps_ml.evaluation.sensitivity import Patients, measured_strengths, sensitivity_bounds, strength_to_overturn
from pfps_ml.evaluation.targeting import targeting_curves
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM, SUCCESS
from pfps_ml.learning.gate import Gate, gate_to_json
from pfps_ml.learning.propensity import PropensityModel, eligibility, fit_propensity
from pfps_ml.learning.smooth import basis
from pfps_ml.prediction import Estimate, Predictor
from pfps_ml.preference import Preferences, preferences
from pipelines.frames import Frames, pathway_features
from pipelines.judge_onset import answered

_COMPARED = ["label", "difference", "standard_error", "p", "passed"]
_NAMES = [arm.name for arm in ARMS]
PICTURED = ("policies", "groups", "targeting", "sensitivity", "propensities")  # the tables shown behind a picture only


@dataclass(frozen=True, eq=False)
class Treated:
    """The held-out patients with what was predicted for them, and the truth where there is one."""

    X: pd.DataFrame
    patients: Patients
    effect: dict[str, Estimate]
    preferences: Preferences
    gate: Gate | None
    chosen: PropensityModel
    truth: pd.DataFrame | None

    @classmethod
    def of(cls, frames: Frames, held_out: np.ndarray, predictor: Predictor, config: Config) -> "Treated":
        """Gather the patients of the clubs that training never saw; propensities come from the other clubs."""
        X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
        chosen = fit_propensity(X[~held_out], arm[~held_out], basis(X[~held_out], config.pathways.knots))
        X, rows = X[held_out].reset_index(drop=True), frames.treatment[held_out]
        # the predictor answers on onset, too, and wants its fields, known or not
        found, may = predictor.predict(X.reindex(columns=list(BY_NAME))), eligibility(X)
        outcome = pd.DataFrame({name: estimate.value for name, estimate in found.success.items()})
        patients = Patients(
            y=rows[SUCCESS.name].to_numpy(dtype=float), arm=rows["arm"].to_numpy(dtype=object), outcome=outcome,
            propensity=chosen.predict(X), eligible=may, groups=rows["club"].to_numpy(dtype=object),
        )  # fmt: skip
        truth = frames.truth_treatment
        if truth is not None:
            truth = truth[held_out].reset_index(drop=True).rename(columns={f"p_{a.name}": a.name for a in ARMS})
        narrowed = preferences(found.better, may[_NAMES].to_numpy(bool).T, predictor.gate)
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


def pathway_tables(treated: Treated, config: Config) -> dict[str, pd.DataFrame]:
    """Return every table, those behind pictures too."""
    own, settings = treated.patients, config.evaluation
    about = {"effects": treated.predicted, "scores": treated.scores, "eligible": own.eligible, "groups": own.groups}
    choices = simple_policies(own.outcome, own.eligible)
    grouped = group_effects(**about, count=settings.groups)
    curves, areas = targeting_curves(**about, settings=settings)
    tests = grouped.drop_duplicates("arm").rename(columns=_GROUP_TESTS)[["arm", *_GROUP_TESTS.values()]]
    bounds = [sensitivity_bounds(own, name, REFERENCE_ARM, settings).assign(arm=name) for name in ACTIVE_ARMS]
    tables = {
        "effects": adjusted_effects(own.y, own.arm, own.outcome, own.propensity, own.eligible, own.groups),
        "policies": policy_values(own.y, treated.scores, choices, own.groups),
        "heterogeneity": best_linear_predictor(**about).merge(tests, how="left"),
        "groups": grouped, "targeting": curves, "areas": areas,
        "sensitivity": pd.concat(bounds, ignore_index=True),
        "strength": strength_to_overturn(own, settings),
        "yardstick": _yardstick(treated),
        "propensities": propensity_counts(own.propensity, own.arm, own.eligible),
        "overlap": propensity_overlap(own.propensity, own.arm, own.eligible),
        "preferences": _narrowed(treated),
    }  # fmt: skip
    if treated.gate is not None:
        tables["gate"] = pd.DataFrame(gate_to_json(treated.gate)["comparisons"])[_COMPARED]
    if treated.truth is not None:
        tables["truth"] = pehe(treated.predicted, treated.truth, own.eligible)
        tables["truth_policies"] = policy_regret(choices, treated.truth, own.eligible)
    return tables


_GROUP_TESTS = {
    "spread": "group_spread", "spread_low": "group_spread_low", "spread_high": "group_spread_high",
    "p_spread": "p_groups_differ", "p_calibrated": "p_groups_calibrated",
}  # fmt: skip


def pathway_pictures(tables: Mapping[str, pd.DataFrame]) -> dict[str, displays.Display]:
    """Return the pictures of some of these tables."""
    drawn = {name: getattr(displays_pathways, name) for name in ("effects", *PICTURED)}
    return {name: draw(tables[name]) for name, draw in drawn.items()}


def pathways_answered(treated: Treated) -> pd.DataFrame:
    """Return of how many eligible patients each effect is answered, and what its interval is made of."""
    labels, rows = {arm.name: arm.label for arm in ARMS}, []
    for name, found in treated.effect.items():
        own = treated.patients.eligible[name].to_numpy(bool)
        if own.any():
            mine = Estimate(*(values[own] for values in astuple(found)))
            rows.append(answered(f"{labels[name]}: effect", mine))
    return pd.DataFrame(rows)


def _narrowed(treated: Treated) -> pd.DataFrame:
    own, found = treated.patients, treated.preferences
    acceptable = pd.DataFrame(found.acceptable.T, columns=_NAMES)
    named = np.array([*_NAMES, "none"], dtype=object)[found.preferred]  # NONE is the last place
    return preference_table(acceptable, named, own.eligible, own.propensity, treated.truth)


def _yardstick(treated: Treated) -> pd.DataFrame:
    """Measure how much each recorded field moved the choices, by giving everybody its median."""
    required = {name for arm in ARMS for name, _ in arm.requires}
    fields = [str(name) for name in treated.X if name not in required and treated.X[name].notna().any()]
    typical = {name: treated.chosen.predict(treated.X.assign(**{name: treated.X[name].median()})) for name in fields}
    return measured_strengths(treated.patients.propensity, typical, treated.patients.eligible)


__all__ = ["PICTURED", "Treated", "pathway_pictures", "pathway_tables", "pathways_answered"]
