"""What a cohort changes of a bundle, written as a new one; models/CURRENT is never moved."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pfps_ml.bundle import Bundle, bundle_parts, golden_inputs, manifest_of, save_bundle
from pfps_ml.core.messages import Message
from pfps_ml.errors import OutputError
from pfps_ml.prediction import Predictor
from pfps_ml.recalibration.card import updated_card, updated_limits
from pfps_ml.recalibration.closed import Choice
from pfps_ml.recalibration.update import Update

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


__all__ = ["Recalibration", "bundle_after", "expect_new_folder", "write_bundle", "write_recalibrated"]
