"""Patients in: arms in the dictionary's words, success at 12 weeks, and every row accounted for."""

import numpy as np
import pytest

from pfps_ml.core.errors import InputError
from pfps_ml.domain.outcomes import SUCCESS
from pfps_ml.io.study_data import Columns, read_cohort, read_patients
from tests.cohorts import CASE, DONE, cohort_frame, cohort_of, patients_frame, written


def refused(folder, frame, **columns):
    with pytest.raises(InputError) as caught:
        cohort_of(folder, frame, **columns)
    assert caught.value.exit_code == 2
    return str(caught.value) + "".join(fault.text for fault in caught.value.faults)


def test_a_file_with_a_column_of_arms_and_no_onset_is_one_of_patients(tmp_path):
    found = cohort_of(tmp_path, patients_frame())
    assert (found.people, found.horizon) == ("patients", SUCCESS.at())
    assert found.y.sum() == 120
    assert found.used.all()
    assert "worst_pain_mm" in found.fields


def test_a_file_with_onset_stays_one_of_runners_unless_arms_are_named(tmp_path):
    both = patients_frame().assign(**{CASE: cohort_frame()[CASE]})
    assert cohort_of(tmp_path, both).people == "runners"
    assert cohort_of(tmp_path, both, arm="arm").people == "patients"
    assert cohort_of(tmp_path, patients_frame().assign(hurt=cohort_frame()[CASE]), outcome="hurt").people == "runners"


def test_patients_can_be_asked_for_and_then_a_column_of_arms_is_expected(tmp_path):
    path = written(tmp_path, patients_frame().rename(columns={"arm": "given", DONE: "better"}))
    with pytest.raises(InputError, match="--arm NAME") as caught:
        read_patients(path)
    assert len(caught.value.faults) == 2
    assert read_patients(path, Columns(arm="given", outcome="better")).y.sum() == 120
    assert read_cohort(path, Columns(arm="given", outcome="better")).people == "patients"


def test_an_arm_that_is_not_in_the_dictionary_is_refused_and_not_told(tmp_path):
    frame = patients_frame().assign(arm=["hip", "usual_care", "placebo"] * 100)
    message = refused(tmp_path, frame)
    assert "1 other in 100 rows" in message
    assert "placebo" not in message


def test_arms_are_known_by_name_or_label_and_blank_ones_are_set_aside(tmp_path):
    frame = patients_frame().assign(arm=["Hip strengthening", "Usual care", ""] * 100)
    found = cohort_of(tmp_path, frame)
    assert list(found.arm[:3]) == ["hip", "usual_care", None]
    assert ("set aside: arm not known", 100) in found.account()
    assert found.used.sum() == 200


def test_an_outcome_of_other_levels_is_asked_for(tmp_path):
    frame = patients_frame()
    frame[DONE] = frame[DONE].map({0: 1, 1: 2})
    assert "--event" in refused(tmp_path, frame)
    assert cohort_of(tmp_path, frame, event="2").y.sum() == 120


def test_pain_is_no_reason_to_set_a_patient_aside_and_nothing_of_a_visit_is(tmp_path):
    frame = patients_frame().assign(current_knee_pain="yes").astype({"bilateral": object})
    frame.loc[:9, ["worst_pain_mm", "symptom_duration_months", "bilateral"]] = np.nan
    found = cohort_of(tmp_path, frame)
    assert ("set aside: nothing of a visit known", 10) in found.account()
    assert found.used.sum() == 290


def test_follow_up_that_ends_before_12_weeks_sets_aside_whatever_was_known(tmp_path):
    frame = patients_frame().assign(follow_up_months=3.0)
    frame.loc[:19, "follow_up_months"] = 2.5
    frame.loc[20:24, "follow_up_months"] = 2.8  # twelve weeks
    found = cohort_of(tmp_path, frame)
    assert ("set aside: lost before 12 weeks", 20) in found.account()
    counts = dict(found.account())
    assert counts["evaluated"] == 280
    assert counts["successes among them"] == found.y[20:].sum()


def test_arms_of_other_levels_are_asked_for_and_then_read(tmp_path):
    frame = patients_frame().assign(arm=[1, 2, 3] * 100)
    assert "for example --arm-level 2=hip" in refused(tmp_path, frame)
    told = (("1", "usual_care"), ("2.0", "hip"), ("3", "orthotic"))
    assert list(cohort_of(tmp_path, frame, arm="arm", arm_levels=told).arm[:3]) == ["usual_care", "hip", "orthotic"]


@pytest.mark.parametrize("told", [("9", "hip"), ("2", "exercise"), ("", "2"), ("1.0", "hip")])
def test_a_level_that_is_not_there_is_told_twice_or_means_no_arm_is_refused(tmp_path, told):
    frame = patients_frame().assign(arm=[1, 2, 3] * 100)
    assert "expected levels" in refused(tmp_path, frame, arm_levels=(("1", "usual_care"), told))
