"""The main job: what is tracked of it, and what a refused candidate leaves behind."""

import re
import shutil
from pathlib import Path

import pytest

from pfps_ml.core.console import command
from pfps_ml.core.errors import Fault, ReleaseRefused
from pfps_ml.core.records import Artifact, Dataset, Metric, Model, Tag
from pfps_ml.workflows import run_all
from pfps_ml.workflows.run_all import records

ROOT = Path(__file__).parents[2]
SMALL = """
[cohort]
runners = 2000
patients = 800
runners_per_club = 100
patients_per_club = 40
draws = 2
[onset]
penalties = [3.0]
max_trees = 20
bootstraps = 2
[pathways]
posterior_draws = 4
[evaluation]
bootstraps = 20
"""
# with 20 cases held out nothing can prove itself: this is about the way, and not about the model
LENIENT = "[release]\nauroc_above = 0.0\noverlap_from = 0.0\n"


def of(kind, found):
    return [record for record in found if isinstance(record, kind)]


def test_a_released_candidate_is_tracked_with_its_model(candidate, evaluation, frames, bundle, tmp_path):
    found = list(records(candidate, evaluation, frames, tmp_path, bundle))
    assert of(Model, found) == [Model(bundle.path)]
    assert Tag("released", bundle.name) in found
    assert {"onset_auroc", "effect_hip", "policy_usual_care"} <= {metric.name for metric in of(Metric, found)}


def test_a_refused_candidate_is_tracked_with_its_figures_and_what_was_refused_but_no_model(
    candidate, evaluation, frames, tmp_path
):
    refused = ReleaseRefused(
        "no", [Fault(None, (what,), "release_check_failed") for what in ("AUROC", "Calibration slope")]
    )
    found = list(records(candidate, evaluation, frames, tmp_path, refused))
    assert not of(Model, found)
    assert Tag("released", "no: AUROC, Calibration slope") in found
    assert "onset_auroc" in {metric.name for metric in of(Metric, found)}


def test_nothing_that_is_tracked_names_a_club_or_a_runner_or_holds_a_row(
    candidate, evaluation, frames, bundle, results_home
):
    home = results_home / "evaluation"
    found = list(records(candidate, evaluation, frames, home, bundle))
    assert {*home.iterdir()} == {each.path for each in of(Artifact, found)}
    names = [*frames.onset["club"].unique(), *frames.treatment["club"].unique(), *frames.onset["runner_id"].head(50)]
    tracked = [str(record) for record in found if not isinstance(record, Dataset)]  # of a frame only types are kept
    tracked += [path.read_text(encoding="utf-8") for path in home.iterdir() if path.suffix != ".png"]
    tracked += [path.read_text(encoding="utf-8") for path in bundle.path.rglob("*") if path.is_file()]
    for name in names:
        assert not any(re.search(rf"\b{re.escape(name)}\b", text) for text in tracked), name


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return what runs the main job in a folder of its own: exit code, what was printed, what was complained of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    run_all.ROSTER.parent.mkdir(parents=True)
    shutil.copy(ROOT / run_all.ROSTER, run_all.ROSTER)

    def go(extra, *arguments):
        Path("small.toml").write_text(SMALL + extra)
        monkeypatch.setattr("sys.argv", ["run_all", "--config", "small.toml", *arguments])
        with pytest.raises(SystemExit) as done:
            command(run_all.main)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return done.value.code or 0, shown.out, shown.err

    return go


def runs_in(home):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    return client.search_runs([client.get_experiment_by_name("pfps").experiment_id]), client


@pytest.mark.slow
def test_where_nothing_predicts_the_run_is_logged_nothing_is_released_and_the_answer_says_why(run, tmp_path):
    code, out, told = run("", "--scenario", "null")
    assert code == ReleaseRefused.exit_code
    assert "checks failed; nothing was released and models/CURRENT was not moved" in told
    failed = re.findall(r"^  (.+): expected", told, re.MULTILINE)
    assert failed
    assert out.count("REFUSED") == len(failed)
    assert re.search(r"Excess log loss over the true risk +│ 0\.\d{5} ", out)
    (logged,), client = runs_in(tmp_path)
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "null, not released")
    assert logged.data.tags["released"] == f"no: {', '.join(failed)}"
    assert "onset_auroc_low" in logged.data.metrics
    assert not client.search_registered_models()
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "out" / "scored.csv").exists()


@pytest.mark.slow
def test_what_passes_is_released_registered_and_scores_the_roster(run, tmp_path):
    code, out, told = run(LENIENT)
    assert code == 0, told
    assert (tmp_path / "models" / "CURRENT").read_text() == "pfps-0.2.0\n"
    assert (tmp_path / "out" / "scored.csv").exists()
    assert "highest risks" in out
    (logged,), client = runs_in(tmp_path)
    assert (logged.info.run_name, logged.data.tags["released"]) == ("pfps-0.2.0", "pfps-0.2.0")
    assert [model.name for model in client.search_registered_models()] == ["pfps"]


def test_a_store_that_cannot_be_is_refused_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "runs"))
    code, _, told = run("")
    assert code == 2
    assert "use SQLite instead" in told
    assert not (tmp_path / "data" / "synthetic").exists()
