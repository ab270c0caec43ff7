"""What is refused: always in one shape, in the dictionary's words."""

import json

from serving.requests import ENDPOINTS
from tests.serving.client import CANARY, JSON, RUNNER, THEIRS, ask, refusal

LARGEST = ENDPOINTS["/assess"].max_bytes
pytestmark = THEIRS


def test_an_impossible_value_is_refused_in_the_dictionarys_words(client, subtests):
    for name, value, message in [
        ("age_years", 255, "expected a number from 10 to 90 years, got 255"),
        ("age_years", None, "expected a number from 10 to 90 years, got nothing"),
        ("height_cm", "168", "expected a number from 120 to 220 cm, got text"),
        ("height_cm", True, "expected a number from 120 to 220 cm, got true or false"),
        ("height_cm", [168], "expected a number from 120 to 220 cm, got a list"),
        ("height_cm", {}, "expected a number from 120 to 220 cm, got an object"),
        ("height_cm", 10**400, "expected a number from 120 to 220 cm, got no finite number"),
        ("foot_posture_index", 2.5, "expected a whole number from -12 to 12 points, got 2.5"),
        ("foot_posture_index", 13.0, "expected a whole number from -12 to 12 points, got 13"),
        ("foot_posture_index", "7.0", "expected a whole number from -12 to 12 points, got text"),
        ("foot_posture_index", False, "expected a whole number from -12 to 12 points, got true or false"),
        ("sex", "Female", "expected female or male, got another level"),
        ("prior_pfps", True, "expected no or yes, got true or false"),
        ("runner_id", 7, "expected text, got something else: Input should be a valid string"),
        ("club", "x" * 201, "expected text, got something else: String should have at most 200 characters"),
    ]:
        with subtests.test(name=name, value=value, message=message):
            error = refusal(ask(client, **RUNNER | {name: value}), 422)
            assert error["code"] == "invalid"
            assert error["faults"] == [{"row": 0, "field": name, "message": message}]


def test_all_faults_are_told_at_once(client):
    error = refusal(ask(client, sex="unknown", weight_kg=1564), 422)
    assert {fault["field"] for fault in error["faults"]} == {"age_years", "sex", "weight_kg"}
    assert "3 faults" in error["message"]
    assert {
        "row": 0,
        "field": "age_years",
        "message": "is required: expected a number from 10 to 90 years, got nothing",
    } in error["faults"]


def test_an_unknown_key_is_refused_and_a_likely_field_is_named(client):
    error = refusal(ask(client, **RUNNER | {"weight_lb": 130}), 422)
    assert [(fault["row"], fault["field"]) for fault in error["faults"]] == [(0, "weight_kg")]
    assert "if it is weight_kg (a number from 30 to 200 kg), name it so" in error["faults"][0]["message"]


def test_a_thousand_unknown_keys_are_one_fault(client):
    error = refusal(ask(client, **RUNNER, **{f"{CANARY}{i}": i for i in range(1000)}), 422)
    assert len(error["faults"]) == 1 and error["faults"][0]["field"] is None


def test_a_request_of_another_shape_is_told_the_right_one(client, subtests):
    for body, got in [
        ({}, "got nothing"),
        ({"runner": RUNNER, "extra": 1}, "got another key"),
        ({"runner": None}, "got nothing"),
        ({"runner": [RUNNER]}, "got a list"),
        ({"runner": 3}, "got 3"),
        ([RUNNER], "got a list"),
    ]:
        with subtests.test(body=body, got=got):
            [fault] = refusal(client.post("/assess", json=body), 422)["faults"]
            assert fault["row"] is None and fault["field"] is None
            assert fault["message"] == f'expected {{"runner": {{...}}}} and no other key, {got}'


def test_a_number_that_is_not_finite_is_refused(client, subtests):
    for literal in ["NaN", "Infinity", "-Infinity", "1e999"]:
        with subtests.test(literal=literal):
            body = f'{{"runner": {{"age_years": {literal}, "sex": "male"}}}}'
            error = refusal(client.post("/assess", content=body, headers=JSON), 422)
            assert error["faults"][0]["message"].endswith("got no finite number")


def test_a_body_that_is_not_json_is_unreadable(client, subtests):
    for body in [b"", b"{", b"age_years=24", b"\xff\xfe\x00", b'{"runner": {"club": "\\ud800"}}', b"[" * 100_000]:
        with subtests.test(body=body):
            error = refusal(client.post("/assess", content=body, headers=JSON), 400)
            assert error["code"] == "unreadable" and error["faults"] == []


def test_another_media_type_is_refused_unread(client, subtests):
    for media in [
        "application/vnd.bentoml+pickle",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/json",
        "",
    ]:
        with subtests.test(media=media):
            response = client.post("/assess", content=json.dumps({"runner": RUNNER}), headers={"Content-Type": media})
            assert refusal(response, 415)["code"] == "media_type"


