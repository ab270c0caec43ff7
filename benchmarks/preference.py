"""How often a pathway is preferred where none is better for anybody, and how good preferences are: `make bench-null`.

Every seed is a world of its own: patients of 40 clubs train, with the gate, and 5,000 fresh patients of fresh clubs of
that world are told which pathways stay acceptable. No evidence draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.skill import SEED, versions
from pfps_ml.core import FactError, PathwayConfig, ProductConfig
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import ARMS
from pfps_ml.evaluation.comparison import t_interval
from pfps_ml.evaluation.policy import preference_table
from pfps_ml.model import Predictor, Preferences, eligibility, preferences
from pfps_ml.training.candidates import quiet
from pfps_ml.training.pathways import PathwayModel
from pfps_ml.workflows.compare import cohort_of, each, round_of
from pfps_ml.workflows.train import interval

NULLS, RESPONDERS = ("null", "null_large"), "kinetic_chain"
PATIENTS = {"null": 6_000, "null_large": 6_000, RESPONDERS: 10_000}
WORLDS = {"null": 100, "null_large": 100, RESPONDERS: 5}
QUICK = 4
FRESH = 5_000
_NAMES = [arm.name for arm in ARMS]


@dataclass(frozen=True)
class World:
    """One seed of one scenario."""

    scenario: str
    seed: int


def decided(world: World) -> pd.DataFrame:
    """Return what `preference_table` says of a world's fresh patients, and whether the gate was passed."""
    found = round_of("pathways", cohort_of(world.scenario, PATIENTS[world.scenario], world.seed), FRESH)
    rows, X = found.trained, found.judging.X
    with quiet():
        model = PathwayModel().fit(rows.X, rows.arm, rows.y, rows.club, found.fold)
        may, chance = eligibility(X), model.propensity_.predict(X)
        told = preferred(model, X, may)
    acceptable = pd.DataFrame(told.acceptable.T, columns=_NAMES)
    names = np.array([*_NAMES, "none"], dtype=object)[told.preferred]
    judged = preference_table(acceptable, names, may, chance, found.judging.truth)
    return judged.assign(scenario=world.scenario, seed=world.seed, gate=model.gate_.passed)


def preferred(model: PathwayModel, X: pd.DataFrame, may: pd.DataFrame) -> Preferences:
    """Return what the product would say of patients: the same predictor, and the same rule."""
    span = interval(ProductConfig.level, model.draws_, PathwayConfig.posterior_draws)
    # only pathways are asked for: the place of the onset model holds another one, which is never read
    predictor = Predictor(model.prognosis_, None, model.prognosis_, model.modifiers_, span, span, model.gate_)
    return preferences(predictor.compared(X)[2], may[_NAMES].to_numpy(bool).T, model.gate_)


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Scenarios: {', '.join(WORLDS)}.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Worlds of each scenario.", min=1)] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK} worlds of each.")] = False,
) -> None:
    """Count preferences where no pathway is better than another for anybody, and judge them where some are."""
    if odd := [name for name in only or () if name not in WORLDS]:
        raise FactError(f"expected scenarios among {', '.join(WORLDS)}, got {', '.join(odd)}; set --only")
    counts = {name: (QUICK if quick else WORLDS[name]) if seeds is None else seeds for name in only or WORLDS}
    worlds = [World(name, SEED + number) for name, count in counts.items() for number in range(count)]
    with steps("bench-null", len(worlds)) as tell:
        parts = each(decided, worlds, workers, lambda world: tell(f"{world.scenario}, seed {world.seed}"))
        found = pd.concat(list(parts), ignore_index=True)
    show(found)
    say(f"Versions: {versions()}")


def show(found: pd.DataFrame) -> None:
    """Print the table of the nulls, and that of the strong responders."""
    whole = found[found["patients"] == found["patients"].iloc[0]]
    rows = [(name, len(own), f"{own['gate'].mean():.0%}", _share(own["named"]), f"{PATIENTS[name]:,}")
            for name, own in whole.groupby("scenario", sort=False) if name in NULLS]  # fmt: skip
    if rows:
        header = ("scenario", "worlds", "gate passed", "patients with a preference (95 %)", "n")
        table("Where no arm is better for one patient than for another", header, rows)
    strong = found[found["scenario"] == RESPONDERS]
    lines = [(part, _share(own["best_kept"]), _share(own["kept"]), _share(own["named"]), _share(own["right"]))
             for part, own in strong.groupby("patients", sort=False)]  # fmt: skip
    if lines:
        header = (
            "patients",
            "best arm is acceptable",
            "share of arms acceptable",
            "preference named",
            "of these, right",
        )
        title = f"{RESPONDERS}, n = {PATIENTS[RESPONDERS]:,}: {strong['seed'].nunique()} worlds"
        table(f"{title}, gate passed in {strong['gate'].mean():.0%}", header, lines)


def _share(values: Sequence[float]) -> str:
    mean, low, high = t_interval(pd.Series(values).dropna())
    if pd.isna(mean):
        return "none"
    return f"{mean:.1%}" + ("" if pd.isna(low) else f" ({max(low, 0):.1%} to {min(high, 1):.1%})")


if __name__ == "__main__":
    command(main)

__all__ = ["NULLS", "RESPONDERS", "World", "decided", "preferred", "show"]
