"""FIT and GPX files, and folders of logs: what a recording says, and whose it is."""

import builtins
import gzip
from datetime import UTC, datetime

import pytest

from pfps_ml.core.errors import InputError, InvalidInput, MissingLibrary
from pfps_ml.io.cells import limited
from pfps_ml.io.log_files import read_logs
from tests.io.made import PLAIN, activity, fit, gpx, plain, session
from tests.io.test_exports import zone  # noqa: F401

START = datetime(2026, 5, 1, 22, 30, tzinfo=UTC)


def written(folder, name, content):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def entry(path):
    [only] = read_logs(path, "R-1").entries["R-1"]
    return only


def faults_of(path, runner="R-1"):
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, runner)
    return [fault.text for fault in caught.value.faults]


def test_a_fit_session_counts_strides_and_becomes_steps_of_both_feet(tmp_path):
    run = entry(written(tmp_path, "a.fit", fit(session(START, 10_000, 3_600, 82, part=64))))
    assert (run.run, run.km, run.seconds, run.spm) == (True, 10, 3600, 165)
    assert run.start == datetime(2026, 5, 2, 0, 30)


def test_a_fit_file_that_tells_the_watch_s_own_clock_is_read_by_it(tmp_path):
    west = written(tmp_path, "a.fit", fit(session(START), activity(START, -7)))
    assert entry(west).start == datetime(2026, 5, 1, 15, 30)
    for hours in (5_000, None):  # a watch that was never set, and one that does not say
        unset = written(tmp_path, "b.fit", fit(session(START), activity(START, hours)))
        assert entry(unset).start == datetime(2026, 5, 2, 0, 30)


def test_other_sports_and_what_was_not_measured_are_read_as_such(tmp_path):
    assert not entry(written(tmp_path, "ride.fit", fit(session(START, sport=2)))).run
    treadmill = entry(written(tmp_path, "t.fit", fit(session(START, metres=0, strides=0, part=0))))
    assert (treadmill.run, treadmill.km, treadmill.spm) == (True, None, None)


def test_a_fit_file_without_a_session_or_start_is_refused(tmp_path):
    assert "without a session" in faults_of(written(tmp_path, "a.fit", fit(activity(START, 0))))[0]
    name, fields = session(START)
    assert "without a session" in faults_of(written(tmp_path, "b.fit", fit((name, {5: fields[5]}))))[0]


@pytest.mark.parametrize("name", ["a.fit", "a.gpx"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 40, fit(session(START))[:40], b"<gpx><trk>"])
def test_a_damaged_recording_is_refused_in_words(tmp_path, name, content):
    assert faults_of(written(tmp_path, name, content))[0].startswith("expected")


@pytest.mark.parametrize("name", ["a.fit", "a.gpx"])
def test_a_recording_that_is_not_there_or_too_large_is_refused(tmp_path, name):
    assert "No such file" in faults_of(tmp_path / name)[0]
    with limited(log=3):
        assert "at most" in faults_of(written(tmp_path, name, gpx(START)))[0]
        assert "at most" in faults_of(written(tmp_path, f"{name}.gz", gzip.compress(gpx(START).encode())))[0]


def test_a_gpx_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / "a.gpx").mkdir()
    with pytest.raises(InputError, match="a folder of files"):
        read_logs(tmp_path / "a.gpx", "R-1")


def test_a_gpx_track_has_a_length_a_time_and_steps_of_both_feet(tmp_path):
    run = entry(written(tmp_path, "a.gpx", gpx(START, cadence=83)))
    assert run.km == pytest.approx(10, abs=0.05)
    assert (run.run, run.seconds, run.spm, run.start) == (True, 3600, 166, datetime(2026, 5, 2, 0, 30))
    assert entry(written(tmp_path, "b.gpx", gpx(START))).spm is None


