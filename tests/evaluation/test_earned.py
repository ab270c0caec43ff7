"""Preferences that a bundle gives are held to the patients of a cohort, and so is that it tells them apart at all."""

import json
from dataclasses import replace

import numpy as np

from pfps_ml.core.config import Config
from pfps_ml.evaluation.external_validation import observed_shares, validate_pathways
from pfps_ml.evaluation.pathway_validation import EARNED, Treated, TreatmentRecord, earned_tables, gate_here
from pfps_ml.evaluation.validation_report import as_json
from pfps_ml.io.study_data import read_patients
from pfps_ml.model.preference import NONE, Comparison, Gate, Preferences, Rival
from tests.cohorts import cohort_of, patients_frame, written

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


def with_gate(bundle, p):
    """Return the bundle as if its gate had been passed, or failed, when it was made."""
    names = ("zero_effect", "one_difference", "one_odds_ratio")
    gate = None if p is None else Gate(tuple(Comparison(Rival(name), 0.01, 0.001, p) for name in names))
    return replace(bundle, predictor=replace(bundle.predictor, gate=gate))


def test_preferences_that_are_given_are_held_to_the_patients(bundle, frames, tmp_path):
    sure = with_gate(bundle, 0.001)
    modifiers = {name: replace(model, intercept=model.intercept * 0 + (3.0 if name == "hip" else -3.0))
                 for name, model in sure.predictor.modifiers.items()}  # fmt: skip
    sure = replace(sure, predictor=replace(sure.predictor, modifiers=modifiers))
    own = validate_pathways(
        sure, read_patients(written(tmp_path, frames.treatment.drop(columns="draw").head(500))), QUICK
    )
    earned = own.tables["earned"].set_index("what_code")
    assert earned.loc["patients_with_preference", "found"] == "500 of 500"
    assert earned.loc["lead_of_preferred", "found_code"] == "lead_with_interval"
    assert earned.loc[EARNED, "found_code"] == "preference_not_shown"


def test_of_a_bundle_that_tells_no_patients_apart_no_number_of_patients_would_tell(bundle, tmp_path):
    own = bundle.predictor
    flat = {name: replace(model, terms=()) for name, model in own.modifiers.items()}
    plain = replace(bundle, predictor=replace(own, prognosis=replace(own.prognosis, terms=()), modifiers=flat))
    found = validate_pathways(plain, cohort_of(tmp_path, patients_frame()), QUICK)
    assert "takes more patients than can be told from here" in found.verdict.text
    assert found.tables["heterogeneity"]["slope"].isna().all()
    assert json.loads(as_json(found))["tables"]["size"][-1]["needed"] is None


def test_a_preference_for_a_few_patients_is_not_held_to_them(bundle, patients):
    X = patients.values[list(patients.fields)]
    given = TreatmentRecord(patients.y, patients.arm, patients.club, observed_shares(X, patients.arm))
    treated = Treated.of(bundle.predictor, X, given, None)
    preferred = np.full(len(X), NONE)
    preferred[:6] = 1
    few = replace(treated, preferences=Preferences(treated.preferences.acceptable, preferred))
    earned = earned_tables(few, gate_here(few), 5)["earned"].set_index("what")["found"]
    assert earned["Patients for whom a pathway is preferred"].startswith("6 of")
    assert earned["The preferred pathway less the others open to them"].startswith("too few")


def test_a_bundle_whose_gate_was_never_held_says_so(bundle, tmp_path):
    own = validate_pathways(with_gate(bundle, None), cohort_of(tmp_path, patients_frame()), QUICK)
    assert own.tables["earned"]["found"].iloc[0] == "the gate was not held"
    assert own.tables["gate"]["passed_when_made"].isna().all()
