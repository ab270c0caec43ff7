"""One person's data: what `pfps erase` takes out of the trail and of runs that are not done, and what it says."""

import json
import os
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

from pfps_ml.batch.checkpoints import only_run
from pfps_ml.batch.erasure import OUT_OF_REACH, erase
from pfps_ml.batch.rosters import score_roster
from pfps_ml.cli.main import app
from pfps_ml.core.errors import InputError, OutputError
from pfps_ml.io.pseudonyms import mark, mark_key, new_key, pseudonym, read_key
from serving.audit_log import RecordFile
from tests.batch.test_resume import _stopped
from tests.streams import left, run_options, runners, written

PERSON, OTHER = "R-7-canary", "R-8"
AUDIT = RecordFile("PFPS_AUDIT", of_people=True)


@pytest.fixture
def trail(tmp_path, monkeypatch):
    """Return a trail with an answer about one person, one about another, and a roster of both and of somebody else."""
    path = tmp_path / "trail" / "audit"
    path.parent.mkdir()
    monkeypatch.setenv("PFPS_AUDIT", str(path))
    AUDIT.append({"route": "/assess", "input": "a", "risks": [0.1], "people": [PERSON]})
    AUDIT.append({"route": "/assess", "input": "b", "risks": [0.2], "people": [OTHER]})
    AUDIT.append(
        {"route": "/assess_roster", "input": "c", "risks": [0.1, 0.2, None], "people": [f" {PERSON}", OTHER, None]}
    )
    AUDIT.append({"route": "/score_roster", "input": "d", "counts": {"in": 2}})
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_persons_risks_and_marks_are_gone_and_every_other_line_and_value_stays(trail):
    before, key = lines(trail), mark_key(trail)
    erasure = erase(PERSON, [trail], [], [])
    after = lines(trail)
    assert erasure.lines == 2 and erasure.unmarked == 0
    assert mark(PERSON, key) not in trail.read_text()
    assert after[0] == before[0] | {"risks": [None], "people": [None], "input": None, "erased": 1}
    assert after[1] == before[1] and after[3] == before[3]
    assert after[2] == before[2] | {"risks": [None, 0.2, None], "people": [None, mark(OTHER, key), None], "erased": 1}
    assert erase(PERSON, [trail], [], []).lines == 0
    assert lines(trail) == after


def test_the_other_person_of_a_roster_can_be_taken_out_later_and_then_nothing_says_what_was_sent(trail):
    for person in (PERSON, OTHER):
        erase(person, [trail], [], [])
    assert lines(trail)[2] == lines(trail)[2] | {"risks": [None] * 3, "people": [None] * 3, "input": None, "erased": 2}


def test_a_person_is_taken_out_under_the_pseudonym_of_a_key_too(trail, tmp_path):
    key = tmp_path / "key"
    new_key(key)
    AUDIT.append({"input": "e", "risks": [0.3], "people": [pseudonym(PERSON, read_key(key))]})
    assert erase(PERSON, [trail], [], [key]).lines == 3
    assert lines(trail)[-1]["risks"] == [None]


def test_a_trail_that_was_moved_away_has_the_key_of_the_first(trail):
    moved = trail.with_name("audit.1")
    trail.rename(moved)
    AUDIT.append({"input": "e", "risks": [0.3], "people": [PERSON]})
    assert erase(PERSON, [trail, moved], [], []).lines == 3


def test_lines_of_an_older_version_are_counted_as_out_of_reach_and_torn_ones_are_deleted(trail):
    with trail.open("a") as file:
        file.write('{"route": "/assess", "input": "f", "risks": [0.4]}\n{"route": "/ass')
    erasure = erase(PERSON, [trail], [], [])
    assert erasure.unmarked == 1 and len(lines(trail)) == 5
    assert any(message.code == "unreached_unmarked" and message.parameters == {"n": 1} for message in erasure.unreached)
    assert sorted(path.name for path in trail.parent.iterdir()) == ["audit", "audit.key"]


