import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from pfps_ml.core.errors import CohortError
from pfps_ml.core.logistic import expit, logit, spline
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation import metrics


def cohort(rows, name="cohort", spread=0.8):
    """Runners whose risk is known: perfectly calibrated by construction."""
    stream = generator(11, name)
    p = expit(stream.normal(-2, spread, rows))
    return (stream.random(rows) < p).astype(float), p


def clubs(rows, count, name="clubs"):
    return generator(12, name).integers(0, count, rows)


def test_discrimination_and_scores_equal_those_of_sklearn_with_ties_and_weights(subtests):
    for decimals in [12, 1]:  # rounded to one decimal there are many ties
        for weighted in [False, True]:
            with subtests.test(decimals=decimals, weighted=weighted):
                y, p = cohort(800)
                p = np.clip(np.round(p, decimals), 0.05, 0.95)
                weight = generator(3, "weights").integers(0, 4, 800).astype(float) if weighted else None
                assert metrics.auroc(y, p, weight) == pytest.approx(roc_auc_score(y, p, sample_weight=weight))
                assert metrics.average_precision(y, p, weight) == pytest.approx(
                    average_precision_score(y, p, sample_weight=weight)
                )
                assert metrics.log_loss(y, p, weight) == pytest.approx(log_loss(y, p, sample_weight=weight))
                assert metrics.brier(y, p, weight) == pytest.approx(brier_score_loss(y, p, sample_weight=weight))


def test_a_weight_counts_a_row_as_often_as_repeating_it():
    y, p = cohort(400)
    times = generator(4, "times").integers(0, 3, 400)
    weighted = {name: metric.compute(y, p, times.astype(float)) for name, metric in metrics.METRICS.items()}
    repeated = metrics.measure(np.repeat(y, times), np.repeat(p, times))
    assert weighted.pop("ici") == pytest.approx(repeated.pop("ici"), abs=0.005)  # its knots stay where they were
    assert weighted == pytest.approx(repeated)


def test_auroc_of_equal_risks_is_one_half_and_of_perfect_ones_is_one():
    y = np.array([0.0, 1, 0, 1])
    assert metrics.auroc(y, np.full(4, 0.3)) == 0.5
    assert metrics.auroc(y, np.array([0.1, 0.8, 0.2, 0.7])) == 1.0
    assert metrics.auroc(y, np.array([0.8, 0.1, 0.7, 0.2])) == 0.0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=60))
def test_auroc_is_unchanged_by_any_monotone_map_and_mirrored_by_a_falling_one(pairs):
    y, p = np.array([float(case) for case, _ in pairs]), np.array([risk / 100 for _, risk in pairs])
    if 0 < y.sum() < len(y):
        area = metrics.auroc(y, p)
        assert metrics.auroc(y, p**3 / 2) == pytest.approx(area)
        assert metrics.auroc(y, 1 - p) == pytest.approx(1 - area)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 99)), min_size=2, max_size=60))
def test_every_metric_answers_for_any_small_cohort_with_both_outcomes(pairs):
    y, p = np.array([float(case) for case, _ in pairs]), np.array([risk / 100 for _, risk in pairs])
    if 0 < y.sum() < len(y):
        measured = metrics.measure(y, p)
        assert list(measured) == list(metrics.METRICS)
        assert np.isfinite([value for name, value in measured.items() if name != "calibration_slope"]).all()
        assert 0 <= measured["ici"] < 1


def test_true_risks_are_perfectly_calibrated():
    measured = metrics.measure(*cohort(100_000))
    assert measured["calibration_slope"] == pytest.approx(1, abs=0.04)
    assert measured["calibration_intercept"] == pytest.approx(0, abs=0.03)
    assert measured["observed_expected"] == pytest.approx(1, abs=0.03)
    assert measured["ici"] < 0.004
    assert measured["scaled_brier"] > 0


def test_shifted_and_stretched_log_odds_are_read_back():
    y, p = cohort(50_000)
    true = metrics.measure(y, p)
    shifted = metrics.measure(y, expit(logit(p) + 0.5))
    assert shifted["calibration_intercept"] == pytest.approx(true["calibration_intercept"] - 0.5)
    assert shifted["calibration_slope"] == pytest.approx(true["calibration_slope"])
    assert shifted["observed_expected"] < 0.75
    stretched = metrics.measure(y, expit(2 * logit(p)))
    assert stretched["calibration_slope"] == pytest.approx(true["calibration_slope"] / 2)


