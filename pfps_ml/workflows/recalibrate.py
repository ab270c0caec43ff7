"""`pfps recalibrate`: a new bundle from a released one and a cohort, or nothing where the cohort cannot bear it.

models/CURRENT is never moved. The card of an updated bundle says what was updated, on what, by whom, and that its
figures are older. A tracker gets settings, figures and digests; no value or name of a runner, and no free text.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import (
    Artifact,
    CohortError,
    Floats,
    Message,
    Metric,
    NDArray,
    OutputError,
    Param,
    RecalibrationConfig,
    Record,
    Tag,
)
from pfps_ml.core.markup import MarkdownSection, markdown_page, markdown_table
from pfps_ml.domain import ACTIVE_ARMS, ARMS, complete, has_seen, load_scenario, notice_of, people_of, size_of
from pfps_ml.evaluation.check_catalogue import Check, CheckVerdict
from pfps_ml.evaluation.cohort_checks import audit
from pfps_ml.evaluation.verdict import rows_for_ratio
from pfps_ml.io.study_data import Cohort
from pfps_ml.model import Bundle, Predictor, bundle_parts, golden_inputs, manifest_of, save_bundle
from pfps_ml.training.posterior_update import (
    Choice,
    Update,
    closed_test,
    gaussian_update,
    updated_predictor,
    updated_reference,
)
from pfps_ml.training.update_basis import GROUPS, OnsetDecomposition, bent, curve_basis_of, onset_decomposition

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
        tests = markdown_table(("update", "against", "test"), choice.comparisons())
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
    if unchanged := facts.get("unchanged"):  # bundles that were updated before say nothing of it
        yield "nobody had, and so stays as it was", ", ".join(labels[name] for name in unchanged)
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


_TENTH = 0.1
_TOO_FEW_EVENTS = "C06"  # no fault: then nothing is changed


@dataclass(frozen=True, eq=False)
class Known:
    """The runners of a cohort whose outcome is known, as a bundle sees them.

    Attributes
    ----------
    values
        Coded fields, every field of the dictionary.
    y
        Outcomes, 0 or 1, shape (rows,).
    club
        Their clubs, None where blank, shape (rows,).
    found
        The parts of their log-odds.
    facts
        What is said of them: counts, digest, and who updates.
    """

    values: Mapping[str, Floats]
    y: Floats
    club: NDArray[np.object_]
    found: OnsetDecomposition
    facts: dict[str, Any]


def recalibrate(
    bundle: Bundle, cohort: Cohort, settings: RecalibrationConfig | None = None, by: str = ""
) -> Recalibration:
    """Choose an update of a bundle and make it; nothing is written.

    Parameters
    ----------
    bundle
        The released models; they stay as they are.
    cohort
        Runners with outcomes.
    settings
        Fewest events, level of the tests, spread between sites.
    by
        Who updates, for the card; no name of a runner.

    Raises
    ------
    CohortError
        If the cohort fails a check (but for too few events), has one class only, or has moved the bundle before: it
        must not move it.
    """
    settings = settings or RecalibrationConfig()
    known = known_of(bundle, cohort, by)
    choice = closed_test(known.found, known.y, settings)
    if choice.level is None:
        return Recalibration(choice, None, known.facts)
    clubs = clubs_leave_open(known.club)
    update = gaussian_update(known.found, known.y, bundle.predictor.interval, choice.level, settings.site_sd, clubs)
    return updated(bundle, known, choice, update)


def expect_passed(checks: list[Check]) -> None:
    """Refuse a cohort that fails a check, but for too few events: they change nothing by themselves.

    Raises
    ------
    CohortError
        With the code, the title and the reason of each.
    """
    if failed := [check for check in checks if check.verdict == CheckVerdict.FAIL and check.code != _TOO_FEW_EVENTS]:
        named = [Message("check_failed_named", {"check": check.code, "reasons": [r.as_dict() for r in check.reasons]})
                 for check in failed]  # fmt: skip
        raise CohortError(Message("cohort_fails_checks", {"checks": [message.as_dict() for message in named]}))


def expect_new(bundle: Bundle, cohort: Cohort) -> None:
    """Refuse outcomes that have moved a bundle before: counted twice, they would make it too sure.

    Raises
    ------
    CohortError
        If the bundle was updated on this cohort.
    """
    if has_seen(bundle.manifest, cohort.digest, cohort.people):
        raise CohortError(Message("cohort_moved_bundle", {"people": cohort.people, "bundle": bundle.name}))


def known_of(bundle: Bundle, cohort: Cohort, by: str = "", checks: list[Check] | None = None) -> Known:
    """Return the runners who can move a bundle.

    Parameters
    ----------
    bundle, cohort, by
        As in `recalibrate`.
    checks
        The cohort's, if they have been made.

    Raises
    ------
    CohortError
        As in `recalibrate`.
    """
    if cohort.arm is not None:
        raise CohortError(Message("update_needs_runners"))
    expect_new(bundle, cohort)
    expect_passed(audit(cohort) if checks is None else checks)
    used = cohort.used
    y, values = cohort.y[used], complete(cohort.values[used])
    if not 0 < y.sum() < len(y):
        counts = {"cases": int(y.sum()), "others": int(len(y) - y.sum())}
        raise CohortError(Message("update_needs_both_outcomes", counts))
    facts = {"from": bundle.name, "cohort": cohort.digest, "runners": len(y), "cases": int(y.sum()), "by": by}
    facts |= _stated(float(y.mean()), cohort.club[used])
    return Known(values, y, cohort.club[used], onset_decomposition(bundle.predictor, values), facts)


def club_sd() -> float:
    """Return by how much the log-odds of clubs differ, as the reference scenario says."""
    return float(load_scenario("reference").values()["runners"]["club_log_sd"])


def clubs_leave_open(club: NDArray[np.object_]) -> float:
    """Return the variance of an average club's log-odds that a cohort's few clubs leave open; 0 for a single club.

    A single club is what its bundle is for. Of several, the cohort's mean is that of these clubs and not of others.
    """
    sizes = pd.Series(club).value_counts().to_numpy(dtype=float)
    if len(sizes) < 2:
        return 0.0
    return float(club_sd() ** 2 * (sizes**2).sum() / sizes.sum() ** 2)


def updated(bundle: Bundle, known: Known, choice: Choice, update: Update) -> Recalibration:
    """Return what an update makes of a bundle, and what is said of it; nothing is written.

    Parameters
    ----------
    bundle
        The bundle before.
    known
        The runners that it was updated on.
    choice
        How the update was chosen.
    update
        The update.
    """
    predictor = updated_by(bundle, update)
    before, after = (models.risks(known.values) for models in (bundle.predictor, predictor))
    figures = _effects_of(known.y, before, after, update)
    reference = updated_reference(bundle.reference, before, after)
    return Recalibration(choice, update, known.facts | figures, predictor, reference)


def updated_by(bundle: Bundle, update: Update) -> Predictor:
    """Return a bundle's models, moved and bent by an update."""
    moved = updated_predictor(bundle.predictor, update.coef_offsets)
    if update.curve_offsets is None:
        return moved
    return bent(moved, curve_basis_of(bundle.predictor.onset, bundle.reference), update.curve_offsets)


