"""Compare all candidates on the same splits, with intervals on the differences from ours, and log it to MLflow.

`python -m pipelines.compare onset --scenario reference -n 5000 --repeats 5 --candidate mine:factory`. Each repeat is a
world of its own: clubs of it are held out, every candidate is fitted on the others.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from pfps_ml import __version__
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.console import say, steps, table
from pfps_ml.core.errors import FactError
from pfps_ml.core.numbers import csv_text
from pfps_ml.core.records import Artifact, Child, Metric, Param, Record, Tag
from pfps_ml.domain.dictionary import ONSET, SUCCESS
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.comparison import ONSET_LABELS, PATHWAY_LABELS, Comparison, compare
from pfps_ml.training.candidates import OURS, Entrant, check_libraries
from pfps_ml.workflows.comparison_jobs import (
    CLUBS,
    EXPERIMENT,
    HEADER,
    TABLE,
    TAG,
    Job,
    Outcome,
    cohort_of,
    each,
    entrants,
    judge,
    lines,
    told,
)
from pfps_ml.workflows.frames import OUT
from pfps_ml.workflows.tracking import expect_store, track
from pfps_ml.workflows.train import make_folder

COMPARISON = OUT / "compare"
_TRIAL = 1_000  # rows on which a candidate of one's own must work before anything is begun
RESAMPLES = 200  # of clubs, for the intervals of a single repeat
MAIN = {"onset": ("excess_log_loss", "auroc", "calibration_slope"), "pathways": ("policy_share", "pehe")}


@dataclass(frozen=True)
class Plan:
    """What is to be compared: task, scenario, rows, repeats, seed of the first repeat, and who takes part."""

    task: str
    scenario: str
    n: int
    repeats: int
    seed: int
    entrants: tuple[Entrant, ...]

    def jobs(self) -> list[Job]:
        """Return every candidate in every repeat; models and predictions of the first repeat are kept."""
        resamples = RESAMPLES if self.repeats == 1 else 0
        return [
            Job(self.task, entrant.name, cohort_of(self.scenario, self.n, self.seed + number), number,
                resamples=resamples, keep=number == 0)
            for number in range(self.repeats) for entrant in self.entrants
        ]  # fmt: skip


def plan_of(task: str, scenario: str, size: tuple[int, int], own: Sequence[str], only: str | None) -> Plan:
    """Return a plan that can be carried out.

    Parameters
    ----------
    task, scenario
        onset or pathways; a scenario's name.
    size
        Rows and repeats.
    own
        Candidates of one's own, `package.module:factory`.
    only
        Names of candidates beside ours, with commas; all if not given.

    Raises
    ------
    CohortError
        If there are too few rows for a candidate of one's own to be tried on.
    FactError
        If the task, the scenario, a candidate or a number is not one, or a candidate of one's own does not work.
    MissingLibrary
        If a candidate's library is not installed.
    """
    known = entrants(task, own)
    load_scenario(scenario)
    n, repeats = size
    if n < CLUBS or repeats < 1:
        raise FactError(f"expected at least {CLUBS} rows and one repeat, got {n} and {repeats}; set -n and --repeats")
    wanted = list(known) if only is None else [OURS, *only.split(","), *own]
    if odd := [name for name in wanted if name not in known]:
        raise FactError(f"expected candidates among {', '.join(known)}, got {', '.join(odd)}; set --only")
    chosen = tuple(known[name] for name in dict.fromkeys(wanted))
    check_libraries(chosen)
    for address in own:  # what fails, fails now, and not after an hour
        judge(Job(task, address, cohort_of(scenario, min(n, _TRIAL), CohortConfig.seed)))
    return Plan(task, scenario, n, repeats, CohortConfig.seed, chosen)


def comparison_of(plan: Plan, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return what `compare` says of the outcomes, with every candidate's title and mean seconds."""
    labels = ONSET_LABELS if plan.task == "onset" else PATHWAY_LABELS
    found = compare([outcome.judged for outcome in outcomes], OURS, labels)
    times = [(o.judged.candidate, o.fit_seconds, o.predict_seconds) for o in outcomes]
    seconds = pd.DataFrame(times, columns=["candidate", "fit_seconds", "predict_seconds"]).groupby("candidate").mean()
    titles = {entrant.name: entrant.label for entrant in plan.entrants}
    return found.merge(seconds, left_on="candidate", right_index=True, how="left").assign(
        title=found["candidate"].map(titles)
    )


