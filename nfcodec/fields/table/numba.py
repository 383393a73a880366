"""Pyramids for the numba engine, with the rate of their entries."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.field import Pyramid
from nfcodec.fields.table.levels import DenseLevel
from nfcodec.fitting.engines.numba.grids import Chunk, GridLevel, GridProgram
from nfcodec.fitting.engines.numba.program import Example, Rating, Reference
from nfcodec.fitting.engines.numba.tables import ELEMENTS, NONE
from nfcodec.kernels import grids
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import ONE, U
from nfcodec.kernels.rates import Piece, rate
from nfcodec.workers import Workers


class PyramidProgram(GridProgram, Rating):
    """Levels on the lattice, a linear map and perhaps a hidden layer."""

    def __init__(self, field: Pyramid, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        levels = field.levels(geometry.channels)
        super().__init__(
            [Dense(level, geometry) for level in levels], field.layout(geometry), geometry, reference, workers
        )
        self._shapes = [level.shape(geometry) for level in levels]

    @classmethod
    def example(cls) -> Example:
        return Example(Pyramid(1, hidden=4))

    def rate(
        self, tables: Floats, steps: Floats, weight: float, model: object | None, gradient: Floats | None
    ) -> float:
        """By the magnitudes around each entry; no model is needed."""
        pieces: list[tuple[int, int, int, int]] = []  # level, place of the plane, first and last row
        at = 0
        for level, (n_rows, n_cols, features) in enumerate(self._shapes):
            size, rows = n_rows * n_cols, max(1, ELEMENTS // n_cols)
            if steps[level] == 0:
                if gradient is not None:
                    gradient[at : at + features * size] = 0
            else:
                places = range(at, at + features * size, size)
                pieces += [(level, plane, y, min(y + rows, n_rows)) for plane in places for y in range(0, n_rows, rows)]
            at += features * size
        bits, weight_32 = np.zeros(len(pieces)), np.float32(weight)

        def piece(worker: int, i: int) -> None:
            level, plane, y0, y1 = pieces[i]
            n_rows, n_cols, _ = self._shapes[level]
            place = Piece(U(plane), U(n_cols), ONE, U(n_rows), U(n_cols), U(y0), U(y1))
            sums, slopes = np.empty(n_cols + 2, np.float32), np.empty(n_cols, np.float32)
            into = NONE if gradient is None else gradient
            bits[i] = rate(tables, into, place, steps[level], weight_32, sums, slopes)

        self._workers.run(len(pieces), piece)
        return float(bits.sum())


class Dense(GridLevel):
    """One level; each of its features is a plane, summed up by a thread of its own."""

    axes = None

    def __init__(self, level: DenseLevel, geometry: Geometry) -> None:
        n_rows, n_cols, self.features = level.shape(geometry)
        self.size, self.n_scatters = n_rows * n_cols * self.features, self.features
        self.row_floats = (n_cols + 1) << level.log2_stride
        self.columns = {
            int(grids.LOG2_STRIDE): level.log2_stride,
            int(grids.ROWS): n_rows,
            int(grids.COLS): n_cols,
        }

    def scatter(self, chunk: Chunk, level: int, task: int, gradient: Floats, scratch: Floats) -> None:
        grids.dense_scatter(chunk.grid.levels, U(level), U(task), chunk.rows, chunk.slopes, gradient, scratch)
