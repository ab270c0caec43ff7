"""What the tests of rosters share: small rosters as text, and reading what was written."""

import csv
from pathlib import Path

import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError
from pfps_ml.io.roster import read_roster

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
