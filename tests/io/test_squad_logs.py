"""Logs of whole squads as they come: exports, archives, six languages, grids; what cannot be read costs itself."""

# ruff: noqa: E501  # headers and rows stand as programs write them

import gzip
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest

from pfps_ml.core.errors import InputError, InvalidInput, OutputError
from pfps_ml.io.cells import limited
from pfps_ml.io.log_cells import moments
from pfps_ml.io.log_exports import Reading, is_run
from pfps_ml.io.log_files import read_logs
from pfps_ml.io.training_load import FIGURES, load_of
from pfps_ml.workflows.training_loads import Wish, load_curve, write_curve, write_loads
from tests.io.made import GARMIN, PLAIN, STRAVA, fit, garmin, gpx, plain, session, strava, tcx
from tests.io.test_exports import zone  # noqa: F401
from tests.rosters import cells

START = datetime(2026, 5, 1, 7, tzinfo=UTC)
DAYS = [date(2026, 5, 31) - timedelta(days=back) for back in range(0, 60, 2)]


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def strava_rows(days=DAYS):
    return STRAVA + "".join(strava(day, 8, 44, 84) for day in days)


def export(folder):
    """Write a whole export of Strava."""
    put(folder, "activities.csv", strava_rows())
    put(folder, "profile.csv", "Athlete ID,Email Address,Sex\n1,a@example.org,M\n")
    put(folder, "shoes.csv", "Shoe Name,Shoe Brand\nA,B\n")
    put(folder, "media/photo.jpg", b"\xff\xd8")
    put(folder, "activities/1.fit.gz", gzip.compress(fit(session(START))))
    put(folder, "activities/2.gpx.gz", gzip.compress(gpx(START + timedelta(days=2)).encode()))
    put(folder, "activities/3.tcx.gz", gzip.compress(tcx(START + timedelta(days=4)).encode()))


def zipped(folder, out):
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return out


def test_a_whole_export_is_counted_once_and_what_is_no_log_is_named(tmp_path):
    export(tmp_path / "logs" / "R-7")
    logs = read_logs(tmp_path / "logs")
    assert {runner: len(runs) for runner, runs in logs.entries.items()} == {"R-7": len(DAYS)}
    assert logs.aside == ("R-7/media/photo.jpg", "R-7/profile.csv", "R-7/shoes.csv")
    assert len(logs.repeats) == 3 and not logs.lost


def test_an_export_itself_is_that_of_the_runner_whose_name_its_folder_has(tmp_path):
    export(tmp_path / "R-7")
    assert list(read_logs(tmp_path / "R-7").entries) == ["R-7"]
    assert list(read_logs(tmp_path / "R-7", "R-8").entries) == ["R-8"]


def test_a_zipped_export_says_the_same_as_the_unpacked_one(tmp_path):
    export(tmp_path / "R-7")
    archive = zipped(tmp_path / "R-7", tmp_path / "R-7.zip")
    assert read_logs(archive).entries == read_logs(tmp_path / "R-7").entries
    squad = tmp_path / "squad"
    squad.mkdir()
    archive.rename(squad / "R-7.zip")
    put(squad, "R-8.csv", PLAIN + plain("2026-05-01", 5))
    assert {runner: len(runs) for runner, runs in read_logs(squad).entries.items()} == {"R-7": len(DAYS), "R-8": 1}


def test_recordings_are_read_where_the_table_of_an_export_is_damaged(tmp_path):
    export(tmp_path / "R-7")
    put(tmp_path / "R-7", "activities.csv", b"Activity ID,Activity\x00 Date\n")
    logs = read_logs(tmp_path / "R-7")
    assert len(logs.entries["R-7"]) == 3 and not logs.repeats
    assert [loss.name for loss in logs.lost] == ["activities.csv"]


def test_recordings_that_an_export_does_not_list_are_read_too(tmp_path):
    put(tmp_path, "R-7/activities.csv", strava_rows().replace("a.fit", "activities/1.fit.gz"))
    put(tmp_path, "R-7/activities/1.fit.gz", gzip.compress(fit(session(START))))
    put(tmp_path, "R-7/activities/new.gpx", gpx(datetime(2026, 6, 2, 7, tzinfo=UTC)))
    logs = read_logs(tmp_path)
    assert logs.repeats == ("R-7/activities/1.fit.gz",)
    assert len(logs.entries["R-7"]) == len(DAYS) + 1


