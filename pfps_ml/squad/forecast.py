"""How many new cases a squad may expect, and who to see first.

A world is one way that things may be: a draw over what the evidence leaves open, a resample of the training clubs, and
a club that is better or worse than others. In one world runners fall ill independently of each other; over the worlds
they do not. So the count is a mixture of Poisson-binomials, and its spread is what is honestly unknown.

Triage is a list of the runners of highest risk, how many of the coming cases are among them, and whether the list is
worth it.
"""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Literal

import numpy as np

from pfps_ml.core import Floats, Ints, generator
from pfps_ml.domain import Parameter, load_scenario, scenario_names
from pfps_ml.model import Bundle, Values, probability

WORLDS = 2_000
_SEED = 20271  # the same squad has the same forecast, whoever asks
_SPREAD = "club_log_sd"


@dataclass(frozen=True)
class Forecast:
    """How many cases there may be.

    Attributes
    ----------
    shares
        The probability of 0, 1, 2 ... cases.
    level
        What the interval holds at least.
    """

    shares: Floats
    level: float

    @property
    def mean(self) -> float:
        """Cases expected."""
        return float(self.shares @ np.arange(len(self.shares)))

    @property
    def low(self) -> int:
        """The lower end of the interval, which belongs to it."""
        return self._ends[0]

    @property
    def high(self) -> int:
        """The upper end of the interval, which belongs to it."""
        return self._ends[1]

    @property
    def any(self) -> float:
        """The probability of at least one case."""
        return float(1 - self.shares[0])

    @cached_property
    def _ends(self) -> tuple[int, int]:
        """The shortest run of counts that holds the level; of several, the most probable."""
        below = np.concatenate([[0.0], np.cumsum(self.shares)])
        by_width = (below[width:] - below[:-width] for width in range(1, len(below)))
        shortest = next(
            shares for shares in by_width if shares.max() >= self.level - 1e-12
        )  # all counts hold everything
        low = int(shortest.argmax())
        return low, low + len(self.shares) - len(shortest)


def club_spread(bundle: Bundle) -> Parameter:
    """Return by how much clubs differ, standard deviation of the log rate: an assumption of the bundle's scenario.

    A bundle of a real cohort has no scenario; the reference one's assumption stands in.
    """
    name = bundle.manifest["trained_on"].get("scenario")
    return load_scenario(name if name in scenario_names() else "reference").runners[_SPREAD]


def worlds(bundle: Bundle, columns: Values, clubs: Ints, count: int = WORLDS) -> Floats:
    """Return the risk of every runner in every world, shape (worlds, runners).

    Parameters
    ----------
    bundle
        The released models; the draws and resamples behind its intervals are used whole, so what runners share in
        them stays shared.
    columns
        Coded rows, derived fields included.
    clubs
        The club of each row, as a number from 0.
    count
        How many worlds.
    """
    members, interval = bundle.predictor.onset.margin(columns), bundle.predictor.interval
    draws, resamples = members[:, 1 : 1 + interval.evidence], members[:, 1 + interval.evidence :]
    margin = np.tile(members[:, 0], (count, 1))
    for name, part, scale in (("draw", draws, interval.of_draws**0.5), ("resample", resamples, 1.0)):
        if part.shape[1]:
            gaps = scale * (part - part.mean(axis=1, keepdims=True))
            margin += gaps.T[np.floor(_even(name, count) * part.shape[1]).astype(np.int64)]
    parameter = club_spread(bundle)
    spread = np.array([parameter.at(float(u)) for u in _even("spread", count)])
    normal = NormalDist()
    z = np.array([[normal.inv_cdf(float(u)) for u in _even(f"club {club}", count)] for club in range(clubs.max() + 1)])
    # the risk is that at a club like those of the training data: on average a rate stays what it is
    rate = np.exp(spread * z - spread**2 / 2)[clubs].T
    return np.asarray(-np.expm1(np.log1p(-probability(margin)) * rate))


