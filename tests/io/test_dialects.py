"""The formats of a roster file: what is read is what was written, and what is no roster is refused."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError
from pfps_ml.io.cells import Dialect, csv_header, csv_lines
from pfps_ml.io.readers import read_sheet
from pfps_ml.io.roster import read_roster
from tests.rosters import GOOD, HEADER, ROW, cells, refused, roster, scored

COMMA = Dialect()


def render(table, dialect=COMMA):
    return csv_header(table.column_names, dialect) + b"".join(csv_lines(table, dialect))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_and_written_back(tmp_path, bundle, delimiter):
    text = "runner_id,age_years,sex,weight_kg,navicular_drop_mm\nR-1,30,female,61.5,7.25\n"
    scored(tmp_path, text, bundle, "point.csv")
    scored(tmp_path, text.replace(",", delimiter).replace(".", ","), bundle, "comma.csv")
    (point,), (comma,) = cells(tmp_path / "point.csv"), cells(tmp_path / "comma.csv", delimiter)
    assert comma["weight_kg"] == "61,5"
    assert comma["risk_12m"] == point["risk_12m"].replace(".", ",")


def test_a_semicolon_file_with_points_gets_points(tmp_path, bundle):
    scored(tmp_path, "runner_id;age_years;sex;weight_kg\nR-1;30;female;61.5\n", bundle)
    assert "." in cells(tmp_path / "out.csv", ";")[0]["risk_12m"]


@pytest.mark.parametrize(
    ("encoding", "marked"), [("utf-8", False), ("utf-8-sig", True), ("latin-1", True), ("cp1252", True)]
)
def test_accents_survive_in_every_encoding(tmp_path, bundle, encoding, marked):
    club = "Läufer “Zürich”" if encoding == "cp1252" else "Läufer Zürich"
    scored(tmp_path, GOOD.replace("Club", club).encode(encoding), bundle)
    assert cells(tmp_path / "out.csv")[0]["club"] == club
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf") == marked


def test_a_byte_that_windows_does_not_know_is_read_as_latin_1(tmp_path):
    assert read_roster(roster(tmp_path, GOOD.encode().replace(b"Club", b"\x81\xe9"))).summary.scored == 2


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_lines_may_end_as_on_any_system_and_blank_ones_are_no_rows(tmp_path, end):
    text = GOOD.replace("\n", end) + end + " " + end
    assert read_roster(roster(tmp_path, text)).summary.rows == 2


def test_parquet_columns_keep_their_types(tmp_path, bundle):
    frame = pd.DataFrame({
        "runner_id": pd.array([7, 8, 9], dtype="int32"), "age_years": [30.0, 41.5, np.nan],
        "sex": pd.Categorical(["female", "male", "male"]), "prior_pfps": ["no", None, "yes"],
        "tested": pd.to_datetime(["2026-01-02"] * 3), "splits": [[1, 2], [], [3]],
    })  # fmt: skip
    source = tmp_path / "in.parquet"
    frame.to_parquet(source)
    score_roster(source, tmp_path / "out.parquet", bundle)
    before, after = pq.read_table(source), pq.read_table(tmp_path / "out.parquet")
    assert after.select(before.column_names).equals(before)
    assert after.column("status").to_pylist() == ["scored", "scored", "rejected"]
    assert after.schema.field("risk_12m").type == pa.float64()
    assert after.column("risk_12m").to_pylist()[2] is None
    assert pd.read_parquet(tmp_path / "out.parquet")["sex"].dtype == "category"


def test_parquet_becomes_csv_and_back(tmp_path, bundle):
    table = pa.table({
        "runner_id": ["=1+1", "R-2"], "age_years": [30, 40], "sex": ["male", "female"], "weight_kg": [61.5, None],
        "seen": pa.array([1, None], pa.timestamp("s")), "blob": [b"\xff", b"ok"], "flag": [True, None],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    score_roster(tmp_path / "in.parquet", tmp_path / "out.csv", bundle)
    first, second = cells(tmp_path / "out.csv")
    assert (first["runner_id"], first["weight_kg"], first["flag"]) == ("'=1+1", "61.5", "true")
    assert (second["weight_kg"], second["seen"], second["flag"]) == ("", "", "")
    score_roster(tmp_path / "out.csv", tmp_path / "back.parquet", bundle)
    assert pq.read_table(tmp_path / "back.parquet").column("runner_id").to_pylist() == ["=1+1", "R-2"]


def test_a_parquet_column_of_another_kind_is_rejected_row_by_row(tmp_path):
    table = pa.table({"runner_id": ["a", "b"], "age_years": [[30], [40]], "sex": [True, False], "bilateral": [1, 0]})
    pq.write_table(table, tmp_path / "in.parquet")
    assert read_roster(tmp_path / "in.parquet").summary.problems == {"age_years": 2, "sex": 2, "bilateral": 2}


def test_a_parquet_boolean_answers_a_question_for_yes_or_no_and_again_from_the_csv_that_comes_back(tmp_path, bundle):
    table = pa.table({"runner_id": ["a", "b", "c"], "age_years": [30] * 3, "sex": ["male"] * 3,
                      "prior_pfps": [True, None, False]})  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    score_roster(tmp_path / "in.parquet", tmp_path / "out.csv", bundle)
    for source in ("in.parquet", "out.csv"):
        np.testing.assert_array_equal(read_roster(tmp_path / source).values["prior_pfps"], [1, np.nan, 0])


def test_an_id_that_a_spreadsheet_would_run_gets_an_apostrophe_that_our_reader_takes_off(tmp_path, bundle):
    attack = "=cmd|' /C calc'!A0"
    scored(tmp_path, HEADER + ROW.format(attack), bundle)
    assert cells(tmp_path / "out.csv")[0]["runner_id"] == "'" + attack
    assert read_roster(tmp_path / "out.csv").ids.tolist() == [attack]


def test_numbers_and_plain_text_get_no_apostrophe(subtests):
    for cell in ["-5", "+3.5", "-1,5", "'quoted", "a=b", "-2e3", "'-5"]:
        with subtests.test(cell=cell):
            table = pa.table({"notes": [cell]})
            assert next(csv.reader(io.StringIO(render(table).decode().split("\n", 1)[1]))) == [cell]


def test_what_a_spreadsheet_would_run_is_written_as_text(subtests):
    for cell in ["=1", "+x", "-x", "@x", "\tx", "\rx", "'=x", "''@x", "--1", "-"]:
        with subtests.test(cell=cell):
            table = pa.table({"notes": [cell]})
            assert next(csv.reader(io.StringIO(render(table).decode()[6:], newline=""))) == ["'" + cell]


awkward = st.text(alphabet="'=+-@\t\r\n\",;1aé ", max_size=6)


@settings(max_examples=150)
@given(rows=st.lists(st.tuples(awkward, awkward), min_size=1, max_size=4), delimiter=st.sampled_from(",;\t"))
def test_any_text_written_is_the_text_read(tmp_path, rows, delimiter):
    table = pa.table({"runner_id": [a for a, _ in rows], "notes": [b for _, b in rows]})
    path = roster(tmp_path, render(table, Dialect(delimiter)))
    assert read_sheet(path, frozenset({"runner_id"})).table.equals(table)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"", "roster.csv", "empty file"),
        (b" \r\n ", "roster.csv", "empty file"),
        (b"\xef\xbb\xbf", "roster.csv", "empty file"),
        (b"", "roster.parquet", "empty file"),
        (bytes(range(256)), "roster.csv", "NUL byte in line 1"),
        (b"\x01\x02runner_id,age_years,sex\nR-1,30,male\n", "roster.csv", "binary"),
        (GOOD.encode().replace(b"R-2", b"R\x00"), "roster.csv", "NUL byte in line 3"),
        (b"PK\x03\x04rest", "roster.csv", "workbook"),
        (GOOD.encode("utf-16"), "roster.csv", "UTF-16"),
        (GOOD.encode("utf-16-le"), "roster.csv", "NUL byte"),
        (b"PK\x03\x04rest", "roster.xlsx", "workbook"),
        (b"text", "roster.docx", "another ending"),
        (b"PAR1 no table PAR1", "roster.parquet", "Parquet"),
        (GOOD.encode(), "roster.parquet", "Parquet"),
        (GOOD.encode().replace(b"R-1", b'"R-1'), "roster.csv", "quotes"),
        (GOOD.encode().replace(b"R-1", b'"R"-1'), "roster.csv", "quotes"),
        (b'"' + GOOD.encode() + b"x" * 200_000, "roster.csv", "quotes"),
        (b",".join(b"c%d" % i for i in range(2_001)) + b"\n1\n", "roster.csv", "at most 2,000 columns"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_with_what_was_expected(tmp_path, content, name, expected):
    error = refused(tmp_path, content, name)
    assert expected in error.message
    assert error.message.startswith("expected ")


def test_a_parquet_file_too_wide_is_refused(tmp_path):
    pq.write_table(pa.table({f"c{i}": [1] for i in range(2_001)}), tmp_path / "wide.parquet")
    with pytest.raises(InputError, match="columns"):
        read_roster(tmp_path / "wide.parquet")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path / "folder.csv"):
        with pytest.raises(InputError, match="can be read"):
            read_roster(path)
        (tmp_path / "folder.csv").mkdir(exist_ok=True)


def test_a_very_long_row_is_one_rejected_row(tmp_path):
    read = read_roster(roster(tmp_path, GOOD + "R-3," + "x," * 50_000 + "\n"))
    assert (read.summary.rows, read.summary.problems) == (3, {"row": 1})


def test_a_very_long_cell_is_a_cell_like_any_other_and_pythons_limit_stays_as_it_was(tmp_path):
    before = csv.field_size_limit()
    note = "x" * 10_000_000
    read = read_roster(roster(tmp_path, HEADER + ROW.format("R-1").replace(",\n", f',"{note}"\n') + ROW.format("R-2")))
    assert (read.summary.scored, read.table.column("notes").to_pylist()) == (2, [note, ""])
    assert csv.field_size_limit() == before
    refused(tmp_path, GOOD.replace("R-1", '"R-1'))
    assert csv.field_size_limit() == before


def test_a_header_without_names_we_know_says_which_are_required(tmp_path):
    error = refused(tmp_path, "R-0001,Jane Roe,30\nR-0002,John Roe,31\n")
    assert [fault.field for fault in error.faults] == ["runner_id", "age_years", "sex"]
    assert "Roe" not in str([error.message, error.faults])
