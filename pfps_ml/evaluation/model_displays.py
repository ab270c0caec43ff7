"""Pictures of how models were judged: onset (decision curve, subgroups, more data) and pathways (effects, policies).

As in `displays`: a table first, then the picture. Those of pathways also show groups of patients, targeting, hidden
confounding and propensities; those of onset what more fields or more training clubs bring.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pfps_ml.domain import ARMS, SUCCESS
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


_LABELS = {arm.name: arm.label for arm in ARMS}


@dataclass(frozen=True, eq=False)
class Effects:
    """The adjusted effect of each pathway with its interval, beside the raw difference."""

    table: pd.DataFrame
    label: str = SUCCESS.label

    def frame(self) -> pd.DataFrame:
        """Return what `adjusted_effects` returned: arm, effect, low, high, n, naive."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return a forest plot in percentage points; an arm without data keeps its line and says so."""
        figure = new_figure(f"{self.label}: effect of each pathway", height=1.8 + 0.75 * len(self.table))
        axes = figure.subplots()
        shown = self.table.iloc[::-1].reset_index(drop=True)
        effect, low, high, naive = (100 * shown[name].to_numpy(float) for name in ("effect", "low", "high", "naive"))
        places = np.arange(len(shown))
        axes.axvline(0, color=GREY, linewidth=1)
        axes.errorbar(effect, places + 0.1, xerr=[effect - low, high - effect], fmt="o", color=BLUE, markersize=7,
                      capsize=3, label="Adjusted, 95 % interval")  # fmt: skip
        axes.plot(naive, places - 0.15, "D", color=ORANGE, fillstyle="none", markersize=6, label="Raw difference")
        if "predicted" in shown:
            axes.plot(100 * shown["predicted"], places + 0.25, "|", color=INK, markersize=11, label="Predicted")
        for place in places[np.isnan(effect)]:
            axes.text(0, place, " no data", color=INK, va="center")
        axes.set_yticks(
            places, [f"{_LABELS[arm]}\n(n = {n:,})" for arm, n in zip(shown["arm"], shown["n"], strict=True)]
        )
        axes.set(xlabel="Difference from usual care (percentage points)", ylim=(-0.6, len(shown) - 0.4))
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        return figure


@dataclass(frozen=True, eq=False)
class Policies:
    """What choosing by the model is worth, and how far it leads each simple rule."""

    table: pd.DataFrame
    label: str = SUCCESS.label

    def frame(self) -> pd.DataFrame:
        """Return what `policy_values` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return each rule's value, and the lead of the model's choices over it, with intervals."""
        figure = new_figure("What choosing by the model is worth", height=1.6 + 0.5 * len(self.table))
        (left, right), names = figure.subplots(1, 2, sharey=True), list(self.table["label"])
        forest(left, self.table, ("value", "low", "high"), names)
        forest(right, self.table, ("lead", "lead_low", "lead_high"), names, none=0.0)
        left.set_xlabel(self.label, fontsize=9)
        right.set_xlabel("The model's lead", fontsize=9)
        return as_percent(figure, left.xaxis, right.xaxis)


@dataclass(frozen=True, eq=False)
class Groups:
    """Predicted against observed effects of groups of patients, sorted by what was predicted for them."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return what `group_effects` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return one panel an arm: effects that are as predicted meet, and rise from the first group to the last."""
        arms = list(dict.fromkeys(self.table["arm"]))
        figure = new_figure("Effects in groups of patients, by what was predicted", height=4.0)
        panels = figure.subplots(1, max(len(arms), 1), sharey=True, squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=False):
            seen = self.table[self.table["arm"] == arm]
            predicted, observed, low, high = (100 * seen[name] for name in ("predicted", "observed", "low", "high"))
            bars = [observed - low, high - observed]
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.errorbar(seen["group"], observed, bars, fmt="o", color=BLUE, markersize=5, capsize=3, label="Observed")
            axes.plot(seen["group"] + 0.12, predicted, "D", color=ORANGE, fillstyle="none", label="Predicted")
            axes.set_xticks(seen["group"])
            axes.set_title(_LABELS[arm], fontsize=10)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set(xlabel="Group, least predicted first", ylabel="Effect (points)" if arm == arms[0] else "")
            axes.xaxis.label.set_fontsize(9)
        if arms:
            panels[0].legend(frameon=False, fontsize=8)
        return figure


