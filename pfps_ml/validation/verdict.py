"""What may be concluded of a model from a cohort: only what the cohort is large and sound enough for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.checks.audit import NOT_ONSET
from pfps_ml.checks.guide import Check, CheckVerdict
from pfps_ml.config import ReleaseConfig
from pfps_ml.core.messages import Message
from pfps_ml.domain.outcomes import Horizon

_CLOSE = 1e-9
_CHANCE = {"auroc": 0.5}  # the value of a figure that says nothing; 0 of the others
_COLUMNS = ["metric", "label", "value", "low", "high", "needed", "here", "verdict", "verdict_code", "figure_message"]


class Conclusion(StrEnum):
    """What may be concluded of a bundle: nothing, if the cohort cannot bear a verdict."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    NONE = "none"


class FigureVerdict(StrEnum):
    """The codes of what is said of one figure."""

    NOT_OFF = "no_sign_of_being_off"
    DISCRIMINATES = "discriminates"
    OF_USE = "of_use_at_threshold"
    DIFFER_AS_PREDICTED = "patients_differ_as_predicted"
    OFF_RANGE = "interval_leaves_range_out"
    OFF_VALUE = "interval_leaves_value_out"
    NOT_BETTER = "not_shown_to_be_better"
    FEW_RUNNERS = "too_few_runners_to_judge"
    FEW_PATIENTS = "too_few_patients_to_judge"


OFF = (FigureVerdict.OFF_RANGE, FigureVerdict.OFF_VALUE, FigureVerdict.NOT_BETTER)
TOO_FEW = (FigureVerdict.FEW_RUNNERS, FigureVerdict.FEW_PATIENTS)


@dataclass(frozen=True)
class Verdict:
    """What may be concluded, and the messages that say why; the first one is about the conclusion."""

    conclusion: Conclusion
    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """The sentences of the messages."""
        return " ".join(message.text for message in self.messages)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values: the conclusion, the messages with their codes, and their text."""
        messages = [message.as_dict() for message in self.messages]
        return {"conclusion": str(self.conclusion), "text": self.text, "messages": messages}


def verdict_of(
    checks: list[Check], tables: Mapping[str, pd.DataFrame], threshold: float, horizon: Horizon, limits: ReleaseConfig
) -> tuple[Verdict, pd.DataFrame]:
    """Return the verdict on a bundle, and that on each figure.

    Parameters
    ----------
    checks
        What may make the figures look better than they are.
    tables
        `onset`, `decision` and `size`.
    threshold
        The risk at which acting is judged.
    horizon
        Over which the outcome was asked for.
    limits
        What observed / expected and slope may be: a figure is off where its whole interval lies outside, so that a
        very large cohort does not fail a model for a hundredth.

    Returns
    -------
    verdict
        `NONE` where a check fails or runners are too few.
    table
        metric, label, value, low, high, needed, here (runners), verdict (its sentence), verdict_code, figure_message
        (the name of the figure).
    """
    judged = _judged(tables, threshold, limits)
    if failed := named_checks(check for check in checks if check.code in NOT_ONSET):
        about = {"horizon": str(horizon), "checks": failed}
        return _verdict(Conclusion.NONE, Message("no_validation_of_onset", about)), judged
    if failed := named_checks(checks):
        return _verdict(Conclusion.NONE, Message("no_verdict_checks_failed", {"checks": failed})), judged
    lacking, off = (judged[judged["verdict_code"].isin(codes)] for codes in (TOO_FEW, OFF))
    if not lacking.empty:
        needed = needed_message(lacking["needed"].max(), "runners")
        counts: dict[str, Any] = {
            "needed": needed.as_dict(),
            "here": int(judged["here"].iloc[0]),
            "figures": named_figures(lacking),
        }
        return _verdict(Conclusion.NONE, Message("no_verdict_too_few_runners", counts)), judged
    if off.empty:
        return _verdict(Conclusion.HOLDS, Message("model_holds")), judged
    return _verdict(Conclusion.DOES_NOT_HOLD, Message("model_does_not_hold", {"figures": named_figures(off)})), judged


def named_checks(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return which of some checks failed, as messages that name them; empty if none did."""
    return [Message("check_named", {"check": check.code}).as_dict() for check in checks
            if check.verdict == CheckVerdict.FAIL]  # fmt: skip


