"""How curves bend: as the design says, around nothing on average, and never against what the evidence settles."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.model.additive import Line
from pfps_ml.training.update_basis import bent, curve_basis_of, with_curves


@pytest.fixture(scope="module")
def shapes(bundle):
    return curve_basis_of(bundle.predictor.onset, bundle.reference)


@pytest.fixture(scope="module")
def bends(bundle, shapes):
    return 0.3 * generator(4, "bends").standard_normal((len(bundle.predictor.onset.intercept), shapes.count))


def test_the_tables_move_as_the_design_says_and_nothing_is_added_where_a_field_is_missing(
    bundle, shapes, bends, values
):
    before = bundle.predictor.onset
    added = with_curves(before, shapes.curves(bends)).margin(values) - before.margin(values)
    np.testing.assert_allclose(added, shapes.design(values) @ bends.T, atol=1e-9)
    unknown = {name: np.full(3, np.nan) for name in values}
    assert np.abs(shapes.design(unknown)).max() == 0


def test_a_bend_is_one_standard_deviation_and_around_nothing_over_the_training_data(bundle, shapes):
    about = bundle.reference["fields"]["age_years"]
    rows = {name: np.full(len(about["values"]), np.nan) for name in BY_NAME} | {"age_years": np.array(about["values"])}
    design = shapes.design(rows)
    line = design[:, np.flatnonzero(np.abs(design).max(axis=0))[0]]
    assert np.abs(design.mean(axis=0)).max() < 1e-9
    assert line.std() == pytest.approx(1)
    assert (np.diff(line) >= 0).all()


def test_reasons_sum_to_the_bent_margin(bundle, shapes, bends, values):
    found = bent(bundle.predictor, shapes, bends).predict(values)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.log_odds, atol=1e-9)
    assert np.abs(found.log_odds - bundle.predictor.predict(values).log_odds).max() > 0.1


@pytest.mark.parametrize("size", [-5.0, 5.0])
def test_no_bend_turns_a_direction_that_the_evidence_settles(bundle, shapes, size):
    bends = np.full((len(bundle.predictor.onset.intercept), shapes.count), size)
    lines = [term for term in bent(bundle.predictor, shapes, bends).onset.terms if isinstance(term, Line)]
    settled = [term for term in lines if BY_NAME[term.field].direction]
    assert {term.field for term in settled} == {"sex", "longest_run_spike_pct", "knee_extension_nm_kg"}
    for term in settled:
        assert (BY_NAME[term.field].direction * np.diff(term.values[:-1], axis=0) > -1e-9).all()


def test_a_field_that_nobody_had_does_not_bend(bundle):
    fields = {**bundle.reference["fields"], "squat_fppa_deg": {"values": [], "shares": [], "low": -30, "high": 50}}
    found = curve_basis_of(bundle.predictor.onset, {**bundle.reference, "fields": fields})
    assert "squat_fppa_deg" not in found.basis.knots
    assert "age_years" in found.basis.knots


def test_curves_that_do_not_bend_leave_the_models_as_they_are(bundle, shapes, values):
    nothing = np.zeros((len(bundle.predictor.onset.intercept), shapes.count))
    after = bent(replace(bundle.predictor), shapes, nothing)
    np.testing.assert_array_equal(after.onset.margin(values), bundle.predictor.onset.margin(values))
