"""C01 and C02: what was known when, and for how long runners were followed."""

import numpy as np

from pfps_ml.checks.guide import Check
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import BY_NAME, ONSET_FIELDS

_TELLING = 0.9  # AUROC of a single field that no measurement before the outcome has
_IN_PAIN = 0.2  # share of the cases with knee pain at the start
_LOST = 0.1  # share of those without an episode
_FEWEST = 5  # cases, and others, in which a field is looked at


def outcome_first(cohort: Cohort) -> Check:
    """Look for outcomes that were there when the predictors were measured (C01)."""
    found = [*_by_days(cohort), *_by_pain(cohort), *_by_fields(cohort)]
    if found:
        return Check("C01", "fail", "; ".join(found))
    if cohort.measured_on is None or cohort.happened_on is None:
        return Check("C01", "not applicable", "no days of screening and outcome were named; nothing else is suspicious")
    return Check("C01", "pass", "every dated outcome came after its screening, and no field alone tells the outcome")


def followed(cohort: Cohort) -> Check:
    """Look for runners who were lost before the horizon (C02)."""
    if cohort.months is None:
        return Check("C02", "not applicable", "the file does not say for how long anybody was followed")
    others = (cohort.y == 0) & ~cohort.rejected
    lost = int((cohort.too_short & others).sum())
    share = lost / max(int(others.sum()), 1)
    said = f"{lost:,} of {int(others.sum()):,} without an episode were lost before {cohort.horizon:g} months"
    return Check("C02", "fail" if share > _LOST else "warn" if lost else "pass", said)


def _by_days(cohort: Cohort) -> list[str]:
    if cohort.measured_on is None or cohort.happened_on is None:
        return []
    early = int(((cohort.happened_on <= cohort.measured_on) & (cohort.y == 1)).sum())
    return [f"{early:,} cases are dated on or before their screening"] if early else []


def _by_pain(cohort: Cohort) -> list[str]:
    pained, cases = int((cohort.in_pain & (cohort.y == 1)).sum()), int((cohort.y == 1).sum())
    return [f"{pained:,} of {cases:,} cases had knee pain at the start"] if pained > _IN_PAIN * cases else []


def _by_fields(cohort: Cohort) -> list[str]:
    known, found = cohort.used, []
    for name in ONSET_FIELDS:
        value = cohort.values[name].to_numpy(dtype=float)
        own = known & ~np.isnan(value)
        y = cohort.y[own]
        if min(y.sum(), len(y) - y.sum()) >= _FEWEST:
            area = auroc(y, value[own])
            if max(area, 1 - area) >= _TELLING:
                found.append(f"{BY_NAME[name].label} alone has an AUROC of {max(area, 1 - area):.2f}")
    return found


__all__ = ["followed", "outcome_first"]
