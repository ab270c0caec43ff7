"""The number of runners that is stated: for the cohort's own clubs, and for others, which differ."""

from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.numbers import generator
from pfps_ml.evaluation.verdict import rows_for_ratio
from pfps_ml.workflows.recalibrate import club_sd, known_of, lines_of, recalibrate, records_of_update


def test_at_the_stated_number_the_ratio_of_other_clubs_is_known_to_a_tenth(subtests):
    for club, sd in [(1, 0.0), (100, 0.2), (500, 0.4)]:
        with subtests.test(club=club, sd=sd):
            rate, random = 0.08, generator(11, f"clubs of {club}")
            clubs = round(rows_for_ratio(rate, 0.2, club, sd) / club)
            log_odds = np.log(rate / (1 - rate)) + sd * random.standard_normal((2000, clubs))
            risk = 1 / (1 + np.exp(-log_odds))
            ratios = random.binomial(club, risk).sum(axis=1) / (club * clubs * risk.mean())
            assert ((ratios > 0.9) & (ratios < 1.1)).mean() == pytest.approx(0.95, abs=0.02)


def test_clubs_that_do_not_differ_need_no_more_runners_and_large_ones_that_do_need_many():
    assert rows_for_ratio(0.05, 0.2, 500, 0.0) == rows_for_ratio(0.05, 0.2, 0, 0.2) == rows_for_ratio(0.05, 0.2) == 7324
    assert rows_for_ratio(0.05, 0.2, 500, 0.2) > 1.9 * rows_for_ratio(0.05, 0.2)


def test_a_cohort_of_several_clubs_is_told_both_numbers_and_one_of_a_single_club_only_its_own(bundle, cohort):
    found = recalibrate(bundle, cohort)
    rate = float(cohort.y[cohort.used].mean())
    sizes = np.unique(cohort.club[cohort.used].astype(str), return_counts=True)[1]
    met = float((sizes**2).sum() / sizes.sum())
    assert found.facts["runners_for_other_clubs"] == rows_for_ratio(rate, 0.2, met, club_sd())
    assert found.facts["runners_for_other_clubs"] > found.facts["runners_for_ratio"] == rows_for_ratio(rate, 0.2)
    assert dict(lines_of(found))["the same in other clubs"].endswith("runners of clubs as large as these")
    assert "update_runners_for_other_clubs" in {getattr(each, "name", "") for each in records_of_update(found, None)}
    for names in ("one", None):
        alone = replace(cohort, club=np.full(len(cohort.y), names, dtype=object))
        assert "runners_for_other_clubs" not in known_of(bundle, alone).facts
    assert "the same in other clubs" not in dict(lines_of(recalibrate(bundle, alone)))
