"""The assessment: the only place where risk, reasons, pathways and cautions meet.

A single runner is a roster of one, so the command line, the roster, the endpoint and the page cannot disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, Floats, Ints, Message, sentence
from pfps_ml.domain import (
    ARMS,
    BY_NAME,
    DRIVERS,
    LINKS,
    ONSET,
    REASONS,
    VISIT,
    Arm,
    Link,
    Rule,
    complete,
    origin_message,
    risk_columns,
    roster_columns,
    rules_with,
    visit_columns,
)
from pfps_ml.model.bundle import Bundle
from pfps_ml.model.prediction import Estimate, Prediction
from pfps_ml.model.preference import NONE, Preferences, preference_message, preferences
from pfps_ml.model.reference import average
from pfps_ml.model.wording import (
    CAUTIONING,
    SILENT,
    WITHHOLDING,
    as_categorical,
    labels,
    listed,
    measure_column,
    measure_message,
    numbered,
    numbered_pairs,
    reason_columns,
    reason_message,
)

ROSTER_COLUMNS = roster_columns(ONSET.at())  # of a bundle over the declared horizon
VISIT_COLUMNS = visit_columns([arm.name for arm in ARMS])  # of a bundle with the declared arms
_AGREES, _DISAGREES = "test_agrees", "test_disagrees"
_BANDS = ("low", "moderate", "high")
_CLOSING = rules_with("ineligible")


class Assessment(TypedDict):
    """One runner's answer, as JSON (see the API's documentation for the shapes inside)."""

    bundle: str
    trained_on: dict[str, Any]
    risk: dict[str, Any] | None
    reasons: list[dict[str, Any]]
    drivers: dict[str, float]
    pathways: list[dict[str, Any]] | None
    preference: dict[str, Any] | None
    tests: list[dict[str, Any]] | None
    measure_next: list[dict[str, Any]]
    cautions: list[dict[str, Any]]
    withheld: list[dict[str, Any]]


def assess(bundle: Bundle, values: pd.DataFrame | Mapping[str, Floats]) -> "Assessments":
    """Assess coded rows, one runner or patient each.

    Parameters
    ----------
    bundle
        The released models.
    values
        Rows without faults, as `domain.input_validation` returns them: numbers and level codes, NaN where missing.
    """
    columns = complete(values)
    patients = ~np.isnan(np.array([columns[field.name] for field in VISIT])).all(axis=0)
    return Assessments(bundle, columns, patients, bundle.predictor.predict(columns, patients))


@dataclass(frozen=True)
class Assessments:
    """The assessments of some rows, in their order: as a table for rosters, or one by one as JSON.

    Attributes
    ----------
    columns
        The rows, derived fields included; each of shape (rows,).
    patients
        Which rows have at least one visit field.
    """

    bundle: Bundle
    columns: dict[str, Floats]
    patients: Bools
    prediction: Prediction

    def __len__(self) -> int:
        return len(self.patients)

    @cached_property
    def _fired(self) -> dict[str, Bools]:
        """Which rules across fields fire in which rows, by code."""
        return {rule.code: rule.fires(self.columns) for rule in (*CAUTIONING, *_CLOSING)}

    def _without(self, what: str) -> Bools:
        """Return the rows of which something is withheld: `risk` or `pathways`."""
        return np.asarray(np.logical_or.reduce([self._fired[rule.code] for rule in WITHHOLDING if what in rule.what]))

    def table(self, visit: bool) -> pd.DataFrame:
        """Return the columns that scoring adds to a roster, after `status` and `problems`; texts are categories."""
        risk, nothing = self.prediction.risk, np.full(len(self), np.nan)
        names = risk_columns(self.bundle.horizons["onset"])
        risks = {name: np.where(self.scored, numbers, nothing) for name, numbers in
                 zip(names, (risk.value, risk.low, risk.high), strict=True)}  # fmt: skip
        reasons = reason_columns(self._inputs, self.prediction, self._points, self.scored, REASONS)
        places, pairs = numbered_pairs(self._caution_keys)
        cautions = [self.bundle.cautions.of(*pair) for pair in pairs]
        origin = origin_message(self.bundle.manifest).as_dict()
        mark = Message("bundle_mark", {"bundle": self.bundle.name, "origin": origin}).text
        frame = pd.DataFrame({
            "withheld": self._withheld_column(),
            **risks,
            "risk_band": listed(np.where(self.scored, self.bands, SILENT), _BANDS),
            **{f"reason_{rank + 1}": column for rank, column in enumerate(reasons)},
            "measure_next": self._measure_column(),
            "cautions": listed(places, [" ".join(caution.text for caution in row) for row in cautions]),
            "caution_codes": listed(places, [_codes(row) for row in cautions]),
            "bundle": listed(np.zeros(len(self), dtype=np.int64), (mark,)),
        })  # fmt: skip
        return frame.join(self._visit_table()) if visit else frame

    def as_dict(self, row: int, most: int | None = None) -> Assessment:
        """Return one assessment as JSON values: no NaN, pathways only for patients; of reasons, see `reasons`."""
        patient = bool(self.treated[row])
        withheld = self.withheld_messages(row)
        return {
            "bundle": self.bundle.name,
            "trained_on": self.bundle.trained_on,
            "risk": self._risk(row) if self.scored[row] else None,
            "reasons": self.reasons(row, most) if self.scored[row] else [],
            "drivers": {} if any("risk" in rule["what"] for rule in withheld) else self._drivers(row),
            "pathways": [self._pathway(row, arm) for arm in self.bundle.arms] if patient else None,
            "preference": self._preference(row) if patient else None,
            "tests": self._tests(row) if patient else None,
            "measure_next": self.measure_next(row),
            "cautions": [caution.as_dict() for caution in self.bundle.cautions.of(*self._caution_keys[:, row])],
            "withheld": withheld,
        }

    def withheld_messages(self, row: int) -> list[dict[str, Any]]:
        """Return what a row's rules withhold and what to do first, as JSON values; the gravest first."""
        rules = [rule for rule in WITHHOLDING if self._fired[rule.code][row]]
        return [{**rule.message.as_dict(), "what": list(rule.what)} for rule in rules]

    @cached_property
    def scored(self) -> Bools:
        """Which rows get a risk of onset: those not known to have knee pain now, and of whom it is not withheld."""
        return np.asarray((self.columns["current_knee_pain"] != 1) & ~self._without("risk"))

    @cached_property
    def treated(self) -> Bools:
        """Which rows get pathways: those with a visit field, of whom they are not withheld."""
        return np.asarray(self.patients & ~self._without("pathways"))

    @cached_property
    def withheld(self) -> Bools:
        """The rows of which a rule withholds a number: somebody has to see the person first."""
        return np.asarray(np.logical_or.reduce([self._fired[rule.code] for rule in WITHHOLDING]))

    def _withheld_column(self) -> pd.Categorical:
        bits = np.int64(1) << np.arange(len(WITHHOLDING))
        keys = bits @ np.array([self._fired[rule.code] for rule in WITHHOLDING])
        places, distinct = numbered(np.where(keys == 0, SILENT, keys))
        rows = [[rule.message for at, rule in enumerate(WITHHOLDING) if key >> at & 1] for key in distinct]
        return listed(places, [_codes(row) for row in rows])

    @cached_property
    def bands(self) -> Ints:
        """The place of every risk's band, 0 is low: multiples of the base rate of the training data."""
        limits, risk = self.bundle.reference["bands"], self.prediction.risk.value
        moderate = np.where(risk < limits["low_below"], 0, 1)
        return np.where(risk >= limits["high_from"], 2, moderate)

    @cached_property
    def _points(self) -> Floats:
        """Percentage points per unit of the margin of every row: contributions then sum to the risk less the base."""
        return 100 * _secant(self.prediction, LINKS[self._link])

    def _measure_column(self) -> pd.Categorical:
        fields = self.bundle.gain_tables.fields
        return measure_column(self.columns, fields, self._value_of_information, self.scored)

    @cached_property
    def _caution_keys(self) -> Ints:
        overlap, eligible = self.bundle.overlap, self._eligible
        rare = overlap.outside(self.columns, self.treated, eligible) if overlap else np.zeros_like(eligible)
        fired = np.array([self._fired[rule.code] & self._concerns(rule) for rule in CAUTIONING])
        return self.bundle.cautions.keys(self.columns, self.treated, rare, fired)

    def _concerns(self, rule: Rule) -> Bools | bool:
        """Return of which rows a caution says something: one of an arm does where the arm is open and shown."""
        return True if rule.arm is None else self.treated & self.eligible.get(rule.arm, np.zeros(len(self), dtype=bool))

    @cached_property
    def _value_of_information(self) -> Floats:
        """The gain of every field of `bundle.gain_tables` in every row, percentage points, shape (fields, rows)."""
        predicted = self.prediction
        return self.bundle.gain_tables.value_of_information(self.columns, predicted.log_odds, predicted.risk.value)

    @cached_property
    def _inputs(self) -> Floats:
        """The values of the explained fields, shape (fields, rows)."""
        return np.array([self.columns[name] for name in self.prediction.fields])

    def reasons(self, row: int, most: int | None = None) -> list[dict[str, Any]]:
        """Return every field's part in one risk, by size; a missing field carries 0.

        With `most`, only so many fields are named, and the parts of all others are one sum at the end.
        """
        contributions, points_per_log_odds = self.prediction.contributions[row], float(self._points[row])
        order = np.argsort(-np.abs(contributions), kind="stable").tolist()
        parts, inputs = contributions.tolist(), self._inputs[:, row].tolist()
        reasons = []
        for at in order[:most]:
            field, part, value = BY_NAME[self.prediction.fields[at]], parts[at], inputs[at]
            known, points = not math.isnan(value), part * points_per_log_odds
            message = reason_message(field, value, points) if known else _not_measured(field.name)
            reasons.append({
                "field": field.name, "label": field.label, "unit": field.unit,
                "value": (field.levels[int(value)] if field.levels else value) if known else None,
                **self._part(part), "percentage_points": points,
                "code": message.code, "parameters": message.parameters, "text": message.text,
            })  # fmt: skip
        further = order[len(reasons) :]
        return (
            [*reasons, self._other_fields(float(contributions[further].sum()), points_per_log_odds)]
            if further
            else reasons
        )

    def _part(self, part: float) -> dict[str, float]:
        """Return a contribution under its names: also as log-odds, where it is one."""
        return {"contribution": part} | ({"log_odds": part} if self._link == "logit" else {})

    def _other_fields(self, part: float, points: float) -> dict[str, Any]:
        message = Message("reason_other_fields", {"points": part * points})
        numbers = {**self._part(part), "percentage_points": part * points}
        label = sentence("other_fields")
        return {"field": None, "label": label, "unit": "", "value": None, **numbers, **message.as_dict()}

    @property
    def _link(self) -> str:
        return self.bundle.predictor.onset.link

    def measure_next(self, row: int) -> list[dict[str, Any]]:
        """Return the missing fields by the expected absolute change of the risk, in percentage points."""
        if not self.scored[row]:
            return []
        names = self.bundle.gain_tables.fields
        missing = {name: gain for name, gain in zip(names, self._value_of_information[:, row].tolist(), strict=True)
                   if math.isnan(self.columns[name][row])}  # fmt: skip
        ranked = sorted(missing, key=lambda name: -missing[name])
        return [self._to_measure(row, name, missing[name]) for name in ranked]

    def _to_measure(self, row: int, name: str, gain: float) -> dict[str, Any]:
        """Return what a person can enter: for a derived field, the parts of it that are missing."""
        missing = tuple([part for part in BY_NAME[name].parts if math.isnan(self.columns[part][row])]) or (name,)
        message = measure_message(missing, gain)
        return {
            "field": missing[0], "label": labels(missing), "gain": gain,
            "code": message.code, "parameters": message.parameters, "text": message.text,
        }  # fmt: skip

    def _risk(self, row: int) -> dict[str, Any]:
        predicted, bundle = self.prediction, self.bundle
        margin, base = float(predicted.log_odds[row]), float(predicted.base[row])
        return {
            **_at(predicted.risk, row, True, "probability", "low", "high"), "level": bundle.level,
            "horizon_months": bundle.horizons["onset"].number, "band": _BANDS[self.bands[row]],
            "average": average({name: self.columns[name][row] for name in ("age_years", "sex")}, bundle.reference),
            "link": self._link, "margin": margin, "base_margin": base,
            "by_month": [{"months": months, **_at(risk, row, True, "probability", "low", "high")}
                         for months, risk in predicted.risks.items()],
            **({"log_odds": margin, "base_log_odds": base} if self._link == "logit" else {}),
        }  # fmt: skip

    def _drivers(self, row: int) -> dict[str, float]:
        sums = dict.fromkeys(map(str, DRIVERS), 0.0)
        if self.scored[row]:
            for at, name in enumerate(self.prediction.fields):
                sums[str(BY_NAME[name].driver)] += float(self.prediction.contributions[row, at])
        return sums

    def _pathway(self, row: int, arm: Arm) -> dict[str, Any]:
        eligible = bool(self.eligible[arm.name][row])
        success, effect = self.prediction.success[arm.name], self.prediction.effect.get(arm.name)
        return {
            "arm": arm.name, **_at(success, row, eligible, "probability", "low", "high"),
            **_at(effect, row, eligible, "effect", "effect_low", "effect_high"),
            "eligible": eligible, "why_not": None if eligible else self._why_not(row, arm),
        }  # fmt: skip

    def _why_not(self, row: int, arm: Arm) -> dict[str, Any] | None:
        """Return why an arm is not open to a row: the one reason, or several as one message."""
        reasons = [arm.why_not] if arm.why_not and not self._meets_requirements(arm)[row] else []
        reasons += [rule.message for rule in _CLOSING if rule.arm == arm.name and self._fired[rule.code][row]]
        if len(reasons) < 2:
            return reasons[0].as_dict() if reasons else None
        nested = [reason.as_dict() for reason in reasons]
        return Message("arm_not_open", {"arm": arm.name, "reasons": nested}).as_dict()

    @cached_property
    def eligible(self) -> dict[str, Bools]:
        """Which arms are open to each row, by the bundle and by the rules; an unknown requirement is not met."""
        met = {arm.name: self._meets_requirements(arm) for arm in self.bundle.arms}
        for rule in _CLOSING:
            if rule.arm in met:
                met[rule.arm] &= ~self._fired[rule.code]
        return met

    def _meets_requirements(self, arm: Arm) -> Bools:
        met = np.ones(len(self), dtype=bool)
        for name, level in arm.requires:
            met &= self.columns[name] == BY_NAME[name].levels.index(level)
        return met

    @cached_property
    def _eligible(self) -> Bools:
        return np.array([self.eligible[name] for name in self._arms])

    @property
    def _arms(self) -> tuple[str, ...]:
        return self.bundle.predictor.arms

    @cached_property
    def _preferences(self) -> Preferences:
        return preferences(self.prediction.better, self._eligible, self.bundle.predictor.gate)

    def _preference(self, row: int) -> dict[str, Any]:
        choice, gate = self._preferences, self.bundle.predictor.gate
        acceptable = [name for name, stays in zip(self._arms, choice.acceptable[:, row], strict=True) if stays]
        preferred = None if choice.preferred[row] == NONE else self._arms[choice.preferred[row]]
        message = preference_message(acceptable, preferred, gate)
        return {"acceptable": acceptable, "preferred": preferred, **message.as_dict()}

    def _tests(self, row: int) -> list[dict[str, Any]]:
        answers = []
        for field in VISIT:
            value = self.columns[field.name][row]
            if field.role == "test" and not math.isnan(value):
                message = _test_message(field.name, int(value))
                agrees = message.code == _AGREES
                answers.append({"field": field.name, "label": field.label, "agrees": agrees, **message.as_dict()})
        return answers

    def _visit_table(self) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for name in self._arms:
            shown = self.treated & self.eligible[name]
            columns[f"p_{name}"] = np.where(shown, self.prediction.success[name].value, np.nan)
        for name in self._arms[1:]:
            shown, effect = self.treated & self.eligible[name], self.prediction.effect[name]
            for end, numbers in (("", effect.value), ("_low", effect.low), ("_high", effect.high)):
                columns[f"effect_{name}{end}"] = np.where(shown, numbers, np.nan)
        choice, bits = self._preferences, np.int64(1) << np.arange(len(self._arms))
        keys = np.where(self.treated, bits @ choice.acceptable, SILENT)
        columns["acceptable_pathways"] = as_categorical(keys, self._arm_names)
        places, names = choice.preferred - NONE, ("none", *self._arms)
        columns["preferred_pathway"] = listed(np.where(self.treated, places, SILENT), names)
        return pd.DataFrame(columns)

    def _arm_names(self, key: int) -> str:
        return ", ".join(name for at, name in enumerate(self._arms) if key >> at & 1)


def _secant(predicted: Prediction, link: Link) -> Floats:
    """Return the change of probability per unit of the margin between the base and the risk of a row."""
    gap = predicted.log_odds - predicted.base
    start = link.inverse(predicted.base)
    near = np.abs(gap) < 1e-6
    return np.where(near, link.slope(predicted.base), (predicted.risk.value - start) / np.where(near, 1.0, gap))


@cache
def _not_measured(name: str) -> Message:
    return Message("reason_not_measured", {"field": name})


@cache
def _test_message(name: str, code: int) -> Message:
    return Message(_AGREES if code == 1 else _DISAGREES, {"field": name, "value": BY_NAME[name].levels[code]})


def _codes(messages: Sequence[Message]) -> str:
    return ", ".join(message.code for message in messages)


def _at(estimate: Estimate | None, row: int, known: bool, *names: str) -> dict[str, float | None]:
    if estimate is None or not known:
        return dict.fromkeys(names)
    numbers = (estimate.value[row], estimate.low[row], estimate.high[row])
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


__all__ = ["ROSTER_COLUMNS", "VISIT_COLUMNS", "Assessment", "Assessments", "assess"]
