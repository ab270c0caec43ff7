"""C04 and C05: periods, clubs and gaps in the data that tell the outcome without any field's help."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check, judged, not_applicable
from pfps_ml.core.messages import Message
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.intake.cohort import Cohort
from pfps_ml.randomness import generator

Floats = NDArray[np.float64]
_PERIOD, _CLUB = 0.6, 0.65  # AUROC of the period alone, of the club alone
_CHANCE = 0.001
_BETWEEN = 0.5  # share of a field's variance between periods or clubs
_RECORDED, _NO_CHANCE = 0.05, 0.01
_FOLDS, _FEWEST = 5, 5


def stands_for_site(cohort: Cohort) -> Check:
    """Look for periods and clubs that tell the outcome, and fields that stand for them (C04)."""
    used = cohort.used
    groups = {"period": None if cohort.period is None else _codes(cohort.period), "club": _codes(cohort.club)}
    levels = {what: codes[used] for what, codes in groups.items() if codes is not None and len(set(codes[used])) > 1}
    y = cohort.y[used]
    if not levels or min(y.sum(), len(y) - y.sum()) < _FEWEST:
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
    if not fields or min(y.sum(), len(y) - y.sum()) < _FEWEST:
        return not_applicable("C05", Message("no_gaps_to_compare"))
    failures, warnings, club = list[Message](), list[Message](), _codes(cohort.club[used])
    for name in fields:
        area, p = _of_gap(gaps[name].to_numpy(), y, club)
        if p * len(fields) < _NO_CHANCE:
            reason = Message("gap_tells_outcome", {"field": name, "auroc": area})
            (failures if abs(area - 0.5) >= _RECORDED else warnings).append(reason)
    return judged("C05", failures, warnings, Message("gaps_compared", {"n": len(fields)}))


def _codes(texts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return codes of levels; rows without one share a level."""
    return np.asarray(pd.factorize(texts, use_na_sentinel=False)[0], dtype=np.int64)


def _alone(codes: NDArray[np.int64], y: Floats) -> float:
    """Return the AUROC of the level's rate, taken from other rows and drawn to the mean."""
    folds, rates = generator(0, "checks: folds").integers(0, _FOLDS, len(y)), np.zeros(len(y))
    for fold in range(_FOLDS):
        others = folds != fold
        cases, rows = (np.bincount(codes[others], weights=w, minlength=codes.max() + 1) for w in (y[others], None))
        rates[~others] = ((cases + _FEWEST * y[others].mean()) / (rows + _FEWEST))[codes[~others]]
    return auroc(y, rates)


def _p_of_levels(codes: NDArray[np.int64], y: Floats) -> float:
    """Return the p value of the levels' rates being one (chi-squared)."""
    from scipy.special import chdtrc

    rows = np.bincount(codes)
    cases, rows = np.bincount(codes, weights=y)[rows > 0], rows[rows > 0]
    rate = y.mean()
    return float(chdtrc(max(len(rows) - 1, 1), ((cases - rows * rate) ** 2 / (rows * rate * (1 - rate))).sum()))


def _of_gap(missing: NDArray[np.bool_], y: Floats, club: NDArray[np.int64]) -> tuple[float, float]:
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


def _standing(cohort: Cohort, used: NDArray[np.bool_], codes: NDArray[np.int64]) -> Iterator[str]:
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


__all__ = ["stands_for_site", "telling_gaps"]
