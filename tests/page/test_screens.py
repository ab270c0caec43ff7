"""The screens that a clinician must be able to trust, quickly: one of each kind of answer; the rest is slow."""

import re

from benchmarks.page import FILES, gap, random_runners
from pfps_ml.domain.dictionary import ARMS, INPUTS
from pfps_ml.domain.rules import rules_with
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.workflows.pictures import PATIENT, PHONE, RUNNER, answered, opened
from tests.model.test_withheld import OPEN
from tests.page.looking import violations


def test_the_page_weighs_less_than_200_kb_and_its_markup_holds_no_script_style_or_address_of_its_own():
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 200_000
    markup = (FILES / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", markup)
    assert all("http" not in path.read_text() for path in FILES.iterdir() if path.suffix in (".html", ".css"))


def test_a_runner_is_answered_on_one_screen_by_tables_that_agree_with_the_service(page, address):
    assert page.locator("form .field").count() == len(INPUTS)
    assert page.inner_text("#notice") == NOTICE
    answered(page, RUNNER)
    for part in ("risk", "reasons", "measure"):
        box = page.locator(f"#{part}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"]
    # few random patients are open to an injection: one is, so that each pathway is compared
    patients = [PATIENT | {"runner_id": "P-1"}, OPEN | {"runner_id": "P-2"}]
    assert gap(page, address, [*random_runners(20, 11), *patients]) < 1e-9


def test_no_slider_moves_a_field_that_withholds_a_number_or_closes_a_pathway():
    levers = {field.name for field in INPUTS if field.role == "lever"}
    deciding = {name for rule in rules_with("withhold", "ineligible") for name in rule.fields}
    assert levers and deciding and not levers & deciding


def test_a_patient_for_whom_nothing_is_preferred_is_told_so_and_why_an_injection_is_not_open(page):
    answered(page, PATIENT)
    verdict = page.inner_text("#pathways .verdict")
    assert verdict.startswith("No pathway is preferred. The model does not know which would help this patient most.")
    assert page.locator(".arm.preferred").count() == 0
    injection = next(arm for arm in ARMS if arm.requires)
    assert "not eligible" in page.inner_text(".arm.closed") and injection.why_not.text in page.inner_text(".arm.closed")


def test_a_runner_outside_what_the_model_has_seen_is_told_so(page):
    answered(page, RUNNER | {"age_years": 90})
    assert "Age is outside what the model has seen (12 years to 70 years)" in page.inner_text("#cautions")


def test_a_runner_with_knee_pain_gets_no_risk_of_onset_and_is_told_why(page):
    answered(page, RUNNER | {"current_knee_pain": "yes"})
    assert "No risk is given" in page.inner_text("#risk") and "has knee pain now" in page.inner_text("#risk")
    assert page.is_hidden("#whatif")


def test_axe_finds_nothing_on_a_phone_in_the_dark_and_nothing_is_wider_than_it(browser, address):
    page = opened(browser, address, PHONE, color_scheme="dark")
    answered(page, PATIENT)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == []
    page.context.close()


def test_the_notice_is_in_the_page_itself_and_stays_without_scripts_scrolled_away_and_on_paper(browser, address, page):
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(address)
    assert plain.inner_text("#notice") == NOTICE and plain.is_visible("#notice")
    plain.context.close()
    assert page.locator("#notice *").count() == 0
    answered(page, PATIENT)
    page.set_viewport_size(PHONE)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.locator("#notice").bounding_box()["y"] >= 0
    page.emulate_media(media="print")
    assert page.is_visible("#notice")
