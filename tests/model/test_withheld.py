"""What rules withhold, caution of and close: in assessments, and in the columns of a roster."""

import numpy as np
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.domain import ARMS
from pfps_ml.domain.rules import rules_with
from pfps_ml.model.wording import CAUTIONING
from tests.model.test_assess import ask, codes, spoken
from tests.rosters import cells, roster

# a man of 64 whose knee is full of fluid and stiff for hours: not runner's knee, whatever a model says
SWOLLEN = {
    "age_years": 64, "sex": "male", "effusion_grade": 4, "morning_stiffness_min": 240, "akps": 20,
    "worst_pain_mm": 100, "symptom_duration_months": 0,
}  # fmt: skip
NUMBERS = ("risk", "p_", "effect_")
GIRL = {"age_years": 11, "sex": "female", "failed_conventional_care": "yes", "symptom_duration_months": 1, "akps": 70}
NEGATIVE = dict.fromkeys(("small_knee_bend_pain", "heel_on_squat_pain", "heel_off_squat_pain", "sitting_pain",
                          "stairs_pain"), "no")  # fmt: skip
OPEN = {"age_years": 30, "sex": "female", "failed_conventional_care": "yes", "symptom_duration_months": 12, "akps": 70}


def injection(bundle, **changes):
    found = ask(bundle, OPEN | changes).as_dict(0)
    return next(part for part in found["pathways"] if part["arm"] == "injection"), found


def test_a_swollen_stiff_knee_gets_no_number_but_what_to_do_with_its_codes(bundle):
    found = ask(bundle, SWOLLEN).as_dict(0)
    assert found["risk"] is found["pathways"] is found["preference"] is found["tests"] is None
    assert found["reasons"] == found["measure_next"] == [] and not found["drivers"]
    assert [rule["code"] for rule in found["withheld"]] == [
        "large_effusion_recent",
        "large_effusion_late",
        "stiff_and_swollen",
    ]
    for rule in found["withheld"]:
        assert set(rule) == {"code", "parameters", "text", "what"} and rule["what"] == ["risk", "pathways"]
        assert rule["text"].startswith("See a doctor within days")
    first = [rule["code"] for rule in found["withheld"]]
    assert codes(found)[: len(first)] == first


def test_what_is_withheld_in_a_roster_leaves_no_number_and_no_caution_of_numbers(bundle):
    rows = ask(bundle, SWOLLEN, {"age_years": 64, "sex": "male"})
    table = spoken(rows.table(visit=True))
    assert table["withheld"][0] == "large_effusion_recent, large_effusion_late, stiff_and_swollen"
    numbers = [name for name in table if name.startswith(NUMBERS) and name != "risk_band"]
    assert numbers and table.loc[0, numbers].isna().all()
    for name in ("risk_band", "reason_1", "measure_next", "acceptable_pathways", "preferred_pathway"):
        assert table[name].isna()[0]
    assert table["cautions"][0].startswith("See a doctor within days")
    assert "few_fields_known" not in table["caution_codes"][0]
    assert np.isfinite(table["risk_12m"][1]) and table["withheld"].isna()[1]


def test_the_roster_file_and_the_single_answer_withhold_the_same(bundle, tmp_path):
    names = list(SWOLLEN)
    source = roster(tmp_path, f"runner_id,{','.join(names)}\nR-1,{','.join(map(str, SWOLLEN.values()))}\n")
    summary = score_roster(source, tmp_path / "out.csv", bundle)
    row = cells(tmp_path / "out.csv")[0]
    assert (row["status"], summary.rejected) == ("scored", 0)
    withheld = ask(bundle, SWOLLEN).as_dict(0)["withheld"]
    assert row["withheld"] == ", ".join(rule["code"] for rule in withheld)
    assert row["cautions"].startswith(" ".join(rule["text"] for rule in withheld))
    assert {row[name] for name in row if name.startswith((*NUMBERS, "reason", "measure"))} == {""}


