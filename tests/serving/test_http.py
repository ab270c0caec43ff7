"""The service as `pfps serve` and BentoML start it: another process, a real port."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest

from pfps_ml.domain.input_validation import check
from pfps_ml.model.assess import assess
from serving.requests import ENDPOINTS
from tests.bundles import rewrite
from tests.rosters import GOOD
from tests.serving.client import CANARY, HOUSE, JSON, PATIENT, ask, refusal, until_ready
from tests.waiting import LIMIT, until

BIN = Path(sys.executable).parent
LARGEST = ENDPOINTS["/assess"].max_bytes
BENTOML = (BIN / "bentoml", "serve", "serving.service:PfpsService")
PFPS = (BIN / "pfps", "serve")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def listening(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process_of(command, folder, models, cwd=HOUSE, **environment):
    """Lend a client of a service in a process of its own, that process, and the file that it logs to."""
    port, log = free_port(), folder / "log"
    own = {"PFPS_MODELS": str(models), "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    command = [*map(str, command), "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | own | environment, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is not None or listening(port), "that the service listens")
        with httpx.Client(base_url=address, timeout=LIMIT) as http:
            until_ready(http.get)
            yield http, process, log
    finally:
        process.terminate()
        try:
            process.wait(timeout=LIMIT)
        finally:
            process.kill()  # nothing is left behind, even by one that does not end in good order; else it does nothing
            process.wait()


@pytest.fixture
def home(models_home, tmp_path):
    """Return a folder with two bundles; the first is the current one."""
    home = shutil.copytree(models_home, tmp_path / "models")
    shutil.copytree(home / "pfps-0.0.1", home / "pfps-0.0.2")
    rewrite(home / "pfps-0.0.2", "manifest.json", lambda manifest: manifest.update(version="0.0.2"))
    return home


@pytest.mark.slow
@pytest.mark.parametrize("command", [BENTOML, PFPS], ids=["bentoml", "pfps"])
def test_over_http_the_answer_is_the_same_the_door_is_local_and_the_log_is_silent(
    command, models_home, bundle, tmp_path
):
    with process_of(command, tmp_path, models_home) as (http, process, log):
        expected = assess(bundle, check(pd.DataFrame([PATIENT])).values).as_dict(0)
        assert ask(http, **PATIENT).json() == json.loads(json.dumps(expected))
        refusal(ask(http, **PATIENT | {"runner_id": CANARY * 40, "age_years": 7654321.5}), 422)
        refusal(http.post("/assess", content=b"x", headers={"Content-Type": "application/vnd.bentoml+pickle"}), 415)
        refusal(http.post("/assess", content=b" " * (LARGEST + 1), headers=JSON), 413)
        refusal(http.get(f"/{CANARY}"), 404)
        many = GOOD + "".join(f"R-{at},{CANARY},30,female,170,25,no,{CANARY * 9}\n" for at in range(3, 20_000))
        answer = http.post("/score_roster", files={"roster": ("r.csv", many.encode())})
        assert answer.headers["x-pfps-counts"] == "in=19999; scored=19999; partly=0; rejected=0"
        assert http.post("/assess_roster", json={"runners": [PATIENT, {}]}).json()["counts"]["rejected"] == 1
        assert CANARY not in http.get("/metrics").text
        one = psutil.Process(process.pid)
        family = (one, *one.children(recursive=True))
        doors = {door.laddr.ip for each in family for door in each.net_connections("inet") if door.status == "LISTEN"}
        assert doors == {"127.0.0.1"}
    told = log.read_text(encoding="utf-8")
    assert f"bundle {bundle.name} is in service" in told
    assert CANARY not in told and "7654321" not in told


@pytest.mark.slow
def test_a_signal_swaps_the_bundle_under_load_without_a_failed_request_and_it_ends_in_good_order(home, tmp_path):
    promotions, seen, failed = tmp_path / "promotions", [], []
    with process_of(PFPS, tmp_path, home, PFPS_PROMOTION_LOG=str(promotions)) as (http, process, _):
        stop = threading.Event()

        def ask_on():
            with httpx.Client(base_url=http.base_url, timeout=LIMIT) as own:
                while not stop.is_set():
                    answer = ask(own, **PATIENT)
                    (seen if answer.status_code == 200 else failed).append(answer.json())

        clients = [threading.Thread(target=ask_on) for _ in range(4)]
        for client in clients:
            client.start()
        (home / "CURRENT").write_text("pfps-0.0.2\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: http.get("/about").json()["bundle"] == "pfps-0.0.2")
        (home / "CURRENT").write_text("nothing-of-that-name\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: "refused" in promotions.read_text())
        assert http.get("/readyz").status_code == 200
        stop.set()
        for client in clients:
            client.join()
        process.terminate()
        assert process.wait(timeout=LIMIT) == 0
    assert not failed and {answer["bundle"] for answer in seen} <= {"pfps-0.0.1", "pfps-0.0.2"}
    events = [json.loads(line)["event"] for line in promotions.read_text().splitlines()]
    assert events == ["live", "ended", "live", "refused", "ended"]


@pytest.mark.slow
def test_keys_open_it_to_other_machines_and_close_it_to_everybody_without(models_home, tmp_path):
    with process_of(PFPS, tmp_path, models_home, PFPS_API_KEYS="a-key", PFPS_RATE_LIMIT="1") as (http, process, _):
        doors = psutil.Process(process.pid).net_connections("inet")
        assert {door.laddr.ip for door in doors if door.status == "LISTEN"} == {"0.0.0.0"}
        refusal(ask(http, **PATIENT), 401)
        http.headers["Authorization"] = "Bearer a-key"
        # one request at once and one a minute: a busy machine has not filled the bucket again so soon
        statuses = [ask(http, **PATIENT).status_code for _ in range(3)]
        assert statuses == [200, 429, 429]


@pytest.mark.slow
def test_a_bento_is_code_and_bundle_only_and_serves_from_anywhere(models_home, tmp_path):
    own = os.environ | {"BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    (tmp_path / "bentoml").mkdir()
    built = subprocess.run([BIN / "bentoml", "build", "-o", "tag"], cwd=HOUSE, env=own, check=True, capture_output=True)
    tag = built.stdout.decode().strip().rpartition("__tag__:")[2]
    [bento] = (tmp_path / "bentoml" / "bentos" / "pfps").glob("*/")
    assert tag == f"pfps:{bento.name}"
    inside = bento / "src"
    assert {path.name for path in inside.iterdir()} == {"serving", "pfps_ml", "models", "bentofile.yaml"}
    endings = {path.suffix for path in inside.rglob("*") if path.is_file()}
    texts = {".json", ".md", ".toml", ".csv", ".html", ".js", ".css", ".svg", ".yaml", ".po", ".typed", ""}
    assert endings <= {".py"} | texts
    assert [path.name for path in inside.rglob("*.csv")] == ["evidence.csv"]
    assert "bentoml serve" in (bento / "env" / "docker" / "entrypoint.sh").read_text()
    assert "FROM python:3" in (bento / "env" / "docker" / "Dockerfile").read_text()
    # another name inside shows that nothing is read from the checkout
    released = (inside / "models" / "CURRENT").read_text().strip()
    (inside / "models" / released).rename(inside / "models" / "elsewhere")
    (inside / "models" / "CURRENT").write_text("elsewhere\n")
    (tmp_path / "empty").mkdir()
    with process_of((BIN / "bentoml", "serve", "pfps:latest"), tmp_path, "", cwd=tmp_path / "empty") as (http, _, _):
        assert ask(http, **PATIENT).json()["bundle"] == "elsewhere"
        assert http.get("/").headers["content-type"].startswith("text/html")
