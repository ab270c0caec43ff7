"""What the card of an updated bundle says: what was updated, on what, by whom, and that its figures are older."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pfps_ml.bundle import Bundle
from pfps_ml.knowledge.contracts import notice_of, people_of, size_of
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.recalibration.closed import Choice

_HEADING = "## Updated on a cohort"
_BEFORE = "Before the update: "
LEVELS = {"intercept": "the intercept", "slope": "intercept and slope", "groups": "the intercept and the scale of each "
                                                                                  "group of fields",
          "curves": "the intercept, the scale of each group of fields and the curve of each field",
          "pathways": "prognosis, and the effect of each arm and for whom it differs,"}  # fmt: skip
_POINTER = "What was updated, on whom, and any validation since stand at the end of this card."
_HOW_TO_READ = (
    "Read the scales so: 1 leaves what the bundle said of a group of fields as it was, above 1 makes it stronger,",
    "0 takes it out, and below 0 turns it round. Whoever sees one turned round should ask why before using the bundle.",
)
_MODELS = {"runners": ("the onset model", "pathways stay"), "patients": ("the pathway models", "onset stays")}


def updated_card(bundle: Bundle, name: str, manifest: Mapping[str, Any], choice: Choice) -> str:
    """Return the card of an updated bundle, Markdown: its own name and notice, then what stood there, then the update.

    Parameters
    ----------
    bundle
        The one that it was made from.
    name
        The new bundle's name.
    manifest
        What the new bundle's manifest will say of its making; its last update is told of.
    choice
        How the update was chosen.
    """
    heading, _, rest = bundle.card.partition("\n")
    new = f"# {name}" if heading.startswith("# ") else heading
    rest = rest.replace(bundle.notice, notice_of(manifest), 1).rstrip()
    if _POINTER not in rest:
        rest = rest.replace("\n## ", f"\n{_POINTER}\n\n## ", 1)
    return "\n".join([new, rest, "", *_lines(manifest["updates"][-1], choice)]) + "\n"


def updated_limits(limits: Iterable[str], facts: Mapping[str, Any]) -> list[str]:
    """Return the limits of an updated bundle: what the update adds, then those of the bundle before, said to be its.

    Parameters
    ----------
    limits
        Those of the bundle before, in its manifest.
    facts
        What `recalibrate` found.
    """
    people = people_of(facts)
    new = [
        f"Updated on {facts[people]:,} {people} of a cohort; who they were, how they were measured and followed, and "
        "whether they agreed, only who updated it can say.",
        f"No figure of how it does on other {people}, unless the card has a validation after the update.",
    ]
    old = [each for each in limits if each not in new]
    return [*new, *(each if each.startswith(_BEFORE) else f"{_BEFORE}{each}" for each in old)]


def level_of(facts: Mapping[str, Any]) -> str:
    """Return in words what an update moved, and of which model."""
    return f"{LEVELS[facts['level']]} of {_MODELS[people_of(facts)][0]}"


def _lines(facts: Mapping[str, Any], choice: Choice) -> Iterator[str]:
    who, people = _plain(facts["by"]) or "not said", people_of(facts)
    yield from (_HEADING, "")
    yield f"Updated: {level_of(facts)}, starting at `{facts['from']}`; {_MODELS[people][1]}."
    yield f"On: {size_of(facts)} (file {facts['cohort'][:12]}). By: {who}."
    yield "Figures, limits and what was not done, above, are of the bundle before the update, and the figures below of"
    yield f"the cohort that it was updated on; neither says how it does on other {people}: that takes another cohort"
    yield "and `pfps evaluate`."
    yield from ("", *_HOW_TO_READ) if people == "runners" else ()
    yield from ("", "| what | value |", "|---|---|")
    yield from _moved(facts) if people == "runners" else _treated(facts)
    if choice.table.empty:
        yield from ("", f"How far: {choice.why}.")
        return
    yield from ("", f"Chosen by a closed test: {choice.why}.", "", "| update | against | test |", "|---|---|---|")
    yield from (f"| {' | '.join(row)} |" for row in choice.told())


def _moved(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"| intercept, log-odds | {facts['intercept']:+.3f} |"
    yield from (f"| scale of {name} | {scale:.3f} |" for name, scale in facts["scales"].items())
    yield f"| observed / expected before | {facts['observed_expected_before']:.3f} |"
    yield f"| observed / expected after | {facts['observed_expected_after']:.3f} |"


def _treated(facts: Mapping[str, Any]) -> Iterator[str]:
    labels = {arm.name: arm.label for arm in ARMS}
    for name, count in facts["arms"].items():
        yield f"| patients given: {labels[name]} | {'fewer than 5' if count is None else f'{count:,}'} |"
    for name in ACTIVE_ARMS:
        before, after = (f"{100 * facts[key][name]:+.1f}" for key in ("effects_before", "effects_after"))
        yield f"| {labels[name]}: mean effect, points of success, before and after | {before} and {after} |"
    yield f"| effects beat simpler accounts on patients of this cohort | {'yes' if facts['gate_passed'] else 'no'} |"


def _plain(text: str) -> str:
    """Return text as one line that Markdown reads as text."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|!" else sign for sign in " ".join(text.split()))


__all__ = ["level_of", "updated_card", "updated_limits"]
