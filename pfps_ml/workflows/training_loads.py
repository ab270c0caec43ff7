"""`pfps load`: training logs become loads by runner, in a table or in a roster, and a picture of the weeks.

In the picture, a panel is a runner: distance, the longest run, and spikes. The table behind it are the figures of each
week; the last week ends on the day up to which loads are counted.
"""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pfps_ml.core import (
    InputError,
    Message,
    MissingLibrary,
    check_apart,
    check_output,
    csv_text,
    write_whole,
)
from pfps_ml.domain import NOTICE, is_missing
from pfps_ml.io.cells import Dialect, texts
from pfps_ml.io.log_exports import Reading
from pfps_ml.io.log_files import Logs, Loss, read_logs
from pfps_ml.io.mapping import translate
from pfps_ml.io.output_writer import Draft, read_draft, write_draft
from pfps_ml.io.readers import ENDINGS
from pfps_ml.io.training_load import FIGURES, YEARS, Activity, Load, is_likely, load_of, weeks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pfps_ml.evaluation.displays import Section

_LISTED = 40  # lines of a list that a screen holds


def days_of(logs: Logs) -> Iterator[Activity]:
    """Yield the entries of all runners."""
    for activities in logs.entries.values():
        yield from activities


Loads = Mapping[str, Load]
Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Wish:
    """What is wanted of logs.

    Attributes
    ----------
    runner, units
        See `pfps_ml.io.log_files.read_logs`.
    at
        The last day that counts; the last of the logs if None.
    roster
        Where the loads shall be filled in; a table of their own if None.
    replace
        Whether they take the place of what the roster says.
    mapping
        The map of the roster (see `pfps_ml.io.mapping`).
    reading
        What files do not say themselves.
    """

    runner: str | None = None
    units: str | None = None
    at: date | None = None
    roster: Path | None = None
    replace: bool = False
    mapping: Path | None = None
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True)
class Written:
    """What `write_loads` did: counts, a line for each file that did not count, and what was read, up to which day."""

    lines: Lines
    notes: list[str]
    logs: Logs
    at: date


def write_loads(log: Path, out: Path, wish: Wish) -> Written:
    """Read logs and write the load of each runner.

    Returns
    -------
    What was counted, and what was not.

    Raises
    ------
    InputError
        If a log or the roster cannot be read; nothing is written.
    MissingLibrary
        If FIT or GPX shall be read without the library that can.
    OutputError
        If the result cannot be written, or would take the place of a log; what was there before is whole.
    """
    if wish.at and not is_likely(wish.at):
        raise InputError(Message("last_day_unlikely", {"first": YEARS[0], "last": YEARS[1]}))
    check_output(out, ENDINGS)
    check_apart(out, *_paths(log))
    logs = read_logs(log, wish.runner, wish.units, wish.reading)
    at = wish.at or max(activity.last for activity in days_of(logs))
    loads = {runner: load_of(activities, at) for runner, activities in sorted(logs.entries.items())}
    lines = [("files read", f"{logs.files:,}")]
    lines += [("other files, left aside", f"{len(logs.aside):,}")] * bool(logs.aside)
    lines += [("parts not read", f"{len(logs.lost):,}")] * bool(logs.lost)
    lines += [("recordings not read, a table has their runs", f"{len(logs.repeats):,}")] * bool(logs.repeats)
    lines += [("runners", f"{len(loads):,}"), ("at", f"{at}" + ("" if wish.at else ", the last day of the logs"))]
    lines += _entries(loads, logs.unlikely)
    lines += [("entries of a sport that is not known", _sports_shown(logs))] * bool(logs.unknown_sports)
    table, dialect, filled = _table(loads, logs.lost), Dialect(), Lines()
    if wish.roster:
        table, dialect, filled = fill(wish, wish.roster, loads)
    write_draft(out, table, dialect)
    return Written([*lines, *filled], _notes(logs), logs, at)


