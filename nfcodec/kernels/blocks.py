# pyright: basic
"""Products of small matrices with a block: features in rows of `BLOCK` floats, flat, multiples of four of them.

Tiles of 4 x 4 matrix entries keep the multiplier busy: sixteen fused multiply-adds for four loads and four stores.
"""

from __future__ import annotations

from nfcodec.kernels.jit import B1, B2, B3, FOUR, ONE, THREE, TWO, ZERO, F, kernel


def padded(n: int) -> int:
    """The next multiple of four."""
    return -(-n // 4) * 4


@kernel
def fill_rows(z, values, n_rows):
    """z[j, :] = values[j]."""
    for j in range(ZERO, n_rows, ONE):
        value, first = values[j], j * B1
        for x in range(B1):
            z[first + x] = value


@kernel
def add_product(a, e, z, n_out, n_in):
    """z (n_out, BLOCK) += a (n_out, n_in) e (n_in, BLOCK)."""
    for j in range(ZERO, n_out, FOUR):
        z0 = j * B1
        r0, r1, r2, r3 = j * n_in, (j + ONE) * n_in, (j + TWO) * n_in, (j + THREE) * n_in
        for k in range(ZERO, n_in, FOUR):
            e0 = k * B1
            a00, a01, a02, a03 = a[r0 + k], a[r0 + k + ONE], a[r0 + k + TWO], a[r0 + k + THREE]
            a10, a11, a12, a13 = a[r1 + k], a[r1 + k + ONE], a[r1 + k + TWO], a[r1 + k + THREE]
            a20, a21, a22, a23 = a[r2 + k], a[r2 + k + ONE], a[r2 + k + TWO], a[r2 + k + THREE]
            a30, a31, a32, a33 = a[r3 + k], a[r3 + k + ONE], a[r3 + k + TWO], a[r3 + k + THREE]
            for x in range(B1):
                v0, v1, v2, v3 = e[e0 + x], e[e0 + B1 + x], e[e0 + B2 + x], e[e0 + B3 + x]
                z[z0 + x] += a00 * v0 + a01 * v1 + a02 * v2 + a03 * v3
                z[z0 + B1 + x] += a10 * v0 + a11 * v1 + a12 * v2 + a13 * v3
                z[z0 + B2 + x] += a20 * v0 + a21 * v1 + a22 * v2 + a23 * v3
                z[z0 + B3 + x] += a30 * v0 + a31 * v1 + a32 * v2 + a33 * v3


@kernel
def add_outer(d, e, g, n_out, n_in):
    """g (n_out, n_in) += d (n_out, BLOCK) e (n_in, BLOCK)^T."""
    for j in range(ZERO, n_out, FOUR):
        d0 = j * B1
        r0, r1, r2, r3 = j * n_in, (j + ONE) * n_in, (j + TWO) * n_in, (j + THREE) * n_in
        for k in range(ZERO, n_in, FOUR):
            e0 = k * B1
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = F(0)
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = F(0)
            for x in range(B1):
                v0, v1, v2, v3 = e[e0 + x], e[e0 + B1 + x], e[e0 + B2 + x], e[e0 + B3 + x]
                u = d[d0 + x]
                s00 += u * v0
                s01 += u * v1
                s02 += u * v2
                s03 += u * v3
                u = d[d0 + B1 + x]
                s10 += u * v0
                s11 += u * v1
                s12 += u * v2
                s13 += u * v3
                u = d[d0 + B2 + x]
                s20 += u * v0
                s21 += u * v1
                s22 += u * v2
                s23 += u * v3
                u = d[d0 + B3 + x]
                s30 += u * v0
                s31 += u * v1
                s32 += u * v2
                s33 += u * v3
            k1, k2, k3 = k + ONE, k + TWO, k + THREE
            g[r0 + k] += s00
            g[r0 + k1] += s01
            g[r0 + k2] += s02
            g[r0 + k3] += s03
            g[r1 + k] += s10
            g[r1 + k1] += s11
            g[r1 + k2] += s12
            g[r1 + k3] += s13
            g[r2 + k] += s20
            g[r2 + k1] += s21
            g[r2 + k2] += s22
            g[r2 + k3] += s23
            g[r3 + k] += s30
            g[r3 + k1] += s31
            g[r3 + k2] += s32
            g[r3 + k3] += s33


@kernel
def add_row_sums(d, g, n_rows):
    """g[j] += the sum of d[j, :]."""
    for j in range(ZERO, n_rows, ONE):
        first, total = j * B1, F(0)
        for x in range(B1):
            total += d[first + x]
        g[j] += total


@kernel
def rectify(z, n_rows):
    """z = max(z, 0)."""
    for i in range(n_rows * B1):
        z[i] = max(z[i], F(0))


@kernel
def mask_rectified(d, h, n_rows):
    """d = 0 where the rectified h is 0."""
    for i in range(n_rows * B1):
        d[i] = d[i] if h[i] > F(0) else F(0)
