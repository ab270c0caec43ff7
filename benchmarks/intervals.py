"""How often the released bundle's intervals hold the risk in worlds that the evidence allows.

A world is one draw over the evidence's intervals, of a seed that training never used. The risk to be held is the one
given what was observed, at an average club: nobody knows a runner's club or what was not measured. It is found by
fitting the true risks of many runners, each in a club of its own; without the noise of who falls ill, a few thousand
rows are enough. Errors within one world are shared, so a world holds nearly all of its runners or few of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import lightgbm
import numpy as np
import pandas as pd
import typer

from pfps_ml.core import CohortConfig, fit_logistic
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import load_scenario
from pfps_ml.model import AdditiveModel, Interval, basis, probability, released_bundle
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.workflows.frames import onset_features

WORLDS = 200
SEED = 400_000  # of the first world
_FITTED, _JUDGED = 16_000, 4_000  # runners of a world: those whose risks are fitted, and those whose intervals are read
_BASE_RATE = "onset_base_rate"
_TREES = {"objective": "cross_entropy", "num_leaves": 8, "learning_rate": 0.1, "min_data_in_leaf": 100, "verbosity": -1,
          "num_threads": 1, "seed": 1}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What the intervals hold over all worlds.

    Attributes
    ----------
    covered, spread
        Mean share of runners whose risk is inside, and its standard deviation over worlds.
    error
        Root mean square difference of the risk from the bundle's, log-odds.
    shared
        The share of that square which all runners of a world have in common.
    base_rate
        The share of that square which goes with the world's base rate.
    """

    covered: float
    spread: float
    error: float
    shared: float
    base_rate: float


def worlds(
    model: AdditiveModel,
    interval: Interval,
    scenario: str,
    count: int = WORLDS,
    tell: Callable[[str], None] = lambda _step: None,
) -> pd.DataFrame:
    """Judge a model's intervals in freshly drawn worlds, one row a world.

    Returns
    -------
    pandas.DataFrame
        `seed`; `covered`, the share of runners whose risk is inside; `error` and `square`, the mean difference of the
        log-odds from the bundle's and its mean square; `width`, the mean width of the interval; `base_log_odds`, those
        of the world's base rate.
    """
    rows = []
    for seed in range(SEED, SEED + count):
        tell(f"world {seed - SEED + 1} of {count}")
        config = CohortConfig(scenario=scenario, runners=_FITTED + _JUDGED, runners_per_club=1, seed=seed, draw=1)
        rows.append({"seed": seed, **_judge(model, interval, config)})
    return pd.DataFrame(rows)


def summarise(found: pd.DataFrame) -> Summary:
    """Return what the intervals hold over all worlds."""
    square = found["square"].mean()
    explained = np.cov(found["error"], found["base_log_odds"])[0, 1] ** 2 / found["base_log_odds"].var()
    return Summary(
        covered=float(found["covered"].mean()),
        spread=float(found["covered"].std()),
        error=float(np.sqrt(square)),
        shared=float((found["error"] ** 2).mean() / square),
        base_rate=float(explained / square),
    )


def risk_given_observed(X: pd.DataFrame, risk: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Return the log-odds of the expected risk of some rows, from the true risks of others: smooth, then boosted."""
    ramps = basis(X, 5)
    beta = fit_logistic(ramps.design(X), risk, penalty=0.1 * ramps.penalty(1.0))
    smooth, start = ramps.design(X) @ beta, ramps.design(rows) @ beta
    rest = lightgbm.train(_TREES, lightgbm.Dataset(X, risk, init_score=smooth), num_boost_round=40)
    return np.asarray(start + rest.predict(rows, raw_score=True, num_threads=1))


def _judge(model: AdditiveModel, interval: Interval, config: CohortConfig) -> dict[str, float]:
    cohort = simulate_onset(config)
    X, risk = onset_features(cohort.observed), cohort.truth["true_risk"].to_numpy()
    known, rows = X.head(_FITTED), X.tail(_JUDGED).reset_index(drop=True)
    margin = risk_given_observed(known, risk[:_FITTED], rows)
    members = model.margin(rows)
    reach = interval.t * np.sqrt(np.add(*interval.variances(members)))
    error = margin - members[:, 0]
    rate = load_scenario(config.scenario).values(config.seed, config.draw)["runners"][_BASE_RATE]
    return {
        "covered": float((np.abs(error) <= reach).mean()),
        "error": float(error.mean()),
        "square": float((error**2).mean()),
        "width": float((probability(members[:, 0] + reach) - probability(members[:, 0] - reach)).mean()),
        "base_log_odds": float(np.log(rate / (1 - rate))),
    }


def show(found: pd.DataFrame, level: float) -> None:
    """Print what the intervals hold, and where they do not."""
    whole, quantiles = summarise(found), found["covered"].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
    rows: list[tuple[Any, ...]] = [
        ("risks inside their interval, mean over worlds", f"{whole.covered:.1%}"),
        ("the same, standard deviation over worlds", f"{whole.spread:.1%}"),
        ("the same, quantiles 5, 25, 50, 75, 95 % of the worlds", ", ".join(f"{q:.0%}" for q in quantiles)),
        ("mean width", f"{found['width'].mean():.3f}"),
        ("root mean square error, log-odds", f"{whole.error:.2f}"),
        ("share of its square that all runners of a world have in common", f"{whole.shared:.0%}"),
        ("share that goes with the world's base rate", f"{whole.base_rate:.0%}"),
    ]
    table(f"{level:.0%} intervals in {len(found)} freshly drawn worlds", ("figure", "value"), rows)


def main(
    count: Annotated[int, typer.Option("--worlds", help="Worlds to draw.", min=2)] = WORLDS,
) -> None:
    """Judge the released bundle's intervals in freshly drawn worlds."""
    bundle = released_bundle()
    scenario = bundle.manifest["trained_on"]["scenario"]
    with steps("intervals", count) as tell:
        found = worlds(bundle.predictor.onset, interval := bundle.predictor.interval, scenario, count, tell)
    show(found, interval.level)
    say(f"{bundle.name}, scenario {scenario}: {interval.evidence} evidence draws, {interval.sampling} resamples.")


if __name__ == "__main__":
    command(main)

__all__ = ["Summary", "risk_given_observed", "show", "summarise", "worlds"]
