"""C04 and C05: periods, clubs and gaps in the data that tell the outcome without any field's help."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check, judged
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.intake.cohort import Cohort
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.randomness import generator

Floats = NDArray[np.float64]
_PERIOD, _CLUB = 0.6, 0.65  # AUROC of the period alone, of the club alone
_CHANCE = 0.001
_BETWEEN = 0.5  # share of a field's variance between periods or clubs
_RECORDED, _NO_CHANCE = 0.05, 0.01
_FOLDS, _FEWEST = 5, 5


def stands_for_site(cohort: Cohort) -> Check:
    """Look for periods and clubs that tell the outcome, and fields that stand for them (C04)."""
    used, clubs = cohort.used, _kept(cohort.club)
    groups = {"period": None if cohort.period is None else _kept(cohort.period), "club": clubs}
    asked = {what: codes[used] for what, codes in groups.items() if codes is not None and len(set(codes[used])) > 1}
    y = cohort.y[used]
    if not asked or min(y.sum(), len(y) - y.sum()) < _FEWEST:
        return Check("C04", "not applicable", "no period or club with more than one level, or too few events to tell")
    failed, warned, told = list[str](), list[str](), list[str]()
    for what, codes in asked.items():
        area, p = _alone(codes, y), _p_of_levels(codes, y)
        said = f"{what} alone has an AUROC of {area:.2f}"
        limit = _PERIOD if what == "period" else _CLUB
        if area >= limit and p < _CHANCE:
            (failed if what == "period" else warned).append(said)
            failed += [f"{BY_NAME[name].label} stands for the {what}" for name in _standing(cohort, used, codes)]
        told.append(said)
    return judged("C04", failed, warned, "; ".join(told))


def telling_gaps(cohort: Cohort) -> Check:
    """Look for fields whose being recorded tells the outcome (C05)."""
    used = cohort.used
    y, gaps = cohort.y[used], cohort.values.loc[used, list(cohort.fields)].isna()
    asked = [name for name in gaps if 0 < gaps[name].sum() < len(y)]
    if not asked or min(y.sum(), len(y) - y.sum()) < _FEWEST:
        return Check("C05", "not applicable", "no field is missing in some rows only, or too few events to tell")
    failed, warned, club = list[str](), list[str](), _kept(cohort.club[used])
    for name in asked:
        area, p = _of_gap(gaps[name].to_numpy(), y, club)
        if p * len(asked) < _NO_CHANCE:
            said = f"{BY_NAME[str(name)].label} missing or not has an AUROC of {area:.2f}"
            (failed if abs(area - 0.5) >= _RECORDED else warned).append(said)
    return judged("C05", failed, warned, f"{len(asked)} fields with gaps were looked at")


def _kept(texts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return codes of levels; rows without one share a level."""
    return np.asarray(pd.factorize(texts, use_na_sentinel=False)[0], dtype=np.int64)


def _alone(codes: NDArray[np.int64], y: Floats) -> float:
    """Return the AUROC of the level's rate, taken from other rows and drawn to the mean."""
    fold, found = generator(0, "checks: folds").integers(0, _FOLDS, len(y)), np.zeros(len(y))
    for each in range(_FOLDS):
        seen = fold != each
        cases, rows = (np.bincount(codes[seen], weights=w, minlength=codes.max() + 1) for w in (y[seen], None))
        found[~seen] = ((cases + _FEWEST * y[seen].mean()) / (rows + _FEWEST))[codes[~seen]]
    return auroc(y, found)


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
        own, level = column[known], codes[known]
        groups = len(set(level))
        if len(own) <= 2 * groups or float(own.var()) == 0:
            continue
        inside = float(own.groupby(level).transform(lambda part: part - part.mean()).pow(2).sum())
        share = 1 - inside / (len(own) - groups) / float(own.var())  # adjusted for the number of levels
        if share >= _BETWEEN:
            yield name


__all__ = ["stands_for_site", "telling_gaps"]