def lines_of(recalibration: Recalibration) -> list[tuple[str, str]]:
    """Return what a terminal shows of an update of the onset model."""
    facts = recalibration.facts
    lines = [("runners", f"{facts['runners']:,}"), ("cases", f"{facts['cases']:,}"),
             ("observed / expected known to 10 % from", f"{facts['runners_for_ratio']:,} runners")]  # fmt: skip
    if others := facts.get("runners_for_other_clubs"):
        lines.append(("the same in other clubs", f"{others:,} runners of clubs as large as these"))
    tests = [(f"{update} against {other}", p) for update, other, p in recalibration.choice.comparisons()]
    if recalibration.update is None:
        return [*lines, *tests, ("changed", f"nothing: {recalibration.choice.why}")]
    ratio = f"{facts['observed_expected_before']:.2f} before, {facts['observed_expected_after']:.2f} after"
    return [*lines, *tests, ("changed", recalibration.choice.why), ("observed / expected", ratio)]


def _stated(rate: float, club: NDArray[np.object_]) -> dict[str, int]:
    """Return from how many runners the ratio is known to 10 %: in the cohort's clubs and, of several, in others."""
    stated = {"runners_for_ratio": rows_for_ratio(rate, 2 * _TENTH)}
    if len(sizes := pd.Series(club).value_counts()) > 1:
        met = float((sizes**2).sum() / sizes.sum())  # the size of the club that a runner is in
        stated["runners_for_other_clubs"] = rows_for_ratio(rate, 2 * _TENTH, met, club_sd())
    return stated


