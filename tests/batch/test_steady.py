"""A file that is written to while it is scored: no row of it is lost without a word, and none of two files is mixed."""

import os
import shutil

import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.errors import InputError, PartlyDone
from tests.batch.test_datasets import dataset, manifest
from tests.streams import digest, run_options, runners, written


def meanwhile(act, step="Scoring", share=0.3):
    """Return what is told of a run, and acts once in the middle of it."""
    done = []

    def tell(now, so_far, _rows):
        if now == step and so_far >= share and not done:
            done.append(act())

    return tell


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def appended(path):
    with path.open("ab") as file:
        file.write(b"R-late,,30,male\n")


def of_the_same_size(path):
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"female", b"  male"))
    os.utime(path, ns=(before, before + 1))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("change", [cut, appended, of_the_same_size, os.remove])
def test_a_file_that_is_written_to_while_it_is_scored_is_an_error_and_nothing_is_written(
    tmp_path, bundle, change, workers
):
    source, out = written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv"
    with pytest.raises(InputError):
        score_roster(source, out, bundle, None, run_options(workers), meanwhile(lambda: change(source)))
    assert not out.exists()


def test_no_part_is_kept_of_a_file_that_is_another_one_by_now(tmp_path, bundle):
    source, out = written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv"
    shutil.copy2(source, tmp_path / "before.csv")
    score_roster(source, tmp_path / "never.csv", bundle, options=run_options())
    with pytest.raises(InputError, match="stays as it is"):
        score_roster(source, out, bundle, None, run_options(), meanwhile(lambda: of_the_same_size(source)))
    assert (tmp_path / ".out.csv.parts" / "000000.json").exists()
    shutil.copy2(tmp_path / "before.csv", source)
    score_roster(source, out, bundle, options=run_options())
    assert digest(out) == digest(tmp_path / "never.csv")


@pytest.mark.parametrize("rows", [10, 150])
def test_a_partition_that_becomes_another_one_is_reported_and_the_others_are_scored(tmp_path, bundle, rows):
    dataset(tmp_path / "in")
    late = tmp_path / "in" / "p2.parquet"
    tell = meanwhile(lambda: written(runners(600).iloc[-rows:], late))
    with pytest.raises(PartlyDone) as caught:
        score_roster(tmp_path / "in", tmp_path / "out", bundle, None, run_options(), tell)
    (fault,) = caught.value.faults
    assert fault.parameters["partition"] == "p2.parquet" and fault.parameters["fault"]["code"] == "file_changed"
    assert manifest(tmp_path / "out")["rows"] == 450
    assert not (tmp_path / "out" / "p2.parquet").exists()


def test_a_partition_that_is_whole_only_later_is_none_of_this_run(tmp_path, bundle):
    dataset(tmp_path / "in", 200, 2)
    late = tmp_path / "in" / "p7.parquet"
    late.write_bytes(b"PAR1 half")
    tell = meanwhile(lambda: written(runners(100), late), share=0)
    with pytest.raises(PartlyDone) as caught:
        score_roster(tmp_path / "in", tmp_path / "out", bundle, None, run_options(), tell)
    assert [fault.parameters["partition"] for fault in caught.value.faults] == ["p7.parquet"]
    assert manifest(tmp_path / "out")["rows"] == 200