@pytest.mark.parametrize("flag", ["fever_or_hot_joint", "calf_swelling", "unexplained_weight_loss"])
def test_a_flag_that_is_answered_no_changes_nothing_and_yes_withholds_even_the_risk_of_a_runner(bundle, flag):
    runner = {"age_years": 30, "sex": "female"}
    assert ask(bundle, runner | {flag: "no"}).as_dict(0)["risk"] == ask(bundle, runner).as_dict(0)["risk"]
    found = ask(bundle, runner | {flag: "yes"}).as_dict(0)
    assert found["risk"] is None and len(found["withheld"]) == 1


def test_a_flag_that_cautions_is_said_first_and_the_numbers_stay(bundle):
    without, found = (ask(bundle, OPEN | {"rest_or_night_pain": answer}).as_dict(0) for answer in ("no", "yes"))
    assert codes(found)[0] == "pain_at_rest" and found["withheld"] == []
    assert (found["risk"], found["pathways"]) == (without["risk"], without["pathways"])


def test_the_diagnosis_is_in_doubt_where_nothing_hurts_in_the_tests_and_that_is_said_first(bundle):
    found = ask(bundle, OPEN | NEGATIVE).as_dict(0)
    assert codes(found)[0] == "all_tests_negative" and found["pathways"]
    assert found["cautions"][0]["text"].startswith("The diagnosis is in doubt")
    for name in NEGATIVE:
        assert "all_tests_negative" not in codes(ask(bundle, OPEN | NEGATIVE | {name: "yes"}).as_dict(0))
        assert "all_tests_negative" not in codes(ask(bundle, OPEN | {**NEGATIVE, name: None}).as_dict(0))


def test_an_injection_is_closed_to_a_girl_after_one_month_and_says_why(bundle):
    found = ask(bundle, GIRL).as_dict(0)
    closed = next(part for part in found["pathways"] if part["arm"] == "injection")
    assert not closed["eligible"] and closed["probability"] is closed["effect"] is None
    reasons = [reason["code"] for reason in closed["why_not"]["parameters"]["reasons"]]
    assert reasons == ["injection_under_18", "injection_before_three_months"]
    assert "18 years" in closed["why_not"]["text"] and "3 months" in closed["why_not"]["text"]
    assert "injection" not in found["preference"]["acceptable"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"age_years": 17.9}, "injection_under_18"),
        ({"symptom_duration_months": 2.9}, "injection_before_three_months"),
        ({"symptom_duration_months": None}, "injection_before_three_months"),
        ({"failed_conventional_care": "no"}, "injection_needs_failed_care"),
        ({"failed_conventional_care": None}, "injection_needs_failed_care"),
        ({"botulinum_contraindication": "yes"}, "injection_contraindicated"),
    ],
)
def test_one_requirement_that_is_not_met_or_not_known_closes_the_injection(bundle, change, why):
    assert injection(bundle)[0]["eligible"] and injection(bundle)[0]["why_not"] is None
    closed, found = injection(bundle, **change)
    assert not closed["eligible"] and closed["why_not"]["code"] == why
    assert "injection_not_asked" not in codes(found)


def test_the_requirements_hold_at_their_borders(bundle):
    assert injection(bundle, age_years=18, symptom_duration_months=3)[0]["eligible"]


def test_a_contraindication_that_nobody_asked_about_is_asked_for_and_closes_nothing(bundle):
    part, found = injection(bundle)
    assert part["eligible"] and "injection_not_asked" in codes(found)
    part, found = injection(bundle, botulinum_contraindication="no")
    assert part["eligible"] and "injection_not_asked" not in codes(found)


def test_a_rule_closes_only_the_arm_that_it_names(bundle):
    named = {rule.arm for rule in rules_with("ineligible")}
    assert named == {"injection"} and named < {arm.name for arm in ARMS}
    closed = [part["arm"] for part in ask(bundle, GIRL).as_dict(0)["pathways"] if not part["eligible"]]
    assert closed == ["injection"]


def found_in_order(fired):
    return [rule.code for rule in CAUTIONING if rule.code in fired]


