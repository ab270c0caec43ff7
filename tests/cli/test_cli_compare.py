"""`pfps compare --last`: the latest comparison in MLflow, printed; and the answer where there is none."""

import pandas as pd
import pytest

from pfps_ml.core.records import Artifact, Tag
from pfps_ml.workflows.tables import EXPERIMENT, TABLE, TAG
from pfps_ml.workflows.tracking import track

ROW = {"candidate": "ours", "metric": "auroc", "label": "AUROC", "rounds": 3, "value": 0.7, "low": 0.65, "high": 0.75,
       "difference": 0.0, "difference_low": 0.0, "difference_high": 0.0, "fit_seconds": 1.5, "predict_seconds": 0.25,
       "title": "Ours"}  # fmt: skip
BRIER = {**ROW, "metric": "brier", "label": "Brier score", "value": 0.05, "low": 0.04, "high": 0.06}


@pytest.fixture
def pfps(pfps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return pfps


@pytest.fixture
def logged(pfps, tmp_path):
    pd.DataFrame([ROW, BRIER]).to_csv(tmp_path / TABLE, index=False)
    track([Tag(TAG, "onset"), Artifact(tmp_path / TABLE)], "onset reference 5000", EXPERIMENT)
    return pfps


def test_the_latest_comparison_is_printed_with_intervals(logged):
    code, out, _ = logged("compare", "--last")
    assert code == 0
    assert "AUROC: onset reference 5000" in out
    assert "0.7000 (0.6500 to 0.7500)" in out
    assert "--metric: auroc, brier" in out


def test_another_figure_is_printed_when_asked_for_and_an_unknown_one_is_refused(logged):
    code, out, _ = logged("compare", "onset", "--last", "--metric", "brier")
    assert (code, "Brier score: onset reference 5000" in out) == (0, True)
    code, _, error = logged("compare", "--last", "--metric", "luck")
    assert (code, "auroc, brier" in error) == (2, True)


def test_where_nothing_was_compared_it_says_how_to_and_exits_with_2(pfps):
    code, out, error = pfps("compare", "pathways", "--last")
    assert (code, out) == (2, "")
    assert "pfps compare onset" in error


def test_the_latest_comparison_of_another_home_is_printed(logged, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert logged("compare", "--last")[0] == 2
    code, out, _ = logged("compare", "--last", "--home", tmp_path)
    assert (code, "AUROC: onset reference 5000" in out) == (0, True)


@pytest.mark.parametrize("words", [(), ("onset", "--metric", "brier")])
def test_a_comparison_is_not_begun_without_a_task_and_a_figure_is_of_the_latest_only(pfps, words, tmp_path):
    code, _, error = pfps("compare", *words)
    assert (code, "--last" in error) == (2, True)
    assert not (tmp_path / "mlruns").exists()
