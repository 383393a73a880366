"""A dyadic wavelet transform whose coefficients lie in place, at the pixels that they belong to; forward and inverse.

A plane of S levels keeps, at rows and columns that are multiples of 2^S, the smooth remainder ("LL"), and for each
level l = S .. 1, with h = 2^(l-1), three bands of details: at odd multiples of h in x only ("HL"), in y only ("LH"),
and in both ("HH"). Every pixel belongs to exactly one band. docs/reference/format.md, "Wavelets", is the normative
text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray, Quantized, check_exact, rescale
from nfcodec.exact.geometry import Geometry
from nfcodec.workers import Workers, n_threads

AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]

MAX_LEVELS = 7

HL, LH, HH, LL = range(4)

_PLACES = {HL: (0, 1), LH: (1, 0), HH: (1, 1), LL: (0, 0)}


@dataclass(frozen=True)
class Band:
    """One subband of a plane.

    Attributes:
        level: 1 (finest) .. the number of levels; the remainder has that of the coarsest details (0 without any).
        orientation: HL, LH, HH or LL.
        rows, cols: where its entries lie in the plane.
        shape: how many there are.
    """

    level: int
    orientation: int
    rows: slice
    cols: slice
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


@lru_cache(maxsize=8)
def bands(height: int, width: int, n_levels: int, omitted: int = 0) -> tuple[Band, ...]:
    """All bands of a plane, in the order in which files hold them; some may be empty.

    Args:
        omitted: how many of the finest levels are left out; the plane has every 2^omitted-th row and column then.
    """
    levels = range(n_levels, omitted, -1)
    details = [_band(height, width, level, which, omitted) for level in levels for which in (HL, LH, HH)]
    return _band(height, width, n_levels, LL, omitted), *details


def _band(height: int, width: int, level: int, orientation: int, omitted: int) -> Band:
    stride = 1 << (level - omitted)
    row, col = (place * stride // 2 for place in _PLACES[orientation])
    rows, cols = slice(row, None, stride), slice(col, None, stride)
    return Band(level, orientation, rows, cols, (len(range(height)[rows]), len(range(width)[cols])))


LIFTING_BITS = 13
LIFTING = (-12994, -434, 7233, 3633)
"""The lifting coefficients alpha, beta, gamma, delta of CDF 9/7, in units of 2^-13."""

GAIN_BITS = 12
DETAIL_GAINS = (4096, 2892, 2043, 1442, 1019, 719, 508)
"""What multiplies the step in HL and LH of level 1, 2, ..: K^(2 - 2 l) in units of 2^-12. With K = 1.15 all
errors would count the same; files were smaller with 1.19."""

CORNER_GAINS = (5800, 4096, 2892, 2043, 1442, 1019, 719)
"""The same for HH."""

SMOOTH_GAINS = (4096, 2892, 2043, 1442, 1019, 719, 508, 359)
"""The same for LL of a plane with 0, 1, .. levels."""

_LARGEST = 2.0**33


def band_gain(band: Band) -> int:
    """The factor on the quantizer step in a band, in units of 2^-12: it makes all errors count about the same."""
    if band.orientation == LL:
        return SMOOTH_GAINS[band.level]
    return (CORNER_GAINS if band.orientation == HH else DETAIL_GAINS)[band.level - 1]


def gains(height: int, width: int, n_levels: int) -> FloatArray:
    """(H, W): the factor on the quantizer step at each coefficient, as a number."""
    out = np.empty((height, width), np.float32)
    for band in bands(height, width, n_levels):
        out[band.rows, band.cols] = band_gain(band) / (1 << GAIN_BITS)
    return out


def for_each_band(
    shape: tuple[int, ...], n_levels: int, work: Callable[[int, Band, tuple[slice, slice]], object], omitted: int = 0
) -> None:
    """Call a function for some rows of each band of planes (features, H, W), one a thread at a time.

    Args:
        work: takes the number of a plane, the band, and where these coefficients of it lie in the plane.
        omitted: as of `bands`.
    """
    features, height, width = shape
    tasks = [
        (plane, band, (slice(first, first + _BAND_ROWS * band.rows.step, band.rows.step), band.cols))
        for band in bands(height, width, n_levels, omitted)
        if band.size
        for plane in range(features)
        for first in range(band.rows.start, height, _BAND_ROWS * band.rows.step)
    ]
    Workers(n_threads()).run(len(tasks), lambda worker, i: work(*tasks[i]))


def synthesise(planes: ExactArray, n_levels: int) -> None:
    """The inverse transform of (features, H, W), in place, in integers. Raises FormatError if they grow too large."""
    workers = Workers(n_threads())
    for level in range(n_levels, 0, -1):
        for vertical in (True, False):
            _along(planes, level, _unlift, workers, vertical=vertical)
    for plane in planes:
        _check(plane)


def synthesise_floats(planes: FloatArray, n_levels: int) -> None:
    """The same without rounding."""
    workers = Workers(n_threads())
    for level in range(n_levels, 0, -1):
        for vertical in (True, False):
            _along(planes, level, _unlift_floats, workers, vertical=vertical)


def _along(
    planes: AnyArray, level: int, lift: Callable[[AnyArray, AnyArray], None], workers: Workers, *, vertical: bool
) -> None:
    """Lift even and odd rows, or columns, of the lattice that a level of the transform works on, in place.

    Strips of it that fit into the caches are shared out among threads.
    """
    stride = 1 << (level - 1)
    lattice: AnyArray = planes[:, ::stride, ::stride]
    if not vertical:
        lattice = np.transpose(lattice, (0, 2, 1))
    _, length, across = lattice.shape
    width = max(1, _STRIP_VALUES // length)
    starts = range(0, across, width)

    def strip(worker: int, i: int) -> None:
        plane, number = divmod(i, len(starts))
        part = lattice[plane, :, starts[number] : starts[number] + width]
        even, odd = (np.array(part[parity::2], order="K") for parity in (0, 1))
        lift(even, odd)
        part[0::2], part[1::2] = even, odd

    workers.run(len(lattice) * len(starts), strip)


_BAND_ROWS = 256
"""Of a band that a thread scales at a time."""

_STRIP_VALUES = 1 << 16
"""Of a strip of a lattice that a thread transforms at a time."""


def _check(values: ExactArray) -> None:
    if max(float(values.max(initial=0)), -float(values.min(initial=0))) >= _LARGEST:
        raise FormatError("the wavelet coefficients are too large for exact arithmetic", code="arithmetic")


def _unlift(even: ExactArray, odd: ExactArray) -> None:
    """One level of the inverse transform along the first axis."""
    _check(even)
    _check(odd)
    if not len(odd):
        return
    for coefficient, target in zip(reversed(LIFTING), (even, odd, even, odd), strict=True):
        sums = neighbour_sums(even, odd, of_odd=target is even)
        sums *= coefficient * 2.0**-LIFTING_BITS
        sums += 0.5
        np.floor(sums, out=sums)
        target -= sums


def _unlift_floats(even: FloatArray, odd: FloatArray) -> None:
    if not len(odd):
        return
    for coefficient, target in zip(reversed(LIFTING), (even, odd, even, odd), strict=True):
        sums = neighbour_sums(even, odd, of_odd=target is even)
        sums *= even.dtype.type(coefficient * 2.0**-LIFTING_BITS)
        target -= sums


def neighbour_sums(even: AnyArray, odd: AnyArray, *, of_odd: bool) -> AnyArray:
    """At each even place the sum of the odd ones on both sides, or the reverse; the edges are mirrored."""
    source, target = (odd, even) if of_odd else (even, odd)
    sums = np.empty_like(target)
    n_pairs = len(source) - 1
    np.add(source[:-1], source[1:], out=sums[of_odd : of_odd + n_pairs])
    if of_odd:
        np.add(source[0], source[0], out=sums[0])
    if len(target) > of_odd + n_pairs:
        np.add(source[-1], source[-1], out=sums[-1])
    return sums


def synthesis_reach(n_levels: int) -> int:
    """How far from a pixel, in rows or columns, coefficients still change it."""
    return len(LIFTING) * ((1 << n_levels) - 1)


def synthesis(
    geometry: Geometry, coefficients: Quantized, n_levels: int, omitted: int = 0
) -> tuple[Callable[[int, int], ExactArray], float]:
    """The values of coefficients (H, W, F), exactly: rows [start, stop) as (F, rows * W), and their bound.

    In units of 2^-16. Raises FormatError if they would overflow.

    Args:
        omitted: as of `bands`.
    """
    symbols = np.moveaxis(coefficients.symbols, 2, 0)
    planes, shift = np.empty(symbols.shape, np.float64), ACTIVATION_BITS - GAIN_BITS

    def scale(plane: int, band: Band, here: tuple[slice, slice]) -> None:
        scaled: ExactArray = np.multiply(symbols[plane][here], band_gain(band), dtype=np.float64)
        check_exact(float(np.abs(scaled).max()), coefficients.step, shift)
        planes[plane][here] = rescale(scaled, coefficients.step, shift)

    for_each_band(planes.shape, n_levels, scale, omitted)
    synthesise(planes, n_levels - omitted)

    def rows(start: int, stop: int) -> ExactArray:
        return planes[:, start:stop].reshape(len(planes), -1)

    return rows, max(float(planes.max()), -float(planes.min()))


def wavelet_coefficients(image: AnyArray, n_levels: int) -> AnyArray:
    """The coefficients (H, W, F) of values (H, W, F), of which the synthesis makes these values, as floats."""
    return wavelet_coefficients_of(np.array(np.moveaxis(image, 2, 0), order="C"), n_levels)


def wavelet_coefficients_of(planes: AnyArray, n_levels: int) -> AnyArray:
    """The same of planes (F, H, W), whose memory they take."""
    analyse_planes(planes, n_levels)
    planes /= gains(planes.shape[1], planes.shape[2], n_levels)
    return np.moveaxis(planes, 0, 2)


def analyse_planes(planes: AnyArray, n_levels: int) -> None:
    """The forward transform of (F, H, W) floats, in place, without gains."""

    workers = Workers(n_threads())
    for level in range(1, n_levels + 1):
        for vertical in (False, True):
            _along(planes, level, _lift, workers, vertical=vertical)


def _lift(even: AnyArray, odd: AnyArray) -> None:
    """One level of the forward transform along the first axis."""
    if not len(odd):
        return
    for coefficient, target in zip(LIFTING, (odd, even, odd, even), strict=True):
        sums = neighbour_sums(even, odd, of_odd=target is even)
        sums *= even.dtype.type(coefficient * 2.0**-LIFTING_BITS)
        target += sums
