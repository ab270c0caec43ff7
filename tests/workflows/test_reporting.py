"""The reports: every item answered or said to be not done, figures from artefacts, pages fresh, and no dead link."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pfps_ml.core.errors import FactError, OutputError
from pfps_ml.model.bundle import load_bundle
from pfps_ml.model.preference import Gate
from pfps_ml.workflows import checklist_reports, checklists as guidelines
from pfps_ml.workflows.card import figures_of_format_1_card
from pfps_ml.workflows.checklist_reports import DOCS, PAGES, REFERENCE, figures
from pfps_ml.workflows.checklists import ANSWERS, CONCERNS, DONE, HERE, Known, filled, read_items, worst
from pfps_ml.workflows.release_gate import FIGURES as OUTSIDE
from tests.links import dead_links

ROOT = Path(__file__).parents[2]
DECLARED = ("tripod", "probast", "data_protection")
TRIPOD = [
    "1",
    "2",
    "3a",
    "3b",
    "3c",
    "4",
    "5a",
    "5b",
    "6a",
    "6b",
    "6c",
    "7",
    "8a",
    "8b",
    "8c",
    "9a",
    "9b",
    "9c",
    "10",
    "11",
    "12a",
    "12b",
    "12c",
    "12d",
    "12e",
    "12f",
    "12g",
    "13",
    "14",
    "15",
    "16",
    "17",
    "18a",
    "18b",
    "18c",
    "18d",
    "18e",
    "18f",
    "19",
    "20a",
    "20b",
    "20c",
    "21",
    "22",
    "23a",
    "23b",
    "24",
    "25",
    "26",
    "27a",
    "27b",
    "27c",
]
# questions of the four domains of PROBAST+AI: 16 on development, 18 on evaluation
PROBAST = {"D": (3, 4, 4, 5), "E": (3, 4, 4, 7)}
ASKED = [f"{part}{domain}.{number}" for part, counts in PROBAST.items()
         for domain, count in enumerate(counts, 1) for number in range(1, count + 1)]  # fmt: skip


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(REFERENCE)


UPDATED = {"updates", "update_ratio", "update_needed"}  # of an updated bundle alone


def declared(name):
    return (HERE / f"{name}.toml").read_text(encoding="utf-8")


def other_bundle(bundle, folder, **manifest):
    """Return the same models under another manifest, in a folder of their own."""
    shutil.copytree(bundle.path, folder)
    return replace(bundle, path=folder, manifest={**bundle.manifest, **manifest})


def test_the_tracked_reports_are_what_the_bundle_says(bundle, subtests):
    for name in PAGES:
        with subtests.test(name=name):
            assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](bundle), (
                "run python -m pfps_ml.workflows.checklist_reports"
            )


def test_every_item_of_tripod_ai_is_answered_or_said_to_be_not_done(bundle):
    items = read_items("tripod", "item", DONE)
    assert [item.name.split()[0] for item in items] == TRIPOD
    assert len({item.strip("abcdefg") for item in TRIPOD}) == 27
    page = checklist_reports.tripod_page(bundle)
    first = page.index("## Title and abstract")
    for item in items:
        assert f"| **{item.name}**: {item.asks} | " in page
        assert item.answer not in ("not done", "partly") or f"- **{item.name}**: " in page[:first]


def test_every_question_of_probast_ai_is_answered_with_a_reason():
    questions = read_items("probast", "question", ANSWERS)
    assert [item.name for item in questions] == ASKED
    assert (sum(PROBAST["D"]), sum(PROBAST["E"])) == (16, 18)
    # the tool knows "not applicable" for four of them only
    assert {item.name for item in questions if item.answer == "not applicable"} <= {"D4.4", "E4.4", "E4.5", "E4.6"}
    places = dict.fromkeys(item.place for item in questions)
    assert len(places) == 8
    assert [item.place for item in read_items("probast", "concern", CONCERNS)] == [
        place for place in places if not place.endswith("analysis")
    ]


def test_simulated_data_are_judged_as_high_risk_of_bias_and_high_concern(bundle):
    page = checklist_reports.probast_page(bundle)
    for said in ("development: **high concern**", "Risk of bias of the evaluation: **high risk of bias**",
                 "Applicability of the development: **high concern**",
                 "Applicability of the evaluation: **high concern**"):  # fmt: skip
        assert said in page[: page.index("## Domains")]


def test_a_domain_is_as_bad_as_its_worst_answer():
    one = read_items("probast", "question", ANSWERS)[0]

    def judged(*answers):
        return worst(replace(one, answer=answer) for answer in answers)

    assert judged("yes", "probably yes", "not applicable") == "low"
    assert judged("yes", "no information") == judged("low", "unclear") == "unclear"
    assert judged("no information", "probably no") == judged("yes", "no") == "high"


def test_a_judgement_on_sample_size_is_the_one_that_its_figures_give(bundle):
    known = {
        name: int(text.replace(",", "")) for name, text in figures(bundle).items() if re.fullmatch(r"[\d,]+", text)
    }
    answers = {item.name: item.answer for item in read_items("probast", "question", ANSWERS)}
    assert known["needed_fields"] <= known["runners"] < known["needed_values"]
    assert answers["D4.1"] == "probably yes"
    assert known["needed_auroc"] <= known["held_runners"] < known["needed_ratio"]
    assert answers["E4.2"] == "no"


def test_a_gate_that_is_passed_is_said_to_be(bundle, tmp_path):
    gate = Gate(tuple(replace(each, p=0.0) for each in bundle.predictor.gate.comparisons))
    other = replace(other_bundle(bundle, tmp_path / "b"), predictor=replace(bundle.predictor, gate=gate))
    assert figures(bundle)["gate"].endswith("so none is ever named")
    assert figures(other)["gate"] == "3 of 3 simpler accounts are beaten, so one may be named"


def test_no_number_is_typed_into_an_answer(subtests):
    for name in DECLARED:
        with subtests.test(name=name):
            for line in declared(name).splitlines():
                key, _, text = line.partition(" = ")
                if key in ("why", "where", "holds", "persons", "long", "ours"):
                    plain = re.sub(r"\{\w+\}|`[^`]*`|\]\([^)]*\)|SHA-256", "", text)
                    assert not re.search(r"\d", plain), line


def test_every_figure_that_an_answer_quotes_is_there_and_every_figure_is_quoted(bundle):
    quoted = {name for page in DECLARED for name in re.findall(r"\{(\w+)\}", declared(page))}
    there = figures(bundle).keys() | UPDATED | OUTSIDE.keys()
    assert quoted <= there
    assert not there - quoted, "nobody reads them"


def test_figures_are_those_of_the_manifest_and_the_card(bundle):
    found, metrics = figures(bundle), bundle.manifest["metrics"]
    assert found["auroc"].startswith(f"{metrics['auroc']['value']:.3f} (")
    of_card = {row["metric"]: row for row in figures_of_format_1_card(bundle.card)["onset"]}
    for name, row in metrics.items():
        assert [of_card[name][key] for key in ("value", "low", "high")] == pytest.approx(
            [row[key] for key in ("value", "low", "high")], abs=5e-4
        ), name
    assert f"AUROC {found['auroc']}" in found["every_figure"]
    assert found["runners"] == f"{bundle.manifest['trained_on']['runners']:,}"
    tenths = pd.read_csv(checklist_reports.CALIBRATION)
    assert found["held_runners"] == f"{tenths['n'].sum():,}"
    assert f"| {found['held_runners']} |" in bundle.card


def without_figures(bundle):
    """Return a bundle of before manifests held the figures of the held-out clubs: they stand in its card alone."""
    return replace(bundle, manifest={key: value for key, value in bundle.manifest.items() if key != "held_out"})


def test_figures_in_the_manifest_are_read_there_and_give_the_reports_that_the_card_gave(bundle, tmp_path):
    before = without_figures(bundle)
    held_out = figures_of_format_1_card(before.card)
    other = replace(other_bundle(bundle, tmp_path / "b", held_out=held_out), card="# a card without a table\n")
    assert figures(other) == figures(before)
    changed = {**held_out, "effects": [{**held_out["effects"][0], "patients": 1234}]}
    assert figures(replace(other, manifest={**other.manifest, "held_out": changed}))["held_patients"] == "1,234"


def test_the_card_of_an_updated_bundle_gives_the_figures_of_the_card_at_its_end(bundle):
    above = "# pfps-local\n\n| figure | value | 95 % interval |\n|---|---|---|\n| AUROC | 0.1 | 0.0 to 0.2 |\n\n"
    assert figures_of_format_1_card(above + bundle.card) == figures_of_format_1_card(bundle.card)


@pytest.mark.parametrize(
    "card", ["", "# x\n", "no card", "# x\n\n| figure | value | i |\n|---|---|---|\n| A | b | c |\n"]
)
def test_a_card_without_figures_gives_none_and_the_reports_say_that_they_are_missing(bundle, tmp_path, card):
    known = figures(replace(without_figures(bundle), card=card))
    assert not {"every_figure", "effects", "held_patients"} & set(known)
    assert "auroc" in known


def test_the_tracked_calibration_is_quoted_only_for_the_bundle_it_is_of(bundle, tmp_path):
    ratio = {**bundle.manifest["metrics"]["observed_expected"], "value": 1.01}
    metrics = {**bundle.manifest["metrics"], "observed_expected": ratio}
    known = figures(other_bundle(bundle, tmp_path / "b", metrics=metrics))
    assert "held_cases" not in known
    assert "auroc" in known


def test_another_bundle_has_other_figures_in_its_reports(bundle, tmp_path):
    auroc = {"value": 0.5551, "low": 0.5, "high": 0.6}
    other = other_bundle(bundle, tmp_path / "b", metrics={**bundle.manifest["metrics"], "auroc": auroc})
    assert "0.555 (0.500 to 0.600)" in checklist_reports.probast_page(other) != checklist_reports.probast_page(bundle)


def test_of_a_real_cohort_what_only_its_owner_knows_is_not_done(bundle, tmp_path):
    trained = {**bundle.manifest["trained_on"], "scenario": None, "simulated": False}
    config = {**bundle.manifest["config"], "cohort": {}}
    other = other_bundle(bundle, tmp_path / "b", trained_on=trained, config=config)
    assert not {"scenario", "parameters", "plausible", "held_clubs"} & set(figures(other))
    page, judged = checklist_reports.tripod_page(other), checklist_reports.probast_page(other)
    for item in read_items("tripod", "item", DONE):
        if item.of_simulation:
            assert f"- **{item.name}**: Only those who collected the cohort can say" in page
    assert "a cohort brought by its user" in page
    assert "look through it before" in checklist_reports.data_protection_page(other)
    assert "| **D1.1**: Are the sources of data suitable? | **no information** | Only those" in judged


def test_what_a_bundle_does_not_say_is_said_to_be_missing():
    items = read_items("tripod", "item", DONE)
    found = {item.name: item for item in filled(items, Known({}), "not done")}
    assert found["12b Form of predictors"].why == "The bundle does not say: boost, knots, pairs, smooth, trees."
    assert found["12b Form of predictors"].answer == "not done"
    assert found["14 Fairness, method"].why == items[TRIPOD.index("14")].why


@pytest.mark.parametrize(("answer", "why"), [("splendid", "because"), ("yes", " ")])
def test_an_answer_that_the_guideline_does_not_know_or_without_a_reason_is_refused(answer, why, tmp_path, monkeypatch):
    row = f'[[question]]\nid = "D1.1"\ndomain = "d"\nasks = "?"\nanswer = "{answer}"\nwhy = "{why}"\n'
    (tmp_path / "probast.toml").write_text(row)
    monkeypatch.setattr(guidelines, "HERE", tmp_path)
    with pytest.raises(FactError, match=r"probast\.toml, D1\.1"):
        read_items("probast", "question", ANSWERS)


def test_a_folder_that_cannot_be_written_is_an_explained_error(bundle, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken"):
        checklist_reports.write_reports(bundle, tmp_path / "taken")


def test_the_command_writes_all_reports_anywhere_with_links_that_lead_back(bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checklist_reports.main(REFERENCE, tmp_path)
    assert bundle.name in capsys.readouterr().out
    for name in PAGES:
        assert not dead_links(tmp_path / name)


def test_the_data_protection_sheet_names_every_file_that_the_service_can_be_told_to_write(bundle):
    sheet = checklist_reports.data_protection_page(bundle)
    variables = re.findall(r'RecordFile\("(PFPS_\w+)"', (ROOT / "serving" / "audit_log.py").read_text(encoding="utf-8"))
    assert len(variables) == 2
    for variable in variables:
        assert f"`{variable}`" in sheet
    assert "`/dev/shm`" in sheet
    assert "/dev/shm" in (ROOT / "serving" / "roster_routes.py").read_text(encoding="utf-8")


def test_the_sheet_lists_what_a_line_of_the_audit_holds():
    middleware = (ROOT / "serving" / "middleware.py").read_text(encoding="utf-8")
    line = re.search(r"_put_on_record\(\{(.*?)\*\*context", middleware, re.S)
    assert re.findall(r'"(\w+)":', line[1]) == ["route", "key", "bundle", "input"], "say it in data_protection.toml"
    told = "time, route, name of the key, bundle, SHA-256 of the request, and for each person the risk and a mark"
    assert told in declared("data_protection")


def test_what_the_page_keeps_is_in_its_memory_only():
    for script in (ROOT / "serving" / "page").rglob("*.js"):
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", script.read_text()), script


def test_the_manifest_of_the_reference_bundle_is_the_one_reported_on(bundle):
    manifest = json.loads((REFERENCE / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["name"] == bundle.name == REFERENCE.name
