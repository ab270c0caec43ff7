"""Cohorts: the engine that computes their columns, the parameters solved for them, and the frames that are handed over.

The engine: a column is a function, its parameters are its causes. `z` and `u` are the column's own standard normal and
uniform stream, `z5` and `u3` five normals and three uniforms of its own, `club_z` and `club_u` those shared by a club,
`row` the row number, `p` the scenario's parameters; `success_u` is the number that decided an outcome at its main
horizon and `success_main` what became of it; every other parameter is another column. Because each column has a stream
of its own, setting one (`do`) changes its descendants and nothing else.

The parameters: what a scenario publishes is marginal, so the mechanisms' coefficients are solved, not copied. A base
rate is the mean of all risks, so the intercept is solved; an effect published for one predictor alone holds part of
every predictor that comes with it, so marginal effects are solved jointly.

The frames: what a club sees (values with retest error, rounded, and missing where nobody measured), and the truth that
learning never reads.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from inspect import signature
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from pfps_ml.core import CohortConfig, FactError, Floats, Message, NDArray, uniforms
from pfps_ml.domain import (
    ACTIVE_ARMS,
    ARMS,
    EXAMINED,
    FITTED,
    LONG_TERM,
    ONSET,
    PARTS,
    RELAPSE,
    RUNNING,
    SCREENING,
    SUCCESS,
    Field,
    Scenario,
    load_scenario,
)
from pfps_ml.simulation import course, patients, runners


@dataclass
class World:
    """Rows `start` to `stop` of one population ("runner", "patient") under one set of parameters.

    Attributes
    ----------
    population
        Prefix of the random streams: two populations never share a number.
    do
        Columns that are set from outside, as in a trial: a value for every row.
    columns
        The columns computed so far.
    """

    seed: int
    population: str
    start: int
    stop: int
    parameters: SimpleNamespace
    rows_per_club: int
    functions: Mapping[str, runners.Column]
    do: Mapping[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> Any:
        """Return a column of the world, computing it and its causes once."""
        if name not in self.columns:
            if name in self.do:
                self.columns[name] = np.full(self.stop - self.start, self.do[name])
            elif name in self.functions:
                function = self.functions[name]
                causes = {cause: self._cause(name, cause) for cause in signature(function).parameters}
                self.columns[name] = function(**causes)
            else:
                raise FactError(Message("world_column_unknown", {"name": name}))
        return self.columns[name]

    def _cause(self, column: str, cause: str) -> Any:
        # what happens at any horizon is decided by one number of each row, the one of the main horizon
        shared = {f"{outcome.name}_u": partial(self._uniforms, outcome.column) for outcome in FITTED}
        shared |= {f"{outcome.name}_main": partial(self.column, outcome.column) for outcome in FITTED}
        producers: dict[str, Callable[[], Any]] = {
            **shared,
            "p": lambda: self.parameters,
            "row": self._rows,
            "u": lambda: self._uniforms(column),
            "z": lambda: ndtri(self._uniforms(column)),
            "club_u": lambda: self._club_uniforms(column),
            "club_z": lambda: ndtri(self._club_uniforms(column)),
        }
        if cause in producers:
            return producers[cause]()
        if cause[0] in "zu" and cause[1:].isdigit():
            streams = np.column_stack([self._uniforms(f"{column}/{stream}") for stream in range(int(cause[1:]))])
            return ndtri(streams) if cause[0] == "z" else streams
        return self.column(cause)

    def _rows(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.stop)

    def _uniforms(self, column: str) -> Floats:
        return uniforms(self.seed, f"{self.population}/{column}", self.start, self.stop)

    def _club_uniforms(self, column: str) -> Floats:
        clubs = self._rows() // self.rows_per_club
        if not len(clubs):
            return np.zeros(0)
        first = int(clubs[0])
        # runners and patients of club 7 belong to the same club 7
        shared = uniforms(self.seed, f"club/{column}", first, int(clubs[-1]) + 1)
        return shared[clubs - first]


def mechanisms(modules: Iterable[ModuleType]) -> dict[str, runners.Column]:
    """Return the columns that some modules of mechanisms define, by name."""
    columns: dict[str, runners.Column] = {}
    for module in modules:
        # an outcome's columns are named by its declaration, with its horizons
        columns |= {name: getattr(module, name) for name in module.__all__} | getattr(module, "OUTCOME_COLUMNS", {})
    return columns


_ABLE = {"log": "runner_keeps_log", "field test": "club_tests_feet", "dynamometry": "club_owns_dynamometer"}
# known of everybody: without these there is no row, or the row is not in the frame at all
_ALWAYS = ("current_knee_pain",)


def observe(world: World, fields: tuple[Field, ...]) -> pd.DataFrame:
    """Return the frame that a club would hand over: typed as the dictionary says, missing where not obtained."""
    return pd.DataFrame({field.name: _column(world, field) for field in fields if field.kind != "text"})


def _column(world: World, field: Field) -> pd.Series:
    values = np.asarray(world.column(field.name), dtype=float)
    seen = _seen(world, field)
    if field.kind == "choice":
        levels = np.array(field.levels, dtype=object)[values.astype(int)]
        return pd.Series(np.where(seen, levels, None), dtype="str")
    error = getattr(world.parameters, f"error_{field.name}", 0.0)
    if error:
        values = values + error * ndtri(_noise(world, f"error/{field.name}"))
    rounded = np.clip(np.round(values, field.decimals), field.low, field.high)
    return pd.Series(np.where(seen, rounded, np.nan))


def _seen(world: World, field: Field) -> NDArray[np.bool_]:
    """Return whether anybody obtained the value; equipment belongs to the club and says nothing about its risk."""
    if field.required or field.name in _ALWAYS:
        return np.ones(world.stop - world.start, dtype=bool)
    p = world.parameters
    missing_chance = p.missed_test if field.obtained in ("field test", "dynamometry") else p.skipped_answer
    observed = _noise(world, f"missing/{field.name}") >= missing_chance
    able = np.asarray(world.column(_ABLE[field.obtained]), dtype=bool) if field.obtained in _ABLE else True
    return np.asarray(observed & able, dtype=bool)


def _noise(world: World, name: str) -> NDArray[np.float64]:
    return uniforms(world.seed, f"{world.population}/{name}", world.start, world.stop)


RUNNERS = mechanisms([runners])
PATIENTS = mechanisms([runners, patients, course])

_ROWS, _SEED = 100_000, 0  # the rows on which everything is solved: the same for every cohort and every draw
# effects per SD that can be published alone: the true score, its sign, and the retest error of what was measured
_SCORES = {
    "onset_knee_weakness": ("knee_strength_sd", -1, "error_knee_extension_nm_kg", "knee_extension_sd"),
    "onset_hip_weakness": ("hip_strength_sd", -1, "error_hip_abduction_nm_kg", "hip_abduction_sd"),
    "onset_fpi": ("foot_posture_sd", 1, "error_foot_posture_index", "fpi_sd"),
    "onset_fppa": ("squat_angle_sd", 1, "error_squat_fppa_deg", "fppa_sd"),
}
_ADOLESCENT = "onset_hip_weakness_adolescent"  # in place of the adults' hip, and as marginal as theirs


@cache
def solved_parameters(scenario: str, seed: int = 0, draw: int = 0) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Return the parameters of runners and of patients in one draw of the evidence; draw 0 is the point values."""
    return solve(load_scenario(scenario), seed, draw)


