"""Broken rosters, as they arrive: how each is written, and what should become of it."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tests.io.books import HEAD, ROWS, SHEET, book, good, raw, remade, row_of, saved, sheet_of, with_strings
from tests.rosters import GOOD, HEADER, ROW

LINE = ",".join(HEAD) + "\n"
TABLE = "<html><table><tr><td>runner_id</td></tr></table></html>"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@dataclass(frozen=True)
class Broken:
    """A broken roster: what it is called, how it is written, and the rows (or the words of the error) that come of it."""

    name: str
    write: Callable[[], bytes]
    outcome: tuple[int, int] | str  # rows in, and of them rejected; or what the error says
    slow: bool = False


def zipped(**parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, told in parts.items():
            made.writestr(name, told)
    return content.getvalue()


def parquet(cut=0):
    content = io.BytesIO()
    pq.write_table(pa.table({name: ["x"] * 50 for name in HEAD}), content)
    return content.getvalue()[: len(content.getvalue()) - cut]


def merged(area):
    return good(lambda made: made.active.merge_cells(area))


def hidden(*names):
    def change(made):
        for name in names:
            made[name].sheet_state = "hidden"

    return book((HEAD, *ROWS), (HEAD, *ROWS), change=change)


def blank_rows(kind):
    kinds = {
        "rows": b'<row r="%d" spans="1:30" s="3" customFormat="1"/>',
        "cells": b'<row r="%d"><c r="A%d" s="1"/><c r="B%d" s="1"/><c r="C%d" s="1"/></row>',
        "spaces": b'<row r="%d"><c r="A%d" t="inlineStr"><is><t> </t></is></c></row>',
    }
    made = kinds[kind]
    many = 1_000_000 if kind != "spaces" else 300_000
    rows = row_of(1, *HEAD) + row_of(2, *ROWS[0])
    rows += b"".join(made % ((number,) * made.count(b"%d")) for number in range(3, many))
    return remade(good(), SHEET, sheet_of(rows))


def bomb(part, size):
    return remade(good(), part, sheet_of(row_of(1, *HEAD) + row_of(2, *ROWS[0])) + b" " * size)


def lying():
    """Return a workbook whose directory says that its sheet is smaller than it is."""
    content = bytearray(bomb(SHEET, 50_000_000))
    at = content.rindex(SHEET.encode()) - 46 + 24
    content[at : at + 4] = (5_000).to_bytes(4, "little")
    return bytes(content)


def with_formulas(value):
    def change(told):
        return told.replace(b"<v>61.5</v>", b"<f>60+1.5</f><v>%s</v>" % value)

    return remade(good(), SHEET, change)


def two_levels():
    rows = (("Runner", None, "Body"), ("runner_id", "age_years", "sex", "height_cm"), ("R-1", 30, "female", 170))

    def change(made):
        made.active.merge_cells("A1:B1")

    return book(rows, change=change)


def with_macros():
    """Return a workbook that says it has macros, and has what would be one."""
    kinds = (b"spreadsheetml.sheet.main+xml", b"ms-excel.sheet.macroEnabled.main+xml")
    content = io.BytesIO(remade(good(), "[Content_Types].xml", lambda told: told.replace(*kinds)))
    with zipfile.ZipFile(content, "a") as made:
        made.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 Auto_Open: Shell rm" * 1_000)
    return content.getvalue()


def chart_only():
    made = __import__("openpyxl").Workbook()
    made.create_chartsheet("chart")
    made.remove(made.active)
    return saved(made)


CSV = (
    Broken("utf-16.csv", lambda: GOOD.encode("utf-16"), "UTF-16"),
    Broken("utf-16 without mark.csv", lambda: GOOD.encode("utf-16-le"), "NUL byte"),
    Broken("latin and unknown bytes.csv", lambda: GOOD.encode().replace(b"Club", b"\x81\xe9"), (2, 0)),
    Broken("two encodings.csv", lambda: GOOD.encode() + ROW.format("Zoë").encode("cp1252"), (3, 0)),
    Broken("a workbook.csv", good, "workbook or zip file"),
    Broken("a page of the web.csv", lambda: TABLE.encode(), "header as"),
    Broken("empty.csv", lambda: b"", "empty file"),
    Broken("only a mark.csv", lambda: b"\xef\xbb\xbf", "empty file"),
    Broken("only a header.csv", lambda: HEADER.encode(), "1 fault"),
    Broken("no header.csv", lambda: ROW.format("R-1").encode() * 3, "faults in it"),
    Broken("a quote left open.csv", lambda: (GOOD + '"R-3,Club\n' + ROW.format("R-4") * 50).encode(), "quotes"),
    Broken("a hundred thousand columns.csv", lambda: b"x," * 100_000 + b"\n1\n", "at most 2,000 columns"),
    Broken("noise.csv", lambda: bytes(range(256)) * 40, "NUL byte"),
    Broken("a column twice.csv", lambda: GOOD.replace("notes", "club").encode(), "1 fault"),
    Broken("a title above.csv", lambda: f"Squad,,,,,,,\n\nseason 2026,,,,,,,\n{GOOD}".encode(), (2, 0)),
    Broken("two headers.csv", lambda: HEADER.encode() + b",,years,,cm,km,,\n" + ROW.format("R-1").encode(), (1, 0)),
    Broken("ragged.csv", lambda: (GOOD + "R-3\nR-4,,,,,,,,,,,\n").encode(), (4, 2)),
    Broken("rows that would run.csv", lambda: (GOOD + ROW.format("=cmd|' /C calc'!A0")).encode(), (3, 0)),
    Broken("100 MB and a quote open.csv", lambda: HEADER.encode() + b'"' + b"R-1,x\n" * 17_000_000, "Is a quote left open", slow=True),
    Broken("cut off.parquet", lambda: parquet(cut=100), "Parquet"),
    Broken("a text.parquet", lambda: GOOD.encode(), "Parquet"),
)  # fmt: skip

BOOKS = (
    Broken("a text.xlsx", lambda: GOOD.encode(), "something else or a damaged one"),
    Broken("a page of the web.xlsx", lambda: TABLE.encode(), "something else or a damaged one"),
    Broken("with a password.xlsx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "password"),
    Broken("cut off.xlsx", lambda: good()[:-200], "damaged"),
    Broken("another zip file.xlsx", lambda: zipped(**{"hello.txt": "hello"}), "damaged"),
    Broken("no sheet inside.xlsx", lambda: remade(good(), SHEET, None), "damaged"),
    Broken("XML cut off.xlsx", lambda: remade(good(), SHEET, lambda told: told[:300]), "damaged"),
    Broken("entities.xlsx", lambda: remade(good(), SHEET, lambda told: LAUGHS + told), "damaged"),
    Broken("a text for an age.xlsx", lambda: raw((1, HEAD), (2, ("R-1", "x"))), (1, 1)),
    Broken("no number in a number.xlsx", lambda: remade(good(), SHEET, lambda told: told.replace(b"61.5", b"x")), "damaged"),
    Broken("merged title.xlsx", lambda: book((("Squad",), (), HEAD, *ROWS), change=lambda m: m.active.merge_cells("A1:E1")), (2, 0)),
    Broken("merged runners.xlsx", lambda: merged("C2:C3"), (2, 2)),
    Broken("merged beside the table.xlsx", lambda: merged("H2:J3"), (2, 0)),
    Broken("two levels of names.xlsx", two_levels, (1, 0)),
    Broken("two headers.xlsx", lambda: book((HEAD, (None, "years", None, "kg"), *ROWS)), (2, 0)),
    Broken("never calculated.xlsx", lambda: book((HEAD, ("R-1", "=15*2", "female", 60))), (1, 1)),
    Broken("calculated.xlsx", lambda: with_formulas(b"61.5"), (2, 0)),
    Broken("all sheets hidden but an empty one.xlsx", lambda: book((), (HEAD, *ROWS), change=lambda m: setattr(m["S1"], "sheet_state", "hidden")), "hidden: 'S1'"),
    Broken("last season hidden.xlsx", lambda: hidden("S1"), (2, 0)),
    Broken("two squads.xlsx", lambda: book((HEAD, *ROWS), (HEAD, *ROWS)), "Name one with --sheet"),
    Broken("a cover before the squad.xlsx", lambda: book((("Please fill in",),), (HEAD, *ROWS)), (2, 0)),
    Broken("macros.xlsm", with_macros, (2, 0)),
    Broken("a chart only.xlsx", chart_only, "without"),
    Broken("nothing.xlsx", lambda: book(()), "without any cell"),
    Broken("a name twice.xlsx", lambda: book(((*HEAD[:4], "sex"), *ROWS)), "1 fault"),
    Broken("errors in cells.xlsx", lambda: book((HEAD, ("R-1", "#REF!", "male"), ("R-2", 30, "male", "#N/A"))), (2, 1)),
    Broken("a cell in the last corner.xlsx", lambda: remade(good(), SHEET, sheet_of(row_of(1, *HEAD) + row_of(2, *ROWS[0]) + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')), (2, 1)),
    Broken("texts that are not there.xlsx", lambda: remade(good(), SHEET, lambda told: told.replace(b'<c r="B2" t="n"><v>30', b'<c r="B2" t="s"><v>99')), (2, 1)),
    Broken("100 MB.xlsx", lambda: remade(good(), "docProps/app.xml", bytes(100_000_000), zipfile.ZIP_STORED), "at most 64 MB", slow=True),
    Broken("a bomb.xlsx", lambda: bomb(SHEET, 900_000_000), "once unpacked", slow=True),
    Broken("a bomb of texts.xlsx", lambda: with_strings(good(), b" " * 200_000_000), "once unpacked", slow=True),
    Broken("a bomb that lies.xlsx", lying, "damaged", slow=True),
    Broken("a million blank rows.xlsx", lambda: blank_rows("rows"), (1, 0), slow=True),
    Broken("a million rows of borders.xlsx", lambda: blank_rows("cells"), (1, 0), slow=True),
    Broken("rows of spaces.xlsx", lambda: blank_rows("spaces"), (1, 0), slow=True),
)  # fmt: skip

BROKEN = (*CSV, *BOOKS)
