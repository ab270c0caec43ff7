"""C03 and C08: the same person in two rows, and labels that contradict each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check, failed, judged, passed
from pfps_ml.core.messages import Message
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import ONSET_FIELDS, PATHWAY_FIELDS

_NOISE = 0.02  # share of rows in which a second column contradicts the first
_ALIKE = 8  # known fields from which rows that agree in all are taken to be one runner
_FIELDS = sorted({*ONSET_FIELDS, *PATHWAY_FIELDS})


def repeated_runners(cohort: Cohort) -> Check:
    """Look for persons whose rows could fall into different folds (C03)."""
    rows = pd.DataFrame({"person": cohort.person, "club": cohort.club}).dropna(subset="person")
    twice = rows[rows["person"].duplicated(keep=False)]
    if twice.empty:
        return passed("C03", Message("nobody_twice"))
    count = int(twice["person"].nunique())
    groups = twice.groupby("person")["club"]
    apart = int(((groups.nunique() > 1) | (groups.count() < groups.size())).sum())  # in two clubs, or in none
    counts = {"persons": count, "rows": len(twice)}
    if apart:
        return failed("C03", Message("persons_twice", counts), Message("persons_in_several_clubs", {"persons": apart}))
    return passed("C03", Message("persons_twice_within_clubs", counts))


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


__all__ = ["label_noise", "repeated_runners"]
