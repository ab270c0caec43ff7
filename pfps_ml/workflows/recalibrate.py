"""What MLflow is told of an update: settings, figures and digests; no value or name of a runner, and no free text.

`pfps recalibrate`: a new bundle from a released one and a cohort, or nothing where the cohort cannot bear it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.config import RecalibrationConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.core.messages import Message
from pfps_ml.core.records import Artifact, Metric, Param, Record, Tag
from pfps_ml.domain.input_validation import complete
from pfps_ml.domain.scenario import load_scenario
from pfps_ml.domain.schemas import has_seen
from pfps_ml.evaluation.check_catalogue import Check, CheckVerdict
from pfps_ml.evaluation.cohort_checks import audit
from pfps_ml.evaluation.sample_size import rows_for_ratio
from pfps_ml.io.study_data import Cohort
from pfps_ml.model.bundle import Bundle
from pfps_ml.model.prediction import Predictor
from pfps_ml.training.closed_test import Choice, closed_test
from pfps_ml.training.posterior_update import Update, gaussian_update, updated_predictor, updated_reference
from pfps_ml.training.update_basis import GROUPS, Directions, bent, directions, shapes_of
from pfps_ml.workflows.updated_bundle import Recalibration

Floats = NDArray[np.float64]
_TENTH = 0.1
_TOO_FEW_EVENTS = "C06"  # no fault: then nothing is changed


@dataclass(frozen=True, eq=False)
class Known:
    """The runners of a cohort whose outcome is known, as a bundle sees them.

    Attributes
    ----------
    values
        Coded fields, every field of the dictionary.
    y
        Outcomes, 0 or 1, shape (rows,).
    club
        Their clubs, None where blank, shape (rows,).
    found
        The parts of their log-odds.
    facts
        What is said of them: counts, digest, and who updates.
    """

    values: Mapping[str, Floats]
    y: Floats
    club: NDArray[np.object_]
    found: Directions
    facts: dict[str, Any]


def recalibrate(
    bundle: Bundle, cohort: Cohort, settings: RecalibrationConfig | None = None, by: str = ""
) -> Recalibration:
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

    Raises
    ------
    CohortError
        If the cohort fails a check (but for too few events), has one class only, or has moved the bundle before: it
        must not move it.
    """
    settings = settings or RecalibrationConfig()
    known = known_of(bundle, cohort, by)
    choice = closed_test(known.found, known.y, settings)
    if choice.level is None:
        return Recalibration(choice, None, known.facts)
    clubs = clubs_leave_open(known.club)
    update = gaussian_update(known.found, known.y, bundle.predictor.interval, choice.level, settings.site_sd, clubs)
    return updated(bundle, known, choice, update)


def expect_passed(checks: list[Check]) -> None:
    """Refuse a cohort that fails a check, but for too few events: they change nothing by themselves.

    Raises
    ------
    CohortError
        With the code, the title and the reason of each.
    """
    if failed := [check for check in checks if check.verdict == CheckVerdict.FAIL and check.code != _TOO_FEW_EVENTS]:
        named = [Message("check_failed_named", {"check": check.code, "reasons": [r.as_dict() for r in check.reasons]})
                 for check in failed]  # fmt: skip
        raise CohortError(Message("cohort_fails_checks", {"checks": [message.as_dict() for message in named]}))


def expect_new(bundle: Bundle, cohort: Cohort) -> None:
    """Refuse outcomes that have moved a bundle before: counted twice, they would make it too sure.

    Raises
    ------
    CohortError
        If the bundle was updated on this cohort.
    """
    if has_seen(bundle.manifest, cohort.digest, cohort.people):
        raise CohortError(Message("cohort_moved_bundle", {"people": cohort.people, "bundle": bundle.name}))


def known_of(bundle: Bundle, cohort: Cohort, by: str = "", checks: list[Check] | None = None) -> Known:
    """Return the runners who can move a bundle.

    Parameters
    ----------
    bundle, cohort, by
        As in `recalibrate`.
    checks
        The cohort's, if they have been made.

    Raises
    ------
    CohortError
        As in `recalibrate`.
    """
    if cohort.arm is not None:
        raise CohortError(Message("update_needs_runners"))
    expect_new(bundle, cohort)
    expect_passed(audit(cohort) if checks is None else checks)
    used = cohort.used
    y, values = cohort.y[used], complete(cohort.values[used])
    if not 0 < y.sum() < len(y):
        counts = {"cases": int(y.sum()), "others": int(len(y) - y.sum())}
        raise CohortError(Message("update_needs_both_outcomes", counts))
    facts = {"from": bundle.name, "cohort": cohort.digest, "runners": len(y), "cases": int(y.sum()), "by": by}
    facts |= _stated(float(y.mean()), cohort.club[used])
    return Known(values, y, cohort.club[used], directions(bundle.predictor, values), facts)


