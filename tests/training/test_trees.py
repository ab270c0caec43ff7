"""Trees of depth two become tables, exactly."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.core.errors import FactError
from pfps_ml.core.numbers import generator
from pfps_ml.training.onset import compile_trees, pair_gains

NAMES = ["a", "b", "c", "d"]


def data(seed: int, missing: bool = True, rows: int = 800) -> tuple[pd.DataFrame, np.ndarray]:
    random = generator(seed, "trees")
    X = pd.DataFrame(np.round(random.normal(size=(rows, 4)), 2), columns=NAMES)
    X["d"] = (X["d"] > 0).astype(float)
    y = (random.random(rows) < 1 / (1 + np.exp(-(X["a"] + X["b"] * X["c"]).to_numpy()))).astype(float)
    return (X.mask(random.random(X.shape) < 0.2) if missing else X), y


def fitted(seed: int = 1, missing: bool = True, **settings_: object) -> lightgbm.Booster:
    X, y = data(seed, missing)
    chosen = {"objective": "binary", "max_depth": 2, "num_leaves": 4, "verbosity": -1, "num_threads": 1, **settings_}
    return lightgbm.train(chosen, lightgbm.Dataset(X, y), num_boost_round=40)


def test_tables_equal_the_trees_also_at_and_beside_every_cut_and_where_missing(subtests):
    for seed in range(4):
        for trained_with_missing in [True, False]:
            with subtests.test(seed=seed, trained_with_missing=trained_with_missing):
                booster = fitted(seed, trained_with_missing)
                model = compile_trees(booster.dump_model())
                X, _ = data(seed + 50)
                cuts = {
                    term.field: term.cuts for term in model.terms if hasattr(term, "cuts") and len(term.fields) == 1
                }
                beside = {
                    name: np.concatenate(
                        [values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf), [-1e9, 1e9, np.nan]]
                    )
                    for name, values in cuts.items()
                }
                short = {name: values for name, values in beside.items() if len(values) <= len(X)}
                first = {name: X.head(len(values)).reset_index(drop=True) for name, values in short.items()}
                edges = pd.concat([first[name].assign(**{name: values}) for name, values in short.items()])
                for rows in (X, edges):
                    np.testing.assert_allclose(
                        model.margin(rows)[:, 0], booster.predict(rows, raw_score=True), atol=1e-10
                    )


def test_a_wider_layout_gives_the_same_margin():
    booster, (X, _) = fitted(), data(9)
    free = compile_trees(booster.dump_model())
    cuts = {t.field: np.sort(np.append(t.cuts, [-7.0, 7.0])) for t in free.terms if len(t.fields) == 1}
    laid = compile_trees(booster.dump_model(), cuts)
    np.testing.assert_allclose(laid.margin(X), free.margin(X), atol=1e-12)


def test_depth_three_is_refused():
    with pytest.raises(FactError, match="at most two fields"):
        compile_trees(fitted(max_depth=3, num_leaves=8).dump_model())


def test_a_threshold_or_pair_outside_the_layout_is_refused():
    dump = fitted().dump_model()
    with pytest.raises(FactError, match="among its cuts"):
        compile_trees(dump, {name: np.array([0.123456]) for name in NAMES})
    with pytest.raises(FactError, match="pair of the given layout"):
        compile_trees(dump, pairs=[])


def test_a_split_on_zero_as_missing_is_refused():
    with pytest.raises(FactError, match="numeric splits"):
        compile_trees(fitted(zero_as_missing=True).dump_model())


def test_the_pair_that_interacts_gains_most():
    gains = pair_gains(fitted(missing=False).dump_model())
    assert max(gains, key=gains.get) == ("b", "c")


def tree(draw):
    """Any dumped tree of depth two over two fields, as LightGBM would write it."""
    number = st.floats(-3, 3, allow_nan=False)

    def node(depth):
        if depth == 0 or draw(st.booleans()):
            return {"leaf_value": draw(number)}
        return {
            "split_feature": draw(st.integers(0, 3)), "threshold": draw(number), "decision_type": "<=",
            "default_left": draw(st.booleans()), "missing_type": draw(st.sampled_from(["NaN", "None"])),
            "left_child": node(depth - 1), "right_child": node(depth - 1),
        }  # fmt: skip

    return {"tree_structure": node(2)}


def walk(node, row):
    while "leaf_value" not in node:
        x = row[NAMES[node["split_feature"]]]
        if np.isnan(x) and node["missing_type"] == "None":
            x = 0.0
        left = node["default_left"] if np.isnan(x) else x <= node["threshold"]
        node = node["left_child" if left else "right_child"]
    return node["leaf_value"]


@settings(max_examples=60)
@given(st.data())
def test_any_tree_of_depth_two_becomes_the_same_function(data):
    trees = [tree(data.draw) for _ in range(data.draw(st.integers(1, 4)))]
    value = st.one_of(st.floats(-4, 4), st.just(np.nan))
    row = {name: data.draw(value) for name in NAMES}
    model = compile_trees({"feature_names": NAMES, "tree_info": trees})
    expected = sum(walk(each["tree_structure"], row) for each in trees)
    assert model.margin(pd.DataFrame([row]))[0, 0] == pytest.approx(expected, abs=1e-10)
