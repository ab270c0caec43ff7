"""A cohort of any size on a cluster: each chunk is a part of its frame, written whole by whoever simulates it.

What a cohort is made of: its populations, the worlds that it is drawn in, and its frames as tables.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.batch.workers import ParallelMap
from pfps_ml.core.atomic_output import destination, explained, write_whole, written_whole
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError, OutputError
from pfps_ml.model.bundle import dump
from pfps_ml.simulation.calibration import solved_parameters
from pfps_ml.simulation.frames import Cohort, simulate_onset, simulate_treatment
from pfps_ml.workflows.frames import MADE

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


FORMAT = "pfps-cohort/1"


@dataclass(frozen=True)
class Site:
    """Where a cohort is written, and what it is."""

    config: CohortConfig
    folder: Path
    made: bytes


def write_parts(
    config: CohortConfig,
    folder: Path,
    lend: Callable[[Any], Any],
    draws: int = 0,
    chunk: int = CHUNK,
    tell: Callable[[str], None] = lambda _step: None,
) -> None:
    """Write the four frames of a cohort as folders of parts; their rows are those of `write_cohort`, in its order.

    Parameters
    ----------
    config, draws, chunk, tell
        As for `write_cohort`.
    folder
        Where `onset.parquet/` and the others go, and `manifest.json` with the rows of every part.
    lend
        Lends workers; see `pfps_ml.batch.workers.working`.

    Raises
    ------
    FactError
        If a number of rows or draws cannot be, or the scenario cannot be read.
    OutputError
        If the folder holds another cohort, or cannot be written.
    """
    check(config, draws)
    made = dump({**asdict(config), "draws": draws})
    run, site = {"cohort": json.loads(made), "chunk": chunk}, Site(config, destination(folder), made)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_another(folder, run)
        (folder / "run.json").write_bytes(dump(run))
        for name, _ in POPULATIONS:
            for frame in (name, f"truth_{name}"):
                (folder / f"{frame}.parquet").mkdir(exist_ok=True)
        with lend(site) as parallel_map:
            parts = list(_written(parallel_map, list(_listed(config, draws, chunk)), tell))
        write_whole(folder / "manifest.json", dump({"format": FORMAT, "run": run, "parts": parts}))
        (folder / "run.json").unlink()


def write_part(site: Site, name: str, number: int, draw: int, rows: tuple[int, int]) -> dict[str, Any]:
    """Simulate one chunk, write it and the truth of it, and return how many rows it is."""
    simulator = dict(POPULATIONS)[name]
    cohort = simulator(replace(site.config, draw=draw), *rows)
    for frame, table in frames_of(name, cohort, site.made):
        with written_whole(site.folder / f"{frame}.parquet" / f"part-{number:06d}.parquet") as file:
            pq.write_table(table, file)
    return {"frame": name, "part": number, "draw": draw, "rows": len(cohort.observed)}


def _listed(config: CohortConfig, draws: int, chunk: int) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    for name, _ in POPULATIONS:
        rows, number = config.runners if name == "onset" else config.patients, 0
        for draw in worlds(config, draws):
            for start in range(0, rows, chunk):
                yield name, number, draw, (start, min(start + chunk, rows))
                number += 1


def _written(parallel_map: ParallelMap, items: list[Any], tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for item, part in zip(items, parallel_map(write_part, items), strict=True):
        start, stop = item[3]
        tell(f"{part['frame']}, draw {part['draw']}, rows {start:,} to {stop:,}")
        if part["rows"] != stop - start:
            raise OutputError(f"expected {stop - start} rows of part {part['part']}, got {part['rows']}.")
        yield part


def _refuse_another(folder: Path, run: dict[str, Any]) -> None:
    for path in (folder / "manifest.json", folder / "run.json"):
        if path.exists():
            told = json.loads(path.read_bytes())
            if told.get("run", told) != run:
                raise OutputError(f"expected a new folder, got one with another cohort's manifest: {folder}.")
            return
    if any(folder.iterdir()):
        raise OutputError(f"expected a new or empty folder, got one with something in it: {folder}. Name another.")


__all__ = [
    "CHUNK", "FORMAT", "POPULATIONS", "Simulator", "Site", "check", "frames_of", "worlds", "write_part", "write_parts",
]  # fmt: skip
