"""What external validation measures beside the figures: case-mix, drift, and the runners that a verdict needs."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.config import Config, ValidationConfig
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.metrics import auroc, measure
from pfps_ml.evaluation.subgroups import EXPECTED, TRAINING, case_mix, drift_table, model_based, stability
from pfps_ml.evaluation.verdict import rows_for_auroc, rows_for_net_benefit, rows_for_ratio, rows_for_slope

QUICK = Config(evaluation=replace(Config().evaluation, bootstraps=20))


def test_the_expected_auroc_is_that_of_outcomes_drawn_from_the_risks():
    p = generator(1, "risks").beta(2, 20, 400)
    drawn = [auroc((generator(at, "cases").random(400) < p).astype(float), p) for at in range(200)]
    assert model_based(p) == pytest.approx(np.mean(drawn), abs=0.01)
    assert model_based(p, np.ones(400)) == pytest.approx(model_based(p))


def test_a_narrower_case_mix_lowers_the_expected_auroc_and_no_manifest_leaves_training_out():
    random, settings = generator(2, "case-mix"), QUICK.evaluation
    p = 1 / (1 + np.exp(-(-2 + 1.2 * random.standard_normal(3000))))
    y = (random.random(3000) < p).astype(float)
    near = np.abs(p - 0.12) < 0.04
    trained = {"value": 0.8, "low": 0.7, "high": 0.9}
    whole = case_mix(y, p, np.arange(3000), settings, trained).set_index("what")
    alike = case_mix(y[near], p[near], np.arange(near.sum()), settings, None).set_index("what")
    assert alike.loc[EXPECTED, "value"] < whole.loc[EXPECTED, "value"] - 0.1
    assert TRAINING in whole.index
    assert TRAINING not in alike.index


def test_drift_is_seen_where_it_is_and_not_where_it_is_not(bundle, cohort):
    same = drift_table(cohort.values, bundle.reference, 3200, ValidationConfig())
    assert set(same["drift"]) == {"none"}
    older = cohort.values.assign(age_years=cohort.values["age_years"] + 15, foot_posture_index=12.0)
    moved = drift_table(older, bundle.reference, 3200, ValidationConfig()).set_index("field")
    assert moved.loc["age_years", "drift"] == moved.loc["foot_posture_index", "drift"] == "large"
    assert moved.loc["age_years", "outside"] > 0.005
    assert list(moved.index[:2]) != []
    assert moved.loc["sex", "drift"] == "none"


def test_moderate_drift_is_called_so(bundle, cohort):
    shifted = cohort.values.assign(age_years=cohort.values["age_years"] + 6)
    assert drift_table(shifted, bundle.reference, 3200, ValidationConfig()).set_index("field").loc[
        "age_years", "drift"] == "moderate"  # fmt: skip


def test_a_small_cohort_from_the_same_runners_is_not_called_drifted(bundle, cohort):
    called = 0
    for at in range(20):
        few = cohort.values.iloc[at * 40 : at * 40 + 25]
        called += (drift_table(few, bundle.reference, 3200, ValidationConfig())["drift"] != "none").sum()
    assert called <= 0.08 * 20 * 20  # one in twenty, and club by club runners are alike


def test_the_stability_index_is_the_published_sum_and_chance_is_its_95th_percentile():
    index, _ = stability(np.array([5000.0, 5000.0]), np.array([0.4, 0.6]), 10**9)
    assert index == pytest.approx(0.1 * np.log(0.5 / 0.4) - 0.1 * np.log(0.5 / 0.6), abs=1e-3)
    there, random = np.full(10, 0.1), generator(3, "bins")
    drawn = [stability(random.multinomial(500, there).astype(float), there, 10**6)[0] for _ in range(400)]
    chance = stability(np.full(10, 50.0), there, 10**6)[1]
    assert np.mean(np.array(drawn) > chance) == pytest.approx(0.05, abs=0.03)


def test_a_field_that_nobody_knows_has_no_drift(bundle, cohort):
    table = drift_table(cohort.values.assign(step_rate_spm=np.nan), bundle.reference, 3200, ValidationConfig())
    assert "step_rate_spm" not in set(table["field"])


def test_sample_sizes_are_those_of_the_published_criteria():
    # Riley and others 2021: the standard error of ln(O/E) is 0.051 for a width of 0.2
    assert rows_for_ratio(0.5, 0.2) == pytest.approx(0.5 / (0.5 * 0.0509**2), rel=0.01)
    assert rows_for_ratio(0.05, 0.2) > rows_for_ratio(0.2, 0.2)


def test_the_slope_needs_what_a_simulation_needs_and_equal_risks_never_give_it():
    random, n = generator(4, "slopes"), 4000
    margin = -2 + random.standard_normal(n)
    p = 1 / (1 + np.exp(-margin))
    needed = rows_for_slope(p, 0.2)
    slopes = [measure((random.random(n) < p).astype(float), p)["calibration_slope"] for _ in range(60)]
    assert needed == pytest.approx(n * (np.std(slopes) * 1.96 / 0.1) ** 2, rel=0.45)
    assert rows_for_slope(np.full(10, 0.1), 0.2) == np.inf


def test_the_auroc_needs_what_its_standard_error_says():
    n = rows_for_auroc(0.8, 0.2, 0.1)
    half = n / 2 - 1
    spread = 0.8 * 0.2 * (1 + half * 0.2 / 1.2 + half * 0.8 / 1.8) / (n**2 * 0.2 * 0.8)
    assert np.sqrt(spread) <= 0.1 / 2 / 1.959964 < np.sqrt(spread) * (1 + 2 / n)


def test_net_benefit_needs_fewer_runners_the_wider_it_may_be():
    random = generator(6, "benefit")
    p = random.beta(2, 10, 2000)
    y = (random.random(2000) < p).astype(float)
    assert rows_for_net_benefit(y, p, 0.15, 0.1) == pytest.approx(4 * rows_for_net_benefit(y, p, 0.15, 0.2), rel=0.01)
    assert rows_for_net_benefit(y, p, 0.99, 0.2) >= 1
