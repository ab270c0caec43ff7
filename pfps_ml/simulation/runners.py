"""Mechanisms of runners: who they are, how they run, how strong they are, what is measured of them, and who falls ill.

Each function is one column; its parameters are its causes (see `cohort`). Choices are coded as in the dictionary.
Sources stand with the parameters, in pfps_ml/domain/scenarios.

* What can be measured: a club's equipment, drawn apart from its risk, and a runner's log.
* Onset: monthly hazards, and what becomes of them over the horizon. An effect is a log hazard ratio of one month, per
  SD of the true predictor or against its reference level.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from pfps_ml.domain import ONSET

Column = Callable[..., Any]
NOT_WITHIN = 1e6  # months: beyond every horizon
GROWN_UP = 18  # years: below it, the evidence on hip strength is that of adolescents


def _share(u, share):
    return (u < share).astype(float)


def sex(u, p):
    """1 is male."""
    return 1.0 - _share(u, p.female_share)


def adolescent(u, p):
    """Whether the runner is of school age."""
    return _share(u, p.adolescent_share)


def age_years(z, sex, adolescent, p):
    """Whole years."""
    adult = np.where(sex == 1, p.age_mean_male + p.age_sd_male * z, p.age_mean_female + p.age_sd_female * z)
    young = np.clip(p.adolescent_age_mean + p.adolescent_age_sd * z, 10, GROWN_UP - 1)
    return np.floor(np.where(adolescent == 1, young, np.clip(adult, GROWN_UP, 85)))


def height_cm(z, sex, p):
    """Centimetres."""
    mean = np.where(sex == 1, p.height_mean_male, p.height_mean_female)
    return np.clip(mean + p.height_sd * z, 130, 215)


def bmi(z, adolescent, p):
    """kg/m2; lognormal, so that no one is impossibly light."""
    mean = p.bmi_mean + p.bmi_adolescent_shift * adolescent
    return np.clip(mean * np.exp(p.bmi_sd / p.bmi_mean * z - 0.5 * (p.bmi_sd / p.bmi_mean) ** 2), 15, 45)


def weight_kg(bmi, height_cm):
    """Kilograms."""
    return bmi * (height_cm / 100) ** 2


def novice(u, p):
    """Whether this is the first year of running."""
    return _share(u, p.novice_share)


def running_experience_years(u, novice, age_years, p):
    """Years; exponential for the seasoned, cut at the years since age 8."""
    return np.where(novice == 1, u, np.clip(1 - p.experience_mean * np.log1p(-u), 1, np.maximum(age_years - 8, 1)))


def usual_week_km(z, running_experience_years, p):
    """Kilometres of the week that the runner would call usual."""
    seasoned = np.log1p(running_experience_years) - np.log1p(p.experience_mean / 2)
    usual = p.distance_median * np.exp(p.distance_log_sd * z + p.distance_per_log_experience * seasoned)
    return np.clip(usual, 3, 180)


def sessions_per_week(z, usual_week_km, p):
    """Runs in a usual week."""
    return np.clip(np.round(usual_week_km / p.km_per_session * np.exp(p.sessions_log_sd * z)), 1, 14)


def weeks_km(z5, usual_week_km, p):
    """Kilometres of the last five weeks, the last one last: one history, from which every load figure comes."""
    return usual_week_km[:, None] * np.exp(p.week_log_sd * z5)


def longest_runs_km(z5, weeks_km, sessions_per_week, p):
    """The longest run of each of those weeks: a share of the week's distance."""
    share = p.longest_run_factor / sessions_per_week[:, None] * np.exp(p.longest_run_log_sd * z5)
    return weeks_km * np.minimum(share, 1)


def weekly_distance_km(weeks_km):
    """Kilometres a week: the mean of the four weeks before the last one."""
    return np.clip(weeks_km[:, :4].mean(axis=1), 0, 240)


def weekly_change_pct(weeks_km):
    """Percent; the last week against the mean of the four before: it does nothing by itself."""
    return np.clip(100 * (weeks_km[:, 4] / weeks_km[:, :4].mean(axis=1) - 1), -95, 480)


