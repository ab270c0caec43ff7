"""The model card: what a bundle is, what it was made from, how it did on clubs it had not seen, and its limits.

Bundles of format 1 that were released before manifests held the figures of held-out clubs have them in their card
alone; they are read from there. Nothing else reads a card.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import percent
from pfps_ml.core.markup import MarkdownSection, markdown_list, markdown_page, markdown_table
from pfps_ml.domain import ARMS, BY_NAME, ONSET, SUCCESS, notice_of
from pfps_ml.evaluation.comparison import EXCESS, EXCESS_LABEL
from pfps_ml.evaluation.metrics import METRICS
from pfps_ml.model import Schema
from pfps_ml.workflows.release_gate import Check, Validated

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
_WITH_LIMITS = ["value", "low", "high"]
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
    made = facts["trained_on"]
    sections = [
        _predicted(schema),
        MarkdownSection("Intended use", (INTENDED_USE,)),
        _training(made),
        MarkdownSection("Onset on the held-out clubs", (_figures_table(tables["onset"]),)),
        _pathways(tables),
        _preference(verdict),
        _intervals(tables["answered"], schema.level),
        _gate(checks),
        _recipe(facts["recipe"]),
        MarkdownSection("Limits", (markdown_list(limits_of(made)),)),
        MarkdownSection("What was not done", (markdown_list(not_done(made)),)),
    ]
    return markdown_page(name, (f"**{notice_of(facts)}**",), sections)


def validation_section(validated: Validated, treated: Validated | None, checks: Sequence[Check]) -> MarkdownSection:
    """Return what the card of a bundle says of its validation on another cohort.

    Parameters
    ----------
    validated, treated
        Its validation on runners, and that on patients if there was one.
    checks
        The release gate's figures, limits and verdicts.
    """
    account = (
        f"{validated.runners:,} runners with {validated.cases:,} cases (cohort {validated.subject['cohort'][:12]}).",
        validated.verdict,
        f"Intervals are over resampled {validated.subject['intervals']}.",
        _pathways_validated(treated),
    )
    rows = ((check.what, check.found, check.expected, check.verdict) for check in checks)
    gate = markdown_table(("checked", "found", "expected", "verdict"), rows)
    figures = _figures_table(validated.tables["onset"].dropna(subset="value"))
    return MarkdownSection("Validated on another cohort", ("\n".join(account), figures, "Release gate:", gate))


def limits_of(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a bundle cannot do, by what it was trained on."""
    return _LIMITS if made["simulated"] else _LIMITS_OF_PEOPLE


