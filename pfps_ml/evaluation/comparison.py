"""Candidates side by side: figures with intervals, and intervals of the difference from ours, paired.

A round is one cohort with its split; every candidate is fitted and judged on the same one. Over several rounds (each
with clubs and a training set of its own) intervals are Student's t over rounds, so that they hold the luck of
training too. In a single round they are over resampled clubs, the same resamples for every candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pfps_ml.core import ArrayLike, CohortError, Floats, Message, NDArray, student_quantile
from pfps_ml.domain import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.evaluation.displays import BLUE, GREY, new_figure
from pfps_ml.evaluation.metrics import LEVEL, METRICS, excess_log_loss, log_loss, percentiles
from pfps_ml.evaluation.policy import BEST, simple_policies

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("candidate", "metric", "label", "rounds", "value", "low", "high",
           "difference", "difference_low", "difference_high")  # fmt: skip
_NAMES = [arm.name for arm in ARMS]
EXCESS, EXCESS_LABEL = "excess_log_loss", "Excess log loss over the true risk"
ONSET_LABELS = {EXCESS: "Excess log loss"} | {name: metric.label for name, metric in METRICS.items()}
PATHWAY_LABELS = {
    "policy_share": "Share of the possible gain", "pehe": "PEHE", "regret": "Regret",
    **{f"pehe_{name}": f"PEHE, {name}" for name in ACTIVE_ARMS}, "log_loss": "Log loss", "brier": "Brier score",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What one candidate reached in one round.

    Attributes
    ----------
    candidate, round
        Which one, and in which round.
    digest
        Of the rows, the clubs and how they were split: candidates are comparable on the same one only.
    figures
        The value of each metric on the clubs that the candidate never saw.
    draws
        The same over resampled clubs, one row a resample; empty where there are several rounds.
    clubs
        The number of clubs that it was judged on.
    """

    candidate: str
    round: int
    digest: str
    figures: dict[str, float]
    draws: pd.DataFrame
    clubs: int


def onset_figures(y: Floats, p: Floats, truth: Floats | None, weight: Floats | None = None) -> dict[str, float]:
    """Return every metric of predicted risks; where the true risk is known, the excess log loss over it first."""
    known = {} if truth is None else {EXCESS: excess_log_loss(truth, p, weight)}
    return known | {name: metric.compute(y, p, weight) for name, metric in METRICS.items()}


@dataclass(frozen=True)
class Patients:
    """Those that pathways are judged on: success, the arm they had, which arms are open, and the truth if known."""

    y: Floats
    arm: NDArray[np.object_]
    eligible: pd.DataFrame
    truth: pd.DataFrame | None = None


def pathway_figures(success: pd.DataFrame, patients: Patients, weight: Floats | None = None) -> dict[str, float]:
    """Return how good predicted successes are: policy share, PEHE and regret against the truth, and factual losses.

    Everything is among the arms open to the patient; a choice is the arm with the highest prediction, ungated.

    Parameters
    ----------
    success
        Predicted probability of success, one column an arm.
    patients
        Outcome, arm, eligibility, and the true probability under each arm.
    weight
        How often each patient counts.
    """
    predicted = success[_NAMES].to_numpy(float)[
        np.arange(len(success)), pd.Index(_NAMES).get_indexer(pd.Index(patients.arm))
    ]
    factual = {"log_loss": log_loss(patients.y, predicted, weight),
               "brier": float(np.average((patients.y - predicted) ** 2, weights=weight))}  # fmt: skip
    if patients.truth is None:
        return factual
    share = np.ones(len(success)) if weight is None else weight
    return _against_truth(success, patients.truth, patients.eligible, share) | factual


def _against_truth(success: pd.DataFrame, truth: pd.DataFrame, eligible: pd.DataFrame, w: Floats) -> dict[str, float]:
    open_to, true = eligible[_NAMES].to_numpy(bool), truth[_NAMES].to_numpy(float)
    at = pd.Index(_NAMES).get_indexer(pd.Index(simple_policies(success, eligible)[BEST]))
    chosen, usual = true[np.arange(len(true)), at], true[:, _NAMES.index(REFERENCE_ARM)]
    best = np.where(open_to, true, -np.inf).max(axis=1)
    gain = float(w @ (best - usual))
    errors, counts = {}, {}
    for name in ACTIVE_ARMS:
        error = (success[name] - success[REFERENCE_ARM]).to_numpy(float) - (truth[name].to_numpy(float) - usual)
        counts[name] = w * eligible[name].to_numpy(bool)
        errors[name] = float(counts[name] @ error**2)
    total = {name: float(count.sum()) for name, count in counts.items()}
    rooted = {f"pehe_{name}": _root(errors[name], total[name]) for name in ACTIVE_ARMS}
    return {
        "policy_share": float(w @ (chosen - usual)) / gain if gain > 0 else float("nan"),
        "pehe": _root(sum(errors.values()), sum(total.values())),
        "regret": float(w @ (best - chosen)) / float(w.sum()),
        **rooted,
    }


