"""Training on runners: where outcomes and what was known beforehand meet, with what is left open."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.config import TrainingConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import probability
from pfps_ml.model.prediction import Interval
from pfps_ml.training.posterior_update import (
    CoefficientColumns,
    CoefficientPosterior,
    coefficient_posterior,
    covariance_of,
    members_of,
)
from pfps_ml.training.update_basis import coef_offsets_of, curve_basis_of
from pfps_ml.workflows.recalibrate import Known, club_sd
from pfps_ml.workflows.train_on_cohort import club_columns, evidence_update, expect_enough, train_on_cohort
from tests.workflows.drawn import outcomes, with_outcomes

NAMES = np.array(["a", "b", None], dtype=object)


@pytest.fixture(scope="module")
def shapes(bundle):
    return curve_basis_of(bundle.predictor.onset, bundle.reference)


def test_few_coefficients_alone_land_where_an_outside_library_puts_the_mode():
    from scipy.optimize import minimize

    random = generator(5, "few")
    along, offset = random.standard_normal((3000, 2)), random.standard_normal(3000)
    covariance = np.array([[0.5, 0.2], [0.2, 0.4]])
    y = (random.random(3000) < probability(offset + along @ [0.6, -0.4])).astype(float)
    found = coefficient_posterior(
        CoefficientColumns(along, covariance, np.zeros((3000, 0)), (np.zeros((3000, 1)),)), y, offset
    )

    def height(at):
        margin = offset + along @ at
        return -(y * margin - np.logaddexp(0, margin)).sum() + at @ np.linalg.inv(covariance) @ at / 2

    np.testing.assert_allclose(found.centre, minimize(height, np.zeros(2)).x, atol=0.02)


def test_without_outcomes_to_speak_of_what_was_known_beforehand_comes_back():
    covariance = np.array([[0.5, 0.2], [0.2, 0.4]])
    nothing = np.zeros((1, 0))
    found = coefficient_posterior(
        CoefficientColumns(np.zeros((1, 2)), covariance, nothing, (np.zeros((1, 3)),)), np.zeros(1), np.zeros(1)
    )
    np.testing.assert_allclose(found.covariance, covariance, atol=0.12)
    assert np.abs(found.centre).max() < 0.12
    assert np.median(np.abs(found.curve_coefs)) < 0.05


def test_members_have_the_variance_that_is_left_of_few_and_many_together():
    random, interval = generator(6, "members"), Interval(0.9, 200, 200, 1.6)
    few = random.standard_normal((400, 2)) * [0.3, 0.5]
    many = np.column_stack([few[:, 0] + 0.2 * random.standard_normal(400), 0.4 * random.standard_normal(400)])
    moves = np.vstack([np.zeros(2), random.standard_normal((400, 2))])
    landed, bends = members_of(CoefficientPosterior(few, many), moves, interval)
    np.testing.assert_allclose(landed[0], few.mean(axis=0))
    np.testing.assert_allclose(bends[0], many.mean(axis=0))
    for found, drawn in ((landed, few), (bends, many)):
        evidence, sampling = interval.variances(found.T)
        np.testing.assert_allclose(evidence + sampling, drawn.var(axis=0, ddof=1), rtol=0.25)
    assert np.corrcoef(landed[1:, 0], bends[1:, 0])[0, 1] == pytest.approx(
        np.corrcoef(few[:, 0], many[:, 0])[0, 1], abs=0.1
    )
    there, _ = members_of(CoefficientPosterior(few, many), moves, interval, np.array([1.0, 2.0]))
    np.testing.assert_allclose(there[0], [1.0, 2.0])


def test_clubs_are_told_apart_where_there_are_several_and_not_too_many(subtests):
    cases = [
        (["a", "a", "a"], 200, 0), (["a", "b", None], 200, 2), (["a", "b", "c"], 2, 0), ([None] * 3, 200, 0),
    ]  # fmt: skip
    for club, most, columns in cases:
        with subtests.test(club=club, most=most, columns=columns):
            found = club_columns(np.array(club, dtype=object), most)
            assert found.shape == (3, columns)
            assert found.sum() == (sum(name is not None for name in club) if columns else 0)


def test_one_club_that_stands_out_moves_everybody_less_than_a_cohort_that_does(bundle, whole, values, shapes):
    interval = replace(bundle.predictor.interval)
    y = outcomes(whole.margin, "club", 0.0)
    own = np.arange(len(y)) % 20 == 0
    y[own] = outcomes(whole.margin, "club high", 2.0)[own]
    clubs = np.array([f"club {at % 20}" for at in range(len(y))], dtype=object)
    none = np.full(len(y), None, dtype=object)
    moved = [evidence_update(Known(values, y, club, whole, {}), shapes, interval, TrainingConfig()).centre[0]
             for club in (clubs, none)]  # fmt: skip
    assert moved[0] < moved[1]
    assert moved[1] > 0


def test_what_is_open_narrows_with_the_runners(bundle, cohort, whole):
    left = []
    for rows in (300, 1000, 4000):
        y = np.where(np.arange(len(cohort.y)) < rows, outcomes(whole.margin, "narrows", 0.5), np.nan)
        left.append(train_on_cohort(bundle, with_outcomes(cohort, y)).facts["standard_errors_after"][0])
    assert left[0] > left[1] > left[2]


def test_a_curve_that_the_evidence_did_not_have_is_found(bundle, cohort, whole, values, shapes):
    age = values["age_years"]
    y = outcomes(whole.margin + 1.5 * np.cos((age - np.nanmean(age)) / 12), "wave", 0.3)
    update = evidence_update(
        Known(values, y, cohort.club, whole, {}), shapes, bundle.predictor.interval, TrainingConfig()
    )
    added = shapes.curves(update.curve_offsets[:1])
    assert max(added, key=lambda name: np.ptp(added[name][:-1])) == "age_years"
    calm = outcomes(whole.margin, "calm", 0.3)
    quiet = evidence_update(
        Known(values, calm, cohort.club, whole, {}), shapes, bundle.predictor.interval, TrainingConfig()
    )
    assert np.ptp(shapes.curves(quiet.curve_offsets[:1])["age_years"][:-1]) < np.ptp(added["age_years"][:-1]) / 3


def test_a_group_with_a_settled_direction_is_weakened_and_not_turned(bundle, cohort, whole, values, shapes):
    against = np.array([0.0, 0, 0, 0, -3.0, 0, 0])
    y = outcomes(whole.margin + whole.parts @ against, "against", 0.5)
    known = Known(values, y, cohort.club, whole, {})
    update = evidence_update(known, shapes, bundle.predictor.interval, TrainingConfig())
    assert update.coef_offsets[0, 4] >= -1


@pytest.mark.parametrize("y", [[1.0] * 9 + [0.0] * 91, [1.0] * 91 + [0.0] * 9])
def test_fewer_than_ten_of_either_kind_are_refused_with_the_code(y):
    with pytest.raises(CohortError, match=r"at least 10 cases.*C06"):
        expect_enough(np.array(y), 10, "runners")


def test_only_a_bundle_without_draws_over_the_evidence_needs_a_guess_of_how_populations_differ(
    bundle, cohort, whole, values, shapes
):
    known = Known(values, outcomes(whole.margin, "site"), np.full(len(cohort.y), None, dtype=object), whole, {})
    settings, moves = TrainingConfig(), coef_offsets_of(whole.members, whole.parts)
    for evidence, extra in ((0, settings.site_sd**2), (2, 0.0)):
        interval = Interval(0.9, evidence, bundle.predictor.interval.sampling - evidence, 1.8)
        found = evidence_update(known, shapes, interval, settings)
        drawn = covariance_of(moves, interval)[0, 0]
        assert found.before[0, 0] == pytest.approx(drawn + extra + club_sd() ** 2)
