"""The endpoint answers what the library answers, and says what it is."""

import gc
import json

import pandas as pd
import pytest

from pfps_ml import __version__
from pfps_ml.core.errors import InvalidInput
from pfps_ml.domain.dictionary import ARMS, INPUTS
from pfps_ml.domain.input_validation import check
from pfps_ml.domain.schemas import NOTICE
from pfps_ml.model.assess import assess
from serving.requests import AssessRequest, coded
from tests.serving.client import CANARY, PATIENT, RUNNER, THEIRS, ask

pytestmark = THEIRS


def test_the_reply_is_the_librarys_assessment_to_the_last_digit(client, bundle, subtests):
    for runner in [RUNNER, PATIENT, {"age_years": 90.0, "sex": "male"}]:
        with subtests.test(runner=runner):
            expected = assess(bundle, check(pd.DataFrame([runner])).values).as_dict(0)
            reply = ask(client, **runner)
            assert reply.status_code == 200
            assert reply.json() == json.loads(json.dumps(expected))


def test_the_contributions_of_the_reply_sum_to_the_log_odds(client):
    answer = ask(client, **PATIENT).json()
    parts = sum(reason["log_odds"] for reason in answer["reasons"])
    assert parts == pytest.approx(answer["risk"]["log_odds"] - answer["risk"]["base_log_odds"], abs=1e-9)
    assert sum(answer["drivers"].values()) == pytest.approx(parts, abs=1e-9)


def test_a_runner_gets_a_risk_and_a_patient_the_pathways_too(client):
    runner, patient = ask(client, **RUNNER).json(), ask(client, **PATIENT).json()
    assert runner["risk"]["low"] <= runner["risk"]["probability"] <= runner["risk"]["high"]
    assert runner["pathways"] is None and runner["preference"] is None and runner["tests"] is None
    assert [pathway["arm"] for pathway in patient["pathways"]] == [arm.name for arm in ARMS]
    assert patient["trained_on"]["notice"] == runner["trained_on"]["notice"] == NOTICE


def test_a_runner_who_has_knee_pain_now_is_not_scored_for_onset(client):
    answer = ask(client, **RUNNER, current_knee_pain="yes").json()
    assert answer["risk"] is None and answer["reasons"] == []


def test_a_field_that_is_null_counts_as_not_measured(client):
    silent = ask(client, **RUNNER, navicular_drop_mm=None, club=None)
    assert silent.json() == ask(client, **RUNNER).json()


def test_a_whole_number_may_be_written_with_a_point_as_in_a_roster(client):
    pointed = RUNNER | {"foot_posture_index": float(RUNNER["foot_posture_index"])}
    assert ask(client, **pointed).json() == ask(client, **RUNNER).json()


def test_a_pseudonym_changes_nothing_and_is_not_needed(client):
    nameless = {name: value for name, value in RUNNER.items() if name != "runner_id"}
    assert ask(client, **nameless).json() == ask(client, **nameless, runner_id=CANARY).json()


def test_every_field_of_the_dictionary_can_be_sent_and_no_other(client):
    schema = client.get("/schema").json()
    runner = schema["$defs"]["Runner"]
    assert list(runner["properties"]) == [field.name for field in INPUTS]
    assert runner["required"] == ["age_years", "sex"]
    assert runner["additionalProperties"] is schema["additionalProperties"] is False


def test_the_service_says_what_it_is(client, bundle):
    about = client.get("/about").json()
    assert (about["name"], about["version"], about["notice"]) == ("pfps-ml", __version__, NOTICE)
    assert about["bundle"] == bundle.name
    assert about["intended_use"] == bundle.manifest["intended_use"]
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"


def test_the_page_the_card_and_the_documents_are_served(client, bundle):
    assert NOTICE in client.get("/").text
    card = client.get("/card")
    assert card.headers["content-type"].startswith("text/markdown") and card.text == bundle.card
    for path in ("/schema", "/docs.json", "/readyz"):
        assert client.get(path).status_code == 200


def test_once_the_bundle_is_loaded_the_collector_leaves_it_alone(client):
    assert gc.get_freeze_count() > 10_000


def test_the_checker_has_the_last_word_over_the_request_model():
    odd = AssessRequest.model_fields["runner"].annotation.model_construct(age_years=255, sex="male")
    with pytest.raises(InvalidInput) as refused:
        coded([odd])
    assert [fault.field for fault in refused.value.faults] == ["age_years"]
