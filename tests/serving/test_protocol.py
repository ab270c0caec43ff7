"""What is no HTTP, over a real socket; and what errors must not name: folders and files of this machine."""

import fcntl
import json
import os
import socket
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from serving import roster_routes
from serving.active_bundle import ActiveBundle
from serving.connections import protocol_of
from serving.errors import ADVICE
from serving.limits import ConnectionLimits
from serving.middleware import HEADERS
from serving.roster_routes import MEMORY, sweep_uploads
from tests.rosters import GOOD
from tests.serving.client import THEIRS, client_of, refusal
from tests.waiting import LIMIT, until

pytestmark = THEIRS


@pytest.fixture(scope="module")
def address(client):
    """Return the address of the application behind the server that `pfps serve` starts."""
    import uvicorn

    ours = protocol_of(ConnectionLimits())
    server = uvicorn.Server(uvicorn.Config(client.app, http=ours, lifespan="off", log_config=None, port=0))
    thread = Thread(target=server.run)
    thread.start()
    until(lambda: server.started, "that the server listens")
    yield server.servers[0].sockets[0].getsockname()
    server.should_exit = True
    thread.join()


def sent(address, content):
    """Send bytes, and return status, headers and body of what comes back before the server closes the connection."""
    with socket.create_connection(address, timeout=LIMIT) as caller:
        caller.sendall(content)
        answer = b""
        while block := caller.recv(1 << 16):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split()[1]), dict(header.lower().split(": ", 1) for header in headers), body


def arrived(address, content):
    """Return the answer to what a server got before its deadline: where it came too late, it is sent again."""
    answers = []

    def answered():
        with suppress(ConnectionError, IndexError):  # closed before it arrived, without a word
            answers.append(sent(address, content))
        return answers

    until(answered, "that a request arrives in time")
    return answers[0]


POST = b"POST /assess HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(("content", "expected"), [
    (b"GARBAGE\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000, 431), (b"GET /" + b"x" * 100_000, 431),
    (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}", 400), (POST + b"Content-Length: -1\r\n\r\n{}", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n0000000000", 400),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
])  # fmt: skip
def test_what_is_no_http_is_refused_in_the_shape_of_our_errors_and_the_connection_is_closed(address, content, expected):
    status, headers, body = sent(address, content)
    assert status == expected
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "faults"} and error["message"] == ADVICE[expected]
    assert headers["content-type"] == "application/json" and headers["x-error-code"] == error["code"]
    assert headers["connection"] == "close" and int(headers["content-length"]) == len(body)
    assert headers.keys() >= HEADERS.keys()


def test_what_comes_after_an_answer_and_is_no_http_spoils_no_answer(address):
    status, _, body = sent(address, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGARBAGE\r\n\r\n")
    assert status == 200 and body.startswith(b"\nHTTP/1.1 400 ")


def test_a_request_without_a_host_is_refused_where_there_are_no_keys(address):
    assert sent(address, b"GET /about HTTP/1.0\r\n\r\n")[0] == 401


def test_no_error_of_a_roster_names_a_folder_or_a_file_of_this_machine(client, subtests):
    broken = {
        "r.csv": b"", "r.xlsx": b"PK\x03\x04", "r.parquet": b"PAR1", "r.ods": b"x", "noending": b"x",
        "r.csv ": b"\x00\x00",
        "s.csv": b"a,b\n1,2\n",
    }  # fmt: skip
    for name, content in broken.items():
        for mapping in (None, b"[", b'[columns]\nage_years = "x"\n', b"sheet = 3"):
            files = {"roster": (name, content)} | ({"map": ("m.toml", mapping)} if mapping else {})
            with subtests.test(name=name, mapping=mapping):
                answer = client.post("/score_roster", files=files)
                assert 400 <= answer.status_code < 500
                assert "/dev" not in answer.text and "pfps-" not in answer.text and "/tmp" not in answer.text


def test_no_fault_of_this_machine_names_a_folder_or_a_file_of_it(client, monkeypatch, tmp_path, logged):
    monkeypatch.setattr(roster_routes, "MEMORY", tmp_path / "none")
    assert refusal(client.post("/score_roster", files={"roster": ("r.csv", GOOD)}), 500)["code"] == "missing_library"
    monkeypatch.setenv("PFPS_MODELS", str(tmp_path))
    answer = client.post("/reload")
    assert refusal(answer, 503)["code"] == "bundle_missing"
    assert str(tmp_path) not in answer.text and str(tmp_path) in logged()


@contextmanager
def upload_of(owner):
    folder = Path(tempfile.mkdtemp(prefix=f"pfps-upload-{owner}-", dir=MEMORY))
    (folder / "in.csv").write_text(GOOD)
    try:
        yield folder
    finally:
        roster_routes.shutil.rmtree(folder, ignore_errors=True)


def test_uploads_that_a_killed_process_has_left_in_memory_are_swept_and_no_others(tmp_path):
    with upload_of("killed") as left, upload_of("working") as busy, upload_of("other") as strangers:
        lock = os.open(busy, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.getuid() == 0:
            os.chown(strangers, 12345, 12345)
        link = MEMORY / f"pfps-upload-link-{os.getpid()}"
        (tmp_path / "precious").touch()
        link.symlink_to(tmp_path)
        try:
            assert sweep_uploads() >= 1
            assert not left.exists() and busy.exists() and (tmp_path / "precious").exists()
            assert strangers.exists() == (os.getuid() == 0)
        finally:
            link.unlink()
            os.close(lock)


def test_the_service_sweeps_when_it_starts_and_leaves_nothing_behind_itself(client, logged):
    with upload_of("killed") as left, client_of(ActiveBundle()) as started:
        until(lambda: started.get("/readyz").status_code == 200, "that the service is ready")
        assert not left.exists() and "uploads_swept" in logged()
        assert started.post("/score_roster", files={"roster": ("r.csv", GOOD)}).status_code == 200
        assert not [path for path in MEMORY.glob("pfps-upload-*") if path.stat().st_uid == os.getuid()]


@pytest.fixture
def hurried(client):
    """Return a function that starts a server with limits of its own, and returns its address."""
    import uvicorn

    with ExitStack() as stack:

        def start(**limits):
            config = uvicorn.Config(
                client.app, http=protocol_of(ConnectionLimits(**limits)), lifespan="off", log_config=None, port=0
            )
            server = uvicorn.Server(config)
            thread = Thread(target=server.run)
            thread.start()
            until(lambda: server.started, "that the server listens")
            stack.callback(thread.join)
            stack.callback(lambda: setattr(server, "should_exit", True))
            return server.servers[0].sockets[0].getsockname()

        yield start


ALIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("content", [
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", POST + b"Content-Length: 9\r\n\r\n{",
    POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
])  # fmt: skip
def test_headers_and_bodies_that_do_not_end_in_time_are_answered_and_their_connection_is_closed(hurried, content):
    status, headers, body = arrived(hurried(headers=0.2, body=0.2), content)
    assert status == 408 and headers["connection"] == "close"
    assert json.loads(body)["error"]["code"] == "request_timeout"


def test_a_connection_that_asks_nothing_is_closed_without_a_word(hurried):
    with socket.create_connection(hurried(headers=0.05), timeout=LIMIT) as caller, suppress(ConnectionResetError):
        assert caller.recv(1) == b""


def test_beside_more_half_open_connections_than_there_may_be_others_are_answered(hurried):
    address = hurried(connections=4, headers=60.0)
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection(address, timeout=LIMIT)) for _ in range(12)]
        for one in waiting:
            with suppress(OSError):
                one.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        assert sent(address, ALIVE)[0] == 200
