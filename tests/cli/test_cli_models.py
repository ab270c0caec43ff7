"""`pfps simulate`, `train`, `compare` and `release`: the jobs of the pipelines in any folder, under a home."""

import importlib.util
import subprocess
import sys

import pandas as pd
import pytest

from pfps_ml.workflows.frames import OBSERVED, TRUTH, is_simulated
from tests.cohorts import written

SIZES = ("-n", "600", "--patients", "200")
FEW = """
[split]
held_out_share = 0.4
[onset]
bootstraps = 2
[pathways]
posterior_draws = 20
"""


@pytest.fixture
def pfps(pfps, tmp_path, monkeypatch):
    """Return `pfps`, typed in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return pfps


def test_a_cohort_is_simulated_under_the_home_and_nothing_here(pfps, tmp_path):
    code, out, error = pfps("simulate", *SIZES, "--home", tmp_path / "home")
    assert code == 0, error
    folder = tmp_path / "home" / "data" / "synthetic" / "reference"
    assert {path.name for path in folder.iterdir()} == {f"{name}.parquet" for name in (*OBSERVED, *TRUTH)}
    assert len(pd.read_parquet(folder / "onset.parquet")) == 600
    assert "600 runners and 200 patients" in out
    assert not [*(tmp_path / "here").iterdir()]


def test_the_home_is_the_current_folder_unless_another_is_named(pfps, tmp_path):
    assert pfps("simulate", *SIZES)[0] == 0
    assert is_simulated(tmp_path / "here" / "data" / "synthetic" / "reference")


def test_a_path_that_is_typed_is_relative_to_the_current_folder_whatever_the_home(pfps, tmp_path):
    assert pfps("simulate", *SIZES, "-o", "mine", "--home", tmp_path / "home")[0] == 0
    assert is_simulated(tmp_path / "here" / "mine")
    assert not (tmp_path / "home").exists()


def test_the_command_and_the_script_of_a_job_write_the_same_rows(pfps, tmp_path):
    assert pfps("simulate", *SIZES, "--home", tmp_path / "command")[0] == 0
    script = [sys.executable, "-m", "pipelines.simulate", *SIZES, "--home", str(tmp_path / "script")]
    root = importlib.util.find_spec("pipelines").submodule_search_locations[0]
    subprocess.run(script, check=True, capture_output=True, cwd=f"{root}/..")
    for name in (*OBSERVED, *TRUTH):
        one, two = (
            pd.read_parquet(tmp_path / way / "data/synthetic/reference" / f"{name}.parquet")
            for way in ("command", "script")
        )
        pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("command", ["simulate", "train", "compare", "release"])
def test_help_is_that_of_the_job_and_names_the_home(pfps, command):
    code, out, _ = pfps(command, "--help")
    assert code == 0
    assert f"pfps {command}" in out
    assert "--home" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("simulate", "-n", "0"), "at least one runner"),
        (("train",), "make one with `pfps simulate`"),
        (("compare", "luck"), "onset or pathways"),
        (("release",), "make one with `pfps train`"),
    ],
)
def test_a_mistake_is_explained_with_exit_code_2_and_nothing_is_written(pfps, words, expected, tmp_path):
    code, _, error = pfps(*words)
    assert code == 2
    assert expected in error
    assert not [*(tmp_path / "here").rglob("*.*")]


@pytest.mark.parametrize("command", ["simulate", "train", "compare", "release"])
def test_an_option_that_there_is_not_is_refused_with_the_command_that_was_typed(pfps, command):
    code, _, error = pfps(command, "--luck")
    assert (code, f"Usage: pfps {command}" in error, "--luck" in error) == (2, True, True)


@pytest.mark.parametrize("command", ["train", "compare", "release"])
def test_a_library_that_is_not_installed_is_named_with_what_installs_it(command):
    code = (
        "import sys; sys.modules['sklearn'] = None\n"  # what Python makes of an import then is what it makes of none
        "from pfps_ml.cli.main import main\nmain(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, command], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'pfps-ml[train,track]'" in done.stderr
    assert "sklearn" in done.stderr and "Traceback" not in done.stderr


def test_audit_holds_simulated_frames_to_what_training_needs(pfps, tmp_path):
    assert pfps("simulate", "-n", "4000", "-o", "frames")[0] == 0
    code, out, error = pfps("audit", "frames")
    assert code == 0, error
    assert "frames: no faults" in out
    spoilt = pd.read_parquet("frames/onset.parquet").assign(age_years=400)
    spoilt.to_parquet("frames/onset.parquet")
    code, out, error = pfps("audit", "frames")
    assert code != 0
    assert "onset.age_years" in out


def test_audit_takes_columns_of_people_and_a_scenario_of_frames(pfps):
    assert pfps("simulate", *SIZES, "-o", "frames")[0] == 0
    code, _, error = pfps("audit", "frames", "--period", "season")
    assert (code, "columns" in error) == (2, True)
    code, _, error = pfps("audit", "frames/onset.parquet", "--scenario", "reference")
    assert (code, "--scenario" in error) == (2, True)


@pytest.mark.slow
def test_in_an_empty_folder_a_cohort_is_simulated_and_models_are_trained_and_held_to_the_gate(pfps, tmp_path):
    home = tmp_path / "home"
    (tmp_path / "here" / "few.toml").write_text(FEW)
    assert pfps("simulate", "-n", "6000", "--home", home)[0] == 0
    code, out, error = pfps("train", "--config", "few.toml", "--home", home)
    assert code == 0, error
    assert (home / "out" / "candidate" / "facts.json").is_file()
    code, out, error = pfps("release", "--config", "few.toml", "--home", home)
    assert code in (0, 3), error  # what so few runners show is chance
    assert (home / "out" / "evaluation" / "report.html").is_file()
    assert "Release gate" in out
    assert (home / "models" / "CURRENT").is_file() == (code == 0)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["few.toml"]


def test_recalibrate_with_the_posterior_writes_what_training_on_the_cohort_writes(pfps, bundle, frames, tmp_path):
    cohort = written(tmp_path, frames.onset.drop(columns="draw"), "cohort.parquet")
    code, _, error = pfps("recalibrate", bundle.path, cohort, "--posterior", "-o", tmp_path / "one")
    assert code == 0, error
    code, _, error = pfps("train", "--cohort", cohort, "--bundle", bundle.path, "-o", tmp_path / "two")
    assert code == 0, error
    one, two = ((tmp_path / name / "models" / "onset.json").read_bytes() for name in ("one", "two"))
    assert one == two != (bundle.path / "models" / "onset.json").read_bytes()
