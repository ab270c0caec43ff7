"""The engine that reads compiled models: flat tables over one grid of cells, in chunks that stay in the cache.

Each field is binned once for all terms of all models. Within a cell every one-field term is a straight line, so a
table holds two numbers a cell and member: the value at the cell's left end and the slope. Every sum runs in a fixed
order, one row like another, so a row's answer has the same bits alone, among others, and in any order.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

BUCKETS = 256
CHUNK = 2048  # rows whose cells are found together
_WIDE = 1 << 13  # members of rows that are summed together: their lines of the tables stay in the second-level cache


@dataclass(frozen=True)
class Cells:
    """Where some rows lie.

    Attributes
    ----------
    at
        The cell of every slot (a field, or a pair of fields), shape (slots, rows).
    x
        How far right of the left end of its cell a row is, shape (sloping fields, rows); of no meaning where the
        slope is zero.
    """

    at: Codes
    x: Floats


@dataclass(frozen=True)
class Buckets:
    """A way to find bins without searching: equal buckets between the first and the last cut of a field.

    Attributes
    ----------
    low, scale
        Of every field, its first cut and how many buckets a unit has, shape (fields, 1).
    starts
        Of every field its first bucket; the last two of a field are for what is beyond all cuts and for what is
        missing, shape (fields, 1).
    cells
        The cell of every bucket's left end.
    edges
        The cuts inside the buckets, infinite where there are fewer than in the fullest one, shape (most, buckets).
    """

    low: Floats
    scale: Floats
    starts: Codes
    cells: Codes
    edges: Floats

    def find(self, x: Floats) -> Codes:
        """Return the cells of values of shape (fields, rows)."""
        with np.errstate(over="ignore"):
            place = (x - self.low) * self.scale
        np.clip(place, 0, BUCKETS, out=place)
        np.fmin(place, BUCKETS + 1, out=place)  # missing
        bucket = place.astype(np.intp)
        bucket += self.starts
        # rounding never turns an order, so what is in another bucket than a cut is on the right side of it
        found: Codes = self.cells.take(bucket)
        for edges in self.edges:
            found += x > edges.take(bucket)
        return found


@dataclass(frozen=True)
class PairSlot:
    """A slot of two fields: the cell of a row is `row[cell of the first field] + column[cell of the second]`."""

    first: int
    second: int
    row: Codes
    column: Codes


@dataclass(frozen=True)
class Grid:
    """The cells of all slots: of the fields that slope anywhere, of the other fields, then of the pairs.

    Attributes
    ----------
    fields, buckets
        The fields and their bins.
    ends
        The first and the last cut of every sloping field, shape (2, sloping fields, 1).
    left
        The left end of every cell of the sloping fields.
    """

    fields: tuple[str, ...]
    buckets: Buckets
    ends: Floats
    left: Floats
    pairs: tuple[PairSlot, ...]

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return len(self.fields) + len(self.pairs)

    def locate(self, columns: Mapping[str, Floats], rows: slice) -> Cells:
        """Return the cells of some rows of the columns, numbers of shape (rows,) in the fields' units."""
        given = np.empty((len(self.fields), rows.stop - rows.start))
        for slot, name in enumerate(self.fields):
            given[slot] = columns[name][rows]
        at = np.empty((self.slots, given.shape[1]), dtype=np.intp)
        at[: len(given)] = self.buckets.find(given)
        for slot, pair in enumerate(self.pairs, len(given)):
            np.add(pair.row.take(at[pair.first]), pair.column.take(at[pair.second]), out=at[slot])
        low, high = self.ends
        sloping = len(low)
        # nothing slopes beyond the ends or where a value is missing: any number will do there, but NaN and infinity
        x = np.fmin(np.fmax(given[:sloping], low), high)
        x -= self.left.take(at[:sloping])
        return Cells(at, x)


@dataclass(frozen=True)
class Table:
    """One model on a grid.

    Attributes
    ----------
    intercept
        Log-odds, shape (members,).
    values, slopes
        The value at the left end of every cell, shape (cells, members), and what is added for each unit to the right
        of it, shape (cells of the sloping fields, members); no rows at all if nothing slopes in this model.
    """

    intercept: Floats
    values: Floats
    slopes: Floats

    def of(self, members: slice) -> "Table":
        """Return the table of some members."""
        slopes = np.ascontiguousarray(self.slopes[:, members])
        values = np.ascontiguousarray(self.values[:, members])
        return Table(self.intercept[members], values, slopes if slopes.any() else slopes[:0])

    def parts(self, cells: Cells, slots: int | None = None) -> Floats:
        """Return what each slot, or each of the first ones, adds to the first member, shape (slots, rows)."""
        found: Floats = self.values[:, 0].take(cells.at[:slots])
        if len(self.slopes):
            found[: len(cells.x)] += self.slopes[:, 0].take(cells.at[: len(cells.x)]) * cells.x
        return found

    def margin(self, cells: Cells) -> Floats:
        """Return the log-odds of the first member, shape (rows,)."""
        parts = self.parts(cells)
        if parts.shape[1] == 1:  # the same sums, one after another, without an array each
            return np.array([reduce(add, parts[:, 0].tolist(), float(self.intercept[0]))])
        total = np.full(parts.shape[1], self.intercept[0])
        for part in parts:  # numpy's own reduction adds in an order that depends on how many rows there are
            total += part
        return total

    def buffer(self, slots: int, rows: int) -> Floats:
        """Return what `members` works in; asking for it once saves the time in which a system hands out memory."""
        return np.empty(slots * min(rows, self._step) * len(self.intercept))

    @property
    def _step(self) -> int:
        return max(_WIDE // max(len(self.intercept), 1), 1)

    def members(self, cells: Cells, buffer: Floats) -> Iterator[tuple[slice, Floats]]:
        """Yield the log-odds of all members, some rows at a time: which rows, and shape (those rows, members)."""
        if len(self.intercept) == 1:
            # slot after slot, as ever: numpy's sums of a single number have another order
            yield slice(None), self.margin(cells)[:, None]
            return
        for start in range(0, cells.at.shape[1], self._step):
            rows = slice(start, start + self._step)
            at, x = np.ascontiguousarray(cells.at[:, rows]), np.ascontiguousarray(cells.x[:, rows])
            shape = (*at.shape, len(self.intercept))
            out = buffer[: math.prod(shape)].reshape(shape)
            total = np.add.reduce(self.values.take(at, axis=0, out=out, mode="clip"), axis=0)
            total += self.intercept
            if len(self.slopes):
                rises = self.slopes.take(at[: len(x)], axis=0, out=out[: len(x)], mode="clip")
                total += np.einsum("sr,srm->rm", x, rises)
            yield rows, total


__all__ = ["BUCKETS", "CHUNK", "Buckets", "Cells", "Grid", "PairSlot", "Table"]
