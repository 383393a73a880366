# pyright: basic
"""Grid levels and a ReLU network over rows of pixels: encoding, network, error, and back to the encoding's gradient."""

from __future__ import annotations

from nfcodec.kernels.blocks import add_outer, add_product, add_row_sums, fill_rows, mask_rectified, rectify
from nfcodec.kernels.grids import (
    IS_FINE,
    IS_HASH,
    LOG2_STRIDE,
    dense_encode,
    dense_lookup,
    hash_encode,
    hash_encode_fine,
    hash_lookup,
)
from nfcodec.kernels.jit import B1, ONE, ZERO, F, U, kernel
from nfcodec.kernels.loss import loss


@kernel
def forward(net, e, hidden, out):
    """Outputs of a block; the hidden layers' rectified values, one layer below the other, in `hidden`.

    Args:
        net: see `ReluNet`.
        e: the encoding, a row of `BLOCK` floats a feature.
    """
    sizes, n_hidden, has_skip = net.sizes, net.n_hidden, net.has_skip
    weights, w_at, biases, b_at = net.packed.weights, net.packed.w_at, net.packed.biases, net.packed.b_at
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
def backward(net, e, hidden, d_out, d_e, spare, found):
    """Add the gradients of the weights and biases; set that of the encoding.

    Args:
        spare: scratch for two layers.
    """
    sizes, n_hidden, has_skip = net.sizes, net.n_hidden, net.has_skip
    transposed, w_at, b_at = net.packed.transposed, net.packed.w_at, net.packed.b_at
    g_w, g_b = found.weights, found.biases
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
    d, other, unused = d_out, spare[0], spare[1]
    for back in range(n_hidden):
        i = n_hidden - back
        at -= sizes[i]
        h = hidden[at * B1 :]
        add_outer(d, h, g_w[w_at[i] :], sizes[i + ONE], sizes[i])
        for x in range(sizes[i] * B1):
            other[x] = F(0)
        add_product(transposed[w_at[i] :], d, other, sizes[i], sizes[i + ONE])
        mask_rectified(other, h, sizes[i])
        d, other, unused = other, unused, other
        add_row_sums(d, g_b[b_at[i - ONE] :], sizes[i])
    add_outer(d, e, g_w[w_at[ZERO] :], sizes[ONE], sizes[ZERO])
    add_product(transposed[w_at[ZERO] :], d, d_e, sizes[ZERO], sizes[ONE])


@kernel
def grid_rows(rows, grid, net, wanted, slopes, found, scratch):
    """Some rows of pixels.

    Args:
        rows, grid, net, wanted: see `Rows`, `Grid`, `ReluNet` and `Wanted`.
        slopes: see `Slopes`; becomes the encoding's gradient.
        found: see `Found`; added to.
        scratch: see `GridScratch`; of `engines.numba.relu` and `engines.numba.grids`.
    """
    sizes, n_hidden, levels, width = net.sizes, net.n_hidden, grid.levels, slopes.width
    n_levels, n_features = U(levels.shape[0]), U(slopes.encoding.shape[0])
    total, widest = ZERO, sizes[ZERO]
    for i in range(n_hidden + U(2)):
        total += sizes[i]
        widest = max(widest, sizes[i])
    e, hidden = scratch.network, scratch.network[sizes[ZERO] * B1 :]
    out = scratch.network[(total - sizes[n_hidden + ONE]) * B1 :]
    d_out = scratch.network[total * B1 :]
    d_e = d_out[sizes[n_hidden + ONE] * B1 :]
    spare_a = d_e[sizes[ZERO] * B1 :]
    spare_b = spare_a[widest * B1 :]
    for i in range((total + U(2) * widest + sizes[n_hidden + ONE] + sizes[ZERO]) * B1):
        scratch.network[i] = F(0)
    for level in range(n_levels):
        scratch.cells[level] = ~ZERO
    for y in range(rows.y0, rows.y1):
        for level in range(n_levels):
            if levels[level, IS_HASH] == ZERO:
                if levels[level, LOG2_STRIDE] > ZERO:
                    dense_lookup(grid, level, y, scratch.rows, scratch.cells)
            elif levels[level, IS_FINE] == ZERO:
                hash_lookup(grid, level, y, width, scratch.rows)
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            for level in range(n_levels):
                if levels[level, IS_HASH] == ZERO:
                    dense_encode(grid, level, y, x0, n, scratch.rows, e)
                elif levels[level, IS_FINE] == ZERO:
                    hash_encode(grid, level, x0, n, scratch.rows, e)
                else:
                    hash_encode_fine(grid, level, y, x0, n, e)
            forward(net, e, hidden, out)
            loss(wanted, found, out, d_out, y * width + x0, n)
            if wanted.differentiate:
                backward(net, e, hidden, d_out, d_e, (spare_a, spare_b), found)
                to = (y - slopes.y0) * width + x0
                for f in range(n_features):
                    row_out, at = slopes.encoding[f], f * B1
                    for x in range(n):
                        row_out[to + x] = d_e[at + x]
