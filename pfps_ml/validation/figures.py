"""Figures of predicted risks in a cohort: whole, in parts, and apart, with small cells left blank."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.checks.guide import Check, CheckVerdict
from pfps_ml.config import EvaluationConfig
from pfps_ml.core.messages import Message
from pfps_ml.errors import CohortError
from pfps_ml.evaluation import displays
from pfps_ml.evaluation.calibration import calibration_curve, calibration_table
from pfps_ml.evaluation.displays_onset import subgroups
from pfps_ml.evaluation.metrics import count_groups, measure_with_intervals
from pfps_ml.evaluation.subgroups import subgroup_table
from pfps_ml.intake.cohort import Cohort

Floats = NDArray[np.float64]
_TENTHS = 10


class Resampled(StrEnum):
    """Who is drawn together where intervals are over resamples."""

    CLUBS = "clubs"
    RUNNERS = "runners"
    PATIENTS = "patients"


@dataclass(frozen=True)
class Resampling:
    """What intervals are over, and the fewest clubs that would be resampled."""

    unit: Resampled
    fewest_clubs: int

    @property
    def message(self) -> Message:
        """What a report says of it."""
        if self.unit is Resampled.CLUBS:
            return Message("intervals_over_clubs")
        code = "intervals_over_runners" if self.unit is Resampled.RUNNERS else "intervals_over_patients"
        return Message(code, {"least": self.fewest_clubs})


@dataclass(frozen=True, eq=False)
class Scored:
    """Who of a cohort can be evaluated: fields, outcome, predicted risk, club, and whom to resample together."""

    X: pd.DataFrame
    y: Floats
    p: Floats
    clubs: NDArray[np.object_]
    groups: NDArray[Any]
    over: Resampling

    @property
    def over_clubs(self) -> bool:
        """Whether intervals are over clubs, and so hold what clubs differ by."""
        return self.over.unit is Resampled.CLUBS


def refuse_few(cohort: Cohort, fewest: int, checks: list[Check]) -> None:
    """Refuse a cohort with too few cases (or successes), or others, to report any figure.

    Raises
    ------
    CohortError
        With both counts and the checks that failed.
    """
    y = cohort.y[cohort.used]
    events, others = int(y.sum()), int(len(y) - y.sum())
    if min(events, others) < fewest:
        code, advice = _TOO_FEW[cohort.people]
        failed = [Message("check_failed_why", {"check": check.code, "reasons": [r.as_dict() for r in check.reasons]})
                  for check in checks if check.verdict == CheckVerdict.FAIL]  # fmt: skip
        causes = [cause.as_dict() for cause in failed or [Message(advice)]]
        raise CohortError(Message(code, {"least": fewest, "events": events, "others": others, "causes": causes}))


_TOO_FEW = {
    "runners": ("too_few_cases_to_report", "follow_more_runners"),
    "patients": ("too_few_successes_to_report", "follow_more_patients"),
}


def resampled(cohort: Cohort, fewest_clubs: int) -> tuple[NDArray[Any], Resampling]:
    """Return whom to resample together, and what they are: clubs where there are enough, else persons."""
    used = cohort.used
    clubs, known = cohort.club[used], pd.notna(cohort.club[used]).all()
    if known and count_groups(clubs) >= fewest_clubs:
        return clubs, Resampling(Resampled.CLUBS, fewest_clubs)
    return _persons(cohort.person[used]), Resampling(Resampled(cohort.people), fewest_clubs)


def _persons(who: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return a number for each person; a row that does not say whose it is is taken to be somebody's only one."""
    codes, names = pd.factorize(who)
    unknown = codes < 0
    codes[unknown] = len(names) + np.arange(unknown.sum())
    return np.asarray(codes, dtype=np.int64)


def whole(scored: Scored, settings: EvaluationConfig, outcome: str) -> tuple[pd.DataFrame, displays.Calibration]:
    """Return the figures of all, and their calibration."""
    y, p, groups = scored.y, scored.p, scored.groups
    curve = calibration_curve(y, p, groups, settings)
    drawn = displays.Calibration(_tenths(y, p, settings.fewest_events), curve, p, outcome, str(scored.over.unit))
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
    too_few = (cells["events"] < settings.fewest_events) | (cells["n"] - cells["events"] < settings.fewest_events)
    shown = cells[cells["value"].notna().groupby([cells["field"], cells["level"]]).transform("any")]
    title = "Figures within subgroups, 95 % intervals"
    pictures: dict[str, displays.Display] = {} if shown.empty else {"subgroups": subgroups(shown, title)}
    return cells.assign(events=cells["events"].astype(float).mask(too_few)), pictures


def _tenths(y: Floats, p: Floats, fewest: int) -> pd.DataFrame:
    """Return the calibration table in as many parts, up to ten, as leave none with too few cases or others."""
    for bins in range(_TENTHS, 1, -1):
        table = calibration_table(y, p, bins)
        cases = table["observed"] * table["n"]
        if min(cases.min(), (table["n"] - cases).min()) >= fewest - 0.5:  # counts, give or take the last bit
            return table
    return calibration_table(y, p, 1)


__all__ = ["Resampled", "Resampling", "Scored", "apart", "refuse_few", "resampled", "whole"]
