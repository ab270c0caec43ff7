"""Training on a real cohort: it starts at what is released, and a cohort that cannot bear it changes nothing."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training import SEED, worlds
from benchmarks.training_patients import worlds as patient_worlds
from pfps_ml.core.console import command
from pfps_ml.core.errors import CohortError, FactError, InputError, OutputError, PfpsError
from pfps_ml.domain.input_validation import complete
from pfps_ml.io.study_data import Columns, read_cohort
from pfps_ml.model.bundle import load_bundle
from pfps_ml.training.update_basis import onset_decomposition
from pfps_ml.workflows.recalibrate import EXPERIMENT
from pfps_ml.workflows.train import main
from pfps_ml.workflows.train_on_cohort import CURVES, train_on_cohort
from tests.cohorts import CASE, cohort_frame, cohort_of, patients_frame, written
from tests.workflows.drawn import outcomes, with_outcomes


@pytest.fixture(scope="module")
def runners(frames):
    """Return runners of the small cohort as a file would hold them."""
    return frames.onset.drop(columns="draw")


@pytest.fixture(scope="module")
def often(bundle, runners, tmp_path_factory):
    """Return them with twice the cases or so that the bundle expects."""
    cohort = read_cohort(written(tmp_path_factory.mktemp("often"), runners, "all.parquet"), Columns())
    margin = onset_decomposition(bundle.predictor, complete(cohort.values)).margin
    return with_outcomes(cohort, outcomes(margin, "trained", 0.8))


def test_training_writes_a_bundle_that_loads_says_what_it_was_trained_on_and_leaves_the_released_one_alone(
    bundle, often, runners, models_home, tmp_path, capsys
):
    before = (models_home / "CURRENT").read_text(), (bundle.path / "manifest.json").read_bytes()
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    main(cohort=path, bundle=bundle.path, out=tmp_path / "new/pfps-local", by="Clinic A")
    new, told = load_bundle(tmp_path / "new/pfps-local"), capsys.readouterr().out
    assert all(f"C0{at}" in told for at in range(1, 9))
    assert f"On: {len(runners):,} runners with {int(often.y.sum()):,} cases" in new.card
    assert "starting at `pfps-0.0.1`; pathways stay" in new.card
    assert "By: Clinic A." in new.card
    assert "How far: no test chose" in new.card
    assert "closed test" not in new.card
    assert new.manifest["updates"][0]["from"] == bundle.name
    assert (new.path / "models" / "success.json").read_bytes() == (bundle.path / "models" / "success.json").read_bytes()
    ratio = often.y.mean() / new.predictor.predict(complete(often.values)).risk.value.mean()
    assert ratio == pytest.approx(1, abs=0.05)
    assert before == ((models_home / "CURRENT").read_text(), (bundle.path / "manifest.json").read_bytes())


def test_columns_of_other_names_are_read_through_a_map(bundle, often, runners, tmp_path):
    frame = runners.assign(**{CASE: np.where(often.y == 1, 2, 1)}).rename(columns={CASE: "knee", "age_years": "years"})
    mapping = tmp_path / "map.toml"
    mapping.write_text('[columns.age_years]\nfrom = "years"\n', encoding="utf-8")
    path = written(tmp_path, frame, "cohort.parquet")
    main(cohort=path, mapping=mapping, outcome="knee", event="2", bundle=bundle.path, out=tmp_path / "mapped")
    update = json.loads((tmp_path / "mapped/manifest.json").read_bytes())["updates"][0]
    own = train_on_cohort(bundle, often)
    assert update["scales"] == own.facts["scales"]


def test_few_cases_move_the_model_less_than_they_say_by_themselves_and_many_as_far_as_they_do(bundle, often):
    shares = []
    for rows in (150, 4000):
        y = np.where(np.arange(len(often.y)) < rows, often.y, np.nan)
        facts = train_on_cohort(bundle, with_outcomes(often, y)).facts
        before, after = (np.log(facts[f"observed_expected_{when}"]) for when in ("before", "after"))
        assert abs(after) < abs(before)
        shares.append(1 - after / before)
    assert 0 < shares[0] < shares[1] < 1.05


def test_a_cohort_that_fits_is_trained_on_all_the_same_and_hardly_moves_anything(bundle, often):
    margin = onset_decomposition(bundle.predictor, complete(often.values)).margin
    found = train_on_cohort(bundle, with_outcomes(often, outcomes(margin, "fits")))
    assert found.choice.level == CURVES
    assert abs(found.facts["intercept"]) < 0.3
    assert found.facts["standard_errors_after"] < found.facts["standard_errors_before"]


def test_too_few_cases_are_refused_as_a_command_refuses_and_nothing_is_written(bundle, tmp_path, monkeypatch, capsys):
    path = written(tmp_path, cohort_frame(300, 9))
    asked = ["train", "--cohort", str(path), "--bundle", str(bundle.path), "-o", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit) as stopped:
        command(main)
    told = capsys.readouterr()
    assert stopped.value.code == CohortError.exit_code
    assert "C06" in told.out
    assert "expected at least 10 cases and as many others with a known outcome, got 9 and 291 (C06)" in told.err
    assert not (tmp_path / "out").exists()


def test_a_cohort_that_fails_a_check_is_refused_with_its_code(bundle, tmp_path):
    frame = cohort_frame(300, 60).assign(screened="2026-03-21", known="2026-03-20")
    with pytest.raises(CohortError, match="C01"):
        train_on_cohort(bundle, cohort_of(tmp_path, frame, measured_on="screened", happened_on="known"))


def test_a_folder_that_is_there_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(OutputError, match="that is there"):
        main(cohort=tmp_path / "nowhere.csv", out=tmp_path)


def test_without_a_bundle_training_starts_at_the_released_one(models_home, often, runners, tmp_path, monkeypatch):
    monkeypatch.setenv("PFPS_MODELS", str(models_home))
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    main(cohort=path, out=tmp_path / "pfps-local")
    assert load_bundle(tmp_path / "pfps-local").manifest["updates"][0]["from"] == "pfps-0.0.1"


def test_where_runs_cannot_be_kept_nothing_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path))
    with pytest.raises(FactError, match="no longer writes to"):
        main(cohort=tmp_path / "nowhere.csv", out=tmp_path / "out", mlflow=True)


def test_a_folder_whose_name_cannot_be_is_an_explained_error(bundle, often, runners, tmp_path):
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    with pytest.raises(OutputError, match="expected to write the bundle"):
        main(cohort=path, bundle=bundle.path, out=tmp_path / ("x" * 300))


def test_patients_are_not_taken_for_runners_nor_trained_on_twice(bundle, frames, tmp_path):
    path = written(tmp_path, frames.treatment.drop(columns="draw"), "patients.parquet")
    with pytest.raises(InputError, match="name it with --patients"):
        main(cohort=path, patients=path, bundle=bundle.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_fault_of_the_whole_file_is_told_as_such(tmp_path, monkeypatch, capsys):
    path = written(tmp_path, cohort_frame().head(0))
    monkeypatch.setattr(sys, "argv", ["train", "--cohort", str(path), "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        command(main)
    assert "\n  expected at least one row" in capsys.readouterr().err


def test_options_of_a_cohort_and_of_simulated_frames_are_not_mixed(subtests):
    cases = [
        {"by": "Clinic A"}, {"period": "season"}, {"cohort": "a.csv", "scenario": "null"},
        {"cohort": "a.csv", "folder": "elsewhere"},
    ]  # fmt: skip
    for asked in cases:
        with subtests.test(asked=asked), pytest.raises(InputError, match="--cohort FILE"):
            main(**asked)


def test_an_option_that_speaks_of_a_file_that_is_not_named_is_an_error(subtests):
    cases = [
        ("--cohort", {"patients": Path("p.csv"), "outcome": "x"}),
        ("--cohort", {"patients": Path("p.csv"), "event": "2"}),
        ("--cohort", {"patients": Path("p.csv"), "mapping": Path("m.toml")}),
        ("--patients", {"cohort": Path("c.csv"), "arm": "x"}),
        ("--patients", {"cohort": Path("c.csv"), "success": "x"}),
        ("--patients", {"cohort": Path("c.csv"), "arm_level": ["1=hip"]}),
        ("--patients", {"cohort": Path("c.csv"), "success_level": "2"}),
        ("--patients", {"cohort": Path("c.csv"), "patients_map": Path("m.toml")}),
    ]  # fmt: skip
    for file, asked in cases:
        with subtests.test(asked=asked), pytest.raises(InputError, match=f"expected {file} FILE"):
            main(**asked)


def test_patients_who_come_twice_are_known_by_their_column(bundle, tmp_path):
    """The same rows under a row number of their own each: only --person can tell."""
    frame = patients_frame(300, 150).drop(columns="club").assign(who=[f"P-{at // 2}" for at in range(300)])
    path = written(tmp_path, frame, "twice.parquet")
    with pytest.raises(PfpsError, match="C03"):
        main(patients=path, bundle=bundle.path, out=tmp_path / "out", person="who")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_patients_move_the_pathways_alone_and_runners_and_patients_together_move_both(
    bundle, often, runners, frames, tmp_path, capsys
):
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    patients = written(tmp_path, frames.treatment.drop(columns="draw"), "patients.parquet")
    main(patients=patients, bundle=bundle.path, out=tmp_path / "patients", by="Clinic B")
    alone, told = load_bundle(tmp_path / "patients"), capsys.readouterr().out
    assert (alone.path / "models" / "onset.json").read_bytes() == (bundle.path / "models" / "onset.json").read_bytes()
    assert (alone.path / "models" / "success.json").read_bytes() != (
        bundle.path / "models" / "success.json"
    ).read_bytes()
    assert "mean effect" in told
    assert "onset stays" in alone.card
    assert "Clinic B" in alone.card
    assert alone.notice.startswith(
        f"Trained on simulated data, updated on {len(frames.treatment):,} patients of a cohort."
    )
    main(cohort=path, patients=patients, bundle=bundle.path, out=tmp_path / "both")
    both = load_bundle(tmp_path / "both")
    assert (both.path / "models" / "success.json").read_bytes() == (alone.path / "models" / "success.json").read_bytes()
    assert (both.path / "models" / "onset.json").read_bytes() != (bundle.path / "models" / "onset.json").read_bytes()
    assert [each["from"] for each in both.manifest["updates"]] == [bundle.name, bundle.name]
    assert f"{len(runners):,} runners and {len(frames.treatment):,} patients of 2 cohorts" in both.notice
    assert both.card.count("## Updated on a cohort") == 2


@pytest.mark.slow
def test_arms_and_success_of_other_names_are_told(bundle, frames, tmp_path):
    own = frames.treatment.drop(columns="draw")
    other = own.assign(arm=own["arm"].replace({"hip": "T1"}), success_12w=own["success_12w"] + 1)
    other = other.rename(columns={"arm": "therapy", "success_12w": "better"})
    bundles = []
    for name, frame, asked in (
        ("own", own, {}),
        ("other", other, {"arm": "therapy", "arm_level": ["T1=hip"], "success": "better", "success_level": "2"}),
    ):
        path = written(tmp_path, frame, f"{name}.parquet")
        main(patients=path, bundle=bundle.path, out=tmp_path / name, **asked)
        bundles.append(load_bundle(tmp_path / name).manifest["updates"][0]["effects_after"])
    assert bundles[0] == bundles[1]


def test_patients_that_fail_leave_nothing_written_though_the_runners_are_fine(bundle, often, runners, frames, tmp_path):
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    few = frames.treatment.drop(columns="draw").head(12)
    patients = written(tmp_path, few, "patients.parquet")
    with pytest.raises(PfpsError, match="C0"):
        main(cohort=path, patients=patients, bundle=bundle.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mlflow_is_told_of_the_update_and_of_no_runner(bundle, often, runners, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, runners.assign(**{CASE: often.y.astype(int)}), "cohort.parquet")
    main(cohort=path, bundle=bundle.path, out=tmp_path / "pfps-local", mlflow=True, by="Clinic Z")
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = next(each for each in client.search_experiments() if each.name == EXPERIMENT)
    run = client.search_runs([experiment.experiment_id])[0]
    assert run.data.metrics["update_runners"] == len(runners)
    assert run.data.tags["changed"] == "curves"
    assert "Clinic Z" not in str(run.to_dictionary())


@pytest.mark.slow
def test_in_fresh_worlds_training_is_not_worse_than_the_bundle_nor_than_the_cohort_alone():
    """Twelve draws over the evidence that the released bundle never saw; judged in clubs that training never saw."""
    found = worlds(load_bundle(Path("models/pfps-0.2.0")), "reference", range(SEED - 12, SEED))
    mean = found.groupby("n").mean()
    assert (mean["trained"] < mean["ridge"]).all()
    assert (mean["trained"] < mean["ours"]).all()
    assert (mean["trained"] < mean["reference"])[[300, 1000, 3000]].all()
    # 100 runners seldom have 10 cases, and then it is by chance
    gap = found[found["n"] == 100].eval("trained - reference")
    assert gap.mean() <= 2 * gap.std() / len(gap) ** 0.5
    assert (mean["covered_trained"] > mean["covered_reference"] - 0.05).all()
    assert (mean["width_trained"].diff().dropna() < 0).all()


@pytest.mark.slow
def test_in_fresh_worlds_training_on_patients_is_not_worse_than_the_bundle_nor_than_the_patients_alone():
    found = patient_worlds(load_bundle(Path("models/pfps-0.2.0")), "reference", range(SEED - 8, SEED))
    mean = found.groupby("n").mean()
    assert (mean["trained"] < mean["reference"]).all()
    assert (mean["trained"] < mean["ours"]).all()
    assert (mean["error_trained"] < mean["error_reference"])[[300, 1000, 3000]].all()
