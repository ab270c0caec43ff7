"""What must not be said: no value in a log, no text in an error; and what an unready or failing service says."""

from pfps_ml.domain.dictionary import INPUTS
from tests.serving.client import CANARY, JSON, RUNNER, THEIRS, ask, refusal

pytestmark = THEIRS


def test_without_a_bundle_the_service_is_alive_but_not_ready_and_its_log_says_why(unready, tmp_path):
    client, told = unready
    assert "bundle_missing" in told and str(tmp_path) in told
    assert client.get("/livez").status_code == 200
    assert refusal(client.get("/readyz"), 503)["code"] == "service_unavailable"
    assert refusal(ask(client, **RUNNER), 503)["code"] == "bundle"
    assert str(tmp_path) not in ask(client, **RUNNER).text
    assert client.get("/about").json()["bundle"] is None


def test_a_fault_of_ours_is_a_500_in_the_same_shape_and_its_log_holds_no_value(client, monkeypatch, logged):
    def broken(*_):
        raise ValueError(f"could not convert {CANARY} to float")

    monkeypatch.setattr("serving.microbatch.assess", broken)
    monkeypatch.setattr("serving.pages.about", broken)
    for response in (ask(client, **RUNNER), client.get("/about")):
        assert refusal(response, 500)["code"] == "internal_server_error"
        assert CANARY not in response.text
    told = logged()
    assert told.count("ValueError") >= 2 and "in broken" in told and CANARY not in told


def test_no_error_and_no_log_holds_a_value_or_a_text_of_the_request(client, logged):
    texts = {field.name: CANARY for field in INPUTS if field.kind in ("text", "choice")}
    replies = [
        ask(client, **RUNNER | texts | {CANARY: CANARY, "age_years": 7654321.5}),
        ask(client, **RUNNER | {"runner_id": CANARY, "club": CANARY}),
        client.post("/assess", json={"runner": RUNNER, CANARY: CANARY}),
        client.post("/assess", content=f'{{"runner": {CANARY}', headers=JSON),
        client.post("/assess", content=CANARY, headers={"Content-Type": CANARY}),
        client.get(f"/{CANARY}?{CANARY}"),
    ]
    assert [reply.status_code for reply in replies] == [422, 200, 422, 400, 415, 404]
    assert not [reply for reply in replies if CANARY in reply.text]
    assert "got 7654321.5" in replies[0].text  # a number may be told to its sender
    told = logged()
    ours = [line for line in told.splitlines() if "httpx" not in line]  # the test's own client logs its addresses
    assert CANARY not in "".join(ours) and "7654321" not in told
