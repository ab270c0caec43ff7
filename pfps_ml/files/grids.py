"""The cells of one sheet of a workbook, row after row, as values.

Read with expat rather than by a library, because three things decide whether a cell is read rightly and whether a
file can do harm, and no library shows them: a percentage (0.12 that is shown as 12 %), a formula that was never
calculated, and how far out the last cell lies (a single one in the last corner is 17,000 million cells of a grid).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any
from xml.parsers import expat

from pfps_ml.core.messages import Message
from pfps_ml.errors import InputError

MAX_CELLS = 1_500_000  # 40,000 runners with every field
UNCALCULATED = object()  # a formula without a value
_BLOCK = 1 << 18
_PLACE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
# cells with a border and nothing in them, and rows of them: spreadsheets write a million of each
_BLANK_CELLS = re.compile(rb'(?:<c r="[A-Z]{1,3}[0-9]{1,7}"(?: s="[0-9]+")?/>)+')
_BLANK_ROWS = re.compile(rb'(?:<row r="[0-9]{1,7}"[^<>]*(?:/>|></row>)\s*)+')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True)
class Styles:
    """What the formats of a workbook make of numbers: those that are dates, and those that are percentages."""

    dates: frozenset[str] = frozenset()
    percents: frozenset[str] = frozenset()
    date_of: Callable[[float], object] = float


@dataclass(frozen=True)
class Row:
    """A row with something in it: its number as the spreadsheet shows it, and its cells by column (0 is A)."""

    number: int
    cells: dict[int, Any]


def rows_of(file: IO[bytes], strings: Sequence[str], styles: Styles, merged: list[str]) -> Iterator[Row]:
    """Yield the rows of a sheet that have something in them.

    Parameters
    ----------
    file
        The sheet's XML.
    strings, styles
        The workbook's texts and formats.
    merged
        Filled, by the time that the last row is there, with the places of merged cells.

    Raises
    ------
    InputError
        If there are more cells than a workbook may have.
    """
    reader = _Reader(strings, styles, merged)
    parser, filled, rest = _parser(reader), 0, b""
    while block := file.read(_BLOCK):
        block = rest + block
        end = block.rfind(b">") + 1 or len(block)
        parser.Parse(_BLANK_ROWS.sub(b"", _BLANK_CELLS.sub(b"", block[:end])))
        rest = block[end:]
        for row in reader.rows:
            filled += len(row.cells)
            yield row
        reader.rows.clear()
        if filled > MAX_CELLS:
            raise InputError(Message("sheet_too_large", {"most": MAX_CELLS}))
    parser.Parse(rest, True)


def read_strings(file: IO[bytes]) -> list[str]:
    """Return the texts that the cells of a workbook share."""
    reader = _Reader((), Styles(), [])
    _parser(reader).ParseFile(file)
    return reader.strings


def place_of(name: str) -> tuple[int, int] | None:
    """Return the column (0 is A) and the row (1 is the first) that a place such as C12 names."""
    match = _PLACE.fullmatch(name)
    if not match:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return column - 1, int(match[2])


class _Reader:
    """What expat calls; a class because its calls share what they have seen."""

    def __init__(self, strings: Sequence[str], styles: Styles, merged: list[str]) -> None:
        self.shared, self.styles, self.merged = strings, styles, merged
        self.rows, self.strings = list[Row](), list[str]()
        self.number, self.column, self.cells = 0, -1, dict[int, Any]()
        self.kind, self.style, self.formula, self.ruby = "n", "", False, False
        self.texts, self.written = list[str](), list[str]()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            place = place_of(attributes.get("r", ""))
            self.column = place[0] if place else self.column + 1
            self.kind, self.style, self.formula = attributes.get("t", "n"), attributes.get("s", ""), False
            self.written.clear()
        elif tag == "row":
            number = attributes.get("r", "")
            self.number = int(number) if number.isdigit() else self.number + 1
            self.column, self.cells = -1, {}
        elif tag == "f":
            self.formula = True
        elif tag == "mergeCell":
            self.merged.append(attributes.get("ref", ""))
        elif tag in ("si", "rPh"):
            self.ruby = tag == "rPh"
            self.written = [] if tag == "si" else self.written
        self.texts.clear()

    def end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag in ("v", "t") and not self.ruby:
            self.written += self.texts
        elif tag == "c":
            value = self.value()
            if value is not None:
                self.cells[self.column] = value
        elif tag == "row" and self.cells:
            self.rows.append(Row(self.number, self.cells))
        elif tag == "si":
            self.strings.append(_unescaped("".join(self.written)))
        elif tag == "rPh":
            self.ruby = False
        self.texts.clear()

    def value(self) -> object:
        """Return the value of the cell that ends here; None if it is blank."""
        written = "".join(self.written)
        if not written:
            return UNCALCULATED if self.formula and self.kind == "n" else None
        if self.kind == "s":
            at = int(written)
            return self.shared[at] if 0 <= at < len(self.shared) else "#REF!"
        if self.kind == "b":
            return written.strip() not in ("0", "false")
        return self.number_of(written) if self.kind == "n" else _unescaped(written)

    def number_of(self, written: str) -> object:
        number = float(written)
        if self.style in self.styles.dates:
            return self.styles.date_of(number)
        return f"{number * 100:.12g}%" if self.style in self.styles.percents else number


def _parser(reader: _Reader) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.texts.append
    parser.StartDoctypeDeclHandler = _refuse  # only an attack has one
    return parser


def _refuse(*_declaration: object) -> None:
    raise expat.ExpatError("a document type")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


__all__ = ["MAX_CELLS", "UNCALCULATED", "Row", "Styles", "place_of", "read_strings", "rows_of"]
