"""The network that predicts each entry from those around it and from coarser grids, exactly.

docs/reference/format.md, "Entries of grids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nfcodec.coding.laplace import SCALES_PER_OCTAVE
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, EXACT, Affine, ExactArray, Quantized, widened
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.shape import ABOVE, LEFT, NEIGHBOURS, RIGHT, Lattice
from nfcodec.fields.grid.tables import LOCATION_BITS, MAX_LOCATION, MAX_SCALE, SMALLEST_LOG2
from nfcodec.kernels import compiled, flat_in_fours
from nfcodec.workers import Workers, check_stopped, n_threads, single_threaded_blas

if TYPE_CHECKING:
    from nfcodec.fields.grid.field import Grid

TENSORS = ("entropy", "entropy_bias", "maps", "map_bias")
"""Those of the network."""

Int32Array = npt.NDArray[np.int32]

BAND = 1 << 14
"""Entries that are predicted at a time."""

REPAYING, WAVEFRONT_ENTRIES = 900_000, 40
"""From so many entries on, compiled loops are worth the time to load them; and how many a wavefront counts as, as NumPy
takes a time for each."""

KERNEL = "nfcodec.fields.grid.entropy_kernels:predict_rows"

_SCALE_SHIFT = 2
"""From 1/32 of an octave to 1/8."""


def repays(grids: Sequence[Lattice]) -> bool:
    """Whether compiled loops are worth their time for these."""
    wavefronts = sum(min(lattice.n_wavefronts, lattice.size) for lattice in grids)
    return sum(lattice.size for lattice in grids) + WAVEFRONT_ENTRIES * wavefronts >= REPAYING


class EntropyModel:
    """Locations and scales of the distributions of entries.

    Args:
        weights: the network's tensors.
        limit: on the magnitudes of entries.

    Raises:
        FormatError: the weights would overflow.
    """

    def __init__(self, field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], limit: int) -> None:
        self.lattices, self.limit = field.lattices(geometry), limit
        self.near, self._n_mapped = NEIGHBOURS[: field.n_neighbours], field.n_mapped
        entropy, bias, maps, map_bias = (weights[name] for name in TENSORS)
        self._maps: list[Affine] = []
        first = 0
        for i, count in enumerate(field.n_coarser):
            own_bias = _part(map_bias, slice(i * self._n_mapped, (i + 1) * self._n_mapped))
            own = Quantized(maps.symbols[:, first : first + count], maps.step)
            self._maps.append(Affine(own, own_bias, 0, ACTIVATION_BITS, float(limit)))
            first += count
        n = field.n_inputs
        seen = bounds = np.full(n, float(limit << ACTIVATION_BITS))
        bounds[field.n_neighbours :] = np.max([each.bounds for each in self._maps], axis=0, initial=0.0)
        self._residual: list[Affine] = []
        for rows in (slice(0, n), slice(n, 2 * n)):
            layer = Affine(_part(entropy, rows), _part(bias, rows), ACTIVATION_BITS, ACTIVATION_BITS, bounds)
            self._residual.append(layer)
            bounds = bounds + layer.bounds
            if bounds.max() >= EXACT:
                raise FormatError("the weights are too large for exact arithmetic", code="arithmetic")
        ends = widened(entropy.symbols[2 * n :])
        both = np.concatenate([ends[:2], ends[2:]], axis=1)
        own_bias = _part(bias, slice(2 * n, 2 * n + 2))
        last = Quantized(both, entropy.step)
        self._last = Affine(last, own_bias, ACTIVATION_BITS, LOCATION_BITS, np.concatenate([bounds, seen]))

    def mapped(self, i: int, values: Sequence[Int32Array]) -> ExactArray:
        """What grid i sees of the coarser grids: (entries at half its resolution, n_mapped), empty if it sees none.

        Args:
            values: of all grids, (rows, cols) each; only those behind grid i are looked at.
        """
        if i >= len(self._maps) or not self._n_mapped:
            return np.empty((0, self._n_mapped))
        half = self.lattices[i + 1]
        out = np.empty((half.rows, half.cols, self._n_mapped))
        n_rows = max(1, BAND // half.cols)
        coarser = list(zip(values[i + 1 :], self.lattices[i + 1 :], strict=True))
        for start in range(0, half.rows, n_rows):
            check_stopped()
            rows = np.arange(start, min(half.rows, start + n_rows))
            x = np.empty((len(coarser), len(rows), half.cols))
            for each, (value, lattice) in zip(x, coarser, strict=True):
                shift = lattice.level - half.level
                each[:] = value[(rows >> shift)[:, None], np.arange(half.cols) >> shift]
            found = self._maps[i](x.reshape(len(coarser), -1))
            out[rows] = np.moveaxis(found.reshape(self._n_mapped, len(rows), half.cols), 0, 2)
        return out.reshape(-1, self._n_mapped)

    def predict(self, x: ExactArray) -> tuple[Int32Array, Int32Array]:
        """Locations (in 1/32) and scale indices, (n,), for inputs (n_inputs, n)."""
        hidden = x
        for layer in self._residual:
            y = layer(hidden)
            y += hidden
            hidden = np.maximum(y, 0, out=y)
        location, scale = self._last(np.concatenate([hidden, x]))
        scale += 1 << _SCALE_SHIFT >> 1
        scale *= 2.0**-_SCALE_SHIFT
        index = np.floor(scale) - SMALLEST_LOG2 * SCALES_PER_OCTAVE
        location = np.clip(location, -MAX_LOCATION, MAX_LOCATION)
        return location.astype(np.int32), np.clip(index, 0, MAX_SCALE).astype(np.int32)

    def predictions(self, i: int, values: Sequence[Int32Array]) -> tuple[Int32Array, Int32Array]:
        """Locations and scale indices of all entries of grid i, (rows, cols), given those of all grids."""
        lattice, mapped = self.lattices[i], self.mapped(i, values)
        shape = lattice.rows, lattice.cols
        locations, scales = np.empty(shape, np.int32), np.empty(shape, np.int32)
        padded = np.pad(values[i], ((ABOVE, 0), (LEFT, RIGHT)))
        n_rows = max(1, BAND // lattice.cols)
        starts = range(0, lattice.rows, n_rows)
        kernel = compiled(KERNEL, repays=repays(self.lattices))
        layers, near = self.plain_layers(), np.array(self.near)

        def band(worker: int, number: int) -> None:
            start, stop = starts[number], min(lattice.rows, starts[number] + n_rows)
            if kernel is not None:
                kernel(padded, mapped, near, layers, start, stop, locations, scales)
                return
            found = self.predict(self._inputs(padded, mapped, start, stop))
            for out, part in zip((locations, scales), found, strict=True):
                out[start:stop] = part.reshape(-1, lattice.cols)

        with single_threaded_blas():
            Workers(min(n_threads(), len(starts))).run(len(starts), band)
        return locations, scales

    def inputs(self, i: int, values: Sequence[Int32Array]) -> Callable[[int, int], ExactArray]:
        """What rows [start, stop) of grid i are predicted from, (n_inputs, entries), in units of 2^-16."""
        return partial(self._inputs, np.pad(values[i], ((ABOVE, 0), (LEFT, RIGHT))), self.mapped(i, values))

    def _inputs(self, padded: Int32Array, mapped: ExactArray, start: int, stop: int) -> ExactArray:
        """(n_inputs, n) of rows [start, stop): entries around, and what is seen of coarser grids."""
        cols = padded.shape[1] - LEFT - RIGHT
        x = np.zeros((len(self.near) + self._n_mapped, stop - start, cols))
        for each, (down, right) in zip(x, self.near, strict=False):
            rows = padded[ABOVE + start + down : ABOVE + stop + down]
            each[:] = rows[:, LEFT + right : LEFT + right + cols]
        x[: len(self.near)] *= 1 << ACTIVATION_BITS
        if len(mapped):
            rows = mapped.reshape(-1, (cols + 1) >> 1, self._n_mapped)[np.arange(start, stop) >> 1]
            x[len(self.near) :] = np.moveaxis(rows[:, np.arange(cols) >> 1], 2, 0)
        return x.reshape(len(x), -1)

    def plain_layers(self) -> tuple[npt.NDArray[np.float64], ...]:
        """As `entropy_kernels` takes them, flat and in fours.

        Of both residual layers the matrix, the offset and the bias; of the last one the matrix of what is hidden, that
        of the inputs, the offset and the bias.
        """
        first, second, last = (layer.plain() for layer in (*self._residual, self._last))
        n = len(first.matrix)
        arrays = (*first, *second, last.matrix[:, :n], last.matrix[:, n:], last.offset, last.bias)
        return tuple(flat_in_fours(np.ascontiguousarray(array)) for array in arrays)


def _part(tensor: Quantized, rows: slice) -> Quantized:
    return Quantized(tensor.symbols[rows], tensor.step)
