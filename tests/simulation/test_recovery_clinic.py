"""Recovery of what patients are: who comes, how clinics choose, what helps, and whom it helps more."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import expit

from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.simulation import course, patients as mechanisms
from pfps_ml.simulation.cohort import PATIENTS, World, solved_parameters
from tests.simulation.estimators import (
    ROWS,
    Estimates,
    apart,
    choice,
    correlation,
    held,
    linear,
    logistic,
    mean,
    normal,
    share,
    solved_share,
    spread,
)
from tests.simulation.recovered import BOTH, measured
from tests.simulation.test_recovery_course import read_by

pytestmark = pytest.mark.slow
# what the course alone reads is recovered in test_recovery_course, and what ends a runner's year in test_recovery
OF_COURSE = read_by(course) - read_by(mechanisms) | {"gave_up_share", "other_injury_share"}
MEASURED = ("akps", "worst_pain_mm", "midfoot_mobility_mm")


def patients(scenario="reference", **do):
    p = SimpleNamespace(**vars(solved_parameters(scenario)[1]), randomised=False)
    return World(7, "patient", 0, ROWS, p, 150, PATIENTS, do)


@pytest.fixture(scope="module")
def clinic():
    return patients()


def complaints(clinic):
    c, p, young = clinic.column, clinic.parameters, clinic.column("adolescent") == 1
    failed = 1 / (1 + np.exp(-p.failed_care_intercept - c("failed_care_log_odds")))
    return apart(
        incident_share=share(c("incident")),
        bilateral_adult=share(c("bilateral")[~young]),
        bilateral_adolescent=share(c("bilateral")[young]),
        squat_pain=share(c("heel_on_squat_pain")),
        small_bend_pain=share(c("small_knee_bend_pain")),
        heel_off_pain=share(c("heel_off_squat_pain")),
        sitting_pain_share=share(c("sitting_pain")),
        stairs_pain_share=share(c("stairs_pain")),
        lateral_tightness_share=share(c("lateral_tightness")),
        failed_care_share=solved_share(failed),
        effusion_none=share(c("effusion_ml") == 0),
    )


def other_knees(others):
    """Of knees that hurt for another reason (`do={"has_pfps": 0}`)."""
    c = others.column
    return apart(
        squat_pain_specificity=share(c("heel_on_squat_pain") == 0),
        small_bend_pain_specificity=share(c("small_knee_bend_pain") == 0),
        heel_off_pain_specificity=share(c("heel_off_squat_pain") == 0),
    )


def pain(clinic):
    c, p = clinic.column, clinic.parameters
    function = c("function_sd")
    (level, slope), _ = linear(function, c("duration_sd"))
    # where the score is not clipped; the edge is soft, because at a sharp one rounding goes one way
    inner = np.abs(function + 0.3 * c("strength")) < 1.5
    (score, per_sd), _ = linear(c("akps")[inner], function[inner])
    usual = (function > -0.25) & (function < 0.75)  # where hardly any pain is clipped
    (at, with_function), rest = linear(c("worst_pain_mm")[usual], function[usual])
    unexplained = np.sqrt(1 - p.pain_akps_correlation**2)
    return apart(
        attendance_severity=(-level[0], level[1]),
        akps_per_duration_sd=(slope[0] * p.akps_sd, slope[1] * p.akps_sd),
        akps_mean=score,
        akps_sd=per_sd,
        pain_mean=at,
        pain_sd=(rest[0] / unexplained, rest[1] / unexplained),
        pain_akps_correlation=(with_function[0] / p.pain_sd, with_function[1] / p.pain_sd),
        effusion_mean=mean(c("effusion_ml")[c("effusion_ml") > 0]),
        stiffness_mean=mean(c("morning_stiffness_min")),
    )


def knees(clinic):
    c, p = clinic.column, clinic.parameters
    months, fresh = np.log(c("symptom_duration_months")), c("incident") == 1
    sd, new, old = p.duration_log_sd, np.log(p.incident_duration_median), np.log(p.duration_median)
    recent, _ = normal(months[fresh], new - sd, new + sd)
    long, long_sd = normal(months[~fresh], old - sd, old + sd)
    at_rest = p.hip_abduction_intercept + p.hip_abduction_per_year * c("age_years") + p.hip_abduction_male * c("sex")
    fallen = (c("hip_abduction_nm_kg") - at_rest) / p.hip_abduction_sd
    inward = c("squat_fppa_deg") - p.fppa_mean
    return apart(
        incident_duration_median=(np.exp(recent[0]), p.incident_duration_median * recent[1]),
        duration_median=(np.exp(long[0]), p.duration_median * long[1]),
        duration_log_sd=long_sd,
        midfoot_mean=mean(c("midfoot_mobility_mm")),
        midfoot_sd=spread(c("midfoot_mobility_mm")),
        midfoot_fpi_correlation=correlation(c("midfoot_mobility_mm"), c("foot_posture_sd")),
        pain_hip_shift=normal(fallen, p.pain_hip_shift - 1, p.pain_hip_shift + 1)[0],
        pain_fppa_shift=mean(inward),
    )


def inhibition(clinic):
    """From how much weaker than usual for age and sex the swollen knees are; their own strength is noise."""
    c, p = clinic.column, clinic.parameters
    swollen = c("effusion_ml") > 0
    ml = c("effusion_ml")[swollen]
    usual = p.knee_extension_mean + p.knee_extension_male * c("sex")
    usual = (usual + p.knee_extension_per_year * (c("age_years") - 30))[swollen]

    def left(ml, most, threshold, width):
        return 1 - most * expit((ml - threshold) / width)

    names = ("inhibition_most", "inhibition_threshold", "inhibition_width")
    noise = p.knee_extension_sd / usual * left(ml, *(getattr(p, name) for name in names))
    share_left = c("knee_extension_nm_kg")[swollen] / usual
    return Estimates(names, *curve_fit(left, ml, share_left, (0.3, 20, 5), sigma=noise, absolute_sigma=True))


def failure(clinic):
    c = clinic.column
    columns = {"failed_care_intercept": np.ones(len(c("sex")))}
    columns |= {"failed_care_per_duration_sd": c("duration_sd"), "failed_care_tight": c("lateral_tightness")}
    return logistic(columns, c("failed_conventional_care"))


def assignment(clinic):
    c = clinic.column
    one = np.ones(len(c("sex")))
    at = {arm.name: place for place, arm in enumerate(ARMS)}

    def column(arm, values):
        filled = np.zeros((len(one), len(ARMS)))
        filled[:, at[arm] if isinstance(arm, str) else arm] = values
        return filled

    severe = column([at[name] for name in ACTIVE_ARMS], -c("function_sd")[:, None])
    columns = {
        "assign_hip": column("hip", one),
        "assign_hip_weakness": column("hip", -c("hip_strength_sd")),
        "assign_orthotic": column("orthotic", one),
        "assign_orthotic_mobility": column("orthotic", c("midfoot_sd")),
        "assign_orthotic_fpi": column("orthotic", c("foot_posture_sd")),
        "assign_injection": column("injection", one),
        "assign_injection_tight": column("injection", c("lateral_tightness")),
        "assign_severity": severe,
    }
    chosen = np.column_stack([c("arm") == arm.name for arm in ARMS]).astype(float)
    return choice(columns, chosen, (c("propensity") > 0).astype(float))


def success_columns(clinic, given):
    """Return what success follows from, by the parameter's name, under arms that are given (a row each)."""
    c, p = clinic.column, clinic.parameters
    arm = {name: (given == name).astype(float) for name in ACTIVE_ARMS}
    return {
        "success_intercept": np.ones(len(given)),
        "success_duration": c("duration_sd"),
        "success_akps": c("function_sd"),
        "success_bilateral": c("bilateral"),
        "success_failed_care": c("failed_conventional_care"),
        "hip_log_odds": arm["hip"],
        "orthotic_log_odds": arm["orthotic"],
        "injection_log_odds": arm["injection"],
        "modifier_hip_weakness": -c("hip_strength_sd") * arm["hip"],
        "modifier_orthotic_mobility": c("midfoot_sd") * arm["orthotic"],
        "modifier_injection_tight": (c("lateral_tightness") - p.lateral_tightness_share) * arm["injection"],
    }


