"""How a model does on fresh runners of the world it was trained in, and how near that is to the best possible."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd

from pfps_ml.core import CohortConfig
from pfps_ml.domain import ONSET, REFERENCE_ARM
from pfps_ml.evaluation.metrics import auroc, measure
from pfps_ml.model import Bundle, eligibility, probability
from pfps_ml.simulation.cohort import simulate_onset, simulate_treatment
from pfps_ml.workflows.frames import onset_features, pathway_features

SEASONS = 5  # of the 40 clubs of the training cohort: 100,000 fresh runners
_PEER_ROWS = 1_000_000
_PEER = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.05, "min_data_in_leaf": 500, "verbosity": -1,
         "num_threads": 2, "seed": 1}  # fmt: skip


_MEASURED = """
import time
from pathlib import Path
from pfps_ml.core.console import command
from pipelines.simulate import main
began = time.perf_counter()
try:
    command(main)
except SystemExit as stop:
    assert not stop.code
seconds = time.perf_counter() - began
# the peak of this process alone: rusage would count that of the parent it was forked from
print(seconds, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


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


def effect_coverage(bundle: Bundle, config: CohortConfig) -> pd.DataFrame:
    """Return how often the intervals of effects hold a fresh patient's true effect: arm, patients, covered, spreads."""
    start = 10 * config.patients
    cohort = simulate_treatment(config, start, start + 20_000)
    X, truth = pathway_features(cohort.observed), cohort.truth
    _, effect = bundle.predictor.pathways(X)
    may = eligibility(X)
    rows = []
    for name, found in effect.items():
        true = (truth[f"p_{name}"] - truth[f"p_{REFERENCE_ARM}"]).to_numpy()[may[name]]
        low, high, value = found.low[may[name]], found.high[may[name]], found.value[may[name]]
        covered = float(((low <= true) & (true <= high)).mean())
        rows.append({"arm": name, "n": len(true), "covered": covered, "sd": value.std(), "true_sd": true.std()})
    return pd.DataFrame(rows)


def cohort_speed(config: CohortConfig) -> pd.DataFrame:
    """Return what simulating cohorts to Parquet costs, in a process of its own: rows, seconds, peak memory (MB)."""
    costs = []
    for rows in (1_000_000, 10_000_000):
        with tempfile.TemporaryDirectory() as folder:
            size = ["-n", str(rows), "--patients", "1000", "--scenario", config.scenario, "-o", folder]
            done = subprocess.run(  # noqa: S603 (our own module, our own arguments)
                [sys.executable, "-c", _MEASURED, *size], check=True, capture_output=True, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        seconds, kilobytes = map(float, done.stdout.split()[-2:])
        costs.append({"rows": rows, "seconds": seconds, "peak_mb": kilobytes / 1024})
    return pd.DataFrame(costs)


def _rows(cohorts: list) -> Rows:
    observed = pd.concat([cohort.observed for cohort in cohorts], ignore_index=True)
    truth = np.concatenate([cohort.truth["true_risk"].to_numpy() for cohort in cohorts])
    return Rows(onset_features(observed), observed[ONSET.column].to_numpy(float), truth)


__all__ = ["Rows", "best_auroc", "cohort_speed", "effect_coverage", "figures", "fresh_clubs", "same_clubs"]
