"""A released bundle judged on a cohort from outside: every figure with its interval, whole and apart, and a verdict."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle
from pfps_ml.checks.audit import audit, checks_table
from pfps_ml.checks.guide import Check
from pfps_ml.config import Config
from pfps_ml.core.messages import Message
from pfps_ml.errors import CohortError
from pfps_ml.evaluation import displays, displays_onset
from pfps_ml.evaluation.net_benefit import decision_table, thresholds_up_to
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.checker import complete
from pfps_ml.knowledge.contracts import has_seen
from pfps_ml.knowledge.dictionary import ONSET, ONSET_FIELDS
from pfps_ml.validation.casemix import case_mix
from pfps_ml.validation.drift import drift_table
from pfps_ml.validation.figures import Resampling, Scored, apart, refuse_few, resampled, whole
from pfps_ml.validation.groups import groups_of
from pfps_ml.validation.samplesize import size_table
from pfps_ml.validation.verdict import Verdict, verdict_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What a cohort says of a bundle.

    Attributes
    ----------
    about
        Which of its models were judged: those of onset, or those of pathways.
    subject
        Which bundle and which cohort, by name and digest, and what intervals are over.
    checks
        What may make the figures look better than they are.
    verdict
        What may be concluded, and why not more.
    tables, pictures
        By name.
    """

    about: Literal["onset", "pathways"]
    subject: dict[str, Any]
    checks: list[Check]
    verdict: Verdict
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, displays.Display]

    @property
    def figures(self) -> pd.DataFrame:
        """The figures of the predicted onset, or of the success under the arm that patients had."""
        return self.tables["onset" if self.about == "onset" else "success"]


def validate(bundle: Bundle, cohort: Cohort, config: Config | None = None) -> Validation:
    """Judge a bundle's onset model on a cohort of runners.

    Parameters
    ----------
    bundle
        The released models.
    cohort
        Runners with outcomes, of any size; for patients see `validation.patients`.
    config
        Resamples, cut-offs and widths.

    Raises
    ------
    CohortError
        If the cohort is one of patients or has moved the bundle, or there are too few cases, or others, to report any
        figure.
    """
    if cohort.arm is not None:
        raise CohortError(Message("onset_needs_runners"))
    expect_unseen(bundle, cohort)
    config = config or Config()
    settings = replace(config.evaluation, fewest_events=config.validation.fewest_events)
    checks = audit(cohort)
    refuse_few(cohort, settings.fewest_events, checks)
    runners = _score(bundle, cohort, settings.fewest_clubs)
    figures, calibration = whole(runners, settings, ONSET.label_at(cohort.horizon))
    decided = decision_table(runners.y, runners.p, runners.groups, settings)
    acting = _threshold(runners.y, settings.highest_threshold)
    cells, drawn = apart(runners, groups_of(runners.X[list(ONSET_FIELDS)], config), settings)
    tables = {
        "cells": cells, "onset": figures, "calibration": calibration.frame(), "decision": decided,
        "account": pd.DataFrame(cohort.account(), columns=["what", "rows"]),
        "checks": checks_table(checks),
        "size": size_table(runners.y, runners.p, acting, config.validation, figures if runners.over_clubs else None),
        "case_mix": case_mix(
            runners.y, runners.p, runners.groups, settings, bundle.manifest.get("metrics", {}).get("auroc")
        ),
        "drift": drift_table(runners.X, bundle.reference, bundle.manifest["trained_on"]["runners"], config.validation),
    }  # fmt: skip
    drawn |= {"calibration": calibration, "decision": displays_onset.decision_curve(decided, str(runners.over.unit))}
    verdict, judged = verdict_of(checks, tables, acting, cohort.horizon, config.release)
    subject = subject_of(bundle, cohort, runners.over)
    return Validation("onset", subject, checks, verdict, tables | {"verdict": judged}, drawn)


def expect_unseen(bundle: Bundle, cohort: Cohort) -> None:
    """Refuse to judge a bundle on outcomes that it was fitted to.

    Raises
    ------
    CohortError
        If the bundle was updated on this cohort.
    """
    if has_seen(bundle.manifest, cohort.digest, cohort.people):
        raise CohortError(Message("cohort_seen_before", {"bundle": bundle.name}))


def subject_of(bundle: Bundle, cohort: Cohort, over: Resampling) -> dict[str, Any]:
    """Return what a validation is of: bundle and cohort, by name and digest, and what intervals are over."""
    y = cohort.y[cohort.used]
    return {
        "bundle": bundle.name, "onset": bundle.model_digest("onset"), "pathways": bundle.model_digest("success"),
        "notice": bundle.notice, "notice_message": bundle.trained_on["notice_message"],
        "trained_on": dict(bundle.manifest["trained_on"]), "cohort": cohort.digest, "horizon": asdict(cohort.horizon),
        "intervals": over.message.text, "resampled": str(over.unit),
        "people": cohort.people, "evaluated": len(y), "events": int(y.sum()),
    }  # fmt: skip


def _score(bundle: Bundle, cohort: Cohort, fewest_clubs: int) -> Scored:
    used = cohort.used
    X, (groups, over) = cohort.values[used].reset_index(drop=True), resampled(cohort, fewest_clubs)
    p = bundle.predictor.risks(complete(X))
    return Scored(X, cohort.y[used], p, cohort.club[used], groups, over)


def _threshold(y: Floats, highest: float) -> float:
    """Return the threshold of the decision curve nearest to the observed rate, at which acting is judged."""
    curve = thresholds_up_to(highest)
    return float(curve[np.abs(curve - y.mean()).argmin()])


__all__ = ["Validation", "expect_unseen", "subject_of", "validate"]
