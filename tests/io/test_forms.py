"""Forms: what is asked is what the dictionary says, and what is answered is read without a map."""

import csv
import re

import pytest
from openpyxl import load_workbook

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InvalidInput, OutputError
from pfps_ml.domain.dictionary import INPUTS, SCREENING
from pfps_ml.io.forms import form_book, form_page, is_answers
from pfps_ml.io.roster import NAMES, read_roster
from pfps_ml.io.xlsx_tables import FORM_ANSWERS, FORM_MARK
from pfps_ml.workflows.pictures import browsing, chromium
from tests.rosters import cells
from tests.waiting import patient

ANSWERS = {
    "R-1": {"age_years": 27, "sex": "female", "height_cm": 168, "weight_kg": 61.5, "prior_pfps": "yes"},
    "R-2": {"age_years": 31, "sex": "male", "weekly_distance_km": 32.5, "current_knee_pain": "no"},
}


def filled(path, answers, **how):
    """Write a form of which each runner has filled in a column."""
    path.write_bytes(form_book(max(len(answers), 1), **how))
    book = load_workbook(path)
    sheet = book.active
    rows = {row[0].value: row[0].row for row in sheet.iter_rows(max_col=1) if row[0].value}
    for column, (runner, values) in enumerate(answers.items(), start=FORM_ANSWERS + 1):
        for name, value in {"runner_id": runner, **values}.items():
            sheet.cell(rows[name], column, value)
    book.save(path)
    return path


