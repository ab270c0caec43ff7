"""C06: how many runners a model of so many fields needs, by published criteria."""

from math import ceil, log

import numpy as np

from pfps_ml.checks.guide import Check
from pfps_ml.core.levels import normal_quantile
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
    rows = [parameters / ((each - 1) * log(1 - explained / each)) for each in shrinkages]
    return ceil(max(*rows, (normal_quantile(0.95) / _RISK) ** 2 * rate * (1 - rate)))


def enough_events(cohort: Cohort) -> Check:
    """Hold the number of runners and cases to what the fields need (C06)."""
    used = cohort.used
    rows, events = int(used.sum()), int(cohort.y[used].sum())
    known = cohort.values.loc[used, list(cohort.fields)].notna()
    fields, people = int(known.any().sum()), cohort.people
    events_of = "cases" if cohort.arm is None else "successes"
    said = f"{events:,} {events_of} in {rows:,} {people} for {fields} fields"
    # patients: success under usual care, and for every other arm what it adds, and by every field
    parameters = fields if cohort.arm is None else (fields + 1) * len(set(cohort.arm[used])) - 1
    if min(events, rows - events) < FEWEST_EVENTS:
        return Check("C06", "fail", f"{said}; fewer than {FEWEST_EVENTS} of a class say nothing")
    needed = rows_to_train(max(parameters, 1), float(np.clip(events / rows, 1e-6, 1 - 1e-6)))
    return Check("C06", "pass" if rows >= needed else "warn", f"{said}; a model from nothing needs {needed:,} {people}")


__all__ = ["FEWEST_EVENTS", "enough_events", "rows_to_train"]
