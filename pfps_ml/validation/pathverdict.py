"""What may be concluded of pathway models from a cohort of patients: most often, that it is not enough to say.

A figure is judged where its 95 % interval is narrow enough (`ValidationConfig`). Because many are judged at once, one
is called off only if the interval at 95 % for all of them together leaves out what is right: no distance from the
predicted mean effect, a slope of 1, and for the predicted success what a release may have (`ReleaseConfig`).
"""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import Check
from pfps_ml.config import Config, ReleaseConfig, ValidationConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.core.messages import Message
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.validation.figures import Scored
from pfps_ml.validation.samplesize import size_table
from pfps_ml.validation.verdict import (
    FIGURES,
    OFF,
    TOO_FEW,
    Conclusion,
    FigureVerdict,
    Verdict,
    better_or_not,
    heading,
    named_checks,
    named_figures,
    needed_message,
    off_or,
)

_COLUMNS = [
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
                        columns=_COLUMNS)  # fmt: skip
    verdicts = _verdicts(rows, config.release)
    judged = rows.assign(verdict=[verdict.text for verdict in verdicts],
                         verdict_code=[str(verdict.code) for verdict in verdicts])  # fmt: skip
    sizes = rows[["metric", "label", "width", "needed", "here", "enough"]]
    return _verdict(checks, judged, "effects" in tables), sizes, judged.drop(columns=["width", "enough"])


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
    return [_of_figure(row, wider, limits) if row["enough"] else too_few for row in rows.to_dict("records")]


def _of_figure(row: Mapping[Any, Any], wider: float, limits: ReleaseConfig) -> Message:
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


def _verdict(checks: list[Check], judged: pd.DataFrame, compared: bool) -> Verdict:
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


__all__ = ["Kind", "pathway_verdict"]
