"""The dictionary holds the fields, limits, arms and outcomes that people and other programs rely on."""

import re
from dataclasses import replace

import pytest

from pfps_ml.core import Message
from pfps_ml.core.errors import FactError
from pfps_ml.domain.dictionary import (
    ACTIVE_ARMS,
    ARMS,
    BY_NAME,
    DRIVERS,
    FIELDS,
    INPUTS,
    ONSET,
    ONSET_FIELDS,
    OUTCOMES,
    PATHWAY_FIELDS,
    REFERENCE_ARM,
    SCREENING,
    SUCCESS,
    TIERS,
    VISIT,
    field,
    tier_fields,
)
from pfps_ml.domain.input_validation import limit_fault
from pfps_ml.domain.scenario import ledger
from pfps_ml.domain.schemas import request_model

YES_NO = {"yes", "no"}
Q, LOG, TEST, DYNAMOMETRY = TIERS
# the contract, written out: a change here breaks rosters, bundles and other people's programs
SCREENING_CONTRACT = {
    "runner_id": "text",
    "club": "text",
    "age_years": (10, 90, Q),
    "sex": ({"female", "male"}, Q),
    "height_cm": (120, 220, Q),
    "weight_kg": (30, 200, Q),
    "running_experience_years": (0, 70, Q),
    "weekly_distance_km": (0, 250, Q),
    "sessions_per_week": (0, 21, Q),
    "longest_run_spike_pct": (-100, 500, LOG),
    "weekly_change_pct": (-100, 500, LOG),
    "step_rate_spm": (120, 230, TEST),
    "current_knee_pain": (YES_NO, Q),
    "prior_pfps": (YES_NO, Q),
    "prior_knee_injury": (YES_NO, Q),
    "prior_running_injury_12m": (YES_NO, Q),
    "early_specialisation": (YES_NO, Q),
    "months_free_this_season": (0, 11, Q),
    "hip_abduction_nm_kg": (0.2, 4, DYNAMOMETRY),
    "hip_external_rotation_nm_kg": (0.1, 2.5, DYNAMOMETRY),
    "knee_extension_nm_kg": (0.5, 5.5, DYNAMOMETRY),
    "foot_posture_index": (-12, 12, TEST),
    "navicular_drop_mm": (-5, 30, TEST),
    "squat_fppa_deg": (-30, 50, TEST),
    "squat_collapse": (YES_NO, TEST),
}
VISIT_CONTRACT = {
    "symptom_duration_months": (0, 600),
    "worst_pain_mm": (0, 100),
    "akps": (0, 100),
    "effusion_grade": (0, 4),
    "small_knee_bend_pain": (YES_NO,),
    "heel_on_squat_pain": (YES_NO,),
    "heel_off_squat_pain": (YES_NO,),
    "sitting_pain": (YES_NO,),
    "stairs_pain": (YES_NO,),
    "bilateral": (YES_NO,),
    "midfoot_mobility_mm": (0, 30),
    "lateral_tightness": (YES_NO,),
    "failed_conventional_care": (YES_NO,),
    "morning_stiffness_min": (0, 240),
    "pain_sites": (0, 20),
    "pain_settles_min": (0, 2880),
    "daily_activity_pain": (YES_NO,),
    "pain_varies_with_stress_or_sleep": (YES_NO,),
    "training_affected": ({"no", "in_pain", "reduced", "stopped"},),
    "rest_or_night_pain": (YES_NO,),
    "locking_or_giving_way": (YES_NO,),
    "fever_or_hot_joint": (YES_NO,),
    "recent_trauma": (YES_NO,),
    "calf_swelling": (YES_NO,),
    "unexplained_weight_loss": (YES_NO,),
    "limp_or_hip_pain": (YES_NO,),
    "botulinum_contraindication": (YES_NO,),
}


def declared(one):
    """Return what the contract says of a field, in the contract's shape."""
    if one.kind == "text":
        return "text"
    limits = (set(one.levels),) if one.kind == "choice" else (one.low, one.high)
    return limits if one.asked == "visit" else (*limits, one.obtained)


def test_the_screening_fields_are_those_of_the_contract():
    assert {one.name: declared(one) for one in SCREENING} == SCREENING_CONTRACT


def test_the_visit_fields_are_those_of_the_contract():
    assert {one.name: declared(one) for one in VISIT} == VISIT_CONTRACT


def test_every_field_is_declared_once_and_body_mass_index_is_the_only_derived_one():
    assert len(BY_NAME) == len(FIELDS)
    assert (*SCREENING, *VISIT) == INPUTS
    assert [one.name for one in FIELDS if one.parts] == ["bmi"]
    assert set(BY_NAME["bmi"].parts) == {"weight_kg", "height_cm"}
    assert BY_NAME["bmi"].unit == "kg/m2"


