"""The figures of a bundle in a cohort: of all runners, of groups of runners, and of the arms of patients.

Small cells stay blank: no figure is shown of a group or an arm with fewer than five events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import (
    ArrayLike,
    Bools,
    CohortError,
    EvaluationConfig,
    Floats,
    Ints,
    Message,
    NDArray,
    normal_quantile,
)
from pfps_ml.domain import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM, Estimand
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.check_catalogue import Check, CheckVerdict
from pfps_ml.evaluation.estimands import population
from pfps_ml.evaluation.metrics import LEVEL, calibration_curve, calibration_table, count_groups, measure_with_intervals
from pfps_ml.evaluation.model_displays import subgroups
from pfps_ml.evaluation.pathway_validation import ARM_NAMES, GROUP_TESTS, Treated, narrowed, pathway_tables
from pfps_ml.evaluation.policy import AS_TREATED, BEST, group_members
from pfps_ml.evaluation.subgroups import subgroup_table
from pfps_ml.io.study_data import Cohort
from pfps_ml.model import Predictor, eligibility, probability

ARM_LABELS = {arm.name: arm.label for arm in ARMS}
_SHARES = 20  # parts of the targeting curves
_BY_ARM = ("heterogeneity", "groups", "targeting", "areas", "sensitivity", "estimands")


def enough(treated: Treated, rows: Bools, arms: Sequence[str], fewest: int) -> bool:
    """Return whether some patients had each of some arms with enough successes, and enough others."""
    patients = treated.patients
    successes = [patients.y[rows & (patients.arm == name)] for name in arms]
    return all(min(y.sum(), len(y) - y.sum()) >= fewest for y in successes)


def compared_arms(treated: Treated, fewest: int) -> tuple[str, ...]:
    """Return the active arms that can be held against usual care, among the patients who may have both."""
    open_to = treated.patients.eligible
    return tuple(
        name for name in ACTIVE_ARMS if enough(treated, open_to[name].to_numpy(bool), (name, REFERENCE_ARM), fewest)
    )


def only_compared(treated: Treated, compared: Sequence[str]) -> Treated:
    """Return the patients with the arms closed that cannot be compared here."""
    closed = {name: False for name in ACTIVE_ARMS if name not in compared}
    return replace(treated, patients=replace(treated.patients, eligible=treated.patients.eligible.assign(**closed)))


def arm_table(treated: Treated, compared: Sequence[str], fewest: int) -> pd.DataFrame:
    """Return what is known of each arm: pathway, had (patients), open_to, successes, observed, predicted, state.

    `predicted` is the mean success that the bundle gives those who had the arm. Small cells have no successes.
    """
    patients, eligible, rows = treated.patients, eligibility(treated.X), []
    for name in ARM_NAMES:
        treated_with, open_to = patients.arm == name, eligible[name].to_numpy(bool)
        y = patients.y[treated_with]
        too_few = min(y.sum(), len(y) - y.sum()) < fewest
        observed, predicted = (np.nan, np.nan) if too_few else (y.mean(), patients.outcome[name][treated_with].mean())
        state = _state(name, compared, too_few, (treated_with, open_to))
        rows.append((ARM_LABELS[name], len(y), int(open_to.sum()), np.nan if too_few else y.sum(), observed, predicted,
                     state.text, state.code, name))  # fmt: skip
    columns = ["pathway", "had", "open_to", "successes", "observed", "predicted", "state", "state_code", "arm_code"]
    return pd.DataFrame(rows, columns=columns)


def reportable_tables(
    treated: Treated,
    compared: Sequence[str],
    predictor: Predictor,
    settings: EvaluationConfig,
    estimand: Estimand | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of pathways, but for what would show a cell with too few events.

    Parameters
    ----------
    treated
        The patients, with only those arms open that can be compared.
    compared
        Those arms.
    predictor
        Of the bundle, whose mean effects stand beside those observed; see `mean_predicted`.
    settings
        Fewest events, groups and resamples.
    estimand
        Whom the mean effects are about; see `estimands.adjusted_effects`.
    """
    if not compared:
        return {}
    tables = pathway_tables(treated, settings, estimand)
    tables.pop("gate", None)  # it says what held when the bundle was made; see `earned`
    for name in _BY_ARM:
        if name in tables:
            tables[name] = _of(tables[name], compared)
    shown = tables["policies"]["policy"].isin((BEST, REFERENCE_ARM, *compared, AS_TREATED))
    tables["policies"] = tables["policies"][shown].reset_index(drop=True)
    for name in ("overlap", "propensities"):
        tables[name] = _of(tables[name], (REFERENCE_ARM, *compared))
    whom = dict(zip(tables["effects"]["arm"], tables["effects"]["estimand"], strict=True))
    tables["effects"] = _beside_predicted(tables["effects"], mean_predicted(predictor, treated, whom))
    # thirds of overlap say nothing where chance allocated, or an arm was given to nobody
    all_arms = treated.chosen is not None and len(compared) == len(ACTIVE_ARMS)
    tables["preferences"] = narrowed(treated, eligibility(treated.X))[: None if all_arms else 1]
    if "strength" in tables:
        tables["strength"] = tables["strength"].dropna(subset="difference")
    tables["groups"] = _of(tables["groups"], grouped := [n for n in compared if _groups_bear(treated, n, settings)])
    tables["heterogeneity"] = _tested(tables["heterogeneity"], grouped)
    stepped = [name for name in compared if _steps_bear(treated, name, settings.fewest_events)]
    tables["targeting"] = _of(tables["targeting"], stepped)
    return {name: table for name, table in tables.items() if len(table)}


