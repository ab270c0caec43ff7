"""The guard alone: what an application behind it would let through or never answer."""

import gc
import json
from asyncio import TimerHandle

import anyio
import pytest

from serving.access import AccessConfig, RateLimits, access_from
from serving.active_bundle import ActiveBundle
from serving.middleware import BodyBudget, Guard
from tests.serving.client import RUNNER, THEIRS

pytestmark = THEIRS

OPEN = AccessConfig(None, RateLimits(60))


def guard(app, access=OPEN):
    return Guard(app, ActiveBundle(), access)


def through(guarded, messages, path="/assess", kind="http", **scope):
    """Send messages through a guard as a server would; return what it answered."""
    sent = []

    async def receive():
        return messages.pop(0) if messages else await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"localhost:3000")]
    anyio.run(guarded, {"type": kind, "method": "POST", "path": path, "headers": headers, **scope}, receive, send)
    return sent


def whole(body=b""):
    return {"type": "http.request", "body": body, "more_body": False}


def statuses(sent):
    return [message["status"] for message in sent if "status" in message]


VALID = json.dumps({"runner": RUNNER}).encode()


def test_a_client_that_hangs_up_is_not_answered():
    assert through(guard(None), [{"type": "http.disconnect"}]) == []


def test_the_service_behind_the_guard_reads_the_body_as_it_was_sent_then_what_follows():
    read = []

    async def app(_scope, receive, _send):
        read.extend([await receive(), await receive()])

    parts = [{"type": "http.request", "body": VALID[:9], "more_body": True}, whole(VALID[9:])]
    through(guard(app), [*parts, {"type": "http.disconnect"}])
    assert read == [whole(VALID), {"type": "http.disconnect"}]


def test_the_guard_leaves_alone_what_is_no_request():
    seen = []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    through(guard(app), [], kind="lifespan")
    assert seen == ["lifespan"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_route_that_breaks_is_answered_once_instead_of_never(begun):
    async def app(_scope, _receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    assert statuses(through(guard(app), [whole(VALID)])) == [200 if begun else 500]


def test_a_route_that_takes_too_long_is_answered_in_the_shape_of_our_errors():
    async def app(_scope, _receive, _send):
        await anyio.sleep_forever()

    sent = through(guard(app, AccessConfig(None, RateLimits(60), max_seconds=0.01)), [whole(VALID)])
    assert statuses(sent) == [504]
    assert json.loads(sent[1]["body"])["error"]["code"] == "gateway_timeout"


def test_a_body_that_never_ends_is_answered_too():
    sent = through(guard(None, AccessConfig(None, RateLimits(60), max_seconds=0.01)), [])
    assert statuses(sent) == [504]


def test_nothing_is_kept_of_a_request_once_it_is_answered(client):
    def waiting():
        gc.collect()
        return sum(isinstance(each, TimerHandle) and not each.cancelled() for each in gc.get_objects())

    before = waiting()
    assert [client.get("/livez").status_code for _ in range(40)] == [200] * 40
    assert waiting() < before + 10


def test_without_keys_only_this_machine_is_answered_however_bentoml_was_told_to_listen(subtests):
    for addresses, status in [
        ({"client": ("10.1.2.3", 5), "server": ("127.0.0.1", 3000)}, 401),
        ({"client": ("127.0.0.1", 5), "server": ("10.1.2.4", 3000)}, 401),
        ({"client": ("127.0.0.1", 5), "server": ("::1", 3000)}, 200),
        ({"client": None, "server": ("/run/pfps.sock", None)}, 200),
    ]:
        with subtests.test(addresses=addresses, status=status):

            async def app(_scope, _receive, send):
                await send({"type": "http.response.start", "status": 200, "headers": []})

            assert statuses(through(guard(app), [whole(VALID)], **addresses)) == [status]


def test_an_answer_that_cannot_go_on_record_is_not_given(tmp_path, monkeypatch):
    from serving.middleware import note_answer

    async def app(_scope, _receive, send):
        note_answer("pfps-0.0.1", risks=[0.1])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    monkeypatch.setenv("PFPS_AUDIT", str(tmp_path))
    sent = through(guard(app, access_from({"PFPS_AUDIT": str(tmp_path)})), [whole(VALID)])
    assert statuses(sent) == [503]
    assert "PFPS_AUDIT" in json.loads(sent[1]["body"])["error"]["message"]


async def _answers_ok(_scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_body_that_would_make_all_bodies_too_large_is_refused_while_another_is_unfinished_and_served_after_it():
    guarded = Guard(_answers_ok, ActiveBundle(), OPEN, BodyBudget(most=100, free=10))
    answers = {}

    async def app(scope, receive, send):  # the first request is in hand while the others are sent
        answers["large"] = await anyio.to_thread.run_sync(lambda: through(guarded, [whole(b"x" * 60)]))
        answers["small"] = await anyio.to_thread.run_sync(lambda: through(guarded, [whole(b"x" * 10)]))
        await _answers_ok(scope, receive, send)

    first = Guard(app, ActiveBundle(), OPEN, guarded._bodies)
    assert statuses(through(first, [whole(b"x" * 70)])) == [200]
    assert statuses(answers["large"]) == [429] and statuses(answers["small"]) == [200]
    refused = answers["large"]
    assert (b"retry-after", b"5") in refused[0]["headers"]
    assert json.loads(refused[1]["body"])["error"]["code"] == "too_many_requests"
    assert statuses(through(guarded, [whole(b"x" * 110)])) == [200]


def test_a_body_is_refused_as_soon_as_its_part_is_too_much_and_its_bytes_are_free_again():
    guarded = Guard(_answers_ok, ActiveBundle(), OPEN, BodyBudget(most=100, free=10))
    part = {"type": "http.request", "body": b"x" * 80, "more_body": True}
    assert statuses(through(guarded, [part, part, part])) == [429]
    assert through(guarded, [part, {"type": "http.disconnect"}]) == []
    assert statuses(through(guarded, [whole(b"x" * 110)])) == [200]
    assert statuses(through(guarded, [whole(b"x" * 111)])) == [429]
