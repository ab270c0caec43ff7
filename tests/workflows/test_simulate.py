"""Writing a cohort: what stands in the way is found before anything is simulated, and nothing is half written."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pandas as pd
import pytest

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import FactError, OutputError
from pfps_ml.workflows import simulate as pipeline
from pfps_ml.workflows.frames import OBSERVED, TRUTH
from pfps_ml.workflows.simulate import write_cohort
from tests.streams import digest_of_piece

SMALL = CohortConfig(runners=60, patients=20)


@pytest.mark.slow
def test_rows_do_not_depend_on_order_or_workers():
    pieces = [(start, start + 600) for start in range(0, 3000, 600)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        apart = list(workers.map(digest_of_piece, reversed(pieces)))
    assert apart == [digest_of_piece(piece) for piece in reversed(pieces)]


def never(*_):
    raise AssertionError("simulated before the folder was looked at")


@pytest.mark.parametrize("name", [*OBSERVED, *TRUTH])
def test_a_folder_where_a_frame_should_go_is_refused_before_anything_is_simulated(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "POPULATIONS", (("onset", never), ("treatment", never)))
    (tmp_path / f"{name}.parquet").mkdir()
    with pytest.raises(OutputError, match=rf"{name}\.parquet"):
        write_cohort(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.parquet"]


def test_a_name_in_the_way_of_a_draft_is_refused_before_anything_is_simulated(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "POPULATIONS", (("onset", never), ("treatment", never)))
    monkeypatch.setattr(pipeline.Path, "touch", _refused)  # root may write everywhere, so a test cannot lock a folder
    with pytest.raises(OutputError, match="choose another"):
        write_cohort(SMALL, tmp_path)
    assert not [*tmp_path.iterdir()]


def _refused(*_):
    raise PermissionError(13, "Permission denied")


def test_a_scenario_that_is_not_there_leaves_no_folder(tmp_path):
    with pytest.raises(FactError):
        write_cohort(CohortConfig(scenario="dream"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_truth_of_many_draws_says_of_which_draw_each_row_is(tmp_path):
    write_cohort(SMALL, tmp_path, draws=3, chunk=25)
    for seen, truth in zip(OBSERVED, TRUTH, strict=True):
        frames = [pd.read_parquet(tmp_path / f"{name}.parquet")[["runner_id", "draw"]] for name in (seen, truth)]
        pd.testing.assert_frame_equal(*frames)
        assert sorted(frames[0]["draw"].unique()) == [0, 1, 2, 3]
