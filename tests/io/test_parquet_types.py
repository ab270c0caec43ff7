"""Parquet columns of any type: read as what they say, or refused row by row, and never as another number."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError
from pfps_ml.io.roster import read_roster
from tests.rosters import cells
from tests.streams import run_options, table

SECONDS = pa.array([30, None], pa.duration("s"))


def read(folder, **columns):
    pq.write_table(table(**columns), folder / "in.parquet")
    return read_roster(folder / "in.parquet")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([30, None], pa.int8()),
        pa.array([30, None], pa.uint64()),
        pa.array([30, None], pa.float32()),
        pa.array([30.0, float("nan")]),
        pa.array([decimal.Decimal("30.00"), None]),
        pa.array([" 30 ", None]),
        pa.array(["30", "NA"], pa.large_string()),
        pa.array(["30", None]).dictionary_encode(),
        pa.array([30.0, None]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_a_number_is_read_from_any_type_that_says_one(tmp_path, column):
    found = read(tmp_path, weight_kg=column)
    np.testing.assert_array_equal(found.values["weight_kg"], [30, np.nan])
    assert found.summary.rejected == 0


@pytest.mark.parametrize(
    "column",
    [
        SECONDS,
        SECONDS.cast(pa.duration("ns")),
        pa.array([dt.timedelta(seconds=30), None], pa.duration("us")),
        pa.array([dt.date(2026, 1, 2), None]),
        pa.array([dt.datetime(2026, 1, 2), None], pa.timestamp("us", "UTC")),
        pa.array([dt.time(0, 30), None]),
        pa.array([True, None]),
        pa.array([[30], None]),
        pa.array([{"kg": 30}, None]),
        pa.array([b"\xff", None]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_number_is_not_read_from_a_type_that_says_something_else(tmp_path, column):
    found = read(tmp_path, weight_kg=column)
    assert [(fault.row, fault.text) for fault in found.faults] == [(0, "expected a number from 30 to 200 kg, got text")]


def test_a_duration_is_written_with_its_unit_so_that_no_later_reader_takes_it_for_a_number(tmp_path, bundle):
    pq.write_table(table(weight_kg=SECONDS), tmp_path / "in.parquet")
    score_roster(tmp_path / "in.parquet", tmp_path / "out.csv", bundle)
    assert [row["weight_kg"] for row in cells(tmp_path / "out.csv")] == ["30 s", ""]
    again = read_roster(tmp_path / "out.csv")
    assert (again.summary.partly, again.summary.problems) == (1, {"weight_kg": 1})
    assert again.values["weight_kg"].isna().all()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([True, False, None]), [1, 0, np.nan]),
        (pa.array(["Yes", " no", ""]), [1, 0, np.nan]),
        (pa.array(["yes", "no", None]).dictionary_encode(), [1, 0, np.nan]),
        (pa.array([b"yes", b"no", None]), [1, 0, np.nan]),
    ],
    ids=lambda column: str(getattr(column, "type", "")),
)
def test_yes_or_no_is_read_from_truth_values_and_text(tmp_path, column, expected):
    np.testing.assert_array_equal(read(tmp_path, prior_pfps=column).values["prior_pfps"], expected)


def test_yes_or_no_is_not_read_from_numbers(tmp_path):
    assert read(tmp_path, prior_pfps=pa.array([1, 0, None])).summary.problems == {"prior_pfps": 2}


def test_what_a_row_says_does_not_depend_on_the_rows_beside_it(tmp_path, bundle):
    rows = 500  # in pieces of 100: whole ones, and ones with gaps
    columns = {
        "runner_id": pa.array([7 if i in (3, 450) else 1_000 + i if i != 250 else None for i in range(rows)]),
        "age_years": pa.array([30 if i < 200 else None for i in range(rows)], pa.int64()),
        "prior_pfps": pa.array([i % 2 == 0 if i < 300 else None for i in range(rows)]),
        "club": pa.array([f"club {i // 150}" for i in range(rows)]).dictionary_encode(),
        "notes": pa.array([b"\xff" if i == 20 else b"ok" for i in range(rows)]),
    }
    pq.write_table(table(**columns), tmp_path / "in.parquet")
    for kind in ("csv", "parquet"):
        score_roster(tmp_path / "in.parquet", tmp_path / f"one.{kind}", bundle)
        score_roster(tmp_path / "in.parquet", tmp_path / f"many.{kind}", bundle, options=run_options())
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()
    assert pq.read_table(tmp_path / "one.parquet").equals(pq.read_table(tmp_path / "many.parquet"))
    assert pd.read_parquet(tmp_path / "one.parquet")["status"].value_counts().to_dict() == {
        "rejected": 301, "scored": 199}  # fmt: skip


def test_a_map_reads_typed_columns_too(tmp_path):
    pq.write_table(table(kilos=pa.array([61.5, 999, None]), leg=pa.array([True, False, None])), tmp_path / "in.parquet")
    (tmp_path / "m.toml").write_text(
        '[columns.weight_kg]\nfrom = "kilos"\nmissing = ["999"]\n[columns.prior_pfps]\nfrom = "leg"\n'
        'levels = { true = "no", false = "yes" }\n'
    )
    found = read_roster(tmp_path / "in.parquet", tmp_path / "m.toml")
    np.testing.assert_array_equal(found.values["weight_kg"], [61.5, np.nan, np.nan])
    np.testing.assert_array_equal(found.values["prior_pfps"], [0, 1, np.nan])


def test_a_file_without_row_groups_is_one_without_rows(tmp_path):
    pq.ParquetWriter(tmp_path / "in.parquet", table(club=["a"]).schema).close()
    with pytest.raises(InputError) as caught:
        read_roster(tmp_path / "in.parquet")
    assert [fault.text for fault in caught.value.faults] == ["expected at least one row below the header, got none"]


def test_a_folder_named_like_a_file_and_one_that_nobody_may_read_are_refused(tmp_path, monkeypatch):
    (tmp_path / "in.parquet").mkdir()
    with pytest.raises(InputError, match="expected a Parquet file"):
        read_roster(tmp_path / "in.parquet")

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pfps_ml.io.readers._opened", refuse)
    with pytest.raises(InputError, match="got: Permission denied"):
        read_roster(tmp_path / "in.parquet")


def test_text_that_is_none_is_a_damaged_file(tmp_path):
    broken = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe"))
    pq.write_table(table(club=broken), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="damaged"):
        read_roster(tmp_path / "in.parquet")
