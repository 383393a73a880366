# pyright: basic
"""Wavelet levels: synthesis by lifting, its transpose, pixel rows through the network, and the rate of coefficients.

Planes are (features, H, W) and are changed in place; a lattice of stride h is their rows and columns 0, h, 2 h, ...
"""

from __future__ import annotations

import numpy as np

from nfcodec.fields.wavelet.transform import LIFTING, LIFTING_BITS
from nfcodec.kernels.elementary import exp, log2
from nfcodec.kernels.jit import B1, ONE, TWO, ZERO, F, U, kernel
from nfcodec.kernels.loss import loss
from nfcodec.kernels.relu import backward, forward

ALPHA, BETA, GAMMA, DELTA = (F(c / (1 << LIFTING_BITS)) for c in LIFTING)
_LN_2 = F(np.log(2))
LEAST_MASS = F(2.0**-18)


@kernel
def lift(lines, first, factor):
    """Every other line from `first` on gains factor * (the lines before and after it), mirrored at the ends."""
    n = U(lines.shape[0])
    last = n - ONE
    for i in range(first, n, TWO):
        before = i - ONE if i > ZERO else ONE
        after = i + ONE if i < last else last - ONE
        for x in range(lines.shape[1]):
            lines[i, x] += factor * (lines[before, x] + lines[after, x])


@kernel
def lift_transposed(lines, first, factor):
    """The transpose of `lift`: the lines between those gain factor * (those), twice where they are mirrored."""
    n = U(lines.shape[0])
    last = n - ONE
    for i in range(first, n, TWO):
        before = i - ONE if i > ZERO else ONE
        after = i + ONE if i < last else last - ONE
        for x in range(lines.shape[1]):
            share = factor * lines[i, x]
            lines[before, x] += share
            lines[after, x] += share


@kernel
def columns(planes, feature, stride, x0, x1, transposed):
    """Inverse lifting down the columns x0 .. x1 - 1 of a lattice, or its transpose."""
    lines = planes[feature, ::stride, x0 * stride : (x1 - ONE) * stride + ONE : stride]
    if lines.shape[0] > 1:
        if transposed:
            lift_transposed(lines, ONE, -ALPHA)
            lift_transposed(lines, ZERO, -BETA)
            lift_transposed(lines, ONE, -GAMMA)
            lift_transposed(lines, ZERO, -DELTA)
        else:
            lift(lines, ZERO, -DELTA)
            lift(lines, ONE, -GAMMA)
            lift(lines, ZERO, -BETA)
            lift(lines, ONE, -ALPHA)


