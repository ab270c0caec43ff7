"""Simulate a cohort: the observed frames, and the truth apart from them, in chunks of any size.

A cohort has two populations, drawn in one world or in several draws of the evidence. On a cluster each chunk is a part
of its frame, written whole by whoever simulates it; a run that ended early is run again from its start, and writes the
same bytes.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from pfps_ml.batch.workers import ParallelMap
from pfps_ml.core import (
    CohortConfig,
    FactError,
    Message,
    OutputError,
    check_output,
    destination,
    explained,
    write_whole,
    written_whole,
)
from pfps_ml.core.console import cluster_of, say, steps
from pfps_ml.model import dump
from pfps_ml.simulation.cohort import Cohort, simulate_onset, simulate_treatment, solved_parameters
from pfps_ml.workflows.frames import DATA, MADE, OBSERVED, TRUTH, Frames, Home

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
            Message("cohort_of_no_rows", {"runners": config.runners, "patients": config.patients, "draws": draws})
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
            raise OutputError(
                Message("simulated_part_short", {"expected": stop - start, "part": part["part"], "rows": part["rows"]})
            )
        yield part


def _refuse_another(folder: Path, run: dict[str, Any]) -> None:
    for path in (folder / "manifest.json", folder / "run.json"):
        if path.exists():
            written = json.loads(path.read_bytes())
            if written.get("run", written) != run:
                raise OutputError(Message("simulation_of_other_cohort", {"folder": str(folder)}))
            return
    if any(folder.iterdir()):
        raise OutputError(Message("simulation_folder_not_empty", {"folder": str(folder)}))


PATIENT_SHARE = 0.3  # patients for each runner, where their number is not given


def simulate(config: CohortConfig) -> Frames:
    """Simulate both populations of one scenario, in memory.

    Raises
    ------
    FactError
        If a number of rows is not above zero, or the scenario cannot be read.
    """
    check(config, 0)
    onset, treatment = simulate_onset(config), simulate_treatment(config)
    return Frames(onset.observed, treatment.observed, onset.truth, treatment.truth, asdict(config))


def write_cohort(
    config: CohortConfig,
    folder: Path,
    draws: int = 0,
    chunk: int = CHUNK,
    tell: Callable[[str], None] = lambda _step: None,
) -> None:
    """Write the four frames of a cohort, whole or not at all; memory does not grow with the number of rows.

    Parameters
    ----------
    config
        Scenario, seed and numbers of rows.
    draws
        0 for the world at the point values of the evidence alone; K for the same runners in K draws over its
        intervals, too. A row's `draw` says which it is of; 0 is the point values.
    chunk
        Rows at a time; the rows themselves do not depend on it.
    tell
        Told the name of each chunk as it begins.

    Raises
    ------
    FactError
        If a number of rows or draws cannot be, or the scenario cannot be read.
    OutputError
        If the folder cannot be written.
    """
    check(config, draws)
    made = dump({**asdict(config), "draws": draws})
    drafts = {folder / f".{part}.parquet.draft": folder / f"{part}.parquet" for part in (*OBSERVED, *TRUTH)}
    try:
        _prepare(folder, drafts)
        for name, simulator in POPULATIONS:
            rows = config.runners if name == "onset" else config.patients
            _Writer(name, folder, made).write(_chunks(config, simulator, rows, worlds(config, draws), chunk), tell)
        for draft, final in drafts.items():
            draft.replace(final)
    except OSError as error:
        raise OutputError(Message("cohort_not_writable", {"folder": str(folder), "reason": error.strerror})) from error
    finally:
        for draft in drafts:
            with suppress(OSError):  # the folder itself may be what is in the way
                draft.unlink(missing_ok=True)


def chunk_count(config: CohortConfig, draws: int = 0, chunk: int = CHUNK) -> int:
    """Return how many chunks a cohort is written in."""
    return (draws + 1) * (-(-config.runners // chunk) + -(-config.patients // chunk))


def _chunks(
    config: CohortConfig, simulator: Simulator, rows: int, draws: range, chunk: int
) -> Iterator[tuple[str, Cohort]]:
    for draw in draws:
        for start in range(0, rows, chunk):
            stop = min(start + chunk, rows)
            yield f"draw {draw}, rows {start:,} to {stop:,}", simulator(replace(config, draw=draw), start, stop)


def _prepare(folder: Path, drafts: Mapping[Path, Path]) -> None:
    """Make the folder, and refuse what can never be written before anything is simulated."""
    folder.mkdir(parents=True, exist_ok=True)
    for draft, final in drafts.items():
        check_output(final)
        draft.touch()


@dataclass(frozen=True)
class _Writer:
    """Where one population's observed rows and truth go, and what is written beside them."""

    name: str
    folder: Path
    made: bytes

    def write(self, chunks: Iterator[tuple[str, Cohort]], tell: Callable[[str], None]) -> None:
        """Write chunks one after the other."""
        with ExitStack() as stack:
            writers: dict[str, pq.ParquetWriter] = {}
            for step, cohort in chunks:
                tell(f"{self.name}, {step}")
                for part, table in frames_of(self.name, cohort, self.made):
                    if part not in writers:
                        path = self.folder / f".{part}.parquet.draft"
                        writers[part] = stack.enter_context(pq.ParquetWriter(path, table.schema))
                    writers[part].write_table(table)


def main(
    scenario: Annotated[str, typer.Option(help="A scenario: see `pfps scenarios`.")] = CohortConfig.scenario,
    n: Annotated[int, typer.Option("-n", help="Runners.")] = CohortConfig.runners,
    patients: Annotated[int | None, typer.Option(help="Patients; 0.3 n if not given.")] = None,
    seed: Annotated[int, typer.Option(help="The world: the same seed gives the same rows.")] = CohortConfig.seed,
    draws: Annotated[int, typer.Option(help="Draws over the evidence's intervals, beside its point values.")] = 0,
    randomised: Annotated[
        bool, typer.Option("--randomised", help="Draw pathways among those open to a patient.")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", help="Folder; data/synthetic/SCENARIO if not given.")] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="[ADDRESS]", help="Write parts on a Dask cluster, or here.")
    ] = None,
    home: Home = Path(),
) -> None:
    """Simulate a cohort and write its four frames."""
    count = max(min(n, 1), round(PATIENT_SHARE * n)) if patients is None else patients
    config = CohortConfig(scenario=scenario, runners=n, patients=count, seed=seed, randomised=randomised)
    folder = out or home / DATA / scenario
    check(config, draws)
    with steps("simulate", chunk_count(config, draws)) as tell:
        if dask is None:
            write_cohort(config, folder, draws, tell=tell)
        else:
            _write_on_cluster(config, folder, draws, dask, tell)
    worlds = f"at the point values and in {draws} draws" if draws else "at the point values"
    say(f"{n:,} runners and {count:,} patients of scenario {scenario}, {worlds}, in {folder}")


def _write_on_cluster(config: CohortConfig, folder: Path, draws: int, dask: str, tell: Callable[[str], None]) -> None:
    from pfps_ml.batch.rosters import pool_factory

    with pool_factory(None, cluster_of(dask)) as lend:
        write_parts(config, folder, lend, draws, tell=tell)


__all__ = [
    "CHUNK", "FORMAT", "POPULATIONS", "Simulator", "Site", "check", "chunk_count", "frames_of", "main", "simulate",
    "worlds", "write_cohort", "write_part", "write_parts",
]  # fmt: skip
