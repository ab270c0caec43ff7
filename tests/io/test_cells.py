"""Cells as text: what Python's own writer writes, and no spreadsheet runs."""

import csv
import datetime as dt
import decimal
import io

import pyarrow as pa
from hypothesis import given, settings, strategies as st

from pfps_ml.io.cells import Dialect, csv_header, csv_lines, texts, unguard, unguarded

awkward = st.text(alphabet="'=+-@\t\r\n\",;15.eé ", max_size=6)
DIALECTS = [Dialect(), Dialect(";", ",", True), Dialect("\t")]


def lines(table, dialect=DIALECTS[0]):
    return b"".join(csv_lines(table, dialect)).decode()


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(awkward, awkward), min_size=1, max_size=5), dialect=st.sampled_from(DIALECTS))
def test_lines_are_those_of_pythons_writer_but_for_the_guard(rows, dialect):
    table = pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    out = io.StringIO(newline="")
    # told of both ends of a line, the writer quotes a lone \r too
    writer = csv.writer(out, delimiter=dialect.delimiter, lineterminator="\r\n")
    for row in rows:
        start = out.tell()
        writer.writerow([_guarded(cell) for cell in row])
        end = out.tell()
        out.seek(start)
        line = out.read()[:-2] + "\n"
        out.seek(start)
        out.write(line)
        out.truncate(end - 1)
    assert lines(table, dialect) == out.getvalue()
    encoded = pa.table({name: table.column(name).dictionary_encode() for name in table.column_names})
    assert lines(encoded, dialect) == out.getvalue()
    assert lines(table.slice(1), dialect) == out.getvalue()[len(lines(table.slice(0, 1), dialect)) :]


def _guarded(cell):
    found = unguarded(pa.array(["'" + cell])).to_pylist()[0]
    return "'" + cell if found == cell else cell


@given(cell=awkward)
def test_one_cell_and_a_column_lose_the_same_apostrophes(cell):
    assert unguarded(pa.array([cell])).to_pylist() == [unguard(cell)]


def test_every_type_becomes_text_cell_by_cell(subtests):
    for column, expected in [
        (pa.array([1, None], pa.int64()), ["1", None]),
        (pa.array([1.0, 0.1, float("nan"), None]), ["1", "0.1", None, None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([90, None], pa.duration("s")), ["90 s", None]),
        (pa.array([dt.date(2026, 1, 2)]), ["2026-01-02"]),
        (pa.array([dt.datetime(2026, 1, 2)], pa.timestamp("s")), ["2026-01-02 00:00:00"]),
        (pa.array([decimal.Decimal("61.50")]), ["61.50"]),
        (pa.array([b"ok", b"\xff", None]), ["ok", "b'\\xff'", None]),
        (pa.array([b"ok", None]), ["ok", None]),
        (pa.array([[1, 2], None]), ["[1, 2]", None]),
        (pa.array(["x"], pa.large_string()), ["x"]),
    ]:
        with subtests.test(column=column, expected=expected):
            assert texts(column).to_pylist() == expected
            assert [cell for at in range(len(column)) for cell in texts(column.slice(at, 1)).to_pylist()] == expected


def test_numbers_are_written_in_the_dialect_and_nothing_for_nothing():
    table = pa.table({"a": [0.5, None, float("nan")], "b": pa.array([None, -2, 3], pa.int32()),
                      "c": pa.array(["x", None, "-y"]).dictionary_encode()})  # fmt: skip
    assert lines(table, Dialect(";", ",")) == "0,5;;x\n;-2;\n;3;'-y\n"


def test_dictionaries_with_gaps_and_of_lists_are_written_too():
    gap = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["x", None]))
    many = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1]), pa.array([[1], [2]]))
    assert lines(pa.table({"gap": gap, "many": many})) == "x,[1]\n,[1]\n,[2]\n"


def test_an_empty_cell_of_a_single_column_is_a_row_all_the_same():
    assert lines(pa.table({"a": ["x", "", "y"]})) == 'x\n""\ny\n'


def test_many_rows_and_none():
    table = pa.table({"a": [str(i) for i in range(20_000)], "b": ["x"] * 20_000})
    assert lines(table) == "".join(f"{i},x\n" for i in range(20_000))
    assert lines(table.slice(0, 0)) == ""


def test_names_are_guarded_and_quoted_like_cells():
    assert csv_header(["a", "=b", "c;d"], Dialect(";", bom=True)) == b'\xef\xbb\xbfa;\'=b;"c;d"\n'