@kernel
def row(line, even, odd, transposed):
    """Inverse lifting along one line of a lattice, or its transpose.

    Args:
        even, odd: scratch, at least half as long as the line and three more; a place on either side mirrors the ends.
    """
    n, m = U((line.size + 1) // 2), U(line.size // 2)
    if m == ZERO:
        return
    for i in range(m):
        even[i + ONE], odd[i + ONE] = line[TWO * i], line[TWO * i + ONE]
    if n > m:
        even[n] = line[TWO * m]
    if transposed:
        _spread_odd(even, odd, n, m, -ALPHA)
        _spread_even(even, odd, n, m, -BETA)
        _spread_odd(even, odd, n, m, -GAMMA)
        _spread_even(even, odd, n, m, -DELTA)
    else:
        _lift_even(even, odd, n, m, -DELTA)
        _lift_odd(even, odd, n, m, -GAMMA)
        _lift_even(even, odd, n, m, -BETA)
        _lift_odd(even, odd, n, m, -ALPHA)
    for i in range(m):
        line[TWO * i], line[TWO * i + ONE] = even[i + ONE], odd[i + ONE]
    if n > m:
        line[TWO * m] = even[n]


@kernel
def _lift_even(even, odd, n, m, factor):
    odd[ZERO], odd[m + ONE] = odd[ONE], odd[m]
    for i in range(ONE, n + ONE):
        even[i] += factor * (odd[i - ONE] + odd[i])


@kernel
def _lift_odd(even, odd, n, m, factor):
    even[n + ONE] = even[n]
    for i in range(ONE, m + ONE):
        odd[i] += factor * (even[i] + even[i + ONE])


@kernel
def _spread_even(even, odd, n, m, factor):
    """The transpose of `_lift_even`."""
    even[n + ONE] = F(0)
    for i in range(ONE, m + ONE):
        odd[i] += factor * (even[i] + even[i + ONE])
    odd[ONE] += factor * even[ONE]
    if n > m:
        odd[m] += factor * even[n]


@kernel
def _spread_odd(even, odd, n, m, factor):
    """The transpose of `_lift_odd`."""
    odd[ZERO] = odd[m + ONE] = F(0)
    for i in range(ONE, n + ONE):
        even[i] += factor * (odd[i - ONE] + odd[i])
    if n == m:
        even[n] += factor * odd[m]


@kernel
def rows(planes, feature, stride, y0, y1, even, odd, transposed):
    """Inverse lifting along the rows y0 .. y1 - 1 of a lattice, or its transpose."""
    for y in range(y0, y1):
        row(planes[feature, y * stride, ::stride], even, odd, transposed)


@kernel
def wavelet_rows(rows, planes, net, wanted, d_planes, found, scratch):
    """Some rows of pixels: the network, the error, and back to the gradient of the planes.

    Args:
        rows, net, wanted, found: see `kernels.arguments`.
        planes, d_planes: (features, H, W).
        scratch: of `engines.numba.relu`.
    """
    sizes, n_hidden, width = net.sizes, net.n_hidden, U(planes.shape[2])
    total, widest = ZERO, sizes[ZERO]
    for i in range(n_hidden + TWO):
        total += sizes[i]
        widest = max(widest, sizes[i])
    e, hidden = scratch, scratch[sizes[ZERO] * B1 :]
    out = scratch[(total - sizes[n_hidden + ONE]) * B1 :]
    d_out = scratch[total * B1 :]
    d_e = d_out[sizes[n_hidden + ONE] * B1 :]
    spare_a = d_e[sizes[ZERO] * B1 :]
    spare_b = spare_a[widest * B1 :]
    for i in range((total + TWO * widest + sizes[n_hidden + ONE] + sizes[ZERO]) * B1):
        scratch[i] = F(0)
    for y in range(rows.y0, rows.y1):
        for x0 in range(ZERO, width, B1):
            n = min(B1, width - x0)
            for f in range(U(planes.shape[0])):
                line, at = planes[f, y], f * B1
                for x in range(n):
                    e[at + x] = line[x0 + x]
            forward(net, e, hidden, out)
            loss(wanted, found, out, d_out, y * width + x0, n)
            if wanted.differentiate:
                backward(net, e, hidden, d_out, d_e, (spare_a, spare_b), found)
                for f in range(U(planes.shape[0])):
                    line, at = d_planes[f, y], f * B1
                    for x in range(n):
                        line[x0 + x] = d_e[at + x]


@kernel
def laplace_rate(seen, gradient, priors, start, stop, step, weight):
    """Bits of entries start .. stop - 1 of a flat table under Laplace distributions of their own.

    Args:
        gradient: becomes that of the bits times `weight`; may be empty.
        priors: locations in steps, and one over the scales in steps; constants.
    """
    locations, sharpness = priors
    inverse, bits = F(1) / step, F(0)
    for i in range(start, stop):
        value, sharp = seen[i] * inverse - locations[i], sharpness[i]
        magnitude = abs(value)
        half = exp(F(0.5) * sharp)
        tail = F(1) / half
        inner = exp(min(magnitude, F(0.5)) * sharp)
        inner_tail = F(1) / inner
        mass = max(F(1) - F(0.5) * tail * (inner + inner_tail), LEAST_MASS)
        inside = magnitude < F(0.5)
        slope = F(0.5) * tail * (inner - inner_tail) / mass if inside else F(1)
        spread = F(0.5) * (half - tail)
        bits += (F(0) if inside else magnitude * sharp / _LN_2) - log2(mass if inside else spread)
        if gradient.size > 0:
            slope *= sharp * inverse * weight / _LN_2
            gradient[i] = slope if value > 0 else (-slope if value < 0 else F(0))
    return bits
