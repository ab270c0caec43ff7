"""Figures and the page that they stand in: pictures that are tables first, and one self-contained HTML file.

`frame()` is what is shown, `plot()` shows it. Each display is a frozen record made by a plain function. Figures are 800
pixels wide at 120 dots an inch, use colours that colour-blind people can tell apart (Okabe and Ito), carry the notice,
and leave no state behind in matplotlib. shap's beeswarm is drawn without pyplot.

A page can be opened, sent and printed: it holds its tables and pictures, no script, and asks no other host.
"""

import base64
import io
import os
import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from pfps_ml.core import ArrayLike, Floats, Message, OutputError, csv_text
from pfps_ml.core.markup import templates_of
from pfps_ml.domain import BY_NAME, NOTICE, ONSET, field
from pfps_ml.evaluation.metrics import auroc, calibration_table, cases_by_risk, smoothed_calibration

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


def notice(figure: "Figure", text: str) -> None:
    """Write what the models have to say of themselves into the figure's corner, in place of what stands there."""
    figure.supxlabel(text, x=0.99, ha="right", fontsize=7, color="#666666")


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
    shown = [name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}" for name in names]
    axes.set_yticks(places, shown, fontsize=9, parse_math=False)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_ylim(-0.6, len(table) - 0.4)


def beeswarm(figure: "Figure", values: pd.DataFrame, data: pd.DataFrame, names: list[str], base: float) -> None:
    """Draw shap's beeswarm of contributions (log-odds) by coded values (NaN: not measured) into the figure."""
    with _quiet_import():
        import shap
    bases = np.full(len(values), base)
    explanation = shap.Explanation(
        values.to_numpy(float), base_values=bases, data=data.to_numpy(float), feature_names=names
    )
    axes: Axes = figure.subplots()
    # the rest is left out: shap would give the sum of many fields the colours of one of them
    shap.plots.beeswarm(explanation, max_display=MOST_FIELDS, group_remaining_features=False, ax=axes, show=False,
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


_MOST_POINTS = 500  # of a curve: more cannot be seen, and would make the table behind it as long as the cohort
_MOST_RUNNERS = 1500  # dots a row of the beeswarm


class Display(Protocol):
    """What a report and `save` need of a picture: its table, and the picture itself."""

    def frame(self) -> pd.DataFrame:
        """Return the table behind the picture."""

    def plot(self) -> "Figure":
        """Return the picture."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted against observed probability, in tenths of the runners, with the smoothed curve through them."""

    table: pd.DataFrame
    curve: pd.DataFrame
    p: Floats
    label: str
    over: str = "clubs"

    def frame(self) -> pd.DataFrame:
        """Return one row a tenth: n, predicted, observed, low, high (Wilson 95 %)."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return the tenths with their intervals on the diagonal of perfect calibration, and where risks lie."""
        figure = new_figure(f"Calibration: {self.label}", height=6.0)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        seen = self.table
        top = min(1.0, 1.05 * float(max(seen["high"].max(), self.p.max())))
        above.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1, label="Perfect")
        above.plot(self.curve["predicted"], self.curve["observed"], color=ORANGE, linewidth=1.5, label="Smoothed")
        if "low" in self.curve:
            above.fill_between(self.curve["predicted"], self.curve["low"], self.curve["high"], color=ORANGE, alpha=0.2,
                               linewidth=0, label=f"95 % band over {self.over}")  # fmt: skip
        # a share of exactly 0 or 1 is its own limit, give or take the last bit
        bars = [(seen["observed"] - seen["low"]).clip(0), (seen["high"] - seen["observed"]).clip(0)]
        above.errorbar(seen["predicted"], seen["observed"], bars, fmt="o", color=BLUE, markersize=5, capsize=2,
                       label="Tenths, 95 % interval")  # fmt: skip
        above.set(xlim=(0, top), ylim=(0, top), ylabel="Observed share")
        below.hist(self.p, bins=np.linspace(0, top, 61).tolist(), color=BLUE)
        below.set(xlabel="Predicted probability", ylabel="Number")
        above.legend(frameon=False, loc="upper left")
        return as_percent(figure, above.xaxis, above.yaxis)


