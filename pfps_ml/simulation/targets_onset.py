"""The published figures that onset is compared with: how many fall ill, what went before, and what did not matter."""

from collections.abc import Callable
from math import log, sqrt
from statistics import NormalDist, mean

import numpy as np
import pandas as pd

from pfps_ml.simulation.study_figures import (
    BASELINE,
    WEEKS_A_MONTH,
    Sample,
    adolescents,
    adults,
    auroc,
    men,
    model_auroc,
    odds,
    odds_ratio_per_sd,
    percent,
    prospective_smd,
    rate_ratio,
    risks_over,
    women,
)
from pfps_ml.simulation.targets import Row, area, counted, interval, null, numbers, span, stated

HIP, KNEE, FPI, FPPA = "hip_abduction_nm_kg", "knee_extension_nm_kg", "foot_posture_index", "squat_fppa_deg"
DROP, SPIKE, CHANGE = "navicular_drop_mm", "longest_run_spike_pct", "weekly_change_pct"
KM = "weekly_distance_km"
_WATCHED = (
    "courses and school teams, closely watched, have many more cases than clubs: they have scenarios of their own"
)
_FEW_KM = (
    "novices here run week after week; the 930 of the study ran 155,318 km in all, 167 km each, and fewer fell ill "
    "(2.7 % in a year): more cases per runner here, and fewer per kilometre"
)
_MARATHON = "the evidence conflicts: finishers of a marathon, in retrospect; exposure raises risk elsewhere (G1-54)"
_SEX_AND_RATE = (
    "the evidence conflicts: a sex ratio of 2.23 and a base rate of 5 % give women 7 % a year, and at the lowest base "
    "rate cited (2.5 %) it would still be 7 % in two years; the study did not seek its cases"
)


def incidence() -> tuple[Row, ...]:
    """Return how many fall ill, and who they are."""
    rates = ("G1-26", "G1-30", "G1-33", "G1-37")
    return (
        Row("12-month onset, mixed runners, %", rates, span(*rates), lambda s: 100 * s.runners["risk"].mean()),
        Row("24-week onset, %", ("G1-33",), counted("G1-33"),
            lambda s: percent(risks_over(s.runners, 24 / WEEKS_A_MONTH))),
        Row("two-year onset, women, %", ("G1-09",), interval("G1-09"),
            lambda s: percent(risks_over(women(adults(s.runners)), 24)), why=_SEX_AND_RATE),
        Row("12-month onset, novices, % (ten weeks of a course to a year)", ("G1-07", "G1-30"), span("G1-07", "G1-30"),
            lambda s: 100 * s.runners["risk"][s.runners["novice"] == 1].mean()),
        Row("ten weeks, women who are novices, %", ("G1-07",), interval("G1-07"),
            lambda s: percent(risks_over(women(_novices(s.runners)), 10 / WEEKS_A_MONTH)), held_out=True, why=_WATCHED),
        Row("three months, adolescents, %", ("G1-10",), interval("G1-10"),
            lambda s: percent(risks_over(adolescents(s.runners), 3)), held_out=True, why=_WATCHED),
        Row("new cases per 1000 km, novices", ("G1-54",),
            stated("0.16, some 25 cases", 0.10, 0.24, "Poisson interval of 25"), _per_1000_km, held_out=True,
            note="only the direction of exposure was used", why=_FEW_KM),
        Row("hazard ratio, women to men", ("G1-19",), interval("G1-19"),
            lambda s: rate_ratio(s.runners, s.runners["sex"] == 0, s.runners["sex"] == 1)),
        Row("women among new cases, %, against trial patients", ("G3-09",), counted("G3-09", 66.8), _women_of_cases,
            held_out=True, note="the row sets the sex of patients; that of new cases follows from sex ratio and clubs"),
    )  # fmt: skip


def courses() -> tuple[Row, ...]:
    """Return how many fall ill under close watch, in the scenarios made for it."""
    return (
        Row("ten weeks of a start-to-run course, %: women", ("G1-07",), interval("G1-07"),
            lambda s: 100 * women(s.runners)["risk"].mean(), scenario="novice_10w"),
        Row("ten weeks of a start-to-run course, %: mixed", ("G1-08",), interval("G1-08"),
            lambda s: 100 * s.runners["risk"].mean(), scenario="novice_10w"),
        Row("one school season, %: running athletes", ("G1-10",), interval("G1-10"),
            lambda s: 100 * s.runners["risk"].mean(), scenario="school_season"),
        Row("one school season, %: cross-country", ("G1-11",), interval("G1-11"),
            lambda s: 100 * s.runners["risk"].mean(), scenario="school_season"),
    )  # fmt: skip


