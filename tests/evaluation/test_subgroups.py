import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pfps_ml.core.config import EvaluationConfig
from pfps_ml.core.errors import CohortError
from pfps_ml.core.logistic import expit
from pfps_ml.core.numbers import generator
from pfps_ml.evaluation import metrics
from pfps_ml.evaluation.metrics import decision_table
from pfps_ml.evaluation.subgroups import compare_parts, decision_parts, subgroup_table

SETTINGS = EvaluationConfig(bootstraps=40)


def cohort(rows=3_000, clubs=20):
    stream = generator(61, "subgroups")
    margin = stream.normal(-2, 1, rows)
    y = (stream.random(rows) < expit(margin)).astype(float)
    return y, expit(margin), stream.integers(0, clubs, rows)


def wide(table):
    return table.pivot(index="level", columns="metric", values="value")


def test_figures_are_measured_within_each_level_and_unrecorded_ones_are_shown():
    y, p, clubs = cohort()
    sex = np.where(np.arange(3_000) % 2 == 0, "female", "male").astype(object)
    sex[:600] = None
    table = subgroup_table(y, p, {"sex": sex, "whole": np.zeros(3_000, dtype=int)}, clubs, SETTINGS)
    levels = table.drop_duplicates(["field", "level"])
    assert list(levels["level"]) == ["female", "male", "not recorded", "0"]
    assert levels["n"].tolist()[2:] == [600, 3_000] and levels["n"].tolist()[0] == (sex == "female").sum()
    assert wide(table).loc["female", "auroc"] == pytest.approx(roc_auc_score(y[sex == "female"], p[sex == "female"]))
    assert wide(table).loc["0", "brier"] == pytest.approx(metrics.brier(y, p))
    assert (table["low"] <= table["high"]).all() and len(table) == 4 * len(metrics.METRICS)


def test_the_whole_as_a_subgroup_has_the_intervals_of_the_whole():
    y, p, clubs = cohort()
    whole = metrics.measure_with_intervals(y, p, clubs, SETTINGS.seed, SETTINGS.bootstraps)
    table = subgroup_table(y, p, {"whole": np.zeros(3_000)}, clubs, SETTINGS)
    pd.testing.assert_frame_equal(table[list(whole.columns)], whole)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_level_with_fewer_than_10_events_or_non_events_shows_its_counts_and_no_figures(flipped):
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [9, 91, 10, 90])
    y = 1 - y if flipped else y
    p, clubs = np.linspace(0.1, 0.4, 200), np.arange(200) % 10
    by = {"age": pd.Categorical(np.repeat(["young", "old"], 100), ["young", "old"])}
    table = subgroup_table(y, p, by, clubs, SETTINGS)
    assert list(table["level"].unique()) == ["young", "old"] and (table["n"] == 100).all()
    few, enough = table["level"] == "young", table["level"] == "old"
    assert table.loc[few, ["value", "low", "high"]].isna().all(axis=None)
    assert table.loc[enough, "value"].notna().sum() >= 8


def test_a_level_of_fewer_than_5_clubs_has_figures_and_no_intervals():
    y, p, _ = cohort()
    table = subgroup_table(y, p, {"whole": np.zeros(3_000)}, np.arange(3_000) % 4, SETTINGS)
    assert table["value"].notna().all() and table[["low", "high"]].isna().all(axis=None)


def test_decision_curves_are_measured_within_each_level_and_too_few_events_have_none():
    y, p, clubs = cohort()
    sex = np.where(np.arange(3_000) % 2 == 0, "female", "male").astype(object)
    sex[:40] = None
    table = decision_parts(y, p, {"sex": sex}, clubs, SETTINGS)
    assert list(table["level"].unique()) == ["female", "male", "not recorded"]
    female, unknown = (table[table["level"] == level].reset_index(drop=True) for level in ("female", "not recorded"))
    own = sex == "female"
    alone = decision_table(y[own], p[own], clubs[own], SETTINGS)
    pd.testing.assert_frame_equal(female[list(alone.columns)], alone)
    assert (female["n"] == own.sum()).all() and (female["events"] == y[own].sum()).all()
    assert unknown["threshold"].tolist() == alone["threshold"].tolist()
    assert unknown[["net_benefit", "low", "gain", "gain_high"]].isna().all(axis=None)


def test_decision_curves_of_fewer_than_5_clubs_have_no_intervals():
    y, p, _ = cohort()
    table = decision_parts(y, p, {"whole": np.zeros(3_000)}, np.arange(3_000) % 4, SETTINGS)
    assert table[["net_benefit", "gain"]].notna().all(axis=None)
    assert table[["low", "high", "gain_low", "gain_high"]].isna().all(axis=None)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(CohortError, match="risks above 0"):
        subgroup_table([0, 1], [0.2, 1.0], {"whole": [0, 0]}, [0, 1], SETTINGS)


def test_knowing_more_shows_as_a_gain_over_the_first_with_paired_intervals():
    y, p, clubs = cohort(6_000)
    blurred = expit(np.log(p / (1 - p)) + generator(62, "blur").normal(0, 2, 6_000))
    table = compare_parts(y, {"little": blurred, "much": p}, clubs, SETTINGS)
    assert list(table["part"]) == ["little"] * 3 + ["much"] * 3
    first, second = (table[table["part"] == part].set_index("metric") for part in ("little", "much"))
    assert (first[["gain", "gain_low", "gain_high"]] == 0).all(axis=None)
    assert (second["gain_low"] > 0).all() and (second["gain"] < second["gain_high"]).all()
    assert second.loc["auroc", "gain"] == pytest.approx(second.loc["auroc", "value"] - first.loc["auroc", "value"])
    assert second.loc["log_loss", "value"] < first.loc["log_loss", "value"]
    unpaired = second.loc["auroc", "high"] - second.loc["auroc", "low"]
    assert second.loc["auroc", "gain_high"] - second.loc["auroc", "gain_low"] < 2 * unpaired


def test_comparisons_of_few_clubs_have_no_intervals_and_of_few_events_no_figures():
    y, p, _ = cohort()
    few_clubs = compare_parts(y, {"a": p, "b": p}, np.arange(3_000) % 4, SETTINGS)
    assert few_clubs[["value", "gain"]].notna().all(axis=None)
    assert few_clubs[["low", "high", "gain_low", "gain_high"]].isna().all(axis=None)
    few = compare_parts(np.r_[np.ones(9), np.zeros(91)], {"a": p[:100]}, np.arange(100), SETTINGS)
    assert few["value"].isna().all() and (few["events"] == 9).all()
