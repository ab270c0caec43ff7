"""What a cohort is made of: its populations, the worlds that it is drawn in, and its frames as tables."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pfps_ml.cohort.simulate import Cohort, simulate_onset, simulate_treatment
from pfps_ml.cohort.solve import solved_parameters
from pfps_ml.config import CohortConfig
from pfps_ml.errors import FactError
from pipelines.frames import MADE

CHUNK = 250_000  # rows simulated at once: some 500 MB at the peak
Simulator = Callable[[CohortConfig, int, int], Cohort]
POPULATIONS: tuple[tuple[str, Simulator], ...] = (("onset", simulate_onset), ("treatment", simulate_treatment))


def worlds(config: CohortConfig, draws: int) -> range:
    """Return the numbers of the draws that a cohort is written in; 0 is the point values of the evidence."""
    return range(draws + 1) if draws else range(config.draw, config.draw + 1)


def frames_of(name: str, cohort: Cohort, made: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the observed rows and the truth of a population as tables, with the names of their frames."""
    for part, frame in ((name, cohort.observed), (f"truth_{name}", cohort.truth)):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        yield part, table.replace_schema_metadata({**table.schema.metadata, MADE: made})


def check(config: CohortConfig, draws: int) -> None:
    """Refuse a cohort that cannot be, before anything of it is written.

    Raises
    ------
    FactError
        If a number of rows or draws cannot be, or the scenario cannot be read or met.
    """
    # an unknown scenario, and one that no world can meet, is refused before anything is written
    solved_parameters(config.scenario, config.seed, config.draw)
    if config.runners < 1 or config.patients < 1 or draws < 0:
        raise FactError(
            f"expected at least one runner and one patient and no fewer than 0 draws, got {config.runners}, "
            f"{config.patients} and {draws}; set -n, --patients and --draws"
        )


__all__ = ["CHUNK", "POPULATIONS", "Simulator", "check", "frames_of", "worlds"]
