"""How a model does on fresh runners of the world it was trained in, and how near that is to the best possible."""

from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd

from pfps_ml.bundle import Bundle
from pfps_ml.cohort.simulate import simulate_onset
from pfps_ml.config import CohortConfig
from pfps_ml.evaluation.metrics import auroc, measure
from pfps_ml.knowledge.dictionary import ONSET
from pfps_ml.learning.additive import probability
from pipelines.frames import onset_features

SEASONS = 5  # of the 40 clubs of the training cohort: 100,000 fresh runners
_PEER_ROWS = 1_000_000
_PEER = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.05, "min_data_in_leaf": 500, "verbosity": -1,
         "num_threads": 2, "seed": 1}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Coded fields, outcome and true risk of some runners."""

    X: pd.DataFrame
    y: np.ndarray
    true_risk: np.ndarray


def same_clubs(config: CohortConfig) -> Rows:
    """Return fresh runners of the same world: later seasons of the clubs that the cohort was drawn from."""
    return _rows([simulate_onset(config, season=season) for season in range(1, SEASONS + 1)])


def fresh_clubs(config: CohortConfig) -> Rows:
    """Return fresh runners of fresh clubs, whose base rates differ from those of the training clubs."""
    start = 10 * config.runners
    return _rows([simulate_onset(config, start, start + SEASONS * config.runners)])


def figures(bundle: Bundle, rows: Rows) -> dict[str, float]:
    """Return the figures of a bundle on some rows, and the AUROC of their true risk."""
    risk = probability(bundle.predictor.onset.member(0).margin(rows.X)[:, 0])
    return {**measure(rows.y, risk), "auroc_of_true_risk": auroc(rows.y, rows.true_risk)}


def best_auroc(config: CohortConfig, rows: Rows) -> float:
    """Return the AUROC of the risk given the observed fields: a fit on 1,000,000 rows of the same world."""
    seasons = range(SEASONS + 1, SEASONS + 1 + _PEER_ROWS // config.runners)
    large = _rows([simulate_onset(config, season=season) for season in seasons])
    peer = lightgbm.train(_PEER, lightgbm.Dataset(large.X, large.y), num_boost_round=400)
    return auroc(rows.y, np.asarray(peer.predict(rows.X, num_threads=2)))


def _rows(cohorts: list) -> Rows:
    observed = pd.concat([cohort.observed for cohort in cohorts], ignore_index=True)
    truth = np.concatenate([cohort.truth["true_risk"].to_numpy() for cohort in cohorts])
    return Rows(onset_features(observed), observed[ONSET.name].to_numpy(float), truth)


__all__ = ["Rows", "best_auroc", "figures", "fresh_clubs", "same_clubs"]
