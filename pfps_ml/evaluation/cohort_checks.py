"""The checks of a cohort, C01 to C11, and all of them in the order of their codes.

* C01, C02: what was known when, and for how long runners were followed.
* C03, C08: the same person in two rows, and labels that contradict each other.
* C04, C05: periods, clubs and gaps in the data that tell the outcome without any field's help.
* C06: how many runners a model of so many fields needs, by published criteria.
* C07: whether patients had a real chance of every arm that they may have.
* C09 (see `attrition`): whether outcomes went missing more often under one arm than under another.
* C10, C11: how many rows a fault costs, of which field, and fields of which some cells are in another unit.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil, log

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Floats, Ints, Message, NDArray, PathwayConfig, generator, normal_quantile
from pfps_ml.domain import BY_NAME, ONSET_FIELDS, PATHWAY_FIELDS, REFERENCE_ARM
from pfps_ml.domain.synonyms import other_units
from pfps_ml.evaluation.attrition import missing_by_arm
from pfps_ml.evaluation.check_catalogue import Check, failed, judged, not_applicable, passed, warned
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.io.study_data import Cohort

_WARN, _FAIL = 0.02, 0.1
_PROPENSITY_FOLDS, _FEWEST_PER_ARM = 5, 20


def arms_overlap(cohort: Cohort) -> Check:
    """Compare the chances of the arms, estimated from patients of other folds, with the floor of the weights (C07)."""
    if cohort.arm is None:
        return not_applicable("C07", Message("arms_not_recorded"))
    rows = cohort.used
    arm = cohort.arm[rows]
    arms = set(arm)
    if len(arms) < 2:
        return failed("C07", Message("one_arm_only"))
    if REFERENCE_ARM not in arms:
        return failed("C07", Message("nobody_in_reference_arm", {"arm": REFERENCE_ARM}))
    common = [name for name in dict.fromkeys(arm) if (arm == name).sum() >= _FEWEST_PER_ARM]
    if len(common) < 2:
        return not_applicable("C07", Message("few_in_arms", {"least": _FEWEST_PER_ARM}))
    X = cohort.values.loc[rows, list(PATHWAY_FIELDS)].reset_index(drop=True)
    share = _share_below_floor(X, arm, common)
    reasons = [Message("chances_below_floor", {"share": share, "arms": len(common), "patients": len(X)})]
    if small_reference := REFERENCE_ARM not in common:
        reasons.append(Message("few_in_reference_arm", {"least": _FEWEST_PER_ARM, "arm": REFERENCE_ARM}))
    if share >= _FAIL:
        return failed("C07", *reasons)
    return warned("C07", *reasons) if small_reference or share >= _WARN else passed("C07", *reasons)


def _share_below_floor(X: pd.DataFrame, arm: NDArray[np.object_], arms: list[str]) -> float:
    """Return the share of the patients' chances of these arms, where open to them, that lie below the floor."""
    from pfps_ml.model import basis, cross_fitted, eligibility

    fold = generator(0, "checks: folds of patients").integers(0, _PROPENSITY_FOLDS, len(X))
    settings = PathwayConfig()
    chances, eligible = cross_fitted(X, pd.Series(arm), fold, basis(X, settings.knots)), eligibility(X)
    open_chances = np.concatenate([chances[name].to_numpy()[eligible[name].to_numpy()] for name in arms])
    return float((open_chances < settings.propensity_floor).mean()) if len(open_chances) else 0.0


_PERIOD, _CLUB = 0.6, 0.65  # AUROC of the period alone, of the club alone
_CHANCE = 0.001
_BETWEEN = 0.5  # share of a field's variance between periods or clubs
_RECORDED, _NO_CHANCE = 0.05, 0.01
_LEAK_FOLDS, _FEWEST_PER_LEVEL = 5, 5


