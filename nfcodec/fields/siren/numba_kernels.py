# pyright: basic
"""A SIREN over a range of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.kernels.arguments import Floats, Found, Indices, Packed
from nfcodec.kernels.blocks import add_outer, add_product, add_row_sums, fill_rows
from nfcodec.kernels.elementary import sine_cosine
from nfcodec.kernels.jit import B1, FOUR, ONE, TWO, ZERO, F, U, kernel
from nfcodec.kernels.loss import loss


@kernel
def sine_layer(z, cosines, n_rows):
    """z becomes its sine; `cosines` its cosine."""
    for i in range(n_rows * B1):
        sine, cosine = sine_cosine(z[i])
        z[i] = sine
        cosines[i] = cosine


class SineNet(NamedTuple):
    """Sine layers and a linear one.

    Attributes:
        sizes: neurons of each sine layer, multiples of four; n_out: output rows, a multiple of four.
        n_untrained: so many of the first layers have no gradient.
        packed: frequencies included.
    """

    sizes: Indices
    n_out: np.uintp
    n_untrained: np.uintp
    packed: Packed


class Lattice(NamedTuple):
    """The coordinates of its columns and rows."""

    xs: Floats
    ys: Floats


@kernel
def siren_pixels(pixels, lattice, net, wanted, found, scratch):
    """Some pixels, in raster order.

    Args:
        pixels: the first one, and the one behind the last.
        wanted, found: see `kernels.arguments`.
        scratch: (4 + 2 n_out + 2 (all sizes and the largest)) BLOCK floats.
    """
    first, last = pixels
    xs, ys, sizes, n_untrained, n_out = lattice.xs, lattice.ys, net.sizes, net.n_untrained, net.n_out
    weights, transposed, w_at, biases, b_at = net.packed
    g_w, g_b = found.weights, found.biases
    n_cols, n_layers, widest, n_neurons = U(xs.size), U(sizes.size), ZERO, ZERO
    for i in range(n_layers):
        widest = max(widest, sizes[i])
        n_neurons += sizes[i]
    e, out, d_out = scratch, scratch[FOUR * B1 :], scratch[(FOUR + n_out) * B1 :]
    d_a = d_out[n_out * B1 :]
    d_b = d_a[widest * B1 :]
    sines = d_b[widest * B1 :]
    cosines = sines[n_neurons * B1 :]
    for i in range((FOUR + TWO * n_out) * B1):
        scratch[i] = F(0)
    for start in range(first, last, B1):
        n = min(B1, last - start)
        for x in range(n):
            e[x] = xs[(start + x) % n_cols]
            e[B1 + x] = ys[(start + x) // n_cols]
        below, n_below, at = e, FOUR, ZERO
        for i in range(n_layers):
            z = sines[at * B1 :]
            fill_rows(z, biases[b_at[i] :], sizes[i])
            add_product(weights[w_at[i] :], below, z, sizes[i], n_below)
            sine_layer(z, cosines[at * B1 :], sizes[i])
            below, n_below = z, sizes[i]
            at += sizes[i]
        fill_rows(out, biases[b_at[n_layers] :], n_out)
        add_product(weights[w_at[n_layers] :], below, out, n_out, n_below)
        loss(wanted, found, out, d_out, start, n)
        if not wanted.differentiate:
            continue
        d, n_d, other = d_out, n_out, d_a
        for back in range(n_layers + ONE - n_untrained):
            i = n_layers - back
            if i > ZERO:
                n_below = sizes[i - ONE]
                at -= n_below
                below = sines[at * B1 :]
            else:
                below, n_below = e, FOUR
            add_outer(d, below, g_w[w_at[i] :], n_d, n_below)
            add_row_sums(d, g_b[b_at[i] :], n_d)
            if i > n_untrained:
                cosine = cosines[at * B1 :]
                for x in range(n_below * B1):
                    other[x] = F(0)
                add_product(transposed[w_at[i] :], d, other, n_below, n_d)
                for x in range(n_below * B1):
                    other[x] *= cosine[x]
                d, n_d, other = other, n_below, (d_b if back % TWO == ZERO else d_a)


class Tasks(NamedTuple):
    """Ranges of pixels, the i-th of `size` of them from i * size on.

    Attributes:
        first, last: which of them; the last is not.
        n_pixels: of all.
    """

    first: np.uintp
    last: np.uintp
    size: np.uintp
    n_pixels: np.uintp


@kernel
def siren_tasks(tasks, lattice, net, wanted, weights, biases, errors, outputs, scratch):
    """Some tasks, one after the other: a call from Python takes as long as a few hundred pixels.

    Args:
        weights, biases, errors: as of `kernels.arguments.Found`, a row for each of all tasks; only one row of gradients
            where there are none.
        outputs, scratch: as of `siren_pixels`.
    """
    for i in range(tasks.first, tasks.last):
        pixels = i * tasks.size, min((i + ONE) * tasks.size, tasks.n_pixels)
        slot = i if wanted.differentiate else ZERO
        siren_pixels(pixels, lattice, net, wanted, Found(weights[slot], biases[slot], errors[i], outputs), scratch)
