"""The picture that the bands known so far make, whose slopes tell of the details that are to come.

Where a coarse picture is steep, an edge lies, and on which side of it details are positive follows from how steep the
places beside it are. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.fields.wavelet.transform import GAIN_BITS, Band, band_gain, bands, synthesise
from nfcodec.kernels import compiled
from nfcodec.workers import Workers, n_threads

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

SMOOTH_BITS = 4
"""The smooth picture is in units of 2^-4 quantizer steps."""

FRAME = (1, 2)
"""How many places are added to it before and behind, with the values at its edge."""

_STRIP_ROWS = 64
"""Of slopes that a thread takes at a time."""

LARGEST_SLOPE = 1 << 14
"""Steeper ones count as this, in units of 2^-4 quantizer steps."""


class SmoothPicture:
    """Follows the synthesis of a plane's bands from coarse to fine.

    Args:
        symbols: (H, W, features) in place, magnitudes up to 2^24 (so that numbers stay under 2^32); a band has to be
            there before a finer level is asked for.
        omitted: as of `bands`.
    """

    def __init__(self, symbols: SymbolArray, n_levels: int, omitted: int = 0) -> None:
        self._symbols, self._shape, self._omitted = symbols, symbols.shape[:2], omitted
        self._smooth, *self._details = bands(*self._shape, n_levels, omitted)
        self._level: int | None = None
        self._planes: Floats = np.zeros((0, 0, 0))

    def slope_shapes(self, level: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of a level's slopes along x and along y."""
        rows, cols = (-(-size >> (level - self._omitted)) + sum(FRAME) for size in self._shape)
        return (rows, cols - 1), (rows - 1, cols)

    def slopes(self, level: int, along_x: Sequence[Singles], along_y: Sequence[Singles]) -> None:
        """Of each feature's smooth remainder that a level's bands are the details of, the slopes along x and y.

        Levels must be asked for in falling order.

        Args:
            along_x, along_y: of each feature, become the slopes, as `slope_log`, of the framed picture, each at the
                place that it leads away from; shapes are `by_parity` of `slope_shapes`.
        """
        if self._level is None:
            self._planes = self._scaled(self._smooth)
            self._level = self._smooth.level
        while self._level > level:
            self._planes = self._finer(self._level)
            self._level -= 1
        n, rows, _ = self._planes.shape
        starts = range(0, rows + sum(FRAME), _STRIP_ROWS)
        kernel = compiled("nfcodec.fields.wavelet.prediction_kernels:slopes", repays=False)
        take = _slopes if kernel is None else kernel

        def strip(worker: int, i: int) -> None:
            f, number = divmod(i, len(starts))
            stop = min(starts[number] + _STRIP_ROWS, rows + sum(FRAME))
            take(self._planes[f], _logs(), np.uintp(starts[number]), np.uintp(stop), along_x[f], along_y[f])

        n_strips = n * len(starts)
        Workers(min(n_strips, n_threads())).run(n_strips, strip)

    def _finer(self, level: int) -> Floats:
        """The smooth picture with the details of a level."""
        stride = 1 << (level - 1 - self._omitted)
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


def by_parity(rows: int, cols: int) -> tuple[int, int, int]:
    """The shape of an array of rows and columns whose even columns come before its odd ones."""
    return rows, 2, (cols + 1) // 2


def _slopes(plane: Floats, logs: Singles, start: np.uintp, stop: np.uintp, along_x: Singles, along_y: Singles) -> None:
    """Rows [start, stop) of a plane's slopes; `prediction_kernels.slopes` is the same, compiled."""
    rows, cols = plane.shape
    y, x = (np.arange(*ends) - FRAME[0] for ends in ((int(start), int(stop) + 1), (0, cols + sum(FRAME))))
    framed = plane[np.minimum(np.maximum(y, 0), rows - 1)][:, np.minimum(np.maximum(x, 0), cols - 1)]
    for target, slopes in ((along_x, np.diff(framed[:-1], axis=1)), (along_y, np.diff(framed, axis=0))):
        found, part = slope_log(slopes, logs), target[int(start) : int(stop)]
        for parity in (0, 1):
            columns = found[: len(part), parity::2]
            part[:, parity, : columns.shape[1]] = columns


def slope_log(slopes: Floats, logs: Singles) -> Singles:
    """sign(d) log2(1 + |d| / 16), the logarithm linear between powers of two, in units of 2^-5.

    Args:
        logs: those of the slopes from -LARGEST_SLOPE to LARGEST_SLOPE.
    """
    places = np.clip(slopes, -LARGEST_SLOPE, LARGEST_SLOPE).astype(np.int32)
    places += LARGEST_SLOPE
    return logs.take(places)


@cache
def _logs() -> Singles:
    slopes = np.arange(-LARGEST_SLOPE, LARGEST_SLOPE + 1)
    magnitude = np.abs(slopes) + (1 << SMOOTH_BITS)
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64) - 1
    logs = ((exponent - 1 - SMOOTH_BITS) << 5) + ((magnitude << 5) >> exponent)
    return np.where(slopes < 0, -logs, logs).astype(np.float32)
