"""Release a candidate that passes the gate: a name, a card, a manifest; written whole, and models/CURRENT moved."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.config import ProductConfig, ReleaseConfig, load_config
from pfps_ml.errors import BundleFormat, InputError
from pfps_ml.model.bundle_files import BESIDE
from pfps_ml.model.bundle_schema import Schema, schema_from_json
from pfps_ml.tracking import expect_store
from pipelines.card import INTENDED_USE, headline, held_out_figures, limits_of, model_card, not_done
from pipelines.console import command, say, table
from pipelines.evaluate import EVALUATION, SUBJECT
from pipelines.gate import Check, checks, hold_to_gate, read_tables
from pipelines.promotion import judge_bundle, release_bundle
from pipelines.shelf import MODELS, place, point
from pipelines.train import CANDIDATE, identity_of

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
            f"expected a candidate in {candidate} and its evaluation in {evaluation}, but {what} cannot be read; "
            "run pipelines.train and pipelines.evaluate first"
        ) from error
    if judged != identity_of(parts):
        raise InputError(
            f"expected the evaluation of the candidate in {candidate}, got that of another in {evaluation}; "
            "run pipelines.evaluate again"
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


def show_checks(found: Sequence[Check]) -> None:
    """Print every check of the gate with its limit."""
    header = ("figure", "found", "expected", "verdict")
    table("Release gate", header, ((check.what, check.found, check.expected, check.verdict) for check in found))


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
    candidate: Annotated[Path, typer.Argument(help="Folder of the candidate, or of a bundle.")] = CANDIDATE,
    evaluation: Annotated[Path, typer.Option(help="Folder of the candidate's evaluation.")] = EVALUATION,
    validation: Annotated[Path | None, typer.Option(help="Of a bundle: what `pfps evaluate` wrote of it.")] = None,
    pathways: Annotated[Path | None, typer.Option(help="Of a bundle: the same on patients.")] = None,
    models: Annotated[Path, typer.Option(help="Folder of bundles.")] = MODELS,
    number: Annotated[str | None, typer.Option("--version", help="Version to release as.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML whose table `release` holds the limits.")] = None,
) -> None:
    """Release a candidate that was evaluated, or with --validation a bundle that was validated, if the gate passes."""
    if pathways and not validation:
        raise InputError("expected --validation DIR beside --pathways DIR, got none; add what `pfps evaluate` wrote")
    limits = load_config(config).release
    if validation:
        expect_store()
        ready = judge_bundle(candidate, validation, limits, pathways)
        show_checks(ready.checks)
        folder = release_bundle(ready, models, number)
    else:
        show_checks(judge(candidate, evaluation, limits).checks)
        folder = release(candidate, evaluation, models, number or ProductConfig.version, limits)
    say(f"released {folder}; {models / 'CURRENT'} names it")


if __name__ == "__main__":
    command(main)

__all__ = ["Ready", "judge", "release", "show_checks"]