def solve(scenario: Scenario, seed: int = 0, draw: int = 0) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Solve the coefficients that give a scenario's marginal figures; see `solved_parameters`."""
    values = scenario.values(seed, draw)
    _refuse_other_marginals(scenario)
    runner = SimpleNamespace(**values["runners"], months=scenario.horizon_months)
    marginal = {name for name in (*_SCORES, _ADOLESCENT) if scenario.runners[name].marginal}
    vars(runner).update(_joint(runner, marginal))
    runner.onset_intercept = _root(_onset_gap(runner))
    patient = SimpleNamespace(**vars(runner) | values["patients"])
    vars(patient).update(course.frame_of(patient, course.FRAMES[0]))  # the people that shares are published of
    _solve_patients(patient)
    return runner, patient


def odds_ratio_over(hazard_ratio: float, base_risk: float, months: float, acting: float | None = None) -> float:
    """Return the odds ratio over some months that a ratio of monthly odds becomes.

    Parameters
    ----------
    hazard_ratio
        Ratio of the odds of one month: what the scenarios' onset effects are the logarithms of.
    base_risk
        Risk over all the months without the effect, 0 to 1.
    acting
        How many of the months it acts; all of them if not given.
    """
    log_spared = np.log1p(-base_risk) / months
    odds = -hazard_ratio * np.expm1(log_spared) / np.exp(log_spared)
    acting = months if acting is None else min(acting, months)
    risk = -np.expm1((months - acting) * log_spared - acting * np.log1p(odds))
    return float(risk / (1 - risk) / (base_risk / (1 - base_risk)))


