"""Pictures of pathways judged: effects, policies, groups of patients, targeting, hidden confounding, propensities.

As in `displays`: a table first, then the picture.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pfps_ml.domain.dictionary import ARMS, SUCCESS
from pfps_ml.evaluation.displays import BLUE, GREY, INK, ORANGE, as_percent, forest, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    "Effects",
    "Groups",
    "Policies",
    "Propensities",
    "Sensitivity",
    "Targeting",
    "effects",
    "groups",
    "policies",
    "propensities",
    "sensitivity",
    "targeting",
]
