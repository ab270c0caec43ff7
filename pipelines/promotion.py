"""Releasing a bundle that a cohort made: held to the gate by another cohort, kept in MLflow, then named by CURRENT."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pfps_ml.bundle import Bundle, load_bundle, parts_of
from pfps_ml.config import ReleaseConfig
from pfps_ml.knowledge.contracts import people_of
from pfps_ml.recalibration.card import card_before
from pfps_ml.recalibration.records import facts_of_update
from pfps_ml.records import Metric, Model, Param, Record, Tag
from pfps_ml.tracking import track
from pipelines.card import headline, validation_section
from pipelines.gate import Check, checks_of_patients, checks_outside, hold_to_gate
from pipelines.shelf import place, point
from pipelines.validated import PATHWAYS, Validated, read_validation

_MADE = ("format", "name", "level", "files", "dictionary_fingerprint")  # of a manifest, by whoever writes it


@dataclass(frozen=True, eq=False)
class ReadyBundle:
    """A bundle, and what its validations, on runners and perhaps on patients, say of it."""

    bundle: Bundle
    validated: Validated
    checks: list[Check]
    treated: Validated | None = None


def judge_bundle(
    folder: Path, validation: Path, limits: ReleaseConfig | None = None, pathways: Path | None = None
) -> ReadyBundle:
    """Read a bundle and its validation, and hold the figures to the release gate's limits; nothing is refused yet.

    Parameters
    ----------
    folder
        The bundle: what `pfps recalibrate` or `pipelines.train --cohort` wrote.
    validation
        What `pfps evaluate` wrote of it, on another cohort.
    limits
        What must hold.
    pathways
        What `pfps evaluate` wrote of it on other patients; needed where patients moved its pathways.

    Raises
    ------
    BundleError
        If the bundle cannot be loaded.
    InputError
        If there is no validation, or it is of another bundle, or of the cohort that the bundle was updated on.
    """
    bundle = load_bundle(folder)
    validated = read_validation(validation, bundle)
    treated = pathways and read_validation(pathways, bundle, PATHWAYS)
    checks = checks_outside(validated, limits or ReleaseConfig())
    if treated or any(people_of(update) == "patients" for update in bundle.manifest.get("updates", [])):
        checks += checks_of_patients(treated)
    return ReadyBundle(bundle, validated, checks, treated)


def release_bundle(ready: ReadyBundle, models: Path, number: str | None = None) -> Path:
    """Release a bundle whose validation passes the gate, and return its folder.

    It is written whole, then registered in MLflow with the alias `champion`, then named by CURRENT: what fails on the
    way leaves the release before in place.

    Parameters
    ----------
    ready
        What `judge_bundle` returned.
    models
        The folder of bundles.
    number
        The version to release as; the bundle's own if not given.

    Raises
    ------
    ReleaseRefused
        If a check of the gate does not hold: nothing is written.
    InputError
        If the version cannot be part of a folder's name.
    OutputError
        If the folder of bundles, CURRENT or MLflow cannot be written.
    """
    hold_to_gate(ready.checks)
    bundle, facts = ready.bundle, _facts(ready)
    parts = parts_of(bundle)

    section = validation_section(ready.validated, ready.treated, ready.checks)

    def made(name: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        card = card_before(bundle, name, bundle.notice, section)
        return {**parts, "card.md": card.encode("utf-8")}, {**facts, "version": name.removeprefix("pfps-")}

    folder = place(models, number or str(bundle.manifest.get("version", "")), made)
    track(records(load_bundle(folder), ready), folder.name)
    point(models, folder.name)
    return folder


def records(released: Bundle, ready: ReadyBundle) -> Iterator[Record]:
    """Yield what MLflow is told of a release, and the bundle to register: no value or name of anybody is in it."""
    yield Tag("released", released.name)
    yield Tag("notice", released.notice)
    yield Tag("verdict", ready.validated.conclusion)
    yield from (Tag(_tag_of(check), check.outcome) for check in ready.checks)
    updates = released.manifest.get("updates", [])
    for update in [update for update in updates if people_of(update) == "runners"][-1:]:  # which is what was validated
        yield from facts_of_update(update)
    facts = released.manifest["validation"]
    for name in ("cohort", "runners", "cases"):
        yield Param(f"validation.{name}", facts[name])
    for name, figure in facts["metrics"].items():
        yield Metric(f"validation_{name}", figure["value"], figure["low"], figure["high"])
    yield Model(released.path)


def _tag_of(check: Check) -> str:
    """Return the tag of a check of the gate: its code, and the arm that it is about, if any."""
    return ".".join(
        [str(check.figure.code), *([check.figure.parameters["arm"]] if "arm" in check.figure.parameters else [])]
    )


def _facts(ready: ReadyBundle) -> dict[str, Any]:
    validated = ready.validated
    validation = {
        "cohort": validated.subject["cohort"], "runners": validated.runners, "cases": validated.cases,
        "verdict": str(validated.conclusion), "verdict_codes": list(validated.codes),
        "metrics": headline(validated.tables["onset"]),
    }  # fmt: skip
    if ready.treated:
        subject = ready.treated.subject
        validation["pathways"] = {"cohort": subject["cohort"], "patients": ready.treated.runners,
                                  "successes": ready.treated.cases, "verdict": str(ready.treated.conclusion),
                                  "verdict_codes": list(ready.treated.codes)}  # fmt: skip
    unchanged = {key: value for key, value in ready.bundle.manifest.items() if key not in _MADE}
    return {**unchanged, "created": datetime.now(UTC).isoformat(timespec="seconds"), "validation": validation}


__all__ = ["ReadyBundle", "judge_bundle", "records", "release_bundle"]
