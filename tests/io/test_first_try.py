"""Rosters as clubs send them, at first try: what is read, what only a person can answer, and what is never scored."""

import datetime as dt
import tomllib

import numpy as np
import pytest

from benchmarks.roster_names import tally
from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InvalidInput
from pfps_ml.io.mapping_dialogue import answers, map_text, questions_of, with_answers
from pfps_ml.io.roster import read_roster
from tests.io.books import book
from tests.io.proposed import proposal, read_by_proposal
from tests.io.test_any_names import BRITISH, settled, spread
from tests.rosters import cells, roster

GERMAN = (
    ("TSV Nordufer, Saisonbeginn",),
    (),
    ("Spielernr.", "Geschlecht", "Geb.-Datum", "Körpergröße", "Gewicht in kg", "Laufjahre", "Kilometer/Woche",
     "Einheiten pro Woche", "Schrittfrequenz", "Hüftabduktion links (N)", "Hüftabduktion rechts (N)",
     "Quadrizeps li (Nm)", "Quadrizeps re (Nm)", "Zur Zeit Knieschmerzen?", "Läuferknie früher?", "Knie-OP",
     "Verletzung letzte 12 Monate", "Bemerkung"),
    (4, "weiblich", "23.4.1998", "1,68 m", "59,5", 6, "32", 4, 172, 131, 120, 140, 151, "nein", "ja, 2022", "nein",
     "nein", None),
    (5, "männlich", "12. März 1990", 183, 78, 11, 45, 5, "-", 190, None, 230, 221, "ja (re)", "nein", "ja (Meniskus)",
     "ja", "Einlagen"),
    (6, "w", dt.datetime(2001, 12, 24), 171, "61,2", 3, "20-30", 3, 168, 118, 140, 150, 149, "nein", "nein", "nein",
     "nein", None),
    ("Mittelwert", None, None, 174, "66,2", 7, 36, 4, 170, 146, 130, 173, 174, None, None, None, None, None),
)  # fmt: skip


def test_a_german_squad_is_read_at_first_try_but_for_the_lever_arm(tmp_path):
    read, asked, proposed = settled(tmp_path, book(GERMAN))
    assert asked == ["ask_lever_arm"] and read.ids.tolist() == ["4", "5", "6"]
    assert [text for _, text in proposed.no_runners] == ["Mittelwert"]
    values = read.values
    np.testing.assert_array_equal(values["age_years"], [28, 36, 24])
    np.testing.assert_array_equal(values["height_cm"], [168, 183, 171])
    np.testing.assert_array_equal(values["weekly_distance_km"], [32, 45, np.nan])  # a range costs its cell alone
    np.testing.assert_array_equal(values["current_knee_pain"], [0, 1, 0])
    np.testing.assert_array_equal(values["prior_pfps"], [1, 0, 0])
    np.testing.assert_array_equal(values["prior_knee_injury"], [0, 1, 0])
    weaker = np.array([120, 190, 118]) * 0.4 / np.array([59.5, 78, 61.2])
    np.testing.assert_allclose(values["hip_abduction_nm_kg"], weaker)
    assert read.summary.rejected == 0 and read.one_sided == {"hip_abduction_nm_kg": ["5"]}


def test_in_a_squad_with_formulas_that_were_never_calculated_those_cells_alone_are_missing(tmp_path):
    rows = [list(row) for row in BRITISH]
    rows[6][6] = "=4*5"  # the weekly miles of the third runner
    read, asked, _ = settled(tmp_path, book(rows, change=spread("G3:H3", "I3:J3", "K3:L3")))
    assert asked == ["ask_lever_arm"] and read.summary.rejected == 0
    (fault,) = [fault for fault in read.faults if fault.code == "formula_uncalculated"]
    assert (fault.row, fault.field, fault.parameters["cell"]) == (2, "weekly_distance_km", "Sheet!G7")


