"""`pfps serve`: the application on one port, in this process, so that a signal reaches it directly.

The ASGI application: every route of the HTTP API behind the guard, and nothing of the server that runs it.
"""

import gc
import math
import signal
import socket
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
from serving.active_bundle import ActiveBundle
from serving.audit_log import AUDIT, LOG, PROMOTIONS, show_log
from serving.errors import Unauthorised, status_reply
from serving.limits import ConnectionLimits, ServiceLimits, limits_from
from serving.microbatch import MicroBatch, RosterQueue
from serving.middleware import MEGABYTE, BodyBudget, Guard, note_answer
from serving.pages import pages
from serving.requests import AssessRequest, read
from serving.roster_routes import roster_routes, sweep_uploads

_MARGIN = 5.0  # seconds to hand a roster over, and its answer


def create_app(active: ActiveBundle, access: AccessConfig, limits: ServiceLimits | None = None) -> Starlette:
    """Return the application.

    While a server runs its lifespan, the released bundle is in service, and SIGHUP takes over the next one.

    Parameters
    ----------
    active
        The bundle in service.
    access
        Who may ask, and how often.
    limits
        What requests and rosters may take.
    """
    most = limits or ServiceLimits()
    patience = max(most.requests.seconds - most.work.seconds - _MARGIN, 0.0)
    queue, bodies = RosterQueue(most.work, patience), BodyBudget(most.requests.bodies * MEGABYTE)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        start(active)
        queue.worker.start()
        yield
        queue.worker.stop()
        active.stop()

    return Starlette(
        routes=[*_own_routes(active), *roster_routes(active, queue), *pages(active)],
        middleware=[Middleware(Guard, active=active, access=access, bodies=bodies)],
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
    limits = limits_from()
    app = create_app(ActiveBundle(), access, limits)
    gc.enable()
    LOG.info("listening on http://%s:%d", *listener.getsockname()[:2])
    run_app(app, listener, limits.connections)


def run_app(app: ASGIApp, listener: socket.socket, limits: ConnectionLimits | None = None) -> None:
    """Answer requests with an application until SIGTERM or SIGINT."""
    import uvicorn

    from serving.connections import protocol_of

    most = limits or ConnectionLimits()

    # uvicorn shuts down in good order, then sends itself the signal again: by then nothing is left to do
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        http=protocol_of(most),
        timeout_keep_alive=math.ceil(most.idle),
        proxy_headers=False,  # the peer is who is connected, whatever a header says
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


__all__ = ["create_app", "listen", "run_app", "serve", "start"]
