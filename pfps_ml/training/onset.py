"""The onset model: who will get runner's knee within the horizon.

A smooth part (piecewise-linear ridge logistic regression) and a boosted part (trees of depth two) are stacked on
out-of-fold margins. The stack's intercept and slope are the calibration; they come from clubs that the parts had not
seen, and never from the clubs that are reported. Choices are averaged over by their out-of-fold likelihood rather than
made: with 50 cases the best of many is the luckiest. The result is one additive model, with refits of the same recipe
on resampled clubs and, where there are any, on draws over the evidence's intervals.

LightGBM's trees of the boosted part stand on fixed cuts, are monotone where the direction is settled, and are written
exactly as tables. Every leaf of such a tree is a box over at most two fields. The cuts of a field are its thresholds;
each leaf adds its value to the cells of its box. "Missing" goes where the tree sends it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pfps_ml.core import (
    FactError,
    Floats,
    Ints,
    Message,
    MissingLibrary,
    NDArray,
    OnsetConfig,
    at_least,
    fit_logistic,
    fit_path,
    generator,
)
from pfps_ml.domain import BY_NAME
from pfps_ml.model import (
    DECIMALS,
    AdditiveModel,
    Basis,
    Pair,
    Step,
    Term,
    add,
    basis,
    codes,
    probability,
    stack,
)
from pfps_ml.training.training_rows import levelled, masked_once, neutralise_missing, resample_clubs

Progress = Callable[[str], None]
Cuts = dict[str, Floats]
Condition = tuple[str, float, bool, bool]  # field, threshold, went left, missing goes left
Pairs = Sequence[tuple[str, str]]

_EVERYTHING = 1e300  # beyond every threshold
_SETTLING = 12_000  # rows that settle what "missing" means: a mean over them is known to 0.0005


@dataclass(frozen=True)
class Copies:
    """The training rows, and some as a poorer tier of measurement would see them."""

    X: pd.DataFrame
    y: Floats
    weight: Floats
    fold: Ints
    source: NDArray[np.intp]

    @classmethod
    def of(cls, X: pd.DataFrame, y: Floats, fold: Ints, share: float) -> "Copies":
        """Copy some rows, whose poorer views have a share of their weight."""
        masked, source, weight = masked_once(X, share)
        return cls(masked, np.asarray(y, dtype=float)[source], weight, fold[source], source)

    @property
    def originals(self) -> slice:
        """The rows as their clubs saw them: those that calibration is for. They come first."""
        return slice(int(self.source.max()) + 1)


@dataclass(frozen=True)
class Recipe:
    """What was chosen by cross-validation: everything that a replicate shares with the main model."""

    penalty: float
    trees: int
    pairs: tuple[tuple[str, str], ...]
    shift: float
    smooth_weight: float
    boost_weight: float


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


class OnsetModel(ClassifierMixin, BaseEstimator):
    """Predicts a new episode of runner's knee, as one additive model on the log-odds scale.

    Parameters
    ----------
    config
        Knots, penalties, trees, pairs and the number of bootstrap replicates.
    progress
        Called with the name of each step as it begins.

    Attributes
    ----------
    additive_
        The fitted model; member 0 predicts, then come the refits on evidence draws, then those on resampled clubs.
    draws_
        The number of evidence draws among the members.
    recipe_
        What cross-validation chose.
    classes_
        0 and 1.
    feature_names_in_, n_features_in_
        The fields seen in `fit`.
    """

    def __init__(self, config: OnsetConfig | None = None, progress: Progress | None = None) -> None:
        self.config = config
        self.progress = progress

    def fit(self, X: pd.DataFrame, y: Floats, club: pd.Series | None = None, fold: Ints | None = None) -> "OnsetModel":
        """Fit on coded fields (NaN is missing).

        Parameters
        ----------
        X
            One column a field of the dictionary.
        y
            1 for a new episode, else 0.
        club
            The club of every row, resampled whole for the replicates; every row by itself if not given.
        fold
            The fold of every row, by club; drawn at random if not given.
        """
        config, tell = self.config or OnsetConfig(), self.progress or (lambda _step: None)
        X = X.reset_index(drop=True)
        club = pd.Series(np.arange(len(X))) if club is None else club.reset_index(drop=True)
        folds = generator(config.seed, "folds").integers(0, 5, len(X)) if fold is None else np.asarray(fold)
        copies = Copies.of(X, y, folds, config.masked_share)
        self._parts = parts = _Parts(copies, basis(X, config.knots), Booster(cuts_of(X, config.bins), config), config)
        self.recipe_ = parts.choose(tell)
        tell("refitting on resampled clubs")
        counts = [np.ones(len(X))]
        counts += [resample_clubs(club, config.seed, f"bootstrap/{b}") for b in range(config.bootstraps)]
        self.additive_ = parts.members(self.recipe_, np.column_stack([count[copies.source] for count in counts]))
        self.draws_ = 0
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def with_evidence(self, draws: Iterable[tuple[pd.DataFrame, Floats]]) -> "OnsetModel":
        """Add what the evidence does not know: a refit of the same recipe, cuts and knots on each draw.

        Parameters
        ----------
        draws
            Coded fields and outcome of the training runners as each draw of the evidence makes them; read one at a
            time.
        """
        check_is_fitted(self, "additive_")
        waiting, refits, jobs = iter(draws), list[AdditiveModel](), self._parts.config.jobs
        with ThreadPoolExecutor(jobs) as pool:  # the fits spend their time outside of Python
            while batch := list(islice(waiting, jobs)):
                refits += pool.map(self._refit, batch)
        main, *others = (self.additive_.member(i) for i in range(len(self.additive_.intercept)))
        at = self.draws_
        self.additive_ = stack([main, *others[:at], *refits, *others[at:]])
        self.draws_ = at + len(refits)
        return self

    def _refit(self, draw: tuple[pd.DataFrame, Floats]) -> AdditiveModel:
        return self._parts.on(*draw).members(self.recipe_)

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Return the probability of no episode and of one, shape (rows, 2)."""
        check_is_fitted(self, "additive_")
        risk = probability(self.additive_.member(0).margin(X)[:, 0])
        return np.column_stack([1 - risk, risk])

    def predict(self, X: pd.DataFrame) -> Ints:
        """Return the likelier class; for a rare outcome that is nearly always 0, so use `predict_proba`."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


@dataclass(frozen=True)
class _Parts:
    """The two parts on one training set."""

    copies: Copies
    basis: Basis
    booster: Booster
    config: OnsetConfig

    def on(self, X: pd.DataFrame, y: Floats) -> "_Parts":
        """Return the same parts on other rows: knots, centres and cuts stay those of the main fit."""
        X = X.reset_index(drop=True)
        return replace(self, copies=Copies.of(X, y, np.zeros(len(X), dtype=np.int64), self.config.masked_share))

    def choose(self, tell: Progress) -> Recipe:
        """Choose penalty, pairs, trees and the stack by cross-validation over clubs."""
        tell("smooth part: penalty by cross-validation over clubs")
        penalty, smooth = self._choose_penalty()
        tell("boosted part: pairs and trees by cross-validation over clubs")
        trees, pairs, boosted = self._choose_trees()
        return Recipe(penalty, trees, pairs, *self._stack(smooth, boosted))

    def members(self, recipe: Recipe, counts: Floats | None = None) -> AdditiveModel:
        """Fit with every copy counted as given, shape (copies, members), and settle what "missing" means; once each."""
        weights = self.copies.weight[:, None] * (1.0 if counts is None else counts)
        c, fitted = self.copies, stack(self._fit(recipe, weight) for weight in weights.T)
        thinned = slice(None, None, max(1, len(c.y) // _SETTLING))
        settled = neutralise_missing(fitted, c.X[thinned], weights[thinned])
        counted = (weights / c.weight[:, None])[c.originals]
        return levelled(settled, c.X[c.originals], c.y[c.originals], counted).rounded(DECIMALS)

    def _fit(self, recipe: Recipe, weight: Floats) -> AdditiveModel:
        """Fit both parts with given weights of the copies and write the stack as one additive model."""
        rows = weight > 0
        design = self.basis.design(self.copies.X[rows])
        smooth = self.basis.model(self._fit_smooth(design, self.copies.y[rows], weight[rows], recipe.penalty))
        model = smooth.scaled(recipe.smooth_weight, recipe.shift)
        if recipe.trees == 0:
            return model
        fitted = self.booster.fit(self.copies.X[rows], self.copies.y[rows], weight[rows], recipe.trees, recipe.pairs)
        return add(model, self.booster.tables(fitted, recipe.pairs).scaled(recipe.boost_weight))

    def _fit_smooth(self, design: Floats, y: Floats, weight: Floats, penalty: float) -> Floats:
        return fit_logistic(design, y, weight, penalty * self._ridge, self.basis.bounds())

    @property
    def _ridge(self) -> Floats:
        return self.basis.penalty(self.config.roughness)

    def _choose_penalty(self) -> tuple[float, Floats]:
        """Return the mean of the penalties on the log scale, and their mean margin out of fold."""
        design, c = self.basis.design(self.copies.X), self.copies
        penalties = sorted(self.config.penalties, reverse=True)
        out = np.zeros((len(c.y), len(penalties)))
        for fold in np.unique(c.fold):
            train, test = c.fold != fold, c.fold == fold
            matrices = (penalty * self._ridge for penalty in penalties)
            path = fit_path(design[train], c.y[train], c.weight[train], matrices, self.basis.bounds())
            out[test] = np.column_stack([design[test] @ beta for beta in path])
        likely = self._likelihood(out)
        return float(np.exp(likely @ np.log(penalties))), out @ likely

    def _choose_trees(self) -> tuple[int, tuple[tuple[str, str], ...], Floats]:
        """Choose whether fields may meet in a tree and the mean number of trees, on folds that chose nothing."""
        counts = np.linspace(0, self.config.max_trees, 13).astype(int)
        unpaired, paired = (self._boosted_out_of_fold(counts.tolist(), paired) for paired in (False, True))
        likely = self._likelihood(np.hstack([unpaired, paired])).reshape(2, -1)
        meet = bool(likely[1].sum() > likely[0].sum())
        out, share = (unpaired, paired)[meet], likely[int(meet)] / likely[int(meet)].sum()
        pairs = self._pairs(np.ones(len(self.copies.y), dtype=bool)) if meet else []
        return round(float(share @ counts)), tuple(pairs), out @ share

    def _likelihood(self, margins: Floats) -> Floats:
        """Return the weight of every choice: its likelihood out of fold, as a share of all."""
        c = self.copies
        losses = np.array([log_loss(c.y, margin, c.weight) for margin in margins.T]) * c.weight.sum()
        likely = np.exp(losses.min() - losses)
        return np.asarray(likely / likely.sum())

    def _boosted_out_of_fold(self, counts: list[int], paired: bool) -> Floats:
        c, out = self.copies, np.zeros((len(self.copies.y), len(counts)))
        for fold in np.unique(c.fold):
            train, test = c.fold != fold, c.fold == fold
            base = np.average(c.y[train], weights=c.weight[train])
            pairs = self._pairs(train) if paired else []
            fitted = self.booster.fit(c.X[train], c.y[train], c.weight[train], counts[-1], pairs)
            out[test, 1:] = self.booster.margins(fitted, c.X[test], counts[1:])
            out[test, 0] = np.log(base / (1 - base))
        return out

    def _pairs(self, rows: NDArray[np.bool_]) -> list[tuple[str, str]]:
        c, first_trees = self.copies, self.config.max_trees // 3  # the first trees show which pairs gain most
        return self.booster.best_pairs(self.booster.fit(c.X[rows], c.y[rows], c.weight[rows], first_trees))

    def _stack(self, smooth: Floats, boosted: Floats) -> tuple[float, float, float]:
        """Weigh the parts by their margins out of fold on rows as seen: not negative, and shrunk to their shares."""
        originals, prior = self.copies.originals, np.array([self.config.smooth_share, 1 - self.config.smooth_share])
        y, offset = self.copies.y[originals], np.column_stack([np.ones(len(smooth)), smooth, boosted])[originals]
        # shrinking to the shares is shrinking to zero after the blend of both has been taken out
        penalty = np.diag([0.0, self.config.stack_shrinkage, self.config.stack_shrinkage])
        bounds = (np.array([-np.inf, *-prior]), np.full(3, np.inf))
        beta = fit_logistic(offset, y, None, penalty, bounds, offset=offset[:, 1:] @ prior)
        return float(beta[0]), float(beta[1] + prior[0]), float(beta[2] + prior[1])


def log_loss(y: Floats, margin: Floats, weight: Floats) -> float:
    """Return the weighted mean log loss of log-odds."""
    return float(np.average(np.logaddexp(0, margin) - y * margin, weights=weight))


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


__all__ = ["Booster", "OnsetModel", "Recipe", "compile_trees", "cuts_of", "log_loss", "pair_gains"]
