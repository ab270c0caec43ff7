"""One parameter: what it may cite, what it is read off, which values its name allows, and how it is drawn."""

import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.domain.scenario import (
    PARTS,
    Parameter,
    ledger,
    load_scenario,
    parse_scenario,
    published_interval,
    scenario_names,
)


def parameters_of(scenario):
    return [parameter for part in PARTS for parameter in getattr(scenario, part).values()]


def scenario_with(**parameters):
    return {"title": "A test", "horizon_months": 12, "runners": parameters}


def refusal_of(content):
    with pytest.raises(FactError) as refused:
        parse_scenario("test", content)
    return str(refused.value)


# what comes with the product


def test_what_is_only_told_to_patients_or_recalled_from_memory_is_never_evidence(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            for parameter in parameters_of(load_scenario(name)):
                rows = [ledger()[row] for row in parameter.rows]
                read = [
                    row
                    for row in rows
                    if row.grade != "patient-facing claim" and "memory" not in f"{row.grade} {row.note}"
                ]
                assert parameter.assumption or read, parameter.name


def test_a_third_of_the_parameters_that_rest_on_evidence_are_read_off_a_row_and_held_to_its_interval():
    own = [p for name in scenario_names() for p in parameters_of(load_scenario(name)) if p.origin == name]
    cited = [p for p in own if p.rows and not p.assumption]
    read = [p for p in cited if p.reads]
    assert len(read) == sum(bool(p.reads) for p in own) == 40  # an assumption reads nothing
    assert len(read) > len(cited) / 3  # the others are combined, shrunk or middles: `how` says so


def test_a_parameter_of_one_row_with_an_interval_in_its_own_unit_reads_it(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            # less than half of it; lowered; per another unit of time; weeks from a risk ratio; shrunk; the others
            derived = {"onset_prior_pfps", "prior_pfps_male", "akps_per_duration_sd", "lead_orthotic",
                       "relapse_exercise", "dropout_log_odds"}  # fmt: skip
            for p in parameters_of(load_scenario(name)):
                alone = len(p.rows) == 1 and not p.assumption and bool(ledger()[p.rows[0]].ci_low)
                assert not alone or p.reads or p.name in derived, p.name


def test_whatever_a_parameter_reads_is_its_unit_and_its_own_interval_overlaps(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            for p in parameters_of(load_scenario(name)):
                for row, reading in p.reads.items():
                    low, high = published_interval(row, reading)
                    assert max(low, p.low) <= min(high, p.high) + 1e-9, (p.name, row)


# what a value is held to


READ = {"rows": ["G2-37"], "how": "as published", "reads": {}}


def test_a_value_outside_the_interval_of_the_row_that_it_reads_is_refused(subtests):
    for reads, value, span in [
        ({"G2-37": "log"}, 0.73, "G2-37 (1.31 to 2.05 hazard rate ratio, read 'log': 0.27 to 0.7178), got 0.73"),
        ({"G2-37": "as is"}, 0.5, "G2-37 (1.31 to 2.05 hazard rate ratio, read 'as is': 1.31 to 2.05), got 0.5"),
        ({"G1-19": "-log"}, 0.8, "G1-19 (1.19 to 4.2 rate ratio, read '-log': -1.435 to -0.174), got 0.8"),
        ({"G4-26": "percent"}, 50.0, "G4-26 (40.0 to 60.0 %, read 'percent': 0.4 to 0.6), got 50"),
        ({"G2-03": "negative"}, 0.21, "G2-03 (-0.09 to -0.20 SMD, read 'negative': 0.09 to 0.2), got 0.21"),
        ({"G3-07": "as is"}, 38.1, "G3-07 (38.0 years, read 'as is': 38 to 38), got 38.1"),
        ({"G3-07": "sd"}, 38.0, "G3-07 (38.0 years, read 'sd': 10.1 to 10.1), got 38"),
        ({"G4-63": "log"}, -0.07, "G4-63 (-0.1 to -0.03 AKPS points, read 'log': nan to nan), got -0.07"),
    ]:
        with subtests.test(reads=reads, value=value, span=span):
            raw = {"value": value, "rows": list(reads), "reads": reads, "how": "as published"}
            assert f"runners.effect: expected a value inside the interval of {span}" in refusal_of(
                scenario_with(effect=raw)
            )


@pytest.mark.parametrize("rows", [["G1-19"], ["G1-30", "G1-19"]])
def test_a_value_that_cites_an_interval_says_how_it_is_read_off_it_or_that_it_is_not(rows):
    raw = {"value": 5, "rows": rows, "how": "as published"}
    message = refusal_of(scenario_with(onset_male=raw))
    assert "runners.onset_male: expected `reads`: how the value is read off G1-19, with the interval there" in message
    for said in ({"reads": {}}, {"assumption": True}):
        assert parse_scenario("test", scenario_with(onset_male=raw | said)).runners["onset_male"].value == 5


def test_an_interval_does_not_excuse_a_value_outside_the_row():
    raw = READ | {"value": 2.0, "interval": [0.2, 3.0], "reads": {"G2-37": "log"}}
    assert "inside the interval of G2-37" in refusal_of(scenario_with(effect=raw))


def test_a_reading_that_does_not_exist_or_of_a_row_that_is_not_cited_or_holds_no_such_number_is_refused(subtests):
    for reads in ["log", {"G2-37": "ln"}, {"G2-37": ["log"]}, {"G2-37": "log", "G2-38": "log"}, {"G2-37": "sd"}]:
        with subtests.test(reads=reads):
            message = refusal_of(scenario_with(effect=READ | {"value": 0.5, "reads": reads}))
            assert "runners.effect: expected `reads" in message


def test_a_value_that_its_name_forbids_is_refused_and_so_is_such_an_end_of_an_interval(subtests):
    for name, value, words in [
        ("female_share", 1.1, "a share from 0 to 1, got 1.1"),
        ("female_share", -0.1, "a share from 0 to 1, got -0.1"),
        ("prior_pfps_male", 2, "a share from 0 to 1, got 2"),
        ("onset_base_rate", 0, "a chance above 0 and below 1, got 0"),
        ("success_hip", 1, "a chance above 0 and below 1, got 1"),
        ("squat_pain_specificity", 1, "a chance above 0 and below 1, got 1"),
        ("height_sd", 0, "a number above 0, got 0"),
        ("duration_log_sd", -1, "a number above 0, got -1"),
        ("distance_median", 0, "a number above 0, got 0"),
        ("fppa_hip_correlation", -1, "a correlation above -1 and below 1, got -1"),
        ("error_weight_kg", -0.1, "a retest error of 0 or more, got -0.1"),
    ]:
        with subtests.test(name=name, value=value, words=words):
            at_once = {name: {"value": value, "assumption": True, "how": "a guess"}}
            assert f"runners.{name}: expected {words}" in refusal_of(scenario_with(**at_once))
            inside = {"value": 0.5, "interval": sorted([0.5, value]), "assumption": True, "how": "a guess"}
            assert f"runners.{name}: expected {words}" in refusal_of(scenario_with(**{name: inside}))


def test_a_claim_or_a_figure_that_was_not_found_is_no_source(subtests):
    for rows in [["S001-05"], ["G2-74"], ["S001-05", "G2-74"]]:
        with subtests.test(rows=rows):
            assert all(not ledger()[row].estimate for row in rows)
            raw = {"value": 0.5, "rows": rows, "how": "as told"}
            assert "runners.effect: expected a row that holds a figure" in refusal_of(scenario_with(effect=raw))
            assert parse_scenario("test", scenario_with(effect=raw | {"assumption": True})).runners["effect"].rows == (
                *rows,
            )


def test_a_text_or_a_yes_is_no_number(subtests):
    for wrong in [{"value": "0.5"}, {"interval": [0.4, "0.6"]}, {"interval": [False, True]}]:
        with subtests.test(wrong=wrong):
            message = refusal_of(scenario_with(effect=READ | {"value": 0.5} | wrong))
            assert "runners.effect: expected `value = number`" in message


def test_a_part_of_another_type_is_refused(subtests):
    for wrong in [
        {"rows": "G2-37"},
        {"rows": [["G2-37"]]},
        {"how": 3},
        {"value": True},
        {"assumption": "no"},
        {"marginal": "no"},
    ]:
        with subtests.test(wrong=wrong):
            message = refusal_of(scenario_with(effect=READ | {"value": 0.5} | wrong))
            assert "runners.effect: expected `value` as a number, `rows` as a list and `how` as text" in message


def test_who_is_there_may_be_everybody_and_what_is_per_sd_may_be_negative():
    guess = {"assumption": True, "how": "a guess"}
    content = scenario_with(novice_share=guess | {"value": 1.0}, akps_per_duration_sd=guess | {"value": -2.5})
    assert parse_scenario("test", content).runners["novice_share"].value == 1


# drawing from what the evidence leaves open


def spread(value, low, high):
    return Parameter("x", value, low, high, "", ("G2-37",), "as published")


SYMMETRIC = {"linear": spread(-0.1, -0.7, 0.5), "log": spread(1.2, 0.4, 3.6), "logit": spread(0.5, 0.01, 0.99)}


def test_the_median_is_the_value_and_the_outer_quantiles_are_the_interval(subtests):
    for scale, parameter in SYMMETRIC.items():
        with subtests.test(scale=scale):
            assert parameter.scale == scale
            assert parameter.at(0.5) == pytest.approx(parameter.value, rel=1e-12)
            assert parameter.at(0.025) == pytest.approx(parameter.low, rel=1e-9)
            assert parameter.at(0.975) == pytest.approx(parameter.high, rel=1e-9)


def test_95_percent_of_the_draws_of_every_parameter_lie_in_its_stated_interval_whichever_side_is_wider(subtests):
    for name in scenario_names():
        with subtests.test(name=name):
            for p in parameters_of(load_scenario(name)):
                assert [p.at(q) for q in (0.025, 0.5, 0.975)] == pytest.approx(
                    [p.low, p.value, p.high], rel=1e-9, abs=1e-12
                )
                drawn = [p.at((i + 0.5) / 40) for i in range(40)]
                assert drawn == sorted(drawn) and sum(p.low <= x <= p.high for x in drawn) >= 38, p.name


def test_a_share_near_1_is_drawn_on_a_scale_that_ends_at_1_even_if_another_is_more_symmetric():
    assert spread(0.86, 0.75, 0.95).scale == "logit"
    assert spread(0.05, 0.025, 0.08).at(1e-6) > 0


def test_a_parameter_without_a_spread_is_its_value_to_the_bit():
    assert all(spread(0.1, 0.1, 0.1).at(q) == 0.1 for q in (1e-9, 0.3, 0.5, 1 - 1e-9))
