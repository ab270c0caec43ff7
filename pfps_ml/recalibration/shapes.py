"""How the curves of a released model may bend: each keeps its knots, and its values at them move.

Scales of groups cannot make a shape that was not there: where the evidence saw nothing, a hundred times nothing stays
nothing. So training on a cohort may bend each curve: by a line over the rank of a value, and by how the curve leaves
that line at each knot (the columns of `learning.layout`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.learning.additive import AdditiveModel, Line, Term, Values, stack
from pfps_ml.learning.layout import contrast_of
from pfps_ml.learning.smooth import Basis, basis_on
from pfps_ml.prediction import Predictor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shapes:
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

    def curves(self, bends: Floats) -> dict[str, Floats]:
        """Return what is added to each curve at its knots and where it is missing, shape (knots + 1, members).

        The mean over the bundle's training data is zero, and so is what is added where the field is missing.

        Parameters
        ----------
        bends
            How much of each bend is added, shape (members, bends).
        """
        added = stack(self.basis.model(self.contrast @ each) for each in bends)
        return {term.fields[0]: term.values for term in added.terms}


def shapes_of(model: AdditiveModel, reference: Mapping[str, Any]) -> Shapes:
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
    return Shapes(basis, contrast_of(basis, ranks)[:, 1:])


def bent(predictor: Predictor, shapes: Shapes, bends: Floats) -> Predictor:
    """Return the models whose onset curves, and reasons, have bent; a direction that the evidence settles stays.

    Parameters
    ----------
    predictor
        The models before.
    shapes
        The curves of its onset model.
    bends
        How much of each bend is added to each member, shape (members, bends).
    """
    curves = {name: _kept(predictor.onset, name, added, shapes.basis.centres[name])
              for name, added in shapes.curves(bends).items()}  # fmt: skip
    own = {name: each[:, :1] for name, each in curves.items()}  # the first member is explained
    # a bend's mean is zero, so it is a Shapley value as it is
    shares = {name: with_curves(share, own) for name, share in predictor.explainer.shares.items()}
    return replace(predictor, onset=with_curves(predictor.onset, curves),
                   explainer=replace(predictor.explainer, shares=shares))  # fmt: skip


def with_curves(model: AdditiveModel, curves: Mapping[str, Floats]) -> AdditiveModel:
    """Return a model with something added to its curves, by field."""
    return replace(model, terms=tuple(_added(model.terms, curves)))


def _kept(model: AdditiveModel, name: str, added: Floats, centre: Floats) -> Floats:
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


__all__ = ["Shapes", "bent", "shapes_of", "with_curves"]
