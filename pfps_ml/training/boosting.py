"""The boosted part: LightGBM's trees of depth two over fixed cuts, monotone where the direction is settled.

LightGBM's trees of depth two, written exactly as tables.

Every leaf of such a tree is a box over at most two fields. The cuts of a field are its thresholds; each leaf adds its
value to the cells of its box. "Missing" goes where the tree sends it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.core import FactError, Floats, Message, MissingLibrary
from pfps_ml.core.config import OnsetConfig
from pfps_ml.core.numbers import at_least
from pfps_ml.domain.dictionary import BY_NAME
from pfps_ml.model.additive import AdditiveModel, Pair, Step, Term, codes

Cuts = dict[str, Floats]
Condition = tuple[str, float, bool, bool]  # field, threshold, went left, missing goes left
Pairs = Sequence[tuple[str, str]]

_EVERYTHING = 1e300


def compile_trees(dump: dict[str, Any], cuts: Cuts | None = None, pairs: Pairs | None = None) -> AdditiveModel:
    """Write a dumped LightGBM ensemble as an additive model with one member.

    Parameters
    ----------
    dump
        What `Booster.dump_model()` returns; leaf values are log-odds.
    cuts
        The cuts to lay the tables out on, a superset of the thresholds (so that several ensembles can lie side by
        side); the thresholds themselves if not given.
    pairs
        The pairs to lay tables out for; those that occur if not given.

    Raises
    ------
    FactError
        If a leaf depends on more than two fields, or on a threshold or pair outside the given layout.
    """
    names = dump["feature_names"]
    leaves = [leaf for tree in dump["tree_info"] for leaf in _leaves(tree["tree_structure"], names, ())]
    if cuts is None:
        cuts = _thresholds(leaves)
    if pairs is None:
        pairs = sorted({(p[0], p[1]) for conditions, _ in leaves if len(p := _fields(conditions)) == 2})
    steps = {name: np.zeros(len(cuts[name]) + 2) for name in cuts}
    tables = {pair: np.zeros((len(cuts[pair[0]]) + 2, len(cuts[pair[1]]) + 2)) for pair in pairs}
    intercept = 0.0
    for conditions, value in leaves:
        fields = _fields(conditions)
        if len(fields) > 2:
            raise FactError(Message("leaf_over_many_fields", {"fields": list(fields)}))
        boxes = [_box(name, conditions, cuts[name]) for name in fields]
        if not fields:
            intercept += value
        elif len(fields) == 1:
            steps[fields[0]] += value * boxes[0]
        elif fields in tables:
            tables[fields] += value * np.outer(*boxes)
        else:
            raise FactError(Message("pair_not_in_layout", {"fields": list(fields)}))
    terms: list[Term] = [Step(name, cuts[name], table[:, None]) for name, table in steps.items()]
    terms += [Pair(pair, (cuts[pair[0]], cuts[pair[1]]), table[..., None]) for pair, table in tables.items()]
    return AdditiveModel(np.array([intercept]), tuple(terms))


def pair_gains(dump: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return, for every pair of fields that meet in a tree, the total gain of the lower splits."""
    gain_of_pair: dict[tuple[str, str], float] = {}
    for tree in dump["tree_info"]:
        root = tree["tree_structure"]
        for child in (root.get("left_child", {}), root.get("right_child", {})):
            if "split_feature" in child and child["split_feature"] != root["split_feature"]:
                a, b = sorted(dump["feature_names"][node["split_feature"]] for node in (root, child))
                gain_of_pair[a, b] = gain_of_pair.get((a, b), 0.0) + child["split_gain"]
    return gain_of_pair


def _leaves(node: dict[str, Any], names: list[str], above: tuple[Condition, ...]) -> Iterator[tuple[Any, float]]:
    if "leaf_value" in node:
        yield above, float(node["leaf_value"])
        return
    # a split between known and missing is dumped with the largest double as its threshold
    threshold = float(node["threshold"]) if node["threshold"] < _EVERYTHING else np.inf
    if node["missing_type"] == "Zero" or node["decision_type"] != "<=":
        raise FactError(Message("split_not_numeric"))
    # without missing values in training, LightGBM reads a missing one as zero
    missing_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
    for child, left in (("left_child", True), ("right_child", False)):
        condition = (names[node["split_feature"]], threshold, left, missing_left)
        yield from _leaves(node[child], names, (*above, condition))


def _thresholds(leaves: list[tuple[Any, float]]) -> Cuts:
    thresholds: dict[str, set[float]] = {}
    for conditions, _ in leaves:
        for name, threshold, _, _ in conditions:
            thresholds.setdefault(name, set()).update({threshold} - {np.inf})
    return {name: np.array(sorted(values)) for name, values in sorted(thresholds.items())}


