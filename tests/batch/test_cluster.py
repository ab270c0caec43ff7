"""Data sets on a Dask cluster: what this machine gives, also where a worker dies in the middle."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

pytest.importorskip("distributed")

from pfps_ml.batch.cluster import connected, on_cluster
from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.stream import RunOptions
from pfps_ml.cli.main import main
from pfps_ml.core.console import spelt_out
from pfps_ml.core.errors import ClusterError, InputError, MissingLibrary, PartlyDone
from tests.batch.test_datasets import dataset, manifest, names
from tests.rosters import EXAMPLE
from tests.streams import SMALL, digest, run_options

HERE = RunOptions(2, 64, SMALL, (None,))


def same(one, other):
    assert names(one) == names(other)
    assert {name: digest(one / name) for name in names(one)} == {name: digest(other / name) for name in names(other)}


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_that_this_machine_gives(tmp_path, bundle):
    dataset(tmp_path / "in", 2_000, 20)
    score_roster(tmp_path / "in", tmp_path / "here", bundle, options=run_options())
    score_roster(tmp_path / "in", tmp_path / "there", bundle, options=HERE)
    same(tmp_path / "here", tmp_path / "there")


def _once_killed(job, name, digest):
    """Score a partition; the first worker that comes to the seventh dies of it."""
    from pfps_ml.batch.rosters import score_partition

    mark = job.out / ".pfps" / "killed"
    if name == "p6.parquet" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return score_partition(job, name, digest)


@pytest.mark.slow
def test_a_worker_that_dies_in_the_middle_has_its_partitions_redone_and_nothing_is_lost_or_doubled(
    tmp_path, bundle, monkeypatch
):
    dataset(tmp_path / "in", 2_000, 20)
    score_roster(tmp_path / "in", tmp_path / "never", bundle, options=run_options())
    monkeypatch.setattr("pfps_ml.batch.rosters.score_partition", _once_killed)
    summary = score_roster(tmp_path / "in", tmp_path / "out", bundle, options=HERE)
    assert summary.rows == 2_000
    same(tmp_path / "never", tmp_path / "out")


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_has_its_partitions_redone(tmp_path, bundle):
    dataset(tmp_path / "in", 2_000, 20)
    score_roster(tmp_path / "in", tmp_path / "never", bundle, options=run_options())
    killed = []

    def tell(step, share, rows):
        if step == "Scoring" and share >= 0.3 and not killed:
            killed.append(_a_worker())
            os.kill(killed[0], signal.SIGKILL)

    score_roster(tmp_path / "in", tmp_path / "out", bundle, None, HERE, tell)
    assert killed
    same(tmp_path / "never", tmp_path / "out")


def _a_worker():
    from distributed import default_client

    return next(iter(default_client().run(os.getpid).values()))


def _always_dies(given, item):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_work_that_ends_one_worker_after_the_other_is_an_explained_error():
    refused = pytest.raises(PartlyDone, match="too little memory")
    with connected(None, 1) as client, refused, on_cluster(client, None) as each:
        list(each(_always_dies, [(0,)]))


class _Carried:
    """What notes, in a file of each process that it comes to, that it was unpacked there."""

    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.__dict__.update(state)
        with (self.folder / f"{os.getpid()}").open("a") as file:
            file.write("x")


def _where(given, item):
    return os.getpid()


@pytest.mark.slow
def test_what_all_work_needs_is_shipped_once_to_each_worker(tmp_path):
    with connected(None, 2) as client, on_cluster(client, _Carried(tmp_path)) as each:
        pids = set(each(_where, ((item,) for item in range(40))))
    carried = {path.name: path.read_text() for path in tmp_path.iterdir() if path.name != f"{os.getpid()}"}
    assert pids <= {int(pid) for pid in carried}
    assert set(carried.values()) == {"x"}


def test_a_cluster_that_is_there_is_used_by_its_address(tmp_path, bundle):
    dataset(tmp_path / "in")
    with connected(None, 1) as client:
        arguments = ["score", tmp_path / "in", "-o", tmp_path / "out", "--bundle", bundle.path, "--dask"]
        with pytest.raises(SystemExit) as done:
            main([*map(str, arguments), client.scheduler.address])
    assert done.value.code == 0
    assert manifest(tmp_path / "out")["rows"] == 600


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense://x:1"])
def test_an_address_that_does_not_answer_is_an_explained_error(tmp_path, bundle, monkeypatch, address):
    monkeypatch.setattr("pfps_ml.batch.cluster.ANSWERS_WITHIN", 1)
    dataset(tmp_path / "in", 100, 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there = address.format(port=free.getsockname()[1])
    with pytest.raises(ClusterError, match="expected a Dask scheduler that answers"):
        score_roster(tmp_path / "in", tmp_path / "out", bundle, options=RunOptions(1, cluster=(there,)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
def test_so_is_one_where_something_else_answers(monkeypatch, greeting):
    monkeypatch.setattr("pfps_ml.batch.cluster.ANSWERS_WITHIN", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address, done = f"tcp://127.0.0.1:{other.getsockname()[1]}", threading.Event()
        answering = threading.Thread(target=_greet, args=(other, greeting, done))
        answering.start()
        with pytest.raises(ClusterError, match="expected a Dask scheduler that answers"), connected(address, 1):
            pass
        done.set()
        answering.join()


def _greet(other, greeting, done):
    caller, _ = other.accept()
    with caller:
        caller.sendall(greeting)
        done.wait(10)


def test_the_address_has_fifteen_seconds_at_most():
    from pfps_ml.batch.cluster import ANSWERS_WITHIN

    assert ANSWERS_WITHIN <= 12


def test_a_single_file_needs_no_cluster(tmp_path, bundle):
    with pytest.raises(InputError, match="expected a folder"):
        score_roster(EXAMPLE, tmp_path / "out.csv", bundle, options=HERE)


def test_without_dask_the_extra_is_named(tmp_path, bundle, monkeypatch):
    dataset(tmp_path / "in", 100, 1)
    monkeypatch.setitem(sys.modules, "pfps_ml.batch.cluster", None)
    with pytest.raises(MissingLibrary, match=r"pfps-ml\[scale\]"):
        score_roster(tmp_path / "in", tmp_path / "out", bundle, options=HERE)


def test_the_option_may_stand_with_an_address_or_alone(subtests):
    for typed, meant in [
        (["score", "in", "--dask"], ["score", "in", "--dask=here"]),
        (["score", "--dask", "in", "-o", "out"], ["score", "--dask=here", "in", "-o", "out"]),
        (["score", "in", "--dask", "-o", "out"], ["score", "in", "--dask=here", "-o", "out"]),
        (["score", "in", "--dask", "tcp://host:8786"], ["score", "in", "--dask", "tcp://host:8786"]),
        (["score", "in", "--dask", "host:8786"], ["score", "in", "--dask", "host:8786"]),
        (["score", "in", "--dask=tls://host:8786"], ["score", "in", "--dask=tls://host:8786"]),
    ]:
        with subtests.test(typed=typed, meant=meant):
            assert spelt_out(typed) == meant


def test_scoring_without_a_cluster_loads_no_dask(tmp_path, bundle):
    code = (
        "import sys\nfrom pfps_ml.cli.main import main\nmain(sys.argv[1:])\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "score", str(EXAMPLE), "-o", str(tmp_path / "s.csv"), "--bundle"]
    done = subprocess.run([*command, str(bundle.path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
