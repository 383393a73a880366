"""The picture that the bands known so far make, whose slopes tell of the details that are to come.

Where a coarse picture is steep, an edge lies, and on which side of it details are positive follows from how steep the
places beside it are. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.fields.wavelet.transform import GAIN_BITS, Band, band_gain, bands, synthesise
from nfcodec.workers import Workers, n_threads

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

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

    def __init__(self, symbols: SymbolArray, n_levels: int) -> None:
        self._symbols, self._shape = symbols, symbols.shape[:2]
        self._smooth, *self._details = bands(*self._shape, n_levels)
        self._level: int | None = None
        self._planes: Floats = np.zeros((0, 0, 0))

    def slopes(self, level: int) -> tuple[Singles, Singles]:
        """Of each feature's smooth remainder that a level's bands are the details of, the slopes along x and y.

        As `slope_log`, (features, rows, columns), of the framed picture, each at the place that it leads away from.
        Levels must be asked for in falling order.
        """
        if self._level is None:
            self._planes = self._scaled(self._smooth)
            self._level = self._smooth.level
        while self._level > level:
            self._planes = self._finer(self._level)
            self._level -= 1
        n, rows, cols = self._planes.shape
        frame = sum(FRAME)
        along_x = np.empty((n, rows + frame, cols + frame - 1), np.float32)
        along_y = np.empty((n, rows + frame - 1, cols + frame), np.float32)

        def plane(worker: int, f: int) -> None:
            framed = np.pad(self._planes[f], (FRAME, FRAME), mode="edge")
            along_x[f], along_y[f] = slope_log(np.diff(framed, axis=1)), slope_log(np.diff(framed, axis=0))

        Workers(min(n, n_threads())).run(n, plane)
        return along_x, along_y

    def _finer(self, level: int) -> Floats:
        """The smooth picture with the details of a level."""
        stride = 1 << (level - 1)
        rows, cols = (-(-size // stride) for size in self._shape)
        planes = np.empty((len(self._planes), rows, cols))
        planes[:, ::2, ::2] = self._planes
        for band in self._details:
            if band.level == level:
                planes[:, band.rows.start // stride :: 2, band.cols.start // stride :: 2] = self._scaled(band)
        synthesise(planes, 1)
        return planes

    def _scaled(self, band: Band) -> Floats:
        """The coefficients of a band, (features, rows, columns), in the smooth picture's units."""
        here = np.moveaxis(self._symbols[band.rows, band.cols], 2, 0)
        return np.floor(here * (band_gain(band) * 2.0 ** (SMOOTH_BITS - GAIN_BITS)) + 0.5)


def slope_log(slopes: Floats) -> Singles:
    """sign(d) log2(1 + |d| / 16), the logarithm linear between powers of two, in units of 2^-5."""
    places = np.clip(slopes, -LARGEST_SLOPE, LARGEST_SLOPE).astype(np.int32)
    places += LARGEST_SLOPE
    return _logs().take(places)


@cache
def _logs() -> Singles:
    slopes = np.arange(-LARGEST_SLOPE, LARGEST_SLOPE + 1)
    magnitude = np.abs(slopes) + (1 << SMOOTH_BITS)
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64) - 1
    logs = ((exponent - 1 - SMOOTH_BITS) << 5) + ((magnitude << 5) >> exponent)
    return np.where(slopes < 0, -logs, logs).astype(np.float32)
