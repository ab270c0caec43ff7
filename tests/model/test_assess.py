"""The assessment: one shape, true sums, plain cautions, and no preference that was not earned."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import ProductConfig
from pfps_ml.domain.dictionary import ARMS, BY_NAME, DRIVERS, ONSET_FIELDS
from pfps_ml.domain.input_validation import check
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.model.assess import ROSTER_COLUMNS, VISIT_COLUMNS, assess
from pfps_ml.model.preference import RIVALS, Comparison, Gate, Reason, Rival
from pfps_ml.model.reference import average, build_reference
from pfps_ml.model.wording import Caution

RUNNER = {"age_years": 27, "sex": "female", "weekly_distance_km": 32, "longest_run_spike_pct": 45, "prior_pfps": "yes"}
PATIENT = {**RUNNER, "symptom_duration_months": 14, "akps": 68, "stairs_pain": "yes", "sitting_pain": "no"}


MESSAGE = ("code", "parameters", "text")


def codes(assessment):
    return [caution["code"] for caution in assessment["cautions"]]


def spoken(table):
    """Return a table with its texts as texts, not as categories."""
    return table.astype({name: "str" for name in table if not pd.api.types.is_numeric_dtype(table[name])})


def ask(bundle, *rows):
    checked = check(pd.DataFrame(list(rows)))
    assert not checked.faults
    return assess(bundle, checked.values)


def test_the_shape_is_that_of_the_contract_and_valid_json(bundle):
    found = ask(bundle, PATIENT).as_dict(0)
    assert list(found) == ["bundle", "trained_on", "risk", "reasons", "drivers", "pathways", "preference", "tests",
                           "measure_next", "cautions", "withheld"]  # fmt: skip
    assert set(found["risk"]) == {"probability", "low", "high", "level", "horizon_months", "band", "average",
                                  "link", "margin", "base_margin", "by_month", "log_odds", "base_log_odds"}  # fmt: skip
    assert set(found["reasons"][0]) == {"field", "label", "value", "unit", "contribution", "log_odds",
                                        "percentage_points", *MESSAGE}  # fmt: skip
    ends = {name: found["risk"][name] for name in ("probability", "low", "high")}
    assert found["risk"]["by_month"] == [{"months": 12, **ends}] and found["risk"]["level"] == 0.9
    assert all(reason["contribution"] == reason["log_odds"] for reason in found["reasons"])
    assert set(found["drivers"]) == set(DRIVERS)
    assert set(found["pathways"][0]) == {"arm", "probability", "low", "high", "effect", "effect_low", "effect_high",
                                         "eligible", "why_not"}  # fmt: skip
    assert set(found["preference"]) == {"acceptable", "preferred", *MESSAGE}
    assert set(found["tests"][0]) == {"field", "label", "agrees", *MESSAGE}
    assert set(found["measure_next"][0]) == {"field", "label", "gain", *MESSAGE}
    assert set(found["cautions"][0]) == set(MESSAGE) and found["withheld"] == []
    assert found["trained_on"]["notice"] == found["trained_on"]["notice_message"]["text"] == NOTICE
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_contributions_sum_to_the_log_odds_to_1e_9_and_points_to_the_risk(bundle, frames):
    found = assess(bundle, check(frames.onset.head(300)).values)
    for row in range(len(found)):
        one = found.as_dict(row)
        risk, reasons = one["risk"], one["reasons"]
        total = sum(reason["log_odds"] for reason in reasons)
        assert risk["base_log_odds"] + total == pytest.approx(risk["log_odds"], abs=1e-9)
        assert sum(one["drivers"].values()) == pytest.approx(total, abs=1e-9)
        base = 1 / (1 + np.exp(-risk["base_log_odds"]))
        points = sum(reason["percentage_points"] for reason in reasons)
        assert 100 * base + points == pytest.approx(100 * risk["probability"], abs=1e-6)
        assert risk["low"] <= risk["probability"] <= risk["high"]


def test_reasons_name_every_field_by_size_and_missing_ones_carry_nothing(bundle):
    reasons = ask(bundle, RUNNER).as_dict(0)["reasons"]
    assert sorted(reason["field"] for reason in reasons) == sorted(ONSET_FIELDS)
    sizes = [abs(reason["log_odds"]) for reason in reasons]
    assert sizes == sorted(sizes, reverse=True)
    for reason in reasons:
        if reason["value"] is None:
            assert reason["log_odds"] == 0
            assert reason["text"].endswith("not measured")


def test_a_single_runner_is_a_roster_of_one(bundle, frames):
    values = check(frames.onset.head(60)).values
    together = spoken(assess(bundle, values).table(visit=False))
    for row in range(60):
        alone = spoken(assess(bundle, values.iloc[[row]]).table(visit=False))
        pd.testing.assert_frame_equal(alone, together.iloc[[row]].reset_index(drop=True), check_exact=True)


def test_the_columns_are_those_of_the_contract(bundle):
    found = ask(bundle, RUNNER, PATIENT)
    assert list(found.table(visit=False)) == list(ROSTER_COLUMNS)
    table = found.table(visit=True)
    assert list(table) == [*ROSTER_COLUMNS, *VISIT_COLUMNS]
    assert table[list(VISIT_COLUMNS)].iloc[0].isna().all()
    assert table["p_hip"].notna()[1]


def test_a_runner_with_knee_pain_is_not_scored_for_onset_and_is_told_to_visit(bundle):
    found = ask(bundle, {**RUNNER, "current_knee_pain": "yes"})
    one, row = found.as_dict(0), found.table(visit=False).iloc[0]
    assert one["risk"] is None
    assert one["reasons"] == one["measure_next"] == []
    assert set(one["drivers"].values()) == {0.0}
    assert codes(one)[0] == row["caution_codes"] == Caution.KNEE_PAIN_NOW
    assert row[["risk_12m", "risk_low", "risk_high", "risk_band", "reason_1", "measure_next"]].isna().all()


def test_visit_fields_beside_a_risk_carry_a_caution(bundle):
    assert Caution.RISK_ONCE_PAIN_FREE in codes(ask(bundle, PATIENT).as_dict(0))


def with_gate(bundle, gate):
    return replace(bundle, predictor=replace(bundle.predictor, gate=gate))


def verdict(*p):
    return Gate(tuple(Comparison(name, 0.01, 0.004, each) for name, each in zip(RIVALS, p, strict=True)))


def test_where_the_gate_is_not_passed_no_preference_is_named_and_every_open_pathway_is_acceptable(bundle):
    refused = with_gate(bundle, verdict(0.01, 0.01, 0.4))
    found = ask(refused, PATIENT, {**PATIENT, "failed_conventional_care": "yes"})
    closed, opened = found.as_dict(0), found.as_dict(1)
    assert closed["preference"]["preferred"] is None
    assert closed["preference"]["code"] == Reason.GATE_FAILED
    assert closed["preference"]["parameters"] == {"rivals": ["one_odds_ratio"]}
    assert Rival.ONE_ODDS_RATIO.label in closed["preference"]["text"]
    assert closed["preference"]["acceptable"] == ["usual_care", "hip", "orthotic"]
    assert opened["preference"]["acceptable"] == [arm.name for arm in ARMS]
    assert found.table(visit=True)["preferred_pathway"].tolist() == ["none", "none"]


def test_where_it_is_passed_an_arm_goes_if_another_open_ones_interval_of_the_difference_excludes_none(bundle):
    certain = replace(bundle.predictor.pathway_interval, t=0.02)
    passed = with_gate(bundle, verdict(0.01, 0.01, 0.01))
    sure = replace(passed, predictor=replace(passed.predictor, pathway_interval=certain))
    found = ask(sure, PATIENT)
    one, row = found.as_dict(0), found.table(visit=True).iloc[0]
    best = max((each for each in one["pathways"] if each["eligible"]), key=lambda each: each["probability"])["arm"]
    assert one["preference"]["preferred"] == row["preferred_pathway"] == best
    assert one["preference"]["acceptable"] == [best]
    assert row["acceptable_pathways"] == best
    vague = replace(bundle.predictor.pathway_interval, t=1e6)
    found = ask(replace(passed, predictor=replace(passed.predictor, pathway_interval=vague)), PATIENT)
    assert found.as_dict(0)["preference"]["acceptable"] == ["usual_care", "hip", "orthotic"]
    assert found.as_dict(0)["preference"]["code"] == Reason.INTERVALS_OVERLAP


def test_an_injection_outside_failed_care_has_no_effect_and_says_why(bundle):
    for answer in ({}, {"failed_conventional_care": "no"}):
        arm = ask(bundle, {**PATIENT, **answer}).as_dict(0)["pathways"][-1]
        nothing = dict.fromkeys(("probability", "low", "high", "effect", "effect_low", "effect_high"))
        assert arm == {"arm": "injection", **nothing, "eligible": False, "why_not": ARMS[-1].why_not.as_dict()}
    arm = ask(bundle, {**PATIENT, "failed_conventional_care": "yes"}).as_dict(0)["pathways"][-1]
    assert arm["eligible"]
    assert arm["effect_low"] <= arm["effect"] <= arm["effect_high"]


def test_an_effect_is_the_difference_from_usual_care(bundle):
    usual, hip, *_ = ask(bundle, PATIENT).as_dict(0)["pathways"]
    assert usual["effect"] is None
    assert hip["effect"] == pytest.approx(hip["probability"] - usual["probability"], abs=1e-12)


def test_tests_say_whether_they_agree(bundle):
    tests = {each["field"]: each for each in ask(bundle, PATIENT).as_dict(0)["tests"]}
    assert tests["stairs_pain"]["agrees"] is True
    assert tests["sitting_pain"]["agrees"] is False
    assert [tests[name]["code"] for name in ("stairs_pain", "sitting_pain")] == ["test_agrees", "test_disagrees"]
    assert "does not agree" in tests["sitting_pain"]["text"]
    assert "small_knee_bend_pain" not in tests


def test_measure_next_ranks_missing_fields_by_their_expected_change(bundle):
    found = ask(bundle, RUNNER).as_dict(0)["measure_next"]
    gains = [each["gain"] for each in found]
    assert gains == sorted(gains, reverse=True)
    assert not {each["field"] for each in found} & set(RUNNER)
    main, about = bundle.predictor.onset.member(0), bundle.reference["fields"][found[0]["field"]]
    assert not {"bmi"} & {each["field"] for each in found}  # nobody can enter it: its parts are asked for
    assert {"weight_kg"} <= {each["field"] for each in found}
    values = check(pd.DataFrame([RUNNER])).values.assign(bmi=np.nan)
    risks = [1 / (1 + np.exp(-main.margin(values.assign(**{found[0]["field"]: v}))[0, 0])) for v in about["values"]]
    now = 1 / (1 + np.exp(-main.margin(values)[0, 0]))
    assert gains[0] == pytest.approx(100 * np.average(np.abs(np.array(risks) - now), weights=about["shares"]), abs=1e-9)


def test_a_value_beyond_the_training_data_carries_a_caution(bundle):
    cautions = ask(bundle, {**RUNNER, "weekly_distance_km": 240}).as_dict(0)["cautions"]
    beyond = [caution for caution in cautions if caution["code"] == Caution.VALUE_BEYOND_TRAINING]
    assert [caution["parameters"]["field"] for caution in beyond] == ["weekly_distance_km"]
    assert beyond[0]["text"].startswith("Weekly distance is outside what the model has seen")


def test_a_nearly_empty_row_carries_a_caution_and_a_full_one_does_not(bundle):
    (caution,) = ask(bundle, {"age_years": 30, "sex": "male"}).as_dict(0)["cautions"]
    assert (caution["code"], caution["parameters"]) == (Caution.FEW_FIELDS_KNOWN, {"known": 2, "fields": 20})
    assert "2 of 20 fields" in caution["text"]
    typical = {name: bundle.reference["fields"][name]["values"][1] for name in ONSET_FIELDS if not BY_NAME[name].parts}
    row = {n: BY_NAME[n].levels[int(v)] if BY_NAME[n].levels else v for n, v in typical.items()}
    assert ask(bundle, {**row, "height_cm": 172, "weight_kg": 68}).as_dict(0)["cautions"] == []


def test_bands_are_multiples_of_the_base_rate(bundle, frames):
    table = assess(bundle, check(frames.onset).values).table(visit=False)
    limits = bundle.reference["bands"]
    assert limits["low_below"] == pytest.approx(0.75 * bundle.reference["base_rate"], abs=1e-7)
    assert (table.query("risk_band == 'low'")["risk_12m"] < limits["low_below"]).all()
    assert (table.query("risk_band == 'high'")["risk_12m"] >= limits["high_from"]).all()
    assert set(table["risk_band"]) == {"low", "moderate", "high"}


def test_the_average_is_that_of_age_and_sex(bundle):
    women, men = (average(pd.Series({"age_years": 25.0, "sex": code}), bundle.reference) for code in (0.0, 1.0))
    assert women > men
    assert ask(bundle, RUNNER).as_dict(0)["risk"]["average"] == women


def test_an_unseen_age_or_sex_answers_with_the_nearest_average_that_exists():
    runners = pd.DataFrame({"age_years": [25.0, 35.0], "sex": [0.0, 0.0], "bmi": [np.nan, np.nan]})
    found = build_reference(runners, pd.DataFrame(), np.array([0.1, 0.3]), 0.2, ProductConfig())
    assert average(pd.Series({"age_years": 25.0, "sex": 0.0}), found) == pytest.approx(0.1)
    assert average(pd.Series({"age_years": 60.0, "sex": 0.0}), found) == pytest.approx(0.2)
    assert average(pd.Series({"age_years": 25.0, "sex": 1.0}), found) == pytest.approx(0.2)
    assert found["fields"]["bmi"]["values"] == []


def test_a_base_without_reasons_gives_no_reason_texts(bundle):
    found = ask(bundle, RUNNER)
    silent = np.zeros_like(found.prediction.contributions)
    object.__setattr__(found.prediction, "contributions", silent)
    assert found.table(visit=False)["reason_1"].isna().all()
