"""Cohorts: the observed frames that learning may see, and the truth that it never reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError
from pfps_ml.domain.dictionary import ARMS, ONSET, SCREENING, SUCCESS, VISIT
from pfps_ml.simulation.calibration import PATIENTS, RUNNERS, solved_parameters
from pfps_ml.simulation.world import World, observe


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
    for column in ONSET.columns:
        observed[column] = world.column(column).astype(int)
    observed["draw"] = config.draw
    truth = observed[["runner_id", "draw"]].assign(true_risk=world.column("true_risk"))
    return Cohort(observed, truth)


def simulate_treatment(
    config: CohortConfig, start: int = 0, stop: int | None = None, do: Mapping[str, Any] | None = None
) -> Cohort:
    """Simulate patients, the pathway that a clinic chose for them, and success at each of its horizons.

    Parameters
    ----------
    config, start, stop
        As for `simulate_onset`.
    do
        Columns set from outside: `do={"arm": "hip"}` gives every patient the hip programme, and moves nothing
        that the arm does not cause; `do={"has_pfps": 0}` gives the self-tests' answers in other knee pain.
    """
    if (do or {}).get("arm", ARMS[0].name) not in [arm.name for arm in ARMS]:
        raise FactError(f"expected an arm ({', '.join(arm.name for arm in ARMS)}) in `do`, got another one")
    world = _world(config, "patient", start, config.patients if stop is None else stop, do or {})
    observed = _identified(world, "P").join(observe(world, (*SCREENING, *VISIT)))
    observed["arm"] = world.column("arm")
    for column in SUCCESS.columns:
        observed[column] = world.column(column).astype(int)
    observed["draw"] = config.draw
    chances = world.column("success_probability")
    truth = observed[["runner_id", "draw"]].assign(**{f"p_{arm.name}": chances[:, i] for i, arm in enumerate(ARMS)})
    return Cohort(observed, truth)


def _identified(world: World, letter: str) -> pd.DataFrame:
    rows = np.arange(world.start, world.stop)
    clubs = rows // world.rows_per_club
    return pd.DataFrame(
        {
            "runner_id": pd.Series([f"{letter}{row:08d}" for row in rows], dtype="str"),
            "club": pd.Series([f"club-{club:05d}" for club in clubs], dtype="str"),
        }
    )


def _world(config: CohortConfig, population: str, start: int, stop: int, do: Mapping[str, Any]) -> World:
    runner, patient = solved_parameters(config.scenario, config.seed, config.draw)
    if population == "patient":
        p = SimpleNamespace(**vars(patient), randomised=config.randomised)
        return World(config.seed, population, start, stop, p, config.patients_per_club, PATIENTS, do)
    return World(config.seed, population, start, stop, runner, config.runners_per_club, RUNNERS, do)


__all__ = ["Cohort", "simulate_onset", "simulate_treatment"]