def _paths(log: Path) -> list[Path]:
    return [path for path in log.rglob("*") if path.is_file()] if log.is_dir() else [log]


def _notes(logs: Logs) -> list[str]:
    """Return a line of its own for each file that was left aside, and each part that was not read, with its weeks."""
    aside = [f"Left aside, no log: {name}" for name in logs.aside]
    unsummed = [f"Read without a sum to check, may be damaged: {name}" for name in logs.unsummed]
    lost = [f"Not read: {loss.where}, of {loss.runner}, {loss.weeks}: {loss.fault.line}" for loss in logs.lost]
    return [*_listed(aside), *_listed(unsummed), *_listed(lost)]


def _listed(notes: list[str]) -> list[str]:
    more = len(notes) - _LISTED
    return [*notes[:_LISTED], f"... and {more:,} more of these"] if more > 0 else notes


def _sports_shown(logs: Logs) -> str:
    names = ", ".join(list(logs.unknown_sports)[:10])
    return f"{sum(logs.unknown_sports.values()):,} ({names}): not counted as runs; --sport NAME if one is"


def fill(wish: Wish, roster: Path, loads: Loads) -> tuple[Any, Dialect, Lines]:
    """Fill loads into a roster: into blank cells, or with `replace` into any.

    Returns
    -------
    The roster as it was, without the columns of an earlier scoring (which would be stale), with the loads in it;
    how its CSV is written; and what was done.
    """
    draft = read_draft(roster, wish.mapping)
    table, ids = draft.table.select(list(draft.theirs)), draft.ids
    names = [draft.known[at] for at in draft.theirs]
    lines: Lines = []
    constants = dict(draft.mapping.constants)
    for name in FIGURES:
        if name in constants:
            lines.append((name, "left alone: the map gives it to everybody"))
            continue
        numbers = [loads[i].values.get(name) if i in loads else None for i in ids]
        if name in names:
            table, filled, unchanged = _filled(table, names.index(name), numbers, draft, wish.replace)
        else:
            table = table.append_column(name, pa.array(numbers, pa.float64()))
            filled, unchanged = sum(number is not None for number in numbers), 0
        lines.append((name, f"{filled:,} filled in" + (f", {unchanged:,} left as they were" if unchanged else "")))
    known = set(ids.dropna())
    lines += [("rows of the roster", f"{len(ids):,}"), ("  with a log", f"{int(ids.isin(list(loads)).sum()):,}")]
    lines += [("logs of nobody in the roster", f"{sum(i not in known for i in loads):,}")]
    return table, draft.dialect, lines


def _filled(table: Any, at: int, numbers: list[float | None], draft: Draft, replace: bool) -> tuple[Any, int, int]:
    """Return a table with numbers in a column, how many, and how many other values stood in their way."""
    name, old = table.column_names[at], table.column(at).combine_chunks()
    declared = draft.mapping.sources.get(name)
    cells = pd.Series(texts(old).to_pylist(), dtype=object)
    blank = is_missing(cells if declared is None else translate(cells, declared, draft.dialect.decimal == ","))
    take = [number is not None and (replace or empty) for number, empty in zip(numbers, blank, strict=True)]
    unchanged = sum(number is not None and not taken for number, taken in zip(numbers, take, strict=True))
    factor = (declared and declared.factor) or 1
    decimal = (declared and declared.decimal) or draft.dialect.decimal
    numeric = not pa.types.is_string(old.type)

    def cell(number: float) -> float | str:
        in_unit = round(number / factor, 4)
        return in_unit if numeric else f"{in_unit:g}".replace(".", decimal)

    new = [None if number is None else cell(number) for number in numbers]
    filled = [own_rows if taken else theirs for own_rows, theirs, taken in zip(new, old.to_pylist(), take, strict=True)]
    column = pa.array(filled, pa.float64() if numeric else pa.string())
    return table.set_column(at, name, column), sum(take), unchanged


