"""Coding wavelet coefficients: the order in which they come, and what the networks see of the others.

Bands from coarse to fine; in a band one feature after the other; a feature in four interleaved passes, so that whole
passes are predicted and decoded at once. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from nfcodec.coding.laplace import code_laplace, scale_index
from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.exact.part import Part, SymbolCoder, Symbols
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
from nfcodec.fields.wavelet.slopes import SmoothPicture
from nfcodec.fields.wavelet.transform import LL, Band, bands
from nfcodec.kernels import compiled
from nfcodec.wire import ByteReader
from nfcodec.workers import Workers, n_threads, single_threaded_blas

Place = tuple[slice, slice, int]
Slopes = tuple[Singles, Singles]

_BLOCK_COLUMNS = 1 << 13
"""Coefficients that a thread predicts at a time, so that what networks see of them stays in the caches."""

REPAYING = 3_000_000
"""Coefficients of a picture whose decoding repays the start of compiled loops; its encoding loads them earlier."""

_COMPILED_FROM = 1 << 11
"""Coefficients of a run that is worth a call of a compiled loop."""


@dataclass(frozen=True)
class WaveletShape:
    """A plane of coefficients in place: (rows, cols, features), and how many levels it has."""

    rows: int
    cols: int
    features: int
    n_levels: int


class WaveletPart(Part):
    """The coefficients of a field, predicted by the context networks.

    The head is the regime (u8).

    Args:
        name: of the tensor.
        regime: 0 .. 255, an input of all networks: 8 log2(quantizer step) + 128 suits fields of values 0 .. 1.
    """

    def __init__(self, name: str, shape: WaveletShape, regime: int) -> None:
        self._name, self._shape, self._regime = name, shape, regime

    def head(self, symbols: Symbols) -> bytes:
        return bytes([self._regime])

    def read_head(self, reader: ByteReader) -> None:
        self._regime = reader.u8()

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        chosen = None if symbols is None else symbols[self._name]
        return {self._name: code_wavelet(coder, self._shape, self._regime, chosen)}


def code_wavelet(coder: SymbolCoder, shape: WaveletShape, regime: int, symbols: SymbolArray | None) -> SymbolArray:
    """Code the coefficients, int32 (rows, cols, features), of a plane for each channel; a decoder passes None.

    Args:
        regime: 0 .. 255, an input of all networks: 8 log2(quantizer step) + 128 suits fields of values 0 .. 1.
    """
    out = np.moveaxis(
        np.zeros((shape.features, shape.rows, shape.cols), np.int32), 0, 2
    )  # a plane at a time is quicker
    workers = Workers(n_threads())
    with single_threaded_blas():
        for run in runs(shape, regime, out):
            [(locations, log_scales)] = _predicted([run], workers)
            chosen = None if symbols is None else symbols[run.place].reshape(-1)
            run.put(code_laplace(coder, locations, scale_index(log_scales), chosen))
    return out


def predictions(
    shape: WaveletShape, regime: int, symbols: SymbolArray
) -> Iterator[tuple[Place, Int32Array, Int32Array]]:
    """What the networks predict for each of the coefficients, given all before it.

    Yields:
        The place of some coefficients in the (rows, cols, features) array, and their locations and log2 of scales,
        both in eighths and of the place's shape.
    """
    workers = Workers(n_threads())
    waiting: list[Run] = []

    def predicted() -> Iterator[tuple[Place, Int32Array, Int32Array]]:
        for run, (locations, log_scales) in zip(waiting, _predicted(waiting, workers), strict=True):
            yield run.place, locations.reshape(run.shape), log_scales.reshape(run.shape)
        waiting.clear()

    with single_threaded_blas():
        for run in runs(shape, regime, symbols):
            run.put(symbols[run.place].reshape(-1))  # which the run itself and those before it do not see
            if waiting and waiting[0].arena is not run.arena:
                yield from predicted()
            waiting.append(run)
        yield from predicted()


def _predicted(together: Sequence[Run], workers: Workers) -> list[tuple[Int32Array, Int32Array]]:
    """Locations and log2 of scales of each run, both in eighths, (n,)."""
    found = [(np.empty(run.size, np.int32), np.empty(run.size, np.int32)) for run in together]
    tasks = [task for run, out in zip(together, found, strict=True) for task in run.tasks(*out)]
    workers.run(len(tasks), lambda worker, number: tasks[number]())
    return found


@dataclass(frozen=True)
class Run:
    """The coefficients of one pass over a feature of a band.

    Attributes:
        key: orientation, kind of feature, and pass.
        network: the one of this key.
        place: index of these coefficients in the whole (rows, cols, features) array.
        shape: rows and columns of the run.
        arena: what the network sees is all in here.
        views: one (rows, cols) array for each coefficient and each slope that the network sees.
        scalars: the last inputs, the same for all.
        plane: where `put` leaves the symbols, (rows, cols, features).
        own, logs: where it leaves their logarithms: in the arena, for later runs of the band and feature, and for those
            of other bands and features.
    """

    key: tuple[int, int, int]
    network: Network
    place: Place
    shape: tuple[int, int]
    arena: Singles
    views: Sequence[Singles]
    scalars: Sequence[int]
    plane: SymbolArray
    own: Singles
    logs: Singles

    @property
    def size(self) -> int:
        """How many coefficients it has."""
        return self.shape[0] * self.shape[1]

    def inputs(self, start: int = 0, stop: int | None = None) -> Singles:
        """What the network sees, (n_inputs, n), for rows [start, stop) of the run."""
        stop = self.shape[0] if stop is None else stop
        n_views = len(self.views)
        x = np.empty((n_views + len(self.scalars), stop - start, self.shape[1]), np.float32)
        for i, view in enumerate(self.views):
            x[i] = view[start:stop]
        x[n_views:] = np.array(self.scalars)[:, None, None]
        return x.reshape(len(x), -1)

    def tasks(self, locations: Int32Array, log_scales: Int32Array) -> list[Callable[[], object]]:
        """What fills in the locations and log2 of scales, both in eighths, (n,), block by block."""
        rows = max(1, _BLOCK_COLUMNS // self.shape[1])
        blocks = [(start, min(start + rows, self.shape[0])) for start in range(0, self.shape[0], rows)]
        predict = self._by_kernel() or self._by_numpy
        return [partial(predict, *block, locations, log_scales) for block in blocks]

    def _by_numpy(self, start: int, stop: int, locations: Int32Array, log_scales: Int32Array) -> None:
        place = slice(start * self.shape[1], stop * self.shape[1])
        locations[place], log_scales[place] = self.network.predict(self.inputs(start, stop))

    def _by_kernel(self) -> Callable[[int, int, Int32Array, Int32Array], None] | None:
        """The same, compiled, for runs that repay it; None for others."""
        kernel = _kernel(self.plane.size) if self.size >= _COMPILED_FROM else None
        layers = None if kernel is None else self.network.compiled_layers(self.scalars)
        if kernel is None or layers is None:
            return None
        base = _address(self.arena)
        places = [(_address(view) - base, *view.strides) for view in self.views]
        at, pitch, stride = np.transpose(np.array(places, np.uintp).reshape(-1, 3)) // np.uintp(4)
        beyond = np.zeros(self.size, np.bool_)

        def predict(start: int, stop: int, locations: Int32Array, log_scales: Int32Array) -> None:
            place = slice(start * self.shape[1], stop * self.shape[1])
            n_inputs, packed = layers
            kernel(
                self.arena, at, pitch, stride, np.uintp(self.shape[1]), np.uintp(place.start), np.uintp(place.stop),
                np.uintp(n_inputs), packed, locations, log_scales, beyond,
            )  # fmt: skip
            wrong = np.flatnonzero(beyond[place])
            if len(wrong):
                inputs = self.inputs(start, stop)[:, wrong]
                wrong += place.start
                locations[wrong], log_scales[wrong] = self.network.predict_exactly(inputs)

        return predict

    def put(self, values: SymbolArray) -> None:
        """Make the symbols, (n,), known to later runs."""
        square = values.reshape(self.shape)
        self.plane[self.place] = square
        self.own[:] = self.logs[:] = signed_log(square)


def _address(array: Singles) -> int:
    return array.__array_interface__["data"][0]


def _kernel(n_coefficients: int) -> Any | None:
    """The compiled loop over coefficients; None where there is none, or where so few do not repay it."""
    return compiled("nfcodec.fields.wavelet.prediction_kernels:predict", repays=n_coefficients >= REPAYING)


@dataclass(frozen=True)
class _Plane:
    """What is known of a plane of coefficients.

    Attributes:
        symbols: (rows, cols, features), 0 where not known yet.
        logs: of their magnitudes, with signs, by level, orientation and feature, (rows, cols) of the band; only those
            that may still be seen.
        buffers: two, which arenas take turns with.
    """

    shape: WaveletShape
    networks: Mapping[tuple[int, int, int], Network]
    regime: int
    symbols: SymbolArray
    logs: dict[tuple[int, int, int], Singles]
    buffers: list[Singles]

    def arena(self, n_values: int) -> Singles:
        """Zeros for what the runs of a band and feature see; its memory is used again by the next but one."""
        latest = self.buffers.pop(0)
        if latest.size < n_values:
            latest = np.empty(n_values, np.float32)
        self.buffers.append(latest)
        latest[:n_values] = 0
        return latest[:n_values]

    def begin(self, band: Band, f: int) -> Singles:
        """Where the logarithms of a band and feature are kept; those of bands that nothing sees any more are not."""
        for seen in [key for key in self.logs if key[0] > band.level + 1]:
            del self.logs[seen]
        self.logs[band.level, band.orientation, f] = np.zeros(band.shape, np.float32)
        return self.logs[band.level, band.orientation, f]


def runs(shape: WaveletShape, regime: int, out: SymbolArray) -> Iterator[Run]:
    """All runs in coding order; each must be `put` before the next is asked for. `out` becomes the symbols.

    What a run sees stays as it is until the runs of the next but one feature or band are asked for.
    """
    smooth = SmoothPicture(out, shape.n_levels)
    plane = _Plane(shape, networks(), regime, out, {}, [np.empty(0, np.float32) for _ in range(2)])
    slopes: Slopes | None = None
    level = None
    for band in bands(shape.rows, shape.cols, shape.n_levels):
        if band.size:
            if band.orientation != LL and band.level != level:
                slopes, level = smooth.slopes(band.level), band.level
            for f in range(shape.features):
                yield from _runs_of(plane, band, f, slopes)


def _runs_of(plane: _Plane, band: Band, f: int, slopes: Slopes | None) -> Iterator[Run]:
    shape, logs, level = plane.shape, plane.logs, band.level
    half = ((band.shape[0] + 1) // 2, (band.shape[1] + 1) // 2)
    sources: list[tuple[Singles | None, Sequence[Offset]]] = []
    if band.orientation != LL:
        sources += [(logs.get((level, other, f)), AROUND) for other in range(band.orientation)]
    if f:
        sources.append((logs[level, band.orientation, f - 1], AROUND))
    if f > 1:
        sources.append((logs[level, band.orientation, f - 2], CROSS))
    along = () if slopes is None else (slopes[0][f], slopes[1][f])
    own_shape, framed_shape = (band.shape[0] + 4, band.shape[1] + 4), (band.shape[0] + 2, band.shape[1] + 2)
    shapes = (own_shape, (half[0] + 2, half[1] + 2), *[framed_shape] * len(sources), *(each.shape for each in along))
    arena = plane.arena(sum(math.prod(each) for each in shapes))
    own, parent, *rest = _cut(arena, shapes)
    framed, along_in_arena = rest[: len(sources)], rest[len(sources) :]
    if band.orientation != LL:
        _frame(parent, logs.get((level + 1, band.orientation, f)))
    for frame, (source, _) in zip(framed, sources, strict=True):
        _frame(frame, source)
    for target, each in zip(along_in_arena, along, strict=True):
        target[:] = each
    kept = plane.begin(band, f)
    shared = scalars(level, shape.n_levels, band.orientation, plane.regime)
    for index, (row, col) in enumerate(PASSES):
        rows, cols = len(range(row, band.shape[0], 2)), len(range(col, band.shape[1], 2))
        if not (rows and cols):
            continue

        def at(dy: int, dx: int, frame: int, row: int = row, col: int = col) -> tuple[slice, slice]:
            y, x = frame + row + dy, frame + col + dx
            return slice(y, frame + band.shape[0] + dy, 2), slice(x, frame + band.shape[1] + dx, 2)

        views = [own[at(dy, dx, 2)] for dy, dx in known_before(index)]
        if band.orientation != LL:
            views += [parent[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + cols] for dy, dx in AROUND]
        views += [
            frame[at(dy, dx, 1)] for frame, (_, offsets) in zip(framed, sources, strict=True) for dy, dx in offsets
        ]
        if along:
            views += [along_in_arena[axis][at(dy, dx, 1)] for axis, (dy, dx) in SLOPES[band.orientation]]
        place = (_every_other(band.rows, row), _every_other(band.cols, col), f)
        key = (band.orientation, min(f, 2), index)
        yield Run(
            key,
            plane.networks[key],
            place,
            (rows, cols),
            arena,
            views,
            shared,
            plane.symbols,
            own[at(0, 0, 2)],
            kept[row::2, col::2],
        )


def _cut(flat: Singles, shapes: Sequence[tuple[int, ...]]) -> list[Singles]:
    """Arrays of these shapes, one behind the other in a flat one."""
    starts = accumulate((math.prod(shape) for shape in shapes), initial=0)
    return [flat[start : start + math.prod(shape)].reshape(shape) for start, shape in zip(starts, shapes, strict=False)]


def _frame(target: Singles, part: Singles | None) -> None:
    """Put a band into a frame of zeros, cut to what that has room for; nothing for None."""
    if part is not None:
        inside = part[: target.shape[0] - 2, : target.shape[1] - 2]
        target[1 : 1 + inside.shape[0], 1 : 1 + inside.shape[1]] = inside


def _every_other(place: slice, parity: int) -> slice:
    return slice(place.start + parity * place.step, None, place.step * 2)
