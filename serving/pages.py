"""What is read with GET: the page, the schema, the card, the models as tables, and what the service says of itself."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from gzip import compress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pfps_ml import __version__
from pfps_ml.domain import ARMS, DRIVERS, FIELDS, NOTICE, Arm, Field, arm_practice
from pfps_ml.model import Bundle, digest, dump, onset_to_json, pathways_to_json
from serving.active_bundle import ActiveBundle
from serving.audit_log import METRICS_MEDIA, metrics
from serving.middleware import note_answer
from serving.openapi import document
from serving.requests import JSON, MARKDOWN, PAGE, AssessRequest

FILES = Path(__file__).parent / "page"
_REVALIDATE = {"cache-control": "no-cache"}  # a browser keeps the file, and asks before every use whether it changed


class _Files(StaticFiles):
    """The page's own files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file, or that it has not changed."""
        response = await super().get_response(path, scope)
        response.headers.update(_REVALIDATE)
        return response


def pages(active: ActiveBundle) -> list[BaseRoute]:
    """Return all routes that are read with GET."""
    handlers: dict[str, Callable[..., Any]] = {
        "/": _home,
        "/about": partial(_about, active),
        "/schema": _schema,
        "/card": partial(_card, active),
        "/docs.json": partial(_docs, active),
        "/tables": partial(_tables, active, Tables()),
        "/metrics": _metrics,
    }
    routes = [Route(path, handler, methods=["GET"]) for path, handler in handlers.items()]
    return [*routes, Mount(PAGE.rstrip("/"), _Files(directory=FILES))]


def about(active: ActiveBundle) -> dict[str, Any]:
    """Return what the service is; what depends on the bundle is null before one is in service."""
    bundle = active.current() if active.ready else None
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
        "arms": [{"arm": arm.name, "label": arm.label, "practice": arm_practice(arm)} for arm in ARMS],
    }


async def _about(active: ActiveBundle, _: Request) -> Response:
    return JSONResponse(about(active))


async def _card(active: ActiveBundle, _: Request) -> Response:
    return Response(active.current().card, media_type=MARKDOWN)


async def _home(_: Request) -> Response:
    return FileResponse(FILES / "index.html", headers=_REVALIDATE)


async def _schema(_: Request) -> Response:
    return JSONResponse(AssessRequest.model_json_schema())


async def _docs(active: ActiveBundle, _: Request) -> Response:
    return JSONResponse(document(active.current() if active.ready else None))


async def _tables(active: ActiveBundle, tables: "Tables", request: Request) -> Response:
    return tables.reply(active.current(), request.headers)


async def _metrics(_: Request) -> Response:
    return Response(metrics(), headers={"content-type": METRICS_MEDIA})


_RANGE = ("low", "high")


class Tables:
    """The tables as they are sent: written and compressed once for every bundle."""

    def __init__(self) -> None:
        self._bundle: Bundle | None = None
        self._plain = self._gzipped = b""
        self._etag = ""

    def reply(self, bundle: Bundle, headers: Mapping[str, str]) -> Response:
        """Answer the tables, or that they have not changed since the client last asked."""
        if bundle is not self._bundle:
            self._plain = dump(tables(bundle))
            self._gzipped, self._etag, self._bundle = compress(self._plain, 6), f'"{digest(self._plain)}"', bundle
        note_answer(bundle.name)
        caching = {"etag": self._etag, "cache-control": "private, no-cache", "vary": "accept-encoding"}
        if headers.get("if-none-match") == self._etag:
            return Response(status_code=304, headers=caching)
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self._gzipped, headers=caching | {"content-encoding": "gzip"}, media_type=JSON)
        return Response(self._plain, headers=caching, media_type=JSON)


def tables(bundle: Bundle) -> dict[str, Any]:
    """Return the released models with what their numbers mean.

    `onset` and `pathways` are the bundle's own files: terms with a value for each member (the main model first),
    Shapley tables, and the numbers of the interval; see "Additive model and bundle" in the README of models/.
    `reference` has the bands, the averages by age and sex, and what cautions and `measure next` read. `fields` says
    how values are coded: a level by its place in `levels`, a missing field by nothing.
    """
    return {
        "bundle": bundle.name,
        "notice": bundle.notice,
        "trained_on": bundle.trained_on,
        "fields": [_field(field) for field in FIELDS],
        "drivers": list(DRIVERS),
        "arms": [_arm(arm) for arm in bundle.arms],
        "reference_arm": bundle.predictor.usual,
        "level": bundle.level,
        "outcomes": {name: _outcome(bundle, name) for name in bundle.horizons},
        "onset": onset_to_json(bundle.predictor),
        "pathways": pathways_to_json(bundle.predictor),
        "reference": dict(bundle.reference),
    }


def _arm(arm: Arm) -> dict[str, Any]:
    """Return an arm with the message to whom it is not open; null where it is open to everybody."""
    return asdict(arm) | {"why_not": arm.why_not.as_dict() if arm.why_not else None}


def _outcome(bundle: Bundle, name: str) -> dict[str, Any]:
    """Return an outcome at the bundle's main horizon, in words and as numbers."""
    schema = bundle.schema.outcomes[name]
    words = {"name": name, "label": bundle.label(name), "meaning": bundle.meaning(name)}
    return words | {
        "kind": schema.kind, "link": schema.link, "horizons": list(schema.horizons), "main": schema.main,
        "unit": schema.unit,
    }  # fmt: skip


def _field(field: Field) -> dict[str, Any]:
    """Describe a field. Only numbers have a range: JSON has no infinity."""
    described = asdict(field) | {"limits": field.limits}
    is_number = field.kind in ("number", "whole")
    return {name: value for name, value in described.items() if is_number or name not in _RANGE}


__all__ = [
    "FILES",
    "Tables",
    "about",
    "pages",
    "tables",
]
