"""What comes back of the parameters that both populations read: functions of a simulated world."""

import numpy as np

from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.simulation.cohort import observe
from tests.simulation.estimators import apart, correlation, linear, logistic, mean, normal, probit, share, spread


def around(mean, sd, step=1.0, shift=0.0):
    """Return two cuts about an SD from a mean, between the values that rounding leaves."""
    return [np.round((mean + side * sd) / step) * step + shift for side in (-1, 1)]


def who(world):
    c, male = world.column, world.column("sex") == 1
    return apart(
        female_share=share(~male),
        adolescent_share=share(c("adolescent")),
        novice_share=share(c("novice")),
        prior_pfps_male=share(c("prior_pfps")[male]),
        prior_pfps_female=share(c("prior_pfps")[~male]),
        prior_knee_injury_share=share(c("prior_knee_injury")),
        prior_injury_share=share(c("prior_running_injury_12m")),
        early_specialisation_share=share(c("early_specialisation")),
        keeps_log=share(c("runner_keeps_log")),
    )


def ages(world):
    p, age, male = world.parameters, world.column("age_years"), world.column("sex") == 1
    young = world.column("adolescent") == 1
    found = {}
    for name, rows in (("male", male & ~young), ("female", ~male & ~young)):
        mean, sd = getattr(p, f"age_mean_{name}"), getattr(p, f"age_sd_{name}")
        found[f"age_mean_{name}"], found[f"age_sd_{name}"] = normal(age[rows], *around(mean, sd))
    found["adolescent_age_mean"], found["adolescent_age_sd"] = normal(age[young], 14, 16)
    return apart(**found)


def bodies(world):
    c, p, young = world.column, world.parameters, world.column("adolescent") == 1
    female, height_sd = linear(c("height_cm"), c("sex"))
    male, _ = linear(c("height_cm"), 1 - c("sex"))
    s = p.bmi_sd / p.bmi_mean
    means, log_sds = {}, {}
    for name, rows, middle in (("adult", ~young, p.bmi_mean), ("young", young, p.bmi_mean + p.bmi_adolescent_shift)):
        level = np.log(middle) - s**2 / 2
        at, log_sds[name] = normal(np.log(c("bmi")[rows]), level - s, level + s)
        means[name] = np.exp(at[0] + s**2 / 2), middle * at[1]
    return apart(
        height_mean_female=female[0],
        height_mean_male=male[0],
        height_sd=height_sd,
        bmi_mean=means["adult"],
        bmi_sd=tuple(p.bmi_mean * each for each in log_sds["adult"]),
        bmi_adolescent_shift=(means["young"][0] - p.bmi_mean, means["young"][1]),
    )


def distances(world):
    c, p = world.column, world.parameters
    years, seasoned = c("running_experience_years"), c("novice") == 0
    most = np.maximum(c("age_years") - 8, 1)[seasoned]
    time, ended = years[seasoned] - 1, years[seasoned] < most
    logs = np.log1p(years) - np.log1p(p.experience_mean / 2)
    (level, slope), log_sd = linear(np.log(c("usual_week_km")), logs)
    return apart(
        experience_mean=(time.sum() / ended.sum(), time.sum() / ended.sum() ** 1.5),
        distance_median=(np.exp(level[0]), np.exp(level[0]) * level[1]),
        distance_per_log_experience=slope,
        distance_log_sd=log_sd,
    )


def sessions(world):
    c, p = world.column, world.parameters
    km = np.log(c("usual_week_km") / 3.5)
    near = np.abs(km - np.log(p.km_per_session)) < 0.6  # where both three sessions and four occur
    few = probit(km[near], (c("sessions_per_week")[near] <= 3).astype(float))
    (a, _), (b, b_error) = few.of("a"), few.of("b")
    by_a, by_b = np.exp(-a / b) * np.array([-1 / b, a / b**2])
    km_error = np.sqrt(np.array([by_a, by_b]) @ few.covariance @ np.array([by_a, by_b]))
    often = c("sessions_per_week") >= 4  # where a longest run is never the whole week
    longest = (c("longest_runs_km") * c("sessions_per_week")[:, None] / c("weeks_km"))[often].ravel()
    factor = mean(np.log(longest))
    return apart(
        km_per_session=(np.exp(-a / b), km_error),
        sessions_log_sd=(-1 / b, b_error / b**2),
        week_log_sd=spread((np.log(c("weeks_km") / c("usual_week_km")[:, None])).ravel()),
        longest_run_factor=(np.exp(factor[0]), p.longest_run_factor * factor[1]),
        longest_run_log_sd=spread(np.log(longest)),
    )


def steps(world):
    (level, slope), sd = linear(world.column("step_rate_spm"), world.column("height_cm") - 172)
    return apart(step_rate_mean=level, step_rate_per_cm=slope, step_rate_sd=sd)


def feet(world):
    c, p = world.column, world.parameters
    foot = c("foot_posture_sd")
    fpi = normal(c("foot_posture_index"), *around(p.fpi_mean, p.fpi_sd, shift=0.5))
    return apart(
        fpi_mean=fpi[0],
        fpi_sd=fpi[1],
        navicular_mean=mean(c("navicular_drop_mm")),
        navicular_sd=spread(c("navicular_drop_mm")),
        navicular_fpi_correlation=correlation(c("navicular_drop_mm"), foot),
        shared_strength=correlation(c("hip_strength_sd"), c("knee_strength_sd")),
    )


def squats(world):
    c, p = world.column, world.parameters
    (_, hip, foot), _ = linear(c("squat_angle_sd"), c("hip_strength_sd"), c("foot_posture_sd"))
    angle, deviation = mean(c("squat_fppa_deg")), spread(c("squat_fppa_deg"))
    seen = logistic({"a": np.ones(len(c("sex"))), "b": c("squat_fppa_deg")}, c("squat_collapse"))
    (a, _), (b, b_error) = seen.of("a"), seen.of("b")
    by = np.array([-1 / b, a / b**2])
    return apart(
        fppa_hip_correlation=hip,
        fppa_fpi_correlation=foot,
        fppa_mean=(angle[0] - p.pain_fppa_shift, angle[1]),
        fppa_sd=deviation,
        collapse_angle=(-a / b, np.sqrt(by @ seen.covariance @ by)),
        collapse_width=(1 / b, b_error / b**2),
    )


def measured(world, names):
    """Return the retest errors of some fields, and the shares that were skipped and missed."""
    fields = tuple(BY_NAME[name] for name in names)
    seen, found, lost = observe(world, fields), {}, {"skipped_answer": [], "missed_test": []}
    for field in fields:
        true, error = world.column(field.name), getattr(world.parameters, f"error_{field.name}")
        inner = (true > field.low + 5 * error) & (true < field.high - 5 * error) & seen[field.name].notna()
        found[f"error_{field.name}"] = spread((seen[field.name] - true)[inner], 10.0 ** (-2 * field.decimals) / 12)
        if field.obtained in ("questionnaire", "field test"):
            able = world.column("club_tests_feet") if field.obtained == "field test" else np.ones(len(true), dtype=bool)
            kind = "missed_test" if field.obtained == "field test" else "skipped_answer"
            lost[kind].append(seen[field.name].isna()[able])
    return apart(**found, **{kind: share(np.concatenate(each)) for kind, each in lost.items() if each})


BOTH = (who, ages, bodies, distances, sessions, steps, feet, squats)