def test_a_squad_of_two_sides_has_the_risks_of_the_weaker_side_chosen_by_hand(tmp_path, bundle):
    start = "id,Age,Sex,Weight (kg),{},FPI left,FPI right\n"
    strong, weak = [1.9, 1.6, 2.2], [1.1, 1.5, 1.0]
    both = start.format("Hip abd L (Nm/kg),Hip abd R (Nm/kg)")
    one = start.format("Hip abd (Nm/kg)").replace("FPI left,FPI right", "FPI")
    for at in range(3):
        both += f"R-{at},3{at},F,60,{strong[at]},{weak[at]},{at},{9 - at}\n"
        one += f"R-{at},3{at},F,60,{weak[at]},{9 - at}\n"
    risks = []
    for name, text in (("both.csv", both), ("one.csv", one)):
        told = roster(tmp_path, map_text(proposal(tmp_path, text, name)), "map.toml")
        score_roster(tmp_path / name, tmp_path / "out.csv", bundle, told)
        risks.append([row["risk_12m"] for row in cells(tmp_path / "out.csv")])
    assert risks[0] == risks[1] and len(set(risks[0])) == 3


@pytest.mark.parametrize(
    ("name", "texts", "field", "expected"),
    [
        ("Height", ("6\u20192\u201d", "5\u20198\u201d"), "height_cm", (187.96, 172.72)),
        ("Height", ("6\u20322\u2033", "5\u20328\u2033"), "height_cm", (187.96, 172.72)),
        ("Height", ("6'1\u00bd\"", "5'7.5\""), "height_cm", (186.69, 171.45)),
        ("Weight", ("10st 6lb", "13st 2"), "weight_kg", (66.22, 83.46)),
    ],
)
def test_feet_and_stones_are_read_as_people_write_them(tmp_path, name, texts, field, expected):
    lines = "".join(f"{at};2{at};F;{text}\n" for at, text in enumerate(texts))
    read = read_by_proposal(tmp_path, f"ID;Age;Sex;{name}\n{lines}")
    np.testing.assert_allclose(read.values[field], expected, atol=0.01)


@pytest.mark.parametrize("second", ["02-Jun-90", "1990-06-02T00:00:00.000Z", "2. Juni 1990", "2.6.1990"])
def test_dates_of_birth_are_read_at_first_try_where_one_of_them_tells_their_order(tmp_path, second):
    first = {"-": "25-Jan-02", "T": "2002-01-25T00:00:00Z", " ": "25. Januar 2002", ".": "25.1.2002"}
    mark = next(sign for sign in "T -." if sign in second)
    read = read_by_proposal(tmp_path, f"ID,DOB,Sex\n1,{first[mark]},F\n2,{second},M\n")
    np.testing.assert_array_equal(read.values["age_years"], [24, 36])


def test_dates_that_can_be_read_in_two_ways_are_asked_and_dates_that_cannot_be_read_are_said(tmp_path):
    found = proposal(tmp_path, "ID,DOB,Sex\n1,3/4/1998,F\n2,5/6/1990,M\n")
    assert [question.code for question in questions_of(found)] == ["ask_date_order"]
    found = proposal(tmp_path, "ID,DOB,Sex\n1,spring 98,F\n2,about 1990,M\n")
    (question,) = questions_of(found)
    assert (question.code, question.columns, question.default) == ("ask_unread", ("DOB",), "")


def test_a_form_with_the_questions_of_the_guide_needs_no_answer_and_the_newest_of_a_person_counts(tmp_path):
    text = (
        "Timestamp,Email Address,Player number,How old are you?,What is your sex?,How tall are you? (cm),"
        "Do you have pain at the front of the knee now?\n"
        "2026/09/02 7:01:12 PM GMT+2,a@club.example,1,32,Male,186,Yes\n"
        "2026/09/03 7:02:12 PM GMT+2,b@club.example,2,27,Female,167,No\n"
        "2026/09/05 8:00:00 AM GMT+2,a@club.example,1,32,Male,186,No\n"
    )
    found = proposal(tmp_path, text)
    assert questions_of(found) == [] and "a@club" not in map_text(found)
    newest = roster(tmp_path, 'newest = "Timestamp"\n' + map_text(found), "map.toml")
    read = read_roster(tmp_path / "roster.csv", newest)
    assert [fault.code for fault in read.faults] == ["newer_row"] and read.summary.scored == 2
    np.testing.assert_array_equal(read.values["current_knee_pain"][1:], [0, 0])


