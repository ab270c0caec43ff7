"""What may be concluded of pathway models from a cohort of patients: most often, that it is not enough to say.

A figure is judged where its 95 % interval is narrow enough (`ValidationConfig`). Because many are judged at once, one
is called off only if the interval at 95 % for all of them together leaves out what is right: no distance from the
predicted mean effect, a slope of 1, and for the predicted success what a release may have (`ReleaseConfig`).
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import Check
from pfps_ml.config import Config, ReleaseConfig, ValidationConfig
from pfps_ml.core.levels import normal_quantile
from pfps_ml.evaluation.metrics import LEVEL
from pfps_ml.validation.arms import ARM_LABELS
from pfps_ml.validation.figures import Scored
from pfps_ml.validation.samplesize import size_table
from pfps_ml.validation.verdict import Verdict, failed_checks

_COLUMNS = ["metric", "label", "value", "low", "high", "width", "needed", "here", "enough"]


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
    judged = rows.assign(verdict=_verdicts(rows, config.release))
    sizes = rows[["metric", "label", "width", "needed", "here", "enough"]]
    return _said(checks, judged, "effects" in tables), sizes, judged.drop(columns=["width", "enough"])


def _of_success(figures: pd.DataFrame, patients: Scored, settings: ValidationConfig) -> list[tuple[Any, ...]]:
    known = figures.set_index("metric")[["value", "low", "high"]]
    return [
        (need.metric, f"Success: {need.label}", *known.loc[str(need.metric)], need.width, need.needed, need.here,
         need.enough)
        for need in size_table(
            patients.y, patients.p, None, settings, figures if patients.over_clubs else None
        ).itertuples()
    ]  # fmt: skip


def _of_effects(tables: Mapping[str, pd.DataFrame], settings: ValidationConfig) -> list[tuple[Any, ...]]:
    if "effects" not in tables:
        return []
    found = []
    for row in tables["effects"].dropna(subset="effect").to_dict("records"):
        needs = _needs(row["low"], row["high"], row["n"], settings.width_effect)
        label = f"{ARM_LABELS[row['arm']]}: mean effect less the predicted"
        found.append((f"off_{row['arm']}", label, row["off"], row["off_low"], row["off_high"], *needs))
    for row in tables["heterogeneity"].to_dict("records"):
        limits = row["slope_low"], row["slope_high"]
        needs = _needs(*limits, row["n"], settings.width_differences)
        label = f"{ARM_LABELS[row['arm']]}: slope of effects"
        found.append((f"slope_{row['arm']}", label, row["slope"], *limits, *needs))
    return found


def _needs(low: float, high: float, here: int, width: float) -> tuple[float, float, int, bool]:
    """Return the width asked for, the patients that it takes (widths fall with the root of them), and if they are."""
    needed = float(ceil(here * ((high - low) / width) ** 2)) if np.isfinite(high - low) else np.inf
    return width, needed, here, bool(here >= needed)


def _verdicts(rows: pd.DataFrame, limits: ReleaseConfig) -> list[str]:
    judged = int(rows["enough"].sum())
    wider = normal_quantile(1 - (1 - LEVEL) / max(judged, 1)) / normal_quantile(LEVEL)
    right = {"observed_expected": limits.observed_expected, "calibration_slope": limits.slope}
    return [_verdict(row, wider, right) if row.enough else "too few patients to judge" for row in rows.itertuples()]


def _verdict(row: Any, wider: float, right: Mapping[str, tuple[float, ...]]) -> str:
    if row.metric == "auroc":
        return "discriminates" if row.low > 0.5 else "off: not shown to be better than 0.5"
    slope = str(row.metric).startswith("slope_")
    least, most = right.get(str(row.metric), (1.0, 1.0) if slope else (0.0, 0.0))
    low, high = row.value - wider * (row.value - row.low), row.value + wider * (row.high - row.value)
    if low > most or high < least:
        return f"off: its interval leaves {least:g}{f' to {most:g}' if most > least else ''} out"
    return "patients differ as predicted" if slope and row.low > 0 else "no sign of being off"


def _said(checks: list[Check], judged: pd.DataFrame, compared: bool) -> Verdict:
    if why := failed_checks(checks):
        return Verdict("none", f"No verdict: the cohort fails {why}. The figures may be better than the model.")
    wrong, lacking = (judged[judged["verdict"].str.startswith(word)] for word in ("off", "too few"))
    left = "" if compared else " No effect of a pathway can be judged: no arm can be held against usual care."
    if len(lacking):
        most = lacking.sort_values("needed").to_dict("records")[-1]
        needs = "more patients than can be told from here"
        if np.isfinite(most["needed"]):
            needs = f"some {float(format(most['needed'], '.2g')):,.0f} patients such as these"
        left += (f" Patients are too few to judge {len(lacking)} of {len(judged)} figures. The hardest one, "
                 f"\"{_within(most['label'])}\", takes {needs}, and here are {most['here']:,}.")  # fmt: skip
    if len(wrong):
        names = "; ".join(map(_within, wrong["label"]))
        return Verdict("does not hold", f"The pathways do not hold here: {names}.{left}")
    if left:
        return Verdict("none", f"No verdict.{left}")
    return Verdict("holds", "The pathways hold here, to the widths that were asked for.")


def _within(label: str) -> str:
    """Return a label as it stands within a sentence."""
    return label[0].lower() + label[1:]


__all__ = ["pathway_verdict"]