def success(clinic):
    return logistic(success_columns(clinic, clinic.column("arm")), clinic.column("success_12w"))


def success_shares(clinic):
    chances = clinic.column("success_probability")
    names = ("success_usual_care", "success_hip", "success_orthotic")
    return apart(**{name: solved_share(chances[:, at]) for at, name in enumerate(names)})


def errors(clinic):
    return measured(clinic, MEASURED)


ESTIMATES = (*BOTH, complaints, pain, knees, inhibition, failure, assignment, success, success_shares, errors)


@pytest.fixture(scope="module")
def found(clinic):
    return {each.__name__: each(clinic) for each in ESTIMATES} | {"other_knees": other_knees(patients(has_pfps=0))}


@pytest.mark.parametrize("group", [*(each.__name__ for each in ESTIMATES), "other_knees"])
def test_every_parameter_is_recovered(clinic, found, group):
    held(found[group], clinic.parameters)


def test_no_parameter_of_the_scenario_is_left_out(found):
    names = {name for each in found.values() for name in each.names}
    assert {
        *(name for name in load_scenario("reference").patients if name not in OF_COURSE),
        "inhibition_most",
        "inhibition_threshold",
        "inhibition_width",
    } <= names


def test_every_prevalence_is_recovered_within_a_fifth_of_a_point(clinic, found):
    told = ("who", "complaints", "success_shares", "other_knees")
    for group in told:
        for name in found[group].names:
            assert abs(found[group].of(name)[0] - getattr(clinic.parameters, name)) < 0.002, name
    prevalences = {name for group in told for name in found[group].names}
    assert {name for name in vars(clinic.parameters) if name.endswith("_share")} - OF_COURSE <= prevalences


