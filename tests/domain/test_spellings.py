"""How people write what the dictionary names: certain where it is, ambiguous where it is, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from pfps_ml.domain.dictionary import BY_NAME, INPUTS
from pfps_ml.domain.synonyms import AMBIGUOUS, facts, is_unknown, level_of, plain, read_number, units_of

YES_NO, SEX = BY_NAME["bilateral"], BY_NAME["sex"]


def test_yes_and_no_are_read_in_six_languages():
    pairs = [
        ("yes", "no"), ("Y", "N"), ("TRUE", "FALSE"), ("t", "f"), ("on", "off"), ("✓", "✗"), ("ja", "nein"), ("J", "n"),
        ("oui", "non"), ("Sí", "no"), ("sì", "no"), ("ja", "nee"), ("WAHR", "FALSCH"), ("VRAI", "FAUX"),
        ("VERO", "FALSO"), ("VERDADERO", "FALSO"), ("WAAR", "ONWAAR"), (" Yes. ", "No!"),
    ]  # fmt: skip
    assert not [pair for pair in pairs if tuple(level_of(text, YES_NO) for text in pair) != ("yes", "no")]


def test_what_may_be_yes_or_not_is_not_read_as_it():
    unclear = ["1", "0", "2", "x", "o", "maybe", "yes?", "", "-", "yes and no", "1.0"]
    assert not [text for text in unclear if level_of(text, YES_NO) is not None]


def test_what_is_likely_is_proposed():
    assert [level_of(text, YES_NO, likely=True) for text in ("1", "x", "0", "2", "ja")] == [
        "yes",
        "yes",
        "no",
        None,
        "yes",
    ]
    assert [level_of(text, SEX, likely=True) for text in ("h", "u", "v", "d")] == ["male", "male", "female", "female"]


def test_sexes_are_read_in_six_languages_and_never_from_numbers():
    pairs = [
        ("F", "M"), ("female", "male"), ("W", "m"), ("Frau", "Mann"), ("weiblich", "männlich"), ("femme", "homme"),
        ("Féminin", "Masculin"), ("mujer", "hombre"), ("donna", "uomo"), ("vrouw", "man"),
    ]  # fmt: skip
    assert not [pair for pair in pairs if tuple(level_of(text, SEX) for text in pair) != ("female", "male")]
    assert level_of("0", SEX) is level_of("1", SEX) is level_of("h", SEX) is None


def test_no_spelling_means_two_things():
    for table in ("certain", "likely"):
        for levels in facts()[table].values():
            first, second = ({plain(word) for word in words} for words in levels.values())
            assert not first & second


def test_numbers_are_read_the_european_and_the_american_way():
    numbers = {
        "61,5": 61.5, "61.5": 61.5, "1.234,5": 1234.5, "1,234.5": 1234.5, "1 234,5": 1234.5, "1'234.5": 1234.5,
        "1.234.567": 1234567, "1,234,567": 1234567, "0,125": 0.125, "-1,5e2": -150, "+3": 3, "12 %": 12,
        "12%": 12, "7,25 %": 7.25,
    }  # fmt: skip
    assert {text: read_number(text, "%") for text in numbers} == numbers


def test_what_is_no_number_is_none():
    texts = ["", "abc", "1,2,3", "1_0", "3 0", "1.2.3", "12 kg", "1,23.4", "٣٠", "--1", "0x1E", "1 2345", ","]
    assert not [text for text in texts if read_number(text, "%") is not None]


def test_a_comma_before_three_digits_is_ambiguous_until_somebody_says_what_it_is():
    with pytest.raises(ValueError, match=AMBIGUOUS):
        read_number("1,234")
    assert read_number("1,234", decimal=",") == 1.234
    assert read_number("1,234", decimal=".") == 1234
    assert read_number("1.234", decimal=",") == 1234
    assert read_number("12.34", decimal=",") is None
    assert read_number("1,234.5", decimal=",") is None
    assert read_number("1.234.567", decimal=".") is None


def test_feet_and_inches_are_a_height():
    assert [read_number(text, "cm") for text in ("5'11\"", "5 ft 11 in", "6'", "5'11.5''")] == [
        180.34,
        180.34,
        182.88,
        181.61,
    ]
    assert read_number("5'11\"", "kg") is None


@given(st.floats(-1e6, 1e6))
def test_any_number_that_python_writes_is_read_as_itself_or_not_at_all(number):
    assert read_number(repr(number)) in (number, None)


def test_every_name_and_unit_belongs_to_a_field_and_no_name_to_two():
    names = facts()["names"]
    assert set(names) <= {field.name for field in INPUTS}
    words = [word for known in names.values() for word in {plain(each) for each in known}]
    assert len(words) == len(set(words))
    assert set(facts()["units"]) <= {field.unit for field in INPUTS}


def test_a_strength_may_come_as_a_torque_or_a_force_which_need_more():
    units = units_of(BY_NAME["hip_abduction_nm_kg"])
    assert (units["nm kg"].needs, units["nm"].needs, units["n"].needs) == ("", "weight", "lever")
    assert units["kg"].factor == 9.80665


def test_words_for_not_known_are_known():
    assert all(is_unknown(word) for word in ("?", "k.A.", "Unbekannt", "not tested", "weiss nicht", "onbekend"))
    assert not is_unknown("0")


def test_a_choice_of_other_levels_knows_its_own_names_alone():
    other = replace(SEX, levels=("left", "right"))
    assert [level_of(text, other) for text in ("Left", "RIGHT ", "f", "yes")] == ["left", "right", None, None]
