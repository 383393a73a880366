# pyright: basic
"""Latents softened or rounded into grids with zeros around, and moved by their slopes."""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.elementary import noise, tanh
from nfcodec.kernels.jit import F, U, kernel
from nfcodec.kernels.quantizer import floor


@kernel
def spread(place, first, y0, y1, values, seen):
    """Rows of a grid from a flat array, in which the grid begins at `first`."""
    for y in range(y0, y1):
        here, to = first + U(y) * place.cols, place.first + U(y) * place.pitch
        for x in range(place.cols):
            seen[to + x] = values[here + x]


@kernel
def collect(place, first, y0, y1, slopes, found):
    """Rows of a grid back to a flat array."""
    for y in range(y0, y1):
        here, to = place.first + U(y) * place.pitch, first + U(y) * place.cols
        for x in range(place.cols):
            found[to + x] = slopes[here + x]


@kernel
def harden(place, first, y0, y1, latents, gain, seen):
    """Rows of rounded latents."""
    for y in range(y0, y1):
        here, to = first + U(y) * place.cols, place.first + U(y) * place.pitch
        for x in range(place.cols):
            seen[to + x] = floor(latents[here + x] * gain + F(0.5))


@kernel
def soften(place, first, y0, y1, latents, how, seen, softened):
    """Rows of softly rounded latents with noise, softly rounded again; `softened` becomes their slopes by latents.

    Args:
        how: gain, temperature, standard deviation of the noise, and the key of the noise.
        softened: flat, as the latents.
    """
    gain, temperature, deviation, key = how
    sharpness = F(1) / temperature
    height = F(0.5) / tanh(F(0.5) * sharpness)
    steepness = (sharpness * height) * (sharpness * height) * gain
    for y in range(y0, y1):
        here, to = first + U(y) * place.cols, place.first + U(y) * place.pitch
        for x in range(place.cols):
            value = latents[here + x] * gain
            middle = floor(value) + F(0.5)
            t = tanh((value - middle) * sharpness)
            once = middle + t * height + deviation * noise(np.uint32(here + x), key)
            middle = floor(once) + F(0.5)
            u = tanh((once - middle) * sharpness)
            seen[to + x] = middle + u * height
            softened[here + x] = (F(1) - t * t) * (F(1) - u * u) * steepness


@kernel
def move(place, first, y0, y1, latents, how, slopes, softened, moments):
    """One step of Adam on rows of latents.

    Args:
        how: step, decays of the two moments, and the corrections of both for their start.
        moments: means of slopes and of their squares.
    """
    rate, beta_1, beta_2, correction_1, correction_2, eps = how
    mean, square = moments
    for y in range(y0, y1):
        here, at = first + U(y) * place.cols, place.first + U(y) * place.pitch
        for x in range(place.cols):
            i = here + x
            g = slopes[at + x] * softened[i]
            m = beta_1 * mean[i] + (F(1) - beta_1) * g
            s = beta_2 * square[i] + (F(1) - beta_2) * g * g
            mean[i] = m
            square[i] = s
            latents[i] -= rate * correction_1 * m / (np.sqrt(s * correction_2) + eps)