def _tested(heterogeneity: pd.DataFrame, grouped: Sequence[str]) -> pd.DataFrame:
    """Return the table with the tests of groups for those arms whose groups bear them."""
    tests = list(GROUP_TESTS.values())
    blank = heterogeneity[tests].where(heterogeneity["arm"].isin(grouped))
    return heterogeneity.assign(**{name: blank[name] for name in tests})


def mean_predicted(predictor: Predictor, treated: Treated, whom: Mapping[str, Estimand]) -> pd.DataFrame:
    """Return the mean effect that a bundle predicts of those whom an effect is about, with its own interval.

    Parameters
    ----------
    predictor
        Of the bundle.
    treated
        The patients.
    whom
        For each arm, whom its effect is about.

    Returns
    -------
    DataFrame
        arm, predicted, predicted_low, predicted_high (95 %); no row for an arm that it is about nobody of.
    """
    interval, rows = predictor.pathway_interval, []
    for name in ACTIVE_ARMS:
        share = population(treated.patients, name, whom[name])
        if not share.any():
            continue
        X, share = treated.X[share > 0].reindex(columns=list(BY_NAME)), share[share > 0]
        usual = predictor.prognosis.margin(X)
        effects = probability(usual + predictor.modifiers[name].margin(X)) - probability(usual)
        means = np.average(effects, axis=0, weights=share)
        reach = interval.t * np.sqrt(sum(interval.variances(means))) * _to_level(interval.level)
        rows.append((name, means[0], means[0] - reach, means[0] + reach))
    return pd.DataFrame(rows, columns=["arm", "predicted", "predicted_low", "predicted_high"])


def _to_level(level: float) -> float:
    """Return by how much an interval of a level is widened to 95 %, as if it were normal."""
    return normal_quantile(LEVEL) / normal_quantile(level)


def _state(name: str, compared: Sequence[str], too_few: bool, who: tuple[Bools, Bools]) -> Message:
    treated_with, open_to = who
    if not treated_with.any():
        return Message("arm_had_by_nobody")
    if name != REFERENCE_ARM and not (treated_with & open_to).any():
        needed = ", ".join(f"{field} {level}" for field, level in next(a for a in ARMS if a.name == name).requires)
        return Message("arm_open_to_nobody", {"needed": needed})
    if too_few or (name != REFERENCE_ARM and name not in compared):
        return Message("arm_too_few_to_compare")
    beyond = int((treated_with & ~open_to).sum())
    return Message("arm_compared_in_part", {"left_out": beyond}) if beyond else Message("arm_compared")


