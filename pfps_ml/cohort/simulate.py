"""Cohorts: the observed frames that learning may see, and the truth that it never reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from pfps_ml.cohort import equipment, patients, runners
from pfps_ml.cohort.measurement import observe
from pfps_ml.cohort.world import World, mechanisms
from pfps_ml.config import CohortConfig
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, ONSET, SCREENING, SUCCESS, VISIT
from pfps_ml.knowledge.evidence import Scenario, load_scenario

_SOLVE_ROWS, _SOLVE_SEED = 40_000, 0  # the rows on which intercepts are solved: the same for every cohort
_RUNNERS = mechanisms([equipment, runners])
_PATIENTS = mechanisms([equipment, runners, patients])


@dataclass(frozen=True)
class Cohort:
    """Observed rows and, apart from them, the truth: the same rows in the same order."""

    observed: pd.DataFrame
    truth: pd.DataFrame


def simulate_onset(config: CohortConfig, start: int = 0, stop: int | None = None, season: int = 0) -> Cohort:
    """Simulate runners free of knee pain and whether runner's knee begins within 12 months.

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
    observed[ONSET.name] = world.column("pfps_onset_12m").astype(int)
    observed["draw"] = 0
    truth = observed[["runner_id"]].assign(true_risk=world.column("true_risk"))
    return Cohort(observed, truth)


def simulate_treatment(
    config: CohortConfig, start: int = 0, stop: int | None = None, do: Mapping[str, Any] | None = None
) -> Cohort:
    """Simulate patients, the pathway that a clinic chose for them, and success at 12 weeks.

    Parameters
    ----------
    config, start, stop
        As for `simulate_onset`.
    do
        Columns set from outside: `do={"arm": "hip"}` gives every patient the hip programme, and moves nothing
        that the arm does not cause.
    """
    world = _world(config, "patient", start, config.patients if stop is None else stop, do or {})
    observed = _identified(world, "P").join(observe(world, (*SCREENING, *VISIT)))
    observed["arm"] = world.column("arm")
    observed[SUCCESS.name] = world.column("success_12w").astype(int)
    observed["draw"] = 0
    chances = world.column("success_probability")
    truth = observed[["runner_id"]].assign(**{f"p_{arm.name}": chances[:, i] for i, arm in enumerate(ARMS)})
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
    solved = solved_parameters(config.scenario)
    if population == "patient":
        p, size = solved["patient"], config.patients_per_club
        return World(config.seed, population, start, stop, p, size, _PATIENTS, do)
    return World(config.seed, population, start, stop, solved["runner"], config.runners_per_club, _RUNNERS, do)


@cache
def solved_parameters(scenario: str) -> dict[str, SimpleNamespace]:
    """Return the parameters of both populations, with the intercepts that give the scenario's marginal figures."""
    return _solve(load_scenario(scenario))


def _solve(scenario: Scenario) -> dict[str, SimpleNamespace]:
    shared = {name: parameter.value for name, parameter in scenario.runners.items()}
    runner = SimpleNamespace(**shared)
    patient = SimpleNamespace(**shared | {name: parameter.value for name, parameter in scenario.patients.items()})
    runner.onset_intercept = _root(_onset_gap(runner))
    patient.onset_intercept = runner.onset_intercept
    _solve_success(patient)
    return {"runner": runner, "patient": patient}


def _onset_gap(p: SimpleNamespace) -> Callable[[float], float]:
    hazard = World(_SOLVE_SEED, "runner", 0, _SOLVE_ROWS, p, 1, _RUNNERS).column("onset_log_hazard")

    def gap(intercept: float) -> float:
        risk = runners.true_risk(hazard, SimpleNamespace(onset_intercept=intercept))
        return float(risk.mean() - p.onset_base_rate)

    return gap


def _solve_success(p: SimpleNamespace) -> None:
    """Solve the arms' marginal success; an injection's effect is given as log odds, for the refractory alone."""
    world = World(_SOLVE_SEED, "patient", 0, _SOLVE_ROWS, p, 1, _PATIENTS)
    usual, added = world.column("prognosis"), world.column("modifiers")
    p.success_intercept = _root(lambda x: float(expit(x + usual).mean() - p.success_usual_care))
    usual = usual + p.success_intercept
    hip, orthotic = added[:, ACTIVE_ARMS.index("hip")], added[:, ACTIVE_ARMS.index("orthotic")]
    p.hip_log_odds = _root(lambda x: float(expit(x + usual + hip).mean() - p.success_hip))
    p.orthotic_log_odds = _root(lambda x: float(expit(x + usual + orthotic).mean() - p.success_orthotic))


def _root(gap: Callable[[float], float]) -> float:
    return float(brentq(gap, -20, 20, xtol=1e-12))


__all__ = ["Cohort", "simulate_onset", "simulate_treatment", "solved_parameters"]
