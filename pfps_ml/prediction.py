"""The numbers of a bundle: risk, interval, contributions and pathways of coded rows, read from tables."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.errors import BundleFormat
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM
from pfps_ml.learning.additive import AdditiveModel, Values, from_json, probability, to_json
from pfps_ml.learning.explain import Explainer, explainer_from_json, explainer_to_json

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """How replicates become an interval: a t quantile times their standard deviation, on the log-odds scale."""

    level: float
    t: float


@dataclass(frozen=True)
class Estimate:
    """A number and its interval for every row; each of shape (rows,)."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Prediction:
    """What the tables say of some rows.

    Attributes
    ----------
    risk
        Probability of a new episode over the horizon.
    log_odds, base
        The margin, and where the contributions start: the background's mean and what missing fields add; (rows,).
    contributions
        Exact Shapley values, log-odds, shape (rows, fields), in the order of `fields`; 0 where missing.
    success, effect
        For every arm, the probability of success; for every active arm, its difference from usual care.
    """

    risk: Estimate
    log_odds: Floats
    base: Floats
    contributions: Floats
    fields: tuple[str, ...]
    success: dict[str, Estimate]
    effect: dict[str, Estimate]


@dataclass(frozen=True)
class Predictor:
    """The models of a bundle: onset with its Shapley tables, prognosis, and what each active arm adds."""

    onset: AdditiveModel
    explainer: Explainer
    prognosis: AdditiveModel
    modifiers: dict[str, AdditiveModel]
    interval: Interval
    pathway_interval: Interval

    def predict(self, values: pd.DataFrame) -> Prediction:
        """Predict coded rows (see `knowledge.checker`), derived fields included."""
        columns = {str(name): values[name].to_numpy(dtype=float) for name in values}
        margin = self.onset.margin(columns)
        base, contributions = self.explainer.explain(columns)
        success, effect = self.pathways(columns)
        return Prediction(
            risk=_on_logit(margin, self.interval.t),
            log_odds=margin[:, 0],
            base=base,
            contributions=contributions,
            fields=self.explainer.fields,
            success=success,
            effect=effect,
        )

    def pathways(self, values: Values) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
        """Return success under every arm and the effect of every active arm, open to the patient or not."""
        usual = self.prognosis.margin(values)
        margins = {arm.name: usual for arm in ARMS}
        for name in ACTIVE_ARMS:
            margins[name] = usual + self.modifiers[name].margin(values)
        t = self.pathway_interval.t
        success = {name: _on_logit(margin, t) for name, margin in margins.items()}
        chances = {name: probability(margin) for name, margin in margins.items()}
        effect = {name: _difference(chances[name] - chances[REFERENCE_ARM], t) for name in ACTIVE_ARMS}
        return success, effect


def _on_logit(margin: Floats, t: float) -> Estimate:
    centre, reach = margin[:, 0], t * _spread(margin)
    return Estimate(probability(centre), probability(centre - reach), probability(centre + reach))


def _difference(members: Floats, t: float) -> Estimate:
    centre, reach = members[:, 0], t * _spread(members)
    return Estimate(centre, np.clip(centre - reach, -1, 1), np.clip(centre + reach, -1, 1))


def _spread(members: Floats) -> Floats:
    replicates = members[:, 1:]
    if replicates.shape[1] < 2:
        return np.zeros(len(members))
    return np.asarray(replicates.std(axis=1, ddof=1))


def onset_to_json(predictor: Predictor) -> dict[str, Any]:
    """Return the content of onset.json."""
    return {
        "interval": asdict(predictor.interval),
        "model": to_json(predictor.onset),
        "explanation": explainer_to_json(predictor.explainer),
    }


def pathways_to_json(predictor: Predictor) -> dict[str, Any]:
    """Return the content of pathways.json."""
    modifiers = {name: to_json(model) for name, model in predictor.modifiers.items()}
    interval = asdict(predictor.pathway_interval)
    return {"interval": interval, "prognosis": to_json(predictor.prognosis), "modifiers": modifiers}


def predictor_from_json(onset: Any, pathways: Any) -> Predictor:
    """Build a predictor from the content of onset.json and pathways.json.

    Raises
    ------
    BundleFormat
        If a part is missing, or a model reads a field or an arm that the dictionary does not have.
    """
    try:
        found = Predictor(
            onset=from_json(onset["model"]),
            explainer=explainer_from_json(onset["explanation"]),
            prognosis=from_json(pathways["prognosis"]),
            modifiers={name: from_json(pathways["modifiers"][name]) for name in ACTIVE_ARMS},
            interval=_interval(onset["interval"]),
            pathway_interval=_interval(pathways["interval"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleFormat(f"expected the parts of a bundle's models, got a fault at {error}") from error
    read = {*found.onset.fields, *found.explainer.fields, *found.prognosis.fields}
    read = read.union(*(model.fields for model in found.modifiers.values()))
    if unknown := sorted(read - set(BY_NAME)):
        raise BundleFormat(f"expected models over fields of the dictionary, got {', '.join(unknown)}")
    return found


def _interval(content: Any) -> Interval:
    return Interval(float(content["level"]), float(content["t"]))


__all__ = [
    "Estimate",
    "Interval",
    "Prediction",
    "Predictor",
    "onset_to_json",
    "pathways_to_json",
    "predictor_from_json",
]
