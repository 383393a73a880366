"""Coding the entries of a grid wavefront by wavefront, by compiled loops or, without them, by NumPy and plain Python.

Entries of one wavefront do not see each other, so the network predicts them at once; the range coder takes them one by
one. docs/reference/format.md, "Entries of grids", is the normative text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from nfcodec.coding.laplace import ESCAPE
from nfcodec.coding.range_coder import (
    BAD_SYMBOL,
    WORD_BYTES,
    RangeDecoder,
    RangeEncoder,
    Words,
    check_end,
    corrupt,
    first_state,
)
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray
from nfcodec.fields.grid.entropy import EntropyModel, Int32Array
from nfcodec.fields.grid.shape import ABOVE, RING, ROW_STEP, Lattice
from nfcodec.fields.grid.tables import ESCAPE_BITS, distributions, end_lists, table_ends
from nfcodec.kernels import compiled
from nfcodec.lazy import load
from nfcodec.workers import check_stopped

KERNELS = "nfcodec.fields.grid.entropy_kernels"
FINISH = "nfcodec.coding.range_kernels:finish_encoding"

TOGETHER = 128
"""Wavefronts of a call of a compiled loop."""

ENTRY_WORDS = 3
"""An entry takes fewer 32-bit words: at most 24 bits of a table, 12 flat ones, and an escape of 26."""


class GridDecoder(ABC):
    """Decodes one grid after another out of a stream."""

    @abstractmethod
    def decode(self, lattice: Lattice, mapped: ExactArray) -> Int32Array:
        """The entries of a grid, (rows, cols). Raises FormatError.

        Args:
            mapped: as of `EntropyModel.mapped`.
        """

    @abstractmethod
    def finish(self) -> None:
        """Raise FormatError if the stream has words that no entry used."""


def grid_decoder(model: EntropyModel, words: Words, *, repays: bool) -> GridDecoder:
    """Compiled if that is possible.

    Args:
        repays: whether loading the compiler is worth it.
    """
    if compiled(f"{KERNELS}:decode_wavefronts", repays=repays) is None:
        return PlainDecoder(model, words)
    return CompiledDecoder(model, words)


class CompiledDecoder(GridDecoder):
    """By a loop over entries."""

    def __init__(self, model: EntropyModel, words: Words) -> None:
        self._words, self._limit = words.astype(np.uint32), model.limit
        self._near, self._layers = np.array(model.near), model.plain_layers()
        self._state, self._decode = first_state(words), load(f"{KERNELS}:decode_wavefronts")

    def decode(self, lattice: Lattice, mapped: ExactArray) -> Int32Array:
        values, ring = np.empty((lattice.rows, lattice.cols), np.int32), np.zeros((RING, lattice.rows + 2 * ABOVE))
        for begin in range(0, lattice.n_wavefronts, TOGETHER):
            check_stopped()
            end = min(lattice.n_wavefronts, begin + TOGETHER)
            outcome = self._decode(
                values, mapped, self._near, self._layers, ring, begin, end, table_ends(), self._state, self._words,
                self._limit,
            )  # fmt: skip
            if outcome:
                raise corrupt() if outcome == BAD_SYMBOL else too_large()
        return values

    def finish(self) -> None:
        check_end(int(self._state[2]), len(self._words))


class PlainDecoder(GridDecoder):
    """By NumPy for the network and plain Python for the range decoder."""

    def __init__(self, model: EntropyModel, words: Words) -> None:
        self._model, self._n_words, self._coder = model, len(words), RangeDecoder(words)

    def decode(self, lattice: Lattice, mapped: ExactArray) -> Int32Array:
        values = np.empty((lattice.rows, lattice.cols), np.int32)
        ring, half_cols = np.zeros((RING, lattice.rows + 2 * ABOVE)), (lattice.cols + 1) >> 1
        near, n_near = self._model.near, len(self._model.near)
        for t in range(lattice.n_wavefronts):
            check_stopped()
            low, high = rows_of(lattice, t)
            ring[t % RING, low : high + 2 * ABOVE] = 0
            if low == high:
                continue
            x = np.zeros((n_near + mapped.shape[1], high - low))
            for each, (down, right) in zip(x, near, strict=False):
                each[:] = ring[(t + right + ROW_STEP * down) % RING, ABOVE + low + down : ABOVE + high + down]
            rows = np.arange(low, high)
            cols = t - ROW_STEP * rows
            if len(mapped):
                x[n_near:] = mapped[(rows >> 1) * half_cols + (cols >> 1)].T
            found = self._entries(*self._model.predict(x))
            values[rows, cols] = found
            ring[t % RING, ABOVE + low : ABOVE + high] = found * (1 << ACTIVATION_BITS)
        return values

    def _entries(self, locations: Int32Array, scales: Int32Array) -> npt.NDArray[np.int64]:
        tables, shifts, starts = distributions(locations, scales)
        symbol, residuals = self._coder.symbol, list[int]()
        for table, shift in zip(tables.tolist(), shifts.tolist(), strict=True):
            high = symbol(end_lists(table)) - ESCAPE
            residuals.append(self._residual(high, shift) if shift or abs(high) == ESCAPE else high)
        found = starts + np.array(residuals, np.int64)
        if np.abs(found).max() > self._model.limit:
            raise too_large()
        return found

    def _residual(self, high: int, shift: int) -> int:
        """The whole of what a high part begins: its low bits follow, and then what exceeds the table."""
        bits = self._coder.bits
        low = bits(shift) if shift else 0
        if abs(high) == ESCAPE:
            beyond = bits(ESCAPE_BITS) << ESCAPE_BITS
            beyond += bits(ESCAPE_BITS)
            high += beyond if high > 0 else -beyond
        return (high << shift) + low

    def finish(self) -> None:
        check_end(self._coder.n_read, self._n_words)


def too_large() -> FormatError:
    """What a decoder raises for an entry over the limit."""
    return FormatError("an entry of a grid is larger than its limit", code="symbol")


def rows_of(lattice: Lattice, t: int) -> tuple[int, int]:
    """The first row of the entries of wavefront t, and the one behind the last."""
    return max(0, (t - lattice.cols + ROW_STEP) // ROW_STEP), min(lattice.rows, t // ROW_STEP + 1)


class GridEncoder:
    """Encodes one grid after another, in plain Python."""

    def __init__(self) -> None:
        self._coder = RangeEncoder()

    def encode(self, lattice: Lattice, values: Int32Array, locations: Int32Array, scales: Int32Array) -> None:
        """All arrays (rows, cols), locations and scale indices as of `EntropyModel.predictions`."""
        order = wavefront_order(lattice)
        tables, shifts, starts = distributions(locations.reshape(-1)[order], scales.reshape(-1)[order])
        residuals = values.reshape(-1)[order] - starts
        symbol, bits = self._coder.symbol, self._coder.bits
        for table, shift, residual in zip(tables.tolist(), shifts.tolist(), residuals.tolist(), strict=True):
            high = residual >> shift
            symbol(min(max(high, -ESCAPE), ESCAPE) + ESCAPE, end_lists(table))
            if shift:
                bits(residual - (high << shift), shift)
            if abs(high) >= ESCAPE:
                top, rest = divmod(abs(high) - ESCAPE, 1 << ESCAPE_BITS)
                bits(top, ESCAPE_BITS)
                bits(rest, ESCAPE_BITS)

    def finish(self) -> bytes:
        """The stream."""
        return self._coder.finish()


class CompiledEncoder(GridEncoder):
    """The same by compiled loops.

    Args:
        n_entries: of all grids.
    """

    def __init__(self, n_entries: int) -> None:
        self._words = np.empty(ENTRY_WORDS * n_entries + 2, np.uint32)
        self._state = np.array([0, 2**64 - 1, 0], np.uint64)

    def encode(self, lattice: Lattice, values: Int32Array, locations: Int32Array, scales: Int32Array) -> None:
        kernel = load(f"{KERNELS}:encode_wavefronts")
        for begin in range(0, lattice.n_wavefronts, TOGETHER):
            check_stopped()
            end = min(lattice.n_wavefronts, begin + TOGETHER)
            kernel(values, locations, scales, begin, end, table_ends(), self._state, self._words)

    def finish(self) -> bytes:
        load(FINISH)(self._state, self._words)
        return self._words[: int(self._state[2])].astype(f"<u{WORD_BYTES}").tobytes()


def grid_encoder(n_entries: int, *, repays: bool) -> GridEncoder:
    """Compiled if that is possible; see `grid_decoder`."""
    has_loops = compiled(f"{KERNELS}:encode_wavefronts", repays=repays) is not None
    return CompiledEncoder(n_entries) if has_loops else GridEncoder()


def wavefront_order(lattice: Lattice) -> npt.NDArray[np.int64]:
    """The numbers of a grid's entries, in raster order, in the order in which they are coded."""
    rows, cols = np.divmod(np.arange(lattice.size), lattice.cols)
    return np.argsort((cols + ROW_STEP * rows) * lattice.rows + rows, kind="stable")
