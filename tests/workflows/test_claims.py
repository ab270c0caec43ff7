"""CLAIMS.md and what it is made from: each claim once, each row there, the numbers those of the scenarios."""

import re
from itertools import islice
from math import exp, log
from pathlib import Path

import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.domain.scenario import PARTS, ledger, load_scenario, scenario_names
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.workflows import claims, claims as pipeline
from pfps_ml.workflows.claims import PAGE, VERDICTS, claims_page, conflicts, groups, shown

HOUSE = Path(__file__).parents[2]
CLAIMS = [claim for group in groups() for claim in group.claims]
TEXT = claims_page()


def section(title):
    return TEXT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def lines_of(title):
    """Return the table lines of a section as cells, without the rules under the headers."""
    rows = [line for line in section(title).splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def resting(scenario):
    return {row for part in PARTS for p in getattr(load_scenario(scenario), part).values() for row in p.rows}


def test_the_committed_page_is_what_would_be_written_now():
    assert (HOUSE / PAGE).read_text(encoding="utf-8") == TEXT, "run `python -m pfps_ml.workflows.claims`"


def test_the_pipeline_writes_the_page_into_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pipeline.main()
    assert PAGE.read_text(encoding="utf-8") == TEXT
    assert capsys.readouterr().out == f"CLAIMS.md: {len(CLAIMS)} claims\n"


def test_every_patient_facing_claim_is_in_exactly_one_group():
    assert sorted(claim.id for claim in CLAIMS) == sorted(row for row in ledger() if row.startswith("S"))


def test_every_row_that_a_claim_or_a_conflict_names_is_in_the_ledger():
    named = {row for each in (*CLAIMS, *conflicts()) for row in each.rows}
    assert named <= set(ledger())
    assert set(re.findall(r"\b[GS]\d+-\d+\b", TEXT)) <= set(ledger())


def test_every_row_that_the_reason_of_a_verdict_names_bears_on_the_claim():
    for claim in CLAIMS:
        assert set(re.findall(r"\bG\d-\d\d\b", claim.why)) <= set(claim.rows), claim.id


def test_a_claim_that_is_supported_or_contradicted_cites_what_says_so():
    assert all(claim.rows for claim in CLAIMS if claim.verdict in ("Supported", "Contradicted"))


def test_the_verdicts_of_the_summary_are_those_of_the_ledger():
    header, *rows, total = lines_of("The verdicts")
    assert header == ["subject", *map(str.lower, VERDICTS), "claims"]
    notes = [row.note for row in ledger().values() if row.id.startswith("S")]
    counts = [sum(note.startswith(f"{verdict}:") for note in notes) for verdict in VERDICTS]
    assert [int(cell.strip("*")) for cell in total[1:]] == [*counts, len(notes)] == [10, 17, 20, 5, 11, 63]
    for place in range(1, len(header)):
        assert sum(int(row[place] or 0) for row in rows) == int(total[place].strip("*"))


def test_every_parameter_that_a_claim_names_is_shown_and_in_every_scenario():
    named = {name for claim in CLAIMS for name in claim.parameters}
    assert named == set(shown())
    for name in named:
        part, key = name.split(".")
        assert all(key in getattr(load_scenario(scenario), part) for scenario in scenario_names()), name


def test_the_numbers_of_the_page_are_those_of_the_scenario_files():
    title = "Causes: hip weakness and hip drop"
    header = next(line for line in lines_of(title) if line[:2] == ["", ""])
    shown_line = next(line for line in lines_of(title) if line[1] == shown()["runners.onset_hip_weakness"].label)
    assert header[2:6] == ["`reference`", "`pooled`", "`kinetic_chain`", "`null`"]
    for name, cell in zip(header[2:], shown_line[2:], strict=True):
        parameter = load_scenario(name.strip("`")).runners["onset_hip_weakness"]
        value = float(re.search(r"[\d.]+", cell)[0])
        assert log(value) == pytest.approx(parameter.value, abs=0.005)
        assert cell.endswith("*") == (parameter.assumption or cell.startswith("**"))


def test_a_number_is_shown_as_a_ratio_a_percentage_or_with_its_unit():
    reference = load_scenario("reference")
    sex, rate = reference.runners["onset_male"], reference.runners["onset_base_rate"]
    fluid = reference.runners["inhibition_threshold"]
    assert f"| {exp(sex.value):.2f} ({exp(sex.low):.2f} to {exp(sex.high):.2f}) |" in TEXT
    assert f"| {100 * rate.value:g} % ({100 * rate.low:g} to {100 * rate.high:g}) |" in TEXT
    assert f"| {fluid.value:g} ml ({fluid.low:g} to {fluid.high:g}) |" in TEXT


def test_ratios_that_are_solved_jointly_are_marked_and_the_page_says_what_that_means():
    cells = {(line[1], place): cell for group in groups() for line in lines_of(group.title)
             for place, cell in enumerate(line) if line[0].isalpha()}  # fmt: skip
    for name, each in shown().items():
        part, key = name.split(".")
        for place, scenario in enumerate(("reference", "pooled", "kinetic_chain", "null"), start=2):
            marginal = getattr(load_scenario(scenario), part)[key].marginal
            assert ("†" in cells[each.label, place]) == marginal, (name, scenario)
    assert "solved jointly" in re.sub(r"\s+", " ", section("The scenarios"))


def test_letters_go_on_after_z():
    letters = list(islice(pipeline._letters(), 80))
    assert letters[:3] == ["A", "B", "C"]
    assert letters[25:28] == ["Z", "AA", "AB"]
    assert letters[51:53] == ["AZ", "BA"]
    assert len(set(letters)) == 80


def test_a_claim_on_which_the_simulated_worlds_are_silent_says_so_with_a_dash():
    cells = {line[0]: line[-1] for group in groups() for line in lines_of(group.title) if line[0].startswith("S")}
    assert {row for row, cell in cells.items() if cell == "-"} == {c.id for c in CLAIMS if not c.parameters}


def test_the_null_world_takes_no_side_on_any_cause():
    causes = {name for claim in CLAIMS for name in claim.parameters if name.startswith("runners.onset_")}
    values = load_scenario("null").values()["runners"]
    assert {values[name.split(".")[1]] for name in causes - {"runners.onset_base_rate"}} == {0.0}


def test_a_conflict_has_two_sides_and_is_met_by_a_parameter_or_a_claim():
    met = {row for claim in CLAIMS for row in (*claim.rows, claim.id)}.union(*map(resting, scenario_names()))
    assert conflicts()
    assert not [each.title for each in conflicts() if not len(set(each.rows)) == len(each.rows) >= 2]
    assert not [each.title for each in conflicts() if not {*each.rows} & met]


def test_a_conflict_shows_the_parameters_that_cite_its_rows():
    sex = next(line for line in lines_of("Where the evidence conflicts") if line[0] == "**Sex**")
    assert "`onset_male`" in sex[-1]


def test_every_row_that_is_cited_is_listed_with_its_figure():
    cited = {row for each in (*CLAIMS, *conflicts()) for row in each.rows if not row.startswith("S")}
    assert [line[0] for line in lines_of("The figures")[1:]] == sorted(cited)


def test_the_page_carries_the_notice_and_every_table_is_square():
    assert NOTICE in TEXT
    for group in groups():
        for line in lines_of(group.title):
            assert len(line) in (6, 7, 8, 9), line
    for title, width in (("Where the evidence conflicts", 4), ("The figures", 6), ("The verdicts", 7)):
        assert {len(line) for line in lines_of(title)} == {width}


@pytest.fixture
def other_claims(tmp_path, monkeypatch):
    def use(row):
        path = tmp_path / "claims.toml"
        path.write_text(f'[[group]]\ntitle = "A test"\n[group.claims]\n{row} = {{ rows = [] }}\n', encoding="utf-8")
        monkeypatch.setattr(claims, "_HOME", path)
        groups.cache_clear()

    yield use
    monkeypatch.undo()
    groups.cache_clear()


def test_a_claim_that_is_no_row_of_the_ledger_is_refused(other_claims):
    other_claims("S999-01")
    with pytest.raises(FactError, match=r"expected claims\.toml to name rows of the ledger, got 'S999-01'"):
        groups()


def test_a_claim_without_a_verdict_is_refused(other_claims):
    other_claims("G1-07")
    with pytest.raises(FactError, match="expected the note of G1-07 to begin with a verdict"):
        groups()
