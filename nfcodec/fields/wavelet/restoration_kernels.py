# pyright: basic
"""What the shipped filters and the layer behind them add to each pixel, compiled: in float32 or exactly."""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.blocks import add_product, fill_rows, rectify
from nfcodec.kernels.jit import B1, FOUR, ONE, TWO, ZERO, F, U, kernel

SIDE = 5
_SIDE, _LAST = U(SIDE), FOUR


@kernel
def gather(planes, y, x0, n, e):
    """The 5 x 5 places around n pixels from (y, x0) on, edges repeated: places in raster order, then planes."""
    channels, height, width = U(planes.shape[0]), U(planes.shape[1]), U(planes.shape[2])
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


@kernel
def restore(planes, row0, row1, n_inputs, n_filters, matrix, offset, layer, out):
    """Rows [row0, row1) of `out`, (H * W, C), in float32.

    Args:
        planes: (C, H, W).
        n_inputs, n_filters: multiples of four.
        matrix, offset: (n_filters, n_inputs) and (n_filters,), flat; inputs are as `gather` has them.
        layer: (4, n_filters), flat, of which the first C rows count.
    """
    channels, width = U(planes.shape[0]), U(planes.shape[2])
    e = np.zeros(n_inputs * B1, np.float32)
    responses = np.empty(n_filters * B1, np.float32)
    sums = np.empty(_LAST * B1, np.float32)
    for y in range(row0, row1):
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            gather(planes, y, x0, n, e)
            fill_rows(responses, offset, n_filters)
            add_product(matrix, e, responses, n_filters, n_inputs)
            rectify(responses, n_filters)
            for i in range(_LAST * B1):
                sums[i] = F(0)
            add_product(layer, responses, sums, _LAST, n_filters)
            for x in range(n):
                for c in range(channels):
                    out[y * width + x0 + x, c] = sums[c * B1 + x]


@kernel
def restore_exactly(
    planes, row0, row1, n_inputs, n_filters, matrix, offset, bias, layer, layer_offset, layer_bias, out
):
    """Add to `out`, (C, pixels of the rows [row0, row1)); all are integers in float64, so in any order the same.

    A layer takes x to floor(matrix x + offset) + bias; its bias is 0 where it could go into the offset.

    Args:
        matrix, offset, bias, layer, ..: flat, sides padded with zeros to multiples of four.
    """
    channels, width = U(planes.shape[0]), U(planes.shape[2])
    e = np.zeros(n_inputs * B1, np.float64)
    responses = np.empty(n_filters * B1, np.float64)
    sums = np.empty(_LAST * B1, np.float64)
    for y in range(row0, row1):
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            gather(planes, y, x0, n, e)
            fill_rows(responses, offset, n_filters)
            add_product(matrix, e, responses, n_filters, n_inputs)
            for j in range(n_filters):
                for i in range(j * B1, (j + ONE) * B1):
                    responses[i] = max(np.floor(responses[i]) + bias[j], 0.0)
            fill_rows(sums, layer_offset, _LAST)
            add_product(layer, responses, sums, _LAST, n_filters)
            at = (y - row0) * width + x0
            for c in range(channels):
                for x in range(n):
                    out[c, at + x] += np.floor(sums[c * B1 + x]) + layer_bias[c]
