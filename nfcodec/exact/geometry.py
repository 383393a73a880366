"""What a field is: a wire id, a parameter layout, an initialisation, and an exact evaluation.

A field maps every pixel of an (H, W) lattice to C output values. Its parameters are real while it is fitted and
integers times a step in the file; only the integers define the decoded picture.
"""

from __future__ import annotations

from dataclasses import dataclass


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


def part_of(geometry: Geometry, place: Place) -> Geometry:
    """The lattice of a rectangle alone."""
    rows, cols = place
    return Geometry(rows.stop - rows.start, cols.stop - cols.start, geometry.channels)
