"""Exact interventional Shapley values of an additive model, precomputed as tables.

The background b is the training data. A one-field term gives its centred value; a two-field term t gives its field j

    1/2 [E_b t(x_j, b_l) - E_b t(b_j, b_l)] + 1/2 [t(x_j, x_l) - E_b t(b_j, x_l)]

with the joint background in E_b t(b_j, b_l). No sampling and no approximation: the sum of all fields and the base is
the margin. A missing field is never a reason: what its "missing" entry adds goes to the base of that row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.learning.additive import AdditiveModel, Pair, Term, Values, codes, from_json, to_json

Floats = NDArray[np.float64]


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


def explainer_to_json(found: Explainer) -> dict[str, Any]:
    """Return the Shapley tables as plain JSON values."""
    return {"base": found.base, "shares": {name: to_json(model) for name, model in sorted(found.shares.items())}}


def explainer_from_json(content: dict[str, Any]) -> Explainer:
    """Build the Shapley tables from plain JSON values."""
    return Explainer(float(content["base"]), {name: from_json(share) for name, share in content["shares"].items()})


__all__ = ["Explainer", "explainer", "explainer_from_json", "explainer_to_json"]
