"""CSV files in blocks: whatever is in them, and wherever they are cut, Python's own reader decides what they mean."""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.core.errors import InputError, TooLarge
from pfps_ml.io.cells import limited
from pfps_ml.io.csv_chunks import Span, parse, read_span, scan, spans
from pfps_ml.io.readers import Size, open_source, pieces, read_all, read_piece
from tests.rosters import roster

KNOWN = frozenset({"runner_id", "age_years", "sex"})
ALL = Span(0, 0, 1, True)
HEAD = "runner_id,age_years,sex\n"


def rows_of(text, delimiter=","):
    """Return the rows as Python reads them, or None where its quotes do not match."""
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return [row for row in found if len(row) > 1 or (row and row[0].strip())]


def fitted(row):
    return [*row[:2], ",".join(row[2:])] if len(row) > 3 else [*row, "", "", ""][:3]


def table_rows(sheet):
    return [list(row.values()) for row in sheet.table.to_pylist()]


@settings(max_examples=300)
@given(
    text=st.text(alphabet='a",\n\r \t', max_size=60),
    size=st.integers(1, 40),
)
def test_any_text_cut_anywhere_says_what_pythons_reader_says(tmp_path, text, size):
    source = roster(tmp_path, HEAD + "x,1,y\n" + text)
    expected = rows_of(HEAD + "x,1,y\n" + text)
    if expected is None:
        with pytest.raises(InputError, match="quotes that open and close"):
            read_all(open_source(source, KNOWN), Size(1, size))
        return
    sheet = read_all(open_source(source, KNOWN), Size(1, size))
    assert table_rows(sheet) == [fitted(row) for row in expected[1:]]
    assert [fault.row for fault in sheet.faults] == [at for at, row in enumerate(expected[1:]) if len(row) != 3]


quoted = st.text(alphabet='ab",\n\r ', max_size=6).map(lambda cell: '"' + cell.replace('"', '""') + '"')
plain = st.text(alphabet="ab ", min_size=1, max_size=4)


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(*[quoted | plain] * 3), min_size=1, max_size=8), end=st.sampled_from(["\n", "\r\n"]))
def test_arrow_and_python_read_the_same_of_what_is_well_formed(rows, end):
    text = "".join(",".join(row) + end for row in rows)
    found = parse(text.encode(), ",", 3, Span(0, len(text), 1, True), [0, 1, 2])
    assert list(zip(*(found.columns[at].to_pylist() for at in range(3)), strict=True)) == [
        tuple(row) for row in rows_of(text)
    ]


def test_only_what_is_wanted_is_read_also_of_rows_that_do_not_fit():
    for text in (b"a,b,c\n", b"a,b,c,d\n"):
        found = parse(text, ",", 3, ALL, [1])
        assert {at: column.to_pylist() for at, column in found.columns.items()} == {1: ["b"]}


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_letter_cut_in_two_by_the_reader_is_still_utf8(tmp_path, cut):
    path = roster(tmp_path, "a" * 6 + "ëë" + "b" * 6)
    assert scan(path, cut).encoding == "utf-8"
    path = roster(tmp_path, ("a" * 6 + "ë").encode()[:-1])
    assert scan(path, cut).encoding == "cp1252"


def test_spans_are_whole_rows_and_know_their_lines(tmp_path):
    text = HEAD + "".join(f'{i},"two\nlines",x\r\n' for i in range(50))
    path = roster(tmp_path, text)
    found = list(spans(path, len(HEAD), ",", 64))
    assert len(found) > 5
    assert b"".join(read_span(path, span) for span in found).decode() == text[len(HEAD) :]
    assert [span.line for span in found] == [2 + 2 * int(read_span(path, span).split(b",")[0]) for span in found]


def test_a_row_longer_than_any_row_is_an_open_quote(tmp_path):
    path = roster(tmp_path, HEAD + "x,1,y\n" * 10 + 'x,"' + "1,y\n" * 9_000)
    with limited(row=10_000), pytest.raises(TooLarge, match="from line 12 of the file on"):
        list(pieces(open_source(path, KNOWN), Size(1, 60)))


def test_old_macintosh_lines_are_cut_too(tmp_path):
    path = roster(tmp_path, (HEAD + "x,1,y\n" * 40).replace("\n", "\r"))
    source = open_source(path, KNOWN)
    listed = list(pieces(source, Size(1, 60)))
    assert len(listed) > 3
    assert sum(read_piece(source, piece).table.num_rows for piece in listed) == 40


def test_a_block_of_one_column_keeps_its_cells():
    found = parse(b"a\n\n  \nb\n", ",", 1, ALL, [0])
    assert found.columns[0].equals(pa.array(["a", "b"]))
