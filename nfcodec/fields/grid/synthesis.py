"""What the picture is read out of: grids brought to its size, a layer of neurons, and two layers that see neighbours.

All is exact. The grids but the finest are brought to half the picture's size once; the last doubling, the finest grid
and the network are evaluated for some rows at a time. docs/reference/format.md, "Grids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import (
    ACTIVATION_BITS,
    EXACT,
    OUTPUT_BITS,
    Affine,
    ExactArray,
    Quantized,
    Step,
    SymbolArray,
    check_exact,
    in_blocks,
    rescale,
    widened,
)
from nfcodec.exact.field import in_tiles
from nfcodec.exact.geometry import Geometry, Place, grown, within
from nfcodec.fields.grid.resampling import DOUBLING_REACH, SMOOTHING_REACH, Doubling, Smoothing

if TYPE_CHECKING:
    from nfcodec.fields.grid.field import Grid

UNIT_STEP = Step(128, -7)
"""Entries stand for themselves."""

REACH = 2
"""Rows beside a pixel whose neurons its outputs depend on."""


class Synthesis:
    """Outputs of rows of pixels in a rectangle; of each grid only what they depend on is looked at.

    Args:
        weights: all tensors.

    Raises:
        FormatError: the weights would overflow, or the step of entries is not 1.
    """

    def __init__(self, field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], place: Place) -> None:
        latents, filters = weights["latents"], weights["filters"]
        if latents.step != UNIT_STEP:
            raise FormatError("entries of grids must have a step of 1", code="steps")
        self._height, self._window = geometry.height, grown(geometry, place, REACH)
        self._cols = within(place, self._window)[1]
        lattices = [lattice for lattice in field.lattices(geometry) if not lattice.is_hyper]
        grids = [latents.symbols[each.entries, 0].reshape(each.rows, each.cols) for each in lattices]
        windows = [self._window]
        for grid in grids[1:]:
            windows.append(_coarser(windows[-1], grid.shape))
        n_steps, found = field.n_levels - 1, grids[-1][windows[-1]].astype(np.float64)[None] * (1 << ACTIVATION_BITS)
        bounds, self._finest = [_largest(found)], None
        for level in reversed(range(n_steps)):
            found = found if self._finest is None else self._finest.whole(found)
            own, coarser = (Quantized(filters.symbols[i], filters.step) for i in (n_steps + level, level))
            doubling = Doubling(coarser, [_largest(each) for each in found])
            self._finest = _Finer(grids[level], own, doubling, windows[level], windows[level + 1])
            bounds = self._finest.bounds
        self._coarser = found
        size = Geometry(geometry.height, self._window[1].stop - self._window[1].start, geometry.channels)
        self._network = _Network(field, size, weights, np.array(bounds))

    def rows(self, start: int, stop: int) -> ExactArray:
        """Outputs (C, pixels), in units of 2^-24, of the rows [start, stop)."""
        first, last = max(0, start - REACH), min(self._height, stop + REACH)
        outputs = self._network.outputs(self.levels(first, last), first, start, stop)
        return outputs.reshape(len(outputs), stop - start, -1)[:, :, self._cols].reshape(len(outputs), -1)

    def levels(self, start: int, stop: int) -> ExactArray:
        """All grids at the picture's size, (n_levels, rows, columns), in units of 2^-16, in the rows [start, stop)."""
        if self._finest:
            return self._finest.rows(self._coarser, start, stop)
        top = self._window[0].start
        return self._coarser[:, start - top : stop - top]


def _coarser(window: Place, shape: tuple[int, ...]) -> Place:
    """What a rectangle of a level depends on in the next coarser one, which has a shape."""
    rows, cols = (
        slice(max(0, (each.start >> 1) - DOUBLING_REACH), min(size, (each.stop + 1 >> 1) + DOUBLING_REACH))
        for each, size in zip(window, shape, strict=True)
    )
    return rows, cols


class _Finer:
    """A step from one level to the next finer one, in a rectangle.

    Args:
        grid: of the finer level.
        taps: of the filter that smooths it.
        window, coarser: what is wanted of the finer level, and what is there of the coarser one.

    Attributes:
        bounds: on the magnitudes of each result.
    """

    def __init__(self, grid: SymbolArray, taps: Quantized, doubling: Doubling, window: Place, coarser: Place) -> None:
        around = grown(Geometry(grid.shape[0], grid.shape[1], 1), window, SMOOTHING_REACH)
        self._grid, self._window, self._doubling = grid[around], window, doubling
        self._smoothing = Smoothing(taps, _largest(self._grid))
        self._own, self._first = within(window, around), (2 * coarser[0].start, 2 * coarser[1].start)
        self.bounds = [self._smoothing.bound, *doubling.bounds]

    def rows(self, coarser: ExactArray, start: int, stop: int) -> ExactArray:
        """Rows [start, stop) of this level's grid and of all coarser ones, (n, rows, columns)."""
        rows, cols = self._window
        own_top = start - rows.start + self._own[0].start
        top, left = start - self._first[0], self._first[1]
        out = np.empty((1 + len(coarser), stop - start, cols.stop - cols.start))
        out[0] = self._smoothing(self._grid, own_top, own_top + stop - start)[:, self._own[1]]
        out[1:] = self._doubling(coarser, top, top + stop - start, cols.stop - left)[:, :, cols.start - left :]
        return out

    def whole(self, coarser: ExactArray) -> ExactArray:
        """All rows."""
        rows, cols = self._window
        size = Geometry(rows.stop - rows.start, cols.stop - cols.start, 1)
        out = np.empty((1 + len(coarser), size.height, size.width))

        def tile(pixels: slice, start: int, stop: int) -> None:
            out[:, start:stop] = self.rows(coarser, rows.start + start, rows.start + stop)

        in_tiles(size, tile)
        return out


