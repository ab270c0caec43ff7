"""Mechanisms of patients: how the knee is at the visit, which pathway the clinic chooses, and whether it helps.

The screening columns come from `runners` under the patients' parameters. Success under every arm is read from
one uniform, so that the potential outcomes of a patient belong together.
"""

import numpy as np
from scipy.special import expit

from pfps_ml.domain import ACTIVE_ARMS, ARMS, SUCCESS


def _share(u, share):
    return (u < share).astype(float)


def current_knee_pain(row):
    """Yes: that is why they are here."""
    return np.ones(len(row))


def has_pfps(row):
    """Yes; set to 0, the self-tests answer as in a knee that hurts for another reason, and nothing else changes."""
    return np.ones(len(row))


def incident(u, p):
    """Whether this is a new episode; the others have been in pain for long (prevalent cases fill a clinic)."""
    return _share(u, p.incident_share)


def symptom_duration_months(z, incident, p):
    """Months; right-skewed, weeks in incident cases and years in prevalent ones, as the frame has them."""
    median = np.where(incident == 1, p.incident_duration_median, p.frame_median)
    return np.clip(median * np.exp(np.where(incident == 1, p.duration_log_sd, p.frame_log_sd) * z), 0.25, 360)


def duration_sd(symptom_duration_months, p):
    """How long it has hurt: log duration from the prevalent median, in SD of the prevalent cases' log durations.

    One unit is `duration_log_sd` on the log scale (0.8: 2.2 times as long); a new episode lies some 4 units below.
    """
    return np.log(symptom_duration_months / p.duration_median) / p.duration_log_sd


def function_sd(z, duration_sd, p):
    """Function for this duration, SD units, of those who came: attendance by severity tilts it down.

    Where the chance of attending is log-linear in a normal score, attenders are normal around a shifted mean.
    """
    return z - p.attendance_severity + p.akps_per_duration_sd / p.akps_sd * duration_sd


def akps(function_sd, p):
    """Kujala score."""
    return np.clip(np.round(p.akps_mean + p.akps_sd * function_sd), 15, 99)


def worst_pain_mm(z, function_sd, p):
    """Visual analogue scale."""
    r = p.pain_akps_correlation
    return np.clip(p.pain_mean + p.pain_sd * (r * function_sd + np.sqrt(1 - r**2) * z), 3, 100)


def effusion_ml(u, p):
    """Millilitres; none in most patients, exponential in the rest."""
    beyond = np.clip((u - p.effusion_none) / (1 - p.effusion_none), 0, 1 - 1e-12)
    return -p.effusion_mean * np.log1p(-beyond)


def effusion_grade(effusion_ml):
    """Stroke test: none, a trace, and then by volume."""
    return np.searchsorted([1e-9, 10.0, 25.0, 50.0], effusion_ml).astype(float)


def bilateral(u, adolescent, p):
    """More often in adolescents."""
    return _share(u, np.where(adolescent == 1, p.bilateral_adolescent, p.bilateral_adult))


def small_knee_bend_pain(u, has_pfps, p):
    """Positive at its sensitivity in the condition, at 1 less its specificity in other knee pain."""
    return _share(u, np.where(has_pfps == 1, p.small_bend_pain, 1 - p.small_bend_pain_specificity))


def heel_on_squat_pain(u, has_pfps, p):
    """The same, as published for the squat."""
    return _share(u, np.where(has_pfps == 1, p.squat_pain, 1 - p.squat_pain_specificity))


def heel_off_squat_pain(u, has_pfps, p):
    """The same."""
    return _share(u, np.where(has_pfps == 1, p.heel_off_pain, 1 - p.heel_off_pain_specificity))


def sitting_pain(u, p):
    """A complaint, not a test: part of what defines a case."""
    return _share(u, p.sitting_pain_share)


def stairs_pain(u, p):
    """A complaint, not a test: part of what defines a case."""
    return _share(u, p.stairs_pain_share)


def midfoot_sd(z, foot_posture_sd, p):
    """Mobility of the midfoot, SD units."""
    r = p.midfoot_fpi_correlation
    return r * foot_posture_sd + np.sqrt(1 - r**2) * z


def midfoot_mobility_mm(midfoot_sd, p):
    """Millimetres."""
    return np.clip(p.midfoot_mean + p.midfoot_sd * midfoot_sd, 1, 25)


def lateral_tightness(u, p):
    """The picture of lateral overload."""
    return _share(u, p.lateral_tightness_share)


