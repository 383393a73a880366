"""Instant-NGP's levels with any growth and any size of table, for the paper's protocol.

A large growth has levels with far more vertices than a small picture touches. The largest table, 2^24 entries, has one
entry for nearly each vertex that is touched (of 65,536, about 130 pairs share one), and nearly all of its entries are
never used. `UsedLevel` holds the used ones alone, so that a step takes no longer than it must.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import HashLevel, Ngp, hash_levels, safe_scale

N_LEVELS, FEATURES, BASE = 16, 2, 16

LARGEST = 24


def instant_ngp(side: int, growth: float = 0.0, log2_table: int = LARGEST) -> Ngp:
    """16 levels of 2 features from 16 vertices a side on, and 2 x 64 neurons.

    Args:
        side: of the square picture, in pixels.
        growth: of the levels; 0 for Instant-NGP's image default. A growth that puts a level too close to an integer is
            raised by multiples of 1e-5 until it does not.
        log2_table: of the most entries of a level; for the largest, each vertex has its own.

    Raises:
        UsageError: with a growth over 1.73 levels would become too fine.
    """
    if not growth:
        return Ngp.instant(side, log2_table)
    grown = safe_scale(N_LEVELS, BASE, BASE * growth ** (N_LEVELS - 1))
    levels = hash_levels(N_LEVELS, FEATURES, log2_table, BASE, grown)
    if log2_table == LARGEST:
        levels = tuple(UsedLevel.of(level, side) if level.resolution > 2 * side else level for level in levels)
    return Ngp(levels)


@dataclass(frozen=True)
class UsedLevel(HashLevel):
    """The vertices of a fine level that the pixels of a square touch, as a dense level of their own.

    Rows and columns of vertices that no pixel touches are left out, and the others keep their order.

    Attributes:
        fine: the level with all of its vertices.
    """

    fine: HashLevel

    @classmethod
    def of(cls, fine: HashLevel, side: int) -> UsedLevel:
        """Of a square of this side, in pixels."""
        axis = fine.axis(side, side)
        n = len(_touched(axis.low, axis.high))
        return cls(float(n - 1), n, -(-n * n // 8) * 8, fine.features, fine)

    def axis(self, n_pixels: int, longer_side: int):
        found = self.fine.axis(n_pixels, longer_side)
        touched = _touched(found.low, found.high)
        low, high = (np.searchsorted(touched, each) for each in (found.low, found.high))
        return replace(found, low=low, high=high)


def _touched(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.unique(np.concatenate([low, high]))
