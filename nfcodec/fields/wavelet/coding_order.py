"""In which runs wavelet coefficients are coded, and what the networks see of the others.

Bands from coarse to fine; in a band one feature after the other; a feature in four interleaved passes, so that whole
passes are predicted and decoded at once. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.fields.wavelet.contexts import (
    AROUND,
    CROSS,
    PASSES,
    SLOPES,
    Int32Array,
    Network,
    Offset,
    Singles,
    known_before,
    networks,
    scalars,
    signed_log,
)
from nfcodec.fields.wavelet.slopes import SmoothPicture, by_parity
from nfcodec.fields.wavelet.transform import LL, Band, bands
from nfcodec.kernels import compiled

Place = tuple[slice, slice, int]

Take = Callable[[slice, Int32Array, Int32Array], object]
"""Takes rows of a run, and locations and log2 of scales of the coefficients in them, both in eighths, (n,)."""

_BLOCK_COLUMNS = 1 << 13
"""Coefficients that a thread predicts at a time, so that what networks see of them stays in the caches."""

REPAYING = 3_000_000
"""Coefficients of a picture whose decoding repays the start of compiled loops; its encoding loads them earlier."""

_COMPILED_FROM = 1 << 11
"""Coefficients of a run that is worth a call of a compiled loop."""

_MARGIN, _PARENT_MARGIN, _SLOPE_MARGIN = 2, 1, 1
"""How many places outside a band can be seen, of itself and its level, of the coarser level, and of slopes."""


@dataclass(frozen=True)
class WaveletShape:
    """A plane of coefficients in place: (rows, cols, features), and how many levels it has.

    Attributes:
        omitted: how many of the finest levels are left out; see `bands`.
    """

    rows: int
    cols: int
    features: int
    n_levels: int
    omitted: int = 0


@dataclass(frozen=True)
class Run:
    """The coefficients of one pass over a feature of a band.

    Attributes:
        key: orientation, kind of feature, and pass.
        network: the one of this key.
        place: index of these coefficients in the whole (rows, cols, features) array.
        shape: rows and columns of the run.
        arena: what the network sees is all in here.
        views: one (rows, cols) array for each coefficient and each slope that the network sees, columns side by side.
        scalars: the last inputs, the same for all.
        plane: where `put` leaves the symbols, (rows, cols, features).
        logs: where it leaves their logarithms, as this level sees them and as the finer one does, if there is one.
    """

    key: tuple[int, int, int]
    network: Network
    place: Place
    shape: tuple[int, int]
    arena: Singles
    views: Sequence[Singles]
    scalars: Sequence[int]
    plane: SymbolArray
    logs: Sequence[Singles]

    @property
    def size(self) -> int:
        """How many coefficients it has."""
        return self.shape[0] * self.shape[1]

    def place_of(self, rows: slice) -> Place:
        """Index of the coefficients in these rows of the run in the whole array."""
        whole, cols, f = self.place
        return slice(whole.start + rows.start * whole.step, whole.start + rows.stop * whole.step, whole.step), cols, f

    def inputs(self, start: int = 0, stop: int | None = None) -> Singles:
        """What the network sees, (n_inputs, n), for rows [start, stop) of the run."""
        stop = self.shape[0] if stop is None else stop
        n_views = len(self.views)
        x = np.empty((n_views + len(self.scalars), stop - start, self.shape[1]), np.float32)
        for i, view in enumerate(self.views):
            x[i] = view[start:stop]
        x[n_views:] = np.array(self.scalars)[:, None, None]
        return x.reshape(len(x), -1)

    def tasks(self, take: Take) -> list[Callable[[], object]]:
        """What predicts the coefficients, block by block, and hands over each block's rows and predictions."""
        rows = max(1, _BLOCK_COLUMNS // self.shape[1])
        predict = self._by_kernel() or self._by_numpy

        def block(start: int) -> None:
            stop = min(start + rows, self.shape[0])
            take(slice(start, stop), *predict(start, stop))

        return [partial(block, start) for start in range(0, self.shape[0], rows)]

    def _by_numpy(self, start: int, stop: int) -> tuple[Int32Array, Int32Array]:
        return self.network.predict(self.inputs(start, stop))

    def _by_kernel(self) -> Callable[[int, int], tuple[Int32Array, Int32Array]] | None:
        """The same, compiled, for runs that repay it; None for others."""
        kernel = _kernel(self.plane.size) if self.size >= _COMPILED_FROM else None
        layers = None if kernel is None else self.network.compiled_layers(self.scalars)
        if kernel is None or layers is None:
            return None
        base = _address(self.arena)
        places = [(_address(view) - base, view.strides[0]) for view in self.views]
        at, pitch = np.transpose(np.array(places, np.uintp).reshape(-1, 2)) // np.uintp(4)
        (n_inputs, packed), n_cols = layers, self.shape[1]

        def predict(start: int, stop: int) -> tuple[Int32Array, Int32Array]:
            size = (stop - start) * n_cols
            locations, log_scales, beyond = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.bool_)
            rows = np.uintp(start), np.uintp(stop)
            kernel(
                self.arena, at, pitch, np.uintp(n_cols), *rows, np.uintp(n_inputs), packed, locations, log_scales,
                beyond,
            )  # fmt: skip
            wrong = np.flatnonzero(beyond)
            if len(wrong):
                locations[wrong], log_scales[wrong] = self.network.predict_exactly(self.inputs(start, stop)[:, wrong])
            return locations, log_scales

        return predict

    def put(self, values: SymbolArray) -> None:
        """Make the symbols, (n,), known to later runs."""
        square = values.reshape(self.shape)
        self.plane[self.place] = square
        found = signed_log(square)
        for logs in self.logs:
            logs[:] = found


