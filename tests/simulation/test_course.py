"""The course: given the draw at 12 weeks, true to its probabilities, and nothing that was simulated before moved."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError
from pfps_ml.core.logistic import expit, fit_logistic
from pfps_ml.domain.dictionary import ARMS, ONSET_FIELDS
from pfps_ml.domain.outcomes import FITTED, LONG_TERM, ONSET, OUTCOMES, RELAPSE, RUNNING, SUCCESS, columns_of
from pfps_ml.domain.scenario import scenario_names
from pfps_ml.simulation import course
from pfps_ml.simulation.cohort import (
    ENDS,
    PATIENTS,
    RUNNERS,
    World,
    simulate_onset,
    simulate_treatment,
    solved_parameters as solved,
)
from pfps_ml.workflows.frames import coded

CONFIG = CohortConfig(runners=40_000, patients=20_000)
STATES = [*SUCCESS.columns, *RUNNING.columns, RELAPSE.column, LONG_TERM.column]
NEW_FIELDS = {"pain_sites", "pain_settles_min", "daily_activity_pain", "pain_varies_with_stress_or_sleep",
              "training_affected", "months_free_this_season"}  # fmt: skip
# of every column that was simulated before there was a course: all scenarios, at the point values and drawn
BEFORE = "39641cf0edb73d767b44592cce6779196ab326f576313d79f804aa8f1dd1c4ad"


@pytest.fixture(scope="module")
def patients():
    return simulate_treatment(CONFIG)


@pytest.fixture(scope="module")
def runners():
    return simulate_onset(CONFIG)


def clinic(scenario="reference", rows=20_000, **do):
    p = SimpleNamespace(**vars(solved(scenario)[1]), randomised=False)
    return World(7, "patient", 0, rows, p, 150, PATIENTS, do)


def test_the_course_moved_no_byte_of_a_column_that_was_there_before():
    digest = hashlib.sha256()
    for name in scenario_names():
        for draw in (0, 1):
            config = CohortConfig(scenario=name, runners=400, patients=400, draw=draw, randomised=bool(draw))
            for simulate, main in ((simulate_onset, ONSET), (simulate_treatment, SUCCESS)):
                made = simulate(config)
                later = {*columns_of(main.population), *NEW_FIELDS} - {main.column}
                known = ["runner_id", "draw", "true_risk", *(f"p_{arm.name}" for arm in ARMS)]
                for frame in (made.observed.drop(columns=later, errors="ignore"), made.truth.filter(known)):
                    digest.update("".join(frame.columns).encode())
                    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    assert digest.hexdigest() == BEFORE


def test_every_declared_outcome_is_a_column_and_has_its_truth_under_every_arm(patients, runners):
    assert {*columns_of("patients")} <= {*patients.observed}
    assert {*columns_of("runners")} <= {*runners.observed}
    assert {"true_risk", "true_risk_3m", "true_risk_6m"} <= {*runners.truth}
    further = {name for o in OUTCOMES if o.population == "patients" for name in o.columns} - {SUCCESS.column}
    named = {f"p_{name}_{arm.name}" for name in further for arm in ARMS} | {f"p_{arm.name}" for arm in ARMS}
    assert named | {"runner_id", "draw"} == {*patients.truth}
    assert patients.truth[sorted(named)].to_numpy().min() > 0
    assert patients.truth[sorted(named)].to_numpy().max() < 1


def test_what_models_are_trained_for_is_known_of_everybody_and_the_rest_of_those_who_were_seen(patients, runners):
    assert [outcome.name for outcome in FITTED] == ["onset", "success"]
    seen = patients.observed
    assert runners.observed[ONSET.column].notna().all() and seen[SUCCESS.column].notna().all()
    for week, *names in ((26, "success_26w", "running_26w"), (52, "success_52w", "running_52w")):
        for name in names:
            assert (seen[name].notna() == (seen["seen_until_week"] >= week)).all(), name
            assert 0.05 < seen[name].isna().mean() < 0.5
    assert seen["relapse_12m"][seen["success_12w"] == 0].isna().all()
    # a loss that was seen is known, whenever nobody came any more
    lost = (seen["success_12w"] == 1) & ((seen["success_26w"] == 0) | (seen["success_52w"] == 0))
    assert lost.sum() > 500 and (seen["relapse_12m"][lost] == 1).all()


def test_what_happens_under_an_arm_is_what_its_probabilities_say():
    for arm in ("usual_care", "hip", "orthotic", "injection"):
        at = [each.name for each in ARMS].index(arm)
        world = clinic(rows=60_000, arm=arm)
        for place, week in enumerate(SUCCESS.horizons):
            chance, runs = (world.column(name)[:, at, place] for name in ("success_course", "running_share"))
            assert world.column(f"success_{week}w").mean() == pytest.approx(chance.mean(), abs=0.007), week
            assert world.column(f"running_{week}w").mean() == pytest.approx(runs.mean(), abs=0.007), week
        well = world.column(SUCCESS.column) == 1
        again = world.column("relapse_probability")[well, at].mean()
        assert world.column(RELAPSE.column)[well].mean() == pytest.approx(again, abs=0.008)
        later = world.column("long_term_probability")[:, at].mean()
        assert world.column(LONG_TERM.column).mean() == pytest.approx(later, abs=0.007)


def test_the_course_is_success_at_12_weeks_and_running_is_within_success():
    world = clinic(arm="hip")
    at_main = SUCCESS.horizons.index(SUCCESS.main)
    assert (world.column("course_states")[:, at_main] == world.column(SUCCESS.column)).all()
    assert np.array_equal(world.column("success_course")[:, :, at_main], world.column("success_probability"))
    for week in SUCCESS.horizons:
        assert (world.column(f"running_{week}w") <= world.column(f"success_{week}w")).all()


def test_success_is_where_pain_is_at_most_half_of_what_it_was_and_running_has_pain_of_at_most_2_of_10():
    world = clinic(arm="hip")
    pain, before = world.column("latent_pain"), world.column("worst_pain_mm")[:, None] / 10
    well = world.column("course_states") == course.WELL
    assert ((pain <= before / 2 + 1e-9) == well).all()
    for place, week in enumerate(SUCCESS.horizons):
        assert pain[world.column(f"running_{week}w") == 1, place].max() <= 2 + 1e-9
    gained = world.column("latent_function") - world.column("akps")[:, None]
    assert gained[well].mean() > gained[~well].mean() + 3


def test_recovery_is_steep_at_first_and_who_is_fast_depends_on_duration_function_sides_and_sites():
    world = clinic(arm="usual_care")
    fast = world.column("fast_share")[:, 0]
    assert (world.column("success_probability") < world.column("fast_share")).all()
    assert np.corrcoef(fast, world.column("duration_sd"))[0, 1] < -0.3
    assert np.corrcoef(fast, world.column("akps"))[0, 1] > 0.3
    assert fast[world.column("bilateral") == 0].mean() > fast[world.column("bilateral") == 1].mean()
    late, sites = world.column("recovery_chance")[:, 0, 0], world.column("pain_sites")
    assert late[sites == 0].mean() > late[sites >= 3].mean() + 0.05
    course_ = world.column("success_course")[:, 0].mean(axis=0)
    weeks = np.diff([0, *SUCCESS.horizons])
    rates = np.diff([0, *course_]) / weeks
    assert rates[1] > 3 * rates[2] > 3 * rates[3]  # most of what comes in the year comes by week 12


def test_arms_change_the_speed_more_than_the_level():
    chance = clinic(rows=40_000).column("success_course").mean(axis=0)
    ratio = chance[[arm.name for arm in ARMS].index("orthotic")] / chance[0]
    assert ratio[0] > 1.25 and ratio[-1] < 1.03
    assert (np.diff(ratio[:2]) < 0).all()


def test_relapse_comes_early_and_exercise_visits_protect():
    world = clinic(arm="usual_care")
    early, late = world.column("loss_chance")[:, 0].mean(axis=0)
    assert early / 14 > 4 * late / 26
    again = world.column("relapse_probability").mean(axis=0)
    assert again[1] < again[0] == again[2]


def test_the_squat_foretells_relapse_in_the_kinetic_chain_and_in_no_other_scenario(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            world = clinic(name, 5000)
            tied = np.corrcoef(world.column("squat_angle_sd"), world.column("relapse_probability")[:, 0])[0, 1]
            assert tied > 0.6 if name == "kinetic_chain" else abs(tied) < 0.05


def test_in_the_kinetic_chain_most_of_what_comes_by_12_weeks_comes_in_two_and_an_injection_lasts():
    world, usual = clinic("kinetic_chain"), clinic()
    hip = [arm.name for arm in ARMS].index("hip")

    def by_two_weeks(w):
        known = (w.column(name)[:, hip] for name in ("fast_share", "unwell_ratio", "lead_weeks"))
        return course.early_success(2, *known).mean() / w.column("success_probability")[:, hip].mean()

    told, found = by_two_weeks(world), by_two_weeks(usual)
    assert told > 0.55 and told > found + 0.2
    mild = (world.column("duration_sd") < -1) & (world.column("foot_posture_sd") > 1)
    leads = world.column("lead_weeks")[:, 2]
    assert leads[mild].min() > leads[~mild].mean() + 0.9
    kept = {name: w.column("relapse_probability").mean(axis=0) for name, w in (("told", world), ("usual", usual))}
    assert kept["told"][3] < 0.35 * kept["told"][0] and kept["usual"][3] > 0.7 * kept["usual"][0]


@pytest.mark.parametrize(("frame", "middle"), [("incident", 1.6), ("runners_clinic", 4.8), ("physiotherapy", 24.0)])
def test_a_frame_sets_how_long_patients_have_been_in_pain_and_with_it_how_they_fare(frame, middle, patients):
    came = simulate_treatment(CONFIG, 0, 6000, frame=frame)
    assert came.observed["symptom_duration_months"].median() == pytest.approx(middle, rel=0.1)
    sites = "pain_sites", "height_cm", "midfoot_mobility_mm"
    for name in sites[1:]:
        pd.testing.assert_series_equal(came.observed[name], patients.observed[name].head(6000))
    shorter = came.observed["symptom_duration_months"].median() < 20
    assert (came.truth["p_success_52w_hip"].mean() > patients.truth["p_success_52w_hip"].mean()) == shorter


def test_an_unknown_frame_is_refused():
    with pytest.raises(FactError, match="clinic, incident, runners_clinic, physiotherapy"):
        simulate_treatment(CONFIG, 0, 5, frame="street")


def test_who_is_worse_or_already_well_is_seen_no_more_sooner():
    world = clinic(rows=60_000, arm="usual_care")
    gone = world.column("seen_until_week") == SUCCESS.main
    worse = world.column("function_sd") < np.median(world.column("function_sd"))
    well = world.column(SUCCESS.column) == 1
    for one, other in ((worse & well, ~worse & well), (well & worse, ~well & worse)):
        assert gone[one].mean() > gone[other].mean() + 0.015


def test_the_month_of_an_onset_agrees_with_every_horizon_and_with_its_risk(runners):
    seen, truth = runners.observed, runners.truth
    ill = seen["pfps_onset_12m"] == 1
    assert (seen["onset_month"].notna() == ill).all()
    for months in ONSET.horizons:
        assert ((seen["onset_month"] <= months) == (seen[f"pfps_onset_{months}m"] == 1)).all()
    for months in (3, 6):
        risk = truth[f"true_risk_{months}m"]
        assert (risk < truth["true_risk"]).all()
        assert seen[f"pfps_onset_{months}m"].mean() == pytest.approx(risk.mean(), abs=0.003)


def test_a_spike_brings_onset_forward(runners):
    seen = runners.observed
    months = seen["onset_month"].groupby(seen["longest_run_spike_pct"] > 30).mean()
    assert months[True] < months[False] - 0.3


def test_a_year_free_of_pain_ends_by_one_thing(runners):
    seen = runners.observed
    assert set(seen["ended_by"]) == {*ENDS}
    assert ((seen["ended_by"] == "onset") == (seen["pfps_onset_12m"] == 1)).all()
    assert (seen["ended_month"][seen["ended_by"] == "onset"] == seen["onset_month"].dropna()).all()
    assert (seen["ended_month"][seen["ended_by"] == "none"] == 12).all()
    others = seen["ended_by"][seen["pfps_onset_12m"] == 0].value_counts(normalize=True)
    p = solved("reference")[0]
    assert others["none"] == pytest.approx((1 - p.gave_up_share) * (1 - p.other_injury_share), abs=0.01)
    assert others["other_injury"] > 2 * others["gave_up"]


def test_what_else_the_visit_asks_may_be_missing_and_lies_in_its_limits(patients, runners):
    for name in NEW_FIELDS - {"months_free_this_season"}:
        assert 0 < patients.observed[name].isna().mean() < 0.1, name
    assert runners.observed["months_free_this_season"].dropna().between(0, 11).all()
    assert (patients.observed["months_free_this_season"].dropna() == 0).all()


def joint_p(X, y, tested):
    """Return the p-value that all tested slopes of a logistic regression are nought."""
    design = np.column_stack([np.ones(len(y)), (X - X.mean(axis=0)) / X.std(axis=0)])
    beta = fit_logistic(design, y)
    fitted = expit(design @ beta)
    covariance = np.linalg.inv((design.T * (fitted * (1 - fitted))) @ design)
    at = 1 + np.arange(X.shape[1])[tested]
    return chi2.sf(beta[at] @ np.linalg.solve(covariance[np.ix_(at, at)], beta[at]), len(at))


def combined(p_values):
    """Return Fisher's p-value of independent worlds."""
    return chi2.sf(-2 * np.log(p_values).sum(), 2 * len(p_values))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_no_predictor_foretells_onset_at_any_horizon_beyond_chance(name):
    found = {months: [] for months in ONSET.horizons}
    for seed in range(8):
        world = World(seed, "runner", 0, 60_000, solved(name)[0], 1, RUNNERS)
        X = np.column_stack([np.asarray(world.column(field), float) for field in ONSET_FIELDS])
        for months, p_values in found.items():
            p_values.append(joint_p(X, world.column(f"pfps_onset_{months}m"), slice(None)))
    assert all(combined(p_values) > 0.001 for p_values in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_no_driver_changes_what_an_arm_does_to_any_outcome_beyond_chance(name):
    found = {column: [] for column in STATES}
    for seed in range(8):
        made = simulate_treatment(CohortConfig(scenario=name, patients=40_000, seed=seed, randomised=True)).observed
        drivers = coded(made)[["hip_abduction_nm_kg", "midfoot_mobility_mm", "lateral_tightness", "squat_fppa_deg"]]
        drivers = ((drivers - drivers.mean()) / drivers.std()).fillna(0.0).to_numpy()
        given = np.column_stack([(made["arm"] == arm.name).to_numpy(float) for arm in ARMS[1:]])
        failed = (made["failed_conventional_care"] == "yes").to_numpy(float)[:, None]
        crossed = (given[:, :, None] * drivers[:, None, :]).reshape(len(made), -1)
        X = np.hstack([crossed, given, drivers, failed])
        for column, p_values in found.items():
            seen = made[column].notna().to_numpy()
            p_values.append(joint_p(X[seen], made[column].to_numpy(float)[seen], slice(crossed.shape[1])))
    assert all(combined(p_values) > 0.001 for p_values in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["null", "null_large"])
def test_in_null_no_arm_and_no_predictor_differs_in_relapse_beyond_chance(name):
    p_values = []
    for seed in range(8):
        made = simulate_treatment(CohortConfig(scenario=name, patients=40_000, seed=seed, randomised=True)).observed
        made = made[made["relapse_12m"].notna() & (made["seen_until_week"] >= 52)]
        fields = coded(made)[["symptom_duration_months", "akps", "squat_fppa_deg", "pain_sites", "bilateral"]]
        fields = fields.fillna(fields.mean()).to_numpy()
        given = np.column_stack([(made["arm"] == arm.name).to_numpy(float) for arm in ARMS[1:]])
        p_values.append(joint_p(np.hstack([given, fields]), made["relapse_12m"].to_numpy(float), slice(None)))
    assert combined(p_values) > 0.001, p_values
