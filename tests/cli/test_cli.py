"""The command line: what is printed where, the exit codes, and that no user's mistake shows a traceback."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from pfps_ml import __version__
from pfps_ml.domain.scenario import load_scenario, scenario_names
from pfps_ml.domain.schemas import NOTICE, dictionary_page, template

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "examples" / "roster.csv"
HEADER = "runner_id,age_years,sex\n"


def python(code, *arguments):
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_version_is_printed(pfps):
    assert pfps("--version") == (0, f"pfps {__version__}\n", "")


def test_the_template_is_printed_or_written(pfps, tmp_path):
    assert pfps("template") == (0, template(), "")
    code, out, error = pfps("template", "-o", tmp_path / "roster.csv")
    assert (code, out) == (0, "")
    assert "roster.csv" in error
    assert (tmp_path / "roster.csv").read_text() == template()


def test_the_dictionary_is_printed_or_written(pfps, tmp_path):
    assert pfps("dictionary")[1] == dictionary_page()
    assert pfps("dictionary", "-o", tmp_path / "D.md")[0] == 0
    assert (tmp_path / "D.md").read_text(encoding="utf-8") == dictionary_page()


def test_the_committed_dictionary_is_what_the_command_writes():
    stale = "run `pfps dictionary -o DICTIONARY.md`"
    assert (ROOT / "DICTIONARY.md").read_text(encoding="utf-8") == dictionary_page(), stale


def test_a_dictionary_that_cannot_be_written_is_an_output_error(pfps, tmp_path):
    (tmp_path / "none").touch()
    code, _, error = pfps("dictionary", "-o", tmp_path / "none" / "D.md")
    assert code == 4
    assert "expected a folder" in error


def test_scenarios_are_listed_with_parent_base_rate_horizon_and_assumptions(pfps, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, error = pfps("scenarios")
    assert (code, error) == (0, "")
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in cells_of(out)}
    assert set(rows) == set(scenario_names())
    title, parent, rate, months, own, assumed = rows["novice_10w"]
    assert title == load_scenario("novice_10w").title
    assert (parent, rate, months) == ("reference", "0.17 (0.1 to 0.25)", "2.3")
    assert 0 < int(assumed) < int(own) < 20
    assert rows["reference"][1] == ""
    assert int(rows["null"][4]) == int(rows["null"][5])


def test_two_scenarios_are_set_side_by_side_with_both_their_sources(pfps, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, error = pfps("scenarios", "--diff", "pooled", "kinetic_chain")
    assert (code, error) == (0, "")
    rows = [[cell.strip() for cell in cells] for cells in cells_of(out)]
    at = next(i for i, row in enumerate(rows) if row[0] == "runners.onset_hip_weakness")
    assert rows[at] == ["runners.onset_hip_weakness", "0.145 (0.09 to 0.2)", "0.8 (0.5 to 1.1)"]
    assert rows[at + 1] == ["", "G2-03", "S001-05, assumption"]
    assert "horizon_months" not in out
    assert "onset_male" not in out


def test_a_difference_of_horizon_and_what_patients_share_with_runners_are_shown(pfps):
    out = pfps("scenarios", "--diff", "reference", "novice_10w")[1]
    shown = [[cell.strip() for cell in cells] for cells in cells_of(out)]
    assert ["horizon_months", "12", "2.3"] in shown
    assert any(row[:2] == ["patients.novice_share", "as in runners"] for row in shown)


def test_scenarios_that_do_not_differ_are_said_not_to(pfps):
    assert pfps("scenarios", "--diff", "null", "null") == (0, "null and null do not differ.\n", "")


@pytest.mark.parametrize("arguments", [("null", "nul"), ("null",)])
def test_a_scenario_that_is_not_there_or_not_named_exits_with_2(pfps, arguments):
    code, out, error = pfps("scenarios", "--diff", *arguments)
    assert (code, out) == (2, "")
    assert "reference" in error or "requires 2 arguments" in error


def cells_of(out):
    """Return the cells of each line of a printed table but the header's."""
    return [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]


