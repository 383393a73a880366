"""Coding wavelet coefficients, run by run, each predicted from those before it.

docs/reference/format.md, "Wavelet coefficients", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from nfcodec.coding.laplace import code_laplace, scale_index
from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.exact.part import Part, SymbolCoder, Symbols, every
from nfcodec.fields.wavelet.coding_order import REPAYING, Place, Run, WaveletShape, groups_of_runs, runs
from nfcodec.fields.wavelet.contexts import Int32Array
from nfcodec.fields.wavelet.transform import LL
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader
from nfcodec.workers import Workers, n_threads, single_threaded_blas

CODING, BAND, CODING_BYTES = 0.55e-6, 8e-3, 22
"""Work of a coefficient and of a band; and memory of each coefficient."""

KERNELS = Cost(160e6, 2.0, 160e6)
"""What loading compiled loops takes; the memory also where they are compiled for the first time."""


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

    def cost(self, stream_bytes: int) -> Cost:
        n = self._shape.rows * self._shape.cols * self._shape.features
        kernels, n_bands = KERNELS if n >= REPAYING else Cost(), 3 * (self._shape.n_levels - self._shape.omitted) + 1
        return kernels.then(Cost(CODING_BYTES * n, CODING * n + BAND * n_bands, 4 * n))

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
            locations, log_scales = np.empty(run.shape, np.int32), np.empty(run.shape, np.int32)

            def take(
                rows: slice,
                *found: Int32Array,
                into: tuple[Int32Array, Int32Array] = (locations, log_scales),
            ) -> None:
                for whole, part in zip(into, found, strict=True):
                    whole[rows] = part.reshape(-1, whole.shape[1])

            _share_out(workers, run.tasks(take))
            coder.enter(_piece(run))
            chosen = None if symbols is None else symbols[run.place].reshape(-1)
            run.put(code_laplace(coder, locations.reshape(-1), scale_index(log_scales.reshape(-1)), chosen))
    return out


def _piece(run: Run) -> str:
    """What a run's coefficients are, for people."""
    orientation, spacing = run.key[0], run.place[0].step // 2
    return f"{'means' if orientation == LL else 'details'} {every(spacing)}"


TakePlace = Callable[[Place, Int32Array, Int32Array], object]


def predict(shape: WaveletShape, regime: int, symbols: SymbolArray, take: TakePlace) -> None:
    """What the networks predict for each of the coefficients, given all before it.

    Args:
        symbols: the coefficients, (rows, cols, features).
        take: called with the place of some coefficients among them, and with their locations and log2 of scales, both
            in eighths and of the place's shape; by several threads at once.
    """
    workers = Workers(n_threads())
    with single_threaded_blas():
        for together in groups_of_runs(shape, regime, symbols):
            # no run sees its own symbols or those of runs behind it
            _share_out(workers, [partial(run.put, symbols[run.place].reshape(-1)) for run in together])
            _share_out(workers, [task for run in together for task in run.tasks(partial(_at_its_place, run, take))])


def _at_its_place(run: Run, take: TakePlace, rows: slice, locations: Int32Array, log_scales: Int32Array) -> None:
    take(run.place_of(rows), locations.reshape(-1, run.shape[1]), log_scales.reshape(-1, run.shape[1]))


def _share_out(workers: Workers, tasks: Sequence[Callable[[], object]]) -> None:
    workers.run(len(tasks), lambda worker, number: tasks[number]())
