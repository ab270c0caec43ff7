"""The additive model: a sum of small tables on the scale of its link, and its exact Shapley values.

A model has one or more *members* that share cuts and knots: member 0 predicts, the others are replicates (bootstrap
resamples or evidence draws) that give the interval. Their values lie side by side, so a lookup reads all of them.

Shapley values are interventional, exact, and precomputed as tables. The background b is the training data. A one-field
term gives its centred value; a two-field term t gives its field j

    1/2 [E_b t(x_j, b_l) - E_b t(b_j, b_l)] + 1/2 [t(x_j, x_l) - E_b t(b_j, x_l)]

with the joint background in E_b t(b_j, b_l). No sampling and no approximation: the sum of all fields and the base is
the margin. A missing field is never a reason: what its "missing" entry adds goes to the base of that row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import BundleFormat, Floats, Message, NDArray, at_least
from pfps_ml.domain import LINKS, inverse_logit

Codes = NDArray[np.intp]
Values = pd.DataFrame | Mapping[str, Floats]
probability = inverse_logit
DECIMALS = 8  # of a table entry: far below what matters to a person, and shorter to read


@dataclass(frozen=True)
class Step:
    """A step function of one field: `values[i]` holds on (cuts[i-1], cuts[i]], the last row where it is missing.

    `cuts` has shape (c,), `values` (c + 2, members), log-odds.
    """

    field: str
    cuts: Floats
    values: Floats

    @property
    def fields(self) -> tuple[str, ...]:
        """The field it reads."""
        return (self.field,)

    def evaluate(self, columns: Values) -> Floats:
        """Return the term for every row, shape (rows, members)."""
        return self.values[codes(_column(columns, self.field), self.cuts)]


@dataclass(frozen=True)
class Line:
    """A piecewise-linear function of one field, constant beyond its end knots; the last row where it is missing.

    `knots` has shape (k,) and rises strictly, `values` (k + 1, members), log-odds.
    """

    field: str
    knots: Floats
    values: Floats

    @property
    def fields(self) -> tuple[str, ...]:
        """The field it reads."""
        return (self.field,)

    def evaluate(self, columns: Values) -> Floats:
        """Return the term for every row, shape (rows, members)."""
        x = _column(columns, self.field)
        missing = np.isnan(x)
        inside = np.clip(np.where(missing, self.knots[0], x), self.knots[0], self.knots[-1])
        left = np.clip(np.searchsorted(self.knots, inside, side="right") - 1, 0, len(self.knots) - 2)
        share = ((inside - self.knots[left]) / (self.knots[left + 1] - self.knots[left]))[:, None]
        values = self.values[left] * (1 - share) + self.values[left + 1] * share
        values[missing] = self.values[-1]
        return np.asarray(values)


@dataclass(frozen=True)
class Pair:
    """A step table of two fields; in each direction the last index is "missing".

    `values` has shape (c0 + 2, c1 + 2, members), log-odds.
    """

    fields: tuple[str, str]
    cuts: tuple[Floats, Floats]
    values: Floats

    def evaluate(self, columns: Values) -> Floats:
        """Return the term for every row, shape (rows, members)."""
        first, second = (codes(_column(columns, f), c) for f, c in zip(self.fields, self.cuts, strict=True))
        return np.asarray(self.values[first, second])


Term = Step | Line | Pair


@dataclass(frozen=True)
class AdditiveModel:
    """An intercept and terms; the margin is their sum, and the link says what probability a margin is.

    Attributes
    ----------
    intercept
        On the scale of the link (log-odds under the logit), shape (members,).
    terms
        One-field and two-field terms.
    link
        One of `domain.links.LINKS`.
    """

    intercept: Floats
    terms: tuple[Term, ...]
    link: str = "logit"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that any term reads, sorted."""
        return tuple(sorted({name for term in self.terms for name in term.fields}))

    def margin(self, columns: Values) -> Floats:
        """Return the log-odds of every row and member, shape (rows, members)."""
        total = np.tile(self.intercept, (count(columns), 1))
        for term in self.terms:
            total += term.evaluate(columns)
        return total

    def probability(self, margin: Floats) -> Floats:
        """Return the probability that a margin is under this model's link."""
        return LINKS[self.link].inverse(margin)

    def change(self, columns: Values, field: str, value: float) -> Floats:
        """Return how the margin moves if one field took one value (NaN: were missing), shape (rows, members)."""
        reading = [term for term in self.terms if field in term.fields]
        names = {name for term in reading for name in term.fields}
        before = {name: _column(columns, name) for name in names}
        rows = len(_column(columns, field))
        after = before | {field: np.full(rows, value)}
        moved = np.zeros((rows, len(self.intercept)))
        for term in reading:
            moved += term.evaluate(after) - term.evaluate(before)
        return moved

    def member(self, index: int) -> "AdditiveModel":
        """Return one member as a model of its own."""
        pick = [index]
        return replace(
            self,
            intercept=self.intercept[pick],
            terms=tuple(replace(term, values=term.values[..., pick]) for term in self.terms),
        )

    def scaled(self, slope: float, shift: float = 0.0) -> "AdditiveModel":
        """Return the model with its margin mapped to `slope * margin + shift`, folded into the tables."""
        terms = tuple(replace(term, values=slope * term.values) for term in self.terms)
        return replace(self, intercept=slope * self.intercept + shift, terms=terms)

    def rounded(self, decimals: int) -> "AdditiveModel":
        """Return the model as it is written: what is stored is what is used."""
        terms = tuple(replace(term, values=np.round(term.values, decimals)) for term in self.terms)
        return replace(self, intercept=np.round(self.intercept, decimals), terms=terms)


