"""Contexts from the features coded before at the same place, the narrow ones inside wider ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import Int64Array

_SLICE = 1 << 18
"""Places whose contexts are computed at a time."""


def n_contexts(f: int, limits: Sequence[int], buckets: tuple[int, int, int]) -> list[int]:
    """How many contexts of feature f there are at most, from the widest but one to the narrowest, as of `around`.

    Args:
        limits: the largest magnitude of each feature.
    """
    before = [2 * limit + 1 for limit in limits[max(0, f - 2) : f]]

    def pairs(*of_each: int) -> int:
        return math.prod(min(each, n) for each, n in zip(of_each, before, strict=True))

    wide, _, narrow = buckets
    if len(before) < 2:
        return [pairs(wide), pairs(narrow)] if before else []
    return [min(wide, before[1]), *(pairs(each, each) for each in buckets)]


def feature_contexts(level: Int64Array, f: int, limits: Sequence[int], n_buckets: int) -> npt.NDArray[np.int32]:
    """The bucket (of n_buckets) of feature f - 1, and of f - 2 if there is one, as one number a place.

    Args:
        level: (rows, cols, features), magnitudes of feature g at most limits[g].

    Returns:
        (rows * cols,).
    """
    flat = level.reshape(-1, level.shape[2])
    contexts = np.zeros(len(flat), np.int32)
    for start in range(0, len(flat), _SLICE):
        some = slice(start, start + _SLICE)
        for g in range(max(0, f - 2), f):
            bucket = (flat[some, g] + limits[g]) * n_buckets // (2 * limits[g] + 1)
            contexts[some] = contexts[some] * n_buckets + bucket
    return contexts


def around(f: int, buckets: tuple[int, int, int]) -> list[Int64Array]:
    """Of `feature_contexts` of feature f, from wide to narrow: the index of the one around each.

    All; wide buckets of feature f - 1; then narrow ones for f = 1, else pairs of wide, narrower and narrow buckets with
    feature f - 2's.

    Args:
        buckets: how many there are of wide, narrower and narrow ones; each divides the next.
    """
    if f == 0:
        return []
    wide, narrower, narrow = buckets
    chain = [np.zeros(wide, np.int64)]
    if f == 1:
        return [*chain, np.arange(narrow) * wide // narrow]
    chain.append(np.tile(np.arange(wide), wide))
    for outer, inner in ((wide, narrower), (narrower, narrow)):
        inside = np.arange(inner) * outer // inner
        chain.append(np.add.outer(outer * inside, inside).reshape(-1))
    return chain
