"""Reports on a bundle that a cohort made: what the update leaves open is open, and a validation fills what it can."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.domain.schemas import NOTICE
from pfps_ml.workflows import checklist_reports
from pfps_ml.workflows.checklist_reports import PAGES, figures, known_of
from pfps_ml.workflows.checklists import ANSWERS, DONE, Known, filled, read_items
from pfps_ml.workflows.release_gate import outside_figures, read_validation
from tests.links import dead_links
from tests.workflows.validations import local, seasons, validation

__all__ = ["local", "seasons", "validation"]  # fixtures


@pytest.fixture(scope="module")
def validated(local, validation):
    return read_validation(validation, local)


def answers(page):
    """Return answer and reason of every item of a page, by the beginning of its name."""
    rows = re.findall(r"^\| \*\*([^*:]+)\*\*: [^|]* \| ([^|]+) \| ([^|]*) \|$", page, re.M)
    return {name.split()[0]: (answer.strip("* "), why) for name, answer, why in rows}


def test_an_updated_bundle_is_reported_as_one_and_no_figure_of_the_bundle_before_is_given_as_its_own(local, bundle):
    page = checklist_reports.tripod_page(local)
    found = answers(page)
    assert found["23a"][0] == found["23b"][0] == "not done"
    assert "not been evaluated since it was updated" in found["23a"][1]
    assert found["12f"][0] == "done"
    assert "of the onset model of `pfps-0.0.1`, on 2,000 runners" in found["12f"][1]
    assert found["5a"] == ("partly", "It learned from simulated data, updated on 2,000 runners of a cohort. Where that "
                                     "cohort comes from, only those who collected it can say.")  # fmt: skip
    assert found["17"] == ("not done", "Only those who collected the cohort can say; nothing in the bundle tells.")
    auroc = f"{bundle.manifest['metrics']['auroc']['value']:.3f}"
    assert auroc not in page and auroc not in checklist_reports.probast_page(local)
    assert f"**{local.notice}**" in page and NOTICE not in page
    assert "a test fails when it is stale" not in page
    assert not {"auroc", "every_figure", "cases", "held_runners"} & set(figures(local))


def test_nothing_of_an_evaluation_is_judged_where_there_was_none_after_the_update(local):
    page = checklist_reports.probast_page(local)
    found = answers(page)
    of_evaluation = [why for name, (answer, why) in found.items() if name.startswith("E")]
    assert len(of_evaluation) == 18
    assert set(of_evaluation) == {"It has not been evaluated since it was updated."}
    assert "Not done: an external validation, and an assessment by anybody else." in page
    assert found["D1.1"][0] == "no information"
    assert found["D2.2"][0] == "yes"


def test_a_validation_fills_what_is_asked_of_an_external_one(local, validated, seasons):
    page = checklist_reports.tripod_page(local, validated)
    found, onset = answers(page), validated.tables["onset"].set_index("metric")
    runners = f"{seasons['next'].used.sum():,} runners with {int(seasons['next'].y.sum()):,} cases"
    assert found["4"][0] == "done"
    assert runners in found["4"][1]
    assert f"AUROC {onset.loc['auroc', 'value']:.3f} (" in found["23a"][1]
    assert validated.verdict in found["23a"][1]
    assert "Pathways were not validated" in found["23a"][1]
    assert "evaluated 2,000" in found["20a"][1]
    assert found["24"][0] == "partly"
    assert "not been evaluated since" not in page
    judged = checklist_reports.probast_page(local, validated)
    assert "Not done: an assessment by anybody else." in judged
    assert answers(judged)["E4.1"][0] == "yes"
    assert answers(judged)["E4.2"][0] in ("yes", "no")
    assert answers(judged)["E1.1"] == ("no information", "Only those who collected the cohort can say; nothing in the "
                                                         "bundle tells.")  # fmt: skip


def test_a_simulated_bundle_that_was_validated_keeps_the_answers_on_its_development(bundle, validated):
    known = replace(known_of(bundle), validated=True, figures=figures(bundle) | outside_figures(validated))
    found = {item.name: item for item in filled(read_items("probast", "question", ANSWERS), known, "no information")}
    assert found["D1.1"].answer == "no"
    assert "Scenario `reference`" in found["D1.1"].why
    assert found["E1.1"].answer == "no information"
    tripod = {item.name.split()[0]: item for item in filled(read_items("tripod", "item", DONE), known, "not done")}
    assert tripod["24"].why == "Nothing was updated after the evaluation."


def test_pathways_that_patients_moved_leave_other_figures_behind_than_runners_do(local):
    update = {"from": "pfps-9", "cohort": "a-clinic", "patients": 900, "successes": 400, "level": "pathways"}
    known = figures(replace(local, manifest={**local.manifest, "updates": [update]}))
    assert known["update_ratio"] == "not known, for only the pathways were updated"
    assert "900 patients with 400 successes" in known["updates"]
    assert {"cases", "base_rate"} <= set(known)
    assert not {"effects", "held_patients", "every_figure", "update_needed"} & set(known)


def test_whether_runners_are_enough_is_answered_from_the_sizes(validated):
    def said(enough, needed=3000.0):
        size = pd.DataFrame({"label": ["AUROC"], "needed": [needed], "here": [9], "enough": [enough]})
        return outside_figures(replace(validated, tables={**validated.tables, "size": size}))

    assert said(True)["outside_enough"] == "yes"
    assert said(True)["outside_size"] == "enough for intervals of the widths asked for (the most, 3,000)"
    assert said(False)["outside_enough"] == "no"
    assert said(False)["outside_size"] == "too few for AUROC: 3,000 runners such as these are needed"
    assert "more than can be told from here" in said(False, np.nan)["outside_size"]


def test_drift_and_clubs_are_told_in_words_or_said_to_be_unknown(validated):
    def said(name, table):
        return outside_figures(replace(validated, tables={**validated.tables, name: table}))[f"outside_{told[name]}"]

    told = {"drift": "drift", "cells": "clubs"}
    drift = pd.DataFrame({"label": ["Age", "BMI", "Sex"], "drift": ["large", "none", "moderate"]})
    assert said("drift", drift) == "of 3 fields compared with training, drift is large: Age; moderate: Sex"
    assert said("drift", drift.tail(2).head(0)) == "no field could be compared with training"
    assert said("drift", drift.assign(drift="none")).endswith("drift is large or moderate in none")
    cells = pd.DataFrame({"field": ["club", "club", "sex"], "level": ["A", "B", "male"], "value": [0.6, None, 0.7]})
    assert said("cells", cells).startswith("1 of 2 clubs")
    assert said("cells", cells.tail(1)) == said("cells", cells.head(0)) == "The cohort does not name several clubs"


@pytest.mark.parametrize("name", ["tripod", "probast"])
def test_every_other_answer_is_one_of_the_guidelines_and_is_filled(name, local, validated):
    kind, allowed = {"tripod": ("item", DONE), "probast": ("question", ANSWERS)}[name]
    declared = read_items(name, kind, allowed)
    assert any(item.otherwise for item in declared)
    known = known_of(local, validated)
    for item in filled(declared, known, allowed[2] if name == "tripod" else "no information"):
        assert item.answer in allowed
        assert "{" not in item.answer + item.why


def test_an_answer_stands_in_the_first_case_that_applies():
    item = read_items("tripod", "item", DONE)[5]  # 4
    assert set(item.otherwise) == {"validated", "updated"}
    assert Known({}).case_of(item) is None
    assert Known({}, updated=True).case_of(item) == "updated"
    assert Known({}, updated=True, validated=True).case_of(item) == "validated"


def test_the_command_reads_the_validation_and_its_links_lead_back(local, validation, tmp_path, capsys):
    checklist_reports.main(local.path, tmp_path, validation)
    assert "pfps-local" in capsys.readouterr().out
    for name in PAGES:
        assert not dead_links(tmp_path / name)
    assert "On a cohort that it had not seen" in (tmp_path / "TRIPOD.md").read_text(encoding="utf-8")
    assert "was updated on a cohort" in (tmp_path / "DATA_PROTECTION.md").read_text(encoding="utf-8")
