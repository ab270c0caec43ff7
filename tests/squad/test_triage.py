"""Triage: who is seen first, what that reaches, and when the model is not worth using."""

import numpy as np
import pytest

from pfps_ml.squad.forecast import triage


def of(*risks, flags=1, price=0.1, risk=None):
    chances = np.array([risks, risks])
    return triage(np.array(risks if risk is None else risk), chances, flags, price)


def test_those_of_highest_risk_are_seen_first():
    assert of(0.1, 0.4, 0.2, 0.3, flags=2).first.tolist() == [1, 3]


def test_cases_are_caught_or_missed():
    found = of(0.1, 0.4, 0.2, 0.3, flags=2)
    assert found.caught == pytest.approx(0.7)
    assert found.missed == pytest.approx(0.3)


def test_the_list_is_held_against_drawing_lots():
    found = of(0.1, 0.4, 0.2, 0.3, flags=2)
    assert found.by_lot == pytest.approx(0.5)
    assert found.gain == pytest.approx(0.2)


def test_net_benefit_counts_cases_found_less_the_price_of_the_others_seen():
    found = of(0.5, 0.1, price=0.2)
    assert found.benefit == pytest.approx({"list": 0.5 - 0.25 * 0.5, "everybody": 0.6 - 0.25 * 1.4, "nobody": 0.0})


def test_the_list_is_best_between_the_risk_of_the_others_and_that_of_those_seen(subtests):
    for price, best in [(0.05, "everybody"), (0.2, "list"), (0.6, "nobody")]:
        with subtests.test(price=price, best=best):
            found = of(0.5, 0.1, price=price)
            assert (found.from_share, found.to_share) == pytest.approx((0.1, 0.5))
            assert found.best == best
            assert found.is_worth_it == (best == "list")


def test_where_all_risks_are_the_same_the_model_is_not_worth_using():
    found = of(0.2, 0.2, 0.2, price=0.2)
    assert found.gain == pytest.approx(0.0)
    assert found.best == "nobody"  # of equals the simpler
    assert not found.is_worth_it


def test_a_list_that_beats_lots_by_less_than_a_tenth_of_a_case_is_not_worth_it():
    found = of(0.15, 0.05, price=0.1)
    assert found.best == "list"
    assert found.gain == pytest.approx(0.05)
    assert not found.is_worth_it
