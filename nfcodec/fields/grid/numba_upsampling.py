"""Upsampling of the field of grids in compiled loops: latents of a level double in size, one level after the other."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.fields.grid import upsampling_kernels as kernels
from nfcodec.fields.grid.numba_entropy import Grids
from nfcodec.fields.grid.numba_tasks import Task
from nfcodec.fields.grid.rate_kernels import Place
from nfcodec.fields.grid.upsampling_kernels import Step
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.kernels.tiles import aligned

Bands = list[tuple[int, int]]


class Upsampling:
    """See `upsampling_kernels`.

    Args:
        data: the array of the upsampled latents, which become their slopes; targets: where they are.
        bands: rows of pixels that a thread takes at a time; they begin at even rows.
    """

    def __init__(self, grids: Grids, data: Floats, targets: list[Place], bands: Bands, n_threads: int) -> None:
        self._grids, self._data, self._targets, self._bands = grids, data, targets, bands
        self._latents = [i for i, each in enumerate(grids.lattices) if not each.is_hyper]
        self._n_levels = len(self._latents)
        self._places: dict[tuple[int, int], Place] = {}
        end = 0
        for level in range(1, self._n_levels):
            for at in range(level, 0, -1):
                rows, cols = self._size(at)
                self._places[level, at] = Place(U(end), U(cols), U(rows), U(cols))
                end += -(-rows * cols // 16) * 16
        self._planes, self._slopes = aligned(end), aligned(end)
        self._halves = np.array([self._places[level, 1] for level in range(1, self._n_levels)], np.uintp)
        self._wholes = np.array(targets[1:], np.uintp)
        self._taps: Floats = np.zeros((0, 4), np.float32)
        n_floats = kernels.scratch_floats(self._size(0)[1])
        self._scratch = [aligned(n_floats) for _ in range(n_threads)]
        self._found: list[Floats] = []

    def _size(self, level: int) -> tuple[int, int]:
        lattice = self._grids.lattices[self._latents[level]]
        return lattice.rows, lattice.cols

    def pack(self, tensors: Parameters) -> None:
        """Take over the filters, and forget what was found."""
        self._taps = tensors["filters"]
        self._found.clear()

    def _begin(self, level: int, target: Floats, place: Place, y0: int, y1: int, worker: int) -> None:
        """A grid at its own level."""
        step = Step(self._grids.places[self._latents[level]], place, U(y0), U(y1))
        if level == self._n_levels - 1:
            kernels.copy(step, self._grids.seen, target)
        else:
            taps = self._taps[self._n_levels - 1 + level]
            kernels.smooth(step, self._grids.seen, target, taps, self._scratch[worker])

    def coarse_tasks(self) -> list[Task]:
        """Bring each coarser grid to half the size of the picture."""

        def task(level: int, worker: int) -> None:
            self._begin(level, self._planes, self._places[level, level], 0, self._size(level)[0], worker)
            for at in range(level - 1, 0, -1):
                source, target = self._places[level, at + 1], self._places[level, at]
                step = Step(source, target, U(0), target.rows)
                kernels.double(step, self._planes, self._planes, self._taps[at], self._scratch[worker])

        return [lambda worker, level=level: task(level, worker) for level in range(1, self._n_levels)]

    def finish(self, band: tuple[int, int], worker: int) -> None:
        """Rows of all upsampled latents."""
        self._begin(0, self._data, self._targets[0], *band, worker)
        if self._n_levels > 1:
            kernels.double_all(
                self._halves, self._wholes, U(band[0]), U(band[1]), self._planes, self._data, self._taps[0],
                self._scratch[worker],
            )  # fmt: skip

    def fine_back_tasks(self) -> list[Task]:
        """From the slopes of upsampled latents to those of coarser grids at half the size of the picture."""

        def task(band: tuple[int, int], found: Floats, worker: int) -> None:
            if self._n_levels > 1:
                kernels.double_all_back(
                    self._halves, self._wholes, U(band[0] // 2), U(-(-band[1] // 2)), self._planes, self._data,
                    self._slopes, self._taps[0], found[0], self._scratch[worker],
                )  # fmt: skip

        founds = [(band, self._new_found()) for band in self._bands]
        return [lambda worker, band=band, found=found: task(band, found, worker) for band, found in founds]

    def finest_back_tasks(self) -> list[Task]:
        """From the slopes of upsampled latents to those of the finest grid."""

        def task(band: tuple[int, int], found: Floats, worker: int) -> None:
            self._end(0, self._data, self._targets[0], *band, found, worker)

        founds = [(band, self._new_found()) for band in self._bands]
        return [lambda worker, band=band, found=found: task(band, found, worker) for band, found in founds]

    def _new_found(self) -> Floats:
        self._found.append(np.zeros((max(1, 2 * (self._n_levels - 1)), 4), np.float32))
        return self._found[-1]

    def _end(self, level: int, slopes: Floats, place: Place, y0: int, y1: int, found: Floats, worker: int) -> None:
        """Back to the slopes of a grid."""
        grid = self._grids.places[self._latents[level]]
        if level == self._n_levels - 1:
            kernels.add(Step(place, grid, U(y0), U(y1)), slopes, self._grids.slopes)
        else:
            tap = self._n_levels - 1 + level
            step, seen = Step(grid, place, U(y0), U(y1)), self._grids.seen
            scratch = self._scratch[worker]
            kernels.smooth_back(step, seen, slopes, self._grids.slopes, self._taps[tap], found[tap], scratch)

    def _coarse_back(self, level: int, found: Floats, worker: int) -> None:
        for at in range(1, level):
            source = self._places[level, at + 1]
            step = Step(source, self._places[level, at], U(0), source.rows)
            kernels.double_back(
                step, self._planes, self._slopes, self._slopes, self._taps[at], found[at], self._scratch[worker]
            )
        self._end(level, self._slopes, self._places[level, level], 0, self._size(level)[0], found, worker)

    def coarse_back_tasks(self) -> dict[int, Task]:
        """On from half the size to the slopes of each coarser grid, by the grid's number."""
        founds = [(level, self._new_found()) for level in range(1, self._n_levels)]
        return {
            self._latents[level]: lambda worker, level=level, found=found: self._coarse_back(level, found, worker)
            for level, found in founds
        }

    def gradients(self) -> Parameters:
        """Of the filters."""
        found = np.array(self._found).sum(axis=0, dtype=np.float64).astype(np.float32)
        return {"filters": found[: 2 * (self._n_levels - 1)]}
