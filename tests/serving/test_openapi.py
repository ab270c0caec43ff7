"""The OpenAPI document says what the service does: thousands of requests that it allows, and many that it does not."""

from contextlib import suppress
from itertools import product

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from pfps_ml.domain.dictionary import INPUTS
from pfps_ml.domain.rules import rules_with
from serving.requests import ENDPOINTS
from tests.serving.client import PATIENT, RUNNER, THEIRS, ask

pytestmark = THEIRS
SETTINGS = settings(deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def document(client):
    """Return the document, as a client gets it."""
    return client.get("/docs.json").json()


def resolved(document, path, method, status="200"):
    [content] = document["paths"][path][method]["responses"][status]["content"].values()
    return {**content["schema"], "components": document["components"]}


def test_every_route_and_every_error_is_in_it(document):
    assert set(document["paths"]) == set(ENDPOINTS)
    codes = {code for path in document["paths"].values() for each in path.values() for code in each["responses"]}
    assert codes == {"200", "400", "401", "403", "404", "405", "413", "415", "422", "429", "500", "503", "504"} - {
        "404"
    }


def test_fields_have_their_units_and_limits(document):
    fields = document["components"]["schemas"]["Runner"]["properties"]
    assert set(fields) == {field.name for field in INPUTS}
    for field in INPUTS:
        about = fields[field.name]
        assert about["title"] == field.label
        if field.kind in ("number", "whole"):
            assert field.unit in about["description"]
            number = about if "minimum" in about else about["anyOf"][0]
            assert (number["minimum"], number["maximum"]) == (field.low, field.high)


def test_the_examples_are_what_the_service_answers(client, document):
    for path in ("/assess", "/assess_roster"):
        operation = document["paths"][path]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["examples"]
        told = operation["responses"]["200"]["content"]["application/json"]["examples"]
        assert asked and set(asked) == set(told)
        for name, each in asked.items():
            assert client.post(path, json=each["value"]).json() == told[name]["value"]


def test_answers_have_the_shapes_that_it_gives(client, document):
    rows = {"runners": [PATIENT, RUNNER | {"runner_id": "b", "current_knee_pain": "yes"}, 3], "reasons": 2}
    answers = {
        ("/assess", "post"): ask(client, **PATIENT),
        ("/assess_roster", "post"): client.post("/assess_roster", json=rows),
        ("/reload", "post"): client.post("/reload"),
        ("/about", "get"): client.get("/about"),
        ("/tables", "get"): client.get("/tables"),
    }
    for (path, method), answer in answers.items():
        jsonschema_rs.validate(resolved(document, path, method), answer.json())
    jsonschema_rs.validate(resolved(document, "/assess", "post", "422"), ask(client).json())


def test_without_a_bundle_the_document_has_no_examples_of_answers(unready):
    told = unready[0].get("/docs.json").json()
    assert "examples" not in told["paths"]["/assess"]["post"]["responses"]["200"]["content"]["application/json"]


def explore(document, client, cases):
    """Let schemathesis ask each route so many times in each mode, and check each answer; return how many it made."""
    import requests
    import schemathesis
    from schemathesis.checks import CHECKS

    made = []
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    for operation, mode in product(operations, schemathesis.GenerationMode):

        @settings(
            max_examples=cases, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(operation.as_strategy(generation_mode=mode))
        def once(case):
            sent = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
            answer = client.request(sent.method, sent.url, content=sent.body, headers=dict(sent.headers))
            made.append(answer.status_code)
            beyond = [CHECKS.get_one("positive_data_acceptance")] if is_beyond_schemas(case.path, answer) else []
            case.validate_response(schemathesis.Response.from_httpx(answer, verify=False), excluded_checks=beyond)

        with suppress(Unsatisfiable):  # a route that reads nothing has nothing to get wrong
            once()
    return made


def is_beyond_schemas(path, answer):
    """Return whether an answer may refuse what the schema allows: none can say which bytes are a roster, or compare
    two values of a request."""
    contradictions = {rule.code for rule in rules_with("set_aside")}
    refused = path == "/assess" and answer.status_code == 422
    return path in ("/score_roster", "/map") or (
        refused and {fault["code"] for fault in answer.json()["error"]["faults"]} <= contradictions
    )


def test_a_few_generated_requests_are_answered_as_documented(client, document):
    statuses = explore(document, client, 4)
    assert {200, 422} <= set(statuses) and max(statuses) < 500


@pytest.mark.slow
def test_thousands_of_generated_requests_are_answered_as_documented(client, document):
    statuses = explore(document, client, 400)
    assert len(statuses) >= 2_000 and max(statuses) < 500
    assert {200, 400, 422} <= set(statuses)  # it sends no other media types: those have tests of their own
