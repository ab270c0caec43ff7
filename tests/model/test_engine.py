"""The compiled engine: the same function as its sources, and the same bits for a row in any company."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.core.numbers import generator
from pfps_ml.model import engine
from pfps_ml.model.additive import AdditiveModel, Line, Pair, Step, explainer
from pfps_ml.model.engine import TOLERANCE, compile_models
from pfps_ml.model.prediction import scorer
from pfps_ml.training.onset import compile_trees
from tests.training.test_trees import NAMES, data, fitted, tree

MEMBERS = 7


def random_model(seed: int, members: int = MEMBERS) -> AdditiveModel:
    """Return a model with every kind of term, over fields that share cuts, knots and pairs."""
    random = generator(seed, "engine")

    def cuts(most: int) -> np.ndarray:
        # rounded, so that terms share some
        return np.unique(np.round(random.normal(size=random.integers(0, most + 1)), 1))

    def knots() -> np.ndarray:
        return np.unique(np.concatenate([[-1.0], np.round(random.normal(size=4), 1), [0.5]]))

    terms: list = []
    for name in NAMES:
        at, on = knots(), cuts(12)
        terms.append(Line(name, at, random.normal(size=(len(at) + 1, members))))
        terms.append(Step(name, on, random.normal(size=(len(on) + 2, members))))
    for one, other in (("a", "b"), ("a", "c"), ("d", "b"), ("a", "b")):
        first, second = cuts(5), cuts(5)
        terms.append(
            Pair((one, other), (first, second), random.normal(size=(len(first) + 2, len(second) + 2, members)))
        )
    return AdditiveModel(random.normal(size=members), tuple(terms))


def edges(model: AdditiveModel) -> dict[str, np.ndarray]:
    """Return for every field all values at and beside its cuts and knots, far beyond them, and missing."""
    found: dict[str, list] = {name: [] for name in model.fields}
    for term in model.terms:
        at = term.knots if isinstance(term, Line) else term.cuts
        for name, cuts in zip(term.fields, at if isinstance(term, Pair) else (at,), strict=True):
            found[name] += [cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)]
    ends = [-np.inf, -1e308, -1e9, -0.0, 0.0, 1e-300, 1e9, 1e308, np.inf, np.nan]
    return {name: np.unique(np.concatenate([*values, ends])) for name, values in found.items()}


def rows_of(model: AdditiveModel, seed: int, count: int = 3000) -> dict[str, np.ndarray]:
    """Return rows that are edges, ordinary or missing in every field."""
    random = generator(seed, "rows")
    columns = {}
    for name, values in edges(model).items():
        x = np.where(random.random(count) < 0.5, random.choice(values, count), random.normal(size=count))
        columns[name] = np.where(random.random(count) < 0.1, np.nan, x)
    return columns


def test_tables_equal_their_sources_at_and_beside_every_cut_at_the_ends_and_where_missing(subtests):
    for seed in range(12):
        with subtests.test(seed=seed):
            model = random_model(seed)
            compiled = compile_models([model, model.member(2)])
            rows = rows_of(model, seed)
            both, one = compiled.members(rows)
            np.testing.assert_allclose(both, model.margin(rows), rtol=0, atol=1e-10)
            np.testing.assert_allclose(one, model.member(2).margin(rows), rtol=0, atol=1e-10)


def test_every_edge_of_every_field_falls_where_its_source_says():
    model = random_model(3)
    compiled = compile_models([model])
    rest = {name: values[:1] for name, values in rows_of(model, 5).items()}
    for name, values in edges(model).items():
        rows = {**{other: np.repeat(value, len(values)) for other, value in rest.items()}, name: values}
        np.testing.assert_allclose(compiled.members(rows)[0], model.margin(rows), rtol=0, atol=1e-10)


@pytest.mark.parametrize("trained_with_missing", [True, False])
def test_tables_equal_the_trees_that_they_come_from(trained_with_missing):
    booster = fitted(7, trained_with_missing)
    model = compile_trees(booster.dump_model())
    rows = rows_of(model, 7)
    found = scorer(model, explainer(model, data(7)[0])).score(rows)
    expected = booster.predict(pd.DataFrame(rows).reindex(columns=NAMES), raw_score=True)
    np.testing.assert_allclose(found.log_odds, expected, rtol=0, atol=1e-10)


@settings(max_examples=60)
@given(st.data())
def test_any_trees_of_depth_two_become_the_same_function(data):
    trees = [tree(data.draw) for _ in range(data.draw(st.integers(1, 4)))]
    model = compile_trees({"feature_names": NAMES, "tree_info": trees})
    thresholds = [float(cut) for term in model.terms if len(term.fields) == 1 for cut in term.cuts]
    beside = [float(np.nextafter(cut, end)) for cut in thresholds for end in (np.inf, -np.inf)]
    value = st.one_of(st.floats(-4, 4), st.just(np.nan), st.sampled_from([0.0, *thresholds, *beside]))
    rows = {name: np.array([data.draw(value) for _ in range(5)]) for name in NAMES}
    np.testing.assert_allclose(compile_models([model]).members(rows)[0], model.margin(rows), rtol=0, atol=1e-10)


@settings(max_examples=60)
@given(cuts=st.lists(st.floats(-1e300, 1e300), min_size=1, unique=True), data=st.data())
def test_a_value_is_binned_as_a_search_would_however_odd_the_cuts_are(cuts, data):
    ordered = np.unique(np.array(cuts))
    step = Step("a", ordered, np.arange(len(ordered) + 2, dtype=float)[:, None])
    x = np.array([data.draw(st.one_of(st.floats(), st.sampled_from(cuts))) for _ in range(4)])
    found = compile_models([AdditiveModel(np.zeros(1), (step,))]).members({"a": x})[0][:, 0]
    np.testing.assert_array_equal(found, step.evaluate({"a": x})[:, 0])


def all_of(found):
    return np.column_stack([found.log_odds, found.base, found.contributions, found.variances.T])


def test_a_row_has_the_same_bits_alone_among_others_and_in_any_order():
    model = random_model(1)
    compiled = scorer(model, explainer(model, rows_of(model, 2, 200)), (4, 2))
    rows = rows_of(model, 3, 5000)
    whole = all_of(compiled.score(rows))
    order = generator(1, "order").permutation(5000)
    shuffled = all_of(compiled.score({name: x[order] for name, x in rows.items()}))
    np.testing.assert_array_equal(shuffled, whole[order])
    for size, start in product((1, 2, 3, 64, 65, 1025), (0, 17, 3000)):
        part = all_of(compiled.score({name: x[start : start + size] for name, x in rows.items()}))
        np.testing.assert_array_equal(part, whole[start : start + size])


def test_members_have_the_same_bits_in_any_company():
    model = random_model(4)
    compiled, rows = compile_models([model, model.member(0)]), rows_of(model, 4, 2100)
    whole = compiled.members(rows)
    for at in (0, 63, 64, 1023, 1024, 2099):
        alone = compiled.members({name: x[at : at + 1] for name, x in rows.items()})
        for one, all_rows in zip(alone, whole, strict=True):
            np.testing.assert_array_equal(one[0], all_rows[at])


def test_equal_neighbours_become_one_cell_and_what_adds_nothing_is_dropped():
    flat = Step("a", np.array([1.0, 2.0, 3.0]), np.array([[1.0], [1.0], [4.0], [4.0], [0.0]]))
    straight = Line("b", np.array([0.0, 1.0, 2.0, 4.0]), np.array([[0.0], [1.0], [2.0], [2.0], [0.0]]))
    nothing = Step("c", np.array([1.0]), np.full((3, 1), 1e-13))
    rows = np.array([[1.0, 1.0, 3.0, 0.0]] * 2 + [[2.0, 2.0, 3.0, 0.0]] + [[0.0] * 4])
    sheet = Pair(("a", "b"), (np.array([1.0, 2.0]), np.array([0.5, 0.7])), rows[..., None])
    compiled = compile_models([AdditiveModel(np.zeros(1), (flat, straight, nothing, sheet))])
    assert compiled.grid.fields == ("b", "a")
    cells = len(compiled.tables[0].values)
    # of b: before 0, to the cut at 0.7, to 2, beyond, missing; of a: three and missing; of the pair: 3 x 3
    assert cells == 5 + 3 + 9
    assert 1e-13 <= compiled.cost <= 5 * TOLERANCE


def test_what_merging_and_dropping_cost_is_what_they_are_said_to_cost_at_most(subtests):
    for tolerance in [0.0, 1e-12, 1e-4]:
        with subtests.test(tolerance=tolerance):
            random, cuts = generator(9, "noise"), np.linspace(-2, 2, 9)
            terms = [Step(name, cuts, np.round(random.normal(size=(11, 2)))) for name in NAMES]
            terms.append(
                Pair(("a", "b"), (cuts, cuts), np.round(random.normal(size=(11, 11, 1)) / 3).repeat(2, axis=2))
            )
            terms.append(Line("c", np.array([-1.0, 1.0]), np.zeros((3, 2))))
            noisy = [replace(term, values=term.values + 1e-5 * random.normal(size=term.values.shape)) for term in terms]
            model = AdditiveModel(np.zeros(2), tuple(noisy))
            compiled, rows = compile_models([model], tolerance), rows_of(model, 9)
            gap = np.abs(compiled.members(rows)[0] - model.margin(rows)).max()
            assert gap <= compiled.cost + 1e-12
            assert (compiled.cost > 1e-6) == (tolerance > 1e-6)


def test_variances_are_those_of_the_members(subtests):
    for groups in [(4, 2), (0, 6), (6, 0), (1, 5), (3,)]:
        with subtests.test(groups=groups):
            model = random_model(6)
            found = scorer(model, explainer(model, rows_of(model, 1, 50)), groups)
            rows, start = rows_of(model, 8, 300), 1
            members = model.margin(rows)
            for size, variance in zip(groups, found.score(rows).variances, strict=True):
                own = members[:, start : start + size]
                expected = own.var(axis=1, ddof=1) if size > 1 else np.zeros(300)
                np.testing.assert_allclose(variance, expected, rtol=1e-12, atol=1e-12)
                start += size


def test_base_and_contributions_are_those_of_the_shapley_tables(subtests):
    for seed in range(4):
        with subtests.test(seed=seed):
            model = random_model(seed)
            shares = explainer(model, rows_of(model, 20, 400))
            rows = rows_of(model, seed, 1500)
            found = scorer(model, shares).score(rows)
            base, contributions = shares.explain(rows)
            np.testing.assert_allclose(found.base, base, rtol=0, atol=1e-11)
            np.testing.assert_allclose(found.contributions, contributions, rtol=0, atol=1e-11)
            np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.log_odds, rtol=0, atol=1e-10)
            missing = np.column_stack([np.isnan(rows[name]) for name in shares.fields])
            assert (found.contributions[missing] == 0).all()


def test_a_model_without_terms_answers_its_intercept():
    model = AdditiveModel(np.array([0.5, 0.7]), ())
    rows = {"a": np.zeros(3)}
    assert compile_models([model]).members(rows)[0].tolist() == [[0.5, 0.7]] * 3
    found = scorer(model, explainer(model, rows), (1,)).score(rows)
    assert found.log_odds.tolist() == found.base.tolist() == [0.5] * 3
    assert found.contributions.shape == (3, 0)


def test_the_size_of_a_chunk_changes_no_bit(monkeypatch):
    model = random_model(2)
    rows = rows_of(model, 2, 700)
    whole = compile_models([model]).members(rows)[0]
    monkeypatch.setattr(engine, "_WIDE", 5 * MEMBERS)
    np.testing.assert_array_equal(compile_models([model]).members(rows)[0], whole)
