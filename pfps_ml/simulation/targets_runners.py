"""The published figures that runners are compared with: who they are, how they run and move, and who falls ill."""

from collections.abc import Callable
from math import log, sqrt
from statistics import NormalDist, fmean

import numpy as np
import pandas as pd

from pfps_ml.simulation.study_figures import (
    BASELINE,
    WEEKS_A_MONTH,
    Row,
    Sample,
    adolescents,
    adults,
    area,
    auroc,
    correlation,
    counted,
    interval,
    mean,
    men,
    mixed_as,
    model_auroc,
    null,
    numbers,
    odds,
    odds_ratio_per_sd,
    percent,
    prospective_smd,
    rate_ratio,
    regression,
    risks_over,
    share,
    skewed,
    span,
    spread,
    stated,
    unrelated,
    women,
)

HIP, KNEE, FPI, FPPA = "hip_abduction_nm_kg", "knee_extension_nm_kg", "foot_posture_index", "squat_fppa_deg"
DROP, AGE = "navicular_drop_mm", "age_years"
SPIKE, CHANGE = "longest_run_spike_pct", "weekly_change_pct"
_OUTSIDE = ("highly supinated", "highly pronated")
_TAILS = "a normal was fitted to the counts and retest error widens it; real feet have heavier tails"
_FPI_EDGES = (-np.inf, -4.5, -0.5, 5.5, 9.5, np.inf)  # neutral is 0 to 5 whole points, pronated 6 to 9
_FPI_NAMES = ("highly supinated", "supinated", "neutral", "pronated", "highly pronated")


def people() -> tuple[Row, ...]:
    """Return who runs, and how."""
    other = "the row only bounds the mean age of the other sex mix; the means themselves come from G3-06 and G3-07"
    spreads = "only the mean was used, for an interval"
    older = "two other samples are some three years older than the one that sets the ages"
    return (
        Row("age, men, mean", ("G3-06",), mean("G3-06"), lambda s: men(adults(s.runners))[AGE].mean()),
        Row("age, women, mean", ("G3-07",), mean("G3-07"), lambda s: women(adults(s.runners))[AGE].mean()),
        Row("age, men, SD", ("G3-06",), spread("G3-06"), lambda s: men(adults(s.runners))[AGE].std()),
        Row("age, women, SD", ("G3-07",), spread("G3-07"), lambda s: women(adults(s.runners))[AGE].std()),
        Row("age at 22 % women, mean", ("G3-05",), mean("G3-05"), lambda s: _age_mixed(s.runners, 0.22)[0],
            held_out=True, note=other, why=older),
        Row("age at 22 % women, SD", ("G3-05",), spread("G3-05"), lambda s: _age_mixed(s.runners, 0.22)[1],
            held_out=True, note=spreads),
        Row("age at 77 % women, mean", ("G3-08",), mean("G3-08"), lambda s: _age_mixed(s.runners, 0.768)[0],
            held_out=True, note=other, why=older),
        Row("age at 77 % women, SD", ("G3-08",), spread("G3-08"), lambda s: _age_mixed(s.runners, 0.768)[1],
            held_out=True, note=spreads),
        Row("BMI, mean", ("G3-11",), mean("G3-11"), lambda s: adults(s.runners)["bmi"].mean(),
            why="four samples give 22.3 to 24.9 and the value in use lies between them"),
        Row("BMI, SD", ("G3-11",), spread("G3-11"), lambda s: adults(s.runners)["bmi"].std(),
            why="widened on purpose: a small selected sample"),
        Row("running experience from 8 km a week, years, mean", ("G3-44",), skewed("G3-44"), _experience),
        Row("step rate, mean", ("G3-17",), mean("G3-17"), lambda s: s.runners["step_rate_spm"].mean()),
        Row("step rate, against collegiate runners, mean", ("G3-18",), mean("G3-18"),
            lambda s: s.runners["step_rate_spm"].mean(), why="they ran at 4.6 m/s; the value in use is of slower ones"),
        Row("step rate, against collegiate runners, SD", ("G3-18",), spread("G3-18"),
            lambda s: s.runners["step_rate_spm"].std(), held_out=True, note=spreads,
            why="29 runners of one team are more alike than runners at large"),
        Row("step rate, SD", ("G3-17",), spread("G3-17"), lambda s: s.runners["step_rate_spm"].std()),
    )  # fmt: skip


def history() -> tuple[Row, ...]:
    """Return what runners have had."""
    return (
        Row("running injury in the last year, %", ("G1-36", "G1-47"), span("G1-36", "G1-47"),
            lambda s: percent(s.runners["prior_running_injury_12m"])),
        Row("earlier episode, women, %", ("G1-05", "G1-20"), stated("12 to 13 % / 15.3 %", 12, 15.3, "between both"),
            lambda s: percent(women(s.runners)["prior_pfps"])),
        Row("earlier episode, men, %", ("G1-20",), share("G1-20", published=12.3),
            lambda s: percent(men(s.runners)["prior_pfps"]), why="lowered on purpose for runners free of pain"),
    )  # fmt: skip


