"""Workbooks as they are written: what stays a number, what must not run, and what no spreadsheet holds."""

import datetime as dt
import io
import tempfile

import pandas as pd
import pyarrow as pa
import pytest
from openpyxl import load_workbook

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import OutputError
from pfps_ml.io import xlsx_tables
from pfps_ml.io.cells import limited
from pfps_ml.io.roster import read_roster
from pfps_ml.io.xlsx_tables import write_book
from tests.io.books import good
from tests.rosters import GOOD, refused, roster


def cells(**columns):
    """Return the cells below the header, column by column, as a spreadsheet has them."""
    content = io.BytesIO()
    write_book(content, [pa.table(columns)])
    rows = list(load_workbook(content).active.iter_rows(values_only=True))
    return [list(column) for column in zip(*rows[1:], strict=True)]


def test_numbers_dates_and_truth_values_are_written_as_such():
    day, moment = dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 7, 30)
    found = cells(a=[1, None], b=[1.5, float("nan")], c=[True, None], d=[day, None], e=[moment, None], z=[1, 2])[:5]
    assert found == [[1, None], [1.5, None], [True, None], [dt.datetime(2026, 1, 2), None], [moment, None]]


def test_what_a_spreadsheet_would_change_is_written_as_text():
    old, exact = dt.date(1899, 12, 31), dt.datetime(2026, 1, 2, 7, 30, 0, 5)
    found = cells(a=[10**15], b=[float("inf")], d=[old], e=[exact])
    assert found == [["1000000000000000"], ["inf"], ["1899-12-31"], ["2026-01-02 07:30:00.000005"]]
    nanoseconds = pa.array([1], pa.timestamp("ns"))
    assert cells(n=nanoseconds) == [["1970-01-01 00:00:00.000000001"]]


def test_a_text_that_is_a_number_as_it_would_be_written_is_one_and_an_id_with_zeros_is_none():
    assert cells(notes=["30", "1.5", "007", "1.50", "1e3"]) == [[30, 1.5, "007", "1.50", "1e3"]]
    assert cells(age_years=["30.0", "1,75", ""], z=["", "", "x"])[0] == [30, "1,75", None]


def test_nothing_runs_and_nothing_unsayable_is_lost(tmp_path):
    table = pa.table(
        {"runner_id": ["R-1"], "age_years": [30], "sex": ["male"], "notes": ["=cmd"], "x": ["a\x07_x0041_b"]}
    )
    with (tmp_path / "a.xlsx").open("wb") as file:
        write_book(file, [table])
    assert next(load_workbook(tmp_path / "a.xlsx").active.iter_rows(min_row=2, values_only=True))[3] == "'=cmd"
    again = read_roster(tmp_path / "a.xlsx").table
    assert again.column("notes").to_pylist() == ["=cmd"] and again.column("x").to_pylist() == ["a\x07_x0041_b"]


def test_more_rows_or_longer_texts_than_a_spreadsheet_holds_are_refused_and_nothing_is_written(
    tmp_path, bundle, monkeypatch
):
    monkeypatch.setattr(xlsx_tables, "MAX_ROWS", 1)
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "kept"))
    with pytest.raises(OutputError, match="at most 1 rows for a workbook"):
        score_roster(roster(tmp_path, GOOD), tmp_path / "out.xlsx", bundle)
    assert not (tmp_path / "out.xlsx").exists() and not list((tmp_path / "kept").iterdir())
    with pytest.raises(OutputError, match="at most 32,767 characters"):
        cells(notes=["x" * 32_768])


def test_parts_follow_each_other_below_one_header():
    content = io.BytesIO()
    write_book(content, [pa.table({"a": [1]}), pa.table({"a": pa.array([2, 3])})])
    assert pd.read_excel(content, engine="openpyxl")["a"].tolist() == [1, 2, 3]


def test_a_workbook_that_is_too_large_on_the_disk_or_unpacked_is_refused(tmp_path):
    with limited(sheet=100):
        assert "once unpacked" in refused(tmp_path, good(), "a.xlsx").message
    with limited(book=1_000):
        assert "a workbook of at most" in refused(tmp_path, good(), "a.xlsx").message
