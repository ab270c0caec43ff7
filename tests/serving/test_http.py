"""The service as `make serve` starts it: another process, a real port."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest

from pfps_ml.assess import assess
from pfps_ml.knowledge.checker import check
from serving.guard import LARGEST
from tests.serving.client import CANARY, HOUSE, JSON, PATIENT, ask, refusal, until_ready


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def served(models_home, tmp_path):
    """Return the address of a service in a process of its own, that process, and the file that it logs to."""
    port, log = free_port(), tmp_path / "log"
    own = {"PFPS_MODELS": str(models_home), "BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    command = [Path(sys.executable).parent / "bentoml", "serve", "serving.service:PfpsService", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=HOUSE, env=os.environ | own, stdout=out, stderr=subprocess.STDOUT)
    yield f"http://127.0.0.1:{port}", process, log
    process.terminate()
    process.wait(timeout=30)


@pytest.mark.slow
def test_over_http_the_answer_is_the_same_the_door_is_local_and_the_log_is_silent(served, bundle):
    address, process, log = served
    with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=30), timeout=30) as http:
        until_ready(http.get)
        expected = assess(bundle, check(pd.DataFrame([PATIENT])).values).as_dict(0)
        assert ask(http, **PATIENT).json() == json.loads(json.dumps(expected))
        refusal(ask(http, **PATIENT | {"runner_id": CANARY * 40, "age_years": 7654321.5}), 422)
        refusal(http.post("/assess", content=b"x", headers={"Content-Type": "application/vnd.bentoml+pickle"}), 415)
        refusal(http.post("/assess", content=b" " * (LARGEST + 1), headers=JSON), 413)
        refusal(http.get(f"/{CANARY}"), 404)
        assert http.get("/metrics").status_code == 200
    supervisor = psutil.Process(process.pid)
    family = (supervisor, *supervisor.children(recursive=True))
    doors = {door.laddr.ip for one in family for door in one.net_connections("inet") if door.status == "LISTEN"}
    assert doors == {"127.0.0.1"}
    told = log.read_text(encoding="utf-8")
    assert f"bundle {bundle.name} is in service" in told
    assert CANARY not in told and "7654321" not in told
