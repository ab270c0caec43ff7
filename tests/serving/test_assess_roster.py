"""Many runners in one request: every row comes back once, in order, whatever the others are."""

import json

import pytest

from pfps_ml.domain.dictionary import ONSET_FIELDS
from serving.requests import ENDPOINTS, MAX_ROWS
from tests.serving.client import CANARY, JSON, PATIENT, RUNNER, THEIRS, ask, refusal

pytestmark = THEIRS


def send(client, *rows, **more):
    return client.post("/assess_roster", json={"runners": list(rows), **more})


def test_every_row_comes_back_once_and_in_order_and_a_bad_one_costs_the_others_nothing(client, bundle):
    rows = [
        PATIENT | {"runner_id": "a"},
        RUNNER | {"runner_id": "b", "age_years": 200, "sex": "Male"},
        3,
        RUNNER | {"runner_id": "c", "weight_lb": 130},
        RUNNER | {"runner_id": "d"},
        RUNNER | {"runner_id": "e", "height_cm": 900, "prior_pfps": "perhaps"},
    ]
    answer = send(client, *rows).json()
    assert answer["bundle"] == bundle.name
    assert answer["counts"] == {"in": 6, "scored": 2, "partly": 1, "rejected": 3}
    assert [row["runner_id"] for row in answer["rows"]] == ["a", "b", None, "c", "d", "e"]
    statuses = ["scored", "rejected", "rejected", "rejected", "scored", "partly"]
    assert [row["status"] for row in answer["rows"]] == statuses
    problems = [row["problems"] for row in answer["rows"]]
    assert problems[0] == problems[4] == ""
    expected = (
        "age_years: expected a number from 10 to 90 years, got 200; sex: expected female or male, got another level"
    )
    assert problems[1] == expected
    assert "expected an object with a runner's fields, got 3" in problems[2]
    assert "weight_kg: a key is not a field's name" in problems[3]
    assert [row["assessment"] is None for row in answer["rows"]] == [False, True, True, True, False, False]
    assert problems[5] == (
        "height_cm: expected a number from 120 to 220 cm, got 900; prior_pfps: expected no or yes, got another level"
    )
    blank = {name: value for name, value in RUNNER.items() if name not in ("height_cm", "prior_pfps")}
    [row] = send(client, blank | {"runner_id": "e"}).json()["rows"]
    assert row["assessment"] == answer["rows"][5]["assessment"]


def test_a_row_is_assessed_as_it_would_be_alone_but_names_fewer_reasons(client):
    [row] = send(client, PATIENT).json()["rows"]
    alone = ask(client, **PATIENT).json()
    few, every = row["assessment"].pop("reasons"), alone.pop("reasons")
    assert row["assessment"] == alone
    assert few[:3] == every[:3]
    assert few[3]["field"] is None and few[3]["label"] == "All other fields"
    assert few[3]["log_odds"] == pytest.approx(sum(reason["log_odds"] for reason in every[3:]), abs=1e-12)


def test_however_many_reasons_are_named_they_sum_to_the_log_odds(client, subtests):
    for reasons, named in [(0, 1), (1, 2), (len(ONSET_FIELDS), len(ONSET_FIELDS)), (100, 20)]:
        with subtests.test(reasons=reasons, named=named):
            assert len(ONSET_FIELDS) == 20
            [row] = send(client, RUNNER, reasons=reasons).json()["rows"]
            risk, found = row["assessment"]["risk"], row["assessment"]["reasons"]
            assert len(found) == named
            parts = sum(reason["log_odds"] for reason in found)
            assert parts == pytest.approx(risk["log_odds"] - risk["base_log_odds"], abs=1e-9)


def test_rows_of_a_roster_must_be_told_apart(client):
    answer = send(
        client, RUNNER, RUNNER | {"runner_id": " R-01 "}, RUNNER | {"runner_id": None}, {"age_years": 30}
    ).json()
    problems = [row["problems"] for row in answer["rows"]]
    shared = "runner_id: expected an id of its own, got one that another row has too"
    assert problems[:2] == [shared, shared]
    assert problems[2] == "runner_id: is required: expected a pseudonym, got nothing"
    assert problems[3].startswith("runner_id: is required") and "sex: is required" in problems[3]


