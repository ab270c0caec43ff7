"""One self-contained HTML file a person can open, send and print: no script, no other host."""

import base64
import os
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pfps_ml.core import Message, OutputError
from pfps_ml.core.markup import templates_of
from pfps_ml.domain import BY_NAME, NOTICE
from pfps_ml.evaluation.displays import Display, png


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
    page = _page(title, sections, notice)
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


def _page(title: str, sections: Sequence[Section], notice: str) -> str:
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


__all__ = ["Section", "write_report"]
