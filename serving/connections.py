"""Connections: how many there are, how long each may take, and what is answered to what is no HTTP.

HTTP as uvicorn speaks it, which waits without end for headers and bodies. The application is never asked by a
connection that has sent no whole headers, so the deadlines are here.
"""

import asyncio
import math
import sys

import h11
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.audit_log import count_answer
from serving.errors import TooMany, error_reply, status_reply
from serving.limits import ConnectionLimits
from serving.middleware import HEADERS
from serving.requests import UNKNOWN_PATH

_CLOSING = [(name.encode(), value.encode()) for name, value in {**HEADERS, "connection": "close"}.items()]

_ENDING = "ending"


class Protocol(H11Protocol):
    """One connection, as uvicorn reads it, with deadlines and with errors in our shape."""

    limits = ConnectionLimits()
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _phase = ""
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, one that waits makes room."""
        super().connection_made(transport)
        alive = sum(getattr(one, "_phase", "") != _ENDING for one in self.connections)
        if alive > self.limits.connections and not self._make_room():
            self._refuse(error_reply(TooMany(math.ceil(self.limits.idle))))
        else:
            self._watch()

    def _make_room(self) -> bool:
        waiting = [one for one in self.connections if one is not self and getattr(one, "_phase", "") == "headers"]
        if waiting:
            oldest = min(waiting, key=lambda one: one._since)  # type: ignore[union-attr]
            oldest._phase = _ENDING  # type: ignore[union-attr]  # it is gone in the next turn of the loop only
            oldest.transport.abort()
        return bool(waiting)

    def data_received(self, data: bytes) -> None:
        """Read what arrives, and set the deadline of what is to come."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """End an answer, and set the deadline of the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        for timer in (self._deadline, self._unread):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a client to read, but not without end."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.reading, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a client that reads."""
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    def _watch(self) -> None:
        """Set the deadline of the phase that the connection is in, where it has just begun."""
        phase = self._present_phase()
        if phase != self._phase:
            if self._deadline:
                self._deadline.cancel()
            self._phase, self._since, self._deadline = phase, self.loop.time(), None
            if phase:
                self._deadline = self.loop.call_later(getattr(self.limits, phase), self._too_late)

    def _present_phase(self) -> str:
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        return "headers" if self.cycle is None or self.cycle.response_complete else ""

    def _too_late(self) -> None:
        if self.conn.trailing_data[0] or self._phase == "body":
            self._refuse(status_reply(408))
        else:  # nothing was asked
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read as HTTP, and close the connection."""
        error = sys.exc_info()[1]  # uvicorn calls this while it handles the error, and does not pass it on
        self._refuse(status_reply(error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400))

    def _refuse(self, reply: Response) -> None:
        """Send an answer, unless one has begun already, and close the connection, whether it is read or not."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [*reply.raw_headers, *_CLOSING]
            for event in (h11.Response(status_code=reply.status_code, headers=headers),
                          h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):  # fmt: skip
                self.transport.write(self.conn.send(event))
            count_answer(UNKNOWN_PATH, reply.status_code, 0.0)
        if self.cycle:
            self.cycle.disconnected = True  # whoever reads the body learns that there is no more of it
            self.cycle.message_event.set()
        self.transport.close()
        if not self._unread:
            self._unread = self.loop.call_later(self.limits.idle, self.transport.abort)


def protocol_of(limits: ConnectionLimits) -> type[Protocol]:
    """Return the protocol with some limits, for a server of uvicorn's."""
    return type("LimitedProtocol", (Protocol,), {"limits": limits})


__all__ = ["Protocol", "protocol_of"]
