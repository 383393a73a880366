# pyright: basic
"""Grid levels and a ReLU network over rows of pixels: encoding, network, error, and back to the encoding's gradient."""

from __future__ import annotations

from nfcodec.fitting.kernels.blocks import add_outer, add_product, add_row_sums, fill_rows, mask_rectified, rectify
from nfcodec.fitting.kernels.grids import (
    IS_FINE,
    IS_HASH,
    LOG2_STRIDE,
    dense_encode,
    dense_lookup,
    hash_encode,
    hash_encode_fine,
    hash_lookup,
)
from nfcodec.fitting.kernels.jit import B1, ONE, ZERO, F, U, kernel
from nfcodec.fitting.kernels.loss import loss


@kernel
def forward(e, hidden, out, sizes, n_hidden, has_skip, weights, w_at, biases, b_at):
    """Outputs of a block; the hidden layers' rectified values, one layer below the other, in `hidden`.

    Args:
        sizes: rows of the encoding, of each hidden layer, and of the output, all multiples of four.
        weights: matrices, flat, the i-th at w_at[i], the skip connection's at w_at[n_hidden + 1]; biases likewise.
    """
    n_out = sizes[n_hidden + ONE]
    fill_rows(out, biases[b_at[n_hidden] :], n_out)
    if has_skip:
        add_product(weights[w_at[n_hidden + ONE] :], e, out, n_out, sizes[ZERO])
    at, below = ZERO, e
    for i in range(n_hidden):
        z = hidden[at * B1 :]
        fill_rows(z, biases[b_at[i] :], sizes[i + ONE])
        add_product(weights[w_at[i] :], below, z, sizes[i + ONE], sizes[i])
        rectify(z, sizes[i + ONE])
        at, below = at + sizes[i + ONE], z
    if n_hidden > ZERO:
        add_product(weights[w_at[n_hidden] :], below, out, n_out, sizes[n_hidden])


@kernel
def backward(e, hidden, d_out, d_e, spare_a, spare_b, sizes, n_hidden, has_skip, transposed, w_at, b_at, g_w, g_b):
    """Add the gradients of the weights and biases; set that of the encoding."""
    n_out = sizes[n_hidden + ONE]
    for i in range(sizes[ZERO] * B1):
        d_e[i] = F(0)
    add_row_sums(d_out, g_b[b_at[n_hidden] :], n_out)
    if has_skip:
        add_outer(d_out, e, g_w[w_at[n_hidden + ONE] :], n_out, sizes[ZERO])
        add_product(transposed[w_at[n_hidden + ONE] :], d_out, d_e, sizes[ZERO], n_out)
    if n_hidden == ZERO:
        return
    at = ZERO
    for i in range(n_hidden):
        at += sizes[i + ONE]
    d, other, spare = d_out, spare_a, spare_b
    for back in range(n_hidden):
        i = n_hidden - back
        at -= sizes[i]
        h = hidden[at * B1 :]
        add_outer(d, h, g_w[w_at[i] :], sizes[i + ONE], sizes[i])
        for x in range(sizes[i] * B1):
            other[x] = F(0)
        add_product(transposed[w_at[i] :], d, other, sizes[i], sizes[i + ONE])
        mask_rectified(other, h, sizes[i])
        d, other, spare = other, spare, other
        add_row_sums(d, g_b[b_at[i - ONE] :], sizes[i])
    add_outer(d, e, g_w[w_at[ZERO] :], sizes[ONE], sizes[ZERO])
    add_product(transposed[w_at[ZERO] :], d, d_e, sizes[ZERO], sizes[ONE])


@kernel
def grid_rows(
    y0, y1, chunk_y0, width, levels, tables, steps, row_cells, row_fractions, col_cells, col_fractions,
    sizes, n_hidden, has_skip, weights, transposed, w_at, biases, b_at,
    targets, samples, scale, quantum, value_map, thresholds, differentiate, d_encoding, g_w, g_b, sums, outputs,
    scratch, rows, cells,
):  # fmt: skip
    """Pixel rows y0 .. y1 - 1.

    Args:
        steps: a quantizer step for each level, to round its entries to as they are read; 0 for none.
        row_cells, row_fractions, col_cells, col_fractions: (levels, H or W), of the hash levels.
        differentiate: whether to compute gradients as well.
        d_encoding: (features, pixels) of the chunk that begins at row chunk_y0: becomes the encoding's gradient.
        g_w, g_b, sums: added to; outputs: as in `loss`.
        scratch, rows, cells: scratch; see the engine for their sizes.
    """
    n_levels, n_features = U(levels.shape[0]), U(d_encoding.shape[0])
    n_channels = U(targets.shape[0])
    total, widest = ZERO, sizes[ZERO]
    for i in range(n_hidden + U(2)):
        total += sizes[i]
        widest = max(widest, sizes[i])
    e, hidden = scratch, scratch[sizes[ZERO] * B1 :]
    out = scratch[(total - sizes[n_hidden + ONE]) * B1 :]
    d_out = scratch[total * B1 :]
    d_e = d_out[sizes[n_hidden + ONE] * B1 :]
    spare_a = d_e[sizes[ZERO] * B1 :]
    spare_b = spare_a[widest * B1 :]
    for i in range((total + U(2) * widest + sizes[n_hidden + ONE] + sizes[ZERO]) * B1):
        scratch[i] = F(0)
    for level in range(n_levels):
        cells[level] = ~ZERO
    for y in range(y0, y1):
        for level in range(n_levels):
            if levels[level, IS_HASH] == ZERO:
                if levels[level, LOG2_STRIDE] > ZERO:
                    dense_lookup(levels, level, tables, steps[level], y, rows, cells, width)
            elif levels[level, IS_FINE] == ZERO:
                row, fraction = row_cells[level, y], row_fractions[level, y]
                hash_lookup(levels, level, tables, steps[level], row, fraction, col_cells[level], width, rows)
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            for level in range(n_levels):
                step = steps[level]
                if levels[level, IS_HASH] == ZERO:
                    dense_encode(levels, level, tables, step, y, x0, n, rows, e)
                elif levels[level, IS_FINE] == ZERO:
                    hash_encode(levels, level, col_cells[level], col_fractions[level], x0, n, rows, e)
                else:
                    row, fraction = row_cells[level, y], row_fractions[level, y]
                    hash_encode_fine(
                        levels, level, tables, step, row, fraction, col_cells[level], col_fractions[level], x0, n, e
                    )
            forward(e, hidden, out, sizes, n_hidden, has_skip, weights, w_at, biases, b_at)
            first = y * width + x0
            loss(
                out, d_out, targets, samples, first, n, n_channels, scale, quantum, value_map, thresholds, sums, outputs
            )
            if differentiate:
                backward(
                    e, hidden, d_out, d_e, spare_a, spare_b, sizes, n_hidden, has_skip, transposed, w_at, b_at, g_w, g_b
                )
                to = (y - chunk_y0) * width + x0
                for f in range(n_features):
                    row_out, at = d_encoding[f], f * B1
                    for x in range(n):
                        row_out[to + x] = d_e[at + x]
