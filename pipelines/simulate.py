"""Simulate a cohort: the observed frames, and the truth apart from them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pfps_ml.cohort.simulate import simulate_onset, simulate_treatment
from pfps_ml.config import CohortConfig
from pfps_ml.errors import FactError
from pipelines.console import command, say
from pipelines.frames import DATA, Frames, write_frames

PATIENT_SHARE = 0.3  # patients for each runner, where their number is not given


def simulate(config: CohortConfig) -> Frames:
    """Simulate both populations of one scenario.

    Raises
    ------
    FactError
        If a number of rows is not above zero, or the scenario cannot be read.
    """
    if config.runners < 1 or config.patients < 1:
        raise FactError(
            f"expected at least one runner and one patient, got {config.runners} and {config.patients}; set -n above 0"
        )
    onset, treatment = simulate_onset(config), simulate_treatment(config)
    return Frames(onset.observed, treatment.observed, onset.truth, treatment.truth)


def main(
    scenario: Annotated[str, typer.Option(help="A scenario of knowledge/scenarios.")] = "reference",
    n: Annotated[int, typer.Option("-n", help="Runners.")] = CohortConfig.runners,
    patients: Annotated[int | None, typer.Option(help="Patients; 0.3 n if not given.")] = None,
    seed: Annotated[int, typer.Option(help="The world: the same seed gives the same rows.")] = CohortConfig.seed,
    out: Annotated[Path | None, typer.Option("-o", help="Folder; data/synthetic/SCENARIO if not given.")] = None,
) -> None:
    """Simulate a cohort and write its four frames."""
    count = round(PATIENT_SHARE * n) if patients is None else patients
    config = replace(CohortConfig(), scenario=scenario, runners=n, patients=count, seed=seed)
    folder = out or DATA / scenario
    write_frames(folder, simulate(config))
    say(f"{n:,} runners and {count:,} patients of scenario {scenario} in {folder}")


if __name__ == "__main__":
    command(main)

__all__ = ["simulate"]
