"""Release a candidate that passes the gate: a name, a card, a manifest; written whole, and models/CURRENT moved.

A release is written whole under a free name and never changes; CURRENT is moved by itself. A bundle that a cohort made
is held to the gate by another cohort, kept in MLflow, then named by CURRENT.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.core import (
    BundleError,
    BundleFormat,
    InputError,
    Message,
    Metric,
    Model,
    OutputError,
    Param,
    ProductConfig,
    Record,
    ReleaseConfig,
    Tag,
    load_config,
    same,
)
from pfps_ml.core.console import say, table
from pfps_ml.domain import people_of
from pfps_ml.model import Bundle, Schema, dump, load_bundle, manifest_of, parts_of, save_bundle, schema_from_json
from pfps_ml.model.bundle_files import BESIDE
from pfps_ml.workflows.card import (
    INTENDED_USE,
    headline,
    held_out_figures,
    limits_of,
    model_card,
    not_done,
    validation_section,
)
from pfps_ml.workflows.evaluate import EVALUATION, SUBJECT, main as evaluate_candidate
from pfps_ml.workflows.frames import MODELS, Home
from pfps_ml.workflows.recalibrate import card_before, facts_of_update
from pfps_ml.workflows.release_gate import (
    PATHWAYS,
    Check,
    Validated,
    checks,
    checks_of_patients,
    checks_outside,
    hold_to_gate,
    read_tables,
    read_validation,
)
from pfps_ml.workflows.tracking import HOME as RUNS, expect_store, track
from pfps_ml.workflows.train import CANDIDATE, identity_of

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
Made = Callable[[str], tuple[dict[str, bytes], dict[str, Any]]]


def place(models: Path, number: str, made: Made) -> Path:
    """Write a release into the folder of bundles and return its own; CURRENT is not moved.

    Parameters
    ----------
    models, number
        The folder of bundles, and the version to release as.
    made
        What makes the files and the facts of a bundle of a given name.

    Raises
    ------
    InputError
        If the version cannot be part of a folder's name.
    OutputError
        If the folder of bundles cannot be written.
    """
    if not _VERSION.fullmatch(number):
        raise InputError(Message("version_malformed"))
    try:
        for name in _names(number):
            whole, facts = made(name)
            manifest, folder = manifest_of(name, whole, facts), models / name
            if not folder.exists():
                save_bundle(folder, whole, manifest)
            elif not same_release(folder, whole, manifest):
                continue
            return folder
    except OSError as error:
        raise OutputError(Message("models_not_writable", {"models": str(models), "reason": error.strerror})) from error
    raise AssertionError("names do not run out")


def point(models: Path, name: str) -> None:
    """Let models/CURRENT name a release.

    Raises
    ------
    OutputError
        If it cannot be written; it names the one before.
    """
    draft = models / f".CURRENT.{os.getpid()}.draft"
    try:
        draft.write_text(f"{name}\n", encoding="utf-8")
        draft.replace(models / "CURRENT")
    except OSError as error:
        with suppress(OSError):  # it may not have been made
            draft.unlink()
        raise OutputError(
            Message("current_not_writable", {"place": str(models / "CURRENT"), "reason": error.strerror})
        ) from error


def same_release(folder: Path, parts: Mapping[str, bytes], manifest: Mapping[str, Any]) -> bool:
    """Return whether a release says what would be released: all but the time, and numbers but for their last bits.

    Parameters
    ----------
    folder
        The release; one that cannot be loaded is the same as nothing.
    parts, manifest
        The files and the manifest of what would be released.
    """
    try:
        there = load_bundle(folder).manifest
    except BundleError:
        return False
    released = {part: (folder / part).read_bytes() for part in there["files"]}
    return same(_content(there, released), _content(json.loads(dump(manifest)), parts))


def _content(manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what a bundle holds, without digests: they are those of bytes, and the bytes follow from the rest."""
    facts = {key: value for key, value in manifest.items() if key not in ("created", "files")}
    files = {part: json.loads(text) if part.endswith(".json") else text.decode() for part, text in parts.items()}
    return {"manifest": facts, **files}


def _names(number: str) -> Iterator[str]:
    yield f"pfps-{number}"
    again = 2
    while True:
        yield f"pfps-{number}-{again}"
        again += 1


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
    treated = read_validation(pathways, bundle, PATHWAYS) if pathways else None
    checks = checks_outside(validated, limits or ReleaseConfig())
    if treated or any(people_of(update) == "patients" for update in bundle.manifest.get("updates", [])):
        checks += checks_of_patients(treated)
    return ReadyBundle(bundle, validated, checks, treated)


