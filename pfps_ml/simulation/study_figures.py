"""Published figures: how a study of the simulated people would work them out, and which values count as the same.

Everybody is examined with the published retest error and nothing is missing: a study owns its equipment. Onset is
weighed by its true risk, not by who happened to fall ill, so a figure carries next to no sampling error.

A published figure came back if the simulated one lies in its interval or, where none was published, within one
tolerance for its kind of figure; no tolerance belongs to one row. Numbers are read from the ledger and never written
here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import atanh, sqrt, tanh
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import CohortConfig, Floats, fit_logistic
from pfps_ml.domain import (
    ARMS,
    BY_NAME,
    EXAMINED,
    ONSET_FIELDS,
    SCREENING,
    Z95,
    Field,
    Scenario,
    ledger,
    load_scenario,
    numbers as figures_in,
)
from pfps_ml.simulation import course
from pfps_ml.simulation.cohort import PATIENTS, RUNNERS, World, observe, solve
from pfps_ml.simulation.runners import GROWN_UP

YOUNG = 35  # years
MOBILE = 11  # mm of midfoot mobility and more: where the trial of orthoses split its feet (G4-21)
DAYS_A_MONTH = 365.25 / 12
WEEKS_A_MONTH = DAYS_A_MONTH / 7
# what a screening day obtains: no training log, and nothing of the load that a runner reports
BASELINE = tuple(name for name in ONSET_FIELDS if BY_NAME[name].group != "running")
_EXAMINED = {"club_field_tests": 1, "club_dynamometer": 1, "keeps_log": 1, "skipped_answer": 0, "missed_test": 0}


@dataclass(frozen=True)
class Sample:
    """The people of one scenario (by default that of `config`); each population is simulated when first asked for."""

    config: CohortConfig
    scenario: Scenario | None = None

    @cached_property
    def _solved(self) -> tuple[SimpleNamespace, SimpleNamespace]:
        scenario = self.scenario or load_scenario(self.config.scenario)
        return solve(scenario, self.config.seed, self.config.draw)

    @property
    def solved_runners(self) -> SimpleNamespace:
        """The parameters of the runners' world."""
        return self._solved[0]

    @cached_property
    def runners(self) -> pd.DataFrame:
        """Runners free of knee pain: measured fields (choices coded), `bmi`, and `risk` over the scenario's horizon.

        `early_risk` is that over the months in which a spike acts; `usual`, `spike` and `spike_months` are what makes
        it: the log odds of a month's hazard without a spike, what one adds, and for how long.
        """
        config, p = self.config, _examining(self._solved[0])
        world = World(config.seed, "runner", 0, config.runners, p, config.runners_per_club, RUNNERS)
        frame = _examined(world, SCREENING).assign(
            risk=world.column("true_risk"),
            usual=p.onset_intercept + world.column("onset_log_hazard"),
            spike=world.column("spike_log_hazard"),
            spike_months=p.spike_months,
            novice=world.column("novice"),
        )
        return frame.assign(early_risk=risks_over(frame, min(p.months, p.spike_months)))

    @cached_property
    def patients(self) -> pd.DataFrame:
        """Patients at a visit: measured fields, `incident`, chance of success by arm (`p_*`) and as `treated`."""
        world = self._clinic({})
        chance, chosen = world.column("success_probability"), world.column("propensity")
        arms = {f"p_{arm.name}": chance[:, i] for i, arm in enumerate(ARMS)}
        treated = (chance * chosen).sum(axis=1)
        frame = _examined(world, (*SCREENING, *EXAMINED))
        return frame.assign(incident=world.column("incident"), treated=treated, **arms)

    @cached_property
    def other_knees(self) -> pd.DataFrame:
        """The same patients, were their pain another condition: what the self-tests then answer."""
        return _examined(self._clinic({"has_pfps": 0}), (*SCREENING, *EXAMINED))

    def course(self, frame: str = course.FRAMES[0], /, **changed: float) -> World:
        """Return the patients of a frame as a world, of which any column may be asked; parameters may be changed."""
        key = (frame, *sorted(changed.items()))
        if key not in self._courses:
            self._courses[key] = self._clinic({}, course.frame_of(self._solved[1], frame) | changed)
        return self._courses[key]

    @cached_property
    def _courses(self) -> dict[tuple[Any, ...], World]:
        return {}

    def _clinic(self, do: Mapping[str, float], changed: Mapping[str, float] | None = None) -> World:
        p = SimpleNamespace(**vars(_examining(self._solved[1])) | {"randomised": False} | dict(changed or {}))
        config = self.config
        return World(config.seed, "patient", 0, config.patients, p, config.patients_per_club, PATIENTS, do)


