"""The empty roster as a workbook: lists, limits, comments and an example, and it is read as it is filled in."""

import io

import pytest
from openpyxl import load_workbook

from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.io.roster import read_roster
from pfps_ml.io.xlsx_tables import HEADER, template_book
from tests.io.books import saved
from tests.rosters import roster


@pytest.fixture
def book():
    return load_workbook(io.BytesIO(template_book()))


def rows_of(sheet):
    return list(sheet.iter_rows(min_row=1, max_row=HEADER, values_only=True))


def test_it_is_the_same_bytes_whenever_it_is_written():
    assert template_book() == template_book()


def test_above_each_name_stand_what_it_is_its_limits_who_can_tell_it_and_an_example(book):
    labels, limits, who, examples, names = rows_of(book.active)
    assert names == tuple(field.name for field in INPUTS)
    assert labels == tuple(field.label for field in INPUTS) and limits == tuple(field.limits for field in INPUTS)
    assert [text == "required" for text in who] == [field.required for field in INPUTS]
    # of a knee visit there is no example: most rosters are of runners without one
    assert [cell is not None for cell in examples] == [field.asked != "visit" for field in INPUTS]


def test_each_column_holds_to_its_limits_or_levels_and_says_what_it_asks(book):
    sheet = book.active
    rules = {str(rule.sqref).partition(":")[0]: rule for rule in sheet.data_validations.dataValidation}
    for place, field in enumerate(INPUTS, start=1):
        cell = sheet.cell(HEADER + 1, place)
        assert field.question in sheet.cell(HEADER, place).comment.text
        if field.kind == "text":
            assert cell.coordinate not in rules
            continue
        rule = rules[cell.coordinate]
        assert rule.allow_blank and rule.showErrorMessage and field.limits in rule.error
        if field.levels:
            assert (rule.type, rule.formula1) == ("list", f'"{",".join(field.levels)}"')
        else:
            assert rule.type == ("whole" if field.kind == "whole" else "decimal")
            assert (float(rule.formula1), float(rule.formula2)) == (field.low, field.high)
        assert len(rule.prompt) <= 255 and len(rule.promptTitle) <= 32  # or a spreadsheet calls the file damaged


def test_a_filled_in_template_is_read_and_its_example_is_a_good_runner(tmp_path, book):
    *_, examples, _ = rows_of(book.active)
    for row in (HEADER + 1, HEADER + 2):
        for place, value in enumerate(examples, start=1):
            book.active.cell(row, place, value if place > 1 else f"R-{row}")
    read = read_roster(roster(tmp_path, saved(book), "filled.xlsx"))
    assert read.ids.tolist() == ["R-6", "R-7"]
    assert not read.faults
    assert read.values["step_rate_spm"].tolist() == [172, 172]
