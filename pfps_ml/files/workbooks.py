"""Workbooks (.xlsx): which sheet is meant, and what its table says; macros are not looked at, and nothing is run.

A zip file says how large its parts are before they are unpacked, and one that lies is found out while it is read, so a
small file cannot become a large one in memory.
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

from pfps_ml.errors import InputError
from pfps_ml.files.grids import Row, Styles, read_strings, rows_of

MAX_BYTES = 64_000_000  # on the disk
MAX_PART = {"sheet": 512_000_000, "strings": 64_000_000, "rest": 8_000_000}  # unpacked
SAVE_AS = "Open it in a spreadsheet and save the sheet as CSV (UTF-8)."
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
        raise InputError(f"expected .xlsx, got an old workbook (.xls) or one with a password. {SAVE_AS}")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"expected a workbook of at most {MAX_BYTES // 1_000_000} MB, got a larger one. {SAVE_AS}")
    try:
        with zipfile.ZipFile(path) as archive:
            yield _book(archive)
    except _DAMAGED as error:
        raise InputError(f"expected a workbook (.xlsx), got something else or a damaged one. {SAVE_AS}") from error


def _book(archive: zipfile.ZipFile) -> Book:
    main = next((part for kind, part in _related(archive, "").values() if kind == "officeDocument"), "xl/workbook.xml")
    tree, related = _tree(archive, main), _related(archive, main)
    tabs = tuple(
        Tab(told["name"], related[told["id"]][1], told.get("state", "visible") == "visible")
        for told in (_plain(sheet.attrib) for sheet in tree.iter() if _tag(sheet) == "sheet")
        if related.get(told.get("id", ""), ("",))[0] == "worksheet"
    )
    if not tabs:
        raise InputError(f"expected a workbook with a sheet of cells, got one without. {SAVE_AS}")
    parts = dict(related.values())
    old_dates = any(_plain(each.attrib).get("date1904") in ("1", "true") for each in tree if _tag(each) == "workbookPr")
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
    told = (_plain(each.attrib) for each in tree.iter() if _tag(each) == "numFmt")
    codes |= {each["numFmtId"]: each["formatCode"] for each in told if "formatCode" in each}
    used = [_plain(each.attrib).get("numFmtId", "0") for group in tree if _tag(group) == "cellXfs" for each in group]
    names = {str(at): codes.get(number, "General") for at, number in enumerate(used)}
    dates = frozenset(at for at, code in names.items() if is_date_format(code) and not is_timedelta_format(code))
    percents = frozenset(at for at, code in names.items() if "%" in code)
    return Styles(dates, percents, partial(_date, epoch=MAC_EPOCH if old_dates else WINDOWS_EPOCH))


def _date(number: float, epoch: Any) -> object:
    from datetime import datetime

    from openpyxl.utils.datetime import from_excel

    try:
        found = from_excel(number, epoch)
    except (ValueError, OverflowError):  # no day that a calendar has
        return number
    midnight = isinstance(found, datetime) and (found.hour, found.minute, found.second) == (0, 0, 0)
    return found.date() if isinstance(found, datetime) and midnight else found


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the parts that a part refers to, by the id that it gives them: what each is, and where it is kept."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    found = {}
    for each in _tree(archive, rels) if rels in archive.namelist() else ():
        told = _plain(each.attrib)
        where = posixpath.normpath(posixpath.join("/", folder, told.get("Target", ""))).lstrip("/")
        found[told.get("Id", "")] = (posixpath.basename(told.get("Type", "")), where)
    return found


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    from openpyxl.xml.functions import fromstring

    with _part(archive, part, "rest") as file:
        return fromstring(file.read())


@contextmanager
def _part(archive: zipfile.ZipFile, part: str, kind: str) -> Iterator[IO[bytes]]:
    if archive.getinfo(part).file_size > MAX_PART[kind]:
        raise InputError(
            f"expected a sheet of at most {MAX_PART['sheet'] // 1_000_000} MB, "
            f"and texts of {MAX_PART['strings'] // 1_000_000}, "
            f"once unpacked; got more (a million empty rows with borders?). {SAVE_AS}"
        )
    with archive.open(part) as file:
        yield file


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _plain(told: Any) -> dict[str, str]:
    return {str(name).rpartition("}")[2]: value for name, value in told.items()}


__all__ = ["MAX_BYTES", "MAX_PART", "SAVE_AS", "Book", "Tab", "opened_book"]
