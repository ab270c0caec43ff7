"""`pfps recalibrate`: a new bundle from a released one and a cohort, or nothing where the cohort cannot bear it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle, dump, golden_answers, manifest_of, save_bundle
from pfps_ml.checks.audit import audit
from pfps_ml.config import RecalibrationConfig
from pfps_ml.errors import CohortError, OutputError
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.checker import complete
from pfps_ml.learning.additive import probability
from pfps_ml.prediction import onset_to_json, pathways_to_json
from pfps_ml.recalibration.card import updated_card
from pfps_ml.recalibration.closed import Choice, closed_test
from pfps_ml.recalibration.directions import GROUPS, Directions, directions
from pfps_ml.recalibration.rewritten import updated_predictor, updated_reference
from pfps_ml.recalibration.update import Update, gaussian_update
from pfps_ml.validation.samplesize import rows_for_ratio

Floats = NDArray[np.float64]
Chooser = Callable[[Directions, Floats, RecalibrationConfig], Choice]
_TENTH = 0.1
_FEW = "C06"  # too few events is no fault: then nothing is changed
_MADE = ("format", "name", "files", "dictionary_fingerprint")  # of a manifest, by whoever writes it


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What a cohort changes of a bundle.

    Attributes
    ----------
    choice
        Which update, and why.
    update
        The update; None if nothing is changed.
    facts
        What the manifest and the card say of it.
    parts
        The files of the new bundle but for its card; empty if nothing is changed.
    """

    choice: Choice
    update: Update | None
    facts: dict[str, Any]
    parts: dict[str, bytes]


def recalibrate(
    bundle: Bundle, cohort: Cohort, settings: RecalibrationConfig | None = None, by: str = "",
    choose: Chooser = closed_test,
) -> Recalibration:  # fmt: skip
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
    choose
        What decides how much is updated; training on a cohort decides otherwise than a test.

    Raises
    ------
    CohortError
        If the cohort fails a check (but for too few events), or has one class only: it must not move a bundle.
    """
    settings = settings or RecalibrationConfig()
    if failed := [each for each in audit(cohort) if each.verdict == "fail" and each.code != _FEW]:
        told = "; ".join(f"{each.code} {each.title.lower()}: {each.why}" for each in failed)
        raise CohortError(f"expected a cohort that passes the checks, got one that fails {told}. Nothing was changed.")
    used = cohort.used
    y, values = cohort.y[used], complete(cohort.values[used])
    if not 0 < y.sum() < len(y):
        raise CohortError(
            f"expected cases and others with a known outcome, got {int(y.sum()):,} and {int(len(y) - y.sum()):,}; "
            "nothing was changed. See what was set aside with `pfps audit`."
        )
    found = directions(bundle.predictor, values)
    choice = choose(found, y, settings)
    facts = {"from": bundle.name, "cohort": cohort.digest, "runners": len(y), "cases": int(y.sum()), "by": by}
    facts["runners_for_ratio"] = rows_for_ratio(float(y.mean()), 2 * _TENTH)
    if choice.level is None:
        return Recalibration(choice, None, facts, {})
    update = gaussian_update(found, y, bundle.predictor.interval, choice.level, settings.site_sd)
    return Recalibration(choice, update, facts | _told(found, y, update), _parts(bundle, values, update))


def write_recalibrated(found: Recalibration, bundle: Bundle, out: Path) -> None:
    """Write the new bundle whole; models/CURRENT is never moved.

    Parameters
    ----------
    found
        An update that changes something.
    bundle
        The bundle that it was made from.
    out
        The folder of the new bundle, which must not be there.

    Raises
    ------
    OutputError
        If the folder is there already, or cannot be written.
    """
    if out.exists():
        raise OutputError(
            f"expected a new folder for the bundle, got one that is there: {out}. A release never changes."
        )
    facts = {key: value for key, value in bundle.manifest.items() if key not in _MADE}
    whole = {**found.parts, "card.md": updated_card(bundle.card, out.name, found.facts, found.choice).encode()}
    changed = {
        "version": out.name.removeprefix("pfps-"), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "metrics": {},  # those of the bundle before are not its own
        "updates": [*bundle.manifest.get("updates", []), found.facts],
    }  # fmt: skip
    try:
        save_bundle(out, whole, manifest_of(out.name, whole, facts | changed))
    except OSError as error:
        raise OutputError(f"expected to write the bundle at {out}, but cannot: {error.strerror}") from error


def lines_of(found: Recalibration) -> list[tuple[str, str]]:
    """Return what a terminal shows."""
    facts = found.facts
    lines = [("runners", f"{facts['runners']:,}"), ("cases", f"{facts['cases']:,}"),
             ("observed / expected known to 10 % from", f"{facts['runners_for_ratio']:,} runners")]  # fmt: skip
    tests = [(f"{row.update} against {row.against}", f"p = {row.p:.3g}") for row in found.choice.table.itertuples()]
    if found.update is None:
        return [*lines, *tests, ("changed", f"nothing: {found.choice.why}")]
    ratio = f"{facts['observed_expected_before']:.2f} before, {facts['observed_expected_after']:.2f} after"
    return [*lines, *tests, ("changed", found.choice.why), ("observed / expected", ratio)]


def _told(found: Directions, y: Floats, update: Update) -> dict[str, Any]:
    after = probability(found.margin + found.parts @ update.moves[0])
    names = ("intercept", *GROUPS)
    return {
        "level": update.level,
        "intercept": round(float(update.moves[0, 0]), 6),
        "scales": {name: round(1 + float(move), 6) for name, move in zip(names[1:], update.moves[0, 1:], strict=True)},
        "standard_errors_before": np.sqrt(np.diag(update.before)).round(6).tolist(),
        "standard_errors_after": np.sqrt(np.diag(update.after)).round(6).tolist(),
        "observed_expected_before": round(float(y.mean() / probability(found.margin).mean()), 6),
        "observed_expected_after": round(float(y.mean() / after.mean()), 6),
    }


def _parts(bundle: Bundle, values: Mapping[str, Floats], update: Update) -> dict[str, bytes]:
    predictor = updated_predictor(bundle.predictor, update.moves)
    before, after = (each.predict(values).risk.value for each in (bundle.predictor, predictor))
    inputs = json.loads((bundle.path / "golden.json").read_bytes())["inputs"]
    held = {
        "onset.json": onset_to_json(predictor), "pathways.json": pathways_to_json(predictor),
        "reference.json": updated_reference(bundle.reference, before, after),
        "golden.json": golden_answers(predictor, pd.DataFrame(inputs)),
    }  # fmt: skip
    return {name: dump(content) for name, content in held.items()}


__all__ = ["Chooser", "Recalibration", "lines_of", "recalibrate", "write_recalibrated"]
