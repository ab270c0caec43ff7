"""`pfps serve`: BentoML's application on one port, in this process, so that a signal reaches it without a detour."""

import gc
import os
import signal
import socket
from ipaddress import ip_address

from pfps_ml.errors import InputError
from serving.access import AccessConfig, access_from

BACKLOG = 2048
GRACE = 20  # seconds for the requests in hand when it is told to end


def serve(host: str | None, port: int) -> None:
    """Answer requests until SIGTERM or SIGINT; SIGHUP takes over the bundle that models/CURRENT names then.

    Parameters
    ----------
    host
        The address to listen on; every one of this machine's with keys, 127.0.0.1 without, if None.

    Raises
    ------
    InputError
        If the address is not this machine's, is taken, or is open to others while there are no keys.
    FactError
        If a variable of the environment says something that cannot be done.
    """
    door = access_from()
    with _listening(_allowed(host or door.host, door), port) as listener:
        _run(listener)


def _allowed(host: str, door: AccessConfig) -> str:
    try:
        local = ip_address(host).is_loopback
    except ValueError as error:
        raise InputError("expected an IP address for --host, got something else; 127.0.0.1 is this machine") from error
    if not local and door.keys is None:
        raise InputError(
            f"expected keys before others than this machine may ask, got --host {host} without; set PFPS_API_KEYS"
        )
    return host


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named: asyncio sends small packets at once only then, and else each answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"expected to listen on {host} port {port}, got: {getattr(error, 'strerror', None) or error}. "
            "Choose another with --port."
        ) from error
    return listener


def _run(listener: socket.socket) -> None:
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    gc.disable()  # the start makes much and leaves nothing: a collector that walks it all costs a tenth of the time
    import uvicorn
    from bentoml._internal.log import configure_server_logging

    from serving.audit_log import LOG
    from serving.service import PfpsService

    configure_server_logging()
    # uvicorn ends in good order and then sends itself the signal again: by then there is nothing more to do
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        PfpsService.to_asgi(),  # type: ignore[attr-defined]
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    gc.enable()
    LOG.info("listening on http://%s:%d", *listener.getsockname()[:2])
    uvicorn.Server(config).run(sockets=[listener])


__all__ = ["serve"]
