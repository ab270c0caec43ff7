"""`pfps map`: the columns of any roster are proposed as a map that reads it; what cannot be known is asked."""

import datetime as dt
import tomllib

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import InputError, InvalidInput
from pfps_ml.io.mapping_dialogue import map_text
from pfps_ml.io.roster import read_roster
from tests.io.books import book
from tests.io.proposed import column, proposal, read_by_proposal
from tests.rosters import GOOD, roster

FORCE = "Nr,Age,Sex,Weight kg,hip abd N\n1,30,F,60,150\n2,40,M,80,\n"
TONGUES = {
    "English": """No,Age,Gender,Height (m),Weight lb,weekly miles,Knee pain
1,30,Male,1.78,155,20,Yes
2,40,w,1.62,128,12.5,n
""",
    "German": """Nr.;Alter;Geschlecht;Größe (cm);Gewicht kg;Wochenkilometer;Knieschmerzen
1;30;männlich;178;70,5;32;Ja
2;40;w;162;58;20,1;nein
""",
    "French": """Numéro;Âge;Sexe;Taille (cm);Poids;km par semaine;douleur genou
1;30;Homme;178;70,5;32;oui
2;40;F;162;58;20,1;NON
""",
    "Spanish": """código;edad;sexo;altura;peso;km semanales;dolor de rodilla
1;30;H;1,78;70,5;32;sí
2;40;M;1,62;58;20;no
""",
    "Italian": """Codice;Età;Sesso;Altezza (cm);Peso kg;km settimanali;dolore al ginocchio
1;30;uomo;178;70,5;32;sì
2;40;donna;162;58;20,1;no
""",
    "Dutch": """Deelnemer;Leeftijd;Geslacht;Lengte cm;Lichaamsgewicht;weekafstand;kniepijn
1;30;man;178;70,5;32;ja
2;40;V;162;58;20,1;nee
""",
}


@pytest.mark.parametrize("tongue", TONGUES)
def test_a_roster_in_any_of_six_languages_is_read_by_the_map_that_is_proposed_for_it(tmp_path, tongue):
    found = read_by_proposal(tmp_path, TONGUES[tongue])
    assert not found.faults
    expected = {"age_years": [30, 40], "sex": [1, 0], "height_cm": [178, 162], "current_knee_pain": [1, 0]}
    for name, values in expected.items():
        np.testing.assert_array_equal(found.values[name], values)
    np.testing.assert_allclose(found.values["weight_kg"], [70.5, 58], atol=0.3)
    np.testing.assert_allclose(found.values["weekly_distance_km"], [32, 20.1], atol=0.2)


def test_a_roster_with_the_dictionary_s_names_needs_no_map(tmp_path):
    found = proposal(tmp_path, GOOD)
    assert not found.needed and found.lacking == ()
    assert [each.field for each in found.columns][-1] == ""


def test_a_force_is_asked_for_its_lever_arm_and_left_out_until_somebody_says_it(tmp_path):
    assert np.isnan(read_by_proposal(tmp_path, FORCE).values["hip_abduction_nm_kg"]).all()
    told = map_text(proposal(tmp_path, FORCE))
    assert tomllib.loads(told)["leave"] == ["hip abd N"]

    def answered(told, arm):
        for line in ("[columns.hip_abduction_nm_kg]", 'from = "hip abd N"', "lever_arm_m"):
            told = told.replace(f"# {line}", line)
        return told.replace('leave = ["hip abd N"]', "").replace('"?"', arm)

    found = read_by_proposal(tmp_path, FORCE, lambda told: answered(told, "0.4"))
    np.testing.assert_allclose(found.values["hip_abduction_nm_kg"], [150 * 0.4 / 60, np.nan])
    with pytest.raises(InvalidInput) as caught:  # the question itself is no answer
        read_by_proposal(tmp_path, FORCE, lambda told: answered(told, '"?"'))
    assert "the metres from the joint's axis" in caught.value.faults[0].text


def test_numbers_for_sexes_are_read_only_as_somebody_says(tmp_path):
    text = "Nr,Age,Sex\n1,30,0\n2,40,1\n"
    found = proposal(tmp_path, text)
    assert "which numbers mean female and male?" in found.columns[2].question.text
    assert found.lacking == ()  # there is such a column: it is asked about
    with pytest.raises(InvalidInput, match="header"):
        read_by_proposal(tmp_path, text)

    def answered(told):
        told = told.replace("# [columns.sex]", "[columns.sex]").replace('# from = "Sex"', 'from = "Sex"')
        return told.replace("# levels", "levels").replace('leave = ["Sex"]', "")

    with pytest.raises(InvalidInput) as caught:
        read_by_proposal(tmp_path, text, answered)
    assert "expected levels that lead to female or male" in caught.value.faults[0].text
    levels = '{ "0" = "male", "1" = "female" }'
    found = read_by_proposal(tmp_path, text, lambda told: answered(told).replace('{ "0" = "?", "1" = "?" }', levels))
    np.testing.assert_array_equal(found.values["sex"], [1, 0])