def records(plan: Plan, found: pd.DataFrame, outcomes: Sequence[Outcome], folder: Path) -> Iterator[Record]:
    """Write figures, tables and models into the folder, and yield what is logged: no row of any frame is in it."""
    yield Tag(TAG, plan.task)
    yield Tag("scenario", plan.scenario)
    yield Tag("notice", NOTICE)
    facts = {"scenario": plan.scenario, "n": plan.n, "repeats": plan.repeats, "clubs": CLUBS, "seed": plan.seed,
             "version": __version__}  # fmt: skip
    for name, value in facts.items():
        yield Param(name, value)
    for outcome in outcomes:
        if outcome.judged.candidate == OURS:
            yield Param(f"split_{outcome.judged.round + 1}", outcome.judged.digest)
    (folder / TABLE).write_text(csv_text(found), encoding="utf-8")
    yield Artifact(folder / TABLE)
    for metric in MAIN[plan.task]:
        for path in displays.save(Comparison(found, metric), folder, metric):
            yield Artifact(path, "figures")
    for outcome in outcomes:
        if outcome.judged.round == 0:
            yield Child(outcome.judged.candidate, [*_of_candidate(plan, found, outcome, folder)])


def _of_candidate(plan: Plan, found: pd.DataFrame, outcome: Outcome, home: Path) -> Iterator[Record]:
    name = outcome.judged.candidate
    folder = home / name.replace(":", "_")
    own = found[found["candidate"] == name]
    yield Tag(TAG, f"{plan.task}, candidate")
    yield Param("candidate", own["title"].iloc[0])
    for row in own.to_dict("records"):
        yield from _metric(row["metric"], row["value"], row["low"], row["high"])
        if name != OURS:
            ends = (row["difference_low"], row["difference_high"])
            yield from _metric(f"{row['metric']}_less_ours", row["difference"], *ends)
    yield Metric("fit_seconds", float(own["fit_seconds"].iloc[0]))
    yield Metric("predict_seconds", float(own["predict_seconds"].iloc[0]))
    label = (ONSET if plan.task == "onset" else SUCCESS).label
    for path in displays.save(displays.calibration(outcome.y, outcome.predicted, label), folder, "calibration"):
        yield Artifact(path, "figures")
    yield Tag("model_stored", ", ".join(outcome.stored) or "no: only a pickle could hold it")
    for file, content in outcome.stored.items():
        make_folder(folder)
        (folder / file).write_bytes(content)
        yield Artifact(folder / file, "model")


def _metric(name: str, value: float, low: float, high: float) -> Iterator[Metric]:
    if pd.notna(value):  # a slope of equal risks is not defined
        yield Metric(name, value, low, high) if pd.notna(low) else Metric(name, value)


def run_comparison(plan: Plan, workers: int, folder: Path = COMPARISON) -> tuple[pd.DataFrame, list[Outcome]]:
    """Carry out a plan and return its table and outcomes."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    jobs = plan.jobs()
    with steps(f"compare {plan.task}", len(jobs)) as tell:
        outcomes = list(each(judge, jobs, workers, lambda job: tell(told(job))))
    return comparison_of(plan, outcomes), outcomes


def main(  # noqa: PLR0913, PLR0917 (the options of a command)
    task: Annotated[str, typer.Argument(help="onset or pathways.")],
    scenario: Annotated[str, typer.Option(help="A scenario: see `pfps scenarios`.")] = CohortConfig.scenario,
    n: Annotated[int, typer.Option("-n", "--n", help="Runners (or patients) of each repeat, in 40 clubs.")] = 5_000,
    repeats: Annotated[int, typer.Option(help="Worlds; with one, intervals are over its held-out clubs.")] = 5,
    candidate: Annotated[list[str] | None, typer.Option(help="One's own: package.module:factory.")] = None,
    only: Annotated[str | None, typer.Option(help="Candidates beside ours, by name, with commas.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; the results do not depend on it.", min=1)] = 1,
) -> None:
    """Compare candidates on the same splits and log the comparison."""
    plan = plan_of(task, scenario, (n, repeats), candidate or [], only)
    expect_store()
    found, outcomes = run_comparison(plan, workers)
    run = track(records(plan, found, outcomes, COMPARISON), f"{task} {scenario} {n}", EXPERIMENT)
    for metric in MAIN[task]:
        label = found.loc[found["metric"] == metric, "label"].iloc[0]
        table(f"{label}: {scenario}, n = {n:,}", HEADER, lines(found, metric))
    say(f"MLflow: experiment {EXPERIMENT}, run {run} (`make ui`); `pfps compare {task}` prints it again")


__all__ = ["COMPARISON", "MAIN", "Plan", "comparison_of", "main", "plan_of", "records", "run_comparison"]
