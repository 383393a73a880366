"""The entropy model of the field of grids in compiled loops: its tensors packed, its work in pieces, its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import map_kernels as maps
from nfcodec.fields.grid import rate_kernels as kernels
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba_tasks import Task
from nfcodec.fields.grid.rate_kernels import PITCH, EntropyNet, Place, Rated, padded
from nfcodec.fields.grid.shape import ABOVE, LEFT, NEIGHBOURS, Lattice
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.kernels.tiles import LANES, aligned, total

ENTRIES = 1 << 13
"""Entries of a grid that a thread takes at a time, about."""

_MORE_ENTRIES = 1 << 16
"""The same where there is less to do for each."""

_LEAST_ROWS = 4
"""Of a piece, an even number over the reach of an entry's neighbours: of three pieces the first and last share none."""


class Grids:
    """All grids with zeros around them, in one flat array.

    Attributes:
        lattices, places: what the grids are, and where.
        seen: entries; slopes: of the loss by them.
        bands: parts of grids, (grid, y0, y1), the largest grids first; pieces: the same, larger.
    """

    def __init__(self, lattices: list[Lattice]) -> None:
        self.lattices, self.places = lattices, list[Place]()
        end = 0
        for each in lattices:
            pitch = each.cols + LEFT
            first = end + ABOVE * pitch + LEFT
            self.places.append(Place(U(first), U(pitch), U(each.rows), U(each.cols)))
            end = first + each.rows * pitch + PITCH
        self.seen, self.slopes = aligned(end + PITCH), aligned(end + PITCH)
        self.bands = [band for i, each in enumerate(lattices) for band in _bands(i, each, ENTRIES)]
        self.pieces = [piece for i, each in enumerate(lattices) for piece in _bands(i, each, _MORE_ENTRIES)]


