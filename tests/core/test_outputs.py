"""Outputs: written whole or not at all."""

import resource
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from pfps_ml.batch.rosters import score_roster
from pfps_ml.core.atomic_output import check_output, destination, written_whole
from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import InputError, OutputError
from pfps_ml.workflows.simulate import write_parts
from pfps_ml.workflows.tracking import track
from tests.rosters import GOOD, HEADER, ROW, cells, roster, scored


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


@pytest.mark.parametrize("out", ["out.txt", "out", "folder.csv", "x" * 260 + ".csv"])
def test_an_output_that_cannot_be_is_refused(tmp_path, bundle, out):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError):
        scored(tmp_path, GOOD, bundle, out)
    assert sorted(path.name for path in tmp_path.iterdir()) in (["folder.csv"], ["folder.csv", "roster.csv"])


def test_folders_that_are_not_there_are_made_for_an_output(tmp_path, bundle):
    scored(tmp_path, GOOD, bundle, "new/and/newer/out.csv")
    assert len(cells(tmp_path / "new/and/newer/out.csv")) == 2


def test_folders_that_were_made_for_an_output_that_failed_are_gone(tmp_path, bundle):
    with pytest.raises(InputError):
        scored(tmp_path, GOOD.replace("age_years", "age"), bundle, "new/and/newer/out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["roster.csv"]


def test_folders_that_another_run_writes_into_stay_when_an_output_fails(tmp_path):
    with pytest.raises(KeyError), written_whole(tmp_path / "new/out.csv"):
        (tmp_path / "new/theirs.csv").touch()
        raise KeyError
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs.csv"]


@pytest.mark.parametrize("out", ["roster.csv/out.csv", "roster.csv/deeper/out.csv"])
def test_a_file_in_place_of_a_folder_is_an_output_error(tmp_path, bundle, out):
    with pytest.raises(OutputError, match="expected a folder") as caught:
        scored(tmp_path, GOOD, bundle, out)
    assert caught.value.exit_code == 4
    assert "roster.csv" in caught.value.message


def test_a_folder_that_may_not_be_written_is_an_output_error_before_any_work(tmp_path, monkeypatch):
    # root may write everywhere, so the answer of the system is put in its place
    monkeypatch.setattr("pfps_ml.core.atomic_output.os.access", lambda folder, _mode: folder != tmp_path)
    with pytest.raises(OutputError, match="can be written") as caught:
        check_output(tmp_path / "new" / "out.csv")
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("inside", ["", "in/the/circle"])
def test_links_that_lead_to_each_other_are_refused_in_words_wherever_a_name_is_followed(tmp_path, bundle, inside):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    out = tmp_path / "one" / inside
    with pytest.raises(OutputError, match="leads nowhere"):
        destination(out)
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputError, match="leads nowhere"):
        score_roster(tmp_path / "set", out, bundle)
    with pytest.raises(OutputError, match="leads nowhere"):
        write_parts(CohortConfig(), out, nullcontext)
    with pytest.raises(OutputError, match="leads nowhere"):
        track([], "circle", home=out)


def test_a_name_is_followed_to_what_is_not_there_yet(tmp_path):
    (tmp_path / "link.csv").symlink_to("made/later.csv")
    assert destination(tmp_path / "link.csv") == tmp_path.resolve() / "made" / "later.csv"
    assert destination(tmp_path / "new.csv") == tmp_path.resolve() / "new.csv"


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
