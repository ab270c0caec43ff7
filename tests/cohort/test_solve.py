"""Solving: a scenario that no world can meet is refused in words, and a value that nobody reads cannot be written."""

from dataclasses import replace

import pytest

from pfps_ml.cohort.solve import solve
from pfps_ml.cohort.trials import place
from pfps_ml.errors import FactError
from pfps_ml.knowledge.scenario import load_scenario, parse_scenario

REFERENCE = load_scenario("reference")


def child(part, name, value, **top):
    content = {"title": "A child", part: {name: {"value": value, "assumption": True, "how": "a test"}}, **top}
    return parse_scenario("child", content, REFERENCE)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("runners", "onset_base_rate", 0.0), ("runners", "onset_base_rate", 1.2), ("patients", "success_hip", 1.0),
     ("patients", "success_usual_care", -0.1), ("patients", "failed_care_share", 1.0)],
)  # fmt: skip
def test_a_share_that_no_world_can_have_is_refused(part, name, value):
    with pytest.raises(FactError, match="above 0 and below 1"):
        child(part, name, value)
    parameters = getattr(REFERENCE, part)
    drawn = replace(REFERENCE, **{part: {**parameters, name: replace(parameters[name], value=value)}})
    with pytest.raises(FactError, match="no intercept gives its figures"):
        solve(drawn)


@pytest.mark.parametrize(("part", "name"), [("runners", "modifier_hip_weakness"), ("patients", "onset_fpi")])
def test_a_parameter_in_the_part_that_does_not_read_it_is_refused(part, name):
    with pytest.raises(FactError, match="unknown to its parent"):
        child(part, name, 0.5)


@pytest.mark.parametrize("horizon", [0, -3])
def test_a_horizon_that_is_not_above_zero_is_refused(horizon):
    with pytest.raises(FactError, match="above 0"):
        child("runners", "onset_fpi", 0.1, horizon_months=horizon)


@pytest.mark.parametrize("raw", [{"rows": "G3-05"}, {"rows": 3}, {"how": 3}, {"value": True}])
def test_a_value_of_another_type_is_refused(raw):
    content = {"value": 0.1, "assumption": True, "how": "a test", **raw}
    with pytest.raises(FactError, match="another type"):
        parse_scenario("child", {"title": "A child", "runners": {"onset_fpi": content}}, REFERENCE)


def test_equal_values_count_half_even_when_they_differ_in_the_last_bit():
    import numpy as np

    assert place(np.array([0.3, 0.3]), 0.1 + 0.2).percentile == 50
