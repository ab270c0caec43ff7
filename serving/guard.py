"""What stands between the network and BentoML: only valid JSON goes in, only one shape of error comes out."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pfps_ml.errors import PfpsError
from serving.errors import CODE_HEADER, TooLarge, UnsupportedMedia, error_reply, status_reply
from serving.logs import LOG
from serving.messages import read

LARGEST = 2_000_000  # bytes: design 4.4
MEDIA = "application/json"


class Guard:
    """ASGI middleware: validates bodies before BentoML reads them and gives every refusal the same shape.

    BentoML would read pickles, drop unknown keys and log invalid input with its values; an exception in a mounted
    route would hang until the timeout.

    Parameters
    ----------
    app
        The service behind the guard.
    bodies
        The message that each POST route reads.
    """

    def __init__(self, app: ASGIApp, bodies: Mapping[str, type[BaseModel]]) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        try:
            await self._app(scope, await self._admitted(scope, receive), answer)
        except PfpsError as error:
            await error_reply(error)(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:
            LOG.error("a route failed", exc_info=error)
            if not answer.begun:
                await status_reply(500)(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive) -> Receive:
        """Return where the app reads the body from: as sent, or, on a route that we know, once it is valid."""
        model = self._bodies.get(scope["path"]) if scope["method"] == "POST" else None
        if model is None:
            return receive
        body = await _body(Request(scope, receive))
        read(model, body)
        return _replay(body, receive)


class _Answer:
    """Passes an answer on to the client; an error that is not ours is replaced by one in our shape."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._replaced = False
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = Headers(raw=message["headers"])
            # the framework sends a path with a slash too many elsewhere, without a word; for us there is no such path
            status = 404 if "location" in headers else message["status"]
            self._replaced = status >= 400 and CODE_HEADER not in headers
            if self._replaced:
                reply = status_reply(status, headers.get("allow"))
                await reply(self._scope, self._receive, self._send)
        if not self._replaced:
            await self._send(message)


async def _body(request: Request) -> bytes:
    """Return the whole body, if it is JSON by its own account and not too large, told beforehand or not."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA:
        raise UnsupportedMedia(f"expected Content-Type: {MEDIA}, got another media type or none")
    length = request.headers.get("content-length", "")
    too_large = TooLarge(f"expected at most {LARGEST:,} bytes, got more; send one runner a request")
    if length.isdecimal() and int(length) > LARGEST:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise too_large
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read already, then what the client says next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


__all__ = ["LARGEST", "MEDIA", "Guard"]
