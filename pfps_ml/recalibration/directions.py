"""The few directions in which a bundle is moved, and what its own draws say of them beforehand.

Every member of the onset model is written as the main model's parts with an intercept and a scale for each group of
terms (hip, foot, knee, load, history, body), plus a rest that stays. The draws over the evidence and the resamples so
give the mean and the covariance of these coefficients: what is known before any local outcome is seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.knowledge.field import DRIVERS
from pfps_ml.learning.additive import AdditiveModel, Pair, Term, Values, count
from pfps_ml.prediction import Predictor

Floats = NDArray[np.float64]
GROUPS = tuple(map(str, DRIVERS))
LEVELS = ("intercept", "slope", "groups")
_RIDGE = 1e-9  # of a direction that the runners do not show


def group_of(term: Term) -> int:
    """Return the place of the group that a term belongs to: that of its first field."""
    return GROUPS.index(str(BY_NAME[term.fields[0]].driver))


@dataclass(frozen=True)
class Directions:
    """The parts of the main model's margin for some runners.

    Attributes
    ----------
    margin
        Log-odds of every runner, shape (rows,).
    parts
        A column of ones and the centred part of each group, shape (rows, 1 + groups).
    members
        Log-odds of every runner by every member, shape (rows, members).
    """

    margin: Floats
    parts: Floats
    members: Floats

    def along(self, level: str) -> Floats:
        """Return how the margin moves with each coefficient of a level, shape (rows, coefficients)."""
        return self.parts @ basis_of(level)

    @property
    def shown(self) -> int:
        """How many groups differ between these runners: only those can be scaled."""
        return int((np.ptp(self.parts[:, 1:], axis=0) > 1e-9).sum())


def directions(predictor: Predictor, values: Values) -> Directions:
    """Take the margin of some runners apart, in groups that are centred at the training background."""
    main = predictor.onset.member(0)
    parts = np.zeros((count(values), 1 + len(GROUPS)))
    parts[:, 0] = 1
    for term in main.terms:
        parts[:, 1 + group_of(term)] += term.evaluate(values)[:, 0]
    members = predictor.onset.margin(values)
    parts[:, 1:] -= centres(predictor)
    return Directions(members[:, 0], parts, members)


def centres(predictor: Predictor) -> Floats:
    """Return the mean of each group's part over the training background, shape (groups,)."""
    found, shares = np.zeros(len(GROUPS)), predictor.explainer.shares
    for name, share in shares.items():
        # a one-field term's share is the term less its mean
        found[GROUPS.index(str(BY_NAME[name].driver))] -= float(share.intercept[0])
    for term in predictor.onset.terms:
        if isinstance(term, Pair):
            # the two shares of a pair sum to the term less its mean, wherever one looks
            corners = [_corner(each) for name in term.fields for each in shares[name].terms
                       if each.fields == term.fields]  # fmt: skip
            found[group_of(term)] += _corner(term) - sum(corners)
    return found


def _corner(term: Term) -> float:
    return float(term.values[0, 0, 0])


def basis_of(level: str) -> Floats:
    """Return the coefficients of a level as columns of intercept and scales, shape (1 + groups, coefficients)."""
    if level == "groups":
        return np.eye(1 + len(GROUPS))
    whole = np.zeros((1 + len(GROUPS), 2))
    whole[0, 0], whole[1:, 1] = 1, 1
    return whole[:, : 1 + LEVELS.index(level)]


def moves_of(members: Floats, along: Floats) -> Floats:
    """Return each member's coefficients as differences from the main model's, shape (members, coefficients)."""
    gram = along.T @ along + _RIDGE * len(along) * np.eye(along.shape[1])
    return np.asarray(np.linalg.solve(gram, along.T @ (members - members[:, :1])).T)


def moved(model: AdditiveModel, middle: Floats, moves: Floats) -> AdditiveModel:
    """Return a model whose members have moved, written into its tables.

    Parameters
    ----------
    model
        The onset model.
    middle
        The mean of each group's part over the background, shape (groups,): a scale turns around it.
    moves
        Intercept and scales to add to each member, in units of the main model's parts, shape (members, 1 + groups).
    """
    terms = tuple(_scaled(model.terms, moves))
    return replace(model, intercept=model.intercept + moves[:, 0] - moves[:, 1:] @ middle, terms=terms)


def _scaled(terms: tuple[Term, ...], moves: Floats) -> Iterator[Term]:
    for term in terms:
        main = term.values[..., :1]
        yield replace(term, values=term.values + main * moves[:, 1 + group_of(term)])


__all__ = [
    "GROUPS", "LEVELS", "Directions", "basis_of", "centres", "directions", "group_of", "moved", "moves_of",
]  # fmt: skip
