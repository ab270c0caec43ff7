"""The files of a bundle, of either format, read and checked before anything is made of them.

Order: manifest, format, hashes, what the bundle reads against the dictionary. JSON and one Markdown file, nothing else.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfps_ml.core import BundleFormat, BundleMissing, BundleOutdated, BundleTampered, Message
from pfps_ml.domain import ACTIVE_ARMS, ONSET, REFERENCE_ARM, SUCCESS, notice_of
from pfps_ml.model.bundle_schema import (
    Dictionary,
    Schema,
    changes,
    dictionary_now,
    dictionary_of_format_1,
    fields_in,
    schema_from_json,
    schema_of,
)

FORMAT_1, FORMAT = "pfps-bundle/1", "pfps-bundle/2"
PARTS_1 = ("onset.json", "pathways.json", "reference.json", "golden.json", "card.md")
BESIDE = ("schema.json", "reference.json", "golden.json", "card.md")  # the models
_FILE = re.compile(
    r"(schema|reference|golden)\.json|card\.md|models/[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39})?\.json"
)
_MODELS_1 = {"onset": "onset.json", "success": "pathways.json"}
_ARMS_1 = (REFERENCE_ARM, *ACTIVE_ARMS)
_SHOWN = 5  # changes in one message
# what reading a part of another shape than ours ends in
MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Contents:
    """What the files of a bundle hold, parsed; its fields and arms mean what they do in this version.

    `models` are by outcome; of format 1 as `prediction.predictor_from_json` reads them. `accounts` are the models of
    other scenarios, by file.
    """

    manifest: Mapping[str, Any]
    schema: Schema
    models: Mapping[str, Any]
    reference: Mapping[str, Any]
    golden: Mapping[str, Any]
    card: str

    @property
    def of_format_1(self) -> bool:
        """Whether the bundle is of format 1."""
        return bool(self.manifest["format"] == FORMAT_1)


def read_contents(path: Path) -> Contents:
    """Read a bundle's folder, trusting nothing before it has been checked.

    Raises
    ------
    BundleMissing, BundleFormat, BundleTampered, BundleOutdated
        One for each step.
    """
    manifest = _manifest(path)
    first = manifest["format"] == FORMAT_1
    names = PARTS_1 if first else _names(manifest, path.name)
    contents = {part: _read(path, part) for part in names}
    for part, content in contents.items():
        if manifest["files"].get(part) != digest(content):
            raise BundleTampered(Message("bundle_file_tampered", {"bundle": path.name, "part": part}))
    parsed = {part: parse(content, part) for part, content in contents.items() if part != "card.md"}
    return (_of_format_1 if first else _of_format_2)(manifest, parsed, text_of(contents["card.md"], "card.md"), path)


def file_of(manifest: Mapping[str, Any], outcome: str) -> str:
    """Return the file of an outcome's model in a bundle of either format."""
    return _MODELS_1[outcome] if manifest["format"] == FORMAT_1 else f"models/{outcome}.json"


