"""The release gate: what must hold on unseen clubs, what is refused and how, and what the card says of it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pfps_ml.core.config import ReleaseConfig
from pfps_ml.core.errors import InputError, ReleaseRefused
from pfps_ml.domain.dictionary import ACTIVE_ARMS
from pfps_ml.workflows.card import limits_of, model_card, not_done
from pfps_ml.workflows.release import judge, release
from pfps_ml.workflows.release_gate import READ, Outcome, checks, hold_to_gate, read_tables

LIMITS = ReleaseConfig()


@pytest.fixture
def tables(evaluation):
    """Return the tables that the gate reads, all of them in order."""
    found = {name: evaluation.frame(name).copy() for name in READ}
    figures = {"auroc": (0.7, 0.65, 0.75), "scaled_brier": (0.04, 0.02, 0.06), "calibration_slope": (1.0, 0.9, 1.1),
               "observed_expected": (1.0, 0.9, 1.1), "ici": (0.006, 0.003, 0.01)}  # fmt: skip
    for name, numbers in figures.items():
        found["onset"].loc[found["onset"]["metric"] == name, ["value", "low", "high"]] = numbers
    found["heterogeneity"] = found["heterogeneity"].assign(p_differs=0.4, slope=0.5)
    found["answered"]["answered"] = 1.0
    found["overlap"]["share"] = 1.0
    values = found["policies"]
    values.loc[values["policy"] == "usual_care", ["lead", "lead_low", "lead_high"]] = (0.02, -0.03, 0.07)
    return found


@pytest.fixture
def written(results_home):
    """Return a written candidate and its evaluation."""
    return results_home / "candidate", results_home / "evaluation"


def figure(name, value, low, high):
    def change(tables):
        tables["onset"].loc[tables["onset"]["metric"] == name, ["value", "low", "high"]] = value, low, high

    return change


def column(table, name, value, row=0):
    def change(tables):
        tables[table].loc[tables[table].index[row], name] = value

    return change


def lead(low, high):
    def change(tables):
        usual = tables["policies"]["policy"] == "usual_care"
        tables["policies"].loc[usual, ["lead", "lead_low", "lead_high"]] = (low + high) / 2, low, high

    return change


def failed(tables):
    return [check.what for check in checks(tables, LIMITS) if not check.holds]


def test_figures_in_order_pass(tables):
    found = checks(tables, LIMITS)
    assert not failed(tables) and len(found) == 8 + len(ACTIVE_ARMS)
    assert {check.outcome for check in found} == {Outcome.HOLDS}
    hold_to_gate(found)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (figure("auroc", 0.6, 0.5, 0.7), "AUROC"),
        (figure("auroc", 0.6, np.nan, np.nan), "AUROC"),
        (figure("scaled_brier", -0.1, -0.2, -0.01), "Scaled Brier score"),
        (figure("calibration_slope", 1.5, 1.2, 1.8), "Calibration slope"),
        (figure("calibration_slope", 0.5, 0.3, 0.8), "Calibration slope"),
        (figure("calibration_slope", np.nan, np.nan, np.nan), "Calibration slope"),
        (figure("observed_expected", 0.8, 0.7, 0.9), "Observed / expected"),
        (figure("ici", 0.03, 0.02, 0.05), "Integrated calibration index"),
        (column("answered", "answered", 0.999), "Rows with an answer and its interval"),
        (column("overlap", "share", 0.4), "Patients with a real chance of an arm"),
        (lead(-0.1, -0.01), "Choosing by the model, against usual care"),
        (column("heterogeneity", "p_differs", 0.9999), "Hip strengthening: who gains most"),
    ],
)
def test_each_figure_that_is_shown_to_be_wrong_is_refused_by_itself(tables, change, what):
    change(tables)
    assert failed(tables) == [what]


@pytest.mark.parametrize(
    "change",
    [
        figure("calibration_slope", 1.4, 1.05, 1.8),  # too few cases to say that it is wrong
        figure("observed_expected", 0.8, 0.6, 1.0),
        figure("ici", 0.02, 0.008, 0.05),
        lead(-0.1, 0.01),
        column("heterogeneity", "p_differs", 0.99),  # one of three tests
        column("heterogeneity", "p_differs", np.nan),  # no differences predicted
        column("overlap", "share", np.nan, row=3),  # nobody may have the arm
    ],
)
def test_what_the_few_cases_cannot_show_to_be_wrong_passes(tables, change):
    change(tables)
    assert not failed(tables)


def test_a_refusal_names_every_failed_figure_with_what_was_expected(tables):
    figure("auroc", 0.5, 0.4, 0.6)(tables)
    lead(-0.1, -0.01)(tables)
    with pytest.raises(ReleaseRefused, match=r"2 of 11 checks failed; nothing was released") as told:
        hold_to_gate(checks(tables, LIMITS))
    assert [fault.field for fault in told.value.faults] == ["AUROC", "Choosing by the model, against usual care"]
    assert told.value.faults[0].text == "expected an interval above 0.5, got 0.500 (0.400 to 0.600)"
    assert told.value.exit_code == 3


def test_a_candidate_that_fails_is_not_written_and_current_stays(written, models_home, tmp_path):
    home = shutil.copytree(models_home, tmp_path / "models")
    before = sorted(path.name for path in home.iterdir())
    with pytest.raises(ReleaseRefused, match="CURRENT was not moved"):
        release(*written, home, "9.9.9", replace(LIMITS, auroc_above=0.99))
    assert sorted(path.name for path in home.iterdir()) == before
    assert (home / "CURRENT").read_text() == (models_home / "CURRENT").read_text()


def test_an_evaluation_without_its_tables_is_refused(written, tmp_path):
    spoilt = shutil.copytree(written[1], tmp_path / "evaluation")
    (spoilt / "policies.csv").unlink()
    with pytest.raises(InputError, match=r"policies\.csv cannot be read; run pipelines\.evaluate"):
        judge(written[0], spoilt)
    (spoilt / "policies.csv").write_text("")
    with pytest.raises(InputError, match=r"one of its tables cannot be read; run pipelines\.evaluate"):
        judge(written[0], spoilt)
    with pytest.raises(InputError, match="expected an evaluation"):
        read_tables(written[0])


@pytest.mark.parametrize(("name", "content"), [("facts.json", "{"), ("models/success.json", None)])
def test_a_candidate_that_is_not_whole_is_refused(written, tmp_path, name, content):
    spoilt = shutil.copytree(written[0], tmp_path / "candidate")
    (spoilt / name).unlink() if content is None else (spoilt / name).write_text(content)
    with pytest.raises(InputError, match=r"cannot be read; run `pfps train`"):
        judge(spoilt, written[1])


def test_the_command_prints_every_figure_with_its_limit_and_says_what_failed(written, tmp_path, monkeypatch, capsys):
    from pfps_ml.core.console import command
    from pfps_ml.workflows import release as module

    (tmp_path / "strict.toml").write_text("[release]\nauroc_above = 0.99\n")
    arguments = [str(written[0]), "--evaluation", str(written[1]), "--models", str(tmp_path / "models")]
    monkeypatch.setattr("sys.argv", ["release", *arguments, "--config", str(tmp_path / "strict.toml")])
    with pytest.raises(SystemExit) as stopped:
        command(module.main)
    shown = capsys.readouterr()
    assert stopped.value.code == 3 and "REFUSED" in shown.out and "0.99" in shown.out
    assert "AUROC: expected an interval above 0.99" in shown.err and "Traceback" not in shown.err
    assert not (tmp_path / "models").exists()


def test_the_card_states_figures_verdicts_both_parts_of_the_interval_and_what_was_not_done(bundle, evaluation):
    card, made = bundle.card, bundle.manifest["trained_on"]
    for heading in ("Intervals", "Release gate", "What was not done", "Limits"):
        assert f"## {heading}\n" in card
    for row in evaluation.frame("onset").itertuples():
        assert f"| {row.label} | {row.value:.{5 if row.metric == 'excess_log_loss' else 3}f} |" in card
    for row in evaluation.frame("answered").itertuples():
        assert f"| {row.what} | {row.n:,} | 100.0% | {row.width:.3f} | {row.evidence:.0%} |" in card
    assert card.count("| holds |") == 8 + len(ACTIVE_ARMS) and all(text in card for text in not_done(made))
    assert list(not_done(made)) == bundle.manifest["limits"][-len(not_done(made)) :]


def test_the_card_of_a_bundle_of_people_does_not_say_that_its_data_were_simulated(candidate, tables, bundle):
    made = {**candidate.facts["trained_on"], "simulated": False, "scenario": None}
    card = model_card("pfps-x", {**candidate.facts, "trained_on": made}, tables, [], None, bundle.schema)
    assert f"**Trained on {made['runners']:,} runners of a cohort. Not a medical device." in card
    assert "simulated" not in card
    assert "only those who collected it can say" in card
    for texts in (limits_of, not_done):
        assert all(f"- {each}" in card for each in texts(made))
        assert len(texts(made)) == len(texts(candidate.facts["trained_on"]))


def test_the_card_says_where_an_interval_lacks_what_the_evidence_does_not_know(candidate, tables, bundle):
    for share, said in ((0.0, True), (np.nan, True), (0.4, False)):
        tables["answered"]["evidence"] = share
        card = model_card("pfps-x", candidate.facts, tables, [], None, bundle.schema)
        assert ("held no draws over the evidence" in card) == said


def test_the_card_says_what_the_preference_gate_found(candidate, tables, bundle):
    def card(verdict):
        return model_card("pfps-x", candidate.facts, tables, [], verdict, bundle.schema)

    assert "no pathway is ever preferred" in card(None)
    compared = {"against": "zero_effect", "label": "no effect of any pathway", "difference": 0.0012,
                "standard_error": 0.0004, "p": 0.001, "passed": True}  # fmt: skip
    rival = {**compared, "label": "the same odds ratio for everybody", "p": 0.2, "passed": False}
    passed = card({"passed": True, "level": 0.05, "comparisons": [compared]})
    assert "A preference between pathways may be named" in passed
    assert "| no effect of any pathway | +0.00120 | 0.00040 | 0.001 | beaten |" in passed
    refused = card({"passed": False, "level": 0.05, "comparisons": [compared, rival]})
    assert "is never named" in refused and "| 0.200 | not beaten |" in refused


def test_onset_figures_of_unseen_clubs_come_with_the_excess_over_the_true_risk(evaluation):
    excess = evaluation.frame("onset").set_index("metric").loc["excess_log_loss"]
    assert 0 < excess["low"] < excess["value"] < excess["high"]


def test_shares_of_evidence_and_sampling_are_those_of_the_variance():
    from pfps_ml.model.prediction import Estimate
    from pfps_ml.workflows.evaluate import answered

    half = np.full(4, 0.5)
    found = answered("x", Estimate(half, half - 0.1, half + 0.1, half * 3, half))
    assert found["evidence"] == pytest.approx(0.75) and found["sampling"] == pytest.approx(0.25)
    assert found["width"] == pytest.approx(0.2) and found["answered"] == 1
    nothing = answered("x", Estimate(half, half, np.array([0.5, 0.5, 0.4, np.nan]), half * 0, half * 0))
    assert nothing["answered"] == 0.5 and np.isnan([nothing["evidence"], nothing["sampling"]]).all()