def test_only_id_age_and_sex_are_required():
    assert {one.name for one in FIELDS if one.required} == {"runner_id", "age_years", "sex"}


def test_the_counts_on_a_scale_are_the_whole_numbers():
    assert {one.name for one in FIELDS if one.kind == "whole"} == {
        "foot_posture_index",
        "effusion_grade",
        "pain_sites",
        "months_free_this_season",
    }


def test_every_field_says_what_it_is_how_it_is_asked_and_where_that_is_from():
    faults = []
    for one in FIELDS:
        texts = {name: getattr(one, name) for name in ("label", "question", "meaning", "source", "group")}
        faults += [
            f"{one.name}: {name} is {text!r}" for name, text in texts.items() if not text or text != text.strip()
        ]
        faults += [f"{one.name}: a | breaks the table"] * ("|" in one.label + one.meaning + one.source + one.limits)
        faults += [f"{one.name}: {one.question!r} has no end"] * (not one.question.endswith(("?", ".", ")")))
    assert not faults, "\n".join(faults)


UNITS = {
    "_years": "years", "_cm": "cm", "_kg": "kg", "_km": "km", "_pct": "%", "_spm": "steps/min", "_nm_kg": "Nm/kg",
    "_mm": "mm", "_deg": "degrees", "_months": "months", "_min": "min",
}  # fmt: skip


def test_the_suffix_of_a_name_is_its_unit():
    longest_first = sorted(UNITS, key=len, reverse=True)
    suffixes = {one: next((s for s in longest_first if one.name.endswith(s)), None) for one in FIELDS if one.unit}
    assert len([suffix for suffix in suffixes.values() if suffix]) > 10
    assert not [one.name for one, suffix in suffixes.items() if suffix and one.unit != UNITS[suffix]]


def test_every_ledger_row_that_a_source_names_is_in_the_ledger():
    cited = {
        named.name: set(re.findall(r"\bC-\d{3}\b|\b[GS]\d+-\d+\b", named.source))
        for named in (*FIELDS, *ARMS, *OUTCOMES)
    }
    assert any(cited.values())
    assert not {name: rows - set(ledger()) for name, rows in cited.items() if not rows <= set(ledger())}


def test_no_direction_is_settled_where_the_evidence_disagrees():
    disputed = [one for one in FIELDS if one.name.startswith("hip_")]
    disputed += [BY_NAME[name] for name in ("bmi", "weight_kg", "height_cm", "foot_posture_index", "navicular_drop_mm")]
    assert len(disputed) == 7
    assert {one.direction for one in disputed} == {0}


def test_a_settled_direction_cites_the_ledger_and_belongs_to_an_ordered_field_of_the_onset_model():
    settled = [one for one in FIELDS if one.direction]
    assert settled
    for one in settled:
        assert one.direction in (-1, 1)
        assert re.search(r"\bG\d+-\d+\b", one.source)
        assert one.onset
        assert one.kind != "choice" or len(one.levels) == 2


def test_only_a_lever_or_a_marker_or_a_test_may_be_read_and_every_model_field_has_a_driver():
    for one in FIELDS:
        assert (one.role == "identifier") == (one.kind == "text")
        assert not (one.onset or one.pathways) or one.role in ("lever", "marker")
        assert not (one.onset or one.pathways) or one.driver in DRIVERS


def test_the_onset_model_reads_screening_fields_only_and_not_the_pain_that_excludes_a_runner():
    assert {BY_NAME[name].asked for name in ONSET_FIELDS} == {"screening"}
    assert not {"current_knee_pain", "runner_id", "club"} & {*ONSET_FIELDS, *PATHWAY_FIELDS}


def test_the_arms_and_who_may_be_offered_them():
    assert [arm.name for arm in ARMS] == ["usual_care", "hip", "orthotic", "injection"]
    assert (REFERENCE_ARM, ACTIVE_ARMS) == ("usual_care", ("hip", "orthotic", "injection"))
    assert {arm.name: arm.requires for arm in ARMS if arm.requires} == {
        "injection": (("failed_conventional_care", "yes"),)
    }
    for arm in ARMS:
        assert arm.label
        assert arm.meaning
        assert bool(arm.requires) == bool(arm.why_not)
        assert all(level in BY_NAME[name].levels for name, level in arm.requires)


def test_the_outcomes_and_their_horizons():
    assert (ONSET.column, str(ONSET.at()), ONSET.at().days) == ("pfps_onset_12m", "12 months", 365.25)
    assert (SUCCESS.column, str(SUCCESS.at()), SUCCESS.at().days) == ("success_12w", "12 weeks", 84)


