"""SIREN for the numba engine: blocks of pixels through all layers, and the way back."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren, lattice_coordinates
from nfcodec.fields.siren.numba_kernels import Lattice, SineNet, Tasks, siren_tasks
from nfcodec.fitting.engines.base import Places
from nfcodec.fitting.engines.numba.program import (
    Example,
    Map,
    Network,
    Pass,
    Program,
    Reference,
    Sampling,
    Sums,
)
from nfcodec.kernels.arguments import Floats, Wanted
from nfcodec.kernels.blocks import padded
from nfcodec.kernels.jit import BLOCK, U
from nfcodec.workers import Workers

TASKS = 32
GRADIENT_FLOATS = 1 << 26
"""Bounds on the partial sums of the gradient, one set a task."""


class SirenProgram(Program, Sampling):
    """Ranges of pixels, each with its own partial sums of the gradient."""

    def __init__(self, field: Siren, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        self._reference, self._workers = reference, workers
        self._n_cols = geometry.width
        sizes = field.sizes
        padded_sizes, n_out = np.array([padded(n) for n in sizes], np.uintp), padded(geometry.channels)
        n_untrained = len(sizes) + 1 - len(field.trained)
        maps = [
            Map(f"weight{i}", shape, f"bias{i}", OMEGA_0)
            for i, shape in enumerate(zip(sizes, [2, *sizes], strict=False))
        ]  # fmt: skip
        last = Map("weight_out", (geometry.channels, sizes[-1]), "bias_out")
        self.network = Network([*maps, last], field.untrained())
        self._net = SineNet(padded_sizes, U(n_out), U(n_untrained), self.network.packed)
        axes = [lattice_coordinates(n).astype(np.float32) for n in (geometry.width, geometry.height)]
        self._lattice = Lattice(*axes)
        scratch = BLOCK * (4 + 2 * n_out + 2 * int(padded_sizes.sum() + padded_sizes.max()))
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
        wanted = self._reference.wanted(quantum, differentiate=gradient is not None)
        return self._run(self._reference, self._lattice, wanted, outputs)

    def run_sample(self, rows: Places, cols: Places) -> Pass:
        reference = self._reference.at((rows[:, None] * self._n_cols + cols).reshape(-1))
        lattice = Lattice(self._lattice.xs[cols], self._lattice.ys[rows])
        return self._run(reference, lattice, reference.wanted(0.0, differentiate=True))

    def _run(self, reference: Reference, lattice: Lattice, wanted: Wanted, outputs: Floats | None = None) -> Pass:
        """A pass over a lattice."""
        network, blocks = self.network, -(-reference.n_pixels // BLOCK)
        n_tasks = max(1, min(TASKS, GRADIENT_FLOATS // network.weights.size, blocks))
        task_pixels = -(-blocks // n_tasks) * BLOCK
        n_tasks = -(-reference.n_pixels // task_pixels)
        sums = Sums(network, n_tasks, n_tasks if wanted.differentiate else 1)

        kept = reference.no_outputs if outputs is None else outputs
        at_a_time = n_tasks if self._workers.n == 1 else 1

        def some(worker: int, i: int) -> None:
            first, last = i * at_a_time, min((i + 1) * at_a_time, n_tasks)
            tasks = Tasks(U(first), U(last), U(task_pixels), U(reference.n_pixels))
            found = sums.weights, sums.biases, sums.errors, kept
            siren_tasks(tasks, lattice, self._net, wanted, *found, self._scratch[worker])

        self._workers.run(-(-n_tasks // at_a_time), some)
        return sums.total()