def test_beside_what_is_withheld_stand_only_cautions_that_add_something(bundle):
    stops = ["large_effusion_recent", "large_effusion_late", "stiff_and_swollen"]
    assert codes(ask(bundle, SWOLLEN).as_dict(0)) == stops
    # another flag, and a number that may be in another unit
    more = SWOLLEN | {"age_years": 12, "rest_or_night_pain": "yes", "recent_trauma": "no", "worst_pain_mm": 6}
    assert codes(ask(bundle, more).as_dict(0)) == [
        "night_pain_of_a_child", "large_effusion_recent", "large_effusion_of_a_child", "stiff_and_swollen",
        "worst_pain_of_ten",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"rest_or_night_pain": "yes", "age_years": 15}, ["night_pain_of_a_child"]),
        ({"rest_or_night_pain": "yes", "calf_swelling": "yes"}, ["calf_swollen", "pain_at_rest"]),
        ({"recent_trauma": "yes", "effusion_grade": 2}, ["swollen_after_trauma"]),
        ({"locking_or_giving_way": "yes", "effusion_grade": 2}, ["locked_and_swollen"]),
        ({"current_knee_pain": "yes", "weekly_distance_km": 249, "calf_swelling": "yes"}, ["calf_swollen"]),
    ],
)
def test_a_caution_is_not_said_where_a_rule_that_stops_has_said_it(bundle, flags, said):
    assert codes(ask(bundle, {"age_years": 30, "sex": "male"} | flags).as_dict(0)) == said


def test_many_cautions_of_numbers_stand_in_one_row_without_mixing(bundle):
    row = {"age_years": 69, "sex": "male", "step_rate_spm": 230, "hip_abduction_nm_kg": 4, "knee_extension_nm_kg": 5.5,
           "weekly_distance_km": 250, "navicular_drop_mm": 0.5, "midfoot_mobility_mm": 1, "akps": 0, "worst_pain_mm": 5,
           "effusion_grade": 2, "symptom_duration_months": 3, "prior_pfps": "no"} | NEGATIVE  # fmt: skip
    rows = ask(bundle, {"age_years": 30, "sex": "female"}, row)
    found = rows.as_dict(1)
    fired = [rule.code for rule in CAUTIONING if rule.fires(rows.columns)[1]]
    assert len(fired) > 4 and codes(found)[: len(fired)] == found_in_order(fired)
    assert codes(found).count("value_beyond_training") > 4
    assert rows.table(visit=True)["caution_codes"][1] == ", ".join(codes(found))


def test_as_many_cautions_as_there_are_stand_in_one_row_without_mixing(bundle):
    everything = OPEN | NEGATIVE | {
        "age_years": 89, "rest_or_night_pain": "yes", "locking_or_giving_way": "yes", "recent_trauma": "yes",
        "limp_or_hip_pain": "yes", "fever_or_hot_joint": "yes", "calf_swelling": "yes", "weekly_distance_km": 250,
        "unexplained_weight_loss": "yes", "effusion_grade": 4, "morning_stiffness_min": 240, "prior_pfps": "no",
        "worst_pain_mm": 5, "navicular_drop_mm": 0.5, "midfoot_mobility_mm": 1, "akps": 0, "step_rate_spm": 230,
        "symptom_duration_months": 1, "hip_abduction_nm_kg": 4, "knee_extension_nm_kg": 5.5,
    }  # fmt: skip
    rows = ask(bundle, everything, {"age_years": 30, "sex": "female"})
    found = rows.as_dict(0)
    expected = [rule.code for rule in rules_with("withhold", "caution") if rule.fires(rows.columns)[0]]
    assert len(expected) > 15
    # the arm is not shown, nothing follows that a doubt could be about, and a doctor is told of the others already
    silent = {"injection_not_asked", "all_tests_negative", "no_pain_in_loading", "large_effusion", "began_with_trauma",
              "long_morning_stiffness", "locks_or_gives_way"}  # fmt: skip
    assert codes(found) == [code for code in found_in_order(expected) if code not in silent]
    assert rows.table(visit=True)["caution_codes"][0] == ", ".join(codes(found))
