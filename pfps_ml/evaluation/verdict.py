"""What may be concluded of a model from a cohort, and how many runners such a verdict needs.

A verdict says only what the cohort is large and sound enough for. A figure of pathway models is judged where its 95 %
interval is narrow enough (`ValidationConfig`). Because many are judged at once, one is called off only if the interval
at 95 % for all of them together leaves out what is right: no distance from the predicted mean effect, a slope of 1, and
for the predicted success what a release may have (`ReleaseConfig`).

Sizes follow the published criteria for external validation. Riley and others (Stat Med 2021;40:4230) ask that each 95 %
interval be no wider than a width chosen beforehand: observed/expected, calibration slope, AUROC (standard error of
Newcombe 2006), and standardised net benefit at a threshold. The rate and the spread of the risks are those of the
cohort. They count runners each of whom tells something; those of clubs that differ tell less, and then the intervals
over clubs say how many are needed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import asinh, ceil, inf, log, sinh
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Config, Floats, Message, ReleaseConfig, ValidationConfig, logit, normal_quantile
from pfps_ml.domain import Horizon
from pfps_ml.evaluation.check_catalogue import Check, CheckVerdict
from pfps_ml.evaluation.cohort_checks import NOT_ONSET
from pfps_ml.evaluation.cohort_figures import Scored
from pfps_ml.evaluation.metrics import LEVEL, auroc

_Z = 1.959964
_MOST = 10**8


def rows_for_ratio(rate: float, width: float, club: float = 0.0, club_sd: float = 0.0) -> int:
    """Return the runners at which the 95 % interval of observed/expected around 1 is `width` wide.

    Parameters
    ----------
    rate
        Share of cases.
    width
        Of the interval.
    club, club_sd
        If the ratio is to hold in other clubs than those of the cohort: the size of the club that a runner is in, mean
        over runners, and the standard deviation of the log-odds between clubs. All runners of a club share its rate.
    """
    reach = width / 2
    error = asinh(reach) / _Z  # exp(z e) - exp(-z e) = width
    return ceil(((1 - rate) / rate + club * (club_sd * (1 - rate)) ** 2) / error**2)


def rows_for_slope(p: Floats, width: float) -> float:
    """Return the runners at which the 95 % interval of the calibration slope is `width` wide; infinite if all alike."""
    margin, weight = logit(p), p * (1 - p)
    total, mixed, square = weight.mean(), (weight * margin).mean(), (weight * margin**2).mean()
    information = total * square - mixed**2
    return float(ceil(total / (information * (width / 2 / _Z) ** 2))) if information > 1e-12 else inf


def rows_for_auroc(area: float, rate: float, width: float) -> int:
    """Return the runners at which the 95 % interval of the AUROC is `width` wide."""
    low, high, half_width = 2, _MOST, width / 2 / _Z
    while low < high:
        rows = (low + high) // 2
        half = rows / 2 - 1
        inside = 1 + half * (1 - area) / (2 - area) + half * area / (1 + area)
        if np.sqrt(area * (1 - area) * inside / (rows**2 * rate * (1 - rate))) <= half_width:
            high = rows
        else:
            low = rows + 1
    return low


def rows_for_net_benefit(y: Floats, p: Floats, threshold: float, width: float) -> int:
    """Return the runners at which the 95 % interval of the standardised net benefit is `width` wide."""
    rate, acted = float(y.mean()), p >= threshold
    sensitivity, specificity = float(acted[y == 1].mean()), float((~acted[y == 0]).mean())
    price = (1 - rate) / rate * threshold / (1 - threshold)
    spread = sensitivity * (1 - sensitivity) / rate + price**2 * specificity * (1 - specificity) / (1 - rate)
    spread += price**2 * (1 - specificity) ** 2 / (rate * (1 - rate))
    return max(ceil(spread / (width / 2 / _Z) ** 2), 1)


def size_table(
    y: Floats, p: Floats, threshold: float | None, settings: ValidationConfig, over_clubs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what each verdict needs: metric, label, width, published (runners), needed, here, enough.

    Parameters
    ----------
    y, p
        Outcomes, 0 or 1 (both), and predicted risks.
    threshold
        The risk at which somebody would act; None where nobody acts on it.
    settings
        The widths.
    over_clubs
        The figures, if their intervals are over clubs: where these are wider than the published criteria expect,
        `needed` is what they ask for.
    """
    rate = float(y.mean())
    ratio, area = settings.width_observed_expected, settings.width_auroc
    slope, benefit = settings.width_slope, settings.width_net_benefit
    rows = [
        ("observed_expected", "Observed / expected", ratio, float(rows_for_ratio(rate, ratio))),
        ("calibration_slope", "Calibration slope", slope, rows_for_slope(p, slope)),
        ("auroc", "AUROC", area, float(rows_for_auroc(auroc(y, p), rate, area))),
    ]
    if threshold is not None:
        needed = float(rows_for_net_benefit(y, p, threshold, benefit))
        rows.append(("net_benefit", f"Standardised net benefit at {threshold:.0%}", benefit, needed))
    table = pd.DataFrame(rows, columns=["metric", "label", "width", "published"])
    rows_needed = table["published"] if over_clubs is None else _as_found(table, over_clubs.set_index("metric"), len(y))
    least = np.asarray(rows_needed, dtype=float)
    return table.assign(needed=least, here=len(y), enough=len(y) >= least)