def compare(judged: Sequence[Judged], reference: str, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return every candidate's figures, and how they differ from the reference's.

    Parameters
    ----------
    judged
        Any number of candidates and rounds; a candidate may have been left out of some rounds.
    reference
        The candidate that the others are compared with.
    labels
        The metrics to show, with their labels.

    Returns
    -------
    DataFrame
        candidate, metric, label, rounds, value (mean over rounds), low, high (95 %), and difference (candidate less
        reference, over the rounds that both were in), difference_low, difference_high; of the reference itself 0.

    Raises
    ------
    CohortError
        If two candidates of one round were not judged on the same rows and split, or the reference is missing.
    """
    _check_rounds(judged, reference)
    by_candidate = {name: {j.round: j for j in judged if j.candidate == name} for name in _in_order(judged)}
    rows = []
    for name, rounds in by_candidate.items():
        for metric, label in labels.items():
            shared = [number for number in rounds if number in by_candidate[reference]]
            value = _over_rounds([rounds[number] for number in rounds], metric)
            other = _over_rounds([rounds[n] for n in shared], metric, [by_candidate[reference][n] for n in shared])
            rows.append((name, metric, label, len(rounds), *value, *other))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def t_interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Return the mean of independent values and its interval; no interval of fewer than two."""
    known = np.asarray(values, dtype=float)
    mean = float(known.mean()) if known.size else float("nan")
    if known.size < 2:
        return mean, float("nan"), float("nan")
    half = float(student_quantile(level, known.size - 1) * known.std(ddof=1) / np.sqrt(known.size))
    return mean, mean - half, mean + half


@dataclass(frozen=True, eq=False)
class Comparison:
    """How far candidates differ from ours in one metric."""

    table: pd.DataFrame
    metric: str

    def frame(self) -> pd.DataFrame:
        """Return one row a candidate: what `compare` returned for this metric."""
        return self.table[self.table["metric"] == self.metric].reset_index(drop=True)

    def plot(self) -> "Figure":
        """Return differences from ours with their 95 % intervals; the line at zero is ours."""
        shown = self.frame().iloc[::-1].reset_index(drop=True)
        figure = new_figure(f"{shown['label'].iloc[0]}: difference from ours", height=1.4 + 0.4 * len(shown))
        axes, places = figure.subplots(), np.arange(len(shown))
        middle = shown["difference"].to_numpy(float)
        ends = np.array([middle - shown["difference_low"], shown["difference_high"] - middle]).clip(0)
        axes.axvline(0, color=GREY, linewidth=1)
        axes.errorbar(middle, places, xerr=np.nan_to_num(ends), fmt="o", color=BLUE, capsize=3)
        axes.set_yticks(places, list(shown["candidate"]))
        axes.set_xlabel("Candidate less ours, 95 % interval")
        axes.spines[["top", "right"]].set_visible(False)
        return figure


def _over_rounds(rounds: Sequence[Judged], metric: str, other: Sequence[Judged] = ()) -> tuple[float, float, float]:
    """Return the mean of a metric over rounds with its interval; if others are given, of the difference from them."""
    values = np.array([j.figures[metric] for j in rounds])
    if other:
        values = values - np.array([j.figures[metric] for j in other])
    if len(values) == 1 and metric in rounds[0].draws:
        draws = rounds[0].draws[metric].to_numpy() - (other[0].draws[metric].to_numpy() if other else 0.0)
        return (float(values[0]), *percentiles(draws, rounds[0].clubs))
    return t_interval(values)


def _in_order(judged: Sequence[Judged]) -> list[str]:
    return list(dict.fromkeys(j.candidate for j in judged))


def _check_rounds(judged: Sequence[Judged], reference: str) -> None:
    if reference not in _in_order(judged):
        raise CohortError(Message("no_results_of_reference", {"candidate": reference}))
    digests: dict[int, str] = {}
    for result in judged:
        if digests.setdefault(result.round, result.digest) != result.digest:
            raise CohortError(
                Message(
                    "candidates_on_other_rows",
                    {
                        "round": result.round,
                        "digest": digests[result.round],
                        "candidate": result.candidate,
                        "other": result.digest,
                    },
                )
            )


def _root(total: float, count: float) -> float:
    return float(np.sqrt(total / count)) if count > 0 else float("nan")


__all__ = [
    "COLUMNS",
    "EXCESS",
    "EXCESS_LABEL",
    "ONSET_LABELS",
    "PATHWAY_LABELS",
    "Comparison",
    "Judged",
    "Patients",
    "compare",
    "onset_figures",
    "pathway_figures",
    "t_interval",
]
