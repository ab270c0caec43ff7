"""`pfps load`: a table of loads, or loads in a roster; what was there stays, and what is not known is said."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pfps_ml.core.errors import InputError, InvalidInput, OutputError
from pfps_ml.io.roster import read_roster
from pfps_ml.io.training_load import FIGURES
from pfps_ml.workflows.training_loads import Wish, write_loads
from tests.io.made import PLAIN, plain
from tests.rosters import cells, roster

EXAMPLES = Path(__file__).parents[2] / "data" / "examples" / "logs"
LAST = date(2026, 5, 31)
HEADER = "runner_id,age_years,sex,weekly_distance_km,step_rate_spm,notes\n"
ROSTER = HEADER + "R-1,30,female,12,,=1+1\nR-2,30,male,,150,\nR-3,30,male,,,\nR-1,31,male,,,\n"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Return the logs of three runners: one kept well, one that ends early, and one of nobody."""
    folder = tmp_path_factory.mktemp("logs")
    every_other = [LAST - timedelta(days=back) for back in range(0, 60, 2)]
    (folder / "R-1.csv").write_text(PLAIN + "".join(plain(day, 8, cadence=170) for day in every_other))
    (folder / "R-2.csv").write_text(PLAIN + "".join(plain(day, 5) for day in every_other[20:]))
    (folder / "R-9.csv").write_text(PLAIN + plain(LAST, 5))
    return folder


def test_a_table_has_one_row_a_runner_and_says_why_a_figure_is_not_there(logs, tmp_path):
    lines = dict(write_loads(logs, tmp_path / "loads.csv", Wish()).lines)
    first, second, ninth = cells(tmp_path / "loads.csv")
    assert {name: float(first[name]) for name in FIGURES} == {
        "weekly_distance_km": 28, "sessions_per_week": 3.5, "longest_run_spike_pct": 0, "weekly_change_pct": 14.3,
        "step_rate_spm": 170,
    }  # fmt: skip
    assert (first["runner_id"], first["at"], first["runs"], first["not_told"]) == ("R-1", "2026-05-31", "30", "")
    assert [second[name] for name in FIGURES] == [ninth[name] for name in FIGURES] == [""] * 5
    assert second["not_told"].startswith(f"{', '.join(FIGURES[:4])}: the log does not cover the days that it needs; ")
    assert lines["at"] == "2026-05-31, the last day of the logs"
    assert (lines["runners"], lines["weekly_distance_km"]) == ("3", "known of 1")


def test_another_day_may_be_asked_for(logs, tmp_path):
    write_loads(logs, tmp_path / "loads.csv", Wish(at=LAST - timedelta(days=1)))
    assert cells(tmp_path / "loads.csv")[0]["runs"] == "29"


def test_loads_fill_what_is_blank_in_a_roster_and_nothing_else(logs, tmp_path):
    given = roster(tmp_path, ROSTER)
    lines = dict(write_loads(logs, tmp_path / "out.csv", Wish(roster=given)).lines)
    before, after = cells(given), cells(tmp_path / "out.csv")
    assert [row["runner_id"] for row in after] == ["R-1", "R-2", "R-3", "R-1"]
    assert [row["weekly_distance_km"] for row in after] == ["12", "", "", "28"]
    assert [row["step_rate_spm"] for row in after] == ["170", "150", "", "170"]
    assert [row["sessions_per_week"] for row in after] == ["3.5", "", "", "3.5"]
    assert all(row[name] == old[name] for row, old in zip(after, before, strict=True) for name in ("age_years", "sex"))
    assert lines["weekly_distance_km"] == "1 filled in, 1 left as they were"
    assert (lines["  with a log"], lines["logs of nobody in the roster"]) == ("3", "1")
    assert list(after[0])[:6] == HEADER.strip().split(",")
    assert after[0]["notes"] == "'=1+1"  # what a spreadsheet would run
    assert not read_roster(tmp_path / "out.csv").values.empty


def test_only_when_asked_loads_replace_what_the_roster_says_but_never_by_nothing(logs, tmp_path):
    given = roster(tmp_path, ROSTER)
    write_loads(logs, given, Wish(roster=given, replace=True))
    after = cells(given)
    assert [row["weekly_distance_km"] for row in after] == ["28", "", "", "28"]
    assert [row["step_rate_spm"] for row in after] == ["170", "150", "", "170"]


def test_a_roster_keeps_its_own_dialect_and_its_map(logs, tmp_path):
    text = "Spieler;age_years;sex;Woche\nR-1;30;female;\nR-2;31,5;male;12,5\n".encode("latin-1")
    given, mapping = roster(tmp_path, text), tmp_path / "map.toml"
    mapping.write_text('[columns.runner_id]\nfrom = "Spieler"\n[columns.weekly_distance_km]\nfrom = "Woche"\n')
    write_loads(logs, tmp_path / "out.csv", Wish(roster=given, mapping=mapping))
    written = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert written[0].startswith("Spieler;age_years;sex;Woche;sessions_per_week;")
    assert written[1] == "R-1;30;female;28;3,5;0;14,3;170"
    assert written[2] == "R-2;31,5;male;12,5;;;;"


