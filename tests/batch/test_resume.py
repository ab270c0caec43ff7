"""A run that ends before it is done: what it leaves, and the same command that goes on from there."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from pfps_ml.batch.checkpoints import only_run
from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.stream import digest_of_map
from pfps_ml.core.atomic_output import written_whole
from pfps_ml.core.errors import OutputError, PartlyDone
from pfps_ml.core.numbers import generator
from pfps_ml.io.mapping import Mapping
from pfps_ml.io.output_writer import write_part
from tests.streams import digest, left, run_options, runners, written
from tests.waiting import until

ENDINGS = (".csv", ".parquet")


def _dies(context, piece, number):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_ended_from_outside_is_an_explained_error(monkeypatch, tmp_path, bundle):
    source = written(runners(), tmp_path / "in.csv")
    with monkeypatch.context() as patched:
        patched.setattr("pfps_ml.batch.stream.keep_piece", _dies)
        with pytest.raises(PartlyDone, match="Run the same command again") as caught:
            score_roster(source, tmp_path / "out.csv", bundle, options=run_options(2))
    assert caught.value.exit_code == 5
    assert left(tmp_path) == [".out.csv.parts", "in.csv"]
    score_roster(source, tmp_path / "out.csv", bundle, options=run_options(2))
    assert left(tmp_path) == ["in.csv", "out.csv"]


class _Stop(Exception):
    """A run that ends in the middle."""


def _stopped(source, out, bundle, after):
    """Run until some parts are whole, and end as if killed."""
    seen = []

    def tell(step, share, rows):
        seen.append(step)
        if seen.count("Scoring") > after:
            raise _Stop

    with pytest.raises(_Stop):
        score_roster(source, out, bundle, None, run_options(), tell)
    return out.with_name(f".{out.name}.parts")


def test_the_same_command_goes_on_from_the_parts_that_are_whole(tmp_path, bundle):
    source, out = written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv"
    score_roster(source, tmp_path / "never.csv", bundle, options=run_options())
    parts = _stopped(source, out, bundle, 3)
    assert not out.exists()
    assert {path.name for path in parts.glob("*.json")} == {"000000.json", "000001.json", "000002.json", "run.json"}
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.part") if path.name[0] == "0"}
    _stopped(source, out, bundle, 5)
    assert {name: (parts / name).stat().st_mtime_ns for name in before} == before
    summary = score_roster(source, out, bundle, options=run_options())
    assert digest(out) == digest(tmp_path / "never.csv")
    assert (summary.rows, summary.rejected) == (1_000, 5)
    assert not parts.exists()


HARMS = {
    "cut": lambda part: part.write_bytes(part.read_bytes()[:-10]),
    "changed": lambda part: part.write_bytes(part.read_bytes().replace(b"scored", b"SCORED")),
    "no account": lambda part: part.with_suffix(".json").unlink(),
    "torn account": lambda part: part.with_suffix(".json").write_text("{"),
}


@pytest.mark.slow
def test_a_part_that_is_not_whole_is_made_again(tmp_path, bundle, subtests):
    source = written(runners(600), tmp_path / "in.csv")
    score_roster(source, tmp_path / "never.csv", bundle, options=run_options())
    for harm, spoil in HARMS.items():
        with subtests.test(harm=harm):
            out = tmp_path / f"{harm}.csv"
            spoil(_stopped(source, out, bundle, 3) / "000001.part")
            score_roster(source, out, bundle, options=run_options())
            assert digest(out) == digest(tmp_path / "never.csv")


@pytest.mark.slow
def test_the_parts_of_another_run_are_thrown_away(tmp_path, bundle):
    out = tmp_path / "out.csv"
    _stopped(written(runners(), tmp_path / "in.csv"), out, bundle, 3)
    changed = runners()
    changed["weight_kg"] += 5
    source = written(changed, tmp_path / "in.csv")
    score_roster(source, out, bundle, options=run_options())
    score_roster(source, tmp_path / "never.csv", bundle, options=run_options())
    assert digest(out) == digest(tmp_path / "never.csv")
    assert left(tmp_path) == ["in.csv", "never.csv", "out.csv"]


def test_two_runs_never_write_the_same_output(monkeypatch, tmp_path, bundle):
    monkeypatch.setattr("pfps_ml.batch.checkpoints._PATIENCE", 0.1)
    source, out = written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv"
    (tmp_path / ".out.csv.parts").mkdir()
    with only_run(tmp_path / ".out.csv.parts" / "lock", out), pytest.raises(OutputError, match="only run"):
        score_roster(source, out, bundle, options=run_options())
    assert not out.exists()


def test_a_run_that_waited_for_one_that_ended_well_does_not_write_into_what_is_taken_away(monkeypatch, tmp_path):
    place = tmp_path / "lock"

    def locked(_lock):
        place.unlink()  # by the run that ended
        return True

    monkeypatch.setattr("pfps_ml.batch.checkpoints._locked", locked)
    with pytest.raises(OutputError, match="has just ended"), only_run(place, tmp_path / "out.csv"):
        pass


def test_half_an_output_of_a_run_that_was_killed_does_not_stay(tmp_path, bundle):
    source, out = written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv"
    parts = _stopped(source, out, bundle, 3)
    half = parts / ".pfps-half.part"
    half.write_text("of the run before")
    _stopped(source, out, bundle, 4)
    assert not half.exists()
    assert (parts / "000002.json").exists()


@pytest.mark.parametrize("kind", ENDINGS)
def test_what_a_full_disk_refuses_is_an_output_error_and_the_same_command_goes_on(tmp_path, bundle, monkeypatch, kind):
    source, out, limit = written(runners(), tmp_path / "in.csv"), tmp_path / f"out{kind}", 3

    def full(file, table, **how):
        if len(list((tmp_path / f".{out.name}.parts").glob("0*.part"))) > limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_part(file, table, **how)

    with monkeypatch.context() as patched:
        patched.setattr("pfps_ml.batch.stream.write_part", full)
        with pytest.raises(OutputError, match=r"No space left on device.*goes on") as caught:
            score_roster(source, out, bundle, options=run_options(2))
    assert caught.value.exit_code == 4
    assert not out.exists()
    score_roster(source, out, bundle, options=run_options(2))
    score_roster(source, tmp_path / f"never{kind}", bundle, options=run_options())
    assert digest(out) == digest(tmp_path / f"never{kind}")


def test_parts_that_cannot_be_written_are_an_output_error(tmp_path, bundle):
    (tmp_path / ".out.csv.parts").write_text("in the way")
    with pytest.raises(OutputError, match="expected to write"):
        score_roster(written(runners(), tmp_path / "in.csv"), tmp_path / "out.csv", bundle, options=run_options())


def test_a_mistake_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(_Stop), written_whole(tmp_path / "out.csv"):
        raise _Stop
    assert left(tmp_path) == []


def test_a_map_is_known_again_in_any_process():
    mapping = Mapping(leave=frozenset(f"column {number}" for number in range(20)))
    code = (
        "from pfps_ml.io.mapping import Mapping\nfrom pfps_ml.batch.stream import digest_of_map\n"
        "print(digest_of_map(Mapping(leave=frozenset(f'column {number}' for number in range(20)))))"
    )
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
        assert told.stdout.strip() == digest_of_map(mapping)


COMMAND = (
    "import sys; from pathlib import Path; from pfps_ml.model.bundle import load_bundle;"
    "from pfps_ml.io.readers import Size;"
    "from pfps_ml.batch.rosters import score_roster; from pfps_ml.batch.stream import RunOptions;"
    "score_roster(Path(sys.argv[1]), Path(sys.argv[2]), load_bundle(Path(sys.argv[3])), None,"
    "RunOptions(2, 64, Size(200, 20_000)))"
)


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_of_20_moments_is_gone_on_with_by_the_same_command(tmp_path, bundle):
    source, killed = written(runners(6_000), tmp_path / "in.csv"), 0
    answers = {ending: _never_killed(source, tmp_path / f"out{ending}", bundle) for ending in ENDINGS}
    for number, done in enumerate(generator(5, "moments of death").integers(0, 28, 20)):
        out = tmp_path / f"out{ENDINGS[number % 2]}"
        never, parts = answers[out.suffix], tmp_path / f".{out.name}.parts"
        running = subprocess.Popen(_command(source, out, bundle))
        # a moment is so many parts that are whole: the clock says nothing of where a run is on a busy machine
        until(lambda: len([*parts.glob("0*.part")]) >= done or running.poll() is not None)  # noqa: B023
        running.kill()
        killed += running.wait() == -signal.SIGKILL
        assert not out.exists() or digest(out) == never
        subprocess.run(_command(source, out, bundle), check=True)
        assert digest(out) == never
        assert left(tmp_path) == ["in.csv", out.name]
        out.unlink()
    assert killed > 10


def _command(source, out, bundle):
    return [sys.executable, "-c", COMMAND, str(source), str(out), str(bundle.path)]


def _never_killed(source, out, bundle):
    subprocess.run(_command(source, out, bundle), check=True)
    never = digest(out)
    out.unlink()
    return never