def test_check_counts_and_names_the_faults_and_exits_with_0(pfps):
    code, out, error = pfps("check", EXAMPLE)
    assert (code, error) == (0, "")
    assert "can be scored" in out
    assert "24, 25, 27" in out
    assert "weekly_distance_km" in out


def test_check_of_a_good_roster_shows_no_table(pfps, tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "R-1,30,male\n")
    code, out, _ = pfps("check", tmp_path / "a.csv")
    assert (code, "field" in out) == (0, False)


def test_check_names_the_first_rows_only(pfps, tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "".join(f"R-{i},300,male\n" for i in range(9)))
    said = " ".join(pfps("check", tmp_path / "a.csv")[1].split())
    assert "1, 2, 3, 4, 5, ..." in said and "age_years: R-0, R-1, R-2, R-3, R-4, R-5, R-6, R-7, R-8" in said


def test_check_lists_no_id_that_is_the_name_of_a_person(pfps, tmp_path):
    names = ["Anna Beispiel", "Ben Muster", "Cleo Probe", "Dora Fall", "Emil Stand"]
    (tmp_path / "a.csv").write_text(HEADER + "".join(f"{name},300,male\n" for name in names))
    code, said, _ = pfps("check", tmp_path / "a.csv")
    assert code == 0 and "5: 0 can be scored, 0 partly, 5 rejected" in said
    assert not [name for name in names if name in said]


def test_header_faults_exit_with_2_and_are_all_listed_on_stderr(pfps, tmp_path):
    (tmp_path / "a.csv").write_text("runner_id,age,weight_lb\nR-1,30,150\n")
    code, out, error = pfps("check", tmp_path / "a.csv")
    assert (code, out) == (2, "")
    assert "'weight_lb'" in error
    assert "sex: expected this required column" in error


def test_a_long_list_of_faults_is_cut(pfps, tmp_path):
    (tmp_path / "a.csv").write_text(",".join(["runner_id", *["age"] * 30]) + "\nR-1" + ",30" * 30 + "\n")
    assert "and 13 more" in pfps("check", tmp_path / "a.csv")[2]


def test_a_map_is_used_by_check_and_score(pfps, tmp_path, models):
    (tmp_path / "a.csv").write_text("id,age_years,sex\nR-1,30,male\n")
    (tmp_path / "m.toml").write_text('[columns.runner_id]\nfrom = "id"\n')
    assert pfps("check", tmp_path / "a.csv")[0] == 2
    assert pfps("check", tmp_path / "a.csv", "--map", tmp_path / "m.toml")[0] == 0
    assert pfps("score", tmp_path / "a.csv", "-o", tmp_path / "b.csv", "--map", tmp_path / "m.toml")[0] == 0


@pytest.fixture
def models(models_home, monkeypatch):
    """The session's bundle as the released one."""
    monkeypatch.setenv("PFPS_MODELS", str(models_home))


