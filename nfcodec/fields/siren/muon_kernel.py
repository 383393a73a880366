# pyright: basic
"""A step of Muon for one layer.

Matrices are flat: rows of `stride` floats, a multiple of eight, and a multiple of four rows, zero beyond what is used.
"""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.jit import FOUR, ONE, ZERO, F, U, kernel


@kernel
def products(x, y, out, n_rows, stride, n):
    """out[i, j] = the product of rows i of x and j of y over n columns, for a symmetric result."""
    for i in range(n_rows):
        at = i * stride
        for j in range(ZERO, i + ONE, FOUR):
            b0 = j * stride
            b1, b2, b3 = b0 + stride, b0 + U(2) * stride, b0 + U(3) * stride
            s0 = s1 = s2 = s3 = F(0)
            for k in range(n):
                v = x[at + k]
                s0 += v * y[b0 + k]
                s1 += v * y[b1 + k]
                s2 += v * y[b2 + k]
                s3 += v * y[b3 + k]
            out[at + j], out[at + j + ONE], out[at + j + U(2)], out[at + j + U(3)] = s0, s1, s2, s3
    for i in range(n_rows):
        for j in range(i):
            out[j * stride + i] = out[i * stride + j]


@kernel
def polynomial_step(x, y, square, fourth, n_rows, n, stride, a, b, c):
    """y = a x + b x x^T x + c x x^T x x^T x."""
    products(x, x, square, n_rows, stride, n)
    products(square, square, fourth, n_rows, stride, n_rows)
    for i in range(n_rows):
        at = i * stride
        for k in range(n):
            y[at + k] = a * x[at + k]
        for j in range(ZERO, n_rows, FOUR):
            f0 = b * square[at + j] + c * fourth[at + j]
            f1 = b * square[at + j + ONE] + c * fourth[at + j + ONE]
            f2 = b * square[at + j + U(2)] + c * fourth[at + j + U(2)]
            f3 = b * square[at + j + U(3)] + c * fourth[at + j + U(3)]
            x0 = j * stride
            x1, x2, x3 = x0 + stride, x0 + U(2) * stride, x0 + U(3) * stride
            for k in range(n):
                y[at + k] += f0 * x[x0 + k] + f1 * x[x1 + k] + f2 * x[x2 + k] + f3 * x[x3 + k]


@kernel
def orthogonalize(x, y, square, fourth, n_rows, n, stride, coefficients, n_iterations):
    """x (n_rows, n) becomes about U V^T of its singular value decomposition; n_rows a multiple of four, n one of eight.

    The other arrays are scratch of the same size, the stride at least n_rows.
    """
    total = F(0)
    for i in range(n_rows * stride):
        total += x[i] * x[i]
    scale = F(1) / (total ** F(0.5) + F(1e-30))
    for i in range(n_rows * stride):
        x[i] *= scale
    for _ in range(n_iterations):
        polynomial_step(x, y, square, fourth, n_rows, n, stride, coefficients[0], coefficients[1], coefficients[2])
        for i in range(n_rows * stride):
            x[i] = y[i]


@kernel
def step(
    weight, bias, g_weight, g_bias, average, momentum, price, near_zero, coefficients, n_iterations, size
):  # fmt: skip
    """Change weight (n_out, n_in) and bias (n_out,) by one step of root mean square `size` along their gradients.

    Args:
        average: (n_out, n_in + 1), of gradients.
        price, near_zero: see `Muon`.
        coefficients: of x, x^3 and x^5 in the polynomial that is applied `n_iterations` times.
    """
    n_out, n_in = U(weight.shape[0]), U(weight.shape[1])
    tall = n_out > n_in + ONE
    small, large = (n_in + ONE, n_out) if tall else (n_out, n_in + ONE)
    n_rows, stride = (small + U(3)) & ~U(3), (large + U(7)) & ~U(7)
    scratch = np.zeros((4, n_rows * stride), np.float32)
    x, mean = scratch[0], F(0)
    for i in range(n_out):
        for j in range(n_in):
            mean += abs(weight[i, j])
    mean = max(mean / F(n_out * n_in), F(1e-6))
    for i in range(n_out):
        for j in range(n_in + ONE):
            if j < n_in:
                value = weight[i, j]
                gradient = g_weight[i, j] + price * value / (mean * (abs(value) + near_zero * mean))
            else:
                gradient = g_bias[i]
            average[i, j] += (F(1) - momentum) * (gradient - average[i, j])
            x[j * stride + i if tall else i * stride + j] = gradient + momentum * (average[i, j] - gradient)
    orthogonalize(x, scratch[1], scratch[2], scratch[3], n_rows, stride, stride, coefficients, n_iterations)
    for i in range(n_out):
        for j in range(n_in):
            weight[i, j] -= size * x[j * stride + i if tall else i * stride + j]
        bias[i] -= size * x[n_in * stride + i if tall else i * stride + n_in]
