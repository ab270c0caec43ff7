"""The speed benchmark: it times the same model as its peers, and says how much of it was timed."""

import numpy as np
import pytest

from benchmarks.speed import against_peers, cost_by_rows, draw_cost, merging_cost, one_runner, peers, whole_assessment
from pfps_ml.training.onset import pair_gains


@pytest.fixture(scope="module")
def found():
    return peers(rows=600, trees=20, pairs=3)


def test_no_more_pairs_meet_than_a_released_model_may_hold(found):
    assert 0 < len(pair_gains(found.booster.dump_model())) <= 3
    free = peers(rows=600, trees=20, pairs=None)
    assert len(pair_gains(free.booster.dump_model())) > 3


def test_the_tables_that_are_timed_are_the_trees_that_they_are_timed_against(found):
    trees = found.booster.predict(found.rows, raw_score=True)
    for ours in (found.plain, found.wide):
        np.testing.assert_allclose(ours.score(found.columns).log_odds, trees, rtol=0, atol=1e-10)
    assert found.plain.cost <= 1e-9
    assert (found.wide.score(found.columns).variances > 0).all(axis=1).any()


def test_what_compiling_a_released_model_costs_is_told_and_far_below_what_is_promised(bundle):
    assert 0 <= merging_cost(bundle) <= 1e-10


def test_the_cost_of_rows_is_a_table_and_a_picture(found, tmp_path):
    costs = cost_by_rows(found, (1, 10, 2000))
    assert costs["rows"].tolist() == [1, 10, 2000]
    assert (costs["seconds"] > 0).all()
    draw_cost(costs, tmp_path / "bench" / "cost.png")
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"cost.png", "cost.csv"}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # shap's own, when it is imported
def test_every_peer_is_timed_and_the_rows_that_were_timed_are_told(bundle, found):
    costs = against_peers(bundle, found, runs=1)
    assert (costs[["rows", "microseconds", "times"]] > 0).all(axis=None)
    assert costs["times"].iloc[0] == 1
    alone = one_runner(bundle, found, runs=1)
    assert (alone["milliseconds"] > 0).all()
    assert (whole_assessment(bundle, rows=300, runs=1)["rows_s"] > 0).all()
