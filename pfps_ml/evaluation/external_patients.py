"""A bundle's pathway models judged on a cohort of patients: a trial's, or a clinic's.

Nothing is fitted to the outcomes here: predictions are the bundle's, and so are the simpler accounts that its effects
are held against. Only the chances of the arms come from these patients: from those of other clinics, by what is
recorded, or as they were observed where chance allocated the arms.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core.config import Config, EvaluationConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.core.messages import Message
from pfps_ml.core.randomness import generator
from pfps_ml.domain.dictionary import ONSET_FIELDS, PATHWAY_FIELDS, SUCCESS
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.cohort_checks import audit, checks_table
from pfps_ml.evaluation.cohort_figures import (
    ARM_LABELS,
    Resampling,
    Scored,
    apart,
    arm_table,
    compared_arms,
    mean_predicted,
    only_compared,
    refuse_few,
    reportable_tables,
    resampled,
    whole,
)
from pfps_ml.evaluation.drift import case_mix, drift_table
from pfps_ml.evaluation.external_validation import Validation, expect_unseen, subject_of
from pfps_ml.evaluation.pathway_validation import ARM_NAMES, Given, Treated, earned_tables, gate_here, pathway_pictures
from pfps_ml.evaluation.subgroups import groups_of
from pfps_ml.evaluation.verdict import pathway_verdict
from pfps_ml.io.study_data import Cohort
from pfps_ml.model.bundle import Bundle
from pfps_ml.model.propensity import cross_fitted, eligibility, fit_propensity
from pfps_ml.model.spline_basis import basis

Objects = NDArray[np.object_]


def validate_pathways(
    bundle: Bundle, cohort: Cohort, config: Config | None = None, randomised: bool = False
) -> Validation:
    """Judge a bundle's pathway models on a cohort of patients.

    Parameters
    ----------
    bundle
        The released models.
    cohort
        Patients with an arm and an outcome, of any size.
    config
        Resamples, cut-offs and widths.
    randomised
        Whether chance allocated the arms, alike among all to whom the same arms were open.

    Raises
    ------
    CohortError
        If the cohort is one of runners or has moved the bundle, or there are too few successes, or others, to report
        any figure.
    """
    if cohort.arm is None:
        raise CohortError(Message("pathways_need_patients"))
    expect_unseen(bundle, cohort)
    config = config or Config()
    settings = replace(config.evaluation, fewest_events=config.validation.fewest_events)
    checks = audit(cohort)
    refuse_few(cohort, settings.fewest_events, checks)
    treated, over = _treated(bundle, cohort, config, randomised)
    compared, patients = compared_arms(treated, settings.fewest_events), _scored(cohort, treated, over)
    treated = only_compared(treated, compared)
    label = SUCCESS.label_at(cohort.horizon)
    tables, pictures = _success(patients, config, settings, label)
    tables |= {
        "account": pd.DataFrame(cohort.account(), columns=["what", "rows"]),
        "checks": checks_table(checks),
        "arms": arm_table(treated, compared, settings.fewest_events),
        "drift": _drift(bundle, treated.X, config),
        **reportable_tables(treated, compared, mean_predicted(bundle.predictor, treated), settings),
        **earned_tables(treated, gate_here(treated) if compared else None, settings.fewest_events),
    }
    verdict, sizes, judged = pathway_verdict(checks, tables, patients, config)
    subject = subject_of(bundle, cohort, over) | {"randomised": randomised}
    return Validation(
        "pathways", subject, checks, verdict, tables | {"size": sizes, "verdict": judged},
        pictures | pathway_pictures(tables, label),
    )  # fmt: skip


def _treated(bundle: Bundle, cohort: Cohort, config: Config, randomised: bool) -> tuple[Treated, Resampling]:
    """Return the patients that can be evaluated with their predictions, and what intervals are over."""
    used, (groups, over) = cohort.used, resampled(cohort, config.evaluation.fewest_clubs)
    X = cohort.values.loc[used, list(PATHWAY_FIELDS)].reset_index(drop=True)
    arm = np.asarray(cohort.arm)[used]
    if randomised:
        return Treated.of(bundle.predictor, X, Given(cohort.y[used], arm, groups, observed_shares(X, arm)), None), over
    knots = basis(X, config.pathways.knots)
    chance = cross_fitted(X, pd.Series(arm), _folds(groups, config), knots)
    chosen = fit_propensity(X, pd.Series(arm), knots)
    return Treated.of(bundle.predictor, X, Given(cohort.y[used], arm, groups, chance), chosen), over


def observed_shares(X: pd.DataFrame, arm: Objects) -> pd.DataFrame:
    """Return the share that had each arm, among patients to whom the same arms are open: the chances of a trial."""
    had = pd.get_dummies(pd.Series(arm)).reindex(columns=ARM_NAMES, fill_value=False).astype(float)
    return had.groupby([column for _, column in eligibility(X).items()]).transform("mean")


def _folds(groups: NDArray[Any], config: Config) -> NDArray[np.int64]:
    """Put whole clinics into folds of about the same number of clinics."""
    codes, names = pd.factorize(groups)
    order = generator(config.evaluation.seed, "validation: folds of clinics").permutation(len(names))
    return np.asarray(order[codes] % config.validation.folds)


def _scored(cohort: Cohort, treated: Treated, over: Resampling) -> Scored:
    """Return the patients with the success that is predicted under the arm that each had."""
    patients = treated.patients
    at = pd.Index(ARM_NAMES).get_indexer(pd.Index(patients.arm))
    p = patients.outcome[ARM_NAMES].to_numpy(float)[np.arange(len(at)), at]
    return Scored(treated.X.assign(arm=patients.arm), patients.y, p, cohort.club[cohort.used], patients.groups, over)


def _success(
    patients: Scored, config: Config, settings: EvaluationConfig, label: str
) -> tuple[dict[str, pd.DataFrame], dict[str, displays.Display]]:
    figures, calibration = whole(patients, settings, label)
    by = groups_of(patients.X.drop(columns="arm"), config)
    grouped = {"pathway": patients.X["arm"].map(ARM_LABELS), "sex": by["sex"], "age": by["age"]}
    cells, drawn = apart(patients, grouped, settings)
    tables = {
        "success": figures, "calibration": calibration.frame(), "cells": cells,
        "case_mix": case_mix(patients.y, patients.p, patients.groups, settings, None),
    }  # fmt: skip
    return tables, {"calibration": calibration, **drawn}


def _drift(bundle: Bundle, X: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the drift of what is asked at a visit against the training's patients, and of the rest against runners."""
    trained, fields = bundle.manifest["trained_on"], bundle.reference["fields"]
    asked = {name: about for name, about in fields.items() if name not in ONSET_FIELDS}
    others = {name: about for name, about in fields.items() if name in ONSET_FIELDS}
    of_visit = drift_table(X, {"fields": asked}, trained["patients"], config.validation).assign(against="patients")
    of_rest = drift_table(X, {"fields": others}, trained["runners"], config.validation)
    of_rest = of_rest.assign(drift="not judged", against="runners")
    return pd.concat([table for table in (of_visit, of_rest) if len(table)], ignore_index=True)


__all__ = ["observed_shares", "validate_pathways"]
