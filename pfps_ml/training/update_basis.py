"""The directions in which a released model may be moved, and the model written in its tables after a move.

Onset (`OnsetDecomposition`): every member of the onset model is written as the main model's parts with an intercept and
a scale for each group of terms (hip, foot, knee, load, history, body), plus a remainder that stays. The draws over the
evidence and the resamples give the mean and the covariance of these coefficients: the prior, before any local outcome.

Curves (`CurveBasis`): scales of groups cannot make a shape that was not there, since a hundred times zero stays zero.
So training on a cohort may bend each curve. A curve keeps its knots, and its values at them move: by a line over the
rank of a value, and by how the curve leaves that line at each knot (see `contrast_of` in `training.pathways`).

Pathways (`PathwayDecomposition`): the log-odds of success move along an intercept and a scale of the prognosis, and for
each active arm along its common effect and a scale of how the effect differs between patients.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Floats, NDArray
from pfps_ml.domain import ACTIVE_ARMS, ARMS, BY_NAME, DRIVERS
from pfps_ml.model import AdditiveModel, Basis, Line, Pair, Predictor, Term, Values, basis_on, count, stack
from pfps_ml.training.pathways import contrast_of

GROUPS = tuple(map(str, DRIVERS))
LEVELS = ("intercept", "slope", "groups")
_RIDGE = 1e-9  # of a direction that the runners do not show


def group_of(term: Term) -> int:
    """Return the place of the group that a term belongs to: that of its first field."""
    return GROUPS.index(str(BY_NAME[term.fields[0]].driver))


@dataclass(frozen=True)
class OnsetDecomposition:
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


def onset_decomposition(predictor: Predictor, values: Values) -> OnsetDecomposition:
    """Take the margin of some runners apart, in groups that are centred at the training background."""
    main = predictor.onset.member(0)
    parts = np.zeros((count(values), 1 + len(GROUPS)))
    parts[:, 0] = 1
    for term in main.terms:
        parts[:, 1 + group_of(term)] += term.evaluate(values)[:, 0]
    members = predictor.onset.margin(values)
    parts[:, 1:] -= centres(predictor)
    return OnsetDecomposition(members[:, 0], parts, members)


def centres(predictor: Predictor) -> Floats:
    """Return the mean of each group's part over the training background, shape (groups,)."""
    means, shares = np.zeros(len(GROUPS)), predictor.explainer.shares
    for name, share in shares.items():
        # a one-field term's share is the term less its mean
        means[GROUPS.index(str(BY_NAME[name].driver))] -= float(share.intercept[0])
    for term in predictor.onset.terms:
        if isinstance(term, Pair):
            # the two shares of a pair sum to the term less its mean, wherever one looks
            corners = [_corner(corner_share) for name in term.fields for corner_share in shares[name].terms
                       if corner_share.fields == term.fields]  # fmt: skip
            means[group_of(term)] += _corner(term) - sum(corners)
    return means


def _corner(term: Term) -> float:
    return float(term.values[0, 0, 0])


def basis_of(level: str) -> Floats:
    """Return the coefficients of a level as columns of intercept and scales, shape (1 + groups, coefficients)."""
    if level == "groups":
        return np.eye(1 + len(GROUPS))
    whole = np.zeros((1 + len(GROUPS), 2))
    whole[0, 0], whole[1:, 1] = 1, 1
    return whole[:, : 1 + LEVELS.index(level)]


def coef_offsets_of(members: Floats, along: Floats) -> Floats:
    """Return each member's coefficients as differences from the main model's, shape (members, coefficients)."""
    gram = along.T @ along + _RIDGE * len(along) * np.eye(along.shape[1])
    return np.asarray(np.linalg.solve(gram, along.T @ (members - members[:, :1])).T)


def moved(model: AdditiveModel, middle: Floats, coef_offsets: Floats) -> AdditiveModel:
    """Return a model whose members have moved, written into its tables.

    Parameters
    ----------
    model
        The onset model.
    middle
        The mean of each group's part over the background, shape (groups,): a scale turns around it.
    coef_offsets
        Intercept and scales to add to each member, in units of the main model's parts, shape (members, 1 + groups).
    """
    terms = tuple(_scaled(model.terms, coef_offsets))
    return replace(model, intercept=model.intercept + coef_offsets[:, 0] - coef_offsets[:, 1:] @ middle, terms=terms)


