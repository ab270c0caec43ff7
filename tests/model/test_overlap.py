"""Overlap: who is unlike anyone who was given a pathway is told so; a bundle without propensities still loads."""

import json

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import BundleFormat
from pfps_ml.domain.dictionary import ARMS
from pfps_ml.domain.input_validation import check
from pfps_ml.model.assess import assess
from pfps_ml.model.bundle import load_bundle
from pfps_ml.model.reference import KEY, overlap_of
from pfps_ml.model.wording import Caution
from tests.bundles import copy, rewrite  # noqa: F401 (a fixture)

RUNNER = {"age_years": 27, "sex": "female"}
PATIENT = {**RUNNER, "akps": 68, "failed_conventional_care": "yes", "symptom_duration_months": 12}


def cautions(bundle, *rows):
    found = assess(bundle, check(pd.DataFrame(list(rows))).values)
    table = found.table(visit=True)["cautions"].astype("str").tolist()
    rows = [found.as_dict(row)["cautions"] for row in range(len(found))]
    assert table == [" ".join(caution["text"] for caution in row) or "nan" for row in rows]
    return [[caution["parameters"]["arm"] for caution in row if caution["code"] == Caution.ARM_HARDLY_GIVEN]
            for row in rows]  # fmt: skip


@pytest.fixture
def strict(copy):  # noqa: F811
    """Return a bundle whose floor is a half: few arms are given to every second patient."""
    rewrite(copy, "reference.json", lambda content: content[KEY].update(floor=0.5))
    return load_bundle(copy)


def test_each_open_pathway_outside_overlap_is_named_in_plain_words(strict):
    closed, opened, runner = cautions(strict, {**PATIENT, "failed_conventional_care": "no"}, PATIENT, RUNNER)
    assert {ARMS[0].name, ARMS[-1].name} <= set(opened)
    assert ARMS[-1].name not in closed
    assert runner == []


def test_inside_overlap_nothing_is_said(bundle):
    assert cautions(bundle, PATIENT) == [[]]


def test_a_bundle_of_before_propensities_were_kept_says_nothing_of_overlap(copy):  # noqa: F811
    rewrite(copy, "reference.json", lambda content: content.pop(KEY))
    found = load_bundle(copy)
    assert found.overlap is None
    assert cautions(found, PATIENT) == [[]]


def test_propensities_of_another_shape_are_refused_when_a_bundle_is_loaded(copy):  # noqa: F811
    rewrite(copy, "reference.json", lambda content: content[KEY].update(states=[]))
    with pytest.raises(BundleFormat, match="how clinics chose"):
        load_bundle(copy)


def test_outside_is_below_the_floor_and_open_and_a_patient(bundle):
    overlap = overlap_of(json.loads(json.dumps(dict(bundle.reference))), bundle.predictor.arms)
    columns = {name: np.array([np.nan, np.nan]) for name in bundle.reference["fields"]}
    eligible = np.ones((len(ARMS), 2), dtype=bool)
    assert not overlap.outside(columns, np.array([False, False]), eligible).any()
    found = overlap.outside(columns, np.array([True, False]), eligible)
    np.testing.assert_array_equal(found[:, 0], overlap.model.chances(columns)[0] < overlap.floor)
    assert not found[:, 1].any()
