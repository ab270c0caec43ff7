"""Compare all candidates on the same splits, with intervals on the differences from ours, and log it to MLflow.

`pfps compare onset --scenario reference -n 5000 --repeats 5 --candidate mine:factory`. Each repeat is a world of its
own: clubs of it are held out, every candidate is fitted on the others, and judged on clubs it never saw.

A job is all that a worker needs to know; it simulates the cohort again, so that results depend on the job alone and
not on how many workers there are, and the digest says that all of them saw the same.
"""

import hashlib
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import pandas as pd
import typer

from pfps_ml import __version__
from pfps_ml.core import (
    Artifact,
    Child,
    CohortConfig,
    CohortError,
    FactError,
    InputError,
    Message,
    Metric,
    Param,
    Record,
    SplitConfig,
    Tag,
    csv_text,
)
from pfps_ml.core.console import say, steps, table
from pfps_ml.domain import ARMS, NOTICE, ONSET, SUCCESS, load_scenario
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.comparison import (
    ONSET_LABELS,
    PATHWAY_LABELS,
    Comparison,
    Judged,
    Patients,
    compare,
    onset_figures,
    pathway_figures,
)
from pfps_ml.evaluation.metrics import club_resamples, count_groups
from pfps_ml.model import dump, eligibility, to_json
from pfps_ml.simulation.cohort import Cohort, simulate_onset, simulate_treatment
from pfps_ml.training.candidates import (
    ONSET_CANDIDATES,
    OURS,
    Entrant,
    blamed,
    check_libraries,
    fit_onset,
    own_entrant,
    risk_of,
)
from pfps_ml.training.pathway_candidates import PATHWAY_CANDIDATES, fit_pathways, success_of
from pfps_ml.training.training_rows import Split, split_clubs
from pfps_ml.workflows.frames import OUT, Home, data_digest, onset_features, pathway_features
from pfps_ml.workflows.tables import EXPERIMENT, HEADER, TABLE, TAG, lines, show_comparison
from pfps_ml.workflows.tracking import HOME as RUNS, expect_store, latest_table, track
from pfps_ml.workflows.train import make_folder

TASKS = ("onset", "pathways")
CLUBS = 40  # of a cohort, however many rows: as in `make demo`
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """One candidate in one round.

    Attributes
    ----------
    task
        onset or pathways.
    candidate
        A name of the tables of candidates, or `package.module:factory`.
    cohort
        The world; its seed is the round's.
    number
        The round.
    fresh
        Rows of fresh clubs of the same world to judge on, with every row of the cohort training; 0 to hold out clubs
        of the cohort instead.
    resamples
        Resamples of clubs, for intervals within the round.
    settings
        What was tuned before, for a candidate that can be told.
    keep
        Whether outcome, prediction and model are wanted too.
    """

    task: str
    candidate: str
    cohort: CohortConfig
    number: int = 0
    fresh: int = 0
    resamples: int = 0
    settings: dict[str, Any] | None = None
    keep: bool = False


@dataclass(frozen=True)
class Rows:
    """Coded fields, outcome, club, arm (patients only) and truth of some rows."""

    X: pd.DataFrame
    y: np.ndarray
    club: pd.Series
    arm: pd.Series
    truth: np.ndarray | pd.DataFrame

    def part(self, rows: np.ndarray) -> "Rows":
        """Return some of the rows."""
        X, club, arm = (
            self.X[rows].reset_index(drop=True),
            *(x[rows].reset_index(drop=True) for x in (self.club, self.arm)),
        )
        truth = self.truth[rows]
        return Rows(
            X, self.y[rows], club, arm, truth if isinstance(truth, np.ndarray) else truth.reset_index(drop=True)
        )


@dataclass(frozen=True)
class Round:
    """The rows that train with their folds, those that judge, and the digest of both."""

    trained: Rows
    fold: np.ndarray
    judging: Rows
    digest: str


@dataclass(frozen=True)
class Outcome:
    """What came of a job: figures, seconds, and where wanted the outcome, what was predicted of it, and the model."""

    judged: Judged
    fit_seconds: float
    predict_seconds: float
    y: np.ndarray | None = None
    predicted: np.ndarray | None = None
    stored: dict[str, bytes] = field(default_factory=dict)


