"""Splits: by club, decided once."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import SplitConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.training.training_rows import expect_held_out, resample_clubs, split_clubs

CLUBS = pd.Series([f"club-{i % 40:02d}" for i in range(400)])


def test_no_club_is_on_both_sides_and_a_fifth_is_held_out():
    split = split_clubs(CLUBS, SplitConfig())
    held_out = split.is_held_out(CLUBS)
    assert not set(CLUBS[held_out]) & set(CLUBS[~held_out])
    assert CLUBS[held_out].nunique() == 8
    folds = pd.Series(split.fold_of(CLUBS[~held_out])).groupby(CLUBS[~held_out].to_numpy()).nunique()
    assert (folds == 1).all()


def test_the_split_does_not_depend_on_the_order_of_the_rows():
    shuffled = CLUBS.sample(frac=1, random_state=1)
    assert split_clubs(shuffled, SplitConfig()).digest == split_clubs(CLUBS, SplitConfig()).digest
    assert split_clubs(CLUBS, SplitConfig(seed=9)).digest != split_clubs(CLUBS, SplitConfig()).digest


def test_too_few_clubs_are_refused():
    with pytest.raises(CohortError, match="at least 5 clubs"):
        split_clubs(pd.Series(["a", "b", "c"]), SplitConfig())


def test_a_bootstrap_draws_whole_clubs():
    counts = resample_clubs(CLUBS, 1, "b")
    assert (pd.Series(counts).groupby(CLUBS).nunique() == 1).all()
    assert pd.Series(counts).groupby(CLUBS).first().sum() == 40
    assert (counts != resample_clubs(CLUBS, 1, "c")).any()
    assert 20 < np.mean([(resample_clubs(CLUBS, s, "b") > 0).mean() for s in range(20)]) * 40 < 30


@pytest.mark.parametrize(("clubs", "held_out"), [(5, 1), (10, 2), (14, 3), (40, 8)])
def test_a_split_that_holds_out_one_or_two_clubs_is_refused_with_what_to_change(clubs, held_out):
    club, config = CLUBS[CLUBS.isin(sorted(CLUBS.unique())[:clubs])], SplitConfig(folds=2)
    split = split_clubs(club, config)
    if held_out >= 3:
        expect_held_out([club], split, config)
        return
    with pytest.raises(CohortError, match=f"got {held_out} of {clubs} .*held_out_share = 0.2.*set `held_out_share`"):
        expect_held_out([club], split, config)
