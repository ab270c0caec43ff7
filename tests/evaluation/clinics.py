"""Small worlds of patients whose policy values, effects and hidden confounders are known by construction."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pfps_ml.core.numbers import generator
from pfps_ml.domain.dictionary import ACTIVE_ARMS, ARMS, REFERENCE_ARM
from pfps_ml.evaluation.effects import arm_scores
from pfps_ml.evaluation.estimands import Patients

NAMES = [arm.name for arm in ARMS]


@dataclass(frozen=True)
class World:
    """Patients, with the true success under each arm and the recorded trait that effects may depend on."""

    patients: Patients
    truth: pd.DataFrame
    trait: np.ndarray

    @property
    def scores(self):
        own = self.patients
        return arm_scores(own.y, own.arm, own.outcome, own.propensity)

    @property
    def effects(self):
        return pd.DataFrame({name: self.truth[name] - self.truth[REFERENCE_ARM] for name in ACTIVE_ARMS})

    def about(self, effects=None):
        """Return what the tests of heterogeneity are given, for some predicted effects."""
        predicted = self.effects if effects is None else effects
        return predicted, self.scores, self.patients.eligible, self.patients.groups


def world(rows, name="world", slope=0.0, mean=0.1, clinics=25):
    """Patients of whom the severe ones get hip work more often and do worse; what hip work adds rises with a trait."""
    stream = generator(71, name)
    severe, trait, failed = stream.random(rows) < 0.5, stream.uniform(-1, 1, rows), stream.random(rows) < 0.4
    eligible = pd.DataFrame({arm: np.ones(rows, dtype=bool) for arm in NAMES}).assign(injection=failed)
    wish = pd.DataFrame({"usual_care": np.where(severe, 0.15, 0.5), "hip": np.where(severe, 0.5, 0.15),
                         "orthotic": 0.25, "injection": np.where(failed, 0.2, 0.0)})  # fmt: skip
    propensity = wish.div(wish.sum(axis=1), axis=0)[NAMES]
    drawn = stream.random(rows)
    arm = np.array(NAMES, dtype=object)[np.minimum(propensity.cumsum(axis=1).lt(drawn, axis=0).sum(axis=1), 3)]
    usual = np.where(severe, 0.3, 0.5)
    truth = pd.DataFrame({"usual_care": usual, "hip": usual + mean + slope * trait, "orthotic": usual,
                          "injection": usual + 0.05})  # fmt: skip
    own = truth.to_numpy()[np.arange(rows), [NAMES.index(each) for each in arm]]
    y = (stream.random(rows) < own).astype(float)
    groups = stream.integers(0, clinics, rows).astype(object)
    return World(Patients(y, arm, truth, propensity, eligible, groups), truth, trait)


def two_arms(rows, strength, name="hidden"):
    """Patients of a null world in which a hidden trait, success itself, multiplies the odds of hip work by a strength.

    Half of all get hip work, and nothing is recorded: the records say that everybody had the same chance.
    """
    stream = generator(72, name)
    y = (stream.random(rows) < 0.5).astype(float)
    chance = np.where(y == 1, strength / (1 + strength), 1 / (1 + strength))
    arm = np.where(stream.random(rows) < chance, "hip", REFERENCE_ARM).astype(object)
    flat = pd.DataFrame({each: np.full(rows, 0.5) for each in NAMES})
    eligible = pd.DataFrame({each: np.full(rows, each in ("hip", REFERENCE_ARM)) for each in NAMES})
    return Patients(y, arm, flat, flat, eligible, stream.integers(0, 40, rows).astype(object))