def _effects_of(y: Floats, before: Floats, after: Floats, update: Update) -> dict[str, Any]:
    names = ("intercept", *GROUPS)
    return {
        "level": update.level,
        "intercept": round(float(update.coef_offsets[0, 0]), 6),
        "scales": {
            name: round(1 + float(move), 6) for name, move in zip(names[1:], update.coef_offsets[0, 1:], strict=True)
        },
        "standard_errors_before": np.sqrt(np.diag(update.before)).round(6).tolist(),
        "standard_errors_after": np.sqrt(np.diag(update.after)).round(6).tolist(),
        "observed_expected_before": round(float(y.mean() / before.mean()), 6),
        "observed_expected_after": round(float(y.mean() / after.mean()), 6),
    }


EXPERIMENT = "pfps-recalibration"
_FIGURES = (
    "runners", "cases", "runners_for_ratio", "runners_for_other_clubs", "intercept", "observed_expected_before",
    "observed_expected_after", "patients", "successes", "gate_passed",
)  # fmt: skip


def records_of_update(found: Recalibration, folder: Path | None) -> list[Record]:
    """Return what happened when a cohort met a bundle, whether or not anything was changed.

    Parameters
    ----------
    found
        What `recalibrate`, `train_on_cohort` or `train_on_patients` returned.
    folder
        The new bundle, which is kept beside the run; None if nothing was written.
    """
    tests = found.choice.table.itertuples()
    return [
        Tag("changed", found.choice.level or "nothing"),
        Tag("reason", found.choice.reason.code),
        *facts_of_update(found.facts),
        *(Metric(f"p_{row.update}_against_{row.against}".replace(" ", "_"), float(str(row.p))) for row in tests),
        *([Artifact(folder, "bundle")] if folder else []),
    ]


def facts_of_update(facts: Mapping[str, Any]) -> Iterator[Record]:
    """Yield what a manifest says of one of its updates, but for who made it, which is free text."""
    for name in ("from", "cohort", "level"):
        if name in facts:
            yield Param(f"update.{name}", facts[name])
    for name in _FIGURES:
        if name in facts:
            yield Metric(f"update_{name}", float(facts[name]))
    for when in ("before", "after"):
        for arm, effect in facts.get(f"effects_{when}", {}).items():
            yield Metric(f"update_effect_{arm}_{when}", float(effect))
    for group, scale in facts.get("scales", {}).items():
        yield Metric(f"update_scale_{group}", float(scale))


__all__ = [
    "EXPERIMENT", "Known", "Recalibration", "bundle_after", "card_before", "club_sd", "clubs_leave_open", "expect_new",
    "expect_new_folder", "expect_passed", "facts_of_update", "known_of", "level_of", "lines_of", "recalibrate",
    "records_of_update", "updated", "updated_by", "updated_card", "updated_limits", "write_bundle",
    "write_recalibrated",
]  # fmt: skip
