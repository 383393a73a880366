# pyright: basic
"""The rate model of levels whose entries lie on the lattice: their bits, by the magnitudes around each entry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.fitting.kernels.elementary import exp, log2
from nfcodec.fitting.kernels.jit import ONE, ZERO, F, U, kernel

_LN_2 = F(np.log(2))
MIN_SCALE = F(0.1)


class Piece(NamedTuple):
    """Rows row0 .. row1 - 1 of a plane of entries, (n_rows, n_cols), the first of them at `table`."""

    table: np.uintp
    n_rows: np.uintp
    n_cols: np.uintp
    row0: np.uintp
    row1: np.uintp


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
    table, n_rows, n_cols, row0, row1 = piece
    inverse, bits = F(1) / step, 0.0
    for r in range(row0, row1):
        at = table + r * n_cols
        above = at - n_cols if r > ZERO else at
        below = at + n_cols if r + ONE < n_rows else at
        has_above, has_below = F(1) if r > ZERO else F(0), F(1) if r + ONE < n_rows else F(0)
        n_vertical = F(1) + has_above + has_below
        column_sums[ZERO] = F(0)
        column_sums[n_cols + ONE] = F(0)
        for c in range(n_cols):
            total = abs(seen[at + c]) + has_above * abs(seen[above + c]) + has_below * abs(seen[below + c])
            column_sums[c + ONE] = total * inverse
        row_bits = F(0)
        for c in range(n_cols):
            n_horizontal = F(3) - (F(1) if c == ZERO else F(0)) - (F(1) if c + ONE == n_cols else F(0))
            total = column_sums[c] + column_sums[c + ONE] + column_sums[c + U(2)]
            sharpness = F(1) / (total / (n_vertical * n_horizontal) + MIN_SCALE)
            value = seen[at + c] * inverse
            magnitude = abs(value)
            half = exp(F(0.5) * sharpness)
            tail = F(1) / half
            inner = exp(min(magnitude, F(0.5)) * sharpness)
            inner_tail = F(1) / inner
            mass = max(F(1) - F(0.5) * tail * (inner + inner_tail), F(1e-9))
            inside = magnitude < F(0.5)
            slope = F(0.5) * tail * (inner - inner_tail) / mass if inside else F(1)
            spread = F(0.5) * (half - tail)
            row_bits += (F(0) if inside else magnitude * sharpness / _LN_2) - log2(mass if inside else spread)
            column_slopes[c] = slope * sharpness * inverse * weight / _LN_2
        if gradient.size > 0:
            for c in range(n_cols):
                value, slope = seen[at + c], column_slopes[c]
                gradient[at + c] = slope if value > 0 else (-slope if value < 0 else F(0))
        bits += row_bits
    return bits