def _refuse_other_marginals(scenario: Scenario) -> None:
    """Refuse `marginal = true` where nothing is solved: the published number would act as it stands, unseen."""
    known = {f"runners.{name}" for name in (*_SCORES, _ADOLESCENT)}
    overridden = {
        f"{part}.{name}" for part in PARTS for name, parameter in getattr(scenario, part).items() if parameter.marginal
    }
    if overridden - known:
        raise FactError(
            Message(
                "scenario_marginals",
                {"scenario": scenario.name, "known": [*sorted(known)], "others": [*sorted(overridden - known)]},
            )
        )


def _joint(p: SimpleNamespace, names: set[str]) -> dict[str, float]:
    """Return the coefficients of true scores whose effects, each measured with error and taken alone, are as given.

    What is not marginal stands as it is. Adolescents differ in the hip alone, so theirs is solved given the others.
    """
    if not names:
        return {}
    world = World(_SEED, "runner", 0, _ROWS, p, 1, RUNNERS)
    true = np.column_stack([sign * world.column(score) for score, sign, _, _ in _SCORES.values()])
    noise = np.array([getattr(p, error) / getattr(p, sd) for _, _, error, sd in _SCORES.values()])
    # per SD of the measured score, one at a time: cov(measured, true) / sd(measured)
    together = np.cov(true, rowvar=False)
    standardised = together / np.sqrt(np.diag(together) + noise**2)[:, None]
    effects = np.array([getattr(p, name) for name in _SCORES])
    solved = np.array([name in names for name in _SCORES])
    others = standardised[:, ~solved] @ effects[~solved]
    effects[solved] = np.linalg.solve(standardised[np.ix_(solved, solved)], (effects - others)[solved])
    loadings = {name: float(effect) for name, effect in zip(_SCORES, effects, strict=True) if name in names}
    if _ADOLESCENT in names:
        hip = [*_SCORES].index("onset_hip_weakness")
        others = standardised[hip] @ effects - standardised[hip, hip] * effects[hip]
        loadings[_ADOLESCENT] = float((getattr(p, _ADOLESCENT) - others) / standardised[hip, hip])
    return loadings


def _onset_gap(p: SimpleNamespace) -> Callable[[float], float]:
    world = World(_SEED, "runner", 0, _ROWS, p, 1, RUNNERS)
    usual, spike = world.column("onset_log_hazard"), world.column("spike_log_hazard")

    def gap(intercept: float) -> float:
        risk = runners.true_risk(usual, spike, SimpleNamespace(**vars(p) | {"onset_intercept": intercept}))
        return float(risk.mean() - p.onset_base_rate)

    return gap


def _solve_patients(p: SimpleNamespace) -> None:
    """Solve the share whose care has failed, and the arms' marginal success.

    An injection's effect is given as log odds, for the refractory alone.
    """
    world = World(_SEED, "patient", 0, _ROWS, p, 1, PATIENTS)
    failed = world.column("failed_care_log_odds")
    p.failed_care_intercept = _root(lambda x: float(expit(x + failed).mean() - p.failed_care_share))
    usual, added = world.column("prognosis"), world.column("modifiers")
    p.success_intercept = _root(lambda x: float(expit(x + usual).mean() - p.success_usual_care))
    usual = usual + p.success_intercept
    hip, orthotic = added[:, ACTIVE_ARMS.index("hip")], added[:, ACTIVE_ARMS.index("orthotic")]
    p.hip_log_odds = _root(lambda x: float(expit(x + usual + hip).mean() - p.success_hip))
    p.orthotic_log_odds = _root(lambda x: float(expit(x + usual + orthotic).mean() - p.success_orthotic))


