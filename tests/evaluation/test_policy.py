import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import CohortError
from pfps_ml.domain.dictionary import REFERENCE_ARM
from pfps_ml.evaluation.policy import AS_TREATED, BEST, policy_regret, policy_values, simple_policies
from tests.evaluation.clinics import NAMES, world


def judged(found, outcome=None):
    own = found.patients
    choices = simple_policies(own.outcome if outcome is None else outcome, own.eligible)
    return policy_values(own.y, found.scores, choices, own.groups).set_index("policy"), choices


def test_the_best_arm_is_chosen_among_the_eligible_and_rules_fall_back_on_usual_care():
    outcome = pd.DataFrame({"usual_care": [0.4, 0.4, 0.4], "hip": [0.5, 0.3, 0.4], "orthotic": [0.4, 0.3, 0.4],
                            "injection": [0.9, 0.9, 0.3]})  # fmt: skip
    eligible = pd.DataFrame({name: [True] * 3 for name in NAMES}).assign(injection=[False, True, True])
    found = simple_policies(outcome, eligible)
    assert list(found) == [BEST, *NAMES]
    assert list(found[BEST]) == ["hip", "injection", REFERENCE_ARM]  # a tie goes to the arm named first
    assert list(found["injection"]) == [REFERENCE_ARM, "injection", "injection"]
    assert list(found["hip"]) == ["hip"] * 3


def test_values_of_policies_hold_the_truth_and_are_not_misled_by_who_got_what():
    found = world(20_000, slope=0.3)
    table, choices = judged(found)
    at = np.arange(20_000)
    for policy, chosen in choices.items():
        true = found.truth[NAMES].to_numpy()[at, [NAMES.index(each) for each in chosen]].mean()
        assert table.loc[policy, "low"] <= true <= table.loc[policy, "high"], policy
    assert table.loc[AS_TREATED, "value"] == pytest.approx(found.patients.y.mean())
    assert table.loc[REFERENCE_ARM, "lead_low"] > 0.05  # hip work for those with the trait is worth a lot
    assert table.loc[BEST, ["lead", "lead_low", "lead_high"]].tolist() == [0, 0, 0]


@pytest.mark.slow
def test_intervals_of_values_and_leads_cover_the_truth_about_95_times_in_100():
    hits = np.zeros(2)
    for repeat in range(150):
        found = world(500, f"coverage {repeat}", slope=0.3)
        table, choices = judged(found)
        best = found.truth[NAMES].to_numpy()[np.arange(500), [NAMES.index(each) for each in choices[BEST]]].mean()
        lead = best - found.truth[REFERENCE_ARM].mean()
        row, usual = table.loc[BEST], table.loc[REFERENCE_ARM]
        hits += row["low"] <= best <= row["high"], usual["lead_low"] <= lead <= usual["lead_high"]
    assert (hits / 150 > 0.89).all() and (hits / 150 < 0.995).all()


def test_regret_is_what_the_best_eligible_arm_would_add():
    found = world(2_000, slope=0.3)
    _, choices = judged(found)
    table = policy_regret(choices, found.truth, found.patients.eligible).set_index("policy")
    assert table.loc[BEST, ["regret", "share", "right"]].tolist() == pytest.approx([0, 1, 1])
    assert table.loc[REFERENCE_ARM, "share"] == 0 and table.loc[REFERENCE_ARM, "regret"] > 0.05
    best = table.loc[BEST, "value"]
    assert (table["value"] + table["regret"]).to_numpy() == pytest.approx(best)


def test_unknown_arms_are_refused_and_not_echoed():
    found = world(50)
    with pytest.raises(CohortError, match="got 50 others") as told:
        policy_values(found.patients.y, found.scores, {"x": np.repeat("a secret", 50)}, found.patients.groups)
    assert "secret" not in str(told.value)
