"""The field of grids in compiled loops: error, bits, and their gradients by all tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import latent_kernels
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba_entropy import Entropy, Grids
from nfcodec.fields.grid.numba_synthesis import Synthesis
from nfcodec.fields.grid.numba_tasks import Plan, Task, staggered
from nfcodec.fields.grid.numba_upsampling import Upsampling
from nfcodec.fields.grid.program import EPS, Latents, Measured, Program
from nfcodec.fields.grid.rate_kernels import Place
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.workers import Workers, n_threads

Piece = tuple[Place, np.uintp, np.uintp, np.uintp]
"""A grid's place among `seen`, its first entry in flat arrays, and rows y0 .. y1 - 1 of it."""


class GridProgram(Program):
    """A pass in bands of rows, by threads.

    Entries as the networks see them, `seen`, are held here with zeros around the grids; `see` fills them in.

    Args:
        target: (C, H, W) float32; weights: as the target, or none, for ones.
        workers: threads; results do not depend on how many there are.
    """

    engine: ClassVar[str] = "numba"

    def __init__(
        self, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, workers: Workers
    ) -> None:
        super().__init__(field, geometry)
        self._workers = workers
        self._grids = Grids(self.lattices)
        self._entropy = Entropy(field, geometry, self._grids, workers.n)
        self._synthesis = Synthesis(field, geometry, target, weights, workers.n)
        self._upsampling = Upsampling(
            self._grids, self._synthesis.data, self._synthesis.places, self._synthesis.bands, workers.n
        )

    @classmethod
    def require(cls, device: str) -> None:
        """See `Program.require`. The CPU is always there, and `engine_for` refuses any other device."""

    @classmethod
    def of(cls, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, device: str) -> GridProgram:
        return cls(field, geometry, target, weights, Workers(n_threads()))

    @property
    def seen(self) -> Floats:
        """Entries of all grids, with zeros around."""
        return self._grids.seen

    @property
    def slopes(self) -> Floats:
        """Of the loss by `seen`, after a pass with gradients; what is around the grids means nothing."""
        return self._grids.slopes

    def for_rows(self, task: Callable[[Piece], object]) -> None:
        """Call a function for pieces of all grids."""
        grids = self._grids

        def piece(i: int, y0: int, y1: int) -> None:
            task((grids.places[i], U(grids.lattices[i].first), U(y0), U(y1)))

        self._do([lambda _, each=each: piece(*each) for each in grids.pieces])

    def latents(self, values: Floats, gain: float, seed: int) -> Latents:
        return _NumbaLatents(self, values, gain, seed)

    def see(self, entries: Floats) -> None:
        self.for_rows(lambda piece: latent_kernels.spread(*piece, entries, self.seen))

    def entry_slopes(self) -> Floats:
        found = np.zeros(sum(each.size for each in self._grids.lattices), np.float32)
        self.for_rows(lambda piece: latent_kernels.collect(*piece, self.slopes, found))
        return found

    def measure(self, tensors: Parameters, picture: Floats | None = None) -> Measured:
        return self._run(tensors, None, picture)

    def differentiate(self, tensors: Parameters, rate_weight: float) -> tuple[Measured, Parameters]:
        found = self._run(tensors, rate_weight, None)
        parts = self._entropy, self._upsampling, self._synthesis
        return found, {name: value for part in parts for name, value in part.gradients().items()}

    def _run(self, tensors: Parameters, rate_weight: float | None, picture: Floats | None) -> Measured:
        entropy, upsampling, synthesis = self._entropy, self._upsampling, self._synthesis
        entropy.pack(tensors)
        upsampling.pack(tensors)
        synthesis.pack(tensors)
        synthesis.compare_with(picture, differentiate=rate_weight is not None)
        if rate_weight is not None:
            self.slopes.fill(0)
        first, second = entropy.rate_tasks(rate_weight)

        def begin(band: tuple[int, int], worker: int) -> None:
            upsampling.finish(band, worker)
            synthesis.begin(band, worker)

        begins: list[Task] = [lambda worker, band=band: begin(band, worker) for band in synthesis.bands]
        stages = [begins, synthesis.go_on_tasks(), synthesis.compare_tasks()]
        if rate_weight is not None:
            stages += [synthesis.last_back_tasks(), synthesis.first_back_tasks(), upsampling.fine_back_tasks()]
        self._do([*upsampling.coarse_tasks(), *entropy.map_tasks()])
        self._do(first)
        plan = Plan()
        staggered(plan, stages, second)
        plan.run(self._workers)
        if rate_weight is not None:
            self._end_gradients()
        grid_bits: Any = np.zeros(len(self._grids.lattices))
        np.add.at(grid_bits, [i for i, _, _ in self._grids.bands], entropy.bits)
        return Measured(float(synthesis.errors.sum() / self._n_samples), tuple(grid_bits.tolist()))

    def _end_gradients(self) -> None:
        """Slopes that come through maps, and through upsampling from where several levels have been."""
        plan, upsampled = Plan(), self._upsampling.coarse_back_tasks()

        def coarse(i: int, worker: int) -> None:
            self._entropy.add_mapped(i)
            if i in upsampled:
                upsampled[i](worker)

        mapped = [plan.add(each) for each in self._entropy.map_back_tasks()]
        for each in self._upsampling.finest_back_tasks():
            plan.add(each)
        for i in range(1, len(self._grids.lattices)):
            plan.add(lambda worker, i=i: coarse(i, worker), mapped)
        plan.run(self._workers)

    def _do(self, tasks: list[Task]) -> None:
        self._workers.run(len(tasks), lambda worker, i: tasks[i](worker))

    @property
    def _n_samples(self) -> int:
        return self._synthesis.n_samples


class _NumbaLatents(Latents):
    """Latents that are softened and moved in the program's bands."""

    def __init__(self, program: GridProgram, values: Floats, gain: float, seed: int) -> None:
        self._program, self._gain = program, np.float32(gain)
        self._values: Floats = np.array(values, np.float32)
        self._softened = np.zeros_like(self._values)
        self._rng = np.random.default_rng(seed)
        self.restart()

    @property
    def values(self) -> Floats:
        return self._values

    def restore(self, values: Floats) -> None:
        self._values[:] = values
        self.restart()

    def restart(self) -> None:
        self._n = 0
        self._moments = np.zeros_like(self._values), np.zeros_like(self._values)

    def harden(self) -> None:
        seen, values, gain = self._program.seen, self._values, self._gain
        self._program.for_rows(lambda piece: latent_kernels.harden(*piece, values, gain, seen))

    def soften(self, temperature: float, noise: float) -> None:
        seen, values, softened = self._program.seen, self._values, self._softened
        key = np.uint32(self._rng.integers(1 << 32))
        kind = self._gain, np.float32(temperature), np.float32(noise), key
        self._program.for_rows(lambda piece: latent_kernels.soften(*piece, values, kind, seen, softened))

    def move(self, rate: float, betas: tuple[float, float]) -> None:
        self._n += 1
        corrections = (1 / (1 - each**self._n) for each in betas)
        kind = tuple(np.float32(x) for x in (rate, *betas, *corrections, EPS))
        slopes, values, softened, moments = self._program.slopes, self._values, self._softened, self._moments
        self._program.for_rows(lambda piece: latent_kernels.move(*piece, values, kind, slopes, softened, moments))
