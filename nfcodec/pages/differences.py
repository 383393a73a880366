"""How two pictures of one size differ: over all samples, by channel, by part of the picture, and as a map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster, Samples

BAND = 1 << 20
"""Samples that are looked at together, about."""

WHITE_RMS = 4.0
"""The map's scale ends at so many times the RMS error of the whole picture."""

COLOURS = ((0.0, "#000000"), (0.25, "#4a1a72"), (0.5, "#bd3453"), (0.75, "#f98c2b"), (1.0, "#fff8d0"))
"""Of the map, from no error to the end of the scale and beyond; each is brighter than the one before."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """Between the samples of one channel, or of all.

    Attributes:
        rms: the root of the mean squared difference; mean: of the differences, second picture minus first; largest: of
            their magnitudes; all in units of samples.
        equal: the share of samples that are the same.
    """

    name: str
    psnr_db: float
    rms: float
    mean: float
    largest: int
    equal: float


def by_channel(a: Raster, b: Raster) -> list[Difference]:
    """Of each channel of two pictures, with alpha if both have it, and first of all colour samples if these are more.

    Args:
        a, b: of one size, number of channels and depth.
    """
    names = ["red", "green", "blue"] if a.channels == 3 else ["gray"]
    found = [_difference(name, a.samples[:, :, i], b.samples[:, :, i], a.peak) for i, name in enumerate(names)]
    if len(found) > 1:
        found.insert(0, _difference("all colours", a.samples, b.samples, a.peak))
    if a.alpha is not None and b.alpha is not None:
        found.append(_difference("alpha", a.alpha, b.alpha, a.peak))
    return found


def _difference(name: str, a: Samples, b: Samples, peak: int) -> Difference:
    total, squares, largest, equal = 0, 0, 0, 0
    for rows in _bands(a.shape):
        apart = b[rows].astype(np.int64) - a[rows]
        total += int(apart.sum())
        squares += int((apart * apart).sum())
        largest = max(largest, int(np.abs(apart).max()))
        equal += int(np.count_nonzero(apart == 0))
    return Difference(name, psnr_db(a, b, peak), math.sqrt(squares / a.size), total / a.size, largest, equal / a.size)


def error_map(a: Samples, b: Samples, factor: int = 1) -> Floats:
    """The RMS difference of each pixel over its channels, or of each square of `factor` x `factor` pixels.

    Args:
        a, b: (H, W, C) of one shape.

    Returns:
        (ceil(H / factor), ceil(W / factor)), in units of samples; squares at the border are smaller.
    """
    height, width, channels = a.shape
    out = np.empty((-(-height // factor), -(-width // factor)), np.float32)
    columns = starts(width, factor)
    for rows in _bands(a.shape, factor):
        apart = b[rows].astype(np.float64) - a[rows]
        squares = (apart * apart).sum(axis=2)
        at = starts(squares.shape[0], factor)
        sums = np.add.reduceat(np.add.reduceat(squares, at, axis=0), columns, axis=1)
        counts = np.outer(lengths(at, squares.shape[0]), lengths(columns, width)) * channels
        first = rows.start // factor
        out[first : first + len(at)] = np.sqrt(sums / counts)
    return out


def starts(side: int, factor: int) -> Places:
    """Where squares of so many pixels begin along a side."""
    return np.arange(0, side, factor, dtype=np.int64)


def lengths(at: Places, side: int) -> Places:
    """How long these squares are; the last one may be shorter."""
    return np.diff(at, append=side)


def heat(errors: Floats, white: float) -> Bytes:
    """A map of errors as colours, (H, W, 3).

    Args:
        white: the error at which the scale ends, at least 0; where it is 0 there are no errors.
    """
    shares, stops = np.arange(256) / 255, [share for share, _ in COLOURS]
    table = np.empty((256, 3), np.uint8)
    for i in range(3):
        table[:, i] = np.interp(shares, stops, [_rgb(colour)[i] for _, colour in COLOURS]).round()
    scale = 255 / white if white else 0.0
    return table[np.minimum(errors * np.float32(scale), 255).round().astype(np.uint8)]


def by_part(a: Samples, b: Samples, peak: int, n: int = 3) -> list[list[float]]:
    """PSNR in dB of up to n x n parts of about the same size, row by row; infinite where nothing differs."""
    rows, columns = (_cuts(side, n) for side in a.shape[:2])
    return [[psnr_db(a[y, x], b[y, x], peak) for x in columns] for y in rows]


def _cuts(side: int, n: int) -> list[slice]:
    ends = [side * i // min(n, side) for i in range(min(n, side) + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _bands(shape: tuple[int, ...], multiple: int = 1) -> Iterator[slice]:
    """Rows that make up about `BAND` samples; all but the last ones a multiple of so many."""
    n = max(1, BAND // max(1, math.prod(shape[1:])) // multiple) * multiple
    for start in range(0, shape[0], n):
        yield slice(start, min(start + n, shape[0]))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