@pytest.mark.parametrize(("kind", "is_run"), [("9", True), ("trail_running", True), ("", True), ("cycling", False)])
def test_a_gpx_track_without_a_sport_counts_as_a_run(tmp_path, kind, is_run):
    assert entry(written(tmp_path, "a.gpx", gpx(START, kind))).run is is_run


def test_a_gpx_route_without_times_or_with_declarations_is_refused(tmp_path):
    assert "a route is no run" in faults_of(written(tmp_path, "a.gpx", gpx(START, times=False)))[0]
    assert "a route is no run" in faults_of(written(tmp_path, "y.gpx", gpx(START.replace(year=1979))))[0]
    bomb = gpx(START).replace("<gpx", '<!DOCTYPE g [<!ENTITY a "b">]><gpx', 1)
    assert "damaged" in faults_of(written(tmp_path, "b.gpx", bomb))[0]
    assert "damaged" in faults_of(written(tmp_path, "c.gpx", gpx(START, cadence="Anna")))[0]


@pytest.mark.parametrize(("name", "library"), [("a.fit", "fitdecode"), ("a.gpx", "gpxpy")])
def test_without_its_library_the_error_names_what_to_install(tmp_path, monkeypatch, name, library):
    real = builtins.__import__

    def without(wanted, *rest):
        if wanted == library:
            raise ImportError(library)
        return real(wanted, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingLibrary, match=library) as caught:
        read_logs(written(tmp_path, name, gpx(START)), "R-1")
    assert 'pip install "pfps-ml[load]"' in caught.value.message


def test_in_a_folder_each_file_or_folder_is_a_runner_and_other_files_are_left_aside(tmp_path):
    written(tmp_path, "R-1.csv", PLAIN + plain("2026-05-01", 5))
    written(tmp_path, "R-2/one.gpx", gpx(START))
    written(tmp_path, "R-2/more/two.fit", fit(session(START)))
    written(tmp_path, "photo.jpg", b"")
    written(tmp_path, ".hidden.csv", b"")
    logs = read_logs(tmp_path)
    assert {name: len(found) for name, found in logs.entries.items()} == {"R-1": 1, "R-2": 2}
    assert (logs.files, logs.other_files) == (3, 1)
    assert len(read_logs(tmp_path / "R-2", "R-7").entries["R-7"]) == 2


def test_if_nothing_can_be_read_all_faults_are_told_by_place_because_names_of_files_are_ids(tmp_path):
    written(tmp_path, "Anna.csv", "date,distance_km\nx,y\n")
    written(tmp_path, "Ben.fit", b"")
    with pytest.raises(InvalidInput) as caught:
        read_logs(tmp_path)
    told = [fault.text for fault in caught.value.faults]
    assert [line.partition(":")[0] for line in told] == [f"file {at} of 2 in the order of names" for at in (1, 1, 2)]
    assert not [name for name in ("Anna", "Ben") if name in " ".join([*told, caught.value.message])]


def test_a_file_that_cannot_be_read_costs_itself_and_is_named_with_its_runner(tmp_path):
    written(tmp_path, "R-1.csv", "date,distance_km\nx,y\n")
    written(tmp_path, "R-2.fit", b"")
    written(tmp_path, "R-3.gpx", gpx(START))
    logs = read_logs(tmp_path)
    assert {(loss.name, loss.runner) for loss in logs.lost} == {("R-1.csv", "R-1"), ("R-2.fit", "R-2")}
    assert {runner: len(runs) for runner, runs in logs.entries.items()} == {"R-1": 0, "R-2": 0, "R-3": 1}


def test_a_folder_without_logs_or_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="a folder of files that end in"):
        read_logs(tmp_path)
    with pytest.raises(InputError, match=r"\.csv"):
        read_logs(written(tmp_path, "a.kml", b""), "R-1")


def test_runs_of_an_unlikely_pace_are_counted(tmp_path):
    path = written(tmp_path, "R-1.csv", PLAIN + plain("2026-05-01", 5) * 3 + plain("2026-05-02", 30, 60))
    assert read_logs(path, "R-1").unlikely == 1
