"""Release a candidate: give it a name, a card and a manifest, write it whole, and point models/CURRENT at it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from pfps_ml.bundle import digest, manifest_of, same_release, save_bundle
from pfps_ml.config import ProductConfig
from pfps_ml.errors import InputError, OutputError
from pipelines.card import INTENDED_USE, LIMITS, headline, model_card
from pipelines.console import command, say
from pipelines.evaluate import EVALUATION, SUBJECT
from pipelines.train import CANDIDATE

MODELS = Path("models")
_PACKAGES = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy")


def release(candidate: Path, evaluation: Path, models: Path, number: str) -> Path:
    """Release a candidate and return its folder.

    A release never changes: where one of this number is there and differs in more than the time, the next free
    `<number>-2`, `-3`, ... is taken; where nothing else differs, it is left as it is.

    Parameters
    ----------
    candidate, evaluation
        The folders that `pipelines.train` and `pipelines.evaluate` wrote.
    models
        The folder of bundles.
    number
        The version to release as.

    Raises
    ------
    InputError
        If a file of the candidate or its evaluation is not there, or the evaluation is of another candidate.
    OutputError
        If the folder of bundles cannot be written.
    """
    try:
        facts = json.loads((candidate / "facts.json").read_text(encoding="utf-8"))
        parts = {p.name: p.read_bytes() for p in candidate.glob("*.json") if p.name != "facts.json"}
        figures, effects = (pd.read_csv(evaluation / name) for name in ("onset.csv", "effects.csv"))
        judged = json.loads((evaluation / SUBJECT).read_text(encoding="utf-8"))["candidate"]
    except OSError as error:
        raise InputError(
            f"expected a candidate in {candidate} and its evaluation in {evaluation}, but {error.filename} cannot be "
            "read; run pipelines.train and pipelines.evaluate first"
        ) from error
    if judged != digest(parts["onset.json"] + parts["pathways.json"]):
        raise InputError(
            f"expected the evaluation of the candidate in {candidate}, got that of another in {evaluation}; "
            "run pipelines.evaluate again"
        )
    try:
        return _write(models, number, parts, facts, figures, effects)
    except OSError as error:
        raise OutputError(f"expected to write into {models}, but cannot ({error.strerror}); nothing moved") from error


def _write(
    models: Path,
    number: str,
    parts: dict[str, bytes],
    facts: dict[str, Any],
    figures: pd.DataFrame,
    effects: pd.DataFrame,
) -> Path:
    for name in _names(number):
        card = model_card(name, facts, figures, effects)
        whole = {**parts, "card.md": card.encode("utf-8")}
        manifest = manifest_of(name, whole, _facts(name, facts, figures))
        folder = models / name
        if not folder.exists():
            save_bundle(folder, whole, manifest)
        elif not same_release(folder, manifest):
            continue
        _point(models, name)
        return folder
    raise AssertionError("names do not run out")


def _names(number: str) -> Iterator[str]:
    yield f"pfps-{number}"
    again = 2
    while True:
        yield f"pfps-{number}-{again}"
        again += 1


def _facts(name: str, facts: dict[str, Any], figures: pd.DataFrame) -> dict[str, Any]:
    return {
        **facts,
        "version": name.removeprefix("pfps-"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": {package: version(package) for package in _PACKAGES},
        "metrics": headline(figures),
        "intended_use": INTENDED_USE,
        "limits": list(LIMITS),
    }


def _point(models: Path, name: str) -> None:
    draft = models / ".CURRENT.draft"
    draft.write_text(f"{name}\n", encoding="utf-8")
    draft.replace(models / "CURRENT")


def main(
    candidate: Annotated[Path, typer.Argument(help="Folder of the candidate.")] = CANDIDATE,
    evaluation: Annotated[Path, typer.Option(help="Folder of its evaluation.")] = EVALUATION,
    models: Annotated[Path, typer.Option(help="Folder of bundles.")] = MODELS,
    number: Annotated[str, typer.Option("--version", help="Version to release as.")] = ProductConfig.version,
) -> None:
    """Release a candidate that has been evaluated."""
    folder = release(candidate, evaluation, models, number)
    say(f"released {folder}; {models / 'CURRENT'} names it")


if __name__ == "__main__":
    command(main)

__all__ = ["MODELS", "release"]
