"""Rounds of a comparison: one cohort, one split by club, one candidate fitted and judged on clubs it never saw.

A job is all that a worker needs to know; it simulates the cohort again, so that results depend on the job alone and
not on how many workers there are, and the digest says that all of them saw the same.

A logged comparison in words: the lines that `pfps compare` and the pipeline print.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pfps_ml.core.config import CohortConfig, SplitConfig
from pfps_ml.core.errors import CohortError, FactError, InputError
from pfps_ml.domain.dictionary import ARMS, ONSET, SUCCESS
from pfps_ml.evaluation.comparison import EXCESS, Judged, Patients, onset_figures, pathway_figures
from pfps_ml.evaluation.metrics import club_resamples, count_groups
from pfps_ml.model.additive import to_json
from pfps_ml.model.bundle import dump
from pfps_ml.model.propensity import eligibility
from pfps_ml.simulation.frames import Cohort, simulate_onset, simulate_treatment
from pfps_ml.training.candidates import ONSET_CANDIDATES, Entrant, blamed, fit_onset, own_entrant, risk_of
from pfps_ml.training.pathway_candidates import PATHWAY_CANDIDATES, fit_pathways, success_of
from pfps_ml.training.split import Split, split_clubs
from pfps_ml.workflows.frames import data_digest, onset_features, pathway_features

EXPERIMENT = "pfps-compare"
TABLE = "comparison.csv"
TAG = "comparison"
HEADER = ("candidate", "rounds", "value (95 %)", "less ours (95 %)", "fit, s", "predict, s")


def lines(table: pd.DataFrame, metric: str | None = None) -> Iterator[tuple[str, ...]]:
    """Yield one line a candidate, as `HEADER` says.

    Parameters
    ----------
    table
        What a comparison logged.
    metric
        Which figure to show; the first of the table if not given.

    Raises
    ------
    InputError
        If the comparison has no such figure.
    """
    names = list(table["metric"].unique())
    wanted = metric or names[0]
    if wanted not in names:
        raise InputError(f"expected a figure of the comparison ({', '.join(names)}), got {wanted!r}")
    places = 5 if wanted == EXCESS else 4  # candidates differ by some ten thousandths of it
    for row in table[table["metric"] == wanted].to_dict("records"):
        own = _with_interval(row["value"], row["low"], row["high"], f".{places}f")
        other = _with_interval(row["difference"], row["difference_low"], row["difference_high"], f"+.{places}f")
        yield (str(row["title"]), str(row["rounds"]), own, other,
               f"{row['fit_seconds']:.2f}", f"{row['predict_seconds']:.2f}")  # fmt: skip


def _with_interval(value: float, low: float, high: float, form: str) -> str:
    if pd.isna(value):
        return "not defined"
    interval = "" if pd.isna(low) else f" ({low:{form}} to {high:{form}})"
    return f"{value:{form}}{interval}"


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
        parts = (self.X[rows], self.club[rows], self.arm[rows])
        X, club, arm = (part.reset_index(drop=True) for part in parts)
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
        raise FactError(f"expected a comparison of {' or '.join(TASKS)}, got {task!r}")
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
                f"expected both outcomes among the {len(rows.y):,} rows that {what}, got {events} cases; set -n higher"
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
    found = round_of(job.task, job.cohort, job.fresh)
    with blamed(job.candidate):
        return _judge(job, found)


def _judge(job: Job, found: Round) -> Outcome:
    own = [job.candidate] if ":" in job.candidate else []
    model = entrants(job.task, own)[job.candidate].make()
    if job.settings is not None and "settings" in model.get_params():
        model.set_params(settings=job.settings)
    began = time.perf_counter()
    model = _fit(job.task, model, found)
    fitted = time.perf_counter()
    predicted = risk_of(model, found.judging.X) if job.task == "onset" else success_of(model, found.judging.X)
    ended = time.perf_counter()
    if len(predicted) != len(found.judging.y) or not np.isfinite(np.asarray(predicted)).all():
        raise FactError(
            f"expected {job.candidate} to predict a probability for each of {len(found.judging.y):,} rows, got "
            f"{len(predicted):,} answers, or some that are no numbers"
        )
    judged = _judged(job, found, predicted)
    kept = (found.judging.y, _of_what_happened(predicted, found.judging.arm), stored(model)) if job.keep else ()
    return Outcome(judged, fitted - began, ended - fitted, *kept)


def each(work: Callable[[T], R], items: Sequence[T], workers: int, tell: Callable[[T], None]) -> Iterator[R]:
    """Yield what work makes of each item, in their order, and tell of each as it is begun or waited for."""
    if workers == 1:
        for item in items:
            tell(item)
            yield work(item)
        return
    # processes that start afresh: a fork would copy the threads of a progress bar half way through something
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        found = pool.map(work, items)
        for item in items:
            tell(item)
            yield next(found)


def told(job: Job) -> str:
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
        X, y, truth = onset_features(made.observed), made.observed[ONSET.column], made.truth["true_risk"].to_numpy()
        return Rows(X, y.to_numpy(float), made.observed["club"], pd.Series("", X.index), truth)
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


def _fit(task: str, model: Any, found: Round) -> Any:
    rows = found.trained
    if task == "onset":
        return fit_onset(model, rows.X, rows.y, rows.club, found.fold)
    return fit_pathways(model, rows.X, rows.arm, rows.y, rows.club, found.fold)


def _judged(job: Job, found: Round, predicted: Any) -> Judged:
    rows = found.judging

    def figures(weight: np.ndarray | None = None) -> dict[str, float]:
        if job.task == "onset":
            return onset_figures(rows.y, predicted, rows.truth, weight)
        patients = Patients(rows.y, rows.arm.to_numpy(object), eligibility(rows.X), rows.truth)
        return pathway_figures(predicted, patients, weight)

    weights = club_resamples(rows.y, rows.club, SplitConfig.seed, job.resamples) if job.resamples else ()
    draws = pd.DataFrame([figures(weight) for weight in weights])
    return Judged(job.candidate, job.number, found.digest, figures(), draws, count_groups(rows.club))


__all__ = [
    "CLUBS", "EXPERIMENT", "HEADER", "TABLE", "TAG", "TASKS", "Job", "Outcome", "Round", "Rows", "cohort_of", "each",
    "entrants", "judge", "lines", "round_of", "stored", "told",
]  # fmt: skip