def test_each_tier_of_equipment_knows_all_that_the_cheaper_ones_know():
    known = [set(tier_fields(tier)) for tier in TIERS]
    assert known[0] < known[1] < known[2] < known[3] == set(ONSET_FIELDS)
    assert "longest_run_spike_pct" in known[1] - known[0]
    assert "step_rate_spm" in known[2] - known[1]
    assert "knee_extension_nm_kg" in known[3] - known[2]


def test_a_field_is_found_by_name_and_an_unknown_name_is_explained():
    assert field("akps") is BY_NAME["akps"]
    with pytest.raises(FactError, match=r"expected a field of the dictionary, got 'weight_lb'; see `pfps dictionary`"):
        field("weight_lb")


def test_limits_are_said_in_words(subtests):
    for name, words in [
        ("age_years", "a number from 10 to 90 years"),
        ("foot_posture_index", "a whole number from -12 to 12 points"),
        ("sex", "female or male"),
        ("club", "text"),
    ]:
        with subtests.test(name=name, words=words):
            assert BY_NAME[name].limits == words


def test_limits_of_a_number_without_a_unit_end_with_the_number():
    assert replace(BY_NAME["age_years"], unit="").limits == "a number from 10 to 90"


def test_a_coded_value_is_shown_as_a_person_reads_it(subtests):
    for name, value, words in [
        ("age_years", 34, "34 years"),
        ("hip_abduction_nm_kg", 1.234, "1.23 Nm/kg"),
        ("sex", 0.0, "female"),
    ]:
        with subtests.test(name=name, value=value, words=words):
            assert BY_NAME[name].show(value) == words


def test_a_value_without_a_unit_is_shown_alone():
    assert replace(BY_NAME["age_years"], unit="").show(34) == "34"


def test_every_arm_has_weeks_dose_protocol_harms_and_costs_each_with_rows_of_the_ledger():
    for arm in ARMS:
        assert arm.practice is not None, arm.name
        assert arm.practice.weeks in range(1, 53)
        assert arm.practice.cost_class in {"low", "middle", "high"}
        for said in (arm.practice.dose, arm.practice.protocol, arm.practice.harms, arm.practice.cost):
            assert said.text.endswith(".") and said.rows, arm.name
            assert set(said.rows) <= set(ledger()), arm.name


def test_where_no_harm_of_an_arm_is_known_its_source_names_none():
    for arm in ARMS:
        none_named = arm.practice.harms.text.startswith("None named")
        estimates = {ledger()[row].estimate for row in arm.practice.harms.rows}
        assert none_named == (estimates == {"none named"}), arm.name


def test_the_weeks_of_an_arm_are_those_of_a_row_that_its_dose_or_protocol_cites():
    for arm in ARMS:
        rows = [ledger()[row] for row in (*arm.practice.dose.rows, *arm.practice.protocol.rows)]
        printed = " ".join(f"{row.horizon} {row.estimate} {row.unit} {row.note}" for row in rows)
        assert f"{arm.practice.weeks} weeks" in printed, arm.name


def test_other_units_that_the_page_offers_are_in_the_request_schema_with_their_factors():
    asked = request_model().model_json_schema()["properties"]
    assert asked["height_cm"]["x-field"]["other_units"] == {"in": 2.54, "m": 100}
    assert asked["worst_pain_mm"]["x-field"]["other_units"] == {"of 10": 10}
    assert asked["akps"]["x-field"]["other_units"] == {}
    for about in asked.values():
        assert all(factor > 0 for factor in about["x-field"]["other_units"].values())


@pytest.mark.parametrize(
    ("name", "value", "units"),
    [
        ("height_cm", 1.75, ["m"]),
        ("height_cm", 68, ["in"]),
        ("weight_kg", 330, ["lb"]),
        ("hip_abduction_nm_kg", 250, ["Nm", "N"]),
        ("hip_abduction_nm_kg", 25, ["Nm", "kg"]),
        ("symptom_duration_months", 700, ["weeks"]),
        ("height_cm", 999, []),
        ("akps", 101, []),
    ],
)
def test_a_fault_of_limits_names_the_units_in_which_the_value_would_fit(name, value, units):
    code, about = limit_fault(BY_NAME[name], value)
    assert code == ("outside_limits_other_unit" if units else "outside_limits")
    assert about.get("units", []) == units
    sentence = Message(code, about).text
    assert sentence.endswith(f"got {value}: is it in {' or '.join(units)}?" if units else f"got {value}")
