"""Ids that more than one row has: nobody can know which row is right, so every one of these rows is rejected.

A first pass over a file keeps 8 bytes a row, a keyed hash of each id; ids with the same hash are then compared letter
by letter. The key is the digest of the file, so that nobody can prepare ids with the same hash.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, NDArray
from pfps_ml.domain import is_missing
from pfps_ml.io.mapping import times_in

Hashes = NDArray[np.uint64]
Times = tuple[dt.datetime | None, dt.datetime | None]
Answer = tuple[str, str]  # when a row was written, and its cells
OverIds = Callable[..., Iterable[Any]]

_COMPARED = 500_000  # distinct ids that are compared at once: some 100 MB
_SORTED = 1 << 20  # hashes that are sorted at once, so that sorting needs no second copy of them all


@dataclass(frozen=True)
class Shared:
    """The ids that more than one row has.

    Attributes
    ----------
    key
        What the hashes were made with.
    hashes
        Their hashes, sorted.
    alone
        Ids that have one of these hashes but are the only row of their id.
    newest
        The newest row of each of these ids, where that is the one that counts: its time (if the day stands first in
        a date, and if the month does) and its cells.
    """

    key: str = ""
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    alone: frozenset[str] = frozenset()
    newest: Mapping[str, tuple[Times, str]] | None = None

    def superseded(self, ids: pd.Series, answers: Sequence[Answer], rows: Sequence[int]) -> dict[int, bool]:
        """Return of each of some rows whether a newer row of its id counts; rows that nobody can order are left out.

        Parameters
        ----------
        ids
            The ids of all rows.
        answers
            Of each of some rows the time and the row itself.
        rows
            The places of these rows.
        """
        order = dict[int, bool]()
        for row, (time, cells) in zip(rows, answers, strict=True):
            times, last = (self.newest or {}).get(ids.iloc[row], ((None, None), ""))
            readings = [(one, two) for one, two in zip(times_in(time), times, strict=True) if two is not None]
            if readings and all(one is not None and one <= two for one, two in readings):
                order[row] = cells != last
        return order

    def rows(self, ids: pd.Series) -> NDArray[np.intp]:
        """Return which rows have one of these ids."""
        if not len(self.hashes):
            return np.zeros(0, np.intp)
        rows = np.flatnonzero(isin_sorted(hash_ids(ids, self.key), self.hashes))
        return rows[~ids.iloc[rows].isin(self.alone).to_numpy(dtype=bool)] if self.alone else rows


def hash_ids(ids: pd.Series, key: str) -> Hashes:
    """Return 8 bytes for each id; 0 for a row without one.

    Parameters
    ----------
    ids
        Texts as `plain_ids` gives them.
    key
        At least 16 characters.
    """
    known = ids.notna().to_numpy(dtype=bool)
    hashes = np.zeros(len(ids), np.uint64)
    texts = ids.to_numpy(dtype=object)[known]
    hashes[known] = np.maximum(pd.util.hash_array(texts, hash_key=key[:16], categorize=False), 1)
    return hashes


def plain_ids(texts: pd.Series) -> pd.Series:
    """Return ids as they are compared: without the space around them, and NA for a row without one."""
    return texts.astype(str).str.strip().where(~is_missing(texts))


def find_shared(over_ids: OverIds, key: str) -> Shared:
    """Find the ids that more than one row has.

    Parameters
    ----------
    over_ids
        Called with a function of ids and its further arguments; yields its results over all rows, in pieces.
    key
        What the hashes are made with.
    """
    repeated = repeated_hashes(over_ids(hash_ids, key))
    alone = set[str]()
    for group in np.array_split(repeated, -(-len(repeated) // _COMPARED) or 1) if len(repeated) else ():
        counts = Counter[str]()
        for part in over_ids(count_among, key, group):
            counts.update(part)
        alone.update(text for text, count in counts.items() if count == 1)
    return Shared(key, repeated, frozenset(alone))


def with_newest(shared: Shared, pieces: Iterable[tuple[pd.Series, Callable[[Sequence[int]], list[Answer]]]]) -> Shared:
    """Return the shared ids with the newest row of each; of rows with the same time, the last of the file.

    An id has none where its rows cannot be ordered: a time cannot be read, or another order of day and month has
    another row as the newest, or two rows are the same.

    Parameters
    ----------
    shared
        The ids.
    pieces
        The ids of all rows, and what returns the times and the cells of some rows.
    """
    found: dict[str, list[tuple[Times, str]]] = {}
    for ids, answers_of in pieces:
        rows = [int(row) for row in shared.rows(ids)]
        for row, (time, cells) in zip(rows, answers_of(rows), strict=True):
            found.setdefault(ids.iloc[row], []).append((times_in(time), cells))
    usable = [all(times[at] is not None for group in found.values() for times, _ in group) for at in (0, 1)]
    newest = {name: best for name, group in found.items() if (best := _newest(group, usable))}
    return replace(shared, newest=newest)


def _newest(group: list[tuple[Times, str]], usable: list[bool]) -> tuple[Times, str] | None:
    """Return the newest row of an id, if every reading of the dates that fits the file has the same one."""
    readings = [at for at in (0, 1) if usable[at]]
    best = [max(range(len(group)), key=lambda row, at=at: (group[row][0][at], row)) for at in readings]  # type: ignore[misc]
    if len(set(best)) != 1 or len({cells for _, cells in group}) < len(group):
        return None
    times, cells = group[best[0]]
    return (times[0] if usable[0] else None, times[1] if usable[1] else None), cells


def count_among(ids: pd.Series, key: str, hashes: Hashes) -> dict[str, int]:
    """Return how often each id occurs whose hash is one of some sorted hashes."""
    counts = ids[isin_sorted(hash_ids(ids, key), hashes)].value_counts()
    return {str(text): int(count) for text, count in counts.items()}


def repeated_hashes(pieces: Iterable[Hashes]) -> Hashes:
    """Return, sorted, the hashes that occur more than once, but for those of rows without an id."""
    blocks = [block[block > 0] for block in pieces]
    parts = max(sum(map(len, blocks)) // _SORTED, 1)
    # a range of hashes at a time; the first bits of a keyed hash are as even as all of it
    return np.concatenate([_twice([block[_part(block, parts) == part] for block in blocks]) for part in range(parts)])


def isin_sorted(hashes: Hashes, lookup: Hashes) -> Bools:
    """Return which hashes are among some sorted ones."""
    place = np.minimum(np.searchsorted(lookup, hashes), len(lookup) - 1)
    return np.asarray(lookup[place] == hashes) if len(lookup) else np.zeros(len(hashes), dtype=bool)


def _part(hashes: Hashes, parts: int) -> Hashes:
    return (hashes >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)


def _twice(blocks: list[Hashes]) -> Hashes:
    hashes = np.sort(np.concatenate(blocks)) if blocks else np.zeros(0, np.uint64)
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


__all__ = [
    "Shared",
    "count_among",
    "find_shared",
    "hash_ids",
    "isin_sorted",
    "plain_ids",
    "repeated_hashes",
    "with_newest",
]
