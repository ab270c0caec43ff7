"""What every answer has: one shape for errors, the bundle's name, and headers that tell browsers to be careful."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from serving.active_bundle import ActiveBundle
from serving.asked import Asked
from serving.audit_log import AUDIT, record
from serving.errors import CODE_HEADER, status_reply

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


__all__ = ["BUNDLE_HEADER", "CONTENT_POLICY", "HEADERS", "Answer", "replay"]
