"""Recovery of the course: what moves patients between visits comes back from what became of them."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pfps_ml.domain.outcomes import SUCCESS
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.simulation import course, patients
from pfps_ml.simulation.cohort import PATIENTS, World, solved_parameters
from tests.simulation.estimators import Estimates, apart, held, logistic, normal, share

pytestmark = pytest.mark.slow
ROWS = 400_000
# what no estimator is written for yet: of these the plausibility figures alone say that they do what they should
NOT_YET = {
    "arm_level", "fast_least", "fast_log_odds", "function_gain_share", "function_per_site", "lead_hip",
    "lead_injection", "lead_orthotic", "lead_orthotic_pronated", "pain_slope", "recovery_per_site", "relapse_duration",
    "relapse_exercise", "relapse_injection", "relapse_late", "relapse_squat", "running_half_weeks", "running_lag",
    "slow_rate", "slow_start", "visits_hip_share", "visits_injection_share", "visits_orthotic_share",
    "visits_usual_care_share", "dropout_long", "settles_function_correlation", "sites_function_correlation",
    "sites_log_sd", "sites_median", "training_function_correlation", "training_unaffected_share",
}  # fmt: skip


def read_by(module):
    return set(re.findall(r"\bp\.(\w+)", Path(module.__file__).read_text(encoding="utf-8")))


def of_frame(frame="clinic", **do):
    p = SimpleNamespace(**vars(solved_parameters("reference")[1]), randomised=False)
    vars(p).update(course.frame_of(p, frame))
    return World(7, "patient", 0, ROWS, p, 150, PATIENTS, do)


@pytest.fixture(scope="module")
def clinic():
    return of_frame(arm="usual_care")


def visit(world):
    c, p = world.column, world.parameters
    function = c("function_sd")
    settles = np.log(np.maximum(c("pain_settles_min"), 1e-3))
    own = settles - p.settles_log_sd * p.settles_function_correlation * function
    at, rest = normal(own, np.log(p.settles_median) - 1, np.log(p.settles_median) + 1)
    unexplained = np.sqrt(1 - p.settles_function_correlation**2)
    return apart(
        settles_median=(np.exp(at[0]), p.settles_median * at[1]),
        settles_log_sd=(rest[0] / unexplained, rest[1] / unexplained),
    )


def answers(world):
    c = world.column
    return logistic({"daily_pain_log_odds": np.ones(ROWS), "daily_pain_function": -c("function_sd")},
                    c("daily_activity_pain"))  # fmt: skip


def varying(world):
    c = world.column
    return logistic({"varies_log_odds": np.ones(ROWS), "varies_per_site": c("pain_sites")},
                    c("pain_varies_with_stress_or_sleep"))  # fmt: skip


def moves(world):
    c, p = world.column, world.parameters
    states, at = c("course_states"), SUCCESS.horizons.index(SUCCESS.main)
    first = states[:, at + 1] == course.LOST
    lost_at_main = (states[:, at - 1] == course.WELL) & (states[:, at] != course.WELL)
    ever = states[:, at - 1] == course.WELL
    hazard = -np.log1p(-(first[states[:, at] == course.WELL]).mean())
    factor = c("loss_factor")[states[:, at] == course.WELL, 0].mean()
    week = 365.25 / 7
    early = (hazard / factor * week - p.relapse_late) / 13
    error = np.sqrt(first.mean() / ROWS) / first.mean() * early
    kept = states[:, -1][states[:, at + 1] == course.LOST] == course.WELL
    unwell = states[:, -1] != course.WELL
    return apart(
        lost_early_share=share(lost_at_main[ever]),
        relapse_early=(early, 3 * error),
        regained_share=share(kept),
        late_gain_share=share(c("favourable_5y")[unwell]),
    )


def dropout(world):
    c = world.column
    well = c(SUCCESS.column) == 1
    return logistic(
        {
            "dropout_log_odds": np.ones(ROWS),
            "dropout_severity": -c("function_sd"),
            "dropout_success": well.astype(float),
        },
        (c("seen_until_week") == SUCCESS.main).astype(float),
    )


def training(world):
    levels = world.column("training_affected")
    affected = levels > 0
    return apart(
        training_in_pain_share=share(levels[affected] == 1),
        training_stopped_share=share(levels[affected] == 3),
    )


ESTIMATES = (visit, answers, varying, moves, dropout)


@pytest.fixture(scope="module")
def found(clinic):
    durations = {name: np.log(of_frame(name).column("symptom_duration_months")) for name in course.FRAMES[2:]}
    p = clinic.parameters
    centres = {"runners_clinic": np.log(p.runners_clinic_median * 12 / 365.25),
               "physiotherapy": np.log(p.physiotherapy_median)}  # fmt: skip
    frames = {}
    for name, months in durations.items():
        (at, error), spread = normal(months, centres[name] - 1, centres[name] + 1)
        scale = 365.25 / 12 if name == "runners_clinic" else 1
        frames[f"{name}_median"] = np.exp(at) * scale, np.exp(at) * scale * error
        frames[f"{name}_log_sd"] = spread
    return {each.__name__: each(clinic) for each in ESTIMATES} | {"frames": apart(**frames)}


@pytest.mark.parametrize("group", [*(each.__name__ for each in ESTIMATES), "frames"])
def test_a_parameter_of_the_course_is_recovered(clinic, found, group):
    held(found[group], clinic.parameters)


def test_the_shares_of_affected_training_are_those_of_people_whose_function_is_average(clinic):
    """Function is lower in those who attend, so the shares come back where it is 0 on average, not exactly."""
    estimates: Estimates = training(clinic)
    for name in estimates.names:
        assert estimates.of(name)[0] == pytest.approx(getattr(clinic.parameters, name), abs=0.06), name


def test_which_parameters_have_no_estimator_yet_is_known(found):
    recovered = {name for each in found.values() for name in each.names}
    seen = {"training_in_pain_share", "training_stopped_share"}
    written = {*load_scenario("reference").patients}
    only_here = (read_by(course) - read_by(patients)) & written
    assert only_here - recovered - seen - {"incident_share", "duration_median", "duration_log_sd"} == NOT_YET
