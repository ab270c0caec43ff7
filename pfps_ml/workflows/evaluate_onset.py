"""The pathway models judged on held-out clubs: without the truth, and against it where the cohort is simulated.

The onset model judged on held-out clubs: every figure with its interval, whole and apart, and the pictures.

What only refits of the onset model can tell: clubs left out one after another, and fewer clubs to learn from.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pfps_ml.core.config import Config, EvaluationConfig
from pfps_ml.domain.dictionary import ARMS, BY_NAME, ONSET, SUCCESS, tier_fields
from pfps_ml.domain.field import TIERS
from pfps_ml.evaluation import displays, displays_onset
from pfps_ml.evaluation.calibration import calibration_curve, decision_table
from pfps_ml.evaluation.comparison import EXCESS, EXCESS_LABEL
from pfps_ml.evaluation.metrics import (
    club_resamples,
    count_groups,
    excess_log_loss,
    measure_with_intervals,
    percentiles,
)
from pfps_ml.evaluation.pathway_validation import Given, Treated
from pfps_ml.evaluation.subgroups import TIER_LABELS, compare_parts, decision_parts, groups_of, subgroup_table
from pfps_ml.model.additive import AdditiveModel
from pfps_ml.model.prediction import Estimate, Predictor
from pfps_ml.model.propensity import fit_propensity
from pfps_ml.model.spline_basis import basis
from pfps_ml.training.onset import OnsetModel
from pfps_ml.training.split import Split
from pfps_ml.workflows.frames import Frames, onset_features, pathway_features

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


_MOST_REFITS = 50  # of more clubs than this, those of a fold are left out together: a refit takes seconds
_SHARES = (0.125, 0.25, 0.5, 1.0)
_FEWEST_REPLICATES = 2  # a refit is judged by its main model alone
Part = tuple[pd.DataFrame, np.ndarray, pd.Series, pd.DataFrame]  # fields, outcome and club; fields of those to judge


def refitted_pictures(frames: Frames, split: Split, runners: Runners, config: Config) -> dict[str, displays.Display]:
    """Return the learning curve and the figures of left-out clubs."""
    clubs = frames.onset["club"]
    rows = ~split.is_held_out(clubs)
    training = frames.onset[rows].reset_index(drop=True)
    X = onset_features(frames.onset)[rows].reset_index(drop=True)
    with threadpool_limits(1):  # as in training: many small fits
        return {
            "left_out": _left_out(X, training, split, config),
            "learning_curve": _learning_curve(X, training, split, runners, config),
        }


def _left_out(X: pd.DataFrame, training: pd.DataFrame, split: Split, config: Config) -> displays.Display:
    """Leave out every club by itself, or, of very many clubs, those of a fold together."""
    y, clubs = training[ONSET.column].to_numpy(float), training["club"]
    alone = clubs.nunique() <= _MOST_REFITS
    names = {club: at for at, club in enumerate(sorted(clubs.unique()))} if alone else split.folds
    part, p = clubs.map(names).to_numpy(), np.zeros(len(y))
    tests = [part == each for each in np.unique(part)]
    found = _refitted([(X[~test], y[~test], clubs[~test], X[test]) for test in tests], config)
    for test, risk in zip(tests, found, strict=True):
        p[test] = risk
    kind = "Club" if alone else "Fold"
    labels = pd.Series(
        pd.Categorical([f"{kind} {at + 1}" for at in part], [f"{kind} {at + 1}" for at in np.unique(part)])
    )
    # a club by itself holds no clubs to resample: then its runners are
    groups = np.arange(len(y)) if alone else clubs.to_numpy()
    apart = subgroup_table(y, p, {"left out": labels}, groups, config.evaluation)
    whole = subgroup_table(y, p, {"left out": ["All, each left out once"] * len(y)}, clubs, config.evaluation)
    title = f"Leave-one-{'club' if alone else 'fold-of-clubs'}-out"
    return displays_onset.subgroups(pd.concat([apart, whole], ignore_index=True), title)


def _learning_curve(
    X: pd.DataFrame, training: pd.DataFrame, split: Split, runners: Runners, config: Config
) -> displays.Display:
    y, clubs, order, parts = training[ONSET.column].to_numpy(float), training["club"], list(split.folds), {}
    for share in _SHARES:
        count = max(round(share * len(order)), 2)
        own = clubs.isin(order[:count]).to_numpy()
        if 0 < y[own].sum() < own.sum():
            parts[f"{count} clubs ({int(own.sum()):,} runners, {int(y[own].sum()):,} events)"] = own
    found = _refitted([(X[own], y[own], clubs[own], runners.X) for own in parts.values()], config)
    risks = dict(zip(parts, found, strict=True))
    return displays_onset.learning_curve(compare_parts(runners.y, risks, runners.clubs, config.evaluation))


def _refitted(parts: Sequence[Part], config: Config) -> list[np.ndarray]:
    """Return the risks that come of every part; several at once, which changes nothing but the time that it takes."""
    with ThreadPoolExecutor(config.onset.jobs) as pool:  # the fits spend their time outside of Python
        return list(pool.map(lambda part: _risk(part, config), parts))


def _risk(part: Part, config: Config) -> np.ndarray:
    """Fit on some of the training clubs, folded anew so that no fold is empty, and return the risk of others."""
    X, y, club, others = part
    names = {name: at % config.split.folds for at, name in enumerate(sorted(club.unique()))}
    model = OnsetModel(replace(config.onset, bootstraps=_FEWEST_REPLICATES))
    model.fit(X.reset_index(drop=True), y, club.reset_index(drop=True), club.map(names).to_numpy())
    return np.asarray(model.predict_proba(others)[:, 1])


def held_out_patients(frames: Frames, held_out: np.ndarray, predictor: Predictor, config: Config) -> Treated:
    """Gather the patients of the clubs that training never saw; propensities come from the other clubs."""
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    chosen = fit_propensity(X[~held_out], arm[~held_out], basis(X[~held_out], config.pathways.knots))
    X, rows, truth = X[held_out].reset_index(drop=True), frames.treatment[held_out], frames.truth_treatment
    had, clubs = (rows[name].to_numpy(dtype=object) for name in ("arm", "club"))
    given = Given(rows[SUCCESS.column].to_numpy(dtype=float), had, clubs, chosen.predict(X))
    if truth is not None:
        truth = truth[held_out].reset_index(drop=True).rename(columns={f"p_{a.name}": a.name for a in ARMS})
    return Treated.of(predictor, X, given, chosen, truth)


def pathways_answered(treated: Treated) -> pd.DataFrame:
    """Return of how many eligible patients each effect is answered, and what its interval is made of."""
    labels, rows = {arm.name: arm.label for arm in ARMS}, []
    for name, found in treated.effect.items():
        own = treated.patients.eligible[name].to_numpy(bool)
        if own.any():
            mine = Estimate(*(values[own] for values in astuple(found)))
            rows.append(answered(f"{labels[name]}: effect", mine))
    return pd.DataFrame(rows)


__all__ = [
    "Runners", "answered", "held_out_patients", "onset_pictures", "onset_tables", "pathways_answered",
    "refitted_pictures", "risk_of",
]  # fmt: skip