def _as_found(table: pd.DataFrame, figures: pd.DataFrame, here: int) -> list[float]:
    """Return the runners that the intervals found ask for (widths fall with their root), at least the published."""
    needed = []
    for row in table.to_dict("records"):
        width = 0.0
        if row["metric"] in figures.index:
            low, high = map(float, figures.loc[row["metric"], ["low", "high"]])
            ratio = row["metric"] == "observed_expected"  # as wide as it is far from 1, so it is read as if around 1
            width = high - low if not ratio else 2 * sinh(log(high / low) / 2) if low > 0 else inf
        needed.append(max(row["published"], float(np.ceil(here * (width / row["width"]) ** 2))))
    return needed


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


_PATHWAY_COLUMNS = [
    "metric", "kind", "arm", "figure_message", "label", "value", "low", "high", "width", "needed", "here", "enough"
]  # fmt: skip
_ROUNDED = 2  # digits of the number of patients that a sentence names


class Kind(StrEnum):
    """What a figure is about."""

    SUCCESS = "success"
    MEAN_EFFECT = "mean_effect"
    SLOPE = "slope"


def pathway_verdict(
    checks: list[Check], tables: Mapping[str, pd.DataFrame], patients: Scored, config: Config
) -> tuple[Verdict, pd.DataFrame, pd.DataFrame]:
    """Return the verdict on a bundle's pathways, what each figure needs, and the verdict on each.

    Parameters
    ----------
    checks
        What may make the figures look better than they are.
    tables
        `success`; and where any arm can be compared, `effects` and `heterogeneity`.
    patients
        Outcomes and predicted success.
    config
        The widths of intervals from which there is a verdict, and what a release may have.
    """
    settings = config.validation
    rows = pd.DataFrame([*_of_success(tables["success"], patients, settings), *_of_effects(tables, settings)],
                        columns=_PATHWAY_COLUMNS)  # fmt: skip
    verdicts = _verdicts(rows, config.release)
    judged = rows.assign(verdict=[verdict.text for verdict in verdicts],
                         verdict_code=[str(verdict.code) for verdict in verdicts])  # fmt: skip
    sizes = rows[["metric", "label", "width", "needed", "here", "enough"]]
    return _pathway_conclusion(checks, judged, "effects" in tables), sizes, judged.drop(columns=["width", "enough"])


def _of_success(figures: pd.DataFrame, patients: Scored, settings: ValidationConfig) -> list[tuple[Any, ...]]:
    known = figures.set_index("metric")[["value", "low", "high"]]
    over_clubs = figures if patients.over_clubs else None
    rows: list[tuple[Any, ...]] = []
    for need in size_table(patients.y, patients.p, None, settings, over_clubs).to_dict("records"):
        metric = str(need["metric"])
        figure = Message("figure_of_success", {"figure": Message(FIGURES[metric]).as_dict()})
        rows.append((metric, Kind.SUCCESS, None, figure.as_dict(), heading(figure), *known.loc[metric], need["width"],
                     need["needed"], need["here"], need["enough"]))  # fmt: skip
    return rows