def stands_for_site(cohort: Cohort) -> Check:
    """Look for periods and clubs that tell the outcome, and fields that stand for them (C04)."""
    used = cohort.used
    groups = {"period": None if cohort.period is None else _codes(cohort.period), "club": _codes(cohort.club)}
    levels = {what: codes[used] for what, codes in groups.items() if codes is not None and len(set(codes[used])) > 1}
    y = cohort.y[used]
    if not levels or min(y.sum(), len(y) - y.sum()) < _FEWEST_PER_LEVEL:
        return not_applicable("C04", Message("no_groups_to_compare"))
    failures, warnings, areas = list[Message](), list[Message](), list[Message]()
    for what, codes in levels.items():
        area, p = _alone(codes, y), _p_of_levels(codes, y)
        tells, stands, limit = _SITES[what]
        areas.append(Message(tells, {"auroc": area}))
        if area >= limit and p < _CHANCE:
            (failures if what == "period" else warnings).append(areas[-1])
            failures += [Message(stands, {"field": name}) for name in _standing(cohort, used, codes)]
    return judged("C04", failures, warnings, *areas)


# of periods and clubs: the message that they tell the outcome, that a field stands for them, and the AUROC's limit
_SITES = {
    "period": ("period_tells_outcome", "field_stands_for_period", _PERIOD),
    "club": ("club_tells_outcome", "field_stands_for_club", _CLUB),
}


def telling_gaps(cohort: Cohort) -> Check:
    """Look for fields whose being recorded tells the outcome (C05)."""
    used = cohort.used
    y, gaps = cohort.y[used], cohort.values.loc[used, list(cohort.fields)].isna()
    fields = [str(name) for name in gaps if 0 < gaps[name].sum() < len(y)]
    if not fields or min(y.sum(), len(y) - y.sum()) < _FEWEST_PER_LEVEL:
        return not_applicable("C05", Message("no_gaps_to_compare"))
    failures, warnings, club = list[Message](), list[Message](), _codes(cohort.club[used])
    for name in fields:
        area, p = _of_gap(gaps[name].to_numpy(), y, club)
        if p * len(fields) < _NO_CHANCE:
            reason = Message("gap_tells_outcome", {"field": name, "auroc": area})
            (failures if abs(area - 0.5) >= _RECORDED else warnings).append(reason)
    return judged("C05", failures, warnings, Message("gaps_compared", {"n": len(fields)}))


def _codes(texts: NDArray[np.object_]) -> Ints:
    """Return codes of levels; rows without one share a level."""
    return np.asarray(pd.factorize(texts, use_na_sentinel=False)[0], dtype=np.int64)


def _alone(codes: Ints, y: Floats) -> float:
    """Return the AUROC of the level's rate, taken from other rows and drawn to the mean."""
    folds, rates = generator(0, "checks: folds").integers(0, _LEAK_FOLDS, len(y)), np.zeros(len(y))
    for fold in range(_LEAK_FOLDS):
        others = folds != fold
        cases, rows = (np.bincount(codes[others], weights=w, minlength=codes.max() + 1) for w in (y[others], None))
        rates[~others] = ((cases + _FEWEST_PER_LEVEL * y[others].mean()) / (rows + _FEWEST_PER_LEVEL))[codes[~others]]
    return auroc(y, rates)


def _p_of_levels(codes: Ints, y: Floats) -> float:
    """Return the p value of the levels' rates being one (chi-squared)."""
    from scipy.special import chdtrc

    rows = np.bincount(codes)
    cases, rows = np.bincount(codes, weights=y)[rows > 0], rows[rows > 0]
    rate = y.mean()
    return float(chdtrc(max(len(rows) - 1, 1), ((cases - rows * rate) ** 2 / (rows * rate * (1 - rate))).sum()))


