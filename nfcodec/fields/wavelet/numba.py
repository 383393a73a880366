"""Wavelets for the numba engine: synthesis, linear map and error, the way back, and the rate of the coefficients."""

from __future__ import annotations

import numpy as np

from nfcodec.errors import EngineError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet import numba_kernels as wavelet
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.rate import Priors, by_plane
from nfcodec.fields.wavelet.transform import gains
from nfcodec.fitting.engines.numba.program import TASK_ROWS, Example, Pass, Program, Rating, Reference, Sums
from nfcodec.fitting.engines.numba.relu import Relu
from nfcodec.fitting.engines.numba.tables import ELEMENTS, NONE
from nfcodec.kernels.arguments import Floats, Rows
from nfcodec.kernels.jit import U
from nfcodec.workers import Workers

COLUMNS = 128
"""Columns of a lattice that a thread takes at a time."""


class WaveletProgram(Program, Rating):
    """Synthesis level by level, rows of pixels through the linear map, and the transposed synthesis.

    Raises EngineError for a field with filters: gradient steps are those of the linear part.
    """

    def __init__(self, field: Wavelet, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        if field.n_filters:
            raise EngineError("the numba engine fits wavelets without filters")
        self._n_levels = field.n_levels
        self._reference, self._workers = reference, workers
        shape = (geometry.channels, geometry.height, geometry.width)
        self._gains = gains(geometry.height, geometry.width, field.n_levels)
        self._planes: Floats = np.zeros(shape, np.float32)
        self._gradients: Floats = np.zeros(shape, np.float32)
        self._relu = Relu.of(field.layout(geometry), workers)
        self.network = self._relu.network
        self._halves = [np.zeros((2, geometry.width // 2 + 4), np.float32) for _ in range(workers.n)]
        self._n_slots = -(-geometry.height // TASK_ROWS)
        self._priors: Priors | None = None
        self._by_plane = NONE, NONE

    @classmethod
    def example(cls) -> Example:
        priors = Priors(np.zeros((8, 8, 1), np.float32), np.ones((8, 8, 1), np.float32))
        return Example(Wavelet(2), priors)

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        planes = self._planes
        height = planes.shape[1]
        planes[:] = tables.reshape(planes.shape)
        if steps[0] > 0:
            planes /= steps[0]
            np.round(planes, out=planes)
            planes *= steps[0]
        planes *= self._gains
        for level in range(self._n_levels, 0, -1):
            self._lift(planes, level, transposed=False)
        sums, net = Sums(self.network, self._n_slots), self._relu.net
        wanted = self._reference.wanted(quantum, differentiate=gradient is not None)

        def rows(worker: int, slot: int) -> None:
            first = slot * TASK_ROWS
            mine = Rows(U(first), U(min(first + TASK_ROWS, height)))
            found = self._reference.found(sums, slot, outputs)
            wavelet.wavelet_rows(mine, planes, net, wanted, self._gradients, found, self._relu.scratch[worker])

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

    def rate(
        self, tables: Floats, steps: Floats, weight: float, model: object | None, gradient: Floats | None
    ) -> float:
        """Under the distributions that `model`, of class `Priors`, states. Raises TypeError for any other."""
        priors = self._distributions(model)
        n, weight_32, step = tables.size, np.float32(weight), steps[0]
        bits = np.zeros(-(-n // ELEMENTS))

        def piece(worker: int, i: int) -> None:
            bits[i] = wavelet.laplace_rate(
                tables, NONE if gradient is None else gradient, priors, U(i * ELEMENTS),
                U(min(n, (i + 1) * ELEMENTS)), step, weight_32,
            )  # fmt: skip

        self._workers.run(len(bits), piece)
        return float(bits.sum())

    def _distributions(self, model: object | None) -> tuple[Floats, Floats]:
        """Locations and one over scales, flat, a plane after the other; made once for each model."""
        if not isinstance(model, Priors):
            raise TypeError("the rate model of wavelets is of class Priors")
        if model is not self._priors:
            self._by_plane = by_plane(model.locations), np.reciprocal(by_plane(model.scales))
            self._priors = model
        return self._by_plane
