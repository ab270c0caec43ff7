"""The peers: ordinary estimators that take missing values, repeat themselves, and are refused in words."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError, MissingLibrary
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS, ONSET as EPISODE, SUCCESS
from pfps_ml.model.spline_basis import eligibility
from pfps_ml.simulation.cohort import simulate_onset, simulate_treatment
from pfps_ml.training.candidates import (
    ONSET_CANDIDATES,
    Entrant,
    RidgeLogistic,
    TunedLightGBM,
    check_libraries,
    explainable_boosting,
    fit_onset,
    forest,
    own_entrant,
    risk_of,
    tune,
)
from pfps_ml.training.pathway_candidates import (
    PATHWAY_CANDIDATES,
    SLearner,
    TLearner,
    causal_forest,
    fit_pathways,
    success_of,
    x_learner,
)
from pfps_ml.workflows.frames import onset_features, pathway_features

COHORT = CohortConfig(runners=800, patients=800, runners_per_club=40, patients_per_club=40, seed=5)
SLOW = ("ours", "ebm", "forest", "lightgbm_tuned", "x_learner", "causal_forest")
ONSET = {entrant.name: entrant for entrant in ONSET_CANDIDATES}
PATHWAYS = {entrant.name: entrant for entrant in PATHWAY_CANDIDATES}
NAMES = [arm.name for arm in ARMS]


@pytest.fixture(scope="module")
def runners():
    observed = simulate_onset(COHORT).observed
    fold = observed["club"].str[-2:].astype(int).to_numpy() % 5
    return onset_features(observed), observed[EPISODE.column].to_numpy(float), observed["club"], fold


@pytest.fixture(scope="module")
def patients():
    observed = simulate_treatment(COHORT).observed
    fold = observed["club"].str[-2:].astype(int).to_numpy() % 5
    return pathway_features(observed), observed["arm"], observed[SUCCESS.column].to_numpy(float), observed["club"], fold


def strangers(X):
    """Return rows that training had none like: nothing known, and everything known."""
    known = X.fillna(X.median())
    return pd.concat([known.head(3), known.head(2) * np.nan], ignore_index=True)


def holds_what_a_candidate_of_onset_must(entrant, runners):
    X, y, club, fold = runners
    model = fit_onset(entrant.make(), X, y, club, fold)
    risk = risk_of(model, X)
    assert risk.shape == (len(X),)
    assert 0.02 < risk.mean() < 0.12
    assert ((risk > 0) & (risk < 1)).all()
    assert np.isfinite(risk_of(model, strangers(X))).all()
    assert list(model.classes_) == [0, 1]
    np.testing.assert_array_equal(risk_of(fit_onset(clone(entrant.make()), X, y, club, fold), X), risk)


def test_a_candidate_of_onset_takes_missing_values_and_gives_the_same_risks_twice(runners, subtests):
    for name in [name for name in ONSET if name not in SLOW]:
        with subtests.test(name=name):
            holds_what_a_candidate_of_onset_must(ONSET[name], runners)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ONSET if name in SLOW])
def test_a_slow_candidate_of_onset_does_too(name, runners):
    holds_what_a_candidate_of_onset_must(ONSET[name], runners)


def test_tuning_is_the_same_twice_and_settings_found_before_are_not_searched_for_again(runners, monkeypatch):
    X, y, club, fold = runners
    found = tune(X, y, fold, trials=3)
    assert found == tune(X, y, fold, trials=3)
    assert found["n_estimators"] >= 1
    searched = fit_onset(TunedLightGBM(trials=3), X, y, club, fold)
    assert searched.settings_ == found
    monkeypatch.setitem(sys.modules, "optuna", None)
    told = TunedLightGBM(settings=found).fit(X, y)
    np.testing.assert_array_equal(told.predict_proba(X), searched.predict_proba(X))
    assert set(told.predict(X)) <= {0, 1}


def test_ridge_shrinks_to_the_base_rate_where_nothing_predicts_and_finds_what_does():
    draws = np.linspace(0, 1, 4000)
    X = pd.DataFrame({"age_years": np.tile([20.0, 30.0], 2000), "bmi": 20 + 5 * draws})
    chance = np.arange(4000) * 0.6180339887 % 1
    noise = (chance < 0.1).astype(float)
    assert np.ptp(risk_of(RidgeLogistic().fit(X, noise), X)) < 0.02
    signal = ((chance < 0.25) & (draws > 0.5)).astype(float)
    assert np.corrcoef(risk_of(RidgeLogistic(knots=4).fit(X, signal), X), draws > 0.5)[0, 1] > 0.9
    assert set(RidgeLogistic().fit(X, signal).predict(X)) == {0}


def test_a_fold_in_which_nobody_falls_ill_is_no_fault():
    X = pd.DataFrame({"age_years": np.linspace(20, 60, 200)})
    y, fold = (np.arange(200) % 20 == 3).astype(float), (np.arange(200) % 20 == 7).astype(int)
    assert risk_of(RidgeLogistic().fit(X, y, fold=fold), X).mean() == pytest.approx(0.05, abs=0.02)


def holds_what_a_candidate_of_pathways_must(entrant, patients):
    X, arm, y, club, fold = patients
    model = fit_pathways(entrant.make(), X, arm, y, club, fold)
    success = success_of(model, X)
    assert list(success.columns) == NAMES
    assert success.index.equals(X.index)
    assert ((success > 0) & (success < 1)).all().all()
    assert np.isfinite(success_of(model, strangers(X)).to_numpy()).all()
    again = fit_pathways(clone(entrant.make()), X, arm, y, club, fold)
    np.testing.assert_allclose(success_of(again, X), success, atol=1e-12)


@pytest.mark.slow
def test_a_candidate_of_pathways_gives_one_chance_an_arm_and_the_same_twice(patients, subtests):
    for name in [name for name in PATHWAYS if name not in SLOW]:
        with subtests.test(name=name):
            holds_what_a_candidate_of_pathways_must(PATHWAYS[name], patients)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PATHWAYS if name in SLOW])
def test_a_slow_candidate_of_pathways_does_too(name, patients):
    holds_what_a_candidate_of_pathways_must(PATHWAYS[name], patients)


def test_what_is_slow_to_fit_is_made_at_once_and_on_one_thread(subtests):
    for make in [x_learner, causal_forest, explainable_boosting, forest]:
        with subtests.test(make=make):
            settings = make().get_params() if hasattr(make(), "get_params") else {}
            assert settings.get("n_jobs", 1) == 1


def test_zero_effect_says_that_no_arm_differs_and_one_effect_that_each_differs_alike(patients):
    X, arm, y, club, fold = patients
    zero = success_of(fit_pathways(PATHWAYS["zero_effect"].make(), X, arm, y, club, fold), X)
    assert all(zero[name].equals(zero["usual_care"]) for name in ACTIVE_ARMS)
    one = success_of(fit_pathways(PATHWAYS["one_effect"].make(), X, arm, y, club, fold), X)
    inside = ((one > 0.0011) & (one < 0.9989)).all(axis=1)
    assert inside.mean() > 0.9
    for name in ACTIVE_ARMS:
        effect = (one[name] - one["usual_care"])[inside]
        assert np.ptp(effect) < 1e-9
        assert abs(effect.mean()) > 1e-4


def test_one_effect_of_an_arm_that_is_open_to_nobody_is_that_of_all(patients):
    X, arm, y, club, fold = patients
    closed = X.assign(failed_conventional_care=0.0)
    assert not eligibility(closed)["injection"].any()
    model = fit_pathways(PATHWAYS["one_effect"].make(), closed, arm, y, club, fold)
    assert np.isfinite(model.effects_["injection"])


def modified(rows=3000):
    """Return patients whose hip programme helps the young and harms the old, given without regard to age."""
    age = np.tile(np.linspace(15, 60, rows // 4), 4)
    arm = pd.Series(np.repeat(NAMES, rows // 4))
    chance = 0.5 + 0.3 * np.sign(37 - age) * (arm == "hip")
    y = (np.arange(rows) * 0.6180339887 % 1 < chance).astype(float)
    return pd.DataFrame({"age_years": age, "failed_conventional_care": 1.0}), arm, y


@pytest.mark.parametrize("learner", [SLearner(), TLearner()])
def test_learners_find_for_whom_an_arm_works(learner):
    X, arm, y = modified()
    success = learner.fit(X, arm, y).predict(X)
    effect = (success["hip"] - success["usual_care"]).to_numpy()
    assert effect[X["age_years"] < 30].mean() > 0.1
    assert effect[X["age_years"] > 45].mean() < -0.1
    assert abs((success["orthotic"] - success["usual_care"]).mean()) < 0.05


def test_an_arm_with_few_patients_or_one_outcome_has_one_chance_for_all():
    X, arm, y = modified(400)
    few = (arm != "injection") | (np.arange(400) % 10 == 0)
    success = TLearner().fit(X[few], arm[few], y[few]).predict(X)
    assert success["injection"].nunique() == 1
    all_well = np.where(arm == "injection", 1.0, y)
    success = TLearner().fit(X, arm, all_well).predict(X)
    assert success["injection"].iloc[0] == pytest.approx(all_well.mean())


class Constant:
    """A researcher's own model: fits nothing."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.tile([0.9, 0.1], (len(X), 1))


