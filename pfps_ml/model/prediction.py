"""The numbers of a bundle: risk, interval, contributions and pathways of coded rows, read from tables.

The risk model is compiled: log-odds, exact contributions and the variance of the members come from one grid of
cells.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from pfps_ml.core import Bools, BundleFormat, Floats, Message
from pfps_ml.domain import ARMS, BY_NAME, ONSET, REFERENCE_ARM
from pfps_ml.model.additive import (
    AdditiveModel,
    Explainer,
    Pair,
    Step,
    Term,
    Values,
    count,
    explainer_from_json,
    explainer_to_json,
    from_json,
    to_json,
)
from pfps_ml.model.engine import CHUNK, TOLERANCE, Cells, Compiled, Grid, Table, compile_models
from pfps_ml.model.preference import Gate, gate_from_json, gate_to_json


@dataclass(frozen=True)
class Scores:
    """The scores of some rows.

    Attributes
    ----------
    log_odds, base
        The margin, and where the contributions start: the background's mean and what missing fields add; (rows,).
    contributions
        Exact Shapley values, log-odds, shape (rows, fields); 0 where missing.
    variances
        Of each group of members, squared log-odds, shape (groups, rows); 0 for a group of fewer than two.
    """

    log_odds: Floats
    base: Floats
    contributions: Floats
    variances: Floats


@dataclass(frozen=True)
class Scorer:
    """A model, its Shapley tables and its members' deviations on one grid.

    Attributes
    ----------
    fields
        The explained fields, in the order of the contributions.
    cost
        The most by which merging cells and dropping terms can have moved a margin, log-odds.
    """

    fields: tuple[str, ...]
    cost: float
    _grid: Grid
    _margin: Table
    _base: Table
    _shares: tuple[Table, ...]
    _deviations: Table
    _groups: tuple[slice, ...]

    def score(self, values: Values) -> Scores:
        """Score rows given as columns, in the fields' units; NaN is missing."""
        columns = {name: np.asarray(values[name], dtype=np.float64) for name in self._grid.fields}
        scores = self._blank(len(columns[self._grid.fields[0]]) if columns else count(values))
        buffer = self._deviations.buffer(self._grid.slots, len(scores.base))
        for start in range(0, len(scores.base), CHUNK):
            part = slice(start, min(start + CHUNK, len(scores.base)))
            cells = self._grid.locate(columns, part)
            scores.log_odds[part] = self._margin.margin(cells)
            scores.base[part] = self._base.margin(cells)
            self._explain(cells, scores.contributions.T[:, part])
            self._vary(cells, scores.variances[:, part], buffer)
        return scores

    def _blank(self, rows: int) -> Scores:
        # fields lie one after another in memory: whoever compares them reads them so
        contributions = np.zeros((len(self.fields), rows)).T
        return Scores(np.empty(rows), np.empty(rows), contributions, np.zeros((len(self._groups), rows)))

    def _explain(self, cells: Cells, out: Floats) -> None:
        """Write the contributions of some rows, shape (fields, rows)."""
        single, first, second = self._shares
        at = [self.fields.index(name) for name in self._grid.fields]
        out[at] = single.parts(cells, len(at))
        for slot, pair in enumerate(self._grid.pairs, len(at)):
            out[at[pair.first]] += first.values[:, 0].take(cells.at[slot])
            out[at[pair.second]] += second.values[:, 0].take(cells.at[slot])

    def _vary(self, cells: Cells, out: Floats, buffer: Floats) -> None:
        """Write the variances of the groups of members, shape (groups, rows)."""
        for rows, deviations in self._deviations.members(cells, buffer) if len(out) else ():
            for group, variance in zip(self._groups, out, strict=True):
                group_deviations = deviations[:, group]
                variance[rows] = np.einsum("rm,rm->r", group_deviations, group_deviations) / max(
                    group_deviations.shape[1] - 1, 1
                )


