"""Whether the patients for whom an arm is predicted to do most are those for whom it does: Qini and TOC curves.

Patients are treated in the order of their predicted effect. The Qini curve is what has been gained when a share of
them is treated; the TOC curve (targeting operator characteristic; Yadlowsky, Fleming, Shah, Brunskill and Wager 2021)
is how much larger the effect is among those than among all. Areas: AUTOC under the TOC curve, and the Qini
coefficient between the Qini curve and treating the same share at random. Both are 0 if the order says nothing.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from pfps_ml.config import EvaluationConfig
from pfps_ml.evaluation.heterogeneity import effect_scores
from pfps_ml.evaluation.metrics import count_groups, percentiles
from pfps_ml.knowledge.dictionary import ACTIVE_ARMS
from pfps_ml.randomness import generator

Array = npt.NDArray[np.float64]
_SHARES = np.arange(1, 21) / 20  # of the table and the picture
_NOISE = 1e-12  # of an area: below it, only arithmetic differs between resamples
_FINE = (np.arange(200) + 0.5) / 200  # of the areas


def targeting_curves(
    effects: pd.DataFrame,
    scores: pd.DataFrame,
    eligible: pd.DataFrame,
    groups: npt.ArrayLike,
    settings: EvaluationConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves of each active arm, and their areas, with intervals over resampled clinics.

    Parameters
    ----------
    effects, scores, eligible, groups
        As in `heterogeneity.best_linear_predictor`.
    settings
        Resamples and seed.

    Returns
    -------
    curves
        arm, share (treated), gain, gain_low, gain_high (mean success gained a patient), random (the same share at
        random), toc, toc_low, toc_high.
    areas
        arm, n, autoc, autoc_low, autoc_high, p_autoc, qini, qini_low, qini_high, p_qini (one-sided, above 0; Student's
        t on the resamples' spread). NaN where there are fewer than two clinics.
    """
    curves, areas = [], []
    for name in ACTIVE_ARMS:
        own, predicted, score = effect_scores(effects, scores, eligible, name)
        if not own.any():
            continue
        clinic = np.asarray(groups)[own]
        found = _curves(predicted, score, np.ones_like(score))
        weights = _resamples(clinic, settings)
        draws = [_curves(predicted, score, weight) for weight in weights]
        clinics = count_groups(clinic)
        curves.append(_curve_table(name, found, draws, clinics))
        areas.append({"arm": name, "n": int(own.sum()), **_areas(found, draws, clinics)})
    columns = ["arm", "share", "random", "gain", "gain_low", "gain_high", "toc", "toc_low", "toc_high"]
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
    return table, pd.DataFrame(areas)


def _curves(predicted: Array, score: Array, weight: Array) -> dict[str, Array]:
    """Return both curves and both areas of patients counted as given; patients with one prediction are not ranked."""
    order = np.argsort(-predicted, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(predicted[order]) != 0)))
    reached = np.concatenate(([0.0], np.add.reduceat(weight[order], starts).cumsum())) / weight.sum()
    gained = np.concatenate(([0.0], np.add.reduceat((weight * score)[order], starts).cumsum())) / weight.sum()
    coarse, fine = np.interp(_SHARES, reached, gained), np.interp(_FINE, reached, gained)
    excess = fine - _FINE * gained[-1]
    return {"gain": coarse, "toc": coarse / _SHARES - gained[-1],
            "autoc": np.array((excess / _FINE).mean()), "qini": np.array(excess.mean())}  # fmt: skip


def _resamples(clinic: npt.ArrayLike, settings: EvaluationConfig) -> Iterator[Array]:
    codes, names = pd.factorize(np.asarray(clinic), sort=True)
    stream = generator(settings.seed, "evaluation: resampled clinics")
    for _ in range(settings.bootstraps if len(names) > 1 else 0):
        yield np.bincount(stream.integers(0, len(names), len(names)), minlength=len(names))[codes].astype(float)


def _curve_table(name: str, found: dict[str, Array], draws: list[dict[str, Array]], clinics: int) -> pd.DataFrame:
    table = pd.DataFrame({"arm": name, "share": _SHARES, "random": _SHARES * found["gain"][-1]})
    for curve in ("gain", "toc"):
        columns = np.array([draw[curve] for draw in draws]).T if draws else np.full((len(_SHARES), 1), np.nan)
        limits = np.array([percentiles(column, max(clinics, 2)) for column in columns])
        table = table.assign(**{curve: found[curve], f"{curve}_low": limits[:, 0], f"{curve}_high": limits[:, 1]})
    return table


def _areas(found: dict[str, Array], draws: list[dict[str, Array]], clinics: int) -> dict[str, float]:
    from scipy.special import stdtr

    row: dict[str, float] = {}
    for area in ("autoc", "qini"):
        values = np.array([float(draw[area]) for draw in draws]) if draws else np.full(1, np.nan)
        low, high = percentiles(values, max(clinics, 2))
        error = values.std() * np.sqrt(clinics / max(clinics - 1, 1))
        p = float(stdtr(clinics - 1, -found[area] / error)) if error > _NOISE else float("nan")
        row |= {area: float(found[area]), f"{area}_low": low, f"{area}_high": high, f"p_{area}": p}
    return row


__all__ = ["targeting_curves"]
