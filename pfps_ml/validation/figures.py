"""Figures of predicted risks in a cohort: whole, in parts, and apart, with small cells left blank."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check
from pfps_ml.config import EvaluationConfig
from pfps_ml.errors import CohortError
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.calibration import calibration_curve, calibration_table
from pfps_ml.evaluation.displays_onset import subgroups
from pfps_ml.evaluation.metrics import count_groups, measure_with_intervals
from pfps_ml.evaluation.subgroups import subgroup_table
from pfps_ml.intake.cohort import Cohort

Floats = NDArray[np.float64]
_TENTHS = 10
_CLUBS = "clubs"


@dataclass(frozen=True, eq=False)
class Scored:
    """Who of a cohort can be evaluated: fields, outcome, predicted risk, club, and whom to resample together."""

    X: pd.DataFrame
    y: Floats
    p: Floats
    clubs: NDArray[np.object_]
    groups: NDArray[Any]
    over: str

    @property
    def over_clubs(self) -> bool:
        """Whether intervals are over clubs, and so hold what clubs differ by."""
        return self.over == _CLUBS


def refuse_few(cohort: Cohort, fewest: int, checks: list[Check]) -> None:
    """Refuse a cohort with too few cases (or successes), or others, to report any figure.

    Raises
    ------
    CohortError
        With both counts and the checks that failed.
    """
    y, events = cohort.y[cohort.used], "cases" if cohort.arm is None else "successes"
    cases, others = int(y.sum()), int(len(y) - y.sum())
    if min(cases, others) < fewest:
        failed = "; ".join(f"{each.code}: {each.why}" for each in checks if each.verdict == "fail")
        raise CohortError(
            f"expected at least {fewest} {events} and as many others with a known outcome, got {cases:,} "
            f"and {others:,}; no figure is reported. {failed or f'Follow more {cohort.people}, or join cohorts'}."
        )


def resampled(cohort: Cohort, fewest_clubs: int) -> tuple[NDArray[Any], str]:
    """Return whom to resample together, and its name: clubs where there are enough, else persons."""
    used = cohort.used
    clubs, known = cohort.club[used], pd.notna(cohort.club[used]).all()
    if known and count_groups(clubs) >= fewest_clubs:
        return clubs, _CLUBS
    over = f"{cohort.people}: fewer than {fewest_clubs} clubs, so nothing is said of other clubs"
    return _persons(cohort.person[used]), over


def _persons(who: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return a number for each person; a row that does not say whose it is is taken to be somebody's only one."""
    codes, names = pd.factorize(who)
    unknown = codes < 0
    codes[unknown] = len(names) + np.arange(unknown.sum())
    return np.asarray(codes, dtype=np.int64)


def over_what(said: str) -> str:
    """Return what was resampled, in the one word that a picture has room for."""
    return said.partition(":")[0]


def whole(scored: Scored, settings: EvaluationConfig, outcome: str) -> tuple[pd.DataFrame, displays.Calibration]:
    """Return the figures of all, and their calibration."""
    y, p, groups = scored.y, scored.p, scored.groups
    curve = calibration_curve(y, p, groups, settings)
    drawn = displays.Calibration(_tenths(y, p, settings.fewest_events), curve, p, outcome, over_what(scored.over))
    return measure_with_intervals(y, p, groups, settings.seed, settings.bootstraps), drawn


def apart(
    scored: Scored, by: Mapping[str, npt.ArrayLike], settings: EvaluationConfig
) -> tuple[pd.DataFrame, dict[str, displays.Display]]:
    """Return the figures within each level of each grouping and within each club, and a picture if there are any.

    Small cells have no number of cases either, by which a person could be known.
    """
    parts = [subgroup_table(scored.y, scored.p, by, scored.groups, settings)]
    if pd.Series(scored.clubs).nunique() > 1:
        # within one club there are no clubs to resample, so its interval is over its runners
        one_by_one = {"club": pd.Series(scored.clubs)}
        parts.append(subgroup_table(scored.y, scored.p, one_by_one, np.arange(len(scored.y)), settings))
    cells = pd.concat(parts, ignore_index=True)
    few = (cells["events"] < settings.fewest_events) | (cells["n"] - cells["events"] < settings.fewest_events)
    shown = cells[cells["value"].notna().groupby([cells["field"], cells["level"]]).transform("any")]
    title = "Figures within subgroups, 95 % intervals"
    pictures: dict[str, displays.Display] = {} if shown.empty else {"subgroups": subgroups(shown, title)}
    return cells.assign(events=cells["events"].astype(float).mask(few)), pictures


def _tenths(y: Floats, p: Floats, fewest: int) -> pd.DataFrame:
    """Return the calibration table in as many parts, up to ten, as leave none with too few cases or others."""
    for bins in range(_TENTHS, 1, -1):
        table = calibration_table(y, p, bins)
        cases = table["observed"] * table["n"]
        if min(cases.min(), (table["n"] - cases).min()) >= fewest - 0.5:  # counts, give or take the last bit
            return table
    return calibration_table(y, p, 1)


__all__ = ["Scored", "apart", "over_what", "refuse_few", "resampled", "whole"]