def test_garmin_s_whole_export_is_in_centimetres_and_milliseconds(tmp_path):
    row = {"activityType": "running", "startTimeLocal": 1_777_618_800_000.0, "distance": 1_000_000.0,
           "duration": 3_300_000.0, "avgDoubleCadence": 170.0}  # fmt: skip
    rows = [{"summarizedActivitiesExport": [row, row | {"activityType": "cycling", "startTimeLocal": 1.7777e12}]}]
    fitness = "R-1/DI_CONNECT/DI-Connect-Fitness"
    put(tmp_path, f"{fitness}/1_0_summarizedActivities.json", json.dumps(rows))
    put(tmp_path, f"{fitness}/1_gear.json", "[]")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.fit", fit(session(START)))
    put(tmp_path, "R-1/DI_CONNECT/DI-Connect-Uploaded-Files/Part1.zip", buffer.getvalue())
    run, ride = read_logs(tmp_path).entries["R-1"][:2]
    assert (run.run, run.km, run.seconds, run.spm, run.start) == (True, 10, 3300, 170, datetime(2026, 5, 1, 7))
    assert not ride.run and read_logs(tmp_path).aside == (f"{fitness}/1_gear.json",)


def test_an_archive_in_an_archive_is_read_if_no_table_has_its_runs(tmp_path):
    inner, outer = io.BytesIO(), tmp_path / "R-1.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.fit", fit(session(START)))
        archive.writestr("2.fit", b"")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("R-1/Part1.zip", inner.getvalue())
    logs = read_logs(outer)
    assert len(logs.entries["R-1"]) == 1 and [loss.name for loss in logs.lost] == ["R-1/Part1/2.fit"]


def test_apple_health_is_read_with_either_kind_of_distance(tmp_path):
    put(tmp_path, "R-1/apple_health_export/export.xml", (
        '<?xml version="1.0"?><!DOCTYPE HealthData [<!ELEMENT HealthData (Workout)>]><HealthData locale="en_US">'
        '<Record type="HKQuantityTypeIdentifierStepCount" value="9"/>'
        '<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="30" durationUnit="min"'
        ' startDate="2026-05-01 23:30:00 -0700"><WorkoutStatistics type="HKQuantityTypeIdentifierDistanceWalkingRunning"'
        ' sum="3.1" unit="mi"/><WorkoutStatistics type="HKQuantityTypeIdentifierStepCount" sum="5100" unit="count"/>'
        '</Workout><Workout workoutActivityType="HKWorkoutActivityTypeCycling" duration="60" durationUnit="min"'
        ' totalDistance="20" totalDistanceUnit="km" startDate="2026-05-03 07:00:00 +0200"/></HealthData>'
    ))  # fmt: skip
    put(tmp_path, "R-1/apple_health_export/export_cda.xml", "<ClinicalDocument/>")
    put(tmp_path, "R-1/apple_health_export/workout-routes/route.gpx", gpx(START))
    logs = read_logs(tmp_path)
    run, ride = logs.entries["R-1"]
    assert run.km == pytest.approx(4.989, abs=1e-3) and (run.seconds, run.spm, run.day) == (1800, 170, date(2026, 5, 1))
    assert not ride.run and len(logs.repeats) == 1 and len(logs.aside) == 1


def test_a_session_of_polar_is_read_as_json_and_as_csv(tmp_path):
    part = {"sport": "RUNNING", "startTime": "2026-05-01T07:00:00.000", "duration": "PT45M30S", "distance": 8200.0}
    put(tmp_path, "R-1/training-session-2026-05-01.json", json.dumps({"exercises": [part]}))
    put(tmp_path, "R-2/a.CSV", (
        "Name,Sport,Date,Start time,Duration,Total distance (km),Average cadence (rpm)\n"
        "A B,RUNNING,29-05-2026,07:00:00,00:45:30,8.2,84\nSample rate,Time,HR (bpm)\n1,00:00:00,90\n"
    ))  # fmt: skip
    one, two = (read_logs(tmp_path).entries[runner][0] for runner in ("R-1", "R-2"))
    assert (one.run, one.km, one.seconds) == (two.run, two.km, two.seconds) == (True, 8.2, 2730)
    assert two.start == datetime(2026, 5, 29, 7) and two.spm == 168


