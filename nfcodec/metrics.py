"""How far apart two images are. All metrics run over the stored sample values (no linearisation)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nfcodec.errors import UsageError
from nfcodec.floats import as_numpy_does

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
FloatArray = npt.NDArray[np.float64]

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
_SIGMA = 1.5
_CHUNK = 1 << 18


def squared_error(a: Samples, b: Samples) -> int:
    """The exact sum of squared differences of two arrays of one shape, uint8 or uint16.

    Raises:
        UsageError: the shapes differ, the arrays are empty, or the samples are neither uint8 nor uint16.
    """
    _check(a, b)
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    total = 0
    for start in range(0, flat_a.size, _CHUNK):
        difference = flat_a[start : start + _CHUNK].astype(np.int64)
        difference -= flat_b[start : start + _CHUNK]
        total += int(np.dot(difference, difference))
    return total


def mse(a: Samples, b: Samples) -> float:
    """Mean squared error over all samples, in squared sample units. Raises as `squared_error`."""
    return squared_error(a, b) / a.size


def psnr_db(a: Samples, b: Samples, peak: int) -> float:
    """Peak signal-to-noise ratio, 10 log10(peak^2 / MSE), one MSE over all samples; infinite for equal arrays.

    Args:
        a, b: arrays of one shape, uint8 or uint16.
        peak: the largest sample value, 2^depth - 1.

    Raises:
        UsageError: as `squared_error`, or peak < 1.
    """
    _check_peak(peak)
    error = squared_error(a, b)
    return 10 * math.log10(peak * peak * a.size / error) if error else math.inf


@as_numpy_does
def ms_ssim(a: Samples, b: Samples, peak: int) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003), the mean over channels; 1 for equal images.

    11 x 11 Gaussian window of sigma 1.5 over its valid positions, K1 = 0.01, K2 = 0.03, 2 x 2 means between scales (an
    odd last row or column is repeated), negative mean structure terms counted as 0. There are five scales; an image
    whose shorter side is under 161 has as many as fit the window, with their weights scaled to sum to 1.

    Args:
        a, b: (H, W) or (H, W, C) of one shape, uint8 or uint16, both sides at least 11.
        peak: the largest sample value, 2^depth - 1.

    Raises:
        UsageError: as `squared_error`, peak < 1, or a side is under 11.
    """
    _check(a, b)
    _check_peak(peak)
    if a.ndim not in (2, 3):
        raise UsageError(f"MS-SSIM needs (H, W) or (H, W, C), not {a.shape}")
    if min(a.shape[:2]) < WINDOW:
        raise UsageError(f"MS-SSIM needs at least {WINDOW} x {WINDOW} pixels, not {a.shape[0]} x {a.shape[1]}")
    planes_a, planes_b = _planes(a), _planes(b)
    return math.fsum(_plane_ms_ssim(x, y, peak) for x, y in zip(planes_a, planes_b, strict=True)) / len(planes_a)


def _check(a: Samples, b: Samples) -> None:
    if a.shape != b.shape:
        raise UsageError(f"the images differ in shape: {a.shape} and {b.shape}")
    if a.size == 0:
        raise UsageError("an image needs at least one pixel")
    for array in (a, b):
        if array.dtype.kind != "u" or array.dtype.itemsize > 2:
            raise UsageError(f"samples must be uint8 or uint16, not {array.dtype}")


def _check_peak(peak: int) -> None:
    if peak < 1:
        raise UsageError(f"peak must be at least 1, not {peak}")


def _planes(image: Samples) -> list[FloatArray]:
    stack = image.reshape(*image.shape[:2], -1)
    return [stack[:, :, channel].astype(np.float64) for channel in range(stack.shape[2])]


def _plane_ms_ssim(a: FloatArray, b: FloatArray, peak: int) -> float:
    terms: list[float] = []
    while True:
        luminance, structure = _ssim_terms(a, b, peak)
        last = len(terms) + 1 == len(MS_SSIM_WEIGHTS) or (min(a.shape) + 1) // 2 < WINDOW
        terms.append(float((luminance * structure if last else structure).mean()))
        if last:
            break
        a, b = _halve(a), _halve(b)
    weights = MS_SSIM_WEIGHTS[: len(terms)]
    return math.prod(max(term, 0.0) ** (weight / sum(weights)) for term, weight in zip(terms, weights, strict=True))


def _ssim_terms(a: FloatArray, b: FloatArray, peak: int) -> tuple[FloatArray, FloatArray]:
    """The maps of the luminance term and of the contrast-structure term."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _blur(a), _blur(b)
    mean_product, mean_squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    covariance = _blur(a * b) - mean_product
    variances = _blur(a * a + b * b) - mean_squares
    return (2 * mean_product + c1) / (mean_squares + c1), (2 * covariance + c2) / (variances + c2)


def _blur(plane: FloatArray) -> FloatArray:
    """Separable Gaussian, valid positions only: (H, W) -> (H - 10, W - 10)."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    height, width = plane.shape[0] - WINDOW + 1, plane.shape[1] - WINDOW + 1
    rows = np.zeros((height, plane.shape[1]))
    for offset, weight in enumerate(kernel):
        rows += weight * plane[offset : offset + height]
    blurred = np.zeros((height, width))
    for offset, weight in enumerate(kernel):
        blurred += weight * rows[:, offset : offset + width]
    return blurred


def _halve(plane: FloatArray) -> FloatArray:
    """Means of 2 x 2 blocks: (H, W) -> (ceil(H / 2), ceil(W / 2))."""
    even = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge")
    return (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]) / 4