def parse(content: bytes, part: str) -> Any:
    """Return parsed JSON.

    Raises
    ------
    BundleFormat
        If it is no JSON, or holds NaN or infinity.
    """
    try:
        return json.loads(text_of(content, part), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BundleFormat(Message("bundle_file_no_json", {"part": part})) from error


def text_of(content: bytes, part: str) -> str:
    """Return text.

    Raises
    ------
    BundleFormat
        If it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleFormat(Message("bundle_file_no_text", {"part": part})) from error


def digest(content: bytes) -> str:
    """Return the hash by which a manifest knows a file."""
    return hashlib.sha256(content).hexdigest()


def _of_format_2(manifest: Mapping[str, Any], parsed: Mapping[str, Any], card: str, path: Path) -> Contents:
    schema, reference = schema_from_json(parsed["schema.json"]), parsed["reference.json"]
    if {*parsed, "card.md"} != {*BESIDE, *schema.models}:
        raise BundleFormat(Message("schema_names_other_models", {"bundle": path.name}))
    if manifest.get("level") != schema.level:
        raise BundleFormat(Message("bundle_has_two_levels", {"bundle": path.name}))
    _expect_same(schema, dictionary_now(), path.name)
    models = {name: parsed[outcome.model] for name, outcome in schema.outcomes.items()}
    _expect_named(schema, models, reference)
    return Contents(manifest, schema, models, reference, parsed["golden.json"], card)


def _of_format_1(manifest: Mapping[str, Any], parsed: Mapping[str, Any], card: str, path: Path) -> Contents:
    frozen, known_as = dictionary_of_format_1()
    if manifest.get("dictionary_fingerprint") != known_as:
        raise BundleOutdated(Message("format_1_of_other_fields", {"bundle": path.name}))
    models, reference = {name: parsed[part] for name, part in _MODELS_1.items()}, parsed["reference.json"]
    try:
        horizons = {"onset": ONSET.at(float(reference["horizon_months"])), "success": SUCCESS.at()}
        level = float(models["onset"]["interval"]["level"])
        schema = schema_of(models, reference, _ARMS_1, level, horizons, frozen)
    except MISSHAPEN as error:
        raise BundleFormat(Message("bundle_part_faulty", {"bundle": path.name, "reason": str(error)})) from error
    _expect_same(schema, dictionary_now(), path.name)
    return Contents(manifest, schema, models, reference, parsed["golden.json"], card)


def _expect_same(schema: Schema, now: Dictionary, name: str) -> None:
    """Refuse a bundle for which something that it reads has changed."""
    differences = [
        *dict.fromkeys(change for outcome in schema.outcomes.values() for change in changes(outcome.reads, now))
    ]
    if differences:
        shown = "; ".join(differences[:_SHOWN]) + (
            f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        )
        raise BundleOutdated(Message("bundle_outdated", {"name": name, "shown": shown}))


def _expect_named(schema: Schema, models: Mapping[str, Any], reference: Any) -> None:
    """Refuse models that read what schema.json does not name: no change of it would be noticed."""
    described = reference["fields"] if isinstance(reference, dict) and isinstance(reference.get("fields"), dict) else {}
    propensity = fields_in(reference.get("propensity")) if isinstance(reference, dict) else set()
    read = {"onset": fields_in(models["onset"]), "success": fields_in(models["success"]) | propensity}
    for name, fields in read.items():
        if unnamed := sorted(fields - {*schema.outcomes[name].reads["fields"]}):
            raise BundleFormat(Message("models_over_unnamed_fields", {"unnamed": [*unnamed]}))
    if unnamed := sorted({*described} - {*schema.fields}):
        raise BundleFormat(Message("reference_of_other_fields", {"unnamed": [*unnamed]}))


def _names(manifest: Mapping[str, Any], name: str) -> list[str]:
    """Return the files of a bundle of format 2, as its manifest lists them.

    Raises
    ------
    BundleFormat
        If a name is none that a bundle's file has: so no path leads elsewhere.
    """
    names = list(manifest["files"])
    if strange := [part for part in names if not _FILE.fullmatch(part)]:
        raise BundleFormat(Message("manifest_names_strange_file", {"name": name, "file": strange[0]}))
    if lacking := [part for part in BESIDE if part not in names]:
        raise BundleFormat(Message("manifest_lacks_files", {"lacking": [*lacking], "name": name}))
    return names


def _read(path: Path, part: str) -> bytes:
    try:
        return (path / part).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
        raise BundleMissing(
            Message("bundle_file_not_there", {"part": part, "path": str(path), "reason": reason})
        ) from error


def _manifest(path: Path) -> dict[str, Any]:
    manifest = parse(_read(path, "manifest.json"), "manifest.json")
    if not isinstance(manifest, dict) or manifest.get("format") not in (FORMAT, FORMAT_1):
        raise BundleFormat(
            Message("manifest_of_other_format", {"format": FORMAT, "format_1": FORMAT_1, "bundle": path.name})
        )
    # without hashes nothing could be trusted, and every answer says what the models were trained on
    if lacking := [key for key in ("files", "trained_on") if not isinstance(manifest.get(key), dict)]:
        raise BundleFormat(Message("manifest_lacks_facts", {"lacking": [*lacking], "bundle": path.name}))
    try:
        notice_of(manifest)
        list(manifest.get("updates", []))
    except MISSHAPEN as error:
        raise BundleFormat(Message("manifest_without_training_counts", {"bundle": path.name})) from error
    return manifest


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


__all__ = [
    "BESIDE", "FORMAT", "FORMAT_1", "MISSHAPEN", "PARTS_1", "Contents", "digest", "file_of", "parse", "read_contents",
    "text_of",
]  # fmt: skip
