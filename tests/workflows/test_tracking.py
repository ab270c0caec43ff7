"""Tracking: what the records say is what MLflow answers, on a real SQLite store, and it holds no value of a frame."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import BundleTampered, FactError, MissingLibrary, OutputError
from pfps_ml.core.records import Artifact, Dataset, Metric, Model, Param, Record, Tag
from pfps_ml.domain.dictionary import INPUTS, VISIT
from pfps_ml.domain.input_validation import check
from pfps_ml.model.assess import ROSTER_COLUMNS, VISIT_COLUMNS, assess
from pfps_ml.model.bundle import Bundle
from pfps_ml.workflows import tracking
from pfps_ml.workflows.tracking import track

ROWS = pd.DataFrame({
    "runner_id": ["a", "b", "c", "d"],
    "age_years": [31.0, 255.0, 44.0, 27.0],
    "sex": ["female", "male", "male", None],
    "weight_kg": [61.5, 80.0, np.nan, 70.0],
    "height_cm": [168.0, 181.0, 175.0, 170.0],
    "akps": [70.0, np.nan, np.nan, 60.0],
})  # fmt: skip
CANARY = pd.DataFrame({
    "runner_id": ["canary-of-ward-seven"], "age_years": [31.987654321], "sessions": [918273645],
    "sex": pd.Categorical(["canary-level"]), "collapse": [True],
})  # fmt: skip


@dataclass(frozen=True)
class Store:
    """An MLflow store with the same run in it twice."""

    home: Path
    runs: tuple[str, str]
    client: Any


def records(bundle: Bundle, folder: Path) -> list[Record]:
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "figures" / "curve.csv").write_text("x,y\n0,1\n", encoding="utf-8")
    (folder / "report.md").write_text("# Report\n", encoding="utf-8")
    return [
        Param("onset.knots", 5),
        Param("onset.penalties", (0.1, 1.0)),
        Tag("scenario", "reference"),
        Metric("auroc", 0.7, 0.65, 0.75),
        Metric("runners", 4000),
        Dataset("onset", CANARY, "0123456789abcdef" * 4, "training"),
        Artifact(folder / "report.md", "evaluation"),
        Artifact(folder / "figures", "evaluation"),
        Artifact(folder / "report.md"),
        Model(bundle.path),
    ]


@pytest.fixture(scope="module", autouse=True)
def own_store_only():
    """Keep the runs of tests out of a store that whoever runs them may use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="module")
def store(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Store:
    home = tmp_path_factory.mktemp("tracked") / "ml runs"
    things = records(bundle, home.parent / "out")
    runs = (track(iter(things), "first", home=home), track(things, "second", home=home))
    from mlflow import MlflowClient

    return Store(home, runs, MlflowClient(f"sqlite:///{home}/mlflow.db"))


def loaded(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store.home}/mlflow.db")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    return mlflow.pyfunc.load_model("models:/pfps@champion")


def test_the_same_records_logged_twice_are_two_runs_of_one_experiment(store):
    experiments = [found for found in store.client.search_experiments() if found.name == "pfps"]
    assert len(experiments) == 1
    runs = store.client.search_runs([experiments[0].experiment_id])
    assert {run.info.run_id for run in runs} == set(store.runs)
    assert {run.info.run_name for run in runs} == {"first", "second"}
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_params_and_tags_come_back_as_text(store):
    data = store.client.get_run(store.runs[0]).data
    assert data.params == {"onset.knots": "5", "onset.penalties": "(0.1, 1.0)"}
    assert data.tags["scenario"] == "reference"


def test_a_metric_comes_back_with_its_interval_and_one_without_comes_back_alone(store):
    metrics = store.client.get_run(store.runs[0]).data.metrics
    assert metrics == {"auroc": 0.7, "auroc_low": 0.65, "auroc_high": 0.75, "runners": 4000.0}


def test_files_and_folders_come_back_where_they_were_put_under_the_home(store):
    def names(folder: str | None) -> set[str]:
        return {found.path for found in store.client.list_artifacts(store.runs[0], folder)}

    assert names(None) == {"report.md", "evaluation"}
    assert names("evaluation") == {"evaluation/report.md", "evaluation/figures"}
    assert names("evaluation/figures") == {"evaluation/figures/curve.csv"}
    kept = store.home / "artifacts" / store.runs[0] / "artifacts" / "evaluation" / "figures" / "curve.csv"
    assert kept.read_text(encoding="utf-8") == "x,y\n0,1\n"


def test_a_dataset_is_known_by_its_name_its_digest_and_its_columns(store):
    (found,) = store.client.get_run(store.runs[0]).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("onset", ("0123456789abcdef" * 3)[:36])
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]
    assert set(re.findall(r'"name": "(\w+)"', found.dataset.schema)) == set(CANARY.columns)


