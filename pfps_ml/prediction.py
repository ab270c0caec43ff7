"""The numbers of a bundle: risk, interval, contributions and pathways of coded rows, read from tables."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.errors import BundleFormat
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, REFERENCE_ARM
from pfps_ml.learning.additive import AdditiveModel, Values, from_json, probability, to_json
from pfps_ml.learning.compiled import Compiled, compile_models
from pfps_ml.learning.explain import Explainer, explainer_from_json, explainer_to_json
from pfps_ml.learning.gate import Gate, gate_from_json, gate_to_json
from pfps_ml.learning.scorer import Scorer, scorer

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


_PAIRS = np.array([*combinations(range(len(ARMS)), 2)]).T  # of arms, the earlier one first
_AGAINST_USUAL = {ARMS[j].name: at for at, (i, j) in enumerate(_PAIRS.T) if ARMS[i].name == REFERENCE_ARM}


@dataclass(frozen=True)
class Interval:
    """How the members of a model become an interval: around the first, t times the root of two variances' sum.

    The members are the main model, `evidence` refits on draws over the evidence's intervals (none on a cohort that
    was not simulated), and `sampling` refits on resampled clubs. `t` is Student's quantile with the degrees of
    freedom of the fewer of both: never fewer than the sum of the two variances has, so the interval errs to the wide.
    """

    level: float
    evidence: int
    sampling: int
    t: float

    @property
    def members(self) -> int:
        """How many members a model must have."""
        return 1 + self.evidence + self.sampling

    def variances(self, members: Floats) -> tuple[Floats, Floats]:
        """Return what evidence and sample leave open, from values whose last axis has the members."""
        draws, replicates = members[..., 1 : 1 + self.evidence], members[..., 1 + self.evidence :]
        return _variance(draws) * self.of_draws, _variance(replicates)

    @property
    def of_draws(self) -> float:
        """What the variance of a finite number of draws is multiplied with: they leave the centre open, too."""
        return 1 + 1 / max(self.evidence, 1)


@dataclass(frozen=True)
class Estimate:
    """A number and its interval for every row, and the variances that the interval was made of; shapes (rows,).

    `evidence` (what the literature does not know) and `sampling` (what the sample does not tell) are on the scale of
    the interval: squared log-odds for a probability, squared probability for a difference of two.
    """

    value: Floats
    low: Floats
    high: Floats
    evidence: Floats
    sampling: Floats

    def part(self, at: int) -> "Estimate":
        """Return one of several estimates that lie one above the other."""
        return Estimate(self.value[at], self.low[at], self.high[at], self.evidence[at], self.sampling[at])

    def among(self, rows: Bools) -> "Estimate":
        """Return the estimates of some of many rows, in the order of the rows, as those of all; NaN in the others."""
        whole = np.full((5, len(rows)), np.nan)
        whole[:, rows] = (self.value, self.low, self.high, self.evidence, self.sampling)
        return Estimate(*whole)


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
        For every arm, the probability of success; for every active arm, its difference from usual care; NaN in rows
        whose pathways were not asked for.
    better
        Whether the interval of the first arm's lead over the second lies above none, shape (arms, arms, rows); no
        arm is better where pathways were not asked for.
    """

    risk: Estimate
    log_odds: Floats
    base: Floats
    contributions: Floats
    fields: tuple[str, ...]
    success: dict[str, Estimate]
    effect: dict[str, Estimate]
    better: Bools


