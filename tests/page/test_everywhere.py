"""The page for everybody: screen readers, keyboard, phones, dark rooms, paper, keys; and the roster."""

import re

import pandas as pd
import pytest

from pipelines.browser import PHONE, answered, browsing, fill, opened, served
from pipelines.screenshots import PATIENT, ROSTER, RUNNER

pytestmark = pytest.mark.slow

KEY = "a-key-for-this-test"


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(each["id"], node["html"][:200]) for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_light_or_dark_on_any_screen(browser, address, scheme):
    page = opened(browser, address, color_scheme=scheme)
    assert violations(page) == []
    fill(page, RUNNER | {"age_years": 130})
    page.click("button[type=submit]")
    page.wait_for_selector("#field-age_years.wrong")
    page.click("#field-age_years .ask")
    assert violations(page) == []
    answered(page, PATIENT)
    assert violations(page) == []
    page.click("#tab-about")
    page.wait_for_selector("#card h2")
    assert violations(page) == []
    page.click("#tab-roster")
    page.set_input_files("#file", ROSTER)
    page.wait_for_selector("#roster-found:not([hidden])")
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("tab", ["one", "roster", "about"])
def test_at_360_px_nothing_is_wider_than_the_screen(browser, address, tab):
    page = opened(browser, address, PHONE, color_scheme="dark")
    answered(page, PATIENT)
    page.click(f"#tab-{tab}")
    if tab == "roster":
        page.set_input_files("#file", ROSTER)
        page.wait_for_selector("#roster-found:not([hidden])")
    if tab == "about":
        page.wait_for_selector("#card h2")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = "all => all.filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"
    assert page.locator("main .card, main button, main input, .people, .bar").evaluate_all(wide) == []
    page.context.close()


def test_dark_and_light_differ_and_both_are_the_persons_choice(browser, address):
    grounds = set()
    for scheme in ("light", "dark"):
        page = opened(browser, address, color_scheme=scheme)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.context.close()
    assert len(grounds) == 2


@pytest.mark.parametrize("runner", [RUNNER, PATIENT, PATIENT | {"failed_conventional_care": "yes", "age_years": 90}])
def test_it_prints_to_one_page_with_what_was_entered_the_answer_and_the_notice(page, runner):
    answered(page, runner)
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1
    page.emulate_media(media="print")
    for part in ("#notice", "#record", "#risk", "#reasons"):
        assert page.is_visible(part)
    for part in ("#form", "#whatif", "[role=tablist]"):
        assert page.is_hidden(part)
    assert runner["runner_id"] in page.inner_text("#record") and "simulated data" in page.inner_text("#record")


def test_tabs_are_walked_with_the_arrow_keys(page):
    page.focus("#tab-one")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-roster" and page.is_visible("#roster")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#one")


def test_a_screen_reader_is_told_the_answer(page):
    answered(page, PATIENT)
    said = page.text_content("#said")
    assert "in 100" in said and "No clear preference" in said


def test_a_dropped_roster_is_scored_sorted_and_downloaded_as_the_service_wrote_it(page, tmp_path):
    page.click("#tab-roster")
    page.set_input_files("#file", ROSTER)
    page.wait_for_selector("#roster-found:not([hidden])")
    with page.expect_download() as waited:
        page.click("#download")
    assert waited.value.suggested_filename == "roster_scored.csv"
    waited.value.save_as(tmp_path / "scored.csv")
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert len(scored) == len(pd.read_csv(ROSTER))
    assert f"{len(scored)} rows" in page.inner_text("#roster-counts")
    ids = page.locator("#roster-table tbody td:first-child")
    by_risk = scored.sort_values("risk_12m", ascending=False, kind="stable")["runner_id"]
    highest = int(scored["risk_12m"].notna().sum())
    assert ids.all_inner_texts()[:highest] == list(by_risk[:highest])
    page.click("#roster-table th button:has-text('Risk')")
    assert page.locator("#roster-table th").nth(1).get_attribute("aria-sort") == "ascending"
    lowest = scored.sort_values("risk_12m", kind="stable")["runner_id"].iloc[0]
    assert ids.first.inner_text() == lowest
    problems = scored.loc[scored["status"] == "rejected", "problems"]
    assert all(problem in page.inner_text("#roster-table") for problem in problems)


def test_a_roster_with_semicolons_and_decimal_commas_is_read_as_the_service_wrote_it(page):
    text = "runner_id;age_years;sex;weight_kg\nR-1;30;female;61,5\nR-2;31;male;80,25\n"
    page.click("#tab-roster")
    page.set_input_files("#file", {"name": "liste.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.wait_for_selector("#roster-found:not([hidden])")
    assert "2 scored" in page.inner_text("#roster-counts")
    assert all(" %" in text for text in page.locator("#roster-table td:nth-child(2)").all_inner_texts())


def test_a_file_that_is_no_roster_is_refused_in_the_services_words(page):
    page.click("#tab-roster")
    page.set_input_files("#file", {"name": "notes.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.wait_for_function("document.querySelector('#roster-told').innerText.includes('expected')")
    assert page.is_hidden("#roster-found")


def test_a_service_with_keys_is_asked_with_one_that_stays_in_memory():
    with served({"PFPS_API_KEYS": KEY}) as address, browsing() as browser:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#key[open]")
        assert page.is_visible("#notice")
        page.fill("#key-value", "another")
        page.click("#key-form button")
        page.wait_for_selector("#key-wrong:not([hidden])")
        page.fill("#key-value", KEY)
        page.click("#key-form button")
        page.wait_for_selector("html[data-ready=all]")
        answered(page, RUNNER)
        kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
        assert KEY not in kept
        page.reload()
        page.wait_for_selector("#key[open]")


def test_a_service_that_has_gone_is_said_so(browser):
    with served() as address:
        page = opened(browser, address)
    fill(page, {"age_years": 30, "sex": "male"})
    page.click("button[type=submit]")
    page.wait_for_function("document.querySelector('#empty-text').innerText.includes('does not answer')")
    page.context.close()


def test_nothing_is_asked_of_another_host_and_the_security_policy_holds(browser, address):
    asked, complaints = [], []
    page = browser.new_context().new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address)
    page.wait_for_selector("html[data-ready=all]")
    answered(page, PATIENT)
    assert asked and all(url.startswith((address, "data:")) for url in asked)
    assert complaints == []
    page.context.close()