def _of_gap(missing: Bools, y: Floats, club: Ints) -> tuple[float, float]:
    """Return the AUROC of a field being missing, and its p value, between cases and others of the same club.

    What a club cannot measure is missing in all of it and tells nothing, however ill its runners fall. Exact (Fisher:
    gaps may be few): given the gaps and cases of each club, those with both are a sum of hypergeometric counts.
    """
    from scipy.stats import hypergeom

    weights = (np.ones(len(y)), y, missing, y * missing)
    counts = np.array([np.bincount(club, weights=weight) for weight in weights]).astype(np.int64).T
    chance, seen, apart, pairs = np.ones(1), 0, 0.0, 0
    for rows, cases, gaps, both in counts[(counts[:, 1] > 0) & (counts[:, 1] < counts[:, 0])]:
        fewest, others = max(0, cases + gaps - rows), rows - cases
        chance = np.convolve(chance, hypergeom.pmf(np.arange(fewest, min(cases, gaps) + 1), rows, cases, gaps))
        seen += both - fewest
        apart, pairs = apart + others * both - cases * (gaps - both), pairs + cases * others
    return 0.5 + apart / max(pairs, 1) / 2, float(chance[chance <= chance[seen] * (1 + 1e-7)].sum())


def _standing(cohort: Cohort, used: Bools, codes: Ints) -> Iterator[str]:
    """Yield the fields most of whose variance lies between the levels."""
    for name in cohort.fields:
        column = pd.Series(cohort.values.loc[used, name].to_numpy(dtype=float))
        known = column.notna().to_numpy()
        values, level = column[known], codes[known]
        groups = len(set(level))
        if len(values) <= 2 * groups or float(values.var()) == 0:
            continue
        inside = float(values.groupby(level).transform(lambda part: part - part.mean()).pow(2).sum())
        share = 1 - inside / (len(values) - groups) / float(values.var())  # adjusted for the number of levels
        if share >= _BETWEEN:
            yield name


_NOISE = 0.02  # share of rows in which a second column contradicts the first
_ALIKE = 8  # known fields from which rows that agree in all are taken to be one runner
_FIELDS = sorted({*ONSET_FIELDS, *PATHWAY_FIELDS})


def repeated_runners(cohort: Cohort) -> Check:
    """Look for persons whose rows could fall into different folds (C03)."""
    rows = pd.DataFrame({"person": cohort.person, "club": cohort.club}).dropna(subset="person")
    twice = rows[rows["person"].duplicated(keep=False)]
    alike = _rows_alike(cohort)
    if twice.empty:
        return (
            warned("C03", Message("rows_alike_other_ids", alike)) if alike else passed("C03", Message("nobody_twice"))
        )
    count = int(twice["person"].nunique())
    groups = twice.groupby("person")["club"]
    apart = int(((groups.nunique() > 1) | (groups.count() < groups.size())).sum())  # in two clubs, or in none
    counts = {"persons": count, "rows": len(twice)}
    if apart:
        return failed("C03", Message("persons_twice", counts), Message("persons_in_several_clubs", {"persons": apart}))
    return passed("C03", Message("persons_twice_within_clubs", counts))


def _rows_alike(cohort: Cohort) -> dict[str, int]:
    """Return how many rows repeat another one in every known field and the outcome, under other ids; empty if none."""
    rows = pd.DataFrame({"key": pd.factorize(_alike(cohort))[0], "y": cohort.y, "person": cohort.person})
    rows = rows[rows["key"] >= 0]
    repeats = rows[rows.duplicated(["key", "y"]) & ~rows.duplicated(["key", "y", "person"])]
    return {"rows": len(repeats), "fields": _ALIKE} if len(repeats) else {}


def label_noise(cohort: Cohort) -> Check:
    """Look for labels that contradict each other (C08)."""
    failures, warnings = list[Message](), list[Message]()
    if cohort.second is not None:
        both = ~np.isnan(cohort.y) & ~np.isnan(cohort.second)
        odd = int((cohort.y[both] != cohort.second[both]).sum())
        if odd:
            reason = Message("second_column_contradicts", {"contradicting": odd, "rows": int(both.sum())})
            (failures if odd >= _NOISE * both.sum() else warnings).append(reason)
    if count := _contradicting(cohort, _same_visit(cohort)):
        failures.append(Message("persons_contradict_themselves", {"persons": count}))
    if count := _contradicting(cohort, _alike(cohort)):
        warnings.append(Message("rows_alike_differ", {"groups": count, "fields": _ALIKE}))
    return judged("C08", failures, warnings, Message("labels_agree"))