def _scaled(terms: tuple[Term, ...], coef_offsets: Floats) -> Iterator[Term]:
    for term in terms:
        main = term.values[..., :1]
        yield replace(term, values=term.values + main * coef_offsets[:, 1 + group_of(term)])


Labels = NDArray[np.object_]
COMMON = slice(2, None, 2)  # of the global coefficients: the arms' common effects
SCALES = slice(3, None, 2)  # the scales of how they differ


@dataclass(frozen=True, eq=False)
class PathwayDecomposition:
    """The log-odds of some patients by every member.

    Attributes
    ----------
    usual
        Under usual care, shape (rows, members).
    added
        What each active arm adds, the same shape.
    """

    usual: Floats
    added: Mapping[str, Floats]

    @classmethod
    def of(cls, predictor: Predictor, values: Values) -> "PathwayDecomposition":
        """Read the models of a bundle."""
        return cls(
            predictor.prognosis.margin(values), {name: predictor.modifiers[name].margin(values) for name in ACTIVE_ARMS}
        )

    @property
    def centres(self) -> Floats:
        """The mean of the prognosis and of what each arm adds, by the main model; the scales turn around them."""
        return np.array([self.usual[:, 0].mean(), *(self.added[name][:, 0].mean() for name in ACTIVE_ARMS)])

    def coef_columns(self, arm_of_patients: Labels, centres: Floats) -> Floats:
        """Return the columns of the global coefficients, shape (rows, 2 + 2 x active arms)."""
        columns = [np.ones(len(arm_of_patients)), self.usual[:, 0] - centres[0]]
        for name, centre in zip(ACTIVE_ARMS, centres[1:], strict=True):
            columns += [(arm_of_patients == name) * 1.0, (arm_of_patients == name) * (self.added[name][:, 0] - centre)]
        return np.column_stack(columns)

    def margin(self, arm_of_patients: Labels) -> Floats:
        """Return the log-odds under the arm that each patient had, shape (rows, members)."""
        had = sum(
            ((arm_of_patients == name)[:, None] * self.added[name] for name in ACTIVE_ARMS), np.zeros_like(self.usual)
        )
        return np.asarray(self.usual + had)

    def coef_offsets(self, centres: Floats) -> Floats:
        """Return each member's global coefficients as differences from the main model's, over all arms of everybody."""
        arms = [np.full(len(self.usual), arm.name, dtype=object) for arm in ARMS]
        along = np.vstack([self.coef_columns(labels, centres) for labels in arms])
        return coef_offsets_of(np.vstack([self.margin(labels) for labels in arms]), along)


def scaled(model: AdditiveModel, add: Floats, scale: Floats, centre: float) -> AdditiveModel:
    """Return a model whose members have moved, written into its tables.

    Parameters
    ----------
    model
        The prognosis, or what an arm adds.
    add, scale
        What is added to each member, and in how many times the main model's differences from the centre; (members,).
    centre
        The mean of the main model's log-odds.
    """
    terms = tuple(replace(term, values=term.values + term.values[..., :1] * scale) for term in model.terms)
    return replace(model, intercept=model.intercept + add + scale * (model.intercept[0] - centre), terms=terms)


