"""The one door for randomness: every random number comes from a named stream of a seed.

A stream is addressed by name and row, so that the value of a row never depends on how many rows are drawn
with it, in which order, or by how many workers; and changing one column changes no other (common random
numbers). No other module may touch `numpy.random`.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4  # a Philox counter step yields four 64-bit words, and one double takes one word


def _key(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def uniforms(seed: int, name: str, start: int, stop: int) -> NDArray[np.float64]:
    """Return the uniforms on the open interval (0, 1) of rows `start` to `stop` in one named stream."""
    first = start - start % _BLOCK
    bits = np.random.Philox(key=_key(seed, name))
    bits.advance(first // _BLOCK)
    draws = np.random.Generator(bits).random(stop - first)[start - first :]
    return np.clip(draws, 2**-54, 1 - 2**-53)


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a generator for work that is not addressed by row: resampling, fold assignment."""
    return np.random.Generator(np.random.Philox(key=_key(seed, name)))


__all__ = ["generator", "uniforms"]
