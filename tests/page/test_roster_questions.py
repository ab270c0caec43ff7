"""The roster tab asks what a file leaves open, as `pfps map --ask` does, and scores by the answers."""

import tomllib

import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.io.roster import read_roster
from pfps_ml.workflows.pictures import PHONE, opened
from tests.page.looking import violations
from tests.rosters import cells, roster

SQUAD = (
    "Spieler-Nr.;Alter;Geschlecht;Gewicht (kg);Hüftabduktion li (N);Hüftabduktion re (N);Knie;Trikot\n"
    "7;24;w;58,5;141;120;nein;rot\n8;31;m;74;190;210;ja;rot\n9;28;w;61,2;118;140;nein;blau\n"
)


def choose(page, text, name="kader.csv"):
    page.click("#tab-roster")
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def asked(page):
    """Return the question that is open, once there is one."""
    page.wait_for_selector("#roster-asked:not([hidden])")
    return page.inner_text("#roster-asked legend")


def answer(page, choice=None, written=None):
    """Answer the open question, and wait until the service has taken the answer."""
    if choice:
        page.check(f"#roster-asked input[value='{choice}']")
    if written:
        page.fill("#roster-asked input[name=written]", written)
    with page.expect_response("**/map"):
        page.click("#roster-asked button.main")


def test_what_a_file_leaves_open_is_asked_and_the_answers_score_it(page, bundle, tmp_path):
    choose(page, SQUAD)
    assert "knee pain now" in asked(page) and asked(page).startswith("Knie")
    assert page.locator("#roster-asked input:checked").count() == 0  # nobody is free of pain by a slip
    answer(page, choice="yes")
    page.wait_for_function("() => document.querySelector('#roster-asked legend').innerText.includes('dynamometer')")
    answer(page, written="4")  # metres: no leg is so long
    page.wait_for_function("() => document.querySelector('#roster-told').innerText.includes('place 2')")
    assert "dynamometer" in asked(page)
    answer(page, written="0,4")
    page.wait_for_selector("#roster-found:not([hidden])")
    assert page.is_hidden("#roster-asked")
    page.click("#roster-read summary")
    assert "Not read, and passed through: Trikot." in page.inner_text("#roster-read")
    with page.expect_download() as waited:
        page.click("#roster-read button")
    waited.value.save_as(tmp_path / "map.toml")
    declared = tomllib.loads((tmp_path / "map.toml").read_text(encoding="utf-8"))
    assert declared["columns"]["hip_abduction_nm_kg"]["lever_arm_m"] == 0.4
    source = roster(tmp_path, SQUAD)
    assert read_roster(source, tmp_path / "map.toml").values["current_knee_pain"].tolist() == [0, 1, 0]
    with page.expect_download() as waited:
        page.click("#download")
    waited.value.save_as(tmp_path / "page.csv")
    score_roster(source, tmp_path / "here.csv", bundle, tmp_path / "map.toml")
    assert cells(tmp_path / "page.csv", ";") == cells(tmp_path / "here.csv", ";")


def test_the_second_file_of_a_club_is_read_by_the_first_ones_map_without_a_question(page, tmp_path):
    choose(page, SQUAD)
    asked(page)
    answer(page, choice="yes")
    page.wait_for_function("() => document.querySelector('#roster-asked legend').innerText.includes('dynamometer')")
    answer(page, written="0.4")
    page.wait_for_selector("#roster-found:not([hidden])")
    page.click("#roster-read summary")
    with page.expect_download() as waited:
        page.click("#roster-read button")
    waited.value.save_as(tmp_path / "map.toml")
    page.set_input_files("#map-file", tmp_path / "map.toml")
    choose(page, SQUAD.replace("\n8;", "\n18;"), "kader2.csv")
    page.wait_for_function("() => document.querySelector('#roster-table').innerText.includes('18')")
    assert page.is_hidden("#roster-asked")


def test_whoever_has_no_risk_or_one_without_some_cells_is_listed_by_id(page):
    text = "runner_id,age_years,sex,current_knee_pain,weight_kg\nR-1,30,male,no,heavy\nR-2,31,male,yes,60\n"
    choose(page, text + "R-3,300,male,no,60\nR-4,33,female,no,61\n")
    page.wait_for_selector("#roster-found:not([hidden])")
    for summary in page.locator("#roster-who summary").all():
        summary.click()
    said = page.inner_text("#roster-who")
    for line in ("Rejected: 1\n\nR-3", "cells: 1\n\nR-1", "no risk of a new episode: 1\n\nR-2"):
        assert line in said
    assert "R-4" not in said


@pytest.mark.slow
def test_a_question_is_as_easy_for_a_screen_reader_and_on_a_phone(browser, address):
    page = opened(browser, address, PHONE)
    choose(page, SQUAD)
    asked(page)
    assert page.evaluate("document.activeElement.tagName") == "LEGEND"
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.context.close()


def test_a_question_about_many_codes_is_answered_in_writing_and_can_be_taken_back(page):
    choose(page, "Nr,Age,Gender,Knee pain now\n1,30,1,no\n2,31,2,no\n3,32,3,no\n")
    assert "female" in asked(page)
    answer(page, written="1 = male, 2 = female, 3 = female")
    page.wait_for_selector("#roster-found:not([hidden])")
    assert "3 scored" in " ".join(page.inner_text("#roster-counts").split())
    assert pd.Series(page.locator("#roster-table tbody td:first-child").all_inner_texts()).is_unique
