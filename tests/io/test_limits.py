"""Small files that become very large: refused while they are read, by a code, whatever they say of themselves."""

import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.hostile_files import book_of, uploads
from pfps_ml.core.errors import InputError, TooLarge
from pfps_ml.io.cells import limited
from pfps_ml.io.mapping import load_mapping
from pfps_ml.io.readers import Size, open_source, pieces, read_all, read_piece

KNOWN = frozenset({"runner_id", "age_years", "sex"})
SMALL = {"characters": 1 << 20, "cell": 10_000, "strings": 100_000, "sheet": 1_000_000, "elements": 100_000,
         "columns": 500, "described": 10_000, "cells": 10_000, "unpacked": 5_000_000, "rows": 1_000, "entries": 500,
         "row": 1 << 17}  # fmt: skip
ROW = b"<row><c><v>1</v></c></row>"


def read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    source = open_source(path, KNOWN)
    return [read_piece(source, piece) for piece in pieces(source, Size(1 << 10, 1 << 16))]


def code(tmp_path, name, content):
    with pytest.raises(InputError) as refused:
        read(tmp_path, name, content)
    return refused.value.detail.code


BOMBS = {
    "one cell of 300 MB": "cell_too_long", "one shared text of 60 MB": "workbook_part_too_large",
    "12 million shared texts": "sheet_too_large", "2 million styles": "workbook_too_many_elements",
    "999,999 rows": "too_many_rows", "20,000 columns with names": "too_many_columns",
    "a cell in another column of each row": "too_many_columns", "5,000 sheets": "workbook_too_many_parts",
    "60,000 parts": "workbook_too_many_parts", "a part that is packed with LZMA": "workbook_damaged",
    "a document type with entities": "workbook_damaged", "half a workbook": "workbook_damaged",
    "500 MB of blank cells": "workbook_part_too_large", "100 million empty tags": "workbook_too_many_elements",
    "tags that stand 5 million deep": "workbook_too_many_elements", "20,000 columns": "too_many_columns",
    "one text of 1 MB, stored once, in 4,000 rows": "texts_too_large", "a list of such texts": "texts_too_large",
    "50 million rows": "too_many_rows", "a footer that is longer than the file": "parquet_damaged",
    "6 million rows": "too_many_rows", "19 million commas in a row": "csv_row_too_long",
    "a header of 20,000 names": "too_many_columns",
}  # fmt: skip
SCALES = {"one cell of 300 MB": 2e-4, "12 million shared texts": 1e-3, "2 million styles": 2e-2,
          "999,999 rows": 2e-3, "500 MB of blank cells": 1e-2, "one shared text of 60 MB": 2e-3,
          "tags that stand 5 million deep": 1e-4, "100 million empty tags": 2e-3,
          "a cell in another column of each row": 0.01, "one text of 1 MB, stored once, in 4,000 rows": 5e-3,
          "a list of such texts": 5e-3, "50 million rows": 1e-4, "6 million rows": 1e-3,
          "19 million commas in a row": 0.02}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), BOMBS.items())
def test_a_bomb_is_refused_by_its_code(tmp_path, name, expected):
    file, made = uploads(SCALES.get(name, 1e-3))[name]
    with limited(**SMALL):
        assert code(tmp_path, file, made()) == expected


# at its true size the first is refused by another limit; the others are read piece by piece, each within the limits
READ = {"500 MB of blank cells", "a list of such texts", "19 million commas in a row"}
TRUE_SIZE = {name: code for name, code in (BOMBS | {"one shared text of 60 MB": "cell_too_long"}).items()
             if name not in READ}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), TRUE_SIZE.items())
def test_a_bomb_of_its_true_size_is_refused_by_its_code(tmp_path, name, expected):
    file, made = uploads()[name]
    with limited(rows=100_000):
        assert code(tmp_path, file, made()) == expected


def test_a_limit_of_rows_is_one_of_records_whatever_lines_they_have(tmp_path):
    text = "runner_id,age_years,notes\r\n" + "".join(f'R-{at},30,"one\r\ntwo\nthree"\r\n' for at in range(40))
    with limited(rows=40):
        assert sum(sheet.table.num_rows for sheet in read(tmp_path, "r.csv", text.encode())) == 40
        assert code(tmp_path, "r.csv", text.encode() + b"R-x,30,\n") == "too_many_rows"


@pytest.mark.parametrize("rows", [40, 41])
def test_exactly_so_many_rows_of_a_workbook_pass_and_one_more_does_not(tmp_path, rows):
    head = b"<row><c t='str'><v>runner_id</v></c><c t='str'><v>sex</v></c></row>"
    content = book_of(head + ROW * rows)
    with limited(rows=40):
        if rows == 40:
            assert read(tmp_path, "r.xlsx", content)[0].table.num_rows == 40
        else:
            assert code(tmp_path, "r.xlsx", content) == "too_many_rows"


def test_without_a_limit_of_rows_any_number_is_read(tmp_path):
    assert sum(sheet.table.num_rows for sheet in read(tmp_path, "r.csv", b"a,b\n" + b"1,2\n" * 200_000)) == 200_000


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", None])
def test_texts_of_parquet_are_the_same_however_they_are_stored(tmp_path, encoding):
    table = pa.table({"runner_id": ["xx1", None, "xx3", "xx3"], "sex": ["male", "male", None, "female"]})
    coding = {"use_dictionary": False, "column_encoding": dict.fromkeys(table.column_names, encoding)}
    pq.write_table(table, tmp_path / "r.parquet", **(coding if encoding else {}))
    assert read_all(open_source(tmp_path / "r.parquet", KNOWN)).table.equals(table)


def test_a_text_that_stands_in_every_row_counts_in_every_row(tmp_path):
    content = io.BytesIO()
    pq.write_table(pa.table({"notes": ["x" * 10_000] * 100}), content)
    with limited(characters=10_000 * 101):
        assert read(tmp_path, "r.parquet", content.getvalue())[0].table.num_rows == 100
    with limited(characters=10_000 * 99):
        assert code(tmp_path, "r.parquet", content.getvalue()) == "texts_too_large"


def test_a_refusal_for_size_is_413_and_says_what_to_do(tmp_path):
    with limited(rows=1), pytest.raises(TooLarge, match="expected at most 1 rows here, got more") as refused:
        read(tmp_path, "r.csv", b"a,b\n1,2\n3,4\n")
    assert refused.value.http_status == 413 and refused.value.exit_code == 2


def test_a_map_that_stands_too_deep_is_no_map(tmp_path):
    (tmp_path / "m.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(InputError) as refused:
        load_mapping(tmp_path / "m.toml")
    assert refused.value.detail.code == "map_is_no_toml"


def test_an_archive_whose_part_is_larger_than_it_says_is_damaged(tmp_path):
    content = book_of(ROW + b" " * 100_000)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo("xl/s.xml").file_size
    understated = content.replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little"))
    assert code(tmp_path, "r.xlsx", understated) == "workbook_damaged"
