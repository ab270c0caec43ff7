"""Training: each model learns from the people whom it is for."""

from dataclasses import replace

from pfps_ml.knowledge.dictionary import SUCCESS
from pfps_ml.prediction import onset_to_json, pathways_to_json
from pipelines.train import train


def test_onset_is_never_learned_from_visits(frames, config):
    """Who attends, how they do and what is measured of them changes nothing in the onset model, to the bit."""
    quick = replace(config, onset=replace(config.onset, max_trees=20, penalties=(1.0,), bootstraps=2))
    visits = frames.treatment.sample(frac=0.7, random_state=1).sort_index()
    other = visits.assign(**{SUCCESS.name: 1 - visits[SUCCESS.name], "age_years": visits["age_years"] - 1})
    first, second = (train(replace(frames, treatment=each), quick, "reference", lambda _step: None).predictor
                     for each in (frames.treatment, other))  # fmt: skip
    assert set(other["club"]) == set(frames.treatment["club"])  # the same clubs are held out
    assert onset_to_json(first) == onset_to_json(second)
    assert pathways_to_json(first) != pathways_to_json(second)
