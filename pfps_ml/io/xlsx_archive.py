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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from pfps_ml.core import InputError, Message, TooLarge
from pfps_ml.io.cells import check_columns, check_rows, limits
from pfps_ml.io.column_matching import HEAD_ROWS

UNCALCULATED = object()  # a formula without a value
_BLOCK = 1 << 18
_LONGEST_CHARACTER = 4  # bytes
_MARKUP = 200  # bytes of XML for a cell
_ELEMENTS = 8  # of a filled cell: it and what stands in it, with their attributes
_ROW_DIGITS = 9  # of the number of a row: more than any spreadsheet has
_DIGITS = 400  # characters of a number
_HEADER_ROWS = HEAD_ROWS + 1  # that may stand above the runners; the table itself is counted once it is known
_PLACE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
# cells with a border and nothing in them, and rows of them: spreadsheets write a million of each
_BLANK_CELLS = re.compile(rb'(?:<c r="[A-Z]{1,3}[0-9]{1,7}"(?: s="[0-9]+")?/>)+')
_BLANK_ROWS = re.compile(rb'(?:<row r="[0-9]{1,7}"[^<>]*(?:/>|></row>)\s*)+')
_MOST_DAYS = 10_000  # of a duration: whatever is longer is another number
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True)
class Styles:
    """What the formats of a workbook make of numbers: those that are dates, percentages, and durations ([h]:mm:ss)."""

    dates: frozenset[str] = frozenset()
    percents: frozenset[str] = frozenset()
    durations: frozenset[str] = frozenset()
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
    TooLarge
        If there are more rows, columns or cells than a workbook may have, or a cell is too long.
    """
    reader = _Reader(strings, styles, merged)
    for _ in _parsed(file, reader):
        yield from reader.rows
        reader.rows.clear()


def read_strings(file: IO[bytes]) -> list[str]:
    """Return the texts that the cells of a workbook share.

    Raises
    ------
    TooLarge
        If there are more texts than a workbook may have cells, or one is too long.
    """
    reader = _Reader((), Styles(), [])
    for _ in _parsed(file, reader):
        pass
    return reader.strings


def _parsed(file: IO[bytes], reader: "_Reader") -> Iterator[None]:
    """Let a reader see a part of a workbook, block by block; a tag or a text that never ends is not waited for."""
    parser, rest, unended = _parser(reader), b"", 0
    while block := file.read(_BLOCK):
        block = rest + block
        end = block.rfind(b">") + 1
        unended = 0 if end else unended + len(block)
        if unended > _LONGEST_CHARACTER * limits().cell:
            raise _cell_too_long()
        end = end or len(block)
        markup = _BLANK_ROWS.sub(b"", _BLANK_CELLS.sub(b"", block[:end]))
        reader.read(len(markup))
        parser.Parse(markup)
        rest = block[end:]
        yield
    parser.Parse(rest, True)
    yield


def _cell_too_long() -> TooLarge:
    return TooLarge(Message("cell_too_long", {"most": limits().cell}))


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
        self.limits, self.characters, self.depth = limits(), 0, 0
        self.elements, self.filled, self.filled_rows = 0, 0, 0
        self.markup, self.stored, self.unpacked = 0, 0, 0
        self.columns, self.idle = set[int](), 0

    def read(self, markup: int) -> None:
        """Count bytes that are about to be read, and refuse what is mostly no cell."""
        self.markup += markup
        if self.markup > self.limits.markup + _MARKUP * self.filled + _LONGEST_CHARACTER * self.stored:
            raise TooLarge(Message("workbook_mostly_markup"))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        self.depth += 1
        self.elements += 1
        self.idle += 1 + len(attributes)
        if self.depth > self.limits.depth or self.elements > self.limits.elements:
            raise TooLarge(Message("workbook_too_many_elements", {"most": self.limits.elements}))
        if self.idle > self.limits.idle:
            raise TooLarge(Message("workbook_mostly_markup"))
        if tag == "c":
            place = place_of(attributes.get("r", ""))
            self.column = place[0] if place else self.column + 1
            self.kind, self.style, self.formula = attributes.get("t", "n"), attributes.get("s", ""), False
            self.written.clear()
        elif tag == "row":
            number = attributes.get("r", "")
            self.number = int(number) if number.isdigit() and len(number) <= _ROW_DIGITS else self.number + 1
            self.column, self.cells = -1, {}
        elif tag == "f":
            self.formula = True
        elif tag == "mergeCell":
            self.merged.append(attributes.get("ref", ""))
        elif tag in ("si", "rPh"):
            self.ruby = tag == "rPh"
            self.written = [] if tag == "si" else self.written
        if tag in ("c", "row", "si"):
            self.characters = 0
        self.texts.clear()

    def deeper(self, *_tag: object) -> None:
        self.depth += 1
        if self.depth > self.limits.depth:
            raise TooLarge(Message("workbook_too_many_elements", {"most": self.limits.elements}))

    def higher(self, *_tag: object) -> None:
        self.depth -= 1

    def text(self, characters: str) -> None:
        self.characters += len(characters)
        if self.characters > self.limits.cell:
            raise _cell_too_long()
        self.stored += len(characters)
        self.texts.append(characters)

    def end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        self.depth -= 1
        if tag in ("v", "t") and not self.ruby:
            self.written += self.texts
        elif tag == "c":
            value = self.value()
            if value is not None:
                self.cells[self.column] = value
        elif tag == "row" and self.cells:
            self.end_row()
        elif tag == "sheetData":
            self.idle = max(self.idle, 0)  # what stands below the cells is not paid for by them
        elif tag == "si":
            self.count(1)
            self.strings.append(_unescaped("".join(self.written)))
        elif tag == "rPh":
            self.ruby = False
        self.texts.clear()

    def end_row(self) -> None:
        self.columns.update(self.cells)
        check_columns(len(self.columns))
        self.count(len(self.cells))
        self.filled_rows += any(cell != "" for cell in self.cells.values())
        check_rows(self.filled_rows - _HEADER_ROWS)
        self.rows.append(Row(self.number, self.cells))

    def count(self, cells: int) -> None:
        self.filled += cells
        self.idle -= _ELEMENTS * cells
        if self.filled > self.limits.cells:
            raise TooLarge(Message("sheet_too_large", {"most": self.limits.cells}))

    def value(self) -> object:
        """Return the value of the cell that ends here; None if it is blank."""
        written = "".join(self.written)
        if not written:
            return self.calculated() if self.formula and self.kind == "n" else None
        if self.kind == "s":
            at = int(written)
            return self.repeated(self.shared[at]) if 0 <= at < len(self.shared) else "#REF!"
        if self.kind == "b":
            return written.strip() not in ("0", "false")
        return self.number_of(written) if self.kind == "n" else _unescaped(written)

    def calculated(self) -> object:
        """Return that a formula has no value; a cell without one is not counted as filled."""
        self.idle += _ELEMENTS
        return UNCALCULATED

    def repeated(self, text: str) -> str:
        """Return a shared text; a text that is stored once counts in every cell."""
        self.unpacked += len(text)
        if self.unpacked > self.limits.characters:
            raise TooLarge(Message("texts_too_large", {"megabytes": self.limits.characters >> 20}))
        return text

    def number_of(self, written: str) -> object:
        if len(written) > _DIGITS:
            raise ValueError("no number is written like this")
        number = float(written)
        if self.style in self.styles.dates:
            return self.styles.date_of(number)
        if self.style in self.styles.durations and 0 <= number < _MOST_DAYS:
            return _clock(number)
        return f"{number * 100:.12g}%" if self.style in self.styles.percents else number


def _clock(days: float) -> str:
    """Return a part of a day, or more than one, as h:mm:ss."""
    seconds = round(days * 86_400)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _parser(reader: _Reader) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse  # only an attack has one
    return parser


def _refuse(*_declaration: object) -> None:
    raise expat.ExpatError("a document type")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


_ENTRY = b"PK\x01\x02"  # before each entry of an archive's list
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # no others in a workbook, and they are unpacked piece by piece
_FORMAT = 255  # characters of a number's format, which is all that a spreadsheet takes
_OLD = b"\xd0\xcf\x11\xe0"  # of .xls, and of a workbook with a password
_DAMAGED = (zipfile.BadZipFile, expat.ExpatError, SyntaxError, ValueError, LookupError, OverflowError, EOFError,
            NotImplementedError, RuntimeError, UnicodeError, zipfile.zlib.error)  # type: ignore[attr-defined]  # fmt: skip


@dataclass
class _Archive:
    """An open archive, and the bytes that its parts have stated so far: those of a part that is read twice, twice."""

    zip: zipfile.ZipFile
    unpacked: int = 0
    counted: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Tab:
    """A sheet of a workbook: its name, where it is kept, and whether it is shown."""

    name: str
    part: str
    shown: bool


@dataclass(frozen=True)
class Book:
    """An open workbook: its sheets, and how their cells are read."""

    archive: "_Archive"
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
    if path.stat().st_size > limits().book:
        raise TooLarge(Message("workbook_too_large", {"megabytes": limits().book // 1_000_000}))
    if path.read_bytes().count(_ENTRY) > limits().entries:
        raise TooLarge(Message("workbook_too_many_parts", {"most": limits().entries, "sheets": limits().sheets}))
    try:
        with zipfile.ZipFile(path) as archive:
            yield _book(_Archive(archive))
    except _DAMAGED as error:
        raise InputError(Message("workbook_damaged")) from error


def _book(archive: "_Archive") -> Book:
    main = next((part for kind, part in _related(archive, "").values() if kind == "officeDocument"), "xl/workbook.xml")
    tree, related = _tree(archive, main), _related(archive, main)
    tabs = tuple(
        Tab(attributes["name"], related[attributes["id"]][1], attributes.get("state", "visible") == "visible")
        for attributes in (_plain(sheet.attrib) for sheet in tree.iter() if _tag(sheet) == "sheet")
        if related.get(attributes.get("id", ""), ("",))[0] == "worksheet"
    )
    if not tabs:
        raise InputError(Message("workbook_without_cells"))
    if len(tabs) > limits().sheets:
        raise TooLarge(Message("workbook_too_many_parts", {"most": limits().entries, "sheets": limits().sheets}))
    parts = dict(related.values())
    old_dates = any(_plain(node.attrib).get("date1904") in ("1", "true") for node in tree if _tag(node) == "workbookPr")
    styles = _styles(archive, parts["styles"], old_dates) if "styles" in parts else Styles()
    if "sharedStrings" not in parts:
        return Book(archive, tabs, styles, [])
    with _part(archive, parts["sharedStrings"], "strings") as file:
        return Book(archive, tabs, styles, read_strings(file))


def _styles(archive: "_Archive", part: str, old_dates: bool) -> Styles:
    """Return which formats (by their place in the list that cells refer to) are dates and percentages."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

    tree = _tree(archive, part)
    codes = {str(number): code for number, code in BUILTIN_FORMATS.items()}
    declared = (_plain(node.attrib) for node in tree.iter() if _tag(node) == "numFmt")
    codes |= {
        code["numFmtId"]: code["formatCode"] for code in declared if 0 < len(code.get("formatCode", "")) <= _FORMAT
    }
    if len(codes) > limits().formats:
        raise TooLarge(Message("workbook_too_many_elements", {"most": limits().formats}))
    used = [_plain(node.attrib).get("numFmtId", "0") for group in tree if _tag(group) == "cellXfs" for node in group]
    names = {str(at): codes.get(number, "General") for at, number in enumerate(used)}
    days = {code for code in set(names.values()) if is_date_format(code) and not is_timedelta_format(code)}
    dates = frozenset(at for at, code in names.items() if code in days)
    percents = frozenset(at for at, code in names.items() if "%" in code)
    durations = frozenset(at for at, code in names.items() if is_timedelta_format(code))
    return Styles(dates, percents, durations, partial(_date, epoch=MAC_EPOCH if old_dates else WINDOWS_EPOCH))