@dataclass(frozen=True, eq=False)
class Roc:
    """How many cases are found at the price of how many false alarms, over all thresholds."""

    table: pd.DataFrame
    auroc: float
    label: str

    def frame(self) -> pd.DataFrame:
        """Return one row a threshold: threshold, false_positive_rate, sensitivity (at most some 500)."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return the curve over the diagonal of chance."""
        figure = new_figure(f"Discrimination: {self.label}", height=6.0)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="Chance")
        axes.plot(self.table["false_positive_rate"], self.table["sensitivity"], color=BLUE, linewidth=2,
                  label=f"Model, AUROC {self.auroc:.3f}")  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="False alarms (share of those without)", ylabel="Found (share of those with)")
        axes.legend(frameon=False, loc="lower right")
        return as_percent(figure, axes.xaxis, axes.yaxis)


@dataclass(frozen=True, eq=False)
class Risks:
    """How predicted probabilities are spread among those with and those without the outcome."""

    table: pd.DataFrame
    label: str

    def frame(self) -> pd.DataFrame:
        """Return one row an interval of probability: low, high, n_without, n_with."""
        return self.table.copy()

    def plot(self) -> "Figure":
        """Return both spreads, each as shares of its own group, so that a rare outcome can be seen."""
        figure = new_figure(f"Predicted probability by outcome: {self.label}", height=4.6)
        axes, seen = figure.subplots(), self.table
        edges = [*seen["low"], seen["high"].iloc[-1]]
        for column, name, color, dashes in (("n_without", "Without", BLUE, "-"), ("n_with", "With", ORANGE, "--")):
            total = int(seen[column].sum())
            shares = seen[column] / max(total, 1)
            axes.stairs(shares, edges, color=color, fill=True, alpha=0.25)
            axes.stairs(shares, edges, color=color, linewidth=1.8, linestyle=dashes, label=f"{name} (n = {total:,})")
        axes.set(xlabel="Predicted probability", ylabel="Share of the group", xlim=(0, edges[-1]))
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        return as_percent(figure, axes.xaxis, axes.yaxis)


