"""The assessment: the only place where risk, reasons, pathways and cautions meet.

A single runner is a roster of one, so the command line, the roster, the endpoint and the page cannot disagree.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.bundle import Bundle
from pfps_ml.cautions import cautions
from pfps_ml.knowledge.checker import derive
from pfps_ml.knowledge.contracts import NOTICE
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS, BY_NAME, VISIT
from pfps_ml.knowledge.field import DRIVERS, Arm
from pfps_ml.learning.additive import probability
from pfps_ml.prediction import Estimate, Prediction
from pfps_ml.reference import average, gains

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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
POINTS = " percentage points"
NOT_GATED = "No clear preference: no pathway has been shown to suit this patient better than another one would."


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


def assess(bundle: Bundle, values: pd.DataFrame) -> "Assessments":
    """Assess coded rows, one runner or patient each.

    Parameters
    ----------
    bundle
        The released models.
    values
        Rows without faults, as `knowledge.checker.check` returns them: numbers and level codes, NaN where missing.
    """
    complete = derive(values.reset_index(drop=True))
    return Assessments(bundle, complete, bundle.predictor.predict(complete))


@dataclass(frozen=True)
class Assessments:
    """The assessments of some rows, in their order: as a table for rosters, or one by one as JSON."""

    bundle: Bundle
    values: pd.DataFrame
    prediction: Prediction

    def __len__(self) -> int:
        return len(self.values)

    def table(self, visit: bool) -> pd.DataFrame:
        """Return the columns that scoring adds to a roster, after `status` and `problems`."""
        found = self.prediction
        frame = pd.DataFrame(index=self.values.index)
        for name, numbers in zip(ROSTER_COLUMNS, (found.risk.value, found.risk.low, found.risk.high), strict=False):
            frame[name] = np.where(self.scored, numbers, np.nan)
        frame["risk_band"] = _texts([band if ok else None for band, ok in zip(self.bands, self.scored, strict=True)])
        for i in range(REASONS):
            frame[f"reason_{i + 1}"] = _texts([self._reason_text(row, i) for row in range(len(self))])
        frame["measure_next"] = _texts([_measure_text(self.measure_next(row)) for row in range(len(self))])
        frame["cautions"] = _texts([" ".join(texts) for texts in self.cautions])
        frame["bundle"] = f"{self.bundle.name} (trained on simulated data; not a medical device)"
        return frame.join(self._visit_table()) if visit else frame

    def as_dict(self, row: int) -> Assessment:
        """Return one assessment as JSON values: no NaN, every field a reason, pathways only for patients."""
        patient = bool(self.patients[row])
        return {
            "bundle": self.bundle.name,
            "trained_on": {**self.bundle.manifest["trained_on"], "notice": NOTICE},
            "risk": self._risk(row) if self.scored[row] else None,
            "reasons": self.reasons(row) if self.scored[row] else [],
            "drivers": self._drivers(row),
            "pathways": [self._pathway(row, arm) for arm in ARMS] if patient else None,
            "preference": self._preference(row) if patient else None,
            "tests": self._tests(row) if patient else None,
            "measure_next": self.measure_next(row),
            "cautions": self.cautions[row],
        }

    @cached_property
    def scored(self) -> Bools:
        """Which rows get a risk of onset: those not known to have knee pain now."""
        return np.asarray(self.values["current_knee_pain"] != 1, dtype=bool)

    @cached_property
    def patients(self) -> Bools:
        """Which rows have at least one visit field."""
        return np.asarray(self.values[[field.name for field in VISIT]].notna().any(axis=1), dtype=bool)

    @cached_property
    def bands(self) -> NDArray[np.object_]:
        """The band of every risk: multiples of the base rate of the training data."""
        limits = self.bundle.reference["bands"]
        risk = self.prediction.risk.value
        named = np.where(risk < limits["low_below"], "low", "moderate").astype(object)
        named[risk >= limits["high_from"]] = "high"
        return named

    @cached_property
    def points(self) -> Floats:
        """Contributions in percentage points (rows, fields): they sum to the risk less the one at the base."""
        return self.prediction.contributions * (100 * _secant(self.prediction))[:, None]

    @cached_property
    def cautions(self) -> list[list[str]]:
        """What a reader must know beside the numbers, by row."""
        return cautions(self.values, self.bundle.reference, self.patients)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(-np.abs(self.prediction.contributions), axis=1, kind="stable")

    @cached_property
    def _gains(self) -> dict[str, Floats]:
        return gains(self.prediction, self.values, self.bundle.predictor.onset, self.bundle.reference["fields"])

    def reasons(self, row: int) -> list[dict[str, Any]]:
        """Return every field's part in one risk, by size; a missing field carries 0."""
        found = []
        for at in self._order[row]:
            field = BY_NAME[self.prediction.fields[at]]
            value = float(self.values[field.name].iloc[row])
            known = not np.isnan(value)
            found.append({
                "field": field.name, "label": field.label, "unit": field.unit,
                "value": (field.levels[int(value)] if field.levels else value) if known else None,
                "log_odds": float(self.prediction.contributions[row, at]),
                "percentage_points": float(self.points[row, at]),
                "text": self._text(row, at) if known else f"{field.label}: not measured",
            })  # fmt: skip
        return found

    def measure_next(self, row: int) -> list[dict[str, Any]]:
        """Return the missing fields by the expected absolute change of the risk, in percentage points."""
        if not self.scored[row]:
            return []
        missing = {name: gain[row] for name, gain in self._gains.items() if np.isnan(self.values[name].iloc[row])}
        ranked = sorted(missing, key=lambda name: -missing[name])
        return [{**self._to_measure(row, name), "gain": float(missing[name])} for name in ranked]

    def _to_measure(self, row: int, name: str) -> dict[str, str]:
        """Return what a person can enter: for a derived field, the parts of it that are missing."""
        parts = [part for part in BY_NAME[name].parts if np.isnan(self.values[part].iloc[row])] or [name]
        return {"field": parts[0], "label": " and ".join(BY_NAME[part].label for part in parts)}

    def _risk(self, row: int) -> dict[str, Any]:
        found = self.prediction
        return {
            "probability": float(found.risk.value[row]), "low": float(found.risk.low[row]),
            "high": float(found.risk.high[row]), "horizon_months": self.bundle.reference["horizon_months"],
            "band": str(self.bands[row]), "average": average(self.values.iloc[row], self.bundle.reference),
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
                met[arm.name] &= self.values[name].to_numpy() == BY_NAME[name].levels.index(level)
        return met

    def _acceptable(self, row: int) -> list[str]:
        return [arm.name for arm in ARMS if self.eligible[arm.name][row]]

    def _preference(self, row: int) -> dict[str, Any]:
        return {"acceptable": self._acceptable(row), "preferred": None, "text": NOT_GATED}

    def _tests(self, row: int) -> list[dict[str, Any]]:
        found = []
        for field in VISIT:
            value = self.values[field.name].iloc[row]
            if field.role == "test" and not np.isnan(value):
                agrees = bool(value == 1)
                verdict = "agrees" if agrees else "does not agree"
                text = f"{field.label}: {field.levels[int(value)]}, which {verdict} with the picture of runner's knee."
                found.append({"field": field.name, "label": field.label, "agrees": agrees, "text": text})
        return found

    def _text(self, row: int, at: int) -> str:
        field = BY_NAME[self.prediction.fields[at]]
        shown = field.show(float(self.values[field.name].iloc[row]))
        return f"{field.label}: {shown} ({self.points[row, at]:+.1f}{POINTS})"

    def _reason_text(self, row: int, rank: int) -> str | None:
        at = int(self._order[row, rank])
        silent = not self.scored[row] or self.prediction.contributions[row, at] == 0
        return None if silent else self._text(row, at)

    def _visit_table(self) -> pd.DataFrame:
        frame = pd.DataFrame(index=self.values.index)
        for arm in ARMS:
            shown = self.patients & self.eligible[arm.name]
            frame[f"p_{arm.name}"] = np.where(shown, self.prediction.success[arm.name].value, np.nan)
        for name in ACTIVE_ARMS:
            shown, effect = self.patients & self.eligible[name], self.prediction.effect[name]
            for end, numbers in (("", effect.value), ("_low", effect.low), ("_high", effect.high)):
                frame[f"effect_{name}{end}"] = np.where(shown, numbers, np.nan)
        rows = range(len(self))
        frame["acceptable_pathways"] = _texts(
            [", ".join(self._acceptable(row)) if self.patients[row] else None for row in rows]
        )
        frame["preferred_pathway"] = _texts(["none" if self.patients[row] else None for row in rows])
        return frame


def _secant(found: Prediction) -> Floats:
    """Return the change of probability per log-odds between the base and the risk of each row."""
    gap = found.log_odds - found.base
    start = probability(found.base)
    near = np.abs(gap) < 1e-6
    return np.where(near, start * (1 - start), (found.risk.value - start) / np.where(near, 1.0, gap))


def _at(estimate: Estimate | None, row: int, known: bool, *names: str) -> dict[str, float | None]:
    if estimate is None or not known:
        return dict.fromkeys(names)
    numbers = (estimate.value[row], estimate.low[row], estimate.high[row])
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def _measure_text(ranked: list[dict[str, Any]]) -> str | None:
    if not ranked or ranked[0]["gain"] < 0.05:
        return None
    return f"{ranked[0]['label']} (would move the risk by {ranked[0]['gain']:.1f}{POINTS} on average)"


def _texts(values: Any) -> pd.Series:
    return pd.Series(values, dtype="str")


__all__ = ["NOT_GATED", "POINTS", "ROSTER_COLUMNS", "VISIT_COLUMNS", "Assessment", "Assessments", "assess"]
