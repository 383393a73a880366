"""The picture that the bands known so far make, whose slopes tell of the details that are to come.

Where a coarse picture is steep, an edge lies, and on which side of it details are positive follows from how steep the
places beside it are. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import Int64Array
from nfcodec.fields.wavelet.transform import GAIN_BITS, Band, band_gain, bands, synthesise_level

Floats = npt.NDArray[np.float64]

SMOOTH_BITS = 4
"""The smooth picture is in units of 2^-4 quantizer steps."""

FRAME = (1, 2)
"""How many places are added to it before and behind, with the values at its edge."""

LARGEST_SLOPE = 1 << 14
"""Steeper ones count as this, in units of 2^-4 quantizer steps."""


class SmoothPicture:
    """Follows the synthesis of a plane's bands from coarse to fine.

    Args:
        symbols: (H, W, features) in place, magnitudes up to 2^24 (so that numbers stay under 2^32); a band has to be
            there before a finer level is asked for.
    """

    def __init__(self, symbols: Int64Array, n_levels: int) -> None:
        rows, cols, features = symbols.shape
        self._symbols, self._planes = symbols, np.zeros((features, rows, cols))
        self._smooth, *self._details = bands(rows, cols, n_levels)
        self._level: int | None = None

    def framed(self, level: int) -> Int64Array:
        """Of each feature the smooth remainder that a level's bands are the details of, framed.

        Levels must be asked for in falling order.
        """
        if self._level is None:
            self._take(self._smooth)
            self._level = self._smooth.level
        while self._level > level:
            for band in self._details:
                if band.level == self._level:
                    self._take(band)
            for plane in self._planes:
                synthesise_level(plane, self._level)
            self._level -= 1
        smooth = self._planes[:, :: 1 << level, :: 1 << level]
        return np.pad(smooth.astype(np.int64), ((0, 0), FRAME, FRAME), mode="edge")

    def _take(self, band: Band) -> None:
        scaled = self._symbols[band.rows, band.cols] * float(band_gain(band)) * 2.0 ** (SMOOTH_BITS - GAIN_BITS)
        self._planes[:, band.rows, band.cols] = np.moveaxis(np.floor(scaled + 0.5), 2, 0)


def slope_log(slopes: Int64Array, out: Floats) -> None:
    """sign(d) log2(1 + |d| / 16), the logarithm linear between powers of two, in units of 2^-5, into `out`."""
    np.take(_logs(), slopes + LARGEST_SLOPE, mode="clip", out=out)


@cache
def _logs() -> Floats:
    slopes = np.arange(-LARGEST_SLOPE, LARGEST_SLOPE + 1)
    magnitude = np.abs(slopes) + (1 << SMOOTH_BITS)
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64) - 1
    logs = ((exponent - 1 - SMOOTH_BITS) << 5) + ((magnitude << 5) >> exponent)
    return np.where(slopes < 0, -logs, logs).astype(np.float64)
