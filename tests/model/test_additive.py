"""The additive model: tables that say exactly what their sources say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from pfps_ml.core.errors import BundleFormat
from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import AdditiveModel, Line, Pair, Step, add, codes, from_json, probability, stack, to_json

NAN = np.nan


def model(members: int = 2, seed: int = 1) -> AdditiveModel:
    draw = generator(seed, "tables").normal
    return AdditiveModel(
        draw(size=members),
        (
            Line("a", np.array([0.0, 1.0, 3.0]), draw(size=(4, members))),
            Step("b", np.array([1.0, 2.0]), draw(size=(4, members))),
            Pair(("a", "b"), (np.array([0.5]), np.array([1.0, 2.0])), draw(size=(3, 4, members))),
        ),
    )


ROWS = pd.DataFrame({"a": [0.0, 0.5, 0.50001, 2.0, 9.0, NAN, NAN], "b": [1.0, 1.0000001, 2.0, 2.1, NAN, 0.0, NAN]})


def test_a_bin_is_open_below_and_closed_above():
    assert codes(np.array([-9, 1.0, 1.1, 2.0, 2.1, NAN]), np.array([1.0, 2.0])).tolist() == [0, 0, 1, 1, 2, 3]


def test_a_line_is_straight_between_knots_constant_beyond_and_has_its_own_missing():
    line = Line("a", np.array([0.0, 2.0]), np.array([[1.0], [5.0], [-7.0]]))
    found = line.evaluate(pd.DataFrame({"a": [-1, 0, 0.5, 2, 50, NAN]}))[:, 0]
    assert found.tolist() == [1, 1, 2, 5, 5, -7]


def test_the_margin_is_the_intercept_and_the_sum_of_the_terms():
    found = model()
    by_hand = found.intercept + sum(term.evaluate(ROWS) for term in found.terms)
    np.testing.assert_allclose(found.margin(ROWS), by_hand, rtol=0, atol=1e-15)


def test_members_lie_side_by_side():
    found = model(3)
    for index in range(3):
        np.testing.assert_array_equal(found.member(index).margin(ROWS)[:, 0], found.margin(ROWS)[:, index])
    together = stack([found.member(index) for index in range(3)])
    np.testing.assert_array_equal(together.margin(ROWS), found.margin(ROWS))


def test_calibration_folds_into_the_tables():
    found = model()
    np.testing.assert_allclose(found.scaled(0.7, -0.2).margin(ROWS), 0.7 * found.margin(ROWS) - 0.2, atol=1e-14)


def test_two_models_add_up():
    one, two = model(seed=1), model(seed=2)
    np.testing.assert_allclose(add(one, two).margin(ROWS), one.margin(ROWS) + two.margin(ROWS), atol=1e-14)


def test_a_change_is_the_difference_of_two_margins(subtests):
    for field in ["a", "b"]:
        for value in [0.3, 1.7, NAN]:
            with subtests.test(field=field, value=value):
                found = model()
                expected = found.margin(ROWS.assign(**{field: value})) - found.margin(ROWS)
                np.testing.assert_allclose(found.change(ROWS, field, value), expected, atol=1e-14)


def test_a_model_without_terms_answers_its_intercept():
    assert AdditiveModel(np.array([0.5]), ()).margin(ROWS).tolist() == [[0.5]] * len(ROWS)


def test_a_model_comes_back_from_json_bit_for_bit():
    found = model().rounded(8)
    again = from_json(to_json(found))
    np.testing.assert_array_equal(again.margin(ROWS), found.margin(ROWS))
    assert again.fields == ("a", "b")


def test_a_spoilt_table_is_refused(subtests):
    for spoil in [
        lambda m: m.pop("intercept"),
        lambda m: m.update(link="probit"),
        lambda m: m["terms"][0].update(type="neural"),
        lambda m: m["terms"][0]["values"].pop(),
        lambda m: m["terms"][1].update(cuts=[2.0, 1.0]),
        lambda m: m["terms"][2]["values"][0].pop(),
        lambda m: m["terms"][1]["values"][0].__setitem__(0, float("nan")),
        lambda m: m.update(intercept=[0.0]),
        lambda m: m.update(terms=3),
        lambda m: m["terms"][1].update(cuts=[]),
        lambda m: m["terms"][1].update(type="neural"),
        lambda m: m["terms"][0].update(knots=[0.0], values=[[1.0, 1.0], [2.0, 2.0]]),
    ]:
        with subtests.test(spoil=spoil):
            content = to_json(model())
            spoil(content)
            with pytest.raises(BundleFormat):
                from_json(content)


@given(st.lists(st.floats(-700, 700), min_size=1))
def test_probabilities_stay_between_zero_and_one_and_rise(margins):
    found = probability(np.sort(np.array(margins)))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()
