"""What the service says of itself: its page, its version and intended use, its schema, and its measurements."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pfps_ml import __version__
from pfps_ml.knowledge.contracts import NOTICE
from serving.active_bundle import ActiveBundle
from serving.audit_log import EXPOSITION_MEDIA, exposition
from serving.openapi import document
from serving.requests import MARKDOWN, PAGE, AssessRequest

FILES = Path(__file__).parent / "page"
_AGAIN = {"cache-control": "no-cache"}  # kept, and asked of again before each use


class _Files(StaticFiles):
    """The page's own files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file, or that it has not changed."""
        response = await super().get_response(path, scope)
        response.headers.update(_AGAIN)
        return response


def pages(live: ActiveBundle) -> list[BaseRoute]:
    """Return the routes that are read with GET, but for the tables."""
    handlers: dict[str, Callable[..., Any]] = {
        "/": _home,
        "/about": partial(_about, live),
        "/schema": _schema,
        "/card": partial(_card, live),
        "/docs.json": partial(_docs, live),
        "/metrics": _metrics,
    }
    routes = [Route(path, handler, methods=["GET"]) for path, handler in handlers.items()]
    return [*routes, Mount(PAGE.rstrip("/"), _Files(directory=FILES))]


def about(live: ActiveBundle) -> dict[str, Any]:
    """Say what is served; before a bundle is in service, what is known of it is null."""
    bundle = live.current() if live.ready else None
    manifest = bundle.manifest if bundle else {}
    return {
        "name": "pfps-ml",
        "version": __version__,
        "notice": bundle.notice if bundle else NOTICE,
        "bundle": bundle.name if bundle else None,
        "created": manifest.get("created"),
        "trained_on": manifest.get("trained_on"),
        "intended_use": manifest.get("intended_use"),
        "limits": manifest.get("limits"),
    }


async def _about(live: ActiveBundle, _: Request) -> Response:
    return JSONResponse(about(live))


async def _card(live: ActiveBundle, _: Request) -> Response:
    return Response(live.current().card, media_type=MARKDOWN)


async def _home(_: Request) -> Response:
    return FileResponse(FILES / "index.html", headers=_AGAIN)


async def _schema(_: Request) -> Response:
    return JSONResponse(AssessRequest.model_json_schema())


async def _docs(live: ActiveBundle, _: Request) -> Response:
    return JSONResponse(document(live.current() if live.ready else None))


async def _metrics(_: Request) -> Response:
    return Response(exposition(), headers={"content-type": EXPOSITION_MEDIA})


__all__ = ["FILES", "about", "pages"]
