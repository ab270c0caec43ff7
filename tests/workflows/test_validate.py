"""Validation: every fault of a cohort at once, before anything is trained on it."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.errors import CohortError
from pfps_ml.domain.dictionary import ONSET_FIELDS, PATHWAY_FIELDS
from pfps_ml.workflows.validate import _feature_faults, validate


def faults_of(frames, config, scenario="reference"):
    with pytest.raises(CohortError) as caught:
        validate(frames, config, scenario)
    return {fault.field: fault.text for fault in caught.value.faults}


def test_the_simulated_cohort_is_valid(frames, config):
    validate(frames, config, "reference")


def test_all_faults_of_the_schema_are_named_at_once(frames, config):
    onset = frames.onset.copy()
    onset.loc[[2, 5], "height_cm"] = 300.0
    onset.loc[7, "sex"] = "unknown"
    onset.loc[9, "runner_id"] = onset.loc[8, "runner_id"]
    onset["true_risk"] = 0.1
    treatment = frames.treatment.drop(columns="akps")
    found = faults_of(replace(frames, onset=onset, treatment=treatment), config)
    assert {"onset.height_cm", "onset.sex", "onset.runner_id", "onset.true_risk", "treatment.akps"} <= set(found)
    assert found["onset.height_cm"] == "expected a number from 120 to 220 cm: 2 cases, first in row 3, 6"
    assert found["treatment.akps"] == "expected this column, but it is not there"
    assert found["onset.runner_id"].startswith("expected every runner_id once")
    assert not any("unknown" in message for message in found.values())


def test_a_base_rate_outside_the_evidence_is_a_fault(frames, config):
    onset = frames.onset.assign(pfps_onset_12m=(np.arange(len(frames.onset)) % 5 == 0).astype(int))
    assert "G1-09" in faults_of(replace(frames, onset=onset, truth_onset=None), config)["onset.pfps_onset_12m"]
    validate(replace(frames, onset=onset, truth_onset=None), config, None)


def test_a_column_that_gives_the_label_away_is_a_fault_by_value_or_by_where_it_is_missing(frames, config):
    y = frames.onset["pfps_onset_12m"]
    told = frames.onset.assign(step_rate_spm=170.0 + y, navicular_drop_mm=np.where(y == 1, 5.0, np.nan))
    found = faults_of(replace(frames, onset=told, truth_onset=None), config)
    assert "its values give it away" in found["step_rate_spm"]
    assert "where it is missing give it away" in found["navicular_drop_mm"]


def test_one_class_only_is_a_fault(frames, config):
    onset = frames.onset.assign(pfps_onset_12m=0)
    assert "both outcomes" in faults_of(replace(frames, onset=onset), config, None)["pfps_onset_12m"]


def test_the_truth_in_an_observed_column_is_a_fault(frames, config):
    leaked = frames.onset.assign(squat_fppa_deg=50 * frames.truth_onset["true_risk"])
    assert "true_risk" in faults_of(replace(frames, onset=leaked), config)["squat_fppa_deg"]


def test_an_arm_without_patients_is_a_fault(frames, config):
    kept = frames.treatment["arm"] != "orthotic"
    treatment = frames.treatment[kept].reset_index(drop=True)
    found = faults_of(replace(frames, treatment=treatment, truth_treatment=None), config)
    assert found["treatment.arm"] == "expected patients in every arm, got none in orthotic"


def test_arms_without_overlap_are_a_fault(frames, config):
    arm = np.where(frames.treatment["akps"].fillna(70) < 75, "hip", "orthotic").astype(object)
    arm[:40], arm[40:80] = "usual_care", "injection"
    found = faults_of(replace(frames, treatment=frames.treatment.assign(arm=arm)), config)
    assert "of eligible patients to have had a chance" in found["treatment.arm"]


def test_a_bookkeeping_column_is_never_a_feature():
    assert not list(_feature_faults((*ONSET_FIELDS, *PATHWAY_FIELDS)))
    assert [fault.field for fault in _feature_faults(("akps", "draw", "club"))] == ["club", "draw"]


@pytest.mark.parametrize("club", [None, 1.0, "the only club"])
def test_clubs_that_cannot_be_split_are_a_fault(frames, config, club):
    found = faults_of(replace(frames, onset=frames.onset.assign(club=club), truth_onset=None), config)
    assert "onset.club" in found