def needed_message(needed: float, people: str) -> Message:
    """Return how many runners, or patients, a verdict needs; they may be more than this cohort can tell."""
    known, unknown = _NEEDED[people]
    return Message(known, {"n": int(needed)}) if np.isfinite(needed) else Message(unknown)


_NEEDED = {
    "runners": ("runners_such_as_these", "runners_beyond_estimate"),
    "patients": ("patients_such_as_these", "patients_beyond_estimate"),
}


def named_figures(judged: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the figures of some rows as messages that name them."""
    return [dict(message) for message in judged["figure_message"]]


def heading(figure: Message) -> str:
    """Return the name of a figure as a table has it."""
    return figure.text[0].upper() + figure.text[1:]


def off_or(low: float, high: float, allowed: tuple[float, ...], otherwise: FigureVerdict) -> Message:
    """Return that a figure is off if its interval lies outside what is allowed, else another verdict.

    Parameters
    ----------
    low, high
        The interval.
    allowed
        The least and the most that the figure may be; both alike for a single value.
    otherwise
        A verdict without parameters.
    """
    least, most = allowed
    if low - _CLOSE <= most and high + _CLOSE >= least:
        return Message(otherwise)
    if most > least:
        return Message(FigureVerdict.OFF_RANGE, {"least": least, "most": most})
    return Message(FigureVerdict.OFF_VALUE, {"value": least})


def better_or_not(metric: str, low: float) -> Message:
    """Return whether a figure is shown to be better than what says nothing: an AUROC of 0.5, a gain of 0."""
    chance = _CHANCE.get(metric, 0.0)
    if low > chance:
        return Message(FigureVerdict.DISCRIMINATES if metric == "auroc" else FigureVerdict.OF_USE)
    return Message(FigureVerdict.NOT_BETTER, {"chance": chance})


def _verdict(conclusion: Conclusion, message: Message) -> Verdict:
    return Verdict(conclusion, (message,))


def _judged(tables: Mapping[str, pd.DataFrame], threshold: float, limits: ReleaseConfig) -> pd.DataFrame:
    figures = tables["onset"].set_index("metric")
    curve = tables["decision"]
    at_threshold = curve.iloc[(curve["threshold"] - threshold).abs().argmin()]
    rows = []
    for need in tables["size"].to_dict("records"):
        metric = str(need["metric"])
        known = metric in figures.index
        gained = at_threshold[["gain", "gain_low", "gain_high"]]
        value, low, high = map(float, figures.loc[metric, ["value", "low", "high"]] if known else gained)
        verdict = _of_figure(metric, low, high, limits)
        # an interval that leaves a value out does so however wide the clubs make it; one that holds it says little
        if need["here"] < need["published"] or not (need["enough"] or verdict.code in OFF):
            verdict = Message(FigureVerdict.FEW_RUNNERS)
        figure = Message(FIGURES[metric]) if known else Message(FIGURES[metric], {"threshold": threshold})
        rows.append((metric, heading(figure), value, low, high, need["needed"], need["here"], verdict.text,
                     str(verdict.code), figure.as_dict()))  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS)


# by the name of a metric, the code of its name within a sentence
FIGURES = {
    "observed_expected": "figure_observed_expected",
    "calibration_slope": "figure_calibration_slope",
    "auroc": "figure_auroc",
    "net_benefit": "figure_net_benefit",
}


def _of_figure(metric: str, low: float, high: float, limits: ReleaseConfig) -> Message:
    ranges = {"observed_expected": limits.observed_expected, "calibration_slope": limits.slope}
    if metric in ranges:
        return off_or(low, high, ranges[metric], FigureVerdict.NOT_OFF)
    return better_or_not(metric, low)


__all__ = [
    "FIGURES",
    "OFF",
    "TOO_FEW",
    "Conclusion",
    "FigureVerdict",
    "Verdict",
    "better_or_not",
    "heading",
    "named_checks",
    "named_figures",
    "needed_message",
    "off_or",
    "verdict_of",
]
