"""The compiled risk model: log-odds, exact contributions and the variance of the members, from one grid of cells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pfps_ml.learning.additive import AdditiveModel, Pair, Step, Term, Values, count
from pfps_ml.learning.compiled import TOLERANCE, compile_models
from pfps_ml.learning.engine import CHUNK, Cells, Grid, Table
from pfps_ml.learning.explain import Explainer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What a scorer says of some rows.

    Attributes
    ----------
    log_odds, base
        The margin, and where the contributions start: the background's mean and what missing fields add; (rows,).
    contributions
        Exact Shapley values, log-odds, shape (rows, fields); 0 where missing.
    variances
        Of each group of members, squared log-odds, shape (groups, rows); 0 for a group of fewer than two.
    """

    log_odds: Floats
    base: Floats
    contributions: Floats
    variances: Floats


@dataclass(frozen=True)
class Scorer:
    """A model, its Shapley tables and its members' deviations on one grid.

    Attributes
    ----------
    fields
        The explained fields, in the order of the contributions.
    cost
        The most by which merging cells and dropping terms can have moved a margin, log-odds.
    """

    fields: tuple[str, ...]
    cost: float
    _grid: Grid
    _margin: Table
    _base: Table
    _shares: tuple[Table, ...]
    _deviations: Table
    _groups: tuple[slice, ...]

    def score(self, values: Values) -> Scores:
        """Score rows given as columns, in the fields' units; NaN is missing."""
        columns = {name: np.asarray(values[name], dtype=np.float64) for name in self._grid.fields}
        found = self._blank(len(columns[self._grid.fields[0]]) if columns else count(values))
        buffer = self._deviations.buffer(self._grid.slots, len(found.base))
        for start in range(0, len(found.base), CHUNK):
            part = slice(start, min(start + CHUNK, len(found.base)))
            cells = self._grid.locate(columns, part)
            found.log_odds[part] = self._margin.margin(cells)
            found.base[part] = self._base.margin(cells)
            self._explain(cells, found.contributions.T[:, part])
            self._vary(cells, found.variances[:, part], buffer)
        return found

    def _blank(self, rows: int) -> Scores:
        # fields lie one after another in memory: whoever compares them reads them so
        contributions = np.zeros((len(self.fields), rows)).T
        return Scores(np.empty(rows), np.empty(rows), contributions, np.zeros((len(self._groups), rows)))

    def _explain(self, cells: Cells, out: Floats) -> None:
        """Write the contributions of some rows, shape (fields, rows)."""
        alone, first, second = self._shares
        at = [self.fields.index(name) for name in self._grid.fields]
        out[at] = alone.parts(cells, len(at))
        for slot, pair in enumerate(self._grid.pairs, len(at)):
            out[at[pair.first]] += first.values[:, 0].take(cells.at[slot])
            out[at[pair.second]] += second.values[:, 0].take(cells.at[slot])

    def _vary(self, cells: Cells, out: Floats, buffer: Floats) -> None:
        """Write the variances of the groups of members, shape (groups, rows)."""
        for rows, deviations in self._deviations.members(cells, buffer) if len(out) else ():
            for group, variance in zip(self._groups, out, strict=True):
                own = deviations[:, group]
                variance[rows] = np.einsum("rm,rm->r", own, own) / max(own.shape[1] - 1, 1)


def scorer(
    model: AdditiveModel, explained: Explainer, groups: Sequence[int] = (), tolerance: float = TOLERANCE
) -> Scorer:
    """Compile a model with its Shapley tables.

    Parameters
    ----------
    model
        Member 0 predicts.
    explained
        Its Shapley tables.
    groups
        The sizes of the groups of members, after the first member, whose variances are wanted.
    tolerance
        As of `compile_models`.
    """
    ends = np.cumsum([0, *groups]).tolist()
    spans = tuple(slice(start, end) for start, end in pairwise(ends))
    alone, first, second, hidden = _by_visibility(explained)
    models = (model.member(0), hidden, alone, first, second, _deviations(model, spans))
    compiled = compile_models(models, tolerance)
    margin, base, *shares, deviations = compiled.tables
    return Scorer(explained.fields, compiled.cost, compiled.grid, margin, base, (*shares,), deviations, spans)


def _deviations(model: AdditiveModel, spans: Sequence[slice]) -> AdditiveModel:
    """Return the members of the groups, each less the mean of its group."""

    def centred(values: Floats) -> Floats:
        groups = [group for span in spans if (group := values[..., 1:][..., span]).size]
        nothing = values[..., :0]
        return np.concatenate([nothing, *(g - g.mean(axis=-1, keepdims=True) for g in groups)], axis=-1)

    intercept = centred(model.intercept)
    terms = (replace(term, values=centred(term.values)) for term in model.terms)
    return AdditiveModel(intercept, tuple(terms) if len(intercept) else ())


def _by_visibility(explained: Explainer) -> tuple[AdditiveModel, AdditiveModel, AdditiveModel, AdditiveModel]:
    """Return what known fields add to their own contributions, and what missing ones add to the base of their row.

    The first model has every field's own terms, the second and third what each pair gives its first and its second
    field, the last the base.
    """
    alone: list[Term] = []
    hidden: list[Term] = []
    of_pairs: tuple[list[Term], list[Term]] = ([], [])
    for name, share in explained.shares.items():
        offset = np.full((2, 1), share.intercept[0])
        for term in (Step(name, np.zeros(0), offset), *share.terms):
            axis = term.fields.index(name)
            missing = np.zeros(term.values.shape, dtype=bool)
            np.moveaxis(missing, axis, 0)[-1] = True
            hidden.append(replace(term, values=np.where(missing, term.values, 0.0)))
            shown = replace(term, values=np.where(missing, 0.0, term.values))
            (of_pairs[axis] if isinstance(term, Pair) else alone).append(shown)
    nothing, base = np.zeros(1), np.array([explained.base])
    models = [AdditiveModel(nothing, tuple(terms)) for terms in (alone, *of_pairs)]
    return models[0], models[1], models[2], AdditiveModel(base, tuple(hidden))


__all__ = ["Scorer", "Scores", "scorer"]