def test_a_runner_with_knee_pain_has_no_risk_in_a_roster_either(client):
    [row] = send(client, RUNNER | {"current_knee_pain": "yes"}).json()["rows"]
    assert row["status"] == "scored" and row["assessment"]["risk"] is None and row["assessment"]["reasons"] == []


def test_the_checker_of_rosters_has_the_last_word(client, monkeypatch):
    from serving import roster_routes

    lax = roster_routes.read_row
    monkeypatch.setattr(
        "serving.roster_routes.read_row", lambda *row: (lax(*row)[0].model_copy(update={"age_years": 255}), ())
    )
    [row] = send(client, RUNNER).json()["rows"]
    assert row["problems"] == "age_years: expected a number from 10 to 90 years, got 255"


def test_a_request_of_another_shape_is_told_the_right_one(client, subtests):
    for body in [
        {},
        {"runners": []},
        {"runners": RUNNER},
        {"runners": [RUNNER], "extra": 1},
        {"runners": [RUNNER], "reasons": -1},
        {"runners": [RUNNER], "reasons": "3"},
        {"runners": [1] * (MAX_ROWS + 1)},
        [RUNNER],
    ]:
        with subtests.test(body=body):
            error = refusal(client.post("/assess_roster", json=body), 422)
            assert 'expected {"runners": [...]} with 1 to 5,000 rows' in error["faults"][0]["message"]


def test_a_body_that_is_not_json_or_not_called_so_is_refused(client):
    assert refusal(client.post("/assess_roster", content=b"{", headers=JSON), 400)["code"] == "unreadable"
    assert refusal(client.post("/assess_roster", content=json.dumps({})), 415)["code"] == "media_type"


def test_unknown_keys_without_end_are_one_problem_and_soon_told(client):
    keys = {f"{CANARY}{i}": 1 for i in range(50_000)}
    [first, second] = send(client, keys, RUNNER | {"weigth_kg": 60}).json()["rows"]
    assert "got 50,002 faults, most of them other keys" in first["problems"] and CANARY not in first["problems"]
    assert "if it is weight_kg" in second["problems"]
    [fault] = refusal(client.post("/assess", json={"runner": keys}), 422)["faults"]
    assert fault["field"] is None and "50,002 faults" in fault["message"]


def test_each_row_may_have_keys_of_its_own_and_only_the_first_are_compared_with_the_fields(client):
    rows = [{f"key {at} {i}": 1 for i in range(90)} for at in range(100)]
    last = send(client, *rows, {"weigth_kg": 1}).json()["rows"][-1]
    assert "got another key" in last["problems"] and "weight_kg" not in last["problems"]


def test_a_body_that_is_too_large_is_refused(client):
    for route in ("/assess_roster", "/score_roster"):
        media = {"Content-Type": ENDPOINTS[route].media}
        assert refusal(client.post(route, content=bytes(ENDPOINTS[route].max_bytes + 1), headers=media), 413)
    assert {endpoint.max_bytes for endpoint in ENDPOINTS.values() if endpoint.media} == {2_000_000, 20_000_000}


def test_a_roster_whose_turn_does_not_come_in_time_is_asked_to_come_again_and_is_not_begun(client):
    from threading import Event

    import anyio

    from serving.errors import TooMany
    from serving.microbatch import RosterQueue

    begun, ended, done = Event(), Event(), []

    def in_hand():
        begun.set()
        ended.wait()

    async def crowded():
        queue = RosterQueue(patience=0.0)
        first = queue._thread.submit(in_hand)
        begun.wait()
        with pytest.raises(TooMany) as busy:
            await queue.run(done.append, 1)
        ended.set()
        first.result()
        assert await RosterQueue(patience=60.0).run(len, (1, 2)) == 2
        return busy.value

    assert anyio.run(crowded).wait > 0 and done == []


def test_more_rosters_than_can_wait_are_asked_to_come_again(client):
    import anyio

    from serving.errors import TooMany
    from serving.limits import WorkLimits
    from serving.microbatch import RosterQueue

    async def crowded():
        queue = RosterQueue(WorkLimits(waiting=0))
        with pytest.raises(TooMany) as busy:
            await queue.run(len, ())
        return busy.value

    assert anyio.run(crowded).wait > 0
