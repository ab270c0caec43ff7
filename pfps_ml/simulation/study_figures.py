"""Simulated people as a study would see them, and the figures that a study would report of them.

Everybody is examined with the published retest error and nothing is missing: a study owns its equipment. Onset is
weighed by its true risk, not by who happened to fall ill, so a figure carries next to no sampling error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from pfps_ml.core import CohortConfig, Floats
from pfps_ml.domain import ARMS, BY_NAME, ONSET_FIELDS, SCREENING, VISIT, Field
from pfps_ml.domain.scenario import Scenario, load_scenario
from pfps_ml.simulation.cohort import PATIENTS, RUNNERS, solve
from pfps_ml.simulation.runners import GROWN_UP
from pfps_ml.simulation.world import World, observe

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
        frame = _examined(world, (*SCREENING, *VISIT))
        return frame.assign(incident=world.column("incident"), treated=treated, **arms)

    @cached_property
    def other_knees(self) -> pd.DataFrame:
        """The same patients, were their pain another condition: what the self-tests then answer."""
        return _examined(self._clinic({"has_pfps": 0}), (*SCREENING, *VISIT))

    def _clinic(self, do: Mapping[str, float]) -> World:
        config, p = self.config, SimpleNamespace(**vars(_examining(self._solved[1])) | {"randomised": False})
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
    """Newton's method on the expected log-likelihood: the outcome is its chance."""
    columns = np.column_stack([np.ones(len(design)), design])
    coefficients = np.zeros(columns.shape[1])
    for _ in range(12):
        fitted = expit(columns @ coefficients)
        curvature = columns.T @ (columns * (fitted * (1 - fitted))[:, None])
        coefficients = coefficients + np.linalg.solve(curvature, columns.T @ (chance - fitted))
    return coefficients


def _examining(p: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(**vars(p) | _EXAMINED)


def _examined(world: World, fields: tuple[Field, ...]) -> pd.DataFrame:
    frame = observe(world, fields)
    coded = {field.name: world.column(field.name) for field in fields if field.kind == "choice"}
    frame = frame.assign(**coded)
    return frame.assign(bmi=frame["weight_kg"] / (frame["height_cm"] / 100) ** 2)


__all__ = [
    "BASELINE",
    "DAYS_A_MONTH",
    "MOBILE",
    "WEEKS_A_MONTH",
    "Sample",
    "adolescents",
    "adults",
    "auroc",
    "correlation",
    "explained",
    "men",
    "mixed_as",
    "model_auroc",
    "odds",
    "odds_ratio_per_sd",
    "percent",
    "prospective_smd",
    "rate_ratio",
    "regression",
    "risks_over",
    "women",
    "young_women",
]
