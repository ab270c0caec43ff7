"""Intervals of mean effects beside EconML's and a regression's, in worlds whose true effects are known.

Each world is made of 500 cohorts. A cohort goes the way of `pfps evaluate`: chances and outcomes are fitted, those who
stayed are weighted, and the released bundle's predictions are the outcome model, recalibrated. The peers see the same
rows: a doubly robust learner (EconML's LinearDRLearner) and least squares with the arm, the fields and their products.
The true effect is the mean over a million patients of the world.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from econml.dr import LinearDRLearner  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pfps_ml.core import Config, Floats, NDArray, expit, generator, student_quantile
from pfps_ml.core.console import command, say, steps, table
from pfps_ml.domain import BY_NAME, INPUTS, REFERENCE_ARM, SUCCESS, Estimand
from pfps_ml.evaluation.estimands import effects_by_estimand
from pfps_ml.evaluation.external_validation import treated_patients
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.io.study_data import Cohort
from pfps_ml.model import released_bundle
from pfps_ml.training.candidates import quiet

COHORTS, _SEED, _TRUTH = 500, 510_000, 1_000_000
Effect = tuple[float, float, float]


@dataclass(frozen=True)
class World:
    """How patients of a world come by their arm, their success and their absence.

    Attributes
    ----------
    patients
        Of a cohort; where each comes twice, rows are twice as many.
    chance
        Of hip work, by standardised pain; a number where chance allocated.
    leaves
        Log-odds to go missing, by standardised pain and arm; None where nobody does.
    twice
        Whether each patient has two rows, with much in common.
    effect
        Added to the log-odds of success under hip work, by standardised pain.
    """

    name: str
    patients: int
    chance: Callable[[Floats], Floats] | float
    effect: Callable[[Floats], Floats]
    leaves: Callable[[Floats, Floats], Floats] | None = None
    twice: bool = False

    @property
    def randomised(self) -> bool:
        """Whether chance allocated the arms."""
        return isinstance(self.chance, float)


WORLDS = (
    World("randomised", 600, 0.5, lambda pain: 0.5 + 0.3 * pain),
    World("rare arm, randomised", 2_000, 0.03, lambda pain: 0 * pain),
    World("chosen by pain and function", 1_000, lambda pain: expit(-0.3 + 0.7 * pain), lambda pain: 0.5 + 0.3 * pain),
    World("drop-out by pain and arm", 800, 0.5, lambda pain: 0.5 + 0 * pain, lambda pain, hip: -1.5 + 0.8 * pain * hip),
    World("each patient twice", 300, 0.5, lambda pain: 0.5 + 0 * pain, twice=True),
)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Some patients of a world: fields, arm (1 hip work), success, whether it is known, and whose row it is."""

    X: pd.DataFrame
    hip: Floats
    y: Floats
    known: NDArray[np.bool_]
    person: NDArray[np.int64]
    gain: Floats


def draw(world: World, patients: int, name: str) -> Drawn:
    """Draw patients of a world; `gain` is the true difference of success for each."""
    stream = generator(_SEED, name)
    pain, function = stream.standard_normal(patients), stream.standard_normal(patients)
    own = stream.standard_normal(patients) if world.twice else np.zeros(patients)
    chance = np.full(patients, world.chance) if isinstance(world.chance, float) else world.chance(pain + 0.5 * function)
    hip = (stream.random(patients) < chance).astype(float)
    person = np.repeat(np.arange(patients), 2 if world.twice else 1)
    usual = -0.3 - 0.8 * pain + 0.6 * function + 1.5 * own
    under = [expit(usual + gain) for gain in (np.zeros(patients), world.effect(pain))]
    p = np.where(hip == 1, under[1], under[0])[person]
    left = np.zeros(len(person), dtype=bool)
    if world.leaves is not None:
        left = stream.random(len(person)) < expit(world.leaves(pain, hip))[person]
    X = pd.DataFrame({
        "worst_pain_mm": np.clip(55 + 18 * pain, 0, 100), "akps": np.clip(70 + 10 * function, 0, 100),
        "symptom_duration_months": np.exp(stream.normal(2.5, 0.8, patients)),
        "age_years": stream.uniform(18, 45, patients),
    }).iloc[person].reset_index(drop=True)  # fmt: skip
    y = (stream.random(len(person)) < p).astype(float)
    return Drawn(X, hip[person], y, ~left, person, (under[1] - under[0])[person])


def cohort_of(drawn: Drawn) -> Cohort:
    """Return drawn patients as a cohort that was read."""
    rows = len(drawn.y)
    values = pd.DataFrame(np.nan, index=range(rows), columns=[*dict.fromkeys([*BY_NAME, *(f.name for f in INPUTS)])])
    blank = np.full(rows, None, dtype=object)
    return Cohort(
        values=values.assign(**drawn.X), y=np.where(drawn.known, drawn.y, np.nan), rejected=np.zeros(rows, dtype=bool),
        faults=(), club=blank, person=drawn.person.astype(str).astype(object), period=None, months=None,
        measured_on=None, happened_on=None, second=None,
        arm=np.where(drawn.hip == 1, "hip", REFERENCE_ARM).astype(object), horizon=SUCCESS.at(), digest="",
    )  # fmt: skip


