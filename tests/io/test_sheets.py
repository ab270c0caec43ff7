"""Workbooks: which sheet and which rows are the roster, and what each cell says."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError, TooLarge
from pfps_ml.io.cells import limited
from pfps_ml.io.mapping import load_mapping
from pfps_ml.io.roster import read_roster
from pfps_ml.io.xlsx_archive import opened_book
from pfps_ml.io.xlsx_tables import read_table
from tests.io.books import HEAD, ROWS, SHEET, book, good, raw, remade, row_of, saved, sheet_of, with_strings
from tests.rosters import cells

KNOWN = frozenset(HEAD)


def written(folder, content, name="roster.xlsx"):
    (folder / name).write_bytes(content)
    return folder / name


def table(folder, *rows, change=None):
    return read_table(written(folder, book(rows, change=change)), KNOWN)


def test_numbers_texts_and_blanks_are_read(tmp_path):
    read = read_roster(written(tmp_path, good()))
    assert read.ids.tolist() == ["R-1", "R-2"]
    np.testing.assert_array_equal(read.values["weight_kg"], [61.5, 72])
    assert read.table.column("notes").to_pylist() == ["", "ok"]
    assert read.summary.rejected == 0


def test_ids_that_excel_keeps_as_numbers_have_no_decimals(tmp_path):
    read = read_roster(written(tmp_path, raw((1, HEAD), (2, (7.0, 30, "male")), (3, (12345678901, 31, "male")))))
    assert read.ids.tolist() == ["7", "12345678901"]


def test_a_column_of_one_kind_keeps_it_and_any_other_is_text(tmp_path):
    day = dt.datetime(1998, 4, 3)
    head = ("runner_id", "whole", "broken", "truth", "day", "moment", "time", "mixed", "gap")
    rows = [
        ("a", 1, 1.5, True, day, dt.datetime(2026, 1, 2, 10, 30), dt.time(7, 30), 7, None),
        ("b", None, 2, False, None, dt.datetime(2026, 1, 3, 9), dt.time(8), "x", 3),
    ]
    found = table(tmp_path, head, *rows).table
    assert [str(kind) for kind in found.schema.types] == [
        "string", "int64", "double", "bool", "date32[day]", "timestamp[us]", "string", "string", "int64"]  # fmt: skip
    assert found.column("day").to_pylist() == [day.date(), None]
    assert found.column("mixed").to_pylist() == ["7", "x"]
    assert found.column("time").to_pylist() == ["07:30:00", "08:00:00"]


def test_a_percentage_says_what_it_shows(tmp_path):
    def change(made):
        for row in (2, 3):
            made.active.cell(row, 4).number_format = "0.0%"

    rows = (("runner_id", "age_years", "sex", "weekly_change_pct"), ("a", 30, "male", 0.07), ("b", 30, "male", -0.125))
    read = read_roster(written(tmp_path, book(rows, change=change)))
    np.testing.assert_array_equal(read.values["weekly_change_pct"], [7, -12.5])


def test_dates_of_old_macintoshes_are_the_same_days(tmp_path):
    def change(made):
        made.epoch = dt.datetime(1904, 1, 1)

    found = table(tmp_path, ("runner_id", "age_years", "day"), ("a", 3, dt.datetime(1998, 4, 3)), change=change)
    assert found.table.column("day").to_pylist() == [dt.date(1998, 4, 3)]


def test_a_day_that_no_calendar_has_stays_a_number(tmp_path):
    def change(made):
        made.active["C2"].number_format = "dd/mm/yyyy"

    found = table(tmp_path, ("runner_id", "age_years", "day"), ("a", 3, 1e9), change=change)
    assert found.table.column("day").to_pylist() == [1_000_000_000]


def test_truth_values_and_spellings_answer_a_question_for_yes_or_no(tmp_path):
    head = ("runner_id", "age_years", "sex", "prior_pfps")
    rows = [("a", 30, "F", True), ("b", 30, "w", "Nein"), ("c", 30, "Mann", "✓"), ("d", 30, "m", 1)]
    read = read_roster(written(tmp_path, book((head, *rows))))
    np.testing.assert_array_equal(read.values["prior_pfps"], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(read.values["sex"], [0, 0, 1, 1])
    assert [fault.row for fault in read.faults] == [3]


def test_shared_texts_with_formats_readings_and_escapes_are_read(tmp_path):
    texts = (
        "<sst><si><t>runner_id</t></si><si><r><t>age</t></r><r><t>_years</t></r></si><si><t>sex</t></si>"
        "<si><t>male</t></si><si><t>京</t><rPh><t>キョウ</t></rPh></si><si><t>a_x000D_b</t></si></sst>"
    )
    xml = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c><c t="s"><v>5</v></c></row>'
    xml += '<row><c t="s"><v>4</v></c><c><v>30</v></c><c t="s"><v>3</v></c><c/></row>'
    content = with_strings(good(), texts.encode())
    found = read_table(written(tmp_path, remade(content, SHEET, sheet_of(xml.encode()))), KNOWN)
    assert found.names == ("runner_id", "age_years", "sex", "a\rb")
    assert found.table.column("runner_id").to_pylist() == ["京"]


def test_the_header_is_found_below_a_title_and_blank_rows_are_no_rows(tmp_path):
    found = table(
        tmp_path, ("Harbour Striders",), ("as of", dt.datetime(2026, 1, 2)), (), HEAD, (), ROWS[0], (), ROWS[1]
    )
    assert (found.above, found.table.num_rows, found.names) == (2, 2, HEAD)


def test_a_table_may_begin_anywhere_and_columns_without_name_and_cells_are_none(tmp_path):
    rows = [(None, None, *HEAD[:3], None, None, "notes"), (None, None, "a", 30, "male", None, "lost", "x")]
    assert table(tmp_path, *rows).names == (*HEAD[:3], "column_4", "notes")


def test_names_that_reach_down_into_the_header_are_its(tmp_path):
    def change(made):
        made.active.merge_cells("A1:A2")
        made.active.merge_cells("B1:D1")

    found = table(
        tmp_path, ("runner_id", "Body"), (None, "age_years", "sex", "weight_kg"), ("a", 30, "male", 60), change=change
    )
    assert found.names == ("runner_id", "age_years", "sex", "weight_kg")


def test_merged_runners_are_rejected_with_what_to_do_and_no_other(tmp_path, bundle):
    content = book((HEAD, *ROWS, ("R-3", 30, "male")), change=lambda made: made.active.merge_cells("C2:C3"))
    source = written(tmp_path, content)
    score_roster(source, tmp_path / "out.csv", bundle)
    found = cells(tmp_path / "out.csv")
    assert [row["status"] for row in found] == ["rejected", "rejected", "scored"]
    assert found[0]["problem_codes"] == "merged_cells"
    score_roster(tmp_path / "out.csv", tmp_path / "again.csv", bundle)  # the cell's value is written once, where it was
    assert [row["status"] for row in cells(tmp_path / "again.csv")] == ["scored", "rejected", "scored"]


def test_a_sheet_is_named_or_the_only_one_that_looks_like_a_roster(tmp_path):
    other = (HEAD, ("Q-1", 30, "male"))
    source = written(tmp_path, book((HEAD, *ROWS), other, (("cover",),)))
    with pytest.raises(InputError, match=r"'Sheet', 'S1'. Name one with --sheet"):
        read_roster(source)
    assert read_roster(source, load_mapping(None, " s1 ")).ids.tolist() == ["Q-1"]
    with pytest.raises(InputError, match="expected a sheet of the name 'none', got 'Sheet', 'S1', 'S2'"):
        read_roster(source, load_mapping(None, "none"))
    with pytest.raises(InputError, match="empty sheet"):
        read_roster(written(tmp_path, book((HEAD, *ROWS), ())), load_mapping(None, "S1"))


def test_a_hidden_sheet_is_read_only_if_it_is_named(tmp_path):
    def change(made):
        made["S1"].sheet_state = "veryHidden"

    source = written(tmp_path, book((HEAD, *ROWS), (HEAD, ("Q-1", 30, "male")), change=change))
    assert read_roster(source).ids.tolist() == ["R-1", "R-2"]
    assert read_roster(source, load_mapping(None, "S1")).ids.tolist() == ["Q-1"]


def test_other_files_have_no_sheets(tmp_path):
    (tmp_path / "a.csv").write_text("runner_id\n")
    with pytest.raises(InputError, match="has no sheets"):
        read_roster(tmp_path / "a.csv", load_mapping(None, "S1"))


def test_more_cells_than_a_workbook_may_have_are_refused(tmp_path):
    with limited(cells=8), pytest.raises(TooLarge, match="at most 8 filled cells"):
        read_roster(written(tmp_path, good()))


def test_rows_and_cells_without_a_place_follow_each_other_and_prefixes_of_names_do_not_matter(tmp_path):
    xml = row_of(1, *HEAD) + row_of(2, "a", 30, "male")
    xml = xml.replace(b"<row", b"<x:row").replace(b"</row", b"</x:row").replace(b'r="', b'q="')
    found = read_table(written(tmp_path, remade(good(), SHEET, b'<x:sheet xmlns:x="y">' + xml + b"</x:sheet>")), KNOWN)
    assert (found.names, found.table.num_rows) == (HEAD, 1)


cell = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="_="), min_size=1, max_size=6),
    st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2100, 1, 1)).map(lambda day: day.replace(microsecond=0)),
)  # fmt: skip


@settings(max_examples=150)
@given(rows=st.lists(st.lists(cell, min_size=1, max_size=5), min_size=1, max_size=5))
def test_cells_are_those_that_calamine_reads(tmp_path, rows):
    made = Workbook()
    for at, row in enumerate(rows, start=1):
        for place, value in enumerate(row, start=1):
            made.active.cell(at, place, value)
    path = written(tmp_path, saved(made))
    theirs = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    with opened_book(path) as opened:
        ours = {row.number: row.cells for row in opened.rows(opened.tabs[0], [])}
    for at, row in enumerate(theirs, start=1):
        for place, value in enumerate(row):
            found = ours.get(at, {}).get(place, "")
            blank = value == "" and not str(found).strip()  # a text of spaces alone is none to calamine
            assert blank or found == value or (isinstance(value, dt.datetime) and found == value.date())
