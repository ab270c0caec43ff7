"""The assessment: the only place where risk, reasons, pathways and cautions meet.

A single runner is a roster of one, so the command line, the roster, the endpoint and the page cannot disagree.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle
from pfps_ml.knowledge.checker import complete
from pfps_ml.knowledge.contracts import origin_of
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, VISIT
from pfps_ml.knowledge.field import DRIVERS, Arm
from pfps_ml.learning.additive import probability
from pfps_ml.prediction import Estimate, Prediction
from pfps_ml.preference import NONE, Preferences, preference_text, preferences
from pfps_ml.reference import average
from pfps_ml.wording import POINTS, SILENT, labels, listed, measure_column, once, reason_columns, reason_text

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

REASONS = 3  # in a roster; the JSON names every field
ROSTER_COLUMNS = (
    "risk_12m", "risk_low", "risk_high", "risk_band", *(f"reason_{i + 1}" for i in range(REASONS)),
    "measure_next", "cautions", "bundle",
)  # fmt: skip
VISIT_COLUMNS = (
    *(f"p_{arm.name}" for arm in ARMS),
    *(f"effect_{name}{end}" for name in ACTIVE_ARMS for end in ("", "_low", "_high")),
    "acceptable_pathways",
    "preferred_pathway",
)
_BANDS = ("low", "moderate", "high")
_MARK = "{} (trained on {}; not a medical device)"


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
    cautions: list[str]


def assess(bundle: Bundle, values: pd.DataFrame | Mapping[str, Floats]) -> "Assessments":
    """Assess coded rows, one runner or patient each.

    Parameters
    ----------
    bundle
        The released models.
    values
        Rows without faults, as `knowledge.checker` returns them: numbers and level codes, NaN where missing.
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

    def table(self, visit: bool) -> pd.DataFrame:
        """Return the columns that scoring adds to a roster, after `status` and `problems`; texts are categories."""
        found, nothing = self.prediction, np.full(len(self), np.nan)
        risks = {name: np.where(self.scored, numbers, nothing) for name, numbers in
                 zip(ROSTER_COLUMNS, (found.risk.value, found.risk.low, found.risk.high), strict=False)}  # fmt: skip
        reasons = reason_columns(self._inputs, found, self._points, self.scored, REASONS)
        mark = _MARK.format(self.bundle.name, origin_of(self.bundle.manifest))
        frame = pd.DataFrame({
            **risks,
            "risk_band": listed(np.where(self.scored, self.bands, SILENT), _BANDS),
            **{f"reason_{rank + 1}": column for rank, column in enumerate(reasons)},
            "measure_next": measure_column(self.columns, self.bundle.gain_tables.fields, self._gains, self.scored),
            "cautions": once(self._caution_keys, lambda key: " ".join(self.bundle.cautions.said(key))),
            "bundle": listed(np.zeros(len(self), dtype=np.int64), (mark,)),
        })  # fmt: skip
        return frame.join(self._visit_table()) if visit else frame

    def as_dict(self, row: int, most: int | None = None) -> Assessment:
        """Return one assessment as JSON values: no NaN, pathways only for patients; of reasons, see `reasons`."""
        patient = bool(self.patients[row])
        return {
            "bundle": self.bundle.name,
            "trained_on": {**self.bundle.manifest["trained_on"], "notice": self.bundle.notice},
            "risk": self._risk(row) if self.scored[row] else None,
            "reasons": self.reasons(row, most) if self.scored[row] else [],
            "drivers": self._drivers(row),
            "pathways": [self._pathway(row, arm) for arm in ARMS] if patient else None,
            "preference": self._preference(row) if patient else None,
            "tests": self._tests(row) if patient else None,
            "measure_next": self.measure_next(row),
            "cautions": self.bundle.cautions.said(int(self._caution_keys[row])),
        }

    @cached_property
    def scored(self) -> Bools:
        """Which rows get a risk of onset: those not known to have knee pain now."""
        return np.asarray(self.columns["current_knee_pain"] != 1)

    @cached_property
    def bands(self) -> Ints:
        """The place of every risk's band, 0 is low: multiples of the base rate of the training data."""
        limits, risk = self.bundle.reference["bands"], self.prediction.risk.value
        moderate = np.where(risk < limits["low_below"], 0, 1)
        return np.where(risk >= limits["high_from"], 2, moderate)

    @cached_property
    def _points(self) -> Floats:
        """Percentage points per log-odds of every row, with which contributions sum to the risk less the base's."""
        return 100 * _secant(self.prediction)

    @cached_property
    def _caution_keys(self) -> Ints:
        overlap, eligible = self.bundle.overlap, self._eligible
        rare = overlap.outside(self.columns, self.patients, eligible) if overlap else np.zeros_like(eligible)
        return self.bundle.cautions.keys(self.columns, self.patients, rare)

    @cached_property
    def _gains(self) -> Floats:
        """The gain of every field of `bundle.gain_tables` in every row, percentage points, shape (fields, rows)."""
        found = self.prediction
        return self.bundle.gain_tables.gains(self.columns, found.log_odds, found.risk.value)

    @cached_property
    def _inputs(self) -> Floats:
        """The values of the explained fields, shape (fields, rows)."""
        return np.array([self.columns[name] for name in self.prediction.fields])

    def reasons(self, row: int, most: int | None = None) -> list[dict[str, Any]]:
        """Return every field's part in one risk, by size; a missing field carries 0.

        With `most`, only so many fields are named, and the parts of all others are one sum at the end.
        """
        found, parts = [], self.prediction.contributions[row]
        order = np.argsort(-np.abs(parts), kind="stable").tolist()
        for at in order[:most]:
            field, part = BY_NAME[self.prediction.fields[at]], float(parts[at])
            value, points = float(self._inputs[at, row]), part * float(self._points[row])
            known = not math.isnan(value)
            found.append({
                "field": field.name, "label": field.label, "unit": field.unit,
                "value": (field.levels[int(value)] if field.levels else value) if known else None,
                "log_odds": part, "percentage_points": points,
                "text": reason_text(field, value, points) if known else f"{field.label}: not measured",
            })  # fmt: skip
        rest = order[len(found) :]
        return [*found, _rest(float(parts[rest].sum()), float(self._points[row]))] if rest else found

    def measure_next(self, row: int) -> list[dict[str, Any]]:
        """Return the missing fields by the expected absolute change of the risk, in percentage points."""
        if not self.scored[row]:
            return []
        names = self.bundle.gain_tables.fields
        missing = {name: float(gain) for name, gain in zip(names, self._gains[:, row], strict=True)
                   if math.isnan(self.columns[name][row])}  # fmt: skip
        ranked = sorted(missing, key=lambda name: -missing[name])
        return [{**self._to_measure(row, name), "gain": missing[name]} for name in ranked]

    def _to_measure(self, row: int, name: str) -> dict[str, str]:
        """Return what a person can enter: for a derived field, the parts of it that are missing."""
        parts = [part for part in BY_NAME[name].parts if math.isnan(self.columns[part][row])] or [name]
        return {"field": parts[0], "label": labels(parts)}

    def _risk(self, row: int) -> dict[str, Any]:
        found = self.prediction
        return {
            "probability": float(found.risk.value[row]), "low": float(found.risk.low[row]),
            "high": float(found.risk.high[row]), "horizon_months": self.bundle.reference["horizon_months"],
            "band": _BANDS[self.bands[row]],
            "average": average({name: self.columns[name][row] for name in ("age_years", "sex")}, self.bundle.reference),
            "log_odds": float(found.log_odds[row]), "base_log_odds": float(found.base[row]),
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
            "eligible": eligible, "why_not": None if eligible else arm.why_not,
        }  # fmt: skip

    @cached_property
    def eligible(self) -> dict[str, Bools]:
        """Which arms are open to each row; an unknown requirement is not met."""
        met = {arm.name: np.ones(len(self), dtype=bool) for arm in ARMS}
        for arm in ARMS:
            for name, level in arm.requires:
                met[arm.name] &= self.columns[name] == BY_NAME[name].levels.index(level)
        return met

    @cached_property
    def _eligible(self) -> Bools:
        return np.array([self.eligible[arm.name] for arm in ARMS])

    @cached_property
    def _preferences(self) -> Preferences:
        return preferences(self.prediction.better, self._eligible, self.bundle.predictor.gate)

    def _preference(self, row: int) -> dict[str, Any]:
        found, gate = self._preferences, self.bundle.predictor.gate
        acceptable = [arm.name for arm, stays in zip(ARMS, found.acceptable[:, row], strict=True) if stays]
        preferred = None if found.preferred[row] == NONE else ARMS[found.preferred[row]].name
        return {"acceptable": acceptable, "preferred": preferred, "text": preference_text(acceptable, preferred, gate)}

    def _tests(self, row: int) -> list[dict[str, Any]]:
        found = []
        for field in VISIT:
            value = self.columns[field.name][row]
            if field.role == "test" and not math.isnan(value):
                agrees = bool(value == 1)
                verdict = "agrees" if agrees else "does not agree"
                text = f"{field.label}: {field.levels[int(value)]}, which {verdict} with the picture of runner's knee."
                found.append({"field": field.name, "label": field.label, "agrees": agrees, "text": text})
        return found

    def _visit_table(self) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for arm in ARMS:
            shown = self.patients & self.eligible[arm.name]
            columns[f"p_{arm.name}"] = np.where(shown, self.prediction.success[arm.name].value, np.nan)
        for name in ACTIVE_ARMS:
            shown, effect = self.patients & self.eligible[name], self.prediction.effect[name]
            for end, numbers in (("", effect.value), ("_low", effect.low), ("_high", effect.high)):
                columns[f"effect_{name}{end}"] = np.where(shown, numbers, np.nan)
        found, bits = self._preferences, np.int64(1) << np.arange(len(ARMS))
        columns["acceptable_pathways"] = once(np.where(self.patients, bits @ found.acceptable, SILENT), _said_arms)
        places, names = found.preferred - NONE, ("none", *(arm.name for arm in ARMS))
        columns["preferred_pathway"] = listed(np.where(self.patients, places, SILENT), names)
        return pd.DataFrame(columns)


def _secant(found: Prediction) -> Floats:
    """Return the change of probability per log-odds between the base and the risk of each row."""
    gap = found.log_odds - found.base
    start = probability(found.base)
    near = np.abs(gap) < 1e-6
    return np.where(near, start * (1 - start), (found.risk.value - start) / np.where(near, 1.0, gap))


def _rest(part: float, points: float) -> dict[str, Any]:
    label, sum_ = "All other fields", part * points
    found = {"field": None, "label": label, "unit": "", "value": None, "log_odds": part, "percentage_points": sum_}
    return found | {"text": f"{label} ({sum_:+.1f}{POINTS})"}


def _at(estimate: Estimate | None, row: int, known: bool, *names: str) -> dict[str, float | None]:
    if estimate is None or not known:
        return dict.fromkeys(names)
    numbers = (estimate.value[row], estimate.low[row], estimate.high[row])
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def _said_arms(key: int) -> str:
    return ", ".join(arm.name for at, arm in enumerate(ARMS) if key >> at & 1)


__all__ = ["ROSTER_COLUMNS", "VISIT_COLUMNS", "Assessment", "Assessments", "assess"]
