"""C01 and C02: what was known when, and for how long runners were followed."""

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import Check, failed, not_applicable, passed, warned
from pfps_ml.core.messages import Message
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.intake.cohort import Cohort

_TELLING = 0.9  # AUROC of a single field that no measurement before the outcome has
_IN_PAIN = 0.2  # share of the cases with knee pain at the start
_LOST = 0.1  # share of those without an episode
_FEWEST = 5  # cases, and others, in which a field is looked at


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
        if min(y.sum(), len(y) - y.sum()) >= _FEWEST:
            area = auroc(y, value[known])
            if max(area, 1 - area) >= _TELLING:
                reasons.append(Message("field_tells_outcome", {"field": name, "auroc": max(area, 1 - area)}))
    return reasons


def _by_arm(cohort: Cohort) -> list[Message]:
    if cohort.arm is None:
        return []
    y = pd.Series(cohort.y[cohort.used])
    if min(y.sum(), len(y) - y.sum()) < _FEWEST:
        return []
    rates = y.groupby(cohort.arm[cohort.used]).transform("mean")
    area = auroc(np.asarray(y, dtype=float), np.asarray(rates, dtype=float))
    return [Message("arm_tells_outcome", {"auroc": area})] if area >= _TELLING else []


__all__ = ["followed", "outcome_first"]
