"""Simulate a cohort: the observed frames, and the truth apart from them, in chunks of any size."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer

from pfps_ml.core.atomic_output import check_output
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.console import cluster_of, say, steps
from pfps_ml.core.errors import OutputError
from pfps_ml.model.bundle import dump
from pfps_ml.simulation.frames import Cohort, simulate_onset, simulate_treatment
from pfps_ml.workflows.chunked_simulation import CHUNK, POPULATIONS, Simulator, check, frames_of, worlds
from pfps_ml.workflows.frames import DATA, OBSERVED, TRUTH, Frames

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
        raise OutputError(
            f"expected to write a cohort into {folder}, but it cannot be written ({error.strerror}); choose another"
        ) from error
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
) -> None:
    """Simulate a cohort and write its four frames."""
    count = max(min(n, 1), round(PATIENT_SHARE * n)) if patients is None else patients
    config = CohortConfig(scenario=scenario, runners=n, patients=count, seed=seed, randomised=randomised)
    folder = out or DATA / scenario
    check(config, draws)
    with steps("simulate", chunk_count(config, draws)) as tell:
        if dask is None:
            write_cohort(config, folder, draws, tell=tell)
        else:
            _write_on_cluster(config, folder, draws, dask, tell)
    worlds = f"at the point values and in {draws} draws" if draws else "at the point values"
    say(f"{n:,} runners and {count:,} patients of scenario {scenario}, {worlds}, in {folder}")


def _write_on_cluster(config: CohortConfig, folder: Path, draws: int, dask: str, tell: Callable[[str], None]) -> None:
    from pfps_ml.batch.datasets import pool_factory
    from pfps_ml.workflows.chunked_simulation import write_parts

    with pool_factory(None, cluster_of(dask)) as lend:
        write_parts(config, folder, lend, draws, tell=tell)


__all__ = ["chunk_count", "main", "simulate", "write_cohort"]
