"""From any spreadsheet to a scored roster and back to its rejected rows, as a physio types it, at first try."""

import re
import tomllib
from pathlib import Path

import pytest

from pfps_ml.workflows.samples import PLAYERS, SQUAD, squad_book
from tests.rosters import GOOD, cells, roster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / SQUAD
LOGS = EXAMPLE.parent / "logs"


@pytest.fixture
def bundle_folder(bundle):
    return bundle.path


def test_the_committed_squad_is_what_the_pipeline_writes():
    assert EXAMPLE.read_bytes() == squad_book(), "run `python -m pfps_ml.workflows.samples`"


def test_the_squad_is_mapped_loaded_scored_and_mended_at_first_try(pfps, tmp_path, bundle_folder):
    model, toml = ("--bundle", bundle_folder), tmp_path / "map.toml"
    code, told, error = pfps("score", EXAMPLE, "-o", tmp_path / "out.xlsx", *model)
    assert (code, told) == (2, "") and "`pfps map ROSTER -o map.toml` proposes" in error
    code, told, error = pfps("map", EXAMPLE, "-o", toml)
    assert code == 0 and f"Written: {toml}" in error and f"--map {toml}" in error
    declared = tomllib.loads(toml.read_text(encoding="utf-8"))
    assert len(declared["columns"]) == 19 and declared["leave"] == ["hip abd (N)"]
    loaded = tmp_path / "loaded.xlsx"
    code, told, _ = pfps("load", LOGS, "--units", "km", "--into", EXAMPLE, "--map", toml, "-o", loaded)
    assert code == 0 and re.search(r"longest_run_spike_pct +2 filled in", told)
    code, told, error = pfps("score", loaded, "--map", toml, "-o", tmp_path / "out.xlsx", *model)
    assert code == 0 and re.search(r"^rows +30: 26 scored, 4 partly, 0 rejected\b", told)
    assert "column 2 (names)" in error and "P. 01" not in told + error
    code, told, _ = pfps("rejected", tmp_path / "out.xlsx", "-o", tmp_path / "mend.csv")
    assert code == 0 and re.search(r"rejected rows +0\s+rows scored partly +4\b", told)
    assert [row["Player"] for row in cells(tmp_path / "mend.csv")] == ["P. 04", "P. 12", "P. 18", "P. 21"]
    mended = (tmp_path / "mend.csv").read_text(encoding="utf-8-sig").replace("x?", "ja").replace(",16.8,", ",1.68,")
    mended = roster(tmp_path, mended.replace(",999,", ",150,"), "mend.csv")
    code, told, _ = pfps("score", mended, "--map", toml, "-o", tmp_path / "mended.csv", *model)
    assert code == 0 and re.search(r"^rows +4: 4 scored, 0 partly, 0 rejected\b", told)
    assert PLAYERS == 26 + 4


