"""How near each candidate comes to the truth, in worlds where it is known: `make bench-skill`.

Every repeat is a world of its own: n runners (or patients) in 40 clubs train, and 20,000 fresh rows of fresh clubs of
that world judge (10,000 patients). LightGBM is tuned once for a scenario and n, on a world that no repeat uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.core import FactError
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.evaluation.comparison import EXCESS, ONSET_LABELS, PATHWAY_LABELS, compare
from pfps_ml.training.candidates import OURS, TRIALS, check_libraries, tune
from pfps_ml.workflows.compare import Job, Outcome, cohort_of, each, entrants, judge, round_of
from pfps_ml.workflows.frames import OUT

SCENARIOS = {"onset": ("reference", "pooled", "kinetic_chain"), "pathways": ("kinetic_chain", "reference")}
SIZES = {"onset": (1_000, 5_000, 20_000), "pathways": (1_000, 3_000, 10_000)}
FRESH = {"onset": 20_000, "pathways": 10_000}
REPEATS, REPEATS_AT_MOST_ROWS, SLOW_REPEATS = 10, 5, 2
SLOW = ("ebm", "forest", "lightgbm_tuned")  # in 2 repeats at 20,000
QUICK = 2
SEED = 71_000  # of the first repeat; tuning has the one before it
LIBRARIES = ("scikit-learn", "lightgbm", "interpret-core", "econml", "optuna", "numpy")
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class Cell:
    """One task in one scenario at one n."""

    task: str
    scenario: str
    n: int

    @property
    def name(self) -> str:
        """The name by which `--only` takes it."""
        return f"{self.task}/{self.scenario}/{self.n}"

    def repeats(self, candidate: str, wanted: int | None) -> int:
        """Return in how many worlds a candidate takes part."""
        usual = REPEATS_AT_MOST_ROWS if self.n == _MOST_ROWS else REPEATS
        count = usual if wanted is None else wanted
        return min(count, SLOW_REPEATS) if self.n == _MOST_ROWS and candidate in SLOW else count

    def jobs(self, candidates: Sequence[str], wanted: int | None, settings: dict[str, Any] | None) -> list[Job]:
        """Return what is to be done, world by world."""
        jobs = []
        for number in range(max(self.repeats(name, wanted) for name in candidates)):
            cohort = cohort_of(self.scenario, self.n, SEED + number)
            jobs += [Job(self.task, name, cohort, number, FRESH[self.task], settings=settings)
                     for name in candidates if number < self.repeats(name, wanted)]  # fmt: skip
        return jobs


CELLS = tuple(Cell(task, scenario, n) for task in SCENARIOS for scenario in SCENARIOS[task] for n in SIZES[task])


def tuned(cell: Cell) -> dict[str, Any]:
    """Return LightGBM's settings for a cell, from a world of its own."""
    found = round_of(cell.task, cohort_of(cell.scenario, cell.n, SEED - 1), FRESH[cell.task])
    return tune(found.trained.X, found.trained.y, found.fold, TRIALS)