def test_a_map_s_units_codes_and_decimals_are_those_of_what_is_filled_in(logs, tmp_path):
    given, mapping = (
        roster(tmp_path, "runner_id,age_years,sex,miles\nR-1,30,male,999\nR-1,31,male,7\n"),
        tmp_path / "m.toml",
    )
    mapping.write_text(
        '[columns.weekly_distance_km]\nfrom = "miles"\nmissing = ["999"]\nfactor = 1.609344\ndecimal = ","\n'
        "[columns.sessions_per_week]\nvalue = 3\n"
    )
    lines = dict(write_loads(logs, tmp_path / "out.csv", Wish(roster=given, mapping=mapping)).lines)
    after = cells(tmp_path / "out.csv")
    assert [row["miles"] for row in after] == ["17,3984", "7"]
    assert lines["sessions_per_week"] == "left alone: the map gives it to everybody"
    assert "sessions_per_week" not in after[0]
    assert read_roster(tmp_path / "out.csv", mapping).values["weekly_distance_km"][0] == pytest.approx(28, abs=1e-3)


def test_a_workbook_is_filled_and_comes_back_as_one(logs, tmp_path):
    write_loads(logs, tmp_path / "out.xlsx", Wish(roster=roster(tmp_path, ROSTER)))
    write_loads(logs, tmp_path / "again.csv", Wish(roster=tmp_path / "out.xlsx"))
    assert cells(tmp_path / "again.csv")[0]["weekly_distance_km"] in ("12", "12.0")


def test_parquet_comes_and_goes_with_its_types(logs, tmp_path):
    frame = pd.DataFrame({"runner_id": ["R-1", "R-2"], "age_years": [30, 31], "sex": ["female", "male"],
                          "weekly_distance_km": [None, 12.0]})  # fmt: skip
    frame.to_parquet(tmp_path / "in.parquet")
    write_loads(logs, tmp_path / "out.parquet", Wish(roster=tmp_path / "in.parquet"))
    back = pd.read_parquet(tmp_path / "out.parquet")
    assert back["weekly_distance_km"].tolist() == [28.0, 12.0]
    assert back["age_years"].dtype == frame["age_years"].dtype


def test_scores_of_before_are_left_out_because_they_are_stale(logs, tmp_path, bundle):
    from pfps_ml.batch.rosters import score_roster

    score_roster(roster(tmp_path, ROSTER), tmp_path / "scored.csv", bundle)
    write_loads(logs, tmp_path / "out.csv", Wish(roster=tmp_path / "scored.csv"))
    assert "risk_12m" not in cells(tmp_path / "out.csv")[0]


def test_rows_that_do_not_fit_the_header_are_not_moved_about(logs, tmp_path):
    given = roster(tmp_path, HEADER + "R-1,30,female,12\n" + "R-2,30,female,,,a,b\n" * 6)
    with pytest.raises(InvalidInput) as caught:
        write_loads(logs, tmp_path / "out.csv", Wish(roster=given))
    assert caught.value.faults[0].text == "7 rows below the header have other columns: 1, 2, 3, 4, 5, ..."
    assert not (tmp_path / "out.csv").exists()


def test_nothing_is_written_if_anything_is_wrong(logs, tmp_path):
    with pytest.raises(InputError):
        write_loads(logs, tmp_path / "out.csv", Wish(roster=roster(tmp_path, "a,b\n1,2\n")))
    with pytest.raises(OutputError):
        write_loads(logs, tmp_path / "out.txt", Wish())
    assert [path.name for path in tmp_path.iterdir()] == ["roster.csv"]


def test_files_left_aside_and_unlikely_paces_are_told(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "R-1.csv").write_text(PLAIN + plain(LAST, 5) * 3 + plain(LAST, 30, 60))
    (folder / "photo.jpg").write_bytes(b"")
    lines = dict(write_loads(folder, tmp_path / "loads.csv", Wish()).lines)
    assert (lines["other files, left aside"], lines["runs of an unlikely pace"]) == ("1", "1")
    assert lines["runs recorded twice"] == "2"


def test_an_id_that_a_spreadsheet_would_run_is_guarded(tmp_path):
    (tmp_path / "log.csv").write_text(PLAIN + plain(LAST, 5))
    write_loads(tmp_path / "log.csv", tmp_path / "loads.csv", Wish(runner="=1+1"))
    with (tmp_path / "loads.csv").open(newline="") as file:
        assert list(csv.reader(file))[1][0] == "'=1+1"


def test_the_example_logs_show_what_is_told_and_what_is_not(tmp_path):
    lines = dict(write_loads(EXAMPLES, tmp_path / "loads.csv", Wish(units="km", at=date(2026, 1, 17))).lines)
    strava, garmin, begun, silent, tracks = cells(tmp_path / "loads.csv")
    assert [strava[name] for name in FIGURES] == ["28", "3.5", "60", "39.3", "168"]
    assert garmin["step_rate_spm"] == "169" and garmin["not_told"] == ""
    assert begun["weekly_distance_km"] == silent["weekly_distance_km"] == tracks["weekly_distance_km"] == ""
    assert silent["step_rate_spm"] == "172"
    assert (lines["runs recorded twice"], lines["rest and other sports"]) == ("1", "4")


def test_no_result_takes_the_place_of_a_log(logs, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text(PLAIN + plain(LAST, 5))
    for source, out in ((log, log), (tmp_path, log)):
        with pytest.raises(OutputError, match="another file"):
            write_loads(source, out, Wish("R-1"))
    assert log.read_text() == PLAIN + plain(LAST, 5)


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1979, 12, 31), date(9999, 12, 31)])
def test_a_last_day_that_no_log_can_have_is_refused(logs, tmp_path, day):
    with pytest.raises(InputError, match="from 1980 to 2100"):
        write_loads(logs, tmp_path / "out.csv", Wish(at=day))
