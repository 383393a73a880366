"""Coding matrices of integers by Laplace distributions: each column's scale comes from the rows above.

A column of a network's weights belongs to one neuron of the layer before, and those differ in how much they are used.
docs/format.md, "Matrices", is the normative text.
"""

from __future__ import annotations

import math

import numpy as np

from nfcodec.coding.entropy import Int64Array, SymbolCoder
from nfcodec.coding.laplace import MAX_SCALE, SCALES_PER_OCTAVE, SMALLEST_LOG2, code_laplace

FRACTION_BITS = 8
"""Of mean magnitudes."""

PRIOR_ROWS = 8
"""How many rows the mean magnitude of the whole matrix counts as."""

_ORIGIN = (FRACTION_BITS + SMALLEST_LOG2) * SCALES_PER_OCTAVE


def suitable_scale(values: Int64Array) -> int:
    """The index of the scale, 0 .. MAX_SCALE, that suits integers of these magnitudes."""
    mean = float(np.abs(values).mean()) if values.size else 0.0
    scale = 0.5 / math.asinh(0.5 / mean) if mean else 0.0  # of numbers that have this mean magnitude once rounded
    return int(_indices(np.array([round(scale * (1 << FRACTION_BITS))]))[0])


def code_matrix(coder: SymbolCoder, shape: tuple[int, int], scale: int, values: Int64Array | None) -> Int64Array:
    """Code integers (rows, columns) of magnitudes up to 2^24; a decoder passes None.

    Args:
        scale: the index of the scale that the first row gets, see `suitable_scale`.

    Raises:
        FormatError: a decoded value is larger.
    """
    n_rows, n_cols = shape
    first = (SCALES_PER_OCTAVE + scale % SCALES_PER_OCTAVE) << scale // SCALES_PER_OCTAVE + 1
    coded = np.zeros(shape, np.int64)
    start = 0
    while start < n_rows:
        stop = min(n_rows, max(1, 2 * start))
        sums = np.abs(coded[:start]).sum(axis=0) << FRACTION_BITS
        scales = np.tile(_indices((PRIOR_ROWS * first + sums) // (PRIOR_ROWS + start)), stop - start)
        part = None if values is None else values[start:stop].reshape(-1)
        coded[start:stop] = code_laplace(coder, np.zeros(len(scales), np.int64), scales, part).reshape(-1, n_cols)
        start = stop
    return coded


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
