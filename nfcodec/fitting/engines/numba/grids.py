"""Grid levels and a ReLU network for the numba engine: rows of pixels through both, and the way back.

What kinds of levels there are is for the families to say, each a `GridLevel`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import Tensor
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.numba.program import TASK_ROWS, Pass, Program, Reference, Sums
from nfcodec.fitting.engines.numba.relu import Relu
from nfcodec.kernels import grids
from nfcodec.kernels.arguments import Floats, Grid, GridScratch, Indices, Rows, Slopes
from nfcodec.kernels.jit import U
from nfcodec.kernels.relu import grid_rows
from nfcodec.workers import Workers

CHUNK_FLOATS = 1 << 21
"""Bound on the encoding gradients that one chunk of rows holds; they should stay in a shared cache."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of pixels, the gradient of their encoding, and all levels of the grid."""

    rows: Rows
    slopes: Slopes
    grid: Grid


@dataclass(frozen=True)
class AxisCells:
    """Where pixels along an axis fall in a hashed level: in which cells, never decreasing, and how far in them."""

    cells: Indices
    fractions: Floats


class GridLevel(ABC):
    """A level as the kernels read it.

    Attributes:
        size: numbers in its table.
        features: numbers an entry has.
        row_floats: scratch that a row of pixels needs, of each of its features.
        columns: of the kernels' description (`kernels.grids`), but for OFFSET, FEATURES and FIRST; 0 for all others.
        axes: along y and along x; None for levels that need none.
        n_scatters: tasks that the transposed interpolation is cut into.
    """

    size: int
    features: int
    row_floats: int
    columns: Mapping[int, int]
    axes: tuple[AxisCells, AxisCells] | None
    n_scatters: int

    @abstractmethod
    def scatter(self, chunk: Chunk, level: int, task: int, gradient: Floats, scratch: Floats) -> None:
        """Add to the gradient of all tables what a chunk makes of that of this level.

        Args:
            level: the level's number.
            scratch: two rows of `row_floats` floats.
        """


class GridProgram(Program):
    """Encoding and network row by row, then the transposed interpolation level by level, chunk after chunk.

    Args:
        levels: of the field, in the order of their tensors in the layout.
    """

    def __init__(
        self,
        levels: Sequence[GridLevel],
        layout: Sequence[Tensor],
        geometry: Geometry,
        reference: Reference,
        workers: Workers,
    ) -> None:
        self._grid, self._geometry, self._reference, self._workers = levels, geometry, reference, workers
        self._levels, self._axes = _rows(levels), _axes(levels, geometry)
        self._relu = Relu.of(layout, workers)
        self.network = self._relu.network
        n_features = sum(level.features for level in levels)
        row_floats = max(1, n_features * geometry.width)
        self._chunk_rows = max(TASK_ROWS, CHUNK_FLOATS // row_floats // TASK_ROWS * TASK_ROWS)
        chunk_pixels = min(self._chunk_rows, geometry.height) * geometry.width
        self._d_encoding: Floats = np.zeros((n_features, chunk_pixels), np.float32)
        longest = max(level.row_floats for level in levels)
        self._scratch = [
            GridScratch(network, np.zeros((2 * n_features, longest), np.float32), np.zeros(len(levels), np.uintp))
            for network in self._relu.scratch
        ]
        self._scatters = [(i, task) for i, level in enumerate(levels) for task in range(level.n_scatters)]

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        geometry, relu = self._geometry, self._relu
        sums = Sums(self.network, -(-min(self._chunk_rows, geometry.height) // TASK_ROWS))
        wanted = self._reference.wanted(quantum, differentiate=gradient is not None)
        grid, net = Grid(self._levels, tables, steps, *self._axes), relu.net

        for first in range(0, geometry.height, self._chunk_rows):
            end = min(first + self._chunk_rows, geometry.height)
            chunk = Chunk(Rows(U(first), U(end)), Slopes(U(first), U(geometry.width), self._d_encoding), grid)

            def rows(worker: int, slot: int, chunk: Chunk = chunk, first: int = first, end: int = end) -> None:
                top = first + slot * TASK_ROWS
                mine = Rows(U(top), U(min(top + TASK_ROWS, end)))
                found = self._reference.found(sums, slot, outputs)
                grid_rows(mine, grid, net, wanted, chunk.slopes, found, self._scratch[worker])

            def scatter(worker: int, i: int, chunk: Chunk = chunk) -> None:
                assert gradient is not None
                level, task = self._scatters[i]
                self._grid[level].scatter(chunk, level, task, gradient, self._scratch[worker].rows[:2])

            self._workers.run(-(-(end - first) // TASK_ROWS), rows)
            if gradient is not None:
                self._workers.run(len(self._scatters), scatter)
        return sums.total()


def _rows(levels: Sequence[GridLevel]) -> Indices:
    """The description of levels that the kernels read."""
    rows = np.zeros((len(levels), grids.N_COLUMNS), np.uintp)
    offset = first = 0
    for row, level in zip(rows, levels, strict=True):
        row[grids.OFFSET], row[grids.FEATURES], row[grids.FIRST] = offset, level.features, first
        for column, value in level.columns.items():
            row[column] = value
        offset, first = offset + level.size, first + level.features
    return rows


def _axes(levels: Sequence[GridLevel], geometry: Geometry) -> tuple[Indices, Floats, Indices, Floats]:
    """Cells and fractions along y, and along x, a row a level; 0 for levels without."""
    n_levels, sizes = len(levels), (geometry.height, geometry.width)
    cells: list[Indices] = [np.zeros((n_levels, n), np.uintp) for n in sizes]
    fractions: list[Floats] = [np.zeros((n_levels, n), np.float32) for n in sizes]
    for i, level in enumerate(levels):
        for axis, found in enumerate(level.axes or ()):
            cells[axis][i], fractions[axis][i] = found.cells, found.fractions
    return cells[0], fractions[0], cells[1], fractions[1]
