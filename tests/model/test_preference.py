"""The preference: named only where the gate is passed and every other open pathway is shown to be worse."""

import numpy as np
import pytest

from pfps_ml.domain.dictionary import ARMS
from pfps_ml.model.preference import NONE, RIVALS, Comparison, Gate, Reason, Rival, preference_message, preferences

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


def test_the_message_says_which_or_why_none():
    preferred = preference_message(["hip"], "hip", gate())
    assert (preferred.code, preferred.parameters) == (Reason.PREFERRED, {"arm": "hip"})
    assert preferred.text.startswith("Hip strengthening: likelier to succeed")
    overlap = preference_message(["usual_care", "hip", "orthotic"], None, gate())
    assert (overlap.code, overlap.parameters) == (Reason.INTERVALS_OVERLAP, {"arms": ["usual_care", "hip", "orthotic"]})
    assert "intervals of Usual care, Hip strengthening and Foot orthoses overlap" in overlap.text
    failed = preference_message(["usual_care", "hip"], None, gate(0.01, 0.3, 0.2))
    assert (failed.code, failed.parameters) == (Reason.GATE_FAILED, {"rivals": ["one_difference", "one_odds_ratio"]})
    assert Rival.ONE_DIFFERENCE.label in failed.text and Rival.ONE_ODDS_RATIO.label in failed.text
    assert Rival.ZERO_EFFECT.label not in failed.text
    assert preference_message(["usual_care", "hip"], None, None).code == Reason.NOT_JUDGED


def test_every_message_without_a_preferred_arm_says_so_first():
    for verdict in (None, gate(), gate(0.01, 0.3, 0.2)):
        assert preference_message(["usual_care", "hip"], None, verdict).text.startswith("No clear preference: ")
