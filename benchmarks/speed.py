"""What scoring costs, in one run with its peers: the engine, a whole assessment, one runner, a small roster.

Run alone: `OMP_NUM_THREADS=1 python -m benchmarks.speed`. Ratios are of medians of one run on one machine; figures of
different runs are not to be compared.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pfps_ml.core import CohortConfig, OnsetConfig, generator
from pfps_ml.core.console import say, table
from pfps_ml.domain import ONSET, ONSET_FIELDS, check, check_columns
from pfps_ml.model import AdditiveModel, Bundle, Scorer, explainer, released_bundle, scorer
from pfps_ml.model.assess import assess
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.training.onset import compile_trees, pair_gains
from pfps_ml.workflows.frames import onset_features

ROWS = 200_000
RUNS = 5
MEMBERS = (100, 20)
CHUNK = 16_384  # rows assessed at once
SIZES = tuple(10**power for power in range(8))
_SLOW_ROWS, _SHAP_ROWS, _BACKGROUND = 20_000, 200, 100
_TREES = {"objective": "binary", "max_depth": 2, "num_leaves": 4, "learning_rate": 0.05, "lambda_l2": 20.0,
          "min_data_in_leaf": 100, "verbosity": -1, "num_threads": 1, "seed": 1}  # fmt: skip
_ONE = {"age_years": [27], "sex": ["female"], "height_cm": [168], "weight_kg": [61], "weekly_distance_km": [32],
        "running_experience_years": [4], "longest_run_spike_pct": [45], "prior_pfps": ["yes"],
        "knee_extension_nm_kg": [1.9], "symptom_duration_months": [8], "akps": [70],
        "failed_conventional_care": ["no"], "stairs_pain": ["yes"]}  # fmt: skip
_LIBRARIES = ("lightgbm", "shap", "numpy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Peers:
    """LightGBM's trees of depth two and the same trees as tables, with rows to score.

    `plain` gives risk and reasons; `wide` intervals of 100 evidence draws and 20 resamples, too: the trees with noise,
    because what members cost does not depend on what they say.
    """

    booster: lightgbm.Booster
    rows: np.ndarray
    columns: dict[str, np.ndarray]
    background: np.ndarray
    plain: Scorer
    wide: Scorer


def peers(rows: int = ROWS, trees: int = 360, pairs: int | None = OnsetConfig().max_pairs) -> Peers:
    """Train trees on the cohort's 20,000 runners and write them as tables.

    Parameters
    ----------
    rows
        To score.
    pairs
        How many pairs of fields may meet in a tree, as in a released model: those that gain most; any if None.
    """
    cohort = simulate_onset(CohortConfig(), 0, max(rows, 20_000)).observed
    X = onset_features(cohort)[list(ONSET_FIELDS)]
    train = X.head(20_000)
    y = cohort[ONSET.column].head(20_000)
    booster = lightgbm.train(_TREES, lightgbm.Dataset(train, y), trees)
    if pairs is not None:
        booster = lightgbm.train(_TREES | _only(booster, pairs), lightgbm.Dataset(train, y), trees)
    model = compile_trees(booster.dump_model())
    reasons = explainer(model, train)
    wide = scorer(_with_members(model, sum(MEMBERS)), reasons, MEMBERS)
    values = X.head(rows).to_numpy(dtype=float)
    columns = {name: np.ascontiguousarray(values[:, at]) for at, name in enumerate(ONSET_FIELDS)}
    return Peers(booster, values, columns, train.head(_BACKGROUND).to_numpy(), scorer(model, reasons), wide)


def against_peers(bundle: Bundle, found: Peers, runs: int = RUNS) -> pd.DataFrame:
    """Return what each costs: name, rows timed, microseconds a row (median), and how many times the first that is."""
    import shap  # noqa: PLC0415 (importing it takes seconds, and warns)

    slow, few = found.rows[:_SLOW_ROWS], found.rows[:_SHAP_ROWS]
    peer = shap.TreeExplainer(found.booster, found.background, feature_perturbation="interventional")
    released = bundle.predictor
    own = scorer(released.onset, released.explainer, (released.interval.evidence, released.interval.sampling))
    bare = scorer(released.onset, released.explainer)
    parts = (found.columns, len(found.rows))
    costs = [
        ("ours, risk and exact reasons", len(found.rows), lambda: found.plain.score(found.columns)),
        ("ours, risk, exact reasons and intervals", len(found.rows), lambda: _in_chunks(found.wide, *parts)),
        ("LightGBM predict, risk alone", len(found.rows), lambda: found.booster.predict(found.rows, num_threads=1)),
        ("LightGBM pred_contrib", len(slow), lambda: found.booster.predict(slow, pred_contrib=True, num_threads=1)),
        ("shap.TreeExplainer, interventional", len(few), lambda: peer.shap_values(few)),
        ("released model, risk and exact reasons", len(found.rows), lambda: bare.score(found.columns)),
        ("released model with intervals", len(found.rows), lambda: _in_chunks(own, *parts)),
    ]
    timed = [(name, rows, 1e6 * _median(call, runs) / rows) for name, rows, call in costs]
    frame = pd.DataFrame(timed, columns=["what", "rows", "microseconds"])
    return frame.assign(times=frame["microseconds"] / frame["microseconds"].iloc[0])


def merging_cost(bundle: Bundle) -> float:
    """Return the most, log-odds, by which merging cells and dropping terms can have moved a released margin."""
    released = bundle.predictor
    return scorer(released.onset, released.explainer, (released.interval.evidence, released.interval.sampling)).cost


def whole_assessment(bundle: Bundle, rows: int = ROWS, runs: int = RUNS) -> pd.DataFrame:
    """Return rows a second of the released bundle in memory: checking, assessing, and with the table's texts."""
    observed = simulate_onset(CohortConfig(), 0, rows).observed
    values = check(observed).values
    parts = [values.iloc[start : start + CHUNK].reset_index(drop=True) for start in range(0, rows, CHUNK)]
    steps: list[tuple[str, Callable[[], object]]] = [
        ("checking every cell", lambda: check(observed)),
        ("risk, interval and reasons", lambda: [assess(bundle, part) for part in parts]),
        ("with the roster's columns and texts", lambda: [assess(bundle, part).table(visit=False) for part in parts]),
    ]
    return pd.DataFrame([(name, rows / _median(step, runs)) for name, step in steps], columns=["what", "rows_s"])


