"""SIREN for the numba engine: blocks of pixels through all layers, and the way back."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren
from nfcodec.fields.siren.numba_kernels import siren_pixels
from nfcodec.fitting.engines.base import Places
from nfcodec.fitting.engines.numba.program import (
    Example,
    Floats,
    Map,
    Network,
    Pass,
    Picture,
    Program,
    Sampling,
    Sums,
)
from nfcodec.fitting.kernels.blocks import padded
from nfcodec.fitting.kernels.jit import BLOCK, U
from nfcodec.workers import Workers

TASKS = 32
GRADIENT_FLOATS = 1 << 26
"""Bounds on the partial sums of the gradient, one set a task."""


class SirenProgram(Program, Sampling):
    """Ranges of pixels, each with its own partial sums of the gradient."""

    def __init__(self, field: Siren, geometry: Geometry, picture: Picture, workers: Workers) -> None:
        self._picture, self._workers = picture, workers
        self._n_cols = geometry.width
        sizes = field.sizes
        self._sizes, self._n_out = np.array([padded(n) for n in sizes], np.uintp), padded(geometry.channels)
        self._n_untrained = len(sizes) + 1 - len(field.trained)
        maps = [
            Map(f"weight{i}", shape, f"bias{i}", OMEGA_0)
            for i, shape in enumerate(zip(sizes, [2, *sizes], strict=False))
        ]  # fmt: skip
        last = Map("weight_out", (geometry.channels, sizes[-1]), "bias_out")
        self.network = Network([*maps, last], field.untrained())
        self._xs, self._ys = (
            np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32)
            for n in (geometry.width, geometry.height)
        )
        scratch = BLOCK * (4 + 2 * self._n_out + 2 * int(self._sizes.sum() + self._sizes.max()))
        self._scratch = [np.zeros(scratch, np.float32) for _ in range(workers.n)]

    @classmethod
    def example(cls) -> Example:
        return Example(Siren(4, 1))

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        return self._run(self._picture, self._xs, self._ys, gradient is not None, quantum, outputs)

    def run_sample(self, rows: Places, cols: Places) -> Pass:
        picture = self._picture.at((rows[:, None] * self._n_cols + cols).reshape(-1))
        return self._run(picture, self._xs[cols], self._ys[rows], True)

    def _run(
        self,
        picture: Picture,
        xs: Floats,
        ys: Floats,
        differentiate: bool,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        """A pass over a lattice with these coordinates."""
        network, blocks = self.network, -(-picture.n_pixels // BLOCK)
        n_tasks = max(1, min(TASKS, GRADIENT_FLOATS // network.weights.size, blocks))
        task_pixels = -(-blocks // n_tasks) * BLOCK
        n_tasks = -(-picture.n_pixels // task_pixels)
        sums = Sums(network, n_tasks, n_tasks if differentiate else 1)
        scale = np.float32(2 / picture.targets.size)
        kept = picture.no_outputs if outputs is None else outputs

        def pixels(worker: int, i: int) -> None:
            first, slot = i * task_pixels, i if differentiate else 0
            siren_pixels(
                U(first), U(min(first + task_pixels, picture.n_pixels)), xs, ys, self._sizes,
                U(self._n_untrained), network.weights, network.transposed, network.w_at, network.biases, network.b_at,
                U(self._n_out), picture.targets, picture.samples, scale, np.float32(quantum), picture.value_map,
                picture.thresholds, differentiate, sums.weights[slot], sums.biases[slot], sums.errors[i], kept,
                self._scratch[worker],
            )  # fmt: skip

        self._workers.run(n_tasks, pixels)
        return sums.total()
