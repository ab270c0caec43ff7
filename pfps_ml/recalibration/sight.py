"""What a bundle's pathway models say of some patients, taken apart along the few ways in which they are scaled.

The log-odds of success move along an intercept and a scale of the prognosis, and for each active arm along its common
effect and a scale of how the effect differs between patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.learning.additive import AdditiveModel, Values
from pfps_ml.prediction import Predictor
from pfps_ml.recalibration.directions import moves_of

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]
COMMON = slice(2, None, 2)  # of the few coefficients: the arms' common effects
SCALES = slice(3, None, 2)  # the scales of how they differ


@dataclass(frozen=True, eq=False)
class Sight:
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
    def of(cls, predictor: Predictor, values: Values) -> "Sight":
        """Read the models of a bundle."""
        return cls(
            predictor.prognosis.margin(values), {name: predictor.modifiers[name].margin(values) for name in ACTIVE_ARMS}
        )

    @property
    def centres(self) -> Floats:
        """The mean of the prognosis and of what each arm adds, by the main model; the scales turn around them."""
        return np.array([self.usual[:, 0].mean(), *(self.added[name][:, 0].mean() for name in ACTIVE_ARMS)])

    def few(self, given: Labels, centres: Floats) -> Floats:
        """Return how log-odds move with each of the few coefficients, shape (rows, 2 + 2 x active arms)."""
        columns = [np.ones(len(given)), self.usual[:, 0] - centres[0]]
        for name, centre in zip(ACTIVE_ARMS, centres[1:], strict=True):
            columns += [(given == name) * 1.0, (given == name) * (self.added[name][:, 0] - centre)]
        return np.column_stack(columns)

    def margin(self, given: Labels) -> Floats:
        """Return the log-odds under the arm that each patient had, shape (rows, members)."""
        had = sum(((given == name)[:, None] * self.added[name] for name in ACTIVE_ARMS), np.zeros_like(self.usual))
        return np.asarray(self.usual + had)

    def moves(self, centres: Floats) -> Floats:
        """Return each member's few coefficients as differences from the main model's, over all arms of everybody."""
        arms = [np.full(len(self.usual), arm.name, dtype=object) for arm in ARMS]
        along = np.vstack([self.few(given, centres) for given in arms])
        return moves_of(np.vstack([self.margin(given) for given in arms]), along)


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


__all__ = ["COMMON", "SCALES", "Sight", "scaled"]
