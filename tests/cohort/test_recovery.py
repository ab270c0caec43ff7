"""Recovery: a fit on the mechanism's own scale finds the parameters that went in."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2, spearmanr

from pfps_ml.cohort.hazards import GROWN_UP
from pfps_ml.cohort.solve import PATIENTS, RUNNERS, solved_parameters
from pfps_ml.cohort.world import World
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS

pytestmark = pytest.mark.slow
ROWS = 1_000_000


@pytest.fixture(scope="module")
def world():
    return World(7, "runner", 0, ROWS, solved_parameters("reference")[0], 500, RUNNERS)


@pytest.fixture(scope="module")
def clinic():
    from types import SimpleNamespace

    p = SimpleNamespace(**vars(solved_parameters("reference")[1]), randomised=False)
    return World(7, "patient", 0, ROWS, p, 150, PATIENTS)


def onset_design(world):
    """Return every predictor of the monthly hazard as its parameter means it, by the parameter's name."""
    c, p = world.column, world.parameters
    spike, young = c("longest_run_spike_pct"), c("age_years") < GROWN_UP
    return {
        "onset_male": c("sex"),
        "onset_knee_weakness": -c("knee_strength_sd"),
        "onset_hip_weakness": -c("hip_strength_sd") * ~young,
        "onset_hip_weakness_adolescent": -c("hip_strength_sd") * young,
        "onset_fpi": c("foot_posture_sd"),
        "onset_fppa": c("squat_angle_sd"),
        "onset_spike_10": (spike > 10) & (spike <= 30),
        "onset_spike_30": (spike > 30) & (spike <= 100),
        "onset_spike_100": spike > 100,
        "onset_weekly_change": c("weekly_change_pct") / 100,
        "onset_prior_injury": c("prior_running_injury_12m"),
        "onset_prior_pfps": c("prior_pfps"),
        "onset_prior_knee_injury": c("prior_knee_injury"),
        "onset_novice": c("novice"),
        "onset_specialisation": c("early_specialisation"),
        "onset_log_distance": np.log(c("usual_week_km") / p.distance_median),
        "onset_age": (c("age_years") - 40) / 10,
        "onset_bmi": (c("bmi") - p.bmi_mean) / p.bmi_sd,
        "onset_step_rate": (c("step_rate_spm") - p.step_rate_mean) / p.step_rate_sd,
        "onset_navicular": (c("navicular_drop_mm") - p.navicular_mean) / p.navicular_sd,
    }


def fit(design, y, offset, months):
    """Fit monthly log odds to an outcome over some months (a hazard that adds up), by Fisher scoring."""
    beta = np.zeros(design.shape[1])
    monthly = -np.expm1(np.log1p(-y.mean()) / months)
    beta[0] = np.log(monthly / (1 - monthly))
    for _ in range(12):
        hazard = expit(design @ beta + offset)
        risk = -np.expm1(months * np.log1p(-hazard))
        slope = months * hazard * (1 - risk)  # d risk / d log odds of a month
        weight = slope**2 / (risk * (1 - risk))
        information = (design * weight[:, None]).T @ design
        beta = beta + np.linalg.solve(information, design.T @ (weight * (y - risk) / slope))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


def test_every_effect_on_onset_is_recovered(world):
    p, columns = world.parameters, onset_design(world)
    named = {name for name in vars(p) if name.startswith("onset_")} - {"onset_base_rate", "onset_intercept"}
    assert set(columns) == named
    design = np.column_stack([np.ones(ROWS), *columns.values()])
    found, error = fit(design, world.column("pfps_onset_12m"), world.column("club_log_rate"), p.months)
    truth = np.array([p.onset_intercept, *(getattr(p, name) for name in columns)])
    z = (found - truth) / error
    assert np.abs(z).max() < 3.5
    assert chi2.sf((z**2).sum(), len(z)) > 0.001
    sharp = (error < 0.01) & (np.abs(truth) > 0.34)  # 3 % of less is less than the standard error itself
    assert np.abs(found[sharp] / truth[sharp] - 1).max() < 0.03