def test_calibration_index_is_the_mean_distance_between_given_and_true_risk():
    y, p = cohort(100_000)
    for wrong in (expit(logit(p) + 0.5), expit(0.5 * logit(p)), 0.02 + 0.9 * p):
        assert metrics.ici(y, wrong) == pytest.approx(np.abs(wrong - p).mean(), rel=0.1)


def test_the_base_rate_for_everyone_scores_nothing_and_has_no_slope():
    y, _ = cohort(2_000)
    measured = metrics.measure(y, np.full(2_000, y.mean()))
    assert measured["scaled_brier"] == pytest.approx(0)
    assert measured["auprc"] == pytest.approx(y.mean())
    assert measured["ici"] == pytest.approx(0, abs=1e-6)
    assert np.isnan(measured["calibration_slope"])


def test_risks_that_separate_the_outcomes_have_no_slope_but_every_other_figure():
    y = np.repeat([0.0, 1.0], 20)
    measured = metrics.measure(y, np.linspace(0.2, 0.8, 40))
    assert np.isnan(measured["calibration_slope"])
    assert measured["ici"] == pytest.approx(np.abs(np.linspace(0.2, 0.8, 40) - y).mean(), abs=0.05)


def test_risks_that_are_absurdly_wrong_still_get_an_intercept():
    y, p = cohort(2_000)
    assert metrics.calibration_intercept(y, expit(logit(p) + 25)) == pytest.approx(-25, abs=0.3)


def test_the_spline_is_linear_beyond_its_outer_knots():
    x = np.linspace(-3, 3, 601)
    tails = np.diff(spline(x), n=2, axis=0)[[0, 10, -10, -1]]
    assert np.abs(tails).max() < 1e-9
    assert spline(np.repeat([0.0, 1.0], [9, 11])).shape == (20, 2)


def test_every_metric_says_which_way_is_better_and_what_a_perfect_model_has():
    for metric in metrics.METRICS.values():
        assert metric.label and metric.better in ("higher", "lower", "target")
        assert metric.ideal == (0 if metric.better == "lower" or "intercept" in metric.label else 1)


def test_what_cannot_be_measured_is_refused_with_its_counts(subtests):
    for y, p, told in [
        ([1, 1, 1], [0.1, 0.2, 0.3], "got 3 and 0"),
        ([0, 0], [0.1, 0.2], "got 0 and 2"),
        ([0, 1], [0.1, 1.0], "got 1 others"),
        ([0, 1], [np.nan, 0.5], "got 1 others"),
        ([0, 2], [0.1, 0.2], "outcomes of 0 or 1, got 1"),
        ([0, np.nan], [0.1, 0.2], "outcomes of 0 or 1, got 1"),
        ([0, 1], [0.1], "shapes"),
        ([], [], "shapes"),
    ]:
        with subtests.test(y=y, p=p, told=told), pytest.raises(CohortError, match=told):
            metrics.measure(y, p)


def test_the_table_of_intervals_holds_every_metric_and_brackets_its_value():
    y, p = cohort(4_000)
    table = metrics.measure_with_intervals(y, p, clubs(4_000, 40), seed=1)
    assert list(table.columns) == ["metric", "label", "value", "low", "high"]
    assert list(table["metric"]) == list(metrics.METRICS)
    assert dict(zip(table["metric"], table["value"], strict=True)) == pytest.approx(metrics.measure(y, p))
    inner = table[table["metric"] != "ici"]
    assert (inner["low"] < inner["value"]).all() and (inner["value"] < inner["high"]).all()


def test_intervals_are_the_same_for_the_same_seed_and_for_rows_in_another_order():
    y, p = cohort(500)
    groups = np.array([f"club {number}" for number in clubs(500, 10)])
    first = metrics.measure_with_intervals(y, p, groups, seed=5, repeats=20)
    pd.testing.assert_frame_equal(first, metrics.measure_with_intervals(y, p, groups, seed=5, repeats=20))
    shuffled = generator(9, "order").permutation(500)
    again = metrics.measure_with_intervals(y[shuffled], p[shuffled], groups[shuffled], seed=5, repeats=20)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(metrics.measure_with_intervals(y, p, groups, seed=6, repeats=20))


@pytest.mark.slow
def test_intervals_cover_the_true_figure_about_as_often_as_they_say():
    truth = metrics.auroc(*cohort(200_000, "truth"))
    hits = 0
    for world in range(60):
        y, p = cohort(400, f"world {world}")
        table = metrics.measure_with_intervals(y, p, clubs(400, 30), world, repeats=60, level=0.9).set_index("metric")
        hits += table.loc["auroc", "low"] <= truth <= table.loc["auroc", "high"]
    assert 48 <= hits <= 60  # 54 expected of 60 at 90 %


