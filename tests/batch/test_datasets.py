"""Data sets: every partition comes back, nothing is lost or doubled, and the manifest accounts for all of it."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pfps_ml.batch.rosters import _reconciled, score_roster
from pfps_ml.batch.stream import open_task
from pfps_ml.cli.main import main
from pfps_ml.core.errors import InputError, OutputError, PartlyDone
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.readers import PARQUET
from tests.streams import digest, left, run_options, runners, written


def dataset(folder, rows=600, parts=4):
    """Return a data set whose last partition lies deeper, beside notes of other programs."""
    frame, size = runners(rows), rows // parts
    for at in range(parts):
        path = folder / ("deep" if at == parts - 1 else ".") / f"p{at}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        written(frame.iloc[at * size : (at + 1) * size], path)
    (folder / "_metadata.parquet").write_text("of another program")
    return frame


def manifest(out):
    return json.loads((out / "manifest.json").read_text())


def table(out):
    """Return all rows of a folder, in the order of the cohort."""
    return pd.concat(
        [pd.read_parquet(path) for path in sorted(out.rglob("p*.parquet"), key=lambda path: path.name)],
        ignore_index=True,
    )


def names(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    dataset(folder)
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_partitions_give_what_one_file_gives_with_ids_unique_over_all_of_them(tmp_path, bundle, source, workers):
    summary = score_roster(source, tmp_path / "out", bundle, options=run_options(workers))
    one = score_roster(written(table(source), tmp_path / "one.parquet"), tmp_path / "one.parquet", bundle)
    pd.testing.assert_frame_equal(table(tmp_path / "out"), pd.read_parquet(tmp_path / "one.parquet"))
    assert (summary.rows, summary.scored, summary.problems) == (one.rows, one.scored, one.problems)
    assert names(tmp_path / "out") == ["deep/p3.parquet", "manifest.json", "p0.parquet", "p1.parquet", "p2.parquet"]


def test_the_manifest_reconciles_the_rows_of_every_partition_and_of_all(tmp_path, bundle, source):
    score_roster(source, tmp_path / "out", bundle, options=run_options())
    told = manifest(tmp_path / "out")
    assert told["rows"] == sum(each["rows"] for each in told["partitions"]) == 600
    assert told["rejected"] == sum(each["rejected"] for each in told["partitions"]) == 5
    for each in told["partitions"]:
        path = tmp_path / "out" / each["name"]
        assert pq.read_metadata(path).num_rows == each["rows"] == each["scored"] + each["rejected"]
        assert path.stat().st_size == each["bytes"]


def test_a_broken_partition_is_reported_and_the_others_are_scored(tmp_path, bundle, capsys):
    dataset(tmp_path / "in")
    (tmp_path / "in" / "p1.parquet").write_bytes(b"PAR1 broken PAR1")
    written(runners(100).drop(columns="sex"), tmp_path / "in" / "p8.parquet")
    with pytest.raises(PartlyDone, match="got 2 that cannot") as caught:
        score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
    assert [(fault.parameters["partition"], fault.field) for fault in caught.value.faults] == [
        ("p1.parquet", None), ("p8.parquet", None), ("p8.parquet", "sex")]  # fmt: skip
    told = {each["name"]: each for each in manifest(tmp_path / "out")["partitions"]}
    assert [fault["code"] for fault in told["p1.parquet"]["faults"]] == ["parquet_damaged"]
    assert [fault["code"] for fault in told["p8.parquet"]["faults"]] == ["header_invalid", "column_required"]
    assert "damaged" in told["p1.parquet"]["error"]
    assert "sex: expected this required column" in told["p8.parquet"]["error"]
    assert manifest(tmp_path / "out")["rows"] == 450
    assert "p1.parquet" not in left(tmp_path / "out")
    with pytest.raises(SystemExit) as done:
        main(["score", str(tmp_path / "in"), "-o", str(tmp_path / "other"), "--bundle", str(bundle.path)])
    assert done.value.code == 5
    assert "p1.parquet: expected a Parquet file" in capsys.readouterr().err


def test_a_partition_that_breaks_off_in_the_middle_leaves_nothing_of_itself(tmp_path, bundle):
    dataset(tmp_path / "in")
    path = tmp_path / "in" / "p1.parquet"
    content = bytearray(path.read_bytes())
    content[1_000:3_000] = bytes(2_000)
    path.write_bytes(content)
    with pytest.raises(PartlyDone):
        score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
    assert left(tmp_path / "out") == ["deep", "manifest.json", "p0.parquet", "p2.parquet"]


def test_an_empty_partition_comes_back_empty_and_all_have_the_same_columns(tmp_path, bundle):
    dataset(tmp_path / "in")
    written(runners(10).iloc[:0], tmp_path / "in" / "p7.parquet")
    visits = runners(10).assign(worst_pain_mm=50.0, runner_id=[f"V-{i}" for i in range(10)])
    written(visits, tmp_path / "in" / "p8.parquet")
    score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
    schemas = {name: pq.read_schema(tmp_path / "out" / f"{name}.parquet").names for name in ("p0", "p7", "p8")}
    assert schemas["p0"] == schemas["p7"]
    assert set(schemas["p8"]) - set(schemas["p0"]) == {"worst_pain_mm"}
    assert pq.read_metadata(tmp_path / "out" / "p7.parquet").num_rows == 0


def test_the_same_command_goes_on_from_the_partitions_that_are_whole(tmp_path, bundle, source):
    score_roster(source, tmp_path / "never", bundle, options=run_options())

    class Stop(Exception):
        """The run ends in the middle."""

    def tell(step, share, rows):
        if step == "Scoring" and share >= 0.5:
            raise Stop

    with pytest.raises(Stop):
        score_roster(source, tmp_path / "out", bundle, None, run_options(), tell)
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in ("deep/p3.parquet", "p0.parquet")}
    assert not (tmp_path / "out" / "manifest.json").exists()
    (tmp_path / "out" / ".pfps" / "half.part").write_text("left over")
    score_roster(source, tmp_path / "out", bundle, options=run_options())
    again = score_roster(source, tmp_path / "out", bundle, options=run_options())
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in before} == before
    assert manifest(tmp_path / "out") == manifest(tmp_path / "never")
    assert again.rows == 600
    assert names(tmp_path / "out") == names(tmp_path / "never")
    for name in names(tmp_path / "out"):
        assert digest(tmp_path / "out" / name) == digest(tmp_path / "never" / name)


def test_a_partition_that_was_taken_away_is_scored_again(tmp_path, bundle, source):
    score_roster(source, tmp_path / "out", bundle, options=run_options())
    before = digest(tmp_path / "out" / "p0.parquet")
    (tmp_path / "out" / "p0.parquet").unlink()
    score_roster(source, tmp_path / "out", bundle, options=run_options())
    assert digest(tmp_path / "out" / "p0.parquet") == before


@pytest.mark.parametrize("done", [True, False])
def test_a_folder_of_another_run_is_refused_in_words(tmp_path, bundle, source, done):
    score_roster(source, tmp_path / "out", bundle, options=run_options())
    if not done:
        (tmp_path / "out" / ".pfps").mkdir()
        (tmp_path / "out" / "manifest.json").rename(tmp_path / "out" / ".pfps" / "run.json")
    dataset(tmp_path / "in", 400)
    before = {name: digest(tmp_path / "out" / name) for name in names(tmp_path / "out")}
    with pytest.raises(OutputError, match="another run's manifest"):
        score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
    assert {name: digest(tmp_path / "out" / name) for name in names(tmp_path / "out")} == before


def test_a_folder_with_something_in_it_is_refused(tmp_path, bundle, source):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.jpg").write_text("mine")
    with pytest.raises(OutputError, match="empty folder"):
        score_roster(source, tmp_path / "out", bundle)


@pytest.mark.parametrize("out", [".", "out", "../{name}/out"])
def test_an_output_inside_the_data_set_is_refused(bundle, source, out):
    with pytest.raises(OutputError, match="outside the data set"):
        score_roster(source, source / out.format(name=source.name), bundle)


def test_an_output_that_is_a_file_or_is_named_as_one_is_refused(tmp_path, bundle, source):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out", tmp_path / "out.csv"):
        with pytest.raises(OutputError):
            score_roster(source, out, bundle)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_parquet_is_refused(tmp_path, bundle):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="without any"):
        score_roster(tmp_path / "in", tmp_path / "out", bundle)
    assert left(tmp_path) == ["in"]


@pytest.mark.parametrize("other", ["club.csv", "deep/club.XLSX", "linked", os.fsdecode(b"p\xff.parquet")])
def test_what_would_be_left_out_of_a_data_set_is_refused_before_any_work(tmp_path, bundle, source, other):
    path = shutil.copytree(source, tmp_path / "in") / other
    path.symlink_to(source) if other == "linked" else path.write_text("more runners")
    with pytest.raises(InputError, match="left out") as caught:
        score_roster(tmp_path / "in", tmp_path / "out", bundle)
    assert [(fault.code, fault.text) for fault in caught.value.faults] == [("other_file", repr(other))]
    assert not (tmp_path / "out").exists()


def test_a_partition_may_be_spelt_in_capitals_in_any_script_and_be_a_link(tmp_path, bundle, source):
    folder = tmp_path / "läufer 走"
    folder.mkdir()
    (folder / "Zoë 1.PARQUET").symlink_to(source / "p0.parquet")
    (folder / "gone.parquet").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PartlyDone) as caught:
        score_roster(folder, tmp_path / "out", bundle)
    assert [fault.parameters["partition"] for fault in caught.value.faults] == ["gone.parquet"]
    assert pq.read_metadata(tmp_path / "out" / "Zoë 1.PARQUET").num_rows == manifest(tmp_path / "out")["rows"] == 150


def test_a_map_renames_the_columns_of_every_partition(tmp_path, bundle):
    for at in range(2):
        frame = runners(20).rename(columns={"runner_id": "athlete"}).assign(athlete=[f"{at}-{i}" for i in range(20)])
        (tmp_path / "in").mkdir(exist_ok=True)
        written(frame, tmp_path / "in" / f"p{at}.parquet")
    (tmp_path / "m.toml").write_text('[columns.runner_id]\nfrom = "athlete"\n')
    score_roster(tmp_path / "in", tmp_path / "out", bundle, Path(tmp_path / "m.toml"), run_options())
    assert table(tmp_path / "out")["runner_id"].tolist() == table(tmp_path / "out")["athlete"].tolist()


def test_a_partition_that_comes_back_with_other_rows_is_an_error(source):
    task = open_task(source / "p0.parquet", Mapping(), PARQUET, run_options(), part=True)
    account = {"name": "p0.parquet", "rows": 149, "scored": 149, "rejected": 0, "problems": {}}
    with pytest.raises(OutputError, match="expected 150 rows of p0"):
        _reconciled({"p0.parquet": task}, [account])