def add(first: AdditiveModel, second: AdditiveModel) -> AdditiveModel:
    """Return the model whose margin is the sum of both; they must have as many members."""
    return AdditiveModel(first.intercept + second.intercept, (*first.terms, *second.terms), first.link)


def stack(models: Iterable[AdditiveModel]) -> AdditiveModel:
    """Lay models with the same cuts and knots side by side as the members of one."""
    models = list(models)
    terms = zip(*(model.terms for model in models), strict=True)
    return AdditiveModel(
        np.concatenate([model.intercept for model in models]),
        tuple(replace(group[0], values=np.concatenate([t.values for t in group], axis=-1)) for group in terms),
        models[0].link,
    )


def count(columns: Values) -> int:
    """Return the number of rows."""
    return len(columns) if isinstance(columns, pd.DataFrame) else len(next(iter(columns.values())))


def codes(x: Floats, cuts: Floats) -> Codes:
    """Return the index of the bin of each value; the one after the last bin where the value is missing."""
    places = np.searchsorted(cuts, x, side="left")
    return np.where(np.isnan(x), len(cuts) + 1, places)


def to_json(model: AdditiveModel) -> dict[str, Any]:
    """Return the model as plain JSON values."""
    return {
        "link": model.link,
        "intercept": model.intercept.tolist(),
        "terms": [_term_to_json(term) for term in model.terms],
    }


def from_json(content: Any) -> AdditiveModel:
    """Build a model from plain JSON values: inspect, then construct.

    Raises
    ------
    BundleFormat
        If a table does not have the shape that its cuts or knots ask for, or holds anything but finite numbers.
    """
    try:
        link = content["link"]
        model = AdditiveModel(_floats(content["intercept"]), tuple(map(_term_from_json, content["terms"])), link)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BundleFormat(Message("model_not_additive", {"cause": str(error)})) from error
    if link not in LINKS:
        raise BundleFormat(Message("link_unknown", {"links": list(LINKS)}))
    members = model.intercept.shape
    if len(members) != 1 or any(term.values.shape[-1:] != members for term in model.terms):
        raise BundleFormat(Message("members_differ"))
    return model


def _term_to_json(term: Term) -> dict[str, Any]:
    if isinstance(term, Line):
        return {"type": "line", "field": term.field, "knots": term.knots.tolist(), "values": term.values.tolist()}
    if isinstance(term, Step):
        cut = at_least(term.cuts).tolist()
        return {"type": "step", "field": term.field, "cuts": cut, "values": term.values.tolist()}
    cuts = [at_least(field_cuts).tolist() for field_cuts in term.cuts]
    return {"type": "pair", "fields": list(term.fields), "cuts": cuts, "values": term.values.tolist()}


def _term_from_json(content: Any) -> Term:
    values = _floats(content["values"])
    if content["type"] == "pair":
        first, second = map(_floats, content["cuts"])
        name, other = content["fields"]
        _expect(values, (len(first) + 2, len(second) + 2), (first, second))
        return Pair((str(name), str(other)), (first, second), values)
    edges = _floats(content["knots" if content["type"] == "line" else "cuts"])
    if content["type"] == "line":
        _expect(values, (max(len(edges), 2) + 1,), (edges,))  # a line has two ends
        return Line(str(content["field"]), edges, values)
    if content["type"] != "step":
        raise ValueError("an unknown type of term")
    _expect(values, (len(edges) + 2,), (edges,))
    return Step(str(content["field"]), edges, values)