def longest_run_spike_pct(longest_runs_km):
    """Percent; the longest run of the last week against the longest of the month before."""
    return np.clip(100 * (longest_runs_km[:, 4] / longest_runs_km[:, :4].max(axis=1) - 1), -95, 480)


def step_rate_spm(z, height_cm, p):
    """Steps a minute, both feet."""
    return np.clip(p.step_rate_mean + p.step_rate_per_cm * (height_cm - 172) + p.step_rate_sd * z, 130, 220)


def prior_pfps(u, sex, p):
    """An earlier episode, now resolved."""
    return _share(u, np.where(sex == 1, p.prior_pfps_male, p.prior_pfps_female))


def prior_knee_injury(u, p):
    """Ligament, meniscus or surgery."""
    return _share(u, p.prior_knee_injury_share)


def prior_running_injury_12m(u, p):
    """Any running injury of the last year."""
    return _share(u, p.prior_injury_share)


def early_specialisation(u, p):
    """One sport only before 14."""
    return _share(u, p.early_specialisation_share)


def current_knee_pain(row):
    """No: the cohort is free of knee pain at entry."""
    return np.zeros(len(row))


def strength(z):
    """General strength, SD units, shared by the muscle groups."""
    return z


def hip_strength_sd(z, strength, p):
    """Hip abduction strength for age and sex, SD units, before any pain."""
    return np.sqrt(p.shared_strength) * strength + np.sqrt(1 - p.shared_strength) * z


def hip_abduction_nm_kg(hip_strength_sd, age_years, sex, p):
    """Nm/kg; falls when a knee hurts (no shift in the pain-free)."""
    mean = p.hip_abduction_intercept + p.hip_abduction_per_year * age_years + p.hip_abduction_male * sex
    return np.clip(mean + p.hip_abduction_sd * (hip_strength_sd + p.pain_hip_shift), 0.25, 3.8)


def hip_external_rotation_nm_kg(z, strength, sex, p):
    """Nm/kg; falls with hip abduction when a knee hurts."""
    mixed = np.sqrt(p.shared_strength) * strength + np.sqrt(1 - p.shared_strength) * z
    mean = p.hip_rotation_mean + p.hip_rotation_male * sex
    return np.clip(mean + p.hip_rotation_sd * (mixed + p.pain_hip_shift), 0.12, 2.4)


def effusion_ml(row):
    """Millilitres; none in a knee free of pain."""
    return np.zeros(len(row))


def quadriceps_inhibition(effusion_ml, p):
    """Share of knee extension strength lost to an effusion; sets in over about 20 to 30 ml."""
    return p.inhibition_most * expit((effusion_ml - p.inhibition_threshold) / p.inhibition_width)


def knee_strength_sd(z, strength, p):
    """Knee extension strength for age and sex, SD units, before any inhibition."""
    return np.sqrt(p.shared_strength) * strength + np.sqrt(1 - p.shared_strength) * z


def knee_extension_nm_kg(knee_strength_sd, age_years, sex, quadriceps_inhibition, p):
    """Nm/kg."""
    mean = p.knee_extension_mean + p.knee_extension_male * sex + p.knee_extension_per_year * (age_years - 30)
    return np.clip((mean + p.knee_extension_sd * knee_strength_sd) * (1 - quadriceps_inhibition), 0.6, 5.2)


def foot_posture_sd(z):
    """Pronation of the foot, SD units."""
    return z


def foot_posture_index(foot_posture_sd, p):
    """Whole points; positive is pronated."""
    return np.clip(np.round(p.fpi_mean + p.fpi_sd * foot_posture_sd), -12, 12)


def navicular_drop_mm(z, foot_posture_sd, p):
    """Millimetres."""
    r = p.navicular_fpi_correlation
    return np.clip(p.navicular_mean + p.navicular_sd * (r * foot_posture_sd + np.sqrt(1 - r**2) * z), -4, 28)


def squat_angle_sd(z, hip_strength_sd, foot_posture_sd, p):
    """Inward knee angle in a squat, SD units: in part by hip and foot."""
    hip, foot = p.fppa_hip_correlation, p.fppa_fpi_correlation
    return hip * hip_strength_sd + foot * foot_posture_sd + np.sqrt(1 - hip**2 - foot**2) * z