@dataclass(frozen=True, eq=False)
class Reasons:
    """What moves predictions: exact Shapley values of the log-odds, one row a runner and one column a field."""

    values: pd.DataFrame
    data: pd.DataFrame
    base: float
    label: str

    def frame(self) -> pd.DataFrame:
        """Return one row a field, largest first: field, label, mean_abs_log_odds."""
        size = self.values.abs().mean().sort_values(ascending=False, kind="stable")
        labels = [field(str(name)).label for name in size.index]
        return pd.DataFrame({"field": size.index, "label": labels, "mean_abs_log_odds": size.to_numpy()})

    def plot(self) -> "Figure":
        """Return shap's beeswarm of these values: one dot a runner (every so-manieth of a large cohort).

        The dots' order within a row is drawn by shap from numpy's global state, and nothing else depends on it.
        """
        seen = [name for name in self.values if self.data[name].notna().any()]
        sparse = slice(None, None, 1 + (len(self.values) - 1) // _MOST_RUNNERS)
        names = [field(str(name)).label for name in seen]
        figure = new_figure(f"What moves the prediction: {self.label}", height=1.9 + 0.32 * min(len(seen), MOST_FIELDS))
        beeswarm(figure, self.values[seen][sparse], self.data[seen][sparse], names, self.base)
        return figure


def calibration(y: ArrayLike, p: ArrayLike, label: str = ONSET.label, curve: pd.DataFrame | None = None) -> Calibration:
    """Return the calibration display of outcomes (0 or 1) and predicted probabilities.

    `curve` is what `calibration_curve` returned; without it the smoothed curve has no band.

    Raises
    ------
    CohortError
        As `calibration_table`.
    """
    table = calibration_table(y, p)
    case, risk = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    if curve is None:
        smooth = pd.DataFrame({"predicted": risk, "observed": smoothed_calibration(case, risk)})
        curve = _thinned(smooth.sort_values("predicted", kind="stable"))
    return Calibration(table, curve, risk, label)


def roc(y: ArrayLike, p: ArrayLike, label: str = ONSET.label) -> Roc:
    """Return the ROC display of outcomes (0 or 1, both) and predicted probabilities."""
    case, risk = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    threshold, cases, others = cases_by_risk(case, risk)
    sensitivity, alarms = np.cumsum(cases) / cases.sum(), np.cumsum(others) / others.sum()
    table = pd.DataFrame({"threshold": threshold, "false_positive_rate": alarms, "sensitivity": sensitivity})
    start = pd.DataFrame({"threshold": [1.0], "false_positive_rate": [0.0], "sensitivity": [0.0]})
    return Roc(_thinned(pd.concat([start, table])), auroc(case, risk), label)


def risks(y: ArrayLike, p: ArrayLike, label: str = ONSET.label) -> Risks:
    """Return the display of predicted probabilities by outcome (0 or 1), in 25 equal intervals."""
    case, risk = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    edges = np.linspace(0, min(1.0, 1.02 * float(risk.max())), 26)
    without, having = (np.histogram(risk[case == value], edges)[0] for value in (0, 1))
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n_without": without, "n_with": having})
    return Risks(table, label)


def reasons(values: pd.DataFrame, data: pd.DataFrame, base: float, label: str = ONSET.label) -> Reasons:
    """Return the display of exact contributions.

    Parameters
    ----------
    values
        Contribution of each field (columns of the dictionary) to each runner's log-odds.
    data
        The coded values of the same fields and runners; NaN is not measured.
    base
        The log-odds that contributions start from.
    label
        What is predicted.
    """
    return Reasons(values, data[list(values)], base, label)


def png(display: Display, notice_text: str = NOTICE) -> bytes:
    """Return the picture as PNG, with what the models say of themselves, and no stamp of the library that drew it."""
    stream, figure = io.BytesIO(), display.plot()
    notice(figure, notice_text)
    with warnings.catch_warnings():
        # a name in letters that the font lacks: they are boxes here, and letters in the table
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def save(display: Display, folder: Path, name: str) -> list[Path]:
    """Write NAME.png and NAME.csv, the table behind it, into the folder, and return both paths.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    picture, table = folder / f"{name}.png", folder / f"{name}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(png(display))
        table.write_text(csv_text(display.frame()), encoding="utf-8")
    except OSError as error:
        raise OutputError(Message("picture_not_written", {"name": name, "cause": error.strerror})) from error
    return [picture, table]


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    keep = np.unique(np.linspace(0, len(table) - 1, min(len(table), _MOST_POINTS)).round().astype(int))
    return table.iloc[keep].reset_index(drop=True)


@dataclass(frozen=True)
class Section:
    """One part of a report: what it is about, what it says, and its table or picture.

    An empty line in `text` starts a new paragraph. Nothing is read as HTML. `drawn` is the picture as PNG, if it has
    been drawn before.
    """

    heading: str
    text: str = ""
    table: pd.DataFrame | None = None
    figure: Display | None = None
    drawn: bytes = b""


def write_report(folder: Path, title: str, sections: Sequence[Section], notice: str = NOTICE) -> Path:
    """Write `report.html` into the folder and return its path; an older report stays whole until it is replaced.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    path, part = folder / "report.html", folder / f".report.html.{os.getpid()}"
    page = report_page(title, sections, notice)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):  # it may not have been made, and the first error is the one to report
            part.unlink()
        raise OutputError(Message("report_not_written", {"cause": error.strerror})) from error
    return path


