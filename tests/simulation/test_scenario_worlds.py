"""The scenarios as worlds: each holds what it says it holds, and a draw of the evidence moves the evidence alone."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.logistic import expit, fit_logistic, logit
from pfps_ml.domain.dictionary import ARMS, BY_NAME, ONSET_FIELDS, SCREENING
from pfps_ml.domain.scenario import PARTS, differences, load_scenario, scenario_names
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.simulation import cohort as solving
from pfps_ml.simulation.cohort import RUNNERS, World, observe, simulate_onset, simulate_treatment, solved_parameters
from pfps_ml.workflows.frames import coded

EFFECTS = [f"p_{arm.name}" for arm in ARMS]
ALL_MEASURED = {"club_field_tests": 1.0, "club_dynamometer": 1.0, "skipped_answer": 0.0, "missed_test": 0.0}


def test_every_scenario_is_simulated_and_meets_its_base_rate_and_its_success(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            config = CohortConfig(scenario=name, runners=5000, patients=5000, runners_per_club=5)
            runners, patients = simulate_onset(config), simulate_treatment(config)
            p = solved_parameters(name, config.seed)[1]
            assert runners.truth["true_risk"].mean() == pytest.approx(p.onset_base_rate, rel=0.1)
            assert runners.observed["pfps_onset_12m"].mean() == pytest.approx(p.onset_base_rate, rel=0.25)
            means = patients.truth[["p_usual_care", "p_hip", "p_orthotic"]].mean().to_numpy()
            assert means == pytest.approx([p.success_usual_care, p.success_hip, p.success_orthotic], abs=0.015)
            assert set(patients.observed["arm"]) == {arm.name for arm in ARMS}


def measured(name, rows):
    """Return the coded fields of runners of whom everything was measured, with retest error, and their onset."""
    p = SimpleNamespace(**vars(solved_parameters(name)[0]) | ALL_MEASURED)
    world = World(11, "runner", 0, rows, p, 500, RUNNERS)
    fields = observe(world, SCREENING)
    fields.insert(0, "runner_id", [f"R{row}" for row in range(rows)])
    return coded(fields), world.column("pfps_onset_12m")


def slopes(values, y):
    """Return the log odds ratios per SD, and their covariance."""
    scores = (values - values.mean(axis=0)) / values.std(axis=0)
    design = np.column_stack([np.ones(len(y)), scores])
    beta = fit_logistic(design, y)
    fitted = expit(design @ beta)
    return beta, np.linalg.inv((design.T * (fitted * (1 - fitted))) @ design), design


@pytest.fixture(scope="module")
def pooled():
    return measured("pooled", 60_000)


def test_in_pooled_a_model_without_a_training_log_discriminates_no_better_than_the_published_ones(pooled):
    values, y = pooled
    baseline = [name for name in ONSET_FIELDS if BY_NAME[name].obtained != "log"]
    X = values[baseline].to_numpy(float)
    assert not np.isnan(X).any()
    fold, design = np.arange(len(y)) % 2, slopes(X, y)[2]
    found = [auroc(y[fold != k], design[fold != k] @ slopes(X[fold == k], y[fold == k])[0]) for k in (0, 1)]
    assert 0.55 < np.mean(found) < 0.71
    assert np.mean(found) > 0.62  # but there is something to be learnt


def test_in_pooled_the_published_effects_come_back_one_at_a_time_within_a_sex(pooled):
    values, y = pooled
    women = ((values["sex"] == 0) & (values["age_years"] >= 18)).to_numpy()
    assert BY_NAME["sex"].levels[0] == "female"
    for field, effect, sign in (
        ("knee_extension_nm_kg", "onset_knee_weakness", -1),
        ("hip_abduction_nm_kg", "onset_hip_weakness", -1),
        ("foot_posture_index", "onset_fpi", 1),
    ):
        beta, covariance, _ = slopes(values[[field]].to_numpy(float)[women], y[women])
        spread = 4 * np.sqrt(covariance[1, 1])
        assert sign * beta[1] == pytest.approx(load_scenario("pooled").runners[effect].value, abs=spread), field


def test_without_effect_modification_every_arm_helps_everyone_alike(subtests):
    for name in ["pooled", "null", "null_large"]:
        with subtests.test(name=name):
            truth = simulate_treatment(CohortConfig(scenario=name, patients=5000)).truth[EFFECTS].to_numpy()
            added = logit(truth[:, 1:]) - logit(truth[:, :1])
            assert np.ptp(added, axis=0).max() < 1e-9
            assert (truth[:, 0].std() > 0.05).all()  # prognosis stays


def test_the_two_nulls_differ_in_the_size_of_the_common_effects_alone():
    found = {name for name, _, _ in differences(load_scenario("null"), load_scenario("null_large"))}
    assert found == {"patients.success_hip", "patients.success_orthotic", "patients.injection_log_odds"}


@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_every_effect_on_onset_is_exactly_zero_in_every_draw(name):
    effects = [p for key, p in load_scenario(name).runners.items()
               if key.startswith("onset_") and key != "onset_base_rate"]  # fmt: skip
    assert len(effects) == 20
    assert all(p.value == p.low == p.high == 0.0 for p in effects)


@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_no_predictor_of_onset_differs_from_none_beyond_chance(name):
    world = World(11, "runner", 0, 200_000, solved_parameters(name)[0], 500, RUNNERS)
    X = np.column_stack([np.asarray(world.column(field), float) for field in ONSET_FIELDS])
    beta, covariance, _ = slopes(X, world.column("pfps_onset_12m"))
    joint = beta[1:] @ np.linalg.solve(covariance[1:, 1:], beta[1:])
    assert chi2.sf(joint, len(beta) - 1) > 0.001


@pytest.mark.slow
@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_no_effect_of_an_arm_varies_with_a_driver_beyond_chance(name):
    config = CohortConfig(scenario=name, patients=200_000, randomised=True)
    frame = simulate_treatment(config).observed
    drivers = coded(frame)[["hip_abduction_nm_kg", "midfoot_mobility_mm", "lateral_tightness"]]
    drivers = ((drivers - drivers.mean()) / drivers.std()).fillna(0.0).to_numpy()
    given = np.column_stack([(frame["arm"] == arm.name).to_numpy(float) for arm in ARMS[1:]])
    # injections go to those whose care has failed: their history enters by itself
    failed = (frame["failed_conventional_care"] == "yes").to_numpy(float)[:, None]
    crossed = (given[:, :, None] * drivers[:, None, :]).reshape(len(frame), -1)
    beta, covariance, _ = slopes(np.hstack([crossed, given, drivers, failed]), frame["success_12w"].to_numpy(float))
    tested = slice(1, 1 + crossed.shape[1])
    joint = beta[tested] @ np.linalg.solve(covariance[tested, tested], beta[tested])
    assert chi2.sf(joint, crossed.shape[1]) > 0.001


def test_in_the_kinetic_chain_the_best_arm_differs_between_patients_as_clinics_tell_it():
    config = CohortConfig(scenario="kinetic_chain", patients=20_000)
    cohort = simulate_treatment(config)
    truth, seen = cohort.truth[EFFECTS], cohort.observed
    assert (truth.idxmax(axis=1).value_counts(normalize=True) > 0.1).sum() == 4
    gain = truth.sub(truth["p_usual_care"], axis=0)
    weak = seen["hip_abduction_nm_kg"].rank(pct=True)
    assert gain["p_hip"][weak < 0.25].mean() > gain["p_hip"][weak > 0.75].mean() + 0.2
    loose = (seen["midfoot_mobility_mm"] > 11) & (seen["foot_posture_index"] > 3)
    assert gain["p_orthotic"][loose].mean() > gain["p_orthotic"].mean() + 0.2
    tight = (seen["lateral_tightness"] == "yes") & (seen["failed_conventional_care"] == "yes")
    assert truth["p_injection"][tight].mean() == pytest.approx(2 / 3, abs=0.05)
    assert (seen["effusion_grade"] > 0).mean() > 0.6


def test_in_the_kinetic_chain_hip_foot_and_squat_raise_onset_and_in_pooled_the_squat_does_not():
    strong, weak = (solved_parameters(name)[0] for name in ("kinetic_chain", "pooled"))
    for name in ("onset_hip_weakness", "onset_fpi", "onset_fppa"):
        assert getattr(strong, name) > 0.4, name
    assert strong.onset_hip_weakness_adolescent > 0 > weak.onset_hip_weakness_adolescent
    assert weak.onset_fppa == 0


def test_the_start_to_run_course_holds_novices_mostly_women_over_ten_weeks():
    runners = simulate_onset(CohortConfig(scenario="novice_10w", runners=5000)).observed
    assert runners["running_experience_years"].max() <= 1
    assert (runners["sex"] == "female").mean() > 0.85
    assert load_scenario("novice_10w").horizon_months == pytest.approx(10 * 7 / 30.44, abs=0.01)
    patients = simulate_treatment(CohortConfig(scenario="novice_10w", patients=2000)).observed
    assert patients["running_experience_years"].median() > 2  # the clinic's patients are not the course's


def test_the_school_season_holds_adolescents_over_a_few_months():
    config = CohortConfig(scenario="school_season", runners=2000, patients=2000)
    for cohort in (simulate_onset(config), simulate_treatment(config)):
        assert cohort.observed["age_years"].max() < 18
    assert load_scenario("school_season").horizon_months == 3


def test_with_all_spreads_at_zero_every_draw_is_the_same_world_to_the_bit(monkeypatch):
    sure = load_scenario("reference")
    for part in PARTS:
        fixed = {name: replace(p, low=p.value, high=p.value) for name, p in getattr(sure, part).items()}
        sure = replace(sure, name="sure", **{part: fixed})
    monkeypatch.setattr(solving, "load_scenario", lambda _name: sure)
    for simulate in (simulate_onset, simulate_treatment):
        first, seventh = (simulate(CohortConfig(scenario="sure", draw=draw), 0, 2000) for draw in (0, 7))
        assert set(seventh.observed.pop("draw")) == {7}
        assert set(first.observed.pop("draw")) == {0}
        assert (set(seventh.truth.pop("draw")), set(first.truth.pop("draw"))) == ({7}, {0})
        for one, two in ((first.observed, seventh.observed), (first.truth, seventh.truth)):
            assert one.equals(two)


def test_a_draw_moves_the_evidence_and_keeps_the_runners():
    first, seventh = (simulate_onset(CohortConfig(draw=draw), 0, 2000) for draw in (0, 7))
    assert list(first.observed["runner_id"]) == list(seventh.observed["runner_id"])
    assert np.corrcoef(first.truth["true_risk"], seventh.truth["true_risk"])[0, 1] > 0.5
    assert not first.truth["true_risk"].equals(seventh.truth["true_risk"])
