"""Squads as clubs keep them, in six languages: read at first try, or asked about; never wrong without a word."""

import datetime as dt
import tomllib

import numpy as np
import pytest

from benchmarks.roster_names import tally
from pfps_ml.core.errors import InputError, InvalidInput
from pfps_ml.io.column_matching import looks_like_pain, surely_named
from pfps_ml.io.mapping import birth_date
from pfps_ml.io.mapping_dialogue import answered, answers, like, map_text, questions_of
from pfps_ml.io.readers import open_source
from pfps_ml.io.roster import NAMES, read_roster
from tests.io.books import book
from tests.io.proposed import column, proposal, read_by_proposal
from tests.rosters import ROOT, refused, roster

BRITISH = (
    ("Riverside Runners, pre-season",),
    (),
    (
        "Squad no",
        "First name",
        "M/F",
        "Birth date",
        "Stature",
        "Body weight",
        "Running",
        None,
        "Hip abductors (N)",
        None,
        "FPI",
        None,
        "Knee sore today?",
        "Remarks",
    ),
    (
        None,
        None,
        None,
        "dd/mm/yyyy",
        "ft in",
        "st lb",
        "miles/week",
        "sessions/week",
        "L",
        "R",
        "Lt",
        "Rt",
        "Y/N",
        None,
    ),
    (1, "A.", "F", dt.datetime(1999, 5, 4), "5'6\"", "9st 3", 20, 4, 120, 150, 2, 7, "N", None),
    (2, "B.", "M", "07/11/1992", "6\u20320\u2033", "12 st 2 lb", 31, 5, 180, None, 4, 1, "Y (R)", "tape"),
    (3, "C.", "F", dt.datetime(1988, 1, 30), "5 ft 4½", "8st13lb", "20-25", 3, 140, 130, 3, 3, "n", None),
    (None, "Mean", None, None, None, None, 25.5, 4, None, None, None, None, None, None),
)
FRENCH = (
    ("AC Rivière, bilan de rentrée",),
    (
        "N° licencié",
        "Nom",
        "Sexe",
        "Né(e) le",
        "Taille (cm)",
        "Poids (kg)",
        "km/semaine",
        "Séances/sem.",
        "Cadence",
        "Abd. hanche G (N)",
        "Abd. hanche D (N)",
        "Quadriceps g (Nm)",
        "Quadriceps d (Nm)",
        "Douleur au genou actuellement ?",
        "Syndrome rotulien (antécédents)",
        "Opération du genou",
        "Blessure 12 derniers mois",
        "Remarques",
    ),
    (
        101,
        "X.",
        "Femme",
        "3/4/1998",
        166,
        "58,5",
        "32",
        4,
        172,
        131,
        120,
        140,
        151,
        "non",
        "oui, 2022",
        "non",
        "oui",
        None,
    ),
    (
        102,
        "Y.",
        "Homme",
        "21/12/1990",
        "1,81 m",
        "74",
        "45 km",
        5,
        "n.c.",
        190,
        205,
        230,
        221,
        "oui (D)",
        "non",
        "non",
        "non",
        "semelles",
    ),
    (103, "Z.", "F", "14/07/2001", 172, "61,2", "25", 3, 168, 118, 140, 150, 149, "non", "?", "oui", "non", None),
    ("Moyenne", None, None, None, 173, "64,6", "34", 4, None, None, None, None, None, None, None, None, None, None),
)


def spread(*areas):
    def change(made):
        for area in areas:
            made.active.merge_cells(area)

    return change


def settled(folder, content, lever="0.4", name="roster.xlsx"):
    """Return what is read with every question answered by its default, the first choice, or a lever arm."""
    proposed, asked = proposal(folder, content, name), []
    while questions := questions_of(proposed):
        asked.append(questions[0].code)
        answer = lever if asked[-1] == "ask_lever_arm" else questions[0].default or questions[0].choices[0]
        proposed = answered(proposed, questions[0], answer)
    return read_roster(folder / name, roster(folder, map_text(proposed), "map.toml")), asked, proposed


