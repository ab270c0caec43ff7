"""Training: each model learns from the people whom it is for."""

from dataclasses import replace

import pandas as pd
import pytest

from pfps_ml.core.errors import CohortError, FactError
from pfps_ml.domain.dictionary import ONSET, SUCCESS
from pfps_ml.model.prediction import onset_to_json, pathways_to_json
from pfps_ml.training.training_rows import split_clubs
from pfps_ml.workflows.frames import scenario_of
from pfps_ml.workflows.train import train


@pytest.mark.slow
def test_onset_is_never_learned_from_visits(frames, config):
    """Who attends, how they do and what is measured of them changes nothing in the onset model, to the bit."""
    quick = replace(config, onset=replace(config.onset, max_trees=20, penalties=(1.0,), bootstraps=2))
    visits = frames.treatment.sample(frac=0.7, random_state=1).sort_index()
    other = visits.assign(**{SUCCESS.column: 1 - visits[SUCCESS.column], "age_years": visits["age_years"] - 1})
    first, second = (train(replace(frames, treatment=each), quick, "reference", lambda _step: None).predictor
                     for each in (frames.treatment, other))  # fmt: skip
    assert set(other["club"]) == set(frames.treatment["club"])  # the same clubs are held out
    assert onset_to_json(first) == onset_to_json(second)
    assert pathways_to_json(first) != pathways_to_json(second)


def test_a_cohort_says_whether_it_was_simulated_and_from_what(frames):
    assert scenario_of(frames) == "reference"
    assert scenario_of(replace(frames, made=None)) is None
    assert scenario_of(replace(frames, made=None), "null") == "null"
    with pytest.raises(FactError, match="nowhere"):
        scenario_of(frames, "nowhere")


def test_clubs_that_cannot_teach_both_models_are_refused_with_what_is_there(frames, config):
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    club = frames.treatment["club"]
    one_clinic = frames.treatment[split.is_held_out(club) | (club == next(iter(split.folds)))]
    nobody_ill = frames.onset.assign(**{ONSET.column: 0})
    for spoilt, told in (
        ({"treatment": one_clinic}, rf"{SUCCESS.column} and its opposite, got 1 with \d+ of 80 rows"),
        ({"onset": nobody_ill}, rf"{ONSET.column} and its opposite, got 5 with 0 of 3,200 rows"),
    ):
        with pytest.raises(CohortError, match=told):
            train(replace(frames, **spoilt), config, None, lambda _step: None)


@pytest.mark.slow
def test_where_runners_are_people_the_bundle_counts_nobody_and_describes_groups_of_five_at_least(frames, config):
    quick = replace(config, onset=replace(config.onset, max_trees=20, penalties=(1.0,), bootstraps=2))
    told = {name: train(frames, quick, name, lambda _step: None) for name in ("reference", None)}
    assert all("n" in cell for cell in told["reference"].reference["averages"])
    people = told[None]
    assert people.facts["trained_on"]["simulated"] is False
    assert not any("n" in cell for cell in people.reference["averages"])
    assert people.reference["fields"] != told["reference"].reference["fields"]
    assert onset_to_json(people.predictor) == onset_to_json(told["reference"].predictor)
    assert people.parts()["golden.json"]  # made-up runners can have every value
