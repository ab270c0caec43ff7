"""What only refits of the onset model can tell: clubs left out one after another, and fewer clubs to learn from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pfps_ml.config import Config
from pfps_ml.evaluation import displays, displays_onset
from pfps_ml.evaluation.subgroups import compare_parts, subgroup_table
from pfps_ml.knowledge.dictionary import ONSET
from pfps_ml.learning.onset import OnsetModel
from pfps_ml.learning.split import Split
from pipelines.frames import Frames, onset_features
from pipelines.judge_onset import Runners

_MOST_REFITS = 50  # of more clubs than this, those of a fold are left out together: a refit takes seconds
_SHARES = (0.125, 0.25, 0.5, 1.0)
_FEWEST_REPLICATES = 2  # a refit is judged by its main model alone
Part = tuple[pd.DataFrame, np.ndarray, pd.Series, pd.DataFrame]  # fields, outcome and club; fields of those to judge


def refitted_pictures(frames: Frames, split: Split, runners: Runners, config: Config) -> dict[str, displays.Display]:
    """Return the learning curve and the figures of left-out clubs."""
    clubs = frames.onset["club"]
    rows = ~split.is_held_out(clubs)
    training = frames.onset[rows].reset_index(drop=True)
    X = onset_features(frames.onset)[rows].reset_index(drop=True)
    with threadpool_limits(1):  # as in training: many small fits
        return {
            "left_out": _left_out(X, training, split, config),
            "learning_curve": _learning_curve(X, training, split, runners, config),
        }


def _left_out(X: pd.DataFrame, training: pd.DataFrame, split: Split, config: Config) -> displays.Display:
    """Leave out every club by itself, or, of very many clubs, those of a fold together."""
    y, clubs = training[ONSET.column].to_numpy(float), training["club"]
    alone = clubs.nunique() <= _MOST_REFITS
    names = {club: at for at, club in enumerate(sorted(clubs.unique()))} if alone else split.folds
    part, p = clubs.map(names).to_numpy(), np.zeros(len(y))
    tests = [part == each for each in np.unique(part)]
    found = _refitted([(X[~test], y[~test], clubs[~test], X[test]) for test in tests], config)
    for test, risk in zip(tests, found, strict=True):
        p[test] = risk
    kind = "Club" if alone else "Fold"
    labels = pd.Series(
        pd.Categorical([f"{kind} {at + 1}" for at in part], [f"{kind} {at + 1}" for at in np.unique(part)])
    )
    # a club by itself holds no clubs to resample: then its runners are
    groups = np.arange(len(y)) if alone else clubs.to_numpy()
    apart = subgroup_table(y, p, {"left out": labels}, groups, config.evaluation)
    whole = subgroup_table(y, p, {"left out": ["All, each left out once"] * len(y)}, clubs, config.evaluation)
    title = f"Leave-one-{'club' if alone else 'fold-of-clubs'}-out"
    return displays_onset.subgroups(pd.concat([apart, whole], ignore_index=True), title)


def _learning_curve(
    X: pd.DataFrame, training: pd.DataFrame, split: Split, runners: Runners, config: Config
) -> displays.Display:
    y, clubs, order, parts = training[ONSET.column].to_numpy(float), training["club"], list(split.folds), {}
    for share in _SHARES:
        count = max(round(share * len(order)), 2)
        own = clubs.isin(order[:count]).to_numpy()
        if 0 < y[own].sum() < own.sum():
            parts[f"{count} clubs ({int(own.sum()):,} runners, {int(y[own].sum()):,} events)"] = own
    found = _refitted([(X[own], y[own], clubs[own], runners.X) for own in parts.values()], config)
    risks = dict(zip(parts, found, strict=True))
    return displays_onset.learning_curve(compare_parts(runners.y, risks, runners.clubs, config.evaluation))


def _refitted(parts: Sequence[Part], config: Config) -> list[np.ndarray]:
    """Return the risks that come of every part; several at once, which changes nothing but the time that it takes."""
    with ThreadPoolExecutor(config.onset.jobs) as pool:  # the fits spend their time outside of Python
        return list(pool.map(lambda part: _risk(part, config), parts))


def _risk(part: Part, config: Config) -> np.ndarray:
    """Fit on some of the training clubs, folded anew so that no fold is empty, and return the risk of others."""
    X, y, club, others = part
    names = {name: at % config.split.folds for at, name in enumerate(sorted(club.unique()))}
    model = OnsetModel(replace(config.onset, bootstraps=_FEWEST_REPLICATES))
    model.fit(X.reset_index(drop=True), y, club.reset_index(drop=True), club.map(names).to_numpy())
    return np.asarray(model.predict_proba(others)[:, 1])


__all__ = ["refitted_pictures"]
