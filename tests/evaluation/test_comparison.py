"""Candidates side by side: paired intervals, the same rows for all, and figures that agree with those they gather."""

import numpy as np
import pandas as pd
import pytest

from pfps_ml.core.errors import CohortError
from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.evaluation.comparison import (
    EXCESS,
    ONSET_LABELS,
    PATHWAY_LABELS,
    Comparison,
    Judged,
    Patients,
    compare,
    onset_figures,
    pathway_figures,
    t_interval,
)
from pfps_ml.evaluation.effects import pehe, policy_share
from pfps_ml.evaluation.metrics import club_resamples, measure
from pfps_ml.evaluation.policy import BEST, policy_regret, simple_policies

NAMES = [arm.name for arm in ARMS]
LABELS = {"log_loss": "Log loss"}
NO_DRAWS = pd.DataFrame()


def judged(candidate, *values, digest="same", draws=NO_DRAWS):
    return [Judged(candidate, i, f"{digest}-{i}", {"log_loss": value}, draws, 12) for i, value in enumerate(values)]


def of(table, candidate, metric="log_loss"):
    return table[(table["candidate"] == candidate) & (table["metric"] == metric)].iloc[0]


@pytest.fixture(scope="module")
def runners():
    stream = generator(3, "comparison")
    truth = 1 / (1 + np.exp(-stream.normal(-2.5, 1, 1200)))
    return (stream.random(1200) < truth).astype(float), truth, np.repeat(np.arange(12), 100)


@pytest.fixture(scope="module")
def patients():
    stream = generator(4, "comparison")
    truth, success = (pd.DataFrame(stream.uniform(0.1, 0.9, (300, 4)), columns=NAMES) for _ in "12")
    eligible = pd.DataFrame(True, columns=NAMES, index=truth.index)
    eligible["injection"] = stream.random(300) < 0.3
    y, arm = (stream.random(300) < 0.5).astype(float), np.array(NAMES, dtype=object)[stream.integers(0, 3, 300)]
    return success, Patients(y, arm, eligible, truth)


def test_over_rounds_values_and_differences_are_students_t():
    table = compare([*judged("ours", 1.0, 2.0, 3.0), *judged("peer", 1.5, 2.0, 4.0)], "ours", LABELS)
    ours, peer = of(table, "ours"), of(table, "peer")
    assert (ours["value"], ours["rounds"]) == (2.0, 3)
    assert ours["high"] - ours["value"] == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert peer["difference"] == pytest.approx(0.5)
    assert peer["difference_high"] - 0.5 == pytest.approx(4.302653 * 0.5 / np.sqrt(3), rel=1e-6)


def test_the_reference_differs_from_itself_by_nothing():
    ours = of(compare(judged("ours", 1.0, 2.0), "ours", LABELS), "ours")
    assert (ours["difference"], ours["difference_low"], ours["difference_high"]) == (0, 0, 0)


def test_a_candidate_left_out_of_some_rounds_is_compared_over_those_that_both_were_in():
    peer = of(compare([*judged("ours", 1.0, 2.0, 9.0), *judged("peer", 2.0, 4.0)], "ours", LABELS), "peer")
    assert (peer["value"], peer["difference"], peer["rounds"]) == (3.0, 1.5, 2)


def test_two_copies_of_one_model_differ_by_an_interval_that_covers_0(runners):
    y, truth, clubs = runners
    weights = list(club_resamples(y, clubs, 1, 50))
    p = np.clip(truth * 1.1, 0, 0.99)
    results = []
    for name in ("ours", "copy"):
        draws = pd.DataFrame([onset_figures(y, p, truth, weight) for weight in weights])
        results.append(Judged(name, 0, "digest", onset_figures(y, p, truth), draws, 12))
    table = compare(results, "ours", ONSET_LABELS)
    copies = table[table["candidate"] == "copy"]
    assert set(copies["metric"]) == set(ONSET_LABELS)
    assert ((copies["difference_low"] <= 0) & (copies["difference_high"] >= 0)).all()


