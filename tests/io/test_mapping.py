"""Maps: a club's own names, levels, units and codes for "missing", and what is wrong with a map."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError, InvalidInput
from pfps_ml.io.mapping import load_mapping, rename
from pfps_ml.io.roster import read_roster

ROOT = Path(__file__).resolve().parents[2]
FERBER_MAP = ROOT / "data" / "mappings" / "ferber_ric.toml"
SHARED = Path(os.environ.get("PFPS_SHARED_DATA", ROOT.parent / "shared" / "data"))
FERBER = SHARED / "ferber_ric" / "run_data_meta.csv"

MAP = """
[columns.runner_id]
from = "Member"
[columns.age_years]
from = "Age"
missing = [999, "unknown"]
[columns.sex]
from = "Gender"
levels = { F = "female", M = "male" }
[columns.weight_kg]
from = "Weight (lb)"
factor = 0.45359237
missing = ["999"]
"""
FILE = "Member,Age,Gender,Weight (lb),club\n7,30,F,154,A\n8,41,m,999.0,A\n9,unknown,X,heavy,A\n"


def write(folder, text, name):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def read(folder, text=FILE, declared=MAP):
    return read_roster(write(folder, text, "roster.csv"), write(folder, declared, "map.toml"))


def faults(folder, declared, text=FILE):
    with pytest.raises(InvalidInput) as caught:
        read(folder, text, declared)
    return [(fault.field, fault.text) for fault in caught.value.faults]


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_names_levels_units_and_missing_codes_are_translated(tmp_path):
    found = read(tmp_path)
    np.testing.assert_allclose(found.values["weight_kg"], [69.85322498, np.nan, np.nan], rtol=1e-9)
    np.testing.assert_array_equal(found.values["sex"], [0, 1, np.nan])
    np.testing.assert_array_equal(found.values["age_years"], [30, 41, np.nan])
    assert [(fault.row, fault.field) for fault in found.faults] == [(2, "age_years"), (2, "sex"), (2, "weight_kg")]
    assert "is required" in found.faults[0].text


def test_units_and_codes_are_read_with_decimal_commas_too(tmp_path):
    text = "Member;Age;Gender;Weight (lb)\n7;30;F;154,5\n8;30;M;999,0\n"
    np.testing.assert_allclose(read(tmp_path, text).values["weight_kg"], [154.5 * 0.45359237, np.nan])


def test_numbers_with_underscores_stay_text(tmp_path):
    assert read(tmp_path, FILE.replace("154", "1_54")).summary.problems["weight_kg"] == 2


def test_typed_columns_are_translated_like_text(tmp_path):
    frame = pd.DataFrame({
        "Member": [7, 8], "Age": [30.0, 999.0], "Gender": pd.Categorical(["F", "M"]), "Weight (lb)": [154.0, np.nan],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "in.parquet")
    found = read_roster(tmp_path / "in.parquet", write(tmp_path, MAP, "map.toml"))
    np.testing.assert_allclose(found.values["weight_kg"], [69.85322498, np.nan])
    assert [(fault.row, fault.field) for fault in found.faults] == [(1, "age_years")]


def test_coded_levels_match_numbers_of_any_type(tmp_path):
    pd.DataFrame({"runner_id": ["a", "b"], "age_years": [30, 40], "s": [1.0, 2.0]}).to_parquet(tmp_path / "in.parquet")
    declared = '[columns.sex]\nfrom = "s"\nlevels = { 1 = "male", 2 = "female" }\n'
    found = read_roster(tmp_path / "in.parquet", write(tmp_path, declared, "map.toml"))
    np.testing.assert_array_equal(found.values["sex"], [1, 0])


def test_the_output_keeps_the_original_columns_and_carries_the_id(tmp_path, bundle):
    source, declared = write(tmp_path, FILE, "roster.csv"), write(tmp_path, MAP, "map.toml")
    score_roster(source, tmp_path / "out.csv", bundle, declared)
    found = rows(tmp_path / "out.csv")
    assert list(found[0])[:8] == ["Member", "Age", "Gender", "Weight (lb)", "club", "runner_id", "status", "problems"]
    assert [(row["Member"], row["runner_id"], row["Weight (lb)"]) for row in found] == [
        ("7", "7", "154"), ("8", "8", "999.0"), ("9", "9", "heavy")]  # fmt: skip
    score_roster(tmp_path / "out.csv", tmp_path / "again.csv", bundle, declared)
    assert rows(tmp_path / "again.csv") == found


def test_a_map_may_declare_codes_for_a_column_that_has_our_name(tmp_path):
    text = "runner_id,age_years,sex\na,999,male\nb,30,male\n"
    found = read(tmp_path, text, '[columns.age_years]\nfrom = "age_years"\nmissing = [999]\n')
    assert [fault.text[:11] for fault in found.faults] == ["is required"]


def test_a_map_does_not_free_a_name_that_the_output_needs(tmp_path):
    found = faults(tmp_path, MAP + '[columns.club]\nfrom = "status"\n', FILE.replace("club", "status"))
    assert [message for _, message in found if "called 'status'" in message]


def test_all_faults_of_a_map_come_in_one_error(tmp_path):
    found = faults(
        tmp_path,
        """
        title = "x"
        [columns.bmi]
        from = "BMI"
        [columns.club]
        [columns.age_years]
        from = "Age"
        form = "?"
        missing = 999
        [columns.sex]
        from = "Gender"
        levels = { F = "woman" }
        factor = 2
        [columns.weight_kg]
        from = "Weight (lb)"
        factor = "half"
        levels = { a = "b" }
        [columns.height_cm]
        from = "H"
        factor = inf
        missing = [true]
        """,
    )
    assert [field for field, _ in found] == [
        None, None, "club", "age_years", "age_years", "sex", "sex", "weight_kg", "weight_kg", "height_cm", "height_cm",
    ]  # fmt: skip
    assert all(message.startswith("expected") for _, message in found)


def test_a_map_that_does_not_fit_the_file_says_all_that_does_not(tmp_path):
    declared = MAP.replace("Member", "Number") + '[columns.club]\nfrom = "Age"\n[columns.height_cm]\nfrom = "H"\n'
    found = faults(tmp_path, declared)
    assert [field for field, _ in found] == ["runner_id", "club", "height_cm", None]
    assert "'Number'" in found[0][1]
    assert "mapped twice" in found[3][1]


@pytest.mark.parametrize("text", ["", "columns = 3", "[columns]", "[other]\nx = 1"])
def test_a_map_without_columns_is_refused(tmp_path, text):
    assert any("got none" in message for _, message in faults(tmp_path, text))


@pytest.mark.parametrize("text", ["not toml at all", "[columns", "\udcff"])
def test_a_map_that_is_no_toml_is_an_input_error(tmp_path, text):
    (tmp_path / "map.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="TOML"):
        load_mapping(tmp_path / "map.toml")


def test_a_map_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="can be read"):
        load_mapping(tmp_path / "none.toml")


def test_no_map_changes_nothing():
    assert rename(["a", "b"], load_mapping(None)) == ["a", "b"]


@pytest.mark.skipif(not FERBER.exists(), reason="the shared data sets are not on this machine")
def test_the_running_injury_clinics_file_comes_back_whole_with_its_slips_rejected_by_name(tmp_path, bundle):
    summary = score_roster(FERBER, tmp_path / "out.csv", bundle, FERBER_MAP)
    before, after = rows(FERBER), rows(tmp_path / "out.csv")
    assert (summary.rows, len(after)) == (1_832, 1_832)
    assert summary.scored >= 0.95 * summary.rows
    assert summary.problems == {
        "height_cm": 5, "running_experience_years": 4, "weight_kg": 3, "age_years": 1, "sex": 1
    }  # fmt: skip
    for theirs, ours in zip(before, after, strict=True):
        assert ours["runner_id"] == theirs["filename"]
        assert {name: ours[name] for name in theirs} == theirs
        slips = {
            "age_years": theirs["age"] == "255", "height_cm": theirs["Height"] in ("0", "999"),
            "weight_kg": theirs["Weight"] in ("0", "1564"), "sex": theirs["Gender"] == "Unknown",
            "running_experience_years": theirs["YrsRunning"] == theirs["age"],
        }  # fmt: skip
        assert [name for name, slip in slips.items() if slip] == [
            name for name in slips if f"{name}: " in ours["problems"]
        ]
        required = slips["age_years"] or slips["sex"]
        assert ours["status"] == ("rejected" if required else "partly" if any(slips.values()) else "scored")


@pytest.mark.skipif(not FERBER.exists(), reason="the shared data sets are not on this machine")
def test_the_clinics_code_for_unknown_years_is_missing(tmp_path):
    years = read_roster(FERBER, FERBER_MAP).values["running_experience_years"]
    assert years.max() < 70
    as_old_as_the_runner = 4  # running for all the years of one's life: set aside as a contradiction
    assert years.isna().sum() == 517 + 51 + as_old_as_the_runner
