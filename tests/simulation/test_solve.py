"""Solving: a scenario that no world can meet is refused in words, and a value that nobody reads cannot be written."""

from dataclasses import replace
from math import log

import pytest

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError
from pfps_ml.domain.scenario import load_scenario, parse_scenario
from pfps_ml.simulation.cohort import solve, solved_parameters
from pfps_ml.simulation.study_figures import Sample, adolescents, adults, odds_ratio_per_sd
from pfps_ml.simulation.trials import place

REFERENCE = load_scenario("reference")


def child(part, name, value, **top):
    content = {"title": "A child", part: {name: {"value": value, "assumption": True, "how": "a test"}}, **top}
    return parse_scenario("child", content, REFERENCE)


def test_a_share_that_no_world_can_have_is_refused(subtests):
    cases = [
        ("runners", "onset_base_rate", 0.0), ("runners", "onset_base_rate", 1.2), ("patients", "success_hip", 1.0),
        ("patients", "success_usual_care", -0.1), ("patients", "failed_care_share", 1.0),
    ]  # fmt: skip
    for part, name, value in cases:
        with subtests.test(part=part, name=name, value=value):
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


def test_a_value_of_another_type_is_refused(subtests):
    for raw in [{"rows": "G3-05"}, {"rows": 3}, {"how": 3}, {"value": True}]:
        with subtests.test(raw=raw):
            content = {"value": 0.1, "assumption": True, "how": "a test", **raw}
            with pytest.raises(FactError, match="another type"):
                parse_scenario("child", {"title": "A child", "runners": {"onset_fpi": content}}, REFERENCE)


@pytest.mark.parametrize(("part", "name"), [("runners", "onset_male"), ("patients", "success_akps")])
def test_a_marginal_effect_that_is_not_solved_jointly_is_refused(part, name):
    content = {"value": 0.1, "assumption": True, "marginal": True, "how": "a test"}
    scenario = parse_scenario("child", {"title": "A child", part: {name: content}}, REFERENCE)
    with pytest.raises(FactError, match=rf"got it at {part}\.{name}"):
        solve(scenario)


def alone_among(young, scenario):
    """Return the log odds ratio of onset per SD of a weaker hip as measured, taken alone, among some runners."""
    frame = Sample(CohortConfig(scenario=scenario, runners=100_000)).runners
    return -log(odds_ratio_per_sd(adolescents(frame) if young else adults(frame), "hip_abduction_nm_kg"))


def test_the_hips_effect_taken_alone_is_the_published_one_at_either_age(subtests):
    for scenario, young, name in [
        ("reference", True, "onset_hip_weakness_adolescent"),
        ("school_season", True, "onset_hip_weakness_adolescent"),
        ("reference", False, "onset_hip_weakness"),
    ]:
        with subtests.test(scenario=scenario, young=young, name=name):
            said = load_scenario(scenario).runners[name]
            assert said.marginal
            assert alone_among(young, scenario) == pytest.approx(said.value, abs=0.05)


def test_where_adolescents_are_told_the_same_as_adults_the_same_acts_on_them():
    p = solved_parameters("kinetic_chain")[0]
    assert p.onset_hip_weakness_adolescent == pytest.approx(p.onset_hip_weakness, rel=1e-9)
    assert alone_among(True, "kinetic_chain") == pytest.approx(alone_among(False, "kinetic_chain"), abs=0.05)


def test_an_effect_that_is_not_marginal_acts_as_it_stands_and_the_others_are_solved_beside_it():
    given = replace(REFERENCE.runners["onset_fppa"], marginal=False)
    scenario = replace(REFERENCE, runners={**REFERENCE.runners, "onset_fppa": given})
    found, joint = solve(scenario)[0], solve(REFERENCE)[0]
    assert found.onset_fppa == given.value != joint.onset_fppa
    squat = replace(given, value=joint.onset_fppa)
    again = solve(replace(REFERENCE, runners={**REFERENCE.runners, "onset_fppa": squat}))[0]
    assert again.onset_hip_weakness == pytest.approx(joint.onset_hip_weakness, rel=1e-9)
    assert again.onset_hip_weakness_adolescent == pytest.approx(joint.onset_hip_weakness_adolescent, rel=1e-9)


def test_equal_values_count_half_even_when_they_differ_in_the_last_bit():
    import numpy as np

    assert place(np.array([0.3, 0.3]), 0.1 + 0.2).percentile == 50