def test_runkeeper_states_its_unit(tmp_path):
    text = "Activity Id,Date,Type,Route Name,Distance (mi),Duration,GPX File\na,2026-05-01 07:02:10,Running,,5,45:12,\n"
    [run] = read_logs(put(tmp_path, "a.csv", text), "R-1").entries["R-1"]
    assert (run.km, run.seconds) == (pytest.approx(8.047, abs=1e-3), 2712)


def test_tcx_is_the_sum_of_its_laps(tmp_path):
    [run] = read_logs(put(tmp_path, "a.tcx", tcx(START)), "R-1").entries["R-1"]
    assert (run.run, run.km, run.seconds, run.spm, run.start) == (True, 10, 3600, 164, datetime(2026, 5, 1, 9))
    assert not read_logs(put(tmp_path, "b.tcx", tcx(START, sport="Biking")), "R-1").entries["R-1"][0].run


LANGUAGES = {
    "English": ("Activity Date,Activity Type,Distance,Distance,Moving Time,Average Cadence", "Run", "May 31, 2026, 7:02:00 AM"),
    "German": ("Aktivitätsdatum,Aktivitätsart,Distanz,Distanz,Bewegungszeit,Durchschnittliche Trittfrequenz", "Lauf", "31.05.2026, 07:02:00"),
    "Dutch": ("Datum van activiteit,Activiteitstype,Afstand,Afstand,Beweegtijd,Gemiddelde cadans", "Hardloopsessie", "31 mei 2026 07:02:00"),
    "French": ("Date de l'activité,Type d'activité,Distance,Distance,Durée de déplacement,Cadence moyenne", "Course à pied", "31 mai 2026, 07:02:00"),
    "Spanish": ("Fecha de la actividad,Tipo de actividad,Distancia,Distancia,Tiempo en movimiento,Cadencia media", "Carrera", "31 may 2026, 7:02:00"),
    "Italian": ("Data dell'attività,Tipo di attività,Distanza,Distanza,Tempo in movimento,Cadenza media", "Corsa", "31 mag 2026, 07:02:00"),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_strava_is_read_in_six_languages(tmp_path, language):
    header, sport, day = LANGUAGES[language]
    text = f'{header}\n"{day}",{sport},"8,00",8000.0,2640,84\n'
    [run] = read_logs(put(tmp_path, "a.csv", text), "R-1").entries["R-1"]
    assert (run.run, run.km, run.seconds, run.spm) == (True, 8, 2640, 168)
    assert run.start == datetime(2026, 5, 31, 9, 2)


GARMINS = {
    "German": "Aktivitätstyp,Datum,Favorit,Titel,Distanz,Kalorien,Zeit,Ø Herzfrequenz,Max HF,Ø Schrittfrequenz (Laufen),Ø Pace,Schritte\nLaufen",
    "French": "Type d'activité,Date,Favori,Titre,Distance,Calories,Durée,FC,FCM,Cadence de course moyenne,Allure,Pas\nCourse à pied",
    "Spanish": "Tipo de actividad,Fecha,Favorito,Título,Distancia,Calorías,Tiempo,FC,FCM,Cadencia de carrera media,Ritmo,Pasos\nCarrera",
    "Italian": "Tipo di attività,Data,Preferita,Titolo,Distanza,Calorie,Tempo,FC,FCM,Cadenza di corsa media,Passo,Passi\nCorsa",
    "Dutch": "Activiteittype,Datum,Favoriet,Titel,Afstand,Calorieen,Tijd,HS,HSM,Gemiddelde loopcadans,Tempo,Stappen\nHardlopen",
}  # fmt: skip


@pytest.mark.parametrize("language", GARMINS)
def test_garmin_is_read_in_other_languages_once_its_unit_is_known(tmp_path, language):
    path = put(tmp_path, "a.csv", GARMINS[language] + garmin("2026-05-01", '"8,20"', 45).removeprefix("Running"))
    [run] = read_logs(path, "R-1", "km").entries["R-1"]
    assert (run.run, run.km, run.seconds, run.spm) == (True, 8.2, 2700, 164)
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1")
    assert caught.value.faults[0].code == "unit_of_distances_open"


@pytest.mark.parametrize("written", [
    "5/31/2026, 7:02:10\u202fAM", "31/05/2026, 7:02:10 am", "31 May 2026, 7:02:10\u00a0am", "So, 31.05.2026 07:02:10",
    "31 mai 2026 à 07:02:10", "31 de mayo de 2026, 7:02:10 a. m.", "31 mei 2026 om 07:02:10", "31 mag 2026 07:02:10",
    "31. Mai 2026 um 07:02:10", "2026/05/31 07:02:10", "2026-05-31T07:02:10", "dim. 31/05/2026 07:02:10",
])  # fmt: skip
def test_dates_are_read_as_six_languages_write_them(written):
    assert moments([written], utc=False) == ([(datetime(2026, 5, 31, 7, 2, 10), True)], False)


def test_day_and_month_that_may_be_either_are_asked_for_with_an_option_that_answers(tmp_path):
    path = put(tmp_path, "a.csv", "date,distance_km\n05/04/2026,10\n06/04/2026,10\n")
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1")
    assert "--day-first or --month-first" in caught.value.faults[0].text
    assert read_logs(path, "R-1", None, Reading(day_first=True)).entries["R-1"][0].day == date(2026, 4, 5)
    assert read_logs(path, "R-1", None, Reading(day_first=False)).entries["R-1"][0].day == date(2026, 5, 4)


def test_noon_and_midnight_are_told_apart():
    assert moments(["5/31/2026 12:05 AM", "5/31/2026 12:05 PM"], utc=False)[0] == [
        (datetime(2026, 5, 31, 0, 5), True), (datetime(2026, 5, 31, 12, 5), True),
    ]  # fmt: skip


@pytest.mark.parametrize(("sport", "answer"), [
    ("Run", True), ("TrailRun", True), ("trail_running", True), ("Laufband", True), ("Skilanglauf", False),
    ("Course à pied", True), ("Vélo de course", False), ("Carrera", True), ("Carrera de bicicleta", False),
    ("Corsa", True), ("Hardlopen", True), ("Radfahren", False), ("Padel", False), ("Zorbing", None), ("9", None),
])  # fmt: skip
def test_a_sport_is_running_another_or_not_known(sport, answer):
    assert is_run(sport) is answer


def test_sports_that_are_not_known_are_asked_for_or_named(tmp_path):
    rows = "date,distance_km,duration,type\n2026-05-01,8,0:45:00,Zorbing\n"
    path = put(tmp_path, "a.csv", rows)
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1")
    assert "--sport NAME" in caught.value.faults[0].text
    assert read_logs(path, "R-1", None, Reading(sports=("Zorbing",))).entries["R-1"][0].run
    mixed = read_logs(put(tmp_path, "b.csv", rows + "2026-05-02,8,0:45:00,Run\n"), "R-1")
    assert mixed.unknown_sports == {"Zorbing": 1}


def test_metres_are_asked_for_and_read_when_they_are_said(tmp_path):
    old = "id,date,name,type,description,elapsed_time,distance,commute,gear,filename\n"
    old += "".join(f"{at},2026-05-{at:02d} 06:00:23,A,Run,,2225,6745.2,false,,a.gpx\n" for at in range(1, 30))
    path = put(tmp_path, "a.csv", old)
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1")
    assert "--units km, mi or m" in caught.value.faults[0].text and "as metres, 5:29" in caught.value.faults[0].text
    assert read_logs(path, "R-1", "m").entries["R-1"][0].km == pytest.approx(6.7452)
    with pytest.raises(InvalidInput) as caught:  # without a duration, no pace gives it away
        read_logs(put(tmp_path, "b.csv", "date,distance_km\n" + "2026-05-01,8000\n" * 3), "R-1")
    assert caught.value.faults[0].code == "distances_unlikely"


def test_metres_in_one_row_cost_that_row(tmp_path):
    text = PLAIN + plain("2026-05-01", 8) * 3 + plain("2026-05-11", 8000, 45)
    logs = read_logs(put(tmp_path, "a.csv", text), "R-1")
    assert [(loss.fault.code, loss.weeks) for loss in logs.lost] == [("distance_beyond", "week of 2026-05-11")]
    assert len(logs.entries["R-1"]) == 3


def test_a_run_on_a_track_is_in_metres_among_kilometres(tmp_path):
    text = GARMIN + garmin("2026-05-01", "8.20", 45) + garmin("2026-05-02", '"5,000"', 25, sport="Track Running")
    runs = read_logs(put(tmp_path, "a.csv", text), "R-1", "km").entries["R-1"]
    assert [run.km for run in runs] == [8.2, 5.0]


def test_a_comma_that_may_mark_thousands_is_answered_by_an_option(tmp_path):
    path = put(tmp_path, "a.csv", GARMIN + garmin("2026-05-01", '"7,055"', 40))
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1", "km")
    assert "--decimal-comma" in caught.value.faults[0].text
    assert read_logs(path, "R-1", "km", Reading(decimal_comma=True)).entries["R-1"][0].km == 7.055


def test_a_cell_with_an_error_costs_its_activity_which_is_named(tmp_path):
    text = strava_rows() + strava(date(2026, 5, 20), 8, 44).replace("8000.0", "#error#")
    put(tmp_path, "logs/R-7.csv", text)
    written = write_loads(tmp_path / "logs", tmp_path / "loads.csv", Wish())
    [row] = cells(tmp_path / "loads.csv")
    assert row["not_read"] == f"R-7.csv row {len(DAYS) + 1} (week of 2026-05-18)"
    assert float(row["weekly_distance_km"]) == 28 and int(row["runs"]) == len(DAYS)
    assert any("R-7" in note and "week of 2026-05-18" in note for note in written.notes)


BROKEN = {
    "empty.fit": b"", "cut.fit": fit(session(START))[:-9], "foreign.fit": b"\x89PNG\r\n\x1a\n" * 9, "empty.gpx": b"",
    "cut.gpx": gpx(START).encode()[:400], "no_points.gpx": b'<gpx version="1.1"><metadata><time>2026-05-10T07:00:00Z'
    b"</time></metadata><trk><type>running</type><trkseg/></trk></gpx>", "no_times.gpx": gpx(START, times=False).encode(),
    "cut.tcx": tcx(START).encode()[:300], "text.tcx": b"hello", "cut.fit.gz": gzip.compress(fit(session(START)))[:30],
    "foreign.gpx.gz": b"hello", "broken.zip": b"PK\x03\x04 broken",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_one_damaged_file_among_good_ones_is_named_and_the_others_count(tmp_path, name):
    for at, day in enumerate(DAYS):
        put(
            tmp_path, f"logs/R-3/{name[0]}{at}.fit", fit(session(datetime(day.year, day.month, day.day, 7, tzinfo=UTC)))
        )
    put(tmp_path, "logs/R-4.csv", PLAIN + plain("2026-05-31", 5))
    put(tmp_path, f"logs/R-3/{name}", BROKEN[name])
    written = write_loads(tmp_path / "logs", tmp_path / "loads.csv", Wish())
    three, four = cells(tmp_path / "loads.csv")
    assert three["not_read"].startswith(f"R-3/{name} (") and four["not_read"] == ""
    assert float(three["weekly_distance_km"]) == 35 and int(three["runs"]) == len(DAYS)
    assert [(loss.name, loss.runner) for loss in written.logs.lost] == [(f"R-3/{name}", "R-3")]


def test_the_weeks_of_a_lost_recording_are_those_its_bytes_its_name_or_its_neighbours_tell(tmp_path):
    put(tmp_path, "R-1/1.fit", fit(session(START)))
    put(tmp_path, "R-1/2.fit", fit(session(START + timedelta(days=7)))[:-1])
    put(tmp_path, "R-1/3.fit", b"")
    put(tmp_path, "R-1/4.fit", fit(session(START + timedelta(days=21))))
    put(tmp_path, "R-2/2026-05-20-0700.fit", b"")
    weeks = {loss.name: loss.weeks for loss in read_logs(tmp_path).lost}
    assert weeks == {
        "R-1/2.fit": "week of 2026-05-04", "R-1/3.fit": "weeks of 2026-04-27 to 2026-05-18",
        "R-2/2026-05-20-0700.fit": "week of 2026-05-18",
    }  # fmt: skip


def test_a_fit_file_without_a_sum_is_read_and_named(tmp_path):
    logs = read_logs(put(tmp_path, "a.fit", fit(session(START))[:-2] + b"\0\0"), "R-1")
    assert len(logs.entries["R-1"]) == 1 and logs.unsummed == ("a.fit",)


def test_what_becomes_too_large_is_refused_while_it_is_unpacked(tmp_path):
    put(tmp_path, "R-1/a.csv", PLAIN + plain("2026-05-01", 5))
    put(tmp_path, "R-1/bomb.gpx.gz", gzip.compress(b" " * 3_000_000))
    with limited(log=1 << 20):
        [loss] = read_logs(tmp_path).lost
    assert (loss.name, loss.fault.code) == ("R-1/bomb.gpx.gz", "log_too_large")
    for at in range(4):
        put(tmp_path, f"R-1/{at}.gpx.gz", gzip.compress(gpx(START).encode()))
    with limited(export=2_500):  # all together
        assert {loss.fault.code for loss in read_logs(tmp_path).lost} == {"log_too_large"}


def test_a_table_that_is_no_log_is_lost_if_it_is_all_that_there_is_of_a_runner(tmp_path):
    put(tmp_path, "R-1.csv", PLAIN + plain("2026-05-01", 5))
    put(tmp_path, "R-2.csv", "a,b\n1,2\n")
    assert [loss.runner for loss in read_logs(tmp_path).lost] == ["R-2"]


def sheet(folder, rows, formats=()):
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    for column, form in formats:
        for cell in book.active[column][1:]:
            cell.number_format = form
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


@pytest.mark.parametrize("form", ["[h]:mm:ss", "[hh]:mm:ss", "h:mm:ss"])
def test_durations_of_a_workbook_are_read(tmp_path, form):
    rows = [
        ["date", "distance_km", "duration"],
        [date(2026, 5, 1), 8, timedelta(minutes=45)],
        [date(2026, 5, 3), 8, 0.05],
    ]
    runs = read_logs(sheet(tmp_path, rows, [("C", form)]), "R-1").entries["R-1"]
    assert [run.seconds for run in runs] == [2700, 4320]


@pytest.mark.parametrize("days", ["Mon Tue Wed Thu Fri Sat Sun", "Mo Di Mi Do Fr Sa So", "lun mar mer jeu ven sam dim"])
def test_a_grid_of_days_below_weeks_is_read(tmp_path, days):
    weeks = [[date(2026, 4, 6) + timedelta(weeks=at), 8, None, 10, "rest", 6, None, 15] for at in range(8)]
    path = sheet(tmp_path, [["Week", *days.split()], *weeks])
    runs = read_logs(path, "R-1", "km").entries["R-1"]
    load = load_of(runs, date(2026, 5, 31))
    assert load.values["weekly_distance_km"] == 39 and load.values["sessions_per_week"] == 4
    with pytest.raises(InvalidInput) as caught:
        read_logs(path, "R-1")
    assert caught.value.faults[0].code == "unit_of_distances_unknown"


@pytest.mark.parametrize("named", ["2026-W{}", "KW {}/2026", "Week {} 2026"])
def test_a_grid_of_weeks_is_read_a_row_a_runner(tmp_path, named):
    header = ["runner_id", *(named.format(week) for week in range(17, 23))]
    path = put(
        tmp_path, "a.csv", "\n".join([",".join(header), "R-1,20,20,20,20,20,30", "R-2,10,,10,10,oops,10"]) + "\n"
    )
    logs = read_logs(path, None, "km")
    load = load_of(logs.entries["R-1"], date(2026, 5, 31))
    assert load.values == {"weekly_distance_km": 20, "weekly_change_pct": 50}
    assert load.reasons["longest_run_spike_pct"].code == load.reasons["sessions_per_week"].code == "load_runs_summed_up"
    assert [(loss.runner, loss.weeks) for loss in logs.lost] == [("R-2", "week of 2026-05-18")]
    assert load_of(logs.entries["R-2"], date(2026, 5, 24)).reasons["weekly_distance_km"].code == "load_distance_unknown"
    write_loads(path, tmp_path / "loads.csv", Wish(units="km"))
    assert cells(tmp_path / "loads.csv")[0]["at"] == "2026-05-31"  # the last day of the last week
    assert load_of(logs.entries["R-1"], date(2026, 5, 29)).reasons["weekly_distance_km"].code == "load_week_cut"


def test_weeks_without_a_year_are_asked_for_it(tmp_path):
    path = put(tmp_path, "a.csv", "runner_id,KW 18,KW 19,KW 20\nR-1,20,20,20\n")
    with pytest.raises(InvalidInput, match="Nothing was written") as caught:
        read_logs(path, None, "km")
    assert caught.value.faults[0].code == "weeks_without_year"
    entries = read_logs(path, None, "km", Reading(year=2026)).entries["R-1"]
    assert entries[0].day == date(2026, 4, 27)


def test_session_rpe_is_minutes_times_effort_summed_over_a_week(tmp_path):
    text = "date,minutes,rpe\n" + "".join(f"{day},45,4\n" for day in DAYS)
    put(tmp_path, "logs/R-1.csv", text)
    write_loads(tmp_path / "logs", tmp_path / "loads.csv", Wish())
    [row] = cells(tmp_path / "loads.csv")
    assert float(row["session_rpe_load"]) == 3.5 * 45 * 4 and float(row["sessions_per_week"]) == 3.5
    assert row["weekly_distance_km"] == ""


def test_the_weeks_of_a_curve_end_on_the_day_that_counts_and_say_what_the_loads_say():
    from pfps_ml.io.training_load import Activity

    runs = [
        Activity(datetime(day.year, day.month, day.day), False, True, 16 if at == 0 else 8)
        for at, day in enumerate(DAYS)
    ]
    table = load_curve({"R-1": runs}, DAYS[0]).frame()
    last, load = table.iloc[-1], load_of(runs, DAYS[0])
    assert (last["week_to"], last["longest_run_km"], last["distance_km"]) == ("2026-05-31", 16, 40)
    assert last["longest_run_spike_pct"] == load.values["longest_run_spike_pct"] == 100
    assert last["weekly_change_pct"] == load.values["weekly_change_pct"]
    assert table["distance_km"].iloc[-5:-1].mean() == load.values["weekly_distance_km"]


def test_a_curve_is_drawn_with_its_table(tmp_path):
    entries = {"R-1": read_logs(put(tmp_path, "a.csv", strava_rows()), "R-1").entries["R-1"]}
    for name, start in (("c.png", b"\x89PNG"), ("c.svg", b"<?xml"), ("c.html", b"<!doctype html")):
        written = write_curve(entries, DAYS[0], tmp_path / name)
        content = written[0].read_bytes()
        assert content.lower().startswith(start.lower())
        assert write_curve(entries, DAYS[0], tmp_path / name)[0].read_bytes() == content
    assert len(cells(tmp_path / "c_weeks.csv")) == 9
    page = (tmp_path / "c.html").read_text()
    assert "longest run" in page and "Not a medical device" in page and "<script" not in page
    with pytest.raises(OutputError):
        write_curve(entries, DAYS[0], tmp_path / "c.jpg")


def test_a_log_is_read_through_the_columns_that_are_named(tmp_path):
    text = "Wann,Weg,Wie lange\n2026-05-01,8,0:45:00\n"
    path = put(tmp_path, "a.csv", text)
    with pytest.raises(InputError):
        read_logs(path, "R-1", "km")
    reading = Reading(columns={"date": "Wann", "distance": "Weg", "duration": "Wie lange"})
    [run] = read_logs(path, "R-1", "km", reading).entries["R-1"]
    assert (run.km, run.seconds) == (8, 2700)


def test_loads_of_a_runner_of_whom_nothing_could_be_read_are_blank(tmp_path):
    put(tmp_path, "logs/R-1.csv", PLAIN + plain("2026-05-31", 5))
    put(tmp_path, "logs/R-2.fit", b"")
    write_loads(tmp_path / "logs", tmp_path / "loads.csv", Wish())
    second = cells(tmp_path / "loads.csv")[1]
    assert [second[name] for name in FIGURES] == [""] * 5 and second["not_read"].startswith("R-2.fit")


@pytest.mark.parametrize("text", [
    "Datum,Distanz in km,Zeit\n2026-05-01,8.5,45:00\n", "Timestamp,Distance (m),Duration (s)\n2026-05-01T07:00:00,8500,2700\n",
    "Date,Activity,Distance,Duration\n2026-05-01,Easy run,8.5 km,45 min\n", "Datum\tkm\tDauer\n01.05.2026\t8,5\t0:45:00\n",
    "Fecha;Distancia (km);Duración\n01/05/2026;8,5;45:00\n13/05/2026;9;50:00\n",
])  # fmt: skip
def test_diaries_say_their_units_in_many_ways(tmp_path, text):
    run = read_logs(put(tmp_path, "a.csv", text), "R-1", "mi").entries["R-1"][0]
    assert (run.day, run.run, run.km, run.seconds) == (date(2026, 5, 1), True, 8.5, 2700)
