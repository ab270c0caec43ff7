"""The errors of the HTTP API: one shape for all of them, whether the guard, a route or the framework refuses."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import Response

from pfps_ml.core import BundleError, Fault, InputError, Message, OutputError, PfpsError

CODE_HEADER = "x-error-code"  # a proxy can count errors by it; it also marks our replies among the framework's

UPLOAD_PREFIX = "pfps-upload-"  # of the folders in memory that uploads are put into
_UPLOAD_PATH = re.compile(rf"(?:/[^\s/\"]+)*/{UPLOAD_PREFIX}[^\s/\"]+/")

ADVICE = {
    400: "expected a request as HTTP/1.1 describes it, got something else",
    404: "expected one of the routes that /docs.json lists, got another",
    405: "expected a method that the Allow header names, got another",
    408: "expected a whole request within the time that its headers and its body may take, got no end of it",
    431: "expected a shorter request line and fewer or shorter headers, got too much",
    500: "this request could not be answered because of a fault in the service; its log says where, and holds no value",
    501: "expected a body that is sent as it is or in chunks, got another Transfer-Encoding",
    503: "the service is not ready: no released bundle is in use yet; its log says why if this lasts",
    504: "expected the whole request and its answer within the time that a request may take, got no end of it; "
    "send fewer rows at once",
}


class Unauthorised(PfpsError):
    """The request has no key, or none of ours; or there are no keys, and it comes from another machine."""

    http_status, code = 401, "unauthorized"


class Forbidden(PfpsError):
    """The key is one of ours, but may not ask for this."""

    http_status, code = 403, "forbidden"


class UnsupportedMedia(InputError):
    """The body is not of the media type that its route reads, or is encoded."""

    http_status, code = 415, "media_type"


class UnsupportedCoding(UnsupportedMedia):
    """The body is compressed, or its text is not UTF-8."""

    code = "content_coding"


class RepeatedKey(InputError):
    """A key stands twice in an object of JSON: nobody can know which value is right."""

    code = "key_repeated"


class TooMany(PfpsError):
    """The key has asked too often, or too many rosters are waiting; `wait` is the seconds until it is worth asking."""

    http_status, code = 429, "too_many_requests"

    def __init__(self, wait: int) -> None:
        super().__init__(f"expected fewer requests, got too many at once; ask again in {wait} s")
        self.wait = wait


class RecordUnwritable(OutputError):
    """The audit trail or the promotion log cannot be written: what goes on record must not happen unrecorded."""

    http_status, code = 503, "record_unwritable"


class WorkerEnded(PfpsError):
    """The process that worked on a roster was ended from outside, or this machine has no room."""

    http_status, code = 503, "roster_not_done"


_EXPLAINED = (BundleError, RecordUnwritable, WorkerEnded)  # the service is not to blame, and no sentence names a file


def error_reply(error: PfpsError) -> Response:
    """Return the answer to a mistake that the product can explain; it names no folder and no file of this machine."""
    headers = {"www-authenticate": "Bearer"} if error.http_status == HTTPStatus.UNAUTHORIZED else {}
    headers |= {"retry-after": str(error.wait)} if isinstance(error, TooMany) else {}
    headers |= {"accept-encoding": "identity"} if isinstance(error, UnsupportedCoding) else {}
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR and type(error) not in _EXPLAINED:
        # what is wrong with this machine is for its log; the sentence may name a file
        return _reply(error.http_status, error.code, Message("service_fault", {"code": error.code}).text)
    return _reply(error.http_status, error.code, error.message, error.faults, headers)


def status_reply(status: int, allow: str | None = None) -> Response:
    """Return the answer for an HTTP status; `allow` names the methods of a route."""
    phrase = HTTPStatus(status).phrase
    headers = {"allow": allow} if allow else {}
    return _reply(status, phrase.lower().replace(" ", "_"), ADVICE.get(status, phrase), headers=headers)


def _reply(
    status: int, code: str, message: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    content = {"code": code, "message": message, "faults": [fault.as_dict() for fault in faults]}
    text = _UPLOAD_PATH.sub("", json.dumps({"error": content}, ensure_ascii=False, separators=(",", ":")))
    return Response(text, status, {CODE_HEADER: code, **(headers or {})}, "application/json")


__all__ = [
    "ADVICE",
    "CODE_HEADER",
    "UPLOAD_PREFIX",
    "Forbidden",
    "RecordUnwritable",
    "RepeatedKey",
    "TooMany",
    "Unauthorised",
    "UnsupportedCoding",
    "UnsupportedMedia",
    "WorkerEnded",
    "error_reply",
    "status_reply",
]
