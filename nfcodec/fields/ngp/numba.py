"""Instant-NGP for the numba engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nfcodec.exact.geometry import AxisLookup, Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fitting.engines.numba.grids import AxisCells, Chunk, GridLevel, GridProgram
from nfcodec.fitting.engines.numba.program import Example, Rating, Reference
from nfcodec.fitting.engines.numba.tables import ELEMENTS, NONE
from nfcodec.kernels import grids
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.kernels.rates import Piece, rate, rate_of_all
from nfcodec.workers import Workers


class NgpProgram(GridProgram, Rating):
    """Hashed levels and the network."""

    def __init__(self, field: Ngp, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        levels = [Hashed(level, geometry) for level in field.levels]
        super().__init__(levels, field.layout(geometry), geometry, reference, workers)
        ends = np.cumsum([0, *(level.size for level in levels)]).tolist()
        self._planes = [
            plane
            for at, (level, first) in enumerate(zip(field.levels, ends, strict=False))
            for plane in _planes(level, at, first, geometry)
        ]

    @classmethod
    def example(cls) -> Example:
        coarse, fine = HashLevel(2.5, 4, 16, 1), HashLevel(40.5, 42, 8, 1)
        return Example(Ngp((coarse, fine), hidden=(4,)))

    def rate(
        self, tables: Floats, steps: Floats, weight: float, model: object | None, gradient: Floats | None
    ) -> float:
        """By the magnitudes around each entry on the lattice, else by those of all; no model is needed."""
        if gradient is not None:
            gradient.fill(0)
        rated = [plane for plane in self._planes if steps[plane.level] > 0]
        pieces = [(plane, y0, y1) for plane in rated for y0, y1 in plane.bands]
        bits, slopes, weight_32 = np.zeros(len(pieces)), NONE if gradient is None else gradient, np.float32(weight)

        def piece(worker: int, i: int) -> None:
            plane, y0, y1 = pieces[i]
            step, stride = steps[plane.level], U(plane.stride)
            if not plane.pitch:
                end = U(plane.first + plane.n_cols * plane.stride)
                bits[i] = rate_of_all(tables, slopes, U(plane.first), end, stride, step, weight_32)
            else:
                shape = Piece(
                    U(plane.first), U(plane.pitch), stride, U(plane.n_rows), U(plane.n_cols), U(y0), U(y1)
                )  # fmt: skip
                scratch = np.empty(2 * plane.n_cols + 2, np.float32)
                sums, columns = scratch[: plane.n_cols + 2], scratch[plane.n_cols + 2 :]
                bits[i] = rate(tables, slopes, shape, step, weight_32, sums, columns)

        self._workers.run(len(pieces), piece)
        return float(bits.sum())


@dataclass(frozen=True)
class Plane:
    """One feature of a level's entries in the flat tables.

    Attributes:
        level: the level's number.
        first: place of the first entry.
        pitch, stride: from one row to the next, and from one column; a pitch of 0 where entries do not lie in rows.
    """

    level: int
    first: int
    pitch: int
    stride: int
    n_rows: int
    n_cols: int

    @property
    def bands(self) -> list[tuple[int, int]]:
        """First row and last row + 1 of what a thread takes at a time."""
        rows = max(1, ELEMENTS // self.n_cols)
        return [(y, min(y + rows, self.n_rows)) for y in range(0, self.n_rows, rows)]


def _planes(level: HashLevel, number: int, first: int, geometry: Geometry) -> list[Plane]:
    """The features of a level: of entries on the lattice the rectangle that the picture uses, else the whole table."""
    used, features = level.used(geometry), level.features
    if not used.on_lattice:
        return [Plane(number, first + f, 0, features, 1, level.size) for f in range(features)]
    start, stop = int(used.index[0, 0]), int(used.index[-1, -1])
    n_rows, n_cols = stop // level.resolution - start // level.resolution + 1, (stop - start) % level.resolution + 1
    pitch = level.resolution * features
    return [Plane(number, first + start * features + f, pitch, features, n_rows, n_cols) for f in range(features)]


class Hashed(GridLevel):
    """One level; its gradient is summed up by one thread, as several pixels may share an entry."""

    def __init__(self, level: HashLevel, geometry: Geometry) -> None:
        y, x = level.axes(geometry)
        in_rows = level.is_dense
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
