"""Cautions: what a reader must know beside the numbers, in plain words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import BY_NAME, ONSET_FIELDS

Bools = NDArray[np.bool_]

KNEE_PAIN = "Has knee pain now: not scored for onset; a visit is advised."
VISIT_AND_RISK = "Visit fields were given: the risk is that of a new episode once the knee is free of pain."
_FEW = 0.4  # share of the onset fields below which a risk is little more than an average


def cautions(values: pd.DataFrame, reference: Mapping[str, Any], patients: Bools) -> list[list[str]]:
    """Return the cautions of every coded row.

    Parameters
    ----------
    values
        Coded rows, derived fields included.
    reference
        The bundle's reference: the range of every field in the training data.
    patients
        Which rows have visit fields.
    """
    texts: list[list[str]] = [[] for _ in range(len(values))]
    pain = values["current_knee_pain"].to_numpy() == 1
    _note(texts, pain, KNEE_PAIN)
    _note(texts, patients & ~pain, VISIT_AND_RISK)
    for name, about in reference["fields"].items():
        field, x = BY_NAME[name], values[name].to_numpy(dtype=float)
        if field.levels:
            continue
        seen = f"{field.show(about['low'])} to {field.show(about['high'])}"
        with np.errstate(invalid="ignore"):
            outside = (x < about["low"]) | (x > about["high"])
        _note(texts, outside, f"{field.label} is outside what the model has seen ({seen}).")
    given = values[list(ONSET_FIELDS)].notna().sum(axis=1).to_numpy()
    for row in np.flatnonzero((given < _FEW * len(ONSET_FIELDS)) & ~pain):
        texts[row].append(f"Only {given[row]} of {len(ONSET_FIELDS)} fields are known: close to an average.")
    return texts


def _note(texts: list[list[str]], rows: Bools, text: str) -> None:
    for row in np.flatnonzero(rows):
        texts[row].append(text)


__all__ = ["KNEE_PAIN", "VISIT_AND_RISK", "cautions"]
