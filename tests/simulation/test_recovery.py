"""Recovery of what runners are: every parameter comes back from a million generated rows, on its mechanism's scale."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from pfps_ml.domain.scenario import load_scenario
from pfps_ml.simulation.cohort import RUNNERS, World, odds_ratio_over, solved_parameters
from pfps_ml.simulation.runners import GROWN_UP
from tests.simulation.estimators import ROWS, apart, hazard, held, linear, logistic, normal, share, solved_share, spread
from tests.simulation.recovered import BOTH, measured

pytestmark = pytest.mark.slow
SPIKES = ("onset_spike_10", "onset_spike_30", "onset_spike_100")
MEASURED = (
    "height_cm", "weight_kg", "weekly_distance_km", "step_rate_spm", "foot_posture_index", "navicular_drop_mm",
    "squat_fppa_deg", "hip_abduction_nm_kg", "hip_external_rotation_nm_kg", "knee_extension_nm_kg",
)  # fmt: skip
# what no column of a runner can tell, and where it is held instead
ELSEWHERE = {
    # a knee free of pain has no effusion, and before any pain there is no shift: test_recovery_clinic
    "inhibition_threshold", "inhibition_width", "inhibition_most", "pain_hip_shift", "pain_fppa_shift",
    "spike_months",  # only how long times how much can be told: the size is fitted at the months
}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return World(7, "runner", 0, ROWS, solved_parameters("reference")[0], 500, RUNNERS)


@pytest.fixture(scope="module")
def alone():
    """Every runner in a club of their own: as many clubs as rows."""
    return World(7, "runner", 0, ROWS, solved_parameters("reference")[0], 1, RUNNERS)


def strengths(world):
    c, male = world.column, world.column("sex") == 1
    p = world.parameters
    hip, hip_sd = linear(c("hip_abduction_nm_kg"), c("age_years"), c("sex"))
    knee, knee_sd = linear(c("knee_extension_nm_kg"), c("sex"), c("age_years") - 30)
    turn = c("hip_external_rotation_nm_kg")
    weak, strong = p.hip_rotation_mean - p.hip_rotation_sd, p.hip_rotation_mean + p.hip_rotation_sd
    women, sd = normal(turn[~male], weak, strong)
    men, _ = normal(turn[male], weak + p.hip_rotation_male, strong + p.hip_rotation_male)
    names = ("hip_abduction_intercept", "hip_abduction_per_year", "hip_abduction_male")
    knees = ("knee_extension_mean", "knee_extension_male", "knee_extension_per_year")
    return apart(
        **dict(zip(names, hip, strict=True)),
        **dict(zip(knees, knee, strict=True)),
        hip_abduction_sd=hip_sd,
        knee_extension_sd=knee_sd,
        hip_rotation_mean=women,
        hip_rotation_sd=sd,
        hip_rotation_male=(men[0] - p.hip_rotation_mean, men[1]),
    )


def onset_columns(world):
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


def onset(world):
    p, happened = world.parameters, world.column("pfps_onset_12m")
    acting = min(p.spike_months, p.months)
    return hazard(onset_columns(world), SPIKES, happened, p.months, acting, world.column("club_log_rate"))


def equipment(alone):
    """Of clubs with one runner each: as many clubs as rows."""
    c = alone.column
    feet = c("club_tests_feet")
    return apart(
        club_field_tests=share(feet),
        club_dynamometer=share(c("club_owns_dynamometer")[feet]),
        club_log_sd=spread(c("club_log_rate")),
        onset_base_rate=solved_share(c("true_risk")),
    )


def errors(world):
    """With everything measured: a dynamometer's errors do not depend on who owns one."""
    return measured(world, MEASURED)


def other_ends(world):
    """Of runners without an onset: constant hazards, so each share is of those whom the other end had not taken."""
    spared = world.column("pfps_onset_12m")
    ended = (world.column("other_end_time") < world.parameters.months)[spared == 0]
    injured = world.column("other_injury")[spared == 0] == 1
    return apart(**{name: _alone(ended, injured == first) for name, first in
                    (("gave_up_share", False), ("other_injury_share", True))})  # fmt: skip


