"""Mechanisms of runners: who they are, how they run, how strong they are and how they move.

Each function is one column; its parameters are its causes (see `world`). Choices are coded as in the dictionary.
Sources stand with the parameters, in knowledge/scenarios.
"""

import numpy as np
from scipy.special import expit

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


__all__ = [
    "adolescent",
    "age_years",
    "bmi",
    "current_knee_pain",
    "early_specialisation",
    "effusion_ml",
    "foot_posture_index",
    "foot_posture_sd",
    "height_cm",
    "hip_abduction_nm_kg",
    "hip_external_rotation_nm_kg",
    "hip_strength_sd",
    "knee_extension_nm_kg",
    "knee_strength_sd",
    "longest_run_spike_pct",
    "longest_runs_km",
    "navicular_drop_mm",
    "novice",
    "prior_knee_injury",
    "prior_pfps",
    "prior_running_injury_12m",
    "quadriceps_inhibition",
    "running_experience_years",
    "sessions_per_week",
    "sex",
    "squat_angle_sd",
    "squat_collapse",
    "squat_fppa_deg",
    "step_rate_spm",
    "strength",
    "usual_week_km",
    "weekly_change_pct",
    "weekly_distance_km",
    "weeks_km",
    "weight_kg",
]