def as_roster(path, answers):
    names = ["runner_id", *dict.fromkeys(name for values in answers.values() for name in values)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([runner, *(values.get(name, "") for name in names[1:])] for runner, values in answers.items())
    return path


@pytest.fixture
def expected(tmp_path, bundle):
    """Return the risks of the same answers in a roster."""
    score_roster(as_roster(tmp_path / "plain.csv", ANSWERS), tmp_path / "plain.out.csv", bundle)
    found = {row["runner_id"]: row["risk_12m"] for row in cells(tmp_path / "plain.out.csv")}
    assert all(found.values())
    return found


def risks(path):
    return {row["runner_id"]: row["risk_12m"] for row in cells(path)}


@pytest.mark.parametrize("visit", [False, True])
def test_a_workbook_asks_what_the_dictionary_says_with_lists_and_limits(tmp_path, visit):
    path = filled(tmp_path / "form.xlsx", {}, visit=visit)
    sheet = load_workbook(path).active
    asked = {row[0].value: row for row in sheet.iter_rows() if row[0].value and row[0].value != FORM_MARK}
    fields = INPUTS if visit else SCREENING
    assert sorted(asked) == sorted(field.name for field in fields)
    for field in fields:
        assert asked[field.name][1].value == field.question and field.limits in asked[field.name][3].value
    assert sheet.column_dimensions["A"].hidden
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    sex = next(rule for cells_, rule in rules.items() if f"E{asked['sex'][0].row}" in cells_)
    assert (sex.type, sex.formula1) == ("list", '"female,male"')
    assert len(rules) == sum(field.kind != "text" for field in fields)
    texts = [cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert sum("Not a medical device" in text for text in texts) == 2


def test_a_form_is_scored_without_a_map_as_a_roster_of_the_same_answers(tmp_path, bundle, expected):
    score_roster(filled(tmp_path / "form.xlsx", ANSWERS), tmp_path / "scored.csv", bundle)
    assert risks(tmp_path / "scored.csv") == expected


def test_columns_that_nobody_filled_in_are_no_runners_and_faults_are_those_of_a_roster(tmp_path):
    path = filled(tmp_path / "form.xlsx", {"R-1": {"age_years": 300, "sex": "female"}, "": {}})
    read = read_roster(path)
    assert read.summary.rows == 1 and read.summary.rejected == 1
    assert [fault.code for fault in read.faults] == ["outside_limits"]


def test_a_form_that_nobody_filled_in_has_no_rows(tmp_path):
    path = tmp_path / "form.xlsx"
    path.write_bytes(form_book())
    with pytest.raises(InvalidInput) as caught:
        read_roster(path)
    assert [fault.code for fault in caught.value.faults] == ["no_rows"]
    assert form_book(5, visit=True) == form_book(5, visit=True)  # the same bytes whenever it is written


def test_a_folder_of_answers_is_scored_as_one_roster(tmp_path, bundle, expected):
    folder = tmp_path / "answers"
    folder.mkdir()
    filled(folder / "one.xlsx", {"R-1": ANSWERS["R-1"]})
    as_roster(folder / "two.csv", {"R-2": ANSWERS["R-2"]})
    score_roster(folder, tmp_path / "scored.csv", bundle)
    assert risks(tmp_path / "scored.csv") == expected
    as_roster(folder / "two.csv", {"R-2": ANSWERS["R-2"], "R-1": ANSWERS["R-1"]})  # who answered twice is rejected
    score_roster(folder, tmp_path / "scored.xlsx", bundle)
    assert read_roster(tmp_path / "scored.xlsx").summary.rejected == 2


def test_answers_that_a_spreadsheet_saved_with_decimal_commas_are_read_beside_others(tmp_path, bundle, expected):
    folder = tmp_path / "answers"
    folder.mkdir()
    text = as_roster(tmp_path / "two.csv", {"R-2": ANSWERS["R-2"]}).read_text()
    (folder / "two.csv").write_text(text.replace(",", ";").replace("32.5", "32,5"))
    as_roster(folder / "one.csv", {"R-1": ANSWERS["R-1"]})
    score_roster(folder, tmp_path / "scored.csv", bundle)
    assert risks(tmp_path / "scored.csv") == expected


def test_answers_that_cannot_be_read_are_named_by_place_and_nothing_is_written(tmp_path, bundle):
    folder = tmp_path / "answers"
    folder.mkdir()
    as_roster(folder / "Anna.csv", {"R-1": ANSWERS["R-1"]})
    (folder / "Ben.xlsx").write_bytes(b"hello")
    with pytest.raises(InvalidInput) as caught:
        score_roster(folder, tmp_path / "scored.csv", bundle)
    assert caught.value.faults[0].text.startswith("file 2 of 2") and "Ben" not in caught.value.faults[0].text
    assert not (tmp_path / "scored.csv").exists()
    with pytest.raises(OutputError):
        score_roster(folder, folder / "scored.csv", bundle)
    assert is_answers(folder) and not is_answers(tmp_path / "nothing")


def test_a_page_asks_the_same_and_lets_nothing_else_run_or_be_sent():
    page = form_page()
    assert page.count("Not a medical device") == 2
    names = re.findall(r'<(?:input|select)[^>]* name="([a-z0-9_]+)"', page)
    assert sorted(names) == sorted(field.name for field in SCREENING) and set(names) <= set(NAMES)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src &#39;none&#39;") or policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "http" not in page.replace("http-equiv", "")
    assert not re.findall(r"\son[a-z]+=|\sstyle=", page)


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: make system")
def test_a_page_saves_a_row_of_a_roster_and_asks_no_other_host(tmp_path, bundle, expected):
    source, folder = tmp_path / "form.html", tmp_path / "answers"
    source.write_text(form_page(), encoding="utf-8")
    folder.mkdir()
    asked, thrown, said = [], [], []
    with browsing() as found:
        page = patient(found).new_context(accept_downloads=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        for runner, answers in ANSWERS.items():
            page.goto(source.as_uri())
            for name, value in {"runner_id": runner, **answers}.items():
                box = page.locator(f"[name={name}]")
                box.select_option(value) if box.evaluate("e => e.tagName") == "SELECT" else box.fill(str(value))
            with page.expect_download() as download:
                page.get_by_role("button", name="Save").click()
            assert download.value.suggested_filename == f"{runner}.csv"
            download.value.save_as(folder / f"{runner}.csv")
        page.locator("[name=age_years]").fill("300")  # outside the limits: nothing is saved
        page.get_by_role("button", name="Save").click()
        assert page.locator("[name=age_years]").evaluate("e => e.validity.rangeOverflow")
        width = page.evaluate("getComputedStyle(document.body).maxWidth")
    assert width == "704px"  # the style is not blocked by the page's own policy
    assert thrown == [] and said == []
    assert {url for url in asked if not url.startswith("blob:")} == {source.as_uri()}
    score_roster(folder, tmp_path / "scored.csv", bundle)
    assert risks(tmp_path / "scored.csv") == expected


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine: make system")
@pytest.mark.parametrize("text", ["=1+1", 'a "b", c', "../x", "-5 km", "+1", "é;ü"])
def test_any_id_comes_back_from_a_page_as_it_was_typed(tmp_path, text):
    source = tmp_path / "form.html"
    source.write_text(form_page(), encoding="utf-8")
    with browsing() as found:
        page = patient(found).new_context(accept_downloads=True).new_page()
        page.goto(source.as_uri())
        page.locator("[name=runner_id]").fill(text)
        page.locator("[name=age_years]").fill("30")
        page.locator("[name=sex]").select_option("female")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save").click()
        assert "/" not in download.value.suggested_filename
        download.value.save_as(tmp_path / "answer.csv")
    assert read_roster(tmp_path / "answer.csv").ids.tolist() == [text]
