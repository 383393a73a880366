"""Wavelet levels for the numba engine: synthesis, network and error, and the way back."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.wavelet import numba_kernels as wavelet
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.transform import gains
from nfcodec.fitting.engines.numba.program import (
    TASK_ROWS,
    Floats,
    Network,
    Pass,
    Picture,
    Program,
    Sums,
    ngp_maps,
    ngp_places,
)
from nfcodec.fitting.kernels.blocks import padded
from nfcodec.fitting.kernels.jit import BLOCK, U
from nfcodec.workers import Workers

COLUMNS = 128
"""Columns of a lattice that a thread takes at a time."""


class WaveletProgram(Program):
    """Synthesis level by level, rows of pixels through the network, and the transposed synthesis."""

    def __init__(self, spec: Ngp, geometry: Geometry, picture: Picture, workers: Workers) -> None:
        level = spec.levels[0]
        assert isinstance(level, WaveletLevel)
        self._n_levels, self._n_hidden = level.n_levels, len(spec.hidden)
        self._picture, self._workers = picture, workers
        shape = (level.features, geometry.height, geometry.width)
        self._gains = gains(geometry.height, geometry.width, level.n_levels)
        self._planes: Floats = np.zeros(shape, np.float32)
        self._gradients: Floats = np.zeros(shape, np.float32)
        widths = [level.features, *spec.hidden, geometry.channels]
        self.network = Network(ngp_maps(spec, widths))
        self._sizes = np.array([padded(width) for width in widths], np.uintp)
        self._at = ngp_places(spec, self.network)
        scratch = BLOCK * int(2 * self._sizes.sum() + 2 * self._sizes.max())
        self._scratch = [np.zeros(scratch, np.float32) for _ in range(workers.n)]
        self._halves = [np.zeros((2, geometry.width // 2 + 4), np.float32) for _ in range(workers.n)]
        self._n_slots = -(-geometry.height // TASK_ROWS)

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        planes, picture, network = self._planes, self._picture, self.network
        height = planes.shape[1]
        planes[:] = tables.reshape(planes.shape)
        if steps[0] > 0:
            planes /= steps[0]
            np.round(planes, out=planes)
            planes *= steps[0]
        planes *= self._gains
        for level in range(self._n_levels, 0, -1):
            self._lift(planes, level, transposed=False)
        sums = Sums(network, self._n_slots)
        kept = picture.no_outputs if outputs is None else outputs
        scale, (w_at, b_at) = np.float32(2 / picture.targets.size), self._at

        def rows(worker: int, slot: int) -> None:
            first = slot * TASK_ROWS
            wavelet.wavelet_rows(
                U(first), U(min(first + TASK_ROWS, height)), planes, self._sizes, U(self._n_hidden),
                network.weights, network.transposed, w_at, network.biases, b_at, picture.targets, picture.samples,
                scale, np.float32(quantum), picture.value_map, picture.thresholds, gradient is not None,
                self._gradients, sums.weights[slot], sums.biases[slot], sums.errors[slot], kept, self._scratch[worker],
            )  # fmt: skip

        self._workers.run(self._n_slots, rows)
        if gradient is not None:
            for level in range(1, self._n_levels + 1):
                self._lift(self._gradients, level, transposed=True)
            self._gradients *= self._gains
            gradient += self._gradients.reshape(-1)
        return sums.total()

    def _lift(self, planes: Floats, level: int, *, transposed: bool) -> None:
        """One level of the synthesis, or of its transpose, on all planes."""
        stride = 1 << (level - 1)
        features, n_rows, n_cols = len(planes), -(-planes.shape[1] // stride), -(-planes.shape[2] // stride)
        n_blocks, n_strips = -(-n_cols // COLUMNS), -(-n_rows // COLUMNS)

        def down_columns(worker: int, i: int) -> None:
            feature, block = divmod(i, n_blocks)
            x0 = block * COLUMNS
            x1 = min(n_cols, x0 + COLUMNS)
            wavelet.columns(planes, U(feature), U(stride), U(x0), U(x1), transposed)

        def along_rows(worker: int, i: int) -> None:
            feature, strip = divmod(i, n_strips)
            y0 = strip * COLUMNS
            y1 = min(n_rows, y0 + COLUMNS)
            even, odd = self._halves[worker]
            wavelet.rows(planes, U(feature), U(stride), U(y0), U(y1), even, odd, transposed)

        if transposed:
            self._workers.run(features * n_strips, along_rows)
            self._workers.run(features * n_blocks, down_columns)
        else:
            self._workers.run(features * n_blocks, down_columns)
            self._workers.run(features * n_strips, along_rows)
