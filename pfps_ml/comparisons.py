"""A logged comparison in words: the lines that `pfps compare` and the pipeline print."""

from collections.abc import Iterator

import pandas as pd

from pfps_ml.errors import InputError
from pfps_ml.evaluation.comparison import EXCESS

EXPERIMENT = "pfps-compare"
TABLE = "comparison.csv"
TAG = "comparison"
HEADER = ("candidate", "rounds", "value (95 %)", "less ours (95 %)", "fit, s", "predict, s")


def lines(table: pd.DataFrame, metric: str | None = None) -> Iterator[tuple[str, ...]]:
    """Yield one line a candidate, as `HEADER` says.

    Parameters
    ----------
    table
        What a comparison logged.
    metric
        Which figure to show; the first of the table if not given.

    Raises
    ------
    InputError
        If the comparison has no such figure.
    """
    names = list(table["metric"].unique())
    wanted = metric or names[0]
    if wanted not in names:
        raise InputError(f"expected a figure of the comparison ({', '.join(names)}), got {wanted!r}")
    places = 5 if wanted == EXCESS else 4  # candidates differ by some ten thousandths of it
    for row in table[table["metric"] == wanted].to_dict("records"):
        own = _with_interval(row["value"], row["low"], row["high"], f".{places}f")
        other = _with_interval(row["difference"], row["difference_low"], row["difference_high"], f"+.{places}f")
        yield (str(row["title"]), str(row["rounds"]), own, other,
               f"{row['fit_seconds']:.2f}", f"{row['predict_seconds']:.2f}")  # fmt: skip


def _with_interval(value: float, low: float, high: float, form: str) -> str:
    if pd.isna(value):
        return "not defined"
    interval = "" if pd.isna(low) else f" ({low:{form}} to {high:{form}})"
    return f"{value:{form}}{interval}"


__all__ = ["EXPERIMENT", "HEADER", "TABLE", "TAG", "lines"]
