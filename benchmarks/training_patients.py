"""Training on patients in fresh worlds: `python -m pipelines.train --patients` against the bundle and patients alone.

A world is one draw over the evidence's intervals that the released bundle never saw. The first patients are the cohort,
whose clinics chose the arms; others are judged, of whom the true chance of success under every arm is known: excess log
loss over the arms open to them, error of the effects, and how many effects their 90 % interval holds.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.training import SIZES, WORLDS, difference, in_fresh_worlds
from pfps_ml.core import CohortConfig
from pfps_ml.core.console import command, say, table
from pfps_ml.domain import ACTIVE_ARMS, ARMS, PATHWAY_FIELDS, REFERENCE_ARM, SUCCESS, complete
from pfps_ml.evaluation.metrics import excess_log_loss
from pfps_ml.model import Bundle, Predictor, eligibility, released_bundle
from pfps_ml.simulation.cohort import simulate_treatment
from pfps_ml.training.pathway_candidates import our_pathways, success_of
from pfps_ml.workflows.frames import coded
from pfps_ml.workflows.train_on_cohort import Treated, success_under, trained_pathways

_JUDGED = 3_000
_NAMES = [arm.name for arm in ARMS]
_MODELS = {"trained": "trained", "reference": "bundle as it is", "ours": "ours, patients alone"}


@dataclass(frozen=True, eq=False)
class Judged:
    """The patients who are judged: coded fields, who is open to which arm, and the truth, one column an arm."""

    values: pd.DataFrame
    may: pd.DataFrame
    truth: pd.DataFrame

    def loss(self, success: pd.DataFrame) -> float:
        """Return the excess log loss over the arms that are open."""
        may = self.may[_NAMES].to_numpy(bool)
        return excess_log_loss(self.truth[_NAMES].to_numpy()[may], success[_NAMES].to_numpy()[may])

    def error(self, success: pd.DataFrame) -> float:
        """Return the root mean square error of the effects of the active arms that are open."""
        found, true = (each[list(ACTIVE_ARMS)].sub(each[REFERENCE_ARM], axis=0) for each in (success, self.truth))
        return float(np.sqrt(((found - true).to_numpy()[self.may[list(ACTIVE_ARMS)].to_numpy(bool)] ** 2).mean()))

    def covered(self, predictor: Predictor) -> float:
        """Return the share of these effects that are inside their interval."""
        found, inside = predictor.predict(complete(self.values)).effect, []
        for name in ACTIVE_ARMS:
            true, each = (self.truth[name] - self.truth[REFERENCE_ARM]).to_numpy(), found[name]
            inside.append(((each.low <= true) & (true <= each.high))[self.may[name].to_numpy(bool)])
        return float(np.concatenate(inside).mean())


def worlds(bundle: Bundle, scenario: str, seeds: range, sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """Judge training in fresh worlds, one row a world and number of patients.

    Returns
    -------
    pandas.DataFrame
        `n`; the excess log loss of `trained`, `reference` and `ours`; the `error_*` of their effects; and `covered_*`
        by the intervals before and after.
    """
    return pd.DataFrame([row for seed in seeds for row in _judge(bundle, scenario, seed, sizes)])


def _judge(bundle: Bundle, scenario: str, seed: int, sizes: tuple[int, ...]) -> list[dict[str, float]]:
    world = simulate_treatment(CohortConfig(scenario=scenario, seed=seed, draw=seed), 0, max(sizes) + _JUDGED)
    values, y = coded(world.observed), world.observed[SUCCESS.column].to_numpy(dtype=float)
    club = world.observed["club"].to_numpy(dtype=object)
    given, others = world.observed["arm"].to_numpy(dtype=object), values.iloc[-_JUDGED:].reset_index(drop=True)
    truth = world.truth.rename(columns={f"p_{name}": name for name in _NAMES}).iloc[-_JUDGED:].reset_index(drop=True)
    judged, coming = Judged(others, eligibility(others), truth), complete(others)
    rows: list[dict[str, float]] = []
    for n in sizes:
        every = np.arange(n)
        cohort = Treated(complete(values.head(n)), given[:n], y[:n], every % 5, every, club[:n])
        after = trained_pathways(bundle, cohort)
        alone = our_pathways().fit(cohort.features, pd.Series(cohort.given), cohort.y)
        success = {"trained": success_under(after, coming), "reference": success_under(bundle.predictor, coming),
                   "ours": success_of(alone, others[list(PATHWAY_FIELDS)])}  # fmt: skip
        row: dict[str, float] = {"n": n, "covered_reference": judged.covered(bundle.predictor)}
        row |= {"covered_trained": judged.covered(after)} | {name: judged.loss(each) for name, each in success.items()}
        rows.append(row | {f"error_{name}": judged.error(each) for name, each in success.items()})
    return rows


def show(found: pd.DataFrame, scenario: str) -> None:
    """Print losses, errors of the effects, the differences with their standard errors over worlds, and intervals."""
    counts = [(f"{n:,}", each) for n, each in found.groupby("n")]
    for title, prefix in ((f"Excess log loss in fresh worlds of `{scenario}`", ""), ("Error of the effects", "error_")):
        rows = [(n, *(f"{each[prefix + name].mean():.4f}" for name in _MODELS),
                 *(difference(each, f"{prefix}trained", prefix + name) for name in ("reference", "ours")))
                for n, each in counts]  # fmt: skip
        table(title, ("patients", *_MODELS.values(), "trained less bundle", "less patients alone"), rows)
    held = [(n, *(f"{each[f'covered_{name}'].mean():.1%}" for name in ("reference", "trained"))) for n, each in counts]
    table("Effects inside their 90 % interval", ("patients", "bundle", "trained"), held)


def main(
    scenario: Annotated[str, typer.Option(help="Of the worlds.")] = "reference",
    count: Annotated[int, typer.Option("--worlds", help="Worlds to draw.", min=2)] = WORLDS,
) -> None:
    """Judge training on patients in fresh worlds."""
    show(
        in_fresh_worlds("training on patients", lambda bundle, seeds: worlds(bundle, scenario, seeds), count), scenario
    )
    say(f"{released_bundle().name}; judged on {_JUDGED:,} other patients of each world.")


if __name__ == "__main__":
    command(main)

__all__ = ["Judged", "main", "show", "worlds"]
