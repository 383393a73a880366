"""Parts of a payload that are one tensor each, whatever its shape: an adaptive table, or scales of its columns.

Either may hold each symbol's difference from the one before, as suits sorted ones.
"""

from __future__ import annotations

import math

import numpy as np

from nfcodec.coding.adaptive import N_SCALES, AdaptiveModel, adaptive_cost, prior_scale
from nfcodec.coding.entropy import Int64Array
from nfcodec.coding.laplace import MAX_SCALE, code_flat
from nfcodec.coding.matrices import code_matrix, folded, matrix_cost, suitable_scale, unfolded
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, widened
from nfcodec.exact.field import Tensor
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

PART, SYMBOL_BYTES = 60e-6, 24
"""Work of a part; and memory of each symbol of an adaptive one, beside what coding it takes."""


def coded_values(tensor: Tensor, symbols: Symbols, *, differences: bool = False) -> Int64Array:
    """What is coded of a tensor: its symbols in raster order, or their differences."""
    values = widened(symbols[tensor.name]).reshape(-1)
    return np.diff(values, prepend=0) if differences else values


def _symbols_of(tensor: Tensor, coded: Int64Array, *, differences: bool) -> Int64Array:
    """The inverse of `coded_values`. Raises FormatError."""
    if differences:
        coded = np.cumsum(coded)
        if np.abs(coded).max(initial=0) > MAX_SYMBOL:
            raise FormatError("differences add up to a symbol that is out of range", code="symbol")
    return coded.reshape(tensor.shape)


class AdaptivePart(Part):
    """A tensor's symbols in raster order with one adaptive table: for any symbols.

    The head is the largest magnitude (varint) and the scale of the table's prior (u8).

    Args:
        differences: whether each symbol is coded as its difference from the one before.
    """

    def __init__(self, tensor: Tensor, *, differences: bool = False) -> None:
        self._tensor, self._differences = tensor, differences
        self._limit, self._scale = 0, 0

    def head(self, symbols: Symbols) -> bytes:
        values = coded_values(self._tensor, symbols, differences=self._differences)
        self._limit = int(np.abs(values).max(initial=0))
        self._scale = prior_scale(int(8 * np.abs(values).mean())) if values.size else 0
        return put_varint(self._limit) + bytes([self._scale])

    def read_head(self, reader: ByteReader) -> None:
        self._limit = reader.varint(2 * MAX_SYMBOL if self._differences else MAX_SYMBOL)
        self._scale = _read_scale(reader, N_SCALES)

    def cost(self, stream_bytes: int) -> Cost:
        n = self._tensor.size
        coding = adaptive_cost(n, self._limit, [1])
        return Cost(coding.memory_bytes + SYMBOL_BYTES * n, coding.work + PART, 8 * n)

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        values = None if symbols is None else coded_values(self._tensor, symbols, differences=self._differences)
        model = AdaptiveModel(self._limit, [self._scale])
        coded = model.code(coder, np.zeros(self._tensor.size, np.int64), values)
        return {self._tensor.name: _symbols_of(self._tensor, coded, differences=self._differences)}


class ColumnsPart(Part):
    """A matrix's symbols row by row, with a scale for each column; a vector is one column.

    The head is the scale of the first row (u8). Differences, after a bit that tells whether all rise, are one column.

    Args:
        coded: whether the parities of a matrix are those of a path through a convolutional code.
        differences: as of `AdaptivePart`.
    """

    def __init__(self, tensor: Tensor, *, coded: bool = False, differences: bool = False) -> None:
        self._tensor, self._coded, self._differences = tensor, coded, differences
        self._shape, self._scale = (tensor.shape[0], math.prod(tensor.shape[1:])), 0

    def head(self, symbols: Symbols) -> bytes:
        values = coded_values(self._tensor, symbols, differences=self._differences)
        self._scale = suitable_scale(folded(values) if self._differences and _rises(values) else values)
        return bytes([self._scale])

    def read_head(self, reader: ByteReader) -> None:
        self._scale = _read_scale(reader, MAX_SCALE + 1)

    def cost(self, stream_bytes: int) -> Cost:
        return matrix_cost((self._tensor.size, 1) if self._differences else self._shape, coded=self._coded)

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        values = None if symbols is None else coded_values(self._tensor, symbols, differences=self._differences)
        code = self._code_differences if self._differences else self._code_rows
        return {self._tensor.name: _symbols_of(self._tensor, code(coder, values), differences=self._differences)}

    def _code_rows(self, coder: SymbolCoder, values: Int64Array | None) -> Int64Array:
        rows = None if values is None else values.reshape(self._shape)
        return code_matrix(coder, self._shape, self._scale, rows, coded=self._coded).reshape(-1)

    def _code_differences(self, coder: SymbolCoder, values: Int64Array | None) -> Int64Array:
        known = None if values is None else np.array([_rises(values)], np.int64)
        rises = bool(code_flat(coder, 1, 1, known)[0])
        column = None if values is None else (folded(values) if rises else values)[:, None]
        found = code_matrix(coder, (self._tensor.size, 1), self._scale, column)[:, 0]
        return unfolded(found) if rises else found


def _rises(differences: Int64Array) -> bool:
    return bool(differences.min(initial=0) >= 0)


def _read_scale(reader: ByteReader, n_scales: int) -> int:
    scale = reader.u8()
    if scale >= n_scales:
        raise FormatError("a tensor's scale is out of range", code="scale")
    return scale