def scorer(
    model: AdditiveModel, explained: Explainer, groups: Sequence[int] = (), tolerance: float = TOLERANCE
) -> Scorer:
    """Compile a model with its Shapley tables.

    Parameters
    ----------
    model
        Member 0 predicts.
    explained
        Its Shapley tables.
    groups
        The sizes of the groups of members, after the first member, whose variances are wanted.
    tolerance
        As of `compile_models`.
    """
    ends = np.cumsum([0, *groups]).tolist()
    spans = tuple(slice(start, end) for start, end in pairwise(ends))
    single, first, second, hidden = _by_visibility(explained)
    models = (model.member(0), hidden, single, first, second, _deviations(model, spans))
    compiled = compile_models(models, tolerance)
    margin, base, *shares, deviations = compiled.tables
    return Scorer(explained.fields, compiled.cost, compiled.grid, margin, base, (*shares,), deviations, spans)


def _deviations(model: AdditiveModel, spans: Sequence[slice]) -> AdditiveModel:
    """Return the members of the groups, each less the mean of its group."""

    def centred(values: Floats) -> Floats:
        groups = [group for span in spans if (group := values[..., 1:][..., span]).size]
        nothing = values[..., :0]
        return np.concatenate([nothing, *(g - g.mean(axis=-1, keepdims=True) for g in groups)], axis=-1)

    intercept = centred(model.intercept)
    terms = (replace(term, values=centred(term.values)) for term in model.terms)
    return AdditiveModel(intercept, tuple(terms) if len(intercept) else ())


def _by_visibility(explained: Explainer) -> tuple[AdditiveModel, AdditiveModel, AdditiveModel, AdditiveModel]:
    """Return what known fields add to their own contributions, and what missing ones add to the base of their row.

    The first model has every field's own terms, the second and third what each pair gives its first and its second
    field, the last the base.
    """
    single: list[Term] = []
    hidden: list[Term] = []
    of_pairs: tuple[list[Term], list[Term]] = ([], [])
    for name, share in explained.shares.items():
        offset = np.full((2, 1), share.intercept[0])
        for term in (Step(name, np.zeros(0), offset), *share.terms):
            axis = term.fields.index(name)
            missing = np.zeros(term.values.shape, dtype=bool)
            np.moveaxis(missing, axis, 0)[-1] = True
            hidden.append(replace(term, values=np.where(missing, term.values, 0.0)))
            shown = replace(term, values=np.where(missing, 0.0, term.values))
            (of_pairs[axis] if isinstance(term, Pair) else single).append(shown)
    nothing, base = np.zeros(1), np.array([explained.base])
    models = [AdditiveModel(nothing, tuple(terms)) for terms in (single, *of_pairs)]
    return models[0], models[1], models[2], AdditiveModel(base, tuple(hidden))


