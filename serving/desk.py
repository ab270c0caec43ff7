"""The routes that work on what is sent or on the bundle, beside BentoML's own: rosters, tables, and taking over."""

from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pfps_ml.bundle import Bundle
from pfps_ml.errors import PfpsError
from pfps_ml.files.dialects import ENDINGS
from serving.active_bundle import ActiveBundle
from serving.errors import Unauthorised, error_reply
from serving.microbatch import RosterQueue
from serving.middleware import answered
from serving.pages import pages
from serving.requests import RosterRequest, read
from serving.rosters import assess_rows
from serving.uploads import CSV, media_type, read_upload, score_upload
from serving.whatif import Tables


def application(live: ActiveBundle) -> Starlette:
    """Return all routes that are not BentoML's own, the pages among them."""
    return Starlette(routes=[*pages(live), *desk(live)], exception_handlers={PfpsError: _explained})


def desk(live: ActiveBundle) -> list[BaseRoute]:
    """Return the routes of this file."""
    worker, tables = RosterQueue(), Tables()
    return [
        Route("/assess_roster", partial(_assess_roster, live, worker), methods=["POST"]),
        Route("/score_roster", partial(_score_roster, live, worker), methods=["POST"]),
        Route("/reload", partial(_reload, live), methods=["POST"]),
        Route("/tables", partial(_tables, live, tables), methods=["GET"]),
    ]


async def _assess_roster(live: ActiveBundle, worker: RosterQueue, request: Request) -> Response:
    bundle = live.current()
    reply, risks = await worker.do(_assessed, bundle, await request.body())
    answered(bundle.name, risks=risks)
    return reply


def _assessed(bundle: Bundle, body: bytes) -> tuple[Response, list[float | None]]:
    message = read(RosterRequest, body)
    found = assess_rows(bundle, message.runners, message.reasons)  # type: ignore[attr-defined]
    given = [row["assessment"] and row["assessment"]["risk"] for row in found["rows"]]
    return JSONResponse(found), [risk and risk["probability"] for risk in given]


async def _score_roster(live: ActiveBundle, worker: RosterQueue, request: Request) -> Response:
    bundle = live.current()
    upload = await read_upload(request.headers, await request.body())
    # a page shows CSV, whatever it was given; everybody else gets back what they sent, if we write that
    plain = request.headers.get("accept") == media_type(CSV) or upload.ending not in ENDINGS
    ending = CSV if plain else upload.ending
    content, counts = await worker.do(score_upload, bundle, upload, ending)
    answered(bundle.name, counts=counts)
    told = "; ".join(f"{name}={count}" for name, count in counts.items())
    name = f'attachment; filename="scored{ending}"'
    return Response(
        content, headers={"content-disposition": name, "x-pfps-counts": told}, media_type=media_type(ending)
    )


async def _reload(live: ActiveBundle, request: Request) -> Response:
    # without keys any page that a person on this machine looks at could ask; browsers say where they ask from
    if "origin" in request.headers:
        raise Unauthorised("expected to be asked by a program, got a request from a web page")
    before, now = await run_in_threadpool(live.take_over)
    return JSONResponse({"bundle": now, "before": before})


async def _explained(_: Request, error: Exception) -> Response:
    assert isinstance(error, PfpsError)
    return error_reply(error)


async def _tables(live: ActiveBundle, tables: Tables, request: Request) -> Response:
    return tables.reply(live.current(), request.headers)


__all__ = ["application", "desk"]
