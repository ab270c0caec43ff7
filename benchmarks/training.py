"""Training on a cohort in fresh worlds: `python -m pipelines.train --cohort` against the bundle and the cohort alone.

A world is one draw over the evidence's intervals that the released bundle never saw. The first runners of its clubs are
the cohort; the risks of runners of other clubs are what is to be predicted. Excess log loss is against their true risk,
so it holds no noise of who falls ill; what nobody measured is left in it for all alike. The interval is judged as in
`benchmarks.intervals`: it is to hold the risk given what was observed, at an average club. A cohort that training
refuses (too few cases) has the bundle as it is.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.intervals import risk_given_observed
from pfps_ml.core import CohortConfig, Floats, NDArray, PfpsError, TrainingConfig
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import ONSET, ONSET_FIELDS, complete
from pfps_ml.evaluation.metrics import excess_log_loss
from pfps_ml.model import Bundle, Predictor, released_bundle
from pfps_ml.simulation.cohort import simulate_onset
from pfps_ml.training.candidates import RidgeLogistic, our_onset, risk_of
from pfps_ml.training.update_basis import curve_basis_of, onset_decomposition
from pfps_ml.workflows.frames import coded
from pfps_ml.workflows.recalibrate import Known, updated_by
from pfps_ml.workflows.train_on_cohort import evidence_update

SIZES = (100, 300, 1000, 3000)
WORLDS = 40
SEED = 500_000  # of the first world; no seed below was looked at when the settings were chosen
_FITTED, _JUDGED = 12_000, 4_000  # runners of other clubs: who show the risk given what was observed, who are judged
_CLUB = 50
ALONE = {"ours": our_onset, "ridge": RidgeLogistic}
_NAMES = {"reference": "bundle as it is", "ours": "ours, cohort alone", "ridge": "ridge, cohort alone"}


@dataclass(frozen=True, eq=False)
class World:
    """The cohort's coded fields, outcomes and clubs; and the same of others with their true risk."""

    values: pd.DataFrame
    y: Floats
    club: NDArray[np.object_]
    others: pd.DataFrame
    risk: Floats

    @classmethod
    def of(cls, seed: int, scenario: str, fitted: int = _FITTED, judged: int = _JUDGED) -> "World":
        """Draw a world."""
        settings, last = CohortConfig(scenario=scenario, seed=seed, draw=seed, runners_per_club=_CLUB), max(SIZES)
        own = simulate_onset(settings, 0, last).observed
        apart = simulate_onset(replace(settings, runners_per_club=1), last, last + fitted + judged)
        return cls(coded(own), own[ONSET.column].to_numpy(dtype=float), own["club"].to_numpy(dtype=object),
                   coded(apart.observed), apart.truth["true_risk"].to_numpy())  # fmt: skip


