"""How often a squad's forecast holds, how near its plan of measuring is to the best one, and how long a report takes.

Every squad is a world of its own: one draw over the evidence's intervals and one fresh club, both of seeds that
training never used. So the runners of a squad share their club and whatever is true of the evidence.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from pfps_ml.core import CohortConfig, FactError, NDArray, generator
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import SCREENING, check, complete
from pfps_ml.model import Bundle, released_bundle
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.squad.forecast import Forecast, forecast, worlds
from pfps_ml.squad.measurements import Measurement, Squad, missing_measurements, plan_measurements

SQUADS = 4_000
PLANS = 300
SEED = 600_000  # of the first squad
SMALLEST, LARGEST = 15, 40  # runners
EXACT = 10**9  # outcomes: none are merged
_MOST = 9  # measurements of a small squad: all 512 plans are tried
_SHOWN = 0.0005  # cases: a report only names what brings less
_NOTHING = 1e-5  # cases: where the best plan brings less, there is nothing to plan
_TIMED = 5  # runs of the command


@dataclass(frozen=True)
class Held:
    """What the forecasts of many squads hold.

    Attributes
    ----------
    closed
        The share of squads whose cases are inside the interval, ends included.
    shorter
        The same of the best run of counts that is one shorter.
    claimed, claimed_shorter
        What the forecasts themselves give both, mean.
    pit
        The share of squads whose randomised probability integral transform is between 0.05 and 0.95.
    below, above
        The shares under 0.05 and over 0.95: fewer cases than expected, and more.
    cases, expected
        Mean cases of a squad, and what the forecasts expected.
    width
        Mean number of counts in the interval.
    """

    closed: float
    shorter: float
    claimed: float
    claimed_shorter: float
    pit: float
    below: float
    above: float
    cases: float
    expected: float
    width: float


def squads(seed: int, count: int) -> Iterator[pd.DataFrame]:
    """Yield squads with what came of them, each of a world and a club of its own."""
    sizes = generator(seed, "benchmarks/squads").integers(SMALLEST, LARGEST + 1, size=count)
    for at, size in enumerate(sizes):
        config = CohortConfig(runners=int(size), runners_per_club=int(size), seed=seed + at, draw=1)
        yield simulate_onset(config).observed.reset_index(drop=True)


def forecasts(bundle: Bundle, seed: int, count: int, tell: Callable[[str], None] = lambda _step: None) -> pd.DataFrame:
    """Forecast many squads, one row a squad: `cases`, `expected`, `low`, `high`, `shorter` and `pit`."""
    chance = generator(seed, "benchmarks/pit").random(count)
    rows = []
    for at, frame in enumerate(squads(seed, count)):
        tell(f"squad {at + 1} of {count}")
        columns = complete(check(frame).values)
        found = forecast(worlds(bundle, columns, np.zeros(len(frame), dtype=np.int64)), bundle.predictor.interval.level)
        cases = int(frame["pfps_onset_12m"].sum())
        pit = float(found.shares[:cases].sum() + chance[at] * found.shares[cases])
        shorter = _best_run(found, found.high - found.low)
        rows.append({"cases": cases, "expected": found.mean, "low": found.low, "high": found.high,
                     "claimed": float(found.shares[found.low : found.high + 1].sum()), "shorter": cases in shorter,
                     "claimed_shorter": float(found.shares[shorter].sum()), "pit": pit})  # fmt: skip
    return pd.DataFrame(rows)


def _best_run(found: Forecast, width: int) -> range:
    """Return the run of so many counts that holds most."""
    held = [float(found.shares[low : low + width].sum()) for low in range(len(found.shares) - width + 1)]
    low = int(np.argmax(held))
    return range(low, low + width)


def summarise(found: pd.DataFrame) -> Held:
    """Return what the forecasts hold over all squads."""
    below, above = float((found["pit"] < 0.05).mean()), float((found["pit"] > 0.95).mean())
    return Held(
        closed=float(found["cases"].between(found["low"], found["high"]).mean()),
        shorter=float(found["shorter"].mean()),
        claimed=float(found["claimed"].mean()),
        claimed_shorter=float(found["claimed_shorter"].mean()),
        pit=1 - below - above,
        below=below,
        above=above,
        cases=float(found["cases"].mean()),
        expected=float(found["expected"].mean()),
        width=float((found["high"] - found["low"] + 1).mean()),
    )


def plans(bundle: Bundle, seed: int, count: int) -> NDArray[np.float64]:
    """Return, for many small squads, the gain of the suggested measurements and the best possible one; (squads, 2).

    A squad has 3 to 6 runners and up to nine measurements that may be made; all plans that fit the time are tried.
    """
    draw, gains = generator(seed, "benchmarks/plans"), []
    for frame in squads(seed, count):
        columns = complete(check(frame.head(int(draw.integers(3, 7)))).values)
        log_odds, choices = bundle.predictor.predict(columns).log_odds, missing_measurements(bundle, columns)
        some = [choices[at] for at in draw.permutation(len(choices))[:_MOST]]
        squad = Squad(log_odds, int(draw.integers(1, len(log_odds))), tuple(some))
        minutes = float(draw.uniform(0.2, 0.7)) * sum(choice.minutes for choice in some)
        best = optimum(squad, minutes)
        if best > _NOTHING:
            gains.append((squad.gain(plan_measurements(squad, minutes).chosen, EXACT), best))
    return np.array(gains).reshape(-1, 2)


def optimum(squad: Squad, minutes: float) -> float:
    """Return the gain of the best of all plans that fit the time."""
    ways = (some for size in range(len(squad.choices) + 1) for some in combinations(squad.choices, size))
    return max(squad.gain(some, EXACT) for some in ways if _minutes(some) <= minutes)


def _minutes(chosen: tuple[Measurement, ...]) -> float:
    return sum(choice.minutes for choice in chosen)


def seconds(seed: int, runners: int = 30) -> tuple[float, float]:
    """Return how long `pfps squad` takes for a squad, from a cold start: by the clock, and of a processor.

    The medians of a few runs; on a busy machine the second is the fairer figure.
    """
    frame = simulate_onset(CohortConfig(runners=runners, runners_per_club=runners, seed=seed, draw=1)).observed
    with tempfile.TemporaryDirectory(prefix="pfps-") as folder:
        source, out = Path(folder) / "squad.csv", Path(folder) / "squad.html"
        frame[[field.name for field in SCREENING]].to_csv(source, index=False)
        command = [str(Path(sys.executable).parent / "pfps"), "squad", str(source), "-o", str(out)]
        clock, busy = zip(*(_timed(command) for _ in range(_TIMED)), strict=True)
        return median(clock), median(busy)


def _timed(command: list[str]) -> tuple[float, float]:
    start, before = time.perf_counter(), os.times()
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    if done.returncode:
        raise FactError("expected a report of a simulated squad, got none; run `pfps squad` by hand to see why")
    after = os.times()
    busy = after.children_user - before.children_user + after.children_system - before.children_system
    return time.perf_counter() - start, busy


def show(found: pd.DataFrame, seed: int) -> None:
    """Print what the forecasts hold."""
    held = summarise(found)
    rows: list[tuple[Any, ...]] = [
        ("closed 90 % interval holds the cases; by the forecasts", f"{held.closed:.1%}; {held.claimed:.1%}"),
        ("counts in it, mean", f"{held.width:.2f}"),
        ("the best run of one count fewer holds them", f"{held.shorter:.1%}; {held.claimed_shorter:.1%}"),
        ("randomised transform between 0.05 and 0.95", f"{held.pit:.1%}"),
        ("below, above", f"{held.below:.1%}, {held.above:.1%}"),
        ("cases of a squad, mean; expected by the forecasts", f"{held.cases:.2f}; {held.expected:.2f}"),
    ]
    table(f"{len(found):,} squads of {SMALLEST} to {LARGEST} runners, seed {seed}", ("figure", "value"), rows)


def show_plans(gains: NDArray[np.float64]) -> None:
    """Print how near the suggested measurements come to the best ones: of all, and where a report shows a gain."""
    shares = gains[:, 0] / gains[:, 1]
    for kind, some in (("all", shares), (f"best gain {_SHOWN} cases or more", shares[gains[:, 1] >= _SHOWN])):
        least = (
            f"least {some.min():.3f}, mean {some.mean():.3f}, under 0.95 in {(some < 0.95).sum()}" if len(some) else ""
        )
        say(f"Plans, {kind}: {len(some)} small squads, share of the best possible gain: {least or 'none'}.")
    say(f"Most that a plan falls short by: {(gains[:, 1] - gains[:, 0]).max():.6f} cases.")


def main(
    count: Annotated[int, typer.Option("--squads", help="Squads to forecast.", min=1)] = SQUADS,
    planned: Annotated[int, typer.Option("--plans", help="Small squads to plan.", min=1)] = PLANS,
    seed: Annotated[int, typer.Option("--seed", help="Of the first squad.", min=0)] = SEED,
) -> None:
    """Judge the released bundle's squad report: its forecast, its plan of measuring, and its speed."""
    bundle = released_bundle()
    with steps("squad", count + 2) as tell:
        found = forecasts(bundle, seed, count, tell)
        tell("plans of small squads against the best")
        gains = plans(bundle, seed, planned)
        tell("the report of 30 runners")
        took = seconds(seed)
    show(found, seed)
    show_plans(gains)
    say(f"The report of 30 runners, from a cold start: {took[0]:.1f} s by the clock, {took[1]:.1f} s of a processor.")


if __name__ == "__main__":
    command(main)

__all__ = ["Held", "forecasts", "main", "optimum", "plans", "seconds", "show", "show_plans", "squads", "summarise"]
