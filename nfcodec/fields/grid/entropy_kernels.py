# pyright: basic
"""Predicting entries, and coding them in the order of wavefronts, compiled. All numbers are integers in float64."""

from __future__ import annotations

import numpy as np

from nfcodec.coding.laplace import ESCAPE, OCTAVE_BITS, SCALES_PER_OCTAVE
from nfcodec.coding.range_coder import BAD_SYMBOL
from nfcodec.coding.range_kernels import decoded, decoded_bits, encode, encode_bits
from nfcodec.exact.arithmetic import ACTIVATION_BITS
from nfcodec.fields.grid.shape import ABOVE, LEFT, RING, ROW_STEP
from nfcodec.fields.grid.tables import (
    ESCAPE_BITS,
    LOCATION_BITS,
    MAX_LOCATION,
    MAX_SCALE,
    N_FRACTIONS,
    N_TABLE_SCALES,
    SMALLEST_LOG2,
)
from nfcodec.kernels.blocks import add_product, fill_rows
from nfcodec.kernels.jit import B1, BLOCK, FOUR, ONE, ZERO, U, kernel

TOO_LARGE = -2
"""What `decode_wavefronts` returns for an entry over the limit."""

_UNIT, _STATE = float(1 << ACTIVATION_BITS), np.uint64
_MAX_LOCATION, _MAX_SCALE, _ORIGIN = float(MAX_LOCATION), float(MAX_SCALE), -SMALLEST_LOG2 * SCALES_PER_OCTAVE
_ESCAPE_BITS = _STATE(ESCAPE_BITS)


@kernel
def _residual(matrix, offset, bias, x, z, n):
    """z = max(floor(matrix x + offset) + bias + x, 0)."""
    fill_rows(z, offset, n)
    add_product(matrix, x, z, n, n)
    for j in range(n):
        for i in range(j * B1, (j + ONE) * B1):
            z[i] = max(np.floor(z[i]) + bias[j] + x[i], 0.0)


@kernel
def _predict(layers, x, first, second, out, n):
    """Locations and scale indices of a block, in the first two rows of `out`; n inputs, a multiple of four."""
    _residual(layers[0], layers[1], layers[2], x, first, n)
    _residual(layers[3], layers[4], layers[5], first, second, n)
    fill_rows(out, layers[8], FOUR)
    add_product(layers[6], second, out, FOUR, n)
    add_product(layers[7], x, out, FOUR, n)
    location_bias, scale_bias = layers[9][0], layers[9][1]
    for i in range(B1):
        location, scale = np.floor(out[i]) + location_bias, np.floor(out[B1 + i]) + scale_bias
        out[i] = min(max(location, -_MAX_LOCATION), _MAX_LOCATION)
        out[B1 + i] = min(max(np.floor((scale + 2.0) * 0.25) + _ORIGIN, 0.0), _MAX_SCALE)


@kernel
def predict_rows(padded, mapped, near, layers, start, stop, locations, scales):
    """Locations and scale indices of the rows [start, stop) of a grid.

    Args:
        padded: entries, int32, with zeros around: ABOVE rows, LEFT and RIGHT columns.
        mapped: what is seen of coarser grids at half the resolution, (entries, numbers); empty for none.
        near: (n, 2), where the entries around are.
        layers: as of `EntropyModel.plain_layers`.
    """
    cols, n_near = locations.shape[1], U(near.shape[0])
    n = U(layers[1].size)
    x, first, second = np.zeros(n * B1), np.empty(n * B1), np.empty(n * B1)
    out = np.empty(FOUR * B1)
    for y in range(start, stop):
        for x0 in range(0, cols, BLOCK):
            width = min(BLOCK, cols - x0)
            for j in range(n_near):
                line, to, at = padded[ABOVE + y + near[j, 0]], j * B1, LEFT + x0 + near[j, 1]
                for i in range(U(width)):
                    x[to + i] = line[U(at) + i] * _UNIT
            if mapped.shape[0] > 0:
                place = (y >> 1) * ((cols + 1) >> 1)
                for k in range(U(mapped.shape[1])):
                    to = (n_near + k) * B1
                    for i in range(width):
                        x[to + U(i)] = mapped[place + ((x0 + i) >> 1), k]
            _predict(layers, x, first, second, out, n)
            for i in range(U(width)):
                locations[y, x0 + i] = np.int32(out[i])
                scales[y, x0 + i] = np.int32(out[B1 + i])


@kernel
def _distribution(location, scale):
    """The table, the shift and the start of `tables.distributions`."""
    shift = (max(scale - (N_TABLE_SCALES - 1), 0) + SCALES_PER_OCTAVE - 1) >> OCTAVE_BITS
    middle = (location + (N_FRACTIONS >> 1)) >> LOCATION_BITS
    fraction = location - (middle << LOCATION_BITS) if shift == 0 else 0
    table = (scale - SCALES_PER_OCTAVE * shift) * N_FRACTIONS + fraction + (N_FRACTIONS >> 1)
    return table, shift, middle - ((1 << shift) >> 1)


