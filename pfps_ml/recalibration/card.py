"""What the card of an updated bundle says: what was updated, on what, by whom, and that its figures are older."""

from collections.abc import Iterator, Mapping
from typing import Any

from pfps_ml.recalibration.closed import Choice

_HEADING = "## Updated on a cohort"
_NAMES = {"intercept": "the intercept", "slope": "intercept and slope", "groups": "the intercept and the scale of each "
                                                                                  "group of fields"}  # fmt: skip


def updated_card(card: str, name: str, facts: Mapping[str, Any], choice: Choice) -> str:
    """Return the card of an updated bundle, Markdown.

    Parameters
    ----------
    card
        The card of the bundle that it was made from.
    name
        The new bundle's name.
    facts
        What `recalibrate` found.
    choice
        The closed test.
    """
    heading, _, rest = card.partition("\n")
    new = f"# {name}" if heading.startswith("# ") else heading
    return "\n".join([new, rest.rstrip(), "", *_lines(facts, choice)]) + "\n"


def _lines(facts: Mapping[str, Any], choice: Choice) -> Iterator[str]:
    who = _plain(facts["by"]) or "not said"
    yield from (_HEADING, "")
    yield f"Updated: {_NAMES[facts['level']]} of the onset model, starting at `{facts['from']}`; pathways stay."
    yield f"On: {facts['runners']:,} runners with {facts['cases']:,} cases (file {facts['cohort'][:12]}). By: {who}."
    yield "The figures above are of the bundle before the update, and those below of the cohort that it was updated on;"
    yield "neither says how it does on other runners: that takes another cohort and `pfps evaluate`."
    yield from ("", "| what | value |", "|---|---|")
    yield f"| intercept, log-odds | {facts['intercept']:+.3f} |"
    yield from (f"| scale of {name} | {scale:.3f} |" for name, scale in facts["scales"].items())
    yield f"| observed / expected before | {facts['observed_expected_before']:.3f} |"
    yield f"| observed / expected after | {facts['observed_expected_after']:.3f} |"
    if choice.table.empty:
        yield from ("", f"How far: {choice.why}.")
        return
    yield from ("", f"Chosen by a closed test: {choice.why}.", "", "| update | against | p |", "|---|---|---|")
    yield from (f"| {row.update} | {row.against} | {row.p:.3g} |" for row in choice.table.itertuples())


def _plain(text: str) -> str:
    """Return text as one line that Markdown reads as text."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|!" else sign for sign in " ".join(text.split()))


__all__ = ["updated_card"]
