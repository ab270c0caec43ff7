"""Uploads that are small and ask for much: made here, of bytes that compress well or that say more than is there."""

import io
import zipfile
from collections.abc import Callable, Mapping
from hashlib import shake_256

import pyarrow as pa
import pyarrow.parquet as pq

CSV_HEAD = b"runner_id,age_years,sex,notes\n"
NAMES = ("runner_id", "age_years", "sex", "notes")
_OPEN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_CLOSE = b"</sheetData></worksheet>"
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
Upload = tuple[str, Callable[[], bytes]]  # the name of the file, and what makes its content


def uploads(scale: float = 1.0) -> Mapping[str, Upload]:
    """Return 40 uploads by what they try; a smaller scale makes smaller ones of the same kinds."""

    def n(count: int) -> int:
        return max(int(count * scale), 1)

    return {**_books(n), **_strange_books(n), **_parquets(n), **_texts(n), **_others(n)}


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
        "500 MB of blanks that are no cells": _book(lambda: _good() + b" " * n(500_000_000)),
        "100 million empty tags": _book(lambda: _good() + b"<q/>" * n(100_000_000)),
        "tags that stand 5 million deep": _book(lambda: _good() + b"<q>" * n(5_000_000)),
        "a tag with 50 MB of attributes": _book(lambda: _good() + b"<q " + b"".join(
            b'a%d="" ' % at for at in range(n(4_000_000))) + b"/>"),
        "a name of 900,000 characters": _book(lambda: _row(1, *NAMES[:3], b"knee pain " * n(90_000))
                                              + _row(2, "a", 30, "male", "x")),
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
        "100,000 row groups": ("r.parquet", lambda: _parquet({}, n(30_000), group=1)),
        "a footer that is longer than the file": ("r.parquet", lambda: b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1"),
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


def _others(n: Callable[[int], int]) -> dict[str, Upload]:
    return {
        "every cell of 60,000 rows is wrong": ("r.csv", lambda: b"runner_id,age_years,sex,height_cm,weight_kg\n"
                                               + b"".join(b"%d,x,y,z,w\n" % at for at in range(n(60_000)))),
        "noise": ("r.csv", lambda: shake_256(b"noise").digest(n(5_000_000))),
        "a map of 5 million brackets": ("map", lambda: b"a = " + b"[" * n(5_000_000)),
    }  # fmt: skip


def book_of(
    sheet: bytes, *, sheets: int = 1, parts: int = 0, packed: int = zipfile.ZIP_DEFLATED, **others: bytes
) -> bytes:
    """Return a workbook of raw parts; sheets share one. `others`: `strings`, `styles`, and their `head`."""
    head = others.get("head", b"")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packed) as archive:
        names = b"".join(b'<sheet name="S%d" sheetId="%d" r:id="s"/>' % (at, at + 1) for at in range(sheets))
        archive.writestr("_rels/.rels", _related(("o", "officeDocument", "xl/workbook.xml")))
        archive.writestr("xl/workbook.xml", b'<workbook xmlns:r="r"><sheets>' + names + b"</sheets></workbook>")
        related = [("s", "worksheet", "s.xml")]
        for name, other, tag in (("sharedStrings", "strings", b"sst"), ("styles", "styles", b"")):
            if text := others.get(other):
                related.append((name, name, f"{name}.xml"))
                archive.writestr(f"xl/{name}.xml", head + (b"<%s>%s</%s>" % (tag, text, tag) if tag else text))
        archive.writestr("xl/_rels/workbook.xml.rels", _related(*related))
        archive.writestr("xl/s.xml", _OPEN + sheet + _CLOSE)
        for at in range(parts):
            archive.writestr(f"xl/media/{at}", b"")
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


__all__ = ["book_of", "uploads"]