def _beside_predicted(effects: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Add what the bundle predicts of the same patients, if it is outside, and how far it is off.

    It is outside only if both intervals say so: that of the observed effect leaves out the predicted, and that of the
    predicted one the observed. The interval of `off` is of both: what this cohort leaves open, and what the bundle said
    that it does not know.
    """
    table = effects.merge(predicted, on="arm", how="left")
    inside = table["predicted"].between(table["low"], table["high"])
    inside |= table["effect"].between(table["predicted_low"], table["predicted_high"])
    off = table["effect"] - table["predicted"]
    width, width_predicted = table["high"] - table["low"], table["predicted_high"] - table["predicted_low"]
    reach = np.hypot(width, width_predicted) / 2
    return table.assign(
        predicted_inside=inside.astype(object).where(table["effect"].notna(), None),
        off=off, off_low=off - reach, off_high=off + reach,
    )  # fmt: skip


def _groups_bear(treated: Treated, name: str, settings: EvaluationConfig) -> bool:
    """Return whether both arms keep enough successes and others in every group by predicted effect."""
    eligible = np.flatnonzero(treated.patients.eligible[name].to_numpy(bool))
    member = np.full(len(treated.X), -1)
    member[eligible] = group_members(treated.predicted[name].to_numpy(float)[eligible], settings.groups)
    arms, fewest = (name, REFERENCE_ARM), settings.fewest_events
    return all(enough(treated, member == at, arms, fewest) for at in range(member.max() + 1))


def _steps_bear(treated: Treated, name: str, fewest: int) -> bool:
    """Return whether a step of the targeting curve has about enough successes and others."""
    y = treated.patients.y[treated.patients.eligible[name].to_numpy(bool)]
    return bool(min(y.sum(), len(y) - y.sum()) >= fewest * _SHARES)


def _of(table: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    return table[table["arm"].isin(arms)].reset_index(drop=True)


_TENTHS = 10


class Resampled(StrEnum):
    """Who is drawn together where intervals are over resamples."""

    CLUBS = "clubs"
    RUNNERS = "runners"
    PATIENTS = "patients"


@dataclass(frozen=True)
class Resampling:
    """What intervals are over, and the fewest clubs that would be resampled."""

    unit: Resampled
    fewest_clubs: int

    @property
    def message(self) -> Message:
        """What a report says of it."""
        if self.unit is Resampled.CLUBS:
            return Message("intervals_over_clubs")
        code = "intervals_over_runners" if self.unit is Resampled.RUNNERS else "intervals_over_patients"
        return Message(code, {"least": self.fewest_clubs})


@dataclass(frozen=True, eq=False)
class Scored:
    """Who of a cohort can be evaluated: fields, outcome, predicted risk, club, and whom to resample together."""

    X: pd.DataFrame
    y: Floats
    p: Floats
    clubs: NDArray[np.object_]
    groups: NDArray[Any]
    over: Resampling

    @property
    def over_clubs(self) -> bool:
        """Whether intervals are over clubs, and so hold what clubs differ by."""
        return self.over.unit is Resampled.CLUBS


def refuse_few(cohort: Cohort, fewest: int, checks: list[Check]) -> None:
    """Refuse a cohort with too few cases (or successes), or others, to report any figure.

    Raises
    ------
    CohortError
        With both counts and the checks that failed.
    """
    y = cohort.y[cohort.used]
    events, others = int(y.sum()), int(len(y) - y.sum())
    if min(events, others) < fewest:
        code, advice = _TOO_FEW[cohort.people]
        failed = [Message("check_failed_why", {"check": check.code, "reasons": [r.as_dict() for r in check.reasons]})
                  for check in checks if check.verdict == CheckVerdict.FAIL]  # fmt: skip
        causes = [cause.as_dict() for cause in failed or [Message(advice)]]
        raise CohortError(Message(code, {"least": fewest, "events": events, "others": others, "causes": causes}))


_TOO_FEW = {
    "runners": ("too_few_cases_to_report", "follow_more_runners"),
    "patients": ("too_few_successes_to_report", "follow_more_patients"),
}


def resampled(cohort: Cohort, fewest_clubs: int) -> tuple[NDArray[Any], Resampling]:
    """Return whom to resample together, and what they are: clubs where there are enough, else persons."""
    used = cohort.used
    clubs, known = cohort.club[used], pd.notna(cohort.club[used]).all()
    if known and count_groups(clubs) >= fewest_clubs:
        return clubs, Resampling(Resampled.CLUBS, fewest_clubs)
    return _persons(cohort.person[used]), Resampling(Resampled(cohort.people), fewest_clubs)


def _persons(who: NDArray[np.object_]) -> Ints:
    """Return a number for each person; a row that does not say whose it is is taken to be somebody's only one."""
    codes, names = pd.factorize(who)
    unknown = codes < 0
    codes[unknown] = len(names) + np.arange(unknown.sum())
    return np.asarray(codes, dtype=np.int64)


def whole(scored: Scored, settings: EvaluationConfig, outcome: str) -> tuple[pd.DataFrame, displays.Calibration]:
    """Return the figures of all, and their calibration."""
    y, p, groups = scored.y, scored.p, scored.groups
    curve = calibration_curve(y, p, groups, settings)
    drawn = displays.Calibration(_tenths(y, p, settings.fewest_events), curve, p, outcome, str(scored.over.unit))
    return measure_with_intervals(y, p, groups, settings.seed, settings.bootstraps), drawn


def apart(
    scored: Scored, by: Mapping[str, ArrayLike], settings: EvaluationConfig
) -> tuple[pd.DataFrame, dict[str, displays.Display]]:
    """Return the figures within each level of each grouping and within each club, and a picture if there are any.

    Small cells have no number of cases either, by which a person could be known.
    """
    parts = [subgroup_table(scored.y, scored.p, by, scored.groups, settings)]
    if pd.Series(scored.clubs).nunique() > 1:
        # within one club there are no clubs to resample, so its interval is over its runners
        one_by_one = {"club": pd.Series(scored.clubs)}
        parts.append(subgroup_table(scored.y, scored.p, one_by_one, np.arange(len(scored.y)), settings))
    cells = pd.concat(parts, ignore_index=True)
    too_few = (cells["events"] < settings.fewest_events) | (cells["n"] - cells["events"] < settings.fewest_events)
    shown = cells[cells["value"].notna().groupby([cells["field"], cells["level"]]).transform("any")]
    title = "Figures within subgroups, 95 % intervals"
    pictures: dict[str, displays.Display] = {} if shown.empty else {"subgroups": subgroups(shown, title)}
    return cells.assign(events=cells["events"].astype(float).mask(too_few)), pictures


def _tenths(y: Floats, p: Floats, fewest: int) -> pd.DataFrame:
    """Return the calibration table in as many parts, up to ten, as leave none with too few cases or others."""
    for bins in range(_TENTHS, 1, -1):
        table = calibration_table(y, p, bins)
        cases = table["observed"] * table["n"]
        if min(cases.min(), (table["n"] - cases).min()) >= fewest - 0.5:  # counts, give or take the last bit
            return table
    return calibration_table(y, p, 1)


__all__ = [
    "ARM_LABELS", "Resampled", "Resampling", "Scored", "apart", "arm_table", "compared_arms", "enough",
    "mean_predicted", "only_compared", "refuse_few", "reportable_tables", "resampled", "whole",
]  # fmt: skip
