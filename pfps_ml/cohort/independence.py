"""Which held-out figures are independent: not given away by another figure of the study that they come from.

A parameter that was set from one figure of a study can bring another figure of the same people back. So the parameters
that cite a held-out figure's study are moved over their intervals, all together, and whoever moves with them is tied.
Moved and unmoved worlds have the same runners and uniforms, so that a difference is the parameters' alone.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pfps_ml.cohort.figures import Sample
from pfps_ml.cohort.targets import Row
from pfps_ml.config import CohortConfig
from pfps_ml.knowledge.evidence import studies_of
from pfps_ml.knowledge.parameter import Parameter
from pfps_ml.knowledge.scenario import PARTS, Scenario, load_scenario

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
    moves
        How far the figure goes when they go to either end of their intervals, as a share of what is accepted.
    """

    parameters: frozenset[str]
    moves: float

    @property
    def tied(self) -> bool:
        """Whether the study's other figures give this one away."""
        return not self.moves <= TIED


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


__all__ = ["SMALL", "STEP", "TIED", "Kin", "kin"]
