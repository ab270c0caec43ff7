"""What to measure next: the gain is the plain expectation, with pairs of fields too."""

import numpy as np

from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import AdditiveModel, probability
from pfps_ml.model.reference import gain_tables
from tests.model.test_engine import random_model, rows_of
from tests.training.test_trees import NAMES

DESCRIBED = {
    "a": {"values": [-1.0, 0.2, 0.3], "shares": [0.5, 0.25, 0.25]},
    "b": {"values": [0.0, 1.0], "shares": [0.9, 0.1]},
    "c": {"values": [], "shares": []},
    "d": {"values": [-2.0, 0.0, 1.0, 2.0], "shares": [0.25] * 4},
}


def by_hand(model: AdditiveModel, rows: dict, name: str) -> np.ndarray:
    now = probability(model.margin(rows)[:, 0])
    total = np.zeros(len(now))
    for value, share in zip(DESCRIBED[name]["values"], DESCRIBED[name]["shares"], strict=True):
        measured = probability(model.margin({**rows, name: np.full(len(now), value)})[:, 0])
        total += 100 * share * np.abs(measured - now)
    return np.where(np.isnan(rows[name]), total, 0.0)


def test_a_gain_is_the_expected_change_over_the_values_of_the_training_data(subtests):
    for seed in range(5):
        with subtests.test(seed=seed):
            model = random_model(seed)
            rows = rows_of(model, seed, 400)
            rows = {name: np.where(generator(seed, name).random(400) < 0.5, np.nan, x) for name, x in rows.items()}
            log_odds = model.margin(rows)[:, 0]
            found = gain_tables(model, DESCRIBED).value_of_information(rows, log_odds, probability(log_odds))
            for gain, name in zip(found, NAMES, strict=True):
                np.testing.assert_allclose(gain, by_hand(model, rows, name), rtol=0, atol=1e-10)


def test_a_gain_has_the_same_bits_in_any_company_and_survives_certainty():
    model = random_model(1)
    rows = {name: np.full(3, np.nan) for name in NAMES}
    log_odds = np.array([0.3, 5000.0, -5000.0])
    tables = gain_tables(model.scaled(1000.0), DESCRIBED)
    found = tables.value_of_information(rows, log_odds, probability(log_odds))
    assert np.isfinite(found).all()
    for row in range(3):
        alone = tables.value_of_information(
            {n: x[:1] for n, x in rows.items()}, log_odds[[row]], probability(log_odds[[row]])
        )
        np.testing.assert_array_equal(alone[:, 0], found[:, row])
