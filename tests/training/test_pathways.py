"""The pathway model: responders are found, what is not known is in the interval, evidence is added in its place."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import PathwayConfig
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.model.additive import probability
from pfps_ml.training import pathways
from pfps_ml.training.pathways import PathwayModel

NAMES = [arm.name for arm in ARMS]


def cohort(n, slope, seed=3, hidden=0.5):
    """Return patients whose hip programme adds `slope` log-odds per SD of weakness, chosen for the weak."""
    random = generator(seed, "cohort")
    strength, akps, mobility = random.normal(size=(3, n))
    failed = (random.random(n) < 0.4) * 1.0
    odds = np.column_stack([np.zeros(n), -0.5 * strength - 0.3 * akps, 0.2 * mobility, np.where(failed, -1.0, -np.inf)])
    chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    arm = np.array(NAMES, dtype=object)[(random.random(n)[:, None] > chance.cumsum(axis=1)).sum(axis=1).clip(max=3)]
    effect = -slope * strength
    usual = 0.5 * akps - 0.2
    y = (random.random(n) < probability(usual + effect * (arm == "hip"))).astype(float)
    X = pd.DataFrame({
        "hip_abduction_nm_kg": 1.6 + 0.3 * strength, "akps": 70 + 10 * akps,
        "midfoot_mobility_mm": 9 + 2 * mobility, "failed_conventional_care": failed,
    })  # fmt: skip
    X.loc[random.random(n) < hidden, "hip_abduction_nm_kg"] = np.nan
    return X, pd.Series(arm), y, probability(usual + effect) - probability(usual)


@pytest.fixture(scope="module")
def fitted():
    X, arm, y, effect = cohort(5000, 1.0)
    return PathwayModel().fit(X, arm, y), X, effect


def spread(model, X, arm="hip"):
    usual = model.prognosis_.margin(X)
    found = probability(usual + model.modifiers_[arm].margin(X)) - probability(usual)
    return found[:, 1 + model.draws_ :].std(axis=1, ddof=1)


def test_who_responds_is_found_and_the_gate_is_passed(fitted):
    model, X, effect = fitted
    found, seen = model.predict(X), X["hip_abduction_nm_kg"].notna()
    assert np.corrcoef((found["hip"] - found["usual_care"])[seen], effect[seen])[0, 1] > 0.95
    for name in ("orthotic", "injection"):
        assert np.abs(found[name] - found["usual_care"]).mean() < 0.06
    assert model.gate_.passed


def test_those_who_were_not_measured_do_not_count_as_weak_because_they_were_chosen(fitted):
    model, X, effect = fitted
    found, unseen = model.predict(X), X["hip_abduction_nm_kg"].isna()
    assert (found["hip"] - found["usual_care"])[unseen].mean() == pytest.approx(effect[unseen].mean(), abs=0.04)


def test_what_was_not_measured_is_in_the_interval_of_the_arm_that_it_decides(fitted):
    model, X, effect = fitted
    seen = X["hip_abduction_nm_kg"].notna()
    hidden = X[seen].assign(hip_abduction_nm_kg=np.nan)
    assert spread(model, hidden).mean() > 3 * spread(model, X[seen]).mean()
    assert spread(model, hidden, "orthotic").mean() < 1.3 * spread(model, X[seen], "orthotic").mean()
    found, half = model.predict(hidden), 1.685 * spread(model, hidden)  # Student's t with 39 degrees of freedom
    error = (found["hip"] - found["usual_care"]).to_numpy() - effect[seen]
    assert 0.85 <= (np.abs(error) <= half).mean() <= 0.97


def test_where_nobody_responds_otherwise_than_others_the_gate_is_not_passed():
    found = PathwayModel().fit(*cohort(2000, 0.0)[:3])
    assert not found.gate_.passed


def test_what_is_judged_on_a_fold_knows_nothing_of_its_outcomes_and_arms(monkeypatch):
    X, arm, y, _ = cohort(600, 1.0)
    fold, seen = np.arange(600) % 3, []
    own = fold == 0
    monkeypatch.setattr(pathways, "judge", lambda held, *effects: seen.append((held.chance, *effects)))
    model = PathwayModel(PathwayConfig(posterior_draws=2))
    model.fit(X, arm, y, fold=fold)
    model.fit(X, arm, np.where(own, 1 - y, y), fold=fold)
    swapped = arm.replace({"hip": "orthotic", "orthotic": "hip"})
    model.fit(X, arm.where(~own, swapped), y, fold=fold)
    first, *others = seen
    for other in others:
        for before, after in zip(first[1:], other[1:], strict=True):
            np.testing.assert_array_equal(after[own], before[own])
            assert not np.allclose(after[~own], before[~own])
    np.testing.assert_array_equal(others[1][0][own], first[0][own])
    assert not np.allclose(others[1][0][~own], first[0][~own])


def test_the_gate_is_held_only_where_it_is_wanted():
    assert PathwayModel(PathwayConfig(gate=False, posterior_draws=2)).fit(*cohort(600, 0.0)[:3]).gate_ is None


def test_evidence_draws_stand_behind_the_main_model_and_before_the_posterior():
    model = PathwayModel(PathwayConfig(gate=False, posterior_draws=3)).fit(*cohort(1500, 1.0)[:3])
    X = cohort(200, 1.0)[0]
    before = model.prognosis_.margin(X), model.modifiers_["hip"].margin(X)
    assert model.with_evidence([]).draws_ == 0
    slopes = (0.0, 2.0)
    model.with_evidence(cohort(3000, slope, seed=9)[:3] for slope in slopes)
    assert model.draws_ == 2
    for was, now in zip(before, (model.prognosis_.margin(X), model.modifiers_["hip"].margin(X)), strict=True):
        np.testing.assert_array_equal(np.delete(now, [1, 2], axis=1), was)
    weak = X.head(1).assign(hip_abduction_nm_kg=1.3)
    strong = X.head(1).assign(hip_abduction_nm_kg=1.9)
    gap = (model.modifiers_["hip"].margin(weak) - model.modifiers_["hip"].margin(strong))[0]
    assert gap[1] == pytest.approx(0.0, abs=0.5) and gap[2] == pytest.approx(4.0, abs=1.2)
    model.with_evidence([cohort(1500, 1.0)[:3]])
    assert model.draws_ == 3
    assert len(model.prognosis_.intercept) == 1 + 3 + 3


def test_an_arm_that_nobody_could_have_and_a_field_that_nobody_knows_are_no_obstacle():
    X, arm, y, _ = cohort(900, 1.0)
    X = X.assign(failed_conventional_care=0.0, navicular_drop_mm=np.nan)
    model = PathwayModel(PathwayConfig(posterior_draws=2)).fit(X, arm.where(arm != "injection", "hip"), y)
    found = model.predict(X.assign(navicular_drop_mm=5.0))
    np.testing.assert_allclose(found, model.predict(X), atol=1e-6)
    assert found.notna().all(axis=None)
    assert set(model.modifiers_) == set(ACTIVE_ARMS)
    assert (model.propensity_.predict(X)["injection"] == 0).all()
