"""Permutations of pixels that come out the same on every machine and with every numpy version.

An *order* is an int64 vector with each of 0..n-1 once; it moves things by `moved[i] = source[order[i]]`.
numpy guarantees the raw words of its bit generators, but not `Generator.permutation`, so only the words are used.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nfcodec.errors import UnsupportedError, UsageError

Int64Array = npt.NDArray[np.int64]
Values = TypeVar("Values", bound=npt.NDArray[Any])

PHILOX_ARGSORT = 1
MAX_SEED = 2**64 - 1


def seeded_permutation(n: int, seed: int, algorithm: int = PHILOX_ARGSORT) -> Int64Array:
    """A pseudo-random order of 0..n-1, the random pixel permutation (RPP) of Seo et al., CVPR 2024.

    Algorithm 1 draws n raw 64-bit words from Philox4x64-10 (key = seed, counter = 0; numpy increments the counter
    before each block of four, so the first block has counter 1) and sorts their indices by word, ties by index.

    Args:
        n: how many, >= 0.
        seed: 0 .. 2^64 - 1.
        algorithm: a wire id; only 1 exists, 2 is reserved.

    Raises:
        UsageError: n or seed is out of range.
        UnsupportedError: the algorithm is unknown.
    """
    if algorithm != PHILOX_ARGSORT:
        raise UnsupportedError(f"unknown permutation algorithm {algorithm}", code="permutation")
    check_seed(seed)
    if n < 0:
        raise UsageError(f"cannot permute {n} things")
    keys = np.random.Philox(key=seed, counter=0).random_raw(n)
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


def check_seed(seed: int) -> None:
    """Raise UsageError unless `seed` fits 64 bits."""
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"a seed must be between 0 and 2^64 - 1, not {seed}")


def in_picture_order(moved: Values, order: Int64Array | None, shape: tuple[int, int, int]) -> Values:
    """Undo an order: an array (n, C) of moved things becomes one of a shape (H, W, C); None for no order."""
    values = moved
    if order is not None:
        values = np.empty_like(moved)
        values[order] = moved
    return values.reshape(shape)  # pyright: ignore[reportReturnType]


def zigzag_path(height: int, width: int) -> Int64Array:
    """Flat indices (row * width + column) of all pixels along the JPEG zigzag from the upper left, (H * W,) int64.

    Diagonal d = row + column is walked downwards if d is odd and upwards if d is even:
    (0,0); (0,1), (1,0); (2,0), (1,1), (0,2); ...

    Raises:
        UsageError: a side is under 1.
    """
    if min(height, width) < 1:
        raise UsageError(f"a zigzag needs at least one pixel, not {height} x {width}")
    rows = np.arange(height, dtype=np.int32)[:, None]
    diagonals = rows + np.arange(width, dtype=np.int32)
    along = np.where(diagonals % 2 == 1, rows, -rows)
    return np.lexsort((along.ravel(), diagonals.ravel())).astype(np.int64, copy=False)
