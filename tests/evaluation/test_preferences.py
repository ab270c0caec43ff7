import numpy as np
import pandas as pd
import pytest

from pfps_ml.evaluation.policy import preference_table
from tests.evaluation.clinics import NAMES


def frame(**columns):
    return pd.DataFrame({name: columns.get(name, [False] * 6) for name in NAMES})


def narrowed(truth=None):
    eligible = frame(usual_care=[True] * 6, hip=[True] * 6, orthotic=[True] * 6, injection=[True] * 3 + [False] * 3)
    acceptable = frame(usual_care=[True, False] * 3, hip=[True] * 6, orthotic=[True, False] * 3)
    preferred = ["none", "hip"] * 3
    chance = pd.DataFrame({name: np.linspace(0.05, 0.3, 6) for name in NAMES}).assign(injection=0.0)
    chance.loc[:2, "injection"] = [0.01, 0.02, 0.2]
    return preference_table(acceptable, preferred, eligible, chance, truth).set_index("patients")


def test_what_stays_acceptable_is_counted_among_the_eligible_arms_and_preferences_are_counted():
    table = narrowed()
    assert list(table.columns) == ["n", "kept", "named"]
    assert table.loc["All patients"].tolist() == pytest.approx([6, (0.75 + 0.25 + 0.75 + 1 / 3 + 1 + 1 / 3) / 6, 0.5])
    assert table["n"].tolist() == [6, 2, 2, 2]


def test_a_patient_counts_to_the_overlap_of_the_arm_that_they_had_the_least_chance_of():
    table = narrowed()  # the first two hardly had a chance of the injection that they may have
    assert table.loc["Least overlap", "kept"] == pytest.approx(0.5) and table.loc["Most overlap", "named"] == 0.5


def test_against_the_truth_the_best_arm_is_looked_for_among_the_eligible_and_ties_count_as_right():
    truth = pd.DataFrame({"usual_care": 0.4, "hip": [0.5, 0.5, 0.4, 0.5, 0.4, 0.4], "orthotic": [0.5, 0.6] * 3,
                          "injection": [0.1, 0.1, 0.9, 0.9, 0.9, 0.9]})  # fmt: skip
    table = narrowed(truth)
    # patients 0, 4 keep their best arm; 1, 3, 5 lose orthotic; 2 loses the injection
    assert table.loc["All patients", "best_kept"] == pytest.approx(2 / 6)
    assert table.loc["All patients", "right"] == 0
    assert narrowed(truth.assign(orthotic=0.5)).loc["All patients", "right"] == pytest.approx(2 / 3)


def test_where_no_preference_is_named_none_can_be_right():
    every = pd.DataFrame({name: [True] * 6 for name in NAMES})
    table = preference_table(every, ["none"] * 6, every, every * 0.25, every * 0.5).set_index("patients")
    assert table.loc["All patients", "kept"] == 1 and table.loc["All patients", "named"] == 0
    assert np.isnan(table.loc["All patients", "right"])
