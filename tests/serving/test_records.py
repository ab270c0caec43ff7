"""No answer without its line: what the service does while the audit trail or the promotion log cannot be written."""

import json
import os
import resource
import signal
import subprocess
import sys

import httpx
import pytest

from pfps_ml.core import locked_record
from serving import active_bundle
from serving.active_bundle import ActiveBundle
from serving.audit_log import AUDIT, PROMOTIONS
from tests.serving.client import JSON, PATIENT, RUNNER, THEIRS, ask, refusal, until_ready
from tests.serving.test_http import PFPS, free_port, process_of
from tests.waiting import LIMIT, until

pytestmark = THEIRS
ROSTER = "runner_id,age_years,sex\nR-1,30,female\n"
EVERYTHING = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def answers(client):
    """Ask every route whose answers go on record."""
    yield ask(client, **PATIENT)
    yield client.post("/assess_roster", json={"runners": [RUNNER]})
    yield client.post("/score_roster", files={"roster": ("r.csv", ROSTER.encode())})


def lines(path):
    """Return the lines of a file; fails if one is torn."""
    content = path.read_bytes()
    assert content.endswith(b"\n") or not content
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def trail(tmp_path, monkeypatch):
    """Return an audit trail in use, whose state no other test sees."""
    monkeypatch.setattr(AUDIT, "_unwritable", False)
    monkeypatch.setenv("PFPS_AUDIT", str(tmp_path / "audit"))
    return tmp_path / "audit"


def test_while_the_trail_cannot_be_written_no_answer_is_given_and_the_service_is_not_ready(
    client, trail, monkeypatch, logged
):
    assert [answer.status_code for answer in answers(client)] == [200, 200, 200]
    monkeypatch.setenv("PFPS_AUDIT", "/dev/full")
    for answer in answers(client):
        error = refusal(answer, 503)
        assert error["code"] == "record_unwritable" and "/dev" not in answer.text
    assert refusal(client.get("/readyz"), 503)["code"] == "record_unwritable"
    assert client.get("/livez").status_code == client.get("/about").status_code == 200
    assert 'pfps_record_writable{variable="PFPS_AUDIT"} 0.0' in client.get("/metrics").text
    assert logged().count("record_unwritable") == 1  # not once a request: the log is on a disk, too

    monkeypatch.setenv("PFPS_AUDIT", str(trail))  # there is room again
    assert client.get("/readyz").status_code == 200
    assert [answer.status_code for answer in answers(client)] == [200, 200, 200]
    assert 'pfps_record_writable{variable="PFPS_AUDIT"} 1.0' in client.get("/metrics").text
    assert "record_writable_again" in logged()
    assert [line["route"] for line in lines(trail)] == ["/assess", "/assess_roster", "/score_roster"] * 2


def test_a_full_disk_is_seen_by_the_probe_before_the_first_answer_is_refused(client, trail, monkeypatch):
    monkeypatch.setenv("PFPS_AUDIT", "/dev/full")
    assert refusal(client.get("/readyz"), 503)["code"] == "record_unwritable"
    monkeypatch.setenv("PFPS_AUDIT", str(trail))
    assert ask(client, **PATIENT).status_code == 200


def test_nothing_is_worked_out_while_it_could_not_go_on_record(client, trail, monkeypatch):
    monkeypatch.setenv("PFPS_AUDIT", "/dev/full")
    refusal(ask(client, **PATIENT), 503)

    def forbidden(*_):
        raise AssertionError("an answer was worked out")

    monkeypatch.setattr("serving.active_bundle.assess", forbidden)
    assert refusal(ask(client, **PATIENT), 503)["code"] == "record_unwritable"


def test_while_another_process_has_the_trail_the_answer_waits_and_others_are_answered(client, trail):
    from concurrent.futures import ThreadPoolExecutor

    assert ask(client, **PATIENT).status_code == 200
    with ThreadPoolExecutor(1) as pool:
        with locked_record(trail):
            waiting = pool.submit(ask, client, **PATIENT)
            assert client.get("/readyz").status_code == client.get("/about").status_code == 200
            assert len(lines(trail)) == 1
        assert waiting.result().status_code == 200
    assert len(lines(trail)) == 2


def test_the_key_of_the_marks_is_made_once_and_nobody_else_can_read_it(trail):
    AUDIT.start()
    key = trail.with_name("audit.key")
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == trail.stat().st_mode & 0o777 == 0o600
    AUDIT.start()
    AUDIT.append({"people": ["R-1", None]})
    assert key.read_bytes() == before and lines(trail)[0]["people"][1] is None
    assert "R-1" not in trail.read_text()


def test_a_key_that_cannot_be_made_or_used_is_explained_without_its_place(trail, client, monkeypatch):
    trail.with_name("audit.key").write_text("0" * 64)
    trail.with_name("audit.key").chmod(0o644)
    error = refusal(ask(client, **PATIENT), 503)
    assert "key_not_private" in error["message"] and str(trail.parent) not in error["message"]
    trail.with_name("audit.key").chmod(0o600)
    assert ask(client, **PATIENT).status_code == 200


def test_a_torn_line_is_mended_at_the_start_and_the_log_says_so(trail, logged):
    trail.write_bytes(b'{"time": "then"}\n{"time": "no')
    AUDIT.start()
    assert lines(trail) == [{"time": "then"}]
    assert "record_mended" in logged()


