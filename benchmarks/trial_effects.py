"""A trial through the pathway code: mean effects in the outcome's unit, the gate, and who is told of a preference."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.preference import preferred
from benchmarks.trials import Known, Trial
from pfps_ml.core import Floats, Ints, NDArray, PathwayConfig, generator
from pfps_ml.domain import ACTIVE_ARMS, ARMS, PATHWAY_FIELDS, REFERENCE_ARM, SUCCESS, Estimand
from pfps_ml.evaluation.effects import outcome_scores
from pfps_ml.evaluation.estimands import Patients as Judged, adjusted_effects
from pfps_ml.evaluation.policy import BEST, best_linear_predictor, policy_values, simple_policies
from pfps_ml.io.study_data import read_patients
from pfps_ml.model import Gate, Preferences, basis, cross_fitted, eligibility
from pfps_ml.training.candidates import quiet
from pfps_ml.training.pathways import PathwayModel

SEED, FOLDS = 20_268, 5
_KNOTS = 4
_NAMES = [arm.name for arm in ARMS]


@dataclass(frozen=True, eq=False)
class Patients:
    """The rows of a trial that can be evaluated.

    Attributes
    ----------
    X
        Coded fields, those of the pathways.
    arm
        The arm of the dictionary that stands for what each had.
    outcomes
        In their own units, and success.
    club
        Within which was randomised; None where it was not.
    set_aside
        Rows with a fault in a field, or of which nothing is known.
    """

    X: pd.DataFrame
    arm: pd.Series
    outcomes: pd.DataFrame
    club: NDArray[np.object_] | None
    set_aside: int

    @property
    def groups(self) -> NDArray[np.object_]:
        """What is resampled: clubs, or patients where there are none."""
        return np.arange(len(self.X)).astype(object) if self.club is None else self.club

    @property
    def may(self) -> pd.DataFrame:
        """Which arms are open: those of the dictionary's rules that somebody had."""
        return eligibility(self.X) & [(self.arm == name).any() for name in _NAMES]

    @property
    def folds(self) -> Ints:
        """A fold for every row, the same each time."""
        return generator(SEED, "folds").integers(0, FOLDS, len(self.X))


@dataclass(frozen=True, eq=False)
class Tried:
    """What came of a trial.

    Attributes
    ----------
    effects
        Those known from elsewhere beside ours, one row each.
    gate
        What our effects were held against.
    preferred
        The place of the arm that is preferred for each patient, `preference.NONE` for none.
    differ
        Whether patients differ in an effect as predicted, on folds that were not fitted on.
    policies
        What choosing by the model is worth against one arm for everybody.
    """

    patients: Patients
    effects: pd.DataFrame
    gate: Gate
    preferred: Ints
    differ: pd.DataFrame
    policies: pd.DataFrame


def read_trial(trial: Trial, raw: pd.DataFrame) -> Patients:
    """Prepare a trial, and read it through its map as any file of patients."""
    frame = trial.prepare(raw).reset_index(drop=True)
    with TemporaryDirectory() as place:
        path = Path(place) / f"{trial.name}.csv"
        frame.to_csv(path, index=False)
        cohort = read_patients(path, mapping=trial.mapping)
    kept = cohort.used
    outcomes = frame[list(trial.outcomes)].astype(float).assign(**{SUCCESS.column: cohort.y})
    return Patients(
        X=cohort.values[list(PATHWAY_FIELDS)][kept].reset_index(drop=True),
        arm=pd.Series(cohort.arm)[kept].reset_index(drop=True),
        outcomes=outcomes[kept].reset_index(drop=True),
        club=cohort.club[kept] if trial.within else None,
        set_aside=int((~kept).sum()),
    )


def tried(trial: Trial, raw: pd.DataFrame) -> Tried:
    """Put a trial through all of it."""
    patients = read_trial(trial, raw)
    with quiet():
        model, told = decided(patients)
        differ, policies = held_out(patients)
        effects = pd.DataFrame([_beside(each, patients) for each in trial.known])
    return Tried(patients, effects, model.gate_, told.preferred, differ, policies)


