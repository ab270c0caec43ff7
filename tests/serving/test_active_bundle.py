"""One bundle after the other: taken over whole or not at all, and on record."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from pfps_ml.core.errors import BundleMissing, OutputError
from serving import audit_log
from serving.active_bundle import ActiveBundle
from tests.bundles import rewrite
from tests.serving.client import PATIENT, THEIRS, ask, refusal
from tests.waiting import until

pytestmark = THEIRS


@pytest.fixture
def home(models_home, tmp_path, monkeypatch):
    """Return a folder of bundles of this test's own, in use from the next time that a bundle is loaded."""
    home = shutil.copytree(models_home, tmp_path / "models")
    monkeypatch.setenv("PFPS_MODELS", str(home))
    return home


def release(home, name, part=None, change=None):
    """Put another bundle beside the first, and make it the current one."""
    shutil.copytree(home / "pfps-0.0.1", home / name)
    rewrite(home / name, "manifest.json", lambda manifest: manifest.update(version=name))
    if part:
        rewrite(home / name, part, change)
    (home / "CURRENT").write_text(f"{name}\n")


def wrong_golden(golden):
    golden["answers"]["risk"][0] += 1e-6


@pytest.fixture
def live(client, active, home, monkeypatch):
    """Return the service's own bundle, put back as it was afterwards."""
    active.take_over()
    yield active
    monkeypatch.undo()
    active.take_over()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_another_bundle_is_taken_over_on_request_and_every_reply_names_the_one_that_answered(client, home, live):
    release(home, "pfps-0.0.2")
    assert client.get("/about").headers["x-pfps-bundle"] == "pfps-0.0.1"
    assert client.post("/reload").json() == {"bundle": "pfps-0.0.2", "before": "pfps-0.0.1"}
    answer = ask(client, **PATIENT)
    assert answer.json()["bundle"] == answer.headers["x-pfps-bundle"] == "pfps-0.0.2"
    told = client.get("/metrics").text
    assert 'pfps_bundle_in_service{bundle="pfps-0.0.2"} 1.0' in told
    assert 'pfps_bundle_in_service{bundle="pfps-0.0.1"} 0.0' in told


def test_a_bundle_that_does_not_reproduce_its_golden_answers_is_refused_and_the_old_one_stays(client, home, live):
    release(home, "pfps-0.0.3", "golden.json", wrong_golden)
    assert refusal(client.post("/reload"), 503)["code"] == "bundle_golden"
    assert client.get("/readyz").status_code == 200
    assert ask(client, **PATIENT).json()["bundle"] == "pfps-0.0.1"


def test_the_same_bundle_again_changes_nothing(client, live):
    before = live.current()
    assert client.post("/reload").json() == {"bundle": "pfps-0.0.1", "before": "pfps-0.0.1"}
    assert live.current() is before


def test_a_request_in_hand_is_answered_by_the_bundle_that_it_began_with(client, home, live, monkeypatch):
    from serving import microbatch

    honest = microbatch.coded

    def meanwhile(runners):
        monkeypatch.setattr(microbatch, "coded", honest)  # a bundle that is taken over is tried with a runner, too
        release(home, "pfps-0.0.4")
        live.take_over()
        return honest(runners)

    monkeypatch.setattr(microbatch, "coded", meanwhile)
    answer = ask(client, **PATIENT)
    assert answer.json()["bundle"] == answer.headers["x-pfps-bundle"] == "pfps-0.0.1"
    assert live.name == "pfps-0.0.4"


def test_the_promotion_log_says_what_was_live_from_when_to_when(home, tmp_path, monkeypatch):
    log = tmp_path / "promotions"
    monkeypatch.setenv("PFPS_PROMOTION_LOG", str(log))
    live = ActiveBundle()
    live.take_over()
    live.take_over()
    release(home, "pfps-0.0.5", "golden.json", wrong_golden)
    with pytest.raises(Exception, match="golden"):
        live.take_over()
    (home / "CURRENT").write_text("pfps-0.0.1")
    release(home, "pfps-0.0.6")
    live.take_over()
    live.stop()
    live.stop()
    told = lines(log)
    first, second = "pfps-0.0.1", "pfps-0.0.6"
    assert [(line["event"], line.get("bundle")) for line in told] == [
        ("live", first), ("refused", None), ("ended", first), ("live", second), ("ended", second),
    ]  # fmt: skip
    assert told[1]["code"] == "bundle_golden" and told[1]["in_service"] == first
    assert told[0]["since"] == told[2]["since"] <= told[2]["until"] <= told[3]["since"] <= told[4]["until"]
    assert told[0]["digest"] == told[2]["digest"] != told[3]["digest"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_nothing_on_record_ends_before_it_began_though_the_clock_is_set_back(home, tmp_path, monkeypatch):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    hours = iter([0, -3, -2, 1, -5, 2, *range(3, 20)])
    monkeypatch.setattr(audit_log, "_CLOCK", audit_log.Clock(lambda: noon + timedelta(hours=next(hours))))
    log = tmp_path / "promotions"
    monkeypatch.setenv("PFPS_PROMOTION_LOG", str(log))
    live = ActiveBundle()
    live.take_over()
    release(home, "pfps-0.0.9")
    live.take_over()
    live.stop()
    told = lines(log)
    assert [line["event"] for line in told] == ["live", "ended", "live", "ended"]
    assert all(line["since"] <= line["until"] <= line["time"] for line in told if line["event"] == "ended")
    assert told[1]["since"] == told[1]["until"] == told[2]["since"] == "2026-03-01T12:00:00.000+00:00"
    times = [line["time"] for line in told]
    assert times == sorted(times)


def test_a_clock_that_is_set_back_stands_still_until_its_time_has_come_again():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    minutes = iter([0, 5, 3, 4, 6])
    clock = audit_log.Clock(lambda: noon + timedelta(minutes=next(minutes)))
    assert [clock.now()[14:16] for _ in range(5)] == ["00", "05", "05", "05", "06"]


def test_what_cannot_be_put_on_record_does_not_happen(home, tmp_path, monkeypatch):
    live = ActiveBundle()
    live.take_over()
    release(home, "pfps-0.0.7")
    monkeypatch.setenv("PFPS_PROMOTION_LOG", str(tmp_path))
    with pytest.raises(OutputError):
        live.take_over()
    assert live.name == "pfps-0.0.1"


def test_a_service_in_the_main_thread_takes_over_on_sighup(home):
    import os
    import signal

    before = signal.getsignal(signal.SIGHUP)
    live = ActiveBundle()
    try:
        live.start()
        until(lambda: live.ready)
        release(home, "pfps-0.0.8")
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: live.name == "pfps-0.0.8")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_first_bundle_that_is_refused_leaves_the_service_unready(tmp_path, monkeypatch):
    monkeypatch.setenv("PFPS_MODELS", str(tmp_path))
    live = ActiveBundle()
    with pytest.raises(BundleMissing):
        live.take_over()
    assert not live.ready and live.name is None
