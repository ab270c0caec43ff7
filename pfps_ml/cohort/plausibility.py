"""Whether published figures come back from the simulated cohort; PLAUSIBILITY.md is written from here.

A figure is "set" if a parameter was solved or chosen from it: that it comes back shows that the arithmetic is right. It
is "held out" if nothing was set from it: that it comes back is a test of the world, unless parameters that were set
from other figures of the same study carry it ("same study").
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pfps_ml.cohort import checks_onset, checks_patients, checks_predictors
from pfps_ml.cohort.figures import Sample
from pfps_ml.cohort.independence import Kin, kin
from pfps_ml.cohort.targets import Row
from pfps_ml.config import CohortConfig

Use = Literal["set", "same study", "held out"]
COHORT = CohortConfig(runners=200_000, patients=60_000)
PARTS = {
    "Incidence": checks_onset.incidence,
    "Courses and school seasons": checks_onset.courses,
    "Who runs, and how": checks_predictors.people,
    "What runners have had": checks_predictors.history,
    "Strength": checks_predictors.strength,
    "Foot and squat": checks_predictors.movement,
    "What goes together": checks_predictors.correlations,
    "The weeks before, and history": checks_onset.load,
    "The usual week": checks_onset.distance,
    "Before onset: future cases against the others": checks_onset.before_onset,
    "What does not predict": checks_onset.nulls,
    "Discrimination": checks_onset.discrimination,
    "Who comes to a clinic": checks_patients.people,
    "Where care has failed": checks_patients.refractory,
    "How the knees are": checks_patients.knees,
    "Self-tests": checks_patients.self_tests,
    "Patients against runners free of pain": checks_patients.against_runners,
    "Prognosis": checks_patients.prognosis,
    "Pathways": checks_patients.arms,
    "Who does better with what": checks_patients.responders,
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
    rows = [(part, row) for part, rows in PARTS.items() for row in rows()]
    samples = {row.scenario: Sample(replace(config, scenario=row.scenario)) for _, row in rows}
    return [Finding(part, row, float(row.of(samples[row.scenario]))) for part, row in rows]


__all__ = ["COHORT", "PARTS", "Finding", "Use", "check"]
