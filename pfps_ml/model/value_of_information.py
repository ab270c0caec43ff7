"""What to measure next: how far the risk would move, on average, if a missing field were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pfps_ml.domain.links import LINKS
from pfps_ml.model.additive import AdditiveModel, Pair, codes

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
_CELLS = 2048  # missing values whose expectations are taken together
_STEEPEST = 200.0  # log-odds beyond which a chance is 0 or 1: a product of a few such odds is a number still


@dataclass(frozen=True)
class PairGain:
    """What a value of a missing field does through a pair: a factor of the odds against, by the partner's bin."""

    at: int
    partner: str
    cuts: Floats
    factors: Floats


@dataclass(frozen=True)
class GainTables:
    """What would be learnt by measuring a field: over the values that the training data hold for it.

    Attributes
    ----------
    fields
        The fields that the risk reads.
    factors
        By what each value multiplies exp(-margin), the odds against an episode under the logit, beside "missing";
        shape (values, fields).
    shares
        How often each value is met, shape (values, fields).
    pairs
        What depends on the value of another field, too.
    """

    fields: tuple[str, ...]
    factors: Floats
    shares: Floats
    pairs: tuple[PairGain, ...]
    link: str = "logit"

    def gains(self, columns: Mapping[str, Floats], log_odds: Floats, risk: Floats) -> Floats:
        """Return the expected absolute change of each risk (percentage points) if a field were measured.

        The shape is (fields, rows); 0 where the field is known already.
        """
        missing = np.isnan(np.array([columns[name] for name in self.fields]))
        at, row = np.nonzero(missing)
        against = np.exp(-np.clip(log_odds, -_STEEPEST, _STEEPEST))
        change = np.empty(len(at))
        for start in range(0, len(at), _CELLS):
            part = slice(start, start + _CELLS)
            change[part] = self._changes(columns, at[part], row[part], (against, risk))
        changes = np.zeros(missing.shape)
        changes[missing] = 100 * change
        return changes

    def _changes(self, columns: Mapping[str, Floats], at: Places, row: Places, now: tuple[Floats, Floats]) -> Floats:
        """Return the expected absolute changes of the risk, by field and row, from all odds against and risks now."""
        against, risk = now[0].take(row), now[1].take(row)
        odds = against * self.factors.take(at, axis=1)
        with np.errstate(over="ignore"):
            for pair in self.pairs:
                which = np.flatnonzero(at == pair.at)
                partner = codes(columns[pair.partner].take(row.take(which)), pair.cuts)
                odds[:, which] *= pair.factors.take(partner, axis=1)
            chance = LINKS[self.link].of_odds(odds)
        changes = self.shares.take(at, axis=1) * np.abs(chance - risk)
        total = np.zeros(len(at))
        for change in changes:  # one after another: a reduction of a single one has another order
            total += change
        return total


def gain_tables(onset: AdditiveModel, described: Mapping[str, Any]) -> GainTables:
    """Prepare what `measure next` reads.

    Parameters
    ----------
    onset
        The risk model; its first member counts.
    described
        The reference's fields: the values of each, and their shares.
    """
    main, most = onset.member(0), max((len(about["values"]) for about in described.values()), default=0)
    factors, shares = (np.full((most, len(main.fields)), blank) for blank in (1.0, 0.0))
    pairs = []
    for at, name in enumerate(main.fields):
        values = np.array([*described[name]["values"], np.nan])
        shares[: len(values) - 1, at] = described[name]["shares"]
        reading = [term for term in main.terms if name in term.fields]
        alone = [term.evaluate({name: values})[:, 0] for term in reading if not isinstance(term, Pair)]
        factors[: len(values) - 1, at] = _against(np.sum([np.zeros(len(values)), *alone], axis=0))
        for term in reading:
            if isinstance(term, Pair):
                side = term.fields.index(name)
                table = np.moveaxis(term.values[..., 0], side, 0)[codes(values, term.cuts[side])]
                padded = np.ones((most, table.shape[1]))
                padded[: len(values) - 1] = _against(table)
                pairs.append(PairGain(at, term.fields[1 - side], term.cuts[1 - side], padded))
    return GainTables(main.fields, factors, shares, tuple(pairs), main.link)


def _against(values: Floats) -> Floats:
    """Return what the odds against are multiplied with by each value instead of the last one, "missing"."""
    factors: Floats = np.exp(np.clip(values[-1] - values[:-1], -_STEEPEST, _STEEPEST))
    return factors


__all__ = ["GainTables", "PairGain", "gain_tables"]
