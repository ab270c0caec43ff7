"""C06: how many runners a model of so many fields needs, by published criteria."""

from math import ceil, log

import numpy as np

from pfps_ml.checks.guide import Check, failed, passed, warned
from pfps_ml.core.levels import normal_quantile
from pfps_ml.core.messages import Message
from pfps_ml.intake.cohort import Cohort

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
    counted, asked = _OF_RUNNERS if cohort.arm is None else _OF_PATIENTS
    counts = Message(counted, {"events": events, "rows": rows, "fields": fields})
    # patients: success under usual care, and for every other arm what it adds, and by every field
    parameters = fields if cohort.arm is None else (fields + 1) * len(set(cohort.arm[used])) - 1
    if min(events, rows - events) < FEWEST_EVENTS:
        return failed("C06", counts, Message("few_events", {"least": FEWEST_EVENTS}))
    needed = rows_to_train(max(parameters, 1), float(np.clip(events / rows, 1e-6, 1 - 1e-6)))
    return (passed if rows >= needed else warned)("C06", counts, Message(asked, {"needed": needed}))


_OF_RUNNERS = ("cases_for_fields", "runners_needed_to_train")
_OF_PATIENTS = ("successes_for_fields", "patients_needed_to_train")


__all__ = ["FEWEST_EVENTS", "enough_events", "rows_to_train"]
