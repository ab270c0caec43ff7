"""The errors of the HTTP API: one shape for all of them, whether the guard, a route or the framework refuses."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import JSONResponse

from pfps_ml.core import Fault, InputError, PfpsError

CODE_HEADER = "x-error-code"  # a proxy can count errors by it; it also marks our replies among the framework's

ADVICE = {
    404: "expected one of the routes that /docs.json lists, got another",
    405: "expected a method that the Allow header names, got another",
    500: "this request could not be answered because of a fault in the service; its log says where, and holds no value",
    503: "the service is not ready: no released bundle is in use yet; its log says why if this lasts",
    504: "expected the whole request and its answer within the time that a request may take, got no end of it; "
    "send fewer rows at once",
}


class Unauthorised(PfpsError):
    """The request has no key, or none of ours; or there are no keys, and it comes from another machine."""

    http_status, code = 401, "unauthorized"


class TooLarge(InputError):
    """The body is larger than its route reads."""

    http_status, code = 413, "too_large"


class UnsupportedMedia(InputError):
    """The body is not of the media type that its route reads."""

    http_status, code = 415, "media_type"


class TooMany(PfpsError):
    """The key has asked too often, or too many rosters are waiting; `wait` is the seconds until it is worth asking."""

    http_status, code = 429, "too_many_requests"

    def __init__(self, wait: int) -> None:
        super().__init__(f"expected fewer requests, got too many at once; ask again in {wait} s")
        self.wait = wait


def error_reply(error: PfpsError) -> JSONResponse:
    """Return the answer to a mistake that the product can explain."""
    headers = {"www-authenticate": "Bearer"} if error.http_status == HTTPStatus.UNAUTHORIZED else {}
    headers |= {"retry-after": str(error.wait)} if isinstance(error, TooMany) else {}
    return _reply(error.http_status, error.code, error.message, error.faults, headers)


def status_reply(status: int, allow: str | None = None) -> JSONResponse:
    """Return the answer for an HTTP status; `allow` names the methods of a route."""
    phrase = HTTPStatus(status).phrase
    headers = {"allow": allow} if allow else {}
    return _reply(status, phrase.lower().replace(" ", "_"), ADVICE.get(status, phrase), headers=headers)


def _reply(
    status: int, code: str, message: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    content = {"code": code, "message": message, "faults": [fault.as_dict() for fault in faults]}
    return JSONResponse({"error": content}, status, {CODE_HEADER: code, **(headers or {})})


__all__ = [
    "ADVICE",
    "CODE_HEADER",
    "TooLarge",
    "TooMany",
    "Unauthorised",
    "UnsupportedMedia",
    "error_reply",
    "status_reply",
]
