"""Of few clubs, the cohort's mean is not that of other clubs: what is left open says so."""

import numpy as np
import pytest

from pfps_ml.core.config import RecalibrationConfig
from pfps_ml.training.posterior_update import gaussian_update
from pfps_ml.workflows.recalibrate import club_sd, clubs_leave_open
from tests.workflows.drawn import outcomes


def test_it_is_the_variance_of_the_mean_of_as_many_clubs_and_none_of_a_single_one():
    assert clubs_leave_open(np.array(["a"] * 5, dtype=object)) == 0
    assert clubs_leave_open(np.array([None] * 5, dtype=object)) == 0
    even = np.array(["a", "b", "c", "d"] * 10, dtype=object)
    assert clubs_leave_open(even) == pytest.approx(club_sd() ** 2 / 4)
    uneven = np.array(["a"] * 30 + ["b"] * 10, dtype=object)
    assert clubs_leave_open(uneven) == pytest.approx(club_sd() ** 2 * (30**2 + 10**2) / 40**2)


@pytest.mark.parametrize("level", ["intercept", "groups"])
def test_it_widens_what_is_open_and_moves_nothing(bundle, whole, level):
    y, site = outcomes(whole.margin, "open", 0.5), RecalibrationConfig().site_sd
    plain = gaussian_update(whole, y, bundle.predictor.interval, level, site)
    wider = gaussian_update(whole, y, bundle.predictor.interval, level, site, 0.04)
    np.testing.assert_array_equal(plain.centre, wider.centre)
    np.testing.assert_array_equal(plain.coef_offsets[0], wider.coef_offsets[0])
    assert wider.after[0, 0] == pytest.approx(plain.after[0, 0] + 0.04)
    assert wider.coef_offsets[1:, 0].var() > plain.coef_offsets[1:, 0].var()