def test_a_british_squad_with_two_rows_of_names_is_read_at_first_try(tmp_path):
    read, asked, proposed = settled(tmp_path, book(BRITISH, change=spread("G3:H3", "I3:J3", "K3:L3")))
    assert asked == ["ask_lever_arm"]
    assert read.ids.tolist() == ["1", "2", "3"]
    assert [text.split()[0] for _, text in proposed.no_runners] == ["dd/mm/yyyy", "Mean"]
    values = read.values
    np.testing.assert_array_equal(values["age_years"], [27, 33, 38])
    np.testing.assert_allclose(values["height_cm"], [167.64, 182.88, 163.83], atol=0.01)
    np.testing.assert_allclose(values["weight_kg"], [58.51, 77.11, 56.7], atol=0.01)
    np.testing.assert_allclose(values["weekly_distance_km"], [32.19, 49.89, np.nan], atol=0.01)
    np.testing.assert_array_equal(values["foot_posture_index"], [7, 4, 3])
    np.testing.assert_array_equal(values["current_knee_pain"], [0, 1, 0])
    weaker = np.array([120, 180, 130]) * 0.4 / values["weight_kg"]
    np.testing.assert_allclose(values["hip_abduction_nm_kg"], weaker)  # where a side is missing, the other counts


def test_a_french_squad_is_read_at_first_try_but_for_the_lever_arm(tmp_path):
    read, asked, proposed = settled(tmp_path, book(FRENCH))
    assert asked == ["ask_lever_arm"]
    assert read.ids.tolist() == ["101", "102", "103"] and not read.faults
    assert [text for _, text in proposed.no_runners] == ["Moyenne"]
    np.testing.assert_array_equal(read.values["height_cm"], [166, 181, 172])
    np.testing.assert_array_equal(read.values["weekly_distance_km"], [32, 45, 25])
    np.testing.assert_array_equal(read.values["current_knee_pain"], [0, 1, 0])
    np.testing.assert_array_equal(read.values["prior_pfps"], [1, 0, np.nan])
    np.testing.assert_allclose(read.values["knee_extension_nm_kg"], [140 / 58.5, 221 / 74, 149 / 61.2])


def test_two_columns_of_a_map_are_as_good_as_the_side_that_counts_chosen_by_hand(tmp_path):
    table = "id,Age,Sex,HL,HR,FL,FR,hip,foot\n" + "".join(
        f"{row},30,F,{left},{right},{row},{9 - row},{min(left, right)},{max(row, 9 - row)}\n"
        for row, (left, right) in enumerate([(1.2, 1.4), (1.5, 1.1), (0.9, 0.95)])
    )
    start = '[columns.runner_id]\nfrom = "id"\n[columns.age_years]\nfrom = "Age"\n[columns.sex]\nfrom = "Sex"\n'
    sides = (
        start
        + '[columns.hip_abduction_nm_kg]\nfrom = ["HL", "HR"]\n[columns.foot_posture_index]\nfrom = ["FL", "FR"]\n'
    )
    chosen = start + '[columns.hip_abduction_nm_kg]\nfrom = "hip"\n[columns.foot_posture_index]\nfrom = "foot"\n'
    path = roster(tmp_path, table)
    one, two = (read_roster(path, roster(tmp_path, text, "map.toml")).values for text in (sides, chosen))
    np.testing.assert_array_equal(one["hip_abduction_nm_kg"], two["hip_abduction_nm_kg"])
    np.testing.assert_array_equal(one["foot_posture_index"], two["foot_posture_index"])


def test_one_cell_with_both_sides_is_split(tmp_path):
    read = read_by_proposal(tmp_path, "id,Age,Sex,FPI L/R\n1,30,F,2/7\n2,31,M,4/1\n3,40,F,5\n")
    np.testing.assert_array_equal(read.values["foot_posture_index"], [7, 4, 5])
    asked = column(tmp_path, "FPI", "2/7", "4/1", "0/3")
    assert asked.question.code == "ask_sides" and asked.declared["split"] == "/"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ('from = ["a", "b"]\ncombine = "any"', "lowest"),
        ('from = "a"\nsplit = ""', "split"),
        ('from = ["a", "a"]', "expected from"),
        ("from = []", "expected from"),
        ('from = "a"\nnotation = "feet.inches"', "notation"),
    ],
)
def test_sides_that_a_map_cannot_mean_are_named(tmp_path, spec, told):
    text = f"[columns.hip_abduction_nm_kg]\n{spec}\n"
    with pytest.raises(InvalidInput) as caught:
        read_roster(roster(tmp_path, "runner_id,age_years,sex,a,b\n1,30,male,1,1\n"), roster(tmp_path, text, "m.toml"))
    assert told in caught.value.faults[0].text


def test_a_letter_is_a_side_only_beside_the_other_one(tmp_path):
    both = proposal(tmp_path, "id,Age,Sexe,abduction hanche G,abduction hanche D\n1,30,F,1.2,1.3\n")
    assert both.columns[3].others == ("abduction hanche D",) and not both.columns[3].questions
    alone = proposal(tmp_path, "id,Age,Sexe,abduction hanche G\n1,30,F,1.2\n")
    assert alone.columns[3].question.code == "ask_name"


