"""Hashed and dense levels for the numba engine: rows of pixels through levels and network, and the way back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import GridLevel, Ngp
from nfcodec.fields.ngp.levels import DenseLevel, HashLevel
from nfcodec.fitting.engines.numba.program import (
    TASK_ROWS,
    Floats,
    Indices,
    Network,
    Pass,
    Picture,
    Program,
    Sums,
    ngp_maps,
    ngp_places,
)
from nfcodec.fitting.kernels import grids
from nfcodec.fitting.kernels.blocks import padded
from nfcodec.fitting.kernels.jit import BLOCK, U
from nfcodec.fitting.kernels.relu import ngp_rows
from nfcodec.workers import Workers

CHUNK_FLOATS = 1 << 21
"""Bound on the encoding gradients that one chunk of rows holds; they should stay in a shared cache."""


class NgpProgram(Program):
    """Encoding and network row by row, then the transposed interpolation level by level, chunk after chunk."""

    def __init__(self, spec: Ngp, geometry: Geometry, picture: Picture, workers: Workers) -> None:
        self._geometry, self._picture, self._workers = geometry, picture, workers
        self._levels, self._axes = _level_rows(spec, geometry), _hash_axes(spec, geometry)
        self._n_hidden, self._has_skip = len(spec.hidden), spec.skip
        widths = [spec.encoding_size, *spec.hidden, geometry.channels]
        self.network = Network(ngp_maps(spec, widths))
        self._sizes = np.array([padded(width) for width in widths], np.uintp)
        self._at = ngp_places(spec, self.network)
        n_features = sum(level.features for level in spec.levels)
        row_floats = max(1, n_features * geometry.width)
        self._chunk_rows = max(TASK_ROWS, CHUNK_FLOATS // row_floats // TASK_ROWS * TASK_ROWS)
        chunk_pixels = min(self._chunk_rows, geometry.height) * geometry.width
        self._d_encoding: Floats = np.zeros((n_features, chunk_pixels), np.float32)
        longest = max([_row_floats(level, geometry) for level in spec.levels])
        scratch = BLOCK * int(2 * self._sizes.sum() + 2 * self._sizes.max())
        self._scratch = [np.zeros(scratch, np.float32) for _ in range(workers.n)]
        self._rows = [np.zeros((2 * n_features, longest), np.float32) for _ in range(workers.n)]
        self._cells = [np.zeros(len(spec.levels), np.uintp) for _ in range(workers.n)]
        self._scatters = [
            (i, f)
            for i, level in enumerate(spec.levels)
            for f in range(level.features if isinstance(level, DenseLevel) else 1)
        ]

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        geometry, picture, network = self._geometry, self._picture, self.network
        n_slots = -(-min(self._chunk_rows, geometry.height) // TASK_ROWS)
        sums = Sums(network, n_slots)
        scale = np.float32(2 / picture.targets.size)
        w_at, b_at = self._at
        kept = picture.no_outputs if outputs is None else outputs

        for chunk in range(0, geometry.height, self._chunk_rows):
            end = min(chunk + self._chunk_rows, geometry.height)

            def rows(worker: int, slot: int, chunk: int = chunk, end: int = end) -> None:
                first = chunk + slot * TASK_ROWS
                ngp_rows(
                    U(first), U(min(first + TASK_ROWS, end)), U(chunk), U(geometry.width), self._levels, tables, steps,
                    *self._axes, self._sizes, U(self._n_hidden), self._has_skip, network.weights, network.transposed,
                    w_at, network.biases, b_at, picture.targets, picture.samples, scale, np.float32(quantum),
                    picture.value_map, picture.thresholds, gradient is not None, self._d_encoding,
                    sums.weights[slot], sums.biases[slot], sums.errors[slot], kept, self._scratch[worker],
                    self._rows[worker], self._cells[worker],
                )  # fmt: skip

            def scatter(worker: int, i: int, chunk: int = chunk, end: int = end) -> None:
                assert gradient is not None
                level, f = self._scatters[i]
                row = self._levels[level]
                if row[grids.IS_HASH]:
                    axes = [axis[level] for axis in self._axes]
                    flat, n = self._d_encoding.reshape(-1), U(self._d_encoding.shape[1])
                    grids.hash_scatter(
                        self._levels, U(level), flat, n, U(chunk), U(end), *axes, gradient, self._rows[worker][0]
                    )
                else:
                    d, (below, above) = self._d_encoding[int(row[grids.FIRST]) + f], self._rows[worker][:2]
                    grids.dense_scatter(
                        self._levels, U(level), U(f), d, U(chunk), U(end), U(geometry.width), gradient, below, above
                    )

            self._workers.run(-(-(end - chunk) // TASK_ROWS), rows)
            if gradient is not None:
                self._workers.run(len(self._scatters), scatter)
        return sums.total()


def _level_rows(spec: Ngp, geometry: Geometry) -> Indices:
    """The description of levels that the grid kernels read."""
    rows = np.zeros((len(spec.levels), grids.N_COLUMNS), np.uintp)
    offset = first = 0
    for row, level in zip(rows, spec.levels, strict=True):
        row[grids.OFFSET], row[grids.FEATURES], row[grids.FIRST] = offset, level.features, first
        if isinstance(level, HashLevel):
            in_rows, x = level.resolution**2 <= level.size, level.axis(geometry.width)
            row[grids.IS_HASH], row[grids.COLS] = 1, level.size
            row[grids.ROWS] = level.resolution if in_rows else 0
            row[grids.MASK] = 0 if level.size & (level.size - 1) else level.size - 1
            row[grids.IS_FINE] = int(x.high[-1] - x.low[0]) + 1 > geometry.width + 2
        elif isinstance(level, DenseLevel):
            row[grids.LOG2_STRIDE] = level.log2_stride
            row[grids.ROWS], row[grids.COLS], _ = level.shape(geometry)
        offset, first = offset + int(np.prod(level.shape(geometry))), first + level.features
    return rows


def _hash_axes(spec: Ngp, geometry: Geometry) -> tuple[Indices, Floats, Indices, Floats]:
    """Cells and fractions of the hash levels along y and along x, a row a level."""
    axes: list[npt.NDArray[np.uintp] | Floats] = []
    for n in (geometry.height, geometry.width):
        cells, fractions = np.zeros((len(spec.levels), n), np.uintp), np.zeros((len(spec.levels), n), np.float32)
        for i, level in enumerate(spec.levels):
            if isinstance(level, HashLevel):
                axis = level.axis(n)
                cells[i], fractions[i] = axis.low, axis.fraction / (1 << axis.bits)
        axes += [cells, fractions]
    return tuple(axes)  # pyright: ignore[reportReturnType]


def _row_floats(level: GridLevel, geometry: Geometry) -> int:
    """Scratch that a row of pixels needs in a level."""
    if isinstance(level, DenseLevel):
        return (level.shape(geometry)[1] + 1) << level.log2_stride
    return geometry.width + 4
