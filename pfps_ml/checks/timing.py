"""C01 and C02: what was known when, and for how long runners were followed."""

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import Check
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import BY_NAME

_TELLING = 0.9  # AUROC of a single field that no measurement before the outcome has
_IN_PAIN = 0.2  # share of the cases with knee pain at the start
_LOST = 0.1  # share of those without an episode
_FEWEST = 5  # cases, and others, in which a field is looked at


def outcome_first(cohort: Cohort) -> Check:
    """Look for outcomes that were there when the predictors were measured (C01)."""
    found = [*_by_days(cohort), *_by_pain(cohort), *_by_fields(cohort), *_by_arm(cohort)]
    if found:
        return Check("C01", "fail", "; ".join(found))
    if cohort.measured_on is None or cohort.happened_on is None:
        return Check("C01", "not applicable", "no days of screening and outcome were named; nothing else is suspicious")
    return Check("C01", "pass", "every dated outcome came after its screening, and no field alone tells the outcome")


def followed(cohort: Cohort) -> Check:
    """Look for runners who were lost before the horizon, and for cases that came after it (C02)."""
    if late := _late(cohort):
        return Check("C02", "fail", f"{late:,} cases are dated more than {cohort.horizon} after their "
                                    "screening: within the horizon they had none, so their outcome is 0")  # fmt: skip
    if cohort.months is None:
        return Check("C02", "not applicable", "the file does not say for how long anybody was followed")
    runners = cohort.arm is None
    asked = ~cohort.rejected & (cohort.y == 0 if runners else ~np.isnan(cohort.y))
    lost = int((cohort.too_short & asked).sum())
    share = lost / max(int(asked.sum()), 1)
    who = "without an episode" if runners else "patients"
    said = f"{lost:,} of {int(asked.sum()):,} {who} were lost before {cohort.horizon}"
    return Check("C02", "fail" if share > _LOST else "warn" if lost else "pass", said)


def _late(cohort: Cohort) -> int:
    """Return how many runners are called cases though their episode came after the horizon; a day more is none."""
    if cohort.arm is not None or cohort.measured_on is None or cohort.happened_on is None:
        return 0
    days = (cohort.happened_on - cohort.measured_on).astype(float)
    days[np.isnat(cohort.happened_on) | np.isnat(cohort.measured_on)] = 0
    return int(((cohort.y == 1) & (days > cohort.horizon.days + 1)).sum())


def _by_days(cohort: Cohort) -> list[str]:
    if cohort.measured_on is None or cohort.happened_on is None:
        return []
    asked, what = cohort.y == 1, "cases are dated on or before their screening"
    if cohort.arm is not None:
        asked, what = ~np.isnan(cohort.y), "outcomes are dated on or before the first visit"
    early = int(((cohort.happened_on <= cohort.measured_on) & asked).sum())
    return [f"{early:,} {what}"] if early else []


def _by_pain(cohort: Cohort) -> list[str]:
    pained, cases = int((cohort.in_pain & (cohort.y == 1)).sum()), int((cohort.y == 1).sum())
    return [f"{pained:,} of {cases:,} cases had knee pain at the start"] if pained > _IN_PAIN * cases else []


def _by_fields(cohort: Cohort) -> list[str]:
    known, found = cohort.used, []
    for name in cohort.fields:
        value = cohort.values[name].to_numpy(dtype=float)
        own = known & ~np.isnan(value)
        y = cohort.y[own]
        if min(y.sum(), len(y) - y.sum()) >= _FEWEST:
            area = auroc(y, value[own])
            if max(area, 1 - area) >= _TELLING:
                found.append(f"{BY_NAME[name].label} alone has an AUROC of {max(area, 1 - area):.2f}")
    return found


def _by_arm(cohort: Cohort) -> list[str]:
    if cohort.arm is None:
        return []
    y = pd.Series(cohort.y[cohort.used])
    if min(y.sum(), len(y) - y.sum()) < _FEWEST:
        return []
    rates = y.groupby(cohort.arm[cohort.used]).transform("mean")
    area = auroc(np.asarray(y, dtype=float), np.asarray(rates, dtype=float))
    return [f"the arm alone has an AUROC of {area:.2f}"] if area >= _TELLING else []


__all__ = ["followed", "outcome_first"]
