from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.numbers import generator
from pfps_ml.domain import Estimand
from pfps_ml.domain.dictionary import REFERENCE_ARM
from pfps_ml.evaluation.estimands import adjusted_effects
from pfps_ml.evaluation.pathway_validation import measured_strengths, sensitivity_bounds, strength_to_overturn
from tests.evaluation.clinics import NAMES, two_arms, world

SETTINGS = EvaluationConfig(bootstraps=60)


def overturning(patients):
    table = strength_to_overturn(patients, SETTINGS)
    return table[table["better"].isin(["hip", REFERENCE_ARM]) & table["other"].isin(["hip", REFERENCE_ARM])].iloc[0]


@pytest.mark.parametrize("strength", [1.5, 2.5])
def test_the_strength_of_a_hidden_confounder_that_made_all_of_an_effect_is_found(strength):
    row = overturning(two_arms(20_000, strength))
    assert row["better"] == "hip" and row["difference"] > 0.15
    assert row["strength"] == pytest.approx(strength, rel=0.06)
    assert 1 < row["strength_95"] < row["strength"]


def test_the_bounds_hold_the_truth_from_the_true_strength_on_and_not_much_below_it():
    bounds = sensitivity_bounds(two_arms(20_000, 2.0), "hip", REFERENCE_ARM, SETTINGS).set_index("strength")
    assert bounds.loc[1.3, "lowest"] > 0 and bounds.loc[2.5, "lowest"] < 0 < bounds.loc[2.5, "highest"]
    assert bounds["lowest"].is_monotonic_decreasing and bounds["highest"].is_monotonic_increasing
    assert (bounds["low"] < bounds["lowest"]).all() and (bounds["highest"] < bounds["high"]).all()
    assert bounds.loc[1.0, "lowest"] == pytest.approx(bounds.loc[1.0, "highest"])


def test_the_bounds_are_those_of_trying_every_way_in_which_something_hidden_may_have_acted():
    stream, patients = generator(73, "every way"), two_arms(18, 1.0, "every way")
    outcome, chance = (pd.DataFrame(stream.uniform(0.1, 0.9, (18, 4)), columns=NAMES) for _ in "12")
    patients = replace(patients, outcome=outcome, propensity=chance, arm=np.tile(["hip", REFERENCE_ARM], 9))

    def reached(arm):
        had = patients.arm == arm
        residual, odds = (patients.y - outcome[arm])[had], (1 / chance[arm] - 1)[had]
        weights = (1 + odds * np.where(ways, 2.0, 0.5) for ways in product([False, True], repeat=9))
        means = [outcome[arm].mean() + np.average(residual, weights=weight) for weight in weights]
        return min(means), max(means)

    (least, most), (least_usual, most_usual) = reached("hip"), reached(REFERENCE_ARM)
    found = sensitivity_bounds(patients, "hip", REFERENCE_ARM, SETTINGS, [2.0]).iloc[0]
    assert found["lowest"] == pytest.approx(least - most_usual)
    assert found["highest"] == pytest.approx(most - least_usual)


def test_nothing_hidden_gives_the_adjusted_effect_with_about_its_interval():
    own = world(8_000).patients
    effect = adjusted_effects(own, Estimand.ALL).iloc[0]
    plain = sensitivity_bounds(own, "hip", REFERENCE_ARM, SETTINGS, [1.0]).iloc[0]
    assert plain["lowest"] == pytest.approx(effect["effect"])
    assert plain["high"] - plain["low"] == pytest.approx(effect["high"] - effect["low"], rel=0.4)


def test_an_effect_that_is_not_there_is_overturned_by_nothing():
    row = overturning(two_arms(4_000, 1.0))
    assert row["strength_95"] == 1 and row["strength"] < 1.15


def test_the_better_arm_stands_first_and_a_large_effect_withstands_any_strength():
    patients = two_arms(4_000, 1.0)
    always = replace(patients, y=(patients.arm == REFERENCE_ARM).astype(float))
    row = overturning(always)
    assert row["better"] == REFERENCE_ARM and row["difference"] == pytest.approx(1)
    assert row["strength"] == 50 and row["strength_95"] == 50


def test_arms_that_nobody_had_and_patients_of_one_clinic_have_no_strength():
    patients = two_arms(400, 2.0)
    table = strength_to_overturn(patients, SETTINGS).set_index(["better", "other"])
    assert len(table) == 6 and table["strength"].notna().sum() == 1
    assert table.loc[("orthotic", "injection"), "n"] == 0
    alone = replace(patients, groups=np.zeros(400, dtype=object))
    assert strength_to_overturn(alone, SETTINGS)["strength"].isna().all()
    assert sensitivity_bounds(alone, "hip", REFERENCE_ARM, SETTINGS).empty


def test_an_arm_that_few_had_in_few_clinics_has_no_limits():
    patients = two_arms(400, 2.0)
    arm = np.where(patients.groups == patients.groups[0], "hip", REFERENCE_ARM).astype(object)
    row = overturning(replace(patients, arm=arm))
    assert row["strength_95"] == 1  # most resamples hold no clinic that used the arm


def test_a_field_that_moved_choices_more_is_the_stronger_yardstick():
    own = world(500).patients
    odds = own.propensity / (1 - own.propensity)
    without = {"sex": own.propensity, "akps": odds * 3 / (1 + odds * 3), "age_years": odds * 1.2 / (1 + odds * 1.2)}
    table = measured_strengths(own.propensity, without, own.eligible)
    assert list(table["field"]) == ["akps", "age_years", "sex"]
    assert table["strength"].tolist() == pytest.approx([3, 1.2, 1]) and table.loc[0, "label"] == "Kujala score"
