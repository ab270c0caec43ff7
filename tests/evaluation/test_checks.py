"""The checks before training: each sees the fault that it is for, and passes where there is none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from pfps_ml.evaluation.check_catalogue import TOPICS, guide_page, title_of
from pfps_ml.evaluation.cohort_checks import _of_gap, audit, checks_table, rows_to_train
from pfps_ml.evaluation.metrics import auroc
from tests.cohorts import CASE, DONE, cohort_frame, cohort_of, patients_frame

ROOT = Path(__file__).resolve().parents[2]


def verdicts(folder, frame=None, **columns):
    return {check.code: check for check in audit(cohort_of(folder, frame, **columns))}


def said(folder, code, frame=None, **columns):
    return verdicts(folder, frame, **columns)[code]


def test_a_sound_cohort_fails_nothing_and_says_what_could_not_be_checked(tmp_path):
    found = verdicts(tmp_path, cohort_frame(900, 90), period="season")
    assert {code: check.verdict for code, check in found.items()} == {
        "C01": "not applicable", "C02": "not applicable", "C03": "pass", "C04": "pass", "C05": "not applicable",
        "C06": "warn", "C07": "not applicable", "C08": "pass", "C09": "not applicable", "C10": "pass",
        "C11": "pass"}  # fmt: skip
    assert all(check.why for check in found.values())


def test_every_check_has_its_page_in_the_guide():
    page = (ROOT / "docs" / "CHECKS.md").read_text(encoding="utf-8")
    assert page == guide_page()
    for code in TOPICS:
        assert f"## {code}: {title_of(code)}" in page
        assert f'<a id="{code.lower()}"></a>' in page


def test_the_table_of_checks_names_the_page_of_each(tmp_path):
    table = checks_table(audit(cohort_of(tmp_path)))
    assert list(table["code"]) == list(TOPICS)
    assert table["page"].str.match(r"docs/CHECKS\.md#c\d\d").all()


def test_a_case_dated_after_the_horizon_is_none_and_fails(tmp_path):
    days = {"measured_on": "screened", "happened_on": "known"}
    frame = cohort_frame(300, 60).assign(screened="2024-03-21", known="2025-03-21")
    assert said(tmp_path, "C02", frame, **days).verdict == "not applicable"
    late = said(tmp_path, "C02", frame.assign(known="2025-04-21"), **days)
    assert late.verdict == "fail"
    assert "60 cases are dated more than 12 months after" in late.why
    blank = frame.assign(known=[None, "2025-03-21"] * 150)
    assert said(tmp_path, "C02", blank, **days).verdict == "not applicable"


def test_an_outcome_dated_before_its_screening_fails(tmp_path):
    frame = cohort_frame().assign(seen="2025-03-01", hurt="2025-09-01")
    assert said(tmp_path, "C01", frame, measured_on="seen", happened_on="hurt").verdict == "pass"
    frame.loc[frame[CASE] == 1, "hurt"] = "2025-03-01"
    found = said(tmp_path, "C01", frame, measured_on="seen", happened_on="hurt")
    assert (found.verdict, found.why) == ("fail", "30 cases are dated on or before their screening")


def test_cases_with_knee_pain_at_the_start_fail(tmp_path):
    frame = cohort_frame().assign(current_knee_pain="no")
    frame.loc[frame[CASE] == 1, "current_knee_pain"] = ["yes"] * 7 + ["no"] * 23
    assert "7 of 30 cases" in said(tmp_path, "C01", frame).why


def test_a_field_that_knows_the_outcome_fails(tmp_path):
    frame = cohort_frame()
    frame["weekly_distance_km"] = np.where(frame[CASE] == 1, 5, 30 + frame.index % 9)
    assert said(tmp_path, "C01", frame).why == "Weekly distance alone has an AUROC of 1.00"


@pytest.mark.parametrize(("lost", "verdict"), [(0, "pass"), (20, "warn"), (40, "fail")])
def test_follow_up_shorter_than_the_horizon_warns_and_then_fails(tmp_path, lost, verdict):
    frame = cohort_frame().assign(follow_up_months=12)
    frame.loc[frame.index[frame[CASE] == 0][:lost], "follow_up_months"] = 6
    found = said(tmp_path, "C02", frame)
    assert found.verdict == verdict
    assert found.why.startswith(f"{lost} of 270")


def test_a_person_in_two_clubs_or_in_none_fails_and_within_one_club_does_not(tmp_path):
    frame = cohort_frame().assign(who=[str(at % 150) for at in range(300)])
    assert frame["club"].iloc[0] == frame["club"].iloc[150]
    assert said(tmp_path, "C03", frame, person="who").verdict == "pass"
    assert said(tmp_path, "C03", frame.drop(columns="club"), person="who").verdict == "fail"
    frame["who"] = [str(at // 2) for at in range(300)]
    assert "150 of them in more than one club" in said(tmp_path, "C03", frame, person="who").why


def test_a_period_that_tells_the_outcome_fails_with_the_fields_that_stand_for_it(tmp_path):
    frame = cohort_frame(900, 90)
    frame["season"] = np.where(frame[CASE] == 1, 2020, 2020 + frame.index % 5)
    frame["step_rate_spm"] = 150 + 10 * (frame["season"] - 2020) + frame.index % 3
    found = said(tmp_path, "C04", frame, period="season")
    assert found.verdict == "fail"
    assert "period alone has an AUROC" in found.why
    assert "Step rate stands for the period" in found.why


def test_a_club_that_tells_the_outcome_warns(tmp_path):
    frame = cohort_frame(900, 90)
    frame["club"] = np.where(frame[CASE] == 1, "A", "Club " + (frame.index % 5).astype(str))
    frame.loc[frame.index % 4 == 0, "club"] = "A"
    assert said(tmp_path, "C04", frame).verdict == "warn"


def test_without_clubs_and_periods_nothing_can_stand_for_them(tmp_path):
    assert said(tmp_path, "C04", cohort_frame().drop(columns="club")).verdict == "not applicable"


@pytest.mark.parametrize(("cases", "others", "verdict"), [(0.0, 0.0, "pass"), (0.9, 0.1, "fail"), (0.28, 0.2, "pass")])
def test_missingness_that_gives_the_label_away_fails(tmp_path, cases, others, verdict):
    frame = cohort_frame(900, 90)
    rank = frame.groupby(CASE).cumcount() / frame.groupby(CASE)[CASE].transform("size")
    frame.loc[rank < np.where(frame[CASE] == 1, cases, others), "step_rate_spm"] = np.nan
    frame.loc[0, "weight_kg"] = np.nan
    assert said(tmp_path, "C05", frame).verdict == verdict


def clubs_that_differ(gaps):
    """Return 1,200 runners of two clubs; in the first every fifth falls ill, in the second every fiftieth."""
    frame = cohort_frame(1200, 0)
    first = frame.index < 600
    case = np.where(first, frame.index % 5 == 0, frame.index % 50 == 0)
    frame = frame.assign(**{CASE: case.astype(int)}, club=np.where(first, "Ill", "Well"))
    frame.loc[gaps(first, case), "step_rate_spm"] = np.nan
    return frame


def test_what_a_club_cannot_measure_gives_nothing_away_however_ill_its_runners_fall(tmp_path):
    assert said(tmp_path, "C05", clubs_that_differ(lambda first, case: ~first)).verdict == "pass"
    told = clubs_that_differ(lambda first, case: first & ~case)
    assert said(tmp_path, "C05", told).verdict == "fail"
    assert said(tmp_path, "C05", told.drop(columns="club")).verdict == "fail"


def test_within_one_club_the_test_of_gaps_is_fishers():
    missing, y = np.arange(60) % 4 == 0, (np.arange(60) % 7 == 0).astype(float)
    table = [[int((missing == gap)[y == case].sum()) for gap in (True, False)] for case in (0, 1)]
    area, p = _of_gap(missing, y, np.zeros(60, dtype=np.int64))
    assert p == pytest.approx(fisher_exact(table).pvalue)
    assert area == pytest.approx(auroc(y, missing.astype(float)))


def test_small_but_certain_missingness_warns(tmp_path):
    frame = cohort_frame(6000, 3000)
    rank = frame.groupby(CASE).cumcount() / frame.groupby(CASE)[CASE].transform("size")
    frame.loc[rank < np.where(frame[CASE] == 1, 0.16, 0.1), "step_rate_spm"] = np.nan
    assert said(tmp_path, "C05", frame).verdict == "warn"


@pytest.mark.parametrize(("rows", "cases", "verdict"), [(300, 8, "fail"), (300, 30, "warn"), (6000, 1200, "pass")])
def test_too_few_events_fail_and_few_warn(tmp_path, rows, cases, verdict):
    assert said(tmp_path, "C06", cohort_frame(rows, cases)).verdict == verdict


def test_the_sample_size_is_that_of_the_published_example():
    # Riley and others 2020, with a rate of 0.174 and 30 parameters at R2 = 0.15 of the largest: the first criterion
    largest = 1 - (0.174**0.174 * 0.826**0.826) ** 2
    assert largest == pytest.approx(0.603, abs=0.001)
    expected = 30 / ((0.9 - 1) * np.log(1 - 0.15 * largest / 0.9))
    assert rows_to_train(30, 0.174) == np.ceil(expected)
    assert rows_to_train(60, 0.174) > rows_to_train(30, 0.174)


def test_arms_that_were_chosen_by_a_field_have_no_overlap_and_randomised_ones_have(tmp_path):
    frame = patients_frame(600, 240).assign(sex="female", bilateral="no")
    frame["arm"] = np.where(frame.index % 2 == 0, "hip", "usual_care")
    assert said(tmp_path, "C07", frame).verdict == "pass"
    frame["arm"] = np.where(frame["weekly_distance_km"] > 35, "hip", "usual_care")
    assert said(tmp_path, "C07", frame).verdict == "fail"


@pytest.mark.parametrize(("arms", "why"), [(["hip"], "one arm only"), (["hip", "orthotic"], "nobody had usual_care")])
def test_arms_of_which_nothing_can_be_compared_fail(tmp_path, arms, why):
    found = said(tmp_path, "C07", patients_frame().assign(arm=arms * (300 // len(arms))))
    assert found.verdict == "fail"
    assert why in found.why


def test_arms_that_few_had_cannot_be_checked_for_overlap(tmp_path):
    frame = patients_frame().assign(arm=["hip"] * 10 + ["usual_care"] * 290)
    assert said(tmp_path, "C07", frame).verdict == "not applicable"


def test_a_sound_cohort_of_patients_fails_nothing(tmp_path):
    found = verdicts(tmp_path, patients_frame(600, 240), period="season")
    assert "fail" not in {check.verdict for check in found.values()}
    assert "240 successes in 600 patients" in found["C06"].why


def test_patients_are_followed_for_12_weeks_and_their_outcomes_come_after_the_visit(tmp_path):
    frame = patients_frame().assign(follow_up_months=3.0, seen="2025-03-01", told="2025-06-01")
    days = {"measured_on": "seen", "happened_on": "told"}
    assert said(tmp_path, "C01", frame, **days).verdict == said(tmp_path, "C02", frame).verdict == "pass"
    frame.loc[:39, "follow_up_months"] = 1.0
    assert said(tmp_path, "C02", frame).why == "40 of 300 patients were lost before 12 weeks"
    frame.loc[:4, "told"] = "2025-02-01"
    assert said(tmp_path, "C01", frame, **days).why == "5 outcomes are dated on or before the first visit"


def test_an_arm_that_alone_tells_success_is_no_effect_of_it(tmp_path):
    frame = patients_frame()
    frame[DONE] = (frame["arm"] == "hip").astype(int)
    assert said(tmp_path, "C01", frame).why == "the arm alone has an AUROC of 1.00"
    few = frame.assign(**{DONE: (frame.index < 4).astype(int)})
    assert said(tmp_path, "C01", few).verdict == "not applicable"


def test_a_handful_with_usual_care_is_warned_of(tmp_path):
    frame = patients_frame()
    frame["arm"] = ["usual_care"] * 19 + ["hip", "orthotic"] * 140 + ["hip"]
    found = said(tmp_path, "C07", frame)
    assert found.verdict == "warn"
    assert "fewer than 20 patients had usual_care" in found.why


def test_a_patient_who_comes_twice_with_different_outcomes_is_a_contradiction(tmp_path):
    frame = patients_frame()
    done, other = frame.index[frame[DONE] == 1][0], frame.index[frame[DONE] == 0][0]
    frame.loc[other, "runner_id"] = frame.loc[done, "runner_id"]
    assert said(tmp_path, "C08", frame).verdict == "fail"


def test_labels_that_contradict_each_other_fail_or_warn(tmp_path):
    frame = cohort_frame().assign(also=cohort_frame()[CASE], who=[str(at // 2) for at in range(300)])
    assert said(tmp_path, "C08", frame, second="also").verdict == "pass"
    assert said(tmp_path, "C08", frame.assign(also=1 - frame["also"]), second="also").verdict == "fail"
    frame.loc[0, "also"] = 1 - frame.loc[0, "also"]
    assert said(tmp_path, "C08", frame, second="also").verdict == "warn"
    assert "contradict themselves" in said(tmp_path, "C08", frame, person="who").why


def test_a_duplicated_runner_with_another_outcome_is_a_contradiction(tmp_path):
    frame = cohort_frame()
    case, other = frame.index[frame[CASE] == 1][0], frame.index[frame[CASE] == 0][0]
    frame.loc[other, "runner_id"] = frame.loc[case, "runner_id"]
    found = verdicts(tmp_path, frame)
    assert found["C08"].verdict == "fail"
    assert "R-" not in found["C08"].why


def test_rows_alike_in_every_field_that_differ_in_the_outcome_warn(tmp_path):
    frame = cohort_frame()
    case, other = frame.index[frame[CASE] == 1][0], frame.index[frame[CASE] == 0][0]
    alike = [name for name in frame if name not in ("runner_id", CASE)]
    frame.loc[other, alike] = frame.loc[case, alike]
    assert said(tmp_path, "C08", frame).verdict == "warn"


def test_rows_that_repeat_others_under_new_ids_are_named_and_nobody_is_said_to_come_once(tmp_path):
    """300 people repeated under new ids."""
    twice = pd.concat([cohort_frame(), cohort_frame().assign(runner_id=lambda own: "N" + own["runner_id"])])
    found = said(tmp_path, "C03", twice)
    assert found.verdict == "warn"
    assert "300 rows repeat another row" in found.why and "nobody" not in found.why


@pytest.mark.parametrize(("lost", "verdict"), [(0, "pass"), (5, "pass"), (10, "warn"), (45, "fail")])
def test_rows_that_a_fault_costs_are_counted_with_the_field(tmp_path, lost, verdict):
    frame = cohort_frame().astype({"weekly_distance_km": float})
    frame.loc[: lost - 1, "weekly_distance_km"] = 900
    found = said(tmp_path, "C10", frame)
    assert found.verdict == verdict
    assert ("weekly_distance_km" in found.why and f"{lost} of 300" in found.why) == (lost > 0)


def test_half_of_the_heights_in_inches_are_named_as_a_unit_and_as_a_loss(tmp_path):
    frame = cohort_frame().astype({"height_cm": float})
    frame.loc[::2, "height_cm"] = (frame["height_cm"] / 2.54).round()
    found = verdicts(tmp_path, frame)
    assert found["C10"].verdict == "fail" and "height_cm" in found["C10"].why
    assert found["C11"].verdict == "fail"
    assert "150 cells of Height" in found["C11"].why and "another unit (in)" in found["C11"].why


def test_a_tenth_of_the_weights_in_pounds_is_seen_though_each_could_be_a_weight(tmp_path):
    frame = cohort_frame().astype({"weight_kg": float})
    frame.loc[::10, "weight_kg"] = (frame["weight_kg"] * 2.2046).clip(upper=199)
    found = said(tmp_path, "C11", frame)
    assert found.verdict == "fail" and "Weight" in found.why and "lb" in found.why
    assert said(tmp_path, "C11", cohort_frame()).verdict == "pass"


def test_outcomes_that_are_missing_under_one_arm_fail_and_under_all_alike_do_not(tmp_path):
    """Half of one arm's failures blanked."""
    frame = patients_frame(900, 360).astype({DONE: float})
    failures = frame.index[(frame["arm"] == "hip") & (frame[DONE] == 0)]
    found = said(tmp_path, "C09", frame.assign(**{DONE: frame[DONE].mask(frame.index.isin(failures[::2]))}))
    assert found.verdict == "fail"
    assert "under Hip strengthening" in found.why and "0% under" in found.why
    alike = frame.assign(**{DONE: frame[DONE].mask(frame.index // 3 % 10 == 0)})
    assert said(tmp_path, "C09", alike).verdict == "pass"
    assert said(tmp_path, "C09", frame).verdict == "pass"


def test_arms_that_hardly_anybody_had_do_not_stop_the_check_of_missing_outcomes(tmp_path):
    frame = patients_frame(300, 120).head(12).astype({DONE: float}).assign(arm=["usual_care", "hip", "orthotic"] * 4)
    frame.loc[:5, DONE] = np.nan
    frame.loc[6:, DONE] = [0, 1, 0, 1, 0, 1]
    assert said(tmp_path, "C09", frame).verdict == "pass"
