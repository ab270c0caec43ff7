"""The released artefact: a folder of JSON files that holds no code, and the order in which it is trusted.

Loading: manifest, format, hashes, fingerprint, construct, reproduce golden. Each step has its own error.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.cautions import Cautions, cautions_of
from pfps_ml.errors import BundleFormat, BundleGolden, BundleMissing, BundleOutdated, BundleTampered
from pfps_ml.gains import GainTables, gain_tables
from pfps_ml.knowledge.checker import check, complete
from pfps_ml.knowledge.contracts import fingerprint, notice_message, notice_of
from pfps_ml.numbers import rounded
from pfps_ml.overlap import Overlap, overlap_of
from pfps_ml.prediction import Prediction, Predictor, predictor_from_json
from pfps_ml.reference import check_reference

FORMAT = "pfps-bundle/1"
TOLERANCE = 1e-9
PARTS = ("onset.json", "pathways.json", "reference.json", "golden.json", "card.md")
_LARGEST = 10_000_000  # bytes; design: a bundle is at most 10 MB
# what reading a part of another shape than ours ends in
_MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle: it has reproduced its golden answers on this machine.

    Attributes
    ----------
    name
        `pfps-<version>`, the folder's name.
    manifest
        Version, time, package versions, fingerprints, seed, data digest, scenario, configuration, file hashes,
        headline figures, intended use and limits.
    predictor
        The models.
    reference
        What the training data looked like: ranges and quantiles, averages by age and sex, bands.
    overlap
        How the clinics chose pathways; None in a bundle of before it was kept.
    card
        The model card, Markdown.
    """

    name: str
    path: Path
    manifest: Mapping[str, Any]
    predictor: Predictor
    reference: Mapping[str, Any]
    card: str
    overlap: Overlap | None = None

    @cached_property
    def notice(self) -> str:
        """What every answer says of it."""
        return notice_of(self.manifest)

    @cached_property
    def trained_on(self) -> dict[str, Any]:
        """What every answer says of the data that it was trained on, and the notice as a sentence and as a message."""
        notice = notice_message(self.manifest).as_dict()
        return {**self.manifest["trained_on"], "notice": self.notice, "notice_message": notice}

    @cached_property
    def gain_tables(self) -> GainTables:
        """What `measure next` reads."""
        return gain_tables(self.predictor.onset, self.reference["fields"])

    @cached_property
    def cautions(self) -> Cautions:
        """What it cautions of."""
        return cautions_of(self.reference)


def released_bundle(models: Path | None = None) -> Bundle:
    """Load the bundle that models/CURRENT names.

    Parameters
    ----------
    models
        The folder of bundles; else PFPS_MODELS, else the checkout's models/, else the copy in the wheel.
    """
    home = models or _models_home()
    try:
        name = (home / "CURRENT").read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text
        raise BundleMissing(
            f"expected the name of the released bundle in {home / 'CURRENT'}, but it cannot be read; "
            "train one (`make demo`) or set PFPS_MODELS to a folder that has one"
        ) from error
    return load_bundle(home / name)


def load_bundle(path: Path) -> Bundle:
    """Load a bundle from its folder, trusting nothing before it has been checked.

    Raises
    ------
    BundleMissing, BundleFormat, BundleTampered, BundleOutdated, BundleGolden
        One for each step of loading.
    """
    manifest = _manifest(path)
    contents = {part: _read(path, part) for part in PARTS}
    for part, content in contents.items():
        if manifest["files"].get(part) != digest(content):
            raise BundleTampered(
                f"expected {path.name}/{part} with the hash in the manifest, got other content; "
                "restore the bundle from where it was released"
            )
    if manifest.get("dictionary_fingerprint") != fingerprint():
        raise BundleOutdated(
            f"expected a bundle made with this version's fields, got {path.name} made with other names, limits or "
            "levels; retrain it, or install the version of pfps-ml named in its manifest"
        )
    onset, pathways, reference, golden = (_parse(contents[part], part) for part in PARTS[:4])
    card = _text(contents["card.md"], "card.md")
    predictor = _predictor(onset, pathways)
    check_reference(reference, {*predictor.onset.fields, *predictor.explainer.fields})
    overlap = overlap_of(reference)
    reproduce(predictor, golden)
    return Bundle(path.name, path, manifest, predictor, reference, card, overlap)


def golden_answers(predictor: Predictor, runners: pd.DataFrame) -> dict[str, Any]:
    """Return the content of golden.json: some inputs and the answers that every machine must reproduce."""
    # as they are written: a value on a cut must lie on it when it is read again
    rows = rounded(runners.astype(object).where(runners.notna(), None).to_dict("records"))
    return {"tolerance": TOLERANCE, "inputs": rows, "answers": _answers(predictor, rows)}


