"""The simulated cohort: reproducible row by row, true to its scenario, and counterfactual where asked."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ARMS, BY_NAME
from pfps_ml.domain.outcomes import columns_of
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.domain.schemas import frame_schema
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.simulation.cohort import (
    PATIENTS,
    World,
    odds_ratio_over,
    simulate_onset,
    simulate_treatment,
    solved_parameters,
)

CONFIG = CohortConfig(runners=40_000, patients=20_000)


@pytest.fixture(scope="module")
def runners():
    return simulate_onset(CONFIG)


@pytest.fixture(scope="module")
def patients():
    return simulate_treatment(CONFIG)


def test_a_row_is_the_same_whatever_the_range_it_is_drawn_in(runners):
    middle = simulate_onset(CONFIG, 12_345, 12_945)
    pd.testing.assert_frame_equal(middle.observed, runners.observed.iloc[12_345:12_945].reset_index(drop=True))
    pd.testing.assert_frame_equal(middle.truth, runners.truth.iloc[12_345:12_945].reset_index(drop=True))


def test_another_seed_is_another_world():
    first, second = (simulate_onset(CohortConfig(seed=seed), 0, 500).observed["height_cm"] for seed in (1, 2))
    assert np.corrcoef(first.fillna(170), second.fillna(170))[0, 1] < 0.2


def test_both_frames_keep_the_schema_of_the_dictionary(runners, patients):
    frame_schema("onset").validate(runners.observed, lazy=True)
    frame_schema("treatment").validate(patients.observed, lazy=True)


def test_the_base_rate_is_the_scenarios(runners):
    target = load_scenario("reference").runners["onset_base_rate"]
    assert runners.truth["true_risk"].mean() == pytest.approx(target.value, abs=0.004)
    assert target.low < runners.observed["pfps_onset_12m"].mean() < target.high


def test_the_outcome_follows_the_true_risk_and_is_still_hard(runners):
    y, risk = runners.observed["pfps_onset_12m"].to_numpy(float), runners.truth["true_risk"].to_numpy()
    assert y.mean() == pytest.approx(risk.mean(), abs=0.004)
    assert 0.68 < auroc(y, risk) < 0.78


def test_success_under_each_arm_is_the_scenarios(patients):
    p = solved_parameters("reference")[1]
    means = patients.truth[["p_usual_care", "p_hip", "p_orthotic"]].mean().to_numpy()
    assert means == pytest.approx([p.success_usual_care, p.success_hip, p.success_orthotic], abs=0.006)


def test_setting_the_arm_moves_nothing_that_the_arm_does_not_cause(patients):
    for arm in ARMS:
        treated = simulate_treatment(CONFIG, do={"arm": arm.name})
        caused = ["arm", *columns_of("patients")]
        pd.testing.assert_frame_equal(treated.observed.drop(columns=caused), patients.observed.drop(columns=caused))
        pd.testing.assert_frame_equal(treated.truth, patients.truth)
        same = patients.observed["arm"] == arm.name
        assert (treated.observed["success_12w"][same] == patients.observed["success_12w"][same]).all()
        assert treated.observed["success_12w"].mean() == pytest.approx(patients.truth[f"p_{arm.name}"].mean(), abs=0.01)


def test_clinics_confound_so_the_raw_contrast_is_biased(patients):
    seen, truth = patients.observed, patients.truth
    raw = seen.groupby("arm")["success_12w"].mean()
    assert raw["injection"] - raw["usual_care"] < (truth["p_injection"] - truth["p_usual_care"]).mean() - 0.05


def test_injections_are_given_only_after_failed_care(patients):
    given = patients.observed.query("arm == 'injection'")["failed_conventional_care"].dropna()
    assert len(given) > 300
    assert (given == "yes").all()


def test_strength_is_near_null_before_onset_and_low_after_it(runners, patients):
    adults = runners.observed.query("age_years >= 18 and sex == 'female'")
    strong = adults.groupby("pfps_onset_12m")["hip_abduction_nm_kg"].mean()
    spread = adults["hip_abduction_nm_kg"].std()
    assert abs(strong[1] - strong[0]) / spread < 0.25
    cases = patients.observed.query("age_years >= 18 and sex == 'female'")["hip_abduction_nm_kg"].mean()
    assert (adults["hip_abduction_nm_kg"].mean() - cases) / spread > 0.6


def test_body_mass_index_and_age_say_nothing_of_onset(runners):
    y = runners.observed["pfps_onset_12m"].to_numpy(float)
    mass = runners.observed["weight_kg"] / (runners.observed["height_cm"] / 100) ** 2
    women = (runners.observed["sex"] == "female") & mass.notna() & (runners.observed["age_years"] >= 18)
    assert auroc(y[women], mass[women].to_numpy()) == pytest.approx(0.5, abs=0.03)


def test_equipment_belongs_to_the_club_and_says_nothing_of_its_risk(runners):
    owned = runners.observed.groupby("club")["knee_extension_nm_kg"].apply(lambda column: column.notna().mean())
    assert ((owned == 0) | (owned > 0.85)).all()
    risk = runners.truth["true_risk"].groupby(runners.observed["club"]).mean()
    assert abs(risk[owned > 0].mean() - risk[owned == 0].mean()) < 0.008


def test_every_field_but_the_required_can_be_missing(runners):
    missing = runners.observed.isna().mean()
    for name, field in BY_NAME.items():
        if name in missing and field.kind != "text" and name != "current_knee_pain":
            assert (missing[name] == 0) == field.required, name


def test_an_unknown_column_of_the_world_is_an_error():
    with pytest.raises(FactError, match="no column"):
        _ = _world().column("luck")


def test_an_empty_range_gives_an_empty_frame():
    assert len(simulate_onset(CONFIG, 10, 10).observed) == 0


def _world():  # the engine without any mechanism
    return World(1, "runner", 0, 3, solved_parameters("reference")[0], 1, {})


def test_another_season_brings_fresh_runners_to_the_same_clubs(runners):
    again = simulate_onset(CONFIG, season=1)
    assert not set(again.observed["runner_id"]) & set(runners.observed["runner_id"])
    assert list(again.observed["club"]) == list(runners.observed["club"])
    rates = [each.truth["true_risk"].groupby(each.observed["club"]).mean() for each in (runners, again)]
    assert np.corrcoef(*rates)[0, 1] > 0.8


def test_those_who_attend_are_those_whom_a_chance_that_rises_with_severity_picks_from_everybody(patients, runners):
    p = solved_parameters("reference")[1]
    everybody = SimpleNamespace(**vars(p) | {"attendance_severity": 0.0, "randomised": False})
    world = World(1, "patient", 0, 200_000, everybody, 1, PATIENTS)
    worse = p.akps_per_duration_sd / p.akps_sd * world.column("duration_sd") - world.column("function_sd")
    comes = generator(1, "attendance").random(len(worse)) < np.exp(p.attendance_severity * (worse - worse.max()))
    assert 2_000 < comes.sum() < 150_000
    for name in ("akps", "worst_pain_mm"):
        picked, seen = world.column(name)[comes], patients.observed[name]
        assert picked.mean() == pytest.approx(seen.mean(), abs=0.6), name
        assert abs(picked.mean() - world.column(name).mean()) > 1.2, name  # it does matter
    assert patients.observed["weekly_distance_km"].median() > runners.observed["weekly_distance_km"].median()


def test_the_self_tests_know_their_condition_from_other_knee_pain_as_well_as_was_published(patients):
    p = solved_parameters("reference")[1]
    others = simulate_treatment(CONFIG, do={"has_pfps": 0})
    tests = {"heel_on_squat_pain": "squat_pain", "small_knee_bend_pain": "small_bend_pain",
             "heel_off_squat_pain": "heel_off_pain"}  # fmt: skip
    for field, name in tests.items():
        sensitivity, fallout = ((each.observed[field].dropna() == "yes").mean() for each in (patients, others))
        assert sensitivity == pytest.approx(getattr(p, name), abs=0.015)
        assert fallout == pytest.approx(1 - getattr(p, f"{name}_specificity"), abs=0.015)
    assert 1.5 < p.squat_pain / (1 - p.squat_pain_specificity) < 2.1  # published: 1.8
    rest = [name for name in patients.observed if name not in tests]
    pd.testing.assert_frame_equal(others.observed[rest], patients.observed[rest])
    pd.testing.assert_frame_equal(others.truth, patients.truth)


def test_both_truths_say_which_draw_a_row_is_of():
    for simulate in (simulate_onset, simulate_treatment):
        cohort = simulate(CohortConfig(draw=3), 0, 40)
        assert set(cohort.truth["draw"]) == {3}
        assert list(cohort.truth["runner_id"]) == list(cohort.observed["runner_id"])


def test_scores_and_feet_are_seen_with_retest_error_and_the_truth_without(patients):
    p = SimpleNamespace(**vars(solved_parameters("reference")[1]), randomised=False)
    world = World(CONFIG.seed, "patient", 0, CONFIG.patients, p, CONFIG.patients_per_club, PATIENTS)
    for name in ("akps", "worst_pain_mm", "midfoot_mobility_mm"):
        error = (patients.observed[name] - world.column(name)).dropna()
        assert error.std() == pytest.approx(getattr(p, f"error_{name}"), rel=0.06), name
        assert abs(error.mean()) < 0.06 * error.std() + 0.1, name


def test_a_spike_acts_for_its_months_and_no_longer():
    from pfps_ml.simulation.runners import true_risk

    p = {"onset_intercept": -6.0, "months": 12.0}
    once, usual, never = (
        true_risk(np.zeros(1), np.array([spike]), SimpleNamespace(**p, spike_months=months))[0]
        for spike, months in ((1.0, 3.0), (1.0, 12.0), (1.0, 0.0))
    )
    monthly, spiked = (1 / (1 + np.exp(6.0 - each)) for each in (0.0, 1.0))
    assert once == pytest.approx(1 - (1 - spiked) ** 3 * (1 - monthly) ** 9)
    assert usual == pytest.approx(1 - (1 - spiked) ** 12)
    assert never == pytest.approx(1 - (1 - monthly) ** 12)
    # a draw of the evidence may lead beyond the horizon, and below nothing
    for months, same in ((40.0, usual), (-1.0, never)):
        assert true_risk(np.zeros(1), np.ones(1), SimpleNamespace(**p, spike_months=months))[0] == same


def test_the_odds_ratio_of_a_spike_over_12_months_is_what_its_parameter_says(subtests):
    for name in ["onset_spike_10", "onset_spike_30", "onset_spike_100"]:
        with subtests.test(name=name):
            runners = load_scenario("reference").runners
            base, months = runners["onset_base_rate"].value, runners["spike_months"]
            ratio = odds_ratio_over(np.exp(runners[name].value), base, 12, months.value)
            assert f"odds ratio of {ratio:.2f} over 12 months" in runners[name].how
            least, most = (odds_ratio_over(1.64, base, 12, acting) for acting in (months.low, months.high))
            assert f"{least:.2f} to {most:.2f}" in months.how


def test_an_effusion_inhibits_the_quadriceps_from_20_to_30_ml():
    from pfps_ml.simulation.runners import quadriceps_inhibition

    p = solved_parameters("reference")[1]
    lost = quadriceps_inhibition(np.array([0.0, 10.0, 25.0, 40.0, 80.0]), p)
    assert lost[:2].max() < 0.01
    assert lost[2] == pytest.approx(p.inhibition_most / 2)
    assert lost[3:].min() > 0.99 * p.inhibition_most


def test_a_hazard_ratio_is_nearly_an_odds_ratio_over_the_horizon():
    assert odds_ratio_over(1.0, 0.05, 12) == pytest.approx(1.0)
    assert 2.0 < odds_ratio_over(2.0, 0.05, 12) < 2.1
    assert odds_ratio_over(2.0, 0.3, 12) > odds_ratio_over(2.0, 0.05, 12)
    assert odds_ratio_over(2.0, 0.05, 12, 12) == odds_ratio_over(2.0, 0.05, 12, 40) == odds_ratio_over(2.0, 0.05, 12)
    assert odds_ratio_over(2.0, 0.05, 12, 0) == pytest.approx(1.0)


def test_an_arm_that_does_not_exist_cannot_be_set():
    with pytest.raises(FactError, match="usual_care, hip"):
        simulate_treatment(CONFIG, 0, 5, do={"arm": "typo"})