def _fields(conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    return tuple(sorted({condition[0] for condition in conditions}))


def _box(name: str, conditions: tuple[Condition, ...], cuts: Floats) -> NDArray[np.bool_]:
    inside = np.ones(len(cuts) + 2, dtype=bool)
    for field, threshold, left, missing_left in conditions:
        if field != name:
            continue
        at = int(np.searchsorted(cuts, threshold))
        if np.isfinite(threshold) and (at == len(cuts) or cuts[at] != threshold):
            raise FactError(Message("threshold_not_among_cuts", {"field": name}))
        goes_left = np.append(np.arange(len(cuts) + 1) <= at, missing_left)
        inside &= goes_left if left else ~goes_left
    return inside


@dataclass(frozen=True)
class Booster:
    """How to boost on one training set: its cuts and the settings; the fits share them, so their tables align."""

    cuts: Cuts
    config: OnsetConfig

    def fit(self, X: pd.DataFrame, y: Floats, weight: Floats, trees: int, pairs: Pairs | None = None) -> Any:
        """Fit one ensemble; `pairs` restricts the fields that may meet in a tree."""
        lightgbm = _lightgbm()
        names = list(self.cuts)
        settings = {
            "objective": "binary", "max_depth": 2, "num_leaves": 4, "max_bin": 255, "min_data_in_bin": 1,
            "learning_rate": self.config.learning_rate, "lambda_l2": self.config.leaf_penalty,
            "min_data_in_leaf": self.config.min_rows_in_leaf, "min_sum_hessian_in_leaf": 1.0,
            "monotone_constraints": [BY_NAME[name].direction for name in names],
            "verbosity": -1, "seed": 1, "deterministic": True, "force_row_wise": True, "num_threads": 1,
        }  # fmt: skip
        if pairs is not None:
            single_fields = [[i] for i in range(len(names))]
            settings["interaction_constraints"] = single_fields + [[names.index(a), names.index(b)] for a, b in pairs]
        data = lightgbm.Dataset(self._codes(X), y, weight=weight, feature_name=names, free_raw_data=True)
        return lightgbm.train(settings, data, num_boost_round=trees)

    def margins(self, booster: Any, X: pd.DataFrame, trees: Sequence[int]) -> Floats:
        """Return the log-odds after several rising numbers of trees above zero, shape (rows, len(trees))."""
        coded = self._codes(X)
        added = [
            booster.predict(coded, raw_score=True, start_iteration=start, num_iteration=stop - start)
            for start, stop in pairwise((0, *trees))
        ]
        out: Floats = np.cumsum(added, axis=0).T
        return out

    def tables(self, booster: Any, pairs: Pairs) -> AdditiveModel:
        """Write an ensemble as tables over this training set's cuts."""
        dump = booster.dump_model()
        for tree in dump["tree_info"]:
            self._in_units(tree["tree_structure"], dump["feature_names"])
        return compile_trees(dump, self.cuts, pairs)

    def best_pairs(self, booster: Any) -> list[tuple[str, str]]:
        """Return the pairs that gained most, in the order of their names."""
        gain_of_pair = pair_gains(booster.dump_model())
        return sorted(sorted(gain_of_pair, key=lambda pair: -gain_of_pair[pair])[: self.config.max_pairs])

    def _codes(self, X: pd.DataFrame) -> Floats:
        coded = np.column_stack([codes(X[name].to_numpy(dtype=float), cuts) for name, cuts in self.cuts.items()])
        return np.where(X[list(self.cuts)].isna().to_numpy(), np.nan, coded.astype(float))

    def _in_units(self, node: dict[str, Any], names: list[str]) -> None:
        """Replace thresholds on codes by thresholds on the field: code <= k means value <= cuts[k]."""
        if "leaf_value" in node:
            return
        cuts = self.cuts[names[node["split_feature"]]]
        if node["threshold"] < len(cuts):
            node["threshold"] = float(cuts[int(np.floor(node["threshold"]))])
        # the code 0 is no field's zero: a missing value never seen in training goes left with it
        node["default_left"] = node["default_left"] if node["missing_type"] == "NaN" else True
        node["missing_type"] = "NaN"
        self._in_units(node["left_child"], names)
        self._in_units(node["right_child"], names)


def cuts_of(X: pd.DataFrame, bins: int) -> Cuts:
    """Return the cuts of every field: between the levels of a choice, at quantiles of a number."""
    return {str(name): _cuts(X[name], BY_NAME[str(name)].levels, bins) for name in X}


def _cuts(column: pd.Series, levels: tuple[str, ...], bins: int) -> Floats:
    if levels:
        return np.arange(0.5, len(levels) - 1, dtype=np.float64)
    known = column.dropna().to_numpy(dtype=float)
    if not len(known):
        return np.zeros(1)
    cuts = np.unique(at_least(np.quantile(known, np.arange(1, bins) / bins)))
    below: Floats = cuts[cuts < known.max()]
    return below if len(below) else at_least(known[:1])


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingLibrary(Message("lightgbm_not_installed")) from error
    except OSError as error:
        raise MissingLibrary(Message("libgomp_not_there")) from error
    return lightgbm


__all__ = ["Booster", "compile_trees", "cuts_of", "pair_gains"]
