"""An updated model written as a bundle's parts: tables, Shapley tables, reference and golden answers agree with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.knowledge.dictionary import BY_NAME
from pfps_ml.learning.additive import AdditiveModel, probability
from pfps_ml.learning.explain import Explainer
from pfps_ml.prediction import Predictor
from pfps_ml.recalibration.directions import GROUPS, centres, group_of, moved

Floats = NDArray[np.float64]
_DECIMALS = 8


def updated_predictor(predictor: Predictor, moves: Floats) -> Predictor:
    """Return the predictor whose onset model, and reasons, have moved; pathways stay.

    Parameters
    ----------
    predictor
        The models before.
    moves
        What is added to each member: intercept and scales, shape (members, 1 + groups).
    """
    onset = moved(predictor.onset, centres(predictor), moves)
    return replace(predictor, onset=onset, explainer=_explainer(predictor.explainer, onset, moves[0, 1:]))


def updated_reference(reference: Mapping[str, Any], before: Floats, after: Floats) -> dict[str, Any]:
    """Return the reference with rates, bands and averages moved as the mean risk of the cohort has moved.

    Parameters
    ----------
    reference
        The reference before; what it says of the fields, and how runners chose, stays.
    before, after
        Risk of the cohort's runners before and after the update, shape (rows,).
    """
    shift = float(_log_odds(after.mean()) - _log_odds(before.mean()))

    def shifted(risk: float) -> float:
        return round(float(probability(np.array(_log_odds(risk) + shift))), _DECIMALS)

    rate = shifted(reference["base_rate"])
    bands = {key: value if isinstance(value, str) else round(value * rate / reference["base_rate"], _DECIMALS)
             for key, value in reference["bands"].items()}  # fmt: skip
    averages = [{**cell, "risk": shifted(cell["risk"])} for cell in reference["averages"]]
    return {**reference, "base_rate": rate, "bands": bands, "averages": averages}


def _explainer(explainer: Explainer, onset: AdditiveModel, scales: Floats) -> Explainer:
    """Return Shapley tables that sum to the moved margin: each is linear in its terms, so it scales with them."""
    shares = {name: _share(name, share, 1 + scales) for name, share in explainer.shares.items()}
    known = {name: np.zeros(1) for name in onset.fields}  # one runner of whom every field is known
    parts = sum(float(share.margin(known)[0, 0]) for share in shares.values())
    return Explainer(float(onset.member(0).margin(known)[0, 0]) - parts, shares)


def _share(name: str, share: AdditiveModel, scales: Floats) -> AdditiveModel:
    own = scales[GROUPS.index(str(BY_NAME[name].driver))]
    terms = tuple(replace(term, values=term.values * scales[group_of(term)]) for term in share.terms)
    return replace(share, intercept=share.intercept * own, terms=terms)


def _log_odds(risk: float) -> float:
    return float(np.log(risk) - np.log1p(-risk))


__all__ = ["updated_predictor", "updated_reference"]
