"""The tables that a browser gets are the models that answer."""

import json

from pfps_ml.domain.dictionary import FIELDS
from pfps_ml.model.bundle import dump, reproduce
from pfps_ml.model.prediction import predictor_from_json
from tests.serving.client import THEIRS, refusal

pytestmark = THEIRS


def test_models_read_from_the_tables_reproduce_the_golden_answers(client, bundle):
    found = client.get("/tables").json()
    golden = json.loads((bundle.path / "golden.json").read_text())
    reproduce(predictor_from_json(found["onset"], found["pathways"]), golden, bundle.schema.fields)
    assert dump(found["reference"]) == dump(bundle.reference)
    assert found["bundle"] == bundle.name


def test_the_tables_say_what_their_numbers_mean(client):
    found = client.get("/tables").json()
    assert [field["name"] for field in found["fields"]] == [field.name for field in FIELDS]
    sex = next(field for field in found["fields"] if field["name"] == "sex")
    assert sex["levels"] == ["female", "male"] and "low" not in sex
    age = next(field for field in found["fields"] if field["name"] == "age_years")
    assert (age["low"], age["high"], age["unit"], age["limits"]) == (10, 90, "years", "a number from 10 to 90 years")
    assert found["arms"][0]["name"] == found["reference_arm"] == "usual_care"


def test_they_are_sent_once_and_then_only_if_they_have_changed(client):
    first = client.get("/tables")
    assert first.headers["content-encoding"] == "gzip" and first.headers["cache-control"] == "private, no-cache"
    again = client.get("/tables", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content
    plain = client.get("/tables", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.json() == first.json()


def test_without_a_bundle_there_are_none(unready):
    assert refusal(unready[0].get("/tables"), 503)["code"] == "bundle"