def _expect(values: Floats, shape: tuple[int, ...], edges: tuple[Floats, ...]) -> None:
    if values.ndim != len(shape) + 1 or values.shape[:-1] != shape or any((np.diff(e) <= 0).any() for e in edges):
        raise ValueError("a table whose shape does not fit its cuts, or cuts that do not rise")


def _floats(content: Any) -> Floats:
    array = np.asarray(content, dtype=float)
    if not np.isfinite(array).all():
        raise ValueError("a number that is not finite")
    return array


def _column(columns: Values, field: str) -> Floats:
    return np.asarray(columns[field], dtype=float)


@dataclass(frozen=True)
class Explainer:
    """The Shapley tables of one model.

    Attributes
    ----------
    base
        The expected margin over the background, log-odds.
    shares
        For every field, an additive model whose margin is the field's Shapley value.
    """

    base: float
    shares: dict[str, AdditiveModel]

    @property
    def fields(self) -> tuple[str, ...]:
        """The explained fields, sorted."""
        return tuple(sorted(self.shares))

    def explain(self, columns: Values) -> tuple[Floats, Floats]:
        """Return the base of every row (rows,) and the contributions (rows, fields), log-odds.

        Missing fields have a contribution of zero; their part is in the base of their row.
        """
        values = np.column_stack([self.shares[name].margin(columns)[:, 0] for name in self.fields])
        missing = np.column_stack([np.isnan(np.asarray(columns[name], dtype=float)) for name in self.fields])
        return self.base + np.where(missing, values, 0.0).sum(axis=1), np.where(missing, 0.0, values)


def explainer(model: AdditiveModel, background: Values) -> Explainer:
    """Precompute the Shapley tables of a model's first member against a background.

    Parameters
    ----------
    model
        The model to explain.
    background
        The training data, one column a field; missing values count as what they are.
    """
    main = model.member(0)
    base = float(main.margin(background).mean())
    offsets = dict.fromkeys(main.fields, 0.0)
    terms: dict[str, list[Term]] = {name: [] for name in main.fields}
    for term in main.terms:
        if isinstance(term, Pair):
            for name, share in zip(term.fields, _pair_shares(term, background), strict=True):
                terms[name].append(share)
        else:
            terms[term.field].append(term)
            offsets[term.field] -= float(term.evaluate(background).mean())
    shares = {name: AdditiveModel(np.array([offsets[name]]), tuple(terms[name])) for name in terms}
    return Explainer(base, shares)


def _pair_shares(term: Pair, background: Values) -> tuple[Pair, Pair]:
    table = term.values[..., 0]
    first, second = (
        codes(np.asarray(background[f], dtype=float), c) for f, c in zip(term.fields, term.cuts, strict=True)
    )
    first_share = np.bincount(first, minlength=table.shape[0]) / len(first)
    second_share = np.bincount(second, minlength=table.shape[1]) / len(second)
    over_second = (table @ second_share)[:, None]  # E_b t(x_0, b_1)
    over_first = (first_share @ table)[None, :]  # E_b t(b_0, x_1)
    joint = table[first, second].mean()
    shares = (
        0.5 * (over_second - joint) + 0.5 * (table - over_first),
        0.5 * (over_first - joint) + 0.5 * (table - over_second),
    )
    a, b = (Pair(term.fields, term.cuts, share[..., None]) for share in shares)
    return a, b


def explainer_to_json(explainer: Explainer) -> dict[str, Any]:
    """Return the Shapley tables as plain JSON values."""
    return {
        "base": explainer.base,
        "shares": {name: to_json(model) for name, model in sorted(explainer.shares.items())},
    }


def explainer_from_json(content: dict[str, Any]) -> Explainer:
    """Build the Shapley tables from plain JSON values."""
    return Explainer(float(content["base"]), {name: from_json(share) for name, share in content["shares"].items()})


__all__ = [
    "DECIMALS", "AdditiveModel", "Explainer", "Line", "Pair", "Step", "Term", "add", "codes", "count", "explainer",
    "explainer_from_json", "explainer_to_json", "from_json", "probability", "stack", "to_json",
]  # fmt: skip
