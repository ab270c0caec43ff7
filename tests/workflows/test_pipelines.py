"""The pipelines: frames whole or not at all, figures of unseen clubs only, releases that never change."""

import json
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import CohortConfig
from pfps_ml.core.errors import CohortError, FactError, InputError, OutputError, PfpsError
from pfps_ml.model.bundle import load_bundle
from pfps_ml.training.training_rows import split_clubs
from pfps_ml.workflows.evaluate import evaluate
from pfps_ml.workflows.frames import Frames, coded, data_digest, read_frames
from pfps_ml.workflows.release import release
from pfps_ml.workflows.simulate import simulate, write_cohort
from pfps_ml.workflows.train import golden_runners, train, write_candidate


def test_frames_come_back_as_they_were_simulated_whatever_the_chunk(frames, config, tmp_path):
    for chunk in (777, 10_000):
        write_cohort(config.cohort, tmp_path / str(chunk), chunk=chunk)
        again = read_frames(tmp_path / str(chunk), truth=True)
        for name in ("onset", "treatment", "truth_onset", "truth_treatment"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(frames, name))
        assert read_frames(tmp_path / str(chunk)).truth_onset is None


def test_draws_are_the_same_runners_in_other_worlds(config, tmp_path):
    small = replace(config.cohort, runners=300, patients=100)
    write_cohort(small, tmp_path, draws=2)
    whole = pd.read_parquet(tmp_path / "onset.parquet")
    assert whole["draw"].value_counts().to_dict() == {0: 300, 1: 300, 2: 300}
    risks = pd.read_parquet(tmp_path / "truth_onset.parquet")["true_risk"].to_numpy().reshape(3, 300)
    assert len({round(mean, 5) for mean in risks.mean(axis=1)}) == 3
    steps = whole["step_rate_spm"].to_numpy().reshape(3, 300)
    seen = ~np.isnan(steps).any(axis=0)
    assert np.corrcoef(steps[:, seen]).min() > 0.9


def test_frames_are_read_at_the_point_values_and_every_draw_by_itself(config, tmp_path):
    small = replace(config.cohort, runners=300, patients=100)
    write_cohort(small, tmp_path, draws=2, chunk=120)
    frames, alone = read_frames(tmp_path, truth=True), simulate(small)
    for name in ("onset", "treatment", "truth_onset", "truth_treatment"):
        pd.testing.assert_frame_equal(getattr(frames, name), getattr(alone, name))
    assert frames.draws == (1, 2)
    assert frames.made["draws"] == 2
    pd.testing.assert_frame_equal(frames.draw("onset", 2), simulate(replace(small, draw=2)).onset)


@pytest.mark.slow
def test_training_on_draws_gives_both_parts_of_every_interval_and_moves_no_prediction(config, candidate, tmp_path):
    write_cohort(config.cohort, tmp_path, draws=2)
    found = train(read_frames(tmp_path), config, "reference", lambda _step: None).predictor
    assert (found.interval.evidence, found.pathway_interval.evidence) == (2, 2)
    values = coded(simulate(config.cohort).treatment.head(50))
    drawn, alone = found.predict(values), candidate.predictor.predict(values)
    np.testing.assert_allclose(drawn.risk.value, alone.risk.value, rtol=1e-12)
    np.testing.assert_allclose(drawn.risk.sampling, alone.risk.sampling, rtol=1e-9)
    assert drawn.risk.evidence.min() > 0
    assert drawn.success["hip"].evidence.min() > 0
    assert not alone.risk.evidence.any()


def test_one_draw_has_no_spread_and_is_not_trained_on(config, frames):
    with pytest.raises(CohortError, match="--draws"):
        train(replace(frames, draws=(1,)), config, "reference", lambda _step: None)


def test_a_cohort_that_knows_no_draws_is_read_whole(frames, tmp_path):
    for name in ("onset", "treatment"):
        getattr(frames, name).drop(columns="draw").to_parquet(tmp_path / f"{name}.parquet")
    found = read_frames(tmp_path, truth=True)
    assert (len(found.onset), found.draws, found.made) == (len(frames.onset), (), None)


def test_frames_of_different_draws_are_an_error(config, tmp_path):
    small = replace(config.cohort, runners=50, patients=20)
    write_cohort(small, tmp_path, draws=1)
    frames = simulate(small)
    frames.treatment.to_parquet(tmp_path / "treatment.parquet")
    with pytest.raises(InputError, match="simulate --draws"):
        read_frames(tmp_path)


