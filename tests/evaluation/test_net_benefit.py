import json
from pathlib import Path

import numpy as np
import pytest

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.metrics import decision_table, net_benefit, thresholds_up_to

# recorded from the package that it names: 120 runners whose risks, of two decimals, also fall exactly on thresholds
RECORDED = json.loads((Path(__file__).parent / "dcurves.json").read_text(encoding="utf-8"))
SETTINGS = EvaluationConfig(bootstraps=60)


def cohort(rows=4_000):
    stream = generator(51, "net benefit")
    p = expit(stream.normal(-2.5, 1, rows))
    return (stream.random(rows) < p).astype(float), p, stream.integers(0, 30, rows)


def test_net_benefit_is_that_of_the_dcurves_package():
    y, p, thresholds = (np.array(RECORDED[key]) for key in ("y", "p", "thresholds"))
    assert set(p) & set(thresholds)
    found = {"model": p, "everybody": np.ones_like(p), "nobody": np.zeros_like(p)}
    for name, risk in found.items():
        assert net_benefit(y, risk, thresholds) == pytest.approx(RECORDED["net_benefit"][name], abs=1e-9)


def test_a_weight_counts_a_runner_as_often_as_repeating_them():
    y, p, _ = cohort(300)
    times = generator(52, "times").integers(0, 4, 300)
    weighted = net_benefit(y, p, [0.05, 0.1], times.astype(float))
    assert weighted == pytest.approx(net_benefit(np.repeat(y, times), np.repeat(p, times), [0.05, 0.1]))


def test_the_table_has_every_per_cent_with_intervals_beside_everybody_and_nobody():
    table = decision_table(*cohort(), SETTINGS)
    assert table["threshold"].tolist() == pytest.approx([i / 100 for i in range(1, 21)])
    assert (table["low"] <= table["net_benefit"]).all() and (table["net_benefit"] <= table["high"]).all()
    assert (table["nobody"] == 0).all() and table["everybody"].is_monotonic_decreasing
    assert table["flagged"].is_monotonic_decreasing and table["flagged"].between(0, 1).all()
    better = table["net_benefit"] - table[["everybody", "nobody"]].max(axis=1)
    assert table["gain"].to_numpy() == pytest.approx(better.to_numpy())
    assert thresholds_up_to(0.05).tolist() == [0.01, 0.02, 0.03, 0.04, 0.05]


def test_a_good_model_gains_where_the_choice_is_open_and_a_useless_one_does_not():
    y, p, clubs = cohort()
    good = decision_table(y, p, clubs, SETTINGS).set_index("threshold").loc[0.1]
    assert good["gain_low"] > 0
    useless = generator(53, "useless").permutation(p)
    assert (decision_table(y, useless, clubs, SETTINGS)["gain_low"] <= 0).all()
