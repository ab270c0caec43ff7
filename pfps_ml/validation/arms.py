"""Which arms a cohort of patients can be asked about, and what may be shown of them: no cell under five events."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.config import EvaluationConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.core.messages import Message
from pfps_ml.evaluation.heterogeneity import group_members
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.evaluation.policy import AS_TREATED, BEST
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM
from pfps_ml.learning.additive import probability
from pfps_ml.learning.propensity import eligibility
from pfps_ml.prediction import Predictor
from pfps_ml.validation.pathways import ARM_NAMES, GROUP_TESTS, Treated, narrowed, pathway_tables

Bools = NDArray[np.bool_]
ARM_LABELS = {arm.name: arm.label for arm in ARMS}
_SHARES = 20  # parts of the targeting curves
_BY_ARM = ("heterogeneity", "groups", "targeting", "areas", "sensitivity")


def enough(treated: Treated, rows: Bools, arms: Sequence[str], fewest: int) -> bool:
    """Return whether some patients had each of some arms with enough successes, and enough others."""
    patients = treated.patients
    had = [patients.y[rows & (patients.arm == name)] for name in arms]
    return all(min(y.sum(), len(y) - y.sum()) >= fewest for y in had)


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
        had, open_to = patients.arm == name, eligible[name].to_numpy(bool)
        y = patients.y[had]
        too_few = min(y.sum(), len(y) - y.sum()) < fewest
        observed, predicted = (np.nan, np.nan) if too_few else (y.mean(), patients.outcome[name][had].mean())
        state = _state(name, compared, too_few, (had, open_to))
        rows.append((ARM_LABELS[name], len(y), int(open_to.sum()), np.nan if too_few else y.sum(), observed, predicted,
                     state.text, state.code, name))  # fmt: skip
    columns = ["pathway", "had", "open_to", "successes", "observed", "predicted", "state", "state_code", "arm_code"]
    return pd.DataFrame(rows, columns=columns)


def reportable_tables(
    treated: Treated, compared: Sequence[str], predicted: pd.DataFrame, settings: EvaluationConfig
) -> dict[str, pd.DataFrame]:
    """Return the tables of pathways, but for what would show a cell with too few events.

    Parameters
    ----------
    treated
        The patients, with only those arms open that can be compared.
    compared
        Those arms.
    predicted
        The mean effect that the bundle predicts; see `mean_predicted`.
    settings
        Fewest events, groups and resamples.
    """
    if not compared:
        return {}
    tables = pathway_tables(treated, settings)
    tables.pop("gate", None)  # it says what held when the bundle was made; see `earned`
    for name in _BY_ARM:
        if name in tables:
            tables[name] = _of(tables[name], compared)
    shown = tables["policies"]["policy"].isin((BEST, REFERENCE_ARM, *compared, AS_TREATED))
    tables["policies"] = tables["policies"][shown].reset_index(drop=True)
    for name in ("overlap", "propensities"):
        tables[name] = _of(tables[name], (REFERENCE_ARM, *compared))
    tables["effects"] = _beside_predicted(tables["effects"], predicted)
    # thirds of overlap say nothing where chance allocated, or an arm was given to nobody
    all_arms = treated.chosen is not None and len(compared) == len(ACTIVE_ARMS)
    tables["preferences"] = narrowed(treated, eligibility(treated.X))[: None if all_arms else 1]
    if "strength" in tables:
        tables["strength"] = tables["strength"].dropna(subset="difference")
    grouped = [name for name in compared if _groups_bear(treated, name, settings)]
    tables["groups"], tests = _of(tables["groups"], grouped), list(GROUP_TESTS.values())
    blank = tables["heterogeneity"][tests].where(tables["heterogeneity"]["arm"].isin(grouped))
    tables["heterogeneity"] = tables["heterogeneity"].assign(**{name: blank[name] for name in tests})
    stepped = [name for name in compared if _steps_bear(treated, name, settings.fewest_events)]
    tables["targeting"] = _of(tables["targeting"], stepped)
    return {name: table for name, table in tables.items() if len(table)}


def mean_predicted(predictor: Predictor, treated: Treated) -> pd.DataFrame:
    """Return the mean effect that a bundle predicts of those who may have each arm, with its own interval.

    Returns
    -------
    DataFrame
        arm, predicted, predicted_low, predicted_high (95 %); no row for an arm that no patient may have.
    """
    interval, rows = predictor.pathway_interval, []
    for name in ACTIVE_ARMS:
        X = treated.X[treated.patients.eligible[name].to_numpy(bool)].reindex(columns=list(BY_NAME))
        if X.empty:
            continue
        usual = predictor.prognosis.margin(X)
        means = (probability(usual + predictor.modifiers[name].margin(X)) - probability(usual)).mean(axis=0)
        reach = interval.t * np.sqrt(sum(interval.variances(means))) * _to_level(interval.level)
        rows.append((name, means[0], means[0] - reach, means[0] + reach))
    return pd.DataFrame(rows, columns=["arm", "predicted", "predicted_low", "predicted_high"])


def _to_level(level: float) -> float:
    """Return by how much an interval of a level is widened to 95 %, as if it were normal."""
    return normal_quantile(LEVEL) / normal_quantile(level)


def _state(name: str, compared: Sequence[str], too_few: bool, who: tuple[Bools, Bools]) -> Message:
    had, open_to = who
    if not had.any():
        return Message("arm_had_by_nobody")
    if name != REFERENCE_ARM and not (had & open_to).any():
        needed = ", ".join(f"{field} {level}" for field, level in next(a for a in ARMS if a.name == name).requires)
        return Message("arm_open_to_nobody", {"needed": needed})
    if too_few or (name != REFERENCE_ARM and name not in compared):
        return Message("arm_too_few_to_compare")
    beyond = int((had & ~open_to).sum())
    return Message("arm_compared_in_part", {"left_out": beyond}) if beyond else Message("arm_compared")


def _beside_predicted(effects: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Add what the bundle predicts of the same patients, if the interval holds it, and how far it is off.

    The interval of `off` is of both: what this cohort leaves open, and what the bundle said that it does not know.
    """
    table = effects.merge(predicted, on="arm", how="left")
    inside = (table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])
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


__all__ = ["ARM_LABELS", "arm_table", "compared_arms", "enough", "mean_predicted", "only_compared", "reportable_tables"]
