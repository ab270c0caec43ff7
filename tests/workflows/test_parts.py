"""Cohorts in parts: the rows that one file has, whoever simulates them."""

import json

import pandas as pd
import pytest

from pfps_ml.batch.rosters import pool_factory
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import OutputError
from pfps_ml.workflows import simulate
from pfps_ml.workflows.frames import OBSERVED, TRUTH, read_frames
from pfps_ml.workflows.simulate import write_cohort, write_parts

SMALL = CohortConfig(runners=250, patients=70)


def write(folder, cluster=None, workers=1, config=SMALL, **options):
    with pool_factory(workers, cluster) as lend:
        write_parts(config, folder, lend, chunk=100, **options)


def same(one, other):
    first, second = read_frames(one, truth=True), read_frames(other, truth=True)
    for name in (*OBSERVED, *TRUTH):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
        tables = [pd.read_parquet(folder / f"{name}.parquet") for folder in (one, other)]
        pd.testing.assert_frame_equal(*tables)
    assert (first.made, first.draws) == (second.made, second.draws)


@pytest.mark.parametrize("draws", [0, 2])
def test_parts_hold_the_rows_of_one_file_in_its_order(tmp_path, draws):
    write_cohort(SMALL, tmp_path / "one", draws)
    write(tmp_path / "parts", workers=2, draws=draws)
    same(tmp_path / "parts", tmp_path / "one")
    told = json.loads((tmp_path / "parts" / "manifest.json").read_text())
    rows = [part["rows"] for part in told["parts"] if part["frame"] == "onset"]
    assert rows == [100, 100, 50] * (draws + 1)
    assert not (tmp_path / "parts" / "run.json").exists()


@pytest.mark.slow
def test_a_cluster_writes_the_same_parts(tmp_path):
    write_cohort(SMALL, tmp_path / "one")
    write(tmp_path / "parts", (None,), 2)
    same(tmp_path / "parts", tmp_path / "one")


def test_the_same_command_goes_on_and_another_cohort_is_refused(tmp_path):
    def give_up(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "parts", tell=give_up)
    for _ in range(2):
        write(tmp_path / "parts")
    write_cohort(SMALL, tmp_path / "one")
    same(tmp_path / "parts", tmp_path / "one")
    with pytest.raises(OutputError, match="another cohort's manifest"):
        write(tmp_path / "parts", config=CohortConfig(runners=250, patients=71))


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_text("mine")
    with pytest.raises(OutputError, match="empty folder"):
        write(tmp_path)


def test_a_part_of_another_length_is_an_error():
    items = [("onset", 0, 0, (0, 100))]
    with pytest.raises(OutputError, match="expected 100 rows"):
        list(simulate._written(lambda function, _: [{"frame": "onset", "part": 0, "draw": 0, "rows": 1}], items, str))