def test_a_bundle_waits_until_it_can_go_on_record_and_then_serves_by_itself(models_home, tmp_path, monkeypatch):
    monkeypatch.setattr(active_bundle, "RETRY_SECONDS", 0.01)
    monkeypatch.setenv("PFPS_MODELS", str(models_home))
    monkeypatch.setenv("PFPS_PROMOTION_LOG", "/dev/full")
    live = ActiveBundle()
    live.start()
    try:
        until(lambda: PROMOTIONS.unwritable, "that the promotion log is seen to be full")
        assert not live.ready
        monkeypatch.setenv("PFPS_PROMOTION_LOG", str(tmp_path / "promotions"))
        until(lambda: live.ready, "that the bundle is in service")
    finally:
        live.stop()
    assert [line["event"] for line in lines(tmp_path / "promotions")] == ["live", "ended"]


def test_a_change_of_bundles_is_on_record_as_a_whole_or_not_at_all(models_home, tmp_path, monkeypatch):
    import shutil

    from serving.errors import RecordUnwritable
    from tests.serving.test_active_bundle import release

    home = shutil.copytree(models_home, tmp_path / "models")
    monkeypatch.setenv("PFPS_MODELS", str(home))
    monkeypatch.setenv("PFPS_PROMOTION_LOG", str(tmp_path / "promotions"))
    live = ActiveBundle()
    live.take_over()
    release(home, "pfps-0.0.2")
    size = (tmp_path / "promotions").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300, hard))  # room for one line, not for two
    try:
        with pytest.raises(RecordUnwritable):
            live.take_over()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert live.name == "pfps-0.0.1"
    assert [line["event"] for line in lines(tmp_path / "promotions")][:1] == ["live"]
    assert "ended" not in (tmp_path / "promotions").read_text()
    live.take_over()
    events = [line["event"] for line in lines(tmp_path / "promotions")]
    assert events[-2:] == ["ended", "live"] and live.name == "pfps-0.0.2"
    live.stop()


def test_readiness_needs_the_promotion_log_too(client, monkeypatch, tmp_path):
    monkeypatch.setenv("PFPS_PROMOTION_LOG", "/dev/full")
    assert refusal(client.get("/readyz"), 503)["code"] == "record_unwritable"
    assert ask(client, **PATIENT).status_code == 200  # an answer goes on another record
    monkeypatch.setenv("PFPS_PROMOTION_LOG", str(tmp_path / "promotions"))
    assert client.get("/readyz").status_code == 200


@pytest.mark.slow
def test_a_disk_that_fills_twice_under_a_running_service_costs_answers_and_never_a_line(models_home, tmp_path):
    trail, given = tmp_path / "audit", 0
    with process_of(PFPS, tmp_path, models_home, PFPS_AUDIT=str(trail)) as (http, process, log):
        for _ in (1, 2):
            room = trail.stat().st_size + 10_000
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            statuses = [ask(http, **PATIENT).status_code for _ in range(100)]
            assert set(statuses) == {200, 503} and statuses == sorted(statuses)
            given += statuses.count(200)
            assert refusal(http.get("/readyz"), 503)["code"] == "record_unwritable"
            assert len(lines(trail)) == given
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, EVERYTHING)
            assert ask(http, **PATIENT).status_code == http.get("/readyz").status_code == 200
            given += 1
    assert len(lines(trail)) == given
    assert log.read_text().count("record_unwritable") == log.read_text().count("record_writable_again") == 2


@pytest.mark.slow
def test_of_20_services_that_are_killed_while_they_answer_no_line_of_an_answer_is_lost_or_torn(models_home, tmp_path):
    from hashlib import sha256
    from threading import Thread

    trail, promotions, answered = tmp_path / "audit", tmp_path / "promotions", []
    environment = os.environ | {
        "PFPS_MODELS": str(models_home), "PFPS_AUDIT": str(trail), "PFPS_PROMOTION_LOG": str(promotions),
    }  # fmt: skip

    def ask_on(address, kill):
        with httpx.Client(base_url=address, timeout=LIMIT) as http:
            for number in range(10_000):
                runners = [RUNNER | {"runner_id": f"{kill}-{number}-{at}"} for at in range(300)]
                body = json.dumps({"runners": runners, "reasons": 0}).encode()
                try:
                    if http.post("/assess_roster", content=body, headers=JSON).status_code == 200:
                        answered.append(sha256(body).hexdigest())
                except httpx.HTTPError:
                    return

    for kill in range(20):
        port, before = free_port(), len(answered)
        address = f"http://127.0.0.1:{port}"
        process = subprocess.Popen([*map(str, PFPS), "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
        try:
            until(lambda: _ready(address), "that the service is ready")  # noqa: B023
            asking = Thread(target=ask_on, args=(address, kill))
            asking.start()
            until(lambda: len(answered) > before + 1, "that the service answers")  # noqa: B023
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        asking.join()
    AUDIT_OF_ALL = [sys.executable, "-c", "from serving.audit_log import AUDIT; AUDIT.start()"]
    subprocess.run(AUDIT_OF_ALL, env=environment, check=True)
    inputs = [line["input"] for line in lines(trail)]
    assert set(answered) <= set(inputs) and len(inputs) == len(set(inputs))
    assert len(answered) >= 40
    assert [line["event"] for line in lines(promotions)] == ["live"] * 20


def _ready(address):
    try:
        return httpx.get(f"{address}/readyz", timeout=LIMIT).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_probe_of_a_service_whose_trail_is_well_leaves_the_trail_as_it_was(client, trail):
    assert ask(client, **PATIENT).status_code == 200
    before = trail.read_bytes()
    until_ready(client.get)
    assert trail.read_bytes() == before