def test_the_service_may_write_meanwhile_and_loses_no_line(trail):
    stop, written_lines = threading.Event(), []

    def write():
        while not stop.is_set():
            AUDIT.append({"input": str(len(written_lines)), "risks": [0.5], "people": [OTHER]})
            written_lines.append(str(len(written_lines)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            AUDIT.append({"input": "of the person", "risks": [0.6], "people": [PERSON]})
            assert erase(PERSON, [trail], [], []).lines >= 1
    finally:
        stop.set()
        writer.join()
    assert [line["input"] for line in lines(trail) if line["input"] and line["input"].isdecimal()] == written_lines
    assert sum(line.get("erased", 0) for line in lines(trail)) == 12


def test_a_trail_that_cannot_be_rewritten_is_as_it_was(trail, monkeypatch):
    before = trail.read_bytes()
    monkeypatch.setattr(os, "fsync", _no_room)
    with pytest.raises(OutputError, match="Free space"):
        erase(PERSON, [trail], [], [])
    assert trail.read_bytes() == before
    assert sorted(path.name for path in trail.parent.iterdir()) == ["audit", "audit.key"]


def _no_room(_):
    import errno

    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_without_an_id_a_place_or_a_key_nothing_is_done(trail, tmp_path):
    for arguments in [
        (" ", [trail], []), (PERSON, [], []), (PERSON, [tmp_path / "none"], []), (PERSON, [trail], [tmp_path / "none"]),
    ]:  # fmt: skip
        with pytest.raises(InputError):
            erase(*arguments, [])
    trail.with_name("audit.key").unlink()
    with pytest.raises(InputError, match=r"audit\.key"):
        erase(PERSON, [trail], [], [])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_parts_of_an_unfinished_run_that_hold_the_person_are_made_again_and_the_others_are_kept(
    tmp_path, bundle, ending
):
    frame = runners()
    source, out = written(frame, tmp_path / f"in{ending}"), tmp_path / f"out{ending}"
    parts = _stopped(source, out, bundle, 2)
    whole = sorted(path.name for path in parts.glob("*.json") if path.name[0].isdigit())
    first = str(frame["runner_id"].iloc[0])
    (parts / "000099.part").write_bytes(b"half a part")
    erasure = erase(first, [], [tmp_path], [])
    assert erasure.parts == 2 and not erasure.busy
    assert first.encode() not in b"".join(path.read_bytes() for path in parts.iterdir())
    kept = sorted(path.name for path in parts.glob("*.json") if path.name[0].isdigit())
    assert kept == whole[1:] and len(kept) >= 1
    score_roster(source, out, bundle, None, run_options())
    score_roster(source, tmp_path / f"again{ending}", bundle, None, run_options())
    assert out.read_bytes() == (tmp_path / f"again{ending}").read_bytes()


def test_a_run_that_is_at_work_is_left_alone_and_named(tmp_path):
    parts = tmp_path / "results" / ".out.csv.parts"
    parts.mkdir(parents=True)
    (parts / "000000.part").write_text(PERSON)
    with only_run(parts / "lock", tmp_path / "out.csv"):
        erasure = erase(PERSON, [], [tmp_path], [])
        assert erasure.busy == [parts] and erasure.parts == 0 and (parts / "000000.part").exists()
        assert erasure.unreached[0].code == "unreached_busy"
    assert erase(PERSON, [], [tmp_path], []).parts == 1


def test_half_written_files_of_a_killed_run_are_deleted_and_those_of_a_running_one_are_not(tmp_path):
    from pfps_ml.core import written_whole

    (tmp_path / ".pfps-left.part").write_text(PERSON)
    with written_whole(tmp_path / "report.html") as file:
        file.write(b"x")
        assert erase(PERSON, [], [tmp_path], []).drafts == 1
    assert left(tmp_path) == ["report.html"]


def test_a_number_that_is_an_id_is_seen_in_a_column_of_numbers(tmp_path, bundle):
    frame = runners().assign(runner_id=range(1_000, 1_000 + len(runners())))
    source = written(frame, tmp_path / "in.parquet")
    parts = _stopped(source, tmp_path / "out.parquet", bundle, 2)
    assert erase("1000", [], [tmp_path], []).parts == 1
    assert not (parts / "000000.part").exists()


def test_the_command_says_what_it_changed_and_what_it_cannot_reach_but_never_the_id(trail, tmp_path):
    runner = CliRunner()
    (tmp_path / "runs").mkdir()
    shown = runner.invoke(app, ["erase", "-", "--folder", str(tmp_path / "runs")], input=f"{PERSON}\n")
    assert shown.exit_code == 0, shown.output
    assert "lines of the audit trail changed  2" in shown.output and PERSON not in shown.output
    assert all(message.text in shown.output for message in OUT_OF_REACH)
    assert {"unreached_files", "unreached_copies", "unreached_proxies", "unreached_runs"} <= {
        message.code for message in OUT_OF_REACH
    }


def test_the_exit_code_says_that_a_run_is_at_work(tmp_path):
    parts = tmp_path / ".out.csv.parts"
    parts.mkdir()
    command = [sys.executable, "-m", "pfps_ml.cli.main", "erase", "-", "--folder", str(tmp_path)]
    command = [sys.executable, "-c", "from pfps_ml.cli.main import main; main()", *command[3:]]
    with only_run(parts / "lock", tmp_path / "out.csv"):
        done = subprocess.run(command, input=PERSON, text=True, capture_output=True, check=False)
    assert done.returncode == 5 and PERSON not in done.stdout + done.stderr
    assert "at work" in done.stderr
    nowhere = subprocess.run([*command[:4], "-"], input=PERSON, text=True, capture_output=True, check=False,
                             env={**os.environ, "PFPS_AUDIT": ""})  # fmt: skip
    assert nowhere.returncode == 2 and PERSON not in nowhere.stdout + nowhere.stderr
