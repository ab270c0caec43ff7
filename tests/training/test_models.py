"""The two estimators: scikit-learn's contract, settled directions, and honest work on easy and hopeless data."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from pfps_ml.core.config import OnsetConfig, PathwayConfig
from pfps_ml.core.errors import MissingLibrary
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, BY_NAME, ONSET_FIELDS
from pfps_ml.evaluation.metrics import auroc
from pfps_ml.model.spline_basis import basis, eligibility, fit_propensity
from pfps_ml.training.onset import Booster, OnsetModel, cuts_of
from pfps_ml.training.pathways import PathwayModel
from pfps_ml.workflows.frames import onset_features, pathway_features

QUICK = OnsetConfig(penalties=(3.0,), max_trees=36, bootstraps=2, min_rows_in_leaf=20)


@pytest.fixture(scope="module")
def onset(frames):
    X, y = onset_features(frames.onset), frames.onset["pfps_onset_12m"].to_numpy(float)
    return OnsetModel(QUICK).fit(X, y, frames.onset["club"]), X, y


def test_estimators_are_cloned_with_their_parameters_and_without_their_fit(onset):
    again = clone(onset[0])
    assert again.get_params() == {"config": QUICK, "progress": None}
    assert not hasattr(again, "additive_")
    assert clone(PathwayModel(PathwayConfig(knots=3))).config.knots == 3


def test_an_unfitted_estimator_says_so(onset):
    with pytest.raises(NotFittedError):
        OnsetModel().predict_proba(onset[1])
    with pytest.raises(NotFittedError):
        PathwayModel().predict(onset[1])


def test_probabilities_are_two_columns_that_sum_to_one_and_rank_the_cases(onset):
    model, X, y = onset
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert auroc(y, p[:, 1]) > 0.65
    assert p[:, 1].mean() == pytest.approx(y.mean(), abs=0.004)
    assert set(model.predict(X)) <= {0, 1}
    assert model.n_features_in_ == len(ONSET_FIELDS) == len(model.feature_names_in_)


def test_the_same_data_give_the_same_model(onset, frames):
    model, X, y = onset
    again = OnsetModel(QUICK).fit(X, y, frames.onset["club"])
    np.testing.assert_array_equal(model.additive_.margin(X), again.additive_.margin(X))


@pytest.mark.parametrize("name", [n for n in ONSET_FIELDS if BY_NAME[n].direction])
def test_risk_never_turns_against_a_settled_direction(onset, name):
    model, X, _ = onset
    field = BY_NAME[name]
    grid = range(len(field.levels)) if field.levels else np.linspace(field.low, field.high, 60)
    main, rows = model.additive_.member(0), X.head(100)
    margins = np.column_stack([main.margin(rows.assign(**{name: float(value)}))[:, 0] for value in grid])
    assert (field.direction * np.diff(margins, axis=1) >= -1e-7).all()


def test_where_nothing_predicts_the_risk_is_the_base_rate():
    random = generator(8, "noise")
    X = pd.DataFrame(random.normal(size=(3000, 3)), columns=["bmi", "step_rate_spm", "navicular_drop_mm"])
    y = (random.random(3000) < 0.1).astype(float)
    p = OnsetModel(OnsetConfig(penalties=(1.0, 30.0, 300.0), max_trees=36, bootstraps=2)).fit(X, y).predict_proba(X)
    assert p[:, 1].std() < 0.02
    assert p[:, 1].mean() == pytest.approx(y.mean(), abs=0.002)


def test_boosting_on_codes_is_boosting_on_the_field(frames):
    X, y = onset_features(frames.onset), frames.onset["pfps_onset_12m"].to_numpy(float)
    booster = Booster(cuts_of(X, 12), QUICK)
    fitted = booster.fit(X, y, np.ones(len(X)), 20)
    pairs = booster.best_pairs(fitted)
    fitted = booster.fit(X, y, np.ones(len(X)), 20, pairs)
    tables = booster.tables(fitted, pairs)
    np.testing.assert_allclose(tables.margin(X)[:, 0], booster.margins(fitted, X, [20])[:, 0], atol=1e-10)
    assert len(pairs) == QUICK.max_pairs


def test_cuts_of_a_constant_and_of_an_unknown_field():
    found = cuts_of(pd.DataFrame({"bmi": [22.0] * 5, "akps": [np.nan] * 5, "sex": [0.0, 1, 1, 0, 1]}), 8)
    assert [found[name].tolist() for name in ("bmi", "akps", "sex")] == [[22.0], [0.0], [0.5]]


def randomised(n, effect, seed=5):
    random = generator(seed, "trial")
    X = pd.DataFrame({"akps": random.normal(70, 10, n), "failed_conventional_care": random.integers(0, 2, n) * 1.0})
    unwell = np.where(X["akps"] < 70, 0.8, 0.2)  # confounding: the unwell get the programme
    arm = np.where(random.random(n) < unwell, "hip", "usual_care")
    odds = 0.08 * (X["akps"] - 70) + effect * (arm == "hip")
    y = (random.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    arm[:60], arm[60:120] = "orthotic", "injection"
    return (
        X.assign(failed_conventional_care=np.where(arm == "injection", 1.0, X["failed_conventional_care"])),
        pd.Series(arm),
        y,
    )


def test_the_effect_is_adjusted_for_who_was_treated():
    X, arm, y = randomised(6000, 0.8)
    raw = y[arm == "hip"].mean() - y[arm == "usual_care"].mean()
    model = PathwayModel(PathwayConfig(gate=False))
    found = model.fit(X, arm, y).predict(X)
    margin = 0.08 * (X["akps"] - 70)
    truth = (1 / (1 + np.exp(-margin - 0.8)) - 1 / (1 + np.exp(-margin))).mean()
    assert raw < truth - 0.1
    assert (found["hip"] - found["usual_care"]).mean() == pytest.approx(truth, abs=0.03)


def test_measuring_a_field_leaves_the_mean_chance_of_success_under_every_arm_where_it_was(bundle, frames):
    X = pathway_features(frames.treatment)
    success, effect = bundle.predictor.pathways(X)
    assert set(effect) == set(ACTIVE_ARMS)
    for name in X:
        rows = X[X[name].notna()]
        seen, unseen = (bundle.predictor.pathways(each)[0] for each in (rows, rows.assign(**{name: np.nan})))
        for arm in success:
            assert seen[arm].value.mean() == pytest.approx(unseen[arm].value.mean(), abs=0.002), (name, arm)


def test_propensities_sum_to_one_and_closed_arms_have_none(frames):
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    found = fit_propensity(X, arm, basis(X, 3)).predict(X)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    refused = X["failed_conventional_care"] == 0
    assert (found.loc[refused, "injection"] == 0).all()
    assert not eligibility(X).loc[X["failed_conventional_care"].isna(), "injection"].any()


def test_a_machine_without_lightgbm_is_told_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingLibrary, match=r"pfps-ml\[train\]"):
        Booster({"bmi": np.array([22.0])}, QUICK).fit(
            pd.DataFrame({"bmi": [20.0, 24.0]}), np.array([0.0, 1.0]), np.ones(2), 1
        )


def test_a_machine_without_libgomp_is_told_which_package_to_install(monkeypatch):
    class WithoutLibgomp:
        def find_spec(self, name, path=None, target=None):
            if name == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "lightgbm")
    monkeypatch.setattr(sys, "meta_path", [WithoutLibgomp(), *sys.meta_path])
    with pytest.raises(MissingLibrary, match="apt-get install libgomp1"):
        Booster({"bmi": np.array([22.0])}, QUICK).fit(
            pd.DataFrame({"bmi": [20.0, 24.0]}), np.array([0.0, 1.0]), np.ones(2), 1
        )


def test_a_patient_in_a_state_never_seen_in_training_gets_a_chance_of_every_arm(frames):
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    known = X["failed_conventional_care"].notna()
    found = fit_propensity(X[known], arm[known], basis(X, 3)).predict(X[~known])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found > 0).all(axis=None)


def test_a_state_in_which_all_had_one_arm_is_answered_by_everybody(frames):
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"].astype(object)
    arm[X["failed_conventional_care"].isna()] = "hip"
    found = fit_propensity(X, arm, basis(X, 3)).predict(X)
    np.testing.assert_allclose(found.sum(axis=1), 1)
