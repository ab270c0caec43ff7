"""What MLflow is told of an update: figures, settings and digests, and neither a name nor a word of anybody."""

import numpy as np
import pytest

from pfps_ml.core.records import Artifact, Metric, Param, Tag
from pfps_ml.workflows.recalibrate import EXPERIMENT, recalibrate, records_of_update
from tests.cohorts import CASE, cohort_frame, written
from tests.workflows.drawn import outcomes, with_outcomes

BY = "Doctor Canary"


@pytest.fixture(scope="module")
def found(bundle, cohort, whole):
    return recalibrate(bundle, with_outcomes(cohort, outcomes(whole.margin, "recorded", 0.8)), by=BY)


def test_an_update_is_told_by_its_figures_its_digest_and_the_new_bundle(found, bundle, tmp_path):
    told = records_of_update(found, tmp_path)
    facts = found.facts
    assert Tag("changed", facts["level"]) in told and Tag("reason", found.choice.reason.code) in told
    assert Param("update.from", bundle.name) in told
    assert Param("update.cohort", facts["cohort"]) in told
    assert Metric("update_observed_expected_after", facts["observed_expected_after"]) in told
    assert Metric("update_cases", facts["cases"]) in told
    for group, scale in facts["scales"].items():
        assert Metric(f"update_scale_{group}", scale) in told
    assert Artifact(tmp_path, "bundle") in told
    names = [record.name for record in told if isinstance(record, Metric)]
    assert any(name.startswith("p_groups_against_") for name in names)
    assert len(names) == len(set(names))


def test_nobody_is_named(found, cohort, tmp_path):
    told = str(records_of_update(found, tmp_path))
    assert BY in str(found.facts) and BY not in told
    assert not any(str(club) in told for club in set(cohort.club))


def test_where_nothing_was_changed_that_is_told(bundle, cohort, whole, tmp_path):
    few = with_outcomes(cohort, np.where(np.arange(len(cohort.y)) < 9, 1.0, 0.0))
    told = records_of_update(recalibrate(bundle, few), None)
    assert Tag("changed", "nothing") in told
    assert not [record for record in told if isinstance(record, Artifact)]
    assert Metric("update_cases", 9) in told


@pytest.mark.slow
def test_the_command_logs_the_update_when_asked(bundle, found, frames, tmp_path, monkeypatch, pfps):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = written(tmp_path, cohort_frame(300, 100))
    code, _, told = pfps("recalibrate", bundle.path, path, "-o", tmp_path / "pfps-local", "--by", BY, "--mlflow")
    assert code == 0, told
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.info.run_name == f"update of {bundle.name}"
    assert run.data.metrics["update_cases"] == cohort_frame(300, 100)[CASE].sum()
    assert BY not in str(run.data)
    assert (tmp_path / "pfps-local").is_dir()
