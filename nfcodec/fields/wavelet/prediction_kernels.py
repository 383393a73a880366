# pyright: basic
"""Context networks on blocks of coefficients, compiled; `contexts.Network` says what they are.

Everything is an integer in a float32, exact while the bounds that are computed beside the sums say so.
"""

from __future__ import annotations

import numpy as np

from nfcodec.fields.wavelet.contexts import HIDDEN
from nfcodec.kernels.blocks import add_product, fill_rows
from nfcodec.kernels.jit import B1, I32, ONE, ZERO, F, U, kernel

_HIDDEN, _WIDE, _LAST, _BOUND = U(HIDDEN), U(HIDDEN + 4), U(4), U(2)


@kernel
def predict(arena, at, pitch, stride, n_cols, start, stop, n_inputs, layers, locations, log_scales, beyond):
    """Locations and log2 of scales of the coefficients start .. stop - 1 of a run, in raster order.

    Args:
        arena: float32, flat; at, pitch, stride: of each input the place of that of the run's first coefficient, and the
            way from one row or column to the next.
        layers: of `contexts.Layers`.
        n_inputs: a multiple of four, at least as many as there are inputs.
        locations, log_scales, beyond: int32, int32 and bool, of all coefficients of the run; `beyond` becomes true
            where the other two may be wrong.
    """
    e = np.zeros(n_inputs * B1, np.float32)
    h0 = np.empty(_HIDDEN * B1, np.float32)
    h1 = np.empty(_WIDE * B1, np.float32)
    out = np.empty(_LAST * B1, np.float32)
    for first in range(start, stop, B1):
        n = min(B1, stop - first)
        filled = ZERO
        while filled < n:
            y, x = (first + filled) // n_cols, (first + filled) % n_cols
            m = min(n - filled, n_cols - x)
            for i in range(U(at.size)):
                source, step, to = at[i] + y * pitch[i] + x * stride[i], stride[i], i * B1 + filled
                for j in range(m):
                    e[to + j] = arena[source + j * step]
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
