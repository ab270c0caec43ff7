"""A canary in every field, on every route and in every error: it comes back to nobody, and stays nowhere."""

import json
import pickle
import tempfile

from pfps_ml.domain.dictionary import INPUTS
from tests.rosters import GOOD
from tests.serving.client import CANARY, JSON, PATIENT, RUNNER, THEIRS, client_of

pytestmark = THEIRS
NUMBER = 7654321.5
PICKLE = "application/vnd.bentoml+pickle"


def everywhere(client):
    """Send the canary in every field and on every road that ends in an error; return the answers."""
    texts = {field.name: CANARY for field in INPUTS if field.kind in ("text", "choice")}
    numbers = {field.name: NUMBER for field in INPUTS if field.kind in ("number", "whole")}
    wrong = [PATIENT | {field.name: texts.get(field.name, NUMBER)} for field in INPUTS]
    wrong += [texts | numbers, PATIENT | {CANARY: CANARY}, {CANARY: {CANARY: [CANARY]}}, CANARY]
    file = GOOD + f"{CANARY},{CANARY},{NUMBER},{CANARY},{CANARY},{CANARY},{CANARY},{CANARY}\n"
    upload = {"roster": (f"{CANARY}.csv", file.encode())}
    yield from (client.post("/assess", json={"runner": row}) for row in wrong)
    yield client.post("/assess_roster", json={"runners": [RUNNER, *wrong]})
    yield client.post("/assess_roster", json={"runners": wrong, CANARY: CANARY})
    yield client.post("/score_roster", files=upload)
    yield client.post("/score_roster", files={"roster": (f"{CANARY}.{CANARY}", file.encode())})
    yield client.post("/score_roster", files={"roster": ("x.csv", f"{CANARY}\n{CANARY}\n".encode())})
    yield client.post("/score_roster", files=upload | {"map": (CANARY, f"[{CANARY}".encode())})
    asked = {"roster": ("x.csv", f"Nr,Age,{CANARY},hip abd N\n{CANARY},30,{CANARY},150\n".encode())}
    for answers in (f'[{{"id": "{CANARY}", "answer": "{CANARY}"}}]', f'["{CANARY}"]', f"[{CANARY}", "[]"):
        yield client.post("/map", files=asked | {"answers": (CANARY, answers.encode())})
    yield client.post("/map", files=upload | {"map": (CANARY, f"[{CANARY}".encode())})
    for path in ("/assess", "/assess_roster", "/score_roster", "/map"):
        yield client.post(path, content=f'{{"{CANARY}": {CANARY}', headers=JSON)
        yield client.post(path, content=CANARY, headers={"Content-Type": f"{CANARY}/{CANARY}"})
        yield client.post(
            path, content=b"\x80\x04" + CANARY.encode(), headers={"Content-Type": "application/vnd.bentoml+pickle"}
        )
    yield client.get(f"/{CANARY}?{CANARY}={CANARY}", headers={"User-Agent": CANARY, "Authorization": CANARY})
    yield client.get(f"/page/{CANARY}")
    yield client.request(CANARY.upper(), "/assess")


def test_no_text_and_no_value_of_a_request_is_logged_counted_or_kept(client, logged, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PFPS_AUDIT", str(tmp_path / "audit"))
    answers = list(everywhere(client))
    assert {answer.status_code for answer in answers} >= {200, 400, 404, 405, 415, 422}
    assert not [answer for answer in answers if answer.status_code >= 500]
    log = [line for line in logged().splitlines() if "httpx" not in line]  # the client's own log
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    for text in ("\n".join(log), client.get("/metrics").text, "".join(files)):
        assert CANARY not in text and "7654321" not in text
    for answer in answers:
        if answer.status_code >= 400:
            assert CANARY not in answer.text and CANARY not in str(answer.headers)


def test_an_audit_says_who_was_answered_what_but_not_about_whom(client, active, bundle, tmp_path, monkeypatch):
    from hashlib import sha256

    from pfps_ml.io.pseudonyms import mark, mark_key
    from serving.access import access_from

    monkeypatch.setenv("PFPS_AUDIT", str(tmp_path / "audit"))
    access = access_from({"PFPS_AUDIT": "anything", "PFPS_API_KEYS": "k"})
    audited = client_of(active, access)
    audited.headers["Authorization"] = "Bearer k"
    body = json.dumps({"runners": [RUNNER, PATIENT | {"runner_id": CANARY, "age_years": 300}]}).encode()
    answer = audited.post("/assess_roster", content=body, headers=JSON).json()
    audited.post("/score_roster", files={"roster": ("r.csv", GOOD.encode())})
    audited.post("/assess_roster", content=b"{", headers=JSON)
    audited.get("/about")
    audited.get("/tables")
    first, second = (json.loads(line) for line in (tmp_path / "audit").read_text().splitlines())
    assert set(first) == {"time", "route", "key", "bundle", "input", "risks", "people"}
    assert first["people"] == [mark(RUNNER["runner_id"], mark_key(tmp_path / "audit")), None]
    assert first["input"] == sha256(body).hexdigest() and first["bundle"] == bundle.name
    assert first["key"] == sha256(b"k").hexdigest()[:8]
    assert first["risks"] == [answer["rows"][0]["assessment"]["risk"]["probability"], None]
    assert second["counts"] == {"in": 2, "scored": 2, "partly": 0, "rejected": 0} and second["route"] == "/score_roster"
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o600


def test_nothing_is_unpickled_while_it_serves(client, monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("something was unpickled")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    answers = [answer.status_code for answer in everywhere(client)]
    assert 415 in answers and 200 in answers and max(answers) < 500
    assert client.post("/reload").status_code == 200


def test_a_pickled_body_is_refused_unread(client, subtests):
    for route in ["/assess", "/assess_roster", "/score_roster"]:
        for media in ["application/vnd.bentoml+pickle", "application/octet-stream", "application/x-pickle"]:
            with subtests.test(route=route, media=media):
                answer = client.post(route, content=pickle.dumps({"runner": RUNNER}), headers={"Content-Type": media})
                assert answer.status_code == 415
