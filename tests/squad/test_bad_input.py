"""What a squad's file may lack or mix: each is said in the report, and nothing is invented."""

import numpy as np
import pytest

from pfps_ml.cli.main import main
from pfps_ml.io.mapping import load_mapping
from pfps_ml.squad.report_data import ReportData, ReportOptions
from pfps_ml.squad.screening import screen
from tests.rosters import roster
from tests.squad.pages import HEADER, SQUAD, report_data, text_of


def test_of_whom_nobody_knows_whether_they_have_knee_pain_that_is_said_first(bundle, tmp_path):
    data = report_data(bundle, tmp_path, SQUAD.replace("no,4,no", "no,4,").replace("no,5,no", "no,5,"))
    assert set(data.screening.not_asked) == {"S-4", "S-5", "S-11"}
    said = text_of("knee_pain", data)
    assert "Knee pain now: ask first Of 3 runners it is not known whether they have knee pain now" in said
    assert sorted(said.split()[-3:]) == ["S-11", "S-4", "S-5"]


def test_of_whom_a_field_is_not_known_or_one_side_alone_is_listed_by_id(bundle, tmp_path):
    text = SQUAD.replace("\n", ",,\n").replace("pain,,", "pain,FPI left,FPI right").replace("no,3,no,,", "no,,no,4,6")
    text = text.replace("no,4,no,,", "no,4,no,,5")
    said = roster(tmp_path, '[columns.foot_posture_index]\nfrom = ["FPI left", "FPI right"]\n', "map.toml")
    data = ReportData(screen(roster(tmp_path, text), bundle, load_mapping(said)), ReportOptions())
    shown = text_of("data_quality", data)
    assert {"S-3", "S-10"} == set(data.screening.unknown("sessions_per_week"))
    assert "S-3" in shown and "S-10" in shown
    assert {"S-4", "S-11"} == set(data.screening.roster.one_sided["foot_posture_index"])
    alone = shown.partition("one side alone is known, and counts.")[2].split()
    assert {"S-4,", "S-11"} <= {*alone} or {"S-11,", "S-4"} <= {*alone}


def test_where_one_has_knee_pain_and_others_were_not_asked_both_are_said(bundle, tmp_path):
    text = SQUAD.replace("S-4,Club,24,male,no,4,no", "S-4,Club,24,male,no,4,").replace("no,5,no", "no,5,yes")
    data = report_data(bundle, tmp_path, text)
    assert "a visit comes first S-5" in text_of("knee_pain", data)
    assert "Of 1 runner it is not known" in text_of("knee_pain", data)


@pytest.mark.parametrize(("flags", "told"), [(1, "On this one fall"), (5, "On these 5 fall")])
def test_a_list_of_one_is_spoken_of_as_one(bundle, tmp_path, flags, told):
    data = report_data(bundle, tmp_path, flags=flags)
    assert told in text_of("see_first", data)


def test_for_one_runner_a_chance_is_told_and_no_range_of_squads(bundle, tmp_path):
    data = report_data(bundle, tmp_path, HEADER + "S-1,Club,30,female,yes,3,no\n")
    assert data.forecast.any == pytest.approx(data.risks[0], rel=0.2)
    assert "chance of a new case in 12 months" in text_of("expected_cases", data)
    assert "squads like this one" not in text_of("expected_cases", data)


def test_a_range_of_two_counts_is_not_called_wide(bundle, tmp_path):
    text = HEADER + "".join(f"S-{at},Club,{60 + at},male,no,3,no\n" for at in range(4))
    data = report_data(bundle, tmp_path, text)
    assert data.forecast.high - data.forecast.low <= 1
    assert "The range is wide" not in text_of("expected_cases", data)


@pytest.mark.parametrize(("clubs", "told", "count"), [
    (("Club", "Club", "Club"), "The file names 1 club. Runners", 1),
    (("Club", " club ", "CLUB"), "The file names 1 club. Runners", 1),
    (("A", "B", "C"), "The file names 3 clubs. Runners", 3),
    (("A", "A", ""), "The file names 1 club. Those without one are taken for one more.", 2),
    (("", "", ""), "The file names no club, so all are taken for one.", 1),
])  # fmt: skip
def test_how_many_clubs_the_forecast_counts_with_is_said(bundle, tmp_path, clubs, told, count):
    lines = SQUAD.splitlines(keepends=True)
    text = "".join([lines[0], *(line.replace("Club", clubs[at % 3]) for at, line in enumerate(lines[1:]))])
    data = report_data(bundle, tmp_path, text)
    assert told in text_of("method", data)
    assert len(np.unique(data.screening.clubs)) == count


def test_a_file_without_a_column_of_clubs_is_of_one_club(bundle, tmp_path):
    data = report_data(bundle, tmp_path, SQUAD.replace("club,", "", 1).replace(",Club,", ","))
    assert "names no club" in text_of("method", data)
    assert not data.screening.clubs.any()


@pytest.mark.parametrize(("name", "cells", "seasons"), [
    ("Season", ("2025", "2025.0"), 1), ("season", ("2025/26", " 2025/26"), 1), ("Saison", ("24/25", "25/26"), 2),
    ("year", ("2024", ""), 1), ("School_Year", ("2024", "2025"), 2), ("reason", ("a", "b"), 1),
])  # fmt: skip
def test_seasons_are_counted_as_they_are_meant(bundle, tmp_path, name, cells, seasons):
    head, *lines = SQUAD.splitlines()
    text = "\n".join([f"{head},{name}", *(f"{line},{cells[at % 2]}" for at, line in enumerate(lines))]) + "\n"
    data = report_data(bundle, tmp_path, text)
    assert data.screening.seasons == seasons


def test_without_an_hour_nothing_is_said_of_spending_it(bundle, tmp_path):
    data = report_data(bundle, tmp_path, hours=0.0)
    assert "Where to spend the next" not in text_of("spend_hours", data)


@pytest.mark.parametrize("option", [["--hours", "inf"], ["--hours", "nan"], ["--hours", "-1"], ["--flags", "0"]])
def test_hours_and_flags_that_are_no_budget_are_refused_and_nothing_is_written(tmp_path, option):
    with pytest.raises(SystemExit) as refused:
        main(["squad", str(tmp_path / "not-there.csv"), "-o", str(tmp_path / "squad.html"), *option])
    assert refused.value.code == 2
    assert not (tmp_path / "squad.html").exists()


def test_a_file_in_which_nothing_is_known_of_one_group_of_tests_says_so(bundle, tmp_path):
    data = report_data(bundle, tmp_path)
    assert "Dynamometry 0 %" in text_of("data_quality", data)


def test_where_there_is_no_forecast_the_short_of_it_has_none(bundle, tmp_path):
    data = report_data(bundle, tmp_path, HEADER + "S-1,Club,300,female,yes,3,no\n")
    assert [name for name, _ in data.summary()] == ["rows", "with a risk", "knee pain now"]


def test_where_there_is_no_list_the_short_of_it_has_none(bundle, tmp_path):
    data = report_data(bundle, tmp_path, flags=12)
    assert [name for name, _ in data.summary()][-1] == "new cases"
