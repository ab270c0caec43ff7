"""A released bundle judged on a cohort from outside: every figure with its interval, whole and apart, and a verdict."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle
from pfps_ml.checks.audit import audit, checks_table
from pfps_ml.checks.guide import Check
from pfps_ml.config import Config, EvaluationConfig
from pfps_ml.errors import CohortError
from pfps_ml.evaluation import displays, displays_onset
from pfps_ml.evaluation.calibration import calibration_curve, calibration_table
from pfps_ml.evaluation.metrics import count_groups, measure_with_intervals
from pfps_ml.evaluation.net_benefit import decision_table
from pfps_ml.evaluation.subgroups import subgroup_table
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.checker import complete
from pfps_ml.knowledge.dictionary import ONSET, ONSET_FIELDS
from pfps_ml.validation.casemix import case_mix
from pfps_ml.validation.drift import drift_table
from pfps_ml.validation.groups import groups_of
from pfps_ml.validation.samplesize import size_table
from pfps_ml.validation.verdict import Verdict, verdict_of

Floats = NDArray[np.float64]
_TENTHS = 10


@dataclass(frozen=True, eq=False)
class Validation:
    """What a cohort says of a bundle.

    Attributes
    ----------
    subject
        Which bundle and which cohort, by name and digest, and what intervals are over.
    checks
        What may make the figures look better than they are.
    verdict
        What may be concluded, and why not more.
    tables, pictures
        By name.
    """

    subject: dict[str, Any]
    checks: list[Check]
    verdict: Verdict
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, displays.Display]


@dataclass(frozen=True, eq=False)
class Scored:
    """The runners of a cohort that can be evaluated: fields, outcome, risk, club, and whom to resample together."""

    X: pd.DataFrame
    y: Floats
    p: Floats
    clubs: NDArray[np.object_]
    groups: NDArray[Any]
    over: str


def validate(bundle: Bundle, cohort: Cohort, config: Config | None = None) -> Validation:
    """Judge a bundle on a cohort.

    Parameters
    ----------
    bundle
        The released models.
    cohort
        Runners with outcomes, of any size.
    config
        Resamples, cut-offs and widths.

    Raises
    ------
    CohortError
        If there are too few cases, or others, to report any figure.
    """
    config = config or Config()
    settings = replace(config.evaluation, fewest_events=config.validation.fewest_events)
    checks = audit(cohort)
    runners = score(bundle, cohort, settings, checks)
    tables, pictures = _whole(runners, settings)
    tables |= {
        "account": pd.DataFrame(cohort.account(), columns=["what", "rows"]),
        "checks": checks_table(checks),
        "size": size_table(runners.y, runners.p, _threshold(runners.y), config.validation),
        "case_mix": case_mix(
            runners.y, runners.p, runners.groups, settings, bundle.manifest.get("metrics", {}).get("auroc")
        ),
        "drift": drift_table(runners.X, bundle.reference, bundle.manifest["trained_on"]["runners"], config.validation),
    }
    apart = _apart(runners, config, settings)
    tables["cells"] = _masked(apart, settings.fewest_events)
    shown = apart[apart["value"].notna().groupby([apart["field"], apart["level"]]).transform("any")]
    if not shown.empty:
        pictures["subgroups"] = displays_onset.subgroups(shown, "Figures within subgroups, 95 % intervals")
    verdict, judged = verdict_of(checks, tables, _threshold(runners.y), cohort.horizon)
    subject = {"bundle": bundle.name, "trained_on": dict(bundle.manifest["trained_on"]), "cohort": cohort.digest,
               "horizon_months": cohort.horizon, "intervals": runners.over}  # fmt: skip
    return Validation(subject, checks, verdict, tables | {"verdict": judged}, pictures)


def score(bundle: Bundle, cohort: Cohort, settings: EvaluationConfig, checks: list[Check]) -> Scored:
    """Predict the runners of a cohort that can be evaluated.

    Raises
    ------
    CohortError
        If there are too few cases, or others, to report any figure; the message names the checks that failed.
    """
    used = cohort.used
    y = cohort.y[used]
    cases, others = int(y.sum()), int(len(y) - y.sum())
    if min(cases, others) < settings.fewest_events:
        failed = "; ".join(f"{each.code}: {each.why}" for each in checks if each.verdict == "fail")
        raise CohortError(
            f"expected at least {settings.fewest_events} cases and as many others with a known outcome, got {cases:,} "
            f"and {others:,}; no figure is reported. {failed or 'Follow more runners, or join cohorts'}."
        )
    X = cohort.values[used].reset_index(drop=True)
    clubs, known = cohort.club[used], pd.notna(cohort.club[used]).all()
    enough = bool(known) and count_groups(clubs) >= settings.fewest_clubs
    groups = clubs if enough else pd.factorize(cohort.person[used])[0]
    over = (
        "clubs" if enough else f"runners: fewer than {settings.fewest_clubs} clubs, so nothing is said of other clubs"
    )
    return Scored(X, y, bundle.predictor.predict(complete(X)).risk.value, clubs, groups, over)


def _whole(runners: Scored, settings: EvaluationConfig) -> tuple[dict[str, pd.DataFrame], dict[str, displays.Display]]:
    y, p, groups = runners.y, runners.p, runners.groups
    decided = decision_table(y, p, groups, settings)
    curve = calibration_curve(y, p, groups, settings)
    tables = {"onset": measure_with_intervals(y, p, groups, settings.seed, settings.bootstraps), "decision": decided}
    pictures: dict[str, displays.Display] = {
        "calibration": displays.Calibration(_tenths(y, p, settings.fewest_events), curve, p, ONSET.label),
        "decision": displays_onset.decision_curve(decided),
    }
    return tables | {"calibration": pictures["calibration"].frame()}, pictures


def _tenths(y: Floats, p: Floats, fewest: int) -> pd.DataFrame:
    """Return the calibration table in as many parts, up to ten, as leave none with too few cases or others."""
    for bins in range(_TENTHS, 1, -1):
        table = calibration_table(y, p, bins)
        cases = table["observed"] * table["n"]
        if min(cases.min(), (table["n"] - cases).min()) >= fewest - 0.5:  # counts, give or take the last bit
            return table
    return calibration_table(y, p, 1)


def _apart(runners: Scored, config: Config, settings: EvaluationConfig) -> pd.DataFrame:
    by = groups_of(runners.X[list(ONSET_FIELDS)], config)
    apart = [subgroup_table(runners.y, runners.p, by, runners.groups, settings)]
    if pd.Series(runners.clubs).nunique() > 1:
        # within one club there are no clubs to resample, so its interval is over its runners
        one_by_one = {"club": pd.Series(runners.clubs)}
        apart.append(subgroup_table(runners.y, runners.p, one_by_one, np.arange(len(runners.y)), settings))
    return pd.concat(apart, ignore_index=True)


def _masked(table: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """Return the table without the numbers of cases of small cells, by which a person could be known."""
    few = (table["events"] < fewest) | (table["n"] - table["events"] < fewest)
    return table.assign(events=table["events"].astype(float).mask(few))


def _threshold(y: Floats) -> float:
    """Return the whole per cent nearest to the observed rate, at which acting is judged."""
    return max(round(100 * float(y.mean())), 1) / 100


__all__ = ["Scored", "Validation", "score", "validate"]
