"""Whether published figures come back from the simulated cohort; PLAUSIBILITY.md is written from here.

A figure is "set" if a parameter was solved or chosen from it: that it comes back shows that the arithmetic is right. It
is "held out" if nothing was set from it: that it comes back is a test of the world, unless parameters that were set
from other figures of the same study carry it ("same study").

Held-out figures must not follow from another figure of the same study (`kin`). A parameter that was set from one figure
of a study can bring another figure of the same people back. So the parameters that cite a held-out figure's study are
moved over their intervals, all together, and a figure that moves with them is tied. Moved and unmoved worlds have the
same runners and uniforms, so that a difference is the parameters' alone.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from pfps_ml.core import CohortConfig
from pfps_ml.domain import PARTS, Parameter, Scenario, load_scenario, studies_of
from pfps_ml.simulation import targets_course, targets_patients, targets_runners
from pfps_ml.simulation.study_figures import Row, Sample

SMALL = CohortConfig(runners=10_000, patients=10_000)
# what counts as moved: a share of the width of what is accepted; and how far goes what has no interval: a share of its
# value, or as much in its unit where the value is 0
TIED, STEP = 0.1, 0.1


@dataclass(frozen=True)
class Kin:
    """What the study of a figure has done to the world.

    Attributes
    ----------
    parameters
        Those that cite a row of the study, as `part.name`.
    shift
        How far the figure goes when they go to either end of their intervals, as a share of what is accepted.
    """

    parameters: frozenset[str]
    shift: float

    @property
    def tied(self) -> bool:
        """Whether the study's other figures give this one away."""
        return not self.shift <= TIED


def kin(row: Row) -> Kin:
    """Return what the study of a figure has done to the world of its scenario."""
    scenario, studies = load_scenario(row.scenario), studies_of(row.rows)
    names = frozenset(
        f"{part}.{p.name}" for part in PARTS for p in getattr(scenario, part).values() if studies_of(p.rows) & studies
    )
    if not names:
        return Kin(names, 0.0)
    usual, width = row.of(_sample(row.scenario)), row.target.high - row.target.low
    moved = [row.of(_sample(row.scenario, names, end)) for end in (-1, 1)]
    return Kin(names, float(np.max(np.abs(np.subtract(moved, usual))) / width))


@lru_cache(maxsize=8)  # each holds some megabytes
def _sample(name: str, names: frozenset[str] = frozenset(), end: int = 0) -> Sample:
    scenario = load_scenario(name)
    config = replace(SMALL, scenario=name)
    return Sample(config, _moved(scenario, names, end) if names else scenario)


def _moved(scenario: Scenario, names: frozenset[str], end: int) -> Scenario:
    runners, patients = (
        {name: _at_end(p, end) if f"{part}.{name}" in names else p for name, p in getattr(scenario, part).items()}
        for part in PARTS
    )
    return replace(scenario, runners=runners, patients=patients)


def _at_end(parameter: Parameter, end: int) -> Parameter:
    if parameter.low < parameter.high:
        return replace(parameter, value=parameter.low if end < 0 else parameter.high)
    return replace(parameter, value=parameter.value + end * STEP * (abs(parameter.value) or 1))


Use = Literal["set", "same study", "held out"]
COHORT = CohortConfig(runners=200_000, patients=60_000)
PUBLISHED_PARTS = {
    "Incidence": targets_runners.incidence,
    "Courses and school seasons": targets_runners.courses,
    "Who runs, and how": targets_runners.people,
    "What runners have had": targets_runners.history,
    "Strength": targets_runners.strength,
    "Foot and squat": targets_runners.movement,
    "What goes together": targets_runners.correlations,
    "The weeks before, and history": targets_runners.load,
    "The usual week": targets_runners.distance,
    "Before onset: future cases against the others": targets_runners.before_onset,
    "What does not predict": targets_runners.nulls,
    "Discrimination": targets_runners.discrimination,
    "Who comes to a clinic": targets_patients.people,
    "Where care has failed": targets_patients.refractory,
    "How the knees are": targets_patients.knees,
    "Self-tests": targets_patients.self_tests,
    "Patients against runners free of pain": targets_patients.against_runners,
    "Prognosis": targets_patients.prognosis,
    "Pathways": targets_patients.arms,
    "Who does better with what": targets_patients.responders,
    "Who comes from where": targets_course.frames,
    "What the visit finds": targets_course.visit,
    "How fast patients recover": targets_course.recovery,
    "What arms do over a year": targets_course.arms,
    "Who recovers": targets_course.prognosis,
    "Relapse and the years after": targets_course.relapse,
    "Running again": targets_course.running,
}


@dataclass(frozen=True)
class Finding:
    """A published figure and what the simulated people gave."""

    part: str
    row: Row
    simulated: float

    @cached_property
    def kin(self) -> Kin | None:
        """What its study has done otherwise, if it is held out."""
        return kin(self.row) if self.row.held_out else None

    @property
    def use(self) -> Use:
        """What the figure was used for."""
        if self.kin is None:
            return "set"
        return "same study" if self.kin.tied else "held out"

    @property
    def inside(self) -> bool:
        """Whether the published figure came back."""
        return self.row.target.low <= self.simulated <= self.row.target.high


def check(config: CohortConfig = COHORT) -> list[Finding]:
    """Read every figure off cohorts of this size and seed; each row names its scenario.

    Returns
    -------
    list of Finding
        In the order of the document.
    """
    rows = [(part, row) for part, rows in PUBLISHED_PARTS.items() for row in rows()]
    samples = {row.scenario: Sample(replace(config, scenario=row.scenario)) for _, row in rows}
    return [Finding(part, row, float(row.of(samples[row.scenario]))) for part, row in rows]


__all__ = ["COHORT", "PUBLISHED_PARTS", "SMALL", "STEP", "TIED", "Finding", "Kin", "Use", "check", "kin"]
