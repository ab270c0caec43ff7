"""The OpenAPI document: BentoML's knows neither mounted routes nor most errors, so this one is made from our own list.

Requests and answers are the pydantic models; limits and units are the dictionary's; the examples are answers of the
bundle in service.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pfps_ml import __version__
from pfps_ml.assess import assess
from pfps_ml.bundle import Bundle
from pfps_ml.files.dialects import ENDINGS
from pfps_ml.knowledge.contracts import NOTICE
from serving.access import KEYS_VARIABLE
from serving.errors import ADVICE, CODE_HEADER
from serving.replies import About, Assessment, Error, Reloaded, RosterReply, TablesReply
from serving.requests import (
    EXAMPLES,
    JSON,
    MARKDOWN,
    MULTIPART,
    ROUTES,
    AssessRequest,
    RosterRequest,
    Route,
    Runner,
    coded,
)
from serving.roster_routes import assess_rows, media_type

_REPLIES: dict[str, type[BaseModel]] = {
    "/assess": Assessment, "/assess_roster": RosterReply, "/reload": Reloaded, "/tables": TablesReply, "/about": About,
}  # fmt: skip
_REQUESTS: dict[str, type[BaseModel]] = {"/assess": AssessRequest, "/assess_roster": RosterRequest}
_TEXTS = {"/": "text/html", "/card": MARKDOWN, "/metrics": "text/plain"}
_PROBES = ("/livez", "/healthz", "/readyz")
_FORM = {
    "type": "object",
    "required": ["roster"],
    "additionalProperties": False,
    "properties": {
        "roster": {"type": "string", "format": "binary", "description": "A roster file, as `pfps score` reads it."},
        "map": {"type": "string", "format": "binary", "description": "Names, levels and units of its columns, TOML."},
    },
}
_MEANINGS = {
    400: "the body cannot be read",
    401: f"no key of this service (keys are set by {KEYS_VARIABLE}), or a request from another machine where there are "
    "none",
    404: ADVICE[404], 405: ADVICE[405],
    413: "the body is larger than the route reads",
    415: "the body is of another media type",
    422: "the body can be read, but what it says is not valid: every fault of it at once",
    429: "too many requests of this key, or too many rosters at once; Retry-After says how many seconds to wait",
    500: ADVICE[500], 503: ADVICE[503], 504: "the request took too long",
}  # fmt: skip
_ROWS = [EXAMPLES["runner"]["runner"], {"runner_id": "R-2", "age_years": 300, "sex": "male"}]
_ROSTER: dict[str, Any] = {"runners": _ROWS, "reasons": 1}
_FILE = {"schema": {"type": "string", "format": "binary"}}


def document(bundle: Bundle | None) -> dict[str, Any]:
    """Return the document; without a bundle in service, without examples of answers."""
    models: list[type[BaseModel]] = [*_REPLIES.values(), *_REQUESTS.values(), Error]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pfps-ml",
            "version": __version__,
            "summary": "Explained risk of runner's knee, and treatment pathways for patients",
            "description": bundle.notice if bundle else NOTICE,
        },
        "paths": {path: {route.method.lower(): _operation(route, bundle)} for path, route in ROUTES.items()},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _MEANINGS[401]}},
        },
    }


def _operation(route: Route, bundle: Bundle | None) -> dict[str, Any]:
    codes = _codes(route)
    found: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.path.strip("/").replace(".", "_") or "page",
        "security": [{"key": []}, {}] if route.key else [],
        "responses": {"200": _answer(route, bundle), **{str(code): _error(code) for code in codes}},
    }
    if route.media:
        found["requestBody"] = {"required": True, "content": {route.media: _body(route)}}
        found["description"] = f"Reads at most {route.largest:,} bytes."
    return found


def _codes(route: Route) -> list[int]:
    codes = [405, 500, 504]
    if route.key:
        codes += [401, 429]
    if route.media:
        codes += [400, 413, 415, 422]
    if route.method == "POST" or route.path in ("/tables", "/card", "/readyz"):
        codes.append(503)
    return sorted({*codes, 401})


def _body(route: Route) -> dict[str, Any]:
    if route.media == MULTIPART:
        return {"schema": _FORM}
    examples = EXAMPLES if route.path == "/assess" else {"roster": _ROSTER}
    return {
        "schema": _ref(_REQUESTS[route.path]),
        "examples": {name: {"value": each} for name, each in examples.items()},
    }


def _answer(route: Route, bundle: Bundle | None) -> dict[str, Any]:
    headers = {"x-pfps-bundle": _header("The bundle that answered, or the one in service.")}
    if route.media == MULTIPART:
        headers["x-pfps-counts"] = _header("What became of the rows: in=N; scored=N; rejected=N.")
        about = "The roster in the format that it came in, with our columns after its own."
        return {"description": about, "headers": headers, "content": {media_type(each): _FILE for each in ENDINGS}}
    if route.path in _PROBES:
        content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    elif route.path in _TEXTS:
        content = {_TEXTS[route.path]: {"schema": {"type": "string"}}}
    else:
        model = _REPLIES.get(route.path)
        content = {JSON: {"schema": _ref(model) if model else {"type": "object"}, **_examples(route, bundle)}}
    return {"description": route.summary, "headers": headers, "content": content}


def _examples(route: Route, bundle: Bundle | None) -> dict[str, Any]:
    if bundle is None or route.path not in _REQUESTS:
        return {}
    if route.path == "/assess_roster":
        return {"examples": {"roster": {"value": assess_rows(bundle, _ROWS, 1)}}}
    found = {name: assess(bundle, coded([Runner.model_validate(each["runner"])])) for name, each in EXAMPLES.items()}
    return {"examples": {name: {"value": each.as_dict(0)} for name, each in found.items()}}


def _error(code: int) -> dict[str, Any]:
    headers = {CODE_HEADER: _header("The code of the error, for programs.")}
    if code == 429:
        headers["retry-after"] = _header("Seconds.")
    return {"description": _MEANINGS[code], "headers": headers, "content": {JSON: {"schema": _ref(Error)}}}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


__all__ = ["document"]
