"""What the tests of the endpoint share: two requests, a client, and what a refusal looks like."""

from pathlib import Path

import pytest

from tests.waiting import until

HOUSE = Path(__file__).parents[2]
JSON = {"Content-Type": "application/json"}
CANARY = "canary-7f3a"

RUNNER = {
    "runner_id": "R-01", "age_years": 24, "sex": "female", "height_cm": 168, "weight_kg": 59.5,
    "weekly_distance_km": 42, "longest_run_spike_pct": 35, "prior_pfps": "no", "prior_running_injury_12m": "yes",
    "knee_extension_nm_kg": 1.9, "foot_posture_index": 7,
}  # fmt: skip
PATIENT = RUNNER | {
    "symptom_duration_months": 8, "worst_pain_mm": 62, "akps": 71, "stairs_pain": "yes", "sitting_pain": "no",
    "failed_conventional_care": "no",
}  # fmt: skip


THEIRS = [
    # Starlette's client, which wants httpx2
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`"),
]


# a request from this machine, as a server sees it
LOCAL = {"client": ("127.0.0.1", 50_000), "base_url": "http://127.0.0.1:3000", "raise_server_exceptions": False}


def client_of(active, access=None):
    """Return a client of the application, in this process; inside `with`, the released bundle is in service."""
    from starlette.testclient import TestClient

    from serving.access import access_from
    from serving.app import create_app

    return TestClient(create_app(active, access or access_from({})), **LOCAL)


def until_ready(get):
    until(lambda: get("/readyz").status_code == 200, "that the service is ready")


def ask(client, **runner):
    return client.post("/assess", json={"runner": runner})


def refusal(response, status):
    """Return the error of a refusal, which has one shape whoever refused; of its faults the row, field and message."""
    from pfps_ml.core.messages import sentence

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"code", "message", "faults"}
    for fault in error["faults"]:
        assert set(fault) == {"row", "fields", "field", "code", "parameters", "text", "message"}
        assert fault["message"] == fault["text"] == sentence(fault["code"], fault["parameters"])
        assert [fault["field"]] == (fault["fields"][:1] or [None])
    error["faults"] = [{name: fault[name] for name in ("row", "field", "message")} for fault in error["faults"]]
    assert error["code"] and error["message"] and response.headers["x-error-code"] == error["code"]
    return error
