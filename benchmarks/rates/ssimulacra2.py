"""SSIMULACRA2, version 2.1, by Jon Sneyers: how far a decoded picture is from its original, as people would judge it.

The program `ssimulacra2` of libjxl (BSD licence) defines it, and its constants stand here. The package `ssimulacra2` of
PyPI (0.3.0) has the same constants, but it blurs by another filter and continues pictures in another way beyond two of
their edges; on Kodak pictures in JPEG it is 0.1 to 6 points away from what the blur of libjxl gives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d

from benchmarks.data.pictures import Bytes, Reals, linear

SCALES = 6
SMALLEST = 8
"""The least side of a picture, in pixels, at which it is still compared."""

BLUR = np.array([0.009414367810, 0.036011114658, 0.109335372777, 0.212928592010, 0.264621105488])
"""What libjxl's recursive filter of sigma 1.5 makes of one bright sample, up to its middle; it is symmetric."""

_KERNEL = np.concatenate([BLUR, BLUR[-2::-1]])
_OPSIN = np.array([
    [0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
])  # fmt: skip
_BIAS = 0.0037930732552754493
_C2 = 0.0009

_WEIGHTS = np.array([
    0, 0.00073766067074, 0, 0, 0.00077934816829, 0,
    0, 0.00043711557301, 0, 1.1041726427, 0.00066284834129, 0.00015231632784,
    0, 0.0016406437457, 0, 1.8422455521, 11.441172604, 0,
    0.0007989109436, 0.00017681643808, 0, 1.878759498, 10.949069906, 0,
    0.00072893469915, 0.96779370806, 0, 0.00014003424285, 0.99817669779, 0.00031949755934,
    0.00045509921138, 0, 0, 0.0013648766163, 0, 0,
    0, 0, 0, 7.4668903281, 0, 17.445833984,
    0.0006235601634, 0, 0, 6.6836781462, 0.0003772440798, 1.0278899378,
    225.20515301, 0, 0, 19.213238186, 0.0011401524587, 0.0012377556355,
    176.39317598, 0, 0, 24.433009999, 0.28520802612, 0.00044854369238,
    0, 0, 0, 34.779063445, 44.835625329, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.00086805565733, 0, 0, 0, 0,
    0, 0.00053131918744, 0, 0.00016533814161, 0, 0,
    0, 0, 0, 0.00041791718033, 0.0017290828235, 0,
    0.0020827005847, 0, 0, 8.826982765, 23.19243344, 0,
    95.108049881, 0.98639780344, 0.98343827925, 0.0012286405048, 171.26672559, 0.98078588724,
    0, 0, 0, 0.0005130064589, 0, 0.00010854057858,
])  # fmt: skip
"""By channel (X, Y, B), scale, norm (mean, fourth power) and kind of error (structure, ringing, blur)."""

_Planes = npt.NDArray[np.float64]
"""(3, height, width)."""


def ssimulacra2(original: Bytes, decoded: Bytes) -> float | None:
    """100 for equal pictures, 90 where nobody sees a difference, 70 for high, 50 for medium and 30 for low quality.

    Args:
        original, decoded: (H, W, 3) or (H, W), in sRGB.

    Returns:
        The score, which can be far below 0; None for pictures that are too small for it.
    """
    if min(original.shape[:2]) < SMALLEST:
        return None
    a, b = _planes(original), _planes(decoded)
    found: list[Reals] = []
    while len(found) < SCALES and min(a.shape[1:]) >= SMALLEST:
        found.append(_errors(_perceived(a), _perceived(b)))
        a, b = _halved(a), _halved(b)
    errors = np.stack(found, 1).ravel()
    return _score(float(_WEIGHTS[: errors.size] @ errors))


def _score(error: float) -> float:
    error *= 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * error**0.6276336467831387 if error > 0 else 100.0


def _planes(picture: Bytes) -> _Planes:
    """In linear light."""
    colour = picture if picture.ndim == 3 else np.stack([picture] * 3, 2)
    return np.ascontiguousarray(linear(colour).transpose(2, 0, 1))


def _perceived(planes: _Planes) -> _Planes:
    """XYB, moved and stretched so that all three are above 0 and of about one size."""
    mixed = np.tensordot(_OPSIN, planes, 1) + _BIAS
    long, middle, short = np.cbrt(np.maximum(mixed, 0)) - np.cbrt(_BIAS)
    y = (long + middle) / 2
    return np.stack([14 * (long - middle) / 2 + 0.42, y + 0.01, short - y + 0.55])


def _errors(a: _Planes, b: _Planes) -> Reals:
    """By channel, norm and kind: (3, 2, 3)."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    covariance = _blurred(a * b) - mean_a * mean_b
    variances = (_blurred(a * a) - mean_a**2) + (_blurred(b * b) - mean_b**2)
    structure = 1 - (1 - (mean_a - mean_b) ** 2) * (2 * covariance + _C2) / (variances + _C2)
    edges = (1 + np.abs(b - mean_b)) / (1 + np.abs(a - mean_a)) - 1
    kinds = np.maximum(np.stack([structure, edges, -edges], 1), 0)
    return np.stack([kinds.mean((2, 3)), (kinds**4).mean((2, 3)) ** 0.25], 1)


def _blurred(planes: _Planes) -> _Planes:
    """Beyond the edges there are zeros."""
    return convolve1d(convolve1d(planes, _KERNEL, 1, mode="constant"), _KERNEL, 2, mode="constant")


def _halved(planes: _Planes) -> _Planes:
    """Means of 2 x 2 samples; an odd last row or column stands twice."""
    even = np.pad(planes, [(0, 0), *((0, side % 2) for side in planes.shape[1:])], mode="edge")
    return (even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 4
