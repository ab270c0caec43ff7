"""The ASGI application: every route of the HTTP API behind the guard, and nothing of the server that runs it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from serving.access import AccessConfig
from serving.active_bundle import ActiveBundle
from serving.errors import Unauthorised, status_reply
from serving.microbatch import MicroBatch
from serving.middleware import Guard, note_answer
from serving.pages import pages
from serving.requests import AssessRequest, read
from serving.roster_routes import roster_routes


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
        active.start()
        yield
        active.stop()

    return Starlette(
        routes=[*_own_routes(active), *roster_routes(active), *pages(active)],
        middleware=[Middleware(Guard, active=active, access=access)],
        lifespan=lifespan,
    )


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
    note_answer(assessment["bundle"], risks=[assessment["risk"] and assessment["risk"]["probability"]])
    return JSONResponse(assessment)


async def _reload(active: ActiveBundle, request: Request) -> Response:
    # without keys any web page that is open on this machine could ask; browsers say where a request comes from
    if "origin" in request.headers:
        raise Unauthorised("expected to be asked by a program, got a request from a web page")
    before, bundle = await run_in_threadpool(active.take_over)
    return JSONResponse({"bundle": bundle, "before": before})


async def _alive(_: Request) -> Response:
    return PlainTextResponse("\n")


async def _ready(active: ActiveBundle, _: Request) -> Response:
    return PlainTextResponse("\n") if active.ready else status_reply(503)


__all__ = ["create_app"]
