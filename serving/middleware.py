"""What stands between the network and the routes: who may ask, what goes in, how long it takes, and what every answer says."""

import asyncio
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pfps_ml.errors import PfpsError
from serving.access import LOCAL, AccessConfig
from serving.active_bundle import ActiveBundle
from serving.audit_log import AUDIT, LOG, count_answer, record
from serving.errors import CODE_HEADER, TooLarge, Unauthorised, UnsupportedMedia, error_reply, status_reply
from serving.requests import ELSEWHERE, Route, read, route_of


class Guard:
    """ASGI middleware: nothing reaches BentoML that it would read as a pickle, drop, log, or never answer.

    Parameters
    ----------
    app
        The service behind the guard.
    live
        The bundle in service, which every answer names.
    door
        Who may ask, and how often.
    bodies
        The message that a route of BentoML's reads; our own routes read theirs themselves.
    """

    def __init__(
        self, app: ASGIApp, live: ActiveBundle, door: AccessConfig, bodies: Mapping[str, type[BaseModel]]
    ) -> None:
        self._app, self._live, self._door, self._bodies = app, live, door, bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked, route, start = Asked(), route_of(scope["path"]), time.perf_counter()
        answer = Answer((scope, receive, send), asked, self._live)
        before = ASKED.set(asked)
        try:
            await self._answered(scope, receive, answer, route)
        except ClientDisconnect:
            return
        finally:
            ASKED.reset(before)
            count_answer(route.path if route else ELSEWHERE, answer.status, time.perf_counter() - start)

    async def _answered(self, scope: Scope, receive: Receive, answer: Answer, route: Route | None) -> None:
        try:
            async with asyncio.timeout(self._door.patience):
                if route is None or scope["method"] not in route.methods:
                    await answer.refuse(status_reply(405, ", ".join(route.methods)) if route else status_reply(404))
                    return
                self._admit(scope, route)
                await self._app(scope, await self._body(scope, receive, route), answer)
        except PfpsError as error:
            await answer.refuse(error_reply(error))
        except TimeoutError:
            await answer.refuse(status_reply(504))
        except ClientDisconnect:
            raise
        except Exception as error:
            LOG.error("a route failed", exc_info=error)
            await answer.refuse(status_reply(500))

    def _admit(self, scope: Scope, route: Route) -> None:
        """Refuse who may not ask, or not so often."""
        if self._door.keys is None:
            if not (_is_loopback(scope.get("client")) and _is_loopback(scope.get("server"))):
                raise Unauthorised("expected a request from this machine, got one from another; set PFPS_API_KEYS")
            ASKED.get().owner = LOCAL
        elif route.key:
            owner = self._door.keys.owner(dict(scope["headers"]).get(b"authorization", b""))
            if owner is None:
                raise Unauthorised("expected `Authorization: Bearer KEY` with a key of this service, got none of them")
            self._door.rates.take(owner)
            ASKED.get().owner = owner

    async def _body(self, scope: Scope, receive: Receive, route: Route) -> Receive:
        """Return where the app reads the body from: once it is whole, and valid if BentoML is to read it."""
        if not route.media:
            return replay(b"", receive)
        body = await _read(Request(scope, receive), route)
        if self._door.audited:
            ASKED.get().digest = sha256(body).hexdigest()
        if model := self._bodies.get(route.path):
            read(model, body)
        return replay(body, receive)


async def _read(request: Request, route: Route) -> bytes:
    """Return the whole body, if it is of its route's type by its own account and not too large, told or not."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != route.media:
        raise UnsupportedMedia(f"expected Content-Type: {route.media}, got another media type or none")
    length = request.headers.get("content-length", "")
    too_large = TooLarge(f"expected at most {route.largest:,} bytes, got more; send fewer rows at once")
    if length.isdecimal() and int(length) > route.largest:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > route.largest:
            raise too_large
    return bytes(body)


def _is_loopback(address: tuple[str, int | None] | None) -> bool:
    """Return whether an address is this machine's own; a socket without one (a Unix socket, a test) is."""
    try:
        return address is None or ip_address(address[0]).is_loopback
    except ValueError:  # no address: the path of a socket, or a test's name
        return True


BUNDLE_HEADER = "x-pfps-bundle"
# no inline script or style, no other host, no frame; data: for small pictures of the page's own style
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


class Answer:
    """Passes an answer on to the client; an error that is not ours is replaced by one in our shape."""

    def __init__(self, channel: tuple[Scope, Receive, Send], asked: Asked, live: ActiveBundle) -> None:
        self._scope, self._receive, self._send = channel
        self._asked, self._live = asked, live
        self._replaced = False
        self.status = 0  # none yet

    async def __call__(self, message: Message) -> None:
        """Pass one message on."""
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
            await reply(self._scope, self._receive, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        asked = self._asked
        if asked.answered and message["status"] < 400:
            record(
                AUDIT, route=self._scope["path"], key=asked.owner, bundle=asked.bundle, input=asked.digest,
                **asked.answered,
            )  # fmt: skip
        self.status = message["status"]
        headers = MutableHeaders(raw=message["headers"])
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")
        if bundle := asked.bundle or self._live.name:
            headers[BUNDLE_HEADER] = bundle
        await self._send({**message, "headers": headers.raw})


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read already, then what the client says next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


@dataclass
class Asked:
    """What is known of a request.

    Attributes
    ----------
    owner
        The name of the key.
    digest
        SHA-256 of the body, while an audit is kept.
    bundle
        The bundle that answered; None if none did.
    answered
        What the audit says of the answer.
    """

    owner: str = ""
    digest: str = ""
    bundle: str | None = None
    answered: dict[str, Any] = field(default_factory=dict)


ASKED: ContextVar[Asked] = ContextVar("asked")


def answered(bundle: str, **facts: Any) -> None:
    """Note which bundle answered the request in hand, and what the audit says of the answer."""
    asked = ASKED.get()
    asked.bundle, asked.answered = bundle, facts


__all__ = [
    "ASKED",
    "BUNDLE_HEADER",
    "CONTENT_POLICY",
    "HEADERS",
    "Answer",
    "Asked",
    "Guard",
    "answered",
    "replay",
]
