"""Missing values: copies by tier, and "missing" entries that leave the mean prediction where it was."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.domain.dictionary import ONSET_FIELDS, tier_fields
from pfps_ml.model.additive import probability
from pfps_ml.training.training_rows import levelled, masked_copies, masked_once, neutralise_missing
from pfps_ml.workflows.frames import onset_features


def test_copies_show_each_row_as_every_tier_would_and_share_a_weight_of_one():
    full = dict.fromkeys(ONSET_FIELDS, 1.0)
    plain = {name: 1.0 if name in tier_fields("questionnaire") else np.nan for name in ONSET_FIELDS}
    copies, source, weight = masked_copies(pd.DataFrame([full, plain]))
    assert np.bincount(source).tolist() == [4, 1]
    assert np.bincount(source, weight).tolist() == [1.0, 1.0]
    known = copies[source == 0].notna().sum(axis=1).tolist()
    assert sorted(known) == [len(tier_fields(t)) for t in ("questionnaire", "log", "field test", "dynamometry")]


def test_copies_of_a_row_are_distinct(frames):
    X = onset_features(frames.onset).head(300)
    copies, source, _ = masked_copies(X)
    assert not copies.assign(source=source).duplicated().any()
    pd.testing.assert_frame_equal(copies.head(len(X)), X)


def test_of_many_poorer_views_of_a_row_one_is_kept_and_the_tiers_take_turns():
    full = dict.fromkeys(ONSET_FIELDS, 1.0)
    plain = {name: 1.0 if name in tier_fields("questionnaire") else np.nan for name in ONSET_FIELDS}
    copies, source, weight = masked_once(pd.DataFrame([full] * 6 + [plain]), 0.2)
    assert source[:7].tolist() == list(range(7))
    assert np.bincount(source).tolist() == [2] * 6 + [1]
    np.testing.assert_allclose(weight, [0.8] * 6 + [1.0] + [0.2] * 6)
    known = copies[7:].notna().sum(axis=1).value_counts().to_dict()
    assert known == {len(tier_fields(tier)): 2 for tier in ("questionnaire", "log", "field test")}


def test_levelling_makes_the_mean_prediction_of_every_member_the_mean_outcome(bundle, frames):
    X, y = onset_features(frames.onset), frames.onset["pfps_onset_12m"].to_numpy(float)
    model = bundle.predictor.onset
    weights = np.ones((len(X), len(model.intercept)))
    weights[::2, 1] = 0.0  # a resample without these rows
    found = levelled(model, X, 1 - y, weights)
    p = probability(found.margin(X))
    assert p[:, 0].mean() == pytest.approx(1 - y.mean(), abs=1e-6)
    assert p[1::2, 1].mean() == pytest.approx(1 - y[1::2].mean(), abs=1e-6)
    np.testing.assert_allclose(found.margin(X)[:, 0] - model.margin(X)[:, 0], found.intercept[0] - model.intercept[0])


def test_measuring_a_whole_tier_leaves_the_mean_prediction_where_it_was(bundle, frames, subtests):
    for tier in ["questionnaire", "log", "field test"]:
        with subtests.test(tier=tier):
            X, main = onset_features(frames.onset), bundle.predictor.onset.member(0)
            less = X.assign(**{name: np.nan for name in ONSET_FIELDS if name not in tier_fields(tier)})
            measured, guessed = (probability(main.margin(rows)[:, 0]).mean() for rows in (X, less))
            assert measured == pytest.approx(guessed, abs=0.002)


def test_measuring_any_one_field_leaves_the_mean_prediction_where_it_was(bundle, frames):
    X, main = onset_features(frames.onset), bundle.predictor.onset.member(0)
    for name in ONSET_FIELDS:
        rows = X[X[name].notna()]
        gap = probability(main.margin(rows)) - probability(main.margin(rows.assign(**{name: np.nan})))
        assert abs(gap.mean()) < 0.002, name


def test_every_replicate_is_neutral_and_a_field_nobody_knows_is_left_alone(bundle, frames):
    X = onset_features(frames.onset).head(500)
    X = X.assign(step_rate_spm=np.nan)
    model = bundle.predictor.onset
    found = neutralise_missing(model, X, np.ones((len(X), len(model.intercept))))
    rows = X[X["bmi"].notna()]
    before, after = probability(found.margin(rows)), probability(found.margin(rows.assign(bmi=np.nan)))
    np.testing.assert_allclose(before.mean(axis=0), after.mean(axis=0), atol=5e-4)
    same = found.change(X, "step_rate_spm", 170.0) - model.change(X, "step_rate_spm", 170.0)
    np.testing.assert_allclose(same, 0, atol=1e-12)