def test_runners_who_share_a_club_make_the_interval_wider_than_runners_on_their_own():
    stream = generator(8, "club effects")
    groups = np.repeat(np.arange(20), 50)
    y = (stream.random(1_000) < expit(-2 + stream.normal(0, 1, 20))[groups]).astype(float)
    p = np.full(1_000, 0.15) + stream.random(1_000) / 1000

    def width(by):
        table = metrics.measure_with_intervals(y, p, by, seed=2, repeats=60).set_index("metric")
        return table.loc["observed_expected", "high"] - table.loc["observed_expected", "low"]

    assert width(groups) > 1.5 * width(np.arange(1_000))


def test_resamples_draw_whole_clubs_and_never_one_outcome_only():
    y = np.array([1.0, 1, 0, 0, 0, 0])
    drawn = list(metrics.club_resamples(y, ["a", "a", "b", "b", "c", "c"], seed=1, repeats=50))
    assert len(drawn) == 50
    for weight in drawn:
        assert weight.sum() == 6 and (weight[::2] == weight[1::2]).all()
        assert 0 < weight @ y < 6


@pytest.mark.parametrize("y", [np.zeros(4), np.ones(4)])
def test_where_nobody_or_everybody_fell_ill_nothing_is_resampled(y):
    with pytest.raises(CohortError, match="expected cases and non-cases"):
        next(metrics.club_resamples(y, ["a", "a", "b", "b"], seed=1, repeats=2))


def test_runners_without_a_club_are_resampled_one_by_one():
    y = np.array([1.0, 0, 1, 0])
    groups = np.array(["a", "a", None, None], dtype=object)
    drawn = np.array(list(metrics.club_resamples(y, groups, seed=1, repeats=30)))
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 2] != drawn[:, 3]).any()


def test_a_single_club_cannot_be_resampled():
    with pytest.raises(CohortError, match="at least 2 clubs"):
        metrics.measure_with_intervals([0, 1], [0.2, 0.3], ["a", "a"], seed=1)


def test_a_limit_is_missing_where_too_many_resamples_have_no_figure():
    y = np.repeat([0.0, 1.0], 10)
    table = metrics.measure_with_intervals(y, np.linspace(0.2, 0.8, 20), np.arange(20), seed=1, repeats=20)
    slope = table.set_index("metric").loc["calibration_slope", ["low", "high"]]
    assert slope.isna().all()


def test_the_excess_log_loss_is_what_the_log_loss_costs_beyond_the_truth_without_its_chance():
    y, p = cohort(200_000)
    wrong = expit(logit(p) + 0.7)
    cost = metrics.log_loss(y, wrong) - metrics.log_loss(y, p)
    assert metrics.excess_log_loss(p, wrong) == pytest.approx(cost, abs=0.002) and cost > 0.01
    assert metrics.excess_log_loss(p, p) == 0
    half = np.arange(len(p)) % 2.0
    assert metrics.excess_log_loss(p, wrong, half) == pytest.approx(metrics.excess_log_loss(p[1::2], wrong[1::2]))


def test_few_clubs_move_the_limits_outwards_and_many_leave_them_at_the_percentiles():
    draws = generator(41, "draws").normal(size=100_000)
    many, few = metrics.percentiles(draws, 10_000), metrics.percentiles(draws, 8)
    assert many == pytest.approx((-1.96, 1.96), abs=0.03)
    # Student's t with 7 degrees of freedom, and the root of 8 / 7
    assert few == pytest.approx((-2.528, 2.528), abs=0.05)
    assert np.isnan(metrics.percentiles(np.where(draws > 0, draws, np.nan), 8)).all()


@pytest.mark.slow
def test_intervals_over_8_clubs_that_differ_cover_the_truth_about_as_often_as_they_say():
    expected = expit(-1 + generator(43, "many clubs").normal(0, 0.4, 100_000)).mean()
    groups, hits = np.repeat(np.arange(8), 60), 0
    for world in range(200):
        stream = generator(42, f"few clubs {world}")
        risk = expit(-1 + stream.normal(0, 0.4, 8))[groups]
        y, p = (stream.random(480) < risk).astype(float), np.full(480, expected)
        draws = [metrics.observed_expected(y, p, weight) for weight in metrics.club_resamples(y, groups, world, 200)]
        low, high = metrics.percentiles(np.array(draws), 8)
        hits += low <= 1 <= high
    assert 0.9 < hits / 200 < 0.99


def test_a_row_without_a_club_counts_as_a_club():
    assert metrics.count_groups(np.array(["a", "a", None, None, "b"], dtype=object)) == 4