def test_what_a_roster_needs_and_no_column_is_stands_in_the_map_as_a_question(tmp_path):
    text = "Nr,Age\n1,30\n2,40\n"
    found = proposal(tmp_path, text)
    assert found.lacking == ("sex",) and found.needed
    told = map_text(found)
    assert "# ASKED: no column seems to be sex (female or male), which is required." in told

    def answered(told):
        return told.replace("# [columns.sex]", "[columns.sex]").replace('# value = "female"', 'value = "male"')

    np.testing.assert_array_equal(read_by_proposal(tmp_path, text, answered).values["sex"], [1, 1])


def test_two_columns_that_seem_to_be_one_field_are_asked_about_unless_one_has_its_very_name(tmp_path):
    found = proposal(tmp_path, "Nr,age_years,Sex,Weight,Body weight\n1,30,F,60,61\n")
    assert [column.question.text for column in found.columns[3:]] == ["which column is weight_kg? 2 seem to be."] * 2
    found = proposal(tmp_path, "Nr,age_years,Alter,Sex\n1,30,31,F\n")
    assert [each.field for each in found.columns] == ["runner_id", "age_years", "", "sex"]


def test_a_name_that_only_looks_like_a_field_is_said_to(tmp_path):
    found = proposal(tmp_path, "runner_id,age_years,sex,heigth_cm\na,30,male,180\n").columns[3]
    assert (found.field, found.notes[0].text) == ("height_cm", "The name only looks like it: is it so?")


def test_ids_and_free_text_and_columns_of_no_field_show_no_values(tmp_path):
    text = "runner_id,Club,age_years,sex,Name\nsecret-1,Secret A,30,F,Secret B\n"
    found = proposal(tmp_path, text)
    assert [each.samples for each in found.columns] == [(), (), ("30",), ("F",), ()]
    assert "ecret" not in map_text(found)


def test_three_values_are_shown_and_no_value_that_is_none_of_the_levels(tmp_path):
    assert column(tmp_path, "Age", 30, 31, 32, 33).samples == ("30", "31", "32")
    assert column(tmp_path, "knee pain", "yes", "ask Anna", "no").samples == ("yes", "no")


def test_the_sheet_that_was_asked_for_stands_in_the_map(tmp_path):
    rows = (("Nr", "Age", "Sex"), (1, 30, "F"))
    found = proposal(tmp_path, book(rows, rows), "two.xlsx", "S1")
    assert tomllib.loads(map_text(found))["sheet"] == "S1"
    read = read_roster(tmp_path / "two.xlsx", roster(tmp_path, map_text(found), "map.toml"))
    assert read.ids.tolist() == ["1"]


def test_any_name_of_a_column_and_any_level_can_be_written_as_toml(tmp_path):
    name, level = 'Sex "now"\\ \x7f\n(ü)', 'h"\\'
    pd.DataFrame({"id": ["a"], name: ["H"], "Age": [3.5]}).to_parquet(tmp_path / "r.parquet")
    found = proposal(tmp_path, (tmp_path / "r.parquet").read_bytes(), "r.parquet")
    odd = found.columns[0].__class__(name, "sex", (), {"levels": {level: "male"}, "on": dt.date(2026, 1, 2)})
    told = tomllib.loads(map_text(found.__class__((odd,))))
    assert told["columns"]["sex"] == {"from": name, "levels": {level: "male"}, "on": dt.date(2026, 1, 2)}


def test_a_level_with_signs_of_control_is_named_in_a_comment_that_goes_on(tmp_path):
    read = read_by_proposal(tmp_path, 'runner_id,age_years,sex\nR-1,30,"U\x7f"\nR-2,30,"u\n"\n')
    assert list(read.values["sex"]) == [1, 1]


def test_categories_and_several_pieces_of_a_column_are_looked_at_alike(tmp_path):
    pd.DataFrame({"id": ["a", "b"], "Sex": pd.Categorical(["F", None]), "Age": [30, 31]}).to_parquet(
        tmp_path / "r.parquet"
    )
    found = proposal(tmp_path, (tmp_path / "r.parquet").read_bytes(), "r.parquet")
    assert [each.field for each in found.columns] == ["runner_id", "sex", "age_years"]
    assert found.columns[1].samples == ("F",)


def test_a_roster_without_rows_is_proposed_by_its_names_alone(tmp_path):
    found = proposal(tmp_path, "Nr,Age,Sex\n")
    assert [each.field for each in found.columns] == ["runner_id", "age_years", "sex"]


def test_what_has_no_header_is_refused_because_its_first_row_may_be_a_runner(tmp_path):
    with pytest.raises(InputError, match="no name that means anything") as caught:
        proposal(tmp_path, "Anna Beispiel,1998,x\nBen Muster,1999,y\n")
    assert "Anna" not in str(caught.value)
