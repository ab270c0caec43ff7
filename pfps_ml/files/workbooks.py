"""Workbooks (.xlsx): their sheets, number formats and texts. Macros are not read, and nothing is run.

A zip file states the size of its parts before they are unpacked. One that states a wrong size fails while it is read,
so a small file cannot become a large one in memory.
"""

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from pfps_ml.core.messages import Message
from pfps_ml.errors import InputError
from pfps_ml.files.grids import Row, Styles, read_strings, rows_of

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
        """Yield the rows of a sheet; see `pfps_ml.files.grids.rows_of`."""
        with _part(self.archive, tab.part, "sheet") as file:
            yield from rows_of(file, self.strings, self.styles, merged)


@contextmanager
def opened_book(path: Path) -> Iterator[Book]:
    """Lend an open workbook.

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


__all__ = ["MAX_BYTES", "MAX_PART", "Book", "Tab", "opened_book"]
