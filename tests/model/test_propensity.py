"""Propensities as tables: the same numbers after writing and reading, and nothing but what the dictionary knows."""

import json

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import BundleFormat
from pfps_ml.core.numbers import generator
from pfps_ml.model.spline_basis import basis, fit_propensity, propensity_from_json, propensity_to_json
from pfps_ml.workflows.frames import pathway_features


@pytest.fixture(scope="module")
def fitted(frames):
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    return fit_propensity(X, arm, basis(X, 3)), X, arm


def test_the_tables_are_read_as_they_were_written(fitted):
    model, X, _ = fitted
    again = propensity_from_json(json.loads(json.dumps(propensity_to_json(model), allow_nan=False)))
    np.testing.assert_allclose(again.predict(X), model.predict(X), atol=1e-5)


def test_a_row_is_answered_as_it_is_among_others_and_from_plain_columns(fitted):
    model, X, _ = fitted
    alone = model.chances({name: X[name].to_numpy()[:1] for name in X})
    np.testing.assert_allclose(alone[0], model.predict(X).iloc[0], atol=1e-12)


def test_arms_are_expected_as_often_as_they_are_given(fitted):
    model, X, arm = fitted
    given = arm.value_counts(normalize=True)
    for name, mean in model.predict(X).mean().items():
        assert mean == pytest.approx(given[name], abs=0.02)


def test_who_draws_a_clinic_to_an_arm_has_the_higher_chance_of_it():
    random = generator(4, "clinic")
    X = pd.DataFrame({"akps": random.normal(70, 10, 4000), "failed_conventional_care": 0.0})
    true = 1 / (1 + np.exp(0.1 * (X["akps"] - 70)))
    arm = pd.Series(np.where(random.random(4000) < true, "hip", "usual_care"))
    found = fit_propensity(X, arm, basis(X, 4)).predict(X)["hip"]
    assert np.abs(found - true).mean() < 0.03


def test_propensities_of_another_shape_or_dictionary_are_refused(fitted, subtests):
    for spoil in [
        lambda states: states.pop("otherwise"),
        lambda states: states.update(another={}),
        lambda states: states["otherwise"].update(surgery=states["otherwise"]["hip"]),
        lambda states: states["otherwise"]["hip"]["terms"][0].update(field="shoe_size"),
        lambda states: states["otherwise"].update(hip=[]),
    ]:
        with subtests.test(spoil=spoil):
            content = json.loads(json.dumps(propensity_to_json(fitted[0])))
            spoil(content)
            with pytest.raises((ValueError, KeyError, BundleFormat)):
                propensity_from_json(content)
