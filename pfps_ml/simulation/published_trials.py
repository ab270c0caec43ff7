"""The published studies that are re-enacted in the simulated world: who entered, who got what, and what came out.

Results and designs are read from the ledger; where the ledger is silent, the text of `stands` names the assumption.
"""

from functools import cache
from math import exp, inf, log, pi, sqrt
from statistics import NormalDist

from pfps_ml.domain import LONG_TERM, SUCCESS, Z95, ledger, numbers
from pfps_ml.simulation.study_figures import MOBILE
from pfps_ml.simulation.trials import Figure, Group, Study

_AT = SUCCESS.at()
_LOGIT_PER_SD = pi / sqrt(3)  # SD of a logistic variable: turns a standardised difference into a log odds ratio
_ADULT = {"adolescent": 0.0}
_NOVICE = {**_ADULT, "novice": 1.0}
_SCHOOL = {"adolescent": 1.0}
_TIGHT = {"lateral_tightness": 1.0}
_REFRACTORY = ("failed_conventional_care", 1, 1)
_AGE_18_TO_40 = ("age_years", 18, 40)
_THREE_MONTHS = ("symptom_duration_months", 3, inf)


@cache
def studies() -> tuple[Study, ...]:
    """Return every study that is re-enacted: trials in patients first, then cohorts of runners."""
    patients = (*_orthoses(), *_hip(), *_added(), *_injections(), *_courses(), *_youngsters())
    return (*patients, *_novices(), *_recreational(), *_schools())


def _orthoses() -> tuple[Study, ...]:
    arms = (Group("foot orthoses", 100, "orthotic"), Group("hip exercise", 92, "hip"))
    flat = (Group("foot orthoses", 45, "orthotic"), Group("flat inserts", 45, "usual_care"))
    even = "The trial had 179 patients in four arms, taken as even: two of 45."
    return (
        Study(
            "orthoses_hip", "Orthoses or hip exercise", ("G4-25", "G4-26", "G4-28"), "patient",
            "difference", _percent("G4-28"), arms, entry=(_AGE_18_TO_40,),
            stands="As published: both arms and the follow-up are the world's own.",
        ),
        Study(
            "orthoses_mobility", "Orthoses or hip, by foot mobility", ("G4-21", "G4-23", "G4-27"), "patient",
            "ratio of odds ratios", _as_printed("G4-27"), arms, entry=(_AGE_18_TO_40,),
            marker="midfoot_mobility_mm", cut=MOBILE,
            stands=f"Mobile is {MOBILE} mm or more. The trial had 41 mobile feet of 192; here their number is left to "
            "chance. The world gives mobile feet slightly more from orthoses; the trial pointed the other way.",
        ),
        Study(
            "orthoses_flat", "Orthoses or flat inserts, 6 weeks", ("G4-34",), "patient", "risk ratio",
            _as_printed("G4-34"), flat, entry=(_AGE_18_TO_40,), outcome=SUCCESS.column_at(6),
            stands="Usual care stands for flat inserts. " + even,
        ),
        Study(
            "orthoses_year", "Orthoses or flat inserts, a year", ("G4-34", "C-092"), "patient", "risk ratio",
            Figure(1.0, None, None, 'no estimate was read: "no difference was left" of G4-34 is entered as 1'), flat,
            entry=(_AGE_18_TO_40,), outcome=SUCCESS.column_at(52), stands="Usual care stands for flat inserts. " + even,
        ),
    )  # fmt: skip


def _hip() -> tuple[Study, ...]:
    hip, knee = Group("hip exercise", 38, "hip"), Group("knee exercise", 37, "hip", {"modifier_hip_weakness": 0.0})
    scale = (
        "The score (AKPS) was published and success is simulated: the standardised difference, from the interval, is "
        "read as an odds ratio. Three arms of 112 patients, taken as even. "
    )
    return (
        Study(
            "hip_knee", "Hip or knee exercise", ("G4-08",), "patient", "odds ratio",
            _from_difference("G4-08", 38, 37), (hip, knee), entry=(_THREE_MONTHS,),
            stands=scale + "The world has no knee programme: it stands as exercise of the same common effect that "
            "does no more for weak hips than for strong ones. So the world holds nearly no difference by construction.",
        ),
        _quadriceps(),
        Study(
            "hip_free", "Hip exercise or free activity", ("G4-09",), "patient", "odds ratio",
            _from_difference("G4-09", 38, 37), (hip, Group("free activity", 37, "usual_care")),
            entry=(_THREE_MONTHS,), stands=scale + "Free activity with education stands as usual care.",
        ),
        Study(
            "hip_weak", "Hip exercise, weak hips", ("G4-20",), "patient", "difference", _percent("G4-20"),
            (Group("hip exercise", 13, "hip"), Group("usual care", 11, "usual_care")),
            entry=(("hip_strength_sd", -inf, 0),),
            stands=f"{_AT} for 8. Weak is below the mean for age and sex, an assumption. 13 and 11 are the arms of "
            "24 that give 62 % and 9 %.",
            why="53 points in 24 patients is more than larger trials of hip exercise leave room for (G4-09, G4-26), "
            "and the world follows those. It also has no 9 %: usual care succeeds in far more (G4-57).",
        ),
    )  # fmt: skip