Inverse = Callable[[Floats], Floats]
_ARMS = tuple(arm.name for arm in ARMS)


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
    """The predictions for some rows.

    Attributes
    ----------
    risk
        Probability of a new episode over the main horizon.
    risks
        The same over every horizon of the bundle, ascending; the main one is `risk` itself.
    log_odds, base
        The margin on the scale of the model's link, and where the contributions start: the background's mean and what
        missing fields add; (rows,).
    contributions
        Exact Shapley values, on the same scale, shape (rows, fields), in the order of `fields`; 0 where missing.
    success, effect
        For every arm, the probability of success; for every active arm, its difference from usual care; NaN in rows
        whose pathways were not asked for.
    better
        Whether the interval of the first arm's lead over the second lies above none, shape (arms, arms, rows); no
        arm is better where pathways were not asked for.
    """

    risk: Estimate
    risks: dict[float, Estimate]
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

    Attributes
    ----------
    modifiers
        By active arm, in the order of the bundle; there may be none.
    gate
        The verdict on whether a preference may be named; None if there is none.
    horizons
        The onset model of every further horizon; None stands for the main one.
    usual
        The arm that every effect is compared with: the prognosis is success under it.
    """

    onset: AdditiveModel
    explainer: Explainer
    prognosis: AdditiveModel
    modifiers: dict[str, AdditiveModel]
    interval: Interval
    pathway_interval: Interval
    gate: Gate | None = None
    horizons: Mapping[float, AdditiveModel | None] = field(default_factory=lambda: {ONSET.main: None})
    usual: str = REFERENCE_ARM

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, the reference first."""
        return (self.usual, *self.modifiers)

    def predict(self, values: Values, patients: Bools | None = None) -> Prediction:
        """Predict coded rows (see `domain.input_validation`), derived fields included.

        Parameters
        ----------
        values
            The rows.
        patients
            Whose pathways are wanted, shape (rows,); everybody's if None.
        """
        scores = self._scorer.score(values)
        draws, replicates = scores.variances
        subset = None if patients is None or patients.all() else patients
        success, effect, better = self.compared(values) if subset is None else self._compared_of(values, subset)
        inverse = self.onset.probability
        risk = _on_margin(scores.log_odds, (draws * self.interval.of_draws, replicates), self.interval, inverse)
        return Prediction(
            risk=risk,
            risks={
                number: risk if model is None else self._risk_of(model, values)
                for number, model in self.horizons.items()
            },
            log_odds=scores.log_odds,
            base=scores.base,
            contributions=scores.contributions,
            fields=self.explainer.fields,
            success=success,
            effect=effect,
            better=better,
        )

    def risks(self, values: Values) -> Floats:
        """Return the risk of every row without interval, reasons or pathways: millions of rows fit in memory."""
        return self.onset.probability(self.onset.member(0).margin(values)[:, 0])

    def _risk_of(self, model: AdditiveModel, values: Values) -> Estimate:
        margins = model.margin(values)
        return _on_margin(margins[:, 0], self.interval.variances(margins), self.interval, model.probability)

    def pathways(self, values: Values) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
        """Return success under every arm and the effect of every active arm, open to the patient or not."""
        success, effect, _ = self.compared(values)
        return success, effect

    def compared(self, values: Values) -> tuple[dict[str, Estimate], dict[str, Estimate], Bools]:
        """Return what `pathways` does, and which arm is better than which (see `Prediction.better`)."""
        usual, *added = self._arms.members(values)
        margins = np.array([usual, *(usual + contrast for contrast in added)])
        inverse, interval, arms = self.prognosis.probability, self.pathway_interval, self.arms
        chances = inverse(margins)
        success = _on_margin(margins[..., 0], interval.variances(margins), interval, inverse)
        first, second = np.array([*combinations(range(len(arms)), 2)], dtype=np.intp).reshape(-1, 2).T
        lead = _difference(chances[second] - chances[first], interval)
        better = np.zeros((len(arms), len(arms), len(usual)), dtype=bool)
        better[second, first], better[first, second] = lead.low > 0, lead.high < 0
        # the pairs begin with those of the reference
        effects = {name: lead.part(at) for at, name in enumerate(arms[1:])}
        return {name: success.part(at) for at, name in enumerate(arms)}, effects, better

    def _compared_of(self, values: Values, patients: Bools) -> tuple[dict[str, Estimate], dict[str, Estimate], Bools]:
        rows = {name: np.asarray(values[name], dtype=np.float64)[patients] for name in self._arms.grid.fields}
        success, effect, better_of_patients = self.compared(rows)
        better = np.zeros((*better_of_patients.shape[:2], len(patients)), dtype=bool)
        better[..., patients] = better_of_patients
        success, effect = ({n: estimate.among(patients) for n, estimate in part.items()} for part in (success, effect))
        return success, effect, better

    @cached_property
    def _scorer(self) -> Scorer:
        return scorer(self.onset, self.explainer, (self.interval.evidence, self.interval.sampling))

    @cached_property
    def _arms(self) -> Compiled:
        return compile_models([self.prognosis, *self.modifiers.values()])


