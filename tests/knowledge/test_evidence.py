"""The ledger and the scenarios: every number has rows, or the word assumption, and lies inside its interval."""

import re

import pytest

from pfps_ml.errors import FactError
from pfps_ml.knowledge import evidence
from pfps_ml.knowledge.evidence import ledger, ledger_fingerprint, load_scenario, parse_scenario, scenario_names

WITHOUT_FIGURE = ("not found", "patient-facing claim")
ROW = next(iter(ledger()))
GOOD = {"value": 0.5, "interval": [0.4, 0.6], "unit": "%", "rows": [ROW], "how": "as published"}


def scenario_with(**parameters):
    return {"title": "A test", "horizon_months": 12, "runners": parameters}


def refusal_of(content):
    with pytest.raises(FactError) as refused:
        parse_scenario("test", content)
    return str(refused.value)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_of_the_product_is_usable(name):
    scenario = load_scenario(name)
    assert scenario.title
    assert scenario.horizon_months > 0
    assert scenario.runners
    assert scenario.patients


def test_the_reference_scenario_comes_with_the_product_and_has_a_horizon_of_a_year():
    assert "reference" in scenario_names()
    assert load_scenario("reference").horizon_months == 12


@pytest.mark.parametrize("name", scenario_names())
def test_every_parameter_cites_the_ledger_or_says_assumption_and_tells_how(name):
    scenario = load_scenario(name)
    for parameter in (*scenario.runners.values(), *scenario.patients.values()):
        assert parameter.assumption or any(ledger()[row].estimate for row in parameter.rows), parameter.name
        assert set(parameter.rows) <= set(ledger())
        assert parameter.how
        assert parameter.low <= parameter.value <= parameter.high


@pytest.mark.parametrize("name", scenario_names())
def test_every_ledger_row_that_is_named_in_the_arithmetic_exists(name):
    text = (evidence._HOME / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"\b[GS]\d+-\d+\b", text)) <= set(ledger())


def test_a_parameter_is_read_with_its_interval_unit_rows_and_arithmetic():
    parameter = parse_scenario("test", scenario_with(share=GOOD)).runners["share"]
    assert (parameter.name, parameter.value, parameter.low, parameter.high) == ("share", 0.5, 0.4, 0.6)
    assert (parameter.unit, parameter.rows, parameter.how) == ("%", (ROW,), "as published")
    assert not parameter.assumption


def test_a_parameter_of_which_no_spread_is_known_is_its_own_interval():
    parameter = parse_scenario(
        "test", scenario_with(sd={"value": 2, "assumption": True, "how": "a guess"})
    ).runners["sd"]  # fmt: skip
    assert parameter.low == parameter.value == parameter.high == 2.0
    assert parameter.assumption
    assert not parameter.rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": []}, "runners.share: expected `rows` of the ledger or `assumption = true`, got neither"),
        ({"rows": ["G9-99"]}, "runners.share: row 'G9-99' is not in the ledger"),
        ({"value": 0.7}, "runners.share: expected a value inside its interval, got 0.7 and [0.4, 0.6]"),
        ({"value": float("nan")}, "runners.share: expected a value inside its interval"),
        ({"how": ""}, "runners.share: expected `how`"),
        ({"valeu": 0.5}, "runners.share: unknown key 'valeu'"),
        ({"value": "half"}, "runners.share: expected `value = number`"),
        ({"value": None}, "runners.share: expected `value = number`"),
        ({"interval": [0.4]}, "runners.share: expected `value = number`"),
        ({"interval": 0.4}, "runners.share: expected `value = number`"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_refused_by_name(change, words):
    message = refusal_of(scenario_with(share=GOOD | change))
    assert message.startswith("scenario 'test' is not usable")
    assert words in message


def test_all_faults_of_a_scenario_are_told_at_once():
    content = scenario_with(one=GOOD | {"rows": []}, two=GOOD | {"value": 1}) | {"patients": {"three": {}}, "clubs": 1}
    message = refusal_of(content | {"title": ""})
    for words in ("runners.one", "runners.two", "patients.three", "clubs: not a part", "`title` (text)"):
        assert words in message
    assert len(message.splitlines()) == 8


@pytest.mark.parametrize("top", [{"title": "A test"}, {"horizon_months": 12}, {"title": "x", "horizon_months": "12"}])
def test_a_scenario_without_title_or_horizon_is_refused(top):
    assert "`horizon_months` (a whole number)" in refusal_of(top)


def test_an_unknown_scenario_is_answered_with_those_that_exist():
    with pytest.raises(FactError, match=r"expected a scenario \(.*reference.*\), got 'refrence'"):
        load_scenario("refrence")


def test_the_ledger_gives_a_grade_to_every_row_and_an_estimate_and_a_study_unless_there_is_none():
    for row in ledger().values():
        assert re.fullmatch(r"[GS]\d+-\d+", row.id)
        assert row.quantity
        assert row.grade
        assert (row.estimate and row.study) or (row.grade in WITHOUT_FIGURE and row.note), row.id


def test_an_interval_of_the_ledger_is_in_order():
    for row in ledger().values():
        if row.ci_low and row.ci_high:
            assert float(row.ci_low) <= float(row.ci_high), row.id


@pytest.fixture
def other_ledger(tmp_path, monkeypatch):
    def use(text):
        (tmp_path / "evidence.csv").write_text(text, encoding="utf-8")
        monkeypatch.setattr(evidence, "_HOME", tmp_path)
        ledger.cache_clear()

    yield use
    monkeypatch.undo()
    ledger.cache_clear()


def test_a_ledger_with_a_row_id_twice_is_refused(other_ledger):
    text = (evidence._HOME / "evidence.csv").read_text(encoding="utf-8")
    other_ledger(text + text.splitlines(keepends=True)[-1])
    with pytest.raises(FactError, match="a row id twice"):
        ledger()


def test_the_ledger_fingerprint_moves_with_any_change_of_the_file(other_ledger):
    before, text = ledger_fingerprint(), (evidence._HOME / "evidence.csv").read_text(encoding="utf-8")
    other_ledger(text + "\n")
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert ledger_fingerprint() != before