@kernel
def _decode(state, words, ends, location, scale):
    """An entry and whether all is well."""
    table, shift, start = _distribution(location, scale)
    high = decoded(state, words, ends[table])
    if high == BAD_SYMBOL:
        return 0, False
    high -= ESCAPE
    low = 0
    if shift > 0:
        low = decoded_bits(state, words, _STATE(shift))
        if low == BAD_SYMBOL:
            return 0, False
    if high == ESCAPE or high == -ESCAPE:
        top = decoded_bits(state, words, _ESCAPE_BITS)
        if top == BAD_SYMBOL:
            return 0, False
        rest = decoded_bits(state, words, _ESCAPE_BITS)
        if rest == BAD_SYMBOL:
            return 0, False
        beyond = (top << ESCAPE_BITS) + rest
        high += beyond if high > 0 else -beyond
    return start + (high << shift) + low, True


@kernel
def decode_wavefronts(values, mapped, near, layers, ring, begin, end, ends, state, words, limit):
    """Decode the wavefronts begin .. end - 1 of a grid; returns 0, BAD_SYMBOL or TOO_LARGE.

    Args:
        values: the grid's entries, int32; become those that are decoded.
        mapped, near, layers: as of `predict_rows`.
        ring: (RING, ABOVE + rows + ABOVE), zeros before the first wavefront; of the last wavefronts, their entries by
            rows, in units of 2^-16.
        ends: `tables.table_ends`.
        state, words: of the range decoder.
        limit: the largest magnitude of an entry.
    """
    rows, cols, n_near = values.shape[0], values.shape[1], U(near.shape[0])
    n = U(layers[1].size)
    x, first, second = np.zeros(n * B1), np.empty(n * B1), np.empty(n * B1)
    out = np.empty(FOUR * B1)
    for t in range(begin, end):
        low, high = max(0, (t - cols + ROW_STEP) // ROW_STEP), min(rows, t // ROW_STEP + 1)
        own = ring[t % RING]
        for i in range(U(low), U(high + 2 * ABOVE)):
            own[i] = 0.0
        for row0 in range(low, high, BLOCK):
            count = min(BLOCK, high - row0)
            for j in range(n_near):
                down, right = near[j, 0], near[j, 1]
                line, to, at = ring[(t + right + ROW_STEP * down) % RING], j * B1, U(ABOVE + row0 + down)
                for i in range(U(count)):
                    x[to + i] = line[at + i]
            if mapped.shape[0] > 0:
                for i in range(count):
                    row = row0 + i
                    place = (row >> 1) * ((cols + 1) >> 1) + ((t - ROW_STEP * row) >> 1)
                    for k in range(U(mapped.shape[1])):
                        x[(n_near + k) * B1 + U(i)] = mapped[place, k]
            _predict(layers, x, first, second, out, n)
            for i in range(count):
                value, good = _decode(state, words, ends, np.int64(out[i]), np.int64(out[B1 + U(i)]))
                if not good:
                    return BAD_SYMBOL
                if abs(value) > limit:
                    return TOO_LARGE
                row = row0 + i
                values[row, t - ROW_STEP * row] = value
                own[ABOVE + row] = value * _UNIT
    return 0


@kernel
def encode_wavefronts(values, locations, scales, begin, end, ends, state, words):
    """Encode the wavefronts begin .. end - 1 of a grid, all arrays but `ends` and `words` (rows, cols)."""
    rows, cols = values.shape
    for t in range(begin, end):
        for row in range(max(0, (t - cols + ROW_STEP) // ROW_STEP), min(rows, t // ROW_STEP + 1)):
            col = t - ROW_STEP * row
            table, shift, start = _distribution(np.int64(locations[row, col]), np.int64(scales[row, col]))
            residual = values[row, col] - start
            high = residual >> shift
            symbol = U(min(max(high, -ESCAPE), ESCAPE) + ESCAPE)
            first = _STATE(ends[table, symbol])
            encode(state, words, first, _STATE(ends[table, symbol + ONE]) - first)
            if shift > 0:
                encode_bits(state, words, _STATE(residual - (high << shift)), _STATE(shift))
            if symbol == ZERO or symbol == U(2 * ESCAPE):
                beyond = _STATE(abs(high) - ESCAPE)
                top = beyond >> _ESCAPE_BITS
                encode_bits(state, words, top, _ESCAPE_BITS)
                encode_bits(state, words, beyond - (top << _ESCAPE_BITS), _ESCAPE_BITS)
