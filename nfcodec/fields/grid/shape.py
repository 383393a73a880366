"""Where a field's grids are: their sizes, what predicts an entry, and which coarser grids a grid sees."""

from __future__ import annotations

from dataclasses import dataclass

from nfcodec.exact.geometry import Geometry

NEIGHBOURS = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-3, 0), (0, -3), (-1, -2), (-2, 1), (-2, -1), (-1, 2),
    (-2, -2), (-1, -3),
)  # fmt: skip
"""(rows, columns) from an entry to the entries of its grid that predict it, the most telling first."""

ABOVE, LEFT, RIGHT = 3, 3, 2
"""How far they reach."""

ROW_STEP = RIGHT + 1
"""A grid's entries are coded by column + ROW_STEP * row, ascending: no entry depends on another of the same number."""

RING = 16
"""So many of the groups of entries of one number are remembered; an entry depends on nine before its own."""

MOST_MAPPED_GRIDS = 3
"""So many of the finest grids see the coarser ones."""


@dataclass(frozen=True)
class Lattice:
    """One grid of integers.

    Attributes:
        level: an entry stands for 2^level x 2^level pixels.
        is_hyper: whether only the entropy model sees it, and no samples are read out of it.
        first: the number of its first entry among those of all grids.
    """

    level: int
    rows: int
    cols: int
    is_hyper: bool
    first: int

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.rows * self.cols

    @property
    def n_wavefronts(self) -> int:
        """How many groups of entries are coded one after the other."""
        return self.cols + ROW_STEP * (self.rows - 1)

    @property
    def entries(self) -> slice:
        """Where they are among those of all grids, in raster order."""
        return slice(self.first, self.first + self.size)


def lattices(geometry: Geometry, n_levels: int, n_hyper: int) -> list[Lattice]:
    """All grids of a field, the finest first, and at each level a hyperlatent one behind the latent one.

    Args:
        n_hyper: how many of the coarsest levels have hyperlatents.
    """
    found: list[Lattice] = []
    first = 0
    for level in range(n_levels):
        rows, cols = -(-geometry.height // (1 << level)), -(-geometry.width // (1 << level))
        for is_hyper in (False, True)[: 1 + (level >= n_levels - n_hyper)]:
            found.append(Lattice(level, rows, cols, is_hyper, first))
            first += rows * cols
    return found
