"""What `python -m benchmarks.recalibration` prints is what was counted, and what is claimed of the released bundle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.clubs import CASES, EXACT, STATED, Case, clubs, in_clubs, in_several
from benchmarks.recalibration import show, show_several, summarise
from pfps_ml.model.bundle import released_bundle

FOUND = pd.DataFrame({
    "site": 0.2, "odds": 2.0, "size": [300, 300, STATED, STATED], "runners": [300, 300, 3000, 4000], "cases": 30,
    "level": ["none", "slope", "slope", "groups"], "gain": [0.0, 0.004, -0.01, -0.03], "ratio": [2.0, 0.8, 1.05, 0.95],
    "ratio_before": [2.0, 1.0, 2.0, 2.0], "covered": [0.5, 0.7, 0.9, 0.8], "covered_before": 0.5, "width": 0.08,
    "width_before": 0.1,
})  # fmt: skip


def test_shares_are_counted_over_clubs():
    few, stated = summarise(FOUND).to_dict("records")
    assert (few["changed"], few["worse"], few["inside"], few["inside_before"]) == (0.5, 0.5, 0.0, 0.5)
    assert (stated["changed"], stated["worse"], stated["inside"], stated["runners"]) == (1.0, 0.0, 1.0, 3500)
    assert (few["gain"], few["error"]) == pytest.approx((0.002, 0.002))
    assert (stated["gain"], stated["error"]) == pytest.approx((-0.02, 0.01))


def test_what_is_printed_is_what_was_counted(capsys):
    show(FOUND)
    told = capsys.readouterr().out
    assert "2 clubs, their log-odds with an SD of 0.2" in told
    assert "3,500*" in told
    assert "-200.0 (100.0)" in told
    assert "in 100.0% of the clubs" in told
    assert "worse than none in 1 of 1 lines, at most +20.0 (20.0);" in told
    show_several(pd.DataFrame({"club": 500, "stated": "these", "runners": 7500, "where": ["others"] * 4,
                               "ratio": [0.8, 1.0, 1.0, 1.2]}))  # fmt: skip
    assert "50%" in capsys.readouterr().out


def test_a_club_is_put_through_what_a_case_says(bundle):
    cases = [Case(0.0, EXACT, 1000), Case(0.0, 3.0, 3000), Case(0.0, 3.0, 100), Case(0.0, 1.0, STATED)]
    exact, thrice, few, stated = in_clubs(bundle, 5, 1, cases).to_dict("records")
    assert exact["ratio_before"] == pytest.approx(1)
    assert exact["covered_before"] == 1
    assert exact["gain"] >= 0  # nothing is better than what is right
    assert 2.4 < thrice["ratio_before"] / stated["ratio_before"] < 3  # of odds, not of risks
    assert thrice["gain"] < 0
    assert (few["level"], few["gain"], few["ratio"]) == ("none", 0.0, thrice["ratio_before"])
    assert stated["runners"] > 3000
    assert stated["ratio"] == pytest.approx(1, abs=0.15)


def test_every_club_is_another_world(bundle):
    one, two = clubs(bundle, 5, 2)
    assert abs(one.risk.mean() - two.risk.mean()) > 0.01
    assert {case.size for case in CASES} >= {100, 300, 1000, 3000, STATED}


@pytest.mark.slow
def test_the_released_bundle_is_updated_as_claimed_in_200_simulated_clubs():
    never = [Case(0.0, 1.0, size) for size in (100, 200, 300)]
    shifted = [Case(0.2, odds, size) for odds in (0.5, 2.0) for size in (300, STATED)]
    found = summarise(in_clubs(released_bundle(Path("models")), 800_000, cases=[*never, *shifted]))
    assert (found["gain"] <= 2 * found["error"]).all()  # never shown to be worse than none
    assert found.query("size == 100")["gain"].tolist() == [0.0]
    assert (found.query("odds != 1")["gain"] < -2 * found.query("odds != 1")["error"]).all()
    stated, few = found[found["size"] == STATED], found.query("odds != 1 and size == 300")
    assert (stated["inside"] >= 0.9).all()  # 95 % are expected, within the error of 200 clubs
    assert (stated["covered"] > 0.8).all()
    assert (stated["width"].to_numpy() < few["width"].to_numpy()).all()


@pytest.mark.slow
def test_the_ratio_holds_in_other_clubs_from_the_number_that_is_stated_for_them():
    found = in_several(released_bundle(Path("models")), 800_000, 40)
    inside = found["ratio"].between(0.9, 1.1).groupby([found["club"], found["stated"], found["where"]]).mean()
    spread = np.log(found["ratio"]).groupby([found["club"], found["stated"], found["where"]]).std()
    for club in (100, 500):
        assert inside[club, "these", "these"] >= 0.85
        assert inside[club, "others", "others"] >= 0.8  # the clubs of a world differ by an SD of 0.1 to 0.4, not by 0.2
        assert spread[club, "these", "these"] < spread[club, "these", "others"]
