"""What the values of one column tell, and what they leave open."""

import datetime as dt

import pytest

from pfps_ml.core.messages import Message
from pfps_ml.io.mapping import OPEN, spec_faults
from tests.io.proposed import TODAY, column


@pytest.mark.parametrize(("name", "cells", "factor"), [
    ("Height (m)", ("1.78", "1.62"), 100), ("Height in", (70, 64), 2.54), ("Größe cm", (), None),
    ("Weight lb", (150, 128), 0.45359237), ("Gewicht kg", (70, 60), None), ("Stature (cm)", (170,), None),
    ("weekly miles", (20, 12), 1.609344), ("experience (months)", (24, 36), 1 / 12), ("ND cm", (0.8, 1), 10),
])  # fmt: skip
def test_a_unit_in_the_name_is_converted_without_asking(tmp_path, name, cells, factor):
    found = column(tmp_path, name, *cells)
    assert not found.question
    assert (found.declared or {}).get("factor") == (pytest.approx(factor) if factor else None)


@pytest.mark.parametrize(("name", "cells", "factor", "note"), [
    ("Height", ("1.78", "1.62", "1.7"), 100, "the values fit m"), ("Height", (70, 64, 66), 2.54, "the values fit in"),
    ("Height", (178, 162), None, "read as cm"), ("Weight", (70, 62), None, "read as kg"),
    ("Cadence", (84, 86), 2, "the values fit strides/min"), ("Quads", (2.5,), None, "read as Nm/kg"),
])  # fmt: skip
def test_without_a_unit_in_the_name_the_values_tell_it_and_the_map_says_so(tmp_path, name, cells, factor, note):
    found = column(tmp_path, name, *cells)
    assert (found.question, (found.declared or {}).get("factor")) == (None, factor)
    assert [one.text for one in found.notes] == [f"No unit in the name: {note}."]


@pytest.mark.parametrize(("name", "cells", "question"), [
    ("Height", (3, 4, 5), "which unit is it in?"), ("Weight", (150, 128, 171), "in kg or in lb"),
    ("VAS", (3, 7, 10), "0 to 10"), ("hip abd N", (150,), "metres (lever_arm_m)"), ("Quads kg", (31,), "lever_arm_m"),
    ("Weight", ("1,234", "2,345"), "before the tenths"), ("Weight", ("61,500", "72"), "1 cell before the tenths"),
    ("DOB", ("3/4/1998", "5/6/1997"), "the day or the month?"), ("knee pain", (1, 2), "which numbers mean no and yes?"),
    ("sex", (1, 2), "which numbers mean female and male?"), ("sex", (0, 1, 2), "which numbers mean"),
    ("M/F", (1,), "which numbers mean"),
])  # fmt: skip
def test_what_only_somebody_who_knows_the_file_can_tell_is_asked(tmp_path, name, cells, question):
    assert question in column(tmp_path, name, *cells).question.text


@pytest.mark.parametrize(("name", "cells"), [
    ("Weight", ("61,500",)), ("DOB", ("3/4/1998",)), ("sex", (1, 2)), ("knee pain", (1, 2)), ("hip abd N", (150,)),
])  # fmt: skip
def test_a_question_that_was_not_answered_is_no_map(tmp_path, name, cells):
    found = column(tmp_path, name, *cells)
    assert OPEN in str(found.declared)
    assert spec_faults(found.field, {"from": name, **found.declared})


def test_a_torque_is_divided_by_the_runner_s_weight_and_that_is_said(tmp_path):
    found = column(tmp_path, "Quads Nm", 139, 210)
    assert found.declared == {"per_kg": True}
    assert found.notes == (Message("note_torque"),)
    assert column(tmp_path, "hip abd ft lb", 60).declared == {"per_kg": True, "factor": 1.3558179483}


def test_codes_for_not_known_are_those_that_cannot_be_true(tmp_path):
    assert column(tmp_path, "weight_kg", 60, 999, "-9", "k.A.", "n/a").declared == {"missing": ["999", "-9", "k.A."]}
    assert column(tmp_path, "weight_kg", 60, 99).declared is None
    assert column(tmp_path, "knee pain", "no", "weiß nicht").declared == {"missing": ["weiß nicht"]}


@pytest.mark.parametrize(("cells", "decimal"), [
    (("1,234", "61,5"), ","), (("1,234", "1.234,5"), ","), (("1,234", "1,234.5"), "."), (("60.5", "72"), None),
])  # fmt: skip
def test_one_certain_cell_tells_what_the_commas_of_a_column_mean(tmp_path, cells, decimal):
    found = column(tmp_path, "weekly distance km", *cells)
    assert (found.question, (found.declared or {}).get("decimal")) == (None, decimal)


def test_cells_that_will_be_rejected_or_not_used_are_counted(tmp_path):
    notes = column(tmp_path, "Age", 30, "x", "y_1", "1_0").notes
    assert notes[-1].text == "3 cells are no number: their rows will be rejected."
    (note,) = column(tmp_path, "knee pain", "no", "a bit").notes
    assert note.text == "1 cell is another level than no or yes: it will not be used."
    (note,) = column(tmp_path, "sex", "male", "female", "a bit").notes
    assert note.text == "1 cell is another level than female or male: its row will be rejected."


def test_levels_that_are_likely_are_proposed_and_said_to_be_only_likely(tmp_path):
    found = column(tmp_path, "knee pain", 0, 1)
    assert found.declared == {"levels": {"0": "no", "1": "yes"}}
    assert [note.text for note in found.notes] == ["These levels are likely, not certain: 0 for no, 1 for yes."]
    assert column(tmp_path, "Geslacht", "V", "M").declared == {"levels": {"V": "female"}}
    assert column(tmp_path, "sexo", "H", "M").declared == {"levels": {"H": "male", "M": "female"}}
    assert column(tmp_path, "sex", "F", "M", "H").declared == {"levels": {"H": "male"}}


@pytest.mark.parametrize(("cells", "order"), [
    (("1998-04-03", "1997-12-31"), "year first"), (("31.12.1997", "3.4.98"), "day first"),
    (("1998", "2001"), "year first"),
    (("12/31/1997", "3/4/1998"), "month first"), (("1997/12/31",), "year first"), (("4/4/1998",), "day first"),
    (("31.12.1997", "unbekannt"), "day first"),
])  # fmt: skip
def test_a_date_of_birth_tells_what_stands_first_and_the_map_names_the_day_of_the_age(tmp_path, cells, order):
    found = column(tmp_path, "Geburtsdatum", *cells)
    assert (found.field, found.question) == ("age_years", None)
    assert found.declared == {"born": order, "on": TODAY}
    assert "set the day of the screening" in found.notes[0].text
    assert isinstance(found.declared["on"], dt.date) and found.samples == ()


def test_dates_that_cannot_be_read_are_asked_about(tmp_path):
    assert column(tmp_path, "DOB", "14/08/1997", "spring").question
    found = column(tmp_path, "DOB", "spring")
    assert found.question.code == "ask_unread" and found.declared == {"born": OPEN, "on": TODAY}
    assert column(tmp_path, "DOB").declared == {"born": "year first", "on": TODAY}
