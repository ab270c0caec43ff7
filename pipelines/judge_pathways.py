"""The pathway models judged on held-out clubs: without the truth, and against it where the cohort is simulated."""

from dataclasses import astuple

import numpy as np
import pandas as pd

from pfps_ml.config import Config
from pfps_ml.knowledge.dictionary import ARMS, SUCCESS
from pfps_ml.learning.propensity import fit_propensity
from pfps_ml.learning.smooth import basis
from pfps_ml.prediction import Estimate, Predictor
from pfps_ml.validation.pathways import Given, Treated
from pipelines.frames import Frames, pathway_features
from pipelines.judge_onset import answered


def held_out_patients(frames: Frames, held_out: np.ndarray, predictor: Predictor, config: Config) -> Treated:
    """Gather the patients of the clubs that training never saw; propensities come from the other clubs."""
    X, arm = pathway_features(frames.treatment), frames.treatment["arm"]
    chosen = fit_propensity(X[~held_out], arm[~held_out], basis(X[~held_out], config.pathways.knots))
    X, rows, truth = X[held_out].reset_index(drop=True), frames.treatment[held_out], frames.truth_treatment
    had, clubs = (rows[name].to_numpy(dtype=object) for name in ("arm", "club"))
    given = Given(rows[SUCCESS.column].to_numpy(dtype=float), had, clubs, chosen.predict(X))
    if truth is not None:
        truth = truth[held_out].reset_index(drop=True).rename(columns={f"p_{a.name}": a.name for a in ARMS})
    return Treated.of(predictor, X, given, chosen, truth)


def pathways_answered(treated: Treated) -> pd.DataFrame:
    """Return of how many eligible patients each effect is answered, and what its interval is made of."""
    labels, rows = {arm.name: arm.label for arm in ARMS}, []
    for name, found in treated.effect.items():
        own = treated.patients.eligible[name].to_numpy(bool)
        if own.any():
            mine = Estimate(*(values[own] for values in astuple(found)))
            rows.append(answered(f"{labels[name]}: effect", mine))
    return pd.DataFrame(rows)


__all__ = ["held_out_patients", "pathways_answered"]
