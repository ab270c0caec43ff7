"""What `python -m benchmarks.squad` prints is what was counted."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.squad import LARGEST, SMALLEST, forecasts, optimum, plans, show, show_plans, squads, summarise
from tests.squad.test_measurement_plan import best_of_all, small_squad

FOUND = pd.DataFrame({
    "cases": [0, 1, 4, 2], "expected": [1.0, 1.5, 1.5, 2.0], "low": [0, 0, 0, 0], "high": [2, 3, 3, 3],
    "claimed": [0.92, 0.94, 0.9, 0.96], "shorter": [True, True, False, False],
    "claimed_shorter": [0.8, 0.84, 0.8, 0.88], "pit": [0.04, 0.4, 0.97, 0.6],
})  # fmt: skip


def test_shares_are_counted_over_squads():
    held = summarise(FOUND)
    assert (held.closed, held.shorter, held.pit, held.below, held.above) == (0.75, 0.5, 0.5, 0.25, 0.25)
    assert (held.claimed, held.claimed_shorter) == pytest.approx((0.93, 0.83))
    assert (held.cases, held.expected, held.width) == pytest.approx((1.75, 1.5, 3.75))


def test_what_is_printed_is_what_was_counted(capsys):
    show(FOUND, 7)
    told = " ".join(capsys.readouterr().out.split())
    assert "4 squads of 15 to 40 runners, seed 7" in told
    assert "75.0%; 93.0%" in told
    assert "1.75; 1.50" in told


def test_every_squad_is_a_club_of_the_sizes_asked_for_and_another_seed_brings_other_ones():
    some, others = list(squads(5, 2)), list(squads(6, 2))
    assert all(SMALLEST <= len(frame) <= LARGEST and frame["club"].nunique() == 1 for frame in some)
    assert [len(frame) for frame in some] != [len(frame) for frame in others]


def test_a_forecast_of_simulated_squads_says_what_came_of_them(bundle):
    found = forecasts(bundle, 5, 3)
    assert found["cases"].tolist() == [int(frame["pfps_onset_12m"].sum()) for frame in squads(5, 3)]
    assert found["pit"].between(0, 1).all()
    assert (found["claimed"] >= 0.9).all()
    assert (found["claimed_shorter"] < 0.9).all()


def test_the_optimum_is_the_best_of_what_fits_the_time(subtests):
    for seed in range(3):
        with subtests.test(seed=seed):
            squad = small_squad(seed, choices=5)
            assert optimum(squad, 0.0) == pytest.approx(0.0)
            for minutes in (2.0, 4.0):
                assert optimum(squad, minutes) == pytest.approx(best_of_all(squad, minutes))


@pytest.mark.slow
def test_plans_are_held_against_the_best_possible_ones(released):
    found = plans(released, 5, 12)
    assert len(found)
    assert (found[:, 0] <= found[:, 1] + 1e-12).all()
    assert (found[:, 1] - found[:, 0] <= 0.05 * found[:, 1] + 1e-5).all()  # a hundred-thousandth of a case is nothing


def test_plans_are_told_apart_by_whether_a_report_would_show_their_gain(capsys):
    show_plans(np.array([[0.9e-5, 1e-5], [0.0099, 0.01]]))
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "Plans, all: 2 small squads, share of the best possible gain: least 0.900, mean 0.945, under 0.95 in 1" in told
    )
    assert "cases or more: 1 small squads, share of the best possible gain: least 0.990" in told
    assert "falls short by: 0.000100 cases" in told
