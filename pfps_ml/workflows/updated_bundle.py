"""What a cohort changes of a bundle, written as a new one; models/CURRENT is never moved.

What the card of an updated bundle says: what was updated, on what, by whom, and that its figures are older.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pfps_ml.core.errors import OutputError
from pfps_ml.core.markdown import MarkdownSection, markdown_page, markdown_table
from pfps_ml.core.messages import Message
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.domain.schemas import notice_of, people_of, size_of
from pfps_ml.model.bundle import Bundle, bundle_parts, golden_inputs, manifest_of, save_bundle
from pfps_ml.model.prediction import Predictor
from pfps_ml.training.closed_test import Choice
from pfps_ml.training.posterior_update import Update

_BEFORE = "Before the update: "
LEVELS = {"intercept": "the intercept", "slope": "intercept and slope", "groups": "the intercept and the scale of each "
                                                                                  "group of fields",
          "curves": "the intercept, the scale of each group of fields and the curve of each field",
          "pathways": "prognosis, and the effect of each arm and for whom it differs,"}  # fmt: skip
_HOW_TO_READ = (
    "Read the scales so: 1 leaves what the bundle said of a group of fields as it was, above 1 makes it stronger,\n"
    "0 takes it out, and below 0 turns it round. Whoever sees one turned round should ask why before using the bundle."
)
_MODELS = {"runners": ("the onset model", "pathways stay"), "patients": ("the pathway models", "onset stays")}


def updated_card(bundle: Bundle, name: str, manifest: Mapping[str, Any], choice: Choice) -> str:
    """Return the card of an updated bundle, Markdown: what the update changed, then the card of the bundle before.

    Parameters
    ----------
    bundle
        The one that it was made from.
    name
        The new bundle's name.
    manifest
        What the new bundle's manifest will say of its making; the section is about its last update.
    choice
        How the update was chosen.
    """
    section = _update_section(manifest["updates"][-1], choice)
    return card_before(bundle, name, notice_of(manifest), section)


def card_before(bundle: Bundle, name: str, notice: str, section: MarkdownSection) -> str:
    """Return a card that adds a section to the card of an earlier bundle, which stands whole and unchanged at its end.

    Parameters
    ----------
    bundle
        The earlier one.
    name, notice
        Of the new bundle.
    section
        What is new.
    """
    pointer = f"The card of {bundle.name}, which this bundle was made from, stands unchanged at the end."
    earlier = MarkdownSection(
        f"The card of {bundle.name}",
        ("Its figures, its limits and what was not done are those of that bundle.", bundle.card.rstrip()),
    )
    return markdown_page(name, (f"**{notice}**", pointer), (section, earlier))


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
    old = [limit for limit in limits if limit not in new]
    return [*new, *(limit if limit.startswith(_BEFORE) else f"{_BEFORE}{limit}" for limit in old)]


def level_of(facts: Mapping[str, Any]) -> str:
    """Return in words what an update moved, and of which model."""
    return f"{LEVELS[facts['level']]} of {_MODELS[people_of(facts)][0]}"


def _update_section(facts: Mapping[str, Any], choice: Choice) -> MarkdownSection:
    people = people_of(facts)
    account = (
        f"Updated: {level_of(facts)}, starting at `{facts['from']}`; {_MODELS[people][1]}.",
        f"On: {size_of(facts)} (file {facts['cohort'][:12]}). By: {_plain(facts['by']) or 'not said'}.",
        "The figures in this section are of the cohort that the bundle was updated on, and those in the card below of",
        f"the bundle before the update; neither says how it does on other {people}: that takes another cohort and",
        "`pfps evaluate`.",
    )
    moved = _moved_scales(facts) if people == "runners" else _moved_effects(facts)
    blocks = ["\n".join(account), _HOW_TO_READ if people == "runners" else "", markdown_table(("what", "value"), moved)]
    if choice.table.empty:
        blocks.append(f"How far: {choice.why}.")
    else:
        tests = markdown_table(("update", "against", "test"), choice.told())
        blocks += [f"Chosen by a closed test: {choice.why}.", tests]
    return MarkdownSection("Updated on a cohort", tuple(blocks))


def _moved_scales(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "intercept, log-odds", f"{facts['intercept']:+.3f}"
    yield from ((f"scale of {name}", f"{scale:.3f}") for name, scale in facts["scales"].items())
    yield "observed / expected before", f"{facts['observed_expected_before']:.3f}"
    yield "observed / expected after", f"{facts['observed_expected_after']:.3f}"


def _moved_effects(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    labels = {arm.name: arm.label for arm in ARMS}
    for name, count in facts["arms"].items():
        yield f"patients given: {labels[name]}", "fewer than 5" if count is None else f"{count:,}"
    for name in ACTIVE_ARMS:
        before, after = (f"{100 * facts[key][name]:+.1f}" for key in ("effects_before", "effects_after"))
        yield f"{labels[name]}: mean effect, points of success, before and after", f"{before} and {after}"
    yield "effects beat simpler accounts on patients of this cohort", "yes" if facts["gate_passed"] else "no"


def _plain(text: str) -> str:
    """Return text as one line that Markdown reads as text."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|!" else sign for sign in " ".join(text.split()))


