"""The one door for randomness: a row's value depends on seed, stream and row, and on nothing else."""

import numpy as np
from hypothesis import given, strategies as st

from pfps_ml.core.numbers import generator, uniforms

ROWS = 200_000


@given(start=st.integers(0, 300), length=st.integers(0, 300))
def test_the_value_of_a_row_does_not_depend_on_the_rows_drawn_with_it(start, length):
    whole = uniforms(7, "age_years", 0, 600)
    np.testing.assert_array_equal(uniforms(7, "age_years", start, start + length), whole[start : start + length])


def test_the_value_of_a_row_does_not_depend_on_the_size_of_the_chunks(subtests):
    for chunk in [1, 3, 4, 7, 64]:
        with subtests.test(chunk=chunk):
            chunks = [uniforms(7, "sex", start, min(start + chunk, 130)) for start in range(0, 130, chunk)]
            np.testing.assert_array_equal(np.concatenate(chunks), uniforms(7, "sex", 0, 130))


def test_a_row_far_down_a_stream_is_reached_directly():
    assert uniforms(1, "late", 10**12, 10**12 + 3)[2] == uniforms(1, "late", 10**12 + 2, 10**12 + 3)[0]


def test_the_same_seed_and_name_give_the_same_numbers_on_every_machine():
    recorded = [0.06856697458074379, 0.24434709758968098, 0.7399560522902623]
    np.testing.assert_array_equal(uniforms(20261, "age_years", 0, 3), recorded)


def largest_gap_from_uniform(draws):
    """Return the Kolmogorov-Smirnov statistic, scaled so that 1.63 is exceeded once in a hundred."""
    draws = np.sort(draws)
    steps = np.arange(len(draws) + 1) / len(draws)
    return max((steps[1:] - draws).max(), (draws - steps[:-1]).max()) * np.sqrt(len(draws))


def test_a_stream_is_uniform(subtests):
    for name in ["age_years", "sex", ""]:
        with subtests.test(name=name):
            draws = uniforms(20261, name, 0, ROWS)
            assert largest_gap_from_uniform(draws) < 1.95
            assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(ROWS)


def test_streams_of_another_name_or_seed_have_nothing_in_common(subtests):
    for other in [(8, "a"), (7, "b"), (7, "a "), (77, "a"), (-7, "a")]:
        with subtests.test(other=other):
            first, second = uniforms(7, "a", 0, ROWS), uniforms(*other, 0, ROWS)
            assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(ROWS)
            assert not np.any(first == second)


class Extreme:
    """A generator whose draws are the ends of the interval that NumPy promises: 0 is in it, 1 is not."""

    def random(self, rows):
        return np.where(np.arange(rows) % 2, 0.0, 1 - 2**-53)


def test_zero_and_one_are_never_drawn_so_that_every_quantile_is_finite(monkeypatch):
    monkeypatch.setattr(np.random, "Generator", lambda _bits: Extreme())
    draws = uniforms(1, "any", 0, 10)
    assert 0 < draws.min() < draws.max() < 1
    assert np.isfinite(np.log(draws / (1 - draws))).all()


def test_a_generator_is_named_like_a_stream():
    first, again, other = (generator(3, name).random(5) for name in ("folds", "folds", "bootstrap"))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
