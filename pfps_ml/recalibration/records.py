"""What MLflow is told of an update: settings, figures and digests; no value or name of a runner, and no free text."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pfps_ml.recalibration.result import Recalibration
from pfps_ml.records import Artifact, Metric, Param, Record, Tag

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


__all__ = ["EXPERIMENT", "facts_of_update", "records_of_update"]