def _on_margin(centre: Floats, variances: tuple[Floats, Floats], interval: Interval, inverse: Inverse) -> Estimate:
    reach = interval.t * np.sqrt(variances[0] + variances[1])
    value, low, high = inverse(np.array([centre, centre - reach, centre + reach]))
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
    """Return the onset model at its main horizon as plain JSON values: interval, model and Shapley tables."""
    return {
        "interval": asdict(predictor.interval),
        "model": to_json(predictor.onset),
        "explanation": explainer_to_json(predictor.explainer),
    }


def pathways_to_json(predictor: Predictor) -> dict[str, Any]:
    """Return the pathway models as plain JSON values: interval, prognosis, modifiers and the gate's verdict."""
    modifiers = {name: to_json(model) for name, model in predictor.modifiers.items()}
    interval, gate = asdict(predictor.pathway_interval), predictor.gate
    content = {"interval": interval, "prognosis": to_json(predictor.prognosis), "modifiers": modifiers}
    return content | ({"gate": gate_to_json(gate)} if gate else {})


def predictor_from_json(onset: Any, pathways: Any, arms: Sequence[str] = _ARMS) -> Predictor:
    """Build a predictor from what `onset_to_json` and `pathways_to_json` return.

    Parameters
    ----------
    onset, pathways
        The models.
    arms
        The arms that there must be models of, the reference first.

    Raises
    ------
    BundleFormat
        If a part is missing, or a model reads a field or an arm that the dictionary does not have.
    """
    try:
        model, prognosis = from_json(onset["model"]), from_json(pathways["prognosis"])
        modifiers = {name: from_json(pathways["modifiers"][name]) for name in arms[1:]}
        predictor = Predictor(
            onset=model,
            explainer=explainer_from_json(onset["explanation"]),
            prognosis=prognosis,
            modifiers=modifiers,
            interval=interval_from_json(onset["interval"], [model]),
            pathway_interval=interval_from_json(pathways["interval"], [prognosis, *modifiers.values()]),
            gate=gate_from_json(pathways["gate"]) if "gate" in pathways else None,
            usual=arms[0],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleFormat(Message("model_parts_faulty", {"reason": str(error)})) from error
    if unknown := sorted({*fields_of_onset(predictor), *fields_of_success(predictor)} - set(BY_NAME)):
        raise BundleFormat(Message("models_over_unknown_fields", {"unknown": [*unknown]}))
    return predictor


def fields_of_onset(predictor: Predictor) -> set[str]:
    """Return the fields that the onset model reads, at any horizon."""
    models = (predictor.onset, *filter(None, predictor.horizons.values()))
    return {*predictor.explainer.fields}.union(*(model.fields for model in models))


def fields_of_success(predictor: Predictor) -> set[str]:
    """Return the fields that the pathway models read."""
    return set(predictor.prognosis.fields).union(*(model.fields for model in predictor.modifiers.values()))


def interval_from_json(content: Any, models: Iterable[AdditiveModel]) -> Interval:
    """Build an interval that fits the members of some models.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is of another shape, or the models have another number of members.
    """
    members = {len(model.intercept) for model in models}
    # a bundle of before evidence draws says nothing of parts: all its members but the first are resamples
    evidence, sampling = int(content.get("evidence", 0)), int(content.get("sampling", max(members) - 1))
    interval = Interval(float(content["level"]), evidence, sampling, float(content["t"]))
    if evidence < 0 or sampling < 0 or members != {interval.members}:
        raise ValueError("an interval whose numbers of draws and resamples are not those of the models")
    return interval


__all__ = [
    "Estimate", "Interval", "Prediction", "Predictor", "Scorer", "Scores", "fields_of_onset", "fields_of_success",
    "interval_from_json", "onset_to_json", "pathways_to_json", "predictor_from_json", "scorer",
]  # fmt: skip