def _same_visit(cohort: Cohort) -> NDArray[np.object_]:
    """Return a key that rows of one person and time share; None where nothing tells the time of a repeat."""
    when = cohort.period if cohort.period is not None else np.full(len(cohort.y), "", dtype=object)
    keys = [None if who is None else (who, at) for who, at in zip(cohort.person, when, strict=True)]
    return _objects(keys)


def _alike(cohort: Cohort) -> NDArray[np.object_]:
    values = cohort.values[_FIELDS].to_numpy(dtype=float)
    enough = (~np.isnan(values)).sum(axis=1) >= _ALIKE
    return _objects([row.tobytes() if known else None for row, known in zip(values, enough, strict=True)])


def _contradicting(cohort: Cohort, keys: NDArray[np.object_]) -> int:
    rows = pd.DataFrame({"key": pd.factorize(keys)[0], "y": cohort.y})
    rows = rows[(rows["key"] >= 0) & rows["y"].notna()]
    return int((rows.groupby("key")["y"].nunique() > 1).sum())


def _objects(keys: Sequence[object]) -> NDArray[np.object_]:
    column = np.empty(len(keys), dtype=object)
    column[:] = keys
    return column


_SHRINKAGE, _OPTIMISM, _RISK = 0.9, 0.05, 0.05
_EXPLAINED = 0.15  # of the largest possible R2: what is expected where nothing is known
FEWEST_EVENTS = 10


def rows_to_train(parameters: int, rate: float) -> int:
    """Return the rows that a new model needs (Riley and others 2020): the largest of three criteria.

    Parameters
    ----------
    parameters
        Candidate parameters, at least 1.
    rate
        Expected share of cases, above 0 and below 1.
    """
    largest = 1 - (rate**rate * (1 - rate) ** (1 - rate)) ** 2
    explained = _EXPLAINED * largest
    shrinkages = (_SHRINKAGE, explained / (explained + _OPTIMISM * largest))
    rows = [parameters / ((shrinkage - 1) * log(1 - explained / shrinkage)) for shrinkage in shrinkages]
    return ceil(max(*rows, (normal_quantile(0.95) / _RISK) ** 2 * rate * (1 - rate)))


def enough_events(cohort: Cohort) -> Check:
    """Compare the numbers of runners and cases with what the fields need (C06)."""
    used = cohort.used
    rows, events = int(used.sum()), int(cohort.y[used].sum())
    known = cohort.values.loc[used, list(cohort.fields)].notna()
    fields = int(known.any().sum())
    counted, needed_message = _OF_RUNNERS if cohort.arm is None else _OF_PATIENTS
    counts = Message(counted, {"events": events, "rows": rows, "fields": fields})
    # patients: success under usual care, and for every other arm what it adds, and by every field
    parameters = fields if cohort.arm is None else (fields + 1) * len(set(cohort.arm[used])) - 1
    if min(events, rows - events) < FEWEST_EVENTS:
        return failed("C06", counts, Message("few_events", {"least": FEWEST_EVENTS}))
    needed = rows_to_train(max(parameters, 1), float(np.clip(events / rows, 1e-6, 1 - 1e-6)))
    return (passed if rows >= needed else warned)("C06", counts, Message(needed_message, {"needed": needed}))


_OF_RUNNERS = ("cases_for_fields", "runners_needed_to_train")
_OF_PATIENTS = ("successes_for_fields", "patients_needed_to_train")


_TOO_GOOD_AUROC = 0.9  # AUROC of a single field that no measurement before the outcome has
_IN_PAIN = 0.2  # share of the cases with knee pain at the start
_LOST = 0.1  # share of those without an episode
_FEWEST_DATED = 5  # cases, and others, in which a field is looked at


def outcome_first(cohort: Cohort) -> Check:
    """Look for outcomes that were there when the predictors were measured (C01)."""
    reasons = [*_by_days(cohort), *_by_pain(cohort), *_by_fields(cohort), *_by_arm(cohort)]
    if reasons:
        return failed("C01", *reasons)
    if cohort.measured_on is None or cohort.happened_on is None:
        return not_applicable("C01", Message("days_not_named"))
    return passed("C01", Message("outcomes_after_screening"))


