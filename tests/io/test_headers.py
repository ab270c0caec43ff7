"""Headers: what looks like a field but is none is an error, and all else passes through."""

from pfps_ml.core.errors import InvalidInput
from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.domain.schemas import template
from pfps_ml.io.column_matching import closest_field
from tests.rosters import GOOD, refused


def test_the_template_itself_is_a_header_without_rows(tmp_path):
    error = refused(tmp_path, template())
    assert [fault.text for fault in error.faults] == ["expected at least one row below the header, got none"]


def test_all_faults_of_a_header_come_in_one_error(tmp_path):
    error = refused(tmp_path, "runner_id,age,weight_lb,club,club,x,x,status\nR-1,30,150,A,A,1,2,ok\n")
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.faults] == [
        "age_years", "sex", "club", None, "age_years", "weight_kg", None]  # fmt: skip
    assert "'weight_lb'" in error.faults[5].text
    assert "columns 6 and 7" in error.faults[3].text


def test_a_misspelt_field_and_a_field_in_another_unit_are_recognised(subtests):
    cases = [
        ("weight_lb", "weight_kg"), ("age", "age_years"), ("Age Years", "age_years"), ("sexe", "sex"),
        ("weigth_kg", "weight_kg"), ("height_in", "height_cm"), ("symptom_duration_weeks", "symptom_duration_months"),
        ("early_specialization", "early_specialisation"), ("effusion", "effusion_grade"),
        ("hip_abduction", "hip_abduction_nm_kg"), ("worst_pane_mm", "worst_pain_mm"),
        ("navicular_dorp", "navicular_drop_mm"),
    ]  # fmt: skip
    for name, field in cases:
        with subtests.test(name=name, field=field):
            assert closest_field(name) == field


def test_a_column_that_looks_like_no_field_is_left_alone(subtests):
    cases = [
        "name", "email", "notes", "coach", "team", "age_group", "date_of_birth", "race_years", "bmi", "knee_pain",
        "shoe", "prior_pfps_date", "pfps_onset_12m", "success_12w", "arm", "draw", "", "=1", "gender",
    ]  # fmt: skip
    for name in cases:
        with subtests.test(name=name):
            assert closest_field(name) is None


def test_every_measured_field_is_recognised_without_its_unit(subtests):
    for field in [
        field.name for field in INPUTS
        if (field.unit not in ("", "sessions", "points", "sites") or "index" in field.name)
        and field.name != "months_free_this_season"  # does not end with its unit
    ]:  # fmt: skip
        with subtests.test(field=field):
            assert closest_field(field.rsplit("_", 1)[0]) == field


def test_a_header_that_is_ours_is_refused_unless_the_file_was_scored(tmp_path):
    error = refused(tmp_path, GOOD.replace("notes", "bundle"))
    (fault,) = error.faults
    assert "no column called 'bundle', because scoring adds one of that name" in fault.text
    assert "rename yours in the file, for example to 'club_bundle'" in fault.text


def test_every_name_that_collides_with_ours_is_told_once(tmp_path):
    error = refused(tmp_path, "runner_id,age_years,sex,status,problems,status\nR-1,30,male,a,b,c\n")
    assert [fault.parameters["name"] for fault in error.faults if fault.code == "name_taken"] == ["status", "problems"]
