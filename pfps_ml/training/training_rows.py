"""The rows that a model learns from: which clubs train, and copies of rows with fields masked.

Which clubs train, which are held out, and how the training clubs are folded is decided once, by club.

What a club could not measure must not stand for the club. So models are trained on copies of every row, masked as each
tier of measurement would see it; afterwards the "missing" entry of every field is set so that, on average, measuring it
leaves the mean prediction where it was.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pfps_ml.core import CohortError, Floats, Message, NDArray, SplitConfig, generator
from pfps_ml.domain import BY_NAME, TIERS
from pfps_ml.model import AdditiveModel, Line, Step, Term, add, probability


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


FEWEST_HELD_OUT = 3  # clubs: two would decide a gate between them


def expect_held_out(clubs: Sequence[pd.Series], split: Split, config: SplitConfig) -> None:
    """Refuse a split that holds out too few clubs to judge by, before anything is computed.

    Parameters
    ----------
    clubs
        The club of each row, of each frame.
    split
        Which clubs train.
    config
        What made the split, for the message.

    Raises
    ------
    CohortError
        In the words of the configuration: with how many clubs there are, and what to change.
    """
    for club in clubs:
        held_out = int(club[split.is_held_out(club)].nunique())
        if held_out < FEWEST_HELD_OUT:
            about = {"held_out": held_out, "clubs": int(club.nunique()), "share": config.held_out_share}
            raise CohortError(Message("too_few_clubs_held_out", {"least": FEWEST_HELD_OUT, **about}))


def resample_clubs(club: pd.Series, seed: int, name: str) -> NDArray[np.float64]:
    """Return how often each row counts in one bootstrap sample of whole clubs."""
    labels, index = np.unique(club.to_numpy(dtype=object).astype(str), return_inverse=True)
    drawn = generator(seed, name).integers(0, len(labels), len(labels))
    return np.bincount(drawn, minlength=len(labels))[index].astype(float)


_SWEEPS = 2  # the fields that a tier brings come together: the second sweep sees the first one's changes


def masked_copies(X: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.intp], Floats]:
    """Return every row as each tier of measurement would see it.

    Returns
    -------
    copies
        The distinct views of all rows, shape (copies, fields); the rows themselves come first.
    source
        The row that each copy was made from, shape (copies,).
    weight
        The copies of one row share a weight of one, shape (copies,).
    """
    views, sources = [X], [np.arange(len(X))]
    for tier in range(len(TIERS) - 1):
        hidden = [name for name in X if BY_NAME[str(name)].obtained in TIERS[tier + 1 :]]
        wider = [name for name in X if BY_NAME[str(name)].obtained in TIERS[tier + 2 :]]
        # a view is new only where this tier hides something that the next one shows
        new = X.drop(columns=wider)[[n for n in hidden if n not in wider]].notna().any(axis=1).to_numpy()
        views.append(X[new].assign(**dict.fromkeys(map(str, hidden), np.nan)))
        sources.append(np.flatnonzero(new))
    source = np.concatenate(sources)
    return pd.concat(views, ignore_index=True), source, 1 / np.bincount(source)[source]


def masked_once(X: pd.DataFrame, share: float) -> tuple[pd.DataFrame, NDArray[np.intp], Floats]:
    """Return every row, and one of the poorer views of it: the tiers take turns from row to row.

    Parameters
    ----------
    share
        The share of a row's weight of one that its poorer view has.

    Returns
    -------
    copies, source, weight
        As `masked_copies`.
    """
    copies, source, _ = masked_copies(X)
    originals = np.arange(len(source)) < len(X)
    poorer = np.bincount(source[~originals], minlength=len(X))[source]
    turn = pd.Series(source).groupby(source).cumcount().to_numpy() - 1
    selected = originals | (turn == source % np.maximum(poorer, 1))
    weight = np.where(poorer == 0, 1.0, np.where(originals, 1 - share, share))
    return copies[selected].reset_index(drop=True), source[selected], weight[selected]


def neutralise_missing(
    model: AdditiveModel, X: pd.DataFrame, weights: Floats, beside: AdditiveModel | None = None
) -> AdditiveModel:
    """Set every field's "missing" entry so that measuring the field leaves the mean prediction where it was.

    Parameters
    ----------
    model
        Any number of members.
    X
        Rows as the clubs saw them, coded.
    weights
        Weight of each row and member, shape (rows, members).
    beside
        A model that is added to this one before a probability is read (the prognosis beside an arm's modifier).
    """
    whole = add(model, beside) if beside else model
    for _ in range(_SWEEPS):
        margin = whole.margin(X)
        for name in model.fields:
            seen = X[name].notna().to_numpy()
            if not seen.any():
                continue
            rows, weight = X[seen], weights[seen]
            unmeasured = margin[seen] + whole.change(rows, name, np.nan)
            step = _shift(unmeasured, (weight * probability(margin[seen])).sum(axis=0), weight)
            model, whole = (_with_missing_shifted(additive, name, step) for additive in (model, whole))
            margin[~seen] += step
    return model


def levelled(model: AdditiveModel, X: pd.DataFrame, y: Floats, weights: Floats) -> AdditiveModel:
    """Shift every member's intercept so that its mean prediction is the mean outcome.

    What "missing" means is settled by predictions alone; who was measured had more or fewer cases by chance, and that
    chance must not move everybody else's risk.

    Parameters
    ----------
    model, X, weights
        As in `neutralise_missing`.
    y
        The outcome of every row, shape (rows,).
    """
    shift = _shift(model.margin(X), (weights * y[:, None]).sum(axis=0), weights)
    return replace(model, intercept=model.intercept + shift)


def _shift(margin: Floats, target: Floats, weight: Floats) -> Floats:
    """Return the shift of the log-odds at which the weighted sum of probabilities is the target (Newton)."""
    shift = np.zeros(margin.shape[1])
    for _ in range(50):
        p = probability(margin + shift)
        gap, slope = target - (weight * p).sum(axis=0), (weight * p * (1 - p)).sum(axis=0)
        # a resample may hold no club that measures the field: then nothing says that the entry should move
        step = np.clip(np.divide(gap, slope, out=np.zeros_like(gap), where=slope > 0), -1, 1)
        shift += step
        if np.abs(step).max() < 1e-7:  # squared at every step
            break
    return shift


def _with_missing_shifted(model: AdditiveModel, name: str, shift: Floats) -> AdditiveModel:
    terms: list[Term] = list(model.terms)
    at = next(i for i, term in enumerate(terms) if isinstance(term, Line | Step) and term.field == name)
    values = terms[at].values.copy()
    values[-1] += shift
    terms[at] = replace(terms[at], values=values)
    return replace(model, terms=tuple(terms))


__all__ = [
    "Split",
    "expect_held_out",
    "levelled",
    "masked_copies",
    "masked_once",
    "neutralise_missing",
    "resample_clubs",
    "split_clubs",
]
