"""The tables that the commands print."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pfps_ml.core import Fault, InputError, Message, rows_shown
from pfps_ml.domain import Parameter, Scenario, differences
from pfps_ml.evaluation.comparison import EXCESS

if TYPE_CHECKING:
    from pfps_ml.batch.erasure import Erasure
    from pfps_ml.io.mapping_suggestions import Proposal, Proposed
    from pfps_ml.io.roster import Roster, Summary


_IDS = 40  # that are listed
EXPERIMENT = "pfps-compare"
TABLE = "comparison.csv"
TAG = "comparison"
HEADER = ("candidate", "rounds", "value (95 %)", "less ours (95 %)", "fit, s", "predict, s")


def show_account(summary: "Summary", out: Path | None = None) -> None:
    """Print how many rows came in and what became of them; `out` is where the scored ones went."""
    table = Table(show_header=False, box=None, pad_edge=False)
    done = "scored" if out else "can be scored"
    # all three on the first line: who reads no further knows of the rows that were not scored as they came
    table.add_row("rows", f"{summary.rows:,}: {summary.scored:,} {done}, {summary.partly:,} partly, "
                          f"{summary.rejected:,} rejected")  # fmt: skip
    for field, count in summary.problems.items():
        table.add_row(f"  for {field}", f"{count:,}")
    Console().print(table)
    if out:
        hint = (
            f" (`pfps rejected {out} -o mend.csv` repeats the rows with problems)"
            if (summary.rejected or summary.partly) and out.is_file()
            else ""
        )
        Console().print(f"Written: {out}{hint}", markup=False, highlight=False, soft_wrap=True)


def show_lines(lines: Sequence[tuple[str, str]], out: Path | None) -> None:
    """Print what was done, line by line, and where the result went; None if nothing was written."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for what, how in lines:
        table.add_row(what, how)
    Console().print(table)
    Console().print(f"Written: {out}" if out else "Nothing was written.", markup=False, highlight=False, soft_wrap=True)


