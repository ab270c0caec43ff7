"""Ids that more than one row has: nobody can know which row is right, so every one of these rows is rejected.

A first pass over a file keeps 8 bytes a row, a keyed hash of each id; ids with the same hash are then compared letter
by letter. The key is the digest of the file, so that nobody can prepare ids with the same hash.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pfps_ml.core import Bools, NDArray
from pfps_ml.domain import is_missing

Hashes = NDArray[np.uint64]
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
    """

    key: str = ""
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    alone: frozenset[str] = frozenset()

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


__all__ = ["Shared", "count_among", "find_shared", "hash_ids", "isin_sorted", "plain_ids", "repeated_hashes"]
