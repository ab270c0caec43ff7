"""Comparisons that cannot be are refused before any work: the plan, a candidate of one's own, a library, a store."""

import re
import sys

import numpy as np
import pytest

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import CohortError, FactError, MissingLibrary
from pfps_ml.workflows import compare
from pfps_ml.workflows.compare import Job, cohort_of, judge, plan_of


class Short:
    """Answers for three rows, however many there are."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.full((3, 2), 0.5)


class Unsure(Short):
    """Knows of nobody."""

    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)


@pytest.fixture(scope="module", autouse=True)
def own_module_and_store():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "somebodys_models", sys.modules[__name__])
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


def test_a_plan_that_cannot_be_is_refused_before_any_work(subtests):
    for arguments, told in [
        (("weather", "null", (400, 1), [], None), "onset or pathways, got 'weather'"),
        (("onset", "nowhere", (400, 1), [], None), "nowhere"),
        (("onset", "null", (39, 1), [], None), "at least 40 rows and one repeat, got 39 and 1"),
        (("onset", "null", (400, 0), [], None), "got 400 and 0"),
        (("onset", "null", (400, 1), [], "ridge,nobody"), "got nobody; set --only"),
    ]:
        with subtests.test(arguments=arguments, told=told), pytest.raises(FactError, match=re.escape(told)):
            plan_of(*arguments)


def test_a_candidate_of_ones_own_that_does_not_work_is_refused_by_name_before_any_work(subtests):
    for task, candidate, told in [
        ("onset", "sklearn.linear_model:LogisticRegression", "ValueError: Input X contains NaN.); it is given fields"),
        ("onset", "sklearn.linear_model:LinearRegression", "it lacks predict_proba"),
        ("onset", "somebodys_models:Short", "a probability for each of 80 rows, got 3 answers"),
        ("onset", "somebodys_models:Unsure", "got 80 answers, or some that are no numbers"),
        (
            "pathways",
            "pfps_ml.training.onset:OnsetModel",
            "the candidate pfps_ml.training.onset:OnsetModel to fit and to predict",
        ),
    ]:
        with subtests.test(task=task, candidate=candidate, told=told), pytest.raises(FactError, match=re.escape(told)):
            plan_of(task, "reference", (400, 1), [candidate], "prevalence" if task == "onset" else "zero_effect")


def test_what_fails_in_a_candidate_of_ours_is_not_explained_away(monkeypatch):
    monkeypatch.setattr("pfps_ml.training.candidates.dummy.DummyClassifier", Short)
    with pytest.raises(TypeError):
        judge(Job("onset", "prevalence", cohort_of("reference", 400, 3)))


def test_rows_of_one_outcome_train_and_judge_nothing():
    with pytest.raises(CohortError, match=r"among the \d+ rows that (train|judge), got 0 cases; set -n higher"):
        judge(Job("onset", "prevalence", cohort_of("reference", 40, CohortConfig.seed), resamples=5))


def test_a_library_that_is_not_there_is_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "econml", None)
    with pytest.raises(MissingLibrary, match=r'pip install "pfps-ml\[research\]"`, or leave'):
        plan_of("pathways", "null", (400, 1), [], None)
    assert len(plan_of("pathways", "null", (400, 1), [], "t_logistic").entrants) == 2


def test_a_store_that_cannot_be_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "runs"))
    with pytest.raises(FactError, match="use SQLite instead"):
        compare.main("onset", "null", 400, 1, None, "prevalence", 1)
    assert not list(tmp_path.iterdir())
