"""What a map may say of one column: torques, forces, dates of birth, one value for all; and what it may not."""

import numpy as np
import pytest

from pfps_ml.core.errors import InvalidInput
from pfps_ml.core.messages import sentence
from pfps_ml.io.roster import read_roster
from tests.rosters import roster

HEAD = "runner_id,age_years,sex,weight_kg,hip\n"


def read(folder, text, declared):
    return read_roster(roster(folder, text), roster(folder, declared, "map.toml"))


def faults(folder, declared, text=HEAD + "a,30,male,60,150\n"):
    with pytest.raises(InvalidInput) as caught:
        read(folder, text, declared)
    return [fault.text for fault in caught.value.faults]


def hip(*lines):
    return '[columns.hip_abduction_nm_kg]\nfrom = "hip"\n' + "\n".join(lines)


def test_a_force_times_its_lever_arm_and_a_torque_are_divided_by_the_weight_of_the_same_row(tmp_path):
    text = HEAD + "a,30,male,60,150\nb,30,male,80,\nc,30,male,,150\nd,30,male,60,900\n"
    found = read(tmp_path, text, hip("lever_arm_m = 0.4"))
    np.testing.assert_allclose(found.values["hip_abduction_nm_kg"], [1.0, np.nan, np.nan, np.nan])
    assert [(fault.row, fault.text) for fault in found.faults] == [
        (2, sentence("unweighed")), (3, "expected a number from 0.2 to 4 Nm/kg, got 6"),
    ]  # fmt: skip
    pounds = read(tmp_path, HEAD + "a,30,male,60,30\n", hip("lever_arm_m = 0.4", "factor = 4.4482216153"))
    assert pounds.values["hip_abduction_nm_kg"][0] == pytest.approx(30 * 4.4482216153 * 0.4 / 60)
    torque = read(tmp_path, HEAD + "a,30,male,60,90\n", hip("per_kg = true"))
    assert torque.values["hip_abduction_nm_kg"][0] == pytest.approx(1.5)


def test_a_row_that_does_not_fit_the_header_is_told_only_that(tmp_path):
    found = read(tmp_path, HEAD + "a,30,male\n", hip("per_kg = true"))
    assert len(found.faults) == 1 and "expected 5 cells" in found.faults[0].text


def test_one_value_for_all_rows_is_read_like_a_cell(tmp_path):
    text = "runner_id,age_years,shoe\na,30,60\nb,40,70\n"
    found = read(tmp_path, text, '[columns.sex]\nvalue = "F"\n[columns.weight_kg]\nvalue = 61.5\n')
    assert found.values["sex"].tolist() == [0, 0] and found.values["weight_kg"].tolist() == [61.5, 61.5]
    club = read(tmp_path, "runner_id,age_years,sex\na,30,F\n", '[columns.club]\nvalue = "Seniors"\n')
    assert not club.faults
    with pytest.raises(InvalidInput, match="a value in it that does not"):
        read(tmp_path, text, '[columns.sex]\nvalue = "x"\n')
    told = faults(tmp_path, '[columns.sex]\nvalue = "male"\n')
    assert told == ["expected one value for this field, got one in the map and a column of its name"]


def test_a_date_of_birth_becomes_the_age_on_a_day(tmp_path):
    text = (
        "runner_id,DOB,sex\na,2.9.1998,F\nb,1.9.1998,F\nc,1998-09-01 00:00:00,F\nd,1998,F\ne,31.2.1998,F\nf,1/9/30,F\n"
    )
    born = '[columns.age_years]\nfrom = "DOB"\nborn = "day first"\non = 2026-09-01\n'
    found = read(tmp_path, text, born)
    np.testing.assert_array_equal(found.values["age_years"], [27, 28, 28, 28, np.nan, np.nan])
    assert [fault.row for fault in found.faults] == [4, 5]


@pytest.mark.parametrize(("declared", "told"), [
    (hip("lever_arm_m = 38"), "the metres from the joint's axis"), (hip('lever_arm_m = "?"'), "the metres from"),
    (hip("per_kg = 1"), "per_kg = true or false"), ('[columns.height_cm]\nfrom = "hip"\nper_kg = true', "no strength"),
    ('[columns.height_cm]\nfrom = "hip"\nborn = "day first"', "this field is no age"),
    ('[columns.age_years]\nfrom = "hip"\nborn = "day first"', "and on = 2026-09-01"),
    ('[columns.age_years]\nfrom = "hip"\nborn = "day first"\non = 2026-09-01T00:00:00', "and on = 2026-09-01"),
    (hip('decimal = ";"'), 'decimal = ","'), ('[columns.sex]\nfrom = "hip"\nfactor = 2', "this field is no number"),
    (hip("factor = nan"), "a number above 0"), (hip("factor = true"), "a number above 0"),
    ('[columns.runner_id]\nvalue = "x"', "from = "), ('sheet = 3\n[columns.club]\nfrom = "hip"', "sheet = "),
    ('leave = "hip"', "leave = ["), ('leave = ["hip"]\n' + hip(), "mapped once"),
    ("[columns]\nnonsense = 1", "dictionary"),
])  # fmt: skip
def test_what_a_map_may_not_say_is_answered_with_what_it_may(tmp_path, declared, told):
    assert told in " ".join(faults(tmp_path, declared))


def test_a_map_that_windows_marked_as_utf_8_is_read(tmp_path):
    found = read(tmp_path, HEAD + "a,30,male,60,90\n", "\ufeff" + hip("per_kg = true"))
    assert found.values["hip_abduction_nm_kg"][0] == 1.5


def test_cells_of_spreadsheets_and_people_are_read_where_they_mean_one_thing(tmp_path):
    text = "runner_id;age_years;sex;height_cm;weight_kg;weekly_distance_km\n"
    text += "a;30;F;5'11\";61,5 kg;1.234\nb;30;F;1.70 m;#N/A;12,5\nc;30;F;180;70;1.234,5\n"
    found = read_roster(roster(tmp_path, text))
    assert found.values["height_cm"][0] == 180.34 and found.values["weight_kg"][0] == 61.5
    assert found.values["weekly_distance_km"][1] == 12.5
    assert [(fault.row, fault.text.rpartition(", got ")[2]) for fault in found.faults] == [
        (1, "text"),
        (2, "1234.5"),
    ]


def test_a_number_that_may_be_two_is_refused_with_the_way_out(tmp_path):
    found = read_roster(roster(tmp_path, 'runner_id,age_years,sex,weekly_distance_km\na,30,F,"1,234"\n'))
    assert "a comma that may mean tenths or thousands; write it without, or see --map" in found.faults[0].text
