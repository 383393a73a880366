"""Contexts from the features coded before at the same place, the narrow ones inside wider ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.coding.entropy import Int64Array


def feature_contexts(level: Int64Array, f: int, limits: Sequence[int], n_buckets: int) -> Int64Array:
    """The bucket (of n_buckets) of feature f - 1, and of f - 2 if there is one, as one number a place.

    Args:
        level: (rows, cols, features), magnitudes of feature g at most limits[g].

    Returns:
        (rows * cols,).
    """
    contexts = np.zeros(level.shape[0] * level.shape[1], np.int64)
    for g in range(max(0, f - 2), f):
        bucket = (level[:, :, g].reshape(-1) + limits[g]) * n_buckets // (2 * limits[g] + 1)
        contexts = contexts * n_buckets + bucket
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