def test_no_value_of_a_logged_dataset_is_anywhere_in_the_store(store):
    files = [path for path in store.home.rglob("*") if path.is_file()]
    assert store.home / "mlflow.db" in files
    held = b"".join(path.read_bytes() for path in files)
    assert b"sessions" in held  # the columns are there, so the search would find a value
    for value in ("canary-of-ward-seven", "31.98", "918273645", "canary-level"):
        assert value.encode() not in held


def test_the_alias_moves_to_the_newest_version(store):
    versions = store.client.search_model_versions("name = 'pfps'")
    assert {int(found.version): found.run_id for found in versions} == dict(enumerate(store.runs, start=1))
    assert int(store.client.get_model_version_by_alias("pfps", "champion").version) == 2


def test_a_load_through_mlflow_predicts_what_the_bundle_predicts_and_needs_no_pickle(store, bundle, monkeypatch):
    good = ROWS.iloc[[0, 2]].reset_index(drop=True)
    found, table = loaded(store, monkeypatch).predict(good), assess(bundle, check(good).values).table(visit=True)
    expected = table.assign(**table.select_dtypes("category").astype("str").fillna(""))
    assert tuple(found.columns) == ("status", "problems", "problem_codes", *ROSTER_COLUMNS, *VISIT_COLUMNS)
    assert set(found["status"]) == {"scored"}
    assert set(found["problems"]) == {""}
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected, rtol=0, atol=1e-12)


def test_faulty_rows_come_back_rejected_in_their_place_with_every_problem(store, monkeypatch):
    rows = ROWS.set_axis([7, 7, 9, 1], axis=0)
    rows.loc[1, "akps"] = 300.0
    found = loaded(store, monkeypatch).predict(rows)
    assert list(found.index) == [7, 7, 9, 1]
    assert list(found["status"]) == ["scored", "rejected", "scored", "rejected"]
    assert found["problems"].iloc[1] == "age_years: expected a number from 10 to 90 years, got 255"
    assert found["problems"].iloc[3].count("; ") == 1
    assert {"sex", "akps"} == set(re.findall(r"(\w+): ", found["problems"].iloc[3])) - {"required"}
    assert list(found["risk_12m"].notna()) == [True, False, True, False]


def test_the_file_run_under_another_name_offers_the_model_that_mlflow_loads(store, bundle, monkeypatch):
    offered: list[Any] = []
    monkeypatch.setattr("mlflow.models.set_model", offered.append)
    runpy.run_path(tracking.__file__, run_name="code_model")
    (model,) = offered
    model.load_context(SimpleNamespace(artifacts={"bundle": str(bundle.path)}))
    pd.testing.assert_frame_equal(model.predict(None, ROWS), loaded(store, monkeypatch).predict(ROWS))


def test_rows_that_are_all_faulty_come_back_too(store, monkeypatch):
    found = loaded(store, monkeypatch).predict(ROWS.iloc[[1]])
    assert list(found["status"]) == ["rejected"]
    assert found["risk_12m"].isna().all()


def test_without_visit_fields_there_are_no_visit_columns_and_no_id_is_needed(store, monkeypatch):
    found = loaded(store, monkeypatch).predict(pd.DataFrame({"age_years": [31.0], "sex": ["female"]}))
    assert tuple(found.columns) == ("status", "problems", "problem_codes", *ROSTER_COLUMNS)
    assert list(found["status"]) == ["scored"]


def test_the_signature_names_every_input_as_optional_and_every_column_that_comes_back(store, monkeypatch):
    signature = loaded(store, monkeypatch).metadata.signature
    types = {"text": "string", "choice": "string", "number": "double", "whole": "double"}
    assert {column.name: column.type.name for column in signature.inputs} == {f.name: types[f.kind] for f in INPUTS}
    assert not any(column.required for column in signature.inputs)
    assert tuple(signature.outputs.input_names()) == (
        "status",
        "problems",
        "problem_codes",
        *ROSTER_COLUMNS,
        *VISIT_COLUMNS,
    )
    outputs = {column.name: column.type.name for column in signature.outputs}
    assert (outputs["risk_12m"], outputs["effect_hip_low"], outputs["reason_1"]) == ("double", "double", "string")
    assert any(field.name in signature.inputs.input_names() for field in VISIT)