def _address(array: Singles) -> int:
    return array.__array_interface__["data"][0]


def _kernel(n_coefficients: int) -> Any | None:
    """The compiled loop over coefficients; None where there is none, or where so few do not repay it."""
    return compiled("nfcodec.fields.wavelet.prediction_kernels:predict", repays=n_coefficients >= REPAYING)


def runs(shape: WaveletShape, regime: int, out: SymbolArray) -> Iterator[Run]:
    """All runs in coding order; each must be `put` before the next is asked for. `out` becomes the symbols."""
    for together in groups_of_runs(shape, regime, out):
        yield from together


def groups_of_runs(shape: WaveletShape, regime: int, out: SymbolArray) -> Iterator[list[Run]]:
    """The same, those of a feature of a band together.

    All of a group must be `put`, one after the other, before the next group is asked for. What they see stays as it is
    until then.
    """
    smooth = SmoothPicture(out, shape.n_levels, shape.omitted)
    ordered = bands(shape.rows, shape.cols, shape.n_levels, shape.omitted)
    by_level = [list(those) for _, those in groupby(ordered, lambda band: band.level)]
    coming = _Level(by_level[0], shape.features, smooth)
    for here, finer in zip(by_level, [*by_level[1:], []], strict=True):
        level, coming = coming, _Level(finer, shape.features, smooth)
        for band in here:
            if band.size:
                level.begin(band)
                shared = scalars(band.level, shape.n_levels, band.orientation, regime)
                for f in range(shape.features):
                    yield _runs_of(band, f, shared, out, level, coming)


