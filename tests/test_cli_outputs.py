"""`-o` of every command: the folder of the output is made, and a file in its place is an error with words."""

from pathlib import Path

import pytest
from typer.main import get_command

from pfps_ml.cli.main import app
from tests.cohorts import cohort_frame, written

EXAMPLES = Path(__file__).resolve().parents[1] / "data" / "examples"
ROSTER, SQUAD, LOGS = EXAMPLES / "roster.csv", EXAMPLES / "squad.csv", EXAMPLES / "logs"

# what each command is asked, less -o, and the ending of what it writes
ASKED = {
    "template": ([], ".csv"),
    "form": ([], ".html"),
    "map": ([EXAMPLES / "squad.xlsx"], ".toml"),
    "score": ([ROSTER, "--bundle", "BUNDLE"], ".csv"),
    "rejected": (["SCORED"], ".csv"),
    "squad": ([SQUAD, "--bundle", "BUNDLE"], ".html"),
    "dictionary": ([], ".md"),
    "guide": ([], ".md"),
    "load": ([LOGS, "--units", "km"], ".csv"),
    "pseudonymise": ([SQUAD, "--key", "KEY", "--new-key"], ".csv"),
    "evaluate": (["BUNDLE", "COHORT"], ""),
    "recalibrate": (["BUNDLE", "COHORT"], ""),
}


def test_every_command_with_an_output_is_asked_here():
    commands = get_command(app).commands
    assert {name for name, one in commands.items() if any("-o" in option.opts for option in one.params)} == set(ASKED)


@pytest.fixture
def asked(pfps, bundle, tmp_path):
    """Return a function that gives a command with `-o` to `pfps`."""

    def run(name, out):
        places = {
            "BUNDLE": bundle.path, "KEY": tmp_path / "key", "SCORED": tmp_path / "scored.csv",
            "COHORT": tmp_path / "cohort.csv",
        }  # fmt: skip
        return pfps(name, *(places.get(str(word), word) for word in ASKED[name][0]), "-o", out)

    written(tmp_path, cohort_frame(1200, 400), "cohort.csv")
    assert pfps("score", ROSTER, "--bundle", bundle.path, "-o", tmp_path / "scored.csv")[0] == 0
    return run


@pytest.mark.parametrize("name", ASKED)
def test_the_folder_of_an_output_is_made(asked, tmp_path, name):
    out = tmp_path / "new" / "and newer" / f"out{ASKED[name][1]}"
    code, said, error = asked(name, out)
    assert code == 0, error
    assert out.exists(), said


@pytest.mark.parametrize("name", ASKED)
def test_a_file_in_place_of_the_folder_of_an_output_is_an_output_error(asked, tmp_path, name):
    (tmp_path / "taken").write_text("mine")
    code, _, error = asked(name, tmp_path / "taken" / "deeper" / f"out{ASKED[name][1]}")
    assert code == 4, error
    assert "taken" in error
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_data_set_makes_the_folders_above_its_own_and_takes_no_file_for_one(pfps, bundle, tmp_path):
    import pandas as pd

    (tmp_path / "in").mkdir()
    pd.read_csv(ROSTER).to_parquet(tmp_path / "in" / "part.parquet")
    command = ("score", tmp_path / "in", "--bundle", bundle.path, "--workers", "1", "-o")
    assert pfps(*command, tmp_path / "new" / "and newer" / "out")[0] == 0
    assert (tmp_path / "new/and newer/out/part.parquet").is_file()
    (tmp_path / "taken").write_text("mine")
    code, _, error = pfps(*command, tmp_path / "taken" / "out")
    assert (code, "taken" in error) == (4, True)