def followed(cohort: Cohort) -> Check:
    """Look for runners who were lost before the horizon, and for cases that came after it (C02)."""
    if late := _late(cohort):
        return failed("C02", Message("cases_after_horizon", {"cases": late, "horizon": str(cohort.horizon)}))
    if cohort.months is None:
        return not_applicable("C02", Message("follow_up_not_recorded"))
    runners = cohort.arm is None
    followed_up = ~cohort.rejected & (cohort.y == 0 if runners else ~np.isnan(cohort.y))
    lost, rows = int((cohort.too_short & followed_up).sum()), int(followed_up.sum())
    counts = {"lost": lost, "rows": rows, "horizon": str(cohort.horizon)}
    reason = Message("runners_lost" if runners else "patients_lost", counts)
    if lost > _LOST * max(rows, 1):
        return failed("C02", reason)
    return warned("C02", reason) if lost else passed("C02", reason)


def _late(cohort: Cohort) -> int:
    """Return how many runners are called cases though their episode came after the horizon; a day more is none."""
    if cohort.arm is not None or cohort.measured_on is None or cohort.happened_on is None:
        return 0
    days = (cohort.happened_on - cohort.measured_on).astype(float)
    days[np.isnat(cohort.happened_on) | np.isnat(cohort.measured_on)] = 0
    return int(((cohort.y == 1) & (days > cohort.horizon.days + 1)).sum())


def _by_days(cohort: Cohort) -> list[Message]:
    if cohort.measured_on is None or cohort.happened_on is None:
        return []
    dated, code = cohort.y == 1, "cases_before_screening"
    if cohort.arm is not None:
        dated, code = ~np.isnan(cohort.y), "outcomes_before_visit"
    early = int(((cohort.happened_on <= cohort.measured_on) & dated).sum())
    return [Message(code, {"rows": early})] if early else []


def _by_pain(cohort: Cohort) -> list[Message]:
    pained, cases = int((cohort.in_pain & (cohort.y == 1)).sum()), int((cohort.y == 1).sum())
    return [Message("cases_in_pain_at_start", {"pained": pained, "cases": cases})] if pained > _IN_PAIN * cases else []


def _by_fields(cohort: Cohort) -> list[Message]:
    reasons = []
    for name in cohort.fields:
        value = cohort.values[name].to_numpy(dtype=float)
        known = cohort.used & ~np.isnan(value)
        y = cohort.y[known]
        if min(y.sum(), len(y) - y.sum()) >= _FEWEST_DATED:
            area = auroc(y, value[known])
            if max(area, 1 - area) >= _TOO_GOOD_AUROC:
                reasons.append(Message("field_tells_outcome", {"field": name, "auroc": max(area, 1 - area)}))
    return reasons


def _by_arm(cohort: Cohort) -> list[Message]:
    if cohort.arm is None:
        return []
    y = pd.Series(cohort.y[cohort.used])
    if min(y.sum(), len(y) - y.sum()) < _FEWEST_DATED:
        return []
    rates = y.groupby(cohort.arm[cohort.used]).transform("mean")
    area = auroc(np.asarray(y, dtype=float), np.asarray(rates, dtype=float))
    return [Message("arm_tells_outcome", {"auroc": area})] if area >= _TOO_GOOD_AUROC else []


_LOST_WARN, _LOST_FAIL = 0.02, 0.1  # share of the rows with a fault in a field
_SMALLEST_PART, _NEAREST, _NARROW = 0.02, 0.15, 4.0