class _Level:
    """What the runs of a level's bands see, all in one array.

    Frames of a band and feature are (rows, 2, columns of a parity): even columns come before odd ones, so that the
    columns of a pass lie side by side. All values outside a band are zeros.

    Args:
        bands: those of one level; none make it empty.
        smooth: the picture that coarser bands make.
    """

    def __init__(self, bands: Sequence[Band], features: int, smooth: SmoothPicture) -> None:
        self._smooth, self._features = smooth, range(features)
        self._slopes_of: int | None = None
        shapes: dict[tuple[str, int, int], tuple[int, ...]] = {}
        for band in bands:
            for f in self._features:
                rows, cols = (size + 2 * _MARGIN for size in band.shape)
                shapes["known", band.orientation, f] = by_parity(rows, cols)
                if band.orientation != LL:
                    rows, cols = ((size + 1) // 2 + 2 * _PARENT_MARGIN for size in band.shape)
                    shapes["parent", band.orientation, f] = rows, cols
        for band in bands[-1:]:
            for axis, size in enumerate(smooth.slope_shapes(band.level) if band.orientation != LL else ()):
                shapes.update({("slope", axis, f): by_parity(*size) for f in self._features})
        self.arena = np.zeros(sum(map(math.prod, shapes.values())), np.float32)
        self._parts = dict(zip(shapes, _cut(self.arena, shapes.values()), strict=True))

    def known(self, orientation: int, f: int) -> Singles:
        """Logarithms of a band and feature of this level, with a margin of 2, columns by parity."""
        return self._parts["known", orientation, f]

    def parent(self, orientation: int, f: int) -> Singles | None:
        """Those of a band and feature of the coarser level, with a margin of 1, columns as they are."""
        return self._parts.get(("parent", orientation, f))

    def slopes(self, axis: int, f: int) -> Singles:
        """See `SmoothPicture.slopes`; columns by parity."""
        return self._parts["slope", axis, f]

    def begin(self, band: Band) -> None:
        """Prepare for the runs of a band: those before it are seen cut to its shape, and slopes are taken."""
        if band.orientation == LL:
            return
        row, col = (_MARGIN + size for size in band.shape)
        for other in range(band.orientation):
            for f in self._features:
                frame = self.known(other, f)
                frame[row:] = 0
                frame[:, col % 2, col // 2 :] = 0
        if self._slopes_of != band.level:
            self._slopes_of = band.level
            self._smooth.slopes(band.level, *([self.slopes(axis, f) for f in self._features] for axis in (0, 1)))


def _runs_of(band: Band, f: int, shared: Sequence[int], plane: SymbolArray, level: _Level, finer: _Level) -> list[Run]:
    orientation, (height, width) = band.orientation, band.shape
    sources: list[tuple[Singles, Sequence[Offset]]] = []
    if orientation != LL:
        sources += [(level.known(other, f), AROUND) for other in range(orientation)]
    if f:
        sources.append((level.known(orientation, f - 1), AROUND))
    if f > 1:
        sources.append((level.known(orientation, f - 2), CROSS))
    own, parent, child = level.known(orientation, f), level.parent(orientation, f), finer.parent(orientation, f)
    found: list[Run] = []
    for index, (row, col) in enumerate(PASSES):
        size = len(range(row, height, 2)), len(range(col, width, 2))
        if not all(size):
            continue

        def every_other(
            frame: Singles, margin: int, dy: int, dx: int, row: int = row, col: int = col, size: tuple[int, int] = size
        ) -> Singles:
            y, x = margin + row + dy, margin + col + dx
            return frame[y : y + 2 * size[0] - 1 : 2, x % 2, x // 2 : x // 2 + size[1]]

        views = [every_other(own, _MARGIN, dy, dx) for dy, dx in known_before(index)]
        if parent is not None:
            corners = [(_PARENT_MARGIN + dy, _PARENT_MARGIN + dx) for dy, dx in AROUND]
            views += [parent[y : y + size[0], x : x + size[1]] for y, x in corners]
        views += [every_other(frame, _MARGIN, *offset) for frame, offsets in sources for offset in offsets]
        views += [every_other(level.slopes(axis, f), _SLOPE_MARGIN, *at) for axis, at in SLOPES[orientation]]
        logs = [every_other(own, _MARGIN, 0, 0)]
        if child is not None:
            inside = child[_PARENT_MARGIN : _PARENT_MARGIN + height, _PARENT_MARGIN : _PARENT_MARGIN + width]
            logs.append(inside[row::2, col::2])
        place = (_every_other(band.rows, row), _every_other(band.cols, col), f)
        key = (orientation, min(f, 2), index)
        found.append(Run(key, networks()[key], place, size, level.arena, views, shared, plane, logs))
    return found


def _cut(flat: Singles, shapes: Collection[tuple[int, ...]]) -> list[Singles]:
    """Arrays of these shapes, one behind the other in a flat one."""
    starts = accumulate((math.prod(shape) for shape in shapes), initial=0)
    return [flat[start : start + math.prod(shape)].reshape(shape) for start, shape in zip(starts, shapes, strict=False)]


def _every_other(place: slice, parity: int) -> slice:
    return slice(place.start + parity * place.step, None, place.step * 2)
