"""The least bytes that a randomly permuted picture can take: the rate-distortion function of its colours.

A permuted picture is a sequence of colours without order, so no code spends fewer bits a pixel on it, on average, than
the rate-distortion function R(D) of the distribution of its colours (Shannon 1959), here of the joint distribution of
the channels, taken as known to the decoder. It is computed by Blahut's and Arimoto's iteration on a lattice of
colours, where both sums of the iteration are Gaussian blurs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.floats import as_numpy_does
from nfcodec.raster import Raster, Samples
from nfcodec.transforms import left_shuffled, parse_permutations

MAX_CELLS = 1 << 24
ITERATIONS = 8
ITERATIONS_IF_LARGE = 3
_TINY = 1e-30

Lattice = npt.NDArray[np.float32]


def lower_bound_bits(samples: Samples, psnr_db: float, peak: int) -> float | None:
    """R(D) in bits a pixel at a PSNR, or None where the lattice of colours would be too large.

    The lattice has cells of one sample, or of the allowed root mean squared error where that is larger. The iteration
    runs at one slope; from its point (R, D) the tangent, which is below the convex R(D), gives the value at the target
    (a loose one where the allowed error is small beside a sample).

    Args:
        samples: (n, C) integers; psnr_db: over all samples, peak as given.
    """
    n_channels = samples.shape[1]
    variance = peak**2 * 10 ** (-psnr_db / 10)
    cell = max(1.0, math.sqrt(variance))
    points = np.floor((samples - samples.min(axis=0).astype(np.float64)) / cell + 0.5).astype(np.int64)
    pad = math.ceil(4 * math.sqrt(variance) / cell)
    shape = tuple(int(n) + 1 + 2 * pad for n in points.max(axis=0))
    if math.prod(shape) > MAX_CELLS * 2:
        return None
    flat = np.ravel_multi_index(tuple((points + pad).T), shape)
    source = (np.bincount(flat, minlength=math.prod(shape)) / len(points)).astype(np.float32).reshape(shape)
    taps = np.arange(-pad, pad + 1)
    kernel = np.exp(-((taps * cell) ** 2) / (2 * variance))
    reproduction = _blur(source, [kernel / kernel.sum()] * n_channels)
    for _ in range(ITERATIONS if source.size <= MAX_CELLS // 4 else ITERATIONS_IF_LARGE):
        seen = _blur(reproduction, [kernel] * n_channels)
        np.divide(source, np.maximum(seen, _TINY), out=seen)
        reproduction *= _blur(seen, [kernel] * n_channels)
    seen = _blur(reproduction, [kernel] * n_channels)
    used = source > 0
    weight = source[used].astype(np.float64)
    density = np.maximum(seen[used].astype(np.float64), _TINY)
    distortion = 0.0
    for axis in range(n_channels):
        kernels = [kernel * (taps * cell) ** 2 if i == axis else kernel for i in range(n_channels)]
        distortion += float((weight * _blur(reproduction, kernels)[used] / density).sum())
    rate = -float((weight * np.log2(density)).sum()) - distortion / (2 * variance * math.log(2))
    return max(0.0, rate - (n_channels * variance - distortion) / (2 * variance * math.log(2)))


def _blur(lattice: Lattice, kernels: Sequence[npt.NDArray[np.floating[Any]]]) -> Lattice:
    """Convolve each axis with its symmetric kernel; the lattice's borders are empty."""
    for axis, kernel in enumerate(kernels):
        half = len(kernel) // 2
        blurred = lattice * np.float32(kernel[half])
        for shift in range(1, half + 1):
            tap = np.float32(kernel[half + shift])
            ahead, behind = [slice(None)] * lattice.ndim, [slice(None)] * lattice.ndim
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            blurred[tuple(behind)] += tap * lattice[tuple(ahead)]
            blurred[tuple(ahead)] += tap * lattice[tuple(behind)]
        lattice = blurred
    return lattice


@as_numpy_does
def bound_bytes(raster: Raster, transform: str, psnr_db: float) -> int | None:
    """The least bytes for a picture at a PSNR once a chain has stripped it of all order; takes seconds at high PSNR.

    None for chains that leave some order or store one in key planes, and where the computation would be too large.
    Raises UsageError for an unknown chain.
    """
    permutations = parse_permutations(transform)
    if not left_shuffled(permutations) or any(each.n_planes for each in permutations):
        return None
    bits = lower_bound_bits(raster.samples.reshape(-1, raster.channels), psnr_db, raster.peak)
    return None if bits is None else math.ceil(bits * raster.n_pixels / 8)
