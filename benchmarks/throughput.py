"""What the whole command costs: `pfps score` on a million rows, beside what Arrow takes to read and write the files.

`python -m benchmarks.throughput` (`--quick`: one run of each, and no ten million rows).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from math import isnan, nan
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import typer

from pfps_ml.core import CohortConfig
from pfps_ml.core.console import command, say, table
from pfps_ml.simulation.cohort import simulate_onset

MILLION = 1_000_000
WORKERS = 2
RUNS = 5
BARS = {".parquet": 150_000, ".csv": 60_000}  # rows per second
TIMES, MEMORY = 4, 1_000  # times Arrow's own reading and writing; MB
_CHUNK = 100_000
_ARROW = """
import sys, time
import pyarrow as pa, pyarrow.csv as pacsv, pyarrow.parquet as pq
pa.set_cpu_count({workers})
source, scored, out = sys.argv[1:]
read = (lambda path: pq.read_table(path)) if source.endswith("t") else (lambda path: pacsv.read_csv(path))
write = pq.write_table if source.endswith("t") else pacsv.write_csv
begun = time.perf_counter()
read(source)
took = time.perf_counter() - begun
content = read(scored)  # what is written is the answer, which is there before the clock goes on
begun = time.perf_counter()
write(content, out)
print(took + time.perf_counter() - begun)
"""


@dataclass(frozen=True)
class Cost:
    """What one kind of file costs: medians over some runs.

    Attributes
    ----------
    seconds, arrow
        Of the whole command, start included, and of Arrow's reading of the input and writing of the output.
    peak_mb
        Memory of all processes of the command together, each shared page counted once, at its highest.
    """

    kind: str
    rows: int
    seconds: float
    arrow: float
    peak_mb: float

    @property
    def speed(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


def throughput(folder: Path, rows: int = MILLION, runs: int = RUNS, workers: int = WORKERS) -> Iterator[Cost]:
    """Yield what scoring a roster of onset fields costs, Parquet to Parquet and CSV to CSV.

    Parameters
    ----------
    folder
        Where the files go: some 700 MB for a million rows.
    rows, runs, workers
        Of the roster, for each median, and processes.
    """
    for kind in BARS:
        source, out = folder / f"roster{kind}", folder / f"scored{kind}"
        _make(source, rows)
        peak = _command(source, out, workers, watched=True)[1]  # watching costs time, so a run of its own
        times, arrow = [], []
        for _ in range(runs):
            times.append(_command(source, out, workers)[0])
            arrow.append(_arrow(source, out, workers) if rows <= MILLION else nan)  # it needs ten times the memory
        yield Cost(kind, rows, statistics.median(times), statistics.median(arrow), peak)
        for path in (source, out):
            path.unlink()


def _make(source: Path, rows: int) -> None:
    """Write a roster of simulated runners, as much of it at a time as fits."""
    config, writer = CohortConfig(), None
    for start in range(0, rows, _CHUNK):
        frame = simulate_onset(config, start, min(start + _CHUNK, rows)).observed
        content = pa.Table.from_pandas(frame, preserve_index=False)
        if writer is None:
            kinds = {".parquet": pq.ParquetWriter, ".csv": pacsv.CSVWriter}
            writer = kinds[source.suffix](source, content.schema)
        writer.write_table(content)
    if writer:
        writer.close()


def _command(source: Path, out: Path, workers: int, watched: bool = False) -> tuple[float, float]:
    """Return the seconds and, if it is watched, the peak memory (MB) of the command on a roster."""
    arguments = ["score", str(source), "-o", str(out), "--workers", str(workers)]
    begun, peaks = time.perf_counter(), [0.0]
    running = subprocess.Popen(  # noqa: S603 (our own command, our own arguments)
        [sys.executable, "-c", "from pfps_ml.cli.main import main; main()", *arguments],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while watched and running.poll() is None:
        peaks.append(sum(_proportional(each) for each in _family(running.pid)) / 1024)
        time.sleep(0.05)
    if ended := running.wait():
        raise RuntimeError(f"the command ended with {ended}")
    return time.perf_counter() - begun, max(peaks)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _proportional(pid: int) -> int:
    """Return the memory of a process in kB, with its part of what it shares; 0 once it has ended."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        return int(told.split("\nPss:")[1].split()[0])
    except (OSError, IndexError):
        return 0


def _arrow(source: Path, out: Path, workers: int) -> float:
    code = _ARROW.format(workers=workers)
    arguments = [str(source), str(out), str(out.with_suffix(f".again{out.suffix}"))]
    done = subprocess.run(  # noqa: S603 (our own code, our own arguments)
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    Path(arguments[2]).unlink()
    return float(done.stdout)


def show(costs: list[Cost]) -> None:
    """Print the figures beside their bars."""
    header = ("", "rows", "time", "rows/s", "Arrow alone", "times", "peak")
    rows = (
        (
            cost.kind, f"{cost.rows:,}", f"{cost.seconds:.1f} s", f"{cost.speed:,.0f} ({BARS[cost.kind]:,})",
            *_beside(cost), f"{cost.peak_mb:.0f} MB ({MEMORY:,})",
        )
        for cost in costs
    )  # fmt: skip
    table(f"pfps score, {WORKERS} workers, start included; (bar); pyarrow {version('pyarrow')}", header, rows)


def _beside(cost: Cost) -> tuple[str, str]:
    return ("", "") if isnan(cost.arrow) else (f"{cost.arrow:.2f} s", f"{cost.seconds / cost.arrow:.1f} ({TIMES})")


def main(
    quick: Annotated[bool, typer.Option("--quick", help="One run of each, and a million rows only.")] = False,
) -> None:
    """Measure the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        show(list(throughput(Path(folder), runs=1 if quick else RUNS)))
        if not quick:
            show(list(throughput(Path(folder), 10 * MILLION, runs=1)))
    say("Memory: the highest sum over all processes, each shared page counted once.")


if __name__ == "__main__":
    command(main)

__all__ = ["Cost", "show", "throughput"]
