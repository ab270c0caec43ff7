"""Loads as a table of their own, or filled into a roster by runner."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pfps_ml.core.atomic_output import check_apart, check_output
from pfps_ml.core.errors import InputError
from pfps_ml.core.messages import Message
from pfps_ml.domain.input_validation import is_missing
from pfps_ml.io.cells import Dialect, texts
from pfps_ml.io.log_files import days_of, files_of, read_logs
from pfps_ml.io.mapping import translate
from pfps_ml.io.output_writer import Draft, read_draft, write_draft
from pfps_ml.io.readers import ENDINGS
from pfps_ml.io.training_load import FIGURES, YEARS, Load, is_likely, load_of

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
    """

    runner: str | None = None
    units: str | None = None
    at: date | None = None
    roster: Path | None = None
    replace: bool = False
    mapping: Path | None = None


def write_loads(log: Path, out: Path, wish: Wish) -> Lines:
    """Read logs and write the load of each runner.

    Returns
    -------
    Lines for a person: what was counted, and how many.

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
    check_apart(out, *files_of(log)[0])
    logs = read_logs(log, wish.runner, wish.units)
    at = wish.at or max(activity.day for activity in days_of(logs))
    loads = {runner: load_of(activities, at) for runner, activities in sorted(logs.entries.items())}
    lines = [("files read", f"{logs.files:,}")]
    lines += [("other files, left aside", f"{logs.other_files:,}")] * (logs.other_files > 0)
    lines += [("runners", f"{len(loads):,}"), ("at", f"{at}" + ("" if wish.at else ", the last day of the logs"))]
    lines += _entries(loads, logs.unlikely)
    table, dialect, filled = _table(loads), Dialect(), Lines()
    if wish.roster:
        table, dialect, filled = fill(wish, wish.roster, loads)
    write_draft(out, table, dialect)
    return [*lines, *filled]


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
    filled = [mine if taken else theirs for mine, theirs, taken in zip(new, old.to_pylist(), take, strict=True)]
    column = pa.array(filled, pa.float64() if numeric else pa.string())
    return table.set_column(at, name, column), sum(take), unchanged


def _table(loads: Loads) -> Any:
    columns: dict[str, Any] = {
        "runner_id": pa.array(list(loads), pa.string()),
        "at": pa.array([load.at.isoformat() for load in loads.values()], pa.string()),
    }
    for name in FIGURES:
        columns[name] = pa.array([load.values.get(name) for load in loads.values()], pa.float64())
    columns["runs"] = pa.array([load.runs for load in loads.values()], pa.int64())
    columns["not_told"] = pa.array([_reasons(load.reasons) for load in loads.values()], pa.string())
    return pa.table(columns)


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


__all__ = ["Lines", "Loads", "Wish", "fill", "write_loads"]