def _alone(ended, mine):
    """Return the share that a cause would end alone, from who ended and by what, and its standard error."""
    total, part = -np.log1p(-ended.mean()), mine[ended].mean()
    by_ended, by_part = part / (1 - ended.mean()), total
    error = np.hypot(by_ended * np.sqrt(ended.mean() * (1 - ended.mean()) / ended.size),
                     by_part * np.sqrt(part * (1 - part) / ended.sum()))  # fmt: skip
    alone = -np.expm1(-part * total)
    return alone, (1 - alone) * error


ESTIMATES = (*BOTH, strengths, onset, other_ends, errors)


@pytest.fixture(scope="module")
def found(world, alone):
    return {each.__name__: each(world) for each in ESTIMATES} | {"equipment": equipment(alone)}


@pytest.mark.parametrize("group", [*(each.__name__ for each in ESTIMATES), "equipment"])
def test_every_parameter_is_recovered(world, found, group):
    held(found[group], world.parameters)


def test_no_parameter_of_the_scenario_is_left_out(found):
    names = {name for each in found.values() for name in each.names}
    assert names - {"onset_intercept"} == set(load_scenario("reference").runners) - ELSEWHERE


def test_every_prevalence_is_recovered_within_a_fifth_of_a_point(world, found):
    prevalences = {*found["who"].names, *found["equipment"].names, *found["other_ends"].names} - {"club_log_sd"}
    prevalences |= {"skipped_answer", "missed_test"}
    for each in found.values():
        for name in prevalences & set(each.names):
            assert abs(each.of(name)[0] - getattr(world.parameters, name)) < 0.002, name
    assert {name for name in vars(world.parameters) if name.endswith("_share")} <= prevalences


def test_sharp_parameters_are_recovered_within_3_percent(world, found):
    sharp = {name for each in found.values() for name in held(each, world.parameters)}
    assert len(sharp) > 20


def test_effects_on_onset_are_recovered_in_other_scenarios_too_and_the_sharp_ones_within_3_percent():
    sharp = []
    for scenario in ("kinetic_chain", "pooled"):
        other = World(7, "runner", 0, ROWS, solved_parameters(scenario)[0], 500, RUNNERS)
        sharp += held(onset(other), other.parameters)
    assert sharp  # in the reference the intercept alone is: no effect is large enough on a million rows


def test_a_hazard_ratio_is_seen_as_the_odds_ratio_that_is_stated_for_12_months(world):
    p, columns = world.parameters, onset_columns(world)
    seen = logistic({"intercept": np.ones(ROWS), **columns}, world.column("pfps_onset_12m"))
    for name in ("onset_male", "onset_knee_weakness", *SPIKES):
        acting = p.spike_months if name in SPIKES else None
        stated = np.log(odds_ratio_over(np.exp(getattr(p, name)), p.onset_base_rate, p.months, acting))
        value, error = seen.of(name)
        assert abs(value - stated) < 3.5 * error + 0.03 * abs(stated), name


def test_what_is_claimed_independent_is(world, alone):
    pairs = [
        ("foot_posture_index", "bmi"), ("navicular_drop_mm", "bmi"), ("hip_strength_sd", "foot_posture_sd"),
        ("step_rate_spm", "strength"), ("runner_keeps_log", "true_risk"), ("prior_pfps", "novice"),
        ("early_specialisation", "prior_running_injury_12m"),
    ]  # fmt: skip
    of_clubs = [("club_owns_dynamometer", "club_log_rate"), ("club_tests_feet", "club_log_rate"),
                ("club_tests_feet", "true_risk"), ("club_owns_dynamometer", "strength")]  # fmt: skip
    for where, found in ((world, pairs), (alone, of_clubs)):
        for one, other in found:
            assert abs(spearmanr(where.column(one), where.column(other)).statistic) < 0.01, (one, other)
