"""Outcomes drawn from a model's own risks, stretched and shifted, and put into a cohort."""

from dataclasses import replace

import numpy as np

from pfps_ml.core.numbers import generator
from pfps_ml.model.additive import probability


def outcomes(margin, name, shift=0.0, slope=1.0):
    """Draw outcomes of runners whose log-odds are the model's, stretched around their mean and shifted."""
    risk = probability(margin.mean() + slope * (margin - margin.mean()) + shift)
    return (generator(9, name).random(len(margin)) < risk).astype(float)


def with_outcomes(cohort, y):
    return replace(cohort, y=np.asarray(y, dtype=float))
