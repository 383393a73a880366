"""Pictures made smaller: means of blocks, summed up strip by strip, so that memory follows the result.

docs/reference/format.md, "Regions and smaller pictures", is the normative text.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from nfcodec.exact.geometry import Geometry
from nfcodec.limits import Cost
from nfcodec.raster import Samples

Sums = npt.NDArray[np.int64]

REDUCING, SUM_BYTES, MEAN_BYTES = 12e-9, 8, 32
"""Work of a sample of the picture; and memory of each sum, which is kept, and of what becomes of it at the end."""


class Reduction:
    """Takes the samples of a picture, some rows at a time and in any order, and gives the means of its blocks.

    Args:
        size: of the picture.
        scale: pixels a side of a block; blocks at the right and at the bottom may be cut.
        alpha: (H, W), by which pixels count; None where all count alike.
    """

    def __init__(self, size: Geometry, scale: int, alpha: Samples | None) -> None:
        self._scale, self._alpha, self._lock = scale, alpha, threading.Lock()
        rows, cols = (np.diff([*range(0, n, scale), n]) for n in (size.height, size.width))
        self._counts: Sums = (rows[:, None] * cols)[:, :, None]
        self._plain: Sums = np.zeros((*self._counts.shape[:2], size.channels), np.int64)
        self._weights: Sums = np.zeros_like(self._counts)
        self._weighted: Sums = np.zeros_like(self._plain if alpha is not None else self._plain[:0])

    def add(self, start: int, samples: Samples) -> None:
        """Take the rows from `start` on, (rows, W, C); several threads may do so at once."""
        rows = slice(start // self._scale, -(-(start + len(samples)) // self._scale))
        plain = self._sums(start, samples)
        with self._lock:
            self._plain[rows] += plain
        if self._alpha is not None:
            alpha = self._alpha[start : start + len(samples), :, None].astype(np.int64)
            weighted, weights = self._sums(start, samples * alpha), self._sums(start, alpha)
            with self._lock:
                self._weighted[rows] += weighted
                self._weights[rows] += weights

    def result(self, depth: int) -> tuple[Samples, Samples | None]:
        """The means of samples and of alpha, of so many bits a sample, once all rows have been taken."""
        means = _rounded(self._plain, self._counts)
        if self._alpha is None:
            return _samples(means, depth), None
        weights = self._weights
        samples = np.where(weights > 0, _rounded(self._weighted, np.maximum(weights, 1)), means)
        return _samples(samples, depth), _samples(_rounded(weights, self._counts)[:, :, 0], depth)

    def _sums(self, start: int, values: Samples | Sums) -> Sums:
        """Of the blocks that some rows, from `start` on, belong to."""
        rows, cols = values.shape[:2]
        first_end = self._scale - start % self._scale
        down = [0, *range(first_end, rows, self._scale)]
        across = range(0, cols, self._scale)
        return np.add.reduceat(np.add.reduceat(values, across, axis=1, dtype=np.int64), down, axis=0)


def _rounded(sums: Sums, counts: Sums) -> Sums:
    """The quotients, halves up."""
    return (2 * sums + counts) // (2 * counts)


def _samples(values: Sums, depth: int) -> Samples:
    return values.astype(np.uint16) if depth == 16 else values.astype(np.uint8)


def reduction_cost(size: Geometry, scale: int, *, alpha: bool) -> tuple[Cost, Cost]:
    """What a `Reduction` takes at most, beside alpha itself: until all rows are taken, and for its result then."""
    n_samples = size.n_pixels * (size.channels + alpha)
    n_sums = -(-size.height // scale) * -(-size.width // scale) * (size.channels + alpha) * (1 + alpha)
    sums = SUM_BYTES * n_sums
    return Cost(sums, REDUCING * (1 + alpha) * n_samples, sums), Cost(MEAN_BYTES * n_sums)
