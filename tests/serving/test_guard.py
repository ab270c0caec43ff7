"""The guard alone: what BentoML's own server would let through or never answer."""

import json

import anyio
import pytest

from serving.guard import Guard
from serving.messages import AssessRequest
from tests.serving.client import RUNNER


def through(guard, messages, path="/assess", kind="http"):
    """Send messages through a guard as a server would; return what it answered."""
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "method": "POST", "path": path, "headers": [(b"content-type", b"application/json")]}
    anyio.run(guard, scope, receive, send)
    return sent


def test_a_client_that_hangs_up_is_not_answered():
    assert through(Guard(None, {"/assess": AssessRequest}), [{"type": "http.disconnect"}]) == []


def test_the_service_behind_the_guard_reads_the_body_as_it_was_sent_then_what_follows():
    read = []

    async def app(_scope, receive, _send):
        read.extend([await receive(), await receive()])

    body = json.dumps({"runner": RUNNER}).encode()
    parts = [{"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}]
    through(Guard(app, {"/assess": AssessRequest}), [*parts, {"type": "http.disconnect"}])
    assert read == [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]


def test_the_guard_leaves_alone_what_is_no_request():
    seen = []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    through(Guard(app, {}), [], kind="lifespan")
    assert seen == ["lifespan"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_route_that_breaks_is_answered_once_instead_of_never(begun):
    async def app(_scope, _receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    sent = through(Guard(app, {}), [])
    assert [message["status"] for message in sent if "status" in message] == [200 if begun else 500]
