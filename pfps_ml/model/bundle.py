"""The released artefact: a folder of JSON files that holds no code, and the order in which it is trusted.

Loading: manifest, format, hashes, fields and arms, construct, reproduce golden. Each step has its own error.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import BundleFormat, BundleGolden, BundleMissing, Message, NDArray, rounded
from pfps_ml.domain import ARMS, INPUTS, OUTCOME, Arm, Horizon, complete, fingerprint, notice_message, notice_of
from pfps_ml.model import bundle_files
from pfps_ml.model.bundle_files import FORMAT, MISSHAPEN, Contents, file_of, read_contents
from pfps_ml.model.bundle_schema import (
    Schema,
    dictionary_now,
    models_to_json,
    predictor_from_models,
    schema_of,
    schema_to_json,
)
from pfps_ml.model.prediction import Prediction, Predictor, predictor_from_json
from pfps_ml.model.reference import GainTables, Overlap, check_reference, gain_tables, overlap_of
from pfps_ml.model.wording import Cautions, cautions_of

TOLERANCE = 1e-9
digest = bundle_files.digest
_LARGEST = 10_000_000  # bytes; design: a bundle is at most 10 MB
_SCALE_1 = {"margin": "log_odds", "base_margin": "base_log_odds"}  # what format 1 calls these answers
Bounds = Mapping[str, Mapping[str, Any]]


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
    schema
        The level of the intervals, the outcomes with their horizons, and what the models read.
    overlap
        How the clinics chose pathways; None in an older bundle, which does not have it.
    card
        The model card, Markdown.
    """

    name: str
    path: Path
    manifest: Mapping[str, Any]
    predictor: Predictor
    reference: Mapping[str, Any]
    card: str
    schema: Schema
    overlap: Overlap | None = None

    @property
    def level(self) -> float:
        """The level of every interval, as a share."""
        return self.schema.level

    @cached_property
    def horizons(self) -> dict[str, Horizon]:
        """The main horizon of each outcome."""
        return {name: outcome.horizon for name, outcome in self.schema.outcomes.items()}

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms, the reference first."""
        known = {arm.name: arm for arm in ARMS}
        return tuple(known[name] for name in self.predictor.arms)

    @cached_property
    def notice(self) -> str:
        """The notice of every answer: what the bundle was trained on."""
        return notice_of(self.manifest)

    @cached_property
    def trained_on(self) -> dict[str, Any]:
        """The training data as every answer names them, and the notice as a sentence and as a message."""
        notice = notice_message(self.manifest).as_dict()
        return {**self.manifest["trained_on"], "notice": self.notice, "notice_message": notice}

    @cached_property
    def gain_tables(self) -> GainTables:
        """What `measure next` reads."""
        return gain_tables(self.predictor.onset, self.reference["fields"])

    @cached_property
    def cautions(self) -> Cautions:
        """What it cautions of."""
        return cautions_of(self.reference, self.arms, self.predictor.explainer.fields)

    def label(self, outcome: str) -> str:
        """Return how a heading names an outcome, at this bundle's main horizon."""
        return OUTCOME[outcome].label_at(self.horizons[outcome])

    def meaning(self, outcome: str) -> str:
        """Return what an outcome means, at this bundle's main horizon."""
        return OUTCOME[outcome].meaning_at(self.horizons[outcome])

    def model_digest(self, outcome: str) -> str:
        """Return the hash of an outcome's model, by which a validation of it is known."""
        return str(self.manifest["files"][file_of(self.manifest, outcome)])


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
        raise BundleMissing(Message("released_bundle_not_named", {"place": str(home / "CURRENT")})) from error
    return load_bundle(home / name)


def load_bundle(path: Path) -> Bundle:
    """Load a bundle of format 2 or 1 from its folder, trusting nothing before it has been checked.

    Raises
    ------
    BundleMissing, BundleFormat, BundleTampered, BundleOutdated, BundleGolden
        One for each step of loading.
    """
    contents = read_contents(path)
    predictor, reference = _predictor(contents), contents.reference
    check_reference(reference, {*predictor.onset.fields, *predictor.explainer.fields})
    overlap = overlap_of(reference, predictor.arms)
    reproduce(predictor, contents.golden, contents.schema.fields, _SCALE_1 if contents.of_format_1 else {})
    return Bundle(path.name, path, contents.manifest, predictor, reference, contents.card, contents.schema, overlap)


