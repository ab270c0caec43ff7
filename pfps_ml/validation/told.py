"""What a person reads of a validation: figures in words, and tables without what only programs need."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import CheckVerdict
from pfps_ml.validation.arms import ARM_LABELS
from pfps_ml.validation.external import Validation
from pfps_ml.validation.verdict import Conclusion


def plainly(found: Validation) -> str:
    """Return the first figures in words; nothing where a check fails, since they mean little then."""
    rows = found.figures.set_index("metric")[["value", "low", "high"]].astype(float).to_dict("index")
    ratio, auroc = rows["observed_expected"], 100 * rows["auroc"]["value"]
    if not np.isfinite([ratio["value"], auroc]).all() or any(
        check.verdict == CheckVerdict.FAIL for check in found.checks
    ):
        return ""
    (counted, pair), seen = _COUNTED[found.about], found.tables["account"]["rows"].iloc[-1]
    text = (
        f"In plain words: the model expected {seen / ratio['value']:,.0f} {counted}, and {seen:,} were seen. Of {pair} "
        f"{auroc:.0f} times in 100; guessing would be 50. The intervals below say how far chance could move that."
    )
    return text if found.verdict.conclusion != Conclusion.NONE else f"{text} {_open(found, ratio)}"


def _open(found: Validation, ratio: Mapping[Hashable, Any]) -> str:
    """Return what follows where there is no verdict; of runners also that the mean risk is off, if it is."""
    if found.about == "onset" and not ratio["low"] <= 1 <= ratio["high"]:
        side = "high" if ratio["high"] < 1 else "low"
        return f"{_OPEN} Risks seem too {side} here on average: the interval of observed / expected leaves 1 out."
    return _OPEN


_COUNTED = {
    "onset": ("cases", "a runner with a new episode and one without, the former had the higher risk"),
    "pathways": (
        "successes under what each patient had",
        "a patient with success and one without, the former had been given the better chance",
    ),
}
_OPEN = "No verdict means neither that the model is right here nor that it is wrong."


def for_people(name: str, table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return a table of a report as people read it: labels instead of the names that programs read.

    Parameters
    ----------
    name
        Of the table; some have columns that stand elsewhere in the report.
    table
        None if there is a picture in its place. The JSON file has every column.
    """
    if table is None or name == "cells":
        return None if table is None else _compact(table)
    arms = {column: table[column].replace(ARM_LABELS) for column in _ARMS if column in table}
    folded = _FOLDED.get(name, ())
    told = {each: [shown(*row) for row in table[[each, *_limits(each)]].itertuples(index=False)] for each in folded}
    table = table.drop(columns=[column for column in table if str(column).endswith(_FOR_PROGRAMS)])
    unread = [*(_UNREAD if "label" in table else ()), *_ELSEWHERE.get(name, ())]
    unread += [limit for each in (*folded, *_ELSEWHERE.get(name, ())) for limit in _limits(each)]
    headed = {"label": _HEADED.get(name, "figure"), "psi": "PSI"}
    return table.assign(**arms, **told).drop(columns=unread, errors="ignore").rename(columns=headed)


_ARMS, _UNREAD = ("arm", "better", "other"), ("metric", "field")
_HEADED = {"drift": "field", "yardstick": "field", "gate": "simpler account"}
_FOR_PROGRAMS = ("_code", "_message")
_ELSEWHERE = {"checks": ("page", "reasons"), "verdict": ("kind", "arm"), "heterogeneity": ("mean",)}
_FOLDED = {"heterogeneity": ("slope", "group_spread"), "areas": ("autoc", "qini")}


def _limits(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


def _compact(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell with the figures that people look for; the JSON file has all."""
    own = cells[cells["metric"].isin(_LOOKED_FOR)]
    told = [
        "n/a" if np.isnan(value) else f"{value:z.2f}" if np.isnan(low) else f"{value:z.2f} ({low:z.2f} to {high:z.2f})"
        for value, low, high in own[["value", "low", "high"]].itertuples(index=False)
    ]
    wide = own.assign(told=told).pivot(index=_CELL, columns="metric", values="told")[list(_LOOKED_FOR)]
    labels = own.drop_duplicates("metric").set_index("metric")["label"]
    return own[_CELL].drop_duplicates().merge(wide.rename(columns=labels.to_dict()).reset_index(), on=_CELL)


_LOOKED_FOR = ("auroc", "brier", "observed_expected", "calibration_slope")
_CELL = ["field", "level", "n", "events"]


def shown(value: Any, low: Any, high: Any) -> str:
    """Return a figure with its limits; n/a if it is not known."""
    return "n/a" if np.isnan(value) else f"{value:z.3f} ({low:z.3f} to {high:z.3f})"


__all__ = ["for_people", "plainly", "shown"]
