"""Workbooks (.xlsx): the archive, its sheets, and the cells of a sheet, row after row, as values. Nothing is run.

A zip file states the size of its parts before they are unpacked. One that states a wrong size fails while it is read,
so a small file cannot become a large one in memory. Macros are not read.

Cells are read with expat rather than by a library, because three things decide whether a cell is read rightly and
whether a file can do harm, and no library shows them: a percentage (0.12 that is shown as 12 %), a formula that was
never calculated, and how far out the last cell lies (a single one in the last corner is 17,000 million cells of a
grid).
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from pfps_ml.core import InputError, Message

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


MAX_BYTES = 64_000_000  # on the disk
MAX_PART = {"sheet": 512_000_000, "strings": 64_000_000, "rest": 8_000_000}  # unpacked
_OLD = b"\xd0\xcf\x11\xe0"  # of .xls, and of a workbook with a password
_DAMAGED = (zipfile.BadZipFile, expat.ExpatError, SyntaxError, ValueError, LookupError, OverflowError, EOFError,
            NotImplementedError, RuntimeError, UnicodeError, zipfile.zlib.error)  # type: ignore[attr-defined]  # fmt: skip


@dataclass(frozen=True)
class Tab:
    """A sheet of a workbook: its name, where it is kept, and whether it is shown."""

    name: str
    part: str
    shown: bool


@dataclass(frozen=True)
class Book:
    """An open workbook: its sheets, and how their cells are read."""

    archive: zipfile.ZipFile
    tabs: tuple[Tab, ...]
    styles: Styles
    strings: list[str]

    def rows(self, tab: Tab, merged: list[str]) -> Iterator[Row]:
        """Yield the rows of a sheet; see `pfps_ml.io.xlsx_archive.rows_of`."""
        with _part(self.archive, tab.part, "sheet") as file:
            yield from rows_of(file, self.strings, self.styles, merged)


@contextmanager
def opened_book(path: Path) -> Iterator[Book]:
    """Yield an open workbook.

    Raises
    ------
    InputError
        If it is too large, has a password, is no workbook or a damaged one.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start == _OLD:
        raise InputError(Message("workbook_old_or_locked"))
    if path.stat().st_size > MAX_BYTES:
        raise InputError(Message("workbook_too_large", {"megabytes": MAX_BYTES // 1_000_000}))
    try:
        with zipfile.ZipFile(path) as archive:
            yield _book(archive)
    except _DAMAGED as error:
        raise InputError(Message("workbook_damaged")) from error


def _book(archive: zipfile.ZipFile) -> Book:
    main = next((part for kind, part in _related(archive, "").values() if kind == "officeDocument"), "xl/workbook.xml")
    tree, related = _tree(archive, main), _related(archive, main)
    tabs = tuple(
        Tab(attributes["name"], related[attributes["id"]][1], attributes.get("state", "visible") == "visible")
        for attributes in (_plain(sheet.attrib) for sheet in tree.iter() if _tag(sheet) == "sheet")
        if related.get(attributes.get("id", ""), ("",))[0] == "worksheet"
    )
    if not tabs:
        raise InputError(Message("workbook_without_cells"))
    parts = dict(related.values())
    old_dates = any(_plain(node.attrib).get("date1904") in ("1", "true") for node in tree if _tag(node) == "workbookPr")
    styles = _styles(archive, parts["styles"], old_dates) if "styles" in parts else Styles()
    if "sharedStrings" not in parts:
        return Book(archive, tabs, styles, [])
    with _part(archive, parts["sharedStrings"], "strings") as file:
        return Book(archive, tabs, styles, read_strings(file))


def _styles(archive: zipfile.ZipFile, part: str, old_dates: bool) -> Styles:
    """Return which formats (by their place in the list that cells refer to) are dates and percentages."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

    tree = _tree(archive, part)
    codes = {str(number): code for number, code in BUILTIN_FORMATS.items()}
    declared = (_plain(node.attrib) for node in tree.iter() if _tag(node) == "numFmt")
    codes |= {code["numFmtId"]: code["formatCode"] for code in declared if "formatCode" in code}
    used = [_plain(node.attrib).get("numFmtId", "0") for group in tree if _tag(group) == "cellXfs" for node in group]
    names = {str(at): codes.get(number, "General") for at, number in enumerate(used)}
    dates = frozenset(at for at, code in names.items() if is_date_format(code) and not is_timedelta_format(code))
    percents = frozenset(at for at, code in names.items() if "%" in code)
    return Styles(dates, percents, partial(_date, epoch=MAC_EPOCH if old_dates else WINDOWS_EPOCH))


def _date(number: float, epoch: Any) -> object:
    from datetime import datetime

    from openpyxl.utils.datetime import from_excel

    try:
        moment = from_excel(number, epoch)
    except (ValueError, OverflowError):  # no day that a calendar has
        return number
    midnight = isinstance(moment, datetime) and (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date() if isinstance(moment, datetime) and midnight else moment


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the parts that a part refers to, by the id that it gives them: what each is, and where it is kept."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    parts = {}
    for node in _tree(archive, rels) if rels in archive.namelist() else ():
        attributes = _plain(node.attrib)
        where = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
        parts[attributes.get("Id", "")] = (posixpath.basename(attributes.get("Type", "")), where)
    return parts


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    from openpyxl.xml.functions import fromstring

    with _part(archive, part, "rest") as file:
        return fromstring(file.read())


@contextmanager
def _part(archive: zipfile.ZipFile, part: str, kind: str) -> Iterator[IO[bytes]]:
    if archive.getinfo(part).file_size > MAX_PART[kind]:
        limits = {"sheet": MAX_PART["sheet"] // 1_000_000, "texts": MAX_PART["strings"] // 1_000_000}
        raise InputError(Message("workbook_part_too_large", limits))
    with archive.open(part) as file:
        yield file


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _plain(attributes: Any) -> dict[str, str]:
    return {str(name).rpartition("}")[2]: value for name, value in attributes.items()}


__all__ = [
    "MAX_BYTES", "MAX_CELLS", "MAX_PART", "UNCALCULATED", "Book", "Row", "Styles", "Tab", "opened_book", "place_of",
    "read_strings", "rows_of",
]  # fmt: skip