def bundle_parts(
    predictor: Predictor, reference: Mapping[str, Any], inputs: pd.DataFrame, horizons: Mapping[str, Horizon]
) -> dict[str, bytes]:
    """Return the files of a bundle of format 2, but for the card and the manifest.

    Parameters
    ----------
    predictor, reference
        What the bundle is made of.
    inputs
        Runners for golden.json, as a roster has them; nobody's data.
    horizons
        The main horizon of each outcome.
    """
    models, level = rounded(models_to_json(predictor, horizons)), predictor.interval.level
    # the horizon is in the schema
    reference = rounded({name: about for name, about in reference.items() if name != "horizon_months"})
    schema = schema_of(models, reference, predictor.arms, level, horizons, dictionary_now())
    # golden answers are of what is written, and not of numbers with more digits
    golden = golden_answers(predictor_from_models(models, schema), inputs, schema.fields)
    parts = {"schema.json": schema_to_json(schema), "reference.json": reference, "golden.json": golden}
    return {name: dump(content) for name, content in (
        parts | {schema.outcomes[name].model: content for name, content in models.items()}).items()}  # fmt: skip


def parts_of(bundle: Bundle) -> dict[str, bytes]:
    """Return a bundle's files in format 2, but for the manifest: as they are, or rewritten from format 1."""
    if bundle.manifest["format"] == FORMAT:
        return {part: (bundle.path / part).read_bytes() for part in bundle.manifest["files"]}
    parts = bundle_parts(bundle.predictor, bundle.reference, golden_inputs(bundle), bundle.horizons)
    return parts | {"card.md": bundle.card.encode("utf-8")}


def golden_inputs(bundle: Bundle) -> pd.DataFrame:
    """Return the made-up runners of a bundle's golden.json."""
    return pd.DataFrame(json.loads((bundle.path / "golden.json").read_bytes())["inputs"])


def golden_answers(predictor: Predictor, runners: pd.DataFrame, fields: Bounds) -> dict[str, Any]:
    """Return the content of golden.json: some inputs and the answers that every machine must reproduce.

    Parameters
    ----------
    runners
        As a roster has them; only what is read is recorded.
    fields
        The facts of the fields that are read.
    """
    known = runners[[name for name in runners if name in fields]].astype(object)
    # as they are written: a value on a cut must lie on it when it is read again
    rows = rounded(known.where(known.notna(), None).to_dict("records"))
    return {"tolerance": TOLERANCE, "inputs": rows, "answers": _answers(predictor, rows, fields)}


def reproduce(
    predictor: Predictor, golden: Mapping[str, Any], fields: Bounds, names: Mapping[str, str] | None = None
) -> None:
    """Hold the models to their recorded answers.

    Parameters
    ----------
    golden
        The content of golden.json.
    fields
        The facts of the fields that are read.
    names
        What answers are called there, if otherwise than here.

    Raises
    ------
    BundleGolden
        If any answer differs by more than the tolerance.
    """
    try:
        expected = {key: np.asarray(values, dtype=float) for key, values in golden["answers"].items()}
        answers = {(names or {}).get(k, k): x for k, x in _answers(predictor, golden["inputs"], fields).items()}
    except MISSHAPEN as error:
        raise BundleFormat(Message("golden_of_other_shape")) from error
    nothing = np.zeros(0)  # an answer that is not recorded differs as much as a wrong one
    worst = {
        key: _gap(np.asarray(answers.get(key, nothing)), expected.get(key, nothing)) for key in {*answers, *expected}
    }
    if bad := {key: gap for key, gap in worst.items() if not gap <= TOLERANCE}:
        gaps = ", ".join(f"{key} by {gap:.2g}" for key, gap in sorted(bad.items()))
        raise BundleGolden(Message("golden_not_reproduced", {"tolerance": TOLERANCE, "gaps": gaps}))


