"""One shape for everything that the service refuses, whoever refuses it: the guard, the endpoint or the framework."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.responses import JSONResponse

from pfps_ml.errors import Fault, InputError, PfpsError

CODE_HEADER = "x-error-code"  # a proxy can count errors by it; it also tells our replies from the framework's

_ADVICE = {
    404: "expected one of the routes that /docs.json lists, got another",
    405: "expected a method that the Allow header names, got another",
    500: "this request could not be answered because of a fault in the service; its log says where, and holds no value",
    503: "the service is not ready: no released bundle is in use yet; its log says why if this lasts",
}


class TooLarge(InputError):
    """The body is larger than its route reads."""

    http_status, code = 413, "too_large"


class UnsupportedMedia(InputError):
    """The body is not of the media type that its route reads."""

    http_status, code = 415, "media_type"


def error_reply(error: PfpsError) -> JSONResponse:
    """Answer a mistake that the product can explain."""
    return _reply(error.http_status, error.code, error.message, error.faults)


def status_reply(status: int, allow: str | None = None) -> JSONResponse:
    """Answer what the framework refused, by its HTTP status; `allow` names the methods that a route has."""
    phrase = HTTPStatus(status).phrase
    reply = _reply(status, phrase.lower().replace(" ", "_"), _ADVICE.get(status, phrase))
    if allow is not None:
        reply.headers["allow"] = allow
    return reply


def _reply(status: int, code: str, message: str, faults: Sequence[Fault] = ()) -> JSONResponse:
    content = {"code": code, "message": message, "faults": [fault.as_dict() for fault in faults]}
    return JSONResponse({"error": content}, status, {CODE_HEADER: code})


__all__ = [
    "CODE_HEADER",
    "TooLarge",
    "UnsupportedMedia",
    "error_reply",
    "status_reply",
]