def entrants(task: str, own: Sequence[str] = ()) -> dict[str, Entrant]:
    """Return the candidates of a task by name, with a researcher's own.

    Raises
    ------
    FactError
        If there is no such task, or an own candidate cannot be made.
    """
    if task not in TASKS:
        raise FactError(Message("comparison_task_unknown", {"tasks": [*TASKS], "task": task}))
    table, predicts = (ONSET_CANDIDATES, "predict_proba") if task == "onset" else (PATHWAY_CANDIDATES, "predict")
    return {entrant.name: entrant for entrant in (*table, *(own_entrant(address, predicts) for address in own))}


def cohort_of(scenario: str, n: int, seed: int) -> CohortConfig:
    """Return the settings of a cohort of n rows in 40 clubs (as few rows a club as that takes)."""
    size = max(1, n // CLUBS)
    return CohortConfig(scenario, n, n, size, size, seed)


@lru_cache(maxsize=1)
def round_of(task: str, cohort: CohortConfig, fresh: int) -> Round:
    """Simulate and split one round; kept, because the jobs of a round follow each other.

    Raises
    ------
    CohortError
        If the rows that train, or those that judge, have one outcome only.
    """
    whole = _rows(task, cohort, 0, cohort.runners if task == "onset" else cohort.patients)
    if fresh:
        start = 10 * len(whole.y)
        split = split_clubs(whole.club, replace(SplitConfig(), held_out_share=1e-9))
        trained, judging = whole, _rows(task, cohort, start, start + fresh)
    else:
        split = split_clubs(whole.club, SplitConfig())
        held_out = split.is_held_out(whole.club)
        trained, judging = whole.part(~held_out), whole.part(held_out)
    for what, rows in (("train", trained), ("judge", judging)):
        if not 0 < (events := int(rows.y.sum())) < len(rows.y):
            raise CohortError(
                Message("comparison_one_outcome", {"rows": len(rows.y), "subject": what, "events": events})
            )
    return Round(trained, split.fold_of(trained.club), judging, _digest(split, trained, judging))


def judge(job: Job) -> Outcome:
    """Fit a candidate on the training clubs of its round and judge it on the others.

    Raises
    ------
    CohortError
        As `round_of`.
    FactError
        If a researcher's own candidate fails, or one does not answer with a number for every row.
    """
    this_round = round_of(job.task, job.cohort, job.fresh)
    with blamed(job.candidate):
        return _judge(job, this_round)


def _judge(job: Job, this_round: Round) -> Outcome:
    addresses = [job.candidate] if ":" in job.candidate else []
    model = entrants(job.task, addresses)[job.candidate].make()
    if job.settings is not None and "settings" in model.get_params():
        model.set_params(settings=job.settings)
    began = time.perf_counter()
    model = _fit(job.task, model, this_round)
    fitted = time.perf_counter()
    judging = this_round.judging
    predicted = risk_of(model, judging.X) if job.task == "onset" else success_of(model, judging.X)
    ended = time.perf_counter()
    if len(predicted) != len(judging.y) or not np.isfinite(np.asarray(predicted)).all():
        raise FactError(
            Message(
                "candidate_predicts_no_probabilities",
                {"candidate": job.candidate, "rows": len(judging.y), "answers": len(predicted)},
            )
        )
    outcome = Outcome(_judged(job, this_round, predicted), fitted - began, ended - fitted)
    if not job.keep:
        return outcome
    return replace(outcome, y=judging.y, predicted=_of_what_happened(predicted, judging.arm), stored=stored(model))


def each(work: Callable[[T], R], items: Sequence[T], workers: int, tell: Callable[[T], None]) -> Iterator[R]:
    """Yield what work makes of each item, in their order, and tell of each as it is begun or waited for."""
    if workers == 1:
        for item in items:
            tell(item)
            yield work(item)
        return
    # processes that start afresh: a fork would copy the threads of a progress bar half way through something
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        results = pool.map(work, items)
        for item in items:
            tell(item)
            yield next(results)


def job_title(job: Job) -> str:
    """Return what a job is, for a line of progress."""
    return f"{job.cohort.scenario} {job.cohort.runners:,}, round {job.number + 1}, {job.candidate}"


def stored(model: Any) -> dict[str, bytes]:
    """Return a fitted model as files that hold no code: tables as JSON, LightGBM as text; none for other kinds."""
    if hasattr(model, "additive_"):
        return {"onset.json": dump(to_json(model.additive_))}
    if hasattr(model, "prognosis_") and hasattr(model, "modifiers_"):
        parts = {"prognosis": model.prognosis_, **model.modifiers_}
        return {"pathways.json": dump({name: to_json(part) for name, part in parts.items()})}
    booster = getattr(model, "booster_", None)
    return {} if booster is None else {"lightgbm.txt": booster.model_to_string().encode()}


def _rows(task: str, cohort: CohortConfig, start: int, stop: int) -> Rows:
    if task == "onset":
        made: Cohort = simulate_onset(cohort, start, stop)
        X, y = onset_features(made.observed), made.observed[ONSET.column].to_numpy(float)
        return Rows(X, y, made.observed["club"], pd.Series("", X.index), made.truth["true_risk"].to_numpy())
    made = simulate_treatment(cohort, start, stop)
    names = {f"p_{arm.name}": arm.name for arm in ARMS}
    truth = made.truth[list(names)].rename(columns=names)
    y = made.observed[SUCCESS.column].to_numpy(float)
    return Rows(pathway_features(made.observed), y, made.observed["club"], made.observed["arm"], truth)


def _of_what_happened(predicted: Any, arm: pd.Series) -> np.ndarray:
    """Return the predicted risk, or the predicted success under the arm that each patient had."""
    if isinstance(predicted, np.ndarray):
        return predicted
    return np.asarray(predicted.to_numpy()[np.arange(len(arm)), predicted.columns.get_indexer(arm)])


def _digest(split: Split, trained: Rows, judging: Rows) -> str:
    rows = [data_digest(part.X.assign(y=part.y, club=part.club, arm=part.arm)) for part in (trained, judging)]
    return hashlib.sha256("".join([split.digest, *rows]).encode()).hexdigest()[:16]


def _fit(task: str, model: Any, this_round: Round) -> Any:
    rows = this_round.trained
    if task == "onset":
        return fit_onset(model, rows.X, rows.y, rows.club, this_round.fold)
    return fit_pathways(model, rows.X, rows.arm, rows.y, rows.club, this_round.fold)


def _judged(job: Job, this_round: Round, predicted: Any) -> Judged:
    rows = this_round.judging

    def figures(weight: np.ndarray | None = None) -> dict[str, float]:
        if job.task == "onset":
            return onset_figures(rows.y, predicted, np.asarray(rows.truth), weight)
        patients = Patients(rows.y, rows.arm.to_numpy(object), eligibility(rows.X), pd.DataFrame(rows.truth))
        return pathway_figures(predicted, patients, weight)

    weights = club_resamples(rows.y, rows.club, SplitConfig.seed, job.resamples) if job.resamples else ()
    draws = pd.DataFrame([figures(weight) for weight in weights])
    return Judged(job.candidate, job.number, this_round.digest, figures(), draws, count_groups(rows.club))


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
        raise FactError(Message("comparison_too_small", {"clubs": CLUBS, "n": n, "repeats": repeats}))
    wanted = list(known) if only is None else [OURS, *only.split(","), *own]
    if odd := [name for name in wanted if name not in known]:
        raise FactError(Message("comparison_candidates_unknown", {"known": [*known], "odd": [*odd]}))
    chosen = tuple(known[name] for name in dict.fromkeys(wanted))
    check_libraries(chosen)
    for address in own:  # what fails, fails now, and not after an hour
        judge(Job(task, address, cohort_of(scenario, min(n, _TRIAL), CohortConfig.seed)))
    return Plan(task, scenario, n, repeats, CohortConfig.seed, chosen)


def comparison_of(plan: Plan, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return what `compare` says of the outcomes, with every candidate's title and mean seconds."""
    labels = ONSET_LABELS if plan.task == "onset" else PATHWAY_LABELS
    figures = compare([outcome.judged for outcome in outcomes], OURS, labels)
    times = [(o.judged.candidate, o.fit_seconds, o.predict_seconds) for o in outcomes]
    seconds = pd.DataFrame(times, columns=["candidate", "fit_seconds", "predict_seconds"]).groupby("candidate").mean()
    titles = {entrant.name: entrant.label for entrant in plan.entrants}
    return figures.merge(seconds, left_on="candidate", right_index=True, how="left").assign(
        title=figures["candidate"].map(titles)
    )


def records(plan: Plan, figures: pd.DataFrame, outcomes: Sequence[Outcome], folder: Path) -> Iterator[Record]:
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
    (folder / TABLE).write_text(csv_text(figures), encoding="utf-8")
    yield Artifact(folder / TABLE)
    for metric in MAIN[plan.task]:
        for path in displays.save(Comparison(figures, metric), folder, metric):
            yield Artifact(path, "figures")
    for outcome in outcomes:
        if outcome.judged.round == 0:
            yield Child(outcome.judged.candidate, [*_of_candidate(plan, figures, outcome, folder)])


def _of_candidate(plan: Plan, figures: pd.DataFrame, outcome: Outcome, home: Path) -> Iterator[Record]:
    name = outcome.judged.candidate
    folder = home / name.replace(":", "_")
    rows = figures[figures["candidate"] == name]
    yield Tag(TAG, f"{plan.task}, candidate")
    yield Param("candidate", rows["title"].iloc[0])
    for row in rows.to_dict("records"):
        yield from _metric(row["metric"], row["value"], row["low"], row["high"])
        if name != OURS:
            ends = (row["difference_low"], row["difference_high"])
            yield from _metric(f"{row['metric']}_less_ours", row["difference"], *ends)
    yield Metric("fit_seconds", float(rows["fit_seconds"].iloc[0]))
    yield Metric("predict_seconds", float(rows["predict_seconds"].iloc[0]))
    label = (ONSET if plan.task == "onset" else SUCCESS).label
    if outcome.y is not None and outcome.predicted is not None:
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
        outcomes = list(each(judge, jobs, workers, lambda job: tell(job_title(job))))
    return comparison_of(plan, outcomes), outcomes


def main(  # noqa: PLR0913, PLR0917 (the options of a command)
    task: Annotated[str | None, typer.Argument(help="onset or pathways.")] = None,
    scenario: Annotated[str, typer.Option(help="A scenario: see `pfps scenarios`.")] = CohortConfig.scenario,
    n: Annotated[int, typer.Option("-n", "--n", help="Runners (or patients) of each repeat, in 40 clubs.")] = 5_000,
    repeats: Annotated[int, typer.Option(help="Worlds; with one, intervals are over its held-out clubs.")] = 5,
    candidate: Annotated[list[str] | None, typer.Option(help="One's own: package.module:factory.")] = None,
    only: Annotated[str | None, typer.Option(help="Candidates beside ours, by name, with commas.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; the results do not depend on it.", min=1)] = 1,
    last: Annotated[bool, typer.Option("--last", help="Compare nothing: print the latest comparison again.")] = False,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="With --last: another figure.")] = None,
    home: Home = Path(),
) -> None:
    """Compare candidates on the same splits and log the comparison; with --last, print the latest again."""
    runs = home / RUNS
    if last:
        show_comparison(*latest_table(Tag(TAG, task or "onset"), TABLE, EXPERIMENT, home=runs), metric)
        return
    if task is None or metric is not None:
        raise InputError(Message("comparison_without_task"))
    plan = plan_of(task, scenario, (n, repeats), candidate or [], only)
    expect_store(home=runs)
    figures, outcomes = run_comparison(plan, workers, home / COMPARISON)
    run = track(records(plan, figures, outcomes, home / COMPARISON), f"{task} {scenario} {n}", EXPERIMENT, home=runs)
    _show(plan, figures)
    say(f"MLflow: experiment {EXPERIMENT}, run {run} (`make ui`); `pfps compare {task} --last` prints it again")


def _show(plan: Plan, figures: pd.DataFrame) -> None:
    for name in MAIN[plan.task]:
        label = figures.loc[figures["metric"] == name, "label"].iloc[0]
        table(f"{label}: {plan.scenario}, n = {plan.n:,}", HEADER, lines(figures, name))


__all__ = [
    "CLUBS", "COMPARISON", "MAIN", "TASKS", "Job", "Outcome", "Plan", "Round",
    "Rows", "cohort_of", "comparison_of", "each", "entrants", "job_title", "judge", "main", "plan_of", "records",
    "round_of", "run_comparison", "stored",
]  # fmt: skip