@dataclass(frozen=True)
class CurveBasis:
    """The curves of a model, and how each may bend.

    Attributes
    ----------
    basis
        Their knots, and the mean of each ramp over the bundle's training data.
    contrast
        From the columns of the basis to those of a bend, about one standard deviation each, shape (columns, bends).
    """

    basis: Basis
    contrast: Floats

    @property
    def count(self) -> int:
        """In how many ways the curves may bend."""
        return int(self.contrast.shape[1])

    def design(self, values: Values) -> Floats:
        """Return what each bend adds to the log-odds of some runners, 0 where a field is missing; (rows, bends)."""
        frame = pd.DataFrame({name: values[name] for name in self.basis.knots})
        return np.asarray(self.basis.design(frame) @ self.contrast)

    def curves(self, curve_offsets: Floats) -> dict[str, Floats]:
        """Return what is added to each curve at its knots and where it is missing, shape (knots + 1, members).

        The mean over the bundle's training data is zero, and so is what is added where the field is missing.

        Parameters
        ----------
        curve_offsets
            How much of each bend is added, shape (members, bends).
        """
        added = stack(self.basis.model(self.contrast @ member_offsets) for member_offsets in curve_offsets)
        return {term.fields[0]: term.values for term in added.terms}


def curve_basis_of(model: AdditiveModel, reference: Mapping[str, Any]) -> CurveBasis:
    """Return how a model's curves may bend; one over a field that nobody of its training data had may not.

    Parameters
    ----------
    model
        The released model.
    reference
        The bundle's reference: the values of each field in its training data, and their shares.
    """
    fields, curves = reference["fields"], {term.field: term.knots for term in model.terms if isinstance(term, Line)}
    known = {name: knots for name, knots in curves.items() if fields[name]["values"]}
    basis, ranks = basis_on(known, {name: (_floats(fields[name]["values"]), _floats(fields[name]["shares"]))
                                    for name in known})  # fmt: skip
    return CurveBasis(basis, contrast_of(basis, ranks)[:, 1:])


def bent(predictor: Predictor, shapes: CurveBasis, curve_offsets: Floats) -> Predictor:
    """Return the models whose onset curves, and reasons, have bent; a direction that the evidence settles stays.

    Parameters
    ----------
    predictor
        The models before.
    shapes
        The curves of its onset model.
    curve_offsets
        How much of each bend is added to each member, shape (members, bends).
    """
    curves = {name: _without_turns(predictor.onset, name, added, shapes.basis.centres[name])
              for name, added in shapes.curves(curve_offsets).items()}  # fmt: skip
    main_curves = {name: additions[:, :1] for name, additions in curves.items()}  # the first member is explained
    # a bend's mean is zero, so it is a Shapley value as it is
    shares = {name: with_curves(share, main_curves) for name, share in predictor.explainer.shares.items()}
    return replace(predictor, onset=with_curves(predictor.onset, curves),
                   explainer=replace(predictor.explainer, shares=shares))  # fmt: skip


def with_curves(model: AdditiveModel, curves: Mapping[str, Floats]) -> AdditiveModel:
    """Return a model with something added to its curves, by field."""
    return replace(model, terms=tuple(_added(model.terms, curves)))


def _without_turns(model: AdditiveModel, name: str, added: Floats, centre: Floats) -> Floats:
    """Return what is added to a curve, less what would turn it where the evidence settles its direction."""
    direction = BY_NAME[name].direction
    if not direction:
        return added
    line = next(term for term in model.terms if isinstance(term, Line) and term.field == name)
    before, steps = (direction * np.diff(values[:-1], axis=0) for values in (line.values, added))
    steps = direction * np.maximum(steps, -np.maximum(before, 0))
    level = np.vstack([np.zeros_like(steps[:1]), np.cumsum(steps, axis=0)]) - centre @ steps
    return np.vstack([level, added[-1:]])


def _added(terms: tuple[Term, ...], curves: Mapping[str, Floats]) -> Iterator[Term]:
    for term in terms:
        if isinstance(term, Line) and term.field in curves:
            yield replace(term, values=term.values + curves[term.field])
        else:
            yield term


def _floats(content: Any) -> Floats:
    return np.asarray(content, dtype=float)


__all__ = [
    "COMMON",
    "GROUPS",
    "LEVELS",
    "SCALES",
    "CurveBasis",
    "OnsetDecomposition",
    "PathwayDecomposition",
    "basis_of",
    "bent",
    "centres",
    "coef_offsets_of",
    "curve_basis_of",
    "group_of",
    "moved",
    "onset_decomposition",
    "scaled",
    "with_curves",
]  # fmt: skip
