"""What the service says of itself: a plain page, its version and intended use, and the schema of a request."""

from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pfps_ml import __version__
from pfps_ml.knowledge.contracts import NOTICE
from serving.live import LiveBundle
from serving.messages import AssessRequest

_LINKS = {
    "/about": "what this is, its version and its intended use",
    "/schema": "what POST /assess reads: fields, limits and levels",
    "/docs.json": "the OpenAPI document",
    "/readyz": "whether a model is in service",
}


def pages(live: LiveBundle) -> Starlette:
    """Return the routes that are read with GET."""

    async def about(_: Request) -> Response:
        return JSONResponse(_about(live))

    return Starlette(
        routes=[
            Route("/", _home, methods=["GET"]),
            Route("/about", about, methods=["GET"]),
            Route("/schema", _schema, methods=["GET"]),
        ]
    )


def _about(live: LiveBundle) -> dict[str, Any]:
    """Say what is served; before a bundle is in service, what is known of it is null."""
    bundle = live.current() if live.ready else None
    manifest = bundle.manifest if bundle else {}
    return {
        "name": "pfps-ml",
        "version": __version__,
        "notice": NOTICE,
        "bundle": bundle.name if bundle else None,
        "created": manifest.get("created"),
        "trained_on": manifest.get("trained_on"),
        "intended_use": manifest.get("intended_use"),
        "limits": manifest.get("limits"),
    }


async def _home(_: Request) -> Response:
    links = "".join(f'<li><a href="{path}">{path}</a>: {escape(text)}</li>' for path, text in _LINKS.items())
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>pfps-ml {__version__}</title></head>'
        f"<body><main><h1>pfps-ml {__version__}</h1><p><strong>{escape(NOTICE)}</strong></p>"
        f"<p>POST one runner to /assess.</p><ul>{links}</ul></main></body></html>"
    )


async def _schema(_: Request) -> Response:
    return JSONResponse(AssessRequest.model_json_schema())


__all__ = ["pages"]
