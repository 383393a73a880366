"""The field of grids in compiled loops: error, bits, and their gradients by all tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import latent_kernels
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba_entropy import Entropy, Grids
from nfcodec.fields.grid.numba_synthesis import Synthesis
from nfcodec.fields.grid.numba_tasks import Plan, Task, staggered
from nfcodec.fields.grid.numba_upsampling import Upsampling
from nfcodec.fields.grid.rate_kernels import Place
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.workers import Workers

Piece = tuple[Place, np.uintp, np.uintp, np.uintp]
"""A grid's place among `seen`, its first entry in flat arrays, and rows y0 .. y1 - 1 of it."""


@dataclass(frozen=True)
class Measured:
    """Of a pass over all grids and samples.

    Attributes:
        error: mean over samples of weight * (sample - target)^2.
        grid_bits: of each grid, in the order of `Grid.lattices`.
    """

    error: float
    grid_bits: tuple[float, ...]

    @property
    def bits(self) -> float:
        """Of all grids."""
        return sum(self.grid_bits)


class GridProgram:
    """A pass over all grids and samples, and back.

    Entries as the networks see them, `seen`, are held here with zeros around the grids; `see` fills them in.

    Args:
        target: (C, H, W) float32; weights: as the target, or none, for ones.
        workers: threads; results do not depend on how many there are.
    """

    def __init__(
        self, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, workers: Workers
    ) -> None:
        self._workers, self.n_pixels = workers, geometry.n_pixels
        self.lattices = field.lattices(geometry)
        self._grids = Grids(self.lattices)
        self._entropy = Entropy(field, geometry, self._grids, workers.n)
        self._synthesis = Synthesis(field, geometry, target, weights, workers.n)
        self._upsampling = Upsampling(
            self._grids, self._synthesis.data, self._synthesis.places, self._synthesis.bands, workers.n
        )

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

    def see(self, entries: Floats) -> None:
        """Let networks see these entries, (n_entries,) float32."""
        self.for_rows(lambda piece: latent_kernels.spread(*piece, entries, self.seen))

    def entry_slopes(self) -> Floats:
        """Slopes of the loss by entries, (n_entries,)."""
        found = np.zeros(sum(each.size for each in self._grids.lattices), np.float32)
        self.for_rows(lambda piece: latent_kernels.collect(*piece, self.slopes, found))
        return found

    def measure(self, tensors: Parameters, picture: Floats | None = None) -> Measured:
        """Error and bits, without gradients; `picture`, contiguous, (C, H, W) float32, becomes the samples."""
        return self._run(tensors, None, picture)

    def differentiate(self, tensors: Parameters, rate_weight: float) -> tuple[Measured, Parameters]:
        """And the gradients of error + rate_weight * bits / n_pixels by networks' tensors; by entries, in `slopes`."""
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