@dataclass(frozen=True, eq=False)
class Targeting:
    """What is gained as more patients have an arm, the most promising first (Qini), and the TOC curve."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return the curves of `targeting_curves`."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return both curves of every arm with their bands."""
        arms = list(dict.fromkeys(self.table["arm"]))
        figure = new_figure("Targeting: Qini curves above, TOC curves below", height=6.2)
        panels = figure.subplots(2, max(len(arms), 1), sharex=True, sharey="row", squeeze=False)
        for (above, below), arm in zip(panels.T, arms, strict=False):
            seen = self.table[self.table["arm"] == arm]
            for axes, name in ((above, "gain"), (below, "toc")):
                limits = 100 * seen[f"{name}_low"], 100 * seen[f"{name}_high"]
                axes.fill_between(seen["share"], *limits, color=BLUE, alpha=0.18, linewidth=0)
                axes.plot(seen["share"], 100 * seen[name], color=BLUE, linewidth=1.8, label="Best first")
                axes.axhline(0, color=GREY, linewidth=0.8)
                axes.spines[["top", "right"]].set_visible(False)
            above.plot(seen["share"], 100 * seen["random"], color=ORANGE, linestyle="--", label="At random")
            above.set_title(_LABELS[arm], fontsize=10)
            below.set_xlabel("Share who have it")
        panels[0, 0].set_ylabel("Gain (points)")
        panels[1, 0].set_ylabel("Effect above the mean (points)")
        if arms:
            panels[0, 0].legend(frameon=False, fontsize=8)
        return as_percent(figure, *(axes.xaxis for axes in panels[1]))


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Which effects agree with the data if something hidden made clinics choose, by its strength."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return what `sensitivity_bounds` returned for each active arm against usual care, and the arm."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return the bounds of every arm's effect, opening with the strength of what is hidden."""
        arms = list(dict.fromkeys(self.table["arm"]))
        figure = new_figure("If something unrecorded made clinics choose", height=4.0)
        panels = figure.subplots(1, max(len(arms), 1), sharey=True, squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=False):
            seen = self.table[(self.table["arm"] == arm) & (self.table["strength"] <= _WIDEST)]
            for low, high, alpha, what in _BANDS:
                axes.fill_between(seen["strength"], 100 * seen[low], 100 * seen[high], color=BLUE, alpha=alpha,
                                  linewidth=0, label=what)  # fmt: skip
            axes.axhline(0, color=INK, linewidth=1)
            axes.set_title(_LABELS[arm], fontsize=10)
            axes.set(xlabel="Strength (odds ratio)", ylabel="Effect (points)" if arm == arms[0] else "")
            axes.spines[["top", "right"]].set_visible(False)
        if arms:
            panels[0].legend(frameon=False, fontsize=8, loc="lower left")
        return figure


_BANDS = (("low", "high", 0.15, "95 % interval"), ("lowest", "highest", 0.35, "Bounds"))
_WIDEST = 3.0  # strengths beyond it are in the table


@dataclass(frozen=True, eq=False)
class Propensities:
    """Which chance eligible patients had of each arm, those who had it and those who did not."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return what `propensity_counts` returned."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return both spreads of every arm; where they do not overlap, effects are extrapolated."""
        arms = [arm for arm in ARMS if (self.table["arm"] == arm.name).any()]
        rows = -(-len(arms) // 2)
        figure = new_figure("Estimated chance of each pathway, by what patients had", height=0.4 + 2.2 * rows)
        panels = figure.subplots(max(rows, 1), 2, sharex=True).ravel()
        for axes in panels[len(arms) :]:
            axes.set_visible(False)
        for axes, arm in zip(panels, arms, strict=False):
            seen = self.table[self.table["arm"] == arm.name]
            edges = [*seen["low"], seen["high"].iloc[-1]]
            for column, name, color in (("n_others", "Had another", BLUE), ("n_had", "Had it", ORANGE)):
                total = int(seen[column].sum())
                axes.stairs(
                    seen[column] / max(total, 1), edges, color=color, linewidth=1.6, label=f"{name} ({total:,})"
                )
            axes.set_title(arm.label, fontsize=10)
            axes.set_ylim(0, 1.35 * axes.get_ylim()[1])  # room for the legend above the curves
            axes.legend(frameon=False, fontsize=8)
        for axes in panels[-2:]:
            axes.set_xlabel("Estimated chance")
        return as_percent(figure, *(side for axes in panels for side in (axes.xaxis, axes.yaxis)))


def effects(table: pd.DataFrame, label: str = SUCCESS.label) -> Effects:
    """Return the forest display of what `adjusted_effects` returned."""
    return Effects(table.copy(), label)


def policies(table: pd.DataFrame, label: str = SUCCESS.label) -> Policies:
    """Return the display of what `policy_values` returned."""
    return Policies(table.copy(), label)


def groups(table: pd.DataFrame) -> Groups:
    """Return the display of what `group_effects` returned."""
    return Groups(table.copy())


def targeting(table: pd.DataFrame) -> Targeting:
    """Return the display of the curves that `targeting_curves` returned."""
    return Targeting(table.copy())


def sensitivity(table: pd.DataFrame) -> Sensitivity:
    """Return the display of `sensitivity_bounds` of each arm against usual care, with the arm in a column."""
    return Sensitivity(table.copy())


def propensities(table: pd.DataFrame) -> Propensities:
    """Return the display of what `propensity_counts` returned."""
    return Propensities(table.copy())


__all__ = [
    "DecisionCurve", "DecisionParts", "Effects", "Groups", "Parts", "Policies", "Propensities", "Sensitivity",
    "Subgroups", "Targeting", "decision_curve", "decision_subgroups", "effects", "groups", "learning_curve",
    "policies", "propensities", "sensitivity", "subgroups", "targeting", "tiers",
]  # fmt: skip
