"""One self-contained HTML file a person can open, send and print: no script, no other host."""

import base64
import os
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from pfps_ml.core.messages import Message
from pfps_ml.errors import OutputError
from pfps_ml.evaluation.displays import Display, png
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.dictionary import BY_NAME

# the browser is told to load nothing from anywhere: only what is written in this file
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --faint: #59636e; --line: #d0d7de; --page: #fff; --warn: #fff4d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --faint: #a3adb8; --line: #3d444d; --page: #15191e; --warn: #3b3112; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; color: var(--ink); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.notice { background: var(--warn); border-left: 4px solid #d55e00; padding: .5rem .75rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; margin: .75rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom-width: 2px; } .number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
figure { margin: 1rem 0; } summary { cursor: pointer; color: var(--faint); }
@media print { :root { --ink: #000; --faint: #444; --line: #bbb; --page: #fff; --warn: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; } .scroll { overflow: visible; } details:not([open]) { display: none; } }
"""


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


def _page(title: str, sections: Sequence[Section], said: str) -> str:
    notice = f'<p class="notice" role="note">{escape(said)}</p>'
    body = "\n".join(_section(section, said) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{notice}
</header>
<main>
{body}
</main>
<footer>
{notice}
</footer>
</body>
</html>
"""


def _section(section: Section, said: str) -> str:
    parts = [f"<section>\n<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(text.strip())}</p>" for text in section.text.split("\n\n") if text.strip()]
    if section.table is not None:
        parts.append(_table(section.table, section.heading))
    if section.figure is not None:
        parts.append(_figure(section.figure, section.drawn or png(section.figure, said), section.heading))
    return "\n".join([*parts, "</section>"])


def _figure(display: Display, drawn: bytes, heading: str) -> str:
    picture = base64.b64encode(drawn).decode("ascii")
    return (
        f'<figure>\n<img alt="{escape(heading)}: a picture; its numbers are in the table below" '
        f'src="data:image/png;base64,{picture}">\n<details>\n<summary>The numbers behind this picture</summary>\n'
        f"{_table(display.frame(), heading)}\n</details>\n</figure>"
    )


def _table(table: pd.DataFrame, heading: str) -> str:
    columns = [(series, decimals) for (_, series), decimals in zip(table.items(), _aligned(table), strict=True)]
    sides = [' class="number"' if pd.api.types.is_numeric_dtype(series) else "" for series, _ in columns]
    head = "".join(
        f'<th scope="col"{side}>{escape(_title(name))}</th>' for name, side in zip(table, sides, strict=True)
    )
    cells = [[escape(_cell(value, decimals)) for value in series] for series, decimals in columns]
    rows = [
        "<tr>" + "".join(f"<td{side}>{cell}</td>" for cell, side in zip(row, sides, strict=True)) + "</tr>"
        for row in zip(*cells, strict=True)
    ]
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(heading)}: table">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>\n</div>"
    )


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
    own, start = [_decimals(series) for _, series in table.items()], 0
    for at, name in enumerate(table):
        start = start if str(name) in _LIMITS or str(name).endswith(_OF_LIMITS) else at
        own[start : at + 1] = [_fewest(own[start : at + 1])] * (at + 1 - start)
    return own


def _fewest(decimals: list[int | None]) -> int | None:
    return min((each for each in decimals if each is not None), default=None)


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