def _of_effects(tables: Mapping[str, pd.DataFrame], settings: ValidationConfig) -> list[tuple[Any, ...]]:
    if "effects" not in tables:
        return []
    rows: list[tuple[Any, ...]] = []
    for row in tables["effects"].dropna(subset="effect").to_dict("records"):
        needs = _needs(row["low"], row["high"], row["n"], settings.width_effect)
        figure = Message("figure_mean_effect", {"arm": row["arm"]})
        rows.append((f"off_{row['arm']}", Kind.MEAN_EFFECT, row["arm"], figure.as_dict(), figure.text, row["off"],
                     row["off_low"], row["off_high"], *needs))  # fmt: skip
    for row in tables["heterogeneity"].to_dict("records"):
        limits = row["slope_low"], row["slope_high"]
        needs = _needs(*limits, row["n"], settings.width_differences)
        figure = Message("figure_slope_of_effects", {"arm": row["arm"]})
        rows.append((f"slope_{row['arm']}", Kind.SLOPE, row["arm"], figure.as_dict(), figure.text, row["slope"],
                     *limits, *needs))  # fmt: skip
    return rows


def _needs(low: float, high: float, here: int, width: float) -> tuple[float, float, int, bool]:
    """Return the width asked for, the patients that it takes (widths fall with the root of them), and if they are."""
    needed = float(ceil(here * ((high - low) / width) ** 2)) if np.isfinite(high - low) else np.inf
    return width, needed, here, bool(here >= needed)


def _verdicts(rows: pd.DataFrame, limits: ReleaseConfig) -> list[Message]:
    judged = int(rows["enough"].sum())
    wider = normal_quantile(1 - (1 - LEVEL) / max(judged, 1)) / normal_quantile(LEVEL)
    too_few = Message(FigureVerdict.FEW_PATIENTS)
    return [_of_pathway_figure(row, wider, limits) if row["enough"] else too_few for row in rows.to_dict("records")]


def _of_pathway_figure(row: Mapping[Any, Any], wider: float, limits: ReleaseConfig) -> Message:
    if row["metric"] == "auroc":
        return better_or_not("auroc", row["low"])
    allowed = {
        Kind.MEAN_EFFECT: (0.0, 0.0),
        Kind.SLOPE: (1.0, 1.0),
        Kind.SUCCESS: limits.slope if row["metric"] == "calibration_slope" else limits.observed_expected,
    }[row["kind"]]
    low = row["value"] - wider * (row["value"] - row["low"])
    high = row["value"] + wider * (row["high"] - row["value"])
    differ = row["kind"] == Kind.SLOPE and row["low"] > 0
    return off_or(low, high, allowed, FigureVerdict.DIFFER_AS_PREDICTED if differ else FigureVerdict.NOT_OFF)


def _pathway_conclusion(checks: list[Check], judged: pd.DataFrame, compared: bool) -> Verdict:
    if failed := named_checks(checks):
        return Verdict(Conclusion.NONE, (Message("no_verdict_checks_failed", {"checks": failed}),))
    off, lacking = (judged[judged["verdict_code"].isin(codes)] for codes in (OFF, TOO_FEW))
    notes: tuple[Message, ...] = () if compared else (Message("no_effect_can_be_judged"),)
    if len(lacking):
        notes += (_too_few(lacking, len(judged)),)
    if len(off):
        message = Message("pathways_do_not_hold", {"figures": named_figures(off)})
        return Verdict(Conclusion.DOES_NOT_HOLD, (message, *notes))
    if notes:
        return Verdict(Conclusion.NONE, (Message("no_verdict"), *notes))
    return Verdict(Conclusion.HOLDS, (Message("pathways_hold"),))


def _too_few(lacking: pd.DataFrame, figures: int) -> Message:
    """Return of how many figures patients are too few, and what the hardest one takes."""
    hardest = lacking.sort_values("needed", kind="stable").to_dict("records")[-1]
    needed = hardest["needed"]
    if np.isfinite(needed):
        needed = float(format(needed, f".{_ROUNDED}g"))
    return Message("too_few_patients_for_figures", {
        "lacking": len(lacking), "figures": figures, "hardest": hardest["figure_message"],
        "needed": needed_message(needed, "patients").as_dict(), "here": int(hardest["here"]),
    })  # fmt: skip


__all__ = [
    "FIGURES", "OFF", "TOO_FEW", "Conclusion", "FigureVerdict", "Kind", "Verdict", "better_or_not", "heading",
    "named_checks", "named_figures", "needed_message", "off_or", "pathway_verdict", "rows_for_auroc",
    "rows_for_net_benefit", "rows_for_ratio", "rows_for_slope", "size_table", "verdict_of",
]  # fmt: skip