@dataclass(frozen=True)
class _Table:
    """The names of the columns, the cells of each row, and which columns hold numbers."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int]


@dataclass(frozen=True)
class _Figure:
    """A picture as PNG in base64, and the table of its numbers."""

    png: str
    table: _Table


@dataclass(frozen=True)
class _ShownSection:
    """A section as the template reads it: paragraphs, and cells as a person reads them."""

    heading: str
    paragraphs: Sequence[str]
    table: _Table | None
    figure: _Figure | None


def report_page(title: str, sections: Sequence[Section], notice: str = NOTICE) -> str:
    """Return a page with its tables and pictures in it: no script, and no other host."""
    template = templates_of("pfps_ml.evaluation").get_template("report.html")
    return template.render(title=title, notice=notice, sections=[_shown(section, notice) for section in sections])


def _shown(section: Section, notice: str) -> _ShownSection:
    paragraphs = [text.strip() for text in section.text.split("\n\n") if text.strip()]
    table = None if section.table is None else _table(section.table)
    figure = None
    if section.figure is not None:
        drawn = section.drawn or png(section.figure, notice)
        figure = _Figure(base64.b64encode(drawn).decode("ascii"), _table(section.figure.frame()))
    return _ShownSection(section.heading, paragraphs, table, figure)


def _table(table: pd.DataFrame) -> _Table:
    columns = [series for _, series in table.items()]
    cells = [[_cell(value, places) for value in series]
             for series, places in zip(columns, _aligned(table), strict=True)]  # fmt: skip
    numbers = [at for at, series in enumerate(columns) if pd.api.types.is_numeric_dtype(series)]
    return _Table([_title(name) for name in table], list(zip(*cells, strict=True)), numbers)


def _title(name: Hashable) -> str:
    text = str(name)
    return BY_NAME[text].label if text in BY_NAME else text.replace("_", " ")


def _decimals(series: pd.Series) -> int | None:
    """Return the decimals that show three figures of a column's smaller values; None for other kinds."""
    if not pd.api.types.is_float_dtype(series):
        return None
    size = series.abs()
    known = size[np.isfinite(size) & (size > 0)]
    if known.empty or (known == known.round()).all():
        return 0
    return int(np.clip(2 - np.floor(np.log10(known.quantile(0.25))), 0, 4))


_LIMITS, _OF_LIMITS = ("low", "high"), ("_low", "_high")


def _aligned(table: pd.DataFrame) -> list[int | None]:
    """Return the decimals of each column: a figure and the limits that follow it have the fewest of theirs."""
    decimals, start = [_decimals(series) for _, series in table.items()], 0
    for at, name in enumerate(table):
        start = start if str(name) in _LIMITS or str(name).endswith(_OF_LIMITS) else at
        decimals[start : at + 1] = [_fewest(decimals[start : at + 1])] * (at + 1 - start)
    return decimals


def _fewest(decimals: list[int | None]) -> int | None:
    return min((places for places in decimals if places is not None), default=None)


def _cell(value: object, decimals: int | None) -> str:
    if pd.isna(value):  # type: ignore[call-overload]  # a cell is a scalar
        return "n/a"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,d}"
    if isinstance(value, (float, np.floating)):
        return f"{value:,.4g}" if decimals is None else f"{value:z,.{decimals}f}"
    return str(value)


__all__ = [
    "BLUE",
    "DPI",
    "GREY",
    "INK",
    "MOST_FIELDS",
    "ORANGE",
    "Calibration",
    "Display",
    "Reasons",
    "Risks",
    "Roc",
    "Section",
    "as_percent",
    "beeswarm",
    "calibration",
    "forest",
    "new_figure",
    "notice",
    "png",
    "reasons",
    "report_page",
    "risks",
    "roc",
    "save",
    "write_report",
]