def release_bundle(ready: ReadyBundle, models: Path, number: str | None = None, runs: Path = RUNS) -> Path:
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
        The version to release as; the bundle's own by default.
    runs
        The folder of MLflow's runs, where no address of a server is set.

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
    bundle, facts = ready.bundle, _facts_of_update(ready)
    parts = parts_of(bundle)

    section = validation_section(ready.validated, ready.treated, ready.checks)

    def made(name: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        card = card_before(bundle, name, bundle.notice, section)
        return {**parts, "card.md": card.encode("utf-8")}, {**facts, "version": name.removeprefix("pfps-")}

    folder = place(models, number or str(bundle.manifest.get("version", "")), made)
    track(records(load_bundle(folder), ready), folder.name, home=runs)
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


def _facts_of_update(ready: ReadyBundle) -> dict[str, Any]:
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


_PACKAGES = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Ready:
    """A candidate and what its evaluation says of it."""

    facts: dict[str, Any]
    parts: dict[str, bytes]
    tables: dict[str, pd.DataFrame]
    checks: list[Check]
    schema: Schema


def judge(candidate: Path, evaluation: Path, limits: ReleaseConfig | None = None) -> Ready:
    """Read a candidate and its evaluation, and hold the figures to the release gate's limits; nothing is refused yet.

    Parameters
    ----------
    candidate, evaluation
        The folders that `pipelines.train` and `pipelines.evaluate` wrote.
    limits
        What must hold.

    Raises
    ------
    InputError
        If a file of the candidate or its evaluation is not there, or the evaluation is of another candidate.
    """
    try:
        facts = json.loads((candidate / "facts.json").read_text(encoding="utf-8"))
        schema = schema_from_json(json.loads((candidate / "schema.json").read_bytes()))
        parts = {name: (candidate / name).read_bytes() for name in (*BESIDE[:-1], *schema.models)}
        judged = json.loads((evaluation / SUBJECT).read_text(encoding="utf-8"))["candidate"]
    except (OSError, LookupError, ValueError, BundleFormat) as error:
        what = getattr(error, "filename", None) or "one of their files"
        raise InputError(
            Message(
                "candidate_unreadable", {"candidate": str(candidate), "evaluation": str(evaluation), "subject": what}
            )
        ) from error
    if judged != identity_of(parts):
        raise InputError(
            Message("evaluation_of_other_candidate", {"candidate": str(candidate), "evaluation": str(evaluation)})
        )
    tables = read_tables(evaluation)
    return Ready(facts, parts, tables, checks(tables, limits or ReleaseConfig()), schema)


def release(candidate: Path, evaluation: Path, models: Path, number: str, limits: ReleaseConfig | None = None) -> Path:
    """Release a candidate that passes the gate, and return its folder.

    A release never changes: where one of this number is there and differs in more than the time, the next free
    `<number>-2`, `-3`, ... is taken; where nothing else differs, it is left as it is.

    Parameters
    ----------
    candidate, evaluation, limits
        As in `judge`.
    models
        The folder of bundles.
    number
        The version to release as.

    Raises
    ------
    InputError
        As `judge`.
    ReleaseRefused
        If a check of the gate does not hold: nothing is written.
    OutputError
        If the folder of bundles cannot be written.
    """
    ready = judge(candidate, evaluation, limits)
    hold_to_gate(ready.checks)

    def made(name: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        verdict = json.loads(ready.parts["models/success.json"]).get("gate")
        card = model_card(name, ready.facts, ready.tables, ready.checks, verdict, ready.schema)
        return {**ready.parts, "card.md": card.encode("utf-8")}, _facts(name, ready)

    folder = place(models, number, made)
    point(models, folder.name)
    return folder


def show_checks(checked: Sequence[Check]) -> None:
    """Print every check of the gate with its limit."""
    header = ("figure", "found", "expected", "verdict")
    table("Release gate", header, ((check.what, check.found, check.expected, check.verdict) for check in checked))


def _facts(name: str, ready: Ready) -> dict[str, Any]:
    return {
        **ready.facts,
        "version": name.removeprefix("pfps-"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": {package: version(package) for package in _PACKAGES},
        "metrics": headline(ready.tables["onset"]),
        "held_out": held_out_figures(ready.tables),
        "intended_use": INTENDED_USE,
        "limits": [*limits_of(ready.facts["trained_on"]), *not_done(ready.facts["trained_on"])],
    }


def main(  # noqa: PLR0913, PLR0917
    candidate: Annotated[Path | None, typer.Argument(help="Folder of the candidate, or of a bundle.")] = None,
    evaluation: Annotated[Path | None, typer.Option(help="Its evaluation; made by default.")] = None,
    frames: Annotated[Path | None, typer.Option(help="Frames that the candidate was trained on.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Of a bundle: what `pfps evaluate` wrote of it.")] = None,
    pathways: Annotated[Path | None, typer.Option(help="Of a bundle: the same on patients.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of bundles.")] = None,
    number: Annotated[str | None, typer.Option("--version", help="Version to release as.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML of the configuration; limits are in `release`.")] = None,
    home: Home = Path(),
) -> None:
    """Release a candidate that was evaluated, or with --validation a bundle that was validated, if the gate passes."""
    if pathways and not validation:
        raise InputError(Message("validation_missing_beside_pathways"))
    limits, subject, bundles = load_config(config).release, candidate or home / CANDIDATE, models or home / MODELS
    if validation:
        expect_store(home=home / RUNS)
        ready = judge_bundle(subject, validation, limits, pathways)
        show_checks(ready.checks)
        folder = release_bundle(ready, bundles, number, home / RUNS)
    else:
        judged = evaluation or home / EVALUATION
        if evaluation is None and not _is_evaluated(subject, judged):
            evaluate_candidate(frames, subject, config, judged, home=home)
        show_checks(judge(subject, judged, limits).checks)
        folder = release(subject, judged, bundles, number or ProductConfig.version, limits)
    say(f"released {folder}; {bundles / 'CURRENT'} names it")


def _is_evaluated(candidate: Path, evaluation: Path) -> bool:
    """Return whether there is an evaluation, and it is of this candidate."""
    try:
        judge(candidate, evaluation)
    except InputError:
        return False
    return True


__all__ = [
    "Made",
    "Ready",
    "ReadyBundle",
    "judge",
    "judge_bundle",
    "main",
    "place",
    "point",
    "records",
    "release",
    "release_bundle",
    "same_release",
    "show_checks",
]  # fmt: skip