def manifest_of(name: str, parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a bundle about to be written: the facts of its making and the hashes of its files."""
    hashes = {part: digest(content) for part, content in parts.items()}
    level = json.loads(parts["schema.json"])["level"]
    made = {"format": FORMAT, "name": name, "level": level, "dictionary_fingerprint": fingerprint(), "files": hashes}
    return {**facts, **made}


def save_bundle(folder: Path, parts: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Write a bundle whole: into a folder beside it, loaded once as a test, then renamed."""
    if (size := sum(map(len, parts.values()))) > _LARGEST:
        raise BundleFormat(Message("bundle_too_large", {"largest": _LARGEST, "size": size}))
    draft = folder.parent / f".{folder.name}.{os.getpid()}.draft"  # of this process: another may write there, too
    try:
        for part, content in {**parts, "manifest.json": dump(manifest)}.items():
            (draft / part).parent.mkdir(parents=True, exist_ok=True)
            (draft / part).write_bytes(content)
        load_bundle(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # there only if something went wrong


def dump(content: Any) -> bytes:
    """Return JSON as it is written: numbers rounded, the same content gives the same bytes, and no NaN."""
    return (json.dumps(rounded(content), sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n").encode("utf-8")


def _predictor(contents: Contents) -> Predictor:
    try:
        if not contents.of_format_1:
            return predictor_from_models(contents.models, contents.schema)
        predictor = predictor_from_json(contents.models["onset"], contents.models["success"], contents.schema.arms)
        return replace(predictor, horizons={contents.schema.outcomes["onset"].main: None})
    except MISSHAPEN as error:
        raise BundleFormat(Message("bundle_models_of_other_shape")) from error


def _answers(predictor: Predictor, rows: Sequence[Mapping[Any, Any]], fields: Bounds) -> dict[str, list[Any]]:
    prediction: Prediction = predictor.predict(_coded(rows, fields))
    answers = {
        "risk": prediction.risk.value, "risk_low": prediction.risk.low, "risk_high": prediction.risk.high,
        "margin": prediction.log_odds, "base_margin": prediction.base, "contributions": prediction.contributions,
    }  # fmt: skip
    estimates = {f"{kind}_{arm}": chance for kind, arms in (("p", prediction.success), ("effect", prediction.effect))
                 for arm, chance in arms.items()}  # fmt: skip
    estimates |= {
        f"risk_at_{number:g}": risk for number, risk in prediction.risks.items() if risk is not prediction.risk
    }
    for name, estimate in estimates.items():
        answers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return {key: values.tolist() for key, values in answers.items()}


def _coded(rows: Sequence[Mapping[Any, Any]], fields: Bounds) -> dict[str, NDArray[np.float64]]:
    """Return recorded inputs as numbers and the codes of levels, as the models read them.

    Not as a roster is read: what is a valid cell may change after a bundle was made, and its own answers do not.
    """
    columns = {field.name: np.full(len(rows), np.nan) for field in INPUTS if field.kind != "text"}
    for name, facts in fields.items():
        cells = [row.get(name) for row in rows]
        if levels := facts["levels"]:
            cells = [None if cell is None else levels.index(cell) for cell in cells]
        if not facts.get("parts"):
            columns[name] = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return complete(columns)


def _gap(reproduced: NDArray[Any], expected: NDArray[np.float64]) -> float:
    """Return the largest difference; answers of another shape, or none at all, differ by any amount."""
    if reproduced.shape != expected.shape or not reproduced.size:
        return float("inf")
    return float(np.abs(reproduced - expected).max())


def _models_home() -> Path:
    if chosen := os.environ.get("PFPS_MODELS"):
        return Path(chosen)
    here = Path(__file__).resolve().parents[1]
    checkout = here.parent / "models"
    return checkout if (checkout / "CURRENT").exists() else here / "models"


__all__ = [
    "TOLERANCE", "Bundle", "bundle_parts", "digest", "dump", "golden_answers", "golden_inputs", "load_bundle",
    "manifest_of", "parts_of", "released_bundle", "reproduce", "save_bundle",
]  # fmt: skip
