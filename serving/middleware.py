"""What stands between the network and the routes: who may ask, what goes in, how long it takes, what answers carry."""

import asyncio
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pfps_ml.core import Message as Sentence, PfpsError, TooLarge
from serving.access import AccessConfig
from serving.active_bundle import ActiveBundle
from serving.audit_log import AUDIT, LOG, count_answer
from serving.errors import (
    CODE_HEADER,
    TooMany,
    UnsupportedCoding,
    UnsupportedMedia,
    error_reply,
    status_reply,
)
from serving.limits import RequestLimits
from serving.requests import UNKNOWN_PATH, Endpoint, endpoint_of

BUNDLE_HEADER = "x-pfps-bundle"
MEGABYTE = 1_000_000
_RETRY_AFTER = 5  # seconds: by then large uploads have ended
_SHORT = 100  # persons in a line of the audit trail that is written in the event loop: some 0.5 ms
_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii"})
# no inline script or style, no other host, no frame; data: for small pictures in the page's own style sheets
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass
class RequestContext:
    """What is known of the request in hand; for the headers of its answer and for the audit.

    Attributes
    ----------
    owner
        The name of the key.
    digest
        SHA-256 of the body, while an audit is written.
    bundle
        The bundle that answered; None if no bundle did.
    facts
        What the audit records of the answer.
    counted
        Bytes of the body that are counted in the budget of all bodies.
    """

    owner: str = ""
    digest: str = ""
    bundle: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    counted: int = 0


_CONTEXT: ContextVar[RequestContext] = ContextVar("request")


def note_answer(bundle: str, **facts: Any) -> None:
    """Note which bundle answers the request in hand, and what the audit records of the answer.

    Under `people` stand the ids of those who are assessed, or None; the audit has a keyed hash of each.
    """
    context = _CONTEXT.get()
    context.bundle, context.facts = bundle, facts