def _table(loads: Loads, lost: Sequence[Loss]) -> Any:
    columns: dict[str, Any] = {
        "runner_id": pa.array(list(loads), pa.string()),
        "at": pa.array([load.at.isoformat() for load in loads.values()], pa.string()),
    }
    for name in FIGURES:
        columns[name] = pa.array([load.values.get(name) for load in loads.values()], pa.float64())
    columns["runs"] = pa.array([load.runs for load in loads.values()], pa.int64())
    efforts = [load.session_rpe for load in loads.values()]
    if any(effort is not None for effort in efforts):
        columns["session_rpe_load"] = pa.array(efforts, pa.float64())
    columns["not_told"] = pa.array([_reasons(load.reasons) for load in loads.values()], pa.string())
    if lost:
        columns["not_read"] = pa.array([_not_read(lost, runner) for runner in loads], pa.string())
    return pa.table(columns)


def _not_read(lost: Sequence[Loss], runner: str) -> str:
    """Return what of a runner could not be read, and the weeks in which figures may therefore be too low."""
    return "; ".join(f"{loss.where} ({loss.weeks})" for loss in lost if loss.runner == runner)


def _reasons(reasons: Mapping[str, Message]) -> str:
    """Return each reason once, with the figures that it stands in the way of."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason.text, []).append(name)
    return "; ".join(f"{', '.join(figures)}: {text}" for text, figures in names.items())


def _entries(loads: Loads, unlikely: int) -> Lines:
    every = list(loads.values())
    lines = [("runs", f"{sum(load.runs for load in every):,}")]
    lines += [("rest and other sports", f"{sum(load.others for load in every):,}")]
    lines += [("runs recorded twice", f"{sum(load.twice for load in every):,}")]
    lines += [("runs of an unlikely pace", f"{unlikely:,}")] * (unlikely > 0)
    for name in FIGURES:
        reasons = Counter(load.reasons[name].text for load in every if name in load.reasons)
        lines.append((name, f"known of {len(every) - reasons.total():,}"))
        lines += [(f"  not of {count:,}", reason) for reason, count in reasons.most_common()]
    return lines


PICTURES = (".png", ".svg", ".html")
SPIKE = 10.0  # %: above it, more runners are injured (ledger G2-37, G2-38, G2-39)
_PANELS = 12  # runners in one picture
_INCHES = 1.7  # the height of a panel


@dataclass(frozen=True, eq=False)
class LoadCurve:
    """The weeks of some runners: bars are distance, dots the longest run, and a red dot is a spike."""

    table: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return a row a runner and week."""
        return self.table

    def plot(self) -> "Figure":
        """Return the picture: a panel a runner."""
        runners = list(dict.fromkeys(self.table["runner_id"]))
        from pfps_ml.evaluation.displays import new_figure

        figure = new_figure("Running by week: distance, longest run, and spikes", 0.9 + _INCHES * max(len(runners), 1))
        panels = figure.subplots(max(len(runners), 1), 1, sharex=True, squeeze=False)[:, 0]
        for axes, runner in zip(panels, runners, strict=False):
            _panel(axes, self.table[self.table["runner_id"] == runner], str(runner))
        if runners:
            panels[0].legend(loc="upper left", fontsize=7, frameon=False, ncols=4)
        return figure


def load_curve(entries: Mapping[str, Sequence[Activity]], at: date) -> LoadCurve:
    """Return the weeks of some runners up to a day; who has no entry before it has no row."""
    rows = [
        {
            "runner_id": runner, "week_from": week.first.isoformat(), "week_to": week.last.isoformat(),
            "distance_km": week.km, "runs": week.runs, "longest_run_km": week.longest,
            "longest_run_spike_pct": week.spike, "weekly_change_pct": week.change,
            "session_rpe_load": week.session_rpe,
        }
        for runner in sorted(entries) for week in weeks_of(entries[runner], at)
    ]  # fmt: skip
    names = ["runner_id", "week_from", "week_to", "distance_km", "runs", "longest_run_km", "longest_run_spike_pct",
             "weekly_change_pct", "session_rpe_load"]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    return LoadCurve(table.astype({name: "float64" for name in names[3:] if name != "runs"} | {"runs": "Int64"}))


