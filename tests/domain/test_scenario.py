"""The scenarios: what each may hold, how it is read, and how it is drawn from what the evidence leaves open."""

import re
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.domain.scenario import HOME, PARTS, differences, ledger, load_scenario, parse_scenario, scenario_names

CHILDREN = [name for name in scenario_names() if load_scenario(name).parent]
ROW = next(iter(ledger()))
GOOD = {"reads": {}, "value": 0.5, "interval": [0.4, 0.6], "unit": "%", "rows": [ROW], "how": "as published"}


def parameters_of(scenario):
    return [(part, parameter) for part in PARTS for parameter in getattr(scenario, part).values()]


def scenario_with(**parameters):
    return {"title": "A test", "horizon_months": 12, "runners": parameters}


def refusal_of(content, parent=None):
    with pytest.raises(FactError) as refused:
        parse_scenario("test", content, parent)
    return str(refused.value)


# what comes with the product


def test_the_scenarios_of_the_design_come_with_the_product():
    expected = {"reference", "pooled", "kinetic_chain", "null", "null_large", "novice_10w", "school_season"}
    assert set(scenario_names()) == expected


def test_every_parameter_cites_the_ledger_or_says_assumption_and_tells_how(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            for _, parameter in parameters_of(load_scenario(name)):
                assert parameter.assumption or any(ledger()[row].estimate for row in parameter.rows), parameter.name
                assert set(parameter.rows) <= set(ledger())
                assert parameter.how
                assert parameter.low <= parameter.value <= parameter.high


def test_every_ledger_row_that_is_named_in_a_scenario_file_exists(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            text = (HOME / f"{name}.toml").read_text(encoding="utf-8")
            assert set(re.findall(r"\b[GS]\d+-\d+\b", text)) <= set(ledger())


def test_a_child_holds_only_what_differs_from_its_parent(subtests):
    for name in CHILDREN:
        with subtests.test(name=name):
            child = load_scenario(name)
            parent = load_scenario(child.parent)
            own = [(part, parameter) for part, parameter in parameters_of(child) if parameter.origin == name]
            assert own
            for part, parameter in own:
                # what is not replaced for the patients is taken from the runners
                before = getattr(parent, part).get(parameter.name, child.runners.get(parameter.name))
                numbers = [(each.value, each.low, each.high, each.marginal) for each in (parameter, before)]
                assert numbers[0] != numbers[1], f"{part}.{parameter.name}"


# reading a scenario


def test_a_parameter_is_read_with_its_interval_unit_rows_and_arithmetic():
    parameter = parse_scenario("test", scenario_with(share=GOOD)).runners["share"]
    assert (parameter.name, parameter.value, parameter.low, parameter.high) == ("share", 0.5, 0.4, 0.6)
    assert (parameter.unit, parameter.rows, parameter.how) == ("%", (ROW,), "as published")
    assert (parameter.assumption, parameter.marginal, parameter.origin) == (False, False, "test")


def test_a_parameter_of_which_no_spread_is_known_is_its_own_interval():
    content = scenario_with(sd={"value": 2, "assumption": True, "how": "a guess"})
    parameter = parse_scenario("test", content).runners["sd"]
    assert parameter.low == parameter.value == parameter.high == 2.0
    assert parameter.assumption
    assert not parameter.rows


def test_a_parameter_that_breaks_a_rule_is_refused_by_name(subtests):
    for raw, words in [
        (GOOD | {"rows": []}, "runners.share: expected `rows` of the ledger or `assumption = true`, got neither"),
        (GOOD | {"rows": ["G9-99"]}, "runners.share: row 'G9-99' is not in the ledger"),
        (GOOD | {"value": 0.7}, "runners.share: expected a value inside its interval, got 0.7 and [0.4, 0.6]"),
        (GOOD | {"value": float("nan")}, "runners.share: expected a value inside its interval"),
        (GOOD | {"interval": [0.6, 0.4]}, "runners.share: expected an interval from low to high, got [0.6, 0.4]"),
        (GOOD | {"how": ""}, "runners.share: expected `how`"),
        (GOOD | {"valeu": 0.5}, "runners.share: unknown key 'valeu'"),
        (GOOD | {"value": "half"}, "runners.share: expected `value = number`"),
        (GOOD | {"value": None}, "runners.share: expected `value = number`"),
        (GOOD | {"interval": [0.4]}, "runners.share: expected `value = number`"),
        (GOOD | {"interval": 0.4}, "runners.share: expected `value = number`"),
        (0.5, "runners.share: expected { value = ..., rows = [...], how = ... }, got 0.5"),
    ]:
        with subtests.test(raw=raw, words=words):
            message = refusal_of(scenario_with(share=raw))
            assert message.startswith("scenario 'test' is not usable")
            assert words in message


def test_a_part_that_is_no_table_is_refused():
    assert "runners: expected a table of parameters, got 3" in refusal_of(scenario_with() | {"runners": 3})


def test_a_parameter_that_the_parent_does_not_know_is_refused():
    message = refusal_of(scenario_with(onset_hip_weaknes=GOOD), load_scenario("reference"))
    assert "runners.onset_hip_weaknes: unknown to its parent 'reference'" in message


def test_patients_may_replace_what_the_parent_knows_of_runners_alone():
    content = scenario_with() | {"patients": {"novice_share": GOOD}}
    child = parse_scenario("test", content, load_scenario("reference"))
    assert child.patients["novice_share"].value == 0.5
    assert child.runners["novice_share"] == load_scenario("reference").runners["novice_share"]
    assert child.parent == "reference"


def test_all_faults_of_a_scenario_are_told_at_once():
    content = scenario_with(one=GOOD | {"rows": []}, two=GOOD | {"value": 1}, onset_fpi=GOOD | {"interval": [0.6, 0.4]})
    content |= {"patients": {"three": {}}, "clubs": 1, "title": ""}
    message = refusal_of(content, load_scenario("reference"))
    for words in (
        "runners.one: unknown to its parent",
        "runners.one: expected `rows`",
        "runners.two: unknown to its parent",
        "runners.two: expected a value inside",
        "runners.onset_fpi: expected an interval from low to high",
        "patients.three: unknown to its parent",
        "patients.three: expected `value = number`",
        "clubs: not a part",
        "`title` (text)",
    ):
        assert words in message


def test_a_scenario_without_title_or_horizon_is_refused(subtests):
    wrong = ("12", True, float("inf"), float("nan"))
    tops = [{"title": "A test"}, {"horizon_months": 12}, {"title": 5, "horizon_months": 12}]
    for top in [*tops, *({"title": "x", "horizon_months": months} for months in wrong)]:
        with subtests.test(top=top):
            assert "`horizon_months` (a number above 0)" in refusal_of(top)


def test_an_unknown_scenario_is_answered_with_those_that_exist():
    with pytest.raises(FactError, match=r"expected a scenario \(.*reference.*\), got 'refrence'"):
        load_scenario("refrence")


def test_parents_that_go_in_a_circle_are_refused(tmp_path):
    for child, parent in pairwise(("one", "two", "three", "one")):
        (tmp_path / f"{child}.toml").write_text(f'parent = "{parent}"\n')
    assert scenario_names(tmp_path) == ["one", "three", "two"]
    with pytest.raises(FactError, match="got a circle: one -> two -> three -> one"):
        load_scenario("one", tmp_path)


def test_a_parent_that_is_not_there_is_refused_with_the_name_of_its_child(tmp_path):
    (tmp_path / "one.toml").write_text('parent = "zero"\n')
    with pytest.raises(FactError, match=r"expected a scenario \(one\), got 'zero', the parent of 'one'"):
        load_scenario("one", tmp_path)


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe"])
def test_a_scenario_file_that_is_no_toml_is_refused(tmp_path, content):
    (tmp_path / "one.toml").write_bytes(content)
    with pytest.raises(FactError, match="expected TOML in the scenario 'one'"):
        load_scenario("one", tmp_path)


def test_differences_name_the_part_and_give_both_parameters():
    found = {name: pair for name, *pair in differences(load_scenario("reference"), load_scenario("novice_10w"))}
    before, after = found["runners.onset_base_rate"]
    assert (before.value, after.value) == (0.05, 0.17)
    assert found["patients.novice_share"][0] is None
    assert not differences(load_scenario("reference"), load_scenario("reference"))


# drawing from what the evidence leaves open


def test_no_draw_of_a_share_is_beyond_0_and_1(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            inside = [p for _, p in parameters_of(load_scenario(name)) if p.low > 0 and p.high < 1]
            shares = [p for p in inside if not p.name.startswith(("onset_", "success_", "modifier_"))]
            assert len(shares) > 20
            for p in [*shares, load_scenario(name).runners["onset_base_rate"]]:
                assert p.at(0.0001) > 0, p.name
                assert p.at(0.9999) < 1 or "sd" in p.name or "log" in p.name, p.name


def quantiles(scenario, seed, draws):
    return np.array([list(scenario.values(seed, draw)["runners"].values()) for draw in draws])


def test_draws_are_reproducible_and_depend_on_seed_and_number_alone():
    scenario = load_scenario("reference")
    assert scenario.values(3, 7) == scenario.values(3, 7)
    assert scenario.values(3, 7) != scenario.values(3, 8) != scenario.values(4, 8)
    only = replace(scenario, runners={"onset_fpi": scenario.runners["onset_fpi"]})
    assert only.values(3, 7)["runners"]["onset_fpi"] == scenario.values(3, 7)["runners"]["onset_fpi"]


def test_draw_0_is_the_point_values():
    scenario = load_scenario("reference")
    assert scenario.values(3, 0)["runners"] == {name: p.value for name, p in scenario.runners.items()}


@pytest.mark.slow
def test_parameters_are_drawn_independently_of_each_other():
    drawn = quantiles(load_scenario("reference"), 1, range(1, 501))
    moving = drawn[:, drawn.std(axis=0) > 1e-9]
    found = np.corrcoef(moving, rowvar=False)[np.triu_indices(moving.shape[1], 1)]
    assert np.abs(found).max() < 0.25  # the largest of some thousand pairs, each with a standard error of 0.045
    assert abs(found.mean()) < 0.005


def doubled(parameter):
    """Return the parameter with an interval twice as wide on its scale."""
    if parameter.low == parameter.high:
        return parameter
    low, high = (parameter.at(NormalDist().cdf(2 * NormalDist().inv_cdf(q))) for q in (0.025, 0.975))
    return replace(parameter, low=low, high=high)


def test_doubling_all_intervals_widens_what_is_drawn():
    scenario = load_scenario("reference")
    wide = replace(scenario, runners={name: doubled(p) for name, p in scenario.runners.items()})
    before, after = (quantiles(each, 1, range(1, 41)).std(axis=0) for each in (scenario, wide))
    drawn = before > 1e-9
    assert (after[drawn] > 1.4 * before[drawn]).all()
    assert (after[~drawn] < 1e-9).all()
