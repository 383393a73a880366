# pyright: basic
"""Context networks on blocks of coefficients, and the slopes that they see, compiled; `contexts.Network` says more.

Everything is an integer in a float32, exact while the bounds that are computed beside the sums say so.
"""

from __future__ import annotations

import numpy as np

from nfcodec.fields.wavelet.contexts import HIDDEN
from nfcodec.fields.wavelet.slopes import LARGEST_SLOPE
from nfcodec.kernels.blocks import add_product, fill_rows
from nfcodec.kernels.jit import B1, I32, ONE, THREE, TWO, ZERO, F, U, kernel

_STEEPEST = float(LARGEST_SLOPE)
_HIDDEN, _WIDE, _LAST, _BOUND = U(HIDDEN), U(HIDDEN + 4), U(4), U(2)


@kernel
def predict(arena, at, pitch, n_cols, row0, row1, n_inputs, layers, locations, log_scales, beyond):
    """Locations and log2 of scales of the coefficients in rows [row0, row1) of a run, in raster order.

    Args:
        arena: float32, flat; at, pitch: of each input the place of that of the run's first coefficient, and the way
            from one row to the next; columns lie side by side.
        layers: of `contexts.Layers`.
        n_inputs: a multiple of four, at least as many as there are inputs.
        locations, log_scales, beyond: int32, int32 and bool, of these coefficients; `beyond` becomes true where the
            other two may be wrong.
    """
    e = np.zeros(n_inputs * B1, np.float32)
    h0 = np.empty(_HIDDEN * B1, np.float32)
    h1 = np.empty(_WIDE * B1, np.float32)
    out = np.empty(_LAST * B1, np.float32)
    size = (row1 - row0) * n_cols
    for first in range(ZERO, size, B1):
        n = min(B1, size - first)
        filled = ZERO
        while filled < n:
            y, x = row0 + (first + filled) // n_cols, (first + filled) % n_cols
            m = min(n - filled, n_cols - x)
            for i in range(U(at.size)):
                source, to = at[i] + y * pitch[i] + x, i * B1 + filled
                for j in range(m):
                    e[to + j] = arena[source + j]
            filled += m
        fill_rows(h0, layers.offset0, _HIDDEN)
        add_product(layers.weight0, e, h0, _HIDDEN, n_inputs)
        for i in range(_HIDDEN * B1):
            h0[i] = max(np.floor(h0[i]), F(0))
        fill_rows(h1, layers.offset1, _WIDE)
        add_product(layers.weight1, h0, h1, _WIDE, _HIDDEN)
        for i in range(_HIDDEN * B1):
            h1[i] = max(np.floor(h1[i]), F(0))
        fill_rows(out, layers.offset2, _LAST)
        add_product(layers.weight2, h1, out, _LAST, _HIDDEN)
        for x in range(n):
            locations[first + x] = I32(np.floor(out[x]))
            log_scales[first + x] = I32(np.floor(out[B1 + x]))
            over = h1[_HIDDEN * B1 + x] >= layers.limits[ZERO] or out[_BOUND * B1 + x] >= layers.limits[ONE]
            beyond[first + x] = over


@kernel
def slopes(plane, logs, start, stop, along_x, along_y):
    """Rows [start, stop) of the slopes of a plane framed with its edges, one place before and two behind.

    Args:
        plane: integers in float64, (rows, cols).
        logs: of slopes -LARGEST_SLOPE .. LARGEST_SLOPE.
        along_x, along_y: become the slopes to the next column and row, even columns before odd ones.
    """
    rows, cols = U(plane.shape[0]), U(plane.shape[1])
    for y in range(start, stop):
        here, below = plane[_inside(y, rows)], plane[_inside(y + ONE, rows)]
        for x in range(cols + THREE):
            value = here[_inside(x, cols)]
            if x < cols + TWO:
                along_x[y, x % TWO, x // TWO] = _log(logs, here[_inside(x + ONE, cols)] - value)
            if y < rows + TWO:
                along_y[y, x % TWO, x // TWO] = _log(logs, below[_inside(x, cols)] - value)


@kernel
def _inside(place, size):
    """The place in a picture of one in the frame."""
    return min(max(place, ONE) - ONE, size - ONE)


@kernel
def _log(logs, slope):
    return logs[U(min(max(slope, -_STEEPEST), _STEEPEST) + _STEEPEST)]
