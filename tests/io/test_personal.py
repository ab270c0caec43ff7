"""What says who somebody is, spotted by header and by content; and what is not mistaken for it."""

import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.io.pseudonyms import (
    ADDRESS,
    BIRTH,
    DOCUMENT,
    EMAIL,
    NAME,
    PHONE,
    TEXT,
    Spotted,
    spot,
    spot_in_head,
    warning,
)


def kind(header, *cells):
    return next((found.kind for found in spot([header], [cells])), None)


def test_a_column_is_known_by_its_header_in_several_languages(subtests):
    cases = [
        ("Name", NAME), ("first_name", NAME), ("Nachname", NAME), ("Prénom", NAME), ("apellidos", NAME),
        ("Coach", NAME), ("Player", NAME), ("Player no.", None), ("athlete_id", None), ("E-Mail", EMAIL),
        ("courriel", EMAIL), ("Phone no.", PHONE), ("Telefón", PHONE), ("Handy", PHONE), ("DOB", BIRTH),
        ("Geburtsdatum", BIRTH), ("date of birth", BIRTH), ("Straße", ADDRESS), ("Postcode", ADDRESS),
        ("passport", DOCUMENT), ("Bemerkungen", TEXT), ("notes", TEXT), ("team name", None), ("Club", None),
        ("shoe", None), ("Position", None), ("filename", None), ("Squad", None),
    ]  # fmt: skip
    for header, expected in cases:
        with subtests.test(header=header, expected=expected):
            assert kind(header, "1", "2") == expected


def test_a_column_of_any_header_is_known_by_its_content(subtests):
    cases = [
        (["x", "call anna@example.org", None], EMAIL), (["+49 170 0000000", "0170-0000001", " "], PHONE),
        (["(0) 170 00 00 00"], PHONE), (["555 123 4567"], PHONE), (["1990-05-01", "01.02.1985"], BIRTH),
        (["5/31/1999"], BIRTH), (["Anna Beispiel", "Ben Muster", "Cléo d'Arc"], NAME),
        (["Beispiel, Anna", "Muster, Ben", "O'Neil, Jo-Ann"], NAME),
        (["she told me that it hurts when she sits", ""], TEXT), (["x" * 41], TEXT),
    ]  # fmt: skip
    for cells, expected in cases:
        with subtests.test(cells=cells, expected=expected):
            assert kind("column_7", *cells) == expected


def test_what_says_nothing_of_the_kind_is_left_alone(subtests):
    cases = [
        ["25", "30.5"], ["1,75", "-0.5"], ["1234567", "7654321"], ["2026-05-01", "2026-05-02"], ["yes", "no"], [],
        ["", None], ["Harbour Striders", "Harbour Striders", "Riverside Runners"],
        ["Left knee", "Right knee", "Left knee"], ["left knee", "right knee", "both knees"], ["Anna Beispiel"],
        ["45:30", "1:02:10"], ["A 1", "B 2", "C 3"], ["0.0123456", "0.25"], ["12.3456789"],
    ]  # fmt: skip
    for cells in cases:
        with subtests.test(cells=cells):
            assert kind("column_7", *cells) is None


def test_the_dictionary_s_own_columns_are_not_suspected_but_ids_that_are_names_are():
    names = [field.name for field in INPUTS if field.name != "runner_id"]
    assert spot(names, [["Anna Beispiel", "Ben Muster", "Cleo Probe"]] * len(names)) == []
    assert kind("runner_id", "Anna Beispiel", "Ben Muster", "Cleo Probe") == NAME
    assert kind("runner_id", "R-1", "R-2", "R-3") is None


def test_the_warning_tells_places_and_kinds():
    assert warning([Spotted(2, NAME), Spotted(5, EMAIL)]).text.startswith(
        "This roster seems to say who its runners are: column 2 (names), column 5 (email addresses)."
    )


def test_the_head_of_a_file_of_any_format_or_folder_is_looked_at(tmp_path):
    frame = pd.DataFrame({"runner_id": ["R-1"], "Name": ["x"], "notes": ["y"], "sex": ["male"]})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";", encoding="utf-8-sig")
    (tmp_path / "d").mkdir()
    frame.to_parquet(tmp_path / "d" / "b.parquet")
    frame.to_excel(tmp_path / "c.xlsx", index=False)
    for name in ("a.csv", "d/b.parquet", "d", "c.xlsx"):
        assert spot_in_head(tmp_path / name) == [Spotted(2, NAME)]


def test_a_title_above_the_header_hides_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("Harbour Striders, season\n\nrunner_id;Name;age_years;sex\nR-1;x;30;male\n")
    assert spot_in_head(tmp_path / "a.csv") == [Spotted(2, NAME)]


def test_the_scores_that_were_added_are_not_taken_for_anything(tmp_path, bundle):
    source = tmp_path / "a.xlsx"
    pd.DataFrame({"runner_id": ["R-1", "R-2"], "age_years": [30, 41], "sex": ["male", "female"]}).to_excel(
        source, index=False
    )
    score_roster(source, source, bundle)
    assert spot_in_head(source) == []


@pytest.mark.parametrize(("name", "content"), [
    ("none.csv", None), ("empty.csv", b""), ("bad.parquet", b"x"), ("r.txt", b"x"), ("nul.csv", b'a,b\n"\x00'),
])  # fmt: skip
def test_what_cannot_be_read_is_left_to_whoever_scores_it(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert spot_in_head(tmp_path / name) == []


def test_an_empty_parquet_file_says_nothing(tmp_path):
    pd.DataFrame({"runner_id": pd.Series([], dtype=str)}).to_parquet(tmp_path / "a.parquet")
    assert spot_in_head(tmp_path / "a.parquet") == []


def test_days_of_birth_that_tell_no_more_than_an_age_are_no_days_of_birth():
    assert kind("DOB", "1991-01-28", "1992-01-28", "") is None
    assert kind("DOB", "1991-01-28", "1992-01-29") == kind("DOB", "1991-01-28") == kind("DOB", "x", "y") == BIRTH