def test_labels_of_a_study_database_are_read_and_any_of_several_boxes_is_a_yes(tmp_path):
    text = (
        "Record ID,Event Name,Age (years),Sex,Knee pain now,Previous PFP,Injuries last 12 months (choice=Knee),"
        "Injuries last 12 months (choice=Ankle),Injuries last 12 months (choice=None),Complete?\n"
        "1,Baseline,33,Male,Yes,No,Unchecked,Unchecked,Checked,Complete\n"
        "2,Baseline,41,Female,No,Unknown,Unchecked,Checked,Unchecked,Complete\n"
    )
    found = proposal(tmp_path, text)
    (question,) = questions_of(found)
    assert question.code == "ask_column" and len(question.columns) == 2  # the box for none is no injury
    told = map_text(with_answers(found, [{"id": question.id, "answer": "any of them"}]))
    read = read_roster(tmp_path / "roster.csv", roster(tmp_path, told, "map.toml"))
    assert read.summary.scored == 2
    np.testing.assert_array_equal(read.values["prior_running_injury_12m"], [0, 1])
    np.testing.assert_array_equal(read.values["prior_pfps"], [0, np.nan])


def test_of_boxes_with_codes_that_for_none_can_be_left_out_of_any_of_them(tmp_path):
    text = "record_id,age,sex,injuries_12m___1,injuries_12m___2,injuries_12m___0\n1,30,F,0,1,0\n2,31,M,0,0,1\n"
    found = proposal(tmp_path, text)
    (question,) = questions_of(found)
    but = "any of them but injuries_12m___0"
    assert but in question.choices
    told = map_text(with_answers(found, [{"id": question.id, "answer": but}]))
    read = read_roster(tmp_path / "roster.csv", roster(tmp_path, told, "map.toml"))
    np.testing.assert_array_equal(read.values["prior_running_injury_12m"], [1, 0])
    assert tomllib.loads(told)["leave"] == ["injuries_12m___0"]


@pytest.mark.parametrize(
    ("name", "cell"), [("Knie", "ja"), ("Knee at the physio now", "yes"), ("Pain front of knee this week", "2")]
)
def test_a_map_is_not_read_before_somebody_has_said_who_has_knee_pain_now(tmp_path, name, cell):
    found = proposal(tmp_path, f"ID,Age,Sex,{name}\n1,30,F,{cell}\n2,31,M,{cell}\n")
    assert [question.columns for question in questions_of(found)] == [(name,)]
    told = roster(tmp_path, map_text(found), "map.toml")
    with pytest.raises(InvalidInput) as caught:
        read_roster(tmp_path / "roster.csv", told)
    assert [fault.code for fault in caught.value.faults] == ["map_unanswered"]
    assert "--ask" in caught.value.faults[0].text
    on_purpose = map_text(with_answers(found, [{"id": questions_of(found)[0].id, "answer": "leave"}]))
    assert tomllib.loads(on_purpose)["leave"] == [name]
    assert read_roster(tmp_path / "roster.csv", roster(tmp_path, on_purpose, "map.toml")).summary.scored == 2


def test_a_required_column_that_nobody_can_be_asked_about_is_no_question(tmp_path):
    found = proposal(tmp_path, "Age,Sex\n30,F\n31,M\n")
    assert found.lacking == ("runner_id",) and questions_of(found) == []
    assert answers(found, None, print).lacking == ("runner_id",)


def test_columns_that_are_not_read_are_listed_with_what_can_be_done(tmp_path):
    told = map_text(proposal(tmp_path, "Nr,Age,Sex,Vertical jump,Mood\n1,30,F,41,x\n"))
    for line in (
        '# from = "Vertical jump"',
        '# or: leave = ["Vertical jump"]',
        '# or: leave = ["Mood"]',
        "# levels = {",
    ):
        assert line in told
    assert "value = ..." in told and "docs/MAPPING.md" in told
    filled = told.replace("# [columns.FIELD]", "[columns.squat_fppa_deg]", 1).replace('# from = "V', 'from = "V')
    assert tomllib.loads(filled)["columns"]["squat_fppa_deg"] == {"from": "Vertical jump"}


def test_labels_of_public_software_are_read_or_asked_about_and_never_wrong_without_a_word():
    told = tally(300, public=True)
    fields = told[told["field"] != ""]
    assert (told["became"] != "wrong").all()
    assert (fields["became"] == "read").mean() > 0.8
    assert fields["became"].isin(["read", "asked"]).mean() > 0.95
