"""The rules across fields: each at and beside its border, sourced, said in words, and never a rule that stops many."""

import re
from pathlib import Path

import numpy as np
import pytest

from pfps_ml.core import FactError
from pfps_ml.core.messages import catalogue
from pfps_ml.domain import BY_NAME, PATHWAY_FIELDS, ledger
from pfps_ml.domain.dictionary import ONSET_FIELDS
from pfps_ml.domain.rules import clinical_rules, rules_of, rules_with
from pfps_ml.domain.schemas import rules_table
from pfps_ml.workflows.world_reports import MOST_WITHHELD, RULES_PAGE, rule_frequencies, rules_page

HOUSE = Path(__file__).parents[2]
TESTS = ("small_knee_bend_pain", "heel_on_squat_pain", "heel_off_squat_pain", "sitting_pain", "stairs_pain")
NEGATIVE = dict.fromkeys(TESTS, "no")
SQUATS_WELL = {"heel_on_squat_pain": "no", "stairs_pain": "no", "rest_or_night_pain": "yes"}
FAILED = {"failed_conventional_care": "yes"}

# code: what fires it; what differs by one step, or is missing, and does not
BORDERS = {
    "hot_joint_or_fever": ({"fever_or_hot_joint": "yes"}, [{"fever_or_hot_joint": "no"}]),
    "calf_swollen": ({"calf_swelling": "yes"}, [{"calf_swelling": "no"}]),
    "weight_lost": ({"unexplained_weight_loss": "yes"}, [{"unexplained_weight_loss": "no"}]),
    "hip_of_a_child": ({"limp_or_hip_pain": "yes", "age_years": 17.9},
                       [{"age_years": 18}, {"age_years": None}, {"limp_or_hip_pain": "no"}]),
    "night_pain_of_a_child": ({"rest_or_night_pain": "yes", "age_years": 17.9},
                              [{"age_years": 18}, {"rest_or_night_pain": "no"}]),
    "large_effusion_recent": ({"effusion_grade": 3, "symptom_duration_months": 1},
                              [{"effusion_grade": 2}, {"symptom_duration_months": 1.1},
                               {"symptom_duration_months": None}, {"effusion_grade": None}]),
    "large_effusion_undated": ({"effusion_grade": 3, "symptom_duration_months": None},
                               [{"effusion_grade": 2}, {"symptom_duration_months": 12}]),
    "large_effusion_late": ({"effusion_grade": 3, "age_years": 45}, [{"effusion_grade": 2}, {"age_years": 44.9}]),
    "large_effusion_of_a_child": ({"effusion_grade": 4, "age_years": 17.9},
                                  [{"effusion_grade": 3}, {"age_years": 18}, {"age_years": None}]),
    "trauma_late": ({"recent_trauma": "yes", "age_years": 55, "symptom_duration_months": 1},
                    [{"age_years": 54.9}, {"symptom_duration_months": 1.1}, {"recent_trauma": "no"}]),
    "swollen_after_trauma": ({"recent_trauma": "yes", "effusion_grade": 2},
                             [{"effusion_grade": 1}, {"recent_trauma": "no"}, {"recent_trauma": None}]),
    "stiff_and_swollen": ({"morning_stiffness_min": 30, "effusion_grade": 2},
                          [{"morning_stiffness_min": 29.9}, {"effusion_grade": 1}]),
    "locked_and_swollen": ({"locking_or_giving_way": "yes", "effusion_grade": 2},
                           [{"locking_or_giving_way": "no"}, {"effusion_grade": 1}]),
    "large_effusion": ({"effusion_grade": 3}, [{"effusion_grade": 2}]),
    "hip_of_an_adult": ({"limp_or_hip_pain": "yes", "age_years": 18}, [{"age_years": 17.9}]),
    "long_morning_stiffness": ({"morning_stiffness_min": 30}, [{"morning_stiffness_min": 29.9}]),
    "pain_at_rest": ({"rest_or_night_pain": "yes"}, [{"rest_or_night_pain": "no"}]),
    "locks_or_gives_way": ({"locking_or_giving_way": "yes"}, [{"locking_or_giving_way": "no"}]),
    "began_with_trauma": ({"recent_trauma": "yes"}, [{"recent_trauma": "no"}]),
    "effusion_of_a_child": ({"effusion_grade": 2, "age_years": 17.9}, [{"effusion_grade": 1}, {"age_years": 18}]),
    "first_pain_late": ({"age_years": 45, "prior_pfps": "no", "symptom_duration_months": 0},
                        [{"age_years": 44.9}, {"prior_pfps": "yes"}, {"prior_pfps": None},
                         {"symptom_duration_months": None}]),
    "all_tests_negative": (NEGATIVE, [{name: answer} for name in TESTS for answer in ("yes", None)]),
    "no_pain_in_loading": (SQUATS_WELL, [{"heel_on_squat_pain": "yes"}, {"stairs_pain": "yes"},
                                         {"rest_or_night_pain": "no"}]),
    "experience_beyond_age": ({"age_years": 12, "running_experience_years": 9.1},
                                  [{"running_experience_years": 9}, {"running_experience_years": None}]),
    "symptoms_longer_than_life": ({"age_years": 12, "symptom_duration_months": 157},
                                [{"symptom_duration_months": 156}, {"symptom_duration_months": None}]),
    "failed_care_without_time": (FAILED | {"symptom_duration_months": 0.9},
                                         [{"symptom_duration_months": 1}, {"failed_conventional_care": "no"}]),
    "sessions_without_distance": ({"sessions_per_week": 0.1, "weekly_distance_km": 0},
                                  [{"sessions_per_week": 0}, {"weekly_distance_km": 0.1},
                                   {"weekly_distance_km": None}]),
    "distance_without_sessions": ({"sessions_per_week": 0, "weekly_distance_km": 0.1},
                                  [{"sessions_per_week": 0.1}, {"weekly_distance_km": 0}]),
    "worst_pain_of_ten": ({"worst_pain_mm": 10}, [{"worst_pain_mm": 10.1}, {"worst_pain_mm": 0}]),
    "symptom_duration_in_weeks": ({"symptom_duration_months": 240.1}, [{"symptom_duration_months": 240}]),
    "weight_in_pounds": ({"bmi": 40}, [{"bmi": 39.9}, {"bmi": None}]),
    "navicular_drop_in_cm": ({"navicular_drop_mm": 0.9}, [{"navicular_drop_mm": 1}, {"navicular_drop_mm": 0}]),
    "midfoot_mobility_in_cm": ({"midfoot_mobility_mm": 1.9}, [{"midfoot_mobility_mm": 2}, {"midfoot_mobility_mm": 0}]),
    "injection_under_18": ({"age_years": 17.9}, [{"age_years": 18}]),
    "injection_before_three_months": ({"symptom_duration_months": 2.9}, [{"symptom_duration_months": 3}]),
    "injection_contraindicated": ({"botulinum_contraindication": "yes"},
                                  [{"botulinum_contraindication": "no"}, {"botulinum_contraindication": None}]),
    "injection_not_asked": (FAILED | {"botulinum_contraindication": None},
                            [{"botulinum_contraindication": "no"}, {"botulinum_contraindication": "yes"},
                             {"failed_conventional_care": "no"}]),
}  # fmt: skip
RULES = {rule.code: rule for rule in clinical_rules()}
# rules of units are added where units are; each must still have its line here or there
TABLED = sorted(set(RULES) & set(BORDERS))


