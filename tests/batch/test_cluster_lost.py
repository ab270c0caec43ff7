"""Clusters that go away, or have other workers than they should: explained errors, and the same command goes on."""

import socket
import subprocess
import sys
from concurrent.futures import CancelledError
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

pytest.importorskip("distributed")

from distributed import KilledWorker
from distributed.comm.core import CommClosedError

from pfps_ml.batch.cluster import on_cluster
from pfps_ml.batch.rosters import score_roster
from pfps_ml.batch.stream import RunOptions
from pfps_ml.core.errors import ClusterError, PartlyDone
from tests.batch.test_cluster import same
from tests.batch.test_datasets import dataset
from tests.streams import SMALL, run_options
from tests.waiting import until


@pytest.fixture
def near():
    """Lend a cluster of threads of this process: what workers do is done here."""
    from distributed import Client, LocalCluster

    local = LocalCluster(1, processes=False, threads_per_worker=1, dashboard_address=None)
    with local as cluster, Client(cluster) as client:
        yield client


def test_work_comes_back_in_order_and_a_mistake_in_it_is_that_of_whoever_asked(near):
    with on_cluster(near, 6) as each:
        assert list(each(_divided, [(1,), (2,), (3,)])) == [6, 3, 2]
        with pytest.raises(ZeroDivisionError):
            list(each(_divided, [(1,), (0,)]))


def _divided(given, item):
    return given / item


def test_a_worker_of_another_version_is_refused_in_words(near, monkeypatch):
    versions = iter(["0.1.0", "0.0.9"])
    monkeypatch.setattr("pfps_ml.batch.cluster.version", lambda _: next(versions))
    with pytest.raises(ClusterError, match="Install the same version"), on_cluster(near, None):
        pass


def _gone(given, item):
    raise CommClosedError


def _cancelled(given, item):
    raise CancelledError


def _ends_workers(given, item):
    raise KilledWorker("task", SimpleNamespace(address="there"), 3)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (_gone, "scheduler of the cluster to stay"),
        (_cancelled, "scheduler of the cluster to stay"),
        (_ends_workers, "ended several of them"),
    ],
)
def test_a_cluster_that_goes_away_is_an_explained_error(near, end, told):
    with pytest.raises(PartlyDone, match=told), on_cluster(near, None) as each:
        list(each(end, [(0,)]))


def test_a_connection_that_is_closed_by_the_end_is_no_mistake(near):
    with on_cluster(near, 6) as each:
        assert list(each(_divided, [(2,)])) == [3]
        near.close()


def test_so_is_one_that_goes_away_before_any_work(near, monkeypatch):
    def gone(_plugin):
        raise CommClosedError

    monkeypatch.setattr(near, "register_plugin", gone)
    with pytest.raises(PartlyDone, match="scheduler of the cluster to stay"), on_cluster(near, None):
        pass


@contextmanager
def _dask(*arguments):
    with subprocess.Popen([sys.executable, "-m", "dask", *arguments], stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()


def _is_open(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_a_scheduler_that_is_killed_in_the_middle_is_an_explained_error_and_the_same_command_goes_on(tmp_path, bundle):
    dataset(tmp_path / "in", 2_000, 20)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, killed = f"tcp://127.0.0.1:{port}", []
    with _dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard") as scheduler:
        until(lambda: _is_open(port), "that the scheduler listens")

        def tell(step, share, rows):
            if step == "Scoring" and share >= 0.3 and not killed:
                killed.append(scheduler.kill())

        lost = pytest.raises(PartlyDone, match="scheduler of the cluster to stay")
        with _dask("worker", address, "--no-dashboard", "--nthreads", "1"), lost:
            score_roster(tmp_path / "in", tmp_path / "out", bundle, None, RunOptions(1, 64, SMALL, (address,)), tell)
    assert killed
    score_roster(tmp_path / "in", tmp_path / "never", bundle, options=run_options())
    score_roster(tmp_path / "in", tmp_path / "out", bundle, options=run_options())
    same(tmp_path / "never", tmp_path / "out")
