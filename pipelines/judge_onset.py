"""The onset model judged on held-out clubs: every figure with its interval, whole and apart, and the pictures."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pfps_ml.config import Config, EvaluationConfig
from pfps_ml.evaluation import displays, displays_onset
from pfps_ml.evaluation.calibration import calibration_curve
from pfps_ml.evaluation.comparison import EXCESS, EXCESS_LABEL
from pfps_ml.evaluation.metrics import (
    club_resamples,
    count_groups,
    excess_log_loss,
    measure_with_intervals,
    percentiles,
)
from pfps_ml.evaluation.net_benefit import decision_table
from pfps_ml.evaluation.subgroups import compare_parts, decision_parts, subgroup_table
from pfps_ml.knowledge.dictionary import BY_NAME, ONSET, tier_fields
from pfps_ml.knowledge.field import TIERS
from pfps_ml.learning.additive import AdditiveModel
from pfps_ml.prediction import Estimate, Predictor
from pfps_ml.validation.groups import TIER_LABELS, groups_of
from pipelines.frames import Frames, onset_features

_PICTURED = 2_000  # runners in the picture of reasons: more dots hide each other


@dataclass(frozen=True, eq=False)
class Runners:
    """The held-out runners: coded fields, outcome, predicted risk, club, and the true risk where there is one."""

    X: pd.DataFrame
    y: np.ndarray
    p: np.ndarray
    clubs: np.ndarray
    truth: np.ndarray | None

    @classmethod
    def of(cls, frames: Frames, held_out: np.ndarray, predictor: Predictor) -> "Runners":
        """Gather the rows of the clubs that training never saw."""
        rows = frames.onset[held_out]
        X = onset_features(frames.onset)[held_out].reset_index(drop=True)
        truth = None if frames.truth_onset is None else frames.truth_onset["true_risk"].to_numpy(float)[held_out]
        p = risk_of(predictor.onset, X)
        return cls(X, rows[ONSET.column].to_numpy(dtype=float), p, rows["club"].to_numpy(), truth)


def risk_of(model: AdditiveModel, X: pd.DataFrame) -> np.ndarray:
    """Return the risk that the main model predicts."""
    return np.asarray(model.probability(model.member(0).margin(X)[:, 0]))


def onset_tables(runners: Runners, predictor: Predictor, config: Config, label: str) -> dict[str, pd.DataFrame]:
    """Return the tables that are no picture's; `label` is what a heading calls the outcome."""
    settings = config.evaluation
    whole = measure_with_intervals(runners.y, runners.p, runners.clubs, settings.seed, settings.bootstraps)
    if runners.truth is not None:
        whole = pd.concat([whole, pd.DataFrame([_excess(runners, settings)])], ignore_index=True)
    # the predictor answers on pathways, too, and wants their fields, known or not
    risk = predictor.predict(runners.X.reindex(columns=list(BY_NAME))).risk
    return {"onset": whole, "answered": pd.DataFrame([answered(label, risk)])}


def onset_pictures(runners: Runners, predictor: Predictor, config: Config, label: str) -> dict[str, displays.Display]:
    """Return the pictures, each with its table; `label` is what a heading calls the outcome."""
    y, p, clubs, settings = runners.y, runners.p, runners.clubs, config.evaluation
    by = groups_of(runners.X, config)
    apart, decided = (judge(y, p, by, clubs, settings) for judge in (subgroup_table, decision_parts))
    curve = calibration_curve(y, p, clubs, settings)
    return {
        "calibration": displays.calibration(y, p, label, curve),
        "roc": displays.roc(y, p, label),
        "risks": displays.risks(y, p, label),
        "decision": displays_onset.decision_curve(decision_table(y, p, clubs, settings)),
        "subgroups": displays_onset.subgroups(apart),
        "decision_subgroups": displays_onset.decision_subgroups(decided),
        "tiers": displays_onset.tiers(_tiers(runners, predictor, settings)),
        "reasons": _reasons(runners.X, predictor, label),
    }


def answered(what: str, estimate: Estimate) -> dict[str, object]:
    """Return of how many rows there is an answer, how wide its interval is, and what that is made of.

    `evidence` and `sampling` are shares of the variance behind the interval, averaged over rows; NaN without any.
    """
    parts = (estimate.value, estimate.low, estimate.high)
    whole = np.isfinite(parts).all(axis=0) & (estimate.low <= estimate.value) & (estimate.value <= estimate.high)
    total = estimate.evidence + estimate.sampling
    known = total > 0
    share = float((estimate.evidence[known] / total[known]).mean()) if known.any() else float("nan")
    width = float((estimate.high - estimate.low).mean())
    return {"what": what, "n": len(whole), "answered": float(whole.mean()), "width": width,
            "evidence": share, "sampling": 1 - share}  # fmt: skip


def _excess(runners: Runners, settings: EvaluationConfig) -> dict[str, object]:
    weights = club_resamples(runners.y, runners.clubs, settings.seed, settings.bootstraps)
    draws = np.array([excess_log_loss(runners.truth, runners.p, weight) for weight in weights])
    low, high = percentiles(draws, count_groups(runners.clubs))
    return {"metric": EXCESS, "label": EXCESS_LABEL,
            "value": excess_log_loss(runners.truth, runners.p), "low": low, "high": high}  # fmt: skip


def _tiers(runners: Runners, predictor: Predictor, settings: EvaluationConfig) -> pd.DataFrame:
    """Show what each tier buys, on the clubs that own everything: the same runners, less and less known."""
    last = [name for name in runners.X if BY_NAME[str(name)].obtained == TIERS[-1]]
    equipped = runners.X[last].notna().any(axis=1).to_numpy()
    rows, risks = runners.X[equipped], {}
    for tier in TIERS:
        hidden = [str(name) for name in rows if name not in tier_fields(tier)]
        risks[TIER_LABELS[tier]] = risk_of(predictor.onset, rows.assign(**dict.fromkeys(hidden, np.nan)))
    return compare_parts(runners.y[equipped], risks, runners.clubs[equipped], settings)


def _reasons(X: pd.DataFrame, predictor: Predictor, label: str) -> displays.Display:
    base, contributions = predictor.explainer.explain(X)
    shown = pd.DataFrame(contributions, columns=list(predictor.explainer.fields)).head(_PICTURED)
    return displays.reasons(shown, X.head(_PICTURED), float(base.mean()), label)


__all__ = ["Runners", "answered", "onset_pictures", "onset_tables", "risk_of"]