def _quadriceps() -> Study:
    return Study(
        "quadriceps_hip", "Quadriceps or hip exercise, n = 200", ("C-031",), "patient", "odds ratio",
        _from_difference("C-031", 100, 100),
        (Group("quadriceps exercise", 100, "hip", {"modifier_hip_weakness": 0.0, "lead_hip": 0.0}),
         Group("hip exercise", 100, "hip")),
        stands="The score (AKPS) was published and success is simulated: the standardised difference is read as an "
        "odds ratio. Quadriceps exercise stands as in the trial before: the same common effect.",
    )  # fmt: skip


def _added() -> tuple[Study, ...]:
    return (
        Study(
            "adolescents", "Exercise added, adolescents", ("G4-54",), "patient", "odds ratio",
            Figure(1.88, None, None, "odds ratio at 3 months, from the note of G4-54"),
            (Group("exercise and education", 61, "hip"), Group("education", 60, "usual_care")),
            do=_SCHOOL, entry=(("age_years", 15, 19),),
            stands="Hip exercise stands for the programme. The world's adolescents end at 17. Two arms of 121, "
            "taken as even.",
        ),
        Study(
            "runners_education", "Exercise added, runners", ("G4-53",), "patient", "odds ratio",
            Figure(1.0, None, None, 'no estimate was read: "no effect" of G4-53 is entered as 1'),
            (Group("exercise and education", 23, "hip"), Group("education", 23, "usual_care")),
            stands=f"{_AT} for 20. Hip exercise stands for the programme; a third arm (gait retraining) is left out.",
        ),
    )  # fmt: skip


def _courses() -> tuple[Study, ...]:
    treated = "The arm of orthoses stands for the treatments of the two trials."
    one_knee = "Hip exercise stands for intensive quadriceps exercise; three arms that did not differ are one."
    chronic, chosen = (("bilateral", 0, 0), _THREE_MONTHS), "one centre selected its patients and trained them hard"
    return (
        *(
            Study(
                f"prognosis_{key}", f"Favourable {title}, two trials", (row,), "patient", "share",
                _share_without(row), (Group("treated", 310, "orthotic"),), outcome=SUCCESS.column_at(week),
                stands=treated,
            )
            for key, title, row, week in (("3m", "at 3 months", "G4-57", 12), ("12m", "at 12 months", "G4-58", 52))
        ),
        Study(
            "one_knee_6m", "One knee, chronic, 6 months", ("C-007",), "patient", "share",
            _almost("C-007"), (Group("exercise", 49, "hip"),), entry=chronic,
            outcome=SUCCESS.column_at(26), stands=one_knee, why=f"{chosen[0].upper()}{chosen[1:]}; 'full recovery' "
            "was judged by those who treated.",
        ),
        Study(
            "one_knee_7y", "One knee, chronic, 7 years", ("C-008",), "patient", "share",
            _almost("C-008"), (Group("exercise", 45, "hip"),), entry=chronic,
            outcome=LONG_TERM.column, stands=f"{one_knee} {LONG_TERM.at()} stand for 7.",
            why="The world stands between this cohort and two others, of whom 43 and 60 % were well (G4-65, C-015).",
        ),
    )  # fmt: skip


def _youngsters() -> tuple[Study, ...]:
    stands = (
        "Usual care stands for activity modification and load management; patients are incident cases. 'Improved' "
        "counted as success there, 'much improved' here. Two thirds of the world's adolescents are older."
    )
    looser = "The looser definition of success: the world's is 'much improved' or better."
    return tuple(
        Study(
            f"youngsters_{week}w", f"10 to 14 years, {SUCCESS.at(week)}", (row,), "patient", "share", _percent(row),
            (Group("load management", 151, "usual_care"),), frame="incident", do=_SCHOOL,
            entry=(("age_years", 10, 14),), outcome=SUCCESS.column_at(week), stands=stands,
            why=looser if week == SUCCESS.main else "",
        )
        for row, week in (("C-001", 12), ("C-002", 26), ("C-003", 52))
    )  # fmt: skip