def one_runner(bundle: Bundle, found: Peers, runs: int = 300) -> pd.DataFrame:
    """Return the median milliseconds of one patient, from cells to JSON values, beside one call of pred_contrib."""

    def ours() -> object:
        return assess(bundle, check_columns(_ONE)[0]).as_dict(0)

    row = found.rows[:1]
    return pd.DataFrame(
        [("ours, one runner: checked, risk, reasons, interval, pathways", 1000 * _median(ours, runs)),
         ("LightGBM pred_contrib, one row", 1000 * _median(
             lambda: found.booster.predict(row, pred_contrib=True, num_threads=1), runs))],
        columns=["what", "milliseconds"],
    )  # fmt: skip


def small_roster(rows: int = 30, runs: int = RUNS) -> float:
    """Return the median seconds of `pfps score` of a small roster in a fresh process, with warm files."""
    with tempfile.TemporaryDirectory() as folder:
        roster, out = Path(folder) / "roster.csv", Path(folder) / "scored.csv"
        simulate_onset(CohortConfig(), 0, rows).observed.to_csv(roster, index=False)
        command = [str(Path(sys.executable).with_name("pfps")), "score", str(roster), "-o", str(out)]
        # warm files: the modules are compiled, as an installer leaves them; the first run, which is not timed, does it
        compiled = {"PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
        environment = {**os.environ, **compiled}
        return _median(
            lambda: subprocess.run(command, check=True, capture_output=True, env=environment),  # noqa: S603
            runs,
        )


def cost_by_rows(found: Peers, sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """Return seconds and microseconds a row of risk, reasons and intervals, in chunks, for rosters of many sizes."""
    costs = []
    for rows in sizes:
        runs = RUNS if rows <= ROWS else 1
        seconds = _median(lambda rows=rows: _in_chunks(found.wide, found.columns, rows), runs)
        costs.append({"rows": rows, "runs": runs, "seconds": seconds, "microseconds": 1e6 * seconds / rows})
    return pd.DataFrame(costs)


def draw_cost(costs: pd.DataFrame, path: Path) -> None:
    """Draw the cost of a row against the rows, and write the table beside the picture."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.loglog(costs["rows"], costs["microseconds"], marker="o")
    axes.set(xlabel="rows", ylabel="microseconds a row", title="Risk, exact reasons and intervals, one thread")
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    costs.to_csv(path.with_suffix(".csv"), index=False)


def main() -> None:
    """Print all figures and draw the cost against the rows into out/bench."""
    os.environ["OMP_NUM_THREADS"] = "1"
    bundle = released_bundle()
    found = peers()
    say("; ".join(f"{name} {version(name)}" for name in _LIBRARIES) + "; one thread")
    for about, each in (("", found), (", any pairs", peers(pairs=None))):
        engine = against_peers(bundle, each)
        shown = [(r.what, f"{r.rows:,}", f"{r.microseconds:.2f}", f"{r.times:.1f}") for r in engine.itertuples()]
        title = f"{ROWS:,} rows, 360 trees of depth two{about}, medians of {RUNS} runs"
        table(title, ("what", "rows timed", "µs a row", "times the first"), shown)
    say(f"Merging cells and dropping terms moved no margin by more than {merging_cost(bundle):.1g} log-odds")
    steps = [(r.what, f"{r.rows_s:,.0f}") for r in whole_assessment(bundle).itertuples()]
    table("The released bundle in memory", ("what", "rows/s"), steps)
    alone = [(r.what, f"{r.milliseconds:.3f}") for r in one_runner(bundle, found).itertuples()]
    table("One runner", ("what", "ms"), alone)
    say(f"pfps score of 30 runners in a fresh process: {small_roster():.2f} s")
    costs = cost_by_rows(found)
    rows = [(f"{r.rows:,}", str(r.runs), f"{r.seconds:.4g}", f"{r.microseconds:.2f}") for r in costs.itertuples()]
    table("Cost against rows", ("rows", "runs", "seconds", "µs a row"), rows)
    draw_cost(costs, Path("out/bench/cost.png"))


def _only(booster: lightgbm.Booster, pairs: int) -> dict[str, list[list[int]]]:
    """Return the setting that lets no other pairs meet than those that gained most."""
    gains = pair_gains(booster.dump_model())
    best = sorted(gains, key=lambda pair: -gains[pair])[:pairs]
    alone = [[at] for at in range(len(ONSET_FIELDS))]
    return {"interaction_constraints": alone + [[ONSET_FIELDS.index(name) for name in pair] for pair in best]}


def _in_chunks(found: Scorer, columns: dict[str, np.ndarray], rows: int) -> None:
    """Score so many rows, the given ones again and again, and keep nothing: as a stream does."""
    given = len(next(iter(columns.values())))
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        at = start % max(given - CHUNK, 1)
        found.score({name: x[at : at + count] for name, x in columns.items()})


def _with_members(model: AdditiveModel, members: int) -> AdditiveModel:
    random = generator(1, "members").normal

    def grown(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values + random(scale=0.05, size=(*values.shape[:-1], members))], axis=-1)

    terms = tuple(replace(term, values=grown(term.values)) for term in model.terms)
    return AdditiveModel(grown(model.intercept), terms)


def _median(call: Callable[[], object], runs: int) -> float:
    call()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


__all__ = [
    "Peers",
    "against_peers",
    "cost_by_rows",
    "draw_cost",
    "merging_cost",
    "one_runner",
    "peers",
    "small_roster",
    "whole_assessment",
]

if __name__ == "__main__":
    main()