def test_a_column_without_a_name_beside_a_measured_one_is_asked_about_as_its_other_side(tmp_path):
    content = book((("ID", "Age", "Sex", "Navicular drop (mm)", None), (1, 30, "F", 5, 9), (2, 31, "M", 7, 6)))
    read, asked, _ = settled(tmp_path, content)
    assert asked == ["ask_sides"]
    np.testing.assert_array_equal(read.values["navicular_drop_mm"], [9, 7])


def test_only_the_cell_of_a_formula_without_a_value_is_missing_and_it_is_named(tmp_path):
    content = book((("runner_id", "age_years", "sex", "weight_kg"), ("a", 30, "male", "=120/2"), ("b", 31, "male", 60)))
    read = read_roster(roster(tmp_path, content, "roster.xlsx"))
    (fault,) = read.faults
    assert (fault.row, fault.field, fault.code, fault.parameters["cell"]) == (
        0,
        "weight_kg",
        "formula_uncalculated",
        "Sheet!D2",
    )
    np.testing.assert_array_equal(read.values["weight_kg"], [np.nan, 60])


def test_the_questions_of_the_guide_are_names_and_a_form_s_time_and_address_are_not_read(tmp_path):
    from pfps_ml.domain import INPUTS

    asked = [field for field in INPUTS if field.name not in ("runner_id", "club")]
    assert [surely_named(field.question).field for field in asked] == [field.name for field in asked]
    header = "Timestamp,Email Address,Participant number,How old are you?,What is your sex?"
    header += ",Do you have pain at the front of the knee now?"
    found = proposal(tmp_path, f"{header}\n2026/09/02 7:01:12 PM,a@b.example,1,30,Female,No\n")
    assert [one.field for one in found.columns] == ["", "", "runner_id", "age_years", "sex", "current_knee_pain"]


def test_a_study_database_s_export_is_read_but_for_what_its_codes_mean(tmp_path):
    text = "record_id,age,sex,prior_pfp,injury_12m___1,injury_12m___2\n1,30,2,0,0,1\n2,31,1,1,0,0\n3,32,2,9,1,0\n"
    found = proposal(tmp_path, text)
    assert [question.code for question in questions_of(found)] == ["ask_levels", "ask_column"]
    found = answered(found, questions_of(found)[0], "1 = male, 2 = female")
    found = answered(found, questions_of(found)[0], "any of them")
    read = read_roster(tmp_path / "roster.csv", roster(tmp_path, map_text(found), "map.toml"))
    np.testing.assert_array_equal(read.values["sex"], [0, 1, 0])
    np.testing.assert_array_equal(read.values["prior_pfps"], [0, 1, np.nan])
    np.testing.assert_array_equal(read.values["prior_running_injury_12m"], [1, 0, 1])


@pytest.mark.parametrize(
    "name",
    [
        "Sore knee?",
        "Knie schmerzhaft?",
        "Genou qui fait mal",
        "¿Molestias en la rodilla?",
        "Ginocchio dolente oggi",
        "Knieklachten nu",
        "Pain right now",
        "PFP currently",
        "kneecap hurts when running",
    ],
)
def test_a_column_that_may_say_who_has_knee_pain_now_is_never_passed_over(tmp_path, name):
    assert looks_like_pain(name)
    header = f'runner_id,age_years,sex,"{name}"\n'
    found = proposal(tmp_path, header + "1,30,F,yes\n2,31,M,no\n").columns[3]
    assert found.field == "current_knee_pain"
    assert refused(tmp_path, header + "1,30,female,yes\n").faults  # scoring without a map says so, too
    left = roster(tmp_path, f'leave = ["{name}"]\n[columns.club]\nvalue = "A"\n', "map.toml")
    assert read_roster(tmp_path / "roster.csv", left).summary.scored == 1  # on purpose, it may be left out


def test_other_pain_and_earlier_pain_are_not_taken_for_knee_pain_now():
    assert not [
        name
        for name in ("Shin pain", "Back pain today", "Knee pain last year", "Douleur cheville")
        if (surely_named(name) and surely_named(name).field == "current_knee_pain") or looks_like_pain(name)
    ]