def test_the_map_is_shown_with_what_each_column_is_read_as_and_what_is_asked(pfps, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, toml, table = pfps("map", EXAMPLE)
    assert code == 0 and "[columns.knee_extension_nm_kg]" in toml
    shown = "hip abd (N)|running_experience_years|times 0.453592|divided by weight_kg|0 = no, 1 = yes|missing: 999, ?"
    for words in f"{shown}|age on|ASKED: how far|not read yet|1.83, 1.62, 1.74".split("|"):
        assert words in table
    assert {len(line) for line in table.splitlines() if line[0] in "┏┡├└│"} == {80} and "…" not in table
    assert "-o map.toml writes it." in table
    assert "P. 01" not in table + toml and "late" not in table + toml
    assert "Not read until the map answers what is ASKED: 1 column(s)." in table


def test_what_no_column_seems_to_be_is_said_and_a_roster_that_needs_no_map_gets_none(pfps, tmp_path):
    code, toml, table = pfps("map", roster(tmp_path, "Nr,Age\n1,30\n"))
    assert code == 0 and "No column seems to be sex, which is required." in table and "# [columns.sex]" in toml
    assert pfps("map", roster(tmp_path, GOOD), "-o", tmp_path / "m.toml")[1] == ""
    assert "no map is needed" in pfps("map", roster(tmp_path, GOOD))[2]
    assert not (tmp_path / "m.toml").exists()


def test_no_map_takes_the_place_of_a_roster(pfps, tmp_path):
    source = roster(tmp_path, "Nr,Age\n1,30\n")
    code, _, error = pfps("map", source, "-o", source)
    assert code == 4 and "ends in .toml" in error
    assert source.read_text() == "Nr,Age\n1,30\n"


def test_a_template_is_a_workbook_if_its_name_or_an_option_says_so(pfps, tmp_path):
    for arguments in (("-o", tmp_path / "a.xlsx"), ("--xlsx", "-o", tmp_path / "b.xlsx")):
        assert pfps("template", *arguments)[0] == 0
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    code, _, error = pfps("template", "--xlsx")
    assert code == 2 and "-o FILE.xlsx" in error
    assert pfps("template", "--xlsx", "-o", tmp_path / "c.csv")[0] == 4
    code, _, error = pfps("score", tmp_path / "a.xlsx", "-o", tmp_path / "out.csv")
    assert code == 2 and "at least one row below the header" in error


def test_a_sheet_that_is_not_there_is_answered_with_those_that_are(pfps):
    code, _, error = pfps("check", EXAMPLE, "--sheet", "Reserves")
    assert code == 2 and "'Squad 25-26'" in error


FORCES = "Nr,Age,Sex,hip abd N,Weight kg\n1,30,F,150,60\n2,40,M,180,75\n"


def test_without_a_terminal_nothing_is_asked_and_the_questions_are_listed(pfps, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, told, error = pfps("map", roster(tmp_path, FORCES), "--ask", "-o", tmp_path / "map.toml")
    assert (code, told) == (2, "") and "hip abd N: how far is the dynamometer" in error
    assert not (tmp_path / "map.toml").exists()


def test_a_club_answers_once_and_its_next_file_is_read_like_the_first(pfps, tmp_path, monkeypatch):
    first, second = roster(tmp_path, FORCES), roster(tmp_path, FORCES.replace("150", "160"), "second.csv")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "0.4")
    assert pfps("map", first, "--ask", "-o", tmp_path / "map.toml")[0] == 0
    code, _, error = pfps("map", second, "--like", tmp_path / "map.toml", "-o", tmp_path / "next.toml")
    assert code == 0 and "ASKED" not in error
    code, told, _ = pfps("check", second, "--map", tmp_path / "next.toml")
    assert code == 0 and re.search(r"^rows +2: 2 can be scored,", told)


def test_the_newest_answer_of_a_runner_counts_if_that_is_asked_for(pfps, tmp_path, bundle_folder):
    text = "runner_id,age_years,sex,When\nR-1,30,male,2026-09-01 10:00\nR-2,31,male,\nR-1,32,male,2026-09-02 10:00\n"
    run = ("score", roster(tmp_path, text), "-o", tmp_path / "out.csv", "--bundle", bundle_folder)
    pfps(*run)
    assert [row["status"] for row in cells(tmp_path / "out.csv")] == ["rejected", "scored", "rejected"]
    pfps(*run, "--newest", "When")
    found = cells(tmp_path / "out.csv")
    assert [row["status"] for row in found] == ["rejected", "scored", "scored"]
    assert found[0]["problem_codes"] == "newer_row"


def test_a_check_lists_by_id_who_has_a_fault_one_side_alone_or_is_no_runner(pfps, tmp_path):
    text = "runner_id,age_years,sex,weight_kg,FL,FR\nR-1,30,male,60,3,\nR-2,31,male,heavy,2,5\nAverage,30,,,,\n"
    told = '[columns.foot_posture_index]\nfrom = ["FL", "FR"]\n'
    code, told, _ = pfps("check", roster(tmp_path, text), "--map", roster(tmp_path, told, "map.toml"))
    assert code == 0
    assert "foot_posture_index: one side alone is known, and counts, of R-1" in told
    assert "\nweight_kg: R-2\n" in told
    assert "is no runner" in " ".join(told.split())


class Terminal:
    """A terminal at which somebody types; what nobody asks for is an error."""

    def __init__(self, *lines):
        self.lines = list(lines)

    def isatty(self):
        return True

    def readline(self):
        return self.lines.pop(0) + "\n"


def test_a_squad_is_scored_after_two_answers_in_the_terminal(pfps, tmp_path, bundle_folder, monkeypatch):
    text = "Squad no,Age,Sex,Weight,Hip abd (N),Knee,Coach says\n1,30,F,60,150,no,a\n2,31,M,70,190,yes,b\n"
    source, toml, out = roster(tmp_path, text), tmp_path / "map.toml", tmp_path / "out.csv"
    code, _, error = pfps("map", source, "--ask", "-o", toml)
    assert code == 2 and "Knee: " in error and "Hip abd (N): " in error and not toml.exists()  # nobody can answer
    assert pfps("map", source, "-o", toml)[0] == 0
    code, _, error = pfps("score", source, "-o", out, "--map", toml, "--bundle", bundle_folder)
    assert code == 2 and "--ask" in error and not out.exists()  # who is sore is not passed over
    terminal = Terminal("1", "0.4")
    monkeypatch.setattr("sys.stdin", terminal)
    code, _, error = pfps("map", source, "--ask", "-o", toml)
    assert code == 0 and terminal.lines == []
    assert "Not read, and passed through: Coach says." in error and "`leave`" in error and "docs/MAPPING.md" in error
    code, told, _ = pfps("score", source, "-o", out, "--map", toml, "--bundle", bundle_folder)
    assert code == 0 and "2 scored" in told
    assert [bool(row["risk_12m"]) for row in cells(out)] == [True, False]  # the second has knee pain now
