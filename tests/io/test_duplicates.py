"""Ids that several rows have: all of them found, and no other, even where hashes meet."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pfps_ml.io import duplicates
from pfps_ml.io.duplicates import Shared, count_among, find_shared, hash_ids, isin_sorted, plain_ids, repeated_hashes

KEY = "0123456789abcdef"


def pieces_of(ids, *edges):
    cuts = [0, *edges, len(ids)]
    found = [plain_ids(pd.Series(ids[a:b], dtype="str")) for a, b in pairwise(cuts)]
    return found, lambda function, *arguments: (function(piece, *arguments) for piece in found)


@settings(max_examples=100)
@given(ids=st.lists(st.sampled_from(["a", "b", " a ", "c", "", "NA", "é", "-"]), max_size=12), cut=st.integers(0, 12))
def test_every_row_of_an_id_that_occurs_twice_is_found_and_no_other(ids, cut):
    found, each = pieces_of(ids, min(cut, len(ids)))
    shared = find_shared(each, KEY)
    bare = [text.strip() for text in ids]
    expected = [bare.count(text) > 1 and text not in ("", "NA", "-") for text in bare]
    rows = np.concatenate([np.isin(np.arange(len(piece)), shared.rows(piece)) for piece in found])
    assert rows.tolist() == expected


def test_the_key_decides_the_hash_and_rows_without_an_id_have_none():
    ids = plain_ids(pd.Series(["a", "b", ""]))
    one, other = hash_ids(ids, KEY), hash_ids(ids, KEY[::-1])
    assert one[2] == other[2] == 0
    assert not set(one[:2]) & set(other[:2])
    assert hash_ids(ids.iloc[:0], KEY).dtype == np.uint64


def _colliding(ids, key):
    return np.where(ids.notna(), np.uint64(7), np.uint64(0))


@pytest.mark.parametrize("compared", [1, 500_000])
def test_ids_whose_hashes_meet_are_compared_letter_by_letter(monkeypatch, compared):
    monkeypatch.setattr(duplicates, "hash_ids", _colliding)
    monkeypatch.setattr(duplicates, "_COMPARED", compared)
    ids = plain_ids(pd.Series(["a", "b", "a", "c", ""]))
    shared = find_shared(lambda function, *arguments: [_or_colliding(function, ids, arguments)], KEY)
    assert shared.alone == {"b", "c"}
    assert shared.rows(ids).tolist() == [0, 2]


def _or_colliding(function, ids, arguments):
    return (_colliding if function is hash_ids else function)(ids, *arguments)


def test_hashes_that_meet_are_found_in_any_number_of_ranges(monkeypatch):
    words = np.array([1, 5, 2**63, 2**64 - 1, 5, 0, 0, 2**64 - 1, 9], np.uint64)
    for at_once in (1, 2, 4, 100):
        monkeypatch.setattr(duplicates, "_SORTED", at_once)
        assert repeated_hashes([words[:3], words[3:]]).tolist() == [5, 2**64 - 1]
    assert repeated_hashes([]).tolist() == []


def test_nothing_is_among_nothing():
    assert isin_sorted(np.array([1], np.uint64), np.zeros(0, np.uint64)).tolist() == [False]
    assert Shared().rows(pd.Series(["a"])).tolist() == []


def test_ids_are_counted_only_where_their_hash_is_asked_for():
    ids = plain_ids(pd.Series(["a", "b", "a"]))
    assert count_among(ids, KEY, hash_ids(ids.iloc[:1], KEY)) == {"a": 2}