@pytest.mark.parametrize(
    ("name", "cells", "notation", "read"),
    [
        ("Height (ft)", ("5.10", "5.9", "5.1"), "feet.inches", (177.8, 175.26, np.nan)),
        ("Weight (st)", ("12.13", "9.4", "11"), "stone.pounds", (82.1, 58.97, 69.85)),
    ],
)
def test_feet_and_stones_with_a_point_are_asked_and_what_stays_ambiguous_costs_its_cell(
    tmp_path, name, cells, notation, read
):
    text = "id,Age,Sex," + name + "\n" + "".join(f"{row},30,F,{cell}\n" for row, cell in enumerate(cells))
    found = proposal(tmp_path, text)
    assert [question.code for question in questions_of(found)] == ["ask_notation"]
    settled_map = map_text(answered(found, questions_of(found)[0], notation))
    values = read_roster(tmp_path / "roster.csv", roster(tmp_path, settled_map, "map.toml")).values
    np.testing.assert_allclose(values["height_cm" if "ft" in name else "weight_kg"], read, atol=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "4-Feb-97",
        "4. Februar 1997",
        "4 février 1997",
        "4 de febrero de 1997",
        "4 feb. 1997",
        "February 4th, 1997",
        "4 febbraio 1997",
        "1997-02-04T00:00:00Z",
        "1997-02-04 00:00",
        "1997-02-04T00:00:00.000+01:00",
        "4.2.1997",
        "4/2/97",
    ],
)
def test_a_day_is_read_as_people_write_it(text):
    assert birth_date(text, "day first") == dt.date(1997, 2, 4)


def test_a_spreadsheet_s_numbers_for_days_are_asked_about(tmp_path):
    read, asked, _ = settled(tmp_path, "id,DOB,Sex\n1,36000,F\n2,33000,M\n", name="roster.csv")
    assert asked == ["ask_serial"]
    np.testing.assert_array_equal(read.values["age_years"], [28, 36])


def test_a_column_of_which_no_cell_can_be_read_is_left_out_and_that_is_said(tmp_path):
    assert column(tmp_path, "Weekly km", "a lot", "some", "little").question.code == "ask_unread"
    assert column(tmp_path, "DOB", "spring", "in May").question.code == "ask_unread"
    assert column(tmp_path, "Weekly distance (m)", 30, 42, 25).question.code == "ask_unit"  # metres, or miles?


def test_what_is_asked_is_data(tmp_path):
    found = proposal(tmp_path, "Nr,Age,hip abd N,Weight\n1,30,150,150\n2,31,140,160\n3,30,150,171\n")
    asked = [question.as_dict() for question in questions_of(found)]
    assert [question["id"] for question in asked] == [
        "ask_required:sex",
        "ask_weight_unit:Weight",
        "ask_lever_arm:hip abd N",
    ]
    assert set(asked[0]) == {"id", "columns", "code", "text", "samples", "choices", "default"}
    assert asked[0]["choices"] == ["all female", "all male"] and asked[1]["default"] == "lb"


def test_a_dialogue_takes_enter_for_the_default_skips_and_quits(tmp_path):
    found = proposal(tmp_path, "Nr,Age,hip abd N,Weight\n1,30,150,150\n2,31,140,160\n3,30,150,171\n")
    lines, shown = iter(["all female", "", "far", "0.35"]), []
    told = tomllib.loads(map_text(answers(found, lambda _: next(lines), shown.append)))
    assert told["columns"]["sex"] == {"value": "female"}
    assert told["columns"]["weight_kg"]["factor"] == 0.45359237
    assert told["columns"]["hip_abduction_nm_kg"]["lever_arm_m"] == 0.35 and "leave" not in told
    assert any("expected 0.05 to 1.2" in line for line in shown)
    lines = iter(["2", "s", "s"])
    told = tomllib.loads(map_text(answers(found, lambda _: next(lines), shown.append)))
    assert told["columns"]["sex"] == {"value": "male"} and told["leave"] == ["hip abd N", "Weight"]
    with pytest.raises(InputError, match="nothing was written"):
        answers(found, lambda _: "q", shown.append)
    with pytest.raises(InputError, match="3 questions"):
        answers(found, None, shown.append)


def test_a_second_file_of_a_club_is_read_like_the_first_without_a_question(tmp_path):
    first = "Nr,Age,Sex,hip abd N,Weight,Notes\n1,30,F,150,60,x\n"
    lines = iter(["0.4"])
    told = map_text(answers(proposal(tmp_path, first), lambda _: next(lines), lambda _: None))
    second = "Sex,Nr,hip abd N,Age,Weight,Notes,Coach\nM,7,160,41,80,y,z\n"
    again = like(proposal(tmp_path, second, "second.csv"), roster(tmp_path, told, "map.toml"))
    assert questions_of(again) == []
    read = read_roster(tmp_path / "second.csv", roster(tmp_path, map_text(again), "second.toml"))
    np.testing.assert_allclose(read.values["hip_abduction_nm_kg"], [160 * 0.4 / 80])