def _root(gap: Callable[[float], float]) -> float:
    ends = gap(-20), gap(20)
    if not ends[0] * ends[1] < 0:
        raise FactError(Message("scenario_has_no_intercept"))
    return float(brentq(gap, -20, 20, xtol=1e-12))


@dataclass(frozen=True)
class Cohort:
    """Observed rows and, apart from them, the truth: the same rows in the same order."""

    observed: pd.DataFrame
    truth: pd.DataFrame


def simulate_onset(config: CohortConfig, start: int = 0, stop: int | None = None, season: int = 0) -> Cohort:
    """Simulate runners free of knee pain and whether runner's knee begins within each horizon of onset.

    Parameters
    ----------
    config
        Scenario, seed and club size. A seed is a world: its clubs, with their own base rates and equipment.
    start, stop
        The rows wanted; a row is the same whatever the range it is drawn in. Rows beyond `config.runners` are
        fresh runners in fresh clubs.
    season
        Another season brings fresh runners to the same clubs.
    """
    population = f"runner/season-{season}" if season else "runner"
    world = _world(config, population, start, config.runners if stop is None else stop, {})
    observed = _identified(world, f"R{season}-" if season else "R").join(observe(world, SCREENING))
    observed[ONSET.column] = world.column(ONSET.column).astype(int)
    observed["draw"] = config.draw
    truth = observed[["runner_id", "draw"]].assign(true_risk=world.column("true_risk"))
    further = [horizon for horizon in ONSET.horizons if horizon != ONSET.main]
    risks = dict(zip((f"true_risk_{ONSET.at(each).suffix}" for each in further),
                     world.column("risks_by_month").T, strict=True))  # fmt: skip
    return Cohort(observed.assign(**_year(world)), truth.assign(**risks))


ENDS = ("onset", "gave_up", "other_injury", "none")


def _year(world: World) -> dict[str, Any]:
    """Return when the year free of pain ended, by what, and whether that was an onset within each shorter horizon."""
    columns = {name: world.column(name).astype(int) for name in ONSET.columns if name != ONSET.column}
    onset, other = world.column("onset_time"), world.column("other_end_time")
    happened = np.minimum(onset, other) < runners.NOT_WITHIN
    ends = np.select([onset < runners.NOT_WITHIN, ~happened], [0, 3], world.column("other_injury") + 1)
    code: NDArray[np.int64] = ends.astype(np.int64)
    last = np.minimum(np.minimum(onset, other), world.parameters.months)
    month = np.maximum(np.ceil(last), 1.0)
    names = [name for name, _ in ONSET.beside]
    ended = (np.where(code == 0, month, np.nan), pd.Categorical.from_codes(code, pd.Index(ENDS)), month)
    return columns | dict(zip(names, ended, strict=True))


def simulate_treatment(
    config: CohortConfig,
    start: int = 0,
    stop: int | None = None,
    do: Mapping[str, Any] | None = None,
    frame: str = course.FRAMES[0],
) -> Cohort:
    """Simulate patients, the pathway that a clinic chose for them, and their course until nobody saw them any more.

    The truth has the probability of each outcome at each horizon under every arm: `p_<arm>` is success at the
    main horizon, `p_<column>_<arm>` any other.

    Parameters
    ----------
    config, start, stop
        As for `simulate_onset`.
    frame
        Where the patients come from, one of `course.FRAMES`: it sets how long they have been in pain.
    do
        Columns set from outside: `do={"arm": "hip"}` gives every patient the hip programme, and moves nothing
        that the arm does not cause; `do={"has_pfps": 0}` gives the self-tests' answers in other knee pain.
    """
    if (do or {}).get("arm", ARMS[0].name) not in [arm.name for arm in ARMS]:
        raise FactError(Message("arm_unknown", {"arms": [*(arm.name for arm in ARMS)]}))
    world = _world(config, "patient", start, config.patients if stop is None else stop, do or {}, frame)
    observed = _identified(world, "P").join(observe(world, (*SCREENING, *EXAMINED)))
    observed["arm"] = world.column("arm")
    observed[SUCCESS.column] = world.column(SUCCESS.column).astype(int)
    observed["draw"] = config.draw
    main = world.column("success_probability")
    truth = observed[["runner_id", "draw"]].assign(**{f"p_{arm.name}": main[:, i] for i, arm in enumerate(ARMS)})
    return Cohort(observed.assign(**_seen_course(world)), truth.assign(**_chances(world)))