def coded(name, value):
    if value is None:
        return np.nan
    return float(BY_NAME[name].levels.index(value)) if isinstance(value, str) else float(value)


def fired(code, row):
    columns = {name: np.array([coded(name, row.get(name))]) for name in BY_NAME if BY_NAME[name].kind != "text"}
    return bool(RULES[code].fires(columns)[0])


@pytest.mark.parametrize("code", TABLED)
def test_a_rule_fires_at_its_border_and_not_beside_it(code):
    row, beside = BORDERS[code]
    assert fired(code, row)
    assert beside and [change for change in beside if fired(code, row | change)] == []


def test_every_rule_has_a_border_in_this_table():
    assert [code for code in RULES if code not in BORDERS and RULES[code].kind != "unit"] == []
    assert [code for code in BORDERS if code not in RULES] == []


def test_a_missing_field_fires_no_rule_but_one_that_asks_for_it():
    asks = {code for code, rule in RULES.items() if any(condition.op == "missing" for condition in rule.conditions)}
    assert {code for code in RULES if fired(code, {})} <= asks
    assert fired("injection_before_three_months", {}) and not fired("large_effusion_undated", {})


def test_every_rule_says_a_sentence_and_what_stops_says_first_what_to_do():
    texts = catalogue().texts
    assert [code for code in RULES if code not in texts] == []
    first = re.compile(r"^(See a doctor|Have the (hips|knee))")
    assert [rule.code for rule in rules_with("withhold") if not first.match(rule.message.text)] == []
    assert all("No risk and no pathway is shown" in rule.message.text for rule in rules_with("withhold"))