def rows_lost(cohort: Cohort) -> Check:
    """Count the rows that a fault in a field costs, and name the fields (C10)."""
    lost, rows = int(cohort.rejected.sum()), len(cohort.rejected)
    by_field = pd.Series([name for fault in cohort.faults for name in fault.fields], dtype=object).value_counts()
    counts = {"lost": lost, "rows": rows, "fields": [str(name) for name in by_field.index[:_NAMED]]}
    if not lost:
        return passed("C10", Message("no_rows_lost"))
    reason = Message("rows_lost_to_faults", counts)
    if lost >= _LOST_FAIL * rows:
        return failed("C10", reason)
    return warned("C10", reason) if lost >= _LOST_WARN * rows else passed("C10", reason)


_NAMED = 3  # fields that a reason names, those with most faults first


def units_mixed(cohort: Cohort) -> Check:
    """Look for fields of which part of the cells is in another unit: rejected for it, or a second hump (C11)."""
    failures = []
    by_unit = Counter(
        (fault.field, tuple(fault.parameters["units"]))
        for fault in cohort.faults if fault.code == "outside_limits_other_unit"
    )  # fmt: skip
    for (name, units), cells in by_unit.items():
        if cells >= max(_FEWEST_PER_LEVEL, _SMALLEST_PART * len(cohort.y)):
            failures.append(Message("cells_in_other_unit", {"field": name, "cells": cells, "units": [*units]}))
    for name in (name for name in cohort.values if name in BY_NAME and not BY_NAME[name].levels):
        known = cohort.values[name].dropna().to_numpy(dtype=float)
        for unit, factor in other_units(BY_NAME[name]).items():
            if share := _second_hump(known, factor):
                failures.append(Message("values_in_two_units", {"field": name, "share": share, "unit": unit}))
    return judged("C11", failures, [], Message("units_alike"))


def _second_hump(values: Floats, factor: float) -> float:
    """Return the share of values that are a factor away from the others as a unit would put them; 0 for none.

    The logarithms are cut at their widest gap between two humps: their means must be the factor apart, to a seventh,
    and the distance at least four times the spread within them.
    """
    logs = np.sort(np.log(values[values > 0]))
    if len(logs) < 2 * _FEWEST_PER_LEVEL or factor in {0.0, 1.0}:
        return 0.0
    distance = abs(log(factor))
    cut = int(np.searchsorted(logs, (logs[0] + logs[-1]) / 2))
    for _ in range(_MOST_CUTS):
        if not 0 < cut < len(logs):
            return 0.0
        middle = (logs[:cut].mean() + logs[cut:].mean()) / 2
        cut, before = int(np.searchsorted(logs, middle)), cut
        if cut == before:
            break
    low, high = logs[:cut], logs[cut:]
    if min(len(low), len(high)) < max(_FEWEST_PER_LEVEL, _SMALLEST_PART * len(logs)):
        return 0.0
    apart, within = high.mean() - low.mean(), max(low.std(), high.std())
    if abs(apart - distance) > _NEAREST * distance or apart < _NARROW * within:
        return 0.0
    return float(min(len(low), len(high)) / len(logs))


_MOST_CUTS = 50


_ALL = (
    *(outcome_first, followed, repeated_runners, stands_for_site),
    *(telling_gaps, enough_events, arms_overlap, label_noise),
    *(missing_by_arm, rows_lost, units_mixed),
)
NOT_ONSET = ("C01", "C02")  # a cohort that fails one of these did not observe onset


def audit(cohort: Cohort) -> list[Check]:
    """Run every check; none changes anything."""
    return [check(cohort) for check in _ALL]


def checks_table(checks: list[Check]) -> pd.DataFrame:
    """Return one row a check: code, title, verdict, why (sentences), page, reasons (the same as codes)."""
    rows = [(c.code, c.title, str(c.verdict), c.why, c.page, [reason.as_dict() for reason in c.reasons])
            for c in checks]  # fmt: skip
    return pd.DataFrame(rows, columns=["code", "title", "verdict", "why", "page", "reasons"])


__all__ = [
    "FEWEST_EVENTS", "NOT_ONSET", "arms_overlap", "audit", "checks_table", "enough_events", "followed", "label_noise",
    "outcome_first", "repeated_runners", "rows_lost", "rows_to_train", "stands_for_site", "telling_gaps", "units_mixed",
]  # fmt: skip
