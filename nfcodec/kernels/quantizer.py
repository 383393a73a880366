# pyright: basic
"""Rounding, soft rounding and the optimiser: elementwise over the flat tables."""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.elementary import noise, tanh
from nfcodec.kernels.jit import I32, F, exact_order, kernel


@exact_order
def floor(x):
    """Of |x| < 2^31."""
    k = F(I32(x))
    return k - F(1) if k > x else k


@kernel
def soften(values, seen, slope, start, stop, how):
    """What the field sees in place of rounded values while it is fitted: soft rounding, noise, soft rounding again.

    Args:
        seen, slope: become the softened values and their derivative.
        how: see `Softening`.
    """
    step, softness, key = how
    height = F(0.5) / tanh(F(0.5) / softness)
    sharpness, spread = F(1) / softness, F(0.07) + F(0.43) * softness
    for i in range(start, stop):
        x = values[i] / step
        middle = floor(x) + F(0.5)
        t = tanh((x - middle) * sharpness)
        first = middle + t * height + spread * noise(np.uint32(i), key)
        middle = floor(first) + F(0.5)
        u = tanh((first - middle) * sharpness)
        seen[i] = (middle + u * height) * step
        slope[i] = (F(1) - t * t) * (F(1) - u * u) * (sharpness * height) * (sharpness * height)


@kernel
def harden(values, seen, start, stop, step):
    """True rounding to a step; plain copies for step 0."""
    if step > F(0):
        for i in range(start, stop):
            seen[i] = floor(values[i] / step + F(0.5)) * step
    else:
        for i in range(start, stop):
            seen[i] = values[i]


@kernel
def adam(values, gradient, slope, moments, start, stop, how):
    """One step of Adam (Kingma & Ba 2015); the gradient is gradient * slope, or gradient alone for an empty slope.

    Args:
        moments: averages of gradients and of their squares, updated.
        how: see `AdamStep`.
    """
    mean, square = moments
    rate, beta_1, beta_2, correction_1, correction_2, eps = how
    size, root = rate / correction_1, F(1) / np.sqrt(correction_2)
    if slope.size > 0:
        for i in range(start, stop):
            g = gradient[i] * slope[i]
            m = beta_1 * mean[i] + (F(1) - beta_1) * g
            s = beta_2 * square[i] + (F(1) - beta_2) * g * g
            mean[i] = m
            square[i] = s
            values[i] -= size * m / (np.sqrt(s) * root + eps)
    else:
        for i in range(start, stop):
            g = gradient[i]
            m = beta_1 * mean[i] + (F(1) - beta_1) * g
            s = beta_2 * square[i] + (F(1) - beta_2) * g * g
            mean[i] = m
            square[i] = s
            values[i] -= size * m / (np.sqrt(s) * root + eps)
