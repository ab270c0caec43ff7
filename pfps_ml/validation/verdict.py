"""What may be concluded of a model from a cohort: only what the cohort is large and sound enough for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pfps_ml.checks.audit import NOT_ONSET
from pfps_ml.checks.guide import Check
from pfps_ml.config import ReleaseConfig
from pfps_ml.domain.outcomes import Horizon

_CLOSE = 1e-9
_TOO_FEW = "too few runners to judge"
_IDEAL = {"observed_expected": 1.0, "calibration_slope": 1.0}
_COLUMNS = ["metric", "label", "value", "low", "high", "needed", "here", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """Whether there is a verdict, and what it says: `none` if the cohort cannot bear one."""

    said: Literal["holds", "does not hold", "none"]
    text: str


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
        None is given where a check fails or runners are too few.
    table
        metric, label, value, low, high, needed, here (runners), verdict.
    """
    judged = _judged(tables, threshold, limits)
    cross = [check for check in checks if check.code in NOT_ONSET]
    if failed_checks(cross):
        text = f"No validation of onset within {horizon} follows from this cohort ({failed_checks(cross)})."
        return Verdict("none", text), judged
    if why := failed_checks(checks):
        return Verdict("none", f"No verdict: the cohort fails {why}. The figures may be better than the model."), judged
    lacking = judged[judged["verdict"] == _TOO_FEW]
    if not lacking.empty:
        most, here = lacking["needed"].max(), int(judged["here"].iloc[0])
        needs = f"{most:,.0f} runners such as these" if np.isfinite(most) else "more runners than can be told from here"
        text = f"No verdict: a full one needs {needs}, and here are {here:,}. Too few to judge: "
        return Verdict("none", f"{text}{', '.join(map(_within, lacking['label']))}."), judged
    wrong = judged[judged["verdict"].str.startswith("off")]
    if wrong.empty:
        return Verdict("holds", "The model holds here, to the widths that were asked for."), judged
    return Verdict("does not hold", f"The model does not hold here: {', '.join(map(_within, wrong['label']))}."), judged


def failed_checks(checks: list[Check]) -> str:
    """Return which checks failed, in words; empty if none did."""
    return "; ".join(f"{check.code} {check.title.lower()}" for check in checks if check.verdict == "fail")


def _judged(tables: Mapping[str, pd.DataFrame], threshold: float, limits: ReleaseConfig) -> pd.DataFrame:
    figures = tables["onset"].set_index("metric")
    ranges = {"observed_expected": limits.observed_expected, "calibration_slope": limits.slope}
    curve = tables["decision"]
    at = curve.iloc[(curve["threshold"] - threshold).abs().argmin()]
    rows = []
    for need in tables["size"].to_dict("records"):
        known = need["metric"] in figures.index
        row = figures.loc[need["metric"]] if known else None
        found = at[["gain", "gain_low", "gain_high"]] if row is None else row[["value", "low", "high"]]
        value, low, high = map(float, found)
        said = _said(need["metric"], low, high, ranges.get(need["metric"]))
        # what an interval leaves out it leaves out, however wide the clubs make it; what it holds says little then
        if need["here"] < need["published"] or not (need["enough"] or said.startswith("off")):
            said = _TOO_FEW
        label = need["label"] if known else f"Net benefit gained at {threshold:.0%}"
        rows.append((need["metric"], label, value, low, high, need["needed"], need["here"], said))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _within(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return label if label.isupper() else label[0].lower() + label[1:]


def _said(metric: str, low: float, high: float, allowed: tuple[float, ...] | None) -> str:
    if allowed is not None:
        inside = low - _CLOSE <= allowed[1] and high + _CLOSE >= allowed[0]
        return "no sign of being off" if inside else f"off: its interval leaves {allowed[0]:g} to {allowed[1]:g} out"
    none = 0.5 if metric == "auroc" else 0.0
    shown = "discriminates" if metric == "auroc" else "of use at that threshold"
    return shown if low > none else f"off: not shown to be better than {np.format_float_positional(none, trim='-')}"


__all__ = ["Verdict", "failed_checks", "verdict_of"]
