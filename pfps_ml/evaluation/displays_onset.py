"""Pictures of onset risks judged: decision curve, subgroups, and what more fields or more training clubs buy.

As in `displays`: a table first, then the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import pandas as pd

from pfps_ml.evaluation.displays import BLUE, GREY, INK, ORANGE, as_percent, forest, new_figure
from pfps_ml.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVES = (
    ("net_benefit", "Model", BLUE, "-"),
    ("everybody", "Everybody", ORANGE, "--"),
    ("nobody", "Nobody", GREY, ":"),
)
_LEVELS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito
_FOREST = ("auroc", "observed_expected", "calibration_slope")  # the figures that a picture of subgroups can hold


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """What acting on risks above a threshold is worth, against acting for everybody and for nobody."""

    table: pd.DataFrame
    over: str = "clubs"

    def frame(self) -> pd.DataFrame:
        """Return what `decision_table` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return the three curves, and the model's band."""
        figure = new_figure("Decision curve: net benefit of acting above a threshold", height=5.0)
        axes, seen = figure.subplots(), self.table
        axes.fill_between(seen["threshold"], 100 * seen["low"], 100 * seen["high"], color=BLUE, alpha=0.18,
                          linewidth=0, label=f"95 % band over {self.over}")  # fmt: skip
        for column, name, color, dashes in _CURVES:
            axes.plot(seen["threshold"], 100 * seen[column], color=color, linestyle=dashes, linewidth=1.8, label=name)
        lowest = 100 * min(float(seen["low"].min()), 0.0)
        axes.set_ylim(bottom=lowest - 0.25, top=1.15 * 100 * float(seen["high"].max()))
        axes.set(xlabel="Threshold of risk", ylabel="Net benefit (cases found per 100 runners)")
        axes.legend(frameon=False)
        return as_percent(figure, axes.xaxis)


@dataclass(frozen=True, eq=False)
class DecisionParts:
    """What acting on risks above a threshold gains within parts of the runners."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return what `decision_parts` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return a panel a grouping: the gain over the better of acting for everybody and for nobody, by level."""
        groupings = list(dict.fromkeys(self.table["field"]))
        figure = new_figure("What acting by the model gains, within subgroups", height=4.4)
        panels = figure.subplots(1, len(groupings), sharey=True, squeeze=False)[0]
        for axes, grouping in zip(panels, groupings, strict=True):
            axes.axhline(0, color=INK, linewidth=1)
            seen = self.table[self.table["field"] == grouping]
            for (level, rows), color in zip(seen.groupby("level", sort=False), cycle(_LEVELS)):
                name = f"{level}: too few events" if rows["gain"].isna().all() else str(level)
                axes.plot(rows["threshold"], 100 * rows["gain"], color=color, label=name)
                axes.fill_between(rows["threshold"], 100 * rows["gain_low"], 100 * rows["gain_high"], color=color,
                                  alpha=0.08, linewidth=0)  # fmt: skip
            axes.set_title(grouping.capitalize(), fontsize=10)
            axes.set_xlabel("Threshold of risk", fontsize=9)
            axes.legend(frameon=False, fontsize=7)
        panels[0].set_ylabel("Gain (cases found per 100 runners)", fontsize=9)
        return as_percent(figure, *(axes.xaxis for axes in panels))


@dataclass(frozen=True, eq=False)
class Subgroups:
    """Figures of parts of the runners, side by side."""

    table: pd.DataFrame
    title: str

    def frame(self) -> pd.DataFrame:
        """Return what `subgroup_table` returned: field, level, n, events, metric, label, value, low, high."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return a forest of AUROC, observed/expected and slope; a part with too few events keeps its line."""
        parts = self.table.drop_duplicates(["field", "level"])
        names = [f"{row.level} (n = {row.n:,}, {row.events:,} events)" for row in parts.itertuples()]
        figure = new_figure(self.title, height=1.7 + 0.38 * len(names))
        panels = figure.subplots(1, len(_FOREST), sharey=True)
        for axes, metric in zip(panels, _FOREST, strict=True):
            seen, ideal = self.table[self.table["metric"] == metric], METRICS[metric].ideal
            forest(axes, seen, ("value", "low", "high"), names, none=0.5 if metric == "auroc" else ideal)
            axes.set_xlabel(METRICS[metric].label, fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        return figure


@dataclass(frozen=True, eq=False)
class Parts:
    """The same runners predicted with more and more known: tiers of measurement, or training clubs."""

    table: pd.DataFrame
    title: str
    metrics: Sequence[str]

    def frame(self) -> pd.DataFrame:
        """Return what `compare_parts` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return each figure, with its interval, from the least known to the most."""
        names = list(dict.fromkeys(self.table["part"]))
        figure = new_figure(self.title, height=1.9 + 0.5 * len(names))
        panels = figure.subplots(1, len(self.metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(panels, self.metrics, strict=True):
            forest(axes, self.table[self.table["metric"] == metric], ("value", "low", "high"), names)
            axes.set_xlabel(METRICS[metric].label, fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        return figure


def decision_curve(table: pd.DataFrame, over: str = "clubs") -> DecisionCurve:
    """Return the display of what `decision_table` returned, with intervals over what was resampled."""
    return DecisionCurve(table.copy(), over)


def decision_subgroups(table: pd.DataFrame) -> DecisionParts:
    """Return the display of what `decision_parts` returned."""
    return DecisionParts(table.copy())


def subgroups(table: pd.DataFrame, title: str = "Figures within subgroups, 95 % intervals over clubs") -> Subgroups:
    """Return the display of what `subgroup_table` returned."""
    return Subgroups(table.copy(), title)


def tiers(table: pd.DataFrame) -> Parts:
    """Return the display of what each tier of measurement buys, from `compare_parts`."""
    return Parts(table.copy(), "What each tier of measurement buys, the same runners", ("auroc", "scaled_brier"))


def learning_curve(table: pd.DataFrame) -> Parts:
    """Return the display of what more training clubs buy, from `compare_parts`."""
    return Parts(table.copy(), "Learning curve: what more training clubs buy", ("auroc", "scaled_brier", "log_loss"))


__all__ = [
    "DecisionCurve",
    "DecisionParts",
    "Parts",
    "Subgroups",
    "decision_curve",
    "decision_subgroups",
    "learning_curve",
    "subgroups",
    "tiers",
]