def failed_care_log_odds(duration_sd, lateral_tightness, p):
    """Long-standing pain has mostly been treated; log odds but for the intercept."""
    return p.failed_care_per_duration_sd * duration_sd + p.failed_care_tight * lateral_tightness


def failed_conventional_care(u, failed_care_log_odds, p):
    """Whether treatment has been tried and has failed."""
    return _share(u, expit(p.failed_care_intercept + failed_care_log_odds))


def morning_stiffness_min(u, p):
    """Minutes; exponential."""
    return np.clip(-p.stiffness_mean * np.log1p(-u), 0, 200)


def assignment_log_odds(hip_strength_sd, midfoot_sd, foot_posture_sd, lateral_tightness, p):
    """How the driver that a clinic sees draws it to an arm, one column an active arm."""
    per_arm = {
        "hip": p.assign_hip - p.assign_hip_weakness * hip_strength_sd,
        "orthotic": p.assign_orthotic
        + p.assign_orthotic_mobility * midfoot_sd
        + p.assign_orthotic_fpi * foot_posture_sd,
        "injection": p.assign_injection + p.assign_injection_tight * lateral_tightness,
    }
    return np.column_stack([per_arm[name] for name in ACTIVE_ARMS])


def propensity(assignment_log_odds, function_sd, failed_conventional_care, p):
    """How arms are assigned, one column an arm: by driver and severity, or at random; injections after failed care."""
    severe = -p.assign_severity * function_sd
    odds = np.column_stack([np.ones(len(severe)), np.exp(assignment_log_odds + severe[:, None])])
    everybody = np.ones(len(severe))
    odds = np.ones_like(odds) if p.randomised else odds
    allowed = np.column_stack([failed_conventional_care if arm.requires else everybody for arm in ARMS])
    return odds * allowed / (odds * allowed).sum(axis=1, keepdims=True)


def arm(u, propensity):
    """The pathway that the clinic chose."""
    names = np.array([arm.name for arm in ARMS])
    return names[np.minimum((u[:, None] > np.cumsum(propensity, axis=1)).sum(axis=1), len(names) - 1)]


def prognosis(duration_sd, function_sd, bilateral, failed_conventional_care, p):
    """Log odds of success under any arm, but for the intercept; sex, mass index and arch are explicit nulls."""
    course = p.success_duration * duration_sd + p.success_akps * function_sd
    return course + p.success_bilateral * bilateral + p.success_failed_care * failed_conventional_care


def modifiers(hip_strength_sd, midfoot_sd, lateral_tightness, p):
    """What each active arm adds to the log odds of one patient beyond its common effect, one column an arm."""
    tight = lateral_tightness - p.lateral_tightness_share
    per_arm = {
        "hip": -p.modifier_hip_weakness * hip_strength_sd,
        "orthotic": p.modifier_orthotic_mobility * midfoot_sd,
        "injection": p.modifier_injection_tight * tight,
    }
    return np.column_stack([per_arm[name] for name in ACTIVE_ARMS])


def success_probability(prognosis, modifiers, p):
    """Probability of success under every arm, in the order of the dictionary."""
    usual = p.success_intercept + prognosis
    common = np.array([p.hip_log_odds, p.orthotic_log_odds, p.injection_log_odds])
    return expit(np.column_stack([usual, usual[:, None] + common + modifiers]))


def _success(u, arm, success_probability):
    """What happened under the arm that was given, at the main horizon."""
    arm_indicators = np.column_stack([arm == arm_row.name for arm_row in ARMS])
    return _share(u, (success_probability * arm_indicators).sum(axis=1))


OUTCOME_COLUMNS = {SUCCESS.column: _success}


__all__ = [
    "akps",
    "arm",
    "assignment_log_odds",
    "bilateral",
    "current_knee_pain",
    "duration_sd",
    "effusion_grade",
    "effusion_ml",
    "failed_care_log_odds",
    "failed_conventional_care",
    "function_sd",
    "has_pfps",
    "heel_off_squat_pain",
    "heel_on_squat_pain",
    "incident",
    "lateral_tightness",
    "midfoot_mobility_mm",
    "midfoot_sd",
    "modifiers",
    "morning_stiffness_min",
    "prognosis",
    "propensity",
    "sitting_pain",
    "small_knee_bend_pain",
    "stairs_pain",
    "success_probability",
    "symptom_duration_months",
    "worst_pain_mm",
]
