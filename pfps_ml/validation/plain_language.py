"""A validation in plain language: its first figures in words, and tables without what only programs need."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.checks.guide import CheckVerdict
from pfps_ml.validation.arms import ARM_LABELS
from pfps_ml.validation.external import Validation
from pfps_ml.validation.verdict import Conclusion


def in_plain_words(validation: Validation) -> str:
    """Return the first figures in words; nothing where a check fails, since they mean little then."""
    rows = validation.figures.set_index("metric")[["value", "low", "high"]].astype(float).to_dict("index")
    ratio, auroc = rows["observed_expected"], 100 * rows["auroc"]["value"]
    if not np.isfinite([ratio["value"], auroc]).all() or any(
        check.verdict == CheckVerdict.FAIL for check in validation.checks
    ):
        return ""
    (events, pair), observed = _EVENTS[validation.about], validation.tables["account"]["rows"].iloc[-1]
    text = (
        f"In plain words: the model expected {observed / ratio['value']:,.0f} {events}, and {observed:,} were seen. "
        f"Of {pair} {auroc:.0f} times in 100; guessing would be 50. "
        "The intervals below say how far chance could move that."
    )
    return text if validation.verdict.conclusion != Conclusion.NONE else f"{text} {_without_verdict(validation, ratio)}"


def _without_verdict(validation: Validation, ratio: Mapping[Hashable, Any]) -> str:
    """Return what follows where there is no verdict; of runners also that the mean risk is off, if it is."""
    if validation.about == "onset" and not ratio["low"] <= 1 <= ratio["high"]:
        side = "high" if ratio["high"] < 1 else "low"
        return f"{_NO_VERDICT} Risks seem too {side} here on average: the interval of observed / expected leaves 1 out."
    return _NO_VERDICT


_EVENTS = {
    "onset": ("cases", "a runner with a new episode and one without, the former had the higher risk"),
    "pathways": (
        "successes under what each patient had",
        "a patient with success and one without, the former had been given the better chance",
    ),
}
_NO_VERDICT = "No verdict means neither that the model is right here nor that it is wrong."


def readable_table(name: str, table: pd.DataFrame | None) -> pd.DataFrame | None:
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
    with_limits, elsewhere = _WITH_LIMITS.get(name, ()), _ELSEWHERE.get(name, ())
    figures = {
        column: [figure_with_limits(*row) for row in table[[column, *_limits(column)]].itertuples(index=False)]
        for column in with_limits
    }
    table = table.drop(columns=[column for column in table if str(column).endswith(_CODED)])
    left_out = [*(_FOR_PROGRAMS if "label" in table else ()), *elsewhere]
    left_out += [limit for column in (*with_limits, *elsewhere) for limit in _limits(column)]
    header = {"label": _HEADER.get(name, "figure"), "psi": "PSI"}
    return table.assign(**arms, **figures).drop(columns=left_out, errors="ignore").rename(columns=header)


_ARMS, _FOR_PROGRAMS = ("arm", "better", "other"), ("metric", "field")
_HEADER = {"drift": "field", "yardstick": "field", "gate": "simpler account"}
_CODED = ("_code", "_message")
_ELSEWHERE = {"checks": ("page", "reasons"), "verdict": ("kind", "arm"), "heterogeneity": ("mean",)}
_WITH_LIMITS = {"heterogeneity": ("slope", "group_spread"), "areas": ("autoc", "qini")}


def _limits(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


def _compact(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row a cell with the figures that people look for; the JSON file has all."""
    main = cells[cells["metric"].isin(_LOOKED_FOR)]
    texts = [
        "n/a" if np.isnan(value) else f"{value:z.2f}" if np.isnan(low) else f"{value:z.2f} ({low:z.2f} to {high:z.2f})"
        for value, low, high in main[["value", "low", "high"]].itertuples(index=False)
    ]
    wide = main.assign(text=texts).pivot(index=_CELL, columns="metric", values="text")[list(_LOOKED_FOR)]
    labels = main.drop_duplicates("metric").set_index("metric")["label"]
    return main[_CELL].drop_duplicates().merge(wide.rename(columns=labels.to_dict()).reset_index(), on=_CELL)


_LOOKED_FOR = ("auroc", "brier", "observed_expected", "calibration_slope")
_CELL = ["field", "level", "n", "events"]


def figure_with_limits(value: Any, low: Any, high: Any) -> str:
    """Return a figure with its limits; n/a if it is not known."""
    return "n/a" if np.isnan(value) else f"{value:z.3f} ({low:z.3f} to {high:z.3f})"


__all__ = ["figure_with_limits", "in_plain_words", "readable_table"]
