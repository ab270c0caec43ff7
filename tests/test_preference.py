"""The preference: named only where the gate is passed and every other open pathway is shown to be worse."""

import numpy as np
import pytest

from pfps_ml.knowledge.dictionary import ARMS
from pfps_ml.learning.gate import RIVALS, Comparison, Gate
from pfps_ml.preference import NO_PREFERENCE, NONE, NOT_GATED, preference_text, preferences

USUAL, HIP, ORTHOTIC, INJECTION = range(len(ARMS))


def gate(*p):
    return Gate(tuple(Comparison(name, 0.01, 0.004, each) for name, each in zip(RIVALS, p or (0.01,) * 3, strict=True)))


def of_one(pairs, closed=(), verdict=None):
    better = np.zeros((len(ARMS), len(ARMS), 1), dtype=bool)
    for first, second in pairs:
        better[first, second] = True
    eligible = np.array([[at not in closed] for at in range(len(ARMS))])
    found = preferences(better, eligible, verdict or gate())
    return np.flatnonzero(found.acceptable[:, 0]).tolist(), int(found.preferred[0])


def test_an_arm_is_preferred_if_every_other_open_one_is_shown_to_be_worse():
    assert of_one([(HIP, USUAL), (HIP, ORTHOTIC)], closed=[INJECTION]) == ([HIP], HIP)
    assert of_one([(HIP, USUAL), (HIP, ORTHOTIC)]) == ([HIP, INJECTION], NONE)


def test_any_two_arms_are_compared_and_not_only_with_usual_care():
    assert of_one([(HIP, ORTHOTIC)]) == ([USUAL, HIP, INJECTION], NONE)
    assert of_one([(USUAL, HIP), (USUAL, ORTHOTIC), (USUAL, INJECTION)]) == ([USUAL], USUAL)


def test_an_arm_that_is_closed_makes_no_other_unacceptable():
    assert of_one([(INJECTION, USUAL), (INJECTION, HIP)], closed=[INJECTION]) == ([USUAL, HIP, ORTHOTIC], NONE)


@pytest.mark.parametrize("verdict", [gate(0.01, 0.01, 0.2), None])
def test_without_a_passed_gate_every_open_arm_stays_and_none_is_preferred(verdict):
    better = np.ones((len(ARMS), len(ARMS), 2), dtype=bool)
    eligible = np.array([[True, True], [True, True], [True, True], [True, False]])
    found = preferences(better, eligible, verdict)
    np.testing.assert_array_equal(found.acceptable, eligible)
    assert found.preferred.tolist() == [NONE, NONE]


def test_the_text_says_which_or_why_none():
    assert preference_text(["hip"], "hip", gate()).startswith("Hip strengthening: likelier to succeed")
    overlap = preference_text(["usual_care", "hip", "orthotic"], None, gate())
    assert overlap.startswith(NO_PREFERENCE)
    assert "intervals of Usual care, Hip strengthening and Foot orthoses overlap" in overlap
    failed = preference_text(["usual_care", "hip"], None, gate(0.01, 0.3, 0.2))
    assert RIVALS["one_difference"] in failed and RIVALS["one_odds_ratio"] in failed
    assert RIVALS["zero_effect"] not in failed
    assert preference_text(["usual_care", "hip"], None, None) == NOT_GATED
