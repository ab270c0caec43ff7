"""`pfps load`, `pfps pseudonymise` and `pfps guide` as they are typed: what is printed, and the exit codes."""

import csv
import logging
from pathlib import Path

import pytest

from pfps_ml.domain.measurement_protocols import guide_page
from pfps_ml.io.pseudonyms import warning
from tests.io.made import PLAIN, plain

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Anna Beispiel", "anna@example.org", "+49 170 000000")
PERSONAL = (
    "runner_id,Name,E-Mail,Mobile,age_years,sex\n"
    f"R-1,{','.join(NAMES)},30,female\nR-2,Ben Muster,ben@example.org,0170 000 001,31,male\n"
)


@pytest.fixture
def personal(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(PERSONAL)
    return path


def test_the_guide_is_printed_or_written(pfps, tmp_path):
    assert pfps("guide")[1] == guide_page()
    assert pfps("guide", "-o", tmp_path / "M.md")[0] == 0
    assert (tmp_path / "M.md").read_text(encoding="utf-8") == guide_page()


def test_a_log_is_summed_and_the_account_printed(pfps, tmp_path):
    (tmp_path / "log.csv").write_text(PLAIN + plain("2026-05-31", 5))
    out = tmp_path / "loads.csv"
    code, told, error = pfps("load", tmp_path / "log.csv", "-o", out, "--runner", "R-1", "--at", "2026-06-01")
    assert (code, error) == (0, "")
    assert "2026-06-01" in told and "does not cover" in told and f"Written: {out}" in told


def test_a_log_that_cannot_be_read_exits_with_2_and_shows_neither_id_nor_text(pfps, tmp_path):
    (tmp_path / "Anna.csv").write_text("date,distance_km\nAnna,Anna\n")
    code, told, error = pfps("load", tmp_path, "-o", tmp_path / "loads.csv")
    assert (code, told) == (2, "")
    assert "file 1 of 1" in error and "distance_km" in error
    assert "Anna" not in error.replace(str(tmp_path), "")
    assert not (tmp_path / "loads.csv").exists()


def test_a_roster_with_names_is_warned_of_in_one_line_without_a_value(pfps, personal, bundle_folder, caplog):
    caplog.set_level(logging.DEBUG)
    out = personal.with_name("out.csv")
    code, told, error = pfps("score", personal, "-o", out, "--bundle", bundle_folder)
    assert code == 0
    assert error.count("\n") == 1
    for words in ("column 2 (names)", "column 3 (email addresses)", "column 4 (phone numbers)", "pfps pseudonymise"):
        assert words in error
    said = told + error + caplog.text
    assert not [value for value in (*NAMES, "Ben", "R-1") if value in said]
    assert warning([]) != ""


def test_a_roster_without_names_is_not_warned_of(pfps, tmp_path, bundle_folder):
    code, _, error = pfps(
        "score", ROOT / "data/examples/roster.csv", "-o", tmp_path / "out.csv", "--bundle", bundle_folder
    )
    assert (code, error) == (0, "")


def test_a_roster_goes_out_with_pseudonyms_and_comes_back_with_names(pfps, personal, bundle_folder):
    folder = personal.parent
    key, sent, scored, back = (folder / name for name in ("key", "sent.csv", "scored.csv", "back.csv"))
    code, told, error = pfps("pseudonymise", personal, "--key", key, "--new-key", "-o", sent)
    assert (code, error) == (0, "")
    assert not [value for value in (*NAMES, "R-1") if value in told + sent.read_text()]
    assert pfps("score", sent, "-o", scored, "--bundle", bundle_folder)[2] == ""
    code, told, _ = pfps("pseudonymise", "--back", scored, "--key", key, "--roster", personal, "-o", back)
    assert code == 0 and "R-1" not in told
    with back.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["runner_id"], row["Name"], row["status"]) for row in rows] == [
        ("R-1", "Anna Beispiel", "scored"), ("R-2", "Ben Muster", "scored"),
    ]  # fmt: skip


@pytest.mark.parametrize("wanted", [[], ["--back", "x.csv"], ["r.csv", "--back", "x.csv", "--roster", "r.csv"]])
def test_what_cannot_be_meant_is_refused(pfps, tmp_path, wanted):
    code, _, error = pfps("pseudonymise", *wanted, "--key", tmp_path / "key", "-o", tmp_path / "out.csv")
    assert code == 2 and "--back SCORED --roster ROSTER" in error


@pytest.fixture(scope="module")
def bundle_folder(models_home):
    return models_home / "pfps-0.0.1"


HEADLESS = PERSONAL.partition("\n")[2]
RAGGED = PERSONAL + "R-3,Cleo Probe\nR-4,Dora Fall,d@example.org,0170,33,female,one,too,many\n"
TWICE = PERSONAL.replace("R-2", "R-1").replace("31,male", "Ben Muster,Ben Muster")


@pytest.mark.parametrize("text", [HEADLESS, RAGGED, TWICE, PERSONAL.replace("sex", "sexx")])
@pytest.mark.parametrize("verb", ["check", "map", "score", "pseudonymise", "load", "load into", "rejected"])
def test_whatever_is_wrong_no_name_address_number_or_id_is_printed_or_logged(
    pfps, tmp_path, bundle_folder, caplog, verb, text
):
    caplog.set_level(logging.DEBUG)
    source, out, log = tmp_path / "roster.csv", tmp_path / "out.csv", tmp_path / "log.csv"
    source.write_text(text)
    log.write_text(PLAIN + plain("2026-05-31", 5))
    arguments = {
        "check": ("check", source), "map": ("map", source), "rejected": ("rejected", source, "-o", out),
        "score": ("score", source, "-o", out, "--bundle", bundle_folder),
        "pseudonymise": ("pseudonymise", source, "--key", tmp_path / "key", "--new-key", "-o", out),
        "load": ("load", source, "-o", out, "--runner", "R-1"),
        "load into": ("load", log, "--into", source, "-o", out, "--runner", "R-1"),
    }[verb]  # fmt: skip
    _, told, error = pfps(*arguments)
    said = told + error + caplog.text
    assert not [value for value in (*NAMES, "Ben", "Cleo", "Dora", "0170", "example.org") if value in said]
    # `pfps check` lists on the screen whose cells are not used, by pseudonym: that list is what it is asked for
    said = (told if verb != "check" else "") + error + caplog.text
    assert "R-1" not in said and "R-2" not in said