def test_score_says_how_many_rows_and_where_and_ends_with_the_notice(pfps, tmp_path, models):
    code, out, error = pfps("score", EXAMPLE, "-o", tmp_path / "scored.csv")
    assert (code, error) == (0, "")
    assert out.splitlines()[0].split(maxsplit=1) == ["rows", "40: 34 scored, 1 partly, 5 rejected"]
    assert str(tmp_path / "scored.csv") in out
    assert out.splitlines()[-1] == NOTICE
    with (tmp_path / "scored.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 41


def test_score_and_card_take_another_bundle(pfps, tmp_path, bundle):
    assert pfps("score", EXAMPLE, "-o", tmp_path / "s.csv", "--bundle", bundle.path)[0] == 0
    code, out, _ = pfps("card", "--bundle", bundle.path)
    assert code == 0
    assert "simulated" in out


def test_a_bundle_that_is_not_there_exits_with_3(pfps, tmp_path, monkeypatch):
    assert pfps("card", "--bundle", tmp_path / "none")[0] == 3
    monkeypatch.setenv("PFPS_MODELS", str(tmp_path))
    code, _, error = pfps("score", EXAMPLE, "-o", tmp_path / "s.csv")
    assert code == 3
    assert error.startswith("pfps: expected")


def test_an_output_that_cannot_be_written_exits_with_4(pfps, tmp_path, models):
    assert pfps("score", EXAMPLE, "-o", tmp_path / "scored.txt")[0] == 4


def test_a_roster_that_is_not_there_exits_with_2(pfps, tmp_path, models):
    assert pfps("score", tmp_path / "none.csv", "-o", tmp_path / "s.csv")[0] == 2


def test_a_verb_that_is_not_there_exits_with_2(pfps):
    assert pfps("guess")[0] == 2


def test_a_full_disk_leaves_the_old_output_whole(tmp_path, bundle):
    out = tmp_path / "scored.csv"
    out.write_text("what was there")
    code = (
        "import resource, sys; from pfps_ml.cli.main import main; import pfps_ml.model.assess;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); main(sys.argv[1:])"
    )
    done = python(code, "score", str(EXAMPLE), "-o", str(out), "--bundle", str(bundle.path))
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]
    assert out.read_text() == "what was there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("verb", ["template", "dictionary", "check", "score", "card"])
def test_printing_to_a_full_disk_is_an_output_error_and_no_traceback(tmp_path, bundle, verb):
    own = {"score": [EXAMPLE, "-o", tmp_path / "s.csv", "--bundle", bundle.path], "check": [EXAMPLE]}
    code = "import sys; from pfps_ml.cli.main import main; main(sys.argv[1:])"
    arguments = [verb, *map(str, own.get(verb, ["--bundle", bundle.path] if verb == "card" else []))]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code, *arguments], check=False, stdout=full, stderr=-1, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 1), done.stderr
    assert done.stderr.startswith("pfps: expected to print the answer, got: No space left on device.")
    assert (tmp_path / "s.csv").exists() == (verb == "score")


@pytest.mark.parametrize(("verb", "steps"), [("check", ["Reading"]), ("score", ["Reading", "Scoring", "Writing"])])
def test_on_a_terminal_each_step_shows_that_it_is_being_done(pfps, tmp_path, models, monkeypatch, verb, steps):
    monkeypatch.setattr("pfps_ml.core.console.PATIENCE", 0)
    out = ("-o", tmp_path / "s.csv") if verb == "score" else ()
    assert pfps(verb, EXAMPLE, *out)[2] == ""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    shown = pfps(verb, EXAMPLE, *out)[2]
    assert [step for step in ("Reading", "Scoring", "Writing") if step in shown] == steps


def test_on_a_terminal_what_is_done_at_once_shows_nothing(pfps, tmp_path, models, monkeypatch):
    monkeypatch.setattr("pfps_ml.core.console.PATIENCE", 600)
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm"}.items():  # a dumb terminal has no progress to hide
        monkeypatch.setenv(name, value)
    assert pfps("score", EXAMPLE, "-o", tmp_path / "s.csv")[2] == ""


def test_a_reader_that_goes_away_is_no_error_message(subtests):
    for arguments in [["dictionary"], ["scenarios"], ["check", str(EXAMPLE)]]:
        with subtests.test(arguments=arguments):
            code = (
                "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
                "from pfps_ml.cli.main import main\nmain(sys.argv[1:])"
            )
            done = python(code, *arguments)
            assert (done.returncode, done.stderr) == (1, "")


def test_scoring_loads_none_of_the_heavy_libraries(tmp_path, bundle):
    code = (
        "import sys\nfrom pfps_ml.cli.main import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = 'sklearn lightgbm mlflow scipy bentoml shap matplotlib openpyxl python_calamine fitdecode gpxpy'\n"
        "heavy = set(heavy.split()) & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python(code, "score", str(EXAMPLE), "-o", str(tmp_path / "s.csv"), "--bundle", str(bundle.path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s.csv").exists()