def load() -> tuple[Row, ...]:
    """Return what the weeks before do."""
    return (
        Row("single-session spike of 10 to 30 %, hazard ratio", ("G2-37",), interval("G2-37"),
            lambda s: _spiked(s.runners, 10, 30)),
        Row("single-session spike of 30 to 100 %, hazard ratio", ("G2-38",), interval("G2-38"),
            lambda s: _spiked(s.runners, 30, 100)),
        Row("single-session spike over 100 %, hazard ratio", ("G2-39",), interval("G2-39"),
            lambda s: _spiked(s.runners, 100, np.inf)),
        Row("weekly change, odds ratio per SD", ("G2-41",), null("G2-41"),
            lambda s: odds_ratio_per_sd(s.runners, CHANGE)),
        Row("weekly change where no run was a spike, odds ratio per SD", ("G2-41",), null("G2-41"),
            lambda s: odds_ratio_per_sd(s.runners[s.runners[SPIKE] <= 10], CHANGE)),
        Row("novice, women, hazard ratio", ("G2-50",), interval("G2-50"), lambda s: _had(women(s.runners), "novice")),
        Row("novice, men, hazard ratio", ("G2-49",), interval("G2-49"), lambda s: _had(men(s.runners), "novice"),
            held_out=True, note="only the interval of women was used"),
        Row("earlier running injury, odds ratio", ("G2-45",), interval("G2-45"),
            lambda s: _odds_ratio(s.runners, *_yes_no(s.runners, "prior_running_injury_12m"))),
        Row("earlier episode, relative risk", ("G4-74",), stated("below 4.51 (persistence is in it)", 1, 4.51, "bound"),
            lambda s: _had(s.runners, "prior_pfps")),
        Row("early specialisation, adolescents, rate ratio", ("G2-55",), interval("G2-55"),
            lambda s: _had(adolescents(s.runners), "early_specialisation")),
    )  # fmt: skip


def distance() -> tuple[Row, ...]:
    """Return what the usual week does."""
    return (
        Row("below 30 km a week to 30 to 60, relative risk", ("G2-73",), interval("G2-73"),
            lambda s: rate_ratio(s.runners, s.runners[KM] < 30, s.runners[KM].between(30, 60)), why=_MARATHON),
        Row("above 60 km a week to 30 to 60, relative risk", ("G2-73",),
            stated("1.13 (0.5 to 2.8)", 0.5, 2.8, "interval in the note"),
            lambda s: rate_ratio(s.runners, s.runners[KM] > 60, s.runners[KM].between(30, 60))),
    )  # fmt: skip


def before_onset() -> tuple[Row, ...]:
    """Return how future cases differ while they are still well, within a sex."""
    yardstick = stated("SMD -0.09 to -0.20", -0.25, 0.25, "within 0.25 SD")
    return (
        Row("hip abduction, adults, SMD", ("G2-03",), span("G2-03"), lambda s: prospective_smd(adults(s.runners), HIP)),
        Row("hip abduction, adults, both sexes together, SMD", ("G2-03",), yardstick, _unadjusted_hip),
        Row("hip abduction, adolescents, SMD", ("G2-04",), interval("G2-04"),
            lambda s: prospective_smd(adolescents(s.runners), HIP)),
        Row("hip abduction, a school season, SMD", ("G2-04",), interval("G2-04"),
            lambda s: prospective_smd(s.runners, HIP), scenario="school_season"),
        Row("knee extension, adults, SMD", ("G2-01", "G2-64"), span("G2-01", "G2-64"),
            lambda s: prospective_smd(adults(s.runners), KNEE)),
        Row("knee extension, SMD", ("G2-11",), interval("G2-11"),
            lambda s: prospective_smd(adults(s.runners), KNEE), held_out=True, scenario="pooled"),
        Row("Foot Posture Index, SMD", ("G2-19", "G2-28"), stated("none to 0.33", 0, 0.33, "between both"),
            lambda s: prospective_smd(s.runners, FPI)),
        Row("Foot Posture Index, SMD", ("G2-28",), span("G2-28"),
            lambda s: prospective_smd(s.runners, FPI), scenario="pooled"),
        Row("pronated against neutral, relative risk", ("G2-32",), interval("G2-32"),
            lambda s: rate_ratio(s.runners, s.runners[FPI] > 5, s.runners[FPI].between(0, 5))),
        Row("squat angle, highest third against lowest, odds ratio", ("G2-59",), interval("G2-59"), _squat_thirds),
    )  # fmt: skip


