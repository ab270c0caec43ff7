"""Triage: who to see first, how many of the coming cases are among them, and whether the list is worth it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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


__all__ = ["HARDLY", "Triage", "Way", "triage"]