def _seen_course(world: World) -> dict[str, Any]:
    """Return what was seen of the course: a state is empty where nobody saw the patient, or nobody was at risk."""
    last = world.column("seen_until_week")
    columns: dict[str, Any] = {}
    for outcome in (SUCCESS, RUNNING):
        for week, name in zip(outcome.horizons, outcome.columns, strict=True):
            if name != SUCCESS.column:
                columns[name] = np.where(last >= week, world.column(name), np.nan)
    happened = world.column(RELAPSE.column)
    known = (world.column(SUCCESS.column) == 1) & ((last >= SUCCESS.horizons[-1]) | _lost_by(world, last))
    columns[RELAPSE.column] = np.where(known, happened, np.nan)
    columns[LONG_TERM.column] = np.where(last >= LONG_TERM.at().days // 7, world.column(LONG_TERM.column), np.nan)
    return columns | {SUCCESS.beside[0][0]: last}


def _lost_by(world: World, last: Floats) -> NDArray[np.bool_]:
    """Return whether a success was lost again at a visit at which the patient was seen."""
    lost = world.column("course_states") == course.LOST
    return np.asarray((lost & (np.array(SUCCESS.horizons) <= last[:, None])).any(axis=1))


def chances(world: World) -> dict[str, Floats]:
    """Return the probability of each outcome of patients at each horizon, by its column, under every arm (columns)."""
    states = {SUCCESS: world.column("success_course"), RUNNING: world.column("running_share")}
    columns = {name: course_of[:, :, at] for outcome, course_of in states.items()
             for at, name in enumerate(outcome.columns)}  # fmt: skip
    columns[RELAPSE.column] = world.column("relapse_probability")
    columns[LONG_TERM.column] = world.column("long_term_probability")
    return columns


def _chances(world: World) -> dict[str, Floats]:
    further = {name: by_arm for name, by_arm in chances(world).items() if name != SUCCESS.column}
    return {f"p_{name}_{arm.name}": by_arm[:, at] for name, by_arm in further.items() for at, arm in enumerate(ARMS)}


def _identified(world: World, letter: str) -> pd.DataFrame:
    rows = np.arange(world.start, world.stop)
    clubs = rows // world.rows_per_club
    return pd.DataFrame(
        {
            "runner_id": pd.Series([f"{letter}{row:08d}" for row in rows], dtype="str"),
            "club": pd.Series([f"club-{club:05d}" for club in clubs], dtype="str"),
        }
    )


def _world(
    config: CohortConfig, population: str, start: int, stop: int, do: Mapping[str, Any], frame: str = course.FRAMES[0]
) -> World:
    runner, patient = solved_parameters(config.scenario, config.seed, config.draw)
    if population == "patient":
        p = SimpleNamespace(**vars(patient) | course.frame_of(patient, frame), randomised=config.randomised)
        return World(config.seed, population, start, stop, p, config.patients_per_club, PATIENTS, do)
    return World(config.seed, population, start, stop, runner, config.runners_per_club, RUNNERS, do)


__all__ = [
    "PATIENTS",
    "RUNNERS",
    "Cohort",
    "World",
    "chances",
    "mechanisms",
    "observe",
    "odds_ratio_over",
    "simulate_onset",
    "simulate_treatment",
    "solve",
    "solved_parameters",
]
