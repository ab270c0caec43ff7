"""Logs that nobody thought of: read entry for entry and summed within the limits, or refused with what to do."""

import csv
import datetime as dt
import io
import struct

import pytest
from fitdecode.utils import compute_crc
from hypothesis import given, settings, strategies as st

from pfps_ml.core.errors import InputError
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.io.log_files import read_logs
from pfps_ml.io.training_load import FIGURES, load_of
from tests.io.made import fit, gpx, session

HEADERS = {
    "Strava": [
        "Activity Date", "Activity Type", "Elapsed Time", "Distance", "Distance", "Moving Time", "Average Cadence",
    ],
    "Garmin": ["Activity Type", "Date", "Distance", "Time", "Avg Run Cadence"],
    "plain": ["date", "distance_km", "duration", "cadence"], "whose": ["runner_id", "date", "distance", "type"],
}  # fmt: skip
DATES = st.one_of(
    st.dates(dt.date(2026, 4, 1), dt.date(2026, 6, 30)).flatmap(
        lambda day: st.sampled_from(
            ["%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y, 7:05:00 AM", "%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%SZ"]
        ).map(day.strftime)
    ),
    st.sampled_from(["", "0001-01-01", "9999-12-31", "2026-02-30", "May", "2026-05-01T07:00:00+14:00", "00/00/0000"]),
)
CELLS = st.one_of(
    st.sampled_from([
        "5", "10,2", "1,234", "--", "", "0", "1e400", "nan", "-3", "1:02:03", "59:59", "99:99:99", "9" * 400, "\u096b",
        "Run", "Running", "Ride", "Trail Run", "82", "164", "abc",
    ]),
    st.floats(0, 50).map("{:.2f}".format), st.text(max_size=5),
)  # fmt: skip


@st.composite
def logs(draw):
    """Draw a log: mostly dates of one form, mostly numbers."""
    header = HEADERS[draw(st.sampled_from(sorted(HEADERS)))]
    rows = [
        [draw(DATES) if "ate" in name and "dist" not in name else draw(CELLS) for name in header]
        for _ in range(draw(st.integers(0, 12)))
    ]
    return [header, *rows]


def check_any(rows, folder):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    (folder / "log.csv").write_text(text.getvalue(), encoding="utf-8")
    for units in ("km", "mi"):
        is_summed_or_refused(folder / "log.csv", units, len(rows) - 1)


def is_summed_or_refused(path, units, entries=None):
    try:
        found = read_logs(path, "R-1", units)
    except InputError as error:
        assert error.message.startswith("expected ")
        return
    every = [activity for activities in found.entries.values() for activity in activities]
    lost = {
        loss.fault.row for loss in found.lost if {"not_a_date", "not_a_distance", "distance_beyond"} & {loss.fault.code}
    }
    assert entries is None or len(every) + len(lost) == entries
    for activities in found.entries.values():
        for at in (max((activity.day for activity in activities), default=dt.date(2026, 5, 1)), dt.date(2026, 6, 1)):
            load = load_of(activities, at)
            assert set(load.values) | set(load.reasons) == set(FIGURES) and not set(load.values) & set(load.reasons)
            assert all(BY_NAME[name].low <= value <= BY_NAME[name].high for name, value in load.values.items())
            assert load.runs + load.twice + load.others == sum(activity.day <= at for activity in activities)


@settings(max_examples=40)
@given(rows=logs())
def test_any_table_of_activities_is_summed_entry_for_entry_or_refused(tmp_path, rows):
    check_any(rows, tmp_path)


@pytest.mark.slow
@settings(max_examples=5_000)
@given(rows=logs())
def test_five_thousand_tables_of_activities_are_summed_or_refused(tmp_path, rows):
    check_any(rows, tmp_path)


START = dt.datetime(2026, 5, 1, 7, tzinfo=dt.UTC)
RECORDED = {"run.fit": fit(session(START)), "run.gpx": gpx(START).encode()}


def check_damaged(folder, name, at, cut, put):
    content = RECORDED[name]
    at %= len(content)
    content = content[:at] + put + content[at + cut :]
    if name.endswith("fit"):  # the sum at its end would give every change away
        content = content[:-2] + struct.pack("<H", compute_crc(content[:-2]))
    (folder / name).write_bytes(content)
    is_summed_or_refused(folder / name, None)


BYTES = {"name": st.sampled_from(sorted(RECORDED)), "at": st.integers(0, 999), "cut": st.integers(0, 9),
         "put": st.binary(max_size=5)}  # fmt: skip


@settings(max_examples=40)
@given(**BYTES)
def test_any_bytes_in_a_recording_are_read_or_refused(tmp_path, name, at, cut, put):
    check_damaged(tmp_path, name, at, cut, put)


@pytest.mark.slow
@settings(max_examples=3_000)
@given(**BYTES)
def test_three_thousand_damaged_recordings_are_read_or_refused(tmp_path, name, at, cut, put):
    check_damaged(tmp_path, name, at, cut, put)
