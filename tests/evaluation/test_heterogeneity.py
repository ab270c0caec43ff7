import numpy as np
import pandas as pd
import pytest

from pfps_ml.domain.dictionary import ACTIVE_ARMS
from pfps_ml.evaluation.policy import best_linear_predictor, group_effects
from tests.evaluation.clinics import world


def hip_only(found, effects):
    predictions, scores, eligible, groups = found.about(effects)
    return predictions, scores, eligible.assign(orthotic=False, injection=False), groups


def predicted(hip):
    return pd.DataFrame({name: hip if name == "hip" else np.zeros(len(hip)) for name in ACTIVE_ARMS})


def blp(found, effects):
    return best_linear_predictor(*found.about(effects)).set_index("arm")


def test_true_effects_have_a_slope_of_1_and_patients_are_seen_to_differ():
    found = world(12_000, slope=0.3)
    row = blp(found, found.effects).loc["hip"]
    assert row["slope_low"] <= 1 <= row["slope_high"] and row["p_differs"] < 0.001 and row["p_calibrated"] > 0.01
    assert row["mean_low"] <= 0.1 <= row["mean_high"] and row["n"] == 12_000


@pytest.mark.parametrize(("factor", "slope"), [(2.0, 0.5), (-1.0, -1.0)])
def test_effects_that_are_too_far_apart_or_the_wrong_way_round_show_it_in_their_slope(factor, slope):
    found = world(12_000, slope=0.3)
    row = blp(found, predicted(0.1 + factor * 0.3 * found.trait)).loc["hip"]
    assert row["slope_low"] <= slope <= row["slope_high"] and row["p_calibrated"] < 0.01
    assert (row["p_differs"] < 0.01) == (slope > 0)


@pytest.mark.slow
def test_where_nobody_differs_p_values_are_spread_evenly():
    found_p, group_p = [], []
    for repeat in range(240):
        found = world(400, f"null {repeat}", clinics=20)
        about = hip_only(found, predicted(0.1 + 0.1 * found.trait))
        found_p.append(best_linear_predictor(*about).loc[0, "p_differs"])
        group_p.append(group_effects(*about, count=3).loc[0, "p_spread"])
    for p in (np.array(found_p), np.array(group_p)):
        assert 0.02 < (p < 0.05).mean() < 0.09
        assert np.histogram(p, 4, (0, 1))[0] == pytest.approx([60] * 4, abs=25)


@pytest.mark.slow
def test_groups_that_are_as_predicted_are_rejected_about_as_often_as_the_test_says():
    p = []
    for repeat in range(240):
        found = world(400, f"calibrated {repeat}", slope=0.2, clinics=20)
        p.append(group_effects(*hip_only(found, found.effects), count=3).loc[0, "p_calibrated"])
    assert 0.02 < (np.array(p) < 0.05).mean() < 0.09


def test_groups_by_predicted_effect_rise_with_it_and_hold_the_true_means():
    found = world(20_000, slope=0.3)
    table = group_effects(*found.about(), count=4)
    hip = table[table["arm"] == "hip"].set_index("group")
    assert list(hip.index) == [1, 2, 3, 4] and hip["n"].tolist() == pytest.approx([5_000] * 4, abs=2)
    assert ((hip["low"] <= hip["predicted"]) & (hip["predicted"] <= hip["high"])).sum() >= 3
    assert hip["spread_low"].iloc[0] > 0.2 and hip["p_spread"].iloc[0] < 0.001 < hip["p_calibrated"].iloc[0]


def test_groups_that_differ_from_what_was_predicted_are_seen():
    found = world(12_000, slope=0.3)
    table = group_effects(*found.about(predicted(0.1 - 0.3 * found.trait)), count=3)
    assert table[table["arm"] == "hip"]["p_calibrated"].iloc[0] < 0.001


def test_equal_predictions_have_a_mean_and_no_slope_and_form_one_group():
    found = world(600)
    row = blp(found, predicted(np.full(600, 0.1))).loc["hip"]
    assert np.isfinite(row[["mean", "mean_low", "mean_high"]].astype(float)).all()
    assert row[["slope", "p_differs", "p_calibrated"]].isna().all()
    table = group_effects(*found.about(predicted(np.full(600, 0.1))), count=3)
    assert table[table["arm"] == "hip"]["group"].tolist() == [1] and table["spread"].isna().all()
    assert table["p_calibrated"].notna().all()


def test_an_arm_that_nobody_may_have_keeps_its_row_and_forms_no_groups():
    found = world(200)
    effects, scores, eligible, groups = found.about()
    nobody = eligible.assign(injection=False)
    row = best_linear_predictor(effects, scores, nobody, groups).set_index("arm").loc["injection"]
    assert row["n"] == 0 and row["mean":].isna().all()
    assert "injection" not in set(group_effects(effects, scores, nobody, groups, 3)["arm"])
