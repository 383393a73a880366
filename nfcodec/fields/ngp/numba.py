"""Instant-NGP for the numba engine."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import AxisLookup, Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fitting.engines.numba.grids import AxisCells, Chunk, GridLevel, GridProgram
from nfcodec.fitting.engines.numba.program import Example, Reference
from nfcodec.fitting.kernels import grids
from nfcodec.fitting.kernels.arguments import Floats
from nfcodec.fitting.kernels.jit import U
from nfcodec.workers import Workers


class NgpProgram(GridProgram):
    """Hashed levels, whose entries belong to no place and have no rate, and the network."""

    def __init__(self, field: Ngp, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        levels = [Hashed(level, geometry) for level in field.levels]
        super().__init__(levels, field.layout(geometry), geometry, reference, workers)

    @classmethod
    def example(cls) -> Example:
        coarse, fine = HashLevel(2.5, 4, 16, 1), HashLevel(40.5, 42, 8, 1)
        return Example(Ngp((coarse, fine), hidden=(4,)))


class Hashed(GridLevel):
    """One level; its gradient is summed up by one thread, as several pixels may share an entry."""

    def __init__(self, level: HashLevel, geometry: Geometry) -> None:
        y, x = level.axis(geometry.height), level.axis(geometry.width)
        in_rows = level.resolution**2 <= level.size
        self.size, self.features, self.n_scatters = level.size * level.features, level.features, 1
        self.row_floats = geometry.width + 4
        self.axes = _cells(y), _cells(x)
        self.columns = {
            int(grids.IS_HASH): 1,
            int(grids.ROWS): level.resolution if in_rows else 0,
            int(grids.COLS): level.size,
            int(grids.MASK): 0 if level.size & (level.size - 1) else level.size - 1,
            int(grids.IS_FINE): int(x.high[-1] - x.low[0]) + 1 > geometry.width + 2,
        }

    def scatter(self, chunk: Chunk, level: int, task: int, gradient: Floats, scratch: Floats) -> None:
        grids.hash_scatter(chunk.grid, U(level), chunk.rows, chunk.slopes, gradient, scratch[0])


def _cells(axis: AxisLookup) -> AxisCells:
    fractions = axis.fraction / (1 << axis.bits)
    return AxisCells(axis.low.astype(np.uintp), fractions.astype(np.float32))
