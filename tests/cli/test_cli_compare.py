"""`pfps compare`: the latest comparison in MLflow, printed; and what is said where there is none."""

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
    code, out, _ = logged("compare")
    assert code == 0
    assert "AUROC: onset reference 5000" in out
    assert "0.7000 (0.6500 to 0.7500)" in out
    assert "--metric: auroc, brier" in out


def test_another_figure_is_printed_when_asked_for_and_an_unknown_one_is_refused(logged):
    code, out, _ = logged("compare", "onset", "--metric", "brier")
    assert (code, "Brier score: onset reference 5000" in out) == (0, True)
    code, _, error = logged("compare", "--metric", "luck")
    assert (code, "auroc, brier" in error) == (2, True)


def test_where_nothing_was_compared_it_says_how_to_and_exits_with_2(pfps):
    code, out, error = pfps("compare", "pathways")
    assert (code, out) == (2, "")
    assert "python -m pipelines.compare" in error
