# pyright: basic
"""The bits of a grid's entries under Laplace distributions: by the magnitudes around each entry, where entries lie on
the lattice, or by one scale for all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.kernels.elementary import exp, log2
from nfcodec.kernels.jit import ONE, ZERO, F, U, kernel

_LN_2 = F(np.log(2))
MIN_SCALE = F(0.1)


class Piece(NamedTuple):
    """Rows row0 .. row1 - 1 of a plane of entries, (n_rows, n_cols).

    The entry in row r and column c is at `table + r * pitch + c * stride`.
    """

    table: np.uintp
    pitch: np.uintp
    stride: np.uintp
    n_rows: np.uintp
    n_cols: np.uintp
    row0: np.uintp
    row1: np.uintp


@kernel
def laplace(magnitude, sharpness):
    """Bits of an entry, and their derivative by its magnitude: of a Laplace distribution's mass around it."""
    half = exp(F(0.5) * sharpness)
    tail = F(1) / half
    inner = exp(min(magnitude, F(0.5)) * sharpness)
    inner_tail = F(1) / inner
    mass = max(F(1) - F(0.5) * tail * (inner + inner_tail), F(1e-9))
    inside = magnitude < F(0.5)
    slope = F(0.5) * tail * (inner - inner_tail) / mass if inside else F(1)
    spread = F(0.5) * (half - tail)
    bits = (F(0) if inside else magnitude * sharpness / _LN_2) - log2(mass if inside else spread)
    return bits, slope * sharpness / _LN_2


@kernel
def rate(seen, gradient, piece, step, weight, column_sums, column_slopes):
    """Bits of a piece of a plane.

    Laplace, whose scale is the mean magnitude among an entry and its neighbours, + 0.1, taken as constant.

    Args:
        gradient: becomes that of the bits times `weight`; may be empty.
        column_sums, column_slopes: scratch, n_cols + 2 and n_cols.

    Returns:
        -log2 of the probabilities of all symbols, summed.
    """
    table, pitch, stride, n_rows, n_cols, row0, row1 = piece
    inverse, bits = F(1) / step, 0.0
    for r in range(row0, row1):
        at = table + r * pitch
        above = at - pitch if r > ZERO else at
        below = at + pitch if r + ONE < n_rows else at
        has_above, has_below = F(1) if r > ZERO else F(0), F(1) if r + ONE < n_rows else F(0)
        n_vertical = F(1) + has_above + has_below
        column_sums[ZERO] = F(0)
        column_sums[n_cols + ONE] = F(0)
        for c in range(n_cols):
            i = c * stride
            total = abs(seen[at + i]) + has_above * abs(seen[above + i]) + has_below * abs(seen[below + i])
            column_sums[c + ONE] = total * inverse
        row_bits = F(0)
        for c in range(n_cols):
            n_horizontal = F(3) - (F(1) if c == ZERO else F(0)) - (F(1) if c + ONE == n_cols else F(0))
            total = column_sums[c] + column_sums[c + ONE] + column_sums[c + U(2)]
            sharpness = F(1) / (total / (n_vertical * n_horizontal) + MIN_SCALE)
            entry_bits, slope = laplace(abs(seen[at + c * stride]) * inverse, sharpness)
            row_bits += entry_bits
            column_slopes[c] = slope * inverse * weight
        if gradient.size > 0:
            for c in range(n_cols):
                value, slope = seen[at + c * stride], column_slopes[c]
                gradient[at + c * stride] = slope if value > 0 else (-slope if value < 0 else F(0))
        bits += row_bits
    return bits


@kernel
def rate_of_all(seen, gradient, first, end, stride, step, weight):
    """Bits of the entries at first, first + stride, .. before end, under one distribution.

    Laplace, whose scale is the mean magnitude of them all, + 0.1, taken as constant. Else as `rate`.
    """
    inverse, total, n = F(1) / step, 0.0, 0.0
    for i in range(first, end, stride):
        total += abs(seen[i])
        n += 1.0
    sharpness = F(1) / (F(total / n) * inverse + MIN_SCALE)
    bits = 0.0
    for i in range(first, end, stride):
        value = seen[i]
        entry_bits, slope = laplace(abs(value) * inverse, sharpness)
        bits += entry_bits
        if gradient.size > 0:
            slope *= inverse * weight
            gradient[i] = slope if value > 0 else (-slope if value < 0 else F(0))
    return bits
