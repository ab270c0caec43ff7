"""Rosters: every row comes back once and in order, and no mistake in a file costs a row or a traceback."""

import csv
import io
import resource
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfps_ml.assess import ROSTER_COLUMNS, VISIT_COLUMNS, assess
from pfps_ml.dialects import Dialect, read_sheet, render
from pfps_ml.errors import InputError, InvalidInput, OutputError, PfpsError
from pfps_ml.headers import meant
from pfps_ml.knowledge.checker import check
from pfps_ml.knowledge.contracts import template
from pfps_ml.knowledge.dictionary import INPUTS
from pfps_ml.roster import Summary, read_roster, score_roster

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "data" / "examples" / "roster.csv"
HEADER = "runner_id,club,age_years,sex,height_cm,weekly_distance_km,prior_pfps,notes\n"
ROW = "{},Club,30,female,170,25,no,\n"
GOOD = HEADER + ROW.format("R-1") + ROW.format("R-2")


def roster(folder, text, name="roster.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def cells(path, delimiter=","):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def scored(folder, text, bundle, out="out.csv"):
    return score_roster(roster(folder, text), folder / out, bundle)


def refused(folder, text, name="roster.csv"):
    with pytest.raises(InputError) as caught:
        read_roster(roster(folder, text, name))
    assert caught.value.exit_code == 2
    return caught.value


# --- rows in, rows out ---------------------------------------------------------------------------------------------


def test_the_example_comes_back_row_for_row_with_its_own_cells(tmp_path, bundle):
    out = tmp_path / "scored.csv"
    summary = score_roster(EXAMPLE, out, bundle)
    before, after = cells(EXAMPLE), cells(out)
    assert (summary.rows, summary.scored, summary.rejected) == (40, 34, 6)
    assert list(after[0]) == [*before[0], "status", "problems", *ROSTER_COLUMNS, *VISIT_COLUMNS]
    for theirs, ours in zip(before, after, strict=True):
        for name, cell in theirs.items():
            assert ours[name].removeprefix("'") == (cell or "").removeprefix("'")
        assert (ours["status"] == "rejected") == bool(ours["problems"])


def test_a_row_gets_the_risk_that_the_assessment_gives_and_the_interval_holds_it(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    good = [row for row in cells(tmp_path / "out.csv") if row["status"] == "scored"]
    values = check(pd.DataFrame(good)[[field.name for field in INPUTS if field.name in good[0]]]).values
    expected = assess(bundle, values).table(True)["risk_12m"].to_numpy()
    found = np.array([float(row["risk_12m"] or "nan") for row in good])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    for row in good:
        if row["risk_12m"]:
            assert 0 <= float(row["risk_low"]) <= float(row["risk_12m"]) <= float(row["risk_high"]) <= 1


def test_a_runner_with_knee_pain_is_returned_without_a_risk(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    hurt = [row for row in cells(tmp_path / "out.csv") if row["current_knee_pain"].lower() == "yes"]
    assert hurt
    assert {(row["status"], row["risk_12m"], row["risk_band"]) for row in hurt} == {("scored", "", "")}


def test_visit_columns_are_filled_only_where_the_row_has_a_visit(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "out.csv", bundle)
    for row in cells(tmp_path / "out.csv"):
        assert bool(row["p_usual_care"]) == bool(row["worst_pain_mm"])
        assert row["preferred_pathway"] in (("none",) if row["worst_pain_mm"] else ("",))


def test_a_file_without_visit_columns_gets_none(tmp_path, bundle):
    scored(tmp_path, GOOD, bundle)
    assert "preferred_pathway" not in cells(tmp_path / "out.csv")[0]


def test_a_rejected_row_has_its_reason_and_no_score(tmp_path, bundle):
    summary = scored(tmp_path, HEADER + "R-1,Club,255,female,170,about 30,no,\n" + ROW.format("R-2"), bundle)
    row, other = cells(tmp_path / "out.csv")
    assert row["status"] == "rejected"
    assert row["problems"] == (
        "age_years: expected a number from 10 to 90 years, got 255; "
        "weekly_distance_km: expected a number from 0 to 250 km, got text"
    )
    assert all(row[name] == "" for name in ROSTER_COLUMNS)
    assert other["status"] == "scored"
    assert summary == Summary(2, 1, 1, {"age_years": 1, "weekly_distance_km": 1})


def test_a_file_whose_rows_are_all_rejected_is_still_written(tmp_path, bundle):
    text = HEADER.replace("notes", "akps") + "R-1,Club,255,female,170,25,no,50\n"
    assert scored(tmp_path, text, bundle).scored == 0
    assert scored(tmp_path, text, bundle, "out.parquet").scored == 0
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("risk_12m").type == pa.float64()
    assert table.schema.field("reason_1").type == pa.string()
    assert cells(tmp_path / "out.csv")[0]["status"] == "rejected"


def test_every_row_of_a_duplicated_id_is_rejected_and_the_others_are_not(tmp_path, bundle):
    scored(tmp_path, HEADER + "".join(ROW.format(name) for name in ("R-1", "R-2", " R-1 ")), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["rejected", "scored", "rejected"]
    assert "another row" in rows[0]["problems"]
    assert "R-1" not in rows[0]["problems"]


def test_rows_without_an_id_are_rejected_as_that_and_not_as_duplicates(tmp_path):
    read = read_roster(roster(tmp_path, HEADER + ROW.format("") * 2))
    assert [fault.row for fault in read.faults] == [0, 1]
    assert all("required" in fault.message for fault in read.faults)


def test_a_row_too_short_is_rejected_with_its_reason_and_keeps_its_place(tmp_path, bundle):
    scored(tmp_path, HEADER + ROW.format("R-1") + "R-2,Club,30\n" + ROW.format("R-3"), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [(row["runner_id"], row["status"]) for row in rows] == [
        ("R-1", "scored"), ("R-2", "rejected"), ("R-3", "scored")]  # fmt: skip
    assert rows[1]["problems"].startswith("expected 8 cells as in the header, got 3")
    assert (rows[1]["age_years"], rows[1]["height_cm"]) == ("30", "")


def test_a_row_too_long_is_rejected_and_none_of_its_text_is_lost(tmp_path, bundle):
    scored(tmp_path, HEADER + "R-1,Club,30,female,170,25,no,sore, tired\n" + ROW.format("R-2"), bundle)
    rows = cells(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["rejected", "scored"]
    assert rows[0]["notes"] == "sore, tired"
    assert "got 9" in rows[0]["problems"]


def test_many_chunks_give_what_one_row_at_a_time_gives(tmp_path, bundle):
    rows = [f"R-{i},Club,{10 + i % 80},{'male' if i % 3 else 'female'},170,{i % 90},no,\n" for i in range(4_100)]
    seen = []
    score_roster(
        roster(tmp_path, HEADER + "".join(rows)), tmp_path / "out.csv", bundle, track=lambda s: seen.extend(s) or s
    )
    assert seen == [0, 2_000, 4_000]
    found = cells(tmp_path / "out.csv")
    assert [row["runner_id"] for row in found] == [f"R-{i}" for i in range(4_100)]
    scored(tmp_path, HEADER + rows[4_050], bundle, "one.csv")
    (alone,) = cells(tmp_path / "one.csv")
    assert float(alone["risk_12m"]) == pytest.approx(float(found[4_050]["risk_12m"]), abs=1e-12)


def test_scoring_a_scored_file_again_replaces_our_columns(tmp_path, bundle):
    score_roster(EXAMPLE, tmp_path / "once.csv", bundle)
    score_roster(tmp_path / "once.csv", tmp_path / "twice.csv", bundle)
    once, twice = cells(tmp_path / "once.csv"), cells(tmp_path / "twice.csv")
    assert list(once[0]) == list(twice[0])
    short = next(row for row in once if "cells as in the header" in row["problems"])
    assert [row for row in once if row != short] == [r for r in twice if r["runner_id"] != short["runner_id"]]


def test_the_output_may_be_the_input(tmp_path, bundle):
    path = roster(tmp_path, GOOD)
    score_roster(path, path, bundle)
    assert [row["runner_id"] for row in cells(path)] == ["R-1", "R-2"]
    assert list(tmp_path.iterdir()) == [path]


def test_outcomes_bookkeeping_and_the_coachs_own_columns_pass_through(tmp_path, bundle):
    names = ["pfps_onset_12m", "success_12w", "draw", "arm", "name", "email", "age_group", "prior_knee_injury_date"]
    text = f"runner_id,age_years,sex,{','.join(names)}\nR-1,30,male,{','.join('abcdefgh')}\n"
    scored(tmp_path, text, bundle)
    (row,) = cells(tmp_path / "out.csv")
    assert [row[name] for name in names] == list("abcdefgh")
    assert row["status"] == "scored"


def test_columns_without_a_name_pass_through(tmp_path, bundle):
    scored(tmp_path, "runner_id,age_years,sex,,\nR-1,30,male,x,\n", bundle)
    (row,) = cells(tmp_path / "out.csv")
    assert (row["column_4"], row["column_5"], row["status"]) == ("x", "", "scored")


# --- dialects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_and_written_back(tmp_path, bundle, delimiter):
    text = "runner_id,age_years,sex,weight_kg,navicular_drop_mm\nR-1,30,female,61.5,7.25\n"
    scored(tmp_path, text, bundle, "point.csv")
    scored(tmp_path, text.replace(",", delimiter).replace(".", ","), bundle, "comma.csv")
    (point,), (comma,) = cells(tmp_path / "point.csv"), cells(tmp_path / "comma.csv", delimiter)
    assert comma["weight_kg"] == "61,5"
    assert comma["risk_12m"] == point["risk_12m"].replace(".", ",")


def test_a_semicolon_file_with_points_gets_points(tmp_path, bundle):
    scored(tmp_path, "runner_id;age_years;sex;weight_kg\nR-1;30;female;61.5\n", bundle)
    assert "." in cells(tmp_path / "out.csv", ";")[0]["risk_12m"]


@pytest.mark.parametrize(
    ("encoding", "marked"), [("utf-8", False), ("utf-8-sig", True), ("latin-1", True), ("cp1252", True)]
)
def test_accents_survive_in_every_encoding(tmp_path, bundle, encoding, marked):
    club = "Läufer “Zürich”" if encoding == "cp1252" else "Läufer Zürich"
    scored(tmp_path, GOOD.replace("Club", club).encode(encoding), bundle)
    assert cells(tmp_path / "out.csv")[0]["club"] == club
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf") == marked


def test_a_byte_that_windows_does_not_know_is_read_as_latin_1(tmp_path):
    assert read_roster(roster(tmp_path, GOOD.encode().replace(b"Club", b"\x81\xe9"))).summary.scored == 2


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_lines_may_end_as_on_any_system_and_blank_ones_are_no_rows(tmp_path, end):
    text = GOOD.replace("\n", end) + end + " " + end
    assert read_roster(roster(tmp_path, text)).summary.rows == 2


def test_parquet_columns_keep_their_types(tmp_path, bundle):
    frame = pd.DataFrame({
        "runner_id": pd.array([7, 8, 9], dtype="int32"), "age_years": [30.0, 41.5, np.nan],
        "sex": pd.Categorical(["female", "male", "male"]), "prior_pfps": ["no", None, "yes"],
        "tested": pd.to_datetime(["2026-01-02"] * 3), "splits": [[1, 2], [], [3]],
    })  # fmt: skip
    source = tmp_path / "in.parquet"
    frame.to_parquet(source)
    score_roster(source, tmp_path / "out.parquet", bundle)
    before, after = pq.read_table(source), pq.read_table(tmp_path / "out.parquet")
    assert after.select(before.column_names).equals(before)
    assert after.column("status").to_pylist() == ["scored", "scored", "rejected"]
    assert after.schema.field("risk_12m").type == pa.float64()
    assert after.column("risk_12m").to_pylist()[2] is None
    assert pd.read_parquet(tmp_path / "out.parquet")["sex"].dtype == "category"


def test_parquet_becomes_csv_and_back(tmp_path, bundle):
    table = pa.table({
        "runner_id": ["=1+1", "R-2"], "age_years": [30, 40], "sex": ["male", "female"], "weight_kg": [61.5, None],
        "seen": pa.array([1, None], pa.timestamp("s")), "blob": [b"\xff", b"ok"], "flag": [True, None],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    score_roster(tmp_path / "in.parquet", tmp_path / "out.csv", bundle)
    first, second = cells(tmp_path / "out.csv")
    assert (first["runner_id"], first["weight_kg"], first["flag"]) == ("'=1+1", "61.5", "true")
    assert (second["weight_kg"], second["seen"], second["flag"]) == ("", "", "")
    score_roster(tmp_path / "out.csv", tmp_path / "back.parquet", bundle)
    assert pq.read_table(tmp_path / "back.parquet").column("runner_id").to_pylist() == ["=1+1", "R-2"]


def test_a_parquet_column_of_another_kind_is_rejected_row_by_row(tmp_path):
    table = pa.table({"runner_id": ["a", "b"], "age_years": [[30], [40]], "sex": [True, False]})
    pq.write_table(table, tmp_path / "in.parquet")
    assert read_roster(tmp_path / "in.parquet").summary.problems == {"age_years": 2, "sex": 2}


# --- formulas ------------------------------------------------------------------------------------------------------


def test_an_id_that_a_spreadsheet_would_run_gets_an_apostrophe_that_our_reader_takes_off(tmp_path, bundle):
    attack = "=cmd|' /C calc'!A0"
    scored(tmp_path, HEADER + ROW.format(attack), bundle)
    assert cells(tmp_path / "out.csv")[0]["runner_id"] == "'" + attack
    assert read_roster(tmp_path / "out.csv").ids.tolist() == [attack]


@pytest.mark.parametrize("cell", ["-5", "+3.5", "-1,5", "'quoted", "a=b", "-2e3", "'-5"])
def test_numbers_and_plain_text_get_no_apostrophe(cell):
    table = pa.table({"notes": [cell]})
    assert next(csv.reader(io.StringIO(render(table, Dialect(), ".csv").decode().split("\n", 1)[1]))) == [cell]


@pytest.mark.parametrize("cell", ["=1", "+x", "-x", "@x", "\tx", "\rx", "'=x", "''@x", "--1", "-"])
def test_what_a_spreadsheet_would_run_is_written_as_text(cell):
    table = pa.table({"notes": [cell]})
    assert next(csv.reader(io.StringIO(render(table, Dialect(), ".csv").decode()[6:], newline=""))) == ["'" + cell]


awkward = st.text(alphabet="'=+-@\t\r\n\",;1aé ", max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(awkward, awkward), min_size=1, max_size=4), delimiter=st.sampled_from(",;\t"))
def test_any_text_written_is_the_text_read(tmp_path, rows, delimiter):
    table = pa.table({"runner_id": [a for a, _ in rows], "notes": [b for _, b in rows]})
    path = roster(tmp_path, render(table, Dialect(delimiter), ".csv"))
    assert read_sheet(path, frozenset({"runner_id"})).table.equals(table)


# --- headers -------------------------------------------------------------------------------------------------------


def test_the_template_itself_is_a_header_without_rows(tmp_path):
    error = refused(tmp_path, template())
    assert [fault.message for fault in error.faults] == ["expected at least one row below the header, got none"]


def test_all_faults_of_a_header_come_in_one_error(tmp_path):
    error = refused(tmp_path, "runner_id,age,weight_lb,club,club,x,x,status\nR-1,30,150,A,A,1,2,ok\n")
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.faults] == [
        "age_years", "sex", "club", None, "age_years", "weight_kg", None]  # fmt: skip
    assert "'weight_lb'" in error.faults[5].message
    assert "columns 6 and 7" in error.faults[3].message


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("weight_lb", "weight_kg"), ("age", "age_years"), ("Age Years", "age_years"), ("sexe", "sex"),
        ("weigth_kg", "weight_kg"), ("height_in", "height_cm"), ("symptom_duration_weeks", "symptom_duration_months"),
        ("early_specialization", "early_specialisation"), ("effusion", "effusion_grade"),
        ("hip_abduction", "hip_abduction_nm_kg"),
        ("worst_pane_mm", "worst_pain_mm"), ("navicular_dorp", "navicular_drop_mm"),
    ],
)  # fmt: skip
def test_a_misspelt_field_and_a_field_in_another_unit_are_recognised(name, field):
    assert meant(name) == field


@pytest.mark.parametrize(
    "name",
    ["name", "email", "notes", "coach", "team", "age_group", "date_of_birth", "race_years", "bmi", "knee_pain", "shoe",
     "prior_pfps_date", "pfps_onset_12m", "success_12w", "arm", "draw", "", "=1", "gender"],
)  # fmt: skip
def test_a_column_that_looks_like_no_field_is_left_alone(name):
    assert meant(name) is None


@pytest.mark.parametrize(
    "field", [field.name for field in INPUTS if field.unit not in ("", "sessions", "points") or "index" in field.name]
)
def test_every_measured_field_is_recognised_without_its_unit(field):
    assert meant(field.rsplit("_", 1)[0]) == field


def test_a_header_that_is_ours_is_refused_unless_the_file_was_scored(tmp_path):
    error = refused(tmp_path, GOOD.replace("notes", "bundle"))
    assert "'bundle'" in error.faults[0].message


# --- files that are no rosters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"", "roster.csv", "empty file"),
        (b" \r\n ", "roster.csv", "empty file"),
        (b"\xef\xbb\xbf", "roster.csv", "empty file"),
        (b"", "roster.parquet", "empty file"),
        (bytes(range(256)), "roster.csv", "NUL byte in line 1"),
        (b"\x01\x02runner_id,age_years,sex\nR-1,30,male\n", "roster.csv", "binary"),
        (GOOD.encode().replace(b"R-2", b"R\x00"), "roster.csv", "NUL byte in line 3"),
        (b"PK\x03\x04rest", "roster.csv", "workbook"),
        (GOOD.encode("utf-16"), "roster.csv", "UTF-16"),
        (GOOD.encode("utf-16-le"), "roster.csv", "NUL byte"),
        (b"PK\x03\x04rest", "roster.xlsx", "come later"),
        (b"text", "roster.docx", "another ending"),
        (b"PAR1 no table PAR1", "roster.parquet", "Parquet"),
        (GOOD.encode(), "roster.parquet", "Parquet"),
        (GOOD.encode().replace(b"R-1", b'"R-1'), "roster.csv", "quotes"),
        (GOOD.encode().replace(b"R-1", b'"R"-1'), "roster.csv", "quotes"),
        (b'"' + GOOD.encode() + b"x" * 200_000, "roster.csv", "quotes"),
        (b",".join(b"c%d" % i for i in range(2_001)) + b"\n1\n", "roster.csv", "at most 2,000 columns"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_with_what_was_expected(tmp_path, content, name, expected):
    error = refused(tmp_path, content, name)
    assert expected in error.message
    assert error.message.startswith("expected ")


def test_a_parquet_file_too_wide_is_refused(tmp_path):
    pq.write_table(pa.table({f"c{i}": [1] for i in range(2_001)}), tmp_path / "wide.parquet")
    with pytest.raises(InputError, match="columns"):
        read_roster(tmp_path / "wide.parquet")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path / "folder.csv"):
        with pytest.raises(InputError, match="can be read"):
            read_roster(path)
        (tmp_path / "folder.csv").mkdir(exist_ok=True)


def test_a_very_long_row_is_one_rejected_row(tmp_path):
    read = read_roster(roster(tmp_path, GOOD + "R-3," + "x," * 50_000 + "\n"))
    assert (read.summary.rows, read.summary.problems) == (3, {"row": 1})


def test_a_header_without_names_we_know_says_which_are_required(tmp_path):
    error = refused(tmp_path, "R-0001,Jane Roe,30\nR-0002,John Roe,31\n")
    assert [fault.field for fault in error.faults] == ["runner_id", "age_years", "sex"]
    assert "Roe" not in str([error.message, error.faults])


# --- the output ----------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_output_whole_and_no_rubbish(tmp_path, bundle):
    source = roster(tmp_path, HEADER + "".join(ROW.format(f"R-{i}") for i in range(500)))
    out = tmp_path / "out.csv"
    out.write_text("what was there")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (4_096, hard)
    )  # Python ignores SIGXFSZ, so writing fails as on a full disk
    try:
        with pytest.raises(OutputError, match="what was there before is whole") as caught:
            score_roster(source, out, bundle)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 4
    assert out.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "roster.csv"]


@pytest.mark.parametrize("out", ["out.txt", "out", "folder.csv", "missing/out.csv", "x" * 260 + ".csv"])
def test_an_output_that_cannot_be_is_refused(tmp_path, bundle, out):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError):
        scored(tmp_path, GOOD, bundle, out)
    assert sorted(path.name for path in tmp_path.iterdir()) in (["folder.csv"], ["folder.csv", "roster.csv"])


def test_a_folder_that_takes_no_files_is_an_output_error(tmp_path, bundle):
    with pytest.raises(OutputError, match="expected to write"):
        score_roster(roster(tmp_path, GOOD), Path("/proc/out.csv"), bundle)


def test_a_new_output_is_private_and_an_old_one_keeps_its_permissions(tmp_path, bundle):
    scored(tmp_path, GOOD, bundle)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    (tmp_path / "out.csv").chmod(0o640)
    scored(tmp_path, GOOD, bundle)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o640


def test_links_that_lead_to_each_other_are_an_output_error(tmp_path, bundle):
    (tmp_path / "out.csv").symlink_to(tmp_path / "other.csv")
    (tmp_path / "other.csv").symlink_to(tmp_path / "out.csv")
    with pytest.raises(OutputError, match="leads nowhere"):
        scored(tmp_path, GOOD, bundle)


def test_a_link_stays_a_link(tmp_path, bundle):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to(tmp_path / "real.csv")
    scored(tmp_path, GOOD, bundle)
    assert (tmp_path / "out.csv").is_symlink()
    assert len(cells(tmp_path / "real.csv")) == 2


def test_a_header_fault_leaves_no_output(tmp_path, bundle):
    with pytest.raises(InputError):
        scored(tmp_path, GOOD.replace("age_years", "age"), bundle)
    assert not (tmp_path / "out.csv").exists()


# --- anything at all -----------------------------------------------------------------------------------------------

cell = st.one_of(
    st.sampled_from(["", "30", "170", "female", "Male", "NO", "nan", "inf", "-inf", "1e400", "1_000", "0x1F", "R-1"]),
    st.floats(allow_nan=False).map(str),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cells_give_as_many_rows_out_as_in_with_their_ids_in_order(tmp_path, bundle, data):
    names = ["runner_id", "age_years", "sex", *data.draw(st.lists(st.sampled_from(INPUTS[4:]), unique=True))]
    names = [name if isinstance(name, str) else name.name for name in names]
    rows = data.draw(st.lists(st.tuples(*[cell] * len(names)), min_size=1, max_size=6))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([names, *rows])
    ending = data.draw(st.sampled_from([".csv", ".parquet"]))
    source = roster(tmp_path, text.getvalue())
    summary = score_roster(source, tmp_path / f"out{ending}", bundle)
    again = read_roster(tmp_path / f"out{ending}")
    assert summary.rows == summary.scored + summary.rejected == len(rows)
    assert again.table.equals(read_sheet(source, frozenset(names)).table)
    assert again.summary == summary


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80), name=st.sampled_from(["x.csv", "x.parquet"]), header=st.booleans())
def test_any_bytes_give_a_roster_or_an_explained_error(tmp_path, content, name, header):
    try:
        read_roster(roster(tmp_path, HEADER.encode() * header + content, name))
    except PfpsError as error:
        assert error.message.startswith("expected ")
