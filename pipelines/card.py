"""The model card: what a bundle is, what it was made from, how it did on clubs it had not seen, and its limits."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pfps_ml.evaluation.metrics import METRICS
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.dictionary import ARMS, BY_NAME, ONSET, SUCCESS

INTENDED_USE = (
    "Research and teaching, and local validation: a club physio or clinician may see how a risk, its reasons and its "
    "uncertainty can be shown. Not for decisions about a runner's or patient's care."
)
LIMITS = (
    "Trained on simulated data; no runner or patient was studied.",
    "Differences between patients in what a pathway adds are shrunk, and the intervals of effects hold the true effect "
    "less often than they say; `make bench` prints how often.",
    "The interval holds what the sample does not tell (resampled clubs), not yet what the evidence does not know.",
    "No preference between pathways is ever named: the gate that could earn one is not built yet.",
    "Reasons are associations in the simulated data; only levers may suggest an action.",
    "Risk bands are multiples of the base rate: an assumption.",
)


def model_card(name: str, facts: Mapping[str, Any], figures: pd.DataFrame, effects: pd.DataFrame) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    name
        The bundle's name.
    facts
        The facts of its making (scenario, counts, recipe).
    figures
        The onset figures on the held-out clubs: metric, label, value, low, high.
    effects
        The adjusted effects on the held-out clubs: arm, effect, low, high, n, naive.
    """
    made = facts["trained_on"]
    origin = f"simulated, scenario `{made['scenario']}`" if made["simulated"] else "a cohort brought by its user"
    lines = [
        f"# {name}", "", f"**{NOTICE}**", "", "## What it predicts", "",
        f"- {ONSET.label}: {ONSET.meaning}", f"- {SUCCESS.label} under each pathway: {SUCCESS.meaning}", "",
        "## Intended use", "", INTENDED_USE, "", "## Training data", "",
        f"{made['runners']:,} runners and {made['patients']:,} patients of {made['clubs']} clubs ({origin}).",
        "Clubs held out: none of the figures below comes from a club that training saw.", "",
        "## Onset on the held-out clubs", "", "| figure | value | 95 % interval |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {row.label} | {row.value:.3f} | {row.low:.3f} to {row.high:.3f} |" for row in figures.itertuples()]
    lines += ["", "## Pathways on the held-out clubs", "",
              "Mean difference from usual care in the probability of success, adjusted for assignment.", "",
              "| pathway | patients | effect | 95 % interval | unadjusted |", "|---|---|---|---|---|"]  # fmt: skip
    labels = {arm.name: arm.label for arm in ARMS}
    for row in effects.itertuples():
        shown = f"{row.effect:+.3f} | {row.low:+.3f} to {row.high:+.3f} | {row.naive:+.3f}"
        lines.append(f"| {labels[str(row.arm)]} | {row.n} | {shown} |")
    lines += ["", "## The model", "", *_recipe(facts["recipe"]), "", "## Limits", "", *(f"- {each}" for each in LIMITS)]
    return "\n".join(lines) + "\n"


def _recipe(recipe: Mapping[str, Any]) -> list[str]:
    pairs = ", ".join(f"{BY_NAME[a].label} with {BY_NAME[b].label}" for a, b in recipe["pairs"]) or "none"
    return [
        f"A sum of tables on the log-odds scale: {recipe['smooth_weight']:.2f} of a piecewise-linear ridge logistic",
        f"regression and {recipe['boost_weight']:.2f} of {recipe['trees']} trees of depth two.",
        f"Two-field terms: {pairs}.",
    ]


def headline(figures: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the onset figures as the manifest holds them."""
    rows = figures.set_index("metric")[["value", "low", "high"]].round(6)
    return {str(name): {key: float(x) for key, x in row.items()} for name, row in rows.iterrows() if name in METRICS}


__all__ = ["INTENDED_USE", "LIMITS", "headline", "model_card"]
