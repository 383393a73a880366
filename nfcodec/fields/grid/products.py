# pyright: basic
"""The products of small matrices in an iteration of a fit of grids, alone: what an iteration can be compared with."""

from __future__ import annotations

import time

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.rate_kernels import COLUMNS, PITCH
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import F, U, kernel
from nfcodec.kernels.tiles import LANES, TILE, add_outer, adjoint, affine, aligned
from nfcodec.workers import Workers

AFFINE, ADJOINT, OUTER = range(3)
"""Kinds of products, see `nfcodec.kernels.tiles`."""


class BareProducts:
    """The products of an iteration, in the same shapes and as often, on data that stay in the cache.

    Products that an iteration computes twice, to save memory, count once.

    Args:
        workers: threads, each of which does its share.

    Attributes:
        n_operations: additions and multiplications of all.
    """

    def __init__(self, field: Grid, geometry: Geometry, workers: Workers) -> None:
        self._products, self._workers = _products(field, geometry), workers
        self._data = [[_data(n_in, n_out) for _ in range(workers.n)] for _, n_in, n_out, _ in self._products]
        self.n_operations = sum(2 * n_in * n_out * columns for _, n_in, n_out, columns in self._products)

    def seconds(self) -> float:
        """How long all of them take now, one after the other."""
        began = time.perf_counter()
        for (kind, _, _, columns), data in zip(self._products, self._data, strict=True):
            self._run(kind, max(1, round(columns / COLUMNS / self._workers.n)), data)
        return time.perf_counter() - began

    def _run(self, kind: int, times: int, data: list) -> None:
        self._workers.run(self._workers.n, lambda _, i: _repeat(kind, times, *data[i]))


@kernel
def _repeat(kind, times, shape, a, e, at, z, h, bias, g):
    n_in, n_out, n_tiles, pitch = shape
    for _ in range(times):
        if kind == AFFINE:
            affine(a, e, U(0), at, n_in, z, U(0), pitch, n_out, bias, U(0), F(0), n_tiles)
        elif kind == ADJOINT:
            adjoint(a, e, U(0), at, n_in, z, U(0), pitch, n_out, h, U(0), n_tiles)
        else:
            add_outer(z, U(0), pitch, n_out, e, U(0), at, (n_in + U(3)) & ~U(3), g, U(0), n_tiles)


def _products(field: Grid, geometry: Geometry) -> list[tuple[int, int, int, int]]:
    """Of an iteration: kind, inputs, outputs, columns."""
    n, hidden, levels, channels = field.n_inputs, field.n_hidden, field.n_levels, geometry.channels
    entries, pixels = sum(each.size for each in field.lattices(geometry)), geometry.n_pixels
    near = 9 * channels
    of_entries = [
        *[(AFFINE, n, n)] * 2, (AFFINE, 2 * n, 2), (ADJOINT, 2, n), (OUTER, 2 * n, 2), (ADJOINT, n, n),
        *[(OUTER, n, n)] * 2, (AFFINE, n + 2, n),
    ]  # fmt: skip
    of_pixels = [
        (AFFINE, levels, hidden), (AFFINE, hidden, channels), (AFFINE, levels, channels),
        *[(AFFINE, near, channels)] * 4, *[(OUTER, near, channels)] * 2, (ADJOINT, channels, hidden),
        (OUTER, hidden, channels), (OUTER, levels, hidden + channels), (AFFINE, hidden + channels, levels),
    ]  # fmt: skip
    return [(*each, entries) for each in of_entries] + [(*each, pixels) for each in of_pixels]


def _data(n_in: int, n_out: int) -> list:
    """What `_repeat` takes: a block of columns for such a product."""
    rng = np.random.default_rng(0)

    def floats(n: int) -> Floats:
        found = aligned(n)
        found[:] = rng.normal(0, 0.1, n)
        return found

    at = (np.arange(n_in + 4) * PITCH).astype(np.uintp)
    rows_in, rows_out = (n_in + 4) * PITCH, (n_out + 4) * PITCH
    return [
        (U(n_in), U(n_out), U(COLUMNS // TILE), U(PITCH)), floats(n_in * n_out), floats(rows_in), at, floats(rows_out),
        floats(rows_out), floats(n_out), aligned((n_in + 4) * (n_out + 4) * LANES),
    ]  # fmt: skip