def forecast(chances: Floats, level: float) -> Forecast:
    """Return how many cases there are over all worlds.

    Parameters
    ----------
    chances
        Risks of shape (worlds, runners).
    level
        Of the interval: a bundle's own is that of its predictions.
    """
    count, runners = chances.shape
    shares = np.zeros((count, runners + 1))
    shares[:, 0] = 1.0
    for at, chance in enumerate(chances.T):
        step = shares[:, : at + 1] * chance[:, None]
        shares[:, : at + 1] -= step
        shares[:, 1 : at + 2] += step
    return Forecast(shares.mean(axis=0), level)


def _even(name: str, count: int) -> Floats:
    """Return numbers that fill 0 to 1 evenly, in an order of their own."""
    middle = (np.arange(count) + 0.5) / count
    return np.asarray(generator(_SEED, f"squad/{name}").permutation(middle))


Way = Literal["list", "everybody", "nobody"]
_SIMPLEST_FIRST: tuple[Way, ...] = ("nobody", "everybody", "list")
HARDLY = 0.1  # cases: a gain below it is hardly worth anybody's hour


@dataclass(frozen=True)
class Triage:
    """What seeing so many runners first would bring.

    Attributes
    ----------
    first
        Who, highest risk first: places in the squad.
    caught, missed
        The cases expected among them, and among the others.
    by_lot
        The cases among as many runners drawn by lot.
    from_share, to_share
        The price of a check-up, as the risk from which one is worth while, between which the list is better than
        seeing everybody (below) or nobody (above): the mean risk of the others, and that of those seen.
    price
        The price that `best` is read at.
    benefit
        Net benefit at that price, in cases found: of the list, of everybody and of nobody.
    """

    first: Ints
    caught: float
    missed: float
    by_lot: float
    from_share: float
    to_share: float
    price: float
    benefit: dict[Way, float]

    @property
    def gain(self) -> float:
        """How many more cases are among the first than among runners drawn by lot."""
        return self.caught - self.by_lot

    @property
    def best(self) -> Way:
        """Whom to see at the price: the list, everybody or nobody; of equals, the simpler."""
        return max(_SIMPLEST_FIRST, key=lambda way: round(self.benefit[way], 9))

    @property
    def beats_lots(self) -> bool:
        """Whether the list reaches more cases than drawing lots, by enough to be worth somebody's hour."""
        return self.gain >= HARDLY

    @property
    def is_worth_it(self) -> bool:
        """Whether the model helps here: it beats both drawing lots and the better of seeing everybody or nobody."""
        return self.beats_lots and self.best == "list"

    @property
    def check_ups(self) -> float:
        """How many check-ups one case found is worth, at the price."""
        return 1 / self.price

    @property
    def worth_from_to(self) -> tuple[float, float]:
        """The list is best if finding one case is worth this many check-ups at least, and that many at most."""
        return 1 / self.to_share, 1 / self.from_share


def triage(risk: Floats, chances: Floats, flags: int, price: float) -> Triage:
    """Return what seeing the `flags` runners of the highest risk would bring.

    Parameters
    ----------
    risk
        By which they are ranked, shape (runners,).
    chances
        The risks in all worlds, shape (worlds, runners).
    flags
        How many can be seen: fewer than there are runners, at least one.
    price
        The risk from which a check-up is worth while: at 1 in 18, eighteen check-ups for one case.
    level
        Of the intervals of counts.
    """
    order = np.argsort(-risk, kind="stable")
    first, rest = order[:flags], order[flags:]
    mean = chances.mean(axis=0)
    odds = price / (1 - price)
    ways: dict[Way, Floats] = {"list": mean[first], "everybody": mean, "nobody": mean[:0]}
    benefit: dict[Way, float] = {way: float(seen.sum() - odds * (1 - seen).sum()) for way, seen in ways.items()}
    return Triage(
        first=first,
        caught=float(mean[first].sum()),
        missed=float(mean[rest].sum()),
        by_lot=float(mean.mean()) * len(first),
        from_share=float(mean[rest].mean()),
        to_share=float(mean[first].mean()),
        price=price,
        benefit=benefit,
    )


__all__ = ["HARDLY", "WORLDS", "Forecast", "Triage", "Way", "club_spread", "forecast", "triage", "worlds"]
