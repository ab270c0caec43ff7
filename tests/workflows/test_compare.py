"""The comparison of candidates: the same rows for all, whoever does the work, and what MLflow then holds."""

import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.config import OnsetConfig
from pfps_ml.core.console import command
from pfps_ml.core.errors import InputError
from pfps_ml.core.records import Tag
from pfps_ml.evaluation.metrics import log_loss
from pfps_ml.model.bundle import dump
from pfps_ml.training.onset import OnsetModel
from pfps_ml.training.pathways import PathwayModel
from pfps_ml.workflows import compare
from pfps_ml.workflows.compare import (
    CLUBS,
    MAIN,
    Job,
    cohort_of,
    each,
    entrants,
    judge,
    plan_of,
    records,
    round_of,
    run_comparison,
    stored,
)
from pfps_ml.workflows.tables import EXPERIMENT, HEADER, TABLE, TAG, lines
from pfps_ml.workflows.tracking import latest_table, track

N = 1200


class Copy(OnsetModel):
    """Ours again, as somebody else's."""

    def __init__(self):
        super().__init__(replace(OnsetConfig(), bootstraps=2))


@pytest.fixture(scope="module", autouse=True)
def own_module_and_store():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "somebodys_models", sys.modules[__name__])
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="module")
def plan():
    return plan_of("onset", "reference", (N, 1), ["somebodys_models:Copy"], "prevalence,lightgbm")


@pytest.fixture(scope="module")
def compared(plan, tmp_path_factory):
    return run_comparison(plan, 1, tmp_path_factory.mktemp("compared") / "onset")


@pytest.fixture(scope="module")
def store(plan, compared, tmp_path_factory):
    home = tmp_path_factory.mktemp("store")
    folder = home / "figures"
    folder.mkdir()
    run = track(records(plan, *compared, folder), "onset reference", EXPERIMENT, home=home)
    from mlflow import MlflowClient

    return home, run, MlflowClient(f"sqlite:///{home}/mlflow.db")


def of(table, candidate, metric):
    return table[(table["candidate"] == candidate) & (table["metric"] == metric)].iloc[0]


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers():
    cohort = cohort_of("reference", 600, 11)
    names = ("prevalence", "ridge", "lightgbm", "hist_gradient")
    jobs = [Job("onset", name, cohort, resamples=5) for name in names]
    told = []
    alone, together = (list(each(judge, jobs, workers, told.append)) for workers in (1, 2))
    assert told == [*jobs, *jobs]
    for one, two in zip(alone, together, strict=True):
        assert one.judged.candidate == two.judged.candidate
        assert one.judged.digest == two.judged.digest
        assert str(one.judged.figures) == str(two.judged.figures)  # equal to the last digit; NaN is NaN
        pd.testing.assert_frame_equal(one.judged.draws, two.judged.draws, check_exact=True)


def test_two_copies_of_one_model_differ_by_an_interval_that_covers_0(compared):
    table, _ = compared
    copies = table[table["candidate"] == "somebodys_models:Copy"]
    assert len(copies) == table["metric"].nunique()
    assert (copies["difference_low"] <= 0).all()
    assert (copies["difference_high"] >= 0).all()
    worse = of(table, "lightgbm", "excess_log_loss")
    assert worse["difference_low"] > 0


def test_clubs_that_judge_never_train_and_all_candidates_see_the_same(compared):
    found = round_of("onset", cohort_of("reference", N, 11), 0)
    assert set(found.trained.club).isdisjoint(found.judging.club)
    assert found.trained.club.nunique() + found.judging.club.nunique() == CLUBS
    assert len(found.trained.y) + len(found.judging.y) == N
    assert len({outcome.judged.digest for outcome in compared[1]}) == 1


def test_on_fresh_clubs_every_row_of_the_cohort_trains():
    found = round_of("pathways", cohort_of("null", 400, 11), 300)
    assert (len(found.trained.y), len(found.judging.y)) == (400, 300)
    assert set(found.trained.club).isdisjoint(found.judging.club)
    assert set(found.fold) == {0, 1, 2, 3, 4}
    other = round_of("pathways", cohort_of("null", 400, 12), 300)
    assert other.digest != found.digest


def test_pathways_are_compared_among_the_arms_open_to_a_patient(tmp_path):
    plan = plan_of("pathways", "kinetic_chain", (400, 2), [], "zero_effect,one_effect")
    plan = replace(plan, entrants=tuple(replace(e, name="ours") if e.name == "one_effect" else e
                                        for e in plan.entrants if e.name != "ours"))  # fmt: skip
    known = {"ours": "one_effect"}
    outcomes = []
    for job in plan.jobs():
        outcome = judge(replace(job, candidate=known.get(job.candidate, job.candidate)))
        outcomes.append(replace(outcome, judged=replace(outcome.judged, candidate=job.candidate)))
    table = compare.comparison_of(plan, outcomes)
    zero = of(table, "zero_effect", "policy_share")
    assert (zero["value"], zero["rounds"]) == (0.0, 2)
    assert of(table, "ours", "policy_share")["value"] > 0
    logged = list(records(plan, table, outcomes, tmp_path))
    assert {record.name for record in logged if hasattr(record, "records")} == {"ours", "zero_effect"}
    assert len(list(tmp_path.rglob("calibration.png"))) == 2
    shown = pd.read_csv(tmp_path / "ours" / "calibration.csv")
    first = next(outcome for outcome in outcomes if outcome.judged.candidate == "ours")
    assert (shown["n"] * shown["predicted"]).sum() == pytest.approx(first.predicted.sum())
    assert log_loss(first.y, first.predicted) == pytest.approx(first.judged.figures["log_loss"])