class Useless:
    """Neither fits nor predicts."""


def demanding(number):
    return number


def absent_minded():
    import no_such_library

    return no_such_library


number = 3


@pytest.fixture
def own_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "a_researchers_models", sys.modules[__name__])


def test_a_researchers_own_candidate_takes_part(own_module, runners):
    X, y, club, fold = runners
    entrant = own_entrant("a_researchers_models:Constant", "predict_proba")
    assert entrant.name == "a_researchers_models:Constant"
    assert set(risk_of(fit_onset(entrant.make(), X, y, club, fold), X)) == {0.1}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nothing", "package.module:factory, got 'nothing'"),
        (":Constant", "package.module:factory"),
        ("no_such_module_here:x", "cannot be imported .*No module named 'no_such_module_here'"),
        ("a_researchers_models:absent", "it has no such name"),
        ("a_researchers_models:number", "it is not callable"),
        ("a_researchers_models:demanding", "called without arguments, but it refused .TypeError: .*number"),
        ("a_researchers_models:absent_minded", "it refused .ModuleNotFoundError: No module named 'no_such_library'"),
        (".relative:x", r"the module \.relative for the candidate .* cannot be imported .TypeError"),
        ("a_researchers_models:Useless", "it lacks fit and predict_proba"),
    ],
)
def test_an_own_candidate_that_is_none_is_refused_in_words(address, told, own_module):
    with pytest.raises(FactError, match=told):
        own_entrant(address, "predict_proba")


def test_libraries_that_are_not_there_are_named_together_with_what_installs_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "econml", None)
    absent = Entrant("mine", "Mine", dict, ("no_such_library",))
    with pytest.raises(MissingLibrary, match=r"econml \(for Caus.*no_such_library \(for Mine\).*pfps-ml\[research\]"):
        check_libraries([*PATHWAY_CANDIDATES, absent])
    check_libraries(ONSET_CANDIDATES)