def _bands(i: int, lattice: Lattice, n_entries: int) -> list[tuple[int, int, int]]:
    rows = max(_LEAST_ROWS, n_entries // lattice.cols // 2 * 2)
    return [(i, y, min(y + rows, lattice.rows)) for y in range(0, lattice.rows, rows)]


class _Map:
    """What one grid sees of coarser ones: for each mapped number a plane at every coarser level, the finest first.

    Attributes:
        base, step: of the first plane's numbers in the array of all, and from one plane to the next.
        levels: (n, 4) of places in a plane.
        coarser: (n, 3): of each coarser grid its level among those, and where its entries begin and its pitch.
    """

    def __init__(self, i: int, base: int, grids: Grids) -> None:
        latents = [each for each in grids.lattices[i + 1 :] if not each.is_hyper]
        firsts = np.cumsum([0, *(each.size for each in latents)]).tolist()
        rows = [(first, each.cols, each.rows, each.cols) for first, each in zip(firsts, latents, strict=False)]
        self.base, self.step, self.levels = base, firsts[-1], np.array(rows, np.uintp)
        behind = zip(grids.lattices[i + 1 :], grids.places[i + 1 :], strict=True)
        self.coarser = np.array([(each.level - i - 1, place.first, place.pitch) for each, place in behind], np.uintp)

    def half(self) -> Place:
        first, pitch, rows, cols = self.levels[0]
        return Place(U(self.base + first), pitch, rows, cols)


class Entropy:
    """See `rate_kernels`; gradients are summed up for each piece, so that they depend on no number of threads."""

    def __init__(self, field: Grid, geometry: Geometry, grids: Grids, n_threads: int) -> None:
        self._grids, self._n_mapped, self._counts = grids, field.n_mapped, field.n_coarser
        self._n_pixels = geometry.n_pixels
        n = self._n = field.n_inputs
        self._maps = list[_Map]()
        end = 0
        for i in range(len(self._counts)):
            self._maps.append(_Map(i, end, grids))
            end += self._maps[-1].step * field.n_mapped
        self._mapped, self._mapped_slopes = aligned(end + PITCH), aligned(end + PITCH)
        self._weights, self._bias = np.zeros((len(self._counts), 0), np.float32), np.zeros(0, np.float32)
        self._map_found = [np.zeros((field.n_mapped, n_coarser + 1), np.float32) for n_coarser in self._counts]
        neighbours = np.array(NEIGHBOURS[: field.n_neighbours])
        out_at = np.concatenate([np.arange(2 * n, 3 * n), np.arange(n), np.zeros(4, int)]) * PITCH

        def flat(*shape: int) -> Floats:
            return np.zeros(int(np.prod(shape)), np.float32)

        self._net = EntropyNet(
            U(n), U(field.n_neighbours), flat(n, n), flat(n, n), flat(2, 2 * n), flat(n, n), flat(n, 2),
            flat(n, n + 2), flat(2 * n + 2), flat(n + 4),
            (-neighbours[:, 0]).astype(np.uintp), neighbours[:, 1].astype(np.intp).view(np.uintp).copy(),
            np.arange(0, (n + 8) * PITCH, PITCH).astype(np.uintp), out_at.astype(np.uintp),
        )  # fmt: skip
        self._scratch = [aligned(kernels.scratch_rows(n) * PITCH) for _ in range(n_threads)]
        self._partial = [aligned(kernels.found_floats(n) * LANES) for _ in range(n_threads)]
        self._found = np.zeros((len(grids.bands), kernels.found_floats(n)), np.float32)
        self.bits: npt.NDArray[np.float64] = np.zeros(len(grids.bands))

    def pack(self, tensors: Parameters) -> None:
        """Take over the tensors' values."""
        n, net, weights = self._n, self._net, tensors["entropy"]
        one = np.eye(n, dtype=np.float32)
        first, second, out, linear = weights[:n] + one, weights[n : 2 * n] + one, weights[2 * n : -2], weights[-2:]
        packed: dict[str, Any] = {
            "first": first, "second": second, "out": np.hstack([out, linear]), "of_second": second.T, "of_out": out.T,
            "of_inputs": np.vstack([linear, first]).T, "biases": tensors["entropy_bias"],
        }  # fmt: skip
        for name, value in packed.items():
            getattr(net, name)[:] = value.reshape(-1)
        ends = np.cumsum(self._counts)[:-1]
        self._weights = [np.ascontiguousarray(part) for part in np.split(tensors["maps"], ends, axis=1)]
        self._bias = tensors["map_bias"].reshape(len(self._counts), self._n_mapped)

    def map_tasks(self) -> list[Task]:
        """Map what grids see of coarser ones."""

        def task(i: int, k: int, each: _Map) -> Task:
            plane = self._plane(each, k, self._mapped)
            weights, bias = self._weights[i][k], self._bias[i, k]
            return lambda worker: maps.map_up(each.levels, plane, bias, each.coarser, self._grids.seen, weights)

        return [task(i, k, each) for i, each in enumerate(self._maps) for k in range(self._n_mapped)]

    def _plane(self, each: _Map, k: int, of: Floats) -> Floats:
        return of[each.base + k * each.step :][: each.step]

    def rate_tasks(self, rate_weight: float | None) -> tuple[list[Task], list[Task]]:
        """Bits, and gradients for a rate weight; the tasks of the second list come after those of the first."""
        slope = np.float32(0 if rate_weight is None else rate_weight / self._n_pixels)
        tasks: tuple[list[Task], list[Task]] = ([], [])
        last, number = -1, 0
        for slot, (i, y0, y1) in enumerate(self._grids.bands):
            number = 0 if i != last else number + 1
            last = i
            tasks[number % 2].append(self._rate_task(slot, i, y0, y1, slope))
        return tasks

    def _rate_task(self, slot: int, i: int, y0: int, y1: int, slope: np.float32) -> Task:
        grids, has_map = self._grids, i < len(self._maps) and self._n_mapped > 0
        half = self._maps[i].half() if has_map else Place(U(0), U(0), U(0), U(0))
        step = U(self._maps[i].step) if has_map else U(0)
        rated = Rated(grids.places[i], half, step, U(y0), U(y1), slope)

        def task(worker: int) -> None:
            partial = self._partial[worker]
            if slope:
                partial.fill(0)
            self.bits[slot] = kernels.rate_rows(
                rated, self._net, grids.seen, self._mapped, grids.slopes, self._mapped_slopes, partial,
                self._scratch[worker],
            )  # fmt: skip
            if slope:
                total(partial, self._found[slot])

        return task

    def map_back_tasks(self) -> list[Task]:
        """Gradients of the maps."""

        def task(i: int, k: int, each: _Map) -> Task:
            plane, found = self._plane(each, k, self._mapped_slopes), self._map_found[i][k]
            return lambda worker: maps.map_down(each.levels, plane, each.coarser, self._grids.seen, found)

        return [task(i, k, each) for i, each in enumerate(self._maps) for k in range(self._n_mapped)]

    def add_mapped(self, j: int) -> None:
        """Add to the slopes of grid j those that come through maps."""
        for i, each in enumerate(self._maps[:j]):
            first, pitch, rows, cols = each.levels[self._grids.lattices[j].level - i - 1]
            plane = Place(U(each.base + first), pitch, rows, cols)
            weights = np.ascontiguousarray(self._weights[i][:, j - i - 1])
            place = self._grids.places[j]
            maps.add_mapped(place, plane, U(each.step), weights, self._mapped_slopes, self._grids.slopes)

    def gradients(self) -> Parameters:
        """Of the tensors."""
        n, n4 = self._n, padded(self._n)
        found = self._found.sum(axis=0, dtype=np.float64).astype(np.float32)
        layers = found[: 2 * n * n4].reshape(2 * n, n4)[:, :n]
        out = found[2 * n * n4 :][: 2 * padded(2 * n)].reshape(2, -1)
        return {
            "entropy": np.concatenate([layers, out[:, :n], out[:, n : 2 * n]]),
            "entropy_bias": found[-(2 * n + 2) :],
            "maps": np.concatenate(
                [np.zeros((self._n_mapped, 0), np.float32), *(each[:, :-1] for each in self._map_found)], 1
            ),
            "map_bias": np.concatenate([np.zeros(0, np.float32), *(each[:, -1] for each in self._map_found)]),
        }