@pytest.mark.parametrize(
    ("column", "parameter"),
    [
        ("adolescent", "adolescent_share"),
        ("novice", "novice_share"),
        ("prior_running_injury_12m", "prior_injury_share"),
        ("prior_knee_injury", "prior_knee_injury_share"),
        ("early_specialisation", "early_specialisation_share"),
        ("runner_keeps_log", "keeps_log"),
        ("true_risk", "onset_base_rate"),
    ],
)
def test_every_prevalence_is_recovered(world, column, parameter):
    assert abs(np.mean(world.column(column)) - getattr(world.parameters, parameter)) < 0.002


def test_sex_and_history_by_sex_are_recovered(world):
    p, male = world.parameters, world.column("sex") == 1
    prior = world.column("prior_pfps")
    assert abs((~male).mean() - p.female_share) < 0.002
    assert abs(prior[male].mean() - p.prior_pfps_male) < 0.002
    assert abs(prior[~male].mean() - p.prior_pfps_female) < 0.002


def test_what_is_claimed_independent_is(world):
    c = world.column
    pairs = [
        ("foot_posture_index", "bmi"), ("navicular_drop_mm", "bmi"), ("hip_strength_sd", "foot_posture_sd"),
        ("step_rate_spm", "strength"), ("club_owns_dynamometer", "club_log_rate"), ("runner_keeps_log", "true_risk"),
        ("prior_pfps", "novice"), ("early_specialisation", "prior_running_injury_12m"),
    ]  # fmt: skip
    for one, other in pairs:
        thinned = slice(None, None, 500) if one.startswith("club") else slice(None)
        bound = 0.01 if thinned == slice(None) else 4 / np.sqrt(ROWS / 500)  # as many clubs as there are
        assert abs(spearmanr(c(one)[thinned], c(other)[thinned]).statistic) < bound, (one, other)


def test_every_effect_of_the_arms_is_recovered_by_adjustment_and_not_by_the_raw_contrast(clinic):
    c, p = clinic.column, clinic.parameters
    given = {name: (c("arm") == name).astype(float) for name in ACTIVE_ARMS}
    tight = c("lateral_tightness") - p.lateral_tightness_share
    columns = {
        "success_intercept": np.ones(ROWS),
        "success_duration": c("duration_sd"),
        "success_akps": c("function_sd"),
        "success_bilateral": c("bilateral"),
        "success_failed_care": c("failed_conventional_care"),
        "hip_log_odds": given["hip"],
        "orthotic_log_odds": given["orthotic"],
        "injection_log_odds": given["injection"],
        "modifier_hip_weakness": -c("hip_strength_sd") * given["hip"],
        "modifier_orthotic_mobility": c("midfoot_sd") * given["orthotic"],
        "modifier_injection_tight": tight * given["injection"],
    }
    y, design = c("success_12w"), np.column_stack(list(columns.values()))
    found, error = fit(design, y, 0.0, 1)
    truth = np.array([getattr(p, name) for name in columns])
    z = (found - truth) / error
    assert np.abs(z).max() < 3.5
    assert chi2.sf((z**2).sum(), len(z)) > 0.001
    chances = c("success_probability")
    usual = c("arm") == "usual_care"
    for at, name in enumerate(ACTIVE_ARMS, start=1):
        open_to = c("failed_conventional_care") == 1 if name == "injection" else np.ones(ROWS, dtype=bool)
        true = (chances[:, at] - chances[:, 0])[open_to].mean()
        raw = y[open_to & (given[name] == 1)].mean() - y[open_to & usual].mean()
        standard_error = np.sqrt(0.25 / (open_to & (given[name] == 1)).sum() + 0.25 / (open_to & usual).sum())
        assert abs(raw - true) > 5 * standard_error, name