def _years_after_injection() -> tuple[Study, ...]:
    series, entry = (Group("injection", 45, "injection"),), (_REFRACTORY, _THREE_MONTHS)
    stands = f"A favourable state after {LONG_TERM.at()} stands for freedom from further treatment."
    return (
        Study(
            "injection_5y", "Injection series, 5 years", ("G4-47", "G4-48"), "patient", "share", _percent("G4-48"),
            series, do=_TIGHT, entry=entry, outcome=LONG_TERM.column, stands=stands + " There was no control.",
            why="Needing no more treatment is easier to reach than a favourable state, and who was lost is unknown.",
        ),
        Study(
            "injection_5y_told", "Injection series, 5 years, the clinics' account", ("G4-47", "G4-48"), "patient",
            "share", _percent("G4-48"), series, scenario="kinetic_chain", do=_TIGHT, entry=entry,
            outcome=LONG_TERM.column, stands=stands + " There was no control.",
        ),
        Study(
            "injection_5y_control", "Injection series, 5 years, with a control", ("G4-48", "C-008"), "patient",
            "difference",
            Figure(_percent("G4-48").value - _almost("C-008").value, None, None,
                   "G4-48 of the series less C-008 under exercise alone, in less refractory patients"),
            (*series, Group("usual care", 45, "usual_care")), do=_TIGHT, entry=entry, outcome=LONG_TERM.column,
            stands=stands + " No control exists: the published value sets the series against other patients. What a "
            "control of equal size would show is the re-enacted one.",
        ),
    )  # fmt: skip


def _injections() -> tuple[Study, ...]:
    return (
        *_years_after_injection(),
        Study(
            "injection_series", "Injection series, refractory", ("G4-47", "G4-48"), "patient", "share",
            _percent("G4-48"), (Group("injection", 45, "injection"),), do=_TIGHT,
            entry=(_REFRACTORY, _THREE_MONTHS),
            stands=f"An approximation: success at {_AT} stands for freedom from further treatment at about 5 years. "
            "There was no control, and how many were lost is unknown.",
            why="The two outcomes differ: needing no more treatment after years is easier to reach than being much "
            f"improved after {_AT}. And the world shrinks the effect of an "
            "uncontrolled series: 0.30 + 0.8 * 0.30 = 0.54 log odds for the tight, where 69 % against the 26 % of such "
            "patients under usual care would be 1.9.",
        ),
        Study(
            "injection_placebo", "Injection or placebo, refractory", ("G4-44", "G4-45", "G4-46"), "patient",
            "odds ratio", _from_p("G4-44", 0.03, 14, 10),
            (Group("injection", 14, "injection"), Group("placebo", 10, "usual_care")), entry=(_REFRACTORY,),
            stands="Usual care stands for placebo and exercise; the toxin went into another muscle than the world's. "
            "Only P < 0.03 for AKPS was read: the figure is the least standardised difference that gives it, as an "
            "odds ratio of success, so it is a lower bound.",
        ),
    )  # fmt: skip


def _novices() -> tuple[Study, ...]:
    one = "All runners come from one programme, which shares its ground and its coach: an assumption. "
    return (
        Study(
            "start_reference", "Start-to-run, reference world", ("G1-08",), "runner", "share", _percent("G1-08"),
            (Group("novices", 102),), do=_NOVICE, women=89 / 102, weeks=10, stands=one + "Ten weeks.",
            why="Two supervised start-to-run courses with a physician on site found, in ten weeks, several times what "
            "a large cohort of novices found in a year (G1-30). The reference world is near the latter; `novice_10w` "
            "is the scenario for such a course.",
        ),
        Study(
            "start_novice", "Start-to-run, novice world", ("G1-08",), "runner", "share", _percent("G1-08"),
            (Group("novices", 102),), scenario="novice_10w", do=_NOVICE, women=89 / 102, stands=one,
        ),
        Study(
            "start_women", "Start-to-run, women, novice world", ("G1-06", "G1-07"), "runner", "share",
            _percent("G1-07"), (Group("women", 77),), scenario="novice_10w", do=_NOVICE, women=1.0, stands=one,
        ),
    )  # fmt: skip