def test_every_clinical_rule_has_its_source_in_the_ledger():
    clinical = [rule for rule in RULES.values() if rule.kind in ("red_flag", "doubt", "eligibility")]
    assert clinical and [rule.code for rule in clinical if not rule.sources] == []
    assert all(ledger()[source].study for rule in clinical for source in rule.sources)


def test_a_field_that_is_asked_for_the_rules_alone_is_read_by_a_rule_and_by_no_model():
    flags = {field.name for field in BY_NAME.values() if field.role == "flag"}
    read = {name for rule in RULES.values() for name in rule.fields}
    assert flags and flags <= read
    assert not flags & {*ONSET_FIELDS, *PATHWAY_FIELDS}


def test_age_and_sex_are_never_set_aside():
    assert not {"age_years", "sex"} & {name for rule in rules_with("set_aside") for name in rule.what}


# the shares of 4,000 patients scatter by a quarter of a point around 3 of 100
def test_no_rule_that_withholds_fires_in_more_than_three_of_a_hundred_patients_of_any_scenario():
    shares = rule_frequencies(patients=4_000)
    stopping = shares.loc[[rule.code for rule in rules_with("withhold")]]
    assert (stopping.to_numpy() <= MOST_WITHHELD).all(), stopping
    assert (stopping.loc[["large_effusion_recent", "stiff_and_swollen"]].max(axis=1) > 0).all()


def test_the_page_of_rules_says_of_each_rule_what_the_declaration_says():
    page = (HOUSE / RULES_PAGE).read_text(encoding="utf-8")
    _, _, *rows = rules_table().splitlines()
    stale = [row for row in rows if row.rstrip(" |") not in page]
    assert len(rows) == len(RULES) and stale == [], "run `python -m pfps_ml.workflows.world_reports`"


@pytest.mark.slow
def test_the_page_of_rules_is_the_one_that_the_simulated_patients_give():
    page = (HOUSE / RULES_PAGE).read_text(encoding="utf-8")
    assert page == rules_page(rule_frequencies()), "run `python -m pfps_ml.workflows.world_reports`"


GOOD = {"code": "a", "kind": "red_flag", "effect": "caution", "sources": ["G8-01"],
        "all": [{"field": "effusion_grade", "op": "ge", "value": 3}]}  # fmt: skip
STOP = GOOD | {"effect": "withhold", "what": ["risk"]}


def condition(**parts):
    return GOOD | {"all": [{"field": "effusion_grade", "op": "ge", "value": 3} | parts]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD | {"any": GOOD["all"]}, "conditions under"),
        ({**GOOD, "all": []}, "conditions under"),
        (condition(field="swelling"), "no field 'swelling'"),
        (condition(op="above"), "no op 'above'"),
        (condition(op="missing"), "wants none"),
        (condition(value=None), "wants a value"),
        (condition(field="bilateral", op="eq", value="perhaps"), "no level 'perhaps'"),
        (condition(colour="red"), "colour"),
        (GOOD | {"kind": "warning"}, "no kind 'warning'"),
        (GOOD | {"effect": "shout"}, "the effect 'shout'"),
        (GOOD | {"sources": ["X-1"]}, "no rows"),
        (GOOD | {"what": ["risk"]}, "`what` wants"),
        (STOP | {"what": []}, "`what` wants"),
        (STOP | {"what": ["drivers"]}, "`what` wants"),
        (GOOD | {"effect": "set_aside", "what": ["age_years"]}, "`what` wants"),
        (GOOD | {"kind": "eligibility", "effect": "ineligible"}, "no arm None"),
        (GOOD | {"arm": "surgery"}, "no arm 'surgery'"),
        (GOOD | {"remark": "new"}, "remark"),
    ],
)
def test_a_rule_of_another_shape_is_refused_by_its_code(table, said):
    assert rules_of([GOOD])[0].code == rules_of([STOP])[0].code == "a"
    with pytest.raises(FactError, match=r"domain/rules\.toml") as refused:
        rules_of([table])
    assert said in refused.value.message and "a:" in refused.value.message


def test_a_code_stands_once():
    with pytest.raises(FactError, match="twice"):
        rules_of([GOOD, GOOD])