def not_done(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what nobody did for a bundle, by what it was trained on."""
    return _NOT_DONE if made["simulated"] else _NOT_DONE_OF_PEOPLE


def headline(figures: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the onset figures as the manifest holds them."""
    rows = figures.set_index("metric")[_WITH_LIMITS].round(6)
    return {
        str(name): {str(key): float(x) for key, x in row.items()} for name, row in rows.iterrows() if name in METRICS
    }


def held_out_figures(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Return what the manifest keeps of the held-out clubs' figures, so that reports need not read the card.

    Returns
    -------
    dict
        `onset`: metric, label, value and its 95 % interval (low, high) of each figure. `effects`: arm, patients,
        and effect with its 95 % interval of each pathway.
    """
    onset = tables["onset"][["metric", "label", *_WITH_LIMITS]].round(6)
    effects = tables["effects"][["arm", "n", "effect", "low", "high"]].rename(columns={"n": "patients"}).round(6)
    return {"onset": _plain_records(onset), "effects": _plain_records(effects)}


def _plain_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them: a figure that is not known is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return rows


def _predicted(schema: Schema) -> MarkdownSection:
    within, after = (schema.outcomes[outcome.name].horizon for outcome in (ONSET, SUCCESS))
    onset = f"{ONSET.label_at(within)}: {ONSET.meaning_at(within)}"
    success = f"{SUCCESS.label_at(after)} under each pathway: {SUCCESS.meaning_at(after)}"
    return MarkdownSection("What it predicts", (markdown_list((onset, success)),))


def _training(made: Mapping[str, Any]) -> MarkdownSection:
    origin = f"simulated, scenario `{made['scenario']}`" if made["simulated"] else "a cohort brought by its user"
    text = (
        f"{made['runners']:,} runners and {made['patients']:,} patients of {made['clubs']} clubs ({origin}).\n"
        "Clubs held out: none of the figures below comes from a club that training saw."
    )
    return MarkdownSection("Training data", (text,))


def _figures_table(figures: pd.DataFrame) -> str:
    """Return a table of onset figures: label, value and 95 % interval."""
    return markdown_table(("figure", "value", "95 % interval"), map(figure, _rows(figures)))


def _pathways(tables: Mapping[str, pd.DataFrame]) -> MarkdownSection:
    return MarkdownSection("Pathways on the held-out clubs", (
        "Mean difference from usual care in the probability of success, adjusted for assignment.",
        _effects_table(tables["effects"]),
        "Mean success if all had what a rule names (doubly robust), and how far choosing by the model leads that rule.",
        _policies_table(tables["policies"]),
        "Whether patients differ in an effect as predicted (slope 1: as predicted, 0: no sign of it).",
        _heterogeneity_table(tables["heterogeneity"]),
    ))  # fmt: skip


def _effects_table(effects: pd.DataFrame) -> str:
    return markdown_table(("pathway", "patients", "effect", "95 % interval", "unadjusted"), (
        (_LABELS[str(row.arm)], row.n, f"{row.effect:+.3f}", f"{row.low:+.3f} to {row.high:+.3f}", f"{row.naive:+.3f}")
        for row in _rows(effects)
    ))  # fmt: skip


def _policies_table(policies: pd.DataFrame) -> str:
    return markdown_table(("rule", "success", "95 % interval", "lead of the model", "95 % interval"), (
        (row.label, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}", f"{row.lead:+.3f}",
         f"{row.lead_low:+.3f} to {row.lead_high:+.3f}")
        for row in _rows(policies)
    ))  # fmt: skip


def _heterogeneity_table(slopes: pd.DataFrame) -> str:
    return markdown_table(("pathway", "slope", "95 % interval", "p, slope above 0", "p, slope of 1"), (
        (_LABELS[str(row.arm)], f"{row.slope:.2f}", f"{row.slope_low:.2f} to {row.slope_high:.2f}",
         f"{row.p_differs:.3f}", f"{row.p_calibrated:.3f}")
        for row in _rows(slopes)
    ))  # fmt: skip


def _preference(verdict: Mapping[str, Any] | None) -> MarkdownSection:
    if verdict is None:
        text = "The effects were not held against simpler ones, so no pathway is ever preferred."
        return MarkdownSection("Preference gate", (text,))
    may_be_named = "may be named" if verdict["passed"] else "is never named"
    text = (
        f"A preference between pathways {may_be_named}: it is earned only if the effects beat every simpler account "
        f"on\npatients that they were not fitted on (doubly robust loss, each one-sided at {verdict['level']:.0%})."
    )
    compared = markdown_table(("against", "loss saved", "standard error", "p", "verdict"), (
        (rival["label"], f"{rival['difference']:+.5f}", f"{rival['standard_error']:.5f}", f"{rival['p']:.3f}",
         "beaten" if rival["passed"] else "not beaten")
        for rival in verdict["comparisons"]
    ))  # fmt: skip
    return MarkdownSection("Preference gate", (text, compared))


def _intervals(answered: pd.DataFrame, level: float) -> MarkdownSection:
    text = (
        f"Mean width of the {percent(level)} interval, and the shares of the variance behind it: what the evidence "
        "does not know,\nand what the sample does not tell."
    )
    if not (answered["evidence"] > 0).any():
        text += "\nThe cohort held no draws over the evidence, so only the second part is known."
    widths = markdown_table(("answer", "rows", "answered", "width", "evidence", "sampling"), (
        (row.what, f"{row.n:,}", f"{row.answered:.1%}", f"{row.width:.3f}", _share(row.evidence), _share(row.sampling))
        for row in _rows(answered)
    ))  # fmt: skip
    return MarkdownSection("Intervals", (text, widths))


def _gate(checks: Sequence[Check]) -> MarkdownSection:
    text = (
        "A candidate that fails one of these is not released. The held-out cases are few, so most figures are refused\n"
        "only where their whole interval lies outside the range: passing is no proof of being right."
    )
    rows = ((check.what, check.found, check.expected, check.verdict) for check in checks)
    return MarkdownSection("Release gate", (text, markdown_table(("figure", "found", "expected", "verdict"), rows)))


def _recipe(recipe: Mapping[str, Any]) -> MarkdownSection:
    pairs = ", ".join(f"{BY_NAME[a].label} with {BY_NAME[b].label}" for a, b in recipe["pairs"]) or "none"
    text = (
        f"A sum of tables on the log-odds scale: {recipe['smooth_weight']:.2f} of a piecewise-linear ridge logistic\n"
        f"regression and {recipe['boost_weight']:.2f} of {recipe['trees']} trees of depth two.\n"
        f"Two-field terms: {pairs}."
    )
    return MarkdownSection("The model", (text,))


def _pathways_validated(treated: Validated | None) -> str:
    if treated is None:
        return "Pathways were not validated."
    size = f"{treated.runners:,} patients with {treated.cases:,} successes"
    return f"Pathways: {size} (cohort {treated.subject['cohort'][:12]}). {treated.verdict}"


def figure(row: Any) -> tuple[str, str, str]:
    """Return label, value and interval of an onset figure, as a person reads them."""
    # an excess log loss is a thousandth where a log loss is a tenth
    places = 5 if row.metric == EXCESS else 3
    return row.label, f"{row.value:.{places}f}", f"{row.low:.{places}f} to {row.high:.{places}f}"


def _share(value: float) -> str:
    return "n/a" if np.isnan(value) else f"{value:.0%}"


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples(index=False)


_ROW = re.compile(r"\|(.+)\|")
_TITLE = re.compile(r"^# ", re.MULTILINE)
_ARM_OF_LABEL = {arm.label: arm.name for arm in ARMS}
_METRIC_OF_LABEL = {EXCESS_LABEL: EXCESS} | {metric.label: name for name, metric in METRICS.items()}


def figures_of_format_1_card(card: str) -> dict[str, list[dict[str, Any]]]:
    """Return the figures as a manifest holds them; see `pfps_ml.workflows.card.held_out_figures`.

    Parameters
    ----------
    card
        Of a bundle of format 1. The card of an updated bundle ends with that of the bundle before, so the figures are
        those of the last card in it.

    Raises
    ------
    LookupError
        If the card has no such table, or names a figure or a pathway that is not known.
    ValueError
        If a cell of the table is no figure.
    """
    starts = [match.start() for match in _TITLE.finditer(card)]
    tables = _tables(card[starts[-1] :] if starts else card)
    onset = [
        {"metric": _METRIC_OF_LABEL[label], "label": label, "value": float(value), **_limits(interval)}
        for label, value, interval in tables["figure", "value"]
    ]
    effects = [
        {"arm": _ARM_OF_LABEL[label], "patients": int(patients), "effect": float(effect), **_limits(interval)}
        for label, patients, effect, interval, *_ in tables["pathway", "patients"]
    ]
    return {"onset": onset, "effects": effects}


def _limits(interval: str) -> dict[str, float]:
    low, high = interval.split(" to ")
    return {"low": float(low), "high": float(high)}


def _tables(card: str) -> dict[tuple[str, str], list[list[str]]]:
    """Return the rows of each table, by the first two names of its header."""
    tables: dict[tuple[str, str], list[list[str]]] = {}
    rows: list[list[str]] | None = None
    for line in card.splitlines():
        match = _ROW.fullmatch(line.strip())
        cells = [cell.strip() for cell in match[1].split("|")] if match else []
        if not cells:
            rows = None
        elif rows is None:
            rows = tables.setdefault((cells[0], cells[1]), [])
        elif set(cells[0]) != {"-"}:
            rows.append(cells)
    return tables


__all__ = [
    "INTENDED_USE", "figure", "figures_of_format_1_card", "headline", "held_out_figures", "limits_of", "model_card",
    "not_done", "validation_section",
]  # fmt: skip