def _recreational() -> tuple[Study, ...]:
    clubs = "Runners come from {} clubs: an assumption. Drop-out and other injuries do not end anybody's follow-up."
    return (
        Study(
            "women_two_years", "Women runners, two years", ("G1-09",), "runner", "share", _percent("G1-09"),
            (Group("women", 400),), do=_ADULT, women=1.0, weeks=104, clubs=20,
            stands=clubs.format(20) + " The monthly hazards of the first year go on through the second.",
            why="Cases were not actively sought, so the published share is probably too low; the world's base rate "
            "lies above it, between several cohorts, and its women have twice the hazard of men (G1-19).",
        ),
        Study(
            "novices_year", "Novices, one year", ("G1-30",), "runner", "share", _percent("G1-30"),
            (Group("novices", 933),), do=_NOVICE, weeks=52, clubs=40, stands=clubs.format(40),
            why="The world's base rate, between several cohorts, lies above this cohort's, and its novices have more "
            "hazard than others, on evidence that conflicts (G2-49 and G2-50 against this cohort and G1-33); in the "
            "cohort another injury came first in one runner of four.",
        ),
        Study(
            "recreational_24_weeks", "Recreational runners, 24 weeks", ("G1-33",), "runner", "share",
            _percent("G1-33"), (Group("runners", 839),), do={**_ADULT, "novice": 0.0}, weeks=24, clubs=40,
            stands=clubs.format(40),
        ),
    )  # fmt: skip


def _schools() -> tuple[Study, ...]:
    season = "The season is as long as the scenario's. Runners come from three schools: an assumption. "
    return (
        Study(
            "school_98", "School runners, one season", ("G1-10",), "runner", "share", _percent("G1-10"),
            (Group("athletes", 98),), scenario="school_season", do=_SCHOOL, clubs=3, stands=season,
        ),
        Study(
            "school_hip", "School runners, by hip strength", ("G2-22",), "runner", "odds ratio per SD",
            _from_odds_ratio("G2-22", 5, 93), (Group("athletes", 98),), scenario="school_season", do=_SCHOOL, clubs=3,
            marker="hip_abduction_nm_kg",
            stands=season + "The unit of the published odds ratio is not stated: its z is read as a standardised "
            "difference between 5 cases and 93 others, and that as an odds ratio per SD of the true strength.",
        ),
        Study(
            "school_68", "Cross-country runners, one season", ("G1-11",), "runner", "share", _percent("G1-11"),
            (Group("athletes", 68),), scenario="school_season", do=_SCHOOL, women=47 / 68, clubs=3, stands=season,
        ),
    )  # fmt: skip


def _read(row: str, unit: float) -> Figure:
    row_of_ledger = ledger()[row]
    low, high = (float(bound) / unit if bound else None for bound in (row_of_ledger.ci_low, row_of_ledger.ci_high))
    return Figure(float(row_of_ledger.estimate) / unit, low, high, f"{row} as it stands")


def _as_printed(row: str) -> Figure:
    return _read(row, 1)


def _percent(row: str) -> Figure:
    return _read(row, 100)


def _almost(row: str) -> Figure:
    """Read the number of an estimate that stands among words."""
    return Figure(numbers(ledger()[row].estimate)[0] / 100, None, None, f"{row} as it stands")


def _share_without(row: str) -> Figure:
    """Turn a percentage of the unfavourable into the share of the others."""
    return Figure(1 - float(ledger()[row].estimate) / 100, None, None, f"{row}, taken from 100 %")


def _standardised(z: float, sizes: tuple[int, int], scale: float, how: str) -> Figure:
    """Turn a test statistic of two groups into an odds ratio, by way of their standardised difference."""
    error = sqrt(1 / sizes[0] + 1 / sizes[1])
    low, value, high = (exp(scale * error * quantile) for quantile in (z - Z95, z, z + Z95))
    return Figure(value, low, high, how)


def _numbers(row: str) -> tuple[float, float, float]:
    row_of_ledger = ledger()[row]
    return float(row_of_ledger.ci_low), float(row_of_ledger.estimate), float(row_of_ledger.ci_high)


def _z(low: float, value: float, high: float) -> float:
    return value * 2 * Z95 / (high - low)


def _from_difference(row: str, first: int, second: int) -> Figure:
    return _standardised(_z(*_numbers(row)), (first, second), _LOGIT_PER_SD, f"{row}, standardised, as an odds ratio")


def _from_p(row: str, p: float, first: int, second: int) -> Figure:
    z = NormalDist().inv_cdf(1 - p / 2)
    return _standardised(z, (first, second), _LOGIT_PER_SD, f"P < {p} of {row}, standardised, as an odds ratio")


def _from_odds_ratio(row: str, cases: int, others: int) -> Figure:
    low, value, high = map(log, _numbers(row))
    # the standardised difference is itself the log odds ratio per SD where both groups have one spread
    return _standardised(_z(low, value, high), (cases, others), 1.0, f"{row}, per SD, by way of its z")


__all__ = ["studies"]
