"""Workers on a Dask cluster: an existing one, or one on this machine; the only file that knows Dask."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, get_worker
from distributed.comm.core import CommClosedError, connect

from pfps_ml.batch.workers import ParallelMap
from pfps_ml.core import ClusterError, Message, PartlyDone

ANSWERS_WITHIN = 10  # seconds


class SharedContext(WorkerPlugin):
    """What every item of work needs, handed to each worker once; also to one that joins later or starts again.

    It is a class because Dask demands one.
    """

    def __init__(self, name: str, context: Any) -> None:
        self.name, self.context, self.version = name, context, version("pfps-ml")

    def setup(self, worker: Any) -> None:
        """Refuse a worker with another version, which would write other bytes."""
        if (here := version("pfps-ml")) != self.version:
            versions = {"expected": self.version, "version": here, "address": worker.address}
            raise ClusterError(Message("cluster_worker_version", versions))


@contextmanager
def connected(address: str | None, workers: int) -> Iterator[Client]:
    """Yield a connection to a cluster.

    Parameters
    ----------
    address
        That of a Dask scheduler (`tcp://HOST:8786`), or None for a cluster of processes on this machine.
    workers
        How many processes a cluster on this machine has.

    Raises
    ------
    ClusterError
        If the address does not answer.
    """
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it complains of is told, or mended, here
    if address is None:
        local = LocalCluster(workers, threads_per_worker=1, dashboard_address=None)  # type: ignore[no-untyped-call]
        with local as cluster, _client(cluster) as client:
            yield client
        return
    try:
        asyncio.run(_greet(address))
        client = _client(address, timeout=ANSWERS_WITHIN)
    except Exception as error:  # another service's greeting, read as Dask's, may end in any error: one of memory, say
        raise ClusterError(Message("cluster_silent", {"address": address, "seconds": ANSWERS_WITHIN})) from error
    with client:
        yield client


async def _greet(address: str) -> None:
    """Exchange greetings: the client alone would wait for ever for a service that lets it in and says nothing."""
    there = await asyncio.wait_for(connect(address), ANSWERS_WITHIN)  # type: ignore[no-untyped-call]
    await there.close()


def _client(address: Any, **options: Any) -> Client:
    return Client(address, **options)  # type: ignore[no-untyped-call]  # Dask's types are half a set


@contextmanager
def on_cluster(client: Client, context: Any) -> Iterator[ParallelMap]:
    """Yield what `pfps_ml.batch.workers.working` yields, with the work done on a cluster.

    A worker that dies has its work given to another.

    Raises
    ------
    ClusterError
        If a worker cannot load this version.
    PartlyDone
        If the same piece of work ended several workers, or the scheduler went away.
    """
    name = f"pfps-{uuid.uuid4()}"
    try:
        _hand_out(client, SharedContext(name, context))
        yield lambda function, items: _in_order(client, name, function, items)
    except KilledWorker as error:
        raise PartlyDone(Message("cluster_workers_ended")) from error
    except (CancelledError, CommClosedError) as error:
        raise PartlyDone(Message("cluster_scheduler_ended")) from error
    finally:
        if client.status == "running":
            with suppress(Exception):  # where it never came it need not be taken away
                client.unregister_worker_plugin(name)  # type: ignore[no-untyped-call]


def _hand_out(client: Client, plugin: SharedContext) -> None:
    try:
        client.register_plugin(plugin)
    except (CancelledError, CommClosedError):
        raise
    except Exception as error:  # whatever a worker without us, or with other libraries, ends in
        raise ClusterError(Message("cluster_worker_without_product", {"version": plugin.version})) from error


def _in_order(client: Client, name: str, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
    for future in [client.submit(_do, name, function, item, pure=False) for item in items]:
        yield future.result()


def _do(name: str, function: Callable[..., Any], item: Iterable[Any]) -> Any:
    plugin: Any = get_worker().plugins[name]
    return function(plugin.context, *item)


__all__ = ["ANSWERS_WITHIN", "SharedContext", "connected", "on_cluster"]
