"""Wavelet levels of an `ngp` field: a grid as large as the picture, read through CDF 9/7 synthesis kernels.

Where a dense level interpolates its entries with tents, of which coarse and fine ones overlap, the entries of a wavelet
level belong to a nearly orthogonal basis (Cohen, Daubechies & Feauveau 1992): as many numbers as pixels, and all levels
at once by lifting (Daubechies & Sweldens 1998). docs/format.md, section 4.3, is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nfcodec.errors import UsageError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray, Quantized, check_exact, rescale
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet.transform import GAIN_BITS, MAX_LEVELS, band_gain, bands, synthesise


@dataclass(frozen=True)
class WaveletLevel:
    """Coefficients (H, W, features) in place (see nfcodec.subbands).

    Attributes:
        n_levels: of the transform, 0 .. 7; 0 leaves plain pixels.
        features: 1 .. 8.
    """

    n_levels: int
    features: int

    def __post_init__(self) -> None:
        if not (0 <= self.n_levels <= MAX_LEVELS and 1 <= self.features <= 8):
            raise UsageError(f"a wavelet level has 0 .. {MAX_LEVELS} levels and 1 .. 8 features")

    def shape(self, geometry: Geometry) -> tuple[int, int, int]:
        """(rows, cols, features)."""
        return geometry.height, geometry.width, self.features

    def evaluator(self, geometry: Geometry, table: Quantized) -> tuple[Callable[[int, int], ExactArray], float]:
        """The synthesis of rows [start, stop), as (features, rows * W) in units of 2^-16, and its bound."""
        planes = np.ascontiguousarray(np.moveaxis(table.symbols, 2, 0), np.float64)
        shift = ACTIVATION_BITS - GAIN_BITS
        for band in bands(geometry.height, geometry.width, self.n_levels):
            if band.size:
                gain = band_gain(band)
                here = planes[:, band.rows, band.cols]
                check_exact(float(gain * np.abs(here).max()), table.step, shift)
                here[...] = rescale(here * float(gain), table.step, shift)
        synthesise(planes, self.n_levels)

        def rows(start: int, stop: int) -> ExactArray:
            return planes[:, start:stop].reshape(self.features, -1)

        return rows, float(np.abs(planes).max())
