"""Rejected rows in a file of their own: none is lost, none is scored twice, and mended they are scored."""

from functools import partial

import pandas as pd
import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.scoring import merge_mended, repeat_problems
from pfps_ml.core.errors import InputError, InvalidInput, OutputError
from pfps_ml.io.roster import read_roster
from tests.rosters import GOOD, HEADER, ROW, cells, roster

BAD = HEADER + ROW.format("R-1") + "R-2,Club,3O,female,170,25,no,late\n" + ROW.format("R-3") + "R-4,Club,30,x,,,,\n"


@pytest.fixture
def scored(tmp_path, bundle):
    score_roster(roster(tmp_path, BAD), tmp_path / "scored.csv", bundle)
    return tmp_path / "scored.csv"


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
def test_the_rejected_rows_come_with_their_own_columns_and_the_account_and_nothing_else(
    tmp_path, bundle, scored, ending
):
    whole = tmp_path / f"whole{ending}"
    score_roster(tmp_path / "roster.csv", whole, bundle)
    assert repeat_problems(whole, tmp_path / f"mend{ending}") == (2, 0)
    read = {".csv": pd.read_csv, ".xlsx": partial(pd.read_excel, engine="openpyxl"), ".parquet": pd.read_parquet}[
        ending
    ]
    found = read(tmp_path / f"mend{ending}")
    assert list(found) == [*HEADER.strip().split(","), "status", "problems", "problem_codes"]
    assert found["runner_id"].tolist() == ["R-2", "R-4"]
    assert set(found["status"]) == {"rejected"} and found["problems"].str.contains("expected").all()


def test_mended_they_are_scored_as_if_they_had_never_been_wrong(tmp_path, bundle, scored):
    repeat_problems(scored, tmp_path / "mend.csv")
    mended = (tmp_path / "mend.csv").read_text().replace("3O", "30").replace("30,x", "30,male")
    score_roster(roster(tmp_path, mended, "mend.csv"), tmp_path / "again.csv", bundle)
    right = BAD.replace("3O", "30").replace("30,x", "30,male")
    score_roster(roster(tmp_path, right, "right.csv"), tmp_path / "right.out.csv", bundle)
    again = {row["runner_id"]: row for row in cells(tmp_path / "again.csv")}
    assert set(again) == {"R-2", "R-4"}
    assert [row for row in cells(tmp_path / "right.out.csv") if row["runner_id"] in again] == list(again.values())


def test_a_row_that_did_not_fit_the_header_stays_rejected_until_somebody_has_cleared_its_status(tmp_path, bundle):
    score_roster(roster(tmp_path, GOOD + "R-3,Club,30,female\n"), tmp_path / "scored.csv", bundle)
    assert repeat_problems(tmp_path / "scored.csv", tmp_path / "mend.csv") == (1, 0)
    assert score_roster(tmp_path / "mend.csv", tmp_path / "again.csv", bundle).rejected == 1
    text = (tmp_path / "mend.csv").read_text().replace(",rejected,", ",,")
    assert score_roster(roster(tmp_path, text, "mend.csv"), tmp_path / "again.csv", bundle).scored == 1


def test_none_rejected_is_a_file_with_a_header_and_no_row(tmp_path, bundle):
    score_roster(roster(tmp_path, GOOD), tmp_path / "scored.csv", bundle)
    assert repeat_problems(tmp_path / "scored.csv", tmp_path / "mend.csv") == (0, 0)
    assert (tmp_path / "mend.csv").read_text() == HEADER.strip() + ",status,problems,problem_codes\n"


def test_what_was_not_scored_has_no_rejected_rows(tmp_path):
    with pytest.raises(InputError, match="`pfps score` adds them"):
        repeat_problems(roster(tmp_path, GOOD), tmp_path / "mend.csv")
    assert not (tmp_path / "mend.csv").exists()


@pytest.mark.parametrize("name", ["scored.csv", "link.csv"])
def test_the_scored_roster_is_never_replaced_by_its_rejected_rows(tmp_path, scored, name):
    (tmp_path / "link.csv").symlink_to(scored)
    before = scored.read_bytes()
    with pytest.raises(OutputError, match="another file"):
        repeat_problems(scored, tmp_path / name)
    assert scored.read_bytes() == before


def test_a_row_that_was_scored_partly_comes_too_and_its_status_tells_it_from_the_rejected(tmp_path, bundle):
    text = GOOD + "R-3,Club,30,female,900,25,no,\nR-4,Club,3,female,170,25,no,\n"
    score_roster(roster(tmp_path, text), tmp_path / "scored.csv", bundle)
    assert repeat_problems(tmp_path / "scored.csv", tmp_path / "mend.csv") == (1, 1)
    statuses = [(row["runner_id"], row["status"]) for row in cells(tmp_path / "mend.csv")]
    assert statuses == [("R-3", "partly"), ("R-4", "rejected")]
    mended = (tmp_path / "mend.csv").read_text().replace(",900,", ",170,").replace(",3,", ",30,")
    again = score_roster(roster(tmp_path, mended, "mend.csv"), tmp_path / "again.csv", bundle)
    assert (again.scored, again.partly, again.rejected) == (2, 0, 0)


