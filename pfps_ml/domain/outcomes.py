"""The outcomes: what the models predict, of whom, over which horizons, and on which scale; declared once.

Columns of a cohort, models of a bundle, parts of an assessment, columns of a roster, figures, page and documents
follow from these lines. Another horizon is a number in `horizons`, its parameters in the scenarios, and wording.

A link says how a margin, on which an additive model adds up, becomes a probability.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from pfps_ml.core import FactError, Floats, Message

_LARGEST = 700.0  # exp of more is no number


@dataclass(frozen=True)
class Link:
    """A link function of a generalised linear model.

    Attributes
    ----------
    inverse
        The probability of a margin.
    slope
        The derivative of `inverse`: how much a small change of the margin changes the probability.
    of_odds
        The probability of exp(-margin): for the logit the odds against, for the complementary log-log one over the
        cumulative hazard. A term multiplies it, whatever the margin is.
    """

    inverse: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    of_odds: Callable[[Floats], Floats]


def inverse_logit(margin: Floats) -> Floats:
    """Return the probability of log-odds, without overflow."""
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1 / (1 + small), small / (1 + small))


def inverse_cloglog(margin: Floats) -> Floats:
    """Return the probability of a log cumulative hazard: one minus the chance to stay free."""
    return -np.expm1(-_exp(margin))


def _logit_slope(margin: Floats) -> Floats:
    p = inverse_logit(margin)
    return np.asarray(p * (1 - p))


def _cloglog_slope(margin: Floats) -> Floats:
    hazard = _exp(margin)
    return np.asarray(hazard * np.exp(-hazard))


def _exp(margin: Floats) -> Floats:
    return np.asarray(np.exp(np.minimum(margin, _LARGEST)))


LINKS = {
    "logit": Link(inverse_logit, _logit_slope, lambda odds: 1 / (1 + odds)),
    "cloglog": Link(inverse_cloglog, _cloglog_slope, lambda odds: -np.expm1(-1 / odds)),
}


Unit = Literal["weeks", "months", "years"]
DAYS_A_MONTH = 365.25 / 12
_DAYS: dict[str, float] = {"weeks": 7.0, "months": DAYS_A_MONTH, "years": 365.25}


@dataclass(frozen=True)
class Horizon:
    """A length of time over which, or after which, an outcome is asked for."""

    number: float
    unit: Unit

    @property
    def suffix(self) -> str:
        """How the name of a column ends: `12m`."""
        return f"{self.number:g}{self.unit[0]}"

    @property
    def days(self) -> float:
        """The same in days: a week has 7, a month a twelfth of 365.25."""
        return self.number * _DAYS[self.unit]

    def __str__(self) -> str:
        return f"{self.number:g} {self.unit if self.number != 1 else self.unit[:-1]}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a model predicts of a person: a thing that happens or a state, over or at some horizons.

    Attributes
    ----------
    name
        The key of its model in a bundle.
    population
        The people who can have it: the frame of a cohort.
    kind
        An *event* happens once within a horizon; a *state* holds at a horizon, and can be lost again.
    link
        On which scale models of it are trained; a bundle says which link its model has.
    horizons, unit, main
        Ascending numbers of a unit; the main one is used where no horizon is named.
    stem
        How its columns begin: `pfps_onset` becomes `pfps_onset_12m`.
    title, definition
        How a heading names it, and what it means; `{horizon}` stands for a horizon in words.
    at_risk
        Who can have it.
    source
        What the definition rests on.
    """

    name: str
    population: Literal["runners", "patients"]
    kind: Literal["event", "state"]
    link: str
    horizons: tuple[float, ...]
    unit: Unit
    main: float
    stem: str
    title: str
    definition: str
    at_risk: str
    source: str

    def __post_init__(self) -> None:
        """Refuse a declaration that no model could follow."""
        rising = all(a < b for a, b in zip((0, *self.horizons), self.horizons, strict=False))
        if not rising or self.main not in self.horizons or self.link not in LINKS or self.unit not in _DAYS:
            raise FactError(
                Message("outcome_declared_wrongly", {"outcome": self.name, "days": [*_DAYS], "links": [*LINKS]})
            )

    def at(self, horizon: float | Horizon | None = None) -> Horizon:
        """Return a horizon of this outcome; the main one if none is named, by its number or whole."""
        if isinstance(horizon, Horizon):
            return horizon
        return Horizon(self.main if horizon is None else horizon, self.unit)

    def column_at(self, horizon: float | Horizon | None = None) -> str:
        """Return the column of a cohort that holds this outcome."""
        return f"{self.stem}_{self.at(horizon).suffix}"

    def label_at(self, horizon: float | Horizon | None = None) -> str:
        """Return how a heading names the outcome."""
        return self.title.format(horizon=self.at(horizon))

    def meaning_at(self, horizon: float | Horizon | None = None) -> str:
        """Return what the outcome means."""
        return self.definition.format(horizon=self.at(horizon))

    @property
    def column(self) -> str:
        """The column of the main horizon."""
        return self.column_at()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all horizons, ascending."""
        return tuple(map(self.column_at, self.horizons))

    @property
    def label(self) -> str:
        """How a heading names the outcome at its main horizon."""
        return self.label_at()

    @property
    def meaning(self) -> str:
        """What the outcome means at its main horizon."""
        return self.meaning_at()


class Estimand(StrEnum):
    """Whom a mean effect of an arm is about.

    All to whom the arm and usual care are open; the treated, who had it; or the overlap: patients as far as both arms
    were a real choice for them.
    """

    ALL = "all"
    TREATED = "treated"
    OVERLAP = "overlap"


ONSET = Outcome(
    name="onset", population="runners", kind="event", link="logit", horizons=(12,), unit="months", main=12,
    stem="pfps_onset", title="New runner's knee within {horizon}",
    definition="A new episode within {horizon} in a runner free of knee pain now.",
    at_risk="Runners free of knee pain at screening.", source="design",
)  # fmt: skip
SUCCESS = Outcome(
    name="success", population="patients", kind="state", link="logit", horizons=(12,), unit="weeks", main=12,
    stem="success", title="Success at {horizon}", definition="'Much improved' or better at {horizon}.",
    at_risk="Patients with patellofemoral pain, under each arm.", source="design",
)  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = (ONSET, SUCCESS)
OUTCOME = {outcome.name: outcome for outcome in OUTCOMES}


__all__ = [
    "DAYS_A_MONTH", "LINKS", "ONSET", "OUTCOME", "OUTCOMES", "SUCCESS", "Estimand", "Horizon", "Link", "Outcome",
    "Unit", "inverse_cloglog", "inverse_logit",
]  # fmt: skip