def show_erasure(erasure: "Erasure") -> None:
    """Print what was changed to take a person out, and what may still hold the person."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("lines of the audit trail changed", f"{erasure.lines:,}")
    table.add_row("parts of runs deleted", f"{erasure.parts:,}")
    table.add_row("half-written files deleted", f"{erasure.drafts:,}")
    console = Console()
    console.print(table)
    console.print("Not reached:", style="bold")
    for message in erasure.unreached:
        console.print(f"- {message.text}", markup=False, highlight=False, soft_wrap=True)


def show_faults(roster: "Roster") -> None:
    """Print the faults by field, with the runners that they are about, and what was left out."""
    for number, text in roster.no_runners:
        _say(f"Row {number} of the sheet is no runner: {text}")
    for name, ids in roster.one_sided.items():
        known = f"of {_listed(ids)}" if not _are_names(ids) else f"of {len(ids):,} runners"
        _say(f"{name}: one side alone is known, and counts, {known}")
    faults = roster.faults
    if not faults:
        return
    by_field: dict[str, list[Fault]] = {}
    for fault in faults:
        by_field.setdefault(fault.field or "row", []).append(fault)
    table = Table("field", "faults", "in rows", "the first of them", caption="Row 1 is the first below the header.")
    for field, items in by_field.items():
        rows = [item.row for item in items if item.row is not None]
        table.add_row(field, f"{len(items):,}", rows_shown(rows), items[0].text)
    Console().print(table)
    for field, items in by_field.items():
        if ids := _ids_of(roster, items):
            _say(f"{field}: {_listed(ids)}")


def _ids_of(roster: "Roster", faults: Sequence[Fault]) -> list[str]:
    """Return the ids of the runners whom faults are about; none where ids seem to be names of people."""
    rows = dict.fromkeys(fault.row for fault in faults if fault.row is not None)
    ids = [str(name) for name in roster.ids.iloc[list(rows)] if not pd.isna(name) and str(name).strip()]
    return [] if _are_names(roster.ids) else list(dict.fromkeys(ids))


def _are_names(ids: Iterable[str]) -> bool:
    from pfps_ml.io.pseudonyms import spot

    return bool(spot(["runner_id"], [[str(name) for name in ids if not pd.isna(name)]]))


def _listed(ids: Sequence[str]) -> str:
    """Return ids as a list that a screen holds."""
    return ", ".join(ids[:_IDS]) + (f" and {len(ids) - _IDS:,} more" if len(ids) > _IDS else "")


def _say(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)


def show_proposal(proposed: "Proposed") -> None:
    """Print what each column of a roster seems to be, with three of its values if they are numbers or levels."""
    table = Table("column and values", Column("read as", width=27, overflow="fold"), "to look at", show_lines=True)
    for column in proposed.columns:
        table.add_row(*map(escape, _proposal_cells(column)))
    console = Console(stderr=True)
    console.print(table)
    for number, text in proposed.no_runners:
        console.print(f"Row {number} of the sheet is no runner: {text}", markup=False, highlight=False, soft_wrap=True)
    if questions := sum(bool(column.question) for column in proposed.columns):
        console.print(f"Not read until the map answers what is ASKED: {questions} column(s).", style="bold")
    for name in proposed.lacking:
        console.print(f"No column seems to be {name}, which is required.", style="bold")
    _show_unread(proposed, console)
    if not proposed.needed:
        console.print("Every column has the dictionary's name, levels and unit: no map is needed.")


def _show_unread(proposed: "Proposed", console: Console) -> None:
    from pfps_ml.io.mapping_dialogue import unread_of

    if unread := unread_of(proposed):
        for line in (
            f"Not read, and passed through: {', '.join(' '.join(name.split()) for name in unread)}.",
            "- It is a field: fill in its lines in the map; `levels` says what the words of a choice mean.",
            "- It is none, on purpose: name it in `leave`. A field that is the same for everybody: `value`.",
            "- docs/MAPPING.md explains every key by an example.",
        ):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _proposal_cells(column: "Proposal") -> tuple[str, str, str]:
    declared = {} if column.question or "leave" in (column.declared or {}) else column.declared or {}
    read = [column.field, *(_declaration(key, value) for key, value in declared.items())]
    left = "leave" in (column.declared or {})
    read += ["left out"] if left else []
    read += ["not read" + " yet" * bool(column.question)] if column.question or not (column.field or left) else []
    notes = [*([f"ASKED: {column.question.text}"] if column.question else []), *(note.text for note in column.notes)]
    name = " | ".join(" ".join(part.split()) for part in column.columns)
    return "\n".join(filter(None, (name, ", ".join(column.samples)))), "\n".join(filter(None, read)), " ".join(notes)


def _declaration(key: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{theirs} = {ours}" for theirs, ours in value.items())
    if key == "per_kg":
        return "divided by weight_kg"
    words = {"factor": "times", "missing": "missing:", "born": "date of birth,", "on": "age on"}
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{words.get(key, key)} {shown:.6g}" if isinstance(shown, float) else f"{words.get(key, key)} {shown}"


def show_scenarios(scenarios: list[Scenario]) -> None:
    """Print a table of simulated worlds."""
    name, parent = Column("scenario", no_wrap=True), Column("parent", no_wrap=True)
    table = Table(name, Column("title", ratio=1), parent, "base rate", "months", "own", "assumed", show_lines=True)
    table.caption = "own: parameters that differ from the parent's; assumed: of these, without evidence"
    for each in scenarios:
        changed = [p for part in (each.runners, each.patients) for p in part.values() if p.origin == each.name]
        rate, assumed = _figure(each.runners["onset_base_rate"]), sum(p.assumption for p in changed)
        months = f"{each.horizon_months:g}"
        table.add_row(each.name, each.title, each.parent or "", rate, months, str(len(changed)), str(assumed))
    Console().print(table)


def show_differences(first: Scenario, second: Scenario) -> None:
    """Print the parameters in which two worlds differ, with the sources of both."""
    table = Table(Column("parameter", no_wrap=True), first.name, second.name, show_lines=True)
    if first.horizon_months != second.horizon_months:
        table.add_row("horizon_months", f"{first.horizon_months:g}", f"{second.horizon_months:g}")
    for name, one, two in differences(first, second):
        table.add_row(name, _sourced(one), _sourced(two))
    Console().print(table if table.row_count else f"{first.name} and {second.name} do not differ.")


def show_comparison(about: dict[str, str], logged: pd.DataFrame, metric: str | None) -> None:
    """Print a comparison of candidates: the first figure, or `metric`."""
    rows, figures = list(lines(logged, metric)), dict(zip(logged["metric"], logged["label"], strict=True))
    title = f"{figures[metric] if metric else next(iter(figures.values()))}: {about['run']}"
    table = Table(*HEADER, title=title, title_justify="left", caption=f"--metric: {', '.join(figures)}")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _figure(parameter: Parameter) -> str:
    spread = f" ({parameter.low:g} to {parameter.high:g})" if parameter.low < parameter.high else ""
    return f"{parameter.value:g}{spread}"


def _sourced(parameter: "Parameter | None") -> str:
    if parameter is None:
        return "as in runners"
    return f"{_figure(parameter)}\n{', '.join([*parameter.rows, *['assumption'] * parameter.assumption])}"


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
        raise InputError(Message("comparison_figure_unknown", {"names": [*names], "wanted": wanted}))
    places = 5 if wanted == EXCESS else 4  # candidates differ by some ten thousandths of it
    for row in table[table["metric"] == wanted].to_dict("records"):
        figure = _with_interval(row["value"], row["low"], row["high"], f".{places}f")
        other = _with_interval(row["difference"], row["difference_low"], row["difference_high"], f"+.{places}f")
        yield (str(row["title"]), str(row["rounds"]), figure, other,
               f"{row['fit_seconds']:.2f}", f"{row['predict_seconds']:.2f}")  # fmt: skip


def _with_interval(value: float, low: float, high: float, form: str) -> str:
    if pd.isna(value):
        return "not defined"
    interval = "" if pd.isna(low) else f" ({low:{form}} to {high:{form}})"
    return f"{value:{form}}{interval}"


__all__ = [
    "EXPERIMENT",
    "HEADER",
    "TABLE",
    "TAG",
    "lines",
    "show_account",
    "show_comparison",
    "show_differences",
    "show_faults",
    "show_lines",
    "show_proposal",
    "show_scenarios",
]
