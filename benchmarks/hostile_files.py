"""Uploads that are small and ask for much: made here, of bytes that compress well or that say more than is there."""

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from hashlib import shake_256
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfps_ml.domain import INPUTS

CSV_HEAD = b"runner_id,age_years,sex,notes\n"
NAMES = ("runner_id", "age_years", "sex", "notes")
_OPEN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
Upload = tuple[str, Callable[[], bytes]]  # the name of the file, and what makes its content


def uploads(scale: float = 1.0) -> Mapping[str, Upload]:
    """Return uploads by what they try; a smaller scale makes smaller ones of the same kinds."""

    def n(count: int) -> int:
        return max(int(count * scale), 1)

    books = {**_books(n), **_busy_books(n), **_slow_books(n), **_strange_books(n)}
    return {**books, **_parquets(n), **_strange_parquets(n), **_texts(n), **_rows(n), **_wide_rows(n), **_others(n)}


def _books(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "one cell of 300 MB": _book(lambda: _row(1, *NAMES) + _row(2, "a", 30, "male", b"x" * n(300_000_000))),
        "one shared text of 60 MB": _book(_good, strings=lambda: b"<si><t>" + b"x" * n(60_000_000) + b"</t></si>"),
        "12 million shared texts": _book(_good, strings=lambda: b"<si/>" * n(12_000_000)),
        "2 million styles": _book(_good, styles=lambda: b"<styleSheet><cellXfs>" + b"<xf/>" * n(1_500_000)
                                  + b"</cellXfs></styleSheet>"),
        "999,999 rows": _book(lambda: _row(1, *NAMES[:3])
                              + b"".join(_row(at, f"R-{at}", 30, "male") for at in range(2, n(999_999)))),
        "20,000 columns with names": _book(lambda: _row(1, *NAMES[:3], *(f"c{at}" for at in range(20_000)))
                                           + _row(2, "a", 30, "male")),
        "a cell in another column of each row": _book(lambda: _row(1, *NAMES[:3]) + b"".join(
            b'<row><c r="%s%d"><v>1</v></c></row>' % (_letters(at % 16_000), at) for at in range(2, n(90_000)))),
        "a cell in the last corner": _book(lambda: _good() + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        "500 MB of blank cells": _book(lambda: _good() + b'<row r="9"><c r="A9" s="1"/></row>' * n(14_000_000)),
        "140 MB of blank cells": _book(lambda: _good() + b'<row r="9"><c r="A9" s="1"/></row>' * n(4_000_000)),
        "two million empty tags": _book(lambda: _good() + b"<q/>" * n(2_000_000)),
        "500 MB of blanks that are no cells": _book(lambda: _good() + b" " * n(500_000_000)),
        "100 million empty tags": _book(lambda: _good() + b"<q/>" * n(100_000_000)),
        "tags that stand 5 million deep": _book(lambda: _good() + b"<q>" * n(5_000_000)),
        "a tag with 50 MB of attributes": _book(lambda: _good() + b"<q " + b"".join(
            b'a%d="" ' % at for at in range(n(4_000_000))) + b"/>"),
        "a name of 900,000 characters": _book(lambda: _row(1, *NAMES[:3], b"knee pain " * n(90_000))
                                              + _row(2, "a", 30, "male", "x")),
    }  # fmt: skip


def _busy_books(n: Callable[[int], int]) -> dict[str, Upload]:
    """Return workbooks of small parts that are slow to understand: each with another sort of part."""
    wide = b"".join(b'<numFmt numFmtId="%d" formatCode="%s"/>' % (at + 164, b"[" * 2_000) for at in range(n(3_500)))
    return {
        "a million merged ranges over 20,000 rows": ("r.xlsx", lambda: book_of(_row(1, *NAMES[:3]) + b"".join(
            _row(at, f"R-{at}", 30, "male") for at in range(2, n(20_000))), after=b"<mergeCells>" + b"".join(
                b'<mergeCell ref="A%d:B%d"/>' % (at, at) for at in range(2_000_000, 2_000_000 + n(1_000_000)))
            + b"</mergeCells>")),
        "200 tags of 40,000 attributes": _book(lambda: _good() + (b"<q " + b"".join(
            b'a%d="" ' % at for at in range(40_000)) + b"/>") * n(200)),
        "3 million cells that are filled with nothing": _book(lambda: _good() + b'<row r="9">'
                                                             + b"<c><v></v></c>" * n(3_000_000) + b"</row>"),
        "1,500,000 formulas that were never calculated": _book(lambda: _row(1, *NAMES[:3]) + b"".join(
            b'<row r="%d">' % at + b"<c><f>1</f></c>" * 500 + b"</row>" for at in range(2, n(3_000)))),
        "4,000 rows of 1,999 columns, nearly all blank": _book(lambda: _row(1, *NAMES[:3]) + b"".join(
            b'<row><c r="A%d"><v>%d</v></c><c r="%s%d"><v>1</v></c></row>' % (at, at, _letters(at % 1_996 + 3), at)
            for at in range(2, n(4_000)))),
        "a shared text of 900 kB in 100,000 cells": _book(
            lambda: _row(1, *NAMES) + b"".join(
                b'<row r="%d"><c><v>%d</v></c><c><v>30</v></c><c t="inlineStr"><is><t>male</t></is></c>'
                b'<c t="s"><v>0</v></c></row>' % (at, at) for at in range(2, n(100_000))),
            strings=lambda: b"<si><t>" + b"x" * 900_000 + b"</t></si>"),
        "a shared text of a million runs": _book(
            _good, strings=lambda: b"<si>" + b"<r><t>x</t></r>" * n(1_000_000) + b"</si>"),
        "60 MB of shared texts that nothing uses": _book(
            _good, strings=lambda: b"<si><t>abcdefghij</t></si>" * n(2_200_000)),
        "formats of 2,000 brackets": _book(_good, styles=lambda: (
            b"<styleSheet><numFmts>" + wide + b"</numFmts><cellXfs>"
            + b"".join(b'<xf numFmtId="%d"/>' % (at + 164) for at in range(n(3_500))) + b"</cellXfs></styleSheet>")),
        "styles that stand 400,000 deep": _book(_good, styles=lambda: b"<q>" * n(390_000) + b"</q>" * n(390_000)),
    }  # fmt: skip


def _slow_books(n: Callable[[int], int]) -> dict[str, Upload]:
    """Return workbooks of many sheets, parts, comments or digits."""
    return {
        "250 sheets of 30 rows of 2,000 words": ("r.xlsx", lambda: book_of(b"".join(
            _row(at, *(f"knee {at} {cell}" for cell in range(n(1_999)))) for at in range(1, 31)), sheets=250)),
        "30,000 rows with a number of 4,000 digits": _book(
            lambda: b"".join(b'<row r="%s"><c><v>1</v></c></row>' % (b"9" * 4_000) for _ in range(n(30_000)))),
        "130 numbers of a million digits": _book(lambda: _row(1, *NAMES[:3]) + b"".join(
            b'<row r="%d"><c><v>%d</v></c><c><v>%s</v></c></row>' % (at, at, b"1" * 1_000_000)
            for at in range(2, n(132)))),
        "140 MB of comments": _book(lambda: _good() + (b"<!--" + b"-x" * 2_000 + b"-->") * n(35_000)),
        "9,000 parts with names of 900 letters": ("r.xlsx", lambda: book_of(_good(), parts=n(9_000), long=900)),
    }  # fmt: skip


def _strange_books(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "5,000 sheets": ("r.xlsx", lambda: book_of(_good(), sheets=5_000)),
        "250 sheets of 40 MB of blanks": ("r.xlsx", lambda: book_of(b" " * n(40_000_000), sheets=250)),
        "60,000 parts": ("r.xlsx", lambda: book_of(_good(), parts=60_000)),
        "a part that is packed with LZMA": ("r.xlsx", lambda: book_of(
            _good() + b" " * n(400_000_000), packed=zipfile.ZIP_LZMA)),
        "a document type with entities": _book(_good, strings=lambda: b"<si><t>&a;</t></si>", head=(
            b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 1000 + b'">]>')),
        "a part that is larger than it says": ("r.xlsx", lambda: _understated(
            book_of(_good() + b" " * n(50_000_000)))),
        "a million laughs": ("r.xlsx", lambda: book_of(_good(), laughs=20)),
        "half a workbook": ("r.xlsx", lambda: book_of(_good())[:700]),
        "a workbook that is called a macro workbook": ("r.xlsm", lambda: b"PK\x03\x04" + b"\x00" * 1_000),
    }  # fmt: skip


def _parquets(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "one text of 1 MB, stored once, in 4,000 rows": ("r.parquet", lambda: _coded(1_000_000, n(4_000))),
        "one text of 20 kB, stored once, in 100,000 rows": ("r.parquet", lambda: _coded(20_000, n(100_000))),
        "a list of such texts": ("r.parquet", lambda: _coded(1_000_000, n(4_000), nested=True)),
        "texts that repeat the start of the one before": ("r.parquet", lambda: _prefixed(n(4_000))),
        "one value of 300 MB": ("r.parquet", lambda: _parquet({"notes": ["x" * n(300_000_000)]}, 1)),
        "50 million rows": ("r.parquet", lambda: _numbers(n(50_000_000))),
        "20,000 columns": ("r.parquet", lambda: _parquet({f"c{at}": [1] for at in range(20_000)}, 1)),
        "30,000 row groups": ("r.parquet", lambda: _parquet({}, n(30_000), group=1)),
        "2,000 columns in 20 row groups": ("r.parquet", lambda: _parquet(
            {f"c{at}": [1] * 20 for at in range(1_990)}, 20, group=1)),
        "a footer that is longer than the file": ("r.parquet", lambda: b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1"),
    }  # fmt: skip


def _strange_parquets(n: Callable[[int], int]) -> dict[str, Upload]:
    """Return Parquet files of unusual shapes, all of them valid but the last two."""
    return {
        "100,000 pages of one value": ("r.parquet", lambda: _paged(n(100_000))),
        "500,000 notes about the file": ("r.parquet", lambda: _noted(n(500_000))),
        "records that stand 900 deep": ("r.parquet", lambda: _parquet({"notes": _nested(n(900))}, 1)),
        "a record of 1,990 parts": ("r.parquet", lambda: _parquet(
            {"notes": [{f"c{at}": at for at in range(1_990)}] * n(20_000)}, n(20_000))),
        "a list of 40 million numbers in one cell": ("r.parquet", lambda: _listed(n(40_000_000))),
        "100,000 rows of 75 columns without a value": ("r.parquet", lambda: _parquet(
            {f"c{at}": pa.nulls(n(100_000)) for at in range(75)}, n(100_000))),
        "5,000 names that are the same": ("r.parquet", lambda: _same_names(n(5_000))),
        "pages that are no pages": ("r.parquet", lambda: _broken(n(100_000))),
        "a footer of noise": ("r.parquet", lambda: b"PAR1" + shake_256(b"footer").digest(n(1_000_000))
                              + n(1_000_000).to_bytes(4, "little") + b"PAR1"),
    }  # fmt: skip


def _texts(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "one line of 19 MB": ("r.csv", lambda: CSV_HEAD + b"a,30,male," + b"x" * n(19_000_000)),
        "a quote that never closes": ("r.csv", lambda: CSV_HEAD + b'a,30,male,"' + b"1,2\n" * n(4_700_000)),
        "6 million rows": ("r.csv", lambda: b"a,b\n" + b"1,\n" * n(6_000_000)),
        "19 million commas in a row": ("r.csv", lambda: CSV_HEAD + b"," * n(19_000_000)),
        "a header of 20,000 names": ("r.csv", lambda: b",".join(b"c%d" % at for at in range(20_000)) + b"\na,1\n"),
        "30 rows of 2,000 words above the header": ("r.csv", lambda: b"".join(
            b",".join(b"knee w%d%d" % (row, at) for at in range(1_999)) + b"\n" for row in range(30))),
    }  # fmt: skip


def _rows(n: Callable[[int], int]) -> dict[str, Upload]:
    """Return files of many rows, or of rows that are slow to read."""
    fields = b"runner_id,age_years,sex," + b",".join(
        field.name.encode() for field in INPUTS if field.kind != "text" and field.name not in NAMES
    )
    wrong = b",".join([b"?"] * (fields.count(b",") - 1))
    return {
        "a quote inside a cell of each of 20,000 rows": ("r.csv", lambda: CSV_HEAD + b"".join(
            b'R-%d,30,male,a"b%s\n' % (at, b"x" * 160) for at in range(n(20_000)))),
        "19 MB of carriage returns": ("r.csv", lambda: CSV_HEAD + b"\r" * n(19_000_000)),
        "19 MB of quotes": ("r.csv", lambda: CSV_HEAD + b'"' * n(19_000_000)),
        "19 MB of quotes and lines": ("r.csv", lambda: CSV_HEAD + b'"\n' * n(9_500_000)),
        "19 MB of NULs": ("r.csv", lambda: CSV_HEAD + b"\x00" * n(19_000_000)),
        "9 million blank lines, then a row": ("r.csv", lambda: CSV_HEAD + b"\n" * n(19_000_000) + b"a,30,male,x"),
        "20,000 rows of 40 cells that are all wrong": ("r.csv", lambda: fields + b"\n" + b"".join(
            b"R-%d,x," % at + wrong + b"\n" for at in range(n(20_000)))),
        "99,999 times the same id": ("r.csv", lambda: CSV_HEAD + b"R-1,30,male,x\n" * n(99_999)),
    }  # fmt: skip


def _wide_rows(n: Callable[[int], int]) -> dict[str, Upload]:
    """Return files of wide rows, long names and long cells."""
    return {
        "2,000 columns of 2,000 rows": ("r.csv", lambda: b"runner_id,age_years,sex," + b",".join(
            b"c%d" % at for at in range(1_996)) + b"\n" + b"".join(
                b"R-%d,30,male" % at + b"," * 1_996 + b"\n" for at in range(n(2_000)))),
        "100,000 columns in one row": ("r.csv", lambda: b"," * 100_000 + b"\n" + b"," * 100_000),
        "2,000 names of 9,000 letters": ("r.csv", lambda: b",".join(
            b"knee pain " * 900 + b"%d" % at for at in range(n(2_000))) + b"\n1\n"),
        "1,900 names that are nearly fields": ("r.csv", lambda: b"runner_id,age_years,sex," + b",".join(
            b"weekly_distanc_km%d" % at for at in range(n(1_900))) + b"\n" + b"1,30,male" + b"," * n(1_900)),
        "a number of 15 million digits": ("r.csv", lambda: CSV_HEAD + b"a," + b"1" * n(15_000_000) + b",male,x\n"),
        "7 million points and commas in a number": ("r.csv", lambda: b"runner_id;age_years;sex\na;"
                                                    + b"1.1," * n(3_500_000) + b";male\n"),
        "a number of 4 million digits": ("r.csv", lambda: CSV_HEAD + b"a," + b"1" * n(4_000_000) + b",male,x\n"),
        "4 MB of points and commas in a number": ("r.csv", lambda: b"runner_id;age_years;sex\na;"
                                                  + b"1.1," * n(1_000_000) + b";male\n"),
        "text that is compressed": ("r.csv", lambda: gzip.compress(CSV_HEAD + b"a,30,male,x\n" * n(1_000_000))),
        "text of UTF-32": ("r.csv", lambda: (CSV_HEAD.decode() + "a,30,male,x\n" * n(300_000)).encode("utf-32")),
        "9 million letters with accents above accents": ("r.csv", lambda: CSV_HEAD + b"a,30,male,"
                                                         + "e\u0301\u0302".encode() * n(3_000_000)),
        "apostrophes before formulas in 20,000 rows": ("r.csv", lambda: CSV_HEAD + b"".join(
            b"R-%d,30,male,%s=1\n" % (at, b"'" * 250) for at in range(n(20_000)))),
    }  # fmt: skip


def _others(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "every cell of 60,000 rows is wrong": ("r.csv", lambda: b"runner_id,age_years,sex,height_cm,weight_kg\n"
                                               + b"".join(b"%d,x,y,z,w\n" % at for at in range(n(60_000)))),
        "noise": ("r.csv", lambda: shake_256(b"noise").digest(n(5_000_000))),
        "a map with a key of 2 million parts": ("map", lambda: b"a" + b".a" * n(2_000_000) + b" = 1"),
        "a map of 200,000 tables": ("map", lambda: b"".join(
            b"[columns.c%d]\nfrom = 'x'\n" % at for at in range(n(200_000)))),
        "a map of 9,000 tables": ("map", lambda: b"".join(
            b"[columns.c%d]\nfrom='x'\n" % at for at in range(n(9_000)))),
        "a map with a key of 90,000 parts": ("map", lambda: b"a" + b".a" * n(90_000) + b" = 1"),
        "a map of a number of 4 million digits": ("map", lambda: b"a = " + b"1" * n(4_000_000)),
        "half boundaries": ("form", lambda: b"\r\n--hostile-9f1" * n(1_200_000)),
        "carriage returns in a form": ("form", lambda: b"\r" * n(19_000_000)),
        "a map of 5 million brackets": ("map", lambda: b"a = " + b"[" * n(5_000_000)),
    }  # fmt: skip


def book_of(
    sheet: bytes, *, sheets: int = 1, parts: int = 0, packed: int = zipfile.ZIP_DEFLATED, **others: Any
) -> bytes:
    """Return a workbook of raw parts; sheets share one. `others`: `strings`, `styles`, and their `head`."""
    head, laughs = others.get("head", b""), _laughs(others.get("laughs", 0))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packed) as archive:
        names = b"".join(b'<sheet name="S%d" sheetId="%d" r:id="s"/>' % (at, at + 1) for at in range(sheets))
        archive.writestr("_rels/.rels", _related(("o", "officeDocument", "xl/workbook.xml")))
        archive.writestr(
            "xl/workbook.xml", laughs + b'<workbook xmlns:r="r"><sheets>' + names + b"</sheets></workbook>"
        )
        related = [("s", "worksheet", "s.xml")]
        for name, other, tag in (("sharedStrings", "strings", b"sst"), ("styles", "styles", b"")):
            if text := others.get(other):
                related.append((name, name, f"{name}.xml"))
                archive.writestr(f"xl/{name}.xml", head + (b"<%s>%s</%s>" % (tag, text, tag) if tag else text))
        archive.writestr("xl/_rels/workbook.xml.rels", _related(*related))
        archive.writestr("xl/s.xml", _OPEN + sheet + b"</sheetData>" + others.get("after", b"") + b"</worksheet>")
        for at in range(parts):
            archive.writestr(f"xl/media/{at}".ljust(others.get("long", 0), "x"), b"")
    return content.getvalue()


def _book(sheet: Callable[[], bytes], strings: Callable[[], bytes] = bytes, styles: Callable[[], bytes] = bytes,
          head: bytes = b"") -> Upload:  # fmt: skip
    return "r.xlsx", lambda: book_of(sheet(), strings=strings(), styles=styles(), head=head)


def _related(*parts: tuple[str, str, str]) -> bytes:
    nodes = "".join(f'<Relationship Id="{key}" Type="{_TYPE}{kind}" Target="{where}"/>' for key, kind, where in parts)
    return f"<Relationships>{nodes}</Relationships>".encode()


def _good() -> bytes:
    return _row(1, *NAMES[:3]) + _row(2, "a", 30, "male")


def _row(number: int, *cells: object) -> bytes:
    written = b"".join(
        b"<c><v>%d</v></c>" % cell if isinstance(cell, int)
        else b'<c t="inlineStr"><is><t>%s</t></is></c>' % (cell if isinstance(cell, bytes) else str(cell).encode())
        for cell in cells
    )  # fmt: skip
    return b'<row r="%d">%s</row>' % (number, written)


def _letters(column: int) -> bytes:
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters.encode()


def _laughs(depth: int) -> bytes:
    """Return a document type of which one entity is two of the one before, and so on."""
    if not depth:
        return b""
    entities = b"".join(b'<!ENTITY e%d "&e%d;&e%d;">' % (at, at - 1, at - 1) for at in range(1, depth))
    return b'<!DOCTYPE workbook [<!ENTITY e0 "ha">' + entities + b"<!ENTITY e '&e%d;'>" % (depth - 1) + b"]>"


def _understated(book: bytes) -> bytes:
    """Return a workbook whose largest part says that it has 1,000 bytes."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        size = max(info.file_size for info in archive.infolist())
    return book.replace(size.to_bytes(4, "little"), (1_000).to_bytes(4, "little"))


def _parquet(columns: dict[str, object], rows: int, group: int = 1 << 20) -> bytes:
    ids = pa.array([f"R-{at}" for at in range(rows)])
    table = pa.table({"runner_id": ids, "age_years": [30] * rows, "sex": ["male"] * rows, **columns})
    return _file(table, group)


def _file(table: pa.Table, group: int = 1 << 20, **options: object) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content, row_group_size=group, compression="zstd", store_schema=False, **options)
    return content.getvalue()


def _coded(length: int, rows: int, nested: bool = False) -> bytes:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
    if nested:
        column = pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), column)
    return _parquet({"notes": column}, rows)


def _prefixed(rows: int) -> bytes:
    texts = ["x" * 200_000 + str(at) for at in range(min(rows, 2_000))]
    table = pa.table({"runner_id": texts, "age_years": [30] * len(texts), "sex": ["male"] * len(texts)})
    encoding = {"runner_id": "DELTA_BYTE_ARRAY"}
    return _file(table, use_dictionary=False, column_encoding=encoding, write_statistics=False)


def _numbers(rows: int) -> bytes:
    same = pa.array([30], pa.int8()).take(pa.repeat(pa.scalar(0, pa.int8()), rows))
    return _file(pa.table({"age_years": same}))


def _paged(rows: int) -> bytes:
    table = pa.table({name: [str(at) for at in range(rows)] for name in ("runner_id", "age_years", "sex")})
    return _file(table, data_page_size=1, write_batch_size=1, use_dictionary=False, write_statistics=False)


def _noted(notes: int) -> bytes:
    table = pa.table({"runner_id": ["a"], "age_years": [30], "sex": ["male"]})
    return _file(table.replace_schema_metadata({f"note {at}": "x" for at in range(notes)}))


def _nested(depth: int) -> pa.Array:
    column = pa.array([1])
    for _ in range(depth):
        column = pa.StructArray.from_arrays([column], ["a"])
    return column


def _listed(numbers: int) -> bytes:
    same = pa.repeat(pa.scalar(0, pa.int8()), numbers)
    return _parquet({"notes": pa.ListArray.from_arrays(pa.array([0, numbers], pa.int32()), same)}, 1)


def _same_names(columns: int) -> bytes:
    arrays = [pa.array(["x"])] * columns
    return _file(pa.Table.from_arrays(arrays, ["notes"] * columns))


def _broken(rows: int) -> bytes:
    """Return a file whose pages are bytes of noise and whose footer is right."""
    file = bytearray(_parquet({"notes": [str(at) for at in range(rows)]}, rows))
    file[1_000:20_000] = shake_256(b"pages").digest(19_000)
    return bytes(file)


__all__ = ["book_of", "uploads"]