def adults(frame: pd.DataFrame) -> pd.DataFrame:
    """Return those who are grown up."""
    return frame[frame["age_years"] >= GROWN_UP]


def adolescents(frame: pd.DataFrame) -> pd.DataFrame:
    """Return those of school age."""
    return frame[frame["age_years"] < GROWN_UP]


def women(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the women and girls."""
    return frame[frame["sex"] == 0]


def men(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the men and boys."""
    return frame[frame["sex"] == 1]


def young_women(frame: pd.DataFrame) -> pd.DataFrame:
    """Return adolescent and young women, who fill the case-control studies of strength."""
    return frame[(frame["sex"] == 0) & (frame["age_years"] <= YOUNG)]


def mixed_as(frame: pd.DataFrame, column: str, women_share: float) -> tuple[float, float]:
    """Return mean and SD of one field in a sample with another share of women."""
    share = float((frame["sex"] == 0).mean())
    weights = np.where(frame["sex"] == 0, women_share / share, (1 - women_share) / (1 - share))
    values = frame[column].to_numpy(dtype=float)
    middle = np.average(values, weights=weights)
    return float(middle), float(np.sqrt(np.average((values - middle) ** 2, weights=weights)))


def regression(frame: pd.DataFrame, outcome: str, columns: Sequence[str]) -> tuple[Floats, float]:
    """Return the coefficients (intercept first) and the residual SD of a linear regression."""
    design = np.column_stack([np.ones(len(frame)), frame[list(columns)]])
    coefficients, residual, *_ = np.linalg.lstsq(design, frame[outcome].to_numpy(dtype=float), rcond=None)
    return coefficients, float(np.sqrt(residual[0] / len(frame)))


def percent(mask: Any) -> float:
    """Return how many, %."""
    return float(100 * np.mean(mask))


def risks_over(frame: pd.DataFrame, months: float) -> Floats:
    """Return the risk of each runner over another horizon: a spike acts in the first months of it."""
    known = SimpleNamespace(onset_intercept=0.0, months=months, spike_months=frame["spike_months"].to_numpy())
    risks: Floats = RUNNERS["true_risk"](frame["usual"].to_numpy(), frame["spike"].to_numpy(), known)
    return risks


def rate_ratio(frame: pd.DataFrame, exposed: Any, reference: Any) -> float:
    """Return the ratio of the mean hazards of two groups: what a study without adjustment would find."""
    hazard = -np.log1p(-frame["risk"].to_numpy())
    return float(hazard[np.asarray(exposed)].mean() / hazard[np.asarray(reference)].mean())


def odds(share: Any) -> float:
    """Return the odds of a mean chance."""
    mean = float(np.mean(share))
    return mean / (1 - mean)


def prospective_smd(frame: pd.DataFrame, column: str) -> float:
    """Return the difference before onset, future cases less the others of their sex, in SD."""
    values, risk = _within_sex(frame, column), frame["risk"].to_numpy()
    return float(np.average(values, weights=risk) - np.average(values, weights=1 - risk))


def odds_ratio_per_sd(frame: pd.DataFrame, column: str) -> float:
    """Return the odds ratio of onset per SD of one measured field, among runners of one sex."""
    return float(np.exp(_logistic(_within_sex(frame, column)[:, None], frame["risk"].to_numpy())[1]))


def auroc(score: Any, risk: Any) -> float:
    """Return the expected area under the ROC curve of a score for an outcome with these chances; ties count half."""
    level = np.unique(np.asarray(score), return_inverse=True)[1]
    chance = np.asarray(risk, dtype=float)
    cases, others = np.bincount(level, chance), np.bincount(level, 1 - chance)
    return float((cases * (np.cumsum(others) - others / 2)).sum() / (cases.sum() * others.sum()))


def model_auroc(frame: pd.DataFrame, columns: Sequence[str]) -> float:
    """Return the expected AUROC of a logistic model of these fields at its best: fitted to the risks themselves."""
    columns_of = frame[list(columns)].to_numpy(dtype=float)
    design = (columns_of - columns_of.mean(axis=0)) / columns_of.std(axis=0)
    risk = frame["risk"].to_numpy()
    return auroc(design @ _logistic(design, risk)[1:], risk)


def explained(frame: pd.DataFrame, column: str) -> float:
    """Return the share of the latent variance of success (logistic scale) that one field explains."""
    values = frame[column].to_numpy(dtype=float)
    slope = _logistic(((values - values.mean()) / values.std())[:, None], frame["treated"].to_numpy())[1]
    return float(slope**2 / (slope**2 + np.pi**2 / 3))


def correlation(frame: pd.DataFrame, first: str, second: str) -> float:
    """Return the correlation of two measured fields among people of one sex."""
    return float(np.corrcoef(_within_sex(frame, first), _within_sex(frame, second))[0, 1])


def _within_sex(frame: pd.DataFrame, column: str) -> Floats:
    values = frame[column] - frame.groupby("sex")[column].transform("mean")
    return np.asarray(values / values.std(), dtype=float)


def _logistic(design: Floats, chance: Floats) -> Floats:
    """Return the coefficients that the expected log likelihood is highest at: the outcome is its chance."""
    return fit_logistic(np.column_stack([np.ones(len(design)), design]), chance)


def _examining(p: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(**vars(p) | _EXAMINED)


def _examined(world: World, fields: tuple[Field, ...]) -> pd.DataFrame:
    frame = observe(world, fields)
    coded = {field.name: world.column(field.name) for field in fields if field.kind == "choice"}
    frame = frame.assign(**coded)
    return frame.assign(bmi=frame["weight_kg"] / (frame["height_cm"] / 100) ** 2)


MEAN, SPREAD, SHARE, SKEWED, NULL, UNRELATED, AUROC = 0.25, 0.10, 2.0, 0.25, 0.1, 0.05, 0.05
TOLERANCES = (
    f"a mean: {MEAN} of the published SD",
    f"an SD: {SPREAD:.0%}",
    f"a share: {SHARE:g} percentage points",
    f"a mean of a skewed quantity without SD: {SKEWED:.0%}",
    f"an odds ratio per SD published as no association: {1 - NULL:g} to {1 + NULL:g}",
    f"a correlation published as none: {UNRELATED:g} either way",
    f"an AUROC: {AUROC:g}",
)


@dataclass(frozen=True)
class Target:
    """A published figure and the values that count as the same.

    Attributes
    ----------
    published
        As a reader of the study would quote it.
    low, high
        What is accepted, in the unit of the study.
    basis
        Where the limits come from.
    """

    published: str
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Row:
    """One published figure and how it is read off the simulated people.

    Attributes
    ----------
    rows
        The ledger rows of the figure.
    of
        The figure, from a sample of `scenario`, in the unit of the study.
    held_out
        Whether nothing was set from this figure. If a parameter cites one of `rows` all the same, `note` says what
        it took from there instead.
    why
        Why the figure does not come back, where it does not.
    """

    what: str
    rows: tuple[str, ...]
    target: Target
    of: Callable[[Sample], float]
    held_out: bool = False
    note: str = ""
    why: str = ""
    scenario: str = "reference"


def numbers(row: str) -> list[float]:
    """Return the numbers in the estimate of a ledger row, in order; a range gives two."""
    return figures_in(ledger()[row].estimate)


def interval(row: str) -> Target:
    """Return the published 95 % interval."""
    entry = ledger()[row]
    quoted = f"{entry.estimate} ({entry.ci_low} to {entry.ci_high}) {entry.unit}"
    return Target(quoted, float(entry.ci_low), float(entry.ci_high), "interval in the ledger")


def counted(row: str, published: float | None = None) -> Target:
    """Return the Wilson interval of a percentage whose number of people was published."""
    entry = ledger()[row]
    share = (numbers(row)[0] if published is None else published) / 100
    n = float(entry.n)
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
    return Target(f"{100 * share:g} %", 100 * (middle - half), 100 * (middle + half), f"Wilson interval, n = {entry.n}")


def explained_by(row: str, share: float | None = None) -> Target:
    """Return the interval of an explained variance (Fisher's z of its root)."""
    entry, published = ledger()[row], numbers(row)[0] if share is None else share
    low, high = (tanh(atanh(sqrt(published)) + side * Z95 / sqrt(float(entry.n) - 3)) ** 2 for side in (-1, 1))
    return Target(f"{published} {entry.unit}", low, high, f"Fisher interval, n = {entry.n}")


def mean(row: str, value: float | None = None, sd: float | None = None) -> Target:
    """Accept a mean within a quarter of the SD; `value` and `sd` where they stand in the row's note."""
    entry = ledger()[row]
    at, spread_ = value or numbers(row)[0], sd or float(entry.sd)
    return Target(f"{at:g} (SD {spread_:g})", at - MEAN * spread_, at + MEAN * spread_, f"{MEAN} SD")


def spread(row: str, sd: float | None = None) -> Target:
    """Accept an SD within a tenth."""
    at = sd or float(ledger()[row].sd)
    return Target(f"SD {at:g}", at * (1 - SPREAD), at * (1 + SPREAD), f"{SPREAD:.0%}")


def skewed(row: str) -> Target:
    """Accept the mean of a skewed quantity, whose SD was not published, within a quarter."""
    at = numbers(row)[0]
    return Target(_quoted(row), at * (1 - SKEWED), at * (1 + SKEWED), f"{SKEWED:.0%}")


def share(row: str, part: int = 0, published: float | None = None) -> Target:
    """Accept a percentage within two points; `part` counts within an estimate that lists several."""
    at = numbers(row)[part] if published is None else published
    return Target(f"{at:g} %", max(0, at - SHARE), at + SHARE, f"{SHARE:g} points")


def span(*rows: str) -> Target:
    """Accept whatever lies between the smallest and the largest published number."""
    values = [number for row in rows for number in numbers(row)]
    return Target(
        " / ".join(ledger()[row].estimate for row in rows), min(values), max(values), "between the published figures"
    )


def null(row: str) -> Target:
    """Accept an odds ratio per SD near 1."""
    return Target(ledger()[row].estimate, 1 - NULL, 1 + NULL, "no association")


def unrelated(published: str) -> Target:
    """Accept a correlation near 0."""
    return Target(published, -UNRELATED, UNRELATED, "no correlation")


def area(*rows: str) -> Target:
    """Accept an AUROC between the published ones, and a little beyond."""
    limits = span(*rows)
    return Target(limits.published, limits.low - AUROC, limits.high + AUROC, f"{AUROC} beyond")


def stated(published: str, low: float, high: float, basis: str) -> Target:
    """Accept a range that stands in the text of the evidence, or that the design demands."""
    return Target(published, low, high, basis)


def _quoted(row: str) -> str:
    return f"{ledger()[row].estimate} {ledger()[row].unit}"


__all__ = [
    "BASELINE",
    "DAYS_A_MONTH",
    "MOBILE",
    "TOLERANCES",
    "WEEKS_A_MONTH",
    "Row",
    "Sample",
    "Target",
    "adolescents",
    "adults",
    "area",
    "auroc",
    "correlation",
    "counted",
    "explained",
    "explained_by",
    "interval",
    "mean",
    "men",
    "mixed_as",
    "model_auroc",
    "null",
    "numbers",
    "odds",
    "odds_ratio_per_sd",
    "percent",
    "prospective_smd",
    "rate_ratio",
    "regression",
    "risks_over",
    "share",
    "skewed",
    "span",
    "spread",
    "stated",
    "unrelated",
    "women",
    "young_women",
]
