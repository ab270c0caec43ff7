"""Virtual trials: a published study re-enacted many times in the simulated world.

A study recruits from the people of its scenario until its groups are full, gives each group its arm, and waits for its
follow-up. Each re-enactment has the published size, so its result scatters as the published one would if the world
were the simulated one. At the point values of the evidence that scatter is chance alone; over draws of the evidence it
also holds what the evidence leaves open.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, sqrt
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from pfps_ml.core import CohortConfig, FactError, Floats, Message, NDArray
from pfps_ml.domain import ONSET, SUCCESS, load_scenario, studies_of
from pfps_ml.simulation.cohort import PATIENTS, RUNNERS, World, solved_parameters
from pfps_ml.simulation.course import FRAMES, frame_of
from pfps_ml.simulation.study_figures import WEEKS_A_MONTH

Measure = Literal["share", "difference", "risk ratio", "odds ratio", "ratio of odds ratios", "odds ratio per SD"]
_PILOT, _ROWS = 20_000, 200_000  # people asked for the share that may enter; rows held at once


@dataclass(frozen=True)
class Figure:
    """A published result on the scale of its measure, with its 95 % interval where there is one."""

    value: float
    low: float | None
    high: float | None
    how: str


@dataclass(frozen=True)
class Group:
    """Some of a study's people, and the arm that they were given (None: nothing, a cohort is watched).

    `changed` replaces parameters for what the arm does, where the study's treatment is not one of the world's arms.
    """

    name: str
    size: int
    arm: str | None = None
    changed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A published study and how it is re-enacted.

    Attributes
    ----------
    rows
        The ledger rows of its result: a parameter that cites one of them makes the re-enactment circular.
    figure
        The published result; `figure.value` is compared with the re-enacted ones.
    groups
        Its people by arm, in the order of the comparison: the first against the second.
    frame
        Where its patients come from: how long they have been in pain.
    outcome
        The column of patients that its result is about; runners are watched for onset.
    entry
        Criteria as (column, lowest, highest), both included.
    do
        Columns without causes that entry fixes: setting them is the same as selecting by them, and quicker.
    women
        Their share, where it was published; else it is the scenario's.
    weeks
        Follow-up of a cohort of runners; else it is the scenario's horizon. Patients are followed until the outcome.
    clubs
        How many clubs its runners come from: those of one club share ground, coaching and surveillance.
    marker, cut
        A column measured at entry, and what splits it, where the result is about that column.
    stands
        Where the re-enactment departs from the study.
    why
        What explains it if the published result falls outside.
    """

    key: str
    title: str
    rows: tuple[str, ...]
    population: Literal["runner", "patient"]
    measure: Measure
    figure: Figure
    groups: tuple[Group, ...]
    stands: str
    why: str = ""
    scenario: str = "reference"
    frame: str = FRAMES[0]
    outcome: str = SUCCESS.column
    entry: tuple[tuple[str, float, float], ...] = ()
    do: Mapping[str, float] = field(default_factory=dict)
    women: float | None = None
    weeks: float | None = None
    clubs: int = 1
    marker: str | None = None
    cut: float = 0.0

    @property
    def size(self) -> int:
        """How many people it followed."""
        return sum(group.size for group in self.groups)


@dataclass(frozen=True)
class Place:
    """Where a published value falls among the re-enacted ones (`low` to `high` hold the central 95 %)."""

    median: float
    low: float
    high: float
    percentile: float
    inside: bool
    undefined: int


