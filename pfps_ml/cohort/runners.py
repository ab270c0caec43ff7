"""Mechanisms of runners: who they are, how they run, how strong they are, and whether a knee starts to hurt.

Each function is one column; its parameters are its causes (see `world`). Choices are coded as in the dictionary.
Sources stand with the parameters, in knowledge/scenarios.
"""

import numpy as np
from scipy.special import expit

GROWN_UP = 18  # years: below it, the evidence on hip strength is that of adolescents
MONTHS = 12


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


def weekly_distance_km(z, running_experience_years, p):
    """Kilometres in a usual week."""
    seasoned = np.log1p(running_experience_years) - np.log1p(p.experience_mean / 2)
    usual = p.distance_median * np.exp(p.distance_log_sd * z + p.distance_per_log_experience * seasoned)
    return np.clip(usual, 3, 180)


def sessions_per_week(z, weekly_distance_km, p):
    """Runs in a usual week."""
    return np.clip(np.round(weekly_distance_km / p.km_per_session * np.exp(0.25 * z)), 1, 14)


def longest_run_spike_pct(z, p):
    """Percent; longest run of the last week against the longest of the month before."""
    return np.clip(100 * np.expm1(p.spike_log_mean + p.spike_log_sd * z), -95, 400)


def weekly_change_pct(z, longest_run_spike_pct, p):
    """Percent; shares the long run with the spike, and does nothing by itself."""
    spike = np.log1p(longest_run_spike_pct / 100) - p.spike_log_mean
    return np.clip(100 * np.expm1(p.weekly_change_per_spike * spike + p.weekly_change_log_sd * z), -95, 400)


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
    """Nm/kg."""
    mixed = np.sqrt(p.shared_strength) * strength + np.sqrt(1 - p.shared_strength) * z
    return np.clip(p.hip_rotation_mean + p.hip_rotation_male * sex + p.hip_rotation_sd * mixed, 0.12, 2.4)


def knee_strength_sd(z, strength, p):
    """Knee extension strength for age and sex, SD units."""
    return np.sqrt(p.shared_strength) * strength + np.sqrt(1 - p.shared_strength) * z


def knee_extension_nm_kg(knee_strength_sd, age_years, sex, p):
    """Nm/kg."""
    mean = p.knee_extension_mean + p.knee_extension_male * sex + p.knee_extension_per_year * (age_years - 30)
    return np.clip(mean + p.knee_extension_sd * knee_strength_sd, 0.6, 5.2)


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


def load_log_hazard(weekly_distance_km, weekly_change_pct, spike_log_hazard, p):
    """Exposure and spikes; weekly change is an explicit null."""
    exposure = p.onset_log_distance * np.log(weekly_distance_km / p.distance_median)
    return exposure + spike_log_hazard + p.onset_weekly_change * weekly_change_pct / 100


def onset_log_hazard(body_log_hazard, movement_log_hazard, history_log_hazard, load_log_hazard, club_log_rate):
    """The log odds of one month's hazard, but for the intercept."""
    return body_log_hazard + movement_log_hazard + history_log_hazard + load_log_hazard + club_log_rate


def true_risk(onset_log_hazard, p):
    """Monthly hazards add up to the risk over 12 months."""
    return -np.expm1(MONTHS * np.log1p(-expit(p.onset_intercept + onset_log_hazard)))


def pfps_onset_12m(u, true_risk):
    """What happened."""
    return _share(u, true_risk)


__all__ = [
    "adolescent",
    "age_years",
    "bmi",
    "body_log_hazard",
    "club_log_rate",
    "current_knee_pain",
    "early_specialisation",
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
    "longest_run_spike_pct",
    "movement_log_hazard",
    "navicular_drop_mm",
    "novice",
    "onset_log_hazard",
    "pfps_onset_12m",
    "prior_knee_injury",
    "prior_pfps",
    "prior_running_injury_12m",
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
    "weekly_change_pct",
    "weekly_distance_km",
    "weight_kg",
]