def test_json_may_name_its_character_set(client):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/assess", content=json.dumps({"runner": RUNNER}), headers=headers).status_code == 200


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(client):
    padded = json.dumps({"runner": RUNNER}).encode().ljust(LARGEST + 1)
    told = client.post("/assess", content=padded, headers=JSON)
    untold = client.post("/assess", content=iter([padded[:1_000_000], padded[1_000_000:]]), headers=JSON)
    assert refusal(told, 413)["code"] == refusal(untold, 413)["code"] == "too_large"
    assert client.post("/assess", content=padded[:-1], headers=JSON).status_code == 200


def test_a_route_that_is_not_there_and_a_method_that_it_has_not(client):
    assert refusal(client.get("/nothing"), 404)["code"] == "not_found"
    assert refusal(client.post("/nothing", json={"runner": RUNNER}), 404)["code"] == "not_found"
    wrong = client.get("/assess")
    assert refusal(wrong, 405)["code"] == "method_not_allowed"
    assert wrong.headers["allow"] == "POST"
    assert "GET" in client.post("/about").headers["allow"]


def test_a_route_with_a_slash_too_many_is_not_there_and_nobody_is_sent_elsewhere(client, subtests):
    for path in ["/assess/", "/about/", "/docs.json/"]:
        for method in ["GET", "POST"]:
            with subtests.test(path=path, method=method):
                response = client.request(method, path, json={"runner": RUNNER}, follow_redirects=False)
                assert refusal(response, 404)["code"] == "not_found"
                assert "location" not in response.headers


def test_a_key_that_stands_twice_is_refused_and_named_if_it_is_one_of_ours(client, subtests):
    rest = '"age_years": 27, "sex": "female"'
    for path, body, fields, named in [
        ("/assess", f'{{"runner": {{{rest}, "age_years": 27}}}}', ["age_years"], "expected age_years once"),
        ("/assess", f'{{"runner": {{}}, "runner": {{{rest}}}}}', [None], "expected runner once"),
        ("/assess", f'{{"runner": [{"{}," * 1000}{{}}], "runner": {{{rest}}}}}', [None], "that is no field"),
        ("/assess", f'{{"runner": {{{rest}, "sex": "male", "age_years": 3, "sex": "female", "age_years": 27}}}}',
         ["sex", "age_years"], "got it twice"),
        ("/assess_roster", f'{{"runners": [{{{rest}, "runner_id": "a", "runner_id": "b"}}]}}', ["runner_id"], "once"),
        ("/assess_roster", f'{{"runners": [{{{rest}, "{CANARY}": 1, "{CANARY}": 2}}]}}', [None], "that is no field"),
        ("/assess_roster", f'{{"reasons": 1{"0" * 400}, "reasons": 1, "runners": [{{{rest}}}]}}', [None], "reasons"),
    ]:  # fmt: skip
        with subtests.test(body=body[:80]):
            answer = client.post(path, content=body, headers=JSON)
            error = refusal(answer, 400)
            assert error["code"] == "key_repeated"
            assert {fault["field"] for fault in error["faults"]} == set(fields)
            assert all(named in fault["message"] for fault in error["faults"]) and CANARY not in answer.text


def test_the_same_key_in_two_objects_is_no_repeated_one(client):
    rows = [RUNNER, RUNNER | {"runner_id": "R-02"}]
    assert client.post("/assess_roster", json={"runners": rows}).json()["counts"]["scored"] == 2


def test_a_body_that_is_compressed_or_of_another_charset_is_refused_unread(client, subtests):
    import gzip

    body = json.dumps({"runner": RUNNER})
    for content, headers, named in [
        (gzip.compress(body.encode()), {"Content-Encoding": "gzip"}, "Content-Encoding"),
        (body, {"Content-Encoding": "identity, br"}, "Content-Encoding"),
        (body.encode("utf-16"), {"Content-Type": "application/json; charset=utf-16"}, "charset"),
        (body.encode("latin-1"), {"Content-Type": 'application/json; charset="iso-8859-1"'}, "charset"),
    ]:
        with subtests.test(headers=headers):
            answer = client.post("/assess", content=content, headers=JSON | headers)
            error = refusal(answer, 415)
            assert error["code"] == "content_coding" and named in error["message"]
            assert answer.headers["accept-encoding"] == "identity"
    plain = {"Content-Type": "application/json; charset=UTF-8", "Content-Encoding": "Identity"}
    assert client.post("/assess", content=body, headers=plain).status_code == 200


def test_two_media_types_are_none(client):
    import httpx

    headers = httpx.Headers([("content-type", "application/json"), ("content-type", "text/plain")])
    answer = client.post("/assess", content=json.dumps({"runner": RUNNER}), headers=headers)
    assert refusal(answer, 415)["code"] == "media_type"
