import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.domain.dictionary import ACTIVE_ARMS
from pfps_ml.evaluation.policy import targeting_curves
from tests.evaluation.clinics import world

SETTINGS = EvaluationConfig(bootstraps=50)


def of_hip(found, order, settings=SETTINGS):
    effects = pd.DataFrame({name: np.asarray(order, dtype=float) for name in ACTIVE_ARMS})
    _, scores, eligible, groups = found.about()
    only_hip = eligible.assign(orthotic=False, injection=False)
    curves, areas = targeting_curves(effects, scores, only_hip, groups, settings)
    return curves, areas.set_index("arm").loc["hip"]


def test_the_best_order_reaches_the_areas_that_arithmetic_gives():
    found = world(30_000, slope=0.3, mean=0.1)
    curves, area = of_hip(found, found.trait)
    # effects are uniform on -0.2 to 0.4: the best share q have a mean of 0.4 - 0.3 q, which is 0.3 (1 - q) above all
    assert area["autoc_low"] <= 0.15 <= area["autoc_high"] and area["qini_low"] <= 0.05 <= area["qini_high"]
    assert area["p_autoc"] < 0.001 and area["p_qini"] < 0.001
    half = curves[np.isclose(curves["share"], 0.5)].iloc[0]
    assert half["toc_low"] <= 0.15 <= half["toc_high"] and half["gain_low"] <= 0.125 <= half["gain_high"]
    assert curves["gain"].iloc[-1] == pytest.approx(curves["random"].iloc[-1]) and abs(curves["toc"].iloc[-1]) < 1e-12


def test_the_reverse_order_has_areas_below_0():
    found = world(10_000, slope=0.3)
    _, area = of_hip(found, -found.trait)
    assert area["autoc_high"] < 0 and area["qini_high"] < 0 and area["p_autoc"] > 0.99


@pytest.mark.slow
def test_where_nobody_differs_p_values_are_spread_evenly_and_intervals_hold_0():
    areas = pd.DataFrame([of_hip(w := world(300, f"null {r}", clinics=20), w.trait)[1] for r in range(200)])
    for name in ("autoc", "qini"):
        p = areas[f"p_{name}"]
        assert 0.01 <= (p < 0.05).mean() <= 0.1 and p.mean() == pytest.approx(0.5, abs=0.06)
        assert ((areas[f"{name}_low"] <= 0) & (areas[f"{name}_high"] >= 0)).mean() > 0.88


def test_patients_with_one_prediction_are_not_ranked():
    found = world(1_000, slope=0.3)
    curves, area = of_hip(found, np.zeros(1_000))
    assert curves["gain"].to_numpy() == pytest.approx(curves["random"].to_numpy())
    assert area["autoc"] == pytest.approx(0) and area["qini"] == pytest.approx(0)
    assert area[["p_autoc", "p_qini"]].isna().all()


def test_patients_of_one_clinic_have_curves_without_intervals():
    found = world(400, slope=0.3, clinics=1)
    curves, area = of_hip(found, found.trait)
    assert curves["gain"].notna().all() and curves[["gain_low", "toc_high"]].isna().all(axis=None)
    assert np.isfinite(area["autoc"]) and area[["autoc_low", "p_autoc"]].isna().all()


def test_no_eligible_patients_give_empty_tables():
    effects, scores, eligible, groups = world(40).about()
    curves, areas = targeting_curves(effects, scores, eligible & False, groups, SETTINGS)
    assert curves.empty and areas.empty and "toc" in curves