def check_curve(out: Path, *others: Path) -> None:
    """Refuse a picture that cannot be drawn, or that would take the place of another file, before the work.

    Raises
    ------
    OutputError
        If its ending is not one that is drawn, or its folder cannot be made.
    MissingLibrary
        If matplotlib is not installed.
    """
    check_output(out, PICTURES)
    for written in (out, _table_beside(out)):
        check_apart(written, *(path for other in others for path in _paths(other)))
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError as error:
        raise MissingLibrary(Message("curve_library_missing", {"library": "matplotlib"})) from error


def write_curve(entries: Mapping[str, Sequence[Activity]], at: date, out: Path) -> list[Path]:
    """Write the picture of the weeks, and their table: beside it as .csv, or in the page.

    Raises
    ------
    InputError
        If nobody has an entry up to that day.
    OutputError
        If it cannot be written.
    """
    from pfps_ml.evaluation.displays import png, report_page

    check_curve(out)
    curve = load_curve(entries, at)
    if curve.table.empty:
        raise InputError(Message("log_empty"))
    runners = list(dict.fromkeys(curve.table["runner_id"]))
    parts = [LoadCurve(curve.table[curve.table["runner_id"].isin(runners[start : start + _PANELS])])
             for start in range(0, len(runners), _PANELS)]  # fmt: skip
    if out.suffix == ".html":
        write_whole(out, report_page("Running by week", [_section(part) for part in parts], NOTICE).encode())
        return [out]
    content = png(curve) if out.suffix == ".png" else _svg(curve)
    table = _table_beside(out)
    write_whole(out, content)
    write_whole(table, csv_text(curve.frame()).encode())
    return [out, table]


def _table_beside(out: Path) -> Path:
    return out.with_name(f"{out.stem}_weeks.csv")


def _section(part: LoadCurve) -> "Section":
    from pfps_ml.evaluation.displays import Section

    ids = list(dict.fromkeys(part.table["runner_id"]))
    text = (f"A spike is a week whose longest run is more than {SPIKE:g} % longer than any of the 30 days before. "
            "Weeks that the log does not cover are blank.")  # fmt: skip
    return Section(f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else str(ids[0]), text, figure=part)


def _svg(curve: LoadCurve) -> bytes:
    import matplotlib as mpl

    stream = io.StringIO()
    # the same bytes for the same weeks
    with mpl.rc_context({"svg.hashsalt": "pfps"}):
        curve.plot().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue().encode()


def _panel(axes: "Axes", weeks: pd.DataFrame, runner: str) -> None:
    from pfps_ml.evaluation.displays import BLUE, GREY, INK, ORANGE

    ends = pd.to_datetime(weeks["week_to"])
    km, longest = weeks["distance_km"].to_numpy(float), weeks["longest_run_km"].to_numpy(float)
    spikes = weeks["longest_run_spike_pct"].to_numpy(float) > SPIKE
    axes.bar(ends, km, width=5.5, color=BLUE, alpha=0.45, label="week, km")
    axes.plot(ends, longest, "o", color=INK, markersize=3, label="longest run, km")
    axes.plot(ends[spikes], longest[spikes], "o", color=ORANGE, markersize=6, label=f"spike: over {SPIKE:g} %")
    unknown = np.isnan(km)
    axes.plot(ends[unknown], np.zeros(unknown.sum()), "x", color=GREY, markersize=5, label="not known")
    axes.set_title(runner, fontsize=9, loc="left", color=INK, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.set_ylabel("km", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


__all__ = [
    "PICTURES", "SPIKE", "Lines", "LoadCurve", "Loads", "Wish", "Written", "check_curve", "days_of", "fill",
    "load_curve", "write_curve", "write_loads",
]  # fmt: skip
