"""`pfps serve`: the application on one port, in this process, so that a signal reaches it directly.

The ASGI application: every route of the HTTP API behind the guard, and nothing of the server that runs it.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from pfps_ml.core import InputError, Message
from serving.access import AccessConfig, access_from
from serving.active_bundle import ActiveBundle, MicroBatch
from serving.audit_log import AUDIT, LOG, PROMOTIONS, count_answer, show_log
from serving.errors import Unauthorised, status_reply
from serving.middleware import HEADERS, Guard, note_answer
from serving.pages import pages
from serving.requests import UNKNOWN_PATH, AssessRequest, read
from serving.roster_routes import roster_routes, sweep_uploads


def create_app(active: ActiveBundle, access: AccessConfig) -> Starlette:
    """Return the application.

    While a server runs its lifespan, the released bundle is in service, and SIGHUP takes over the next one.

    Parameters
    ----------
    active
        The bundle in service.
    access
        Who may ask, and how often.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        start(active)
        yield
        active.stop()

    return Starlette(
        routes=[*_own_routes(active), *roster_routes(active), *pages(active)],
        middleware=[Middleware(Guard, active=active, access=access)],
        lifespan=lifespan,
    )


def start(active: ActiveBundle) -> None:
    """Put right what a process that was killed has left behind, then put the released bundle into service."""
    AUDIT.start()
    PROMOTIONS.start()
    if swept := sweep_uploads():
        LOG.warning("uploads_swept: %d folders of a process that was killed were deleted from memory", swept)
    active.start()


def _own_routes(active: ActiveBundle) -> list[BaseRoute]:
    return [
        Route("/assess", partial(_assess, MicroBatch(active)), methods=["POST"]),
        Route("/reload", partial(_reload, active), methods=["POST"]),
        Route("/livez", _alive, methods=["GET"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", partial(_ready, active), methods=["GET"]),
    ]


async def _assess(batch: MicroBatch, request: Request) -> Response:
    message = read(AssessRequest, await request.body())
    assessment = await batch.assess(message.runner)  # type: ignore[attr-defined]
    risk, runner_id = assessment["risk"], message.runner.runner_id  # type: ignore[attr-defined]
    note_answer(assessment["bundle"], risks=[risk and risk["probability"]], people=[runner_id])
    return JSONResponse(assessment)


async def _reload(active: ActiveBundle, request: Request) -> Response:
    # without keys any web page that is open on this machine could ask; browsers say where a request comes from
    if "origin" in request.headers:
        raise Unauthorised(Message("asked_by_web_page"))
    before, bundle = await run_in_threadpool(active.take_over)
    return JSONResponse({"bundle": bundle, "before": before})


async def _alive(_: Request) -> Response:
    return PlainTextResponse("\n")


async def _ready(active: ActiveBundle, _: Request) -> Response:
    AUDIT.check()
    PROMOTIONS.check()
    return PlainTextResponse("\n") if active.ready else status_reply(503)


BACKLOG = 2048
_CLOSING = [(name.encode(), value.encode()) for name, value in {**HEADERS, "connection": "close"}.items()]
GRACE_SECONDS = 20  # for the requests in hand, after SIGTERM or SIGINT


def serve(host: str | None, port: int) -> None:
    """Answer requests until SIGTERM or SIGINT; SIGHUP takes over the bundle that models/CURRENT names then.

    Parameters
    ----------
    host
        The address to listen on. None: every address of this machine if there are keys, else 127.0.0.1.

    Raises
    ------
    InputError
        If the address is not this machine's, is in use, or is open to others while there are no keys.
    FactError
        If an environment variable holds something that cannot be used.
    """
    access = access_from()
    with listen(_allowed(host or access.host, access), port) as listener:
        _run(listener, access)


def _allowed(host: str, access: AccessConfig) -> str:
    try:
        local = ip_address(host).is_loopback
    except ValueError as error:
        raise InputError(Message("host_not_an_address")) from error
    if not local and access.keys is None:
        raise InputError(Message("keys_missing_for_address", {"host": host}))
    return host


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises
    ------
    InputError
        If the address is not this machine's, or is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once only if the protocol is named; otherwise every answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            Message(
                "port_not_free", {"host": host, "port": port, "reason": str(getattr(error, "strerror", None) or error)}
            )
        ) from error
    return listener


def _run(listener: socket.socket, access: AccessConfig) -> None:
    gc.disable()  # the start makes many objects and drops few: a collector that walks them takes a tenth of the time
    show_log()
    app = create_app(ActiveBundle(), access)
    gc.enable()
    LOG.info("listening on http://%s:%d", *listener.getsockname()[:2])
    run_app(app, listener)


def run_app(app: ASGIApp, listener: socket.socket) -> None:
    """Answer requests with an application until SIGTERM or SIGINT."""
    import uvicorn

    # uvicorn shuts down in good order, then sends itself the signal again: by then nothing is left to do
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        http=_protocol(),
        proxy_headers=False,  # the peer is who is connected, whatever a header says
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _protocol() -> type[asyncio.Protocol]:
    """Return HTTP as uvicorn speaks it, except that what is no HTTP is answered in the shape of our errors."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        def send_400_response(self, msg: str) -> None:
            """Answer what cannot be read as HTTP, unless an answer has begun already, and close the connection."""
            error = sys.exc_info()[1]  # uvicorn calls this while it handles the error, and does not pass it on
            status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
            if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                reply = status_reply(status)
                headers = [*reply.raw_headers, *_CLOSING]
                for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=bytes(reply.body)),
                              h11.EndOfMessage()):  # fmt: skip
                    self.transport.write(self.conn.send(event))
                count_answer(UNKNOWN_PATH, status, 0.0)
            if self.cycle:
                self.cycle.disconnected = True  # whoever reads the body learns that there is no more of it
            self.transport.close()

    return Protocol


__all__ = ["create_app", "listen", "run_app", "serve", "start"]
