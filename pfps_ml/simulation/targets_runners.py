"""The published figures that runners are compared with: who they are, how they run, how strong they are and move."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pfps_ml.simulation.study_figures import Sample, adults, correlation, men, mixed_as, percent, regression, women
from pfps_ml.simulation.targets import Row, counted, mean, numbers, share, skewed, span, spread, stated, unrelated

HIP, FPI, FPPA = "hip_abduction_nm_kg", "foot_posture_index", "squat_fppa_deg"
DROP, AGE = "navicular_drop_mm", "age_years"
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


__all__ = ["correlations", "history", "movement", "people", "strength"]