def test_columns_that_are_not_read_stand_in_the_map_to_be_filled_in(tmp_path):
    told = map_text(proposal(tmp_path, "Nr,Age,Sex,Vertical jump\n1,30,F,41\n"))
    assert '# [columns.FIELD]\n# from = "Vertical jump"' in told
    assert tomllib.loads(told)["columns"].keys() == {"runner_id", "age_years", "sex"}


@pytest.mark.parametrize(
    ("times", "codes"),
    [
        (("2026-09-01 10:00", "2026-09-03 10:00", "2026-09-02 09:00"), ("newer_row", None, "newer_row")),
        (("9/1/2026 7:00:00 PM", "9/13/2026 7:00:00 AM", "9/2/2026 7:00:00 AM"), ("newer_row", None, "newer_row")),
        (("01/09/2026", "02/08/2026", "03/07/2026"), ("shared_id",) * 3),  # another order, another newest row
        (("soon", "2026-09-03", "2026-09-04"), ("shared_id",) * 3),
    ],
)
def test_of_repeated_answers_the_newest_counts_if_that_is_asked_for(tmp_path, times, codes):
    text = "runner_id,age_years,sex,When\n" + "".join(f"R-1,{30 + at},male,{time}\n" for at, time in enumerate(times))
    text += "R-2,50,male,\n"
    read = read_roster(
        roster(tmp_path, text), roster(tmp_path, 'newest = "When"\n[columns.club]\nvalue = "A"\n', "m.toml")
    )
    found = {fault.row: fault.code for fault in read.faults}
    assert [found.get(row) for row in range(4)] == [*codes, None]


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850", "cp1252", "utf-8"])
def test_letters_of_another_encoding_are_read_where_the_names_tell_it(tmp_path, encoding):
    text = "Spielernummer;Geschlecht;Größe (cm);Trainer\n1;männlich;180;Jörg\n"
    source = open_source(roster(tmp_path, text.encode(encoding)), NAMES)
    assert source.header[2] == "Größe (cm)"


def test_letters_of_an_encoding_that_nothing_tells_are_suspected(tmp_path):
    with pytest.raises(InputError, match="another encoding"):
        open_source(roster(tmp_path, "Id;Sex;Coach\n1;m;Jörg\n".encode("cp850")), NAMES)


def test_names_of_six_languages_are_read_or_asked_about_and_never_wrong_without_a_word():
    told = tally(300)
    fields = told[told["field"] != ""]
    assert (told["became"] != "wrong").all()
    assert (fields["became"] == "read").mean() > 0.8
    assert fields["became"].isin(["read", "asked"]).mean() > 0.95


def test_every_key_of_a_map_is_explained_by_an_example_that_is_a_map(tmp_path):
    from pfps_ml.io.mapping import KEYS, load_mapping

    guide = (ROOT / "docs" / "MAPPING.md").read_text(encoding="utf-8")
    examples = [part.partition("```")[0] for part in guide.split("```toml\n")[1:]]
    assert not [example for example in examples if load_mapping(roster(tmp_path, example, "map.toml")).faults]
    told = [tomllib.loads(example) for example in examples]
    keys = {key for example in told for spec in example["columns"].values() for key in spec}
    assert keys == set(KEYS)
    assert {"leave", "sheet", "newest", "event"} <= {key for example in told for key in example}


def test_of_a_study_with_several_events_one_is_chosen(tmp_path):
    rows = "1,first,30,2\n1,second,,\n2,first,41,1\n2,second,,\n3,first,35,2\n"
    found = proposal(tmp_path, "record_id,study_event,age,sex\n" + rows)
    lines = iter(["1 = male, 2 = female", ""])
    told = map_text(answers(found, lambda _: next(lines), lambda _: None))
    assert tomllib.loads(told)["event"] == {"column": "study_event", "value": "first"}
    read = read_roster(tmp_path / "roster.csv", roster(tmp_path, told, "map.toml"))
    assert {fault.row: fault.code for fault in read.faults} == {1: "other_event", 3: "other_event"}
    again = like(found, tmp_path / "map.toml")
    assert questions_of(again) == [] and tomllib.loads(map_text(again))["event"]["value"] == "first"