def put_back(tmp_path, mended, out="whole.csv", **how):
    (tmp_path / "mended.csv").write_text(mended)
    return merge_mended(tmp_path / "mended.csv", tmp_path / "roster.csv", tmp_path / out, **how)


def test_mended_rows_are_put_back_into_the_roster_by_id(tmp_path, bundle, scored):
    repeat_problems(scored, tmp_path / "mend.csv")
    mended = (tmp_path / "mend.csv").read_text().replace("3O", "30").replace("30,x", "30,male")
    lines = dict(put_back(tmp_path, mended))
    assert (tmp_path / "whole.csv").read_text() == BAD.replace("3O", "30").replace("30,x", "30,male")
    assert lines == {"rows of the roster": "4", "mended rows put back": "2", "cells that changed": "2"}
    score_roster(tmp_path / "whole.csv", tmp_path / "again.csv", bundle)
    assert {row["status"] for row in cells(tmp_path / "again.csv")} == {"scored"}


@pytest.mark.parametrize("ending", [".xlsx", ".parquet"])
def test_mended_rows_come_from_and_go_into_any_format(tmp_path, bundle, scored, ending):
    repeat_problems(scored, tmp_path / f"mend{ending}")
    lines = dict(merge_mended(tmp_path / f"mend{ending}", tmp_path / "roster.csv", tmp_path / f"whole{ending}"))
    assert lines["mended rows put back"] == "2" and lines["cells that changed"] == "0"
    assert read_roster(tmp_path / f"whole{ending}").summary == read_roster(tmp_path / "roster.csv").summary


def test_all_that_is_wrong_with_mended_rows_is_said_at_once_and_nothing_is_written(tmp_path):
    roster(tmp_path, BAD + ROW.format("R-5") * 2)
    rows = [HEADER.strip() + ",other", *(f"{row.format(name).strip()},1" for row, name in
            ((ROW, "R-9"), (ROW, "R-1"), (ROW, "R-1"), (ROW, "R-5"), (ROW, "")))]  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        put_back(tmp_path, "\n".join(rows).replace("club", "team") + "\n")
    codes = [fault.code for fault in caught.value.faults]
    assert codes == ["mended_columns_lacking", "mended_columns_other", "mended_ids_blank", "mended_ids_unknown",
                     "mended_ids_doubled", "mended_ids_shared"]  # fmt: skip
    assert not (tmp_path / "whole.csv").exists()
    assert not [text for text in ("R-9", "R-5") if text in " ".join(fault.line for fault in caught.value.faults)]


def test_a_file_is_replaced_only_if_that_is_said(tmp_path):
    before = roster(tmp_path, BAD).read_text()
    mended = HEADER + ROW.format("R-2")
    for out in ("roster.csv", "other.csv"):
        (tmp_path / "other.csv").write_text("mine")
        with pytest.raises(OutputError, match="--replace"):
            put_back(tmp_path, mended, out)
    assert (tmp_path / "roster.csv").read_text() == before and (tmp_path / "other.csv").read_text() == "mine"
    with pytest.raises(OutputError, match="another file"):
        put_back(tmp_path, mended, "mended.csv", replace=True)
    put_back(tmp_path, mended, "roster.csv", replace=True)
    assert "3O" not in (tmp_path / "roster.csv").read_text()


def test_mended_rows_are_put_back_through_the_map_of_their_roster(tmp_path):
    (tmp_path / "map.toml").write_text('[columns.runner_id]\nfrom = "Spieler"\n')
    text = BAD.replace("runner_id", "Spieler")
    roster(tmp_path, text)
    put_back(tmp_path, text.splitlines()[0] + "\n" + ROW.format("R-2"), mapping=tmp_path / "map.toml")
    assert cells(tmp_path / "whole.csv")[1]["Spieler"] == "R-2"
    assert "3O" not in (tmp_path / "whole.csv").read_text()


def test_a_row_that_did_not_fit_the_header_is_put_back_once_somebody_has_looked_at_it(tmp_path, bundle):
    text = GOOD + "R-8,Club,30,female\n" + "R-9,Club,30,female,1,2,3,4,5,6\n"
    score_roster(roster(tmp_path, text), tmp_path / "scored.csv", bundle)
    repeat_problems(tmp_path / "scored.csv", tmp_path / "mend.csv")
    mended = (tmp_path / "mend.csv").read_text()
    with pytest.raises(InvalidInput) as caught:
        put_back(tmp_path, mended)
    assert [fault.code for fault in caught.value.faults] == ["mended_shape"]
    names = mended.splitlines()[0]
    eight, nine = (f"{ROW.format(name).strip()},,,\n" for name in ("R-8", "R-9"))
    with pytest.raises(InvalidInput) as caught:  # one of two rows that do not fit is not mended
        put_back(tmp_path, f"{names}\n{eight}")
    assert [fault.code for fault in caught.value.faults] == ["rows_of_other_columns"]
    put_back(tmp_path, f"{names}\n{eight}{nine}")
    score_roster(tmp_path / "whole.csv", tmp_path / "again.csv", bundle)
    assert {row["status"] for row in cells(tmp_path / "again.csv")} == {"scored"}