class GuardedSend:
    """Sends one answer to the client, with our headers; an error that is not in our shape is replaced by one that is.

    Attributes
    ----------
    status
        The HTTP status that was sent; 0 before an answer has begun.
    """

    def __init__(self, channel: tuple[Scope, Receive, Send], context: RequestContext, active: ActiveBundle) -> None:
        self._scope, self._receive, self._send = channel
        self._context, self._active = context, active
        self._replaced = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start":
            self._replaced = message["status"] >= 400 and CODE_HEADER not in Headers(raw=message["headers"])
            if self._replaced:
                await self.refuse(status_reply(message["status"]))
            else:
                await self._begin(message)
        elif not self._replaced:
            await self._send(message)

    async def refuse(self, reply: Response) -> None:
        """Answer with an error, unless an answer has begun already."""
        if not self.status:
            await reply(self._scope, self._receive, self._send_refusal)

    async def _send_refusal(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        context = self._context
        if context.facts and message["status"] < 400:
            await _put_on_record({
                "route": self._scope["path"], "key": context.owner, "bundle": context.bundle, "input": context.digest,
                **context.facts,
            })  # fmt: skip
        self.status = message["status"]
        headers = MutableHeaders(raw=message["headers"])
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")
        if bundle := context.bundle or self._active.name:
            headers[BUNDLE_HEADER] = bundle
        await self._send({**message, "headers": headers.raw})


async def _put_on_record(line: dict[str, Any]) -> None:
    """Add a line to the audit trail; others are answered while a long one is made, or one waits for the trail."""
    if len(line.get("people", ())) <= _SHORT:
        with suppress(BlockingIOError):
            AUDIT.append(line, wait=False)
            return
    await run_in_threadpool(AUDIT.append, line)


class BodyBudget:
    """The bytes of all bodies that are in memory at once: many large uploads must not fill it, whole or unfinished.

    The first bytes of every body are free, so that a single runner is answered while large uploads use up the budget.

    Parameters
    ----------
    most
        Bytes of all bodies together: by default six of the largest uploads.
    free
        Bytes of each body that are not counted.
    """

    def __init__(self, most: int = RequestLimits.bodies * MEGABYTE, free: int = 64_000) -> None:
        self.most, self._free, self._counted = most, free, 0

    def count(self, context: RequestContext, length: int) -> None:
        """Count a body that has this length so far.

        Raises
        ------
        TooMany
            If the bodies of all requests together are too large.
        """
        more = max(length - self._free, 0) - context.counted
        if more > 0 and self._counted + more > self.most:
            raise TooMany(_RETRY_AFTER)
        self._counted += max(more, 0)
        context.counted += max(more, 0)

    def release(self, context: RequestContext) -> None:
        """Count the body of a request no longer: the request has ended."""
        self._counted -= context.counted
        context.counted = 0


class Guard:
    """ASGI middleware: no request reaches a route that may not, and none goes unanswered.

    Parameters
    ----------
    app
        The application behind the guard.
    active
        The bundle in service, which every answer names.
    access
        Who may ask, and how often.
    bodies
        The bytes of all bodies that may be in memory at once.
    """

    def __init__(
        self, app: ASGIApp, active: ActiveBundle, access: AccessConfig, bodies: BodyBudget | None = None
    ) -> None:
        self._app, self._active, self._access = app, active, access
        self._bodies = bodies or BodyBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context, endpoint, start = RequestContext(), endpoint_of(scope["path"]), time.perf_counter()
        answer = GuardedSend((scope, receive, send), context, self._active)
        token = _CONTEXT.set(context)
        try:
            await self._answer(scope, receive, answer, endpoint)
        except ClientDisconnect:
            return
        finally:
            _CONTEXT.reset(token)
            self._bodies.release(context)
            count_answer(endpoint.path if endpoint else UNKNOWN_PATH, answer.status, time.perf_counter() - start)

    async def _answer(self, scope: Scope, receive: Receive, answer: GuardedSend, endpoint: Endpoint | None) -> None:
        try:
            async with asyncio.timeout(self._access.max_seconds):
                if endpoint is None or scope["method"] not in endpoint.methods:
                    allowed = ", ".join(endpoint.methods) if endpoint else None
                    await answer.refuse(status_reply(405, allowed) if endpoint else status_reply(404))
                    return
                _CONTEXT.get().owner = await self._access.admit(scope, endpoint)
                if endpoint.media and AUDIT.unwritable:
                    AUDIT.check()  # no work for an answer that could not be given
                await self._app(scope, await self._body(scope, receive, endpoint), answer)
        except PfpsError as error:
            await answer.refuse(error_reply(error))
        except TimeoutError:
            await answer.refuse(status_reply(504))
        except ClientDisconnect:
            raise
        except Exception as error:
            LOG.error("a route failed", exc_info=error)
            await answer.refuse(status_reply(500))

    async def _body(self, scope: Scope, receive: Receive, endpoint: Endpoint) -> Receive:
        """Return the channel that the application reads the body from, once the body is whole."""
        if not endpoint.media:
            return _replay(b"", receive)
        body = await _read_body(Request(scope, receive), endpoint, self._bodies)
        if self._access.audited:
            _CONTEXT.get().digest = sha256(body).hexdigest()
        return _replay(body, receive)


async def _read_body(request: Request, endpoint: Endpoint, bodies: BodyBudget) -> bytes:
    """Return the whole body, if its media type is the endpoint's and it is not too large, whatever it declares.

    The budget of all bodies counts what has arrived, not what is declared: a declared length costs its sender nothing.
    """
    _check_media(request.headers, str(endpoint.media))
    length = request.headers.get("content-length", "")
    too_large = TooLarge(Sentence("body_too_large", {"bytes": endpoint.max_bytes}))
    if length.isdecimal() and int(length) > endpoint.max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > endpoint.max_bytes:
            raise too_large
        bodies.count(_CONTEXT.get(), len(body) + len(chunk))
        body += chunk
    return bytes(body)


def _check_media(headers: Headers, media: str) -> None:
    """Refuse a body that is not of a media type, is compressed, or says that its text is not UTF-8."""
    kind, parameters = parse_options_header(headers.get("content-type"))
    if kind.decode("latin-1") != media or len(headers.getlist("content-type")) > 1:
        raise UnsupportedMedia(Sentence("media_type_other", {"media": media}))
    if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        raise UnsupportedCoding(Sentence("charset_other"))
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedCoding(Sentence("content_encoding_other"))


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read already, then what the client sends next."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


__all__ = [
    "BUNDLE_HEADER",
    "CONTENT_POLICY",
    "HEADERS",
    "BodyBudget",
    "Guard",
    "GuardedSend",
    "RequestContext",
    "note_answer",
]