def test_a_bundle_that_was_changed_is_not_registered_and_the_run_is_marked_as_failed(store, bundle, tmp_path):
    broken = shutil.copytree(bundle.path, tmp_path / bundle.name)
    onset = broken / "models" / "onset.json"
    onset.write_bytes(onset.read_bytes().replace(b"0.1", b"0.2"))
    with pytest.raises(BundleTampered):
        track([Model(broken, name="other")], "broken", experiment="broken", home=store.home)
    assert not store.client.search_registered_models("name = 'other'")
    (run,) = store.client.search_runs([store.client.get_experiment_by_name("broken").experiment_id])
    assert run.info.status == "FAILED"


def test_what_fails_while_records_are_made_is_raised_as_it_was(store):
    def failing():
        yield Tag("step", "train")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        track(failing(), "failing", experiment="failing", home=store.home)


def test_a_record_that_mlflow_refuses_is_an_output_error_that_repeats_no_value(store):
    twice = [Param("seed", "first-value"), Param("seed", "second-value")]
    with pytest.raises(OutputError, match=r"MLflow \(sqlite\), but it was refused \(MlflowException\)") as refused:
        track(twice, "twice", experiment="twice", home=store.home)
    assert "value" not in str(refused.value)


def test_a_file_that_is_no_database_is_an_output_error(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(OutputError, match="check that the database or server is there"):
        track([], "none", home=tmp_path)


def test_a_server_that_is_not_there_is_an_output_error_that_shows_no_password(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(OutputError, match=r"MLflow \(http\)") as refused:
        track([], "none", uri="http://runner:secret@127.0.0.1:9", home=tmp_path / "unused")
    assert "secret" not in str(refused.value)
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize("uri", ["file:///somewhere/mlruns", "mlruns", "./mlruns"])
def test_a_folder_to_track_in_is_refused_with_the_database_to_use(uri, tmp_path):
    with pytest.raises(FactError, match=r"use SQLite instead: MLFLOW_TRACKING_URI=sqlite:///.*mlflow\.db"):
        track([], "none", uri=uri, home=tmp_path)


def test_the_environment_names_the_store_and_is_left_as_it_was(store, tmp_path, monkeypatch):
    address = f"sqlite:///{store.home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    run = track([Tag("by", "environment")], "named", experiment="named", home=tmp_path)
    assert os.environ["MLFLOW_TRACKING_URI"] == address
    assert store.client.get_run(run).data.tags["by"] == "environment"
    assert not (tmp_path / "mlflow.db").exists()


def test_tracking_leaves_no_address_behind(store):
    track([], "plain", experiment="plain", home=store.home)
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_without_mlflow_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingLibrary, match=r'pip install "pfps-ml\[track\]"'):
        track([], "none", home=tmp_path)


SILENT = """
import sys, threading
asked = []
sys.addaudithook(lambda event, args: asked.append(args) if event in ("socket.connect", "socket.getaddrinfo") else None)
from pathlib import Path
from pfps_ml.core.records import Model, Tag
from pfps_ml.workflows.tracking import track
assert "mlflow" not in sys.modules, "importing the records loads MLflow"
def records():
    yield Tag("a", "b")
    # as parts of MLflow do that are loaded late
    sys.modules["mlflow.utils.logging_utils"].enable_logging()
    yield Model(Path(sys.argv[1]))
for _ in "12":  # the second time, the model is there already
    track(records(), "silent", home=Path(sys.argv[2]))
assert not asked, "something was asked of the network"
assert threading.active_count() == 1, threading.enumerate()
"""


@pytest.mark.slow
def test_a_run_says_nothing_on_the_terminal_and_asks_nothing_of_the_network(bundle, tmp_path):
    # under a test runner MLflow sends no telemetry anyway: the run must not know that it is in one
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "MLFLOW", "CI", "GIT"))}
    done = subprocess.run(
        [sys.executable, "-c", SILENT, str(bundle.path), str(tmp_path)],
        env={**plain, "HOME": str(tmp_path / "nobody"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "nobody").exists()