def figures_of(cell: Cell, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return what `compare` says of a cell, with seconds to fit and predict."""
    labels = ONSET_LABELS if cell.task == "onset" else PATHWAY_LABELS
    found = compare([outcome.judged for outcome in outcomes], OURS, labels)
    times = pd.DataFrame(
        [(o.judged.candidate, o.fit_seconds, o.predict_seconds, o.judged.figures.get("calibration_slope"))
         for o in outcomes], columns=["candidate", "fit_seconds", "predict_seconds", "slope"],
    ).groupby("candidate")  # fmt: skip
    seconds = times[["fit_seconds", "predict_seconds"]].mean().assign(slope_sd=times["slope"].std())
    return found.merge(seconds, left_on="candidate", right_index=True).assign(cell=cell.name)


def show_onset(cell: Cell, found: pd.DataFrame) -> None:
    """Print a cell of onset."""
    excess, slope, auroc = (_of(found, name) for name in (EXCESS, "calibration_slope", "auroc"))
    rows = [
        (name, r.rounds, f"{1000 * r.value:.2f}", f"{_ratio(r):.2f}", _interval(r, 1000),
         f"{slope.value[name]:.2f} ({slope.slope_sd[name]:.2f})", f"{auroc.value[name]:.3f}", f"{r.fit_seconds:.1f}")
        for name, r in excess.sort_values("value").iterrows()
    ]  # fmt: skip
    header = ("candidate", "worlds", "excess log loss, 1/1000", "ours / it", "it less ours (95 %)",
              "slope (SD)", "AUROC", "fit, s")  # fmt: skip
    table(cell.name, header, rows)


def show_pathways(cell: Cell, found: pd.DataFrame) -> None:
    """Print a cell of pathways."""
    share, error = _of(found, "policy_share"), _of(found, "pehe")
    rows = [
        (name, r.rounds, f"{r.value:.3f}", _interval(r), f"{error.value[name]:.4f}", _interval(error.loc[name]),
         f"{r.fit_seconds:.1f}")
        for name, r in share.sort_values("value", ascending=False).iterrows()
    ]  # fmt: skip
    header = ("candidate", "worlds", "policy share", "it less ours (95 %)", "PEHE", "it less ours (95 %)", "fit, s")
    table(cell.name, header, rows)


def verdict(cell: Cell, found: pd.DataFrame) -> tuple[str, ...]:
    """Return a cell's line of the summary: ours, the best peer on the same worlds, and how they stand."""
    return _onset_verdict(cell, found) if cell.task == "onset" else _pathway_verdict(cell, found)


def _onset_verdict(cell: Cell, found: pd.DataFrame) -> tuple[str, ...]:
    rows, slope = _of(found, EXCESS), _of(found, "calibration_slope")
    peers = rows.drop(index=OURS)
    best = peers.loc[peers["difference"].idxmin()]
    behind = [name for name in ("prevalence", "ridge") if name in peers.index and peers.difference[name] <= 0]
    told = [
        f"ours / it {_ratio(best):.2f}",
        f"within the paired interval: {_yes(not best.difference_high < 0)}",
        f"lowest: {_yes(best.difference > 0)}",
        f"not below: {' and '.join(behind) or 'none of prevalence, ridge'}",
        f"slope {slope.value[OURS]:.2f} (SD {slope.slope_sd[OURS]:.2f})",
    ]
    return cell.name, f"{1000 * rows.value[OURS]:.2f}", f"{best.name} {1000 * best.value:.2f}", "; ".join(told)


def _pathway_verdict(cell: Cell, found: pd.DataFrame) -> tuple[str, ...]:
    share, error = _of(found, "policy_share"), _of(found, "pehe").drop(index=OURS)
    peers = share.drop(index=OURS)
    best, nearest = peers["difference"].idxmax(), error["difference"].idxmin()
    told = [
        f"above every peer: {_yes(peers.difference[best] < 0)}",
        f"lowest PEHE: {_yes(error.difference[nearest] > 0)} (next {nearest})",
    ]
    if "one_effect" in peers.index:
        told.append(f"not below one effect for all: {_yes(peers.difference['one_effect'] <= 0)}")
    return cell.name, f"{share.value[OURS]:.3f}", f"{best} {share.value[best]:.3f}", "; ".join(told)


def cells_of(only: Sequence[str]) -> list[Cell]:
    """Return the cells that were asked for, by name or by the parts that a name begins with.

    Raises
    ------
    FactError
        If none does.
    """
    found = [cell for cell in CELLS if not only or any(f"{cell.name}/".startswith(f"{wanted}/") for wanted in only)]
    if not found:
        raise FactError(f"expected --only to begin one of {', '.join(cell.name for cell in CELLS)}; got {only}")
    return found


def main(
    only: Annotated[list[str] | None, typer.Option(help="Cells, or how they begin: onset/reference/1000.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Worlds in each cell.")] = None,
    among: Annotated[str | None, typer.Option(help="Candidates beside ours, by name, with commas.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK} worlds a cell; the largest n left out.")] = False,
) -> None:
    """Compare all candidates in worlds where the truth is known."""
    cells = [cell for cell in cells_of(only or []) if not quick or cell.n <= SIZES[cell.task][1]]
    wanted = QUICK if quick and repeats is None else repeats
    names = {task: _among(task, among) for task in SCENARIOS}
    settings = dict(_tuned([cell for cell in cells if "lightgbm_tuned" in names[cell.task]], workers))
    jobs = {cell: cell.jobs(names[cell.task], wanted, settings.get(cell)) for cell in cells}
    with steps("bench-skill", sum(map(len, jobs.values()))) as tell:
        queue = [job for cell in cells for job in jobs[cell]]
        done = iter(each(judge, queue, workers, lambda job: tell(_told(job))))
        found = {cell: figures_of(cell, [next(done) for _ in jobs[cell]]) for cell in cells}
    for cell in cells:
        (show_onset if cell.task == "onset" else show_pathways)(cell, found[cell])
    table("Ours and the best peer", ("cell", "ours", "best peer", "what is asked"),
          [verdict(cell, found[cell]) for cell in cells])  # fmt: skip
    say(f"Versions: {versions()}")
    OUT.mkdir(exist_ok=True)
    pd.concat(found.values()).to_csv(OUT / "skill.csv", index=False)
    say(f"Every figure with its interval: {OUT / 'skill.csv'}")


def versions() -> str:
    """Return the versions of the libraries that the figures rest on."""
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


def _among(task: str, among: str | None) -> list[str]:
    table = entrants(task)
    names = list(table) if among is None else [OURS, *(n for n in among.split(",") if n in table and n != OURS)]
    check_libraries(table[name] for name in names)
    return names


def _tuned(cells: list[Cell], workers: int) -> list[tuple[Cell, dict[str, Any]]]:
    if not cells:
        return []
    with steps("tuning LightGBM", len(cells)) as tell:
        found = list(each(tuned, cells, workers, lambda cell: tell(cell.name)))
    return list(zip(cells, found, strict=True))


def _told(job: Job) -> str:
    return f"{job.task} {job.cohort.scenario} {job.cohort.runners:,}, world {job.number + 1}, {job.candidate}"


def _of(found: pd.DataFrame, metric: str) -> pd.DataFrame:
    return found[found["metric"] == metric].set_index("candidate")


def _ratio(row: Any) -> float:
    """Return ours over it, on the worlds that both were in."""
    return float((row.value - row.difference) / row.value)


def _interval(row: Any, unit: float = 1.0) -> str:
    digits = 2 if unit > 1 else 3
    low, high = unit * row.difference_low, unit * row.difference_high
    return f"{unit * row.difference:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def _yes(holds: bool) -> str:
    return "yes" if holds else "NO"


if __name__ == "__main__":
    command(main)

__all__ = [
    "CELLS",
    "SEED",
    "Cell",
    "cells_of",
    "figures_of",
    "show_onset",
    "show_pathways",
    "tuned",
    "verdict",
    "versions",
]