def decided(patients: Patients) -> tuple[PathwayModel, Preferences]:
    """Return the model of success, and what the product would tell these patients."""
    model = PathwayModel().fit(patients.X, patients.arm, patients.outcomes[SUCCESS.column], fold=patients.folds)
    return model, preferred(model, patients.X, patients.may)


def held_out(patients: Patients) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return whether patients differ as predicted, and what choosing by prediction is worth; models see other folds."""
    success, fold = pd.DataFrame(0.0, index=patients.X.index, columns=_NAMES), patients.folds
    y, config = patients.outcomes[SUCCESS.column].to_numpy(), replace(PathwayConfig(), posterior_draws=2, gate=False)
    for each in range(FOLDS):
        train, test = fold != each, fold == each
        model = PathwayModel(config).fit(patients.X[train], patients.arm[train], y[train])
        success[test] = model.predict(patients.X[test])
    effects = success[list(ACTIVE_ARMS)].sub(success[REFERENCE_ARM], axis=0)
    scores = outcome_scores(y, patients.arm, success, chances(patients))
    choices = simple_policies(success, patients.may)
    had = patients.may.any()
    choices = {name: chosen for name, chosen in choices.items() if name == BEST or had[name]}
    differ = best_linear_predictor(effects, scores, patients.may, patients.groups)
    return differ.dropna(subset="mean"), policy_values(y, scores, choices, patients.groups)


def chances(patients: Patients) -> pd.DataFrame:
    """Return the chance of every arm: by the fields, from other folds; where a club randomised, its own shares."""
    if patients.club is None:
        return cross_fitted(patients.X, patients.arm, patients.folds, basis(patients.X, _KNOTS))
    had = pd.DataFrame({name: (patients.arm == name).astype(float) for name in _NAMES})
    return had.groupby(patients.club).transform("mean")


def expected(patients: Patients, values: Floats) -> pd.DataFrame:
    """Return an outcome expected under every arm: least squares on other folds; fields are curves, clubs are levels."""
    active = [name for name in ACTIVE_ARMS if (patients.arm == name).any()]
    own = [basis(patients.X, _KNOTS).design(patients.X)]
    if patients.club is not None:
        own.append(pd.get_dummies(pd.Series(patients.club)).to_numpy(dtype=float))
    given = np.column_stack([patients.arm == name for name in active]).astype(float)
    shared = np.hstack(own)
    design, out = np.hstack([shared, given]), pd.DataFrame(0.0, index=patients.X.index, columns=_NAMES)
    for each in range(FOLDS):
        train, test = patients.folds != each, patients.folds == each
        beta = np.linalg.lstsq(design[train], values[train], rcond=None)[0]
        usual = shared[test] @ beta[: shared.shape[1]]
        for name in _NAMES:
            out.loc[test, name] = usual + (beta[shared.shape[1] + active.index(name)] if name in active else 0.0)
    return out


def average_effects(patients: Patients, outcome: str) -> pd.DataFrame:
    """Return the mean effects among all, in the unit of the outcome."""
    values = patients.outcomes[outcome].to_numpy()
    judged = Judged(
        values, patients.arm.to_numpy(object), expected(patients, values), chances(patients), patients.may,
        patients.groups, randomised=patients.club is not None,
    )  # fmt: skip
    return adjusted_effects(judged, Estimand.ALL)


def _beside(said: Known, patients: Patients) -> dict[str, object]:
    """Return a known effect beside ours.

    It is found if ours lies in the known interval; where there is none, if the known figure lies in ours.
    """
    ours = average_effects(patients, said.outcome).set_index("arm").loc[said.arm]
    alone = np.isnan(said.low)
    found = ours["low"] <= said.effect <= ours["high"] if alone else said.low <= ours["effect"] <= said.high
    return {
        "outcome": said.outcome, "label": said.label, "arm": said.arm, "source": said.source,
        "known": said.effect, "known_low": said.low, "known_high": said.high,
        **ours[["effect", "low", "high", "naive"]], "found": bool(found),
    }  # fmt: skip


__all__ = [
    "SEED",
    "Patients",
    "Tried",
    "average_effects",
    "chances",
    "decided",
    "expected",
    "held_out",
    "read_trial",
    "tried",
]
