"""How every picture looks: its size, colours and notice; and shap's beeswarm, drawn without pyplot."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pfps_ml.knowledge.contracts import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8a8a8a", "#333333"
DPI = 120
_LONGEST = 60  # characters of a name beside a line; the table behind it has the rest
MOST_FIELDS = 12  # of a beeswarm; the table behind it has them all


def new_figure(title: str, height: float) -> "Figure":
    """Return an empty figure, `height` inches high, with its title above and the notice in the corner."""
    from matplotlib.figure import Figure

    # no pyplot: such a figure is drawn by Agg when saved, and vanishes when nobody holds it
    figure = Figure(figsize=(800 / DPI, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    notice(figure, NOTICE)
    return figure


def notice(figure: "Figure", said: str) -> None:
    """Write what the models have to say of themselves into the figure's corner, in place of what stands there."""
    figure.supxlabel(said, x=0.99, ha="right", fontsize=7, color="#666666")


def as_percent(figure: "Figure", *sides: Any) -> "Figure":
    """Label these axes in per cent, take the needless frame lines away, and return the figure."""
    from matplotlib.ticker import FuncFormatter

    for side in sides:
        side.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def forest(
    axes: "Axes", table: pd.DataFrame, columns: tuple[str, str, str], names: Sequence[str], none: float | None = None
) -> None:
    """Draw one line a row, the first at the top: value, low and high of the named columns; `none` is a line to meet.

    A row without a value keeps its line and says so.
    """
    value, low, high = (table[name].to_numpy(float) for name in columns)
    places = np.arange(len(table))[::-1]
    if none is not None:
        axes.axvline(none, color=GREY, linestyle="--", linewidth=1)
    # a value may lie a last bit outside its limits where all resamples agree
    bars = [np.clip(value - low, 0, None), np.clip(high - value, 0, None)]
    axes.errorbar(value, places, xerr=bars, fmt="o", color=BLUE, markersize=5, capsize=3)
    for place in places[np.isnan(value)]:
        axes.text(0.5, place, "too few events", color=INK, va="center", ha="center", fontsize=8,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    # parse_math: a name such as "A$x^$" is no formula
    shown = [each if len(each) <= _LONGEST else f"{each[: _LONGEST // 2]}…{each[-_LONGEST // 2 :]}" for each in names]
    axes.set_yticks(places, shown, fontsize=9, parse_math=False)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_ylim(-0.6, len(table) - 0.4)


def beeswarm(figure: "Figure", values: pd.DataFrame, data: pd.DataFrame, names: list[str], base: float) -> None:
    """Draw shap's beeswarm of contributions (log-odds) by coded values (NaN: not measured) into the figure."""
    with _quiet_import():
        import shap
    bases = np.full(len(values), base)
    told = shap.Explanation(values.to_numpy(float), base_values=bases, data=data.to_numpy(float), feature_names=names)
    axes: Axes = figure.subplots()
    # the rest is left out: shap would give the sum of many fields the colours of one of them
    shap.plots.beeswarm(told, max_display=MOST_FIELDS, group_remaining_features=False, ax=axes, show=False,
                        plot_size=None, s=8, color=_value_colours(),
                        color_bar_label="Value (grey: not measured)")  # fmt: skip
    part = f" (the {MOST_FIELDS} largest of {len(names)} fields)" if len(names) > MOST_FIELDS else ""
    axes.set_xlabel(f"Contribution to the log-odds{part}", fontsize=10)
    axes.tick_params(labelsize=9)
    figure.axes[-1].yaxis.label.set_fontsize(9)
    figure.axes[-1].tick_params(labelsize=9)


def _value_colours() -> "ListedColormap":
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    # viridis holds no grey, which is kept for what was not measured; its palest yellow is lost on white
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.9, 256)))


@contextmanager
def _quiet_import() -> Iterator[None]:
    with warnings.catch_warnings():
        # shap 0.51 sets colours in a way that matplotlib 3.11 will drop, at import; nothing we can change
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


__all__ = [
    "BLUE",
    "DPI",
    "GREY",
    "INK",
    "MOST_FIELDS",
    "ORANGE",
    "as_percent",
    "beeswarm",
    "forest",
    "new_figure",
    "notice",
]
