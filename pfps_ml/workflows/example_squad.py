"""Write the example squad: 30 players in a workbook as untidy as real ones, the same bytes whenever it is written.

The values are drawn at random within what a club would measure; they are nobody's, and they show nothing but formats.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from pfps_ml.core.atomic_output import write_whole
from pfps_ml.core.console import command, say
from pfps_ml.core.randomness import uniforms
from pfps_ml.io.xlsx_tables import settled_book

SQUAD = Path("data/examples/squad.xlsx")
PLAYERS = 30
SHEET = "Squad 25-26"
_YES = ("yes", "Y", "ja", "x?", "YES ", "✓", "TRUE", "y")
_SMILE = "=)"
_NO = ("no", "N", "nein", "No", "NO ", "✗", "FALSE", "n")


def squad_book() -> bytes:
    """Return the workbook: a cover, the squad below a title, and a hidden sheet of last season."""
    book = Workbook()
    cover = book.active
    assert isinstance(cover, Worksheet)
    cover.title = "Read me"
    cover.append(["Screening day. Yellow: ask again. Strength: see the comments."])
    _squad(book.create_sheet(SHEET))
    old = book.create_sheet("Squad 24-25")
    old.append(["Nr.", "M/F", "DOB", "Height (m)"])
    old.append([1, "F", dt.datetime(1999, 5, 3), 1.7])
    old.sheet_state = "hidden"
    return settled_book(book)


def _squad(sheet: Worksheet) -> None:
    sheet["A1"] = "Harbour Striders: screening"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet.merge_cells("A1:F1")
    sheet["A2"], sheet["B2"] = "as of", dt.datetime(2026, 1, 17)
    columns = dict(_columns())
    sheet.append([])
    for place, (name, cells) in enumerate(columns.items(), start=1):
        head = sheet.cell(4, place, name)
        head.font, head.alignment = Font(bold=True), Alignment(wrap_text=True)
        for row, cell in enumerate(cells, start=5):
            written = sheet.cell(row, place, cell)
            if cell == _SMILE:
                written.data_type = "s"  # text, though it looks like a formula
    sheet["P4"].comment = Comment("Hand-held, pad just above the ankle. Newton.", "physio")
    sheet["F9"].fill = PatternFill("solid", fgColor="FFFF00")
    for row in range(5, 5 + PLAYERS):
        sheet.cell(row, 4).number_format = "dd/mm/yyyy"
        sheet.cell(row, list(columns).index("weekly change") + 1).number_format = "0%"
    sheet.cell(6 + PLAYERS, 2, "Average")
    sheet.cell(6 + PLAYERS, 5, 1.73)


def _columns() -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns as a physio calls them, with the cells as a physio fills them in."""
    yield "Nr.", [float(number) for number in range(1, PLAYERS + 1)]
    yield "Player", [f"P. {number:02}" for number in range(1, PLAYERS + 1)]
    yield "M/F", _choice("sex", ("F", "female", "w", "f"), ("M", "male", "m", "Male"), 0.5)
    yield "DOB", _changed([_day(u) for u in _uniforms("born")], {4: "14/08/1997", 11: "3.2.2001"})
    yield "Height (m)", _changed(_number("height", 1.55, 1.95, 2), {6: "1,75", 13: "5'11\"", 20: 16.8})
    yield "Weight lb", _changed(_number("weight", 115, 195, 0), {8: "?", 17: 999})
    yield "running\n(years)", _holes("years", _number("years", 0, 20, 0), 0.2)
    yield "weekly miles", _changed(_number("miles", 6, 35, 1), {2: "12,5", 9: "n/a"})
    yield "runs/week", _number("runs", 1, 6, 0)
    yield "Cadence", _holes("cadence", _number("cadence", 156, 186, 0), 0.4)
    yield "weekly change", _holes("change", _number("change", -0.3, 0.4, 2), 0.5)
    yield "Knee pain now?", _choice("pain", _YES[:3], _NO, 0.1)
    yield "runner's knee before?", _choice("prior", (1,), (0,), 0.25)
    yield "injured last year", _choice("injured", (True,), (False,), 0.4)
    yield "Knee surgery", _holes("surgery", _choice("surgery", ("Y",), ("N",), 0.1), 0.3)
    yield "hip abd (N)", _holes("hip", _number("hip", 90, 210, 0), 0.3)
    yield "Quads Nm", _holes("quads", _number("quads", 110, 240, 0), 0.5)
    yield "FPI", _holes("fpi", _number("fpi", -2, 9, 0), 0.4)
    yield "ND mm", _holes("drop", _number("drop", 2, 12, 1), 0.7)
    yield "Knee falls in", _choice("collapse", _YES, _NO, 0.3)
    yield "FPPA", [None] * PLAYERS
    yield "Shoe", _changed(["neutral"] * PLAYERS, {3: _SMILE})
    yield None, [None] * PLAYERS  # type: ignore[misc]
    yield "Remarks", [{2: "late", 5: "#N/A", 9: "-> see coach"}.get(number) for number in range(PLAYERS)]


def _uniforms(name: str) -> list[float]:
    return [float(value) for value in uniforms(2026, f"squad/{name}", 0, PLAYERS)]


def _number(name: str, low: float, high: float, digits: int) -> list[Any]:
    return [round(low + (high - low) * u, digits) for u in _uniforms(name)]


def _choice(name: str, first: tuple[Any, ...], second: tuple[Any, ...], share: float) -> list[Any]:
    pick: Callable[[tuple[Any, ...], int], Any] = lambda words, at: words[at % len(words)]  # noqa: E731
    return [pick(first if u < share else second, at) for at, u in enumerate(_uniforms(f"{name} is"))]


def _holes(name: str, cells: list[Any], share: float) -> list[Any]:
    return [None if u < share else cell for cell, u in zip(cells, _uniforms(f"{name} is blank"), strict=True)]


def _changed(cells: list[Any], changes: dict[int, Any]) -> list[Any]:
    return [changes.get(at, cell) for at, cell in enumerate(cells)]


def _day(u: float) -> dt.datetime:
    return dt.datetime(1988, 1, 1) + dt.timedelta(days=int(u * 20 * 365))


def main() -> None:
    """Write the example squad."""
    write_whole(SQUAD, squad_book())
    say(f"Written: {SQUAD}")


if __name__ == "__main__":
    command(main)

__all__ = ["PLAYERS", "SHEET", "SQUAD", "main", "squad_book"]
