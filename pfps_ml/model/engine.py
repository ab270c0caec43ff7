"""The engine: additive models compiled onto one grid of cells, and read from it in chunks that stay in the cache.

Compiling merges equal neighbouring cells and drops empty terms. Each field is binned once for all terms of all models.
Within a cell every one-field term is a straight line, so a table holds two numbers a cell and member: the value at the
cell's left end and the slope. Every sum runs in a fixed order, one row like another, so a row's answer has the same
bytes alone, among others, and in any order.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np

from pfps_ml.core import Floats, NDArray
from pfps_ml.model.additive import AdditiveModel, Line, Pair, Step, Term, Values, count

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
        places: Codes = self.cells.take(bucket)
        for edges in self.edges:
            places += x > edges.take(bucket)
        return places


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
        block = np.empty((len(self.fields), rows.stop - rows.start))
        for slot, name in enumerate(self.fields):
            block[slot] = columns[name][rows]
        at = np.empty((self.slots, block.shape[1]), dtype=np.intp)
        at[: len(block)] = self.buckets.find(block)
        for slot, pair in enumerate(self.pairs, len(block)):
            np.add(pair.row.take(at[pair.first]), pair.column.take(at[pair.second]), out=at[slot])
        low, high = self.ends
        sloping = len(low)
        # nothing slopes beyond the ends or where a value is missing: any number will do there, but NaN and infinity
        x = np.fmin(np.fmax(block[:sloping], low), high)
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
        values: Floats = self.values[:, 0].take(cells.at[:slots])
        if len(self.slopes):
            values[: len(cells.x)] += self.slopes[:, 0].take(cells.at[: len(cells.x)]) * cells.x
        return values

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


Placed = list[tuple[slice, Term]]  # terms, each with the columns of its model's members

TOLERANCE = 1e-12  # log-odds: cells that differ by no more are one, and a term that adds no more is dropped


@dataclass(frozen=True)
class Compiled:
    """Models on one grid.

    Attributes
    ----------
    grid
        Where a row lies, for all the models.
    table, spans
        The members of all models side by side, and which of them are whose.
    cost
        The most by which merging and dropping can have moved a margin, log-odds.
    """

    grid: Grid
    table: Table
    spans: tuple[slice, ...]
    cost: float

    @property
    def tables(self) -> tuple[Table, ...]:
        """The models' tables, each its own."""
        return tuple(self.table.of(span) for span in self.spans)

    def members(self, values: Values) -> list[Floats]:
        """Return the log-odds of all members of every model, shape (rows, members) each."""
        columns = {name: np.asarray(values[name], dtype=np.float64) for name in self.grid.fields}
        rows = len(columns[self.grid.fields[0]]) if columns else count(values)
        margins_of_rows = np.empty((rows, len(self.table.intercept)))
        buffer = self.table.buffer(self.grid.slots, rows)
        for start in range(0, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            for chunk, margins in self.table.members(self.grid.locate(columns, part), buffer):
                margins_of_rows[part][chunk] = margins
        return [margins_of_rows[:, span] for span in self.spans]


@dataclass(frozen=True)
class _Curve:
    """The cells of one field, the members of all models side by side; the last cell where it is missing.

    `cuts` has shape (c,); `values` (at the left end of each cell) and `slopes` (from there) (c + 2, members).
    """

    field: str
    cuts: Floats
    values: Floats
    slopes: Floats

    @property
    def left(self) -> Floats:
        """The left end of every cell; of the first and the missing one, where nothing slopes, any number."""
        first = self.cuts[:1] if len(self.cuts) else np.zeros(1)
        return np.concatenate([first, self.cuts, first])


@dataclass(frozen=True)
class _Sheet:
    """The cells of one pair of fields, all members side by side; the last row and column where one is missing."""

    fields: tuple[str, str]
    cuts: tuple[Floats, Floats]
    values: Floats


def compile_models(models: Sequence[AdditiveModel], tolerance: float = TOLERANCE) -> Compiled:
    """Write models as tables over one grid.

    Parameters
    ----------
    models
        Any models; each may have members of its own.
    tolerance
        Log-odds: how far the value of a cell may move when it is merged with its neighbour, and how much a term may
        add anywhere that is dropped.
    """
    ends = np.cumsum([0, *(len(model.intercept) for model in models)]).tolist()
    spans, members = [slice(start, end) for start, end in pairwise(ends)], ends[-1]
    placed = [(span, term) for model, span in zip(models, spans, strict=True) for term in model.terms]
    sizes = [float(np.abs(term.values).max()) for _, term in placed]
    used = [term for term, size in zip(placed, sizes, strict=True) if size > tolerance]
    moved = [size for size in sizes if size <= tolerance]
    sheets = [_merged_sheet(sheet, tolerance, moved) for sheet in _sheets(used, members)]
    curves = [_merged_curve(curve, cuts, tolerance, moved) for curve, cuts in _curves(used, sheets, members)]
    curves.sort(key=lambda curve: (not curve.slopes.any(), curve.field))
    intercept = np.concatenate([model.intercept for model in models])
    table = Table(intercept, *_stacked(curves, sheets, members))
    return Compiled(_grid(curves, sheets), table, tuple(spans), sum(moved))


def _sheets(placed: Placed, members: int) -> Iterable[_Sheet]:
    sheets: dict[tuple[str, str], list[tuple[slice, Pair]]] = {}
    for span, term in placed:
        if isinstance(term, Pair):
            sheets.setdefault(term.fields, []).append((span, term))
    for fields, terms in sorted(sheets.items()):
        first, second = (_union(term.cuts[side] for _, term in terms) for side in (0, 1))
        values = np.zeros((len(first) + 2, len(second) + 2, members))
        for span, term in terms:
            values[..., span] += term.values[np.ix_(_bins(first, term.cuts[0]), _bins(second, term.cuts[1]))]
        yield _Sheet(fields, (first, second), values)


def _merged_sheet(sheet: _Sheet, tolerance: float, moved: list[float]) -> _Sheet:
    """Merge equal neighbouring rows and columns, and add to what has moved."""
    values, cuts = sheet.values, []
    for axis in (0, 1):
        lines, breaks, most = np.moveaxis(values, axis, 0), [0], 0.0
        for at in range(1, len(lines) - 1):
            gap = float(np.abs(lines[at] - lines[breaks[-1]]).max())
            if gap > tolerance:
                breaks.append(at)
            else:
                most = max(most, gap)
        values = np.moveaxis(lines[[*breaks, -1]], 0, axis)
        cuts.append(sheet.cuts[axis][np.array(breaks[1:], dtype=np.intp) - 1])
        moved.append(most)
    return _Sheet(sheet.fields, (cuts[0], cuts[1]), values)


def _curves(placed: Placed, sheets: list[_Sheet], members: int) -> Iterable[tuple[_Curve, Floats]]:
    """Yield the cells of every field, and the cuts that pairs need."""
    terms: dict[str, list[tuple[slice, Step | Line]]] = {name: [] for sheet in sheets for name in sheet.fields}
    for span, term in placed:
        if not isinstance(term, Pair):
            terms.setdefault(term.field, []).append((span, term))
    for name, field_terms in sorted(terms.items()):
        needed = _union(c for s in sheets for f, c in zip(s.fields, s.cuts, strict=True) if f == name)
        cuts = _union([needed, *(term.knots if isinstance(term, Line) else term.cuts for _, term in field_terms)])
        curve = _Curve(name, cuts, np.zeros((len(cuts) + 2, members)), np.zeros((len(cuts) + 2, members)))
        for span, term in field_terms:
            values, slopes = _on_cells(term, curve)
            curve.values[:, span] += values
            curve.slopes[:, span] += slopes
        yield curve, needed


def _on_cells(term: Step | Line, curve: _Curve) -> tuple[Floats, Floats]:
    """Return a term's values at the left ends of the cells, and its slopes."""
    if isinstance(term, Step):
        return term.values[_bins(curve.cuts, term.cuts)], np.zeros(1)
    knots, heights, flat = term.knots, term.values[:-1], np.zeros((1, term.values.shape[1]))
    rises = np.diff(heights, axis=0) / np.diff(knots)[:, None]
    piece = _bins(curve.cuts, knots)  # 0 before the first knot, len(knots) after the last one, then missing
    before = np.clip(piece - 1, 0, len(knots) - 1)
    slopes = np.concatenate([flat, rises, flat, flat])[piece]
    values = heights[before] + slopes * (curve.left - knots[before])[:, None]
    values[-1] = term.values[-1]
    return values, slopes


def _merged_curve(curve: _Curve, needed: Floats, tolerance: float, moved: list[float]) -> _Curve:
    """Merge neighbouring cells that lie on one straight line, and add to what has moved."""
    left, cuts = curve.left, curve.cuts
    breaks, most = [0], 0.0
    for at in range(1, len(cuts) + 1):
        start, last = breaks[-1], at == len(cuts)
        here = curve.values[start] + curve.slopes[start] * (left[at] - left[start]) - curve.values[at]
        turn = curve.slopes[start] - curve.slopes[at]
        # the last cell has no right end: only what is flat can be merged with it
        width = 0.0 if last else cuts[at] - cuts[at - 1]
        gap = float(max(np.abs(here).max(), np.abs(here + turn * width).max()))
        if gap > tolerance or cuts[at - 1] in needed or (last and curve.slopes[start].any()):
            breaks.append(at)
        else:
            most = max(most, gap)
    moved.append(most)
    rows = [*breaks, len(cuts) + 1]
    return _Curve(curve.field, left[breaks[1:]], curve.values[rows], curve.slopes[rows])


def _stacked(curves: list[_Curve], sheets: list[_Sheet], members: int) -> tuple[Floats, Floats]:
    nothing = np.zeros((0, members))
    values = [curve.values for curve in curves] + [sheet.values.reshape(-1, members) for sheet in sheets]
    slopes = [curve.slopes for curve in curves if curve.slopes.any()]
    return np.concatenate([nothing, *values]), np.concatenate([nothing, *slopes])


def _grid(curves: list[_Curve], sheets: list[_Sheet]) -> Grid:
    starts = np.cumsum([0, *(len(curve.values) for curve in curves)])
    names = [curve.field for curve in curves]
    sloping = [curve for curve in curves if curve.slopes.any()]
    pairs, start = [], int(starts[-1])
    for sheet in sheets:
        at, (rows, columns, _) = [names.index(name) for name in sheet.fields], sheet.values.shape
        row, column = np.zeros(starts[-1], dtype=np.intp), np.zeros(starts[-1], dtype=np.intp)
        for slot, cuts, line, stride in zip(at, sheet.cuts, (row, column), (columns, 1), strict=True):
            line[starts[slot] : starts[slot + 1]] = stride * _bins(curves[slot].cuts, cuts)
        pairs.append(PairSlot(at[0], at[1], start + row, column))
        start += rows * columns
    ends = np.array([[curve.cuts[0] for curve in sloping], [curve.cuts[-1] for curve in sloping]])
    left = np.concatenate([np.zeros(0), *(curve.left for curve in sloping)])
    return Grid(tuple(names), _buckets(curves, starts[:-1]), ends[..., None], left, tuple(pairs))


def _buckets(curves: list[_Curve], starts: Codes) -> Buckets:
    low = np.array([curve.cuts[0] if len(curve.cuts) else 0.0 for curve in curves])
    high = np.array([curve.cuts[-1] if len(curve.cuts) else 0.0 for curve in curves])
    with np.errstate(divide="ignore", over="ignore"):
        scale = np.clip(BUCKETS / (high - low), 1e-290, 1e290)
        places = [
            ((curve.cuts - low[slot]) * scale[slot]).clip(0, BUCKETS).astype(np.intp)
            for slot, curve in enumerate(curves)
        ]
    bins = np.arange(BUCKETS + 1)
    cells = [
        start + np.append(place.searchsorted(bins), len(place) + 1) for start, place in zip(starts, places, strict=True)
    ]
    most = max((int(np.bincount(place).max(initial=0)) for place in places), default=0)
    edges = np.full((most, len(curves), BUCKETS + 2), np.inf)
    for slot, (curve, place) in enumerate(zip(curves, places, strict=True)):
        rank = np.arange(len(place)) - place.searchsorted(place)
        edges[rank, slot, place] = curve.cuts
    first = np.arange(len(curves), dtype=np.intp) * (BUCKETS + 2)
    return Buckets(
        low[:, None], scale[:, None], first[:, None],
        np.concatenate([np.zeros(0, dtype=np.intp), *cells]), edges.reshape(most, len(curves) * (BUCKETS + 2)),
    )  # fmt: skip


def _union(cuts: Iterable[Floats]) -> Floats:
    return np.unique(np.concatenate([np.zeros(0), *cuts]))


def _bins(cuts: Floats, term_cuts: Floats) -> Codes:
    """Return where each bin of the finer cuts lies among a term's own; missing is the last of both."""
    bins: Codes = np.append(term_cuts.searchsorted(np.append(cuts, np.inf)), len(term_cuts) + 1)
    return bins


__all__ = [
    "BUCKETS", "CHUNK", "TOLERANCE", "Buckets", "Cells", "Compiled", "Grid", "PairSlot", "Table", "compile_models",
]  # fmt: skip