def test_settings_found_before_go_to_the_candidate_that_takes_them():
    cohort = cohort_of("null", 400, 3)
    small = {"n_estimators": 2, "num_leaves": 2}
    outcome = judge(Job("onset", "lightgbm_tuned", cohort, fresh=200, settings=small, keep=True))
    assert outcome.stored["lightgbm.txt"].count(b"Tree=") == 2
    assert judge(Job("onset", "prevalence", cohort, fresh=200, settings=small)).y is None


def test_a_parent_run_has_a_child_for_each_candidate(store, plan):
    _, run, client = store
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = client.search_runs([experiment])
    children = {r.info.run_name: r for r in runs if r.data.tags.get("mlflow.parentRunId") == run}
    assert set(children) == {entrant.name for entrant in plan.entrants}
    assert len(runs) == 1 + len(children)
    assert {r.info.status for r in runs} == {"FINISHED"}


def test_a_child_holds_figures_with_intervals_differences_seconds_and_a_picture_with_its_table(store, compared):
    _, run, client = store
    table, _ = compared
    (child,) = client.search_runs(
        [client.get_run(run).info.experiment_id], "attributes.run_name = 'lightgbm'"
    )  # fmt: skip
    expected = of(table, "lightgbm", "auroc")
    found = child.data.metrics
    assert found["auroc"] == pytest.approx(expected["value"])
    assert found["auroc_low"] == pytest.approx(expected["low"])
    assert found["auroc_less_ours_high"] == pytest.approx(expected["difference_high"])
    assert found["fit_seconds"] > 0
    names = {file.path for file in client.list_artifacts(child.info.run_id, "figures")}
    assert names == {"figures/calibration.csv", "figures/calibration.png"}
    assert client.get_run(run).data.params["n"] == str(N)
    assert re.fullmatch(r"[0-9a-f]{16}", client.get_run(run).data.params["split_1"])


def test_what_is_not_defined_is_not_logged(store):
    _, run, client = store
    (child,) = client.search_runs([client.get_run(run).info.experiment_id], "attributes.run_name = 'prevalence'")
    assert "calibration_slope" not in child.data.metrics
    assert "auroc" in child.data.metrics


def test_models_are_kept_as_text_or_said_not_to_be(store, compared):
    _, run, client = store
    experiment = client.get_run(run).info.experiment_id
    kept = {r.info.run_name: r.data.tags.get("model_stored") for r in client.search_runs([experiment])}
    assert kept["ours"] == kept["somebodys_models:Copy"] == "onset.json"
    assert kept["lightgbm"] == "lightgbm.txt"
    assert kept["prevalence"] == "no: only a pickle could hold it"


def test_no_row_of_any_runner_is_in_the_store(store):
    home, _, _ = store
    held = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"excess_log_loss" in held
    assert not re.search(rb"club-0\d{4}|R0\d{7}", held)


def test_pathway_models_are_stored_as_tables(candidate):
    model = PathwayModel()
    model.prognosis_, model.modifiers_ = candidate.predictor.prognosis, candidate.predictor.modifiers
    assert set(stored(model)) == {"pathways.json"}
    assert stored(object()) == {}
    assert dump({})


def test_the_latest_comparison_is_read_back_as_it_was_logged(store, compared):
    home, _, _ = store
    about, table = latest_table(Tag(TAG, "onset"), TABLE, EXPERIMENT, home=home)
    assert (about["run"], about["scenario"]) == ("onset reference", "reference")
    pd.testing.assert_frame_equal(table, compared[0])


def test_where_nothing_was_compared_the_answer_says_how_to(store, tmp_path):
    home, _, _ = store
    for task, place in (("pathways", home), ("onset", tmp_path)):
        with pytest.raises(InputError, match=r"make one with `pfps compare onset"):
            latest_table(Tag(TAG, task), TABLE, EXPERIMENT, home=place)
    with pytest.raises(InputError, match="expected a finished run"):
        latest_table(Tag(TAG, "onset"), TABLE, "another", home=home)


def test_lines_say_value_and_difference_with_intervals(compared):
    table, _ = compared
    shown = {line[0]: line for line in lines(table)}
    assert all(len(line) == len(HEADER) for line in shown.values())
    # an excess log loss is a few thousandths, and candidates differ by less
    assert re.fullmatch(r"0\.\d{5} \(0\.\d{5} to 0\.\d{5}\)", shown["LightGBM, defaults"][2])
    assert shown["Ours: additive blend"][3] == "+0.00000 (+0.00000 to +0.00000)"
    assert re.fullmatch(r"0\.\d{4} \(0\.\d{4} to 0\.\d{4}\)", next(iter(lines(table, "auroc")))[2])
    assert {line[2] for line in lines(table, "calibration_slope")} >= {"not defined"}
    without = table.assign(low=np.nan)
    assert re.fullmatch(r"0\.\d{5}", next(iter(lines(without)))[2])
    with pytest.raises(InputError, match=r"expected a figure of the comparison \(excess_log_loss.*got 'luck'"):
        next(iter(lines(table, "luck")))


def test_the_command_compares_logs_and_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["compare", "onset", "-n", "400", "--repeats", "2", "--only", "prevalence", "--scenario", "null"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as done:
        command(compare.main)
    assert not done.value.code
    out = capsys.readouterr().out
    assert "Excess log loss: null, n = 400" in out
    assert "Prevalence" in out
    assert (tmp_path / "mlruns" / "mlflow.db").exists()
    assert (tmp_path / "out" / "compare" / TABLE).exists()


def test_every_candidate_has_a_title_and_the_figures_that_are_shown_are_figures(compared):
    for task in MAIN:
        assert all(entrant.label for entrant in entrants(task).values())
    assert set(MAIN["onset"]) <= set(compared[0]["metric"])
