"""Strava's, Garmin Connect's and plain tables: what is read as a run, in which unit, and what is asked for."""

from datetime import date, datetime

import pytest

from pfps_ml.core.errors import InputError, InvalidInput
from pfps_ml.io.log_exports import Reading
from pfps_ml.io.log_files import read_logs
from tests.io.made import GARMIN, PLAIN, STRAVA, garmin, plain, strava

DAY = date(2026, 5, 1)


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """Let this computer stand where the clock is two hours ahead of UTC."""
    import time

    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def read(tmp_path):
    def reading_of(text, units=None, runner="R-1", name="log.csv", reading=None):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_logs(path, runner, units, reading).entries[runner]

    return reading_of


@pytest.fixture
def refused(read):
    def refusing(text, **how):
        with pytest.raises(InputError) as caught:
            read(text, **how)
        return [caught.value.message, *(f"{fault.field}: {fault.text}" for fault in caught.value.faults)]

    return refusing


def test_strava_is_read_in_metres_with_steps_of_both_feet_and_by_the_clock_of_here(read):
    [run] = read(STRAVA + strava(DAY, 10, 55, 82))
    assert (run.km, run.seconds, run.spm, run.run) == (10, 3300, 164, True)
    assert run.start == datetime(2026, 5, 1, 9, 0)
    late = read(STRAVA + strava(DAY, 10, 55, clock="10:30:00 PM"))
    assert late[0].day == date(2026, 5, 2)  # as the runner's calendar has it


def test_strava_in_british_english_is_read_too(read):
    text = STRAVA + strava(DAY, 10, 55).replace("May 1, 2026, 7:00:00 AM", "1 May 2026, 07:00:00")
    text += strava(DAY, 10, 55).replace("May 1, 2026, 7:00:00 AM", "14 Sept 2026, 07:00:00")
    assert [run.day for run in read(text)] == [DAY, date(2026, 9, 14)]


@pytest.mark.parametrize(("sport", "is_run"), [
    ("Run", True), ("Trail Run", True), ("Virtual Run", True), ("Ride", False), ("Walk", False), ("", False),
])  # fmt: skip
def test_only_runs_are_runs_and_of_other_sports_nothing_is_asked(read, sport, is_run):
    [entry, _] = read(STRAVA + strava(DAY, 10, 55, "x" if not is_run else "", sport) + strava(DAY, 10, 55))
    assert entry.run is is_run


def test_a_run_of_strava_without_distance_or_cadence_has_none(read):
    run, _ = read(STRAVA + strava(DAY, 0, 55) + strava(DAY, 10, 55))
    assert (run.run, run.km, run.spm) == (True, None, None)


def test_strava_before_it_had_metres_is_asked_for_its_unit(read, refused):
    header = "Activity ID,Activity Date,Activity Name,Activity Type,Elapsed Time,Distance\n"
    text = header + '1,"May 1, 2026, 7:00:00 AM",A,Run,3000,6.21\n'
    assert "--units km, mi or m" in refused(text)[1] and "as metres" in refused(text)[1]
    assert read(text, units="mi")[0].km == pytest.approx(9.994, abs=1e-3)


def test_garmin_counts_both_feet_and_writes_the_clock_of_the_runner(read):
    run, other = read(GARMIN + garmin(DAY, "10.00", 55) + garmin(DAY, "20.1", 60, "--", "Cycling"), units="km")
    assert (run.km, run.seconds, run.spm, run.start) == (10, 3300, 164, datetime(2026, 5, 1, 7))
    assert not other.run
    assert read(GARMIN + garmin(DAY, "6.21", 55, "--", "Treadmill Running"), units="mi")[0].km == pytest.approx(
        9.99, abs=0.01
    )
    assert read(GARMIN + garmin(DAY, "0.00", 30) + garmin(DAY, "5.0", 30), units="km")[0].km is None


def test_garmin_does_not_say_its_unit_so_it_is_asked_for_with_what_each_would_mean(refused):
    told = refused(GARMIN + garmin(DAY, "6.21", 55))[1]
    assert told.startswith("Distance: ") and "as km, the median run takes 8:51" in told and "as miles, 5:30" in told
    assert "median" not in refused(GARMIN + garmin(DAY, "--", 55))[1]


def test_a_decimal_comma_is_read_where_it_can_be_nothing_else(read, refused):
    assert read(GARMIN + garmin(DAY, '"7,05"', 40), units="km")[0].km == 7.05
    assert "a decimal point" in refused(GARMIN + garmin(DAY, '"7,055"', 40), units="km")[1]
    assert read(PLAIN.replace(",", ";") + f"{DAY};7,055;0:42:00;\n")[0].km == 7.055
    metres = "date;distance_m;duration\n{};{};55:00\n"
    for written in ("10.007,5", "10,007.5", "10007.5", "10 007,5", "10\u202f007,5"):
        assert read(metres.format(DAY, written))[0].km == pytest.approx(10.0075)