# of a manifest, by whoever writes it; and a validation of the bundle before
_MADE = ("format", "name", "level", "files", "dictionary_fingerprint", "validation")


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What a cohort changes of a bundle.

    Attributes
    ----------
    choice
        Which update, and why.
    update
        The update of the onset model; None if nothing of it is changed.
    facts
        What the manifest and the card say of it.
    predictor, reference
        The models and the reference of the new bundle; None if nothing is changed.
    """

    choice: Choice
    update: Update | None
    facts: dict[str, Any]
    predictor: Predictor | None = None
    reference: dict[str, Any] | None = None


def bundle_after(found: Recalibration, bundle: Bundle, name: str) -> Bundle:
    """Return the bundle that an update makes, in memory; the bundle as it is if nothing is changed.

    Parameters
    ----------
    found
        The update.
    bundle
        The bundle that it was made from.
    name
        That of the new one.
    """
    if found.predictor is None or found.reference is None:
        return bundle
    facts = {key: value for key, value in bundle.manifest.items() if key not in _MADE}
    facts |= {
        "version": name.removeprefix("pfps-"), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "metrics": {},  # those of the bundle before are not its own
        "updates": [*bundle.manifest.get("updates", []), found.facts],
        "limits": updated_limits(bundle.manifest.get("limits", []), found.facts),
    }  # fmt: skip
    card = updated_card(bundle, name, facts, found.choice)
    return replace(bundle, name=name, manifest=facts, predictor=found.predictor, reference=found.reference, card=card)


def expect_new_folder(out: Path) -> None:
    """Refuse the name of what is there already: a release never changes.

    Raises
    ------
    OutputError
        If it is there.
    """
    if os.path.lexists(out):  # where pathlib's own raises for a name that is too long, which writing explains
        raise OutputError(Message("bundle_folder_exists", {"folder": str(out)}))


def write_bundle(bundle: Bundle, out: Path) -> None:
    """Write an updated bundle whole.

    Parameters
    ----------
    bundle
        As `bundle_after` made it; its inputs of golden.json are read from where it started.
    out
        The folder of the new bundle, which must not be there.

    Raises
    ------
    OutputError
        If the folder is there already, or cannot be written.
    """
    expect_new_folder(out)
    whole = bundle_parts(bundle.predictor, bundle.reference, golden_inputs(bundle), bundle.horizons)
    whole |= {"card.md": bundle.card.encode()}
    try:
        save_bundle(out, whole, manifest_of(out.name, whole, bundle.manifest))
    except OSError as error:
        raise OutputError(Message("bundle_not_written", {"folder": str(out), "cause": str(error.strerror)})) from error


def write_recalibrated(found: Recalibration, bundle: Bundle, out: Path) -> None:
    """Write the bundle that an update makes; see `bundle_after` and `write_bundle`."""
    write_bundle(bundle_after(found, bundle, out.name), out)


__all__ = [
    "Recalibration", "bundle_after", "card_before", "expect_new_folder", "level_of", "updated_card", "updated_limits",
    "write_bundle", "write_recalibrated",
]  # fmt: skip
