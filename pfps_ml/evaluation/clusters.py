"""Means and regressions of values that may be alike within a clinic: errors come from leaving out whole clinics."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.core.levels import student_quantile

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Coefficients with their covariance, and the degrees of freedom of their t distribution (clinics less one).

    `covariance` is NaN where the clinics are too few to say.
    """

    beta: Array
    covariance: Array
    freedom: int

    def contrast(self, weights: npt.ArrayLike, level: float) -> tuple[float, float, float]:
        """Return a sum of coefficients, and its interval's limits."""
        value, error = self._value(weights)
        half = student_quantile(level, max(self.freedom, 1)) * error
        return value, value - half, value + half

    def above(self, weights: npt.ArrayLike, null: float = 0.0) -> float:
        """Return the one-sided p value of a sum of coefficients being no more than `null`."""
        from scipy.special import stdtr

        value, error = self._value(weights)
        return float(stdtr(max(self.freedom, 1), -(value - null) / error)) if error > 0 else float("nan")

    def all_equal(self, null: npt.ArrayLike) -> float:
        """Return the p value of all coefficients being those of `null` (Hotelling's T squared over clinics)."""
        from scipy.special import fdtrc

        gap, count = self.beta - np.asarray(null, dtype=float), len(self.beta)
        spare = self.freedom + 1 - count
        if spare < 1 or not np.isfinite(self.covariance).all():
            return float("nan")
        squared = float(gap @ np.linalg.pinv(self.covariance) @ gap)
        return float(fdtrc(count, spare, squared * spare / (count * self.freedom)))

    def _value(self, weights: npt.ArrayLike) -> tuple[float, float]:
        sums = np.asarray(weights, dtype=float)
        return float(sums @ self.beta), float(np.sqrt(sums @ self.covariance @ sums))


def regress(design: Array, values: Array, groups: npt.ArrayLike) -> Fit:
    """Return the least-squares fit of values on a design, with a covariance that holds when clinics are few.

    The jackknife over clinics (CV3 of MacKinnon, Nielsen and Webb 2023, with Student's t): with some ten clinics the
    usual sandwich is too narrow. Columns that hold nothing get a coefficient of 0.
    """
    codes, names = pd.factorize(np.asarray(groups), use_na_sentinel=False)
    count, width = len(names), design.shape[1]
    # sums of products a clinic: leaving a clinic out is then a subtraction
    products = np.zeros((count, width, width + 1))
    np.add.at(products, codes, design[:, :, None] * np.column_stack((design, values))[:, None, :])
    total = products.sum(axis=0)
    beta = _solve(total)
    if count < 2:
        return Fit(beta, np.full((width, width), np.nan), 0)
    gaps = np.array([_solve(total - own) for own in products]) - beta
    return Fit(beta, (count - 1) / count * gaps.T @ gaps, count - 1)


def clustered_mean(values: Array, groups: npt.ArrayLike, level: float) -> tuple[float, float, float]:
    """Return a mean and its interval's limits, NaN where all values are of one clinic."""
    return regress(np.ones((len(values), 1)), values, groups).contrast([1.0], level)


def _solve(products: Array) -> Array:
    return np.asarray(np.linalg.pinv(products[:, :-1]) @ products[:, -1])


__all__ = ["Fit", "clustered_mean", "regress"]
