"""The published figures that the course is compared with: how fast, how long, what comes back, and who runs again.

Success and running are mean chances, as in a randomised trial; "as clinics treat" weighs the arms by how clinics choose
them. A frame says where patients come from. Figures of other horizons are read at the nearest declared one, and the
row says so.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from pfps_ml.core import Floats
from pfps_ml.domain import ARMS, SUCCESS
from pfps_ml.simulation import course
from pfps_ml.simulation.cohort import World
from pfps_ml.simulation.runners import GROWN_UP
from pfps_ml.simulation.study_figures import (
    DAYS_A_MONTH,
    MOBILE,
    WEEKS_A_MONTH,
    Row,
    Sample,
    area,
    auroc,
    counted,
    interval,
    mean,
    numbers,
    odds,
    percent,
    rate_ratio,
    share,
    skewed,
    spread,
    stated,
)

_ARM = {arm.name: place for place, arm in enumerate(ARMS)}
_AT = {week: place for place, week in enumerate(SUCCESS.horizons)}
_ALIKE = "no association"
_OTHER_INJURIES = "the published figure is of any running injury, and of another definition of recovery"
_LEVEL = "three tenths of the gain at 12 weeks stay as level, and exercise visits protect a little: both are choices"
_YOUNG = (10, 14)  # years of the adolescent cohort


def frames() -> tuple[Row, ...]:
    """Return how long patients have been in pain, by where they come from."""
    quartiles = "quartile in the ledger, within a quarter"
    return (
        Row("runners' clinic, duration, median, days", ("C-107",), skewed("C-107"),
            lambda s: DAYS_A_MONTH * _quartile(s, "runners_clinic", 0.5)),
        Row("runners' clinic, duration, upper quartile, days", ("C-107",), stated("365", 274, 456, quartiles),
            lambda s: DAYS_A_MONTH * _quartile(s, "runners_clinic", 0.75)),
        Row("physiotherapy, duration, median, months", ("C-094",), skewed("C-094"),
            lambda s: _quartile(s, "physiotherapy", 0.5)),
        Row("physiotherapy, duration, lower quartile, months", ("C-094",), stated("7", 5.25, 8.75, quartiles),
            lambda s: _quartile(s, "physiotherapy", 0.25)),
        Row("both knees, runners with pain, adults, %", ("C-109",), interval("C-109"),
            lambda s: percent(_of(s.course("runners_clinic"), "bilateral", _adult)), held_out=True),
        Row("any injury of a runner within a year, %", ("C-070",), interval("C-070"), _any_injury),
        Row("onset, injured in the last year to others, rate ratio (published of any injury)", ("C-071",),
            interval("C-071"), _injured_before, held_out=True),
    )  # fmt: skip


def visit() -> tuple[Row, ...]:
    """Return what the visit finds beside the knee tests."""
    usual = "usual pain in a trial of education; here the worst pain of a week, as measured"
    return (
        Row("sitting hurts, %", ("C-104",), interval("C-104"), lambda s: percent(s.patients["sitting_pain"]),
            held_out=True),
        Row("minutes until sitting pain settles, median", ("C-105",), stated("6 to 10", 6, 10, "the published class"),
            lambda s: float(np.median(s.course().column("pain_settles_min")))),
        Row("trains in pain, of those affected, %", ("C-108",), counted("C-108", 26), lambda s: _affected(s, 1)),
        Row("training affected, of those affected, %", ("C-108",), counted("C-108", 54), lambda s: _affected(s, 2)),
        Row("two sessions missed, of those affected, %", ("C-108",), counted("C-108", 20), lambda s: _affected(s, 3)),
        Row("pain at entry, mean, mm", ("C-043",), mean("C-043"), lambda s: s.patients["worst_pain_mm"].mean(),
            held_out=True, note=usual),
        Row("pain at entry, SD, mm", ("C-043",), spread("C-043"), lambda s: s.patients["worst_pain_mm"].std(),
            held_out=True, note=usual),
    )  # fmt: skip


def recovery() -> tuple[Row, ...]:
    """Return how the share of the well rises."""
    shape, rate = numbers("C-116")[0], numbers("C-115")[1]
    return (
        Row("unfavourable at a year, as clinics treat, %", ("G4-58",), counted("G4-58"),
            lambda s: 100 - percent(_treated(s.course())[:, _AT[52]])),
        Row("who would ever recover within a year, %", ("C-115",), share("C-115", published=62),
            lambda s: percent(_chosen(s.course(), s.course().column("fast_share")))),
        Row("rate of those who recover, per month", ("C-115",), stated(f"{rate:g}", 0.75 * rate, 1.25 * rate, "25%"),
            _monthly_rate),
        Row("shape of a Weibull through 3 and 12 months", ("C-116",),
            stated(f"{shape:g}", 0.75 * shape, 1.25 * shape, "25%"), _weibull_shape),
        Row("recovered at 6 months, self-managed exercise and usual physiotherapy, %", ("C-018",), interval("C-018"),
            lambda s: percent(_treated(s.course("physiotherapy"))[:, _AT[26]]), held_out=True),
        Row("new cases, days until half of those who recover are well", ("G4-76",), skewed("G4-76"),
            lambda s: 7 * _half_time(s.course("incident"))),
        Row("new cases, days to recovery, any injury", ("C-040",), skewed("C-040"),
            lambda s: 7 * _half_time(s.course("incident")), held_out=True, why=_OTHER_INJURIES),
        Row("new cases, recovered at 24 weeks, any injury, %", ("C-039",), interval("C-039"),
            lambda s: percent(_treated(s.course("incident"))[:, _AT[26]]), held_out=True, why=_OTHER_INJURIES),
        Row("recovered at 3 months, adolescent girls, %", ("C-101",), interval("C-101"), _girls_recovered,
            held_out=True, note="completely or strongly recovered: here, running again"),
        Row("recovered at 6 months, one knee, exercise, %", ("C-007",), counted("C-007", 75),
            lambda s: percent(_under(_one_knee(s), "hip", 26)), held_out=True,
            note="only the last follow-up was used", why="one centre selected its patients and trained them hard"),
    )  # fmt: skip


def arms() -> tuple[Row, ...]:
    """Return what arms do to speed and to level."""
    both = stated("7.0 and 7.6", 5.3, 9.5, "within a quarter of either")
    level = stated("no difference at a year", 0.95, 1.05, "5% either way")
    nearest, pain = "published at 4 weeks, read at 6", (numbers("C-033")[0], 4.1)
    return (
        Row("pain, hip exercise first, mean, 0 to 10", ("C-033",), mean("C-033", pain[0], 2.0),
            _pain_of_women, held_out=True, note=nearest,
            why="one small trial of women who had less pain at entry than a clinic's worst pain of a week"),
        Row("pain, quadriceps exercise first, mean, 0 to 10", ("C-033",), mean("C-033", pain[1], 2.5),
            lambda s: _pain_of_women(s, lead_hip=0.0, modifier_hip_weakness=0.0), held_out=True, note=nearest),
        Row("AKPS gained by hip exercise, 6 months to 12 weeks, women, both knees, ratio", ("C-087",),
            stated("kept", 0.75, 1.25, "a quarter either way"), _kept, held_out=True),
        Row("orthoses to hip exercise at a year, mobile to other feet, ratio of odds ratios", ("C-055",),
            stated("no modifier established", 0.9, 1.1, _ALIKE), _modifier, held_out=True),
        Row("AKPS gained in 12 weeks, hip exercise", ("C-029", "C-030"), both, lambda s: _gained(s, "hip", 12)),
        Row("AKPS, quadriceps less hip exercise", ("C-031",), interval("C-031"), _quadriceps_less_hip, held_out=True),
        Row("AKPS gained by exercise, 6 to 12 months (published at 9)", ("C-011",), interval("C-011"),
            lambda s: (_gained(s, "hip", 26) + _gained(s, "hip", 52)) / 2, held_out=True),
        Row("weeks that hip exercise is ahead at week 6", ("C-034",), stated("1", 0.5, 1.5, "half a week"), _hip_ahead),
        Row("orthoses to flat inserts at 6 weeks, risk ratio", ("G4-34",), interval("G4-34"),
            lambda s: _ratio(s, "orthotic", 6)),
        Row("brace or orthoses at a year, risk ratio", ("C-092",), level, lambda s: _ratio(s, "orthotic", 52)),
        Row("exercise to usual care at a year, odds ratio", ("C-025",), stated("no difference", 0.9, 1.1, _ALIKE),
            lambda s: _odds_ratio(s.course(), 52), held_out=True, why=_LEVEL),
        Row("exercise to free activity at a year, odds ratio", ("C-032",), stated("as good as any", 0.9, 1.1, _ALIKE),
            lambda s: _odds_ratio(s.course("physiotherapy"), 52), held_out=True, why=_LEVEL),
    )  # fmt: skip


def prognosis() -> tuple[Row, ...]:
    """Return who recovers."""
    return (
        Row("AKPS at a year per pain site", ("C-047",), interval("C-047"), lambda s: _per_site(s, "latent_function")),
        Row("worst pain at a year per pain site, 0 to 10", ("C-048",), interval("C-048"),
            lambda s: _per_site(s, "latent_pain"), held_out=True, note="only function was used",
            why="pain halves where success begins, and pain sites act on success after 12 weeks alone"),
        Row("persistent symptoms at a year, AUROC of what is known at the visit", ("C-052",), area("C-052"),
            _discrimination, held_out=True, why="published in the sample that chose the predictors"),
        Row("pain at 6 and 12 weeks, correlation (published of neck pain, 7 and 12)", ("C-110",),
            stated("0.76, n = 90", 0.66, 0.84, "Fisher interval, n = 90"), _pain_correlation, held_out=True),
    )  # fmt: skip


def relapse() -> tuple[Row, ...]:
    """Return what is lost again, and how patients are after years."""
    late = max(numbers("C-077"))
    shrunk = "observational, in those who seek care: shrunk to 0.7 on purpose"
    return (
        Row("still a success at 6 months, where 86 % were one at 12 weeks, %", ("C-002",), interval("C-002"),
            lambda s: percent(_young(s, "success_course", 26))),
        Row("still a success at 12 months, where 86 % were one at 12 weeks, %", ("C-003",), interval("C-003"),
            lambda s: percent(_young(s, "success_course", 52))),
        Row("net loss a year in the three months after a programme", ("C-076",),
            stated("0.44 (86 to 77 %, 68 to 83)", 0.14, 0.94, "from the interval of C-002"), _net_loss),
        Row("net loss a year after the first", ("C-077", "C-078"), stated("0 to 0.059", 0, late, "between both"),
            _net_loss_later),
        Row("favourable at 5 to 8 years, %", ("C-008", "C-015", "G4-65"), stated("75 / 60 / 43", 43, 75,
            "between the published figures"), lambda s: percent(_chosen(s.course(), _years(s.course())))),
        Row("recovered at 7 years, one knee, exercise, %", ("C-008",), counted("C-008", 75),
            lambda s: percent(_years(s.course())[_one_knee_rows(s), _ARM["hip"]])),
        Row("relapse, at least 6 exercise visits to fewer, odds ratio", ("C-064",), interval("C-064"), _visits,
            why=shrunk),
        Row("same place injured again over months, %", ("C-069",), skewed("C-069"),
            lambda s: percent(_chosen(_clinic(s), _clinic(s).column("relapse_probability"))), held_out=True,
            why="of all injuries, over a follow-up whose length is unknown"),
    )  # fmt: skip


def running() -> tuple[Row, ...]:
    """Return who runs again."""
    sport = "back in sport: here, running again; where 86 % were a success at 12 weeks"
    return (
        Row("back in sport at 12 weeks, 10 to 14 years, %", ("C-004",), counted("C-004"),
            lambda s: percent(_young(s, "running_share", 12)), note=sport),
        Row("back in sport at 12 months, 10 to 14 years, %", ("C-005",), counted("C-005"),
            lambda s: percent(_young(s, "running_share", 52)), note=sport),
        Row("still unable to run at 10 weeks, novices, any injury, %", ("C-037",), counted("C-037"), _cannot_run,
            held_out=True, why=_OTHER_INJURIES),
    )  # fmt: skip


def _clinic(s: Sample) -> World:
    return s.course("runners_clinic")


def _adult(world: World) -> Any:
    return world.column("age_years") >= GROWN_UP


def _of(world: World, name: str, group: Callable[[World], Any]) -> Floats:
    values: Floats = np.asarray(world.column(name))[group(world)]
    return values


def _quartile(s: Sample, frame: str, at: float) -> float:
    return float(np.quantile(s.course(frame).column("symptom_duration_months"), at))


def _any_injury(s: Sample) -> float:
    onset, p = s.runners["risk"].to_numpy(), s.solved_runners
    return percent(onset + (1 - onset) * p.other_injury_share)


def _affected(s: Sample, level: int) -> float:
    levels = s.course("runners_clinic").column("training_affected")
    return percent(levels[levels > 0] == level)


def _chosen(world: World, by_arm: Floats) -> Floats:
    return np.asarray((by_arm * world.column("propensity")).sum(axis=1))


def _treated(world: World, name: str = "success_course") -> Floats:
    return np.asarray((world.column(name) * world.column("propensity")[:, :, None]).sum(axis=1))


def _under(world_rows: tuple[World, Any], arm: str, week: float) -> Floats:
    world, rows = world_rows
    return np.asarray(world.column("success_course")[rows, _ARM[arm], _AT[week]])


def _one_knee_rows(s: Sample) -> Any:
    return s.course().column("bilateral") == 0


def _one_knee(s: Sample) -> tuple[World, Any]:
    return s.course(), _one_knee_rows(s)


def _monthly_rate(s: Sample) -> float:
    world = s.course()
    fast = _chosen(world, world.column("fast_share")).mean()
    return float(-np.log1p(-_treated(world)[:, _AT[12]].mean() / fast) / (SUCCESS.main / WEEKS_A_MONTH))


def _weibull_shape(s: Sample) -> float:
    known = _treated(s.course()).mean(axis=0)
    hazards = -np.log1p(-known[[_AT[12], _AT[52]]])
    return float(np.log(hazards[1] / hazards[0]) / np.log(52 / 12))


def _half_time(world: World) -> float:
    """Return the week by which half of those are well who are so at a year."""
    fast, ratio, leads = (world.column(name) for name in ("fast_share", "unwell_ratio", "lead_weeks"))
    half = _treated(world)[:, _AT[52]].mean() / 2

    def gap(week: float) -> float:
        return float(_chosen(world, course.early_success(week, fast, ratio, leads)).mean() - half)

    return float(brentq(gap, 0.1, SUCCESS.main))


def _girls_recovered(s: Sample) -> float:
    world = s.course()
    girls = (world.column("sex") == 0) & (world.column("age_years") < GROWN_UP)
    return percent(_treated(world, "running_share")[girls, _AT[12]])


def _gained(s: Sample, arm: str, week: float, **changed: float) -> float:
    """Return the mean gain of the score under an arm."""
    under = _under_arm(s, arm, **changed)
    return float((under.column("latent_function")[:, _AT[week]] - under.column("akps")).mean())


def _under_arm(s: Sample, arm: str, **changed: float) -> World:
    return replace(s.course(**changed), do={"arm": arm}, columns={})


def _pain_of_women(s: Sample, **changed: float) -> float:
    world = _under_arm(s, "hip", **changed)
    return float(world.column("latent_pain")[world.column("sex") == 0, _AT[6]].mean())


def _kept(s: Sample) -> float:
    world = _under_arm(s, "hip")
    group = (world.column("sex") == 0) & (world.column("bilateral") == 1)
    gained = (world.column("latent_function") - world.column("akps")[:, None])[group].mean(axis=0)
    return float(gained[_AT[26]] / gained[_AT[12]])


def _modifier(s: Sample) -> float:
    world = s.course()
    mobile, chances = world.column("midfoot_mobility_mm") >= MOBILE, world.column("success_course")[:, :, _AT[52]]
    first, other = (
        odds(chances[group, _ARM["orthotic"]]) / odds(chances[group, _ARM["hip"]]) for group in (mobile, ~mobile)
    )
    return first / other


def _injured_before(s: Sample) -> float:
    before = s.runners["prior_running_injury_12m"] == 1
    return rate_ratio(s.runners, before, ~before)


def _quadriceps_less_hip(s: Sample) -> float:
    return _gained(s, "hip", 12, modifier_hip_weakness=0.0, lead_hip=0.0) - _gained(s, "hip", 12)


def _hip_ahead(s: Sample) -> float:
    world = s.course()
    fast, ratio = (world.column(name)[:, _ARM["hip"]] for name in ("fast_share", "unwell_ratio"))
    leads = world.column("lead_weeks")
    lead, none = leads[:, _ARM["hip"]], leads[:, _ARM["usual_care"]]  # a knee programme is as fast as usual care
    at_six = course.early_success(6, fast, ratio, lead).mean()
    return float(brentq(lambda week: course.early_success(week, fast, ratio, none).mean() - at_six, 1, 12) - 6)


def _ratio(s: Sample, arm: str, week: float) -> float:
    chances = s.course().column("success_course")[:, :, _AT[week]].mean(axis=0)
    return float(chances[_ARM[arm]] / chances[_ARM["usual_care"]])


def _odds_ratio(world: World, week: float) -> float:
    chances = world.column("success_course")[:, :, _AT[week]]
    return odds(chances[:, _ARM["hip"]]) / odds(chances[:, _ARM["usual_care"]])


def _per_site(s: Sample, name: str) -> float:
    """Return the slope at a year, given score, pain, duration, sex and both knees."""
    world = s.course()
    beside = ("pain_sites", "akps", "worst_pain_mm", "duration_sd", "sex", "bilateral")
    design = np.column_stack([np.ones(world.stop), *(world.column(each) for each in beside)])
    return float(np.linalg.lstsq(design, world.column(name)[:, _AT[52]], rcond=None)[0][1])


def _discrimination(s: Sample) -> float:
    unwell = 1 - _treated(s.course())[:, _AT[52]]
    return auroc(unwell, unwell)


def _pain_correlation(s: Sample) -> float:
    pain = s.course().column("latent_pain")
    return float(np.corrcoef(pain[:, _AT[6]], pain[:, _AT[12]])[0, 1])


def _young(s: Sample, name: str, week: float) -> Floats:
    """Return the chances of the adolescent cohort, were as many a success at 12 weeks as there."""
    published = numbers("C-001")[0] / 100
    log_odds = _log_odds_at_main(s)
    raised = brentq(lambda x: (1 / (1 + np.exp(-log_odds - x))).mean() - published, -2, 6)
    intercept = s.course("incident").parameters.success_intercept + raised
    world = s.course("incident", success_intercept=intercept)
    return np.asarray(world.column(name)[_of_age(world), _ARM["usual_care"], _AT[week]])


def _of_age(world: World) -> Any:
    return (world.column("age_years") >= _YOUNG[0]) & (world.column("age_years") <= _YOUNG[1])


def _log_odds_at_main(s: Sample) -> Floats:
    world = s.course("incident")
    chance = world.column("success_probability")[_of_age(world), _ARM["usual_care"]]
    return np.asarray(np.log(chance / (1 - chance)))


def _net_loss(s: Sample) -> float:
    first, then = (_young(s, "success_course", week).mean() for week in (12, 26))
    return float(np.log(first / then) * 12 * DAYS_A_MONTH / (7 * 14))


def _net_loss_later(s: Sample) -> float:
    world = s.course()
    then = _chosen(world, _years(world)).mean()
    return float(np.log(_treated(world)[:, _AT[52]].mean() / then) / 4)


def _years(world: World) -> Floats:
    return np.asarray(world.column("long_term_probability"))


def _visits(s: Sample) -> float:
    none, all_ = (s.course(visits_hip_share=share_).column("relapse_probability")[:, _ARM["hip"]] for share_ in (0, 1))
    return odds(all_) / odds(none)


def _cannot_run(s: Sample) -> float:
    at_six, at_twelve = (percent(_treated(s.course("incident"), "running_share")[:, _AT[week]]) for week in (6, 12))
    return 100 - at_six - (at_twelve - at_six) * 4 / 6


__all__ = ["arms", "frames", "prognosis", "recovery", "relapse", "running", "visit"]