@dataclass(frozen=True)
class Predictor:
    """The models of a bundle: onset with its Shapley tables, prognosis, and what each active arm adds.

    `gate` is the verdict on whether a preference may be named; None if it was never asked.
    """

    onset: AdditiveModel
    explainer: Explainer
    prognosis: AdditiveModel
    modifiers: dict[str, AdditiveModel]
    interval: Interval
    pathway_interval: Interval
    gate: Gate | None = None

    def predict(self, values: Values, patients: Bools | None = None) -> Prediction:
        """Predict coded rows (see `knowledge.checker`), derived fields included.

        Parameters
        ----------
        values
            The rows.
        patients
            Whose pathways are wanted, shape (rows,); everybody's if None.
        """
        found = self._scorer.score(values)
        draws, replicates = found.variances
        some = None if patients is None or patients.all() else patients
        success, effect, better = self.compared(values) if some is None else self._compared_of(values, some)
        return Prediction(
            risk=_on_logit(found.log_odds, (draws * self.interval.of_draws, replicates), self.interval),
            log_odds=found.log_odds,
            base=found.base,
            contributions=found.contributions,
            fields=self.explainer.fields,
            success=success,
            effect=effect,
            better=better,
        )

    def risks(self, values: Values) -> Floats:
        """Return the risk of every row without interval, reasons or pathways: millions of rows fit in memory."""
        return probability(self.onset.member(0).margin(values)[:, 0])

    def pathways(self, values: Values) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
        """Return success under every arm and the effect of every active arm, open to the patient or not."""
        success, effect, _ = self.compared(values)
        return success, effect

    def compared(self, values: Values) -> tuple[dict[str, Estimate], dict[str, Estimate], Bools]:
        """Return what `pathways` does, and which arm is better than which (see `Prediction.better`)."""
        usual, *added = self._arms.members(values)
        margins = np.array([usual, *(usual + each for each in added)])
        chances, interval = probability(margins), self.pathway_interval
        success = _on_logit(margins[..., 0], interval.variances(margins), interval)
        first, second = _PAIRS
        lead = _difference(chances[second] - chances[first], interval)
        better = np.zeros((len(ARMS), len(ARMS), len(usual)), dtype=bool)
        better[second, first], better[first, second] = lead.low > 0, lead.high < 0
        effects = {name: lead.part(at) for name, at in _AGAINST_USUAL.items()}
        return {arm.name: success.part(at) for at, arm in enumerate(ARMS)}, effects, better

    def _compared_of(self, values: Values, patients: Bools) -> tuple[dict[str, Estimate], dict[str, Estimate], Bools]:
        rows = {name: np.asarray(values[name], dtype=np.float64)[patients] for name in self._arms.grid.fields}
        success, effect, some = self.compared(rows)
        better = np.zeros((*some.shape[:2], len(patients)), dtype=bool)
        better[..., patients] = some
        success, effect = ({n: each.among(patients) for n, each in part.items()} for part in (success, effect))
        return success, effect, better

    @cached_property
    def _scorer(self) -> Scorer:
        return scorer(self.onset, self.explainer, (self.interval.evidence, self.interval.sampling))

    @cached_property
    def _arms(self) -> Compiled:
        return compile_models([self.prognosis, *(self.modifiers[name] for name in ACTIVE_ARMS)])


def _on_logit(centre: Floats, variances: tuple[Floats, Floats], interval: Interval) -> Estimate:
    reach = interval.t * np.sqrt(variances[0] + variances[1])
    value, low, high = probability(np.array([centre, centre - reach, centre + reach]))
    return Estimate(value, low, high, *variances)


def _difference(members: Floats, interval: Interval) -> Estimate:
    centre, (evidence, sampling) = members[..., 0], interval.variances(members)
    reach = interval.t * np.sqrt(evidence + sampling)
    return Estimate(centre, np.clip(centre - reach, -1, 1), np.clip(centre + reach, -1, 1), evidence, sampling)


def _variance(members: Floats) -> Floats:
    count = members.shape[-1]
    gaps = members - np.add.reduce(members, axis=-1, keepdims=True) / max(count, 1)
    return np.asarray(np.einsum("...m,...m->...", gaps, gaps) / max(count - 1, 1))


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
    interval, gate = asdict(predictor.pathway_interval), predictor.gate
    found = {"interval": interval, "prognosis": to_json(predictor.prognosis), "modifiers": modifiers}
    return found | ({"gate": gate_to_json(gate)} if gate else {})


def predictor_from_json(onset: Any, pathways: Any) -> Predictor:
    """Build a predictor from the content of onset.json and pathways.json.

    Raises
    ------
    BundleFormat
        If a part is missing, or a model reads a field or an arm that the dictionary does not have.
    """
    try:
        model, prognosis = from_json(onset["model"]), from_json(pathways["prognosis"])
        modifiers = {name: from_json(pathways["modifiers"][name]) for name in ACTIVE_ARMS}
        found = Predictor(
            onset=model,
            explainer=explainer_from_json(onset["explanation"]),
            prognosis=prognosis,
            modifiers=modifiers,
            interval=_interval(onset["interval"], [model]),
            pathway_interval=_interval(pathways["interval"], [prognosis, *modifiers.values()]),
            gate=gate_from_json(pathways["gate"]) if "gate" in pathways else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleFormat(f"expected the parts of a bundle's models, got a fault at {error}") from error
    read = {*found.onset.fields, *found.explainer.fields, *found.prognosis.fields}
    read = read.union(*(model.fields for model in found.modifiers.values()))
    if unknown := sorted(read - set(BY_NAME)):
        raise BundleFormat(f"expected models over fields of the dictionary, got {', '.join(unknown)}")
    return found


def _interval(content: Any, models: Iterable[AdditiveModel]) -> Interval:
    members = {len(model.intercept) for model in models}
    # a bundle of before evidence draws says nothing of parts: all its members but the first are resamples
    evidence, sampling = int(content.get("evidence", 0)), int(content.get("sampling", max(members) - 1))
    found = Interval(float(content["level"]), evidence, sampling, float(content["t"]))
    if evidence < 0 or sampling < 0 or members != {found.members}:
        raise ValueError("an interval whose numbers of draws and resamples are not those of the models")
    return found


__all__ = [
    "Estimate",
    "Interval",
    "Prediction",
    "Predictor",
    "onset_to_json",
    "pathways_to_json",
    "predictor_from_json",
]
