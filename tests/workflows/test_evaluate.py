"""The evaluation: every table and picture that the report promises, for real cohorts too, and refits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import CohortError, InputError
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ONSET, TIERS
from pfps_ml.training.training_rows import split_clubs
from pfps_ml.workflows.evaluate import TEXTS, Runners, evaluate, groups_of, load_candidate, refitted_pictures
from pfps_ml.workflows.frames import Frames, onset_features
from pfps_ml.workflows.train import train

THOROUGH, SIMULATED = {"left_out", "learning_curve"}, {"truth", "truth_policies"}


def test_the_report_has_a_word_for_everything_that_is_evaluated(evaluation):
    found = {*evaluation.tables, *evaluation.pictures}
    assert found - TEXTS.keys() == set() and TEXTS.keys() - found == THOROUGH


def test_the_report_shows_the_gates_verdict_and_how_far_the_choice_is_narrowed(evaluation, candidate, frames, config):
    gate = candidate.predictor.gate
    assert list(evaluation.tables["gate"]["passed"]) == [each.passed for each in gate.comparisons]
    table = evaluation.tables["preferences"].set_index("patients")
    assert list(table.columns) == ["n", "kept", "named", "best_kept", "right"]
    if not gate.passed:
        assert (table["kept"] == 1).all() and (table["named"] == 0).all() and (table["best_kept"] == 1).all()
    ungated = replace(candidate, predictor=replace(candidate.predictor, gate=None))
    found = evaluate(ungated, frames, config, lambda _step: None)
    assert "gate" not in found.tables and (found.tables["preferences"]["named"] == 0).all()


def test_a_real_cohort_is_evaluated_without_a_truth(candidate, frames, config):
    blind = Frames(frames.onset, frames.treatment, made=frames.made)
    found = evaluate(candidate, blind, config, lambda _step: None)
    assert not SIMULATED & found.tables.keys()
    assert "excess_log_loss" not in set(found.tables["onset"]["metric"])


def test_runners_are_grouped_by_sex_age_and_the_dearest_measurement_that_they_have(frames, config):
    X = onset_features(frames.onset)
    found = groups_of(X, config)
    assert set(found["sex"]) == {"female", "male"} and found["age"].notna().all()
    measured = found["measured"].astype(str)
    strength = X["knee_extension_nm_kg"].notna()
    assert (measured[strength.to_numpy()] == "With dynamometry").all()
    assert (measured[X["step_rate_spm"].notna().to_numpy()] != "Questionnaire only").all()
    assert measured.nunique() == len(TIERS) or set(measured) <= {"Questionnaire only", "With a training log",
                                                                  "With field tests", "With dynamometry"}  # fmt: skip


def test_pathway_tables_speak_of_every_active_arm(evaluation):
    for name in ("effects", "heterogeneity", "truth"):
        assert list(evaluation.tables[name]["arm"]) == list(ACTIVE_ARMS)
    assert len(evaluation.tables["strength"]) == 6
    assert (evaluation.tables["yardstick"]["strength"] >= 1).all()
    assert (evaluation.tables["truth_policies"]["share"] <= 1 + 1e-9).all()


@pytest.mark.slow
def test_a_part_that_an_earlier_run_left_is_taken_away(evaluation, tmp_path):
    (tmp_path / "learning_curve.csv").write_text("old")
    (tmp_path / "mine.csv").write_text("the user's own")
    evaluation.write(tmp_path)
    assert not (tmp_path / "learning_curve.csv").exists() and (tmp_path / "mine.csv").exists()


@pytest.fixture(scope="module")
def refits(candidate, frames, config):
    """Return what refits show, from a quick model, where so many clubs are too many to be left out one by one."""
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    quick = replace(config, onset=replace(config.onset, max_trees=20, penalties=(3.0,)))
    runners = Runners.of(frames, split.is_held_out(frames.onset["club"]), candidate.predictor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pfps_ml.workflows.evaluate._MOST_REFITS", 15)
        found = refitted_pictures(frames, split, runners, quick)
    assert found["left_out"].title == "Leave-one-fold-of-clubs-out"
    return {name: picture.frame() for name, picture in found.items()}


def test_folds_of_clubs_are_left_out_where_clubs_are_very_many(refits, frames, config):
    table = refits["left_out"]
    levels = table.drop_duplicates("level").set_index("level")
    assert list(levels.index) == [*(f"Fold {i + 1}" for i in range(config.split.folds)), "All, each left out once"]
    assert levels["n"].iloc[:-1].sum() == levels["n"].iloc[-1]
    whole = table[table["level"] == "All, each left out once"].set_index("metric")
    assert whole.loc["auroc", "low"] > 0.5 and whole.loc["observed_expected", "value"] == pytest.approx(1, abs=0.15)


def test_the_learning_curve_goes_from_few_clubs_to_all_on_the_same_runners(refits, frames):
    table = refits["learning_curve"]
    assert table["n"].nunique() == 1 and table["part"].nunique() == 4
    assert table["part"].iloc[0].startswith("2 clubs") and table["part"].iloc[-1].startswith("16 clubs")
    assert table.iloc[:3]["gain"].eq(0).all()


@pytest.mark.slow
def test_clubs_are_left_out_one_by_one_and_what_one_club_says_of_the_others_does_not_reach_it(
    candidate, frames, config
):
    few = sorted(frames.onset["club"].unique())[:7]
    onset = frames.onset[frames.onset["club"].isin(few)].reset_index(drop=True)
    split = split_clubs(onset["club"], replace(config.split, folds=2))
    odd = sorted(split.folds)[0]
    # in one club every second runner falls ill, in the others every tenth
    every = np.where(onset["club"] == odd, 2, 10)
    onset[ONSET.column] = (np.arange(len(onset)) % every == 1).astype(onset[ONSET.column].dtype)
    small = replace(frames, onset=onset, truth_onset=None)
    quick = replace(config, onset=replace(config.onset, max_trees=20, penalties=(3.0,)),
                    split=replace(config.split, folds=2))  # fmt: skip
    runners = Runners.of(small, split.is_held_out(onset["club"]), candidate.predictor)
    found = refitted_pictures(small, split, runners, quick)["left_out"]
    table = found.frame()
    clubs = [f"Club {i + 1}" for i in range(len(split.folds))]
    assert found.title == "Leave-one-club-out"
    assert list(table["level"].unique()) == [*clubs, "All, each left out once"]
    seen = table[table["metric"] == "observed_expected"].set_index("level")
    # whoever has not seen the odd club expects a tenth of its runners, and not a half
    assert seen.loc["Club 1", "value"] > 4
    assert seen.loc["Club 1", "low"] > 2
    assert (seen.loc[clubs[1:], "value"] < 0.8).all()


@pytest.mark.slow
def test_without_a_patient_of_a_club_held_out_there_is_nothing_to_evaluate(frames, config):
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    seen = frames.treatment[~split.is_held_out(frames.treatment["club"])].reset_index(drop=True)
    part = replace(frames, treatment=seen, truth_treatment=None)
    quick = replace(config, onset=replace(config.onset, max_trees=10, penalties=(3.0,), bootstraps=2))
    with pytest.raises(CohortError, match="expected at least 3 clubs held out, got 0 of"):
        evaluate(train(part, quick, None, lambda _step: None), part, quick, lambda _step: None)


def test_a_folder_without_a_candidate_is_an_error(tmp_path):
    with pytest.raises(InputError, match="expected a candidate"):
        load_candidate(tmp_path)