def test_sharp_parameters_are_recovered_within_3_percent(clinic, found):
    sharp = {name for each in found.values() for name in held(each, clinic.parameters)}
    assert len(sharp) > 20
    assert sharp & set(found["assignment"].names)
    assert sharp & set(found["success"].names)


@pytest.mark.parametrize("name", ACTIVE_ARMS)
def test_the_adjusted_contrast_of_an_arm_is_unbiased_and_the_raw_one_is_not(clinic, found, name):
    """Standardised (g-formula): everybody to whom both are open is predicted under both, from the fitted model."""
    c, model = clinic.column, found["success"]
    y, arm, chances = c("success_12w"), c("arm"), c("success_probability")
    open_to = c("propensity")[:, [each.name for each in ARMS].index(name)] > 0
    true = (chances[:, 1 + ACTIVE_ARMS.index(name)] - chances[:, 0])[open_to]
    predicted, slopes = 0.0, 0.0
    for sign, given in ((1, name), (-1, "usual_care")):
        design = np.column_stack(list(success_columns(clinic, np.full(ROWS, given)).values()))[open_to]
        chance = expit(design @ model.values)
        predicted = predicted + sign * chance.mean()
        slopes = slopes + sign * (design * (chance * (1 - chance))[:, None]).mean(axis=0)
    error = np.sqrt(slopes @ model.covariance @ slopes)
    assert abs(predicted - true.mean()) < 3.5 * error

    treated, usual = y[open_to & (arm == name)], y[open_to & (arm == "usual_care")]
    raw, raw_error = treated.mean() - usual.mean(), np.hypot(share(treated)[1], share(usual)[1])
    assert abs(raw - true.mean()) > 5 * raw_error
    assert abs(raw - true.mean()) > 2 * abs(predicted - true.mean())