def worlds(bundle: Bundle, scenario: str, seeds: range, sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """Judge training in fresh worlds, one row a world and number of runners.

    Returns
    -------
    pandas.DataFrame
        `n`, `cases`, the excess log loss of `reference`, `trained`, `ours` and `ridge`, and of the interval before and
        after: `covered_*`, the share of risks inside, and `width_*`, log-odds.
    """
    return pd.DataFrame([row for seed in seeds for row in _judge(bundle, World.of(seed, scenario), sizes)])


def trained(bundle: Bundle, world: World, n: int) -> Predictor:
    """Return the models trained on the first runners of a world; as they are where there are too few cases."""
    settings, y = TrainingConfig(), world.y[:n]
    if min(y.sum(), n - y.sum()) < settings.fewest_events:
        return bundle.predictor
    values = complete(world.values.head(n))
    known = Known(values, y, world.club[:n], onset_decomposition(bundle.predictor, values), {})
    shapes = curve_basis_of(bundle.predictor.onset, bundle.reference)
    return updated_by(bundle, evidence_update(known, shapes, bundle.predictor.interval, settings))


def alone(name: str, world: World, n: int, X: pd.DataFrame) -> Floats:
    """Return risks by a model of the first runners alone: their rate, where it cannot be fitted."""
    y = world.y[:n]
    try:
        with warnings.catch_warnings(action="ignore"):  # folds without a case
            return risk_of(ALONE[name]().fit(world.values.head(n)[list(ONSET_FIELDS)], y), X)
    except (PfpsError, ValueError):
        return np.full(len(X), max(y.mean(), 0.5 / n))


def _judge(bundle: Bundle, world: World, sizes: tuple[int, ...]) -> list[dict[str, float]]:
    X = world.others[list(ONSET_FIELDS)].reset_index(drop=True)
    known, judged = len(X) - _JUDGED, slice(len(X) - _JUDGED, None)
    rows, risk = X[judged].reset_index(drop=True), world.risk[judged]
    target = risk_given_observed(X.head(known), world.risk[:known], rows)
    values, found = complete(world.others[judged].reset_index(drop=True)), []
    for n in sizes:
        after = trained(bundle, world, n)
        row = {"n": n, "cases": float(world.y[:n].sum())}
        for name, each in (("reference", bundle.predictor), ("trained", after)):
            row[name] = excess_log_loss(risk, each.predict(values).risk.value)
            row[f"covered_{name}"], row[f"width_{name}"] = _interval(each, values, target)
        found.append(row | {name: excess_log_loss(risk, alone(name, world, n, rows)) for name in ALONE})
    return found


def _interval(found: Predictor, values: dict[str, Floats], target: Floats) -> tuple[float, float]:
    members = found.onset.margin(values)
    reach = found.interval.t * np.sqrt(np.add(*found.interval.variances(members)))
    return float((np.abs(target - members[:, 0]) <= reach).mean()), float(2 * reach.mean())


def show(found: pd.DataFrame, scenario: str) -> None:
    """Print the losses, the differences with their standard errors over worlds, and the intervals."""
    counts = [(f"{n:,}", each) for n, each in found.groupby("n")]
    models = {"trained": "trained", **_NAMES}
    losses = [(n, *(f"{each[name].mean():.4f}" for name in models)) for n, each in counts]
    table(f"Excess log loss in fresh worlds of `{scenario}`", ("runners", *models.values()), losses)
    less = [(n, f"{(e['cases'] >= TrainingConfig.fewest_events).sum()} of {len(e)}",
             *(difference(e, "trained", name) for name in _NAMES)) for n, e in counts]  # fmt: skip
    table("Trained less the others (standard error)", ("runners", "trained in", *_NAMES.values()), less)
    intervals = [(n, *(_held(each, name) for name in ("reference", "trained"))) for n, each in counts]
    table("90 % interval: risks inside, and its width in log-odds", ("runners", "bundle", "trained"), intervals)


def _held(each: pd.DataFrame, name: str) -> str:
    return f"{each[f'covered_{name}'].mean():.1%}, {each[f'width_{name}'].mean():.2f}"


def difference(each: pd.DataFrame, first: str, other: str) -> str:
    """Return the mean difference of two figures over worlds, with its standard error."""
    gap = each[first] - each[other]
    return f"{gap.mean():+.5f} ({gap.std() / len(gap) ** 0.5:.5f})"


def in_fresh_worlds(title: str, judge: Callable[[Bundle, range], pd.DataFrame], count: int) -> pd.DataFrame:
    """Return what a judge finds of the released bundle, world by world, with the progress on the terminal."""
    bundle = released_bundle()
    with steps(title, count) as tell:
        parts = []
        for at in range(count):
            tell(f"world {at + 1} of {count}")
            parts.append(judge(bundle, range(SEED + at, SEED + at + 1)))
    return pd.concat(parts)


def main(
    scenario: Annotated[str, typer.Option(help="Of the worlds.")] = "reference",
    count: Annotated[int, typer.Option("--worlds", help="Worlds to draw.", min=2)] = WORLDS,
) -> None:
    """Judge training on a cohort in fresh worlds."""
    show(in_fresh_worlds("training", lambda bundle, seeds: worlds(bundle, scenario, seeds), count), scenario)
    say(f"{released_bundle().name}; clubs of {_CLUB}; judged on {_JUDGED:,} runners of other clubs in each world.")


if __name__ == "__main__":
    command(main)

__all__ = [
    "ALONE",
    "SEED",
    "SIZES",
    "WORLDS",
    "World",
    "alone",
    "difference",
    "in_fresh_worlds",
    "main",
    "show",
    "trained",
    "worlds",
]
