"""Overlap: whether patients like this one were given each pathway at all, read from the bundle's propensity tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.core.messages import Message
from pfps_ml.errors import BundleError, BundleFormat
from pfps_ml.learning.propensity import PropensityModel, propensity_from_json, propensity_to_json

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
KEY = "propensity"  # in reference.json


@dataclass(frozen=True)
class Overlap:
    """How the clinics of the training data chose, and the chance of an arm below which it is outside overlap."""

    model: PropensityModel
    floor: float

    def outside(self, columns: Mapping[str, Floats], patients: Bools, eligible: Bools) -> Bools:
        """Return which arms that are open to a patient were hardly ever given to the like, shape (arms, rows)."""
        if patients.all():
            chance = self.model.chances(columns).T
            return np.asarray((chance < self.floor) & eligible)
        outside = np.zeros(eligible.shape, dtype=bool)
        if patients.any():
            chance = self.model.chances({name: column[patients] for name, column in columns.items()}).T
            outside[:, patients] = (chance < self.floor) & eligible[:, patients]
        return outside


def overlap_to_json(model: PropensityModel, floor: float) -> dict[str, Any]:
    """Return what reference.json says of overlap."""
    return {"floor": floor, "states": propensity_to_json(model)}


def overlap_of(reference: Mapping[str, Any], arms: Sequence[str]) -> Overlap | None:
    """Build the overlap of a bundle with these arms; None if it was made before bundles knew it.

    Raises
    ------
    BundleFormat
        If it is of another shape.
    """
    if KEY not in reference:
        return None
    try:
        content = reference[KEY]
        floor, model = float(content["floor"]), propensity_from_json(content["states"], arms)
    except (BundleError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise BundleFormat(Message("propensities_of_other_shape")) from error
    return Overlap(model, floor)


__all__ = ["KEY", "Overlap", "overlap_of", "overlap_to_json"]