def reenact(study: Study, replicates: int = 1000, draws: int = 0, seed: int = CohortConfig.seed) -> Floats:
    """Return the study's measure in each re-enactment; NaN where it is not defined (nobody fell ill).

    Parameters
    ----------
    draws
        Over how many draws of the evidence the re-enactments are spread evenly; none: all at its point values.

    Raises
    ------
    FactError
        If hardly anybody of the scenario may enter the study, or there are fewer re-enactments than draws.
    """
    if replicates < max(1, draws):
        raise FactError(Message("reenactments_too_few", {"replicates": replicates, "draws": draws}))
    if not draws:
        return _reenacted(study, 0, seed, (0, replicates))
    ends = [replicates * draw // draws for draw in range(draws + 1)]
    # every draw continues where the one before ended: no two re-enactments share their people
    return np.concatenate([_reenacted(study, draw, seed, (ends[draw - 1], ends[draw])) for draw in range(1, draws + 1)])


def place(values: Floats, published: float) -> Place:
    """Return where a published value falls among re-enacted ones; equal values count half."""
    defined = values[~np.isnan(values)]
    low, median, high = np.quantile(defined, [0.025, 0.5, 0.975])
    equal = np.isclose(defined, published)
    below = np.mean((defined < published) & ~equal) + 0.5 * np.mean(equal)
    inside = bool(low <= published <= high)
    return Place(median, low, high, 100 * float(below), inside, len(values) - len(defined))


def circular(study: Study) -> dict[str, list[str]]:
    """Return the parameters of the study's world that cite its own figures, with the rows that they cite."""
    return _citing(study, set(study.rows).__contains__)


def related(study: Study) -> dict[str, list[str]]:
    """Return the parameters of the study's world that cite another figure of its people, with the rows that they cite.

    That does not make it circular, but its people have helped to build the world.
    """
    names, study_rows = studies_of(study.rows), set(study.rows)
    return _citing(study, lambda row: row not in study_rows and bool(studies_of([row]) & names))


def _citing(study: Study, chosen: Callable[[str], bool]) -> dict[str, list[str]]:
    scenario = load_scenario(study.scenario)
    parameters = scenario.runners | (scenario.patients if study.population == "patient" else {})
    cited = {name: sorted(filter(chosen, parameter.rows)) for name, parameter in parameters.items()}
    return {name: rows for name, rows in cited.items() if rows}


def _reenacted(study: Study, draw: int, seed: int, turns: tuple[int, int]) -> Floats:
    """Return the study's measure in its re-enactments from one turn to another, in one draw of the evidence."""
    parameters = _parameters(study, seed, draw)
    screened = _screened(study, parameters, seed)
    step = max(1, _ROWS // screened)
    estimates = []
    for first in range(*turns, step):
        rows = first * screened, min(first + step, turns[1]) * screened
        world = _world(study, parameters, seed, rows, ceil(screened / study.clubs))
        chosen = _recruited(study, world, screened)
        estimates.append(_MEASURES[study.measure](_outcomes(study, world, chosen), _markers(study, world, chosen)))
    return np.concatenate(estimates)


def _parameters(study: Study, seed: int, draw: int) -> SimpleNamespace:
    runner, patient = solved_parameters(study.scenario, seed, draw)
    months = runner.months if study.weeks is None else study.weeks / WEEKS_A_MONTH
    values = dict(vars(runner))
    if study.population == "patient":
        values = vars(patient) | frame_of(patient, study.frame)
    return SimpleNamespace(**values | {"months": months, "randomised": True})


def _screened(study: Study, parameters: SimpleNamespace, seed: int) -> int:
    """Return how many people each re-enactment asks, so that all of them fill their groups; a multiple of the clubs."""
    pilot = _world(study, parameters, seed, (0, _PILOT), _PILOT)
    share = float(_eligible(study, pilot).mean()) if study.entry else 1.0
    if share * _PILOT < 100:
        raise FactError(
            Message("study_eligibility_too_rare", {"study": study.key, "scenario": study.scenario, "share": share})
        )
    spare = 0.0 if share == 1 else 6 * sqrt(study.size * (1 - share)) + 20
    return study.clubs * ceil((study.size + spare) / share / study.clubs)


def _world(study: Study, p: SimpleNamespace, seed: int, rows: tuple[int, int], per_club: int) -> World:
    do: dict[str, Any] = dict(study.do)
    if study.women is not None:
        # evenly spread, so that every re-enactment has the published number of women
        place_in_line = np.arange(*rows)
        women = np.floor((place_in_line + 1) * study.women + 1e-6) > np.floor(place_in_line * study.women + 1e-6)
        do["sex"] = 1.0 - women
    functions = PATIENTS if study.population == "patient" else RUNNERS
    return World(seed, f"trial/{study.key}", *rows, p, per_club, functions, do)


def _eligible(study: Study, world: World) -> NDArray[np.bool_]:
    enters = np.ones(world.stop - world.start, dtype=bool)
    for column, low, high in study.entry:
        value = np.asarray(world.column(column), dtype=float)
        enters &= (value >= low) & (value <= high)
    return enters


def _recruited(study: Study, world: World, screened: int) -> NDArray[np.intp]:
    """Return the rows of the people of each re-enactment, in the order in which they came: (replicates, size)."""
    enters = _eligible(study, world).reshape(-1, screened)
    if (enters.sum(axis=1) < study.size).any():
        raise FactError(Message("study_too_few_people", {"study": study.key, "size": study.size}))
    order = np.argsort(~enters, axis=1, kind="stable")[:, : study.size]
    return order + screened * np.arange(len(enters))[:, None]


def _outcomes(study: Study, world: World, chosen: NDArray[np.intp]) -> list[Floats]:
    """Return what happened, group by group; people are exchangeable, so taking them in turn is randomisation."""
    if study.population == "patient":
        world.column("success_probability")  # held, so that every arm reads it and only the arm differs
    return [_under(study, world, group)[rows] for group, rows in zip(study.groups, _split(study, chosen), strict=True)]


def _under(study: Study, world: World, group: Group) -> Floats:
    if group.arm is None:
        return np.asarray(world.column(ONSET.column))
    unknown = sorted(set(group.changed) - set(vars(world.parameters)))
    if unknown:
        raise FactError(Message("study_parameters_unknown", {"group": group.name, "unknown": unknown}))
    parameters = SimpleNamespace(**vars(world.parameters) | dict(group.changed))
    columns = {} if group.changed else dict(world.columns)
    intervened = replace(world, parameters=parameters, do={**world.do, "arm": group.arm}, columns=columns)
    return np.asarray(intervened.column(study.outcome))


def _markers(study: Study, world: World, chosen: NDArray[np.intp]) -> list[Floats]:
    if study.marker is None:
        return []
    value = np.asarray(world.column(study.marker), dtype=float)
    value = value if study.measure == "odds ratio per SD" else (value >= study.cut).astype(float)
    return [value[rows] for rows in _split(study, chosen)]


def _split(study: Study, chosen: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    ends = np.cumsum([group.size for group in study.groups])
    return np.split(chosen, ends[:-1], axis=1)


def _log_odds_ratio(first: Floats, second: Floats, weigh: tuple[Any, Any] = (1.0, 1.0)) -> Floats:
    """Return log odds ratios by re-enactment; half a person is added to a table with an empty cell."""
    cells = np.array([(w * v).sum(axis=1) for y, w in zip((first, second), weigh, strict=True) for v in (y, 1 - y)])
    cells = cells + 0.5 * (cells == 0).any(axis=0)
    return np.asarray(np.log(cells[0] * cells[3] / (cells[1] * cells[2])))


def _ratio_of_odds_ratios(y: list[Floats], x: list[Floats]) -> Floats:
    high = _log_odds_ratio(y[0], y[1], (x[0], x[1]))
    return np.asarray(np.exp(high - _log_odds_ratio(y[0], y[1], (1 - x[0], 1 - x[1]))))


def _risk_ratio(y: list[Floats], _: list[Floats]) -> Floats:
    cases = np.array([y[0].sum(axis=1), y[1].sum(axis=1)])
    cases = cases + 0.5 * (cases == 0).any(axis=0)
    return np.asarray(cases[0] / y[0].shape[1] / (cases[1] / y[1].shape[1]))


def _odds_ratio_per_sd(y: list[Floats], x: list[Floats]) -> Floats:
    """Return exp of the standardised difference between those who fell ill and the others."""
    ill, value = y[0], x[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = (ill * value).sum(axis=1) / ill.sum(axis=1) - ((1 - ill) * value).sum(axis=1) / (1 - ill).sum(axis=1)
    return np.asarray(np.exp(gap / value.std(axis=1, ddof=1)))


_MEASURES: dict[Measure, Callable[[list[Floats], list[Floats]], Floats]] = {
    "share": lambda y, _: np.asarray(y[0].mean(axis=1)),
    "difference": lambda y, _: np.asarray(y[0].mean(axis=1) - y[1].mean(axis=1)),
    "risk ratio": _risk_ratio,
    "odds ratio": lambda y, _: np.asarray(np.exp(_log_odds_ratio(y[0], y[1]))),
    "ratio of odds ratios": _ratio_of_odds_ratios,
    "odds ratio per SD": _odds_ratio_per_sd,
}

__all__ = ["Figure", "Group", "Measure", "Place", "Study", "circular", "place", "reenact", "related"]
