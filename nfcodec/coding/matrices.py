"""Coding matrices of integers by Laplace distributions: each column's scale comes from the rows above.

A column of a network's weights belongs to one neuron of the layer before, and those differ in how much they are used.
Parities may come from a path through a convolutional code, column after column (see `coding.convolutional`).
docs/reference/format.md, "Matrices", is the normative text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nfcodec.coding.convolutional import Bits, parities, path_by_first, path_length
from nfcodec.coding.entropy import Int64Array
from nfcodec.coding.laplace import (
    LOCATION_BITS,
    MAX_SCALE,
    SCALES_PER_OCTAVE,
    SMALLEST_LOG2,
    code_flat,
    code_laplace,
    laplace_bits,
    laplace_cost,
)
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.exact.part import SymbolCoder
from nfcodec.limits import Cost

FRACTION_BITS = 8
"""Of mean magnitudes."""

PRIOR_ROWS = 8
"""How many rows the mean magnitude of the whole matrix counts as."""

COLUMN_CODE = 0
"""The one of the codes whose parities matrices may have; it gives those of three rows at a time."""

PATH_WORK = 40e-9
"""Work to find the parity of a symbol."""

FEW_ROWS = 48
"""Of a column, which tell at once of most matrices that no path gives their parities."""

_ORIGIN = (FRACTION_BITS + SMALLEST_LOG2) * SCALES_PER_OCTAVE


def suitable_scale(values: Int64Array) -> int:
    """The index of the scale, 0 .. MAX_SCALE, that suits integers of these magnitudes."""
    mean = float(np.abs(values).mean()) if values.size else 0.0
    scale = 0.5 / math.asinh(0.5 / mean) if mean else 0.0  # of numbers that have this mean magnitude once rounded
    return int(_indices(np.array([round(scale * (1 << FRACTION_BITS))]))[0])


def code_matrix(
    coder: SymbolCoder, shape: tuple[int, int], scale: int, values: Int64Array | None, *, coded: bool = False
) -> Int64Array:
    """Code integers (rows, columns) of magnitudes up to 2^24; a decoder passes None.

    Args:
        scale: the index of the scale that the first row gets, see `suitable_scale`.
        coded: whether a path gives the parities; `values` must have one, see `has_path`.

    Raises:
        FormatError: a decoded value is larger.
    """
    if not coded:
        return _code_rows(coder, shape, scale, values, None)
    known = None if values is None else _path_of(values).astype(np.int64)
    path = code_flat(coder, 1, shape[1] * path_length(shape[0]), known)
    return _code_rows(coder, shape, scale, values, _parities(path.astype(np.uint8), shape))


def _code_rows(
    coder: SymbolCoder, shape: tuple[int, int], scale: int, values: Int64Array | None, parity: Int64Array | None
) -> Int64Array:
    n_rows, n_cols = shape
    done = np.zeros(shape, np.int64)
    for start, stop in _blocks(n_rows):
        scales = np.tile(_scales(scale, np.abs(done[:start]).sum(axis=0), start), stop - start)
        part = None if values is None else values[start:stop].reshape(-1)
        if parity is None:
            found = code_laplace(coder, np.zeros(len(scales), np.int64), scales, part)
        else:  # halves of the values, whose middle is half a parity below 0
            odd = parity[start:stop].reshape(-1)
            halves = None if part is None else part >> 1
            scales = np.maximum(scales - SCALES_PER_OCTAVE, 0)
            found = 2 * code_laplace(coder, -odd << LOCATION_BITS - 1, scales, halves) + odd
        done[start:stop] = found.reshape(stop - start, n_cols)
    if values is None and np.abs(done).max(initial=0) > MAX_SYMBOL:
        raise FormatError("a symbol is too large", code="symbol")
    return done


def _blocks(n_rows: int) -> Iterator[tuple[int, int]]:
    """Rows [start, stop) that are coded at a time, by scales that the rows before give."""
    start = 0
    while start < n_rows:
        stop = min(n_rows, max(1, 2 * start))
        yield start, stop
        start = stop


def _scales(first: int, sums: Int64Array, n: int) -> Int64Array:
    """Of each column, the index of the scale behind n rows.

    Args:
        first: the index of the first row's; sums: of magnitudes, of each column.
    """
    mean = (SCALES_PER_OCTAVE + first % SCALES_PER_OCTAVE) << first // SCALES_PER_OCTAVE + 1
    return _indices((PRIOR_ROWS * mean + (sums << FRACTION_BITS)) // (PRIOR_ROWS + n))


def matrix_bits(values: Int64Array) -> float:
    """The bits of integers (rows, columns) as `code_matrix` codes them at the suitable scale, without coding them."""
    first, scales = suitable_scale(values), np.zeros(values.shape, np.int64)
    for start, stop in _blocks(len(values)):
        scales[start:stop] = _scales(first, np.abs(values[:start]).sum(axis=0), start)
    return laplace_bits(scales, values)


def matrix_cost(shape: tuple[int, int], *, coded: bool) -> Cost:
    """What a decoder takes for a matrix (rows, columns), which is kept."""
    n = shape[0] * shape[1]
    coding = laplace_cost(n, n_runs=1 + shape[0].bit_length())
    if coded:
        coding = coding.then(Cost(8 * n, PATH_WORK * n))
    return Cost(8 * n * (2 + coded) + coding.memory_bytes, coding.work, 8 * n)


def has_path(values: Int64Array) -> bool:
    """Whether a matrix's parities are those of a path through the code."""
    parts = (values[:FEW_ROWS, :1], values)
    return all(np.array_equal(_parities(_path_of(each), each.shape), each & 1) for each in parts)


def _path_of(values: Int64Array) -> Bits:
    """The path that gives the parities of a matrix, if there is one."""
    first = np.transpose(values[::3] & 1).reshape(-1)
    return path_by_first(first, COLUMN_CODE, len(first))


def _parities(path: Bits, shape: tuple[int, ...]) -> Int64Array:
    """The parities of a matrix that a path gives, column after column."""
    columns = parities(path, COLUMN_CODE, len(path)).reshape(shape[1], -1)[:, : shape[0]]
    return np.transpose(columns).astype(np.int64)


def folded(values: Int64Array) -> Int64Array:
    """0, 1, 2, 3, .. as 0, -1, 1, -2, ..: integers that are not negative, at half the magnitude on both sides of 0."""
    return np.where(values % 2, -(values // 2) - 1, values // 2)


def unfolded(values: Int64Array) -> Int64Array:
    """The inverse of `folded`."""
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _indices(means: Int64Array) -> Int64Array:
    """The indices of scales for mean magnitudes in units of 2^-8; logarithms are linear between powers of two."""
    means = np.maximum(means + (means >> 4), 1)  # round, half of an eighth octave being about a sixteenth
    octaves = np.frexp(means.astype(np.float64))[1].astype(np.int64) - 1
    eighths = SCALES_PER_OCTAVE * octaves + (means * SCALES_PER_OCTAVE >> octaves) - SCALES_PER_OCTAVE
    return np.clip(eighths - _ORIGIN, 0, MAX_SCALE)
