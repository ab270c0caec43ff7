"""The regression behind the pathway models: its columns on one training set, and its coefficients as models."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pfps_ml.config import PathwayConfig
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS, ARMS
from pfps_ml.learning.additive import AdditiveModel, stack
from pfps_ml.learning.posterior import Posterior, Prior, sample_posterior
from pfps_ml.learning.smooth import Basis, basis

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]
_MODIFIER_KNOTS = 2  # a modifier is a straight line: the trials would not bear more
_ALONE, _PROGNOSIS, _MODIFIERS = -1, 0, 1  # groups of coefficients that share a scale
_FAINT = 1e-3  # the precision of the intercept
_SLAB = 1.0  # the precision of an arm's common effect and of any one slope: log-odds, per standard deviation
_DOUBT = 10  # patients at everybody's mean who are added to those of an arm


@dataclass(frozen=True)
class Layout:
    """The columns of the regression, laid out on one training set: prognosis, then effect and modifiers of each arm.

    `bases` and `contrasts` (from ramps to columns of about one standard deviation) are those of prognosis and modifier.
    """

    bases: tuple[Basis, Basis]
    contrasts: tuple[Floats, Floats]
    config: PathwayConfig
    modified: bool = True

    @classmethod
    def of(cls, X: pd.DataFrame, config: PathwayConfig) -> "Layout":
        """Lay knots at quantiles of the known values."""
        bases = (basis(X, config.knots), basis(X, _MODIFIER_KNOTS))
        return cls(bases, (_contrast(bases[0], X), _contrast(bases[1], X)), config)

    def posterior(self, X: pd.DataFrame, given: Labels, y: Floats, sweeps: tuple[int, int, int]) -> Posterior:
        """Return the posterior of the coefficients."""
        prognosis, modifier = (
            _guessed(part.design(X), part, X, given) @ turn
            for part, turn in zip(self.bases, self.contrasts, strict=True)
        )
        modifier = modifier if self.modified else modifier[:, :1]
        design = np.hstack([prognosis, *(modifier * (given == name)[:, None] for name in ACTIVE_ARMS)])
        sizes = (prognosis.shape[1] - 1, modifier.shape[1] - 1)
        group = [_ALONE] + [_PROGNOSIS] * sizes[0] + len(ACTIVE_ARMS) * ([_ALONE] + [_MODIFIERS] * sizes[1])
        precision = np.full(len(group), _SLAB)
        precision[0] = _FAINT
        prior = Prior(np.array(group), precision)
        return sample_posterior(design, np.asarray(y, dtype=float), prior, sweeps, self.config.seed)

    def models(self, coefficients: Floats) -> dict[str, AdditiveModel]:
        """Write coefficients, shape (members, coefficients), as models; that of the reference arm is the prognosis."""
        widths = [turn.shape[1] for turn in self.contrasts]
        size = widths[1] if self.modified else 1
        ends = widths[0] + size * np.arange(len(ACTIVE_ARMS) + 1)
        blocks = np.split(coefficients, ends[:-1], axis=1)
        parts = [0] + [1] * len(ACTIVE_ARMS)
        return {
            arm.name: stack(self.bases[part].model(self.contrasts[part][:, : block.shape[1]] @ row) for row in block)
            for arm, part, block in zip(ARMS, parts, blocks, strict=True)
        }


def _guessed(design: Floats, laid: Basis, X: pd.DataFrame, given: Labels) -> Floats:
    """Let an unmeasured field count as its mean among those who were given the same arm.

    A clinic may choose by what it saw and did not write down; at the mean of everybody, whoever was chosen for a weak
    hip would count as one of average strength, and what the arm does for weak hips as what it does for all.
    """
    at = 1
    for name, knots in laid.knots.items():
        own, known = slice(at, at + len(knots) - 1), X[name].notna().to_numpy()
        for arm in ARMS:
            had = given == arm.name
            design[had & ~known, own] = design[had & known, own].sum(axis=0) / ((had & known).sum() + _DOUBT)
        at += len(knots)
    return design


def contrast_of(laid: Basis, spread: Mapping[str, float]) -> Floats:
    """Return the matrix from the design's columns (intercept, ramps, missing) to those of the regression.

    Each field has the mean of its ramps, which rises with the rank of a value, and how the curve leaves that line at
    each inner knot; both per standard deviation of the first. A field that nobody knows has columns of zeros.

    Parameters
    ----------
    laid
        Knots and centres.
    spread
        Standard deviation of the sum of each field's ramps; 0 where nobody knows it.
    """
    at, columns = 1, [np.eye(laid.width)[:, :1]]
    for name, knots in laid.knots.items():
        count = len(knots) - 1
        bends = [(np.arange(count) < inner) - inner / count for inner in range(1, count)]
        block = np.zeros((laid.width, count))
        if spread[name] > 0:
            block[at : at + count] = np.column_stack([np.ones(count), *bends]) / spread[name]
        columns.append(block)
        at += count + 1
    return np.hstack(columns)


def _contrast(laid: Basis, X: pd.DataFrame) -> Floats:
    ramps, at, spread = laid.design(X), 1, {}
    for name, knots in laid.knots.items():
        rank = ramps[:, at : at + len(knots) - 1].sum(axis=1)[X[name].notna().to_numpy()]
        spread[name] = float(rank.std()) if len(rank) else 0.0
        at += len(knots)
    return contrast_of(laid, spread)


__all__ = ["Layout", "contrast_of"]