def club_sd() -> float:
    """Return by how much the log-odds of clubs differ, as the reference scenario says."""
    return float(load_scenario("reference").values()["runners"]["club_log_sd"])


def clubs_leave_open(club: NDArray[np.object_]) -> float:
    """Return the variance of an average club's log-odds that a cohort's few clubs leave open; 0 for a single club.

    A single club is what its bundle is for. Of several, the cohort's mean is that of these clubs and not of others.
    """
    sizes = pd.Series(club).value_counts().to_numpy(dtype=float)
    if len(sizes) < 2:
        return 0.0
    return float(club_sd() ** 2 * (sizes**2).sum() / sizes.sum() ** 2)


def updated(bundle: Bundle, known: Known, choice: Choice, update: Update) -> Recalibration:
    """Return what an update makes of a bundle, and what is said of it; nothing is written.

    Parameters
    ----------
    bundle
        The bundle before.
    known
        The runners that it was updated on.
    choice
        How the update was chosen.
    update
        The update.
    """
    predictor = updated_by(bundle, update)
    before, after = (models.risks(known.values) for models in (bundle.predictor, predictor))
    figures = _told(known.y, before, after, update)
    reference = updated_reference(bundle.reference, before, after)
    return Recalibration(choice, update, known.facts | figures, predictor, reference)


def updated_by(bundle: Bundle, update: Update) -> Predictor:
    """Return a bundle's models, moved and bent by an update."""
    moved = updated_predictor(bundle.predictor, update.moves)
    if update.bends is None:
        return moved
    return bent(moved, shapes_of(bundle.predictor.onset, bundle.reference), update.bends)


def lines_of(recalibration: Recalibration) -> list[tuple[str, str]]:
    """Return what a terminal shows of an update of the onset model."""
    facts = recalibration.facts
    lines = [("runners", f"{facts['runners']:,}"), ("cases", f"{facts['cases']:,}"),
             ("observed / expected known to 10 % from", f"{facts['runners_for_ratio']:,} runners")]  # fmt: skip
    if others := facts.get("runners_for_other_clubs"):
        lines.append(("the same in other clubs", f"{others:,} runners of clubs as large as these"))
    tests = [(f"{update} against {other}", p) for update, other, p in recalibration.choice.told()]
    if recalibration.update is None:
        return [*lines, *tests, ("changed", f"nothing: {recalibration.choice.why}")]
    ratio = f"{facts['observed_expected_before']:.2f} before, {facts['observed_expected_after']:.2f} after"
    return [*lines, *tests, ("changed", recalibration.choice.why), ("observed / expected", ratio)]


def _stated(rate: float, club: NDArray[np.object_]) -> dict[str, int]:
    """Return from how many runners the ratio is known to 10 %: in the cohort's clubs and, of several, in others."""
    stated = {"runners_for_ratio": rows_for_ratio(rate, 2 * _TENTH)}
    if len(sizes := pd.Series(club).value_counts()) > 1:
        met = float((sizes**2).sum() / sizes.sum())  # the size of the club that a runner is in
        stated["runners_for_other_clubs"] = rows_for_ratio(rate, 2 * _TENTH, met, club_sd())
    return stated


def _told(y: Floats, before: Floats, after: Floats, update: Update) -> dict[str, Any]:
    names = ("intercept", *GROUPS)
    return {
        "level": update.level,
        "intercept": round(float(update.moves[0, 0]), 6),
        "scales": {name: round(1 + float(move), 6) for name, move in zip(names[1:], update.moves[0, 1:], strict=True)},
        "standard_errors_before": np.sqrt(np.diag(update.before)).round(6).tolist(),
        "standard_errors_after": np.sqrt(np.diag(update.after)).round(6).tolist(),
        "observed_expected_before": round(float(y.mean() / before.mean()), 6),
        "observed_expected_after": round(float(y.mean() / after.mean()), 6),
    }


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


__all__ = [
    "EXPERIMENT", "Known", "club_sd", "clubs_leave_open", "expect_new", "expect_passed", "facts_of_update", "known_of",
    "lines_of", "recalibrate", "records_of_update", "updated", "updated_by",
]  # fmt: skip
