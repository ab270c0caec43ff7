"""Reasons are exact Shapley values: equal to brute force, and to shap's own on trees."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from pfps_ml.model.additive import explainer, explainer_from_json, explainer_to_json
from pfps_ml.training.onset import compile_trees
from tests.model.test_additive import model
from tests.training.test_trees import NAMES, data, fitted


def brute_force(found, rows, background):
    """Interventional Shapley values by their definition: every coalition, every background row."""
    fields = list(found.fields)
    out = np.zeros((len(rows), len(fields)))
    for i, (_, row) in enumerate(rows.iterrows()):
        worth = {}
        for size in range(len(fields) + 1):
            for coalition in itertools.combinations(fields, size):
                mixed = background.assign(**{name: row[name] for name in coalition})
                worth[frozenset(coalition)] = found.margin(mixed)[:, 0].mean()
        for j, name in enumerate(fields):
            others = [other for other in fields if other != name]
            for size in range(len(others) + 1):
                share = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(fields))
                for coalition in map(frozenset, itertools.combinations(others, size)):
                    out[i, j] += share * (worth[coalition | {name}] - worth[coalition])
    return out


def test_contributions_equal_brute_force(subtests):
    for seed in range(3):
        with subtests.test(seed=seed):
            found = model(members=1, seed=seed)
            background = pd.DataFrame({"a": [0.0, 0.7, 2.0, np.nan, 0.2], "b": [0.5, 1.5, np.nan, 2.5, 3.0]})
            rows = pd.DataFrame({"a": [0.1, 0.9, 2.9], "b": [2.5, 0.1, 1.7]})
            _, contributions = explainer(found, background).explain(rows)
            np.testing.assert_allclose(contributions, brute_force(found, rows, background), atol=1e-12)


def test_contributions_equal_shap_on_a_model_of_trees_alone():
    shap = pytest.importorskip("shap")
    booster, (X, _) = fitted(missing=False), data(5, missing=False)
    background, rows = X.head(100), X.tail(100)  # shap draws a sample of any background over 100 rows
    peer = shap.TreeExplainer(booster, background, feature_perturbation="interventional").shap_values(rows)
    ours = explainer(compile_trees(booster.dump_model()), background)
    base, contributions = ours.explain(rows)
    found = pd.DataFrame(contributions, columns=list(ours.fields))[NAMES].to_numpy()
    np.testing.assert_allclose(found, peer, atol=1e-6)
    np.testing.assert_allclose(base + found.sum(axis=1), booster.predict(rows, raw_score=True), atol=1e-9)


def test_base_and_contributions_sum_to_the_margin_with_missing_values_too():
    booster, (X, _) = fitted(), data(6)
    tables = compile_trees(booster.dump_model())
    base, contributions = explainer(tables, X.head(300)).explain(X)
    np.testing.assert_allclose(base + contributions.sum(axis=1), tables.margin(X)[:, 0], atol=1e-9)


def test_a_missing_field_is_never_a_reason():
    booster, (X, _) = fitted(), data(6)
    found = explainer(compile_trees(booster.dump_model()), X)
    _, contributions = found.explain(X)
    assert (contributions[X[list(found.fields)].isna().to_numpy()] == 0).all()


def test_the_tables_come_back_from_json():
    booster, (X, _) = fitted(), data(6)
    found = explainer(compile_trees(booster.dump_model()), X)
    again = explainer_from_json(explainer_to_json(found))
    for one, two in zip(found.explain(X), again.explain(X), strict=True):
        np.testing.assert_array_equal(one, two)
