"""The page for everybody: screen readers, keyboard, phones, tablets, paper, keys; and the roster."""

import base64
import re
import shutil

import pandas as pd
import pytest

from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.domain.schemas import CARE
from pfps_ml.workflows.pictures import PATIENT, PHONE, ROSTER, RUNNER, WIDE, answered, fill, opened, served
from tests.bundles import rewrite
from tests.page.conftest import MODELS
from tests.page.looking import violations

pytestmark = pytest.mark.slow

KEY = "a-key-for-this-test"
TABLETS = [{"width": 820, "height": 1180}, {"width": 1024, "height": 768}]
_OUTSIDE = {field.name: field.levels[-1] if field.kind == "choice" else int(field.high) for field in INPUTS[2:]}
# every field at its end: the most lines of cautions and of reasons
WORST = _OUTSIDE | {"runner_id": "a-pseudonym-that-a-register-made-0001", "club": "Lake", "current_knee_pain": "no"}


@pytest.mark.parametrize(
    ("scheme", "screen"), [("light", WIDE), ("dark", WIDE), ("dark", PHONE), ("light", TABLETS[0])]
)
def test_axe_finds_nothing_in_any_state_of_any_screen(browser, address, scheme, screen):
    page = opened(browser, address, screen, color_scheme=scheme)
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


@pytest.mark.parametrize("screen", TABLETS, ids=["upright", "across"])
def test_on_a_tablet_pathways_stand_side_by_side_and_nothing_is_cut(browser, address, screen):
    page = opened(browser, address, screen)
    answered(page, PATIENT)
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    tops = [round(arm.bounding_box()["y"]) for arm in page.locator(".arm").all()]
    assert tops[0] == tops[1]
    cut = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML)"
    assert page.locator("main .card, .arm, .bar, .change > p").evaluate_all(cut) == []
    page.context.close()


def test_dark_and_light_differ_and_both_are_the_persons_choice(browser, address):
    grounds = set()
    for scheme in ("light", "dark"):
        page = opened(browser, address, color_scheme=scheme)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.context.close()
    assert len(grounds) == 2


@pytest.mark.parametrize("runner", [RUNNER, PATIENT, WORST], ids=["runner", "patient", "all outside"])
def test_it_prints_to_one_page_with_what_was_entered_the_answer_and_the_notice(page, runner):
    answered(page, runner)
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1
    page.emulate_media(media="print")
    answer = "#withheld" if runner is WORST else "#reasons"  # for the worst, what to do stands in place of numbers
    for part in ("#notice", "#record", "#risk", answer):
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


def test_the_keyboard_alone_fills_the_form_moves_a_slider_and_takes_it_back(page):
    def reach(name):
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id || document.activeElement.textContent") == name:
                return
        raise AssertionError(name)

    for name, typed in (("f-age_years", "27"), ("f-weekly_distance_km", "32")):
        reach(name)
        page.keyboard.type(typed)
        if name == "f-age_years":
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found:not([hidden])")
    page.wait_for_function("() => document.activeElement.id === 'answer'")
    reach("w-weekly_distance_km")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#w-weekly_distance_km") == "34"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "Undo"
    page.keyboard.press("Enter")
    assert page.input_value("#w-weekly_distance_km") == "33"


def test_a_screen_reader_is_told_the_answer(page):
    answered(page, PATIENT)
    said = page.text_content("#said")
    assert "in 100" in said and "No clear preference" in said


def unguarded(cell):
    return cell[1:] if cell[:2] in ("'=", "'+", "'-", "'@") else cell


def drop(page, path):
    """Drop a file on the roster's field, as a person would with the mouse."""
    given = {"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()}
    page.evaluate(
        """({ name, content }) => {
        const drawn = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([drawn], name));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    }""",
        given,
    )
    page.wait_for_selector("#roster-found:not([hidden])")


def test_a_workbook_that_is_dropped_comes_back_as_a_workbook(page, tmp_path):
    pd.read_csv(ROSTER, dtype=str, keep_default_na=False).head(12).to_excel(tmp_path / "team.xlsx", index=False)
    page.click("#tab-roster")
    drop(page, tmp_path / "team.xlsx")
    with page.expect_download() as waited:
        page.click("#download")
    assert waited.value.suggested_filename == "team_scored.xlsx"
    waited.value.save_as(tmp_path / "scored.xlsx")
    scored = pd.read_excel(tmp_path / "scored.xlsx", engine="calamine")
    assert len(scored) == 12 and {"risk_12m", "risk_band", "reason_1"} <= set(scored.columns)
    assert page.locator("#roster-table tbody tr").count() == 12


def test_a_roster_that_is_chosen_is_scored_sorted_and_downloaded_as_the_service_wrote_it(page, tmp_path):
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
    assert ids.all_inner_texts()[:highest] == [unguarded(each) for each in by_risk[:highest]]
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
    page.wait_for_function("() => document.querySelector('#roster-told').innerText.includes('expected')")
    assert page.is_hidden("#roster-found")


def test_a_service_with_keys_is_asked_with_one_that_stays_in_memory(browser):
    with served({"PFPS_API_KEYS": KEY}) as address:
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
        page.close()


def test_a_service_that_has_gone_is_said_so(browser):
    with served() as address:
        page = opened(browser, address)
    fill(page, {"age_years": 30, "sex": "male"})
    page.click("button[type=submit]")
    page.wait_for_function("() => document.querySelector('#empty-text').innerText.includes('does not answer')")
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


def test_a_bundle_that_was_updated_on_a_cohort_says_so_above_in_the_what_if_and_on_paper(browser, tmp_path):
    shutil.copytree(MODELS / "pfps-0.2.0", tmp_path / "pfps-local")
    update = {"cohort": "a", "runners": 1812}
    rewrite(tmp_path / "pfps-local", "manifest.json", lambda manifest: manifest.update(updates=[update]))
    (tmp_path / "CURRENT").write_text("pfps-local\n", encoding="utf-8")
    said = f"Trained on simulated data, updated on 1,812 runners of a cohort. {CARE}"
    with served({"PFPS_MODELS": str(tmp_path)}) as address:
        page = opened(browser, address)
        answered(page, RUNNER)
        assert page.inner_text("#notice") == said
        assert "it learned from simulated data, updated on 1,812 runners of a cohort, and" in page.inner_text("#whatif")
        assert f"Model pfps-local. {said}" in page.locator("#record").text_content()
        page.context.close()
