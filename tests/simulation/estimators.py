"""Estimators of the simulated world's parameters, each from generated columns and with its standard error.

Columns that the world rounds or clips are read at cuts that rounding and clipping leave alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import chi2, norm

from pfps_ml.simulation import cohort

ROWS = 1_000_000
SOLVED_ROWS = cohort._ROWS  # a solved share is exact on these rows and not on others


@dataclass(frozen=True)
class Estimates:
    """Parameters by name, as they were found, and the covariance of the errors."""

    names: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray

    def of(self, name):
        """Return one value and its standard error."""
        at = self.names.index(name)
        return self.values[at], np.sqrt(self.covariance[at, at])


def apart(**found):
    """Return estimates whose errors are independent, from `name=(value, standard error)`."""
    values, errors = np.array(list(found.values())).T
    return Estimates(tuple(found), values, np.diag(errors**2))


def held(found, p):
    """Hold estimates to the parameters that went in, and return the names of the sharp ones.

    Sharp is a standard error below 0.01 of which 3.5 are less than 3 % of the parameter. Of a parameter near 0, 3 % is
    less than the standard error: there the rule of 3 % decides nothing, and 3.5 standard errors decide alone.
    """
    truth = np.array([getattr(p, name) for name in found.names])
    gap, error = found.values - truth, np.sqrt(np.diag(found.covariance))
    z = np.abs(gap) / error
    worst = int(z.argmax())
    assert z[worst] < 3.5, f"{found.names[worst]}: {found.values[worst]:.5g} and not {truth[worst]:.5g}"
    assert chi2.sf(gap @ np.linalg.solve(found.covariance, gap), len(gap)) > 0.001, found.names
    sharp = (error < 0.01) & (0.03 * np.abs(truth) > 3.5 * error)
    assert (np.abs(gap[sharp]) <= 0.03 * np.abs(truth[sharp])).all()
    return [name for name, is_sharp in zip(found.names, sharp, strict=True) if is_sharp]


def share(values):
    """Return a share and its standard error."""
    values = np.asarray(values, dtype=float)
    return values.mean(), np.sqrt(values.mean() * (1 - values.mean()) / values.size)


def solved_share(chances):
    """Return a mean chance and its error against a target that was met on other rows."""
    return chances.mean(), chances.std() * np.sqrt(1 / len(chances) + 1 / SOLVED_ROWS)


def mean(values):
    """Return a mean and its standard error."""
    return values.mean(), values.std() / np.sqrt(values.size)


def spread(values, extra=0.0):
    """Return an SD, less what rounding adds to the variance, and its standard error if normal."""
    sd = np.sqrt(values.var() - extra)
    return sd, values.var() / sd / np.sqrt(2 * values.size)


def correlation(first, second):
    """Return a correlation and its standard error."""
    r = np.corrcoef(first, second)[0, 1]
    return r, (1 - r**2) / np.sqrt(len(first))


def normal(values, low, high):
    """Return mean and SD of a normal, each with its standard error, from the shares below two cuts."""
    below = np.array([(values < cut).mean() for cut in (low, high)])
    q = ndtri(below)
    sd = (high - low) / (q[1] - q[0])
    middle = low - sd * q[0]
    by_sd = sd / (q[1] - q[0]) * np.array([1.0, -1.0])
    by_mean = -sd * np.array([1.0, 0.0]) - q[0] * by_sd
    first, both, second = below[0] * (1 - below[0]), below[0] * (1 - below[1]), below[1] * (1 - below[1])
    of_shares = np.array([[first, both], [both, second]])
    of_q = of_shares / len(values) / np.outer(norm.pdf(q), norm.pdf(q))
    return (middle, np.sqrt(by_mean @ of_q @ by_mean)), (sd, np.sqrt(by_sd @ of_q @ by_sd))


def linear(y, *columns):
    """Return the coefficients of a linear regression (intercept first) and the residual SD, each with its error."""
    design = np.column_stack([np.ones(len(y)), *columns])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ y)
    rest = y - design @ beta
    return [*zip(beta, rest.std() * np.sqrt(np.diag(inverse)), strict=True)], spread(rest)


def scored(names, start, y, model):
    """Fit yes or no by Fisher scoring; `model` gives each row's chance and how it changes with the parameters."""
    beta = np.asarray(start, dtype=float)
    for _ in range(30):
        chance, slopes = model(beta)
        weighted = slopes / (chance * (1 - chance))[:, None]
        information = weighted.T @ slopes
        step = np.linalg.solve(information, weighted.T @ (y - chance))
        beta = beta + step
        if np.abs(step).max() < 1e-7:
            return Estimates(tuple(names), beta, np.linalg.inv(information))
    raise AssertionError("the fit does not settle")


def logistic(columns, y):
    """Fit a logistic regression on columns by name; the intercept is one of them."""
    design = np.column_stack(list(columns.values()))

    def model(beta):
        chance = expit(design @ beta)
        return chance, design * (chance * (1 - chance))[:, None]

    return scored(columns, np.zeros(len(columns)), y, model)


def probit(column, y):
    """Return intercept and slope of a probit regression on one column, as estimates `a` and `b`."""
    design = np.column_stack([np.ones(len(y)), column])
    return scored("ab", [0.0, 0.0], y, lambda b: (norm.cdf(design @ b), design * norm.pdf(design @ b)[:, None]))


def hazard(columns, passing, y, months, acting, offset):
    """Fit monthly log odds to an outcome over some months; the columns in `passing` act in the first of them alone.

    Returns the intercept as `onset_intercept`, and the columns by name.
    """
    names = ["onset_intercept", *columns]
    design = np.column_stack([np.ones(len(y)), *columns.values()])
    passes = np.isin(names, passing)

    def model(beta):
        later = expit(design @ np.where(passes, 0, beta) + offset)
        first = expit(design @ beta + offset)
        spared = np.exp(acting * np.log1p(-first) + (months - acting) * np.log1p(-later))
        by_passing = acting * first * spared
        by_lasting = by_passing + (months - acting) * later * spared
        return 1 - spared, design * np.where(passes, by_passing[:, None], by_lasting[:, None])

    monthly = -np.expm1(np.log1p(-y.mean()) / months)
    return scored(names, [np.log(monthly / (1 - monthly)), *np.zeros(len(columns))], y, model)


def choice(columns, chosen, allowed):
    """Fit a conditional logit; the first choice is the reference, and a column of another choice is 0 there.

    Parameters
    ----------
    columns
        By name: (rows, choices), what the parameter is multiplied with.
    chosen, allowed
        (rows, choices), 0 or 1.
    """
    beta = np.zeros(len(columns))
    x = np.stack(list(columns.values()), axis=2)
    for _ in range(30):
        odds = np.exp(x @ beta) * allowed
        chance = odds / odds.sum(axis=1, keepdims=True)
        middle = np.einsum("nk,nkp->np", chance, x)
        information = np.einsum("nk,nkp,nkq->pq", chance, x, x, optimize=True) - middle.T @ middle
        step = np.linalg.solve(information, np.einsum("nk,nkp->p", chosen - chance, x))
        beta = beta + step
        if np.abs(step).max() < 1e-7:
            return Estimates(tuple(columns), beta, np.linalg.inv(information))
    raise AssertionError("the fit does not settle")