def squat_fppa_deg(squat_angle_sd, p):
    """Degrees; positive is inward."""
    return np.clip(p.fppa_mean + p.pain_fppa_shift + p.fppa_sd * squat_angle_sd, -28, 48)


def squat_collapse(u, squat_fppa_deg, p):
    """A rater's eye on the same squat."""
    return _share(u, expit((squat_fppa_deg - p.collapse_angle) / p.collapse_width))


def club_tests_feet(club_u, p):
    """Whether the club tests feet and squats."""
    return club_u < p.club_field_tests


def club_owns_dynamometer(club_u, club_tests_feet, p):
    """Whether the club also measures strength."""
    return club_tests_feet & (club_u < p.club_dynamometer)


def runner_keeps_log(u, p):
    """Whether there is a training log or a watch."""
    return u < p.keeps_log


def club_log_rate(club_z, p):
    """Ground, coaching and surveillance of a club, log hazard."""
    return p.club_log_sd * club_z


def spike_log_hazard(longest_run_spike_pct, p):
    """Log hazard ratio of the published bands of a single-session spike."""
    spike = longest_run_spike_pct
    return np.select(
        [spike > 100, spike > 30, spike > 10], [p.onset_spike_100, p.onset_spike_30, p.onset_spike_10], 0.0
    )


def hip_log_hazard(hip_strength_sd, age_years, p):
    """Opposite signs in adults and adolescents, as published."""
    per_sd_weaker = np.where(age_years < GROWN_UP, p.onset_hip_weakness_adolescent, p.onset_hip_weakness)
    return -per_sd_weaker * hip_strength_sd


def body_log_hazard(sex, age_years, bmi, knee_strength_sd, hip_log_hazard, p):
    """Sex and strength; age and body mass index are explicit nulls."""
    known = p.onset_male * sex - p.onset_knee_weakness * knee_strength_sd + hip_log_hazard
    return known + p.onset_age * (age_years - 40) / 10 + p.onset_bmi * (bmi - p.bmi_mean) / p.bmi_sd


def movement_log_hazard(foot_posture_sd, squat_angle_sd, navicular_drop_mm, step_rate_spm, p):
    """Foot and squat; navicular drop and step rate are explicit nulls."""
    null = p.onset_navicular * (navicular_drop_mm - p.navicular_mean) / p.navicular_sd
    null = null + p.onset_step_rate * (step_rate_spm - p.step_rate_mean) / p.step_rate_sd
    return p.onset_fpi * foot_posture_sd + p.onset_fppa * squat_angle_sd + null


def history_log_hazard(prior_pfps, prior_knee_injury, prior_running_injury_12m, early_specialisation, novice, p):
    """What has been."""
    injuries = p.onset_prior_injury * prior_running_injury_12m + p.onset_prior_knee_injury * prior_knee_injury
    youth = p.onset_specialisation * early_specialisation + p.onset_novice * novice
    return p.onset_prior_pfps * prior_pfps + injuries + youth


def load_log_hazard(usual_week_km, weekly_change_pct, p):
    """Exposure; weekly change is an explicit null, and a spike stands by itself because it passes."""
    exposure = p.onset_log_distance * np.log(usual_week_km / p.distance_median)
    return exposure + p.onset_weekly_change * weekly_change_pct / 100


def onset_log_hazard(body_log_hazard, movement_log_hazard, history_log_hazard, load_log_hazard, club_log_rate):
    """The log odds of one month's hazard when no spike acts, but for the intercept."""
    return body_log_hazard + movement_log_hazard + history_log_hazard + load_log_hazard + club_log_rate


def true_risk(onset_log_hazard, spike_log_hazard, p):
    """Monthly hazards add up to the risk over the horizon; a spike acts in the first months of it, and then no more."""
    return _risk_over(p.months, onset_log_hazard, spike_log_hazard, p)


def _risk_over(months, onset_log_hazard, spike_log_hazard, p):
    usual = p.onset_intercept + onset_log_hazard
    acting = np.clip(p.spike_months, 0, months)
    spared = acting * np.log1p(-expit(usual + spike_log_hazard)) + (months - acting) * np.log1p(-expit(usual))
    return -np.expm1(spared)