def ours(drawn: Drawn, world: World) -> Effect:
    """Return our effect for all with its interval."""
    treated, _ = treated_patients(released_bundle(), cohort_of(drawn), Config(), world.randomised)
    effects = effects_by_estimand(treated.patients)
    row = effects[(effects["arm"] == "hip") & (effects["estimand"] == Estimand.ALL)].iloc[0]
    return float(row["effect"]), float(row["low"]), float(row["high"])


def regression(drawn: Drawn, _: World) -> Effect:
    """Return the effect by least squares with the arm, the centred fields and their products, clustered by person."""
    X = drawn.X.to_numpy()[drawn.known]
    centred = (X - X.mean(axis=0)) / X.std(axis=0)
    y, hip, person = (values[drawn.known] for values in (drawn.y, drawn.hip, drawn.person))
    design = np.column_stack((np.ones(len(y)), hip, centred, hip[:, None] * centred))
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    scores = pd.DataFrame(design * (y - design @ beta)[:, None]).groupby(person).sum().to_numpy()
    count = len(scores)
    covariance = count / (count - 1) * inverse @ scores.T @ scores @ inverse
    half = student_quantile(LEVEL, count - 1) * float(np.sqrt(covariance[1, 1]))
    return float(beta[1]), float(beta[1]) - half, float(beta[1]) + half


def doubly_robust(drawn: Drawn, _: World) -> Effect:
    """Return the effect by EconML's LinearDRLearner; it knows of no persons and of no drop-out."""

    def nuisance() -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(C=1.0))

    learner = LinearDRLearner(
        model_propensity=nuisance(), model_regression=nuisance(), discrete_outcome=True, min_propensity=0.03, cv=5,
        random_state=_SEED,
    )  # fmt: skip
    with quiet():
        learner.fit(drawn.y[drawn.known], drawn.hip[drawn.known], W=drawn.X.to_numpy()[drawn.known])
        found = learner.ate_inference()
    low, high = found.conf_int_mean(alpha=1 - LEVEL)
    return float(found.mean_point), float(low), float(high)


METHODS = {"ours": ours, "regression": regression, "EconML DR": doubly_robust}


def results(world: World, cohorts: int, tell: Callable[[str], None]) -> pd.DataFrame:
    """Return effect, low and high of each method in each cohort, and the true effect of the world."""
    tell(f"{world.name}, {cohorts} cohorts")
    true = float(draw(world, _TRUTH, f"{world.name}: truth").gain.mean())
    rows = []
    for at in range(cohorts):
        drawn = draw(world, world.patients, f"{world.name}: cohort {at}")
        rows += [(name, *method(drawn, world), true) for name, method in METHODS.items()]
    return pd.DataFrame(rows, columns=["method", "effect", "low", "high", "true"])


def summary(found: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield method, bias, coverage with its standard error, withheld, and width over the best peer that covers."""
    about = {}
    for name, rows in found.groupby("method", sort=False):
        known = rows.dropna(subset="effect")
        inside = known["true"].between(known["low"], known["high"])
        error = float(np.sqrt(LEVEL * (1 - LEVEL) / max(len(known), 1)))
        about[str(name)] = (
            float((known["effect"] - known["true"]).mean()), float(inside.mean()), error, len(rows) - len(known),
            float((known["high"] - known["low"]).mean()),
        )  # fmt: skip
    honest = [width for name, (_, covered, error, _, width) in about.items()
              if name != "ours" and covered >= LEVEL - 3 * error]  # fmt: skip
    for name, (bias, covered, error, withheld, width) in about.items():
        ratio = f"{width / min(honest):.2f}" if honest else "no peer covers"
        yield name, f"{bias:+.3f}", f"{covered:.1%} (se {error:.1%})", str(withheld), f"{width:.3f}", ratio


def main(
    cohorts: Annotated[int, typer.Option(min=10, help="Cohorts of each world.")] = COHORTS,
    quick: Annotated[bool, typer.Option("--quick", help="40 cohorts of each world, at a quarter of the time.")] = False,
) -> None:
    """Print bias, coverage and width of 95 % intervals of the mean effect of hip work, world by world."""
    count = 40 if quick else cohorts
    header = ("method", "bias", "holds the true effect", "withheld", "mean width", "over the best peer that covers")
    with steps("bench-effects", len(WORLDS)) as tell:
        found = {world.name: results(world, count, tell) for world in WORLDS}
    for name, rows in found.items():
        table(f"{name}: true effect {rows['true'].iloc[0]:+.3f}, {count} cohorts", header, list(summary(rows)))
    say("A method covers if it holds the true effect in 95 % of cohorts, less three standard errors.")


if __name__ == "__main__":
    command(main)


__all__ = ["METHODS", "WORLDS", "World", "draw", "main", "results", "summary"]
