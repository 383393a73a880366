"""Pixel-aligned levels of entries: one every 2^s pixels, interpolated between them.

docs/reference/format.md, "Tables and pyramids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray, Quantized, check_exact, rescale
from nfcodec.exact.geometry import AxisLookup, Geometry

MAX_LOG2_STRIDE = 7


@dataclass(frozen=True)
class DenseLevel:
    """Entries (ceil(H / 2^s), ceil(W / 2^s), features); entry k of an axis sits at pixel (k + 1/2) 2^s - 1/2.

    Attributes:
        log2_stride: s, 0 .. 7.
        features: one for each channel of the picture.
    """

    log2_stride: int
    features: int

    def shape(self, geometry: Geometry) -> tuple[int, int, int]:
        """(rows, cols, features)."""
        s = self.log2_stride
        return -(-geometry.height >> s), -(-geometry.width >> s), self.features

    def axis(self, n_pixels: int) -> AxisLookup:
        """Bilinear lookup along an axis: pixel j is at (2 j + 1 - 2^s) / 2^(s + 1) entries, clamped to the grid."""
        s, last = self.log2_stride, -(-n_pixels >> self.log2_stride) - 1
        position = 2 * np.arange(n_pixels, dtype=np.int64) + 1 - (1 << s)
        cell = position >> (s + 1)
        fraction = position - (cell << (s + 1))
        return AxisLookup(np.clip(cell, 0, last), np.clip(cell + 1, 0, last), fraction, s + 1)

    def evaluator(self, geometry: Geometry, table: Quantized) -> tuple[Callable[[int, int], ExactArray], float]:
        """Interpolation of rows [start, stop), as (features, rows * W) in units of 2^-16, and its bound."""
        symbols = np.moveaxis(table.symbols, 2, 0)  # (F, rows, cols)
        y, x = self.axis(geometry.height), self.axis(geometry.width)
        shift = ACTIVATION_BITS - 2 * x.bits
        bound = check_exact(float(table.limit() << (2 * x.bits)), table.step, shift)
        unit = 1 << x.bits

        def rows(start: int, stop: int) -> ExactArray:
            if self.log2_stride == 0:  # every pixel sits on an entry
                entries = symbols[:, start:stop].astype(np.float64) * float(unit * unit)
                return rescale(entries, table.step, shift).reshape(self.features, -1)
            fy, first = y.fraction[start:stop, None], y.low[start]
            entries = np.array(symbols[:, first : y.high[stop - 1] + 1], np.float64, order="C")
            band = entries[:, y.low[start:stop] - first] * (unit - fy) + entries[:, y.high[start:stop] - first] * fy
            mixed = band[:, :, x.low] * (unit - x.fraction) + band[:, :, x.high] * x.fraction
            return rescale(mixed, table.step, shift).reshape(self.features, -1)

        return rows, bound
