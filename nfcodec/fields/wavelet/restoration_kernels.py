# pyright: basic
"""What the shipped filters and the layer behind them add to each pixel, in float32, compiled."""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.blocks import add_product, fill_rows, rectify
from nfcodec.kernels.jit import B1, FOUR, ONE, TWO, ZERO, F, U, kernel

SIDE = 5
_SIDE, _LAST = U(SIDE), FOUR


@kernel
def restore(planes, row0, row1, n_inputs, n_filters, matrix, offset, layer, out):
    """Rows [row0, row1) of `out`, (H * W, C).

    Args:
        planes: (C, H, W).
        n_inputs, n_filters: multiples of four.
        matrix, offset: (n_filters, n_inputs) and (n_filters,), flat; inputs are the 5 x 5 places in raster order, then
            the planes.
        layer: (4, n_filters), flat, of which the first C rows count.
    """
    channels, height, width = U(planes.shape[0]), U(planes.shape[1]), U(planes.shape[2])
    e = np.zeros(n_inputs * B1, np.float32)
    responses = np.empty(n_filters * B1, np.float32)
    sums = np.empty(_LAST * B1, np.float32)
    for y in range(row0, row1):
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            for dy in range(_SIDE):
                row = min(max(y + dy, TWO) - TWO, height - ONE)
                for dx in range(_SIDE):
                    inside = x0 + dx >= TWO and x0 + n + dx <= width + TWO
                    for c in range(channels):
                        to = ((dy * _SIDE + dx) * channels + c) * B1
                        line = planes[c, row]
                        if inside:
                            first = x0 + dx - TWO
                            for x in range(n):
                                e[to + x] = line[first + x]
                        else:
                            for x in range(n):
                                e[to + x] = line[min(max(x0 + x + dx, TWO) - TWO, width - ONE)]
            fill_rows(responses, offset, n_filters)
            add_product(matrix, e, responses, n_filters, n_inputs)
            rectify(responses, n_filters)
            for i in range(_LAST * B1):
                sums[i] = F(0)
            add_product(layer, responses, sums, _LAST, n_filters)
            for x in range(n):
                for c in range(channels):
                    out[y * width + x0 + x, c] = sums[c * B1 + x]
