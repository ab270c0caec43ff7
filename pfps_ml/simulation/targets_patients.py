"""The published figures that patients are compared with: who comes, what pain does, and how it goes on."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pfps_ml.simulation.study_figures import (
    DAYS_A_MONTH,
    MOBILE,
    Row,
    Sample,
    adolescents,
    adults,
    correlation,
    counted,
    explained,
    explained_by,
    interval,
    mean,
    men,
    numbers,
    odds,
    percent,
    regression,
    share,
    skewed,
    span,
    spread,
    stated,
    women,
    young_women,
)

HIP, ROTATION, FPPA, AGE = "hip_abduction_nm_kg", "hip_external_rotation_nm_kg", "squat_fppa_deg", "age_years"
DURATION, MIDFOOT, SQUAT = "symptom_duration_months", "midfoot_mobility_mm", "heel_on_squat_pain"
_DIRECTION = (
    "the parameter follows the clinics' direction, the trial the other: mobile feet did worse with orthoses, and "
    "0.10 log odds per SD leads just over its upper limit"
)
_NARROW = "the SD of the runners' mass index (3.0) is used for patients too; a clinic sees a wider range"
_SMALL = "the evidence conflicts: 24 patients against larger trials without a difference (G4-09, G4-15, G4-26)"
_POST_HOC = "the evidence conflicts: post hoc in 42 patients of one arm, not confirmed by the randomised trial (G4-27)"


def people() -> tuple[Row, ...]:
    """Return who comes to a clinic."""
    note = "only the mean was used"
    return (
        Row("women, %", ("G3-09",), counted("G3-09", 66.8), lambda s: percent(s.patients["sex"] == 0)),
        Row("age, adults, mean", ("G3-09",), mean("G3-09"), lambda s: adults(s.patients)[AGE].mean()),
        Row("age, adults, SD", ("G3-09",), spread("G3-09"), lambda s: adults(s.patients)[AGE].std()),
        Row("height, mean", ("G3-10",), mean("G3-10", 170.4, 9.4), lambda s: s.patients["height_cm"].mean()),
        Row("height, SD", ("G3-10",), spread("G3-10", 9.4), lambda s: s.patients["height_cm"].std()),
        Row("body mass, mean", ("G3-10",), mean("G3-10"), lambda s: s.patients["weight_kg"].mean()),
        Row("body mass, SD", ("G3-10",), spread("G3-10"), lambda s: s.patients["weight_kg"].std(),
            held_out=True, note=note, why=_NARROW),
        Row("BMI, adults, mean", ("G3-10", "G3-12", "G3-13"),
            stated("23.3 / 26.2 / 24.9", 23.3, 26.2, "between the published figures"),
            lambda s: adults(s.patients)["bmi"].mean()),
        Row("BMI, adolescents, mean", ("G3-13",), mean("G3-13", sd=2.6),
            lambda s: adolescents(s.patients)["bmi"].mean(), note="SD of G3-11"),
    )  # fmt: skip


def refractory() -> tuple[Row, ...]:
    """Return who they are whose care has failed."""
    other = "only the mass index was used, or the effect of the injection"
    young = "the SD in use is that of one trial (7.1), and ages below 18 are moved to 18"
    older = "patients of all kinds have one age here; those of that series were three years older"
    return (
        Row("age where care has failed, adults, mean", ("G3-12",), mean("G3-12", 27.0, 7.7),
            lambda s: adults(_failed(s))[AGE].mean(), held_out=True, note=other),
        Row("age where care has failed, adults, SD", ("G3-12",), spread("G3-12", 7.7),
            lambda s: adults(_failed(s))[AGE].std(), held_out=True, note=other, why=young),
        Row("age where care has failed and tissue is tight, adults, mean", ("G4-47",), mean("G4-47", 32.0, 9.0),
            lambda s: adults(_tight(_failed(s)))[AGE].mean(), held_out=True, note=other, why=older),
        Row("age where care has failed and tissue is tight, adults, SD", ("G4-47",), spread("G4-47", 9.0),
            lambda s: adults(_tight(_failed(s)))[AGE].std(), held_out=True, note=other, why=young),
        Row("BMI where care has failed, adults, mean", ("G3-12",), mean("G3-12"),
            lambda s: adults(_failed(s))["bmi"].mean(),
            why="failed care is not tied to the mass index, which foretells nothing elsewhere (G4-64)"),
        Row("BMI where care has failed, adults, SD", ("G3-12",), spread("G3-12"),
            lambda s: adults(_failed(s))["bmi"].std(), held_out=True, note="only the mean was used", why=_NARROW),
        Row("women where care has failed, %", ("G3-12",), counted("G3-12", 76),
            lambda s: percent(_failed(s)["sex"] == 0), held_out=True, note=other),
        Row("AKPS where care has failed, mean", ("G4-50",), mean("G4-50", sd=12.6), lambda s: _failed(s)["akps"].mean(),
            held_out=True, note="only the SD was used",
            why="those were salvage cases with a mean age of 50; here care fails in patients of all ages"),
    )  # fmt: skip


def knees() -> tuple[Row, ...]:
    """Return how the knees are."""
    mobile = stated("41 of 192", 16.2, 27.7, "Wilson interval, n = 192")
    return (
        Row("both knees, adolescents, %", ("G3-14",), share("G3-14"), _share_of(adolescents, "bilateral")),
        Row("both knees, adults, %", ("G3-14",), share("G3-14", 1), _share_of(adults, "bilateral")),
        Row("duration from 3 months on, median, months", ("G3-15",), skewed("G3-15"),
            lambda s: _trial_entry(s)[DURATION].median()),
        Row("duration from 3 months on, mean, months", ("G3-16",), skewed("G3-16"),
            lambda s: _trial_entry(s)[DURATION].mean()),
        Row("new cases, median, days", ("G4-76",), skewed("G4-76"),
            lambda s: DAYS_A_MONTH * s.patients[DURATION][s.patients["incident"] == 1].median()),
        Row("AKPS, SD", ("G4-50",), spread("G4-50", 12.6), lambda s: s.patients["akps"].std()),
        Row("pain with AKPS, correlation", ("G3-43",),
            stated("0.56 to 0.72", -0.82, -0.37, "Fisher intervals, n = 71"),
            lambda s: correlation(s.patients, "worst_pain_mm", "akps")),
        Row(f"mobile midfoot (from {MOBILE} mm), %", ("G4-21", "G4-23"), mobile,
            lambda s: percent(s.patients[MIDFOOT] >= MOBILE)),
        Row("lateral tightness, %", ("G4-49",), share("G4-49", published=20),
            lambda s: percent(s.patients["lateral_tightness"])),
    )  # fmt: skip


def self_tests() -> tuple[Row, ...]:
    """Return how often the self-tests are positive in patients, and negative where the pain is another condition."""
    ratio, guess = "the specificity takes the LR+ alone, with the sensitivity of G5-03", "an assumption: none was found"
    return (
        Row("pain on squatting, sensitivity, %", ("G5-03",), share("G5-03"),
            lambda s: percent(s.patients[SQUAT])),
        Row("pain on squatting, sensitivity that LR+ and LR- imply, %", ("G5-02",),
            share("G5-02", published=_sensitivity("G5-02")),
            lambda s: percent(s.patients[SQUAT]), held_out=True,
            note=ratio),
        Row("pain on squatting, specificity, %", ("G5-05",), share("G5-05"),
            lambda s: 100 - percent(s.other_knees[SQUAT])),
        Row("pain on squatting, specificity that LR+ and LR- imply, %", ("G5-02",),
            share("G5-02", published=_specificity("G5-02")),
            lambda s: 100 - percent(s.other_knees[SQUAT]), held_out=True,
            note=ratio),
        Row("small knee bend, specificity, %, as the squat's", ("G5-05",), share("G5-05"),
            lambda s: 100 - percent(s.other_knees["small_knee_bend_pain"]), note=guess),
        Row("squat with the heels up, specificity, %, as with the heels down", ("G5-05",), share("G5-05"),
            lambda s: 100 - percent(s.other_knees["heel_off_squat_pain"]), note=guess),
    )  # fmt: skip


def against_runners() -> tuple[Row, ...]:
    """Return how patients differ from runners free of pain: mostly what pain does."""
    return (
        Row("hip abduction, women to 35, % less", ("G2-69",), stated("-26 %, n = 30", -44, -8, "95 % at 15 against 15"),
            lambda s: _deficit(s, HIP)),
        Row("hip abduction, women to 35, SMD", ("G2-69",), stated("a deficit beyond 0.6 SD", -2, -0.6, "beyond 0.6 SD"),
            _hip_difference),
        Row("hip external rotation, women to 35, % less", ("G2-70",),
            stated("-36 %, n = 30", -54, -18, "95 % at 15 against 15"), lambda s: _deficit(s, ROTATION)),
        Row("squat angle, women with pain, mean", ("G3-26", "G3-27"), span("G3-26", "G3-27"),
            lambda s: women(s.patients)[FPPA].mean()),
        Row("squat angle, women with pain, SD", ("G3-26",), spread("G3-26"), lambda s: women(s.patients)[FPPA].std(),
            held_out=True, note="only the mean was used"),
        Row("squat angle, women with pain and valgus, SD", ("G3-27",), spread("G3-27"),
            lambda s: women(s.patients)[FPPA].std(), held_out=True, note="only the mean was used",
            why="the evidence conflicts: laboratories differ, and another found 5.4 (G3-26)"),
        Row("squat angle, women, patients less runners", ("G3-25", "G3-26", "G3-27"),
            stated("7.2 and 16.8 less 8.4", -1.2, 8.4, "between the published figures"),
            lambda s: women(s.patients)[FPPA].mean() - women(s.runners)[FPPA].mean()),
    )  # fmt: skip


def prognosis() -> tuple[Row, ...]:
    """Return what foretells the course."""
    alike = stated("neither sex gained more", 0.9, 1.1, "no association")
    return (
        Row("unfavourable at 3 months, as clinics treat, %", ("G4-57",), counted("G4-57"),
            lambda s: 100 - percent(s.patients["treated"])),
        Row("AKPS per month of duration", ("G4-63",), interval("G4-63"),
            lambda s: float(regression(s.patients, "akps", [DURATION])[0][1])),
        Row("explained by duration over 12 months, R2 (of success; published of later pain)",
            ("G4-66",), explained_by("G4-66"),
            lambda s: explained(s.patients.assign(long=s.patients[DURATION] > 12), "long")),
        Row("explained by AKPS, R2 (of success; published of later AKPS)", ("G4-66",), explained_by("G4-66", 0.196),
            lambda s: explained(s.patients, "akps")),
        Row("success, women to men, odds ratio", ("G4-64",), stated("not associated", 0.9, 1.1, "no association"),
            lambda s: odds(women(s.patients)["treated"]) / odds(men(s.patients)["treated"])),
        Row("gain from hip exercise, women to men, ratio of odds ratios", ("G4-15",), alike,
            lambda s: _gain(women(s.patients)) / _gain(men(s.patients)), held_out=True,
            note="the row only speaks against strong modification by hip strength"),
    )  # fmt: skip


def arms() -> tuple[Row, ...]:
    """Return success by pathway, as in a randomised trial."""
    return (
        Row("success, orthoses, %", ("G4-25",), interval("G4-25"), _success("orthotic")),
        Row("success, hip exercise, %", ("G4-26",), interval("G4-26"), _success("hip")),
        Row("orthoses less hip exercise, points", ("G4-28",), interval("G4-28"),
            lambda s: _success("orthotic")(s) - _success("hip")(s)),
        Row("success, orthoses, another arm, %", ("G4-29",), counted("G4-29"), _success("orthotic"), held_out=True),
        Row("success, exercise, 12 to 16 years, %", ("G4-56",), interval("G4-56"), _schoolchildren, held_out=True),
        Row("exercise and education to education, adolescents, odds ratio (published at 12 months)",
            ("G4-54",), interval("G4-54"),
            lambda s: _gain(adolescents(s.patients))),
    )  # fmt: skip


def responders() -> tuple[Row, ...]:
    """Return success by pathway and by its published predictors."""
    counts = "only how many feet were mobile was used"
    return (
        Row("orthoses to hip exercise, mobile to other feet, ratio of odds ratios", ("G4-27",), interval("G4-27"),
            _interaction),
        Row("success, orthoses, mobile feet, %", ("G4-21",), interval("G4-21"), _success("orthotic", mobile=True),
            held_out=True, note=counts, why=_DIRECTION),
        Row("success, orthoses, other feet, %", ("G4-23",), interval("G4-23"), _success("orthotic", mobile=False),
            held_out=True, note=counts),
        Row("success, hip exercise, mobile feet, %", ("G4-22",), interval("G4-22"), _success("hip", mobile=True),
            held_out=True),
        Row("success, hip exercise, other feet, %", ("G4-24",), interval("G4-24"), _success("hip", mobile=False),
            held_out=True),
        Row("success, orthoses, 3 of 4 predictors, %", ("G4-30",), counted("G4-30"), _rule, held_out=True,
            note="only its split point of pain was used", why=_POST_HOC),
        Row("hip exercise less usual care, weak hips, points", ("G4-20",),
            stated("62 % less 9 %, n = 24", 21.6, 84.4, "95 % at 13 against 11"), _weak_hips, why=_SMALL),
    )  # fmt: skip


def _share_of(group: Callable[[pd.DataFrame], pd.DataFrame], column: str) -> Callable[[Sample], float]:
    return lambda s: percent(group(s.patients)[column])


def _failed(s: Sample) -> pd.DataFrame:
    return s.patients[s.patients["failed_conventional_care"] == 1]


def _tight(patients: pd.DataFrame) -> pd.DataFrame:
    return patients[patients["lateral_tightness"] == 1]


def _trial_entry(s: Sample) -> pd.DataFrame:
    return adults(s.patients)[adults(s.patients)[DURATION] >= 3]


def _sensitivity(row: str) -> float:
    positive, negative = numbers(row)
    return 100 * positive * (1 - negative) / (positive - negative)


def _specificity(row: str) -> float:
    positive, negative = numbers(row)
    return 100 * (positive - 1) / (positive - negative)


def _deficit(s: Sample, column: str) -> float:
    return float(100 * (young_women(s.patients)[column].mean() / young_women(s.runners)[column].mean() - 1))


def _hip_difference(s: Sample) -> float:
    patients, runners = young_women(s.patients)[HIP], young_women(s.runners)[HIP]
    return float((patients.mean() - runners.mean()) / np.sqrt((patients.var() + runners.var()) / 2))


def _gain(patients: pd.DataFrame) -> float:
    return odds(patients["p_hip"]) / odds(patients["p_usual_care"])


def _mobile(s: Sample, mobile: bool) -> pd.DataFrame:
    return s.patients[(s.patients[MIDFOOT] >= MOBILE) == mobile]


def _success(arm: str, mobile: bool | None = None) -> Callable[[Sample], float]:
    return lambda s: percent((s.patients if mobile is None else _mobile(s, mobile))[f"p_{arm}"])


def _interaction(s: Sample) -> float:
    mobile, other = (
        odds(chances["p_orthotic"]) / odds(chances["p_hip"]) for chances in (_mobile(s, True), _mobile(s, False))
    )
    return mobile / other


def _rule(s: Sample) -> float:
    p = s.patients
    short, mobile = p["height_cm"] < 165, p[MIDFOOT] > 10.96
    met = (p[AGE] > 25).astype(int) + short + (p["worst_pain_mm"] < 53.25) + mobile
    return percent(p["p_orthotic"][met >= 3])


def _schoolchildren(s: Sample) -> float:
    return percent(s.patients["p_hip"][s.patients[AGE].between(12, 16)])


def _weak_hips(s: Sample) -> float:
    grown = adults(s.patients)
    weak = grown[grown[HIP] < grown.groupby("sex")[HIP].transform("median")]
    return percent(weak["p_hip"]) - percent(weak["p_usual_care"])


__all__ = ["against_runners", "arms", "knees", "people", "prognosis", "refractory", "responders", "self_tests"]
