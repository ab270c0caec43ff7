"""C06: how many runners a model of so many fields needs, by published criteria."""

from math import ceil, log

import numpy as np

from pfps_ml.checks.guide import Check
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import ONSET_FIELDS

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
    return ceil(max(*rows, (1.96 / _RISK) ** 2 * rate * (1 - rate)))


def enough_events(cohort: Cohort) -> Check:
    """Hold the number of runners and cases to what the fields need (C06)."""
    used = cohort.used
    rows, events = int(used.sum()), int(cohort.y[used].sum())
    known = cohort.values.loc[used, list(ONSET_FIELDS)].notna()
    fields = int(known.any().sum())
    said = f"{events:,} cases in {rows:,} runners for {fields} fields"
    if min(events, rows - events) < FEWEST_EVENTS:
        return Check("C06", "fail", f"{said}; fewer than {FEWEST_EVENTS} of a class say nothing")
    needed = rows_to_train(max(fields, 1), float(np.clip(events / rows, 1e-6, 1 - 1e-6)))
    return Check("C06", "pass" if rows >= needed else "warn", f"{said}; a model from nothing needs {needed:,} runners")


__all__ = ["FEWEST_EVENTS", "enough_events", "rows_to_train"]
