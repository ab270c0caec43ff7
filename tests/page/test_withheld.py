"""The page: what to do first stands in place of numbers; a diagnosis in doubt and closed arms are said in words."""

import pytest

from pfps_ml.workflows.pictures import answered
from tests.model.test_withheld import GIRL, NEGATIVE, OPEN, SWOLLEN
from tests.page.looking import assessed, violations

pytestmark = pytest.mark.slow


def test_what_to_do_stands_first_and_no_number_beside_it(page, address):
    answered(page, SWOLLEN)
    texts = [rule["text"] for rule in assessed(address, SWOLLEN)["withheld"]]
    assert page.locator("#withheld li").all_inner_texts() == texts
    assert page.locator("#found > :visible").first.get_attribute("id") == "withheld"
    assert "No risk is given" in page.inner_text("#risk")
    assert page.locator("#found .big:visible, #found .people:visible, #found .arm:visible").count() == 0
    for part in ("#pathways", "#reasons", "#measure", "#tests", "#whatif"):
        assert page.is_hidden(part)
    assert not set(texts) & set(page.locator("#cautions li").all_inner_texts())
    assert page.inner_text("#said").startswith(texts[0])
    assert violations(page) == []


def test_an_answer_without_a_red_flag_says_nothing_of_one(page):
    answered(page, OPEN)
    assert page.is_hidden("#withheld") and page.locator("#risk-percent").is_visible()


def test_a_diagnosis_in_doubt_is_the_first_thing_said(page):
    answered(page, OPEN | NEGATIVE)
    assert page.locator("#cautions li").first.inner_text().startswith("The diagnosis is in doubt")
    assert page.locator("#found > :visible").first.get_attribute("id") == "cautions"


def test_a_closed_injection_says_each_of_its_reasons(page):
    answered(page, GIRL)
    why = page.inner_text(".arm.closed .why")
    assert "18 years" in why and "3 months" in why


def test_a_roster_shows_whom_a_doctor_has_to_see_above_every_risk(page, tmp_path):
    header, row = ",".join(SWOLLEN), ",".join(map(str, SWOLLEN.values()))
    blank = "30,female" + "," * (len(SWOLLEN) - 2)
    source = tmp_path / "squad.csv"
    source.write_text(f"runner_id,{header}\nR-1,{blank}\nR-2,{row}\n", encoding="utf-8")
    page.click("#tab-roster")
    page.set_input_files("#file", source)
    page.wait_for_selector("#roster-table tbody tr")
    first = page.locator("#roster-table tbody tr").first.inner_text()
    assert "R-2" in first and "see a doctor first" in first
    assert "1 to see a doctor first: no risk" in " ".join(page.inner_text("#roster-counts").split())
    assert "0 with knee pain now" in " ".join(page.inner_text("#roster-counts").split())


def test_a_contradiction_is_said_at_both_fields_and_there_is_no_answer(page):
    page.fill("#f-age_years", "12")
    page.check("[name='f-sex'][value=male]", force=True)
    page.locator("#f-running_experience_years").evaluate("input => { input.closest('details').open = true; }")
    page.fill("#f-running_experience_years", "40")
    page.click("button[type=submit]")
    page.wait_for_function("() => document.querySelector('#fault-running_experience_years').textContent != ''")
    assert "running experience" in page.inner_text("#fault-running_experience_years")
    assert page.is_hidden("#found")


def test_a_number_that_may_be_in_another_unit_is_said_first(page):
    answered(page, OPEN | {"worst_pain_mm": 6})
    assert any("scale of 0 to 10" in text for text in page.locator("#cautions li").all_inner_texts())


def test_of_a_patient_the_pathways_stand_before_the_risk_of_a_new_episode(page):
    answered(page, OPEN | {"stairs_pain": "yes"})
    pathways, risk = (page.locator(part).bounding_box() for part in ("#pathways", "#risk"))
    assert pathways["y"] < risk["y"]


def test_beside_what_to_do_first_nothing_is_said_twice(page):
    answered(page, SWOLLEN)
    assert page.is_hidden("#cautions")
