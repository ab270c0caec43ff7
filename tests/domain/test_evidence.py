"""The ledger: one row a published figure, with its grade, its source and what there is to say of it."""

import re
from dataclasses import fields

import pytest

from pfps_ml.core.errors import FactError
from pfps_ml.domain import scenario
from pfps_ml.domain.scenario import Evidence, ledger, ledger_fingerprint, numbers, studies_of

WITHOUT_FIGURE = ("not found", "patient-facing claim")
GRADES = {"read in abstract/full text", "read in secondary source", "derived from cited rows",
          "from memory, unverified", *WITHOUT_FIGURE}  # fmt: skip


def test_the_ledger_gives_a_grade_to_every_row_and_an_estimate_and_a_study_unless_there_is_none():
    for row in ledger().values():
        assert re.fullmatch(r"C-\d+|[GS]\d+-\d+", row.id)
        assert row.quantity
        assert row.grade
        assert (row.estimate and row.study) or (row.grade in WITHOUT_FIGURE and row.note), row.id


def test_an_interval_of_the_ledger_is_in_order():
    for row in ledger().values():
        if row.ci_low and row.ci_high:
            assert float(row.ci_low) <= float(row.ci_high), row.id


def test_the_ledger_is_in_the_order_of_its_ids_and_says_each_fact_in_a_column():
    assert list(ledger()) == sorted(ledger())
    header = (scenario._HOME / "evidence.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == [field.name for field in fields(Evidence)]


def test_a_grade_of_the_ledger_is_one_of_six_and_a_row_without_a_figure_was_not_found():
    assert {row.grade for row in ledger().values()} == GRADES
    assert all(not row.estimate for row in ledger().values() if row.grade == "not found")


def test_a_note_of_the_ledger_is_one_short_line_and_names_only_rows_that_exist():
    for row in ledger().values():
        assert len(row.note) <= 140, row.id
        assert set(re.findall(r"\bC-\d{3}\b|\b[GS]\d+-\d+\b", f"{row.note} {row.study}")) <= set(ledger()) - {row.id}, (
            row.id
        )


def test_a_doi_of_the_ledger_is_a_doi():
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", row.doi) for row in ledger().values() if row.doi)


def test_a_patient_facing_claim_names_no_source_and_is_no_evidence():
    for row in ledger().values():
        told = row.id.startswith("S")
        assert told == (row.study == "patient-facing source") == (row.grade == "patient-facing claim"), row.id
        assert not (told and row.doi)


def test_numbers_are_read_as_they_are_printed():
    assert numbers("-0.09 to -0.20") == [-0.09, -0.20]
    assert numbers("3.6-8.1") == [3.6, 8.1]
    assert numbers("2.9 / 19.9 / 69.7") == [2.9, 19.9, 69.7]
    assert numbers("+4 (mean)") == [4.0]
    assert numbers("no association") == []


def test_rows_of_one_study_share_a_name(subtests):
    for one, other in [
        ("G4-21", "G4-28"),  # one article
        ("G5-02", "G5-03"),  # one review, once as somebody summarised it
        ("G1-30", "G3-19"),  # two articles on one cohort
        ("G5-02", "G5-05"),  # derived from it
        ("G6-16", "G2-03"),  # derived from what was derived from it
        ("G2-43", "G2-42"),
    ]:
        with subtests.test(one=one, other=other):
            assert studies_of([one]) & studies_of([other])


def test_rows_of_different_studies_or_of_none_share_no_name(subtests):
    for one, other in [("G4-21", "G4-29"), ("G3-22", "G3-19"), ("G2-74", "G2-75"), ("G1-08", "G1-07")]:
        with subtests.test(one=one, other=other):
            assert not studies_of([one]) & studies_of([other])


def test_several_rows_have_the_studies_of_each():
    assert studies_of(["G4-21", "G3-19"]) == studies_of(["G4-21"]) | studies_of(["G3-19"])
    assert studies_of([]) == frozenset()


@pytest.fixture
def other_ledger(tmp_path, monkeypatch):
    def use(text):
        (tmp_path / "evidence.csv").write_text(text, encoding="utf-8")
        monkeypatch.setattr(scenario, "_HOME", tmp_path)
        ledger.cache_clear()

    yield use
    monkeypatch.undo()
    ledger.cache_clear()


def test_a_ledger_with_a_row_id_twice_is_refused(other_ledger):
    text = (scenario._HOME / "evidence.csv").read_text(encoding="utf-8")
    other_ledger(text + text.splitlines(keepends=True)[-1])
    with pytest.raises(FactError, match="a row id twice"):
        ledger()


def test_the_ledger_fingerprint_moves_with_any_change_of_the_file(other_ledger):
    before, text = ledger_fingerprint(), (scenario._HOME / "evidence.csv").read_text(encoding="utf-8")
    other_ledger(text + "\n")
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert ledger_fingerprint() != before
