"""LightGBM's trees of depth two, written exactly as tables.

Every leaf of such a tree is a box over at most two fields. The cuts of a field are its thresholds; each leaf adds its
value to the cells of its box. "Missing" goes where the tree sends it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.errors import FactError
from pfps_ml.learning.additive import AdditiveModel, Pair, Step, Term

Floats = NDArray[np.float64]
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
    gains: dict[tuple[str, str], float] = {}
    for tree in dump["tree_info"]:
        root = tree["tree_structure"]
        for child in (root.get("left_child", {}), root.get("right_child", {})):
            if "split_feature" in child and child["split_feature"] != root["split_feature"]:
                a, b = sorted(dump["feature_names"][node["split_feature"]] for node in (root, child))
                gains[a, b] = gains.get((a, b), 0.0) + child["split_gain"]
    return gains


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
    found: dict[str, set[float]] = {}
    for conditions, _ in leaves:
        for name, threshold, _, _ in conditions:
            found.setdefault(name, set()).update({threshold} - {np.inf})
    return {name: np.array(sorted(values)) for name, values in sorted(found.items())}


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


__all__ = ["compile_trees", "pair_gains"]