def _date(number: float, epoch: Any) -> object:
    from datetime import datetime

    from openpyxl.utils.datetime import from_excel

    try:
        moment = from_excel(number, epoch)
    except (ValueError, OverflowError):  # no day that a calendar has
        return number
    midnight = isinstance(moment, datetime) and (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date() if isinstance(moment, datetime) and midnight else moment


def _related(archive: "_Archive", part: str) -> dict[str, tuple[str, str]]:
    """Return the parts that a part refers to, by the id that it gives them: what each is, and where it is kept."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    parts = {}
    for node in _tree(archive, rels) if rels in archive.zip.NameToInfo else ():
        attributes = _plain(node.attrib)
        where = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
        parts[attributes.get("Id", "")] = (posixpath.basename(attributes.get("Type", "")), where)
    return parts


def _tree(archive: "_Archive", part: str) -> Any:
    from openpyxl.xml.functions import fromstring

    with _part(archive, part, "part") as file:
        content = file.read()
    if content.count(b"<") > 2 * limits().described:
        raise TooLarge(Message("workbook_too_many_elements", {"most": limits().described}))
    parser, reader = expat.ParserCreate(), _Reader((), Styles(), [])
    parser.StartElementHandler, parser.EndElementHandler = reader.deeper, reader.higher
    parser.StartDoctypeDeclHandler = _refuse
    parser.Parse(content, True)  # a tree that is too deep is never built
    return fromstring(content)


@contextmanager
def _part(archive: "_Archive", part: str, kind: str) -> Iterator[IO[bytes]]:
    info, sizes = archive.zip.getinfo(part), limits()
    archive.unpacked += info.file_size
    if info.file_size > getattr(sizes, kind) or archive.unpacked > sizes.unpacked:
        megabytes = {"sheet": sizes.sheet // 1_000_000, "texts": sizes.strings // 1_000_000}
        raise TooLarge(Message("workbook_part_too_large", megabytes))
    if info.compress_type not in _PACKED:
        raise InputError(Message("workbook_damaged"))
    if kind in ("sheet", "strings") and part not in archive.counted:
        archive.counted.add(part)
        with archive.zip.open(info) as file:
            _count(file)
    with archive.zip.open(info) as file:
        yield file


def _count(file: IO[bytes]) -> None:
    """Refuse a part with more tags or values than may be read, before any is: to count takes little of the time."""
    most, tags, values, shared = limits(), 0, 0, 0
    while block := file.read(_BLOCK):
        tags += block.count(b"<")
        values += block.count(b"</v>")
        shared += block.count(b"<si")
        if tags > most.tags:
            raise TooLarge(Message("workbook_too_many_elements", {"most": most.tags // 2}))
        if values > most.cells or shared > most.texts:
            raise TooLarge(Message("sheet_too_large", {"most": most.cells}))


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _plain(attributes: Any) -> dict[str, str]:
    return {str(name).rpartition("}")[2]: value for name, value in attributes.items()}


__all__ = [
    "UNCALCULATED", "Book", "Row", "Styles", "Tab", "opened_book", "place_of",
    "read_strings", "rows_of",
]  # fmt: skip