def test_in_a_single_round_the_resamples_are_paired_so_that_a_small_difference_shows(runners):
    y, truth, clubs = runners
    results = []
    for name, p in (("ours", truth), ("peer", np.full(len(y), y.mean()))):
        draws = pd.DataFrame([onset_figures(y, p, truth, weight) for weight in club_resamples(y, clubs, 1, 100)])
        results.append(Judged(name, 0, "digest", onset_figures(y, p, truth), draws, 12))
    table = compare(results, "ours", ONSET_LABELS)
    ours, peer = of(table, "ours"), of(table, "peer")
    assert ours["low"] < ours["value"] < ours["high"]
    assert 0 < peer["difference_low"] < peer["difference"] < peer["difference_high"]
    assert peer["difference_high"] - peer["difference_low"] < peer["high"] - peer["low"]
    assert of(table, "ours", EXCESS)["value"] == pytest.approx(0)


def test_candidates_that_were_judged_on_other_rows_are_not_compared():
    with pytest.raises(CohortError, match=r"round 0 on the same rows and split \(same-0\), but peer .*\(other-0\)"):
        compare([*judged("ours", 1.0), *judged("peer", 1.0, digest="other")], "ours", LABELS)


def test_without_the_reference_there_is_no_comparison():
    with pytest.raises(CohortError, match="results of ours to compare with, got none"):
        compare(judged("peer", 1.0), "ours", LABELS)


def test_an_interval_needs_two_values():
    assert t_interval([2.0])[0] == 2.0
    assert np.isnan(t_interval([2.0])[1:]).all()
    assert np.isnan(t_interval([])).all()


def test_figures_of_onset_are_the_metrics_with_the_excess_over_the_truth_where_it_is_known(runners):
    y, truth, _ = runners
    assert onset_figures(y, truth, None) == measure(y, truth)
    assert set(onset_figures(y, truth, truth)) == set(ONSET_LABELS)


def test_figures_of_pathways_agree_with_those_that_judge_one_model(patients):
    success, about = patients
    found = pathway_figures(success, about)
    assert set(found) == set(PATHWAY_LABELS)
    chosen = {BEST: simple_policies(success, about.eligible)[BEST]}
    assert found["policy_share"] == pytest.approx(policy_share(chosen[BEST], about.truth, about.eligible))
    assert found["regret"] == pytest.approx(policy_regret(chosen, about.truth, about.eligible)["regret"].iloc[0])
    alone = pehe(success.sub(success["usual_care"], axis=0), about.truth, about.eligible).set_index("arm")
    for name in ACTIVE_ARMS:
        assert found[f"pehe_{name}"] == pytest.approx(alone.loc[name, "pehe"])
    total = (alone["pehe"] ** 2 * alone["n"]).sum() / alone["n"].sum()
    assert found["pehe"] == pytest.approx(np.sqrt(total))


def test_a_weight_of_two_counts_a_patient_twice(patients):
    success, about = patients
    twice = np.repeat(np.arange(300), np.where(np.arange(300) < 100, 2, 1))
    doubled = Patients(
        about.y[twice], about.arm[twice],
        about.eligible.iloc[twice].reset_index(drop=True), about.truth.iloc[twice].reset_index(drop=True),
    )  # fmt: skip
    expected = pathway_figures(success.iloc[twice].reset_index(drop=True), doubled)
    assert pathway_figures(success, about, np.where(np.arange(300) < 100, 2.0, 1.0)) == pytest.approx(expected)


def test_without_the_truth_only_what_happened_is_judged(patients):
    success, about = patients
    unknown = Patients(about.y, about.arm, about.eligible)
    assert set(pathway_figures(success, unknown)) == {"log_loss", "brier"}


def test_where_no_arm_is_better_or_open_the_share_and_the_error_are_not_defined(patients):
    success, about = patients
    same = about.truth.assign(**dict.fromkeys(ACTIVE_ARMS, about.truth["usual_care"]))
    found = pathway_figures(success, Patients(about.y, about.arm, about.eligible.assign(injection=False), same))
    assert np.isnan(found["policy_share"])
    assert np.isnan(found["pehe_injection"])
    assert found["regret"] == 0


def test_the_picture_of_a_comparison_is_its_table():
    table = compare([*judged("ours", 1.0, 2.0), *judged("peer", 1.5, 2.0), *judged("new", 3.0)], "ours", LABELS)
    display = Comparison(table, "log_loss")
    assert list(display.frame()["candidate"]) == ["ours", "peer", "new"]
    axes = display.plot().axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["new", "peer", "ours"]
