"""The flag budget: who to see first, how many of the coming cases are among them, and whether the list is worth it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pfps_ml.squad.forecast import Forecast, forecast
from pfps_ml.squad.words import gained

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HARDLY = 0.1  # cases: a gain below it is hardly worth anybody's hour


@dataclass(frozen=True)
class Budget:
    """What seeing so many runners first would bring.

    Attributes
    ----------
    first
        Who, highest risk first: places in the squad.
    caught, missed
        The cases among them, and among the others.
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
    caught: Forecast
    missed: Forecast
    by_lot: float
    from_share: float
    to_share: float
    price: float
    benefit: dict[str, float]

    @property
    def gain(self) -> float:
        """How many more cases are among the first than among runners drawn by lot."""
        return self.caught.mean - self.by_lot

    @property
    def best(self) -> str:
        """Whom to see at the price: the list, everybody or nobody; of equals, the simpler."""
        return max(("nobody", "everybody", "list"), key=lambda way: round(self.benefit[way], 9))

    @property
    def is_worth_it(self) -> bool:
        """Whether the model helps here: it beats both drawing lots and the better of seeing everybody or nobody."""
        return self.gain >= HARDLY and self.best == "list"

    @property
    def verdict(self) -> str:
        """Whether the list is worth using, in words."""
        count, worth = len(self.first), f"{1 / self.price:.0f} check-ups"
        if self.gain < HARDLY:
            more = f"its list reaches {gained(self.gain)} more cases than drawing lots"
            return f"The model is not worth using here: {more}."
        if self.best != "list":
            return (
                f"If one case found is worth {worth}, seeing {self.best} is better than any list of {count}: "
                "the model is not worth using at that price."
            )
        few, many = f"{1 / self.to_share:.0f}", f"{1 / self.from_share:.0f}"
        return (
            f"The list is the best choice if finding one case is worth {few} to {many} check-ups. "
            "If it is worth more, see everybody; if less, nobody."
        )


def budget(risk: Floats, chances: Floats, flags: int, price: float, level: float) -> Budget:
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
    caught, missed = (forecast(chances[:, part], level) for part in (first, rest))
    odds = price / (1 - price)
    ways = {"list": mean[first], "everybody": mean, "nobody": mean[:0]}
    benefit = {way: float(seen.sum() - odds * (1 - seen).sum()) for way, seen in ways.items()}
    by_lot = float(mean.mean()) * len(first)
    return Budget(first, caught, missed, by_lot, float(mean[rest].mean()), float(mean[first].mean()), price, benefit)


__all__ = ["HARDLY", "Budget", "budget"]