def test_units_that_make_no_run_are_refused_by_the_pace(refused):
    assert "got a median of 29:59" in refused(PLAIN + plain(DAY, 2, 59.98))[1]
    assert "got 600 km: are they metres?" in refused(STRAVA.replace("Moving Time", "Other") + strava(DAY, 600, 55))[1]
    assert "got a median of 1:00" in refused(STRAVA.replace("Moving Time", "Other") + strava(DAY, 55, 54))[1]
    assert refused(PLAIN + plain(DAY, 10, 20))[1:]


def test_a_plain_file_may_state_other_units_sports_and_runners(tmp_path):
    path = tmp_path / "squad.csv"
    path.write_text(
        "runner_id,date,distance_mi,duration_min,cadence,type\n"
        f"R-1,{DAY},6,55,170,\nR-2,{DAY},5,50,,Trail run\nR-1,{DAY},9,30,,Ride\nR-2,{DAY},0,,,\nR-2,{DAY},,45,,run\n"
    )
    entries = read_logs(path).entries
    assert [run.km for run in entries["R-1"] if run.run] == [pytest.approx(9.656, abs=1e-3)]
    assert [(each.run, each.km) for each in entries["R-2"]] == [
        (True, pytest.approx(8.047, abs=1e-3)), (False, None), (True, None)
    ]  # fmt: skip
    assert entries["R-1"][0].seconds == 3300


def test_metres_and_seconds_and_a_bare_distance_with_its_unit_are_read(read, refused):
    assert read(f"date,distance_m,duration_s\n{DAY},10000,3300\n")[0].km == 10
    assert read(f"date,distance,duration\n{DAY},10,55:00\n", units="km")[0].seconds == 3300
    assert "--units" in refused(f"date,distance,duration\n{DAY},10,55:00\n")[1]
    assert read(f"date,distance_km\n{DAY},10\n")[0].seconds is None


@pytest.mark.parametrize(("written", "meant"), [
    ("2026-05-31", date(2026, 5, 31)), ("31.05.2026", date(2026, 5, 31)), ("31/05/2026 07:30", date(2026, 5, 31)),
    ("05/31/2026", date(2026, 5, 31)), ("4/4/2026", date(2026, 4, 4)), ("2026-05-31T23:30:00Z", date(2026, 6, 1)),
])  # fmt: skip
def test_dates_are_read_in_the_forms_of_several_countries(read, written, meant):
    assert read(f"date,distance_km,duration\n{written},10,55:00\n")[0].day == meant


def test_dates_that_can_mean_two_days_are_not_guessed(refused):
    told = refused("date,distance_km,duration\n05/04/2026,10,55:00\n06/04/2026,10,55:00\n")
    assert "write 2026-05-31" in told[1]


def test_everything_wrong_is_told_at_once_by_row_and_without_a_value(refused):
    secret = "Anna met me here"
    text = f"date,distance_km,duration,cadence\n{DAY},{secret},55:00,\n{secret},5,30:00,\n{DAY},5,{secret},{secret}\n"
    told = refused(text)
    assert [line.partition(":")[0] for line in told[1:]] == ["date", "distance_km", "duration", "cadence"]
    assert ["1 row: 2" in told[1], "1 row: 1" in told[2], "1 row: 3" in told[3]] == [True, True, True]
    assert secret not in " ".join(told)
    many = "date,distance_km\n" + f"{DAY},x\n" * 9
    assert "9 rows: 1, 2, 3, 4, 5, ..." in refused(many)[1]


@pytest.mark.parametrize("header", ["a,b", "distance_km,duration", "Athlete ID,Sex,Weight"])
def test_a_table_of_other_columns_is_refused_with_how_to_name_them(read, refused, header):
    told = refused(f"{header}\n" + ",".join("x" for _ in header.split(",")) + "\n")
    assert "--column date=NAME --column distance=NAME" in told[1]
    reading = Reading(units="km", columns={"date": "a", "distance": "b"})
    assert read(f"a,b\n{DAY},5\n", reading=reading)[0].km == 5


def test_what_is_no_table_is_an_input_error(refused):
    assert "empty file" in " ".join(refused(""))
    assert "UTF-16" in " ".join(refused("date,distance_km\n".encode("utf-16")))


def test_a_log_without_an_entry_is_refused(read):
    with pytest.raises(InputError, match="at least one activity"):
        read(PLAIN)


def test_whose_log_it_is_must_be_known(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(PLAIN + plain(DAY, 5))
    with pytest.raises(InvalidInput) as caught:
        read_logs(path)
    assert "--runner ID" in caught.value.faults[0].text


def test_a_unit_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="--units km, --units mi or --units m"):
        read_logs(tmp_path / "log.csv", "R-1", "yards")


@pytest.mark.parametrize("day", ["0001-01-01", "1979-12-31", "9999-12-31", "0001-01-01T00:00:00+14:00"])
def test_a_day_on_which_nobody_kept_a_log_is_no_date(refused, day):
    assert "expected a date such as 2026-05-31" in refused(PLAIN + plain(DAY, 5) + plain(day, 5))[1]


@pytest.mark.parametrize(("km", "duration"), [("9" * 400, "0:30:00"), ("5", "9" * 400 + ":30:00")])
def test_a_number_without_end_is_no_number(refused, km, duration):
    assert "expected a" in refused(f"{PLAIN}{DAY},{km},{duration},\n")[1]