def test_a_randomised_cohort_is_not_confounded(config, tmp_path):
    write_cohort(replace(config.cohort, randomised=True, patients=6000), tmp_path)
    seen = read_frames(tmp_path).treatment
    severity = seen[seen["arm"] != "injection"].groupby("arm")["akps"].mean()
    assert severity.max() - severity.min() < 1.5
    open_to_all = seen[seen["failed_conventional_care"] == "no"]["arm"].value_counts(normalize=True)
    assert open_to_all.to_dict() == pytest.approx(dict.fromkeys(open_to_all.index, 1 / 3), abs=0.03)


def test_a_folder_that_cannot_be_written_is_an_error_and_nothing_is_left(config, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OutputError, match="choose another"):
        write_cohort(config.cohort, blocked / "cohort")
    assert blocked.read_text() == "in the way"


def test_a_run_that_fails_in_the_middle_leaves_the_old_frames_whole(config, tmp_path):
    write_cohort(replace(config.cohort, runners=50, patients=20), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def give_up(step):
        if step.startswith("treatment"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cohort(config.cohort, tmp_path, tell=give_up)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_frame_that_is_not_there_or_no_parquet_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"make one with `pfps simulate"):
        read_frames(tmp_path)
    (tmp_path / "onset.parquet").write_text("not parquet")
    with pytest.raises(InputError, match=r"onset\.parquet"):
        read_frames(tmp_path)


def test_an_impossible_cohort_is_refused(subtests):
    for change in [{"runners": 0}, {"runners": -5}, {"patients": 0}, {"scenario": "dream"}]:
        with subtests.test(change=change), pytest.raises(FactError):
            simulate(replace(CohortConfig(), **change))


def test_a_digest_knows_the_content_and_the_columns(frames):
    same = frames.onset.copy()
    assert data_digest(same) == data_digest(frames.onset)
    assert data_digest(same.rename(columns={"club": "team"})) != data_digest(frames.onset)
    same.loc[3, "height_cm"] = 181.5
    assert data_digest(same) != data_digest(frames.onset)


@pytest.mark.slow
def test_training_never_reads_the_truth(frames, config, candidate):
    blind = Frames(frames.onset, frames.treatment, made=frames.made)
    again = train(blind, config, "reference", lambda _step: None)
    assert again.parts() == candidate.parts()
    assert again.facts == candidate.facts


def test_golden_runners_are_nobodys_data_and_walk_through_every_field(candidate):
    rows = golden_runners(candidate.reference)
    described = [name for name, about in candidate.reference["fields"].items() if about["values"]]
    walked = [name for name in described if name in rows]
    assert rows[walked].notna().any().all()
    assert (rows[walked].nunique() > 1).all()
    assert rows[["age_years", "sex"]].notna().all(axis=None)
    assert rows["akps"].isna().any()
    assert rows["akps"].notna().any()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_release_is_left_as_it_is_when_nothing_but_the_time_differs(models_home, results, tmp_path):
    home = shutil.copytree(models_home, tmp_path / "models")
    before = contents(home / "pfps-0.0.1")
    folder = release(results / "candidate", results / "evaluation", home, "0.0.1")
    assert folder.name == "pfps-0.0.1"
    assert contents(folder) == before


def test_another_model_of_the_same_version_takes_a_new_name_and_the_old_one_stays(models_home, results, tmp_path):
    home = shutil.copytree(models_home, tmp_path / "models")
    facts = json.loads((tmp_path / "candidate" / "facts.json").read_text())
    (tmp_path / "candidate" / "facts.json").write_text(json.dumps({**facts, "seed": 99}))
    folder = release(results / "candidate", results / "evaluation", home, "0.0.1")
    assert folder.name == "pfps-0.0.1-2"
    assert (home / "CURRENT").read_text() == "pfps-0.0.1-2\n"
    assert load_bundle(home / "pfps-0.0.1").manifest["seed"] != 99
    assert load_bundle(folder).manifest["seed"] == 99


def test_a_release_without_a_candidate_or_into_a_file_is_an_error(results, tmp_path):
    with pytest.raises(InputError, match=r"run `pfps train"):
        release(tmp_path / "none", tmp_path / "none", tmp_path / "models", "1")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="nothing moved"):
        release(results / "candidate", results / "evaluation", tmp_path / "file", "1")


