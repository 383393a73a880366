"""Coding wavelet coefficients: the order in which they come, and what the networks see of the others.

Bands from coarse to fine; in a band one feature after the other; a feature in four interleaved passes, so that whole
passes are predicted and decoded at once. docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import Int64Array
from nfcodec.coding.laplace import code_laplace, scale_index
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.fields.wavelet.contexts import (
    AROUND,
    CROSS,
    PASSES,
    SLOPES,
    Floats,
    Network,
    known_before,
    networks,
    scalars,
    signed_log,
)
from nfcodec.fields.wavelet.slopes import SmoothPicture, slope_log
from nfcodec.fields.wavelet.transform import LL, Band, bands
from nfcodec.wire import ByteReader
from nfcodec.workers import Workers, n_threads, single_threaded_blas

PREDICTED_TOGETHER = 4
"""Runs at a time where all symbols are known, so that memory is bounded."""

_BLOCK_COLUMNS = 1 << 16
"""Coefficients that are predicted at a time, so that memory is bounded."""


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


def code_wavelet(coder: SymbolCoder, shape: WaveletShape, regime: int, symbols: Int64Array | None) -> Int64Array:
    """Code the coefficients, int64 (rows, cols, features), of a plane for each channel; a decoder passes None.

    Args:
        regime: 0 .. 255, an input of all networks: 8 log2(quantizer step) + 128 suits fields of values 0 .. 1.
    """
    out = np.zeros((shape.rows, shape.cols, shape.features), np.int64)
    with single_threaded_blas():
        for run in runs(shape, regime, out):
            locations, log_scales = run.predict()
            chosen = None if symbols is None else symbols[run.place].reshape(-1)
            run.put(code_laplace(coder, locations, scale_index(log_scales), chosen))
    return out


def predictions(shape: WaveletShape, regime: int, symbols: Int64Array) -> tuple[Int64Array, Int64Array]:
    """What the networks predict for each of the coefficients, given all before it: locations and scales.

    Returns:
        Locations and log2 of scales, int64 (rows, cols, features), both in eighths.
    """
    locations, log_scales = np.empty_like(symbols), np.empty_like(symbols)
    workers = Workers(n_threads())
    waiting: list[Run] = []

    def predict(worker: int, i: int) -> None:
        run = waiting[i]
        location, log_scale = run.predict()
        locations[run.place], log_scales[run.place] = location.reshape(run.shape), log_scale.reshape(run.shape)

    with single_threaded_blas():
        for run in runs(shape, regime, np.zeros_like(symbols)):
            run.put(symbols[run.place].reshape(-1))  # which the run itself and those before it do not see
            waiting.append(run)
            if len(waiting) == PREDICTED_TOGETHER:
                workers.run(len(waiting), predict)
                waiting.clear()
        workers.run(len(waiting), predict)
    return locations, log_scales


@dataclass(frozen=True)
class Run:
    """The coefficients of one pass over a feature of a band.

    Attributes:
        key: orientation, kind of feature, and pass.
        network: the one of this key.
        place: index of these coefficients in the whole (rows, cols, features) array.
        shape: rows and columns of the run.
        views: one (rows, cols) array for each coefficient that the network sees.
        slopes: two such arrays for each of its slopes, of which the first less the second counts.
        scalars: the last inputs, the same for all.
        plane, own, logs: where `put` leaves the symbols, and their logarithms for later runs.
    """

    key: tuple[int, int, int]
    network: Network
    place: tuple[slice, slice, int]
    shape: tuple[int, int]
    views: Sequence[Floats]
    slopes: Sequence[tuple[Int64Array, Int64Array]]
    scalars: Sequence[int]
    plane: Int64Array
    own: Floats
    logs: Floats

    def inputs(self, start: int = 0, stop: int | None = None) -> Floats:
        """What the network sees, (n_inputs, n), for rows [start, stop) of the run."""
        stop = self.shape[0] if stop is None else stop
        n_views, n_varying = len(self.views), len(self.views) + len(self.slopes)
        x = np.empty((n_varying + len(self.scalars), stop - start, self.shape[1]))
        for i, view in enumerate(self.views):
            x[i] = view[start:stop]
        for i, (here, there) in enumerate(self.slopes, n_views):
            slope_log(here[start:stop] - there[start:stop], out=x[i])
        x[n_varying:] = np.array(self.scalars)[:, None, None]
        return x.reshape(len(x), -1)

    def predict(self) -> tuple[Int64Array, Int64Array]:
        """Locations and log2 of scales, both in eighths, (n,)."""
        rows = max(1, _BLOCK_COLUMNS // self.shape[1])
        parts = [
            self.network.predict(self.inputs(y, min(y + rows, self.shape[0]))) for y in range(0, self.shape[0], rows)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def put(self, values: Int64Array) -> None:
        """Make the symbols, (n,), known to later runs."""
        square = values.reshape(self.shape)
        self.plane[self.place] = square
        self.own[:] = self.logs[self.place] = signed_log(square)


@dataclass(frozen=True)
class _Plane:
    """What is known of a plane of coefficients.

    Attributes:
        symbols: (rows, cols, features); logs: of their magnitudes, with signs; both 0 where not known yet.
    """

    shape: WaveletShape
    networks: Mapping[tuple[int, int, int], Network]
    regime: int
    symbols: Int64Array
    logs: Floats


def runs(shape: WaveletShape, regime: int, out: Int64Array) -> Iterator[Run]:
    """All runs in coding order; each must be `put` before the next is asked for. `out` becomes the symbols."""
    smooth = SmoothPicture(out, shape.n_levels)
    plane = _Plane(shape, networks(), regime, out, np.zeros(out.shape))
    for band in bands(shape.rows, shape.cols, shape.n_levels):
        if band.size:
            framed = smooth.framed(band.level) if band.orientation != LL else None
            for f in range(shape.features):
                yield from _runs_of(plane, band, f, None if framed is None else framed[f])


def _runs_of(plane: _Plane, band: Band, f: int, smooth: Int64Array | None) -> Iterator[Run]:
    shape, logs = plane.shape, plane.logs
    own = np.zeros((band.shape[0] + 4, band.shape[1] + 4))
    parent: Floats | None = None
    others: list[tuple[Floats, list[tuple[int, int]]]] = []
    if band.orientation != LL:
        half = ((band.shape[0] + 1) // 2, (band.shape[1] + 1) // 2)
        coarser = _band_like(band, shape, band.level + 1, band.orientation)
        parent = np.zeros((half[0] + 2, half[1] + 2)) if coarser is None else _framed(logs[..., f], coarser, half)
        for orientation in range(band.orientation):
            sibling = _band_like(band, shape, band.level, orientation)
            assert sibling is not None
            others.append((_framed(logs[..., f], sibling, band.shape), AROUND))
    if f:
        others.append((_framed(logs[..., f - 1], band, band.shape), AROUND))
    if f > 1:
        others.append((_framed(logs[..., f - 2], band, band.shape), CROSS))
    shared = scalars(band.level, shape.n_levels, band.orientation, plane.regime)
    for index, (row, col) in enumerate(PASSES):
        rows, cols = len(range(row, band.shape[0], 2)), len(range(col, band.shape[1], 2))
        if not (rows and cols):
            continue

        def at(dy: int, dx: int, frame: int, row: int = row, col: int = col) -> tuple[slice, slice]:
            y, x = frame + row + dy, frame + col + dx
            return slice(y, frame + band.shape[0] + dy, 2), slice(x, frame + band.shape[1] + dx, 2)

        views = [own[at(dy, dx, 2)] for dy, dx in known_before(index)]
        if parent is not None:
            views += [parent[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + cols] for dy, dx in AROUND]
        views += [framed[at(dy, dx, 1)] for framed, offsets in others for dy, dx in offsets]
        slopes: list[tuple[Int64Array, Int64Array]] = []
        if smooth is not None:
            slopes = [(smooth[at(*to, 1)], smooth[at(*start, 1)]) for to, start in SLOPES[band.orientation]]
        place = (_every_other(band.rows, row), _every_other(band.cols, col), f)
        key = (band.orientation, min(f, 2), index)
        yield Run(
            key, plane.networks[key], place, (rows, cols), views, slopes, shared, plane.symbols, own[at(0, 0, 2)], logs
        )


def _band_like(band: Band, shape: WaveletShape, level: int, orientation: int) -> Band | None:
    """The band of another level or orientation, if there is one."""
    for other in bands(shape.rows, shape.cols, shape.n_levels):
        if (other.level, other.orientation) == (level, orientation):
            return other
    return None


def _framed(plane: npt.NDArray[np.float64], band: Band, shape: tuple[int, int]) -> Floats:
    """A band of a plane, cut or filled up with zeros to a shape, in a frame of zeros."""
    framed = np.zeros((shape[0] + 2, shape[1] + 2))
    part = plane[band.rows, band.cols][: shape[0], : shape[1]]
    framed[1 : 1 + part.shape[0], 1 : 1 + part.shape[1]] = part
    return framed


def _every_other(place: slice, parity: int) -> slice:
    return slice(place.start + parity * place.step, None, place.step * 2)
