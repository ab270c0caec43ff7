"""Mechanisms of onset: monthly hazards, and what becomes of them over the horizon.

An effect is a log hazard ratio of one month, per SD of the true predictor or against its reference level.
"""

import numpy as np
from scipy.special import expit

from pfps_ml.cohort.runners import GROWN_UP
from pfps_ml.cohort.world import Column
from pfps_ml.domain.outcomes import ONSET


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


def _episode(u, true_risk):
    """What happened within the main horizon, which is the scenario's."""
    return (u < true_risk).astype(float)


def _episode_within(months: float) -> Column:
    """Return the column of an episode within fewer months: by the same chance, so that it is one within more, too."""

    def episode(onset_u, onset_log_hazard, spike_log_hazard, p):
        risk = _risk_over(min(months, p.months), onset_log_hazard, spike_log_hazard, p)
        return (onset_u < risk).astype(float)

    return episode


OUTCOME_COLUMNS: dict[str, Column] = {
    column: _episode if column == ONSET.column else _episode_within(months)
    for column, months in zip(ONSET.columns, ONSET.horizons, strict=True)
}


__all__ = [
    "body_log_hazard",
    "club_log_rate",
    "hip_log_hazard",
    "history_log_hazard",
    "load_log_hazard",
    "movement_log_hazard",
    "onset_log_hazard",
    "spike_log_hazard",
    "true_risk",
]