def strength() -> tuple[Row, ...]:
    """Return hip strength by sex and age."""
    halves = stated("gap 0.21 (1.62 - 1.41)", 0.162, 0.258, "95 % of the difference at n = 831")
    spreads = "only the means were used; the SD of a single score comes from the regression (G3-04)"
    return (
        Row("hip abduction, women, mean", ("G3-02",), mean("G3-02"), lambda s: women(adults(s.runners))[HIP].mean()),
        Row("hip abduction, men, mean", ("G3-01",), mean("G3-01"), lambda s: men(adults(s.runners))[HIP].mean()),
        Row("hip abduction, women, SD", ("G3-02",), spread("G3-02"), lambda s: women(adults(s.runners))[HIP].std(),
            held_out=True, note=spreads),
        Row("hip abduction, men, SD", ("G3-01",), spread("G3-01"), lambda s: men(adults(s.runners))[HIP].std(),
            held_out=True, note=spreads),
        Row("hip abduction, per year of age", ("G3-03",),
            stated("-0.0045 (SE 0.0013)", -0.00705, -0.00195, "95 % of the slope"), lambda s: _hip_model(s.runners)[0]),
        Row("hip abduction, men less women of one age", ("G3-01", "G3-02", "G3-04"), halves,
            lambda s: _hip_model(s.runners)[1]),
        Row("hip abduction, residual SD", ("G3-04",), spread("G3-04", numbers("G3-04")[-1]),
            lambda s: _hip_model(s.runners)[2]),
    )  # fmt: skip


def movement() -> tuple[Row, ...]:
    """Return foot and squat."""
    feet = tuple(
        Row(
            f"Foot Posture Index, {name}, %",
            ("G3-19",),
            counted("G3-19", numbers("G3-19")[part]),
            _fpi_share(part),
            why=_TAILS if name in _OUTSIDE else "",
        )
        for part, name in enumerate(_FPI_NAMES)
    )
    return (
        *feet,
        Row("Foot Posture Index, mean", ("G3-50",), mean("G3-50"), lambda s: s.runners[FPI].mean()),
        Row("Foot Posture Index, SD", ("G3-50",), spread("G3-50"), lambda s: s.runners[FPI].std()),
        Row("Foot Posture Index, against the norms, mean", ("G3-20",), mean("G3-20", sd=2.7),
            lambda s: s.runners[FPI].mean(), why="the evidence conflicts: norms of +4 against +1.6 in novice runners"),
        Row("navicular drop, mean", ("G3-22",), span("G3-22"), lambda s: s.runners[DROP].mean()),
        Row("navicular drop, SD", ("G3-23",), spread("G3-23"), lambda s: s.runners[DROP].std()),
        Row("squat angle, women, mean", ("G3-25",), mean("G3-25"), lambda s: women(s.runners)[FPPA].mean()),
        Row("squat angle, women, SD", ("G3-25",), spread("G3-25"), lambda s: women(s.runners)[FPPA].std()),
        Row("squat angle, men, mean", ("G3-28",), mean("G3-28", sd=5.1), lambda s: men(s.runners)[FPPA].mean(),
            note="SD of G3-25"),
    )  # fmt: skip


def correlations() -> tuple[Row, ...]:
    """Return what goes together, and what does not."""
    return (
        Row("hip abduction with squat angle", ("G3-32", "G3-33"),
            stated("none to -0.47", -numbers("G3-32")[1], 0, "between the published figures"),
            lambda s: correlation(adults(s.runners), HIP, FPPA)),
        Row("Foot Posture Index with BMI", ("G3-21",), unrelated("unrelated"),
            lambda s: correlation(s.runners, FPI, "bmi"), held_out=True),
        Row("Foot Posture Index, women less men", ("G3-20",), stated("0.2, no difference", -0.475, 0.875, "0.25 SD"),
            lambda s: women(s.runners)[FPI].mean() - men(s.runners)[FPI].mean(), held_out=True,
            note="only the mean over both sexes was used, for an interval"),
        Row("navicular drop with BMI", ("G3-24",), unrelated("P = 0.88"),
            lambda s: correlation(s.runners, DROP, "bmi"), held_out=True),
        Row("navicular drop with age", ("G3-24",), unrelated("P = 0.27"),
            lambda s: correlation(s.runners, DROP, AGE), held_out=True),
    )  # fmt: skip


def _age_mixed(runners: pd.DataFrame, women_share: float) -> tuple[float, float]:
    return mixed_as(adults(runners), AGE, women_share)


def _experience(s: Sample) -> float:
    grown = adults(s.runners)
    return float(grown["running_experience_years"][grown["weekly_distance_km"] >= 8].mean())


def _hip_model(runners: pd.DataFrame) -> tuple[float, float, float]:
    slopes, residual = regression(adults(runners), HIP, [AGE, "sex"])
    return float(slopes[1]), float(slopes[2]), residual


def _fpi_share(part: int) -> Callable[[Sample], float]:
    return lambda s: percent(s.runners[FPI].between(_FPI_EDGES[part], _FPI_EDGES[part + 1]))


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
    per_sd = log(numbers("G2-02")[0]), fmean(numbers("G2-03")), fmean(numbers("G2-28"))
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


__all__ = [
    "added_up",
    "before_onset",
    "correlations",
    "discrimination",
    "distance",
    "history",
    "incidence",
    "load",
    "movement",
    "nulls",
    "people",
    "strength",
]