def reproduce(predictor: Predictor, golden: Mapping[str, Any]) -> None:
    """Hold the models to their recorded answers.

    Raises
    ------
    BundleGolden
        If any answer differs by more than the tolerance.
    """
    try:
        expected = {key: np.asarray(values, dtype=float) for key, values in golden["answers"].items()}
        found = _answers(predictor, golden["inputs"])
    except _MISSHAPEN as error:
        raise BundleFormat("expected inputs and answers in golden.json, got something else") from error
    nothing = np.zeros(0)  # an answer that is not recorded differs as much as a wrong one
    worst = {key: _gap(np.asarray(found.get(key, nothing)), expected.get(key, nothing)) for key in {*found, *expected}}
    if bad := {key: gap for key, gap in worst.items() if not gap <= TOLERANCE}:
        gaps = ", ".join(f"{key} by {gap:.2g}" for key, gap in sorted(bad.items()))
        raise BundleGolden(
            f"expected the bundle to reproduce its golden answers to {TOLERANCE:g}, but they differ: {gaps}; "
            "do not use it on this machine, and report the package versions"
        )


def manifest_of(name: str, parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a bundle about to be written: the facts of its making and the hashes of its files."""
    files = {part: digest(parts[part]) for part in PARTS}
    return {"format": FORMAT, "name": name, **facts, "dictionary_fingerprint": fingerprint(), "files": files}


def save_bundle(folder: Path, parts: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write a bundle whole: into a folder beside it, loaded once as a test, then renamed."""
    if (size := sum(map(len, parts.values()))) > _LARGEST:
        raise BundleFormat(f"expected a bundle of at most {_LARGEST:,} bytes, got {size:,}; lower pairs or bins")
    draft = folder.parent / f".{folder.name}.{os.getpid()}.draft"  # of this process: another may write there, too
    try:
        draft.mkdir(parents=True, exist_ok=True)
        for part, content in {**parts, "manifest.json": dump(manifest)}.items():
            (draft / part).write_bytes(content)
        load_bundle(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # there only if something went wrong


def dump(content: Any) -> bytes:
    """Return JSON as it is written: numbers rounded, the same content gives the same bytes, and no NaN."""
    return (json.dumps(rounded(content), sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n").encode("utf-8")


def digest(content: bytes) -> str:
    """Return the hash by which a manifest knows a file."""
    return hashlib.sha256(content).hexdigest()


def _answers(predictor: Predictor, rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[Any]]:
    given = {name: [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}
    found: Prediction = predictor.predict(complete(check(given).values))
    answers = {
        "risk": found.risk.value, "risk_low": found.risk.low, "risk_high": found.risk.high,
        "log_odds": found.log_odds, "base_log_odds": found.base, "contributions": found.contributions,
    }  # fmt: skip
    for kind, estimates in (("p", found.success), ("effect", found.effect)):
        for arm, each in estimates.items():
            name = f"{kind}_{arm}"
            answers |= {name: each.value, f"{name}_low": each.low, f"{name}_high": each.high}
    return {key: values.tolist() for key, values in answers.items()}


def _gap(found: NDArray[Any], expected: NDArray[np.float64]) -> float:
    """Return the largest difference; answers of another shape, or none at all, differ by any amount."""
    if found.shape != expected.shape or not found.size:
        return float("inf")
    return float(np.abs(found - expected).max())


def _models_home() -> Path:
    if chosen := os.environ.get("PFPS_MODELS"):
        return Path(chosen)
    here = Path(__file__).resolve().parent
    checkout = here.parent / "models"
    return checkout if (checkout / "CURRENT").exists() else here / "models"


def _read(path: Path, part: str) -> bytes:
    try:
        return (path / part).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise BundleMissing(
            f"expected {part} in the bundle {str(path)!r}, but it cannot be read ({reason}); "
            "train one with `make demo`, or name another with --bundle"
        ) from error


def _manifest(path: Path) -> dict[str, Any]:
    manifest = _parse(_read(path, "manifest.json"), "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleFormat(f"expected a manifest of format {FORMAT} in {path.name}, got another; retrain the bundle")
    # without hashes nothing could be trusted, and every answer says what the models were trained on
    if lacking := [key for key in ("files", "trained_on") if not isinstance(manifest.get(key), dict)]:
        raise BundleFormat(
            f"expected {' and '.join(lacking)} in the manifest of {path.name}, got none or something else; "
            "restore the bundle from where it was released"
        )
    try:
        notice_of(manifest)
        list(manifest.get("updates", []))
    except _MISSHAPEN as error:
        raise BundleFormat(
            f"expected the manifest of {path.name} to say how many runners it was trained and updated on, got another "
            "shape; restore the bundle"
        ) from error
    return manifest


def _predictor(onset: Any, pathways: Any) -> Predictor:
    try:
        return predictor_from_json(onset, pathways)
    except _MISSHAPEN as error:
        raise BundleFormat(
            "expected models in onset.json and pathways.json, got another shape; restore the bundle"
        ) from error


def _parse(content: bytes, part: str) -> Any:
    try:
        return json.loads(_text(content, part), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BundleFormat(f"expected JSON in {part}, got something else; restore the bundle") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _text(content: bytes, part: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormat(f"expected text in {part}, got something else; restore the bundle") from error


__all__ = [
    "FORMAT", "PARTS", "TOLERANCE", "Bundle", "digest", "dump", "golden_answers", "load_bundle", "manifest_of",
    "released_bundle", "reproduce", "save_bundle",
]  # fmt: skip
