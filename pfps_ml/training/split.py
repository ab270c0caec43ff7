"""Which clubs train, which are held out, and how the training clubs are folded: decided once, by club."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pfps_ml.core import CohortError, Message, NDArray, SplitConfig, generator


@dataclass(frozen=True)
class Split:
    """A decision about clubs: the fold of every training club; a club that is not named is held out."""

    folds: dict[str, int]

    def is_held_out(self, club: pd.Series) -> NDArray[np.bool_]:
        """Return which rows training must not see."""
        return np.asarray(~club.isin(list(self.folds)), dtype=bool)

    def fold_of(self, club: pd.Series) -> NDArray[np.int64]:
        """Return the fold of every training row."""
        return np.asarray(club.map(self.folds), dtype=np.int64)

    @property
    def digest(self) -> str:
        """Which clubs are where, as one word: two models are comparable only on the same digest."""
        return hashlib.sha256(repr(sorted(self.folds.items())).encode()).hexdigest()[:16]


def split_clubs(club: pd.Series, config: SplitConfig) -> Split:
    """Decide for every club whether it trains (and in which fold) or is held out.

    Raises
    ------
    CohortError
        If there are too few clubs for the folds.
    """
    clubs = sorted(club.dropna().unique())
    order = generator(config.seed, "split").permutation(len(clubs))
    held_out = round(config.held_out_share * len(clubs))
    training = [clubs[i] for i in order[held_out:]]
    if len(training) < config.folds:
        raise CohortError(
            Message("too_few_clubs_to_train", {"folds": config.folds, "held_out": held_out, "clubs": len(training)})
        )
    return Split({name: i % config.folds for i, name in enumerate(training)})


def resample_clubs(club: pd.Series, seed: int, name: str) -> NDArray[np.float64]:
    """Return how often each row counts in one bootstrap sample of whole clubs."""
    labels, index = np.unique(club.to_numpy(dtype=object).astype(str), return_inverse=True)
    drawn = generator(seed, name).integers(0, len(labels), len(labels))
    return np.bincount(drawn, minlength=len(labels))[index].astype(float)


__all__ = ["Split", "resample_clubs", "split_clubs"]
