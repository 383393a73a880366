"""The lattice of pixels that a field covers, rectangles of it, and where its pixels fall in coarser ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Geometry:
    """The lattice that a field covers: rows, columns, and outputs a pixel."""

    height: int
    width: int
    channels: int

    @property
    def n_pixels(self) -> int:
        return self.height * self.width


Place = tuple[slice, slice]
"""Rows and columns of a rectangle."""


def places(geometry: Geometry, rows: int, cols: int) -> list[Place]:
    """The tiles of a grid, row by row: the i-th of n along an axis ends where i / n of it does, rounded down."""
    down, across = (
        [slice(size * i // n, size * (i + 1) // n) for i in range(n)]
        for size, n in ((geometry.height, rows), (geometry.width, cols))
    )
    return [(each_down, each_across) for each_down in down for each_across in across]


def whole(geometry: Geometry) -> Place:
    """All rows and columns."""
    return slice(0, geometry.height), slice(0, geometry.width)


def part_of(geometry: Geometry, place: Place) -> Geometry:
    """The lattice of a rectangle alone."""
    rows, cols = place
    return Geometry(rows.stop - rows.start, cols.stop - cols.start, geometry.channels)


def grown(geometry: Geometry, place: Place, reach: int, multiple: int = 1) -> Place:
    """A rectangle with `reach` more rows and columns on all sides, as far as there are any.

    Args:
        multiple: the first row and column become multiples of it.
    """
    rows, cols = (
        slice(max(0, each.start - reach) // multiple * multiple, min(size, each.stop + reach))
        for each, size in zip(place, (geometry.height, geometry.width), strict=True)
    )
    return rows, cols


def common(place: Place, other: Place) -> Place | None:
    """The rectangle that two have in common; None if there is none."""
    rows, cols = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(place, other, strict=True))
    return (rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None


def within(place: Place, around: Place) -> Place:
    """A rectangle as seen from the upper left corner of one around it."""
    rows, cols = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(place, around, strict=True))
    return rows, cols


@dataclass(frozen=True)
class AxisLookup:
    """Where pixels along an axis fall between the entries of a table.

    Attributes:
        low, high: for each pixel, the entry below and the entry above.
        fraction: how far it is from the one to the other, in units of 2^-bits.
    """

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    fraction: npt.NDArray[np.int64]
    bits: int