def test_the_evaluation_has_a_table_behind_every_picture(evaluation, tmp_path):
    report = evaluation.write(tmp_path)
    for name in evaluation.pictures:
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000
        assert len(pd.read_csv(tmp_path / f"{name}.csv"))
    assert "simulated data" in report.read_text(encoding="utf-8").lower()


def test_the_evaluation_is_of_clubs_that_training_never_saw(evaluation, frames, config):
    overlap = evaluation.tables["overlap"].set_index("arm")["eligible"]
    assert overlap["usual_care"] == config.split.held_out_share * len(frames.treatment)
    assert evaluation.frame("tiers")["events"].nunique() == 1
    split = split_clubs(pd.concat([frames.onset["club"], frames.treatment["club"]]), config.split)
    held_out = frames.onset["club"][split.is_held_out(frames.onset["club"])]
    assert evaluation.subject["clubs"] == held_out.nunique()
    assert not set(held_out) & set(split.folds)
    assert evaluation.subject["runners_evaluated"] == split.is_held_out(frames.onset["club"]).sum()


@pytest.mark.parametrize("change", ["split", "data"])
def test_clubs_that_training_may_have_seen_are_not_evaluated_as_unseen(candidate, frames, config, change):
    if change == "split":
        config = replace(config, split=replace(config.split, seed=99))
    else:
        frames = replace(frames, onset=frames.onset.assign(draw=1))
    with pytest.raises(CohortError, match=f"{change}_digest"):
        evaluate(candidate, frames, config, lambda _step: None)


def test_a_candidate_is_not_released_with_the_figures_of_another(results, tmp_path):
    models = tmp_path / "candidate" / "models"
    other = json.loads((models / "onset.json").read_text())
    other["horizons"]["12"]["model"]["intercept"][0] += 0.001
    (models / "onset.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="that of another"):
        release(results / "candidate", results / "evaluation", tmp_path / "models", "1")
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_a_bundle_says_which_data_it_was_made_from_and_not_which_were_configured(frames, config):
    other = replace(config, cohort=replace(config.cohort, seed=5, runners=9))
    facts = train(frames, other, "reference", lambda _step: None).facts
    assert facts["seed"] == config.cohort.seed
    assert facts["config"]["cohort"]["runners"] == config.cohort.runners


def test_results_are_not_written_where_they_cannot_be(candidate, evaluation, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_candidate(candidate, tmp_path / "file" / "candidate")
    with pytest.raises(OutputError):
        evaluation.write(tmp_path / "file" / "evaluation")


@pytest.mark.slow
def test_a_field_that_one_club_alone_measures_does_no_harm(frames, config):
    alone = frames.onset["club"] == frames.onset["club"].iloc[0]
    onset = frames.onset.assign(knee_extension_nm_kg=frames.onset["navicular_drop_mm"].abs().clip(0.6, 5).where(alone))
    candidate = train(replace(frames, onset=onset), config, None, lambda _step: None)
    assert b"NaN" not in candidate.parts()["models/onset.json"]


@pytest.mark.parametrize("name", ["simulate", "validate", "train", "evaluate", "release"])
def test_a_mistake_on_the_command_line_is_explained_without_a_traceback(name, tmp_path, monkeypatch, capsys):
    from importlib import import_module

    from pfps_ml.core.console import command

    module = import_module(f"pipelines.{name}")
    arguments = {"simulate": ["-n", "-3", "-o", str(tmp_path)]}.get(name, [str(tmp_path / "none")])
    monkeypatch.setattr("sys.argv", [name, *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        command(module.main)
    assert caught.value.code == 2
    assert "expected" in capsys.readouterr().err
    assert issubclass(CohortError, PfpsError)


def test_the_tracked_samples_and_the_datasheet_are_what_the_simulation_gives():
    from pfps_ml.workflows.samples import HOME, SAMPLES, datasheet, sample_files

    root = Path(__file__).parents[2]
    frames = simulate(CohortConfig())
    for name, text in sample_files(frames).items():
        tracked = pd.read_csv(root / SAMPLES / name)
        pd.testing.assert_frame_equal(tracked, pd.read_csv(StringIO(text)), rtol=1e-9)
    assert (root / HOME / "DATASHEET.md").read_text(encoding="utf-8") == datasheet(frames, CohortConfig())