class _Network:
    """From all grids at the picture's size to outputs.

    Args:
        bounds: on the magnitudes of its inputs.
    """

    def __init__(self, field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], bounds: ExactArray) -> None:
        self._geometry, self._n_hidden = geometry, field.n_hidden
        n_hidden, channels = field.n_hidden, geometry.channels
        biases, near = weights["synthesis_bias"], weights["near"]
        own = np.concatenate([widened(biases.symbols[:n_hidden]), np.zeros(channels, np.int64)])
        first_bias = Quantized(own, biases.step)
        bits = ACTIVATION_BITS, ACTIVATION_BITS
        self._first = Affine(weights["synthesis"], first_bias, *bits, bounds)
        others = [Quantized(part, biases.step) for part in biases.symbols[n_hidden:].reshape(3, channels)]
        self._out = Affine(weights["out"], others[0], *bits, self._first.bounds[:n_hidden])
        y = self._out.bounds
        self._near: list[Affine] = []
        for i in range(2):
            rows = Quantized(near.symbols[i * channels : (i + 1) * channels], near.step)
            self._near.append(Affine(rows, others[1 + i], *bits, np.repeat(y, 9)))
            y = _exact(y + self._near[-1].bounds)
        y = _exact(y + self._first.bounds[n_hidden:])
        scale, offset = weights["scale"], weights["offset"]
        largest = _largest(y * scale.symbols[:, 0])
        bound = check_exact(largest, scale.step, OUTPUT_BITS - ACTIVATION_BITS)
        _exact(np.array(bound + check_exact(float(offset.limit()), offset.step, OUTPUT_BITS)))
        self._scale = scale
        self._offset = rescale(offset.symbols.astype(np.float64), offset.step, OUTPUT_BITS)[:, None]

    def outputs(self, x: ExactArray, first: int, start: int, stop: int) -> ExactArray:
        """Outputs (C, pixels) of the rows [start, stop).

        Args:
            x: (n_levels, rows, W), all that these depend on, from row `first` on.
        """
        channels, width = self._geometry.channels, self._geometry.width
        both = in_blocks(self._read, x.reshape(len(x), -1), len(x) + self._n_hidden + channels)
        y, linear = both[:channels].reshape(channels, -1, width), both[channels:].reshape(channels, -1, width)
        above, below = max(0, start - 1), min(self._geometry.height, stop + 1)
        y = self._beside(self._near[0], y, first, above, below)
        y = self._beside(self._near[1], np.maximum(y, 0, out=y), above, start, stop)
        y += linear[:, start - first : stop - first]
        y *= self._scale.symbols[:, :, None]
        out = rescale(y, self._scale.step, OUTPUT_BITS - ACTIVATION_BITS).reshape(channels, -1)
        out += self._offset
        return out

    def _read(self, x: ExactArray) -> ExactArray:
        """Outputs of the layer behind the neurons, and those of the linear map, (2 C, n)."""
        found = self._first(x)
        hidden = found[: self._n_hidden]
        return np.concatenate([self._out(np.maximum(hidden, 0, out=hidden)), found[self._n_hidden :]])

    def _beside(self, layer: Affine, y: ExactArray, first: int, start: int, stop: int) -> ExactArray:
        """Rows [start, stop) of a layer of the nine places around each, plus y, (C, rows, W) from row `first` on."""
        channels, width = self._geometry.channels, self._geometry.width
        rows = np.arange(start - 1, stop + 1).clip(0, self._geometry.height - 1) - first
        around = np.empty((channels, len(rows), width + 2))
        around[:, :, 1:-1] = y[:, rows]
        around[:, :, 0], around[:, :, -1] = around[:, :, 1], around[:, :, -2]
        x = np.empty((channels, 9, stop - start, width))
        for i in range(9):
            down, right = divmod(i, 3)
            x[:, i] = around[:, down : down + stop - start, right : right + width]
        out = layer(x.reshape(9 * channels, -1)).reshape(channels, -1, width)
        out += around[:, 1:-1, 1:-1]
        return out


def _largest(values: ExactArray | SymbolArray) -> float:
    """Magnitude."""
    return float(max(values.max(), -values.min()))


def _exact(bounds: ExactArray) -> ExactArray:
    """The same. Raises FormatError if integers of these magnitudes are not exact."""
    if bounds.max() >= EXACT:
        raise FormatError("the weights are too large for exact arithmetic", code="arithmetic")
    return bounds