def log_spared(onset_log_hazard, spike_log_hazard, p):
    """Log of the chance to be spared for one month: while a spike acts, and without one (two columns)."""
    usual = p.onset_intercept + onset_log_hazard
    return np.column_stack([np.log1p(-expit(usual + spike_log_hazard)), np.log1p(-expit(usual))])


def risks_by_month(log_spared, p):
    """Risk over each declared horizon but the main one, ascending; a scenario's season may end before."""
    months = np.minimum([each for each in ONSET.horizons if each != ONSET.main], p.months)
    acting = np.clip(p.spike_months, 0, months)
    return -np.expm1(log_spared @ np.array([acting, months - acting]))


def _episode(u, true_risk):
    """What happened within the main horizon, which is the scenario's."""
    return (u < true_risk).astype(float)


def onset_time(onset_u, onset_main, log_spared, p):
    """Months until the episode, `NOT_WITHIN` without one: when the risk so far passes the number that decided it."""
    time, ill = np.full(len(onset_u), NOT_WITHIN), onset_main == 1
    needed, (spiked, usual) = np.log1p(-onset_u[ill]), log_spared[ill].T
    acting = np.clip(p.spike_months, 0, p.months)
    within = needed > acting * spiked  # both are logs of what is still spared
    time[ill] = np.where(within, needed / spiked, acting + (needed - acting * spiked) / usual)
    return time


def other_end_time(u, onset_main, p):
    """Months until a runner gives up or has another injury first, `NOT_WITHIN` without; none in those who fell ill.

    Onset is what came first: of those who had none, the others' hazards are constant over the year.
    """
    time = -12 * np.log1p(-u) / -(np.log1p(-p.gave_up_share) + np.log1p(-p.other_injury_share))
    return np.where((onset_main == 1) | (time >= p.months), NOT_WITHIN, time)


def other_injury(u, p):
    """Whether it would be an injury that ends the year first, and not giving up."""
    gave_up, injured = np.log1p(-p.gave_up_share), np.log1p(-p.other_injury_share)
    return _share(u, injured / (gave_up + injured))


def months_free_this_season(u, current_knee_pain):
    """Whole months, spread evenly over a season of twelve; none with pain now."""
    return np.floor(12 * u) * (1 - current_knee_pain)


def _episode_within(months: float) -> Column:
    """Return the column of an episode within fewer months: by its month, so that it is one within more, too."""
    return lambda onset_time: (onset_time <= months).astype(float)


OUTCOME_COLUMNS: dict[str, Column] = {
    column: _episode if column == ONSET.column else _episode_within(months)
    for column, months in zip(ONSET.columns, ONSET.horizons, strict=True)
}


__all__ = [
    "adolescent",
    "age_years",
    "bmi",
    "body_log_hazard",
    "club_log_rate",
    "club_owns_dynamometer",
    "club_tests_feet",
    "current_knee_pain",
    "early_specialisation",
    "effusion_ml",
    "foot_posture_index",
    "foot_posture_sd",
    "height_cm",
    "hip_abduction_nm_kg",
    "hip_external_rotation_nm_kg",
    "hip_log_hazard",
    "hip_strength_sd",
    "history_log_hazard",
    "knee_extension_nm_kg",
    "knee_strength_sd",
    "load_log_hazard",
    "log_spared",
    "longest_run_spike_pct",
    "longest_runs_km",
    "months_free_this_season",
    "movement_log_hazard",
    "navicular_drop_mm",
    "novice",
    "onset_log_hazard",
    "onset_time",
    "other_end_time",
    "other_injury",
    "prior_knee_injury",
    "prior_pfps",
    "prior_running_injury_12m",
    "quadriceps_inhibition",
    "risks_by_month",
    "runner_keeps_log",
    "running_experience_years",
    "sessions_per_week",
    "sex",
    "spike_log_hazard",
    "squat_angle_sd",
    "squat_collapse",
    "squat_fppa_deg",
    "step_rate_spm",
    "strength",
    "true_risk",
    "usual_week_km",
    "weekly_change_pct",
    "weekly_distance_km",
    "weeks_km",
    "weight_kg",
]  # fmt: skip
