"""A released bundle judged on a cohort from outside: every figure with its interval, whole and by group, and a verdict.

Runners are asked about the onset model, patients (a trial's, or a clinic's) about the pathway models. Nothing is fitted
to the outcomes: predictions are the bundle's, and so are the simpler models that its effects are compared with. Only
the chances of the arms come from these patients: from those of other clinics, by what is recorded, or as they were
observed where chance allocated the arms.

Two bundles can be compared on the same runners, with paired intervals. A validation that goes to a tracker numbers the
clubs (`unnamed`), because a tracker is told no names.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from pfps_ml.core import CohortError, Config, EvaluationConfig, Floats, Ints, Message, Metric, NDArray, generator
from pfps_ml.domain import ONSET, ONSET_FIELDS, PATHWAY_FIELDS, SUCCESS, Estimand, complete, has_seen
from pfps_ml.evaluation import displays, model_displays
from pfps_ml.evaluation.attrition import attrition_table, entered, staying_weights
from pfps_ml.evaluation.check_catalogue import Check
from pfps_ml.evaluation.cohort_checks import audit, checks_table
from pfps_ml.evaluation.cohort_figures import (
    ARM_LABELS,
    Resampling,
    Scored,
    apart,
    arm_table,
    compared_arms,
    only_compared,
    refuse_few,
    reportable_tables,
    resampled,
    whole,
)
from pfps_ml.evaluation.estimands import withheld_message
from pfps_ml.evaluation.metrics import decision_table, thresholds_up_to
from pfps_ml.evaluation.pathway_validation import (
    ARM_NAMES,
    Treated,
    TreatmentRecord,
    earned_tables,
    gate_here,
    pathway_pictures,
)
from pfps_ml.evaluation.subgroups import case_mix, compare_parts, drift_table, groups_of
from pfps_ml.evaluation.verdict import Verdict, pathway_verdict, size_table, verdict_of
from pfps_ml.io.study_data import Cohort
from pfps_ml.model import Bundle, basis, cross_fitted, eligibility, fit_propensity


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
        **_tables_of_cohort(cohort, checks),
        "size": size_table(runners.y, runners.p, acting, config.validation, figures if runners.over_clubs else None),
        "case_mix": case_mix(
            runners.y, runners.p, runners.groups, settings, bundle.manifest.get("metrics", {}).get("auroc")
        ),
        "drift": drift_table(runners.X, bundle.reference, bundle.manifest["trained_on"]["runners"], config.validation),
    }  # fmt: skip
    drawn |= {"calibration": calibration, "decision": model_displays.decision_curve(decided, str(runners.over.unit))}
    verdict, judged = verdict_of(checks, tables, acting, cohort.horizon, config.release)
    subject = subject_of(bundle, cohort, runners.over)
    return Validation("onset", subject, checks, verdict, tables | {"verdict": judged}, drawn)


def _tables_of_cohort(cohort: Cohort, checks: list[Check]) -> dict[str, pd.DataFrame]:
    return {"account": pd.DataFrame(cohort.account(), columns=["what", "rows"]), "checks": checks_table(checks)}


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


_CELLS, _PICTURE = "cells", "subgroups"


def unnamed(validation: Validation) -> Validation:
    """Return a validation with its clubs numbered, the largest first, in the table of cells and in its picture."""
    cells = validation.tables[_CELLS]
    clubs = cells[cells["field"] == "club"].drop_duplicates("level").sort_values("n", ascending=False, kind="stable")
    numbers = {name: f"Club {at}" for at, name in enumerate(clubs["level"], 1)}
    tables = {**validation.tables, _CELLS: _renamed(cells, numbers)}
    pictures = dict(validation.pictures)
    if _PICTURE in pictures:
        drawn: Any = pictures[_PICTURE]
        pictures[_PICTURE] = replace(drawn, table=_renamed(drawn.table, numbers))
    return replace(validation, tables=tables, pictures=pictures)


def _renamed(table: pd.DataFrame, numbers: dict[str, str]) -> pd.DataFrame:
    club = table["field"] == "club"
    return table.assign(level=table["level"].mask(club, table["level"].map(numbers)))


AGAINST = "against"
_COLUMNS = ["metric", "label", "against", "value", "other", "gain", "gain_low", "gain_high"]


def against(bundle: Bundle, other: Bundle, cohort: Cohort, config: Config | None = None) -> pd.DataFrame:
    """Return what a bundle gains over another on a cohort that neither has seen.

    Parameters
    ----------
    bundle, other
        The bundle in question, and the one that it is held against, such as the one in use.
    cohort
        Runners with outcomes.
    config
        Resamples, and from how many clubs on clubs are resampled.

    Returns
    -------
    DataFrame
        metric, label, against (the other's name), value, other (its value), gain, gain_low, gain_high: AUROC, scaled
        Brier score and log loss. A gain is better less worse, so above 0 the bundle is better; its 95 % interval is
        over the same resamples of clubs, or of runners where clubs are few. NaN where cases, or others, are too few.

    Raises
    ------
    CohortError
        If one of them was updated on this cohort: then it has seen the outcomes that it is asked for.
    """
    for judged in (bundle, other):
        expect_unseen(judged, cohort)
    config = config or Config()
    settings = replace(config.evaluation, fewest_events=config.validation.fewest_events)
    values, (groups, _) = complete(cohort.values[cohort.used]), resampled(cohort, settings.fewest_clubs)
    risks = {name: judged.predictor.risks(values) for name, judged in (("other", other), ("own", bundle))}
    figures = compare_parts(cohort.y[cohort.used], risks, groups, settings)
    first = figures[figures["part"] == "other"].set_index("metric")["value"].rename("other")
    ours = figures[figures["part"] == "own"].join(first, on="metric").assign(against=other.name)
    return ours[_COLUMNS].reset_index(drop=True)


def compared(validation: Validation, bundle: Bundle, other: Bundle, cohort: Cohort) -> Validation:
    """Return a validation with what the bundle gains over another as one table more; see `against`."""
    return replace(validation, tables={AGAINST: against(bundle, other, cohort), **validation.tables})


def gains(validation: Validation) -> list[Metric]:
    """Return what a validation says of gains over another bundle, as MLflow is told it; nothing if none was asked."""
    table = validation.tables.get(AGAINST, pd.DataFrame(columns=_COLUMNS))
    rows: list[dict[Any, Any]] = table[table["gain"].notna()].to_dict("records")
    return [Metric(f"{row['metric']}_gain", row["gain"], row["gain_low"], row["gain_high"]) for row in rows]


def lines_of_gains(validation: Validation) -> list[tuple[str, str]]:
    """Return what a terminal shows of them."""
    table = validation.tables.get(AGAINST, pd.DataFrame(columns=_COLUMNS))
    return [
        (f"{row.label}, gained over {row.against}", f"{row.gain:+.4f} ({row.gain_low:+.4f} to {row.gain_high:+.4f})")
        for row in table.dropna(subset="gain").itertuples()
    ]


Objects = NDArray[np.object_]


def validate_pathways(
    bundle: Bundle,
    cohort: Cohort,
    config: Config | None = None,
    randomised: bool = False,
    estimand: Estimand | None = None,
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
    estimand
        Whom the mean effects are about. None: everybody, and where that is withheld, the patients of the overlap.

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
    checks, settings = audit(cohort), replace(config.evaluation, fewest_events=config.validation.fewest_events)
    refuse_few(cohort, settings.fewest_events, checks)
    treated, over = treated_patients(bundle, cohort, config, randomised)
    compared, patients = compared_arms(treated, settings.fewest_events), _scored(cohort, treated, over)
    treated = only_compared(treated, compared)
    label = SUCCESS.label_at(cohort.horizon)
    tables, pictures = _success(patients, config, settings, label)
    tables |= {
        **_tables_of_cohort(cohort, checks),
        "arms": arm_table(treated, compared, settings.fewest_events),
        "drift": _drift(bundle, treated.X, config),
        "attrition": attrition_table(cohort, settings.fewest_events),
        **reportable_tables(treated, compared, bundle.predictor, settings, estimand),
        **earned_tables(treated, gate_here(treated) if compared else None, settings.fewest_events),
    }
    verdict, sizes, judged = pathway_verdict(checks, tables, patients, config)
    tables, pictures = tables | {"size": sizes, "verdict": judged}, pictures | pathway_pictures(tables, label)
    subject = subject_of(bundle, cohort, over) | {"randomised": randomised, "estimand": estimand and str(estimand)}
    return Validation("pathways", subject, checks, verdict, tables, pictures)


def expect_effects(validation: Validation) -> None:
    """Refuse a validation that withholds an effect that was asked for.

    Raises
    ------
    CohortError
        With the arms, whom the effect was to be about, and why it is withheld.
    """
    effects = validation.tables.get("effects", pd.DataFrame(columns=["withheld"]))
    if (held_back := effects.dropna(subset="withheld")).empty:
        return
    first = held_back.iloc[0]
    arms = list(held_back.loc[held_back["withheld"] == first["withheld"], "arm"])
    about = {"estimand": str(first["estimand"]), "arms": arms, "why": withheld_message(first["withheld"]).as_dict()}
    raise CohortError(Message("effect_asked_withheld", about))


def treated_patients(bundle: Bundle, cohort: Cohort, config: Config, randomised: bool) -> tuple[Treated, Resampling]:
    """Return the patients that can be evaluated with their predictions, and what intervals are over."""
    used, (groups, over) = cohort.used, resampled(cohort, config.evaluation.fewest_clubs)
    X = cohort.values.loc[used, list(PATHWAY_FIELDS)].reset_index(drop=True)
    arm, weight = np.asarray(cohort.arm)[used], staying_weights(cohort)
    if randomised:
        record = TreatmentRecord(cohort.y[used], arm, groups, allocated_shares(cohort), weight)
        return Treated.of(bundle.predictor, X, record, None), over
    knots = basis(X, config.pathways.knots)
    chance = cross_fitted(X, pd.Series(arm), _folds(groups, config), knots)
    chosen = fit_propensity(X, pd.Series(arm), knots)
    return Treated.of(bundle.predictor, X, TreatmentRecord(cohort.y[used], arm, groups, chance, weight), chosen), over


def allocated_shares(cohort: Cohort) -> pd.DataFrame:
    """Return the chances that a trial allocated to those evaluated: the shares among all who entered it."""
    who = entered(cohort)
    X = cohort.values.loc[who, list(PATHWAY_FIELDS)].reset_index(drop=True)
    shares = observed_shares(X, np.asarray(cohort.arm)[who])
    return shares[cohort.used[who]].reset_index(drop=True)


def observed_shares(X: pd.DataFrame, arm: Objects) -> pd.DataFrame:
    """Return the share that had each arm, among patients to whom the same arms are open: the chances of a trial."""
    received = pd.get_dummies(pd.Series(arm)).reindex(columns=ARM_NAMES, fill_value=False).astype(float)
    return received.groupby([column for _, column in eligibility(X).items()]).transform("mean")


def _folds(groups: NDArray[Any], config: Config) -> Ints:
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
    visit_fields = {name: about for name, about in fields.items() if name not in ONSET_FIELDS}
    onset_fields = {name: about for name, about in fields.items() if name in ONSET_FIELDS}
    of_visit = drift_table(X, {"fields": visit_fields}, trained["patients"], config.validation).assign(
        against="patients"
    )
    of_rest = drift_table(X, {"fields": onset_fields}, trained["runners"], config.validation)
    of_rest = of_rest.assign(drift="not judged", against="runners")
    return pd.concat([table for table in (of_visit, of_rest) if len(table)], ignore_index=True)


__all__ = [
    "AGAINST", "Validation", "against", "compared", "expect_effects", "expect_unseen", "gains", "lines_of_gains",
    "observed_shares", "subject_of", "treated_patients", "unnamed", "validate", "validate_pathways",
]  # fmt: skip
