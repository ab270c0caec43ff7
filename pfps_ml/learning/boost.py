"""The boosted part: LightGBM's trees of depth two over fixed cuts, monotone where the direction is settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.config import OnsetConfig
from pfps_ml.core.messages import Message
from pfps_ml.errors import MissingLibrary
from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.learning.additive import AdditiveModel, codes
from pfps_ml.learning.trees import Cuts, Pairs, compile_trees, pair_gains
from pfps_ml.numbers import at_least

Floats = NDArray[np.float64]


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
            alone = [[i] for i in range(len(names))]
            settings["interaction_constraints"] = alone + [[names.index(a), names.index(b)] for a, b in pairs]
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
        gains = pair_gains(booster.dump_model())
        return sorted(sorted(gains, key=lambda pair: -gains[pair])[: self.config.max_pairs])

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
    found = np.unique(at_least(np.quantile(known, np.arange(1, bins) / bins)))
    below: Floats = found[found < known.max()]
    return below if len(below) else at_least(known[:1])


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingLibrary(Message("lightgbm_not_installed")) from error
    except OSError as error:
        raise MissingLibrary(Message("libgomp_not_there")) from error
    return lightgbm


__all__ = ["Booster", "cuts_of"]
