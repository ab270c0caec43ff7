"""Logs that nobody thought of: read entry for entry and summed within the limits, or refused with what to do."""

import csv
import datetime as dt
import gzip
import io
import json
import random
import struct
import zipfile

import pytest
from fitdecode.utils import compute_crc
from hypothesis import given, settings, strategies as st

from pfps_ml.core.errors import InputError
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.io.log_files import read_logs
from pfps_ml.io.training_load import FIGURES, load_of
from pfps_ml.workflows.training_loads import Wish, write_loads
from tests.io.made import PLAIN, STRAVA, fit, gpx, plain, session, strava, tcx

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


FOREIGN = [
    b"", b"\x00" * 50, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"%PDF-1.7\n%\xe2\xe3", b"<html><body>Sign in</body>",
    b"PK\x03\x04" + b"\x14" * 40, b"{}", b"[1]", b"hello", "grüße;1\n".encode("cp1252"), b"a,b\n1,2\n",
]  # fmt: skip
OTHER_ENDINGS = [
    ".csv", ".fit", ".gpx", ".tcx", ".json", ".xml", ".xlsx", ".parquet", ".zip", ".fit.gz", ".gpx.gz", ".csv.gz",
    ".jpg",
]  # fmt: skip


def originals():
    """Return a good log of each kind, by its ending."""
    buffer, day = io.BytesIO(), dt.date(2026, 5, 1)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("activities.csv", STRAVA + strava(day, 10, 55, 82) * 9)
        archive.writestr("activities/1.gpx", gpx(START))
    garmins = json.dumps([{"summarizedActivitiesExport": [
        {"activityType": "running", "startTimeLocal": 1.7776e12, "distance": 1e6, "duration": 3.3e6}]}])  # fmt: skip
    apple = (
        '<HealthData><Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="30" durationUnit="min"'
        ' totalDistance="5" totalDistanceUnit="km" startDate="2026-05-01 07:00:00 +0200"/></HealthData>'
    )
    return {
        ".csv": (STRAVA + strava(day, 10, 55, 82) * 9).encode(), ".fit": fit(session(START)),
        ".gpx": gpx(START).encode(), ".tcx": tcx(START).encode(),
        ".json": garmins.encode(), ".xml": apple.encode(), ".zip": buffer.getvalue(),
        ".fit.gz": gzip.compress(fit(session(START))), ".csv.gz": gzip.compress((PLAIN + plain(day, 8)).encode()),
    }  # fmt: skip


def fuzzed(draw):
    """Return a name and bytes: a good log that was flipped, cut, emptied, renamed, or something else altogether."""
    kinds = originals()
    ending = draw.choice(sorted(kinds))
    content, way = bytearray(kinds[ending]), draw.choice(["flip", "cut", "rename", "foreign", "insert"])
    if way == "flip":
        for _ in range(draw.randint(1, 12)):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    elif way == "cut":
        content = content[: draw.randrange(len(content))]
    elif way == "insert":
        at = draw.randrange(len(content))
        content[at:at] = draw.randbytes(draw.randint(1, 40))
    elif way == "foreign":
        content = bytearray(draw.choice(FOREIGN))
    if way in ("rename", "foreign"):
        ending = draw.choice(OTHER_ENDINGS)
    name = "summarizedActivities" if ending == ".json" else draw.choice(["a", "activities"])
    return f"{name}{ending}", bytes(content)


def is_read_or_named(folder, seed):
    """Check one fuzzed file in a squad: it is read, or named with its runner; the other runner counts in any case."""
    name, content = fuzzed(random.Random(seed))  # the same files on every machine
    logs = folder / str(seed)
    (logs / "R-1").mkdir(parents=True)
    (logs / "R-1" / name).write_bytes(content)
    (logs / "R-2.csv").write_text(PLAIN + plain("2026-05-31", 5))
    written = write_loads(logs, folder / "loads.csv", Wish(units="km"))
    found = written.logs
    lost = {loss.name for loss in written.logs.lost if loss.runner == "R-1"}
    beside = (*found.aside, *found.repeats)
    assert len(found.entries["R-2"]) == 1, seed
    assert found.entries.get("R-1") or lost or any(one.startswith("R-1/") for one in beside), (seed, name)
    assert all(loss.runner and loss.fault.text for loss in written.logs.lost), seed


def test_sixty_fuzzed_logs_are_read_or_named(tmp_path):
    for seed in range(60):
        is_read_or_named(tmp_path, seed)


@pytest.mark.slow
def test_a_thousand_fuzzed_logs_are_read_or_named(tmp_path):
    for seed in range(1_000):
        is_read_or_named(tmp_path, seed)
