"""The model card: what a bundle is, what it was made from, how it did on clubs it had not seen, and its limits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core.levels import percent
from pfps_ml.domain.outcomes import OUTCOME
from pfps_ml.evaluation.metrics import METRICS
from pfps_ml.knowledge.contracts import notice_of
from pfps_ml.knowledge.dictionary import ARMS, BY_NAME
from pfps_ml.model.bundle_schema import Schema
from pipelines.gate import Check

INTENDED_USE = (
    "Research and teaching, and local validation: a club physio or clinician may see how a risk, its reasons and its "
    "uncertainty can be shown. Not for decisions about a runner's or patient's care."
)
_SHARED = (
    "Differences between patients in what a pathway adds are shrunk; how often the intervals of effects hold the true "
    "effect of a fresh patient, `make bench` prints.",
    "A preference between pathways is named only where held-out patients bear it out; most often it is not.",
)
_BANDS = "Risk bands are multiples of the base rate: an assumption."
_LIMITS = (
    "Trained on simulated data; no runner or patient was studied.", *_SHARED,
    "Reasons are associations in the simulated data; only levers may suggest an action.", _BANDS,
)  # fmt: skip
_LIMITS_OF_PEOPLE = (
    "Trained on a cohort that its user brought: who they were, how they were measured and followed, and whether they "
    "agreed, only those who collected it can say.", *_SHARED,
    "Reasons are associations in that cohort; only levers may suggest an action.", _BANDS,
)  # fmt: skip
_OPEN = (
    "No comparison with what physios or clinicians would have said, and no study of what showing a risk changes.",
    "No check of fairness beyond sex and age: nothing else about a person is recorded.",
)
_NOT_DONE = (
    "No external validation: nobody outside the simulated world was scored and followed up.",
    "No real runners or patients, no ethics approval, no registration as a medical device.", *_OPEN,
    "The clubs held out come from the same simulated world as those trained on.",
)  # fmt: skip
_NOT_DONE_OF_PEOPLE = (
    "No external validation: nobody outside the cohort was scored and followed up.",
    "No registration as a medical device; the software asks for no ethics approval.", *_OPEN,
    "The clubs held out come from the same cohort as those trained on.",
)  # fmt: skip
_LABELS = {arm.name: arm.label for arm in ARMS}


def model_card(
    name: str,
    facts: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    checks: Sequence[Check],
    verdict: Mapping[str, Any] | None,
    schema: Schema,
) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    name
        The bundle's name.
    facts
        The facts of its making (scenario, counts, recipe).
    tables
        What `pipelines.evaluate` wrote of the held-out clubs: the tables of `gate.READ`.
    checks
        The release gate's figures, limits and verdicts.
    verdict
        The preference gate's verdict as the bundle holds it; None where it was not held.
    schema
        The outcomes with their horizons, and the level of the intervals.
    """
    onset, success = (OUTCOME[name] for name in ("onset", "success"))
    horizons = {name: each.horizon for name, each in schema.outcomes.items()}
    made = facts["trained_on"]
    origin = f"simulated, scenario `{made['scenario']}`" if made["simulated"] else "a cohort brought by its user"
    lines = [
        f"# {name}", "", f"**{notice_of(facts)}**", "", "## What it predicts", "",
        f"- {onset.label_at(horizons['onset'])}: {onset.meaning_at(horizons['onset'])}",
        f"- {success.label_at(horizons['success'])} under each pathway: {success.meaning_at(horizons['success'])}", "",
        "## Intended use", "", INTENDED_USE, "", "## Training data", "",
        f"{made['runners']:,} runners and {made['patients']:,} patients of {made['clubs']} clubs ({origin}).",
        "Clubs held out: none of the figures below comes from a club that training saw.", "",
        "## Onset on the held-out clubs", "",
        *markdown_table(("figure", "value", "95 % interval"), map(figure, _rows(tables["onset"]))), "",
        "## Pathways on the held-out clubs", "", *_pathways(tables), "",
        "## Preference gate", "", *_preference(verdict), "",
        "## Intervals", "", *_intervals(tables, schema.level), "",
        "## Release gate", "", *_gate(checks), "",
        "## The model", "", *_recipe(facts["recipe"]), "",
        "## Limits", "", *(f"- {each}" for each in limits_of(made)), "",
        "## What was not done", "", *(f"- {each}" for each in not_done(made)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def limits_of(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a bundle cannot do, by what it was trained on."""
    return _LIMITS if made["simulated"] else _LIMITS_OF_PEOPLE


def not_done(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what nobody did for a bundle, by what it was trained on."""
    return _NOT_DONE if made["simulated"] else _NOT_DONE_OF_PEOPLE


def headline(figures: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the onset figures as the manifest holds them."""
    rows = figures.set_index("metric")[["value", "low", "high"]].round(6)
    return {str(name): {key: float(x) for key, x in row.items()} for name, row in rows.iterrows() if name in METRICS}


def _pathways(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    yield "Mean difference from usual care in the probability of success, adjusted for assignment."
    yield ""
    header = ("pathway", "patients", "effect", "95 % interval", "unadjusted")
    yield from markdown_table(header, (
        (_LABELS[str(row.arm)], row.n, f"{row.effect:+.3f}", f"{row.low:+.3f} to {row.high:+.3f}", f"{row.naive:+.3f}")
        for row in _rows(tables["effects"])
    ))  # fmt: skip
    yield from ("", "Mean success if all had what a rule names (doubly robust), and how far choosing by the model "
                "leads that rule.", "")  # fmt: skip
    header = ("rule", "success", "95 % interval", "lead of the model", "95 % interval")
    yield from markdown_table(header, (
        (row.label, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}", f"{row.lead:+.3f}",
         f"{row.lead_low:+.3f} to {row.lead_high:+.3f}")
        for row in _rows(tables["policies"])
    ))  # fmt: skip
    yield from ("", "Whether patients differ in an effect as predicted (slope 1: as predicted, 0: no sign of it).", "")
    header = ("pathway", "slope", "95 % interval", "p, slope above 0", "p, slope of 1")
    yield from markdown_table(header, (
        (_LABELS[str(row.arm)], f"{row.slope:.2f}", f"{row.slope_low:.2f} to {row.slope_high:.2f}",
         f"{row.p_differs:.3f}", f"{row.p_calibrated:.3f}")
        for row in _rows(tables["heterogeneity"])
    ))  # fmt: skip


def _preference(verdict: Mapping[str, Any] | None) -> Iterator[str]:
    if verdict is None:
        yield "The effects were not held against simpler ones, so no pathway is ever preferred."
        return
    said = "may be named" if verdict["passed"] else "is never named"
    yield f"A preference between pathways {said}: it is earned only if the effects beat every simpler account on"
    yield f"patients that they were not fitted on (doubly robust loss, each one-sided at {verdict['level']:.0%})."
    yield ""
    yield from markdown_table(("against", "loss saved", "standard error", "p", "verdict"), (
        (each["label"], f"{each['difference']:+.5f}", f"{each['standard_error']:.5f}", f"{each['p']:.3f}",
         "beaten" if each["passed"] else "not beaten")
        for each in verdict["comparisons"]
    ))  # fmt: skip


def _intervals(tables: Mapping[str, pd.DataFrame], level: float) -> Iterator[str]:
    yield f"Mean width of the {percent(level)} interval, and the shares of the variance behind it: what the evidence"
    yield "does not know, and what the sample does not tell."
    if not (tables["answered"]["evidence"] > 0).any():
        yield "The cohort held no draws over the evidence, so only the second part is known."
    yield ""
    header = ("answer", "rows", "answered", "width", "evidence", "sampling")
    yield from markdown_table(header, (
        (row.what, f"{row.n:,}", f"{row.answered:.1%}", f"{row.width:.3f}", _share(row.evidence), _share(row.sampling))
        for row in _rows(tables["answered"])
    ))  # fmt: skip


def _gate(checks: Sequence[Check]) -> Iterator[str]:
    yield "A candidate that fails one of these is not released. The held-out cases are few, so most figures are refused"
    yield "only where their whole interval lies outside the range: passing is no proof of being right."
    yield ""
    yield from markdown_table(
        ("figure", "found", "expected", "verdict"), ((c.what, c.found, c.expected, c.verdict) for c in checks)
    )


def figure(row: Any) -> tuple[str, str, str]:
    """Return label, value and interval of an onset figure, as a person reads them."""
    # an excess log loss is a thousandth where a log loss is a tenth
    places = 5 if row.metric == "excess_log_loss" else 3
    return row.label, f"{row.value:.{places}f}", f"{row.low:.{places}f} to {row.high:.{places}f}"


def _share(value: float) -> str:
    return "n/a" if np.isnan(value) else f"{value:.0%}"


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples(index=False)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _recipe(recipe: Mapping[str, Any]) -> list[str]:
    pairs = ", ".join(f"{BY_NAME[a].label} with {BY_NAME[b].label}" for a, b in recipe["pairs"]) or "none"
    return [
        f"A sum of tables on the log-odds scale: {recipe['smooth_weight']:.2f} of a piecewise-linear ridge logistic",
        f"regression and {recipe['boost_weight']:.2f} of {recipe['trees']} trees of depth two.",
        f"Two-field terms: {pairs}.",
    ]


__all__ = ["INTENDED_USE", "figure", "headline", "limits_of", "markdown_table", "model_card", "not_done"]