def nulls() -> tuple[Row, ...]:
    """Return what does not predict, within a sex."""
    grown = {"age_years": "G2-05", "bmi": "G2-08", "height_cm": "G2-06", "weight_kg": "G2-07"}
    other = {DROP: "G2-17", "step_rate_spm": "G2-76"}
    return tuple(
        Row(f"{column}, odds ratio per SD", (row,), null(row), _per_sd(column), held_out=row in ("G2-06", "G2-07"))
        for column, row in (grown | other).items()
    )


def discrimination() -> tuple[Row, ...]:
    """Return how well onset can be predicted at best."""
    static = stated("0.59 for one field to 0.712 for all at once", 0.55, 0.712, "range of the evidence")
    return (
        Row("AUROC of the true risk, against models with a training log", ("G6-02", "G6-03"), span("G6-02", "G6-03"),
            lambda s: auroc(s.runners["risk"], s.runners["risk"]), held_out=True),
        Row("AUROC of the squat angle alone", ("G6-11",), area("G6-11"),
            lambda s: auroc(s.runners[FPPA], s.runners["risk"]), held_out=True),
        Row("AUROC of weekly change alone, against a ratio of loads in team sports", ("G2-43",), area("G2-43"),
            lambda s: auroc(s.runners[CHANGE], s.runners["risk"]), held_out=True,
            why="no effect of it in the world, as G2-41 found; 0.574 was read in the sample that it was fitted to"),
        Row("AUROC of baseline fields without training load", ("G6-11", "G6-16"), static,
            lambda s: model_auroc(s.runners, BASELINE), held_out=True, scenario="pooled"),
    )  # fmt: skip


def added_up() -> float:
    """Return the AUROC if the ledger's odds ratios of `pooled` were independent of each other and free of error.

    Quadriceps, hip and foot count per SD of a normal score, and half the runners are women.
    """
    per_sd = log(numbers("G2-02")[0]), mean(numbers("G2-03")), mean(numbers("G2-28"))
    variance = sum(effect**2 for effect in per_sd) + log(numbers("G1-19")[0]) ** 2 / 4
    return NormalDist().cdf(sqrt(variance / 2))


def _novices(runners: pd.DataFrame) -> pd.DataFrame:
    return runners[runners["novice"] == 1]


def _per_1000_km(s: Sample) -> float:
    novices = _novices(s.runners)
    return float(1000 * novices["risk"].sum() / (12 * WEEKS_A_MONTH * novices[KM].sum()))


def _women_of_cases(s: Sample) -> float:
    cases = s.runners["risk"]
    return float(100 * women(s.runners)["risk"].sum() / cases.sum())


def _spiked(runners: pd.DataFrame, low: float, high: float) -> float:
    spike = runners[SPIKE]
    return rate_ratio(runners.assign(risk=runners["early_risk"]), (spike > low) & (spike <= high), spike <= 10)


def _yes_no(runners: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    return runners[column] == 1, runners[column] == 0


def _had(runners: pd.DataFrame, column: str) -> float:
    return rate_ratio(runners, *_yes_no(runners, column))


def _odds_ratio(runners: pd.DataFrame, exposed: pd.Series, reference: pd.Series) -> float:
    return odds(runners["risk"][exposed]) / odds(runners["risk"][reference])


def _unadjusted_hip(s: Sample) -> float:
    grown = adults(s.runners)
    return prospective_smd(grown.assign(sex=0), HIP)


def _squat_thirds(s: Sample) -> float:
    angle = s.runners[FPPA]
    return _odds_ratio(s.runners, angle > angle.quantile(2 / 3), angle < angle.quantile(1 / 3))


def _per_sd(column: str) -> Callable[[Sample], float]:
    return lambda s: odds_ratio_per_sd(adults(s.runners), column)


__all__ = ["added_up", "before_onset", "discrimination", "distance", "incidence", "load", "nulls"]
